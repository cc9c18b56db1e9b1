//! Random commands about permissions, over what is there.

use proptest::prelude::*;
use serde_json::{Value, json};
use tenantry_core::{Dump, Timestamp};

use crate::moves::{ROWS, USERS, newest, org, user};

const PERMISSIONS: [&str; 4] = ["doc.read", "doc.write", "bill.read", "bill.pay"];
const ROLE_SLUGS: [&str; 3] = ["clerk", "auditor", "biller"];

/// A command. Numbers choose among what is there when it is played.
#[derive(Debug, Clone)]
pub(crate) enum Access {
    Define(u8),
    Sync(u8),
    CreateRole {
        org: Option<u8>,
        slug: u8,
        permissions: Vec<u8>,
    },
    UpdateRole {
        role: u8,
        inherits: bool,
    },
    DeleteRole {
        role: u8,
        to: Option<u8>,
    },
    GrantToRole {
        role: u8,
        permission: u8,
        seconds: Option<u8>,
    },
    RevokeFromRole {
        role: u8,
        permission: u8,
    },
    CreateGroup {
        org: u8,
        slug: u8,
    },
    UpdateGroup(u8),
    DeleteGroup(u8),
    AddToGroup {
        group: u8,
        usr: u8,
        seconds: Option<u8>,
    },
    RemoveFromGroup(u8),
    GiveGroup {
        group: u8,
        role: u8,
        seconds: Option<u8>,
    },
    TakeFromGroup(u8),
    OverrideOrg {
        org: u8,
        permission: u8,
        effect: u8,
        seconds: Option<u8>,
    },
    OverrideMembership {
        mem: u8,
        permission: u8,
        effect: u8,
        seconds: Option<u8>,
    },
    /// With a role of the application's own.
    AddMember {
        org: u8,
        usr: u8,
        slug: u8,
    },
    ChangeRole {
        mem: u8,
        slug: u8,
    },
    MoveOrg {
        org: u8,
        to: Option<u8>,
    },
}

pub(crate) fn any_access() -> impl Strategy<Value = Access> {
    let (row, usr, permission, seconds) = (0..ROWS, 0..USERS, 0..4_u8, || prop::option::weighted(0.3, 0..60_u8));
    let opt = prop::option::of::<std::ops::Range<u8>>;
    let (slug, effect) = (0..3_u8, 0..3_u8);
    prop_oneof![
        3 => permission.clone().prop_map(Access::Define),
        1 => permission.clone().prop_map(Access::Sync),
        4 => (prop::option::weighted(0.8, row.clone()), slug.clone(), prop::collection::vec(permission.clone(), 0..3))
            .prop_map(|(org, slug, permissions)| Access::CreateRole { org, slug, permissions }),
        1 => (row.clone(), any::<bool>()).prop_map(|(role, inherits)| Access::UpdateRole { role, inherits }),
        2 => (row.clone(), opt(row.clone())).prop_map(|(role, to)| Access::DeleteRole { role, to }),
        3 => (row.clone(), permission.clone(), seconds())
            .prop_map(|(role, permission, seconds)| Access::GrantToRole { role, permission, seconds }),
        1 => (row.clone(), permission.clone()).prop_map(|(role, permission)| Access::RevokeFromRole { role, permission }),
        3 => (row.clone(), slug.clone()).prop_map(|(org, slug)| Access::CreateGroup { org, slug }),
        1 => row.clone().prop_map(Access::UpdateGroup),
        1 => row.clone().prop_map(Access::DeleteGroup),
        5 => (row.clone(), usr.clone(), seconds()).prop_map(|(group, usr, seconds)| Access::AddToGroup { group, usr, seconds }),
        1 => row.clone().prop_map(Access::RemoveFromGroup),
        3 => (row.clone(), row.clone(), seconds()).prop_map(|(group, role, seconds)| Access::GiveGroup { group, role, seconds }),
        1 => row.clone().prop_map(Access::TakeFromGroup),
        3 => (row.clone(), permission.clone(), effect.clone(), seconds())
            .prop_map(|(org, permission, effect, seconds)| Access::OverrideOrg { org, permission, effect, seconds }),
        3 => (row.clone(), permission, effect, seconds())
            .prop_map(|(mem, permission, effect, seconds)| Access::OverrideMembership { mem, permission, effect, seconds }),
        3 => (row.clone(), usr, slug.clone()).prop_map(|(org, usr, slug)| Access::AddMember { org, usr, slug }),
        2 => (row.clone(), slug).prop_map(|(mem, slug)| Access::ChangeRole { mem, slug }),
        2 => (row.clone(), opt(row)).prop_map(|(org, to)| Access::MoveOrg { org, to }),
    ]
}

/// Something that grants or denies, for ever or for longer than a test takes.
pub(crate) fn any_grant() -> impl Strategy<Value = Access> {
    let (row, usr, permission) = (0..ROWS, 0..USERS, 0..4_u8);
    let seconds = || prop::option::weighted(0.3, 30..60_u8);
    let effect = prop_oneof![3 => Just(0_u8), 2 => Just(1)];
    prop_oneof![
        3 => (row.clone(), permission.clone(), seconds())
            .prop_map(|(role, permission, seconds)| Access::GrantToRole { role, permission, seconds }),
        3 => (row.clone(), usr, seconds()).prop_map(|(group, usr, seconds)| Access::AddToGroup { group, usr, seconds }),
        3 => (row.clone(), row.clone(), seconds()).prop_map(|(group, role, seconds)| Access::GiveGroup { group, role, seconds }),
        3 => (row.clone(), permission.clone(), effect.clone(), seconds())
            .prop_map(|(org, permission, effect, seconds)| Access::OverrideOrg { org, permission, effect, seconds }),
        2 => (row, permission, effect, seconds())
            .prop_map(|(mem, permission, effect, seconds)| Access::OverrideMembership { mem, permission, effect, seconds }),
    ]
}

fn permission(number: u8) -> &'static str {
    PERMISSIONS[usize::from(number) % PERMISSIONS.len()]
}

fn slug(number: u8) -> &'static str {
    ROLE_SLUGS[usize::from(number) % ROLE_SLUGS.len()]
}

fn effect(number: u8, neither: &'static str) -> &'static str {
    ["grant", "deny", neither][usize::from(number) % 3]
}

impl Access {
    /// The operation and its input, over these rows.
    pub(crate) fn input(&self, rows: &Dump, now: Timestamp) -> Option<(&'static str, Value)> {
        let end = |seconds: &Option<u8>| seconds.map(|seconds| now.plus_seconds(seconds.into()).to_string());
        let role = |number: &u8| newest(&rows.roles, *number).map(|role| role.id.to_string());
        let group = |number: &u8| newest(&rows.groups, *number).map(|group| group.id.to_string());
        let mem = |number: &u8| newest(&rows.memberships, *number).map(|mem| mem.id.to_string());
        Some(match self {
            Self::Define(number) => ("define_permission", json!({"slug": permission(*number)})),
            Self::Sync(number) => ("sync_catalog", json!({"custom": [{"slug": permission(*number), "name": "Said"}]})),
            Self::CreateRole { org: home, slug: name, permissions } => {
                let (home, permissions) = (home.and_then(|home| org(rows, home)), permissions.iter().map(|number| permission(*number)));
                let permissions: Vec<&str> = permissions.collect();
                ("create_role", json!({"org_id": home, "slug": slug(*name), "permissions": permissions}))
            }
            Self::UpdateRole { role: which, inherits } => {
                ("update_role", json!({"role_id": role(which)?, "inherits_to_descendants": inherits}))
            }
            Self::DeleteRole { role: which, to } => {
                ("delete_role", json!({"role_id": role(which)?, "replacement_role_id": to.as_ref().and_then(role)}))
            }
            Self::GrantToRole { role: which, permission: number, seconds } => {
                ("grant_role_permission", json!({"role_id": role(which)?, "permission": permission(*number), "expires_at": end(seconds)}))
            }
            Self::RevokeFromRole { role: which, permission: number } => {
                ("revoke_role_permission", json!({"role_id": role(which)?, "permission": permission(*number)}))
            }
            Self::CreateGroup { org: home, slug: name } => ("create_group", json!({"org_id": org(rows, *home)?, "slug": slug(*name)})),
            Self::UpdateGroup(number) => ("update_group", json!({"group_id": group(number)?, "name": "Renamed"})),
            Self::DeleteGroup(number) => ("delete_group", json!({"group_id": group(number)?})),
            Self::AddToGroup { group: which, usr, seconds } => {
                ("add_group_member", json!({"group_id": group(which)?, "usr_id": user(rows, *usr), "expires_at": end(seconds)}))
            }
            Self::RemoveFromGroup(number) => {
                let row = newest(&rows.group_members, *number)?;
                ("remove_group_member", json!({"group_id": row.group_id.to_string(), "usr_id": row.usr_id.to_string()}))
            }
            Self::GiveGroup { group: which, role: number, seconds } => {
                ("add_group_role", json!({"group_id": group(which)?, "role_id": role(number)?, "expires_at": end(seconds)}))
            }
            Self::TakeFromGroup(number) => {
                let row = newest(&rows.group_roles, *number)?;
                ("remove_group_role", json!({"group_id": row.group_id.to_string(), "role_id": row.role.id().to_string()}))
            }
            Self::OverrideOrg { org: which, permission: number, effect: what, seconds } => {
                let (effect, permission) = (effect(*what, "inherit"), permission(*number));
                (
                    "set_org_override",
                    json!({"org_id": org(rows, *which)?, "permission": permission, "effect": effect, "expires_at": end(seconds)}),
                )
            }
            Self::OverrideMembership { mem: which, permission: number, effect: what, seconds } => {
                let (effect, permission) = (effect(*what, "clear"), permission(*number));
                (
                    "set_membership_override",
                    json!({"mem_id": mem(which)?, "permission": permission, "effect": effect, "expires_at": end(seconds)}),
                )
            }
            Self::AddMember { org: which, usr, slug: name } => {
                ("add_member", json!({"org_id": org(rows, *which)?, "usr_id": user(rows, *usr), "role": slug(*name)}))
            }
            Self::ChangeRole { mem: which, slug: name } => ("change_role", json!({"mem_id": mem(which)?, "new_role": slug(*name)})),
            Self::MoveOrg { org: which, to } => {
                ("move_org", json!({"org_id": org(rows, *which)?, "new_parent_id": to.and_then(|to| org(rows, to))}))
            }
        })
    }
}
