//! Roles, groups, and what is granted.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::rows::Rows;
use super::{Found, Invariant};
use crate::access::Holder;
use crate::entity::{Membership, MembershipStatus};
use crate::id::{AnyId, GroupId, Id, OrgId, RoleId, UserId};
use crate::role::{Role, RoleDefinition};
use crate::value::PermissionSlug;

pub(super) fn check(rows: &Rows<'_>, found: &mut Found) {
    let roles: HashMap<RoleId, &RoleDefinition> = rows.dump.roles.iter().map(|role| (role.id, role)).collect();
    let groups: HashMap<GroupId, OrgId> = rows.dump.groups.iter().map(|group| (group.id, group.org_id)).collect();
    slugs(rows, found);
    held(rows, &roles, found);
    teams(rows, &roles, &groups, found);
    grants(rows, &roles, found);
}

fn slugs(rows: &Rows<'_>, found: &mut Found) {
    let mut roles: BTreeMap<_, Vec<AnyId>> = BTreeMap::new();
    for role in &rows.dump.roles {
        roles.entry((role.org_id, role.slug)).or_default().push(role.id.any());
    }
    for ((_, slug), ids) in roles.into_iter().filter(|(_, ids)| ids.len() > 1) {
        found.add(Invariant::RoleSlugOnce, "role", &ids, format!("several roles of one place have the slug `{slug}`"));
    }
    let mut groups: BTreeMap<_, Vec<AnyId>> = BTreeMap::new();
    for group in &rows.dump.groups {
        groups.entry((group.org_id, &group.slug)).or_default().push(group.id.any());
    }
    for ((_, slug), ids) in groups.into_iter().filter(|(_, ids)| ids.len() > 1) {
        found.add(Invariant::GroupSlugOnce, "user_group", &ids, format!("several groups of one organization have the slug `{slug}`"));
    }
}

/// The roles of the application's own that memberships hold. An ended membership keeps the slug of a role that may be gone.
fn held(rows: &Rows<'_>, roles: &HashMap<RoleId, &RoleDefinition>, found: &mut Found) {
    for mem in rows.dump.memberships.iter().filter(|mem| mem.status != MembershipStatus::Revoked) {
        let Role::Custom(held) = mem.role else { continue };
        let message = match roles.get(&held.id) {
            None => format!("its role {} is not there", held.id),
            Some(role) if role.slug != held.slug => format!("its role {} is called `{}`, and `{}` here", held.id, role.slug, held.slug),
            Some(role) if !is_known(rows, role, mem) => format!("its role {} is none that its organization knows", held.id),
            Some(_) => continue,
        };
        found.add(Invariant::RoleThere, "membership", &[mem.id.any()], message);
    }
}

/// Whether a role is that of the system, of the membership's organization or of one above it, going by the parents.
fn is_known(rows: &Rows<'_>, role: &RoleDefinition, mem: &Membership) -> bool {
    let Some(home) = role.org_id else { return true };
    let mut passed = HashSet::new();
    let mut next = Some(mem.org_id);
    while let Some(org) = next.filter(|org| passed.insert(*org)) {
        if org == home {
            return true;
        }
        next = rows.orgs.get(&org).and_then(|org| org.parent_id);
    }
    false
}

fn teams(rows: &Rows<'_>, roles: &HashMap<RoleId, &RoleDefinition>, groups: &HashMap<GroupId, OrgId>, found: &mut Found) {
    let memberships = rows.dump.memberships.iter().filter(|mem| mem.status != MembershipStatus::Revoked);
    let members: HashSet<(OrgId, UserId)> = memberships.map(|mem| (mem.org_id, mem.usr_id)).collect();
    for member in &rows.dump.group_members {
        let ids = [member.group_id.any(), member.usr_id.any()];
        if groups.get(&member.group_id) != Some(&member.org_id) {
            found.add(Invariant::GroupThere, "group_member", &ids, format!("there is no such group of {}", member.org_id));
        } else if !members.contains(&(member.org_id, member.usr_id)) {
            found.add(Invariant::GroupOfMembers, "group_member", &ids, format!("the user has no membership of {}", member.org_id));
        }
    }
    for row in &rows.dump.group_roles {
        let ids = [row.group_id.any(), row.role.id().any()];
        if groups.get(&row.group_id) != Some(&row.org_id) {
            found.add(Invariant::GroupThere, "group_role", &ids, format!("there is no such group of {}", row.org_id));
        }
        if matches!(row.role, Role::Custom(held) if !roles.contains_key(&held.id)) {
            found.add(Invariant::RoleThere, "group_role", &ids, "the role is not there");
        }
    }
}

fn grants(rows: &Rows<'_>, roles: &HashMap<RoleId, &RoleDefinition>, found: &mut Found) {
    const TABLE: &str = "permission_grant";

    let catalog: HashSet<&PermissionSlug> = rows.dump.permissions.iter().map(|row| &row.slug).collect();
    for grant in &rows.dump.grants {
        let (id, is_there) = match grant.holder {
            Holder::Role(id) => (id.any(), roles.contains_key(&id)),
            Holder::Organization(id) => (id.any(), rows.orgs.contains_key(&id)),
            Holder::Membership(id) => (id.any(), rows.memberships.contains_key(&id)),
        };
        if !is_there {
            found.add(Invariant::HolderThere, TABLE, &[id], format!("`{}` hangs on what is not there", grant.permission));
        }
        if !catalog.contains(&grant.permission) {
            found.add(Invariant::PermissionThere, TABLE, &[id], format!("`{}` is not in the catalog", grant.permission));
        }
    }
}
