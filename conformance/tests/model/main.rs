//! The model suite: random sequences of commands over core's own state and over a store, side by side; after every step both answered
//! alike and hold the same rows.
//!
//! `TENANTRY_MODEL_CASES` is the number of sequences for each store, `TENANTRY_MODEL_SEED` a number to begin chance elsewhere. A sequence
//! on which a store parts from core is made small and written as a fixture, which `cargo xtask conformance --fixtures` runs.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says what it did"
)]

mod commands;
mod fixture;
mod liars;
mod machine;
mod run;
mod step;
#[path = "../support/mod.rs"]
mod support;
mod tally;
mod tree;

use std::path::Path;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use proptest_state_machine::ReferenceStateMachine;
use tenantry_conformance::{Mode, Suite};
use tenantry_core::wire;

use machine::Machine;
use run::{Parted, Settings};
use tally::Tally;

/// How many sequences there are for each store, unless told.
const CASES: u32 = 80;

/// What a run of that size or a larger one comes upon, whatever its seed.
const CODES: [&str; 29] = [
    "ok",
    "not_found",
    "forbidden",
    "conflict.already_terminal",
    "conflict.cycle",
    "conflict.duplicate_invitation",
    "conflict.duplicate_membership",
    "conflict.duplicate_tuple",
    "conflict.has_children",
    "conflict.import",
    "conflict.invitation_not_pending",
    "conflict.max_depth",
    "conflict.org_slug",
    "conflict.role_slug",
    "conflict.seat_limit",
    "conflict.sole_owner",
    "evaluation_limit_exceeded",
    "invalid_cursor",
    "invalid_id",
    "invalid_id_type",
    "precondition.invalid_transition",
    "precondition.mem_not_active",
    "precondition.membership_relation",
    "precondition.org_not_active",
    "precondition.org_slug_format",
    "precondition.past_expiration",
    "precondition.unknown_permission",
    "precondition.unknown_role",
    "precondition.user_not_active",
];

#[test]
fn memory_does_as_core_does() {
    hold("memory");
}

#[test]
fn sqlite_does_as_core_does() {
    hold("sqlite");
}

#[test]
fn postgres_does_as_core_does() {
    hold("postgres");
}

fn hold(system: &str) {
    let cases = run::number("TENANTRY_MODEL_CASES").map_or(CASES, |cases| u32::try_from(cases).expect("a number of cases"));
    let settings = Settings { cases, seed: run::number("TENANTRY_MODEL_SEED"), shrinks: 500 };
    match run::run(support::store(system), settings) {
        Ok(tally) => {
            println!("{system}: {tally}");
            judge(&tally, cases);
        }
        Err(parted) => {
            let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("model").join(system);
            panic!("{}", fixture::explain(&folder, system, &parted));
        }
    }
}

/// A run that nearly always fails, or never comes upon what matters, would say nothing.
fn judge(tally: &Tally, cases: u32) {
    assert!(tally.succeeded * 2 > tally.calls, "most calls fail: {tally}");
    if cases < CASES {
        return;
    }
    for (what, count) in [("calls that write", tally.writes), ("guarded calls", tally.guarded)] {
        assert!(count.succeeded * 2 > count.all, "most {what} fail: {tally}");
    }
    let missing: Vec<&str> = CODES.into_iter().filter(|code| !tally.codes.contains_key(*code)).collect();
    assert!(missing.is_empty(), "no call came to {missing:?}: {tally}");
    let never = |operation: &&wire::Operation| tally.operations.get(operation.name).is_none_or(|count| count.succeeded == 0);
    let never: Vec<&str> = wire::OPERATIONS.iter().filter(never).map(|operation| operation.name).collect();
    assert!(never.is_empty(), "never succeeded: {never:?}: {tally}");
}

/// A sequence means the same to the runner of fixtures, whole as it is.
#[test]
fn a_sequence_that_is_written_runs_as_it_did() {
    let mut runner = TestRunner::deterministic();
    for _ in 0..24 {
        let (start, steps, _) = Machine::sequential_strategy(40..41).new_tree(&mut runner).expect("a sequence").current();
        let folder = tempfile::tempdir().expect("a folder");
        let parted = Parted { reason: String::new(), start, steps };
        fixture::write(&folder.path().join("whole"), "memory", &parted).expect("it is written");
        let suite = Suite::load(folder.path(), Mode::Ours).expect("the folder can be listed");
        assert_eq!(suite.problems, []);
        for case in suite.cases() {
            assert_eq!(case.test.steps.as_ref().map(Vec::len), Ok(40));
            assert_eq!(support::block_on(case.run(support::store("memory"))), [], "{:#?}", parted.steps);
        }
    }
}
