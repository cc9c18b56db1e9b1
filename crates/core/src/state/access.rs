//! Roles, what they grant, overrides, groups and the catalog.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use super::State;
use super::apply::{Undo, inconsistent};
use super::load::{count_of, pairs_of};
use crate::access::{Group, GroupMember, GroupRole, Holder, Permission, PermissionGrant};
use crate::change::{Change, Refusal, RoleUsage, UniqueKey};
use crate::entity::{Invitation, InvitationStatus, Membership, MembershipStatus, Organization};
use crate::id::{GroupId, Id, MembershipId, OrgId, RoleId, UserId};
use crate::load::{Access, Found, ImportIds, Line, Moving, Snapshot, Wants};
use crate::role::{Role, RoleDefinition};
use crate::time::Timestamp;
use crate::value::{PermissionSlug, RoleSlug, Slug};

/// The rows, with what finds them.
#[derive(Debug, Default)]
pub(super) struct AccessRows {
    pub(super) permissions: BTreeMap<PermissionSlug, Permission>,
    /// Without what they grant.
    pub(super) roles: BTreeMap<RoleId, RoleDefinition>,
    pub(super) role_slugs: BTreeMap<(Option<OrgId>, RoleSlug), RoleId>,
    pub(super) grants: BTreeMap<(Holder, PermissionSlug), PermissionGrant>,
    pub(super) groups: BTreeMap<GroupId, Group>,
    group_slugs: BTreeMap<(OrgId, Slug), GroupId>,
    groups_of: BTreeSet<(OrgId, GroupId)>,
    pub(super) members: BTreeMap<(OrgId, UserId, GroupId), GroupMember>,
    pub(super) members_of: BTreeSet<(GroupId, UserId)>,
    pub(super) group_roles: BTreeMap<(GroupId, RoleId), GroupRole>,
    /// The revision of what belongs to no organization.
    pub(super) revision: u64,
}

impl AccessRows {
    pub(super) fn grants_of(&self, holder: Holder) -> impl Iterator<Item = &PermissionGrant> {
        // No slug is below the empty one; the first of another holder ends it.
        let rows = self.grants.range((Bound::Included((holder, PermissionSlug::lowest())), Bound::Unbounded));
        rows.map(|(_, row)| row).take_while(move |row| row.holder == holder)
    }

    pub(super) fn members_in(&self, org: OrgId, usr: Option<UserId>) -> impl Iterator<Item = &GroupMember> {
        let (low, high) = usr.map_or((UserId::LOWEST, UserId::HIGHEST), |usr| (usr, usr));
        let range = (Bound::Included((org, low, GroupId::LOWEST)), Bound::Included((org, high, GroupId::HIGHEST)));
        self.members.range(range).map(|(_, row)| row)
    }

    pub(super) fn members_of(&self, group: GroupId, after: Option<UserId>) -> impl Iterator<Item = &GroupMember> {
        let org = self.groups.get(&group).map(|group| group.org_id);
        let rows = self.members_of.range(pairs_of(group, after));
        rows.filter_map(move |(group, usr)| self.members.get(&(org?, *usr, *group)))
    }

    pub(super) fn roles_of(&self, group: GroupId) -> impl Iterator<Item = &GroupRole> {
        self.group_roles.range(pairs_of(group, None)).map(|(_, row)| row)
    }

    pub(super) fn groups_of(&self, org: OrgId, after: Option<GroupId>) -> impl Iterator<Item = &Group> {
        self.groups_of.range(pairs_of(org, after)).filter_map(|(_, id)| self.groups.get(id))
    }

    /// The role as a reader sees it: with what it grants.
    pub(super) fn seen(&self, role: &RoleDefinition, at: Timestamp) -> RoleDefinition {
        let grants = self.grants_of(Holder::Role(role.id)).filter(|row| !row.is_expired(at));
        RoleDefinition { permissions: grants.map(|row| row.permission.clone()).collect(), ..role.clone() }
    }
}

impl State {
    /// The organization's line, with the roles of these slugs; without an organization, those of the system.
    pub fn line(&self, org: Option<OrgId>, slugs: &[RoleSlug]) -> Line {
        let org = org.and_then(|org| self.orgs.get(&org));
        let path: Vec<&Organization> = org.into_iter().flat_map(|org| self.path_of(org)).collect();
        let places = path.iter().map(|org| Some(org.id)).chain([None]);
        let role = |place, slug: &RoleSlug| self.access.roles.get(self.access.role_slugs.get(&(place, *slug))?);
        let mut roles: Vec<RoleDefinition> =
            places.flat_map(|place| slugs.iter().filter_map(move |slug| role(place, slug)).cloned()).collect();
        roles.sort_by_key(|role| role.id);
        roles.dedup_by_key(|role| role.id);
        let orgs = path.iter().map(|org| (org.id, org.revision, org.structure_revision)).collect();
        Line { orgs, system_revision: self.access.revision, roles }
    }

    /// The organization and all above it, root first.
    pub(super) fn path_of<'s>(&'s self, org: &'s Organization) -> impl Iterator<Item = &'s Organization> {
        org.ancestors.iter().filter_map(|id| self.orgs.get(id)).chain([org])
    }

    /// The organization and all below it, itself first.
    pub(super) fn subtree(&self, org: OrgId) -> Vec<OrgId> {
        let mut found = vec![org];
        let mut next = 0;
        while let Some(parent) = found.get(next).copied() {
            found.extend(self.child_orgs(parent, None).map(|child| child.id));
            next += 1;
        }
        found
    }

    /// Those at most so many levels below an organization, level by level.
    pub(super) fn below(&self, org: OrgId, levels: Option<u8>) -> Vec<OrgId> {
        let (mut found, mut level) = (Vec::new(), vec![org]);
        let mut left = levels;
        while !level.is_empty() && left != Some(0) {
            level = level.iter().flat_map(|parent| self.child_orgs(*parent, None)).map(|child| child.id).collect();
            found.extend(&level);
            left = left.map(|left| left - 1);
        }
        found
    }

    pub(super) fn load_access(&self, wants: &Wants, at: Timestamp, seen: &mut Snapshot) -> Option<OrgId> {
        let rows = &self.access;
        let role = |id: Option<RoleId>| id.and_then(|id| rows.roles.get(&id).cloned());
        let group = wants.group.and_then(|id| rows.groups.get(&id).cloned());
        let mut access = Access { role: role(wants.role), other_role: role(wants.other_role), group, ..Access::default() };
        seen.membership = wants.membership.and_then(|id| self.memberships.get(&id)).map(super::Row::unpack);
        let of_role = access.role.as_ref().and_then(|role| role.org_id);
        let of_group = access.group.as_ref().map(|group| group.org_id);
        let place = wants.org.or(of_group).or(seen.membership.as_ref().map(|mem| mem.org_id)).or(of_role);
        seen.org = place.and_then(|org| self.org(org));
        seen.structure = place.and_then(|org| self.structure(org));
        if let Some(role) = &access.role {
            access.usage = self.usage(role.id, at);
            access.lapsed = count_of(self.teams(role.id).filter(|row| row.expires_at.is_some_and(|end| at >= end)));
            access.role_grants = count_of(rows.grants_of(Holder::Role(role.id)));
        }
        if let Some(slug) = wants.new_role {
            access.slug_taken = rows.role_slugs.contains_key(&(wants.org, slug));
            access.stored_relation = self.is_stored_relation(wants.org, slug, at);
        }
        if let (Some(slug), Some(org)) = (&wants.new_group, wants.org) {
            access.slug_taken = rows.group_slugs.contains_key(&(org, slug.clone()));
        }
        if let Some(group) = &access.group {
            access.group_size = (count_of(rows.members_of(group.id, None)), count_of(rows.roles_of(group.id)));
            access.group_role = wants.role.and_then(|role| rows.group_roles.get(&(group.id, role)).cloned());
        }
        if let (Some(usr), Some(org)) = (wants.user, place) {
            seen.peer = self.current_of(org, usr);
            access.group_member = access.group.as_ref().and_then(|group| rows.members.get(&(org, usr, group.id)).cloned());
        }
        let of_mem = || wants.membership.map(Holder::Membership);
        let holder = wants.role.map(Holder::Role).or_else(of_mem).or_else(|| wants.org.map(Holder::Organization));
        if let Some(holder) = holder {
            let found = wants.permissions.iter().filter_map(|slug| rows.grants.get(&(holder, slug.clone())));
            access.grants = found.cloned().collect();
            access.grants.sort_by(|one, other| one.permission.cmp(&other.permission));
            access.grants.dedup_by(|one, other| one.permission == other.permission);
        }
        self.load_catalog(&wants.permissions, seen);
        *seen.access = access;
        place
    }

    pub(super) fn load_catalog(&self, slugs: &[PermissionSlug], seen: &mut Snapshot) {
        seen.permissions = slugs.iter().filter_map(|slug| self.access.permissions.get(slug)).cloned().collect();
        seen.permissions.sort_by(|one, other| one.slug.cmp(&other.slug));
        seen.permissions.dedup_by(|one, other| one.slug == other.slug);
        seen.system_revision = self.access.revision;
    }

    /// What concerns access, behind the organizations and the relations that were found.
    pub(super) fn find_access(&self, ids: &ImportIds, at: Timestamp, found: &mut Found) {
        let rows = &self.access;
        found.permissions = ids.permissions.iter().filter_map(|slug| rows.permissions.get(slug).cloned()).collect();
        let slugs: BTreeSet<RoleSlug> = ids.role_slugs.iter().copied().chain(found.relations.iter().map(|(_, slug)| *slug)).collect();
        let places: Vec<Option<OrgId>> = found.orgs.iter().map(|org| Some(org.id)).chain([None]).collect();
        let by_slug = places.iter().flat_map(|place| slugs.iter().filter_map(|slug| rows.role_slugs.get(&(*place, *slug))));
        found.roles = ids.roles.iter().chain(by_slug).filter_map(|id| rows.roles.get(id).cloned()).collect();
        found.stored_relations = ids.system_slugs.iter().copied().filter(|slug| self.is_stored_relation(None, *slug, at)).collect();
        found.grants = ids.grants.iter().filter_map(|(holder, slug)| rows.grants.get(&(*holder, slug.clone())).cloned()).collect();
        found.groups = ids.groups.iter().filter_map(|id| rows.groups.get(id).cloned()).collect();
        let member = |(group, usr): &(GroupId, UserId)| rows.members.get(&(rows.groups.get(group)?.org_id, *usr, *group)).cloned();
        found.group_members = ids.group_members.iter().filter_map(member).collect();
        found.group_roles = ids.groups.iter().flat_map(|id| rows.roles_of(*id)).cloned().collect();
    }

    /// Who holds a role.
    fn usage(&self, role: RoleId, at: Timestamp) -> RoleUsage {
        RoleUsage {
            memberships: count_of(self.holders(role)),
            invitations: count_of(self.offers(role, at)),
            groups: count_of(self.teams(role).filter(|row| row.expires_at.is_none_or(|end| at < end))),
        }
    }

    fn teams(&self, role: RoleId) -> impl Iterator<Item = &GroupRole> {
        self.access.group_roles.values().filter(move |row| row.role.id() == role)
    }

    fn holders(&self, role: RoleId) -> impl Iterator<Item = &super::Row> {
        self.memberships
            .values()
            .filter(move |mem| mem.role().custom().is_some_and(|held| held.id == role) && mem.status != MembershipStatus::Revoked)
    }

    fn offers(&self, role: RoleId, at: Timestamp) -> impl Iterator<Item = &Invitation> {
        self.invitations
            .values()
            .filter(move |inv| inv.role.custom().is_some_and(|held| held.id == role) && inv.status_at(at) == InvitationStatus::Pending)
    }

    fn is_stored_relation(&self, org: Option<OrgId>, slug: RoleSlug, at: Timestamp) -> bool {
        let within = org.map(|org| self.subtree(org).into_iter().collect::<BTreeSet<OrgId>>());
        self.tuples.values().any(|tuple| {
            let on = tuple.key.object.as_org().filter(|on| self.orgs.contains(on));
            let there = on.is_some_and(|on| within.as_ref().is_none_or(|orgs| orgs.contains(&on)));
            there && tuple.key.relation.as_str() == slug.as_str() && !tuple.is_expired(at)
        })
    }

    /// The root of an organization's tree, and the revision of its structure.
    pub(super) fn structure(&self, org: OrgId) -> Option<(OrgId, u64)> {
        let root = self.path_of(self.orgs.get(&org)?).next()?;
        Some((root.id, root.structure_revision))
    }

    pub(super) fn load_move(&self, org: OrgId, parent: Option<OrgId>, at: Timestamp, seen: &mut Snapshot) {
        seen.org = self.org(org);
        let Some(moved) = &seen.org else { return };
        let moving = self.subtree(org);
        let within: BTreeSet<OrgId> = moving.iter().copied().collect();
        let depth = |id: &OrgId| self.orgs.get(id).map_or(0, |org| org.ancestors.len());
        let to = parent.and_then(|parent| self.org(parent));
        let members = self.memberships.values().filter(|mem| mem.status != MembershipStatus::Revoked);
        let held = members.filter(|mem| within.contains(&mem.org_id)).map(super::Row::role);
        let invitations = self.invitations.values().filter(|inv| inv.status_at(at) == InvitationStatus::Pending);
        let offered = invitations.filter(|inv| within.contains(&inv.org_id)).map(|inv| inv.role);
        let teams = self.access.group_roles.values().filter(|row| row.expires_at.is_none_or(|end| at < end));
        let of_teams = teams.filter(|row| within.contains(&row.org_id)).map(|row| row.role);
        let roles = held.chain(offered).chain(of_teams).filter_map(|role| self.access.roles.get(&role.custom()?.id));
        let homes: BTreeSet<OrgId> = roles.filter_map(|role| role.org_id).filter(|home| moved.ancestors.contains(home)).collect();
        let above: Vec<OrgId> = to.iter().flat_map(|to| self.path_of(to)).map(|org| org.id).collect();
        let slug_there = |relation: &str| {
            let slug = RoleSlug::parse(relation);
            slug.is_some_and(|slug| above.iter().any(|org| self.access.role_slugs.contains_key(&(Some(*org), slug))))
        };
        let clashes = self.tuples.values().any(|tuple| {
            let on = tuple.key.object.as_org().is_some_and(|on| within.contains(&on));
            on && !tuple.is_expired(at) && slug_there(tuple.key.relation.as_str())
        });
        seen.moving = Some(Box::new(Moving {
            size: count_of(&moving),
            levels: moving.iter().map(depth).max().unwrap_or_default().saturating_sub(moved.ancestors.len()),
            from: self.structure(org),
            to: to.as_ref().and_then(|to| self.structure(to.id)),
            above: to.iter().flat_map(|to| self.path_of(to)).map(|org| (org.id, org.revision)).collect(),
            parent: to,
            homes: homes.into_iter().collect(),
            clashes,
        }));
    }

    /// Whether a user is in groups of an organization: how many rows.
    pub(super) fn member_groups(&self, org: OrgId, usr: Option<UserId>) -> u64 {
        count_of(self.access.members_in(org, usr))
    }

    pub(super) fn overrides(&self, mem: MembershipId) -> u64 {
        count_of(self.access.grants_of(Holder::Membership(mem)))
    }

    #[expect(clippy::too_many_lines, reason = "one arm for each change, and each is short")]
    pub(super) fn change_access(&mut self, change: &Change, at: Timestamp, undo: &mut Vec<Undo>) -> Result<(), Refusal> {
        match change {
            Change::PutPermissions(permissions) => {
                for permission in permissions {
                    let old = self.access.permissions.get(&permission.slug).cloned();
                    let created_at = old.as_ref().map_or(permission.created_at, |old| old.created_at);
                    self.access.permissions.insert(permission.slug.clone(), Permission { created_at, ..permission.clone() });
                    undo.push(Undo::Permission(permission.slug.clone(), old.map(Box::new)));
                }
            }
            Change::InsertRole(role) => {
                if self.access.roles.contains_key(&role.id) {
                    return Err(Refusal::Unique(UniqueKey::Id));
                }
                if self.access.role_slugs.contains_key(&(role.org_id, role.slug)) {
                    return Err(Refusal::Unique(UniqueKey::RoleSlug));
                }
                self.put_role(role.id, Some(RoleDefinition { permissions: Vec::new(), ..role.clone() }));
                undo.push(Undo::Role(role.id, None));
            }
            Change::UpdateRole { id, name, description, inherits_to_descendants } => {
                let old = self.access.roles.get(id).cloned().ok_or_else(|| inconsistent("role", id))?;
                let (name, description) = (name.clone(), description.clone());
                let new =
                    RoleDefinition { name, description, inherits_to_descendants: *inherits_to_descendants, updated_at: at, ..old.clone() };
                self.put_role(*id, Some(new));
                undo.push(Undo::Role(*id, Some(Box::new(old))));
            }
            Change::DeleteRole { id, grants, lapsed } => {
                let old = self.access.roles.get(id).cloned().ok_or_else(|| inconsistent("role", id))?;
                let rows: Vec<PermissionGrant> = self.access.grants_of(Holder::Role(*id)).cloned().collect();
                let teams: Vec<GroupId> = self.teams(*id).map(|row| row.group_id).collect();
                if (count_of(&rows), count_of(&teams)) != (*grants, *lapsed) {
                    return Err(inconsistent("role", id));
                }
                for group in teams {
                    self.put_group_role((group, *id), None, undo);
                }
                for row in rows {
                    self.put_grant(row.holder, &row.permission, None, undo);
                }
                self.put_role(*id, None);
                undo.push(Undo::Role(*id, Some(Box::new(old))));
            }
            Change::ReplaceRole { from, to, usage } => self.replace_role(*from, *to, *usage, at, undo)?,
            Change::PutGrants(rows) => {
                for row in rows {
                    self.put_grant(row.holder, &row.permission, Some(row.clone()), undo);
                }
            }
            Change::DropGrants { holder, permissions } => {
                for permission in permissions {
                    if !self.access.grants.contains_key(&(*holder, permission.clone())) {
                        return Err(inconsistent("permission_grant", holder));
                    }
                    self.put_grant(*holder, permission, None, undo);
                }
            }
            Change::CopyGrants { from, to, count } => {
                let rows: Vec<PermissionGrant> = self.access.grants_of(Holder::Membership(*from)).cloned().collect();
                if count_of(&rows) != *count {
                    return Err(inconsistent("permission_grant", from));
                }
                for row in rows {
                    let holder = Holder::Membership(*to);
                    self.put_grant(holder, &row.permission.clone(), Some(PermissionGrant { holder, ..row }), undo);
                }
            }
            Change::InsertGroup(group) => {
                if self.access.groups.contains_key(&group.id) {
                    return Err(Refusal::Unique(UniqueKey::Id));
                }
                if self.access.group_slugs.contains_key(&(group.org_id, group.slug.clone())) {
                    return Err(Refusal::Unique(UniqueKey::GroupSlug));
                }
                self.put_group(group.id, Some(group.clone()));
                undo.push(Undo::Group(group.id, None));
            }
            Change::UpdateGroup { id, name } => {
                let old = self.access.groups.get(id).cloned().ok_or_else(|| inconsistent("user_group", id))?;
                self.put_group(*id, Some(Group { name: name.clone(), updated_at: at, ..old.clone() }));
                undo.push(Undo::Group(*id, Some(Box::new(old))));
            }
            Change::DeleteGroup { id, members, roles } => {
                let old = self.access.groups.get(id).cloned().ok_or_else(|| inconsistent("user_group", id))?;
                let in_it: Vec<GroupMember> = self.access.members_of(*id, None).cloned().collect();
                let has: Vec<GroupRole> = self.access.roles_of(*id).cloned().collect();
                if (count_of(&in_it), count_of(&has)) != (*members, *roles) {
                    return Err(inconsistent("user_group", id));
                }
                for row in in_it {
                    self.put_member((row.org_id, row.usr_id, row.group_id), None, undo);
                }
                for row in has {
                    self.put_group_role((row.group_id, row.role.id()), None, undo);
                }
                self.put_group(*id, None);
                undo.push(Undo::Group(*id, Some(Box::new(old))));
            }
            Change::PutGroupMember(row) => self.put_member((row.org_id, row.usr_id, row.group_id), Some(row.clone()), undo),
            Change::DropGroupMember { org_id, group_id, usr_id } => {
                let key = (*org_id, *usr_id, *group_id);
                if !self.access.members.contains_key(&key) {
                    return Err(inconsistent("group_member", group_id));
                }
                self.put_member(key, None, undo);
            }
            Change::DropGroupMembersOfUser { org_id, usr_id, count } => self.drop_members(*org_id, Some(*usr_id), *count, undo)?,
            Change::DropGroupMembersOfOrg { org_id, count } => self.drop_members(*org_id, None, *count, undo)?,
            Change::PutGroupRole(row) => self.put_group_role((row.group_id, row.role.id()), Some(row.clone()), undo),
            Change::DropGroupRole { group_id, role_id } => {
                if !self.access.group_roles.contains_key(&(*group_id, *role_id)) {
                    return Err(inconsistent("group_role", group_id));
                }
                self.put_group_role((*group_id, *role_id), None, undo);
            }
            Change::MoveOrg { id, from, to, depth, ancestors, count } => {
                self.move_org(*id, (*from, *to), *depth, ancestors, *count, at, undo)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn replace_role(&mut self, from: RoleId, to: Role, usage: RoleUsage, at: Timestamp, undo: &mut Vec<Undo>) -> Result<(), Refusal> {
        let memberships: Vec<Membership> = self.holders(from).map(super::Row::unpack).collect();
        let invitations: Vec<Invitation> = self.offers(from, at).cloned().collect();
        let groups: Vec<GroupRole> = self.teams(from).filter(|row| row.expires_at.is_none_or(|end| at < end)).cloned().collect();
        if (RoleUsage { memberships: count_of(&memberships), invitations: count_of(&invitations), groups: count_of(&groups) }) != usage {
            return Err(inconsistent("role", &from));
        }
        for old in memberships {
            self.memberships.put(Membership { role: to, updated_at: at, ..old.clone() });
            undo.push(Undo::Membership(old.id, Some(Box::new(old))));
        }
        for old in invitations {
            self.put_invitation(Invitation { role: to, ..old.clone() });
            undo.push(Undo::Invitation(old.id, Some(Box::new(old))));
        }
        for old in groups {
            self.put_group_role((old.group_id, from), None, undo);
            if !self.access.group_roles.contains_key(&(old.group_id, to.id())) {
                self.put_group_role((old.group_id, to.id()), Some(GroupRole { role: to, ..old }), undo);
            }
        }
        Ok(())
    }

    fn drop_members(&mut self, org: OrgId, usr: Option<UserId>, count: u64, undo: &mut Vec<Undo>) -> Result<(), Refusal> {
        let rows: Vec<GroupMember> = self.access.members_in(org, usr).cloned().collect();
        if count_of(&rows) != count {
            return Err(inconsistent("group_member", &org));
        }
        for row in rows {
            self.put_member((row.org_id, row.usr_id, row.group_id), None, undo);
        }
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of one change")]
    fn move_org(
        &mut self,
        id: OrgId,
        (from, to): (Option<OrgId>, Option<OrgId>),
        depth: usize,
        ancestors: &[OrgId],
        count: u64,
        at: Timestamp,
        undo: &mut Vec<Undo>,
    ) -> Result<(), Refusal> {
        let moving = self.subtree(id);
        let fits = self.orgs.get(&id).is_some_and(|org| org.parent_id == from && org.ancestors.len() == depth);
        if !fits || count_of(&moving) != count {
            return Err(inconsistent("organization", &id));
        }
        for org in moving {
            let Some(old) = self.org(org) else { continue };
            let kept = old.ancestors.get(depth..).unwrap_or_default();
            let mut new = Organization { ancestors: ancestors.iter().chain(kept).copied().collect(), ..old.clone() };
            if org == id {
                (new.parent_id, new.updated_at) = (to, at);
            }
            self.put_org(new);
            undo.push(Undo::Org(org, Some(Box::new(old))));
        }
        Ok(())
    }

    fn put_role(&mut self, id: RoleId, role: Option<RoleDefinition>) {
        if let Some(old) = self.access.roles.remove(&id) {
            self.access.role_slugs.remove(&(old.org_id, old.slug));
        }
        if let Some(role) = role {
            self.access.role_slugs.insert((role.org_id, role.slug), id);
            self.access.roles.insert(id, role);
        }
    }

    fn put_grant(&mut self, holder: Holder, permission: &PermissionSlug, row: Option<PermissionGrant>, undo: &mut Vec<Undo>) {
        let key = (holder, permission.clone());
        let old = match row {
            Some(row) => self.access.grants.insert(key, row),
            None => self.access.grants.remove(&key),
        };
        undo.push(Undo::Grant(holder, permission.clone(), old.map(Box::new)));
    }

    fn put_group(&mut self, id: GroupId, group: Option<Group>) {
        if let Some(old) = self.access.groups.remove(&id) {
            self.access.group_slugs.remove(&(old.org_id, old.slug));
            self.access.groups_of.remove(&(old.org_id, id));
        }
        if let Some(group) = group {
            self.access.group_slugs.insert((group.org_id, group.slug.clone()), id);
            self.access.groups_of.insert((group.org_id, id));
            self.access.groups.insert(id, group);
        }
    }

    fn put_member(&mut self, key: (OrgId, UserId, GroupId), row: Option<GroupMember>, undo: &mut Vec<Undo>) {
        let (_, usr, group) = key;
        let old = if let Some(row) = row {
            self.access.members_of.insert((group, usr));
            self.access.members.insert(key, row)
        } else {
            self.access.members_of.remove(&(group, usr));
            self.access.members.remove(&key)
        };
        undo.push(Undo::GroupMember(key, old.map(Box::new)));
    }

    fn put_group_role(&mut self, key: (GroupId, RoleId), row: Option<GroupRole>, undo: &mut Vec<Undo>) {
        let old = match row {
            Some(row) => self.access.group_roles.insert(key, row),
            None => self.access.group_roles.remove(&key),
        };
        undo.push(Undo::GroupRole(key, old.map(Box::new)));
    }

    /// Takes a step back that concerned these rows.
    pub(super) fn take_access_back(&mut self, step: Undo) {
        let mut again = Vec::new();
        match step {
            Undo::Permission(slug, Some(old)) => drop(self.access.permissions.insert(slug, *old)),
            Undo::Permission(slug, None) => drop(self.access.permissions.remove(&slug)),
            Undo::Role(id, old) => self.put_role(id, old.map(|old| *old)),
            Undo::Grant(holder, permission, old) => self.put_grant(holder, &permission, old.map(|old| *old), &mut again),
            Undo::Group(id, old) => self.put_group(id, old.map(|old| *old)),
            Undo::GroupMember(key, old) => self.put_member(key, old.map(|old| *old), &mut again),
            Undo::GroupRole(key, old) => self.put_group_role(key, old.map(|old| *old), &mut again),
            Undo::System(revision) => self.access.revision = revision,
            _ => {}
        }
    }
}
