//! The doctor: it finds nothing wrong with what operations wrote, on any store, and finds what was damaged past them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]
#![allow(dead_code, reason = "the moves are those of the properties, which ask more of them")]

#[path = "../properties/access.rs"]
mod access;
mod damage;
#[path = "../properties/imports.rs"]
mod imports;
#[path = "../properties/moves.rs"]
mod moves;
mod scene;
mod spec;
#[path = "../support/mod.rs"]
mod support;

use std::any::Any;
use std::cell::RefCell;

use proptest::prelude::*;
use tenantry_conformance::Fresh;
use tenantry_core::doctor::{Finding, examine, examine_feed};
use tenantry_core::{Clock, Error, Event, Inspect, ListAllChanges, Sources, TenancyStore, Timestamp};

use moves::Move;

/// What the doctor finds in a store.
pub(crate) async fn findings(store: &dyn TenancyStore, inspect: &dyn Inspect, now: Timestamp) -> Vec<Finding> {
    let unreadable = |error: &Error| match error {
        Error::Backend(error) => vec![Finding::unreadable(error).unwrap_or_else(|| panic!("{error:?}"))],
        other => panic!("{other:?}"),
    };
    match inspect.dump().await {
        Ok(dump) => {
            let mut findings = examine(&dump, now);
            findings.extend(feed(store).await.map_or_else(|error| unreadable(&error), |feed| examine_feed(&dump, &feed)));
            findings
        }
        Err(error) => unreadable(&error),
    }
}

/// The feed, in pages small enough that there are many.
async fn feed(store: &dyn TenancyStore) -> Result<Vec<Event>, Error> {
    let mut feed: Vec<Event> = Vec::new();
    loop {
        let after = feed.last().map(|event| event.id);
        let page = store.changes_all(after.into_iter().fold(ListAllChanges::new(), ListAllChanges::after).limit(50)).await?;
        feed.extend(page.data);
        if page.next_cursor.is_none() {
            return Ok(feed);
        }
    }
}

thread_local! {
    /// What removes the stores of a case, when its runtime is gone.
    static GUARDS: RefCell<Vec<Box<dyn Any + Send>>> = const { RefCell::new(Vec::new()) };
}

fn cases(cases: u32) -> ProptestConfig {
    let default = ProptestConfig { max_shrink_iters: cases.saturating_mul(20), ..ProptestConfig::default() };
    if std::env::var_os("PROPTEST_CASES").is_some() { default } else { ProptestConfig { cases, ..default } }
}

proptest! {
    #![proptest_config(cases(40))]

    // covers: DOC-1
    #[test]
    fn nothing_is_wrong_with_what_operations_wrote_in_memory(moves in prop::collection::vec(moves::any_move_at_all(), 20..120)) {
        run("memory", &moves, 5)?;
    }
}

proptest! {
    #![proptest_config(cases(8))]

    // covers: DOC-1
    #[test]
    fn nothing_is_wrong_with_what_operations_wrote_in_sqlite(moves in prop::collection::vec(moves::any_move_at_all(), 40..120)) {
        run("sqlite", &moves, 20)?;
    }
}

proptest! {
    #![proptest_config(cases(4))]

    // covers: DOC-1
    #[test]
    fn nothing_is_wrong_with_what_operations_wrote_in_postgres(moves in prop::collection::vec(moves::any_move_at_all(), 40..120)) {
        run("postgres", &moves, 30)?;
    }
}

fn run(store: &str, moves: &[Move], every: usize) -> Result<(), TestCaseError> {
    let outcome = support::block_on(play(store, moves, every));
    drop(GUARDS.take());
    outcome
}

/// Plays the moves, and asks the doctor after each of some.
async fn play(name: &str, moves: &[Move], every: usize) -> Result<(), TestCaseError> {
    let (sources, clock) = Sources::deterministic("2026-01-01T00:00:00Z".parse().expect("a time"), 1);
    let Fresh { store, inspect, guard } = support::store(name).fresh(sources).await.expect("a fresh store");
    GUARDS.with_borrow_mut(|guards| guards.push(guard));
    moves::users(&*store).await;
    for (index, step) in moves.iter().enumerate() {
        clock.advance_micros(1_000);
        let dump = inspect.dump().await.expect("a dump");
        if let Err(error @ Error::Backend(_)) = step.play(&*store, &clock, &dump).await {
            return Err(TestCaseError::fail(format!("move {index}, {step:?}: {error:?}")));
        }
        if index % every == 0 || index + 1 == moves.len() {
            let found = findings(&*store, &*inspect, clock.now()).await;
            prop_assert!(found.is_empty(), "after move {index}, {step:?}: {found:#?}");
            // Whatever the clock shows when the doctor comes.
            let dump = inspect.dump().await.expect("a dump");
            for now in [Timestamp::MIN, Timestamp::MAX] {
                let found = examine(&dump, now);
                prop_assert!(found.is_empty(), "after move {index}, {step:?}, at {now}: {found:#?}");
            }
        }
        // Now and then the clock is put back.
        if index % 17 == 16 {
            clock.advance_micros(-5_000_000);
        }
    }
    Ok(())
}
