//! Groups to bring in, with their members and roles.

use super::access::ids_of_held;
use super::{Intake, TWICE, comes_late, twice};
use crate::access::{Group, GroupMember, GroupRole};
use crate::change::Change;
use crate::decide::CreateGroup;
use crate::error::{DomainError, Precondition};
use crate::id::{GroupId, IdType, OrgId, RoleId, UserId};
use crate::load::ImportIds;
use crate::time::Timestamp;

/// A group to bring in. Its organization stands further up in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportGroup {
    /// `grp_`.
    pub id: GroupId,
    /// Whose.
    pub org_id: OrgId,
    /// Its name in addresses.
    pub slug: String,
    /// What people see; the slug unless given.
    pub name: Option<String>,
    /// When the row was made; now unless given.
    pub created_at: Option<Timestamp>,
    /// When it last changed; `created_at` unless given.
    pub updated_at: Option<Timestamp>,
}

/// A user in a group, to bring in. The group, and a membership of the user, stand further up in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportGroupMember {
    /// Which group.
    pub group_id: GroupId,
    /// The group's organization.
    pub org_id: OrgId,
    /// Who.
    pub usr_id: UserId,
    /// Who put them there, where a user did.
    pub granted_by: Option<UserId>,
    /// Since when; now unless given.
    pub created_at: Option<Timestamp>,
    /// From when on it no longer counts.
    pub expires_at: Option<Timestamp>,
}

/// A role of a group, to bring in. The group stands further up in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportGroupRole {
    /// Which group.
    pub group_id: GroupId,
    /// The group's organization.
    pub org_id: OrgId,
    /// Which role, by its slug.
    pub role: String,
    /// The role's id, where the slug alone would not say which.
    pub role_id: Option<RoleId>,
    /// Who gave it, where a user did.
    pub granted_by: Option<UserId>,
    /// Since when; now unless given.
    pub created_at: Option<Timestamp>,
    /// From when on it no longer counts.
    pub expires_at: Option<Timestamp>,
}

impl ImportGroup {
    pub(super) fn ids(&self, ids: &mut ImportIds) {
        ids.groups.push(self.id);
    }
}

impl ImportGroupMember {
    pub(super) fn ids(&self, ids: &mut ImportIds) {
        ids.group_members.push((self.group_id, self.usr_id));
    }
}

impl ImportGroupRole {
    pub(super) fn ids(&self, ids: &mut ImportIds) {
        ids_of_held(&self.role, self.role_id, ids);
    }
}

impl Intake<'_> {
    pub(super) fn group(&mut self, row: &ImportGroup) -> Result<(), DomainError> {
        let mut said = CreateGroup::new(row.org_id, &row.slug);
        said.name.clone_from(&row.name);
        let (created_at, updated_at) = self.times(row.created_at, row.updated_at);
        let group = said.group(row.id, created_at, updated_at)?;
        let (is_new, _) = self.place(row.org_id)?;
        if self.access.groups.insert(group.id, group.org_id).is_some() {
            return Err(twice(IdType::Group));
        }
        let is_free = self.access.group_slugs.insert((group.org_id, group.slug.clone()));
        if let Some(there) = self.access.groups_there.get(&group.id) {
            let same = Group {
                created_at: if row.created_at.is_some() { group.created_at } else { there.created_at },
                updated_at: if row.updated_at.is_some() { group.updated_at } else { there.updated_at },
                ..group
            };
            let same = same == **there;
            return self.unchanged(same, IdType::Group);
        }
        if !is_new {
            return Err(comes_late());
        }
        if !is_free {
            return Err(DomainError::GroupSlug(group.slug));
        }
        self.count(Some(group.org_id), |counts| &mut counts.groups);
        self.changes.push(Change::InsertGroup(group));
        Ok(())
    }

    /// A group further up, of this organization.
    fn found_group(&self, group: GroupId, org: OrgId) -> Result<(), DomainError> {
        if self.access.groups.get(&group) == Some(&org) { Ok(()) } else { Err(DomainError::NotFound(IdType::Group)) }
    }

    pub(super) fn group_member(&mut self, row: &ImportGroupMember) -> Result<(), DomainError> {
        self.found_group(row.group_id, row.org_id)?;
        if !self.members.contains(&(row.org_id, row.usr_id)) {
            return Err(Precondition::NotAMember.into());
        }
        let key = (row.group_id, row.usr_id);
        if !self.access.members.insert(key) {
            return Err(DomainError::ImportConflict { row: "member of the group", why: TWICE });
        }
        let there = self.access.members_there.get(&key).copied();
        let member = GroupMember {
            group_id: row.group_id,
            org_id: row.org_id,
            usr_id: row.usr_id,
            granted_by: row.granted_by,
            created_at: row.created_at.or(there.map(|there| there.created_at)).unwrap_or(self.now),
            expires_at: row.expires_at,
        };
        if let Some(there) = there {
            return self.same(member == *there, "member of the group");
        }
        if !self.place(row.org_id)?.0 {
            return Err(comes_late());
        }
        self.count(Some(row.org_id), |counts| &mut counts.group_members);
        self.changes.push(Change::PutGroupMember(member));
        Ok(())
    }

    pub(super) fn group_role(&mut self, row: &ImportGroupRole) -> Result<(), DomainError> {
        self.found_group(row.group_id, row.org_id)?;
        // What has come to its end may be known there no more; that it is there follows all the same.
        let counts = row.expires_at.is_none_or(|end| self.now < end);
        let role = self.held(&row.role, row.role_id, row.org_id, counts)?;
        if !self.is_there(role) {
            return Err(Precondition::UnknownRole.into());
        }
        let key = (row.group_id, role.id());
        if !self.access.group_roles.insert(key) {
            return Err(DomainError::ImportConflict { row: "role of the group", why: TWICE });
        }
        let there = self.access.group_roles_there.get(&key).copied();
        let given = GroupRole {
            group_id: row.group_id,
            org_id: row.org_id,
            role,
            granted_by: row.granted_by,
            created_at: row.created_at.or(there.map(|there| there.created_at)).unwrap_or(self.now),
            expires_at: row.expires_at,
        };
        if let Some(there) = there {
            return self.same(given == *there, "role of the group");
        }
        if !self.place(row.org_id)?.0 {
            return Err(comes_late());
        }
        self.rely_on_held(role);
        self.count(Some(row.org_id), |counts| &mut counts.group_roles);
        self.changes.push(Change::PutGroupRole(given));
        Ok(())
    }
}
