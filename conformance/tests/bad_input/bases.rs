//! For each operation an input that is well formed, and that a later check refuses where one can: so a value that is
//! accepted shows as that check's code, and writes nothing.
#![allow(clippy::match_same_arms, reason = "each line of a table stands for itself")]

use serde_json::{Map, Value, json};
use tenantry_conformance::testing::World;
use tenantry_core::wire::{self, Operation};

use crate::table::{Case, Expect};

/// What has fields: an operation, a kind of row of an import, or an entry of a list of inputs.
pub(crate) struct Subject {
    pub(crate) name: &'static str,
    pub(crate) operation: &'static Operation,
    /// Names in the order of spec/, and whether the field is required.
    pub(crate) fields: Vec<(&'static str, bool)>,
    /// What is said of an input of it that is no object.
    pub(crate) no_object: &'static str,
}

const USER_ROW: &str = "import of a user";
const ORG_ROW: &str = "import of an organization";
const MEMBER_ROW: &str = "import of a membership";
const INV_ROW: &str = "import of an invitation";
const TUP_ROW: &str = "import of a tuple";
const PERMISSION_ROW: &str = "import of a permission";
const ROLE_ROW: &str = "import of a role";
const ROLE_PERMISSION_ROW: &str = "import of a role's permission";
const GROUP_ROW: &str = "import of a group";
const GROUP_MEMBER_ROW: &str = "import of a group's member";
const GROUP_ROLE_ROW: &str = "import of a group's role";
const OVERRIDE_ROW: &str = "import of an override";
pub(crate) const INV_ENTRY: &str = "an entry of create_invitations";
pub(crate) const CHECK_ENTRY: &str = "an entry of check_many";
pub(crate) const DEFINITION_ENTRY: &str = "a definition of sync_catalog";
const RESOURCE_ENTRY: &str = "a resource of sync_catalog";
pub(crate) const ASK_ENTRY: &str = "an entry of has_permissions";

#[expect(clippy::too_many_lines, reason = "a table")]
pub(crate) fn subjects() -> Vec<Subject> {
    let of = |operation: &'static Operation| Subject {
        name: operation.name,
        operation,
        fields: operation.all_fields().map(|field| (field.name, field.required)).collect(),
        no_object: "invalid_format.input",
    };
    // A field with a question mark may be left out.
    let part = |name, operation, no_object, fields: &[&'static str]| Subject {
        name,
        operation: wire::operation(operation).expect("an operation"),
        fields: fields.iter().map(|field| field.strip_suffix('?').map_or((*field, true), |field| (field, false))).collect(),
        no_object,
    };
    let row = |name, fields: &[&'static str]| part(name, "import", "invalid_format.input", fields);
    let rows = [
        row(USER_ROW, &["type", "id", "status?", "display_name?", "created_at?", "updated_at?"]),
        row(
            ORG_ROW,
            &[
                "type",
                "id",
                "parent_id?",
                "status?",
                "name?",
                "slug?",
                "cascade_permissions?",
                "inherit_permissions?",
                "seat_limit?",
                "external_id?",
                "metadata?",
                "created_at?",
                "updated_at?",
                "revision?",
            ],
        ),
        row(
            MEMBER_ROW,
            &[
                "type",
                "id",
                "usr_id",
                "org_id",
                "role",
                "role_id?",
                "status?",
                "replaces?",
                "invited_by?",
                "removed_by?",
                "expires_at?",
                "metadata?",
                "created_at?",
                "updated_at?",
            ],
        ),
        row(
            INV_ROW,
            &[
                "type",
                "id",
                "org_id",
                "identifier",
                "role",
                "role_id?",
                "status?",
                "pre_tuples?",
                "invited_by",
                "invited_user_id?",
                "created_at?",
                "expires_at",
                "terminal_at?",
                "terminal_by?",
            ],
        ),
        row(
            TUP_ROW,
            &[
                "type",
                "id",
                "subject_type",
                "subject_id",
                "relation",
                "object_type",
                "object_id",
                "org_id?",
                "created_at?",
                "created_by?",
                "expires_at?",
            ],
        ),
        row(PERMISSION_ROW, &["type", "slug", "name?", "description?", "category?", "created_at?", "updated_at?"]),
        row(
            ROLE_ROW,
            &["type", "id", "org_id?", "slug", "name?", "description?", "inherits_to_descendants?", "created_at?", "updated_at?"],
        ),
        row(ROLE_PERMISSION_ROW, &["type", "role_id", "permission", "granted_by?", "created_at?", "expires_at?"]),
        row(GROUP_ROW, &["type", "id", "org_id", "slug", "name?", "created_at?", "updated_at?"]),
        row(GROUP_MEMBER_ROW, &["type", "group_id", "org_id", "usr_id", "granted_by?", "created_at?", "expires_at?"]),
        row(GROUP_ROLE_ROW, &["type", "group_id", "org_id", "role", "role_id?", "granted_by?", "created_at?", "expires_at?"]),
        row(OVERRIDE_ROW, &["type", "holder", "permission", "effect", "granted_by?", "created_at?", "expires_at?"]),
        part(INV_ENTRY, "create_invitations", "invalid_format.invitations", &["identifier", "role", "expires_at", "pre_tuples?"]),
        part(CHECK_ENTRY, "check_many", "invalid_format.checks", &["subject_type", "subject_id", "relation", "object_type", "object_id"]),
        part(DEFINITION_ENTRY, "sync_catalog", "invalid_format.custom", &["slug", "name?", "description?", "category?"]),
        part(
            RESOURCE_ENTRY,
            "sync_catalog",
            "invalid_format.manifest",
            &["collection", "api?", "cli?", "mcp?", "actions?", "tenant_scope?", "table?", "tenant_column?"],
        ),
        part(ASK_ENTRY, "has_permissions", "invalid_format.asks", &["usr_id", "org_id", "permission"]),
    ];
    wire::OPERATIONS.iter().map(of).chain(rows).collect()
}

/// The input of the operation, for what is not an input itself.
pub(crate) fn wrap(subject: &str, world: &World, input: Value) -> Value {
    match subject {
        USER_ROW | ORG_ROW | TUP_ROW | PERMISSION_ROW => json!({"rows": [input]}),
        // They follow what they lean on, which here is in the store already, just so.
        MEMBER_ROW | INV_ROW | ROLE_ROW | GROUP_ROW | OVERRIDE_ROW => json!({"rows": [home(world), input]}),
        ROLE_PERMISSION_ROW => json!({"rows": [home(world), role(world), input]}),
        GROUP_MEMBER_ROW => json!({"rows": [home(world), member(world), group(world), input]}),
        GROUP_ROLE_ROW => json!({"rows": [home(world), role(world), group(world), input]}),
        INV_ENTRY => json!({"org_id": world.org.to_string(), "invited_by": world.owner.to_string(), "invitations": [input]}),
        CHECK_ENTRY => json!({"checks": [checked(world), input]}),
        DEFINITION_ENTRY => {
            let [one, other] = disagreeing();
            json!({"custom": [input, one, other]})
        }
        RESOURCE_ENTRY => json!({"manifest": [input], "custom": disagreeing()}),
        ASK_ENTRY => json!({"asks": [asked(world), input]}),
        _ => input,
    }
}

pub(crate) struct Base {
    pub(crate) input: Map<String, Value>,
    /// What it comes to: `ok`, or a code. A code behind `row: ` is that of an entry whose command succeeded.
    pub(crate) outcome: &'static str,
}

impl Base {
    pub(crate) fn of(operation: &str, world: &World) -> Self {
        let (outcome, input) = base(operation, world);
        let Value::Object(input) = input else { panic!("{operation}: the base must be an object") };
        Self { input, outcome }
    }
}

const FUTURE: &str = "2027-01-01T00:00:00Z";
/// Before the clock of the test.
const PAST: &str = "2025-01-01T00:00:00Z";

/// The fields of a check, over UUIDs that leave the types free.
fn checked(w: &World) -> Value {
    let member = w.member.to_string();
    let hex = member.strip_prefix("usr_").expect("an id of a user");
    let uuid = format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]);
    json!({"subject_type": "usr", "subject_id": uuid, "relation": "viewer", "object_type": "doc", "object_id": World::DOC})
}

fn home(w: &World) -> Value {
    json!({"type": "organization", "id": w.org.to_string(), "name": "Acme Inc.", "slug": World::SLUG})
}

fn member(w: &World) -> Value {
    let (id, usr) = (w.member_mem.to_string(), w.member.to_string());
    json!({"type": "membership", "id": id, "usr_id": usr, "org_id": w.org.to_string(), "role": "member"})
}

fn role(w: &World) -> Value {
    json!({"type": "role", "id": w.role.to_string(), "org_id": w.org.to_string(), "slug": World::ROLE})
}

fn group(w: &World) -> Value {
    json!({"type": "group", "id": w.group.to_string(), "org_id": w.org.to_string(), "slug": "desk"})
}

/// Two definitions that say different things of one permission.
fn disagreeing() -> [Value; 2] {
    ["One", "Another"].map(|name| json!({"slug": "told.twice", "name": name}))
}

/// The fields of a question.
fn asked(w: &World) -> Value {
    json!({"usr_id": w.member.to_string(), "org_id": w.org.to_string(), "permission": World::READ})
}

fn also(mut object: Value, field: &str, value: impl Into<Value>) -> Value {
    object[field] = value.into();
    object
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn base(operation: &str, w: &World) -> (&'static str, Value) {
    let text = |id: &dyn ToString| id.to_string();
    match operation {
        "create_user" => ("ok", json!({"display_name": "Anna"})),
        "get_user" => ("ok", json!({"usr_id": text(&w.owner)})),
        "get_users" => ("ok", json!({"usr_ids": [text(&w.owner), text(&w.admin)]})),
        "suspend_user" => ("ok", json!({"usr_id": text(&w.outsider)})),
        "reinstate_user" => ("precondition.invalid_transition", json!({"usr_id": text(&w.owner)})),
        "revoke_user" => ("conflict.sole_owner", json!({"usr_id": text(&w.owner)})),
        "create_org" => (
            "precondition.org_not_active",
            json!({"creator": text(&w.owner), "name": "New", "slug": World::SLUG, "parent_id": text(&w.suspended_org),
                "cascade_permissions": true, "inherit_permissions": false}),
        ),
        "get_org" | "get_org_path" => ("ok", json!({"org_id": text(&w.org)})),
        "get_org_by_slug" => ("ok", json!({"slug": World::SLUG})),
        "get_orgs" => ("ok", json!({"org_ids": [text(&w.org), text(&w.child)]})),
        "list_children" | "list_members" | "changes" => ("ok", json!({"org_id": text(&w.org), "limit": 10})),
        "list_descendants" => ("ok", json!({"org_id": text(&w.org), "levels": 3, "limit": 10})),
        "list_orgs" => ("ok", json!({"limit": 10, "query": "c"})),
        // The slug is the suspended organization's.
        "update_org" => (
            "conflict.org_slug",
            json!({"org_id": text(&w.org), "name": "Other", "slug": "paused", "cascade_permissions": true, "inherit_permissions": true,
                "seat_limit": 50, "external_id": "crm-7", "metadata": {"plan": "gold"}}),
        ),
        // A suspended organization takes no children.
        "preview_move_org" => {
            ("precondition.org_not_active", json!({"org_id": text(&w.child), "new_parent_id": text(&w.suspended_org), "limit": 10}))
        }
        "move_org" => ("precondition.org_not_active", json!({"org_id": text(&w.child), "new_parent_id": text(&w.suspended_org)})),
        "suspend_org" => ("conflict.already_terminal", json!({"org_id": text(&w.suspended_org)})),
        "reinstate_org" => ("precondition.invalid_transition", json!({"org_id": text(&w.org)})),
        "revoke_org" => ("conflict.has_children", json!({"org_id": text(&w.org)})),
        "ensure_tenant_for_user" => {
            ("ok", json!({"usr_id": text(&w.outsider), "name": "Otto", "mode": "flexible", "max_tenants": 3, "default_name": "Team"}))
        }
        "create_tenant_with_ownership" => (
            "precondition.tenant_limit",
            json!({"usr_id": text(&w.owner), "name": "Olga", "slug": World::SLUG, "mode": "personal", "max_tenants": 1,
                "default_name": "Team"}),
        ),
        "delete_tenant" => (
            "conflict.has_children",
            json!({"usr_id": text(&w.owner), "org_id": text(&w.org), "mode": "personal", "max_tenants": 3, "default_name": "Team"}),
        ),
        "add_member" => (
            "conflict.duplicate_membership",
            json!({"org_id": text(&w.org), "usr_id": text(&w.admin), "role": "member", "invited_by": text(&w.owner), "expires_at": FUTURE}),
        ),
        "change_role" => ("conflict.sole_owner", json!({"mem_id": text(&w.owner_mem), "new_role": "member"})),
        "update_membership" => {
            ("precondition.owner_cannot_expire", json!({"mem_id": text(&w.owner_mem), "expires_at": FUTURE, "metadata": {"desk": 7}}))
        }
        "suspend_membership" => ("conflict.sole_owner", json!({"mem_id": text(&w.owner_mem)})),
        "reinstate_membership" => ("precondition.invalid_transition", json!({"mem_id": text(&w.owner_mem)})),
        "self_leave" => ("precondition.self_transfer", json!({"mem_id": text(&w.owner_mem), "transfer_to": text(&w.owner)})),
        "admin_remove" => ("forbidden.role_hierarchy", json!({"mem_id": text(&w.owner_mem), "admin_usr_id": text(&w.admin)})),
        "transfer_ownership" => (
            "precondition.self_transfer",
            json!({"org_id": text(&w.org), "from_mem_id": text(&w.owner_mem), "to_mem_id": text(&w.owner_mem)}),
        ),
        "get_membership" | "membership_history" => ("ok", json!({"mem_id": text(&w.member_mem)})),
        "get_membership_for" => ("ok", json!({"org_id": text(&w.org), "usr_id": text(&w.admin)})),
        "get_memberships" => ("ok", json!({"mem_ids": [text(&w.owner_mem), text(&w.admin_mem)]})),
        "list_memberships" => ("ok", json!({"usr_id": text(&w.owner), "status": "active"})),
        "count_members" => ("ok", json!({"org_id": text(&w.org), "status": "suspended"})),
        "create_invitation" => (
            "conflict.duplicate_invitation",
            json!({"org_id": text(&w.org), "identifier": World::IDENTIFIER, "role": "member", "invited_by": text(&w.owner),
                "expires_at": FUTURE, "pre_tuples": [{"relation": "viewer", "object_type": "doc", "object_id": World::DOC}]}),
        ),
        "create_invitations" => (
            "precondition.org_not_active",
            json!({"org_id": text(&w.suspended_org), "invited_by": text(&w.owner),
                "invitations": [{"identifier": "b@example.org", "role": "member", "expires_at": FUTURE}]}),
        ),
        INV_ENTRY => (
            "row: conflict.duplicate_invitation",
            json!({"identifier": World::IDENTIFIER, "role": "member", "expires_at": FUTURE, "pre_tuples": []}),
        ),
        "get_invitation" => ("ok", json!({"inv_id": text(&w.pending_inv)})),
        "list_invitations" => ("ok", json!({"org_id": text(&w.org), "limit": 10, "status": "pending"})),
        "list_invitations_for" => ("ok", json!({"identifier": World::IDENTIFIER, "limit": 10, "status": "pending"})),
        // The admin is a member already.
        "accept_invitation" => (
            "conflict.duplicate_membership",
            json!({"inv_id": text(&w.pending_inv), "as_usr_id": text(&w.admin), "accepting_identifier": World::IDENTIFIER}),
        ),
        "decline_invitation" => (
            "precondition.identifier_mismatch",
            json!({"inv_id": text(&w.pending_inv), "as_usr_id": text(&w.outsider), "accepting_identifier": "b@example.org"}),
        ),
        "revoke_invitation" => {
            ("conflict.invitation_not_pending", json!({"inv_id": text(&w.declined_inv), "admin_usr_id": text(&w.admin)}))
        }
        "extend_invitation" => ("precondition.org_not_active", json!({"inv_id": text(&w.paused_inv), "expires_at": FUTURE})),
        "sweep" => ("ok", json!({"limit": 10})),
        "create_tuple" => ("precondition.org_not_active", also(also(checked(w), "org_id", text(&w.suspended_org)), "expires_at", FUTURE)),
        "delete_tuple" => ("precondition.membership_relation", json!({"tup_id": World::derived(w.member_mem)})),
        "get_tuple" => ("ok", json!({"tup_id": text(&w.scoped_tup)})),
        "list_tuples_for_subject" => ("ok", json!({"subject_type": "usr", "subject_id": checked(w)["subject_id"], "limit": 10})),
        "list_tuples_for_object" => ("ok", json!({"object_type": "doc", "object_id": World::DOC, "relation": "viewer", "limit": 10})),
        "check" | CHECK_ENTRY => ("ok", checked(w)),
        "check_any" => {
            let mut input = checked(w);
            input.as_object_mut().expect("an object").remove("relation");
            ("ok", also(input, "relations", json!(["viewer", "editor"])))
        }
        "check_many" => ("ok", json!({"checks": [checked(w)]})),
        "changes_all" | "list_permissions" => ("ok", json!({"limit": 10})),
        // Nothing is said of it that the catalog does not say.
        "define_permission" => ("ok", json!({"slug": World::READ})),
        "sync_catalog" => ("conflict.permission_metadata", json!({"manifest": [], "custom": disagreeing()})),
        DEFINITION_ENTRY => (
            "conflict.permission_metadata",
            json!({"slug": "docs.read", "name": "Read", "description": "All of them.", "category": "docs"}),
        ),
        RESOURCE_ENTRY => (
            "conflict.permission_metadata",
            json!({"collection": "docs", "api": true, "cli": {"include": ["list"]}, "mcp": {"exclude": ["delete"]}, "actions": ["send"],
                "tenant_scope": "required", "table": "docs", "tenant_column": "org"}),
        ),
        // The slug is another role's, and the permission is in no catalog.
        "create_role" => (
            "conflict.role_slug",
            json!({"org_id": text(&w.org), "slug": World::ROLE, "name": "Clerk", "description": "Reads.", "inherits_to_descendants": true,
                "permissions": [World::READ, "nothing.known"]}),
        ),
        "get_role" => ("ok", json!({"role_id": text(&w.role)})),
        "list_roles" | "list_groups" | "list_org_overrides" => ("ok", json!({"org_id": text(&w.org), "limit": 10})),
        // What it says already.
        "update_role" => ("ok", json!({"role_id": text(&w.role), "name": World::ROLE, "inherits_to_descendants": false})),
        "delete_role" => ("precondition.unknown_role", json!({"role_id": text(&w.role), "replacement_role_id": text(&w.role)})),
        "grant_role_permission" => {
            ("precondition.past_expiration", json!({"role_id": text(&w.role), "permission": World::READ, "expires_at": PAST}))
        }
        // The role does not grant it.
        "revoke_role_permission" => ("ok", json!({"role_id": text(&w.role), "permission": World::WRITE})),
        // The built-in roles have no rows here.
        "seed_role_permissions" => {
            ("precondition.unknown_role", json!({"matrix": [{"role": "owner", "permissions": ["*"]}], "prune": true}))
        }
        "seed_system_roles" => ("ok", json!({"inherits_to_descendants": ["admin"]})),
        "create_group" => ("precondition.org_not_active", json!({"org_id": text(&w.suspended_org), "slug": "desk", "name": "Desk"})),
        "get_group" | "delete_group" => ("ok", json!({"group_id": text(&w.group)})),
        "update_group" => ("ok", json!({"group_id": text(&w.group), "name": "desk"})),
        "add_group_member" => {
            ("precondition.past_expiration", json!({"group_id": text(&w.group), "usr_id": text(&w.member), "expires_at": PAST}))
        }
        // Who and what is not in the group.
        "remove_group_member" => ("ok", json!({"group_id": text(&w.group), "usr_id": text(&w.owner)})),
        "remove_group_role" => ("ok", json!({"group_id": text(&w.group), "role_id": text(&w.spare_role)})),
        "list_group_members" | "list_group_roles" => ("ok", json!({"group_id": text(&w.group), "limit": 10})),
        "add_group_role" => {
            ("precondition.past_expiration", json!({"group_id": text(&w.group), "role_id": text(&w.role), "expires_at": PAST}))
        }
        "set_org_override" => (
            "precondition.past_expiration",
            json!({"org_id": text(&w.org), "permission": World::READ, "effect": "grant", "expires_at": PAST}),
        ),
        "set_membership_override" => (
            "precondition.past_expiration",
            json!({"mem_id": text(&w.member_mem), "permission": World::READ, "effect": "deny", "expires_at": PAST}),
        ),
        "list_membership_overrides" => ("ok", json!({"mem_id": text(&w.member_mem), "limit": 10})),
        "resolve_permissions" => ("ok", json!({"usr_id": text(&w.member), "org_id": text(&w.org)})),
        "has_permission" | "explain_permission" | ASK_ENTRY => ("ok", asked(w)),
        "has_all_permissions" | "has_any_permission" => {
            ("ok", json!({"usr_id": text(&w.member), "org_id": text(&w.org), "permissions": [World::READ, World::WRITE]}))
        }
        "has_permissions" => ("ok", json!({"asks": [asked(w)]})),
        "list_users_with" => ("ok", json!({"org_id": text(&w.org), "permission": World::READ, "limit": 10})),
        "review_permissions" => ("ok", json!({"org_id": text(&w.org), "permission": World::READ, "usr_id": text(&w.member), "limit": 10})),
        "list_orgs_with" => ("ok", json!({"usr_id": text(&w.member), "permission": World::READ, "limit": 10})),
        "import" => ("ok", json!({"rows": []})),
        // Rows that are in the store already, with other content.
        USER_ROW => ("conflict.import", json!({"type": "user", "id": text(&w.owner), "status": "active", "display_name": "Another"})),
        ORG_ROW => ("conflict.import", json!({"type": "organization", "id": text(&w.org), "name": "Another", "slug": "another"})),
        MEMBER_ROW => (
            "conflict.import",
            json!({"type": "membership", "id": text(&w.member_mem), "usr_id": text(&w.member), "org_id": text(&w.org), "role": "guest"}),
        ),
        INV_ROW => (
            "conflict.import",
            json!({"type": "invitation", "id": text(&w.pending_inv), "org_id": text(&w.org), "identifier": World::IDENTIFIER,
                "role": "guest", "invited_by": text(&w.owner), "expires_at": FUTURE}),
        ),
        TUP_ROW => (
            "conflict.import",
            json!({"type": "tuple", "id": text(&w.open_tup), "subject_type": "doc", "subject_id": World::DOC, "relation": "owner",
                "object_type": "folder", "object_id": World::FOLDER}),
        ),
        PERMISSION_ROW => ("conflict.import", json!({"type": "permission", "slug": World::READ, "name": "Another"})),
        ROLE_ROW => ("conflict.import", also(role(w), "name", "Another")),
        ROLE_PERMISSION_ROW => (
            "conflict.import",
            json!({"type": "role_permission", "role_id": text(&w.role), "permission": World::READ, "expires_at": FUTURE}),
        ),
        GROUP_ROW => ("conflict.import", also(group(w), "name", "Another")),
        GROUP_MEMBER_ROW => (
            "conflict.import",
            json!({"type": "group_member", "group_id": text(&w.group), "org_id": text(&w.org), "usr_id": text(&w.member),
                "expires_at": FUTURE}),
        ),
        GROUP_ROLE_ROW => (
            "conflict.import",
            json!({"type": "group_role", "group_id": text(&w.group), "org_id": text(&w.org), "role": World::ROLE, "expires_at": FUTURE}),
        ),
        OVERRIDE_ROW => {
            ("conflict.import", json!({"type": "override", "holder": text(&w.org), "permission": World::WRITE, "effect": "grant"}))
        }
        _ => panic!("{operation} has no base in the table"),
    }
}

/// What a value comes to where that is not what the form of its field says.
pub(crate) fn exception(operation: &str, field: &str, case: &Case) -> Option<&'static str> {
    by_label(operation, field, case.label).or_else(|| accepted(operation, field).filter(|_| case.expect == Expect::Accepted))
}

fn by_label(operation: &str, field: &str, label: &str) -> Option<&'static str> {
    Some(match (operation, field, label) {
        // USR-3: what has the shape of a user's id and no version in range is a user that is not found.
        ("get_user", "usr_id", "a version digit out of range" | "the nil UUID") => "not_found",
        // A user needs no row.
        ("create_org", "creator", "unknown") => "precondition.org_not_active",
        ("ensure_tenant_for_user", "usr_id", "unknown") => "ok",
        ("create_tenant_with_ownership", "usr_id", "unknown") => "conflict.org_slug",
        ("delete_tenant", "usr_id", "unknown") => "forbidden",
        // With what stands behind it, it is too long.
        ("ensure_tenant_for_user", "name", "200 characters") => "invalid_format.name",
        // Without the limit that the base is refused for.
        ("create_tenant_with_ownership", "max_tenants", "missing" | "null") => "conflict.org_slug",
        ("add_member" | "list_memberships", "usr_id", "unknown") => "ok",
        ("add_member", "invited_by", "unknown") => "conflict.duplicate_membership",
        ("admin_remove", "admin_usr_id", "unknown") => "forbidden",
        ("create_invitation", "invited_by", "unknown") => "conflict.duplicate_invitation",
        ("create_invitations", "invited_by", "unknown") => "precondition.org_not_active",
        ("accept_invitation", "as_usr_id", "unknown") => "ok",
        ("decline_invitation", "as_usr_id", "unknown") => "precondition.identifier_mismatch",
        ("revoke_invitation", "admin_usr_id", "unknown") => "conflict.invitation_not_pending",
        // The checks between the field's own and the base's.
        ("create_org", "parent_id", "missing" | "null") => "conflict.org_slug",
        ("self_leave", "transfer_to", "missing" | "null") => "conflict.sole_owner",
        ("transfer_ownership", "org_id", "unknown") => "precondition.org_mismatch",
        ("accept_invitation", "accepting_identifier", "missing" | "null") => "precondition.identifier_binding_required",
        // Without the field that the base is refused for, the update goes through.
        ("update_org", "slug", "missing" | "null" | "text" | "63 bytes") | ("update_membership", "expires_at", "missing" | "null") => "ok",
        // A new user accepts; nobody is asked who declines; a tuple needs no scope.
        ("accept_invitation", "as_usr_id", "missing" | "null")
        | ("decline_invitation", "accepting_identifier", "missing" | "null")
        | ("create_tuple", "org_id", "missing" | "null") => "ok",
        // A user without a row may do nothing; that is no reason to refuse the question.
        ("resolve_permissions" | "has_permission" | "has_all_permissions" | "has_any_permission", "usr_id", "unknown") => "ok",
        ("explain_permission" | "list_orgs_with" | "review_permissions" | ASK_ENTRY, "usr_id", "unknown") => "ok",
        // It is the row's own error.
        (ASK_ENTRY, "org_id", "unknown") => "row: not_found",
        // A role of the system: of those, none has the slug.
        ("create_role", "org_id", "missing" | "null") => "precondition.unknown_permission",
        ("delete_role", "replacement_role_id", "missing" | "null") => "precondition.role_in_use",
        ("move_org" | "preview_move_org", "new_parent_id", "missing" | "null") => "ok",
        ("sync_catalog", "custom", "missing" | "null") => "ok",
        ("add_group_member", "usr_id", "unknown") => "precondition.not_a_member",
        // Neither is looked up.
        ("remove_group_member", "usr_id", "unknown") | ("remove_group_role", "role_id", "unknown") => "ok",
        // Without the end that has come.
        ("grant_role_permission" | "add_group_member" | "add_group_role", "expires_at", "missing" | "null") => "ok",
        ("set_org_override" | "set_membership_override", "expires_at", "missing" | "null") => "ok",
        // What takes an override away asks for no end.
        ("set_org_override" | "set_membership_override", "effect", "none any more") => "ok",
        // New rows: a user may come alone, and so may a tuple of no organization; an organization needs an owner.
        (USER_ROW | TUP_ROW, "id", "unknown") => "ok",
        (ORG_ROW, "id", "unknown") => "precondition.no_owner",
        (MEMBER_ROW, "id" | "usr_id" | "replaces" | "invited_by" | "removed_by", "unknown") => "conflict.import",
        (INV_ROW, "id" | "invited_by", "unknown") | (TUP_ROW, "created_by", "unknown") => "conflict.import",
        // It would have to have expired, or to have come to its end.
        (MEMBER_ROW | INV_ROW, "status", "expired") => "invalid_format.status",
        (INV_ROW, "status", "accepted" | "declined" | "revoked") => "invalid_format.status",
        // A permission of which something else is said is new with another slug, and unchanged without what is said.
        (PERMISSION_ROW | ROLE_ROW | GROUP_ROW, "name", "missing" | "null") => "ok",
        (ROLE_PERMISSION_ROW | GROUP_MEMBER_ROW | GROUP_ROLE_ROW, "expires_at", "missing" | "null") => "ok",
        (OVERRIDE_ROW, "effect", "deny") => "ok",
        // An organization of the store gets no more by an import, and a user needs no row.
        (ROLE_ROW | GROUP_ROW, "id", "unknown") => "conflict.import",
        (ROLE_PERMISSION_ROW | GROUP_MEMBER_ROW | GROUP_ROLE_ROW | OVERRIDE_ROW, "granted_by", "unknown") => "conflict.import",
        (GROUP_MEMBER_ROW, "usr_id", "unknown") => "precondition.not_a_member",
        // The role that is called so has another id.
        (MEMBER_ROW | INV_ROW | GROUP_ROLE_ROW, "role_id", "unknown") => "precondition.unknown_role",
        // It is its own slug that it would have to give up first.
        (ROLE_ROW, "slug", "another role of the organization") => "conflict.import",
        // Nobody has accepted or ended what is pending.
        (INV_ROW, "invited_user_id" | "terminal_by", "unknown") => "invalid_format.status",
        _ => return None,
    })
}

/// What an accepted value comes to, where the base is refused for the field.
fn accepted(operation: &str, field: &str) -> Option<&'static str> {
    match (operation, field) {
        ("create_invitation" | INV_ENTRY, "identifier") | ("sync_catalog", "custom") => Some("ok"),
        ("create_role", "slug") => Some("precondition.unknown_permission"),
        // All of them let the user own more.
        ("create_tenant_with_ownership", "max_tenants") => Some("conflict.org_slug"),
        (PERMISSION_ROW, "slug") => Some("ok"),
        (ROLE_PERMISSION_ROW | OVERRIDE_ROW, "permission") => Some("precondition.unknown_permission"),
        ("grant_role_permission" | "set_org_override" | "set_membership_override", "permission") => Some("precondition.unknown_permission"),
        _ => None,
    }
}
