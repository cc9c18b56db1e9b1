//! One step of a sequence: a call with variables in it, as a fixture writes it, and how it is played.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value};
use tenantry_core::source::{Clock, ManualClock};
use tenantry_core::wire::{self, CallError};
use tenantry_core::{Caller, Error, TenancyStore};

/// What a step that only moves the clock is called.
pub(crate) const ADVANCE: &str = "advance_clock";
/// How far the clock moves before a step that writes; the runner of fixtures does the same.
const TICK_MICROS: i64 = 1_000;
/// How long an invitation lasts of which no step says so, there too, in seconds.
const INVITATION_TTL: i64 = 86_400;

/// A call. `{name}` stands for what an earlier step brought; so a step that leans on one that is left out is known to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Step {
    /// Unique within a sequence, and the same when others are left out: the rows that it makes are named by it.
    pub(crate) tag: usize,
    pub(crate) operation: &'static str,
    pub(crate) input: Map<String, Value>,
    /// On whose behalf.
    pub(crate) actor: Option<Actor>,
}

/// A guarded caller.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Actor {
    /// An id, or a variable.
    pub(crate) usr: String,
    /// What the authentication vouches for.
    pub(crate) identifiers: Option<Vec<String>>,
}

/// What variables stand for.
pub(crate) type Vars = BTreeMap<String, String>;

/// The name in a text that is a variable.
pub(crate) fn variable(text: &str) -> Option<&str> {
    let name = text.strip_prefix('{')?.strip_suffix('}')?;
    let fits = !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    fits.then_some(name)
}

/// The value with each text in it as a function makes it.
pub(crate) fn each_text(value: &Value, change: &mut impl FnMut(&str) -> String) -> Value {
    match value {
        Value::String(text) => Value::String(change(text)),
        Value::Array(items) => items.iter().map(|item| each_text(item, change)).collect(),
        Value::Object(fields) => Value::Object(fields.iter().map(|(key, value)| (key.clone(), each_text(value, change))).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

impl Step {
    pub(crate) fn writes(&self) -> bool {
        wire::operation(self.operation).is_some_and(|operation| operation.writes)
    }

    /// The same about other rows.
    pub(crate) fn renamed(&self, mut rename: impl FnMut(&str) -> String) -> Self {
        let mut renamed = self.clone();
        renamed.input = self.input.iter().map(|(key, value)| (key.clone(), each_text(value, &mut rename))).collect();
        if let Some(actor) = &mut renamed.actor {
            actor.usr = rename(&actor.usr);
        }
        renamed
    }

    /// The variables that it leans on.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        let mut note = |text: &str| {
            names.extend(variable(text).map(str::to_owned));
            text.to_owned()
        };
        each_text(&Value::Object(self.input.clone()), &mut note);
        if let Some(actor) = &self.actor {
            note(&actor.usr);
        }
        names
    }
}

/// A step ready to be called: without variables, at its moment.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) operation: &'static str,
    pub(crate) input: Value,
    pub(crate) caller: Option<Caller>,
}

/// What a call came to: an answer, or a code and a message.
pub(crate) type Outcome = Result<Value, (String, String)>;

/// Moves the clock for a step, and makes the call of it that every store then gets.
pub(crate) fn prepare(step: &Step, vars: &Vars, clock: &ManualClock) -> Call {
    let mut filled = |text: &str| {
        let name = variable(text);
        name.map_or_else(|| text.to_owned(), |name| vars.get(name).unwrap_or_else(|| panic!("nothing is called {name}")).clone())
    };
    if step.writes() {
        clock.advance_micros(TICK_MICROS);
    }
    let mut input = each_text(&Value::Object(step.input.clone()), &mut filled);
    if step.operation == ADVANCE {
        clock.advance_micros(input["seconds"].as_i64().expect("a number of seconds") * 1_000_000);
    }
    let end = |row: &mut Value| {
        let Some(fields) = row.as_object_mut() else { return };
        if let Some(ttl) = fields.remove("ttl_seconds") {
            let end = clock.now().plus_seconds(ttl.as_i64().expect("a number of seconds"));
            fields.insert("expires_at".to_owned(), Value::String(end.to_string()));
        }
    };
    if step.operation == "create_invitation" && input.get("ttl_seconds").or(input.get("expires_at")).is_none() {
        input["ttl_seconds"] = INVITATION_TTL.into();
    }
    end(&mut input);
    input.get_mut("invitations").and_then(Value::as_array_mut).into_iter().flatten().for_each(end);
    let caller = step.actor.as_ref().map(|actor| {
        let caller = Caller::guarded(filled(&actor.usr).parse().expect("a user's id"));
        actor.identifiers.as_ref().map_or(caller.clone(), |identifiers| caller.vouching(identifiers.clone()))
    });
    Call { operation: step.operation, input, caller }
}

/// Calls a store; a call that only moves the clock reaches none.
pub(crate) async fn call(store: &Arc<dyn TenancyStore>, call: &Call) -> Outcome {
    if call.operation == ADVANCE {
        return Ok(Value::Null);
    }
    let store = call.caller.as_ref().map_or_else(|| Arc::clone(store), |caller| store.with_caller(caller.clone()));
    let input = serde_json::from_value(call.input.clone()).expect("JSON is a value");
    match wire::call(&*store, call.operation, &input).await {
        Ok(reply) => Ok(serde_json::to_value(reply).expect("a reply is JSON")),
        Err(CallError::Store(error)) => Err((error.code(), describe(&error))),
        Err(other) => panic!("{call:?}: {other}"),
    }
}

/// The message; of a failure of the store also what is behind it, which no reference has.
fn describe(error: &Error) -> String {
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    let causes: Vec<String> = causes.map(|cause| format!(", caused by: {cause}")).collect();
    match error {
        Error::Domain(error) => error.to_string(),
        error => format!("{error}{}", causes.concat()),
    }
}
