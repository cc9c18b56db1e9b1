//! Roles of the application's own, and what roles grant: spec/roles.md.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::catalog::slugs_told;
use super::judge::{self, Judge, Reach};
use super::{Command, Decision, Env, Patch, Stakes, check, draft::Draft, guard};
use crate::access::{Effect, Holder, PermissionGrant};
use crate::change::Change;
use crate::entity::Organization;
use crate::error::{DomainError, Precondition};
use crate::event::{EventType, Fields};
use crate::id::{Id, IdType, OrgId, RoleId};
use crate::json::Value;
use crate::load::{LoadSpec, Snapshot, Wants};
use crate::role::{Role, RoleDefinition};
use crate::time::Timestamp;
use crate::value::{Description, Name, PermissionSlug, RoleSlug};

/// Makes a role: of an organization, which knows it as all below it do, or of the system.
///
/// ```
/// use tenantry_core::{CreateRole, OrgId};
/// # let org: OrgId = "org_0196f3c21b7a7c3d9e4f5a6b7c8d9e0f".parse().unwrap();
/// let request = CreateRole::new(org, "accountant").permissions(["invoices.read", "invoices.send"]);
/// # let _ = request;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CreateRole {
    /// Whose; without one it is a role of the system.
    pub org_id: Option<OrgId>,
    /// What it is called where a role is given: a lower-case letter, then 1 to 31 of `a-z` and `_`.
    pub slug: String,
    /// What people see; the slug unless given.
    pub name: Option<String>,
    /// What people may read about it: 1 to 1000 characters.
    pub description: Option<String>,
    /// Whether who holds it in an organization holds it in those below too. False unless said otherwise.
    pub inherits_to_descendants: bool,
    /// What it grants: at most 100,000 slugs of the catalog.
    pub permissions: Vec<String>,
}

impl CreateRole {
    /// The most permissions of one command.
    pub const MAX_PERMISSIONS: usize = 100_000;

    /// A role of an organization that grants nothing yet.
    pub fn new(org_id: OrgId, slug: impl Into<String>) -> Self {
        Self { org_id: Some(org_id), ..Self::of_system(slug) }
    }

    /// A role of the system that grants nothing yet.
    pub fn of_system(slug: impl Into<String>) -> Self {
        Self { org_id: None, slug: slug.into(), name: None, description: None, inherits_to_descendants: false, permissions: Vec::new() }
    }

    /// With a name.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// With a description.
    #[must_use]
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// Whether who holds it in an organization holds it in those below too.
    #[must_use]
    pub const fn inherits_to_descendants(mut self, inherits: bool) -> Self {
        self.inherits_to_descendants = inherits;
        self
    }

    /// Grants these.
    #[must_use]
    pub fn permissions(mut self, slugs: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.permissions = slugs.into_iter().map(Into::into).collect();
        self
    }

    fn forms(&self) -> Result<NewRole, DomainError> {
        let slug = RoleSlug::parse(&self.slug);
        let slug = slug.ok_or_else(|| DomainError::format("slug", "a lower-case letter, then 1 to 31 of `a-z` and `_`"))?;
        let name = check::name("name", self.name.as_deref().unwrap_or(slug.as_str()))?;
        let description = self.description.as_deref().map(check::description).transpose()?;
        let permissions = check::permissions("permissions", &self.permissions)?;
        Ok(NewRole { slug, name, description, permissions })
    }

    /// The row that this makes.
    pub(super) fn definition(&self, id: RoleId, created_at: Timestamp, updated_at: Timestamp) -> Result<RoleDefinition, DomainError> {
        Ok(self.forms()?.row(self, id, created_at, updated_at))
    }
}

struct NewRole {
    slug: RoleSlug,
    name: Name,
    description: Option<Description>,
    permissions: BTreeSet<PermissionSlug>,
}

impl NewRole {
    fn row(self, said: &CreateRole, id: RoleId, created_at: Timestamp, updated_at: Timestamp) -> RoleDefinition {
        let Self { slug, name, description, permissions } = self;
        RoleDefinition {
            id,
            org_id: said.org_id,
            slug,
            name,
            description,
            is_system: said.org_id.is_none(),
            inherits_to_descendants: said.inherits_to_descendants,
            permissions: permissions.into_iter().collect(),
            created_at,
            updated_at,
        }
    }
}

/// The organization of a role, which must be there and active; none for a role of the system.
fn home(seen: &Snapshot, org_id: Option<OrgId>) -> Result<Option<&Organization>, DomainError> {
    let org = org_id.map(|_| check::found(seen.org.as_ref(), IdType::Organization)).transpose()?;
    org.map(check::org_active).transpose()?;
    Ok(org)
}

/// An event of a role, in the log of its organization; for one of the system, what belongs to no organization has changed.
pub(super) fn role_event(
    draft: &mut Draft<'_, '_>,
    home: Option<&Organization>,
    seen: &Snapshot,
    kind: EventType,
    role: RoleId,
    (before, after): (Fields, Fields),
) {
    if let Some(org) = home {
        draft.event(org, kind, &[role.any()], before, after);
        return;
    }
    draft.advance_system(seen.system_revision);
    draft.store_event(kind, &[role.any()], before, after);
}

/// Every permission is in the catalog.
fn all_known(permissions: &BTreeSet<PermissionSlug>, seen: &Snapshot) -> Result<(), DomainError> {
    let known: BTreeSet<&PermissionSlug> = seen.permissions.iter().map(|row| &row.slug).collect();
    if permissions.iter().all(|slug| known.contains(slug)) { Ok(()) } else { Err(Precondition::UnknownPermission.into()) }
}

impl Command for CreateRole {
    type Output = RoleDefinition;

    fn load(&self) -> Result<LoadSpec, DomainError> {
        let NewRole { slug, permissions, .. } = self.forms()?;
        let permissions = permissions.into_iter().collect();
        Ok(LoadSpec::Access(Box::new(Wants { org: self.org_id, new_role: Some(slug), permissions, ..Wants::default() })))
    }

    fn stakes(&self, seen: &Snapshot) -> Option<Stakes> {
        Some(Stakes::of(judge::place(seen)?, self.forms().ok()?.permissions))
    }

    fn decide(&self, seen: &Snapshot, env: &mut Env<'_>) -> Result<Decision<RoleDefinition>, DomainError> {
        let new = self.forms()?;
        if self.org_id.is_none() {
            guard::trusted(env)?;
        }
        if let Some(judge) = judge::manager(seen, env, IdType::Organization)? {
            judge.may_give(
                &new.permissions.iter().map(|slug| (slug, None)).collect::<Vec<_>>(),
                Reach::of_role(self.inherits_to_descendants),
            )?;
        }
        let home = home(seen, self.org_id)?;
        if Role::from_slug(new.slug.as_str()).is_some() || seen.access.slug_taken || seen.access.stored_relation {
            return Err(DomainError::RoleSlug(new.slug));
        }
        all_known(&new.permissions, seen)?;

        let mut draft = Draft::new(env);
        let now = draft.now();
        let role = new.row(self, draft.id(), now, now);
        if let Some((root, structure)) = seen.structure {
            // Whatever has the slug as a relation below must have been looked at.
            draft.rely_on_tree(root, structure);
        }
        draft.change(Change::InsertRole(role.clone()));
        if !role.permissions.is_empty() {
            let rows = role.permissions.iter().map(|slug| given(&draft, Holder::Role(role.id), slug, Effect::Grant, None)).collect();
            draft.change(Change::PutGrants(rows));
        }
        let after = told(&role).with("permissions", slugs_told(&role.permissions));
        role_event(&mut draft, home, seen, EventType::RoleCreated, role.id, (Fields::new(), after));
        Ok(draft.finish(role))
    }
}

/// A row that is given now by whoever acts.
pub(super) fn given(
    draft: &Draft<'_, '_>,
    holder: Holder,
    permission: &PermissionSlug,
    effect: Effect,
    expires_at: Option<Timestamp>,
) -> PermissionGrant {
    PermissionGrant { holder, permission: permission.clone(), effect, granted_by: draft.acting_user(), created_at: draft.now(), expires_at }
}

fn told(role: &RoleDefinition) -> Fields {
    Fields::new()
        .with("slug", role.slug.as_str())
        .with("name", role.name.as_str())
        .with_some("description", role.description.as_ref().map(Description::as_str))
        .with("inherits_to_descendants", role.inherits_to_descendants)
}

/// Changes a role's fields; what is not named stays. A role's slug never changes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UpdateRole {
    /// Which.
    pub role_id: RoleId,
    /// What people see.
    pub name: Option<String>,
    /// What people may read about it.
    pub description: Patch<String>,
    /// Whether who holds it in an organization holds it in those below too.
    pub inherits_to_descendants: Option<bool>,
}

impl UpdateRole {
    /// Changes nothing yet.
    pub const fn new(role_id: RoleId) -> Self {
        Self { role_id, name: None, description: Patch::Keep, inherits_to_descendants: None }
    }

    /// Sets the name.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets or clears the description.
    #[must_use]
    pub fn description(mut self, description: Patch<String>) -> Self {
        self.description = description;
        self
    }

    /// Sets whether it reaches the organizations below.
    #[must_use]
    pub const fn inherits_to_descendants(mut self, inherits: bool) -> Self {
        self.inherits_to_descendants = Some(inherits);
        self
    }

    fn forms(&self) -> Result<(Option<Name>, Patch<Description>), DomainError> {
        let name = self.name.as_deref().map(|text| check::name("name", text)).transpose()?;
        Ok((name, self.description.try_map(|text| check::description(text))?))
    }
}

/// The role, with its organization, where a guarded caller must manage members; one of the system is for trusted callers.
fn judged<'s>(seen: &'s Snapshot, env: &Env<'_>) -> Result<Option<Judge<'s>>, DomainError> {
    if seen.access.role.as_ref().is_some_and(|role| role.org_id.is_none()) {
        guard::trusted(env)?;
    }
    judge::manager(seen, env, IdType::Role)
}

/// The role, with its organization, which must be active.
fn found_role(seen: &Snapshot) -> Result<(&RoleDefinition, Option<&Organization>), DomainError> {
    let role = check::found(seen.access.role.as_ref(), IdType::Role)?;
    Ok((role, home(seen, role.org_id)?))
}

impl Command for UpdateRole {
    type Output = RoleDefinition;

    fn load(&self) -> Result<LoadSpec, DomainError> {
        self.forms()?;
        Ok(LoadSpec::Access(Box::new(Wants { role: Some(self.role_id), ..Wants::default() })))
    }

    fn stakes(&self, seen: &Snapshot) -> Option<Stakes> {
        let org = judge::place(seen)?;
        let role = seen.access.role.as_ref().filter(|_| self.inherits_to_descendants == Some(true));
        role.map_or_else(|| Stakes::managing(Some(org)), |role| Some(Stakes::giving(org, [role.held()])))
    }

    fn decide(&self, seen: &Snapshot, env: &mut Env<'_>) -> Result<Decision<RoleDefinition>, DomainError> {
        let (name, description) = self.forms()?;
        let judge = judged(seen, env)?;
        if let (Some(judge), Some(role), Some(true)) = (judge, &seen.access.role, self.inherits_to_descendants)
            && !role.inherits_to_descendants
        {
            // What holders have beside the role would go down with it.
            guard::allow(seen.access.usage.memberships == 0)?;
            judge.may_let_down(role.id)?;
        }
        let (role, home) = found_role(seen)?;
        let next = RoleDefinition {
            name: name.unwrap_or_else(|| role.name.clone()),
            description: description.apply_to(role.description.clone()),
            inherits_to_descendants: self.inherits_to_descendants.unwrap_or(role.inherits_to_descendants),
            ..role.clone()
        };
        let mut draft = Draft::new(env);
        if next == *role {
            return Ok(draft.finish(next));
        }
        draft.change(Change::UpdateRole {
            id: role.id,
            name: next.name.clone(),
            description: next.description.clone(),
            inherits_to_descendants: next.inherits_to_descendants,
        });
        let side = |row: &RoleDefinition| {
            let mut fields = Fields::new();
            if role.name != next.name {
                fields = fields.with("name", row.name.as_str());
            }
            if role.description != next.description {
                fields = fields.with("description", row.description.as_ref().map(ToString::to_string));
            }
            if role.inherits_to_descendants != next.inherits_to_descendants {
                fields = fields.with("inherits_to_descendants", row.inherits_to_descendants);
            }
            fields
        };
        role_event(&mut draft, home, seen, EventType::RoleUpdated, role.id, (side(role), side(&next)));
        let next = RoleDefinition { updated_at: draft.now(), ..next };
        Ok(draft.finish(next))
    }
}

/// Deletes a role of an organization. Where somebody holds it, a replacement must be named, which they hold from then on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeleteRole {
    /// Which.
    pub role_id: RoleId,
    /// What its holders hold from then on: a role that the organization knows, other than owner.
    pub replacement_role_id: Option<RoleId>,
}

impl DeleteRole {
    /// A role that nobody holds.
    pub const fn new(role_id: RoleId) -> Self {
        Self { role_id, replacement_role_id: None }
    }

    fn given(&self, seen: &Snapshot) -> Option<Role> {
        let id = self.replacement_role_id?;
        Role::from_id(id).or_else(|| usable(seen.access.other_role.as_ref()?, seen).ok())
    }

    /// What its holders hold from then on.
    #[must_use]
    pub const fn replacement(mut self, role_id: RoleId) -> Self {
        self.replacement_role_id = Some(role_id);
        self
    }
}

/// What [`DeleteRole`] answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DeletedRole {
    /// The role, as it was.
    pub role: RoleDefinition,
    /// How many memberships hold the replacement now.
    pub memberships_changed: u64,
    /// How many invitations offer the replacement now.
    pub invitations_changed: u64,
    /// How many groups have the replacement now.
    pub groups_changed: u64,
}

impl Command for DeleteRole {
    type Output = DeletedRole;

    fn load(&self) -> Result<LoadSpec, DomainError> {
        let built_in = self.replacement_role_id.filter(|id| Role::from_id(*id).is_some());
        let other_role = self.replacement_role_id.filter(|_| built_in.is_none());
        Ok(LoadSpec::Access(Box::new(Wants { role: Some(self.role_id), other_role, ..Wants::default() })))
    }

    fn stakes(&self, seen: &Snapshot) -> Option<Stakes> {
        let org = judge::place(seen)?;
        let given = self.given(seen);
        if given.is_none() { Stakes::managing(Some(org)) } else { Some(Stakes::giving(org, given)) }
    }

    fn decide(&self, seen: &Snapshot, env: &mut Env<'_>) -> Result<Decision<DeletedRole>, DomainError> {
        if let (Some(judge), Some(given)) = (judged(seen, env)?, self.given(seen)) {
            guard::allow(judge.acting.reaches(given))?;
            judge.may_give_role(given, None)?;
            // What holders have beside the role would go down with it.
            let goes_down = judge.reaches_down(given) && seen.access.role.as_ref().is_some_and(|role| !role.inherits_to_descendants);
            guard::allow(!goes_down || seen.access.usage.memberships == 0)?;
        }
        let (role, home) = found_role(seen)?;
        let Some(home) = home else { return Err(Precondition::SystemRole.into()) };
        let replacement = match self.replacement_role_id {
            None => None,
            Some(id) if id == role.id => return Err(Precondition::UnknownRole.into()),
            Some(id) => Some(match Role::from_id(id) {
                // Ownership is handed over by name, one member at a time.
                Some(Role::Owner) => return Err(Precondition::UnknownRole.into()),
                Some(built_in) => built_in,
                None => known(seen.access.other_role.as_ref(), seen, env)?,
            }),
        };
        let usage = seen.access.usage;
        if !usage.is_none() && replacement.is_none() {
            return Err(Precondition::RoleInUse.into());
        }

        let mut draft = Draft::new(env);
        if let Some(to) = replacement.filter(|_| !usage.is_none()) {
            if let Some(other) = seen.access.other_role.as_ref().and_then(|other| other.org_id) {
                let line = seen.line.as_ref().and_then(|line| line.orgs.iter().find(|(org, ..)| *org == other));
                if let Some((org, revision, _)) = line {
                    draft.rely_on_org(*org, *revision);
                }
            }
            draft.change(Change::ReplaceRole { from: role.id, to, usage });
        }
        draft.change(Change::DeleteRole { id: role.id, grants: seen.access.role_grants, lapsed: seen.access.lapsed });
        let after = match replacement {
            Some(to) => Fields::new()
                .with("replacement_role_id", to.id().to_string())
                .with("memberships_changed", Value::count(usage.memberships))
                .with("invitations_changed", Value::count(usage.invitations))
                .with("groups_changed", Value::count(usage.groups)),
            None => Fields::new(),
        };
        draft.event(home, EventType::RoleDeleted, &[role.id.any()], told(role), after);
        Ok(draft.finish(DeletedRole {
            role: role.clone(),
            memberships_changed: usage.memberships,
            invitations_changed: usage.invitations,
            groups_changed: usage.groups,
        }))
    }
}

/// The role, where the organization of the line knows it: its own, one above it, or the system's.
pub(super) fn usable(role: &RoleDefinition, seen: &Snapshot) -> Result<Role, DomainError> {
    let own = seen.org.as_ref().map(|org| org.id);
    let on_line = |org: OrgId| Some(org) == own || seen.line.as_ref().is_some_and(|line| line.orgs.iter().any(|(id, ..)| *id == org));
    if role.org_id.is_none_or(on_line) { Ok(role.held()) } else { Err(Precondition::UnknownRole.into()) }
}

/// The same by its id: to a guarded caller, a role that the organization does not know is as unknown as one that does not exist.
pub(super) fn known(role: Option<&RoleDefinition>, seen: &Snapshot, env: &Env<'_>) -> Result<Role, DomainError> {
    let role = usable(check::found(role, IdType::Role)?, seen);
    role.map_err(|refused| if env.caller.as_guarded().is_some() { DomainError::NotFound(IdType::Role) } else { refused })
}

/// Lets a role grant more permissions. What it grants already stays as it is, unless another end is given.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct GrantRolePermissions {
    /// Which role.
    pub role_id: RoleId,
    /// Which permissions: 1 to 100,000 slugs of the catalog.
    pub permissions: Vec<String>,
    /// From when on the role no longer grants them.
    pub expires_at: Option<Timestamp>,
}

impl GrantRolePermissions {
    /// These, without an end.
    pub fn new(role_id: RoleId, permissions: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { role_id, permissions: permissions.into_iter().map(Into::into).collect(), expires_at: None }
    }

    /// From when on the role no longer grants them.
    #[must_use]
    pub const fn expires_at(mut self, end: Timestamp) -> Self {
        self.expires_at = Some(end);
        self
    }
}

/// Takes permissions from a role. What it does not grant is passed over.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RevokeRolePermissions {
    /// Which role.
    pub role_id: RoleId,
    /// Which permissions: 1 to 100,000 slugs.
    pub permissions: Vec<String>,
}

impl RevokeRolePermissions {
    /// These.
    pub fn new(role_id: RoleId, permissions: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { role_id, permissions: permissions.into_iter().map(Into::into).collect() }
    }
}

/// What became of a role's permissions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ChangedPermissions {
    /// Which role.
    pub role_id: RoleId,
    /// The permissions that were granted, or taken away, in order.
    pub changed: Vec<PermissionSlug>,
    /// The others, in order: they were as asked for before.
    pub unchanged: Vec<PermissionSlug>,
}

fn some_permissions(slugs: &[String]) -> Result<BTreeSet<PermissionSlug>, DomainError> {
    let slugs = check::permissions("permissions", slugs)?;
    if slugs.is_empty() { Err(DomainError::format("permissions", check::PERMISSIONS)) } else { Ok(slugs) }
}

impl Command for GrantRolePermissions {
    type Output = ChangedPermissions;

    fn load(&self) -> Result<LoadSpec, DomainError> {
        let permissions = some_permissions(&self.permissions)?.into_iter().collect();
        Ok(LoadSpec::Access(Box::new(Wants { role: Some(self.role_id), permissions, ..Wants::default() })))
    }

    fn stakes(&self, seen: &Snapshot) -> Option<Stakes> {
        Some(Stakes::of(judge::place(seen)?, some_permissions(&self.permissions).ok()?))
    }

    fn decide(&self, seen: &Snapshot, env: &mut Env<'_>) -> Result<Decision<ChangedPermissions>, DomainError> {
        let asked = some_permissions(&self.permissions)?;
        if let (Some(judge), Some(role)) = (judged(seen, env)?, &seen.access.role) {
            judge.may_give(
                &asked.iter().map(|slug| (slug, self.expires_at)).collect::<Vec<_>>(),
                Reach::of_role(role.inherits_to_descendants),
            )?;
        }
        let (role, home) = found_role(seen)?;
        all_known(&asked, seen)?;
        check::future(self.expires_at, env.now)?;
        let there: BTreeMap<&PermissionSlug, &PermissionGrant> = seen.access.grants.iter().map(|row| (&row.permission, row)).collect();
        let holds =
            |slug: &PermissionSlug| there.get(slug).is_some_and(|row| !row.is_expired(env.now) && row.expires_at == self.expires_at);
        let (unchanged, changed): (Vec<_>, Vec<_>) = asked.into_iter().partition(holds);

        let mut draft = Draft::new(env);
        if !changed.is_empty() {
            let row = |slug| given(&draft, Holder::Role(role.id), slug, Effect::Grant, self.expires_at);
            let rows = changed.iter().map(row).collect();
            draft.change(Change::PutGrants(rows));
            let after =
                Fields::new().with("permissions", slugs_told(&changed)).with_some("expires_at", self.expires_at.map(|end| end.to_string()));
            role_event(&mut draft, home, seen, EventType::RolePermissionsGranted, role.id, (Fields::new(), after));
        }
        Ok(draft.finish(ChangedPermissions { role_id: role.id, changed, unchanged }))
    }
}

impl Command for RevokeRolePermissions {
    type Output = ChangedPermissions;

    fn load(&self) -> Result<LoadSpec, DomainError> {
        let permissions = some_permissions(&self.permissions)?.into_iter().collect();
        Ok(LoadSpec::Access(Box::new(Wants { role: Some(self.role_id), permissions, ..Wants::default() })))
    }

    fn stakes(&self, seen: &Snapshot) -> Option<Stakes> {
        Stakes::managing(judge::place(seen))
    }

    fn decide(&self, seen: &Snapshot, env: &mut Env<'_>) -> Result<Decision<ChangedPermissions>, DomainError> {
        let asked = some_permissions(&self.permissions)?;
        judged(seen, env)?;
        let (role, home) = found_role(seen)?;
        let rows: Vec<&PermissionSlug> = seen.access.grants.iter().map(|row| &row.permission).collect();
        let (stored, absent): (Vec<_>, Vec<_>) = asked.into_iter().partition(|slug| rows.binary_search(&slug).is_ok());
        // One that has expired reads as not there; its row goes all the same.
        let expired = |slug: &PermissionSlug| seen.access.grants.iter().any(|row| row.permission == *slug && row.is_expired(env.now));
        let (lapsed, changed): (Vec<_>, Vec<_>) = stored.iter().cloned().partition(expired);

        let mut draft = Draft::new(env);
        if !changed.is_empty() {
            draft.change(Change::DropGrants { holder: Holder::Role(role.id), permissions: stored });
            let before = Fields::new().with("permissions", slugs_told(&changed));
            role_event(&mut draft, home, seen, EventType::RolePermissionsRevoked, role.id, (before, Fields::new()));
        }
        let unchanged: BTreeSet<PermissionSlug> = absent.into_iter().chain(lapsed).collect();
        Ok(draft.finish(ChangedPermissions { role_id: role.id, changed, unchanged: unchanged.into_iter().collect() }))
    }
}

/// Makes rows of the built-in roles, so that they can be granted permissions: additive, and the second time it changes nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SeedSystemRoles {
    /// Slugs of built-in roles that shall reach the organizations below; the others stay as they are.
    pub inherits_to_descendants: Vec<String>,
}

impl SeedSystemRoles {
    /// None of them reaches down.
    pub fn new() -> Self {
        Self::default()
    }

    /// These reach down.
    #[must_use]
    pub fn inherits_to_descendants(mut self, slugs: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.inherits_to_descendants = slugs.into_iter().map(Into::into).collect();
        self
    }

    fn forms(&self) -> Result<BTreeSet<Role>, DomainError> {
        let expected = "a list of `owner`, `admin`, `member`, `guest`, `viewer`, `editor`";
        let roles = self.inherits_to_descendants.iter().map(|slug| Role::from_slug(slug));
        roles.map(|role| role.ok_or_else(|| DomainError::format("inherits_to_descendants", expected))).collect()
    }
}

/// What [`SeedSystemRoles`] came to: roles by slug.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SeededRoles {
    /// Those that have a row now.
    pub created: Vec<Role>,
    /// Those that reach down now.
    pub updated: Vec<Role>,
    /// The others.
    pub unchanged: Vec<Role>,
}

impl Command for SeedSystemRoles {
    type Output = SeededRoles;

    fn load(&self) -> Result<LoadSpec, DomainError> {
        self.forms()?;
        Ok(LoadSpec::SystemRoles { slugs: Role::ALL.iter().filter_map(|role| RoleSlug::parse(role.slug())).collect(), with_grants: false })
    }

    fn decide(&self, seen: &Snapshot, env: &mut Env<'_>) -> Result<Decision<SeededRoles>, DomainError> {
        let flagged = self.forms()?;
        guard::trusted(env)?;
        let there = seen.line.as_ref().map(|line| line.roles.as_slice()).unwrap_or_default();
        let mut seeded = SeededRoles::default();
        let mut draft = Draft::new(env);
        let now = draft.now();
        for role in Role::ALL {
            let inherits = flagged.contains(&role);
            if let Some(row) = there.iter().find(|row| row.id == role.id()) {
                if inherits && !row.inherits_to_descendants {
                    draft.change(Change::UpdateRole {
                        id: row.id,
                        name: row.name.clone(),
                        description: row.description.clone(),
                        inherits_to_descendants: true,
                    });
                    let side = |inherits: bool| Fields::new().with("inherits_to_descendants", inherits);
                    role_event(&mut draft, None, seen, EventType::RoleUpdated, row.id, (side(false), side(true)));
                    seeded.updated.push(role);
                } else {
                    seeded.unchanged.push(role);
                }
                continue;
            }
            let row = RoleDefinition {
                id: role.id(),
                org_id: None,
                slug: RoleSlug::parse(role.slug()).ok_or_else(|| DomainError::format("slug", "a slug"))?,
                name: check::name("name", built_in_name(role))?,
                description: Some(check::description(built_in_description(role))?),
                is_system: true,
                inherits_to_descendants: inherits,
                permissions: Vec::new(),
                created_at: now,
                updated_at: now,
            };
            draft.change(Change::InsertRole(row.clone()));
            role_event(&mut draft, None, seen, EventType::RoleCreated, row.id, (Fields::new(), told(&row)));
            seeded.created.push(role);
        }
        Ok(draft.finish(seeded))
    }
}

const fn built_in_name(role: Role) -> &'static str {
    match role {
        Role::Owner => "Owner",
        Role::Admin => "Administrator",
        Role::Member => "Member",
        Role::Guest => "Guest",
        Role::Viewer => "Viewer",
        Role::Editor => "Editor",
        Role::Custom(_) => "Role",
    }
}

const fn built_in_description(role: Role) -> &'static str {
    match role {
        Role::Owner => "Owns the organization and may hand it over.",
        Role::Admin => "Manages members and settings.",
        Role::Member => "Takes part in the daily work.",
        Role::Guest => "Takes part in what was shared.",
        Role::Viewer => "May look, and change nothing.",
        Role::Editor => "Writes what others read.",
        Role::Custom(_) => "A role of the application's own.",
    }
}
