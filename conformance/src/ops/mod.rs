//! The operations of a step: the store's own, those on ids, assertions, and the clock.

mod assert;
mod given;
mod ids;
mod input;

use serde_json::{Map, Value};
use tenantry_core::wire::{self, CallError, FieldKind, Operation};
use tenantry_core::{DomainError, Error, TenancyStore, Timestamp};

pub(crate) use assert::{Assertion, Broken};
pub(crate) use given::Given;
pub(crate) use ids::IdOp;

/// The parts of the library that there are operations of.
pub(crate) const CAPABILITIES: &[&str] = &["ids", "tenancy", "identity", "authorization", "permissions", "catalog", "audit"];

/// What stands for `expires_at` in a step.
const TTL: &str = "ttl_seconds";
const EXPIRES_AT: &str = "expires_at";

/// An operation of a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Op {
    /// One of the store's.
    Store(&'static Operation),
    /// One on ids, which needs no store.
    Ids(IdOp),
    /// A look at the state.
    Assert(Assertion),
    /// `advance_clock {seconds}`.
    Clock,
    /// `set_ancestor_read_policy {roles, collections, max_depth?}`, for the steps behind it.
    AncestorRead,
}

impl Op {
    /// The operation with this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        if name == "advance_clock" {
            return Some(Self::Clock);
        }
        if name == "set_ancestor_read_policy" {
            return Some(Self::AncestorRead);
        }
        let ids = || IdOp::named(name).map(Self::Ids);
        let assertion = || Assertion::named(name).map(Self::Assert);
        wire::operation(name).map(Self::Store).or_else(ids).or_else(assertion)
    }

    /// Whether it changes anything, so that the clock moves before it.
    pub(crate) fn writes(self) -> bool {
        matches!(self, Self::Store(operation) if operation.writes)
    }

    /// The keys of an input that mean nothing to it.
    pub(crate) fn unknown_keys(self, input: &Map<String, Value>) -> impl Iterator<Item = &str> {
        input.keys().map(String::as_str).filter(move |key| !self.has_field(key))
    }

    fn has_field(self, key: &str) -> bool {
        match self {
            Self::Store(operation) => operation.all_fields().any(|field| field.name == key) || (key == TTL && takes_expiry(operation)),
            Self::Ids(op) => op.fields().contains(&key),
            Self::Assert(assertion) => assertion.fields().contains(&key),
            Self::Clock => key == "seconds",
            Self::AncestorRead => ["roles", "collections", "max_depth"].contains(&key),
        }
    }
}

fn takes_expiry(operation: &Operation) -> bool {
    operation.fields.iter().any(|field| field.name == EXPIRES_AT && matches!(field.kind, FieldKind::Time | FieldKind::TimePatch))
}

/// How long an invitation lasts whose end a step does not name, in seconds.
const INVITATION_TTL: i64 = 86_400;

/// The input with `ttl_seconds` replaced by the moment that it means.
pub(crate) fn with_expiry(operation: &Operation, mut input: Map<String, Value>, now: Timestamp) -> Result<Map<String, Value>, String> {
    if takes_expiry(operation) {
        let invites = operation.name == "create_invitation";
        replace_ttl(&mut input, now, invites)?;
    }
    if let Some(Value::Array(rows)) = input.get_mut("invitations").filter(|_| operation.name == "create_invitations") {
        for row in rows.iter_mut().filter_map(Value::as_object_mut) {
            replace_ttl(row, now, false)?;
        }
    }
    Ok(input)
}

fn replace_ttl(input: &mut Map<String, Value>, now: Timestamp, invites: bool) -> Result<(), String> {
    let ttl = match input.remove(TTL) {
        Some(ttl) => ttl,
        None if invites && !input.contains_key(EXPIRES_AT) => INVITATION_TTL.into(),
        None => return Ok(()),
    };
    let seconds = ttl.as_i64().ok_or_else(|| format!("`{TTL}` must be a whole number, it is {ttl}"))?;
    if input.contains_key(EXPIRES_AT) {
        return Err(format!("`{TTL}` stands for `{EXPIRES_AT}`; the input has both"));
    }
    input.insert(EXPIRES_AT.to_owned(), Value::String(now.plus_seconds(seconds).to_string()));
    Ok(())
}

/// Calls an operation of a store with an input in JSON.
pub(crate) async fn call(store: &dyn TenancyStore, operation: &str, input: &Map<String, Value>) -> Result<Value, Error> {
    let input = core_value(&Value::Object(input.clone()))?;
    match wire::call(store, operation, &input).await {
        Ok(reply) => Ok(serde_json::to_value(&reply).unwrap_or_else(|error| Value::String(format!("no JSON: {error}")))),
        Err(CallError::Store(error)) => Err(error),
        Err(other) => Err(malformed(&other)),
    }
}

/// A JSON value as core's own kind of value.
pub(crate) fn core_value(value: &Value) -> Result<tenantry_core::json::Value, Error> {
    serde::Deserialize::deserialize(value).map_err(|error: serde_json::Error| malformed(&error))
}

/// Operations are looked up before they are called and JSON is JSON, so this shows a defect of the runner.
fn malformed(error: &dyn std::fmt::Display) -> Error {
    let message = format!("the runner made a call that is none: {error}");
    tenantry_core::BackendError::new(tenantry_core::BackendKind::Other, message).into()
}

fn wrong_form(field: &str, expected: &'static str) -> Error {
    DomainError::InvalidFormat { field: field.to_owned(), expected }.into()
}
