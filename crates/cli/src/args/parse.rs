//! Reads single arguments. What does not have its form is the same error that the library gives for it.

use std::convert::Infallible;
use std::fmt;

use tenantry::json::Value;
use tenantry::{
    DomainError, Id, IdError, IdType, InvitationStatus, MembershipStatus, OrgId, OrgStatus, PreTuple, Reason, RequestId, TenantMode,
    Timestamp, UserId,
};

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

pub(super) fn tenant_mode(text: &str) -> Result<TenantMode, DomainError> {
    TenantMode::parse(text).ok_or_else(|| format("mode", "one of `flexible`, `personal`, `required`"))
}

pub(super) fn max_tenants(text: &str) -> Result<u32, DomainError> {
    text.parse().map_err(|_| format("max_tenants", "a whole number from 0 to 4294967295"))
}

pub(super) fn membership_status(text: &str) -> Result<MembershipStatus, DomainError> {
    MembershipStatus::parse(text).ok_or_else(|| format("status", "one of `active`, `suspended`, `revoked`, `expired`"))
}

pub(super) fn invitation_status(text: &str) -> Result<InvitationStatus, DomainError> {
    InvitationStatus::parse(text).ok_or_else(|| format("status", "one of `pending`, `accepted`, `declined`, `revoked`, `expired`"))
}

pub(super) fn expires_at(text: &str) -> Result<Timestamp, DomainError> {
    text.parse().map_err(|_| format("expires_at", "an RFC 3339 time between the years 1970 and 9999"))
}

pub(super) fn whole_number(field: &'static str) -> impl Fn(&str) -> Result<i64, DomainError> + Clone + Send + Sync + 'static {
    move |text| text.parse().map_err(|_| format(field, "a whole number"))
}

pub(super) fn limit(text: &str) -> Result<i64, DomainError> {
    whole_number("limit")(text)
}

pub(super) fn request_id(text: &str) -> Result<RequestId, DomainError> {
    RequestId::parse(text).ok_or_else(|| format("request_id", "1 to 200 bytes without NUL"))
}

pub(super) fn reason(text: &str) -> Result<Reason, DomainError> {
    Reason::parse(text).ok_or_else(|| format("reason", "1 to 1000 bytes without NUL"))
}

/// An object; what it may hold is looked at by the library.
pub(super) fn metadata(text: &str) -> Result<Value, DomainError> {
    let value = serde_json::from_str(text).ok().filter(|value| matches!(value, Value::Map(_)));
    value.ok_or_else(|| format("metadata", "a JSON object"))
}

pub(super) fn flag(field: &'static str) -> impl Fn(&str) -> Result<bool, DomainError> + Clone + Send + Sync + 'static {
    move |text| text.parse().map_err(|_| format(field, "true or false"))
}

/// How long something lasts, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span(i64);

impl Span {
    /// A number with its unit.
    pub(crate) fn parse(field: &str, text: &str) -> Result<Self, DomainError> {
        let read = || {
            let (number, unit) = text.split_at_checked(text.find(|c: char| !c.is_ascii_digit())?)?;
            let micros = match unit {
                "ms" => 1_000,
                "s" => 1_000_000,
                "m" => 60_000_000,
                "h" => 3_600_000_000,
                "d" => 86_400_000_000,
                "w" => 604_800_000_000,
                _ => return None,
            };
            number.parse::<i64>().ok()?.checked_mul(micros)
        };
        read().map(Self).ok_or_else(|| format(field, "a number with a unit: 90s, 30m, 12h, 7d or 2w"))
    }

    /// So many days.
    pub(crate) const fn days(days: i64) -> Self {
        Self(days.saturating_mul(86_400_000_000))
    }

    /// The moment that lies so far behind another one.
    pub(crate) fn after(self, moment: Timestamp) -> Timestamp {
        moment.plus_micros(self.0)
    }

    /// The same for a timer.
    pub(crate) const fn duration(self) -> std::time::Duration {
        std::time::Duration::from_micros(self.0.unsigned_abs())
    }
}

pub(super) fn span(field: &'static str) -> impl Fn(&str) -> Result<Span, DomainError> + Clone + Send + Sync + 'static {
    move |text| Span::parse(field, text)
}

/// A subject or an object as it was typed: `type:id`, or a wire id, whose prefix is the type. The library judges its form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entity {
    kind: String,
    id: String,
}

impl Entity {
    /// Type and id.
    pub(crate) fn parts(&self) -> (&str, &str) {
        (&self.kind, &self.id)
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the form of a parser of arguments")]
pub(super) fn entity(text: &str) -> Result<Entity, Infallible> {
    let (kind, id) = text.split_once(':').or_else(|| Some((text.split_once('_')?.0, text))).unwrap_or((text, ""));
    Ok(Entity { kind: kind.to_owned(), id: id.to_owned() })
}

pub(super) fn grant(text: &str) -> Result<PreTuple, DomainError> {
    let (relation, object) = text.split_once(':').ok_or_else(|| format("pre_tuples", "RELATION:TYPE:ID, such as editor:doc:0196.."))?;
    let Ok(object) = entity(object);
    Ok(PreTuple::new(relation, object.kind, object.id))
}

fn format(field: &str, expected: &'static str) -> DomainError {
    DomainError::InvalidFormat { field: field.to_owned(), expected }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_a_number_with_a_unit() {
        for (text, micros) in [("0s", 0), ("1500ms", 1_500_000), ("90s", 90_000_000), ("7d", Span::days(7).0), ("1w", Span::days(7).0)] {
            assert_eq!(Span::parse("ttl", text), Ok(Span(micros)), "{text}");
        }
        for text in ["", "7", "d", "7 d", "-7d", "+7d", "7D", "1.5h", "7dd", "٧d", "9223372036854775807s", "99999999999999999999d"] {
            assert_eq!(Span::parse("ttl", text).map_err(|error| error.code()), Err("invalid_format.ttl".to_owned()), "{text}");
        }
    }

    #[test]
    fn an_entity_is_split_and_not_judged() {
        for (text, kind, id) in [
            ("doc:0196f3c2-1b7a-7c3d-9e4f-5a6b7c8d9e0f", "doc", "0196f3c2-1b7a-7c3d-9e4f-5a6b7c8d9e0f"),
            ("usr_0196f3c21b7a7c3d9e4f5a6b7c8d9e0f", "usr", "usr_0196f3c21b7a7c3d9e4f5a6b7c8d9e0f"),
            ("doc:doc_x", "doc", "doc_x"),
            ("ada", "ada", ""),
            ("", "", ""),
        ] {
            assert_eq!(entity(text).unwrap().parts(), (kind, id), "{text}");
        }
        assert_eq!(grant("editor:doc:x"), Ok(PreTuple::new("editor", "doc", "x")));
        assert_eq!(grant("editor").map_err(|error| error.code()), Err("invalid_format.pre_tuples".to_owned()));
    }
}
