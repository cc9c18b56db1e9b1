//! Properties: random sequences of commands keep the invariants, and texts of any kind are read without a panic.
//!
//! The invariants are checked over the rows alone, by code that shares nothing with the rules: it would notice a wrong one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says what it did"
)]

mod access;
mod answers;
mod cached;
mod copies;
mod damages;
mod derived;
mod escalation;
mod feed;
mod imports;
mod moves;
mod outdated;
mod precedence;
mod previews;
mod registered;
#[path = "../support/mod.rs"]
mod support;
mod sweeps;
mod texts;
mod trees;

use std::any::Any;
use std::cell::RefCell;
use std::future::Future;
use std::sync::Arc;

use proptest::prelude::*;
use tenantry_conformance::Fresh;
use tenantry_conformance::testing::invariants::{self, Deed};
use tenantry_conformance::testing::log_differences;
use tenantry_core::source::ManualClock;
use tenantry_core::{Clock, Error, Inspect, Sources};

use moves::Move;

proptest! {
    #![proptest_config(cases(192))]

    // covers: ERR-5, INV-8, INV-9, TUP-11, TUP-18, TUP-20, TUP-24, ORG-27, ORG-32, ORG-33
    #[test]
    fn commands_keep_the_invariants(moves in prop::collection::vec(moves::any_move_at_all(), 20..120)) {
        support::block_on(play(&moves))?;
    }
}

/// So many cases, or as many as `PROPTEST_CASES` asks for.
pub(crate) fn cases(cases: u32) -> ProptestConfig {
    // What is slow has few cases, and is not made smaller for ever.
    let default = ProptestConfig::default();
    let default = ProptestConfig { max_shrink_iters: default.max_shrink_iters.min(cases.saturating_mul(20)), ..default };
    if std::env::var_os("PROPTEST_CASES").is_some() { default } else { ProptestConfig { cases, ..default } }
}

thread_local! {
    /// What removes the stores of a case.
    static GUARDS: RefCell<Vec<Box<dyn Any + Send>>> = const { RefCell::new(Vec::new()) };
}

/// Runs a case, and removes its stores when its runtime is gone: one that fails leaves a transaction open, whose end would wait for
/// the runtime, and the removal for it.
pub(crate) fn run<F: Future>(case: F) -> F::Output {
    let output = support::block_on(case);
    drop(GUARDS.take());
    output
}

/// An empty store that stays until the case has ended.
pub(crate) async fn empty(store: &str, sources: Sources) -> Fresh {
    let mut fresh = support::store(store).fresh(sources).await.expect("a fresh store");
    let guard = std::mem::replace(&mut fresh.guard, Box::new(()));
    GUARDS.with_borrow_mut(|guards| guards.push(guard));
    fresh
}

/// A fresh store with the users that moves choose from, and its clock.
pub(crate) async fn fresh(store: &str) -> (Fresh, Arc<ManualClock>) {
    let (sources, clock) = Sources::deterministic("2026-01-01T00:00:00Z".parse().expect("a time"), 1);
    let fresh = empty(store, sources).await;
    moves::users(&*fresh.store).await;
    (fresh, clock)
}

async fn play(moves: &[Move]) -> Result<(), TestCaseError> {
    let (sources, clock) = Sources::deterministic("2026-01-01T00:00:00Z".parse().expect("a time"), 1);
    let store = Arc::new(tenantry_memory::with_sources(sources));
    moves::users(&*store).await;
    let mut before = store.dump().await.expect("a dump");
    for (index, step) in moves.iter().enumerate() {
        clock.advance_micros(1_000);
        let operation = step.input(&before, clock.now()).map_or("", |(operation, _)| operation);
        let outcome = step.play(&*store, &clock, &before).await;
        let (after, now) = (store.dump().await.expect("a dump"), clock.now());
        let broken = match &outcome {
            Ok(()) => invariants::broken(&before, &after, Deed::trusted(operation), now),
            Err(Error::Domain(_)) if before == after => Vec::new(),
            Err(error) => vec![format!("it failed with {error:?}, and rows changed or the store is to blame")],
        };
        prop_assert!(broken.is_empty(), "after move {index}, {step:?}: {broken:#?}");
        before = after;
    }
    prop_assert_eq!(log_differences(&before, clock.now()), Vec::<String>::new());
    Ok(())
}

/// Sequences must get somewhere: with moves that are nearly all refused, the property would say nothing.
#[test]
fn moves_reach_every_kind_of_state() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;

    let mut runner = TestRunner::deterministic();
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..60 {
        let moves = prop::collection::vec(moves::any_move_at_all(), 250).new_tree(&mut runner).expect("moves").current();
        let (sources, clock) = Sources::deterministic("2026-01-01T00:00:00Z".parse().expect("a time"), 1);
        let store = tenantry_memory::with_sources(sources);
        let dump = support::block_on(async {
            moves::users(&store).await;
            for step in &moves {
                clock.advance_micros(1_000);
                let rows = store.dump().await.expect("a dump");
                if let Err(Error::Domain(error)) = step.play(&store, &clock, &rows).await {
                    seen.insert(format!("refused {}", error.code()));
                }
            }
            store.dump().await.expect("a dump")
        });
        let now = clock.now();
        seen.extend(dump.users.iter().map(|user| format!("user {}", user.status)));
        seen.extend(dump.organizations.iter().map(|org| format!("organization {}", org.status)));
        seen.extend(dump.organizations.iter().map(|org| format!("depth {}", org.depth())));
        seen.extend(dump.memberships.iter().map(|mem| format!("membership {} {}", mem.status, mem.role)));
        seen.extend(dump.invitations.iter().map(|inv| format!("invitation {} as {}", inv.status_at(now), inv.status)));
        seen.extend(dump.tuples.iter().map(|tuple| format!("tuple of {} on {}", tuple.key.subject.kind, tuple.key.object.kind)));
        seen.extend(dump.tuples.iter().map(|tuple| format!("tuple scoped {}", tuple.org_id.is_some())));
        seen.extend(dump.tuples.iter().map(|tuple| format!("tuple expired {}", tuple.is_expired(now))));
        seen.extend(dump.events.iter().map(|event| event.kind.as_str().to_owned()));
    }
    for wanted in [
        "user revoked",
        "organization revoked",
        "organization suspended",
        "depth 9",
        "membership suspended owner",
        "membership.expired",
        "invitation pending as pending",
        "invitation accepted as accepted",
        "invitation declined as declined",
        "invitation revoked as revoked",
        "invitation expired as pending",
        "invitation expired as expired",
        "tuple of usr on doc",
        "tuple of doc on org",
        "tuple scoped true",
        "tuple scoped false",
        "tuple expired true",
        "refused conflict.seat_limit",
        "refused conflict.duplicate_invitation",
        "refused conflict.invitation_expired",
        "refused conflict.invitation_not_pending",
        "refused conflict.duplicate_tuple",
        "refused precondition.identifier_mismatch",
        "refused precondition.not_a_member",
        "refused precondition.membership_relation",
    ] {
        assert!(seen.contains(wanted), "no sequence came to `{wanted}`: {seen:#?}");
    }
    let missing: Vec<_> = tenantry_core::EventType::ALL.iter().filter(|kind| !seen.contains(kind.as_str())).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
