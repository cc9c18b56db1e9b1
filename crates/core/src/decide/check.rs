//! Checks that several commands share. Each fails with the error that spec/ gives it.

use crate::entity::{Membership, MembershipStatus, OrgStatus, Organization, User, UserStatus};
use crate::error::{DomainError, Precondition};
use crate::id::IdType;
use crate::json::Value;
use crate::load::Snapshot;
use crate::role::Role;
use crate::time::Timestamp;
use crate::value::{Metadata, Name};

/// "NF": the row is there.
pub(super) fn found<T>(row: Option<T>, kind: IdType) -> Result<T, DomainError> {
    row.ok_or(DomainError::NotFound(kind))
}

/// A name of the form that spec/organizations.md gives.
pub(super) fn name(field: &'static str, text: &str) -> Result<Name, DomainError> {
    Name::parse(text).ok_or_else(|| DomainError::format(field, "1 to 200 characters without control characters"))
}

/// "user ok": no row, or an active one.
pub(super) fn user_ok(user: Option<&User>) -> Result<(), DomainError> {
    match user {
        Some(user) if user.status != UserStatus::Active => Err(Precondition::UserNotActive.into()),
        _ => Ok(()),
    }
}

/// "org active": the organization itself, whatever is above it.
pub(super) fn org_active(org: &Organization) -> Result<(), DomainError> {
    if org.status == OrgStatus::Active { Ok(()) } else { Err(Precondition::OrgNotActive.into()) }
}

/// A role that the organization knows.
pub(super) fn known_role(text: &str) -> Result<Role, DomainError> {
    Role::from_slug(text).ok_or_else(|| Precondition::UnknownRole.into())
}

/// Status active and not expired.
pub(super) fn is_active(mem: &Membership, now: Timestamp) -> bool {
    mem.status_at(now) == MembershipStatus::Active
}

/// The membership is active.
pub(super) fn mem_active(mem: &Membership, now: Timestamp) -> Result<(), DomainError> {
    if is_active(mem, now) { Ok(()) } else { Err(Precondition::MemNotActive.into()) }
}

/// Where there is an end, it is in the future: intervals are half-open.
pub(super) fn future(expires_at: Option<Timestamp>, now: Timestamp) -> Result<(), DomainError> {
    match expires_at {
        Some(end) if end <= now => Err(Precondition::PastExpiration.into()),
        _ => Ok(()),
    }
}

/// The loaded membership is not the only acting owner's. It is protected even while its own user is suspended.
pub(super) fn not_sole_owner(mem: &Membership, seen: &Snapshot, now: Timestamp) -> Result<(), DomainError> {
    if mem.role == Role::Owner && is_active(mem, now) && seen.other_owner.is_none() {
        return Err(DomainError::SoleOwner { orgs: vec![mem.org_id] });
    }
    Ok(())
}

/// A seat is free: active and suspended memberships take one.
pub(super) fn seat_free(org: &Organization, seats: Option<u64>) -> Result<(), DomainError> {
    match (org.seat_limit, seats) {
        (Some(limit), Some(taken)) if taken >= u64::from(limit) => Err(DomainError::SeatLimit),
        _ => Ok(()),
    }
}

/// A membership that stands in the way of another one of the same user, unless it has expired; that one makes room.
pub(super) fn room(current: Option<&Membership>, now: Timestamp) -> Result<Option<&Membership>, DomainError> {
    match current {
        Some(current) if current.status_at(now) == MembershipStatus::Expired => Ok(Some(current)),
        Some(_) => Err(DomainError::DuplicateMembership),
        None => Ok(None),
    }
}

/// Metadata of the form that spec/organizations.md gives.
pub(super) fn metadata(value: &Value) -> Result<Metadata, DomainError> {
    Metadata::parse(value).ok_or_else(|| DomainError::format("metadata", "an object of at most 4096 bytes as JSON, nested at most 16 deep"))
}
