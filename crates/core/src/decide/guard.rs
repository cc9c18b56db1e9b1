//! What a guarded caller may do (spec/guarded.md): asked inside the decision, over the same snapshot, before the row's own checks.

use super::{Caller, Env};
use crate::entity::{Membership, MembershipStatus, User, UserStatus};
use crate::error::DomainError;
use crate::id::{IdType, OrgId, UserId};
use crate::load::{Hold, Snapshot, Standing, Standpoint};
use crate::role::Role;
use crate::time::Timestamp;
use crate::tuple::EntityRef;
use crate::value::ObjectType;

/// A guarded caller with a live membership in the organization concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Acting {
    pub(crate) usr_id: UserId,
    pub(crate) role: Role,
}

impl Acting {
    /// Owner or admin.
    pub(crate) const fn manages(self) -> bool {
        matches!(self.role, Role::Owner | Role::Admin)
    }

    /// The role is not above the caller's own.
    pub(crate) const fn reaches(self, role: Role) -> bool {
        role.rank() <= self.role.rank()
    }
}

/// Refuses unless allowed.
pub(crate) const fn allow(allowed: bool) -> Result<(), DomainError> {
    if allowed { Ok(()) } else { Err(DomainError::Forbidden) }
}

/// The live membership behind a standing.
pub(crate) fn live(standing: &Standing, now: Timestamp) -> Option<&Membership> {
    let acts = standing.org_live && user_acts(standing.user.as_ref());
    standing.membership.as_ref().filter(|mem| acts && mem.status_at(now) == MembershipStatus::Active)
}

/// A user without a row, or with an active one.
pub(crate) fn user_acts(user: Option<&User>) -> bool {
    user.is_none_or(|user| user.status == UserStatus::Active)
}

/// The caller's place in the organization of the row, if the caller is guarded. Without a live membership there the row is as
/// unknown as one that does not exist.
pub(super) fn member(seen: &Snapshot, env: &Env<'_>, kind: IdType) -> Result<Option<Acting>, DomainError> {
    match env.caller {
        Caller::Trusted(_) => Ok(None),
        Caller::Guarded(caller) => {
            let mem = seen.standing.as_ref().and_then(|standing| live(standing, env.now)).ok_or(DomainError::NotFound(kind))?;
            Ok(Some(Acting { usr_id: caller.usr_id, role: mem.role }))
        }
    }
}

/// The same, and the caller must be owner or admin there.
pub(super) fn manager(seen: &Snapshot, env: &Env<'_>, kind: IdType) -> Result<Option<Acting>, DomainError> {
    let acting = member(seen, env, kind)?;
    allow(acting.is_none_or(Acting::manages))?;
    Ok(acting)
}

/// Only for trusted callers.
pub(super) fn trusted(env: &Env<'_>) -> Result<(), DomainError> {
    allow(matches!(env.caller, Caller::Trusted(_)))
}

/// A guarded caller acts on the own row, which must count if there is one.
pub(super) fn oneself(env: &Env<'_>, usr: UserId, row: Option<&User>) -> Result<(), DomainError> {
    match env.caller {
        Caller::Trusted(_) => Ok(()),
        Caller::Guarded(caller) => allow(caller.usr_id == usr && user_acts(row)),
    }
}

/// What an invitation promised that a guarded caller made still holds: nothing on the object lies outside of the scope, or the
/// inviter holds it without one for good.
pub(super) fn still(standpoint: Standpoint) -> Option<Right> {
    if standpoint.open == Hold::Lasting {
        return Some(Right::Held);
    }
    (!standpoint.elsewhere).then_some(Right::InScope)
}

/// What lets a guarded caller grant a relation on an object in a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Right {
    /// The caller holds it for long enough.
    Held,
    /// The caller manages the scope, and nothing on the object lies outside of it.
    InScope,
}

/// Whether the caller, who has a live membership of the scope, may grant something on the object there until an end.
pub(super) fn grant(
    acting: Acting,
    object: EntityRef,
    scope: OrgId,
    standpoint: Standpoint,
    end: Option<Timestamp>,
) -> Result<Right, DomainError> {
    if standpoint.open.max(standpoint.scoped) >= Hold::until(end) {
        return Ok(Right::Held);
    }
    // An organization is in its own scope and in no other.
    let in_scope = if object.kind == ObjectType::ORG { object.as_org() == Some(scope) } else { !standpoint.elsewhere };
    allow(acting.manages() && in_scope)?;
    Ok(Right::InScope)
}

/// A guarded caller, with the identifiers that its authentication vouches for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guarded {
    pub(crate) usr_id: UserId,
    /// `None` where nothing was said of them.
    identifiers: Option<Vec<String>>,
    pub(super) actor: crate::event::Actor,
}

impl Guarded {
    /// Who acts.
    pub const fn usr_id(&self) -> UserId {
        self.usr_id
    }

    /// Whether the caller may speak for an identifier: where it was said which ones are vouched for, it must be one of them.
    pub(super) fn speaks_for(&self, identifier: &str) -> bool {
        self.identifiers.is_none() || self.vouched(identifier)
    }

    /// Whether the authentication vouches for an identifier.
    pub(crate) fn vouched(&self, identifier: &str) -> bool {
        self.identifiers.iter().flatten().any(|vouched| vouched == identifier)
    }
}

impl Caller {
    /// A user's own request: each operation is refused unless the user may do it (spec/guarded.md). An organization where the
    /// user is no live member is as unknown as one that does not exist.
    ///
    /// ```
    /// use tenantry_core::{Caller, UserId};
    /// # let usr: UserId = "usr_0196f3c21b7a7c3d9e4f5a6b7c8d9e0f".parse().unwrap();
    /// let caller = Caller::guarded(usr).vouching(["ann@example.org"]);
    /// # let _ = caller;
    /// ```
    pub fn guarded(usr_id: UserId) -> Self {
        Self::Guarded(Guarded { usr_id, identifiers: None, actor: crate::event::Actor::user(usr_id) })
    }

    /// The same caller, of whom the authentication says that these identifiers are theirs: it opens the list of the invitations
    /// for them, and lets the caller accept and decline those only. Without it, whoever calls must make sure that the identifier
    /// of an acceptance comes from the authentication and not from the request. A trusted caller needs none.
    #[must_use]
    pub fn vouching(self, identifiers: impl IntoIterator<Item = impl Into<String>>) -> Self {
        match self {
            Self::Guarded(guarded) => {
                let identifiers = Some(identifiers.into_iter().map(Into::into).collect());
                Self::Guarded(Guarded { identifiers, ..guarded })
            }
            trusted @ Self::Trusted(_) => trusted,
        }
    }

    pub(crate) const fn as_guarded(&self) -> Option<&Guarded> {
        match self {
            Self::Trusted(_) => None,
            Self::Guarded(guarded) => Some(guarded),
        }
    }
}

/// The organization to which a tuple belongs in a caller's eyes: its scope, or the organization that is its object.
pub(crate) fn home(org_id: Option<OrgId>, object: EntityRef) -> Option<OrgId> {
    org_id.or_else(|| object.as_org())
}
