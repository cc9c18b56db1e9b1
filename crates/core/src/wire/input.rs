//! Reads the fields of an input, strictly.

use std::collections::{BTreeMap, BTreeSet};

use crate::decide::Patch;
use crate::error::DomainError;
use crate::id::{Id, IdError};
use crate::json::Value;
use crate::page::{PageRequest, PageSize};
use crate::time::Timestamp;

/// An input object whose fields are taken one after the other.
#[derive(Debug)]
pub(super) struct Input<'v> {
    fields: &'v BTreeMap<String, Value>,
    taken: BTreeSet<&'static str>,
}

impl<'v> Input<'v> {
    pub(super) fn new(input: &'v Value) -> Result<Self, DomainError> {
        match input {
            Value::Map(fields) => Ok(Self { fields, taken: BTreeSet::new() }),
            _ => Err(DomainError::format("input", "an object")),
        }
    }

    /// Every field has been taken: one that was not is not known.
    pub(super) fn end(self) -> Result<(), DomainError> {
        match self.fields.keys().find(|name| !self.taken.contains(name.as_str())) {
            Some(name) => Err(DomainError::format(name, "there is no such field here")),
            None => Ok(()),
        }
    }

    fn take(&mut self, name: &'static str) -> Option<&'v Value> {
        self.taken.insert(name);
        self.fields.get(name)
    }

    /// A field where null means the same as absent.
    fn take_some(&mut self, name: &'static str) -> Option<&'v Value> {
        self.take(name).filter(|value| **value != Value::Null)
    }

    fn required(&mut self, name: &'static str, expected: &'static str) -> Result<&'v Value, DomainError> {
        match self.take(name) {
            Some(Value::Null) => Err(DomainError::format(name, expected)),
            Some(value) => Ok(value),
            None => Err(DomainError::format(name, "this field is missing")),
        }
    }

    pub(super) fn id<I: Id>(&mut self, name: &'static str) -> Result<I, DomainError> {
        id(name, self.required(name, "an id")?)
    }

    /// An id of which a shape that no id has answers "not found": look-ups of users by what another system kept.
    pub(super) fn id_or_not_found<I: Id>(&mut self, name: &'static str) -> Result<I, DomainError> {
        match self.id(name) {
            Err(DomainError::InvalidId { error: IdError::Version, .. }) if self.has_prefix::<I>(name) => {
                Err(DomainError::NotFound(I::KIND))
            }
            other => other,
        }
    }

    fn has_prefix<I: Id>(&self, name: &str) -> bool {
        let text = self.fields.get(name).and_then(Value::as_text);
        text.and_then(|text| text.split_once('_')).is_some_and(|(prefix, _)| prefix == I::KIND.prefix())
    }

    pub(super) fn opt_id<I: Id>(&mut self, name: &'static str) -> Result<Option<I>, DomainError> {
        self.take_some(name).map(|value| id(name, value)).transpose()
    }

    pub(super) fn ids<I: Id>(&mut self, name: &'static str) -> Result<Vec<I>, DomainError> {
        match self.required(name, "a list of ids")? {
            Value::List(items) => items.iter().map(|item| id(name, item)).collect(),
            _ => Err(DomainError::format(name, "a list of ids")),
        }
    }

    pub(super) fn list(&mut self, name: &'static str) -> Result<&'v [Value], DomainError> {
        match self.required(name, "a list")? {
            Value::List(items) => Ok(items),
            _ => Err(DomainError::format(name, "a list")),
        }
    }

    pub(super) fn text(&mut self, name: &'static str) -> Result<String, DomainError> {
        text(name, self.required(name, "text")?)
    }

    pub(super) fn opt_text(&mut self, name: &'static str) -> Result<Option<String>, DomainError> {
        self.take_some(name).map(|value| text(name, value)).transpose()
    }

    pub(super) fn patch_text(&mut self, name: &'static str) -> Result<Patch<String>, DomainError> {
        patch(self.take(name), |value| text(name, value))
    }

    /// True or false; null is neither.
    pub(super) fn opt_bool(&mut self, name: &'static str) -> Result<Option<bool>, DomainError> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(*value)),
            Some(_) => Err(DomainError::format(name, "true or false")),
        }
    }

    pub(super) fn opt_time(&mut self, name: &'static str) -> Result<Option<Timestamp>, DomainError> {
        self.take_some(name).map(|value| time(name, value)).transpose()
    }

    pub(super) fn patch_time(&mut self, name: &'static str) -> Result<Patch<Timestamp>, DomainError> {
        patch(self.take(name), |value| time(name, value))
    }

    /// One of a few words.
    pub(super) fn opt_word<T>(
        &mut self,
        name: &'static str,
        expected: &'static str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, DomainError> {
        let word = |value: &Value| value.as_text().and_then(&parse).ok_or_else(|| DomainError::format(name, expected));
        self.take_some(name).map(word).transpose()
    }

    pub(super) fn opt_revision(&mut self, name: &'static str) -> Result<Option<u64>, DomainError> {
        let number = |value: &Value| if let Value::Int(number) = value { u64::try_from(*number).ok() } else { None };
        self.take_some(name).map(|value| number(value).ok_or_else(|| DomainError::format(name, "a whole number from 0"))).transpose()
    }

    pub(super) fn cursor(&mut self) -> Result<Option<String>, DomainError> {
        self.take_some("cursor").map(|value| value.as_text().map(str::to_owned).ok_or(DomainError::InvalidCursor)).transpose()
    }

    /// The fields `cursor` and `limit`.
    pub(super) fn page(&mut self) -> Result<PageRequest, DomainError> {
        Ok(PageRequest { cursor: self.cursor()?, limit: self.limit()? })
    }

    /// The field `limit`.
    pub(super) fn limit(&mut self) -> Result<PageSize, DomainError> {
        match self.take_some("limit") {
            None => Ok(PageSize::default()),
            Some(Value::Int(limit)) => Ok(PageSize::clamp(*limit)),
            Some(_) => Err(DomainError::format("limit", "a whole number")),
        }
    }
}

fn patch<T>(value: Option<&Value>, read: impl Fn(&Value) -> Result<T, DomainError>) -> Result<Patch<T>, DomainError> {
    Ok(match value {
        None => Patch::Keep,
        Some(Value::Null) => Patch::Clear,
        Some(value) => Patch::Set(read(value)?),
    })
}

fn id<I: Id>(field: &'static str, value: &Value) -> Result<I, DomainError> {
    let text = value.as_text().ok_or_else(|| DomainError::format(field, "an id"))?;
    text.parse().map_err(|error| DomainError::InvalidId { field, error })
}

fn text(field: &'static str, value: &Value) -> Result<String, DomainError> {
    value.as_text().map(str::to_owned).ok_or_else(|| DomainError::format(field, "text"))
}

fn time(field: &'static str, value: &Value) -> Result<Timestamp, DomainError> {
    let moment = value.as_text().and_then(|text| text.parse().ok());
    moment.ok_or_else(|| DomainError::format(field, "an RFC 3339 time between the years 1970 and 9999"))
}
