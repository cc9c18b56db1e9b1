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

mod imports;
mod invariants;
mod moves;
#[path = "../support/mod.rs"]
mod support;
mod texts;

use std::sync::Arc;

use proptest::prelude::*;
use tenantry_core::{Error, Inspect, Sources};

use moves::Move;

proptest! {
    #![proptest_config(cases(192))]

    // covers: ERR-5
    #[test]
    fn commands_keep_the_invariants(moves in prop::collection::vec(moves::any_move(), 20..120)) {
        support::block_on(play(&moves))?;
    }
}

/// So many cases, or as many as `PROPTEST_CASES` asks for.
pub(crate) fn cases(cases: u32) -> ProptestConfig {
    let default = ProptestConfig::default();
    if std::env::var_os("PROPTEST_CASES").is_some() { default } else { ProptestConfig { cases, ..default } }
}

async fn play(moves: &[Move]) -> Result<(), TestCaseError> {
    let (sources, clock) = Sources::deterministic("2026-01-01T00:00:00Z".parse().expect("a time"), 1);
    let store = Arc::new(tenantry_memory::with_sources(sources));
    moves::users(&*store).await;
    let mut before = store.dump().await.expect("a dump");
    for (index, step) in moves.iter().enumerate() {
        clock.advance_micros(1_000);
        let now = tenantry_core::Clock::now(&*clock);
        let outcome = step.play(&*store, &clock, &before, now).await;
        let after = store.dump().await.expect("a dump");
        let broken = match &outcome {
            // The suspension of a user may leave no acting owner, and an import brings what there was elsewhere.
            Ok(()) => invariants::broken(&before, &after, matches!(step, Move::SuspendUser(_) | Move::Import(_)), now),
            Err(Error::Domain(_)) if before == after => Vec::new(),
            Err(error) => vec![format!("it failed with {error:?}, and rows changed or the store is to blame")],
        };
        prop_assert!(broken.is_empty(), "after move {index}, {step:?}: {broken:#?}");
        before = after;
    }
    Ok(())
}

/// Sequences must get somewhere: with moves that are nearly all refused, the property would say nothing.
#[test]
fn moves_reach_every_kind_of_state() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;

    let mut runner = TestRunner::deterministic();
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..40 {
        let moves = prop::collection::vec(moves::any_move(), 120).new_tree(&mut runner).expect("moves").current();
        let (sources, clock) = Sources::deterministic("2026-01-01T00:00:00Z".parse().expect("a time"), 1);
        let store = tenantry_memory::with_sources(sources);
        let dump = support::block_on(async {
            moves::users(&store).await;
            for step in &moves {
                clock.advance_micros(1_000);
                let rows = store.dump().await.expect("a dump");
                let _refused = step.play(&store, &clock, &rows, tenantry_core::Clock::now(&*clock)).await;
            }
            store.dump().await.expect("a dump")
        });
        seen.extend(dump.users.iter().map(|user| format!("user {}", user.status)));
        seen.extend(dump.organizations.iter().map(|org| format!("organization {}", org.status)));
        seen.extend(dump.organizations.iter().map(|org| format!("depth {}", org.depth())));
        seen.extend(dump.memberships.iter().map(|mem| format!("membership {} {}", mem.status, mem.role)));
        seen.extend(dump.events.iter().map(|event| event.kind.as_str().to_owned()));
    }
    for wanted in
        ["user revoked", "organization revoked", "organization suspended", "depth 9", "membership suspended owner", "membership.expired"]
    {
        assert!(seen.contains(wanted), "no sequence came to `{wanted}`: {seen:#?}");
    }
    let missing: Vec<_> = tenantry_core::EventType::ALL.iter().filter(|kind| !seen.contains(kind.as_str())).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
