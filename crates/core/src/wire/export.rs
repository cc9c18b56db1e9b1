//! The rows of a store, in the form and the order that an import takes.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::access::{Group, GroupMember, GroupRole, Holder, PermissionGrant};
use crate::entity::{Invitation, Membership, OrgStatus, Organization, User};
use crate::id::{MembershipId, OrgId, RoleId, UserId};
use crate::role::{Role, RoleDefinition};
use crate::state::{Dump, PermissionRow};
use crate::time::Timestamp;
use crate::tuple::Tuple;
use crate::value::{Description, ExternalId, Metadata, Name, PermissionSlug, RoleSlug, Slug};

/// A row, as [`import_row`](super::import_row) reads it.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub struct ExportRow<'r>(Row<'r>);

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Row<'r> {
    User(&'r User),
    Organization(OrgRow<'r>),
    Permission(&'r PermissionRow),
    Role(RoleRow<'r>),
    RolePermission(RolePermissionRow<'r>),
    Membership(HeldRow<'r, Membership>),
    Invitation(HeldRow<'r, Invitation>),
    Tuple(&'r Tuple),
    Group(&'r Group),
    GroupMember(&'r GroupMember),
    GroupRole(HeldRow<'r, GroupRole>),
    Override(&'r PermissionGrant),
}

/// A row that holds a role, with the role's id where that is one of the application's own: its slug may stand for several, or for none
/// any more.
#[derive(Debug, Serialize)]
struct HeldRow<'r, T> {
    #[serde(flatten)]
    row: &'r T,
    #[serde(skip_serializing_if = "Option::is_none")]
    role_id: Option<RoleId>,
}

impl<'r, T> HeldRow<'r, T> {
    fn new(row: &'r T, role: &Role) -> Self {
        Self { row, role_id: role.custom().map(|role| role.id) }
    }
}

/// A role without what it grants, which is told by rows of its own.
#[derive(Debug, Serialize)]
struct RoleRow<'r> {
    id: RoleId,
    org_id: Option<OrgId>,
    slug: RoleSlug,
    name: &'r Name,
    description: Option<&'r Description>,
    inherits_to_descendants: bool,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl<'r> From<&'r RoleDefinition> for RoleRow<'r> {
    fn from(role: &'r RoleDefinition) -> Self {
        let RoleDefinition {
            id,
            org_id,
            slug,
            name,
            description,
            is_system: _,
            inherits_to_descendants,
            permissions: _,
            created_at,
            updated_at,
        } = role;
        Self {
            id: *id,
            org_id: *org_id,
            slug: *slug,
            name,
            description: description.as_ref(),
            inherits_to_descendants: *inherits_to_descendants,
            created_at: *created_at,
            updated_at: *updated_at,
        }
    }
}

/// What a role grants.
#[derive(Debug, Serialize)]
struct RolePermissionRow<'r> {
    role_id: RoleId,
    permission: &'r PermissionSlug,
    granted_by: Option<UserId>,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
}

/// What hangs on a role, and what overrides.
fn grant_row(grant: &PermissionGrant) -> Row<'_> {
    match grant.holder {
        Holder::Role(role_id) => {
            let PermissionGrant { holder: _, permission, effect: _, granted_by, created_at, expires_at } = grant;
            let (granted_by, created_at, expires_at) = (*granted_by, *created_at, *expires_at);
            Row::RolePermission(RolePermissionRow { role_id, permission, granted_by, created_at, expires_at })
        }
        Holder::Organization(_) | Holder::Membership(_) => Row::Override(grant),
    }
}

/// An organization without its revision, which an import starts anew.
#[derive(Debug, Serialize)]
struct OrgRow<'r> {
    id: OrgId,
    parent_id: Option<OrgId>,
    status: OrgStatus,
    name: Option<&'r Name>,
    slug: Option<&'r Slug>,
    cascade_permissions: bool,
    inherit_permissions: bool,
    seat_limit: Option<u32>,
    external_id: Option<&'r ExternalId>,
    metadata: &'r Metadata,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl<'r> From<&'r Organization> for OrgRow<'r> {
    fn from(org: &'r Organization) -> Self {
        let Organization {
            id,
            parent_id,
            status,
            name,
            slug,
            cascade_permissions,
            inherit_permissions,
            seat_limit,
            external_id,
            metadata,
            revision: _,
            created_at,
            updated_at,
            ancestors: _,
            structure_revision: _,
        } = org;
        Self {
            id: *id,
            parent_id: *parent_id,
            status: *status,
            name: name.as_ref(),
            slug: slug.as_ref(),
            cascade_permissions: *cascade_permissions,
            inherit_permissions: *inherit_permissions,
            seat_limit: *seat_limit,
            external_id: external_id.as_ref(),
            metadata,
            created_at: *created_at,
            updated_at: *updated_at,
        }
    }
}

/// Every row of a store in the order that an import takes: each behind those that it leans on (spec/import.md). What is exported,
/// imported into an empty store and exported again is the same, but for tuples whose end has come.
#[derive(Debug, Clone, PartialEq)]
pub struct Export {
    users: Vec<User>,
    organizations: Vec<Organization>,
    permissions: Vec<PermissionRow>,
    roles: Vec<RoleDefinition>,
    role_permissions: Vec<PermissionGrant>,
    memberships: Vec<Membership>,
    invitations: Vec<Invitation>,
    tuples: Vec<Tuple>,
    groups: Vec<Group>,
    group_members: Vec<GroupMember>,
    group_roles: Vec<GroupRole>,
    overrides: Vec<PermissionGrant>,
}

/// How many rows of each kind there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ExportCounts {
    /// Users.
    pub users: usize,
    /// Organizations.
    pub organizations: usize,
    /// Memberships, ended ones included.
    pub memberships: usize,
    /// Invitations.
    pub invitations: usize,
    /// Stored tuples.
    pub tuples: usize,
    /// Entries of the catalog.
    pub permissions: usize,
    /// Roles, those of the system included.
    pub roles: usize,
    /// Permissions of roles.
    pub role_permissions: usize,
    /// Groups.
    pub groups: usize,
    /// Members of groups.
    pub group_members: usize,
    /// Roles of groups.
    pub group_roles: usize,
    /// Overrides, of organizations and of memberships.
    pub overrides: usize,
}

impl Export {
    /// The rows of a dump, as a reader sees them at a moment.
    pub fn of(dump: Dump, now: Timestamp) -> Self {
        let Dump {
            users,
            user_revisions: _,
            mut organizations,
            ancestors: _,
            slugs: _,
            memberships,
            invitations,
            tuples,
            system_revision: _,
            structure_revisions: _,
            permissions,
            roles,
            grants,
            groups,
            group_members,
            group_roles,
            events: _,
        } = dump;
        organizations.sort_by_key(|org| (org.depth(), org.id));
        let (mut role_permissions, mut overrides): (Vec<_>, Vec<_>) =
            grants.into_iter().partition(|grant| matches!(grant.holder, Holder::Role(_)));
        for grants in [&mut role_permissions, &mut overrides] {
            grants.sort_by(|one, other| (one.holder, &one.permission).cmp(&(other.holder, &other.permission)));
        }
        Self {
            users,
            organizations,
            permissions,
            roles,
            role_permissions,
            memberships: replaced_first(memberships).into_iter().map(|mem| mem.seen_at(now)).collect(),
            invitations: invitations.into_iter().map(|inv| inv.seen_at(now)).collect(),
            tuples,
            groups,
            group_members,
            group_roles,
            overrides,
        }
    }

    /// How many rows there are.
    pub const fn counts(&self) -> ExportCounts {
        ExportCounts {
            users: self.users.len(),
            organizations: self.organizations.len(),
            memberships: self.memberships.len(),
            invitations: self.invitations.len(),
            tuples: self.tuples.len(),
            permissions: self.permissions.len(),
            roles: self.roles.len(),
            role_permissions: self.role_permissions.len(),
            groups: self.groups.len(),
            group_members: self.group_members.len(),
            group_roles: self.group_roles.len(),
            overrides: self.overrides.len(),
        }
    }

    /// The rows, one after the other.
    pub fn rows(&self) -> impl Iterator<Item = ExportRow<'_>> {
        let users = self.users.iter().map(Row::User);
        let organizations = self.organizations.iter().map(|org| Row::Organization(org.into()));
        let permissions = self.permissions.iter().map(Row::Permission);
        let roles = self.roles.iter().map(|role| Row::Role(role.into()));
        let role_permissions = self.role_permissions.iter().map(grant_row);
        let memberships = self.memberships.iter().map(|mem| Row::Membership(HeldRow::new(mem, &mem.role)));
        let invitations = self.invitations.iter().map(|inv| Row::Invitation(HeldRow::new(inv, &inv.role)));
        let tuples = self.tuples.iter().map(Row::Tuple);
        let groups = self.groups.iter().map(Row::Group);
        let group_members = self.group_members.iter().map(Row::GroupMember);
        let group_roles = self.group_roles.iter().map(|row| Row::GroupRole(HeldRow::new(row, &row.role)));
        let overrides = self.overrides.iter().map(grant_row);
        let known = users.chain(organizations).chain(permissions).chain(roles).chain(role_permissions);
        let held = memberships.chain(invitations).chain(tuples);
        known.chain(held).chain(groups).chain(group_members).chain(group_roles).chain(overrides).map(ExportRow)
    }
}

/// Each membership behind the one that it replaces, and otherwise in order of id.
fn replaced_first(memberships: Vec<Membership>) -> Vec<Membership> {
    let mut left: BTreeMap<MembershipId, Membership> = memberships.into_iter().map(|mem| (mem.id, mem)).collect();
    let mut ordered = Vec::with_capacity(left.len());
    while let Some((_, last)) = left.pop_first() {
        let mut before = last.replaces;
        let mut chain = vec![last];
        while let Some(mem) = before.and_then(|id| left.remove(&id)) {
            before = mem.replaces;
            chain.push(mem);
        }
        ordered.extend(chain.into_iter().rev());
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entity::MembershipStatus;

    fn id<I: std::str::FromStr<Err: std::fmt::Debug>>(prefix: &str, number: u8) -> I {
        format!("{prefix}_0196f3c21b7a7c3d9e4f5a6b7c8d00{number:02x}").parse().unwrap()
    }

    fn membership(number: u8, replaces: Option<u8>) -> Membership {
        let usr_id: UserId = id("usr", 1);
        Membership {
            id: id("mem", number),
            usr_id,
            org_id: id("org", 1),
            role: Role::Member,
            status: MembershipStatus::Revoked,
            replaces: replaces.map(|number| id("mem", number)),
            invited_by: None,
            removed_by: None,
            expires_at: None,
            metadata: Metadata::default(),
            created_at: Timestamp::MIN,
            updated_at: Timestamp::MIN,
        }
    }

    #[test]
    fn what_is_replaced_comes_first_whatever_its_id() {
        let rows = [(1, Some(3)), (2, None), (3, Some(5)), (4, Some(2)), (5, None)];
        let rows = rows.map(|(number, replaces)| membership(number, replaces)).to_vec();
        let order: Vec<MembershipId> = replaced_first(rows).iter().map(|mem| mem.id).collect();
        assert_eq!(order, [5, 3, 1, 2, 4].map(|number| id::<MembershipId>("mem", number)));
    }

    #[test]
    fn a_loop_in_damaged_data_ends() {
        let rows = vec![membership(1, Some(2)), membership(2, Some(1))];
        assert_eq!(replaced_first(rows).len(), 2);
    }
}
