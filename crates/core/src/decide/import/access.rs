//! The catalog, what roles grant and overrides to bring in; and what an import leans on of roles.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::{Intake, TWICE, comes_late};
use crate::access::{Effect, Group, GroupMember, GroupRole, Holder, Permission, PermissionGrant};
use crate::change::Change;
use crate::decide::catalog::PermissionDefinition;
use crate::decide::{check, draft::Draft};
use crate::error::{DomainError, Precondition};
use crate::id::{GroupId, IdType, OrgId, RoleId, UserId};
use crate::load::{Found, ImportIds};
use crate::role::RoleDefinition;
use crate::time::Timestamp;
use crate::value::{PermissionSlug, RoleSlug, Slug};

/// An entry of the catalog to bring in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportPermission {
    /// Its key: `resource.action`.
    pub slug: String,
    /// What people see.
    pub name: Option<String>,
    /// What people may read about it.
    pub description: Option<String>,
    /// What it is listed under.
    pub category: Option<String>,
    /// When the row was made; now unless given.
    pub created_at: Option<Timestamp>,
    /// When it last changed; `created_at` unless given.
    pub updated_at: Option<Timestamp>,
}

/// A permission that a role grants, to bring in. The role stands further up in the file, or is one of the system in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportRolePermission {
    /// Which role.
    pub role_id: RoleId,
    /// Which permission: a slug of the catalog.
    pub permission: String,
    /// Who gave it, where a user did.
    pub granted_by: Option<UserId>,
    /// Since when; now unless given.
    pub created_at: Option<Timestamp>,
    /// From when on the role no longer grants it.
    pub expires_at: Option<Timestamp>,
}

/// A permission that an organization or a membership grants or denies, to bring in. The one that it hangs on stands further up in the
/// file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportOverride {
    /// On what it hangs: an organization or a membership.
    pub holder: Holder,
    /// Which permission: a slug of the catalog.
    pub permission: String,
    /// Given or taken away.
    pub effect: Effect,
    /// Who gave it, where a user did.
    pub granted_by: Option<UserId>,
    /// Since when; now unless given.
    pub created_at: Option<Timestamp>,
    /// From when on it no longer counts.
    pub expires_at: Option<Timestamp>,
}

impl ImportPermission {
    pub(super) fn ids(&self, ids: &mut ImportIds) {
        ids.permissions.extend(PermissionSlug::parse(&self.slug));
    }
}

impl ImportRolePermission {
    pub(super) fn ids(&self, ids: &mut ImportIds) {
        ids.roles.push(self.role_id);
        ids_of_grant(Holder::Role(self.role_id), &self.permission, ids);
    }
}

impl ImportOverride {
    pub(super) fn ids(&self, ids: &mut ImportIds) {
        ids_of_grant(self.holder, &self.permission, ids);
    }
}

fn ids_of_grant(holder: Holder, permission: &str, ids: &mut ImportIds) {
    if let Some(slug) = PermissionSlug::parse(permission) {
        ids.permissions.push(slug.clone());
        ids.grants.push((holder, slug));
    }
}

/// What to look up for a row that holds a role.
pub(super) fn ids_of_held(slug: &str, id: Option<RoleId>, ids: &mut ImportIds) {
    match (check::own_slug(slug), id) {
        (Some(_), Some(id)) => ids.roles.push(id),
        (slug, _) => ids.role_slugs.extend(slug),
    }
}

/// Names each thing once that many rows name.
pub(super) fn each_once(ids: &mut ImportIds) {
    let ImportIds { permissions, roles, role_slugs, system_slugs, groups, .. } = ids;
    permissions.sort();
    permissions.dedup();
    roles.sort();
    roles.dedup();
    for slugs in [role_slugs, system_slugs] {
        slugs.sort();
        slugs.dedup();
    }
    groups.sort();
    groups.dedup();
}

/// What has been taken of the catalog, roles, groups and overrides so far, and what is there of them.
#[derive(Debug)]
pub(super) struct AccessIntake<'s> {
    pub(super) permissions_there: HashMap<&'s PermissionSlug, &'s Permission>,
    pub(super) roles_there: HashMap<RoleId, &'s RoleDefinition>,
    /// Roles of the store by where they are known from.
    pub(super) places_there: HashMap<(Option<OrgId>, RoleSlug), RoleId>,
    pub(super) grants_there: HashMap<(Holder, &'s PermissionSlug), &'s PermissionGrant>,
    pub(super) groups_there: HashMap<GroupId, &'s Group>,
    pub(super) members_there: HashMap<(GroupId, UserId), &'s GroupMember>,
    pub(super) group_roles_there: HashMap<(GroupId, RoleId), &'s GroupRole>,
    /// Slugs of new roles of the system that are relations to organizations of the store.
    pub(super) stored_relations: &'s [RoleSlug],
    pub(super) permissions: HashSet<PermissionSlug>,
    pub(super) roles: HashMap<RoleId, (Option<OrgId>, RoleSlug)>,
    /// Roles further up by where they are known from.
    pub(super) places: HashMap<(Option<OrgId>, RoleSlug), RoleId>,
    /// Roles that nothing but their former holders tell of.
    pub(super) former: HashMap<RoleId, RoleSlug>,
    pub(super) grants: HashSet<(Holder, PermissionSlug)>,
    /// The organizations of groups further up.
    pub(super) groups: HashMap<GroupId, OrgId>,
    pub(super) group_slugs: HashSet<(OrgId, Slug)>,
    pub(super) members: HashSet<(GroupId, UserId)>,
    pub(super) group_roles: HashSet<(GroupId, RoleId)>,
    /// Relations to what is or may become an organization, as far as they could be a role's: of tuples further up, and of stored tuples
    /// on those of the file that are not in the store. Both ways round.
    pub(super) relations_to: HashMap<OrgId, BTreeSet<RoleSlug>>,
    pub(super) related: HashMap<RoleSlug, BTreeSet<OrgId>>,
    /// Whether it matters that the object of a new tuple is no organization.
    pub(super) relies_on_absence: bool,
    /// Organizations of the store of which a role is held in a new one.
    pub(super) homes: BTreeSet<OrgId>,
    /// Organizations in which no role of a certain slug may be known.
    pub(super) lines: BTreeSet<OrgId>,
    /// Whether something changes that belongs to no organization.
    pub(super) changes_system: bool,
}

impl<'s> AccessIntake<'s> {
    pub(super) fn new(found: &'s Found) -> Self {
        let mut intake = Self {
            permissions_there: found.permissions.iter().map(|row| (&row.slug, row)).collect(),
            roles_there: found.roles.iter().map(|role| (role.id, role)).collect(),
            places_there: found.roles.iter().map(|role| ((role.org_id, role.slug), role.id)).collect(),
            grants_there: found.grants.iter().map(|row| ((row.holder, &row.permission), row)).collect(),
            groups_there: found.groups.iter().map(|group| (group.id, group)).collect(),
            members_there: found.group_members.iter().map(|row| ((row.group_id, row.usr_id), row)).collect(),
            group_roles_there: found.group_roles.iter().map(|row| ((row.group_id, row.role.id()), row)).collect(),
            stored_relations: &found.stored_relations,
            permissions: HashSet::new(),
            roles: HashMap::new(),
            places: HashMap::new(),
            former: HashMap::new(),
            grants: HashSet::new(),
            groups: HashMap::new(),
            group_slugs: HashSet::new(),
            members: HashSet::new(),
            group_roles: HashSet::new(),
            relations_to: HashMap::new(),
            related: HashMap::new(),
            relies_on_absence: false,
            homes: BTreeSet::new(),
            lines: BTreeSet::new(),
            changes_system: false,
        };
        for (org, slug) in &found.relations {
            intake.relate(*org, *slug);
        }
        intake
    }

    pub(super) fn relate(&mut self, org: OrgId, slug: RoleSlug) {
        self.relations_to.entry(org).or_default().insert(slug);
        self.related.entry(slug).or_default().insert(org);
    }
}

impl Intake<'_> {
    pub(super) fn permission(&mut self, row: &ImportPermission) -> Result<(), DomainError> {
        let ImportPermission { slug, name, description, category, created_at, updated_at } = row;
        let [name, description, category] = [name, description, category].map(Clone::clone);
        let definition = PermissionDefinition { slug: slug.clone(), name, description, category };
        let (created_at, updated_at) = self.times(*created_at, *updated_at);
        let permission = definition.entry(created_at, updated_at)?;
        if !self.access.permissions.insert(permission.slug.clone()) {
            return Err(DomainError::ImportConflict { row: "permission", why: TWICE });
        }
        if let Some(there) = self.access.permissions_there.get(&permission.slug) {
            // What nobody says is nothing to disagree with, and every store has its own times.
            let same = permission.name.is_none_or(|name| name.as_str() == there.shown_name())
                && permission.description.is_none_or(|text| text.as_str() == there.shown_description())
                && permission.category.is_none_or(|text| text.as_str() == there.shown_category());
            return self.same(same, "permission");
        }
        self.access.changes_system = true;
        self.count(None, |counts| &mut counts.permissions);
        self.changes.push(Change::PutPermissions(vec![permission]));
        Ok(())
    }

    pub(super) fn role_permission(&mut self, row: &ImportRolePermission) -> Result<(), DomainError> {
        let permission = check::permission("permission", &row.permission)?;
        let further_up = self.access.roles.get(&row.role_id).map(|(home, _)| *home);
        let home = check::found(further_up.or_else(|| self.system_role(row.role_id).map(|_| None)), IdType::Role)?;
        let grant = PermissionGrant {
            holder: Holder::Role(row.role_id),
            permission,
            effect: Effect::Grant,
            granted_by: row.granted_by,
            created_at: row.created_at.unwrap_or(self.now),
            expires_at: row.expires_at,
        };
        self.grant(grant, row.created_at.is_some(), home, "role's permission", |counts| &mut counts.role_permissions)
    }

    pub(super) fn overriding(&mut self, row: &ImportOverride) -> Result<(), DomainError> {
        let permission = check::permission("permission", &row.permission)?;
        let home = match row.holder {
            Holder::Organization(org) => self.place(org).map(|_| org)?,
            Holder::Membership(mem) => check::found(self.memberships.get(&mem), IdType::Membership)?.0,
            Holder::Role(_) => return Err(DomainError::NotFound(IdType::Organization)),
        };
        let grant = PermissionGrant {
            holder: row.holder,
            permission,
            effect: row.effect,
            granted_by: row.granted_by,
            created_at: row.created_at.unwrap_or(self.now),
            expires_at: row.expires_at,
        };
        self.grant(grant, row.created_at.is_some(), Some(home), "override", |counts| &mut counts.overrides)
    }

    /// What a role grants, and an override: of an organization, or of a role of the system.
    fn grant(
        &mut self,
        grant: PermissionGrant,
        is_dated: bool,
        home: Option<OrgId>,
        what: &'static str,
        counter: fn(&mut super::ImportCounts) -> &mut u64,
    ) -> Result<(), DomainError> {
        let slug = &grant.permission;
        if !(self.access.permissions.contains(slug) || self.access.permissions_there.contains_key(slug)) {
            return Err(Precondition::UnknownPermission.into());
        }
        if !self.access.grants.insert((grant.holder, slug.clone())) {
            return Err(DomainError::ImportConflict { row: what, why: TWICE });
        }
        if let Some(there) = self.access.grants_there.get(&(grant.holder, slug)) {
            // Of the system, every store has its own times.
            let created_at = if is_dated && home.is_some() { grant.created_at } else { there.created_at };
            let same = PermissionGrant { created_at, ..grant.clone() } == **there;
            // What has come to its end makes room, where there may be something new.
            if same || home.is_some() || !there.is_expired(self.now) {
                return self.same(same, what);
            }
        }
        match home {
            Some(org) if !self.place(org)?.0 => return Err(comes_late()),
            Some(_) => {}
            None => self.access.changes_system = true,
        }
        self.count(home, counter);
        self.changes.push(Change::PutGrants(vec![grant]));
        Ok(())
    }

    /// What the decision holds on, of roles and of what is above.
    pub(super) fn rely(&self, draft: &mut Draft<'_, '_>, system_revision: u64) {
        // Nothing above a new organization gets another place meanwhile.
        for (parent, _) in &self.children_of_others {
            self.rely_on_tree(draft, parent.id);
        }
        for home in &self.access.homes {
            if let Some(org) = self.orgs_there.get(home) {
                draft.rely_on_org(org.id, org.revision);
            }
        }
        for org in &self.access.lines {
            self.rely_on_tree(draft, *org);
            for org in self.line(*org).filter_map(|org| self.orgs_there.get(&org)) {
                draft.rely_on_org(org.id, org.revision);
            }
            draft.rely_on_system(system_revision);
        }
        if self.access.changes_system {
            draft.advance_system(system_revision);
        }
    }

    fn rely_on_tree(&self, draft: &mut Draft<'_, '_>, org: OrgId) {
        if let Some(root) = self.line(org).last().and_then(|root| self.orgs_there.get(&root)) {
            draft.rely_on_tree(root.id, root.structure_revision);
        }
    }
}
