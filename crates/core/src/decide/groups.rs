//! Groups: spec/groups.md.

use super::roles::{known, usable};
use super::{Command, Decision, Env, Stakes, check, draft::Draft, judge};
use crate::access::{Group, GroupMember, GroupRole};
use crate::change::Change;
use crate::entity::{MembershipStatus, Organization};
use crate::error::{DomainError, Precondition};
use crate::event::{EventType, Fields};
use crate::id::{GroupId, Id, IdType, OrgId, RoleId, UserId};
use crate::json::Value;
use crate::load::{LoadSpec, Snapshot, Wants};
use crate::role::Role;
use crate::time::Timestamp;
use crate::value::{Name, Slug};

/// Makes a group of an organization.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CreateGroup {
    /// Whose.
    pub org_id: OrgId,
    /// Its name in addresses: 1 to 63 of `a-z`, `0-9` and `-`, a letter or digit at both ends.
    pub slug: String,
    /// What people see; the slug unless given.
    pub name: Option<String>,
}

impl CreateGroup {
    /// A group of this organization.
    pub fn new(org_id: OrgId, slug: impl Into<String>) -> Self {
        Self { org_id, slug: slug.into(), name: None }
    }

    /// With a name.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    fn forms(&self) -> Result<(Slug, Name), DomainError> {
        let slug = Slug::parse(&self.slug);
        let expected = "1 to 63 of `a-z`, `0-9` and `-`, with a letter or digit at both ends";
        let slug = slug.ok_or_else(|| DomainError::format("slug", expected))?;
        let name = check::name("name", self.name.as_deref().unwrap_or(&self.slug))?;
        Ok((slug, name))
    }

    /// The row that this makes.
    pub(super) fn group(&self, id: GroupId, created_at: Timestamp, updated_at: Timestamp) -> Result<Group, DomainError> {
        let (slug, name) = self.forms()?;
        Ok(Group { id, org_id: self.org_id, slug, name, created_at, updated_at })
    }
}

impl Command for CreateGroup {
    type Output = Group;

    fn load(&self) -> Result<LoadSpec, DomainError> {
        let (slug, _) = self.forms()?;
        Ok(LoadSpec::Access(Box::new(Wants { org: Some(self.org_id), new_group: Some(slug), ..Wants::default() })))
    }

    fn stakes(&self, seen: &Snapshot) -> Option<Stakes> {
        Stakes::managing(judge::place(seen))
    }

    fn decide(&self, seen: &Snapshot, env: &mut Env<'_>) -> Result<Decision<Group>, DomainError> {
        let (slug, name) = self.forms()?;
        judge::manager(seen, env, IdType::Organization)?;
        let org = check::found(seen.org.as_ref(), IdType::Organization)?;
        check::org_active(org)?;
        if seen.access.slug_taken {
            return Err(DomainError::GroupSlug(slug));
        }
        let mut draft = Draft::new(env);
        let now = draft.now();
        let group = Group { id: draft.id(), org_id: org.id, slug, name, created_at: now, updated_at: now };
        draft.change(Change::InsertGroup(group.clone()));
        draft.event(org, EventType::GroupCreated, &[group.id.any()], Fields::new(), told(&group));
        Ok(draft.finish(group))
    }
}

fn told(group: &Group) -> Fields {
    Fields::new().with("slug", group.slug.as_str()).with("name", group.name.as_str())
}

/// The group, with its organization, which must be active.
fn found_group(seen: &Snapshot) -> Result<(&Group, &Organization), DomainError> {
    let group = check::found(seen.access.group.as_ref(), IdType::Group)?;
    let org = check::found(seen.org.as_ref(), IdType::Organization)?;
    check::org_active(org)?;
    Ok((group, org))
}

/// Gives a group another name. Its slug stays.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UpdateGroup {
    /// Which.
    pub group_id: GroupId,
    /// What people see.
    pub name: Option<String>,
}

impl UpdateGroup {
    /// This name.
    pub fn new(group_id: GroupId, name: impl Into<String>) -> Self {
        Self { group_id, name: Some(name.into()) }
    }

    fn form(&self) -> Result<Option<Name>, DomainError> {
        self.name.as_deref().map(|text| check::name("name", text)).transpose()
    }
}

impl Command for UpdateGroup {
    type Output = Group;

    fn load(&self) -> Result<LoadSpec, DomainError> {
        self.form()?;
        Ok(LoadSpec::Access(Box::new(Wants { group: Some(self.group_id), ..Wants::default() })))
    }

    fn stakes(&self, seen: &Snapshot) -> Option<Stakes> {
        Stakes::managing(judge::place(seen))
    }

    fn decide(&self, seen: &Snapshot, env: &mut Env<'_>) -> Result<Decision<Group>, DomainError> {
        let name = self.form()?;
        judge::manager(seen, env, IdType::Group)?;
        let (group, org) = found_group(seen)?;
        let mut draft = Draft::new(env);
        let Some(name) = name.filter(|name| *name != group.name) else { return Ok(draft.finish(group.clone())) };
        draft.change(Change::UpdateGroup { id: group.id, name: name.clone() });
        let side = |name: &Name| Fields::new().with("name", name.as_str());
        draft.event(org, EventType::GroupUpdated, &[group.id.any()], side(&group.name), side(&name));
        let next = Group { name, updated_at: draft.now(), ..group.clone() };
        Ok(draft.finish(next))
    }
}

/// Deletes a group, with its members and roles.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeleteGroup {
    /// Which.
    pub group_id: GroupId,
}

impl DeleteGroup {
    /// This group.
    pub const fn new(group_id: GroupId) -> Self {
        Self { group_id }
    }
}

impl Command for DeleteGroup {
    type Output = Group;

    fn load(&self) -> Result<LoadSpec, DomainError> {
        Ok(LoadSpec::Access(Box::new(Wants { group: Some(self.group_id), ..Wants::default() })))
    }

    fn stakes(&self, seen: &Snapshot) -> Option<Stakes> {
        Stakes::managing(judge::place(seen))
    }

    fn decide(&self, seen: &Snapshot, env: &mut Env<'_>) -> Result<Decision<Group>, DomainError> {
        judge::manager(seen, env, IdType::Group)?;
        let (group, org) = found_group(seen)?;
        let (members, roles) = seen.access.group_size;
        let mut draft = Draft::new(env);
        draft.change(Change::DeleteGroup { id: group.id, members, roles });
        let before = told(group).with("members", Value::count(members)).with("roles", Value::count(roles));
        draft.event(org, EventType::GroupDeleted, &[group.id.any()], before, Fields::new());
        Ok(draft.finish(group.clone()))
    }
}

/// Puts a user into a group: they hold its roles in its organization from then on. Who is in it already stays, unless another end is
/// given.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AddGroupMember {
    /// Which group.
    pub group_id: GroupId,
    /// Who: somebody with an active or suspended membership of the organization.
    pub usr_id: UserId,
    /// From when on it no longer counts.
    pub expires_at: Option<Timestamp>,
}

impl AddGroupMember {
    /// Without an end.
    pub const fn new(group_id: GroupId, usr_id: UserId) -> Self {
        Self { group_id, usr_id, expires_at: None }
    }

    /// From when on it no longer counts.
    #[must_use]
    pub const fn expires_at(mut self, end: Timestamp) -> Self {
        self.expires_at = Some(end);
        self
    }
}

fn end_told(expires_at: Option<Timestamp>) -> Fields {
    Fields::new().with("expires_at", expires_at.map(|end| end.to_string()))
}

impl Command for AddGroupMember {
    type Output = GroupMember;

    fn load(&self) -> Result<LoadSpec, DomainError> {
        Ok(LoadSpec::Access(Box::new(Wants { group: Some(self.group_id), user: Some(self.usr_id), ..Wants::default() })))
    }

    fn stakes(&self, seen: &Snapshot) -> Option<Stakes> {
        Some(Stakes { groups: vec![self.group_id], ..Stakes::all(judge::place(seen)) })
    }

    fn decide(&self, seen: &Snapshot, env: &mut Env<'_>) -> Result<Decision<GroupMember>, DomainError> {
        if let Some(judge) = judge::manager(seen, env, IdType::Group)? {
            judge.may_give_group(self.group_id, self.expires_at)?;
        }
        let (group, org) = found_group(seen)?;
        let status = seen.peer.as_ref().map(|mem| mem.status_at(env.now));
        if !matches!(status, Some(MembershipStatus::Active | MembershipStatus::Suspended)) {
            return Err(Precondition::NotAMember.into());
        }
        check::future(self.expires_at, env.now)?;
        let there = seen.access.group_member.as_ref().filter(|row| row.expires_at.is_none_or(|end| env.now < end));
        let mut draft = Draft::new(env);
        if let Some(there) = there.filter(|row| row.expires_at == self.expires_at) {
            return Ok(draft.finish(there.clone()));
        }
        let row = GroupMember {
            group_id: group.id,
            org_id: org.id,
            usr_id: self.usr_id,
            granted_by: draft.acting_user(),
            created_at: there.map_or(draft.now(), |row| row.created_at),
            expires_at: self.expires_at,
        };
        draft.change(Change::PutGroupMember(row.clone()));
        let before = there.map_or_else(Fields::new, |row| end_told(row.expires_at));
        draft.event(org, EventType::GroupMemberAdded, &[group.id.any(), self.usr_id.any()], before, end_told(self.expires_at));
        Ok(draft.finish(row))
    }
}

/// Takes a user out of a group. Who is not in it stays out.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RemoveGroupMember {
    /// Which group.
    pub group_id: GroupId,
    /// Who.
    pub usr_id: UserId,
}

impl RemoveGroupMember {
    /// This user, out of this group.
    pub const fn new(group_id: GroupId, usr_id: UserId) -> Self {
        Self { group_id, usr_id }
    }
}

impl Command for RemoveGroupMember {
    type Output = Option<GroupMember>;

    fn load(&self) -> Result<LoadSpec, DomainError> {
        Ok(LoadSpec::Access(Box::new(Wants { group: Some(self.group_id), user: Some(self.usr_id), ..Wants::default() })))
    }

    fn stakes(&self, seen: &Snapshot) -> Option<Stakes> {
        Stakes::managing(judge::place(seen))
    }

    fn decide(&self, seen: &Snapshot, env: &mut Env<'_>) -> Result<Decision<Option<GroupMember>>, DomainError> {
        judge::manager_of(seen, env, IdType::Group, seen.peer.as_ref().map(|mem| mem.role))?;
        let (group, org) = found_group(seen)?;
        let there = seen.access.group_member.clone().filter(|row| row.expires_at.is_none_or(|end| env.now < end));
        let mut draft = Draft::new(env);
        if let Some(row) = &there {
            draft.change(Change::DropGroupMember { org_id: org.id, group_id: group.id, usr_id: self.usr_id });
            let subjects = [group.id.any(), self.usr_id.any()];
            draft.event(org, EventType::GroupMemberRemoved, &subjects, end_told(row.expires_at), Fields::new());
        }
        Ok(draft.finish(there))
    }
}

/// Gives a group a role: its members hold it in the group's organization, and nowhere else. What it has already stays, unless another
/// end is given.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AddGroupRole {
    /// Which group.
    pub group_id: GroupId,
    /// Which role: one that the organization knows.
    pub role_id: RoleId,
    /// From when on it no longer counts.
    pub expires_at: Option<Timestamp>,
}

impl AddGroupRole {
    /// Without an end.
    pub const fn new(group_id: GroupId, role_id: RoleId) -> Self {
        Self { group_id, role_id, expires_at: None }
    }

    /// From when on it no longer counts.
    #[must_use]
    pub const fn expires_at(mut self, end: Timestamp) -> Self {
        self.expires_at = Some(end);
        self
    }
}

impl AddGroupRole {
    fn given(&self, seen: &Snapshot) -> Option<Role> {
        // A built-in role needs no row: it is bound by its slug, seeded or not.
        Role::from_id(self.role_id).or_else(|| usable(seen.access.role.as_ref()?, seen).ok())
    }
}

impl Command for AddGroupRole {
    type Output = GroupRole;

    fn load(&self) -> Result<LoadSpec, DomainError> {
        Ok(LoadSpec::Access(Box::new(Wants { group: Some(self.group_id), role: Some(self.role_id), ..Wants::default() })))
    }

    fn stakes(&self, seen: &Snapshot) -> Option<Stakes> {
        Some(Stakes::giving(judge::place(seen)?, self.given(seen)))
    }

    fn decide(&self, seen: &Snapshot, env: &mut Env<'_>) -> Result<Decision<GroupRole>, DomainError> {
        let given = self.given(seen);
        if let (Some(judge), Some(role)) = (judge::manager_of(seen, env, IdType::Group, given)?, given) {
            judge.may_give_role_here(role, self.expires_at)?;
        }
        let (group, org) = found_group(seen)?;
        // A built-in role needs no row: it is bound by its slug, seeded or not.
        let role = match (Role::from_id(self.role_id), &seen.access.role) {
            (Some(role), _) => role,
            (None, row) => known(row.as_ref(), seen, env)?,
        };
        check::future(self.expires_at, env.now)?;
        let there = seen.access.group_role.as_ref().filter(|row| row.expires_at.is_none_or(|end| env.now < end));
        let mut draft = Draft::new(env);
        if let Some(there) = there.filter(|row| row.expires_at == self.expires_at) {
            return Ok(draft.finish(there.clone()));
        }
        let row = GroupRole {
            group_id: group.id,
            org_id: org.id,
            role,
            granted_by: draft.acting_user(),
            created_at: there.map_or(draft.now(), |row| row.created_at),
            expires_at: self.expires_at,
        };
        draft.rely_on_home(org, seen.access.role.as_ref().and_then(|role| role.org_id), seen.line.as_ref());
        draft.change(Change::PutGroupRole(row.clone()));
        let before = there.map_or_else(Fields::new, |row| end_told(row.expires_at));
        let after = end_told(self.expires_at).with("role", role.slug());
        draft.event(org, EventType::GroupRoleAdded, &[group.id.any(), self.role_id.any()], before, after);
        Ok(draft.finish(row))
    }
}

/// Takes a role from a group. What it does not have it goes on not to have.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RemoveGroupRole {
    /// Which group.
    pub group_id: GroupId,
    /// Which role.
    pub role_id: RoleId,
}

impl RemoveGroupRole {
    /// This role, from this group.
    pub const fn new(group_id: GroupId, role_id: RoleId) -> Self {
        Self { group_id, role_id }
    }
}

impl Command for RemoveGroupRole {
    type Output = Option<GroupRole>;

    fn load(&self) -> Result<LoadSpec, DomainError> {
        Ok(LoadSpec::Access(Box::new(Wants { group: Some(self.group_id), role: Some(self.role_id), ..Wants::default() })))
    }

    fn stakes(&self, seen: &Snapshot) -> Option<Stakes> {
        Stakes::managing(judge::place(seen))
    }

    fn decide(&self, seen: &Snapshot, env: &mut Env<'_>) -> Result<Decision<Option<GroupRole>>, DomainError> {
        judge::manager(seen, env, IdType::Group)?;
        let (group, org) = found_group(seen)?;
        let there = seen.access.group_role.clone().filter(|row| row.expires_at.is_none_or(|end| env.now < end));
        let mut draft = Draft::new(env);
        if let Some(row) = &there {
            draft.change(Change::DropGroupRole { group_id: group.id, role_id: self.role_id });
            let before = end_told(row.expires_at).with("role", row.role.slug());
            draft.event(org, EventType::GroupRoleRemoved, &[group.id.any(), self.role_id.any()], before, Fields::new());
        }
        Ok(draft.finish(there))
    }
}
