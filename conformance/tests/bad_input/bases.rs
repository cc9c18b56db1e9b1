//! For each operation an input that is well formed, and that a later check refuses where one can: so a value that is
//! accepted shows as that check's code, and writes nothing.
#![allow(clippy::match_same_arms, reason = "each line of a table stands for itself")]

use serde_json::{Map, Value, json};
use tenantry_conformance::testing::World;
use tenantry_core::wire::{self, Operation};

/// What has fields: an operation, or a kind of row of an import.
pub(crate) struct Subject {
    pub(crate) name: &'static str,
    pub(crate) operation: &'static Operation,
    /// Names, and whether the field is required.
    pub(crate) fields: Vec<(&'static str, bool)>,
}

const USER_ROW: &str = "import of a user";
const ORG_ROW: &str = "import of an organization";
const MEMBER_ROW: &str = "import of a membership";

pub(crate) fn subjects() -> Vec<Subject> {
    let of = |operation: &'static Operation| Subject {
        name: operation.name,
        operation,
        fields: operation.fields.iter().map(|field| (field.name, field.required)).collect(),
    };
    let import = wire::operation("import").expect("there is an import");
    let row = |name, required: &[&'static str], optional: &[&'static str]| Subject {
        name,
        operation: import,
        fields: required.iter().map(|field| (*field, true)).chain(optional.iter().map(|field| (*field, false))).collect(),
    };
    let rows = [
        row(USER_ROW, &["type", "id"], &["status", "display_name", "created_at", "updated_at"]),
        row(
            ORG_ROW,
            &["type", "id"],
            &["parent_id", "status", "name", "slug", "cascade_permissions", "inherit_permissions", "revision", "created_at", "updated_at"],
        ),
        row(
            MEMBER_ROW,
            &["type", "id", "usr_id", "org_id", "role"],
            &["status", "replaces", "invited_by", "removed_by", "expires_at", "created_at", "updated_at"],
        ),
    ];
    wire::OPERATIONS.iter().map(of).chain(rows).collect()
}

/// The input of the operation, for what is not an input itself.
pub(crate) fn wrap(subject: &str, world: &World, input: Value) -> Value {
    match subject {
        USER_ROW | ORG_ROW => json!({"rows": [input]}),
        // A membership follows its organization, which here is in the store already, just so.
        MEMBER_ROW => {
            json!({"rows": [{"type": "organization", "id": world.org.to_string(), "name": "Acme Inc.", "slug": World::SLUG}, input]})
        }
        _ => input,
    }
}

pub(crate) struct Base {
    pub(crate) input: Map<String, Value>,
    /// What it comes to: `ok`, or a code.
    pub(crate) outcome: &'static str,
}

impl Base {
    pub(crate) fn of(operation: &str, world: &World) -> Self {
        let (outcome, input) = base(operation, world);
        let Value::Object(input) = input else { panic!("{operation}: the base must be an object") };
        Self { input, outcome }
    }
}

fn base(operation: &str, w: &World) -> (&'static str, Value) {
    const FUTURE: &str = "2027-01-01T00:00:00Z";
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
        "list_orgs" => ("ok", json!({"limit": 10, "query": "c"})),
        // The slug is the suspended organization's.
        "update_org" => (
            "conflict.org_slug",
            json!({"org_id": text(&w.org), "name": "Other", "slug": "paused", "cascade_permissions": true, "inherit_permissions": true}),
        ),
        "suspend_org" => ("conflict.already_terminal", json!({"org_id": text(&w.suspended_org)})),
        "reinstate_org" => ("precondition.invalid_transition", json!({"org_id": text(&w.org)})),
        "revoke_org" => ("conflict.has_children", json!({"org_id": text(&w.org)})),
        "add_member" => (
            "conflict.duplicate_membership",
            json!({"org_id": text(&w.org), "usr_id": text(&w.admin), "role": "member", "invited_by": text(&w.owner), "expires_at": FUTURE}),
        ),
        "change_role" => ("conflict.sole_owner", json!({"mem_id": text(&w.owner_mem), "new_role": "member"})),
        "update_membership" => ("precondition.owner_cannot_expire", json!({"mem_id": text(&w.owner_mem), "expires_at": FUTURE})),
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
        "import" => ("ok", json!({"rows": []})),
        // Rows that are in the store already, with other content.
        USER_ROW => ("conflict.import", json!({"type": "user", "id": text(&w.owner), "status": "active", "display_name": "Another"})),
        ORG_ROW => ("conflict.import", json!({"type": "organization", "id": text(&w.org), "name": "Another", "slug": "another"})),
        MEMBER_ROW => (
            "conflict.import",
            json!({"type": "membership", "id": text(&w.member_mem), "usr_id": text(&w.member), "org_id": text(&w.org), "role": "guest"}),
        ),
        _ => panic!("{operation} has no base in the table"),
    }
}

/// Where an operation answers a value otherwise than the form of its field says.
pub(crate) fn exception(operation: &str, field: &str, label: &str) -> Option<&'static str> {
    Some(match (operation, field, label) {
        // USR-3: what has the shape of a user's id and no version in range is a user that is not found.
        ("get_user", "usr_id", "a version digit out of range" | "the nil UUID") => "not_found",
        // A user needs no row.
        ("create_org", "creator", "unknown") => "precondition.org_not_active",
        ("add_member" | "list_memberships", "usr_id", "unknown") => "ok",
        ("add_member", "invited_by", "unknown") => "conflict.duplicate_membership",
        ("admin_remove", "admin_usr_id", "unknown") => "forbidden",
        // The checks between the field's own and the base's.
        ("create_org", "parent_id", "missing" | "null") => "conflict.org_slug",
        ("self_leave", "transfer_to", "missing" | "null") => "conflict.sole_owner",
        ("transfer_ownership", "org_id", "unknown") => "precondition.org_mismatch",
        // Without the field that the base is refused for, the update goes through.
        ("update_org", "slug", "missing" | "null" | "text" | "63 bytes") | ("update_membership", "expires_at", "missing" | "null") => "ok",
        // New rows: a user may come alone, an organization needs an owner.
        (USER_ROW, "id", "unknown") => "ok",
        (ORG_ROW, "id", "unknown") => "precondition.no_owner",
        (MEMBER_ROW, "id" | "usr_id" | "replaces" | "invited_by" | "removed_by", "unknown") => "conflict.import",
        // It would have to have expired.
        (MEMBER_ROW, "status", "expired") => "invalid_format.status",
        _ => return None,
    })
}
