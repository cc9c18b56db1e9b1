//! Checks that several commands share. Each fails with the error that spec/ gives it.

use std::collections::BTreeSet;

use super::CreateRole;
use crate::entity::{Membership, MembershipStatus, OrgStatus, Organization, User, UserStatus};
use crate::error::{DomainError, Precondition};
use crate::id::IdType;
use crate::json::Value;
use crate::load::{Line, Snapshot};
use crate::role::{Role, RoleDefinition};
use crate::time::Timestamp;
use crate::value::{Description, Metadata, Name, PermissionSlug, RoleSlug};

/// "NF": the row is there.
pub(super) fn found<T>(row: Option<T>, kind: IdType) -> Result<T, DomainError> {
    row.ok_or(DomainError::NotFound(kind))
}

/// A name of the form that spec/organizations.md gives.
pub(super) fn name(field: &'static str, text: &str) -> Result<Name, DomainError> {
    Name::parse(text).ok_or_else(|| DomainError::format(field, "1 to 200 characters without control characters"))
}

/// A description of the form that spec/roles.md gives.
pub(super) fn description(text: &str) -> Result<Description, DomainError> {
    Description::parse(text).ok_or_else(|| DomainError::format("description", "1 to 1000 characters without control characters"))
}

/// A permission's slug.
pub(crate) fn permission(field: &'static str, text: &str) -> Result<PermissionSlug, DomainError> {
    PermissionSlug::parse(text).ok_or_else(|| DomainError::format(field, PERMISSION))
}

/// What a field takes that names a permission.
pub(crate) const PERMISSION: &str =
    "`resource.action`: 2 to 8 parts of `a-z`, `0-9`, `_` and `-`, each beginning with a letter; behind the first dot `A-Z` too";

/// So many levels below an organization: trees have ten, and the first of them is not below any.
pub(crate) fn levels(levels: i64) -> Result<u8, DomainError> {
    u8::try_from(levels)
        .ok()
        .filter(|levels| (1..Organization::MAX_LEVELS).contains(&usize::from(*levels)))
        .ok_or(DomainError::format("levels", "a whole number from 1 to 9"))
}

/// What a field takes that names several.
pub(super) const PERMISSIONS: &str = "a list of at most 100000 slugs such as `invoices.read`";

/// Several permissions' slugs, each once.
pub(super) fn permissions(field: &'static str, texts: &[String]) -> Result<BTreeSet<PermissionSlug>, DomainError> {
    if texts.len() > CreateRole::MAX_PERMISSIONS {
        return Err(DomainError::format(field, PERMISSIONS));
    }
    texts.iter().map(|text| permission(field, text)).collect()
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

/// The slug to look up where a role is given: none for a built-in role, which is known everywhere, nor for a text that is no slug.
pub(super) fn own_slug(text: &str) -> Option<RoleSlug> {
    RoleSlug::parse(text).filter(|_| Role::from_slug(text).is_none())
}

/// A role that the organization knows: a built-in one, or the nearest of its own, those of the organizations above it, and those of
/// the system (spec/roles.md).
pub(super) fn known_role(text: &str, line: Option<&Line>) -> Result<Role, DomainError> {
    if let Some(role) = Role::from_slug(text) {
        return Ok(role);
    }
    let nearest = line.and_then(|line| {
        let place = |role: &RoleDefinition| line.orgs.iter().position(|(org, ..)| Some(*org) == role.org_id);
        line.roles.iter().filter(|role| role.slug.as_str() == text).max_by_key(|role| place(role))
    });
    nearest.map(RoleDefinition::held).ok_or_else(|| Precondition::UnknownRole.into())
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
