//! Reads the fields of an input, strictly.

use std::collections::{BTreeMap, BTreeSet};

use crate::access::Holder;
use crate::decide::{Exposure, InvitationInput, Patch, PreTuple};
use crate::error::DomainError;
use crate::event::Cause;
use crate::id::{Id, IdError, MembershipId};
use crate::json::Value;
use crate::page::{PageRequest, PageSize};
use crate::time::Timestamp;
use crate::value::{Reason, RequestId};

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

    /// What an override hangs on: an organization or a membership.
    pub(super) fn overridden(&mut self, name: &'static str) -> Result<Holder, DomainError> {
        if self.has_prefix::<MembershipId>(name) { self.id(name).map(Holder::Membership) } else { self.id(name).map(Holder::Organization) }
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

    pub(super) fn patch_int(&mut self, name: &'static str) -> Result<Patch<i64>, DomainError> {
        patch(
            self.take(name),
            |value| if let Value::Int(number) = value { Ok(*number) } else { Err(DomainError::format(name, "a whole number")) },
        )
    }

    /// An object; what it may hold is looked at by the operation.
    pub(super) fn patch_object(&mut self, name: &'static str) -> Result<Patch<Value>, DomainError> {
        patch(self.take(name), |value| object(name, value))
    }

    pub(super) fn opt_object(&mut self, name: &'static str) -> Result<Option<Value>, DomainError> {
        self.take_some(name).map(|value| object(name, value)).transpose()
    }

    pub(super) fn opt_int(&mut self, name: &'static str) -> Result<Option<i64>, DomainError> {
        let number = |value: &Value| if let Value::Int(number) = value { Some(*number) } else { None };
        self.take_some(name).map(|value| number(value).ok_or_else(|| DomainError::format(name, "a whole number"))).transpose()
    }

    /// A whole number from 0.
    pub(super) fn opt_u32(&mut self, name: &'static str) -> Result<Option<u32>, DomainError> {
        let number = |value: &Value| if let Value::Int(number) = value { u32::try_from(*number).ok() } else { None };
        let read = |value| number(value).ok_or_else(|| DomainError::format(name, "a whole number from 0 to 4294967295"));
        self.take_some(name).map(read).transpose()
    }

    pub(super) fn time(&mut self, name: &'static str) -> Result<Timestamp, DomainError> {
        time(name, self.required(name, "a time")?)
    }

    /// A list of texts; one that is none is refused for the list.
    pub(super) fn texts(&mut self, name: &'static str) -> Result<Vec<String>, DomainError> {
        let each = |item: &Value| item.as_text().map(str::to_owned);
        let texts = match self.required(name, "a list of texts")? {
            Value::List(items) => items.iter().map(each).collect(),
            _ => None,
        };
        texts.ok_or_else(|| DomainError::format(name, "a list of texts"))
    }

    /// The same where it may be left out.
    pub(super) fn opt_texts(&mut self, name: &'static str) -> Result<Option<Vec<String>>, DomainError> {
        if self.take_some(name).is_some() { self.texts(name).map(Some) } else { Ok(None) }
    }

    /// Whether a field is there and not null.
    pub(super) fn has(&mut self, name: &'static str) -> bool {
        self.take_some(name).is_some()
    }

    /// What a resource shows on a surface: true, false, or `{include: [..]}` or `{exclude: [..]}`.
    pub(super) fn exposure(&mut self, name: &'static str) -> Result<Exposure, DomainError> {
        let texts = |value: &Value| match value {
            Value::List(items) => items.iter().map(|item| item.as_text().map(str::to_owned)).collect::<Option<Vec<_>>>(),
            _ => None,
        };
        let read = match self.take_some(name) {
            None | Some(Value::Bool(false)) => Some(Exposure::Nothing),
            Some(Value::Bool(true)) => Some(Exposure::Everything),
            Some(Value::Map(fields)) if fields.len() == 1 => {
                let include = fields.get("include").and_then(texts).map(Exposure::Include);
                include.or_else(|| fields.get("exclude").and_then(texts).map(Exposure::Exclude))
            }
            Some(_) => None,
        };
        read.ok_or_else(|| DomainError::format(name, "true, false, or an object with `include` or `exclude`, a list of actions"))
    }

    /// One of a few words, which must be there.
    pub(super) fn word<T>(
        &mut self,
        name: &'static str,
        expected: &'static str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<T, DomainError> {
        self.required(name, expected)?.as_text().and_then(parse).ok_or_else(|| DomainError::format(name, expected))
    }

    /// `{relation, object_type, object_id}` each, and nothing else; refused for the list.
    pub(super) fn pre_tuples(&mut self, name: &'static str) -> Result<Vec<PreTuple>, DomainError> {
        let each = |item: &Value| {
            let Value::Map(fields) = item else { return None };
            let text = |key: &str| fields.get(key)?.as_text();
            let known = fields.len() == 3;
            known.then_some(PreTuple::new(text("relation")?, text("object_type")?, text("object_id")?))
        };
        let read = match self.take_some(name) {
            None => Some(Vec::new()),
            Some(Value::List(items)) if items.len() <= InvitationInput::MAX_PRE_TUPLES => items.iter().map(each).collect(),
            Some(_) => None,
        };
        read.ok_or_else(|| DomainError::format(name, "a list of at most 100 objects with `relation`, `object_type` and `object_id`"))
    }

    /// Objects that are inputs themselves.
    pub(super) fn each<T>(
        &mut self,
        name: &'static str,
        read: impl Fn(&mut Input<'v>) -> Result<T, DomainError>,
    ) -> Result<Vec<T>, DomainError> {
        let wrong = || DomainError::format(name, "a list of objects");
        let items = self.list(name)?;
        // Whether all are objects is a matter of the list; what is in them, of their fields.
        let inputs = items.iter().map(|item| Input::new(item).map_err(|_| wrong())).collect::<Result<Vec<_>, _>>()?;
        let whole = |mut input: Input<'v>| {
            let read = read(&mut input)?;
            input.end()?;
            Ok(read)
        };
        inputs.into_iter().map(whole).collect()
    }

    /// What a command says of itself.
    pub(super) fn cause(&mut self) -> Result<Cause, DomainError> {
        let request_id = self
            .opt_text("request_id")?
            .map(|text| RequestId::parse(&text).ok_or_else(|| DomainError::format("request_id", "1 to 200 bytes without NUL")));
        let request_id = request_id.transpose()?;
        let reason = self.opt_text("reason")?;
        let reason = reason.map(|text| Reason::parse(&text).ok_or_else(|| DomainError::format("reason", "1 to 1000 bytes without NUL")));
        Ok(Cause { request_id, reason: reason.transpose()? })
    }

    /// The event to begin behind, as it is given.
    pub(super) fn after(&mut self) -> Result<Option<&'v str>, DomainError> {
        self.take_some("after").map(|value| value.as_text().ok_or(DomainError::InvalidCursor)).transpose()
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
        Ok(self.opt_limit()?.unwrap_or_default())
    }

    pub(super) fn opt_limit(&mut self) -> Result<Option<PageSize>, DomainError> {
        match self.take_some("limit") {
            None => Ok(None),
            Some(Value::Int(limit)) => Ok(Some(PageSize::clamp(*limit))),
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

fn object(field: &'static str, value: &Value) -> Result<Value, DomainError> {
    if matches!(value, Value::Map(_)) { Ok(value.clone()) } else { Err(DomainError::format(field, "an object")) }
}

fn text(field: &'static str, value: &Value) -> Result<String, DomainError> {
    value.as_text().map(str::to_owned).ok_or_else(|| DomainError::format(field, "text"))
}

fn time(field: &'static str, value: &Value) -> Result<Timestamp, DomainError> {
    let moment = value.as_text().and_then(|text| text.parse().ok());
    moment.ok_or_else(|| DomainError::format(field, "an RFC 3339 time between the years 1970 and 9999"))
}
