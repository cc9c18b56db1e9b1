//! Reads single arguments. What does not have its form is the same error that the library gives for it.

use std::fmt;

use tenantry::{DomainError, Id, IdError, IdType, MembershipStatus, OrgId, OrgStatus, Timestamp, UserId};

/// An organization, by its id or its slug.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum OrgRef {
    /// `org_...`.
    Id(OrgId),
    /// Anything without an underscore, which no slug has.
    Slug(String),
}

impl fmt::Display for OrgRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Slug(slug) => slug.fmt(f),
        }
    }
}

/// An id that stands for this field of the operation.
pub(super) fn id<I: Id>(field: &'static str) -> impl Fn(&str) -> Result<I, DomainError> + Clone + Send + Sync + 'static {
    move |text| text.parse().map_err(|error| DomainError::InvalidId { field, error })
}

/// The id of a user to look up: one with a shape that no id has is a user that is not there.
pub(super) fn user_to_look_up(text: &str) -> Result<UserId, DomainError> {
    id("usr_id")(text).map_err(|error| match error {
        DomainError::InvalidId { error: IdError::Version, .. } if text.starts_with("usr_") => DomainError::NotFound(IdType::User),
        error => error,
    })
}

pub(super) fn org(field: &'static str) -> impl Fn(&str) -> Result<OrgRef, DomainError> + Clone + Send + Sync + 'static {
    move |text| if text.contains('_') { id(field)(text).map(OrgRef::Id) } else { Ok(OrgRef::Slug(text.to_owned())) }
}

pub(super) fn org_status(text: &str) -> Result<OrgStatus, DomainError> {
    OrgStatus::parse(text).ok_or_else(|| format("status", "one of `active`, `suspended`, `revoked`"))
}

pub(super) fn membership_status(text: &str) -> Result<MembershipStatus, DomainError> {
    MembershipStatus::parse(text).ok_or_else(|| format("status", "one of `active`, `suspended`, `revoked`, `expired`"))
}

pub(super) fn expires_at(text: &str) -> Result<Timestamp, DomainError> {
    text.parse().map_err(|_| format("expires_at", "an RFC 3339 time between the years 1970 and 9999"))
}

pub(super) fn limit(text: &str) -> Result<i64, DomainError> {
    text.parse().map_err(|_| format("limit", "a whole number"))
}

pub(super) fn revision(text: &str) -> Result<u64, DomainError> {
    let number = text.parse::<i64>().ok().and_then(|number| u64::try_from(number).ok());
    number.ok_or_else(|| format("after_revision", "a whole number from 0"))
}

pub(super) fn flag(field: &'static str) -> impl Fn(&str) -> Result<bool, DomainError> + Clone + Send + Sync + 'static {
    move |text| text.parse().map_err(|_| format(field, "true or false"))
}

fn format(field: &str, expected: &'static str) -> DomainError {
    DomainError::InvalidFormat { field: field.to_owned(), expected }
}
