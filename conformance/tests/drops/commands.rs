//! For each command an input that it takes.

use serde_json::{Value, json};
use tenantry_conformance::testing::World;

/// Every command in the order of the operations, each over the world as it is at first.
pub(crate) fn commands(w: &World) -> Vec<(&'static str, Value)> {
    const FUTURE: &str = "2027-01-01T00:00:00Z";
    let text = |id: &dyn ToString| id.to_string();
    vec![
        ("create_user", json!({"display_name": "Anna"})),
        ("suspend_user", json!({"usr_id": text(&w.owner)})),
        ("reinstate_user", json!({"usr_id": text(&w.suspended_user)})),
        ("revoke_user", json!({"usr_id": text(&w.outsider)})),
        ("create_org", json!({"creator": text(&w.owner), "name": "New", "slug": "new", "parent_id": text(&w.org)})),
        ("update_org", json!({"org_id": text(&w.org), "name": "Other", "slug": "other", "cascade_permissions": false})),
        ("suspend_org", json!({"org_id": text(&w.org)})),
        ("reinstate_org", json!({"org_id": text(&w.suspended_org)})),
        ("revoke_org", json!({"org_id": text(&w.suspended_org)})),
        ("add_member", json!({"org_id": text(&w.org), "usr_id": text(&w.outsider), "role": "owner", "invited_by": text(&w.owner)})),
        ("change_role", json!({"mem_id": text(&w.member_mem), "new_role": "admin"})),
        ("update_membership", json!({"mem_id": text(&w.member_mem), "expires_at": FUTURE})),
        ("suspend_membership", json!({"mem_id": text(&w.admin_mem)})),
        ("reinstate_membership", json!({"mem_id": text(&w.suspended_mem)})),
        ("self_leave", json!({"mem_id": text(&w.owner_mem), "transfer_to": text(&w.admin)})),
        ("admin_remove", json!({"mem_id": text(&w.member_mem), "admin_usr_id": text(&w.owner)})),
        ("transfer_ownership", json!({"org_id": text(&w.org), "from_mem_id": text(&w.owner_mem), "to_mem_id": text(&w.admin_mem)})),
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
    let org = json!({"type": "organization", "id": id("org", 0), "name": "Imported", "slug": "imported"});
    (0..40).map(user).chain([org]).chain((0..40).map(member)).collect()
}
