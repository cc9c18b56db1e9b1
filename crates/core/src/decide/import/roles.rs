//! Roles to bring in, and which role a row of an import holds.

use super::{Intake, comes_late, conflict, twice};
use crate::change::Change;
use crate::decide::CreateRole;
use crate::error::{DomainError, Precondition};
use crate::id::{IdType, OrgId, RoleId};
use crate::load::ImportIds;
use crate::role::{CustomRole, Role, RoleDefinition};
use crate::time::Timestamp;
use crate::value::{Relation, RoleSlug};

/// A role to bring in, without what it grants. Its organization, where it has one, stands further up in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportRole {
    /// `rol_`.
    pub id: RoleId,
    /// Whose; without one it is a role of the system.
    pub org_id: Option<OrgId>,
    /// What it is called where a role is given.
    pub slug: String,
    /// What people see; the slug unless given.
    pub name: Option<String>,
    /// What people may read about it.
    pub description: Option<String>,
    /// Whether who holds it in an organization holds it in those below too.
    pub inherits_to_descendants: bool,
    /// When the row was made; now unless given.
    pub created_at: Option<Timestamp>,
    /// When it last changed; `created_at` unless given.
    pub updated_at: Option<Timestamp>,
}

impl ImportRole {
    pub(super) fn ids(&self, ids: &mut ImportIds) {
        ids.roles.push(self.id);
        if let Some(slug) = RoleSlug::parse(&self.slug) {
            ids.role_slugs.push(slug);
            if self.org_id.is_none() {
                ids.system_slugs.push(slug);
            }
        }
    }

    /// The row, with the forms that a new role has.
    fn definition(&self, (created_at, updated_at): (Timestamp, Timestamp)) -> Result<RoleDefinition, DomainError> {
        let mut said = self.org_id.map_or_else(|| CreateRole::of_system(&self.slug), |org| CreateRole::new(org, &self.slug));
        (said.name, said.description) = (self.name.clone(), self.description.clone());
        said.inherits_to_descendants = self.inherits_to_descendants;
        said.definition(self.id, created_at, updated_at)
    }
}

const FORMER: &str = "is held under another slug further up";

impl Intake<'_> {
    pub(super) fn role(&mut self, row: &ImportRole) -> Result<(), DomainError> {
        let role = row.definition(self.times(row.created_at, row.updated_at))?;
        let is_new_home = row.org_id.map(|org| self.place(org)).transpose()?.is_none_or(|(is_new, _)| is_new);
        let built_in = Role::from_slug(role.slug.as_str());
        // A built-in role has its own id and belongs to the system: all of it or nothing.
        if (built_in.is_some() || Role::from_id(role.id).is_some())
            && (role.org_id.is_some() || built_in.is_none_or(|built_in| built_in.id() != role.id))
        {
            return Err(DomainError::RoleSlug(role.slug));
        }
        if self.access.roles.contains_key(&role.id) {
            return Err(twice(IdType::Role));
        }
        if self.access.former.get(&role.id).is_some_and(|slug| *slug != role.slug) {
            return Err(conflict(IdType::Role, FORMER));
        }
        let place = (role.org_id, role.slug);
        self.access.roles.insert(role.id, place);
        if let Some(there) = self.access.roles_there.get(&role.id) {
            // Of the system, every store has its own times.
            let is_own = role.org_id.is_some();
            let same = RoleDefinition {
                created_at: if is_own && row.created_at.is_some() { role.created_at } else { there.created_at },
                updated_at: if is_own && row.updated_at.is_some() { role.updated_at } else { there.updated_at },
                ..role
            };
            let same = same == **there;
            self.access.places.insert(place, row.id);
            return self.unchanged(same, IdType::Role);
        }
        if !is_new_home {
            return Err(comes_late());
        }
        let is_taken = self.access.places_there.contains_key(&place) || self.access.places.insert(place, role.id).is_some();
        if is_taken || self.is_relation(role.org_id, role.slug) {
            return Err(DomainError::RoleSlug(role.slug));
        }
        self.access.changes_system |= role.org_id.is_none();
        self.count(role.org_id, |counts| &mut counts.roles);
        self.changes.push(Change::InsertRole(role));
        Ok(())
    }

    /// The role that a row of an organization holds, by its slug, and by its id where that is given. Where it counts, the organization
    /// must know it.
    pub(super) fn held(&mut self, slug: &str, id: Option<RoleId>, org: OrgId, counts: bool) -> Result<Role, DomainError> {
        if let Some(role) = Role::from_slug(slug) {
            return if id.is_none_or(|id| id == role.id()) { Ok(role) } else { Err(Precondition::UnknownRole.into()) };
        }
        let slug = RoleSlug::parse(slug).ok_or(Precondition::UnknownRole)?;
        let id = match id {
            None => self.nearest(org, slug).ok_or(Precondition::UnknownRole)?,
            Some(id) if self.is_held(id, slug, org, counts) => id,
            Some(_) => return Err(Precondition::UnknownRole.into()),
        };
        Ok(Role::Custom(CustomRole { id, slug }))
    }

    fn is_held(&mut self, id: RoleId, slug: RoleSlug, org: OrgId, counts: bool) -> bool {
        if Role::from_id(id).is_some() {
            return false;
        }
        if let Some((home, named)) = self.access.roles.get(&id) {
            let is_known = home.is_none_or(|home| self.line(org).any(|place| place == home));
            return *named == slug && (is_known || !counts);
        }
        if let Some(there) = self.access.roles_there.get(&id) {
            return there.slug == slug && (there.org_id.is_none() || !counts);
        }
        // Slugs never change: all who held it call it the same.
        !counts && *self.access.former.entry(id).or_insert(slug) == slug
    }

    /// The role with this slug that the organization knows, where it stands further up or belongs to the system.
    fn nearest(&self, org: OrgId, slug: RoleSlug) -> Option<RoleId> {
        let places = self.line(org).map(Some).chain([None]);
        places.map(|place| (place, slug)).find_map(|place| {
            let further_up = self.access.places.get(&place).copied();
            // One of an organization of the store must be a row of the file too: the search ends there.
            let there = || self.access.places_there.get(&place).map(|id| Some(*id).filter(|_| place.0.is_none()));
            further_up.map(Some).or_else(there)
        })?
    }

    /// A role of the system in the store.
    pub(super) fn system_role(&self, id: RoleId) -> Option<RoleId> {
        self.access.roles_there.get(&id).filter(|role| role.org_id.is_none()).map(|role| role.id)
    }

    /// Whether a role is there: further up, in the system, or a built-in one.
    pub(super) fn is_there(&self, role: Role) -> bool {
        role.custom().is_none() || self.access.roles.contains_key(&role.id()) || self.system_role(role.id()).is_some()
    }

    /// A new row holds the role, which may be one of an organization of the store.
    pub(super) fn rely_on_held(&mut self, role: Role) {
        let home = role.custom().and_then(|role| self.access.roles.get(&role.id)).and_then(|(home, _)| *home);
        self.access.homes.extend(home.filter(|home| self.orgs_there.contains_key(home)));
    }

    /// The organization and all above it, itself first.
    pub(super) fn line(&self, org: OrgId) -> impl Iterator<Item = OrgId> {
        let further_up = self.orgs.get(&org).map(|org| org.ancestors.as_slice());
        let above = further_up.or_else(|| self.orgs_there.get(&org).map(|org| org.ancestors.as_slice())).unwrap_or_default();
        std::iter::once(org).chain(above.iter().rev().copied())
    }

    /// Whether a relation is that of a role which the organization knows.
    pub(super) fn knows(&self, org: OrgId, relation: &Relation) -> bool {
        RoleSlug::parse(relation.as_str()).is_some_and(|slug| self.knows_slug(org, slug))
    }

    fn knows_slug(&self, org: OrgId, slug: RoleSlug) -> bool {
        let known = |place| self.access.places.contains_key(&place) || self.access.places_there.contains_key(&place);
        Role::from_slug(slug.as_str()).is_some() || self.line(org).map(Some).chain([None]).any(|place| known((place, slug)))
    }

    /// A new organization, which is the object of tuples: whether one of their relations is that of a role that it knows.
    pub(super) fn is_role_bound(&mut self, org: OrgId) -> bool {
        let Some(slugs) = self.access.relations_to.get(&org) else { return false };
        let is_bound = slugs.iter().any(|slug| self.knows_slug(org, *slug));
        self.access.lines.insert(org);
        is_bound
    }

    /// A new tuple on what may be an organization.
    pub(super) fn relate(&mut self, org: OrgId, relation: &Relation) {
        let Some(slug) = RoleSlug::parse(relation.as_str()) else { return };
        self.access.relate(org, slug);
        if self.orgs.contains_key(&org) || self.orgs_there.contains_key(&org) {
            self.access.lines.insert(org);
        } else {
            self.access.relies_on_absence = true;
        }
    }

    /// Whether the slug of a new role is the relation of a tuple on an organization that would know the role.
    fn is_relation(&self, home: Option<OrgId>, slug: RoleSlug) -> bool {
        let is_org = |org: &OrgId| self.orgs.contains_key(org) || self.orgs_there.contains_key(org);
        let knows = |org: &&OrgId| is_org(org) && home.is_none_or(|home| self.line(**org).any(|place| place == home));
        let related = self.access.related.get(&slug).is_some_and(|orgs| orgs.iter().any(|org| knows(&org)));
        related || home.is_none() && self.access.stored_relations.contains(&slug)
    }
}
