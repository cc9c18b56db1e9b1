//! Runs sequences against a system, and compares it with the reference after every step.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use proptest_state_machine::ReferenceStateMachine;
use tenantry_conformance::testing::invariants::{self, Deed};
use tenantry_conformance::testing::log_differences;
use tenantry_conformance::{Fresh, TestStore, dump_differences, json_differences};
use tenantry_core::{Caller, Dump, TenancyStore, UserId};

use crate::machine::{self, Machine, Model, Played};
use crate::step::{self, Outcome, Step};
use crate::tally::Tally;

/// How many steps a sequence has.
const STEPS: std::ops::Range<usize> = 30..61;

/// How much is tried.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    /// How many sequences.
    pub(crate) cases: u32,
    /// Where chance begins; none is always the same.
    pub(crate) seed: Option<u64>,
    /// How often a sequence that failed is tried in a smaller form.
    pub(crate) shrinks: u32,
}

/// A sequence on which a system and the reference part, made small.
#[derive(Debug)]
pub(crate) struct Parted {
    /// What was different.
    pub(crate) reason: String,
    pub(crate) start: Model,
    pub(crate) steps: Vec<Step>,
}

/// Runs so many sequences.
pub(crate) fn run(system: &dyn TestStore, settings: Settings) -> Result<Tally, Box<Parted>> {
    let Settings { cases, seed, shrinks } = settings;
    // What failed becomes a fixture, not a line in a file of seeds.
    let config = Config { cases, max_shrink_iters: shrinks, failure_persistence: None, ..Config::default() };
    let rng = match seed {
        None => TestRng::deterministic_rng(RngAlgorithm::ChaCha),
        Some(seed) => TestRng::from_seed(RngAlgorithm::ChaCha, &[seed.to_be_bytes(); 4].concat()),
    };
    let tally = RefCell::new(Tally::default());
    let done = TestRunner::new_with_rng(config, rng).run(&Machine::sequential_strategy(STEPS), |(start, steps, seen)| {
        one(system, start, &steps, seen.as_deref(), &mut tally.borrow_mut()).map_err(TestCaseError::fail)
    });
    match done {
        Ok(()) => Ok(tally.into_inner()),
        Err(TestError::Fail(reason, (start, steps, _))) => {
            Err(Box::new(smallest(system, Parted { reason: reason.to_string(), start, steps }, shrinks)))
        }
        Err(TestError::Abort(reason)) => panic!("no sequences could be made: {reason}"),
    }
}

/// What proptest leaves, without steps that only lead up to a row where another one would do: each step is left out in turn, with other
/// rows of their kind in the places of those that it made.
fn smallest(system: &dyn TestStore, mut parted: Parted, mut tries: u32) -> Parted {
    'again: loop {
        for steps in shorter(&parted) {
            if tries == 0 {
                return parted;
            }
            tries -= 1;
            let played = catch_unwind(AssertUnwindSafe(|| one(system, parted.start.clone(), &steps, None, &mut Tally::default())));
            if let Err(reason) = played.unwrap_or_else(|_| Err("it panics".to_owned())) {
                parted = Parted { reason, steps, ..parted };
                continue 'again;
            }
        }
        return parted;
    }
}

/// The sequence without one of its steps, in all the ways in which what is left can be played.
fn shorter(parted: &Parted) -> Vec<Vec<Step>> {
    let mut found = Vec::new();
    let mut model = parted.start.clone();
    for (index, step) in parted.steps.iter().enumerate() {
        let known: Vec<String> = model.vars.keys().cloned().collect();
        let before = model.clone();
        model.play(step);
        let later: BTreeSet<String> = parted.steps[index + 1..].iter().flat_map(Step::names).collect();
        let made = model.last.iter().flat_map(|played| played.made.keys()).filter(|name| later.contains(*name));
        // For each row that later steps lean on, those that were there and would do as well.
        let others: BTreeMap<&String, Vec<&String>> =
            made.map(|name| (name, known.iter().filter(|other| machine::kind(other) == machine::kind(name)).collect())).collect();
        let ways = if others.is_empty() { 1 } else { others.values().map(Vec::len).min().unwrap_or_default() };
        for way in 0..ways {
            let rename = |text: &str| {
                let other = step::variable(text).and_then(|name| others.get(&name.to_owned())?.get(way));
                other.map_or_else(|| text.to_owned(), |other| format!("{{{other}}}"))
            };
            let rest: Vec<Step> = parted.steps[index + 1..].iter().map(|step| step.renamed(rename)).collect();
            let mut after = before.clone();
            let fits = rest.iter().all(|step| {
                after.knows(step) && {
                    after.play(step);
                    true
                }
            });
            if fits {
                found.push([&parted.steps[..index], &rest].concat());
            }
        }
    }
    found.sort_by_key(|steps| steps.iter().map(|step| step.names().len()).sum::<usize>());
    found.dedup();
    found
}

/// One sequence on a fresh system. The number of steps that were begun is told, so that those behind a failure are left out first.
fn one(system: &dyn TestStore, mut model: Model, steps: &[Step], seen: Option<&AtomicUsize>, tally: &mut Tally) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let Fresh { store, inspect, guard } =
        runtime.block_on(system.fresh(machine::sources(&model.clock))).unwrap_or_else(|error| panic!("no fresh store: {error}"));
    let store = machine::ruled(&store);
    let played = runtime.block_on(async {
        let mut before = Dump::default();
        for (index, step) in steps.iter().enumerate() {
            if let Some(seen) = seen {
                seen.fetch_add(1, Ordering::SeqCst);
            }
            model.play(step);
            let Some(Played { call, outcome: expected, .. }) = &model.last else { panic!("a step was played") };
            let actual = step::call(&store, call).await;
            let at = || format!("step {} of {}, {}", index + 1, steps.len(), call.operation);
            differences(expected, &actual).map_err(|lines| format!("{}: {lines}", at()))?;
            let after = inspect.dump().await.map_err(|error| format!("{}: then it cannot be dumped: {error:?}", at()))?;
            if model.rows != after {
                return Err(format!("{}: then the rows are others: {}", at(), dump_differences(&model.rows, &after).join("\n  ")));
            }
            let deed = Deed { operation: call.operation, actor: call.caller.as_ref().and_then(user) };
            let mut broken =
                if actual.is_ok() { invariants::broken(&before, &after, deed, model.now()) } else { unchanged(&before, &after) };
            if index % 4 == 0 || index + 1 == steps.len() {
                broken.extend(log_differences(&after, model.now()));
            }
            if !broken.is_empty() {
                return Err(format!("{}: then the rows break what must hold: {}", at(), broken.join("\n  ")));
            }
            told(&store, &model, &before, &after).await.map_err(|line| format!("{}: {line}", at()))?;
            tally.note(call, expected, step.writes());
            before = after;
        }
        Ok(())
    });
    tally.sequences += usize::from(played.is_ok());
    // In this order: what the runtime still has in hand goes before what the store stands on.
    drop((store, inspect));
    drop(runtime);
    drop(guard);
    played
}

fn user(caller: &Caller) -> Option<UserId> {
    match caller {
        Caller::Guarded(guarded) => Some(guarded.usr_id()),
        _ => None,
    }
}

fn unchanged(before: &Dump, after: &Dump) -> Vec<String> {
    if before == after { Vec::new() } else { vec!["what was refused has changed something".to_owned()] }
}

/// Where an outcome is not the expected one.
fn differences(expected: &Outcome, actual: &Outcome) -> Result<(), String> {
    match (expected, actual) {
        (Ok(expected), Ok(actual)) if expected == actual => Ok(()),
        (Ok(expected), Ok(actual)) => Err(format!("it answers otherwise: {}", json_differences(expected, actual).join("\n  "))),
        (Err(expected), Err(actual)) if expected == actual => Ok(()),
        (expected, actual) => Err(format!("core says {expected:?}, it says {actual:?}")),
    }
}

/// The first event of a step is known afterwards, to those who ask for the outcome.
async fn told(store: &Arc<dyn TenancyStore>, model: &Model, before: &Dump, after: &Dump) -> Result<(), String> {
    if before.events.len() == after.events.len() {
        return Ok(());
    }
    let Some(event) = after.events.iter().find(|event| !before.events.contains(event)) else { return Ok(()) };
    let (expected, actual) = (model.outcome_of(event.id), store.outcome(event.id).await);
    match actual {
        Ok(actual) if actual == expected && actual.is_some() => Ok(()),
        actual => Err(format!("the outcome of {} should be {expected:?}, it is {actual:?}", event.id)),
    }
}

/// The number that a variable of the environment holds, or another.
pub(crate) fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok().filter(|text| !text.is_empty())?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} must be a whole number, it is {text:?}")))
}
