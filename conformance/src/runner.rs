//! Runs one test: every step against a fresh store and against core's own state, side by side.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value};
use tenantry_core::source::{Clock, IdSource, ManualClock, MonotonicIds, SeededSecrets};
use tenantry_core::{Engine, Error, Id, Inspect, Sources, TenancyStore, Timestamp, UserId};

use crate::compare::{dump_differences, json_differences};
use crate::expect::{Expected, Want, describe};
use crate::fixture::{Fixture, Step, Test};
use crate::ops::{self, Assertion, CAPABILITIES, Op};
use crate::reference::{Reference, reference};
use crate::store::{Fresh, TestStore};
use crate::vars::{Vars, at_path};

/// 2026-01-01T00:00:00Z, in microseconds: when every test starts.
const START_MICROS: i64 = 1_767_225_600_000_000;
/// How far the clock moves before a step that writes.
const TICK_MICROS: i64 = 1_000;
/// The seed of the store's and of the reference's ids, which so are the same.
const SEED: u64 = 1;
/// The seed of the test's users, another one: their ids must not depend on what a store draws.
const USER_SEED: u64 = 2;

/// Why a test failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The step, from 1, and its operation; without one the test as a whole.
    pub step: Option<(usize, String)>,
    /// What was wrong.
    pub lines: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((number, op)) = &self.step {
            write!(f, "step {number} ({op}): ")?;
        }
        f.write_str(&self.lines.join("\n    "))
    }
}

/// Runs a test against a fresh store; no failures mean that it passed.
pub async fn run(store: &dyn TestStore, fixture: &Fixture, test: &Test) -> Vec<Failure> {
    match begin(store, fixture, test).await {
        Ok((mut run, steps, guard)) => {
            let failures = run.all(steps).await;
            // The store goes before what it stands on.
            drop(run);
            drop(guard);
            failures
        }
        Err(line) => vec![Failure { step: None, lines: vec![line] }],
    }
}

type Guard = Box<dyn Any + Send>;

async fn begin<'t>(store: &dyn TestStore, fixture: &Fixture, test: &'t Test) -> Result<(Run, &'t [Step], Guard), String> {
    let steps = test.steps.as_ref().map_err(ToString::to_string)?;
    if !CAPABILITIES.contains(&fixture.capability.as_str()) {
        return Err(format!("there is no capability `{}` here", fixture.capability));
    }
    if test.rules.is_some() {
        return Err("there are no rewrite `rules` here yet".to_owned());
    }
    let start = Timestamp::from_micros(START_MICROS).map_err(|error| error.to_string())?;
    let (sources, clock) = Sources::deterministic(start, SEED);
    // The same ids again, over the same clock.
    let again = Sources { clock: Arc::<ManualClock>::clone(&clock), ..Sources::deterministic(start, SEED).0 };
    let mut vars = Vars::default();
    let users = MonotonicIds::new(Arc::new(SeededSecrets::new(USER_SEED)));
    for name in &test.users {
        let uuid = users.next(start).map_err(|error| error.to_string())?;
        let id = UserId::from_uuid(uuid).map_err(|error| error.to_string())?;
        vars.set(name, Value::String(id.any().to_string()));
    }
    let Fresh { store, inspect, guard } = store.fresh(sources).await.map_err(|error| format!("no fresh store: {error}"))?;
    Ok((Run { store, inspect, reference: reference(again), clock, vars }, steps, guard))
}

/// A test on its way.
struct Run {
    store: Arc<dyn TenancyStore>,
    inspect: Arc<dyn Inspect>,
    reference: Engine<Reference>,
    clock: Arc<ManualClock>,
    vars: Vars,
}

impl Run {
    /// Every step up to the first that fails, and then the rows: a failed step does not hide what the store holds.
    async fn all(&mut self, steps: &[Step]) -> Vec<Failure> {
        let mut failures = Vec::new();
        for (index, step) in steps.iter().enumerate() {
            if let Err(lines) = self.step(step).await {
                failures.push(Failure { step: Some((index + 1, step.op.clone())), lines });
                break;
            }
        }
        let lines = self.compare_rows().await;
        if !lines.is_empty() {
            failures.push(Failure { step: None, lines });
        }
        failures
    }

    async fn compare_rows(&self) -> Vec<String> {
        let differences = match (self.reference.dump().await, self.inspect.dump().await) {
            (Ok(expected), Ok(actual)) => dump_differences(&expected, &actual),
            (Err(error), _) | (_, Err(error)) => vec![format!("it cannot be dumped: {}", describe(&error))],
        };
        let heading = (!differences.is_empty()).then(|| "the store's rows are not those of core's own state:".to_owned());
        heading.into_iter().chain(differences).collect()
    }

    async fn step(&mut self, step: &Step) -> Result<(), Vec<String>> {
        if step.actor.is_some() {
            return Err(vec!["there are no guarded callers (`as`) here yet".to_owned()]);
        }
        let op = Op::named(&step.op).ok_or_else(|| vec![format!("there is no operation `{}` here", step.op)])?;
        let input = self.vars.fill_map(&step.input).map_err(|line| vec![line])?;
        let expected = step.expected.as_ref().map(|expected| expected.fill(&self.vars)).transpose().map_err(|line| vec![line])?;
        if let Some(key) = op.unknown_keys(&input).next()
            && !wants_form_error(expected.as_ref(), &input)
        {
            return Err(vec![format!("`{}` has no input `{key}`", step.op)]);
        }
        let outcome = self.call(op, input).await?;
        let differences = match (&expected, &outcome) {
            (Some(expected), outcome) => expected.differences(outcome),
            (None, Ok(_)) => Vec::new(),
            (None, Err(error)) => vec![format!("expected success, got {}", describe(error))],
        };
        if !differences.is_empty() {
            return Err(differences);
        }
        if let Ok(result) = &outcome {
            for (name, path) in &step.captures {
                let value = at_path(result, path).map_err(|line| vec![line])?;
                self.vars.set(name, value.clone());
            }
        }
        Ok(())
    }

    async fn call(&self, op: Op, input: Map<String, Value>) -> Result<Result<Value, Error>, Vec<String>> {
        if op.writes() {
            self.clock.advance_micros(TICK_MICROS);
        }
        let store: &dyn TenancyStore = &*self.store;
        match op {
            Op::Clock => {
                let seconds =
                    input.get("seconds").and_then(Value::as_i64).ok_or_else(|| vec!["`seconds` must be a whole number".to_owned()])?;
                self.clock.advance_micros(seconds.saturating_mul(1_000_000));
                Ok(Ok(Value::Null))
            }
            Op::Ids(op) => Ok(op.call(&input)),
            Op::Assert(assertion) => assert(assertion, store, &input).await,
            Op::Store(operation) => {
                let input = ops::with_expiry(operation, input, self.clock.now()).map_err(|line| vec![line])?;
                let outcome = ops::call(store, operation.name, &input).await;
                let model = ops::call(&self.reference, operation.name, &input).await;
                let differences = disagreement(&model, &outcome);
                if differences.is_empty() { Ok(outcome) } else { Err(differences) }
            }
        }
    }
}

async fn assert(assertion: Assertion, store: &dyn TenancyStore, input: &Map<String, Value>) -> Result<Result<Value, Error>, Vec<String>> {
    match assertion.check(store, input).await {
        Ok(()) => Ok(Ok(Value::Null)),
        Err(ops::Broken::Error(error)) => Ok(Err(error)),
        Err(ops::Broken::Differs(lines)) => Err(lines),
    }
}

/// A key that an operation does not have is a slip of the fixture, unless the fixture is about just that: then it expects, by its
/// exact code, an error about the form of an input that it gives.
fn wants_form_error(expected: Option<&Expected>, input: &Map<String, Value>) -> bool {
    let Some(Expected { want: Want::Error(code), .. }) = expected else { return false };
    match code.strip_prefix("invalid_format.") {
        Some(field) => input.contains_key(field),
        None => ["invalid_id", "invalid_id_type", "invalid_cursor"].contains(&code.as_str()),
    }
}

/// Where the store's reply is not the reference's.
fn disagreement(model: &Result<Value, Error>, outcome: &Result<Value, Error>) -> Vec<String> {
    let differences = match (model, outcome) {
        (Ok(expected), Ok(actual)) => json_differences(expected, actual),
        (Err(expected), Err(actual)) if (expected.code(), expected.to_string()) == (actual.code(), actual.to_string()) => Vec::new(),
        (expected, actual) => vec![format!("core: {}", say(expected)), format!("store: {}", say(actual))],
    };
    let heading = (!differences.is_empty()).then(|| "the store does not answer as core's own state does:".to_owned());
    heading.into_iter().chain(differences).collect()
}

fn say(outcome: &Result<Value, Error>) -> String {
    match outcome {
        Ok(value) => crate::compare::show(value),
        Err(error) => describe(error),
    }
}
