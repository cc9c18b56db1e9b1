//! Runs one test: every step against a fresh store and against core's own state, side by side.

use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value};
use tenantry_core::rules::Rules;
use tenantry_core::source::{Clock, IdSource, ManualClock, MonotonicIds, SeededSecrets};
use tenantry_core::{AncestorReadPolicy, Caller, Engine, Error, Id, Inspect, Sources, TenancyStore, Timestamp, UserId};

use crate::compare::{dump_differences, json_differences};
use crate::expect::{Expected, Want, describe};
use crate::fixture::{Fixture, Step, Test};
use crate::ops::{self, Assertion, CAPABILITIES, Given, Op};
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
    let prepared = match Prepared::new(fixture, test) {
        Ok(prepared) => prepared,
        Err(line) => return failed(line),
    };
    match store.fresh(prepared.sources()).await {
        Ok(Fresh { store, inspect, guard }) => {
            let failures = prepared.run(store, &*inspect).await;
            // The store goes before what it stands on.
            drop(inspect);
            drop(guard);
            failures
        }
        Err(error) => failed(format!("no fresh store: {error}")),
    }
}

fn failed(line: String) -> Vec<Failure> {
    vec![Failure { step: None, lines: vec![line] }]
}

/// A test before it has a store: for stores that are not made by a [`TestStore`], such as one that is bound to a transaction.
pub struct Prepared<'t> {
    steps: &'t [Step],
    rules: Option<Arc<Rules>>,
    sources: Sources,
    /// The same ids again, over the same clock.
    again: Sources,
    clock: Arc<ManualClock>,
    vars: Vars,
}

impl fmt::Debug for Prepared<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared").field("steps", &self.steps.len()).finish_non_exhaustive()
    }
}

impl<'t> Prepared<'t> {
    /// Reads the test, and allocates its users.
    ///
    /// # Errors
    /// What in it cannot be run here.
    pub fn new(fixture: &Fixture, test: &'t Test) -> Result<Self, String> {
        let steps = test.steps.as_ref().map_err(ToString::to_string)?;
        if !CAPABILITIES.contains(&fixture.capability.as_str()) {
            return Err(format!("there is no capability `{}` here", fixture.capability));
        }
        let rules = test.rules.as_ref().map(rules).transpose()?;
        let start = Timestamp::from_micros(START_MICROS).map_err(|error| error.to_string())?;
        let (sources, clock) = Sources::deterministic(start, SEED);
        let again = Sources { clock: Arc::<ManualClock>::clone(&clock), ..Sources::deterministic(start, SEED).0 };
        let mut vars = Vars::default();
        let users = MonotonicIds::new(Arc::new(SeededSecrets::new(USER_SEED)));
        for name in &test.users {
            let uuid = users.next(start).map_err(|error| error.to_string())?;
            let id = UserId::from_uuid(uuid).map_err(|error| error.to_string())?;
            vars.set(name, Value::String(id.any().to_string()));
        }
        Ok(Self { steps, rules, sources, again, clock, vars })
    }

    /// The sources that the store must be made with.
    pub fn sources(&self) -> Sources {
        self.sources.clone()
    }

    /// Runs the test against a store without rows; no failures mean that it passed.
    pub async fn run<'s>(self, store: Arc<dyn TenancyStore + 's>, inspect: &'s dyn Inspect) -> Vec<Failure> {
        let Self { steps, rules, again, clock, vars, .. } = self;
        let rows = reference(again);
        let mut model: Arc<dyn TenancyStore> = Arc::new(rows.clone());
        let mut store = store;
        if let Some(rules) = rules {
            model = model.with_rules(Arc::clone(&rules));
            store = store.with_rules(rules);
        }
        Run { store, inspect, model, rows, clock, vars }.all(steps).await
    }
}

/// The rules of a test. A relation without an entry is one that is had by tuples only.
fn rules(value: &Value) -> Result<Arc<Rules>, String> {
    let value = ops::core_value(value).map_err(|error| error.to_string())?;
    Rules::parse_open(&value).map(Arc::new).map_err(|error| format!("`rules`: {error}"))
}

fn ancestor_read(input: &Map<String, Value>) -> Result<AncestorReadPolicy, String> {
    let texts = |field: &str| {
        let items = input.get(field).and_then(Value::as_array).ok_or_else(|| format!("`{field}` is a list of texts"))?;
        items
            .iter()
            .map(|item| item.as_str().map(str::to_owned).ok_or_else(|| format!("`{field}` is a list of texts")))
            .collect::<Result<Vec<String>, String>>()
    };
    let (roles, collections) = (texts("roles")?, texts("collections")?);
    let policy = AncestorReadPolicy::new(roles, collections).map_err(|error| error.to_string())?;
    match input.get("max_depth") {
        None => Ok(policy),
        Some(levels) => policy.max_depth(levels.as_i64().unwrap_or_default()).map_err(|error| error.to_string()),
    }
}

/// A test on its way.
struct Run<'s> {
    store: Arc<dyn TenancyStore + 's>,
    inspect: &'s dyn Inspect,
    /// The same in core's own state: what it answers, and its rows.
    model: Arc<dyn TenancyStore>,
    rows: Engine<Reference>,
    clock: Arc<ManualClock>,
    vars: Vars,
}

impl Run<'_> {
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
        let differences = match (self.rows.dump().await, self.inspect.dump().await) {
            (Ok(expected), Ok(actual)) => dump_differences(&expected, &actual),
            (Err(error), _) | (_, Err(error)) => vec![format!("it cannot be dumped: {}", describe(&error))],
        };
        let heading = (!differences.is_empty()).then(|| "the store's rows are not those of core's own state:".to_owned());
        heading.into_iter().chain(differences).collect()
    }

    async fn step(&mut self, step: &Step) -> Result<(), Vec<String>> {
        let input = self.vars.fill_map(&step.input).map_err(|line| vec![line])?;
        let caller = step.actor.as_ref().map(|actor| self.caller(actor)).transpose().map_err(|line| vec![line])?;
        let expected = step.expected.as_ref().map(|expected| expected.fill(&self.vars)).transpose().map_err(|line| vec![line])?;
        let given = Given::parse(&step.op, &input).map_err(|line| vec![line])?;
        let outcome = if let Some(given) = given {
            self.given(&given, expected.as_ref(), caller.as_ref()).await?
        } else {
            let op = Op::named(&step.op).ok_or_else(|| vec![format!("there is no operation `{}` here", step.op)])?;
            known_keys(op, &step.op, &input, expected.as_ref())?;
            if op == Op::AncestorRead {
                let policy = Arc::new(ancestor_read(&input).map_err(|line| vec![line])?);
                self.model = self.model.with_ancestor_read(Some(Arc::clone(&policy)));
                self.store = self.store.with_ancestor_read(Some(policy));
                return Ok(());
            }
            self.call(op, input, caller.as_ref()).await?
        };
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

    /// On whose behalf a step runs: a user by name or id, or one with the identifiers that are vouched for.
    fn caller(&self, actor: &Value) -> Result<Caller, String> {
        let usr = |value: &Value| {
            let text = value.as_str().ok_or("`as` names a user")?;
            let filled = match self.vars.fill(value)?.as_str() {
                Some(filled) if filled != text => filled.to_owned(),
                _ => self.vars.fill_text(&format!("{{{text}}}")).unwrap_or_else(|_| text.to_owned()),
            };
            filled.parse::<UserId>().map_err(|error| format!("`as`: `{text}` is no user: {error}"))
        };
        let Value::Object(fields) = actor else { return Ok(Caller::guarded(usr(actor)?)) };
        if let Some(key) = fields.keys().find(|key| !["usr_id", "identifiers"].contains(&key.as_str())) {
            return Err(format!("`as` has no key `{key}`"));
        }
        let caller = Caller::guarded(usr(fields.get("usr_id").unwrap_or(&Value::Null))?);
        let identifiers = match fields.get("identifiers") {
            None => return Ok(caller),
            Some(Value::Array(items)) => {
                let text = |item: &Value| item.as_str().map(|text| self.vars.fill_text(text)).ok_or("`identifiers` are texts")?;
                items.iter().map(text).collect::<Result<Vec<_>, _>>()?
            }
            Some(_) => return Err("`identifiers` is a list".to_owned()),
        };
        Ok(caller.vouching(identifiers))
    }

    /// The short form: the tuples that are given, then the operation.
    async fn given(
        &self,
        given: &Given,
        expected: Option<&Expected>,
        caller: Option<&Caller>,
    ) -> Result<Result<Value, Error>, Vec<String>> {
        let create = Op::named("create_tuple").ok_or_else(|| vec!["there are no tuples here".to_owned()])?;
        for (index, tuple) in given.tuples.iter().enumerate() {
            known_keys(create, "create_tuple", tuple, None)?;
            if let Err(error) = self.call(create, tuple.clone(), None).await? {
                return Err(vec![format!("given tuple {}: {}", index + 1, describe(&error))]);
            }
        }
        known_keys(given.op, "the short form", &given.input, expected)?;
        let outcome = self.call(given.op, given.input.clone(), caller).await?;
        Ok(outcome.map(|result| Given::shown(&result)))
    }

    async fn call(&self, op: Op, input: Map<String, Value>, caller: Option<&Caller>) -> Result<Result<Value, Error>, Vec<String>> {
        if op.writes() {
            self.clock.advance_micros(TICK_MICROS);
        }
        let (store, model) = (&*on_behalf(&self.store, caller), &*on_behalf(&self.model, caller));
        match op {
            Op::Clock => {
                let seconds =
                    input.get("seconds").and_then(Value::as_i64).ok_or_else(|| vec!["`seconds` must be a whole number".to_owned()])?;
                self.clock.advance_micros(seconds.saturating_mul(1_000_000));
                Ok(Ok(Value::Null))
            }
            // Taken care of before.
            Op::AncestorRead => Ok(Ok(Value::Null)),
            Op::Ids(op) => Ok(op.call(&input)),
            Op::Assert(assertion) => assert(assertion, store, &input).await,
            Op::Store(operation) => {
                let input = ops::with_expiry(operation, input, self.clock.now()).map_err(|line| vec![line])?;
                let outcome = ops::call(store, operation.name, &input).await;
                let wanted = ops::call(model, operation.name, &input).await;
                let differences = disagreement(&wanted, &outcome);
                if differences.is_empty() { Ok(outcome) } else { Err(differences) }
            }
        }
    }
}

fn on_behalf<'s>(store: &Arc<dyn TenancyStore + 's>, caller: Option<&Caller>) -> Arc<dyn TenancyStore + 's> {
    caller.map_or_else(|| Arc::clone(store), |caller| store.with_caller(caller.clone()))
}

async fn assert(assertion: Assertion, store: &dyn TenancyStore, input: &Map<String, Value>) -> Result<Result<Value, Error>, Vec<String>> {
    match assertion.check(store, input).await {
        Ok(()) => Ok(Ok(Value::Null)),
        Err(ops::Broken::Error(error)) => Ok(Err(error)),
        Err(ops::Broken::Differs(lines)) => Err(lines),
    }
}

fn known_keys(op: Op, name: &str, input: &Map<String, Value>, expected: Option<&Expected>) -> Result<(), Vec<String>> {
    match op.unknown_keys(input).next() {
        Some(key) if !wants_form_error(expected, input) => Err(vec![format!("`{name}` has no input `{key}`")]),
        _ => Ok(()),
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
