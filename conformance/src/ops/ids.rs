//! The operations on ids.

use serde_json::{Map, Value, json};
use tenantry_core::id::{encode, is_valid};
use tenantry_core::{AnyId, DomainError, Error};

use super::{input, wrong_form};

/// An operation on ids.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum IdOp {
    Encode,
    Decode,
    IsValid,
    TypeOf,
}

impl IdOp {
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "encode" => Self::Encode,
            "decode" => Self::Decode,
            "is_valid" => Self::IsValid,
            "type_of" => Self::TypeOf,
            _ => return None,
        })
    }

    pub(super) fn fields(self) -> &'static [&'static str] {
        match self {
            Self::Encode => &["type", "uuid"],
            Self::Decode | Self::TypeOf => &["id"],
            Self::IsValid => &["id", "expected_type"],
        }
    }

    pub(crate) fn call(self, input: &Map<String, Value>) -> Result<Value, Error> {
        let result = match self {
            Self::Encode => {
                let (kind, uuid) = (input::text(input, "type")?, input::text(input, "uuid")?);
                json!(encode(kind, uuid).map_err(|error| DomainError::InvalidId { field: "uuid", error })?)
            }
            Self::Decode => {
                let id = decoded(input)?;
                json!({"type": id.kind.prefix(), "uuid": id.as_uuid().to_string()})
            }
            // It never fails: what is no text is no id.
            Self::IsValid => match input.get("id").ok_or_else(|| wrong_form("id", "any value"))? {
                Value::String(text) => json!(is_valid(text, input::opt_text(input, "expected_type")?)),
                _ => json!(false),
            },
            Self::TypeOf => json!(decoded(input)?.kind.prefix()),
        };
        match input.keys().find(|key| !self.fields().contains(&key.as_str())) {
            Some(key) => Err(wrong_form(key, "there is no such field here")),
            None => Ok(result),
        }
    }
}

fn decoded(input: &Map<String, Value>) -> Result<AnyId, Error> {
    input::text(input, "id")?.parse().map_err(|error| DomainError::InvalidId { field: "id", error }.into())
}
