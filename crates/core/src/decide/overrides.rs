//! Overrides: what an organization or a membership grants or denies beside the roles (spec/overrides.md).

use super::catalog::slugs_told;
use super::roles::given;
use super::{Command, Decision, Env, Stakes, check, draft::Draft, draft::about, guard, judge};
use crate::access::{Effect, Holder, PermissionGrant};
use crate::change::Change;
use crate::entity::{MembershipStatus, Organization};
use crate::error::{DomainError, Precondition};
use crate::event::{EventType, Fields};
use crate::id::{AnyId, Id, IdType, MembershipId, OrgId};
use crate::load::{LoadSpec, Snapshot, Wants};
use crate::role::Role;
use crate::time::Timestamp;
use crate::value::PermissionSlug;

/// Grants or denies a permission in an organization, for every member there, and below as far as the organizations pass it on; or
/// leaves it to what is above again.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SetOrgOverride {
    /// Where.
    pub org_id: OrgId,
    /// Which permission: a slug of the catalog.
    pub permission: String,
    /// Given or taken away; `None` is `inherit`: neither.
    pub effect: Option<Effect>,
    /// From when on it no longer counts.
    pub expires_at: Option<Timestamp>,
}

impl SetOrgOverride {
    /// Gives it.
    pub fn grant(org_id: OrgId, permission: impl Into<String>) -> Self {
        Self { org_id, permission: permission.into(), effect: Some(Effect::Grant), expires_at: None }
    }

    /// Takes it away.
    pub fn deny(org_id: OrgId, permission: impl Into<String>) -> Self {
        Self { effect: Some(Effect::Deny), ..Self::grant(org_id, permission) }
    }

    /// Neither.
    pub fn inherit(org_id: OrgId, permission: impl Into<String>) -> Self {
        Self { effect: None, ..Self::grant(org_id, permission) }
    }

    /// From when on it no longer counts.
    #[must_use]
    pub const fn expires_at(mut self, end: Timestamp) -> Self {
        self.expires_at = Some(end);
        self
    }
}

/// Grants or denies one member a permission, above all else; or leaves it to the rest again.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SetMembershipOverride {
    /// Whose.
    pub mem_id: MembershipId,
    /// Which permission: a slug of the catalog.
    pub permission: String,
    /// Given or taken away; `None` is `clear`: neither.
    pub effect: Option<Effect>,
    /// From when on it no longer counts.
    pub expires_at: Option<Timestamp>,
}

impl SetMembershipOverride {
    /// Gives it.
    pub fn grant(mem_id: MembershipId, permission: impl Into<String>) -> Self {
        Self { mem_id, permission: permission.into(), effect: Some(Effect::Grant), expires_at: None }
    }

    /// Takes it away.
    pub fn deny(mem_id: MembershipId, permission: impl Into<String>) -> Self {
        Self { effect: Some(Effect::Deny), ..Self::grant(mem_id, permission) }
    }

    /// Neither.
    pub fn clear(mem_id: MembershipId, permission: impl Into<String>) -> Self {
        Self { effect: None, ..Self::grant(mem_id, permission) }
    }

    /// From when on it no longer counts.
    #[must_use]
    pub const fn expires_at(mut self, end: Timestamp) -> Self {
        self.expires_at = Some(end);
        self
    }
}

/// The override that counts.
fn there(seen: &Snapshot, now: Timestamp) -> Option<&PermissionGrant> {
    seen.access.grants.first().filter(|row| !row.is_expired(now))
}

/// Which override, and what of.
struct Set<'c> {
    holder: Holder,
    permission: &'c PermissionSlug,
    effect: Option<Effect>,
    expires_at: Option<Timestamp>,
    kind: EventType,
    subjects: &'c [AnyId],
}

impl Set<'_> {
    /// Both kinds, behind the checks of the row: the permission must be known to be set, not to be left alone again.
    fn decide(&self, org: &Organization, seen: &Snapshot, env: &mut Env<'_>) -> Result<Decision<Option<PermissionGrant>>, DomainError> {
        if self.effect.is_some() && seen.permissions.is_empty() {
            return Err(Precondition::UnknownPermission.into());
        }
        if self.effect.is_some() {
            check::future(self.expires_at, env.now)?;
        }
        let there = there(seen, env.now);
        let mut draft = Draft::new(env);
        let told = |row: Option<&PermissionGrant>| match row {
            Some(row) => {
                Fields::new().with("effect", row.effect.as_str()).with_some("expires_at", row.expires_at.map(|end| end.to_string()))
            }
            None => Fields::new(),
        };
        let named = |fields: Fields| fields.with("permissions", slugs_told(std::slice::from_ref(self.permission)));
        let next = self.effect.map(|effect| given(&draft, self.holder, self.permission, effect, self.expires_at));
        match (&next, there) {
            (Some(next), Some(there)) if (next.effect, next.expires_at) == (there.effect, there.expires_at) => {
                return Ok(draft.finish(Some(there.clone())));
            }
            (Some(next), _) => draft.change(Change::PutGrants(vec![next.clone()])),
            (None, Some(_)) => draft.change(Change::DropGrants { holder: self.holder, permissions: vec![self.permission.clone()] }),
            (None, None) => return Ok(draft.finish(None)),
        }
        draft.event(org, self.kind, self.subjects, named(told(there)), named(told(next.as_ref())));
        Ok(draft.finish(next))
    }
}

impl Command for SetOrgOverride {
    type Output = Option<PermissionGrant>;

    fn stakes(&self, seen: &Snapshot) -> Option<Stakes> {
        Some(Stakes::of(judge::place(seen)?, PermissionSlug::parse(&self.permission)))
    }

    fn load(&self) -> Result<LoadSpec, DomainError> {
        let permissions = vec![check::permission("permission", &self.permission)?];
        Ok(LoadSpec::Access(Box::new(Wants { org: Some(self.org_id), permissions, ..Wants::default() })))
    }

    fn decide(&self, seen: &Snapshot, env: &mut Env<'_>) -> Result<Decision<Option<PermissionGrant>>, DomainError> {
        let permission = check::permission("permission", &self.permission)?;
        if let Some(judge) = judge::manager(seen, env, IdType::Organization)? {
            let there = there(seen, env.now);
            let shortens = |end: Option<Timestamp>| self.expires_at.is_some_and(|next| end.is_none_or(|end| next < end));
            let lessens = |row: &PermissionGrant| row.effect == Effect::Grant && (self.effect.is_none() || shortens(row.expires_at));
            let takes = self.effect == Some(Effect::Deny) || there.is_some_and(lessens);
            // It is taken from every member, the owners included.
            guard::allow(!takes || judge.acting.reaches(Role::Owner))?;
            judge.may_override(there, (&permission, self.effect, self.expires_at), false)?;
        }
        let org = check::found(seen.org.as_ref(), IdType::Organization)?;
        check::org_active(org)?;
        let set = Set {
            holder: Holder::Organization(org.id),
            permission: &permission,
            effect: self.effect,
            expires_at: self.expires_at,
            kind: EventType::OrgOverrideChanged,
            subjects: &[org.id.any()],
        };
        set.decide(org, seen, env)
    }
}

impl Command for SetMembershipOverride {
    type Output = Option<PermissionGrant>;

    fn stakes(&self, seen: &Snapshot) -> Option<Stakes> {
        let roles = seen.membership.iter().map(|mem| mem.role.id()).collect();
        Some(Stakes { roles, ..Stakes::of(judge::place(seen)?, PermissionSlug::parse(&self.permission)) })
    }

    fn load(&self) -> Result<LoadSpec, DomainError> {
        let permissions = vec![check::permission("permission", &self.permission)?];
        Ok(LoadSpec::Access(Box::new(Wants { membership: Some(self.mem_id), permissions, ..Wants::default() })))
    }

    fn decide(&self, seen: &Snapshot, env: &mut Env<'_>) -> Result<Decision<Option<PermissionGrant>>, DomainError> {
        let permission = check::permission("permission", &self.permission)?;
        let touched = seen.membership.as_ref().map(|mem| mem.role);
        if let (Some(judge), Some(role)) = (judge::manager_of(seen, env, IdType::Membership, touched)?, touched) {
            // It goes with the membership into the organizations below, where the role does.
            let below = judge.reaches_down(role);
            judge.may_override(there(seen, env.now), (&permission, self.effect, self.expires_at), below)?;
        }
        let mem = check::found(seen.membership.as_ref(), IdType::Membership)?;
        let org = check::found(seen.org.as_ref(), IdType::Organization)?;
        check::org_active(org)?;
        if !matches!(mem.status_at(env.now), MembershipStatus::Active | MembershipStatus::Suspended) {
            return Err(Precondition::MemNotActive.into());
        }
        let set = Set {
            holder: Holder::Membership(mem.id),
            permission: &permission,
            effect: self.effect,
            expires_at: self.expires_at,
            kind: EventType::MembershipOverrideChanged,
            subjects: &about(mem),
        };
        set.decide(org, seen, env)
    }
}
