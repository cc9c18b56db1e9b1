//! Organizations: spec/organizations.md.

use serde::Serialize;

use super::{Command, Decision, Env, Patch, Stakes, check, draft::Draft, draft::about, guard, judge};
use crate::change::Change;
use crate::entity::{Membership, OrgStatus, Organization};
use crate::error::{DomainError, Precondition};
use crate::event::{EventType, Fields};
use crate::id::{Id, IdType, OrgId, UserId};
use crate::json::Value;
use crate::load::{LoadSpec, Snapshot};
use crate::role::Role;
use crate::value::{ExternalId, Metadata, Name, Slug};

/// Creates an organization, with its creator as owner.
///
/// ```
/// use tenantry_core::{CreateOrg, UserId};
/// # let creator: UserId = "usr_0196f3c21b7a7c3d9e4f5a6b7c8d9e0f".parse().unwrap();
/// let request = CreateOrg::new(creator).name("Acme").slug("acme");
/// # let _ = request;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CreateOrg {
    /// Becomes the owner.
    pub creator: UserId,
    /// What people see: 1 to 200 characters without control characters.
    pub name: Option<String>,
    /// The name in addresses: 1 to 63 of `a-z`, `0-9` and `-`, a letter or digit at both ends.
    pub slug: Option<String>,
    /// The organization above it; without one it is a root.
    pub parent_id: Option<OrgId>,
    /// Whether what is granted here passes to the organizations below. True unless said otherwise.
    pub cascade_permissions: bool,
    /// Whether what is granted above is taken over here. True unless said otherwise.
    pub inherit_permissions: bool,
}

impl CreateOrg {
    /// A root without name and slug.
    pub const fn new(creator: UserId) -> Self {
        Self { creator, name: None, slug: None, parent_id: None, cascade_permissions: true, inherit_permissions: true }
    }

    /// With a name.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// With a slug.
    #[must_use]
    pub fn slug(mut self, slug: impl Into<String>) -> Self {
        self.slug = Some(slug.into());
        self
    }

    /// Below another organization.
    #[must_use]
    pub const fn parent(mut self, parent: OrgId) -> Self {
        self.parent_id = Some(parent);
        self
    }

    fn forms(&self) -> Result<(Option<Name>, Option<Slug>), DomainError> {
        let name = self.name.as_deref().map(|text| check::name("name", text)).transpose()?;
        let slug = self.slug.as_deref().map(slug_form).transpose()?;
        Ok((name, slug))
    }
}

/// What [`CreateOrg`] answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CreatedOrg {
    /// The new organization.
    pub org: Organization,
    /// Its creator's membership.
    pub owner_membership: Membership,
}

pub(super) fn slug_form(text: &str) -> Result<Slug, DomainError> {
    Slug::parse(text).ok_or_else(|| Precondition::OrgSlugFormat.into())
}

fn slug_free(slug: Option<&Slug>, holder: Option<OrgId>, own: Option<OrgId>) -> Result<(), DomainError> {
    match (slug, holder) {
        (Some(slug), Some(holder)) if Some(holder) != own => Err(DomainError::OrgSlug(slug.clone())),
        _ => Ok(()),
    }
}

impl Command for CreateOrg {
    type Output = CreatedOrg;

    fn load(&self) -> Result<LoadSpec, DomainError> {
        let (_, slug) = self.forms()?;
        Ok(LoadSpec::NewOrg { creator: self.creator, parent: self.parent_id, slug })
    }

    fn decide(&self, seen: &Snapshot, env: &mut Env<'_>) -> Result<Decision<CreatedOrg>, DomainError> {
        let (name, slug) = self.forms()?;
        if let Some(caller) = env.caller.as_guarded() {
            let acting = match self.parent_id {
                Some(_) => guard::member(seen, env, IdType::Organization)?,
                None => None,
            };
            guard::allow(caller.usr_id == self.creator && acting.is_none_or(guard::Acting::manages))?;
        }
        check::user_ok(seen.user.as_ref())?;
        let parent = match self.parent_id {
            Some(_) => Some(check::found(seen.org.as_ref(), IdType::Organization)?),
            None => None,
        };
        if let Some(parent) = parent {
            check::org_active(parent)?;
            if parent.depth() + 1 >= Organization::MAX_LEVELS {
                return Err(DomainError::MaxDepth);
            }
        }
        slug_free(slug.as_ref(), seen.slug_holder, None)?;

        let mut draft = Draft::new(env);
        draft.advance_user(self.creator, seen.user.as_ref());
        let now = draft.now();
        let ancestors = parent.map(|parent| parent.ancestors.iter().copied().chain([parent.id]).collect());
        let org = Organization {
            id: draft.id(),
            parent_id: self.parent_id,
            status: OrgStatus::Active,
            name,
            slug,
            cascade_permissions: self.cascade_permissions,
            inherit_permissions: self.inherit_permissions,
            seat_limit: None,
            external_id: None,
            metadata: Metadata::default(),
            revision: 2,
            created_at: now,
            updated_at: now,
            ancestors: ancestors.unwrap_or_default(),
            structure_revision: 0,
        };
        if let Some((root, structure)) = seen.structure {
            draft.rely_on_tree(root, structure);
        }
        let owner = draft.new_membership(self.creator, org.id, Role::Owner);
        draft.change(Change::InsertOrg(org.clone()));
        if let Some(slug) = &org.slug {
            draft.change(Change::ClaimSlug { slug: slug.clone(), org_id: org.id });
        }
        draft.change(Change::InsertMembership(owner.clone()));
        let after = Fields::new()
            .with("status", org.status.as_str())
            .with_some("name", org.name.as_ref().map(ToString::to_string))
            .with_some("slug", org.slug.as_ref().map(ToString::to_string))
            .with_some("parent_id", org.parent_id.map(|id| id.to_string()))
            .with("cascade_permissions", org.cascade_permissions)
            .with("inherit_permissions", org.inherit_permissions);
        draft.first_event(org.id, EventType::OrganizationCreated, &[org.id.any()], after);
        draft.first_event(org.id, EventType::MembershipAdded, &about(&owner), added(&owner));
        if let Some(parent) = parent {
            let child = Fields::new().with("child_id", org.id.to_string());
            draft.event(parent, EventType::OrganizationChildAdded, &[org.id.any()], Fields::new(), child);
        }
        Ok(draft.finish(CreatedOrg { org, owner_membership: owner }))
    }
}

/// What `membership.added` says.
pub(super) fn added(mem: &Membership) -> Fields {
    Fields::new()
        .with("role", mem.role.slug())
        .with("status", mem.status.as_str())
        .with_some("expires_at", mem.expires_at.map(|end| end.to_string()))
        .with_some("invited_by", mem.invited_by.map(|usr| usr.to_string()))
}

/// Changes an organization's fields; what is not named stays.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct UpdateOrg {
    /// Which.
    pub org_id: OrgId,
    /// What people see.
    pub name: Patch<String>,
    /// The name in addresses.
    pub slug: Patch<String>,
    /// Whether what is granted here passes to the organizations below.
    pub cascade_permissions: Option<bool>,
    /// Whether what is granted above is taken over here.
    pub inherit_permissions: Option<bool>,
    /// The most active and suspended memberships that joining may lead to: 1 to [`Organization::MAX_SEATS`].
    pub seat_limit: Patch<i64>,
    /// Its id in another system: 1 to 200 bytes.
    pub external_id: Patch<String>,
    /// What the application keeps there, as a whole: an object of at most 4096 bytes as JSON.
    pub metadata: Patch<Value>,
}

impl UpdateOrg {
    /// Changes nothing yet.
    pub const fn new(org_id: OrgId) -> Self {
        Self {
            org_id,
            name: Patch::Keep,
            slug: Patch::Keep,
            cascade_permissions: None,
            inherit_permissions: None,
            seat_limit: Patch::Keep,
            external_id: Patch::Keep,
            metadata: Patch::Keep,
        }
    }

    /// Sets or clears the name.
    #[must_use]
    pub fn name(mut self, name: Patch<String>) -> Self {
        self.name = name;
        self
    }

    /// Sets or clears the slug.
    #[must_use]
    pub fn slug(mut self, slug: Patch<String>) -> Self {
        self.slug = slug;
        self
    }

    /// Sets whether grants pass down from here.
    #[must_use]
    pub const fn cascade_permissions(mut self, cascade: bool) -> Self {
        self.cascade_permissions = Some(cascade);
        self
    }

    /// Sets whether grants are taken over here.
    #[must_use]
    pub const fn inherit_permissions(mut self, inherit: bool) -> Self {
        self.inherit_permissions = Some(inherit);
        self
    }

    /// Sets or lifts the limit on seats.
    #[must_use]
    pub const fn seat_limit(mut self, limit: Patch<i64>) -> Self {
        self.seat_limit = limit;
        self
    }

    /// Sets or clears the id in another system.
    #[must_use]
    pub fn external_id(mut self, id: Patch<String>) -> Self {
        self.external_id = id;
        self
    }

    /// Replaces or clears the metadata.
    #[must_use]
    pub fn metadata(mut self, metadata: Patch<Value>) -> Self {
        self.metadata = metadata;
        self
    }

    fn forms(&self) -> Result<UpdateForms, DomainError> {
        Ok(UpdateForms {
            name: self.name.try_map(|text| check::name("name", text))?,
            seat_limit: self.seat_limit.try_map(|limit| seat_limit(*limit))?,
            external_id: self.external_id.try_map(|text| external_id(text))?,
            metadata: self.metadata.try_map(check::metadata)?,
        })
    }
}

struct UpdateForms {
    name: Patch<Name>,
    seat_limit: Patch<u32>,
    external_id: Patch<ExternalId>,
    metadata: Patch<Metadata>,
}

pub(super) fn seat_limit(limit: i64) -> Result<u32, DomainError> {
    let fits = u32::try_from(limit).ok().filter(|limit| (1..=Organization::MAX_SEATS).contains(limit));
    fits.ok_or_else(|| DomainError::format("seat_limit", "a whole number from 1 to 1000000000"))
}

pub(super) fn external_id(text: &str) -> Result<ExternalId, DomainError> {
    ExternalId::parse(text).ok_or_else(|| DomainError::format("external_id", "1 to 200 bytes without NUL"))
}

impl UpdateOrg {
    /// Whether the organization passes grants on, or takes them over, that it did not before.
    fn opens(&self, seen: &Snapshot) -> bool {
        let opens = |org: &Organization| {
            !org.cascade_permissions && self.cascade_permissions == Some(true)
                || !org.inherit_permissions && self.inherit_permissions == Some(true)
        };
        seen.org.as_ref().is_some_and(opens)
    }
}

impl Command for UpdateOrg {
    type Output = Organization;

    fn load(&self) -> Result<LoadSpec, DomainError> {
        self.forms()?;
        // A slug that does not have the form is refused in its place, behind the checks of the row.
        let slug = if let Patch::Set(text) = &self.slug { Slug::parse(text) } else { None };
        Ok(LoadSpec::Org { org: self.org_id, slug })
    }

    fn stakes(&self, seen: &Snapshot) -> Option<Stakes> {
        self.opens(seen).then(|| Stakes::all(judge::place(seen)))
    }

    fn decide(&self, seen: &Snapshot, env: &mut Env<'_>) -> Result<Decision<Organization>, DomainError> {
        let UpdateForms { name, seat_limit, external_id, metadata } = self.forms()?;
        guard::manager(seen, env, IdType::Organization)?;
        if self.opens(seen)
            && let Some(judge) = judge::member(seen, env, IdType::Organization)?
        {
            judge.may_open(self.cascade_permissions, self.inherit_permissions)?;
        }
        let org = check::found(seen.org.as_ref(), IdType::Organization)?;
        not_already(org, &[OrgStatus::Revoked])?;
        let slug = match &self.slug {
            Patch::Set(text) => Patch::Set(slug_form(text)?),
            Patch::Clear => Patch::Clear,
            Patch::Keep => Patch::Keep,
        };
        if let Patch::Set(slug) = &slug {
            slug_free(Some(slug), seen.slug_holder, Some(org.id))?;
        }

        let next = Organization {
            name: name.apply_to(org.name.clone()),
            slug: slug.apply_to(org.slug.clone()),
            cascade_permissions: self.cascade_permissions.unwrap_or(org.cascade_permissions),
            inherit_permissions: self.inherit_permissions.unwrap_or(org.inherit_permissions),
            seat_limit: seat_limit.apply_to(org.seat_limit),
            external_id: external_id.apply_to(org.external_id.clone()),
            metadata: metadata.apply_to(Some(org.metadata.clone())).unwrap_or_default(),
            ..org.clone()
        };
        let mut draft = Draft::new(env);
        if next == *org {
            return Ok(draft.finish(next));
        }
        if next.slug != org.slug {
            // Released first: the slug's row is one, whoever holds it.
            if let Some(slug) = org.slug.clone() {
                draft.change(Change::ReleaseSlug { slug, org_id: org.id });
            }
            if let Some(slug) = next.slug.clone() {
                draft.change(Change::ClaimSlug { slug, org_id: org.id });
            }
        }
        draft.change(Change::UpdateOrg {
            id: org.id,
            status: org.status,
            name: next.name.clone(),
            slug: next.slug.clone(),
            cascade_permissions: next.cascade_permissions,
            inherit_permissions: next.inherit_permissions,
            seat_limit: next.seat_limit,
            external_id: next.external_id.clone(),
            metadata: next.metadata.clone(),
        });
        let (before, after) = changed_fields(org, &next);
        draft.event(org, EventType::OrganizationUpdated, &[org.id.any()], before, after);
        let next = draft.org_after(Organization { updated_at: draft.now(), ..next });
        Ok(draft.finish(next))
    }
}

fn changed_fields(old: &Organization, new: &Organization) -> (Fields, Fields) {
    let text = |value: Option<&dyn std::fmt::Display>| value.map(ToString::to_string);
    let side = |org: &Organization| {
        let mut fields = Fields::new();
        if old.name != new.name {
            fields = fields.with("name", text(org.name.as_ref().map(|name| name as _)));
        }
        if old.slug != new.slug {
            fields = fields.with("slug", text(org.slug.as_ref().map(|slug| slug as _)));
        }
        if old.cascade_permissions != new.cascade_permissions {
            fields = fields.with("cascade_permissions", org.cascade_permissions);
        }
        if old.inherit_permissions != new.inherit_permissions {
            fields = fields.with("inherit_permissions", org.inherit_permissions);
        }
        if old.seat_limit != new.seat_limit {
            fields = fields.with("seat_limit", org.seat_limit.map(|limit| Value::count(limit.into())));
        }
        if old.external_id != new.external_id {
            fields = fields.with("external_id", text(org.external_id.as_ref().map(|id| id as _)));
        }
        if old.metadata != new.metadata {
            fields = fields.with("metadata", org.metadata.to_value());
        }
        fields
    };
    (side(old), side(new))
}

macro_rules! on_org {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct $name {
            /// Which.
            pub org_id: OrgId,
        }

        impl $name {
            /// For this organization.
            pub const fn new(org_id: OrgId) -> Self {
                Self { org_id }
            }
        }
    };
}

on_org!(
    /// Pauses an organization.
    SuspendOrg
);
on_org!(
    /// Makes a suspended organization active again.
    ReinstateOrg
);
on_org!(
    /// Ends an organization for good: all its memberships end with it, and its slug is free again.
    RevokeOrg
);

pub(super) fn not_already(org: &Organization, states: &[OrgStatus]) -> Result<(), DomainError> {
    if states.contains(&org.status) {
        return Err(DomainError::AlreadyTerminal { kind: IdType::Organization, state: org.status.as_str() });
    }
    Ok(())
}

fn set_status(draft: &mut Draft<'_, '_>, org: &Organization, to: OrgStatus) -> Organization {
    draft.change(Change::SetOrgStatus { id: org.id, from: org.status, to });
    Organization { status: to, updated_at: draft.now(), ..org.clone() }
}

fn status_fields(status: OrgStatus) -> Fields {
    Fields::new().with("status", status.as_str())
}

impl Command for SuspendOrg {
    type Output = Organization;

    fn load(&self) -> Result<LoadSpec, DomainError> {
        Ok(LoadSpec::Org { org: self.org_id, slug: None })
    }

    fn decide(&self, seen: &Snapshot, env: &mut Env<'_>) -> Result<Decision<Organization>, DomainError> {
        guard::allow(guard::member(seen, env, IdType::Organization)?.is_none_or(|acting| acting.role == Role::Owner))?;
        let org = check::found(seen.org.as_ref(), IdType::Organization)?;
        not_already(org, &[OrgStatus::Suspended, OrgStatus::Revoked])?;
        let mut draft = Draft::new(env);
        let next = set_status(&mut draft, org, OrgStatus::Suspended);
        let (before, after) = (status_fields(org.status), status_fields(next.status));
        draft.event(org, EventType::OrganizationSuspended, &[org.id.any()], before, after);
        let next = draft.org_after(next);
        Ok(draft.finish(next))
    }
}

impl Command for ReinstateOrg {
    type Output = Organization;

    fn load(&self) -> Result<LoadSpec, DomainError> {
        Ok(LoadSpec::Org { org: self.org_id, slug: None })
    }

    fn decide(&self, seen: &Snapshot, env: &mut Env<'_>) -> Result<Decision<Organization>, DomainError> {
        guard::trusted(env)?;
        let org = check::found(seen.org.as_ref(), IdType::Organization)?;
        if org.status != OrgStatus::Suspended {
            return Err(Precondition::InvalidTransition.into());
        }
        let mut draft = Draft::new(env);
        let next = set_status(&mut draft, org, OrgStatus::Active);
        let (before, after) = (status_fields(org.status), status_fields(next.status));
        draft.event(org, EventType::OrganizationReinstated, &[org.id.any()], before, after);
        let next = draft.org_after(next);
        Ok(draft.finish(next))
    }
}

/// The most membership ids that one `organization.revoked` event names.
const IDS_IN_EVENT: u32 = 1000;

impl RevokeOrg {
    /// What it relies on, and what an owner does who ends it as one of their own.
    pub(super) const fn load_for(&self, owner: Option<UserId>) -> LoadSpec {
        LoadSpec::OrgEnd { org: self.org_id, ids: IDS_IN_EVENT, owner }
    }
}

impl Command for RevokeOrg {
    type Output = Organization;

    fn load(&self) -> Result<LoadSpec, DomainError> {
        Ok(self.load_for(None))
    }

    fn decide(&self, seen: &Snapshot, env: &mut Env<'_>) -> Result<Decision<Organization>, DomainError> {
        guard::allow(guard::member(seen, env, IdType::Organization)?.is_none_or(|acting| acting.role == Role::Owner))?;
        let org = check::found(seen.org.as_ref(), IdType::Organization)?;
        not_already(org, &[OrgStatus::Revoked])?;
        if seen.has_children {
            return Err(DomainError::HasChildren);
        }
        let (count, ids) = &seen.current;
        let mut draft = Draft::new(env);
        let next = set_status(&mut draft, org, OrgStatus::Revoked);
        draft.change(Change::EndMemberships { org_id: org.id, count: *count });
        if let Some(slug) = org.slug.clone() {
            draft.change(Change::ReleaseSlug { slug, org_id: org.id });
        }
        if seen.pending_count > 0 {
            let terminal_by = draft.acting_user();
            draft.change(Change::RevokeInvitations { org_id: org.id, count: seen.pending_count, terminal_by });
        }
        if seen.org_tuples > 0 {
            draft.change(Change::DeleteTuplesOfOrg { org_id: org.id, count: seen.org_tuples });
        }
        if seen.member_groups > 0 {
            draft.change(Change::DropGroupMembersOfOrg { org_id: org.id, count: seen.member_groups });
        }
        let ids = ids.iter().map(|id| id.to_string().into()).collect();
        let after = status_fields(next.status)
            .with("memberships_ended", Value::count(*count))
            .with("membership_ids", Value::List(ids))
            .with("invitations_revoked", Value::count(seen.pending_count))
            .with("tuples_deleted", Value::count(seen.org_tuples))
            .with_some("groups_left", (seen.member_groups > 0).then(|| Value::count(seen.member_groups)));
        draft.event(org, EventType::OrganizationRevoked, &[org.id.any()], status_fields(org.status), after);
        let next = draft.org_after(next);
        Ok(draft.finish(next))
    }
}
