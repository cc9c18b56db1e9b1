//! For each command an input that it takes.

use serde_json::{Value, json};
use tenantry_conformance::testing::World;
use tenantry_core::{CreateInvitation, CreateRole, CreateTuple, InvitationInput, TenancyStore, Timestamp};

/// Whom the invitation is for that has expired.
const LATE: &str = "late@example.org";

/// Adds to the world what will have expired when the commands come: an invitation, and a tuple without scope; and a role of the system
/// that grants something.
pub(crate) async fn add_what_expires(store: &dyn TenancyStore, w: &World, end: Timestamp) {
    let invitation = CreateInvitation::new(w.org, w.owner, InvitationInput::new(LATE, "member", end));
    store.create_invitation(invitation).await.expect("an invitation");
    let tuple = CreateTuple::new(("doc", World::DOC), "child", ("folder", World::FOLDER)).expires_at(end);
    store.create_tuple(tuple).await.expect("a tuple");
    store.create_role(CreateRole::of_system("warden").permissions([World::WRITE])).await.expect("a role");
}

/// Every command in the order of the operations, each over the world as it is at first. Some stand there several times: with each
/// of the rows that they can write.
pub(crate) fn commands(w: &World) -> Vec<(&'static str, Value)> {
    const FUTURE: &str = "2027-01-01T00:00:00Z";
    let text = |id: &dyn ToString| id.to_string();
    let promises = json!([{"relation": "viewer", "object_type": "doc", "object_id": World::DOC},
        {"relation": "editor", "object_type": "doc", "object_id": World::DOC}]);
    // The first of them takes the place of one that has expired.
    let invited = |number: usize| {
        let identifier = if number == 0 { LATE.to_owned() } else { format!("{number}@example.org") };
        json!({"identifier": identifier, "role": "member", "expires_at": FUTURE, "pre_tuples": promises})
    };
    vec![
        ("create_user", json!({"display_name": "Anna"})),
        ("suspend_user", json!({"usr_id": text(&w.owner)})),
        ("reinstate_user", json!({"usr_id": text(&w.suspended_user)})),
        ("revoke_user", json!({"usr_id": text(&w.outsider)})),
        ("create_org", json!({"creator": text(&w.owner), "name": "New", "slug": "new", "parent_id": text(&w.org)})),
        (
            "update_org",
            json!({"org_id": text(&w.org), "name": "Other", "slug": "other", "cascade_permissions": false, "seat_limit": 3,
                "external_id": "crm-7", "metadata": {"plan": "gold"}, "request_id": "req-7", "reason": "asked for by mail"}),
        ),
        ("move_org", json!({"org_id": text(&w.branch)})),
        ("suspend_org", json!({"org_id": text(&w.org)})),
        ("reinstate_org", json!({"org_id": text(&w.suspended_org)})),
        ("revoke_org", json!({"org_id": text(&w.suspended_org)})),
        ("ensure_tenant_for_user", json!({"usr_id": text(&w.outsider), "mode": "personal", "name": "Otto"})),
        ("create_tenant_with_ownership", json!({"usr_id": text(&w.owner), "name": "Acme", "max_tenants": 5})),
        ("delete_tenant", json!({"usr_id": text(&w.owner), "org_id": text(&w.suspended_org), "mode": "required"})),
        ("add_member", json!({"org_id": text(&w.org), "usr_id": text(&w.outsider), "role": "owner", "invited_by": text(&w.owner)})),
        ("change_role", json!({"mem_id": text(&w.member_mem), "new_role": "admin"})),
        ("update_membership", json!({"mem_id": text(&w.member_mem), "expires_at": FUTURE, "metadata": {"desk": 7}})),
        ("suspend_membership", json!({"mem_id": text(&w.admin_mem)})),
        ("reinstate_membership", json!({"mem_id": text(&w.suspended_mem)})),
        ("self_leave", json!({"mem_id": text(&w.owner_mem), "transfer_to": text(&w.admin)})),
        ("admin_remove", json!({"mem_id": text(&w.member_mem), "admin_usr_id": text(&w.owner)})),
        ("transfer_ownership", json!({"org_id": text(&w.org), "from_mem_id": text(&w.owner_mem), "to_mem_id": text(&w.admin_mem)})),
        (
            "create_invitation",
            json!({"org_id": text(&w.org), "identifier": LATE, "role": "member", "invited_by": text(&w.owner), "expires_at": FUTURE,
                "pre_tuples": promises}),
        ),
        (
            "create_invitations",
            json!({"org_id": text(&w.org), "invited_by": text(&w.owner), "invitations": (0..40).map(invited).collect::<Vec<_>>()}),
        ),
        // With a user whom it makes, and with one who is there.
        ("accept_invitation", json!({"inv_id": text(&w.pending_inv)})),
        (
            "accept_invitation",
            json!({"inv_id": text(&w.pending_inv), "as_usr_id": text(&w.outsider), "accepting_identifier": World::IDENTIFIER}),
        ),
        ("decline_invitation", json!({"inv_id": text(&w.pending_inv), "as_usr_id": text(&w.outsider)})),
        ("revoke_invitation", json!({"inv_id": text(&w.paused_inv), "admin_usr_id": text(&w.owner)})),
        ("extend_invitation", json!({"inv_id": text(&w.pending_inv), "expires_at": FUTURE})),
        ("sweep", json!({})),
        // In the place of one that has expired, and in a scope.
        (
            "create_tuple",
            json!({"subject_type": "doc", "subject_id": World::DOC, "relation": "child", "object_type": "folder",
                "object_id": World::FOLDER}),
        ),
        (
            "create_tuple",
            json!({"subject_type": "usr", "subject_id": text(&w.member), "relation": "owner", "object_type": "doc",
                "object_id": World::DOC, "org_id": text(&w.org), "expires_at": FUTURE}),
        ),
        ("delete_tuple", json!({"tup_id": text(&w.scoped_tup)})),
        ("define_permission", json!({"slug": "doc.share", "name": "Share documents", "category": "documents"})),
        // Enough of them for a store to write them in several pieces; one of them changes what is there.
        (
            "sync_catalog",
            json!({"manifest": [{"collection": "bill", "api": true, "actions": ["pay"]}],
                "custom": (0..40).map(|number| json!({"slug": format!("bulk.n{number}")}))
                    .chain([json!({"slug": World::READ, "name": "Read documents"})]).collect::<Vec<_>>()}),
        ),
        (
            "create_role",
            json!({"org_id": text(&w.org), "slug": "auditor", "name": "Auditor", "inherits_to_descendants": true,
                "permissions": [World::READ, World::WRITE]}),
        ),
        ("create_role", json!({"slug": "reviewer"})),
        ("update_role", json!({"role_id": text(&w.role), "name": "Clerk", "inherits_to_descendants": true})),
        ("delete_role", json!({"role_id": text(&w.spare_role)})),
        // Whoever holds it holds the other one from then on.
        ("delete_role", json!({"role_id": text(&w.role), "replacement_role_id": text(&w.spare_role)})),
        ("grant_role_permission", json!({"role_id": text(&w.role), "permission": World::WRITE, "expires_at": FUTURE})),
        ("revoke_role_permission", json!({"role_id": text(&w.role), "permission": World::READ})),
        ("seed_system_roles", json!({"inherits_to_descendants": ["owner"]})),
        ("seed_role_permissions", json!({"matrix": [{"role": "warden", "permissions": ["*"]}]})),
        ("create_group", json!({"org_id": text(&w.org), "slug": "night", "name": "Night"})),
        ("update_group", json!({"group_id": text(&w.group), "name": "Front desk"})),
        ("delete_group", json!({"group_id": text(&w.group)})),
        ("add_group_member", json!({"group_id": text(&w.group), "usr_id": text(&w.admin), "expires_at": FUTURE})),
        ("remove_group_member", json!({"group_id": text(&w.group), "usr_id": text(&w.member)})),
        ("add_group_role", json!({"group_id": text(&w.group), "role_id": text(&w.spare_role)})),
        ("remove_group_role", json!({"group_id": text(&w.group), "role_id": text(&w.role)})),
        ("set_org_override", json!({"org_id": text(&w.org), "permission": World::READ, "effect": "grant", "expires_at": FUTURE})),
        ("set_org_override", json!({"org_id": text(&w.org), "permission": World::WRITE, "effect": "inherit"})),
        ("set_membership_override", json!({"mem_id": text(&w.admin_mem), "permission": World::READ, "effect": "deny"})),
        ("set_membership_override", json!({"mem_id": text(&w.member_mem), "permission": World::WRITE, "effect": "clear"})),
        ("import", json!({"rows": imported()})),
    ]
}

/// Rows that nobody has, enough of them for a store to write them in several pieces.
fn imported() -> Vec<Value> {
    let id = |prefix: &str, number: usize| format!("{prefix}_0196000000007000800000000001{number:04x}");
    let user = |number| json!({"type": "user", "id": id("usr", number), "display_name": "Ida"});
    let member = |number| {
        let role = if number == 0 { "owner" } else { "member" };
        json!({"type": "membership", "id": id("mem", number), "usr_id": id("usr", number), "org_id": id("org", 0), "role": role})
    };
    let invitation = |number| {
        json!({"type": "invitation", "id": id("inv", number), "org_id": id("org", 0), "identifier": format!("{number}@example.com"),
            "role": "guest", "invited_by": id("usr", 0), "expires_at": "2027-01-01T00:00:00Z"})
    };
    let tuple = |number| {
        json!({"type": "tuple", "id": id("tup", number), "subject_type": "usr", "subject_id": id("usr", number), "relation": "viewer",
            "object_type": "doc", "object_id": World::DOC, "org_id": id("org", 0)})
    };
    let org = json!({"type": "organization", "id": id("org", 0), "name": "Imported", "slug": "imported"});
    // And what there is of permissions, each behind what it leans on.
    let permission = |number| json!({"type": "permission", "slug": format!("imported.action{number}")});
    let role = json!({"type": "role", "id": id("rol", 0), "org_id": id("org", 0), "slug": "imported"});
    let grant = |number| json!({"type": "role_permission", "role_id": id("rol", 0), "permission": format!("imported.action{number}")});
    let group = json!({"type": "group", "id": id("grp", 0), "org_id": id("org", 0), "slug": "imported"});
    let in_group = |number| json!({"type": "group_member", "group_id": id("grp", 0), "org_id": id("org", 0), "usr_id": id("usr", number)});
    let of_group = json!({"type": "group_role", "group_id": id("grp", 0), "org_id": id("org", 0), "role": "imported"});
    let denied = |number| json!({"type": "override", "holder": id("mem", number), "permission": "imported.action0", "effect": "deny"});
    let of_org = (0..40).map(member).chain((0..20).map(invitation)).chain((0..20).map(tuple));
    let of_catalog = (0..10).map(permission).chain([role]).chain((0..10).map(grant));
    let of_groups = [group].into_iter().chain((0..10).map(in_group)).chain([of_group]).chain((0..10).map(denied));
    (0..40).map(user).chain([org]).chain(of_catalog).chain(of_org).chain(of_groups).collect()
}
