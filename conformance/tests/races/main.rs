//! Races: what must hold when several callers want the same thing at once (spec/, and `adr/0002`, `adr/0005`). Real connections, on every
//! store; two calls, or eight, let go at the same moment on threads of their own. After each round the calls must have come to what
//! one after the other gives, every invariant must hold over all rows, and the events must tell of what succeeded and of nothing else.
//!
//! `TENANTRY_RACE_ROUNDS` says how many rounds of each pairing must have overlapped; what that means is said in [`play`].
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says what it did"
)]

mod arena;
mod pairings;
mod play;
mod postgres;
mod report;
#[path = "../support/mod.rs"]
mod support;
mod through;
mod watch;
mod weakened;
mod worlds;

use std::collections::BTreeSet;

use arena::{Build, Kind};
use play::Playground;
use postgres::Level;
use report::Report;

/// So many rounds of each pairing must have overlapped, unless more are asked for.
const FEW: usize = 4;

/// How many are asked for.
fn wanted() -> Option<usize> {
    let rounds = std::env::var("TENANTRY_RACE_ROUNDS").ok()?;
    Some(rounds.parse().expect("TENANTRY_RACE_ROUNDS is a number"))
}

#[test]
fn memory() {
    run(Kind::Memory, Build::Shipped);
}

#[test]
fn sqlite_with_a_connection_for_each() {
    run(Kind::Sqlite, Build::Shipped);
}

#[test]
fn sqlite_with_one_writer_for_all() {
    run(Kind::SqliteShared, Build::Shipped);
}

#[test]
fn postgres() {
    run(Kind::Postgres, Build::Shipped);
}

#[test]
fn postgres_inside_read_committed_transactions_of_the_callers() {
    run(Kind::Postgres, Build::InTransaction(Level::ReadCommitted));
}

#[test]
fn postgres_inside_repeatable_read_transactions_of_the_callers() {
    run(Kind::Postgres, Build::InTransaction(Level::RepeatableRead));
}

#[test]
fn postgres_inside_serializable_transactions_of_the_callers() {
    run(Kind::Postgres, Build::InTransaction(Level::Serializable));
}

fn run(kind: Kind, build: Build) {
    let wanted = wanted().unwrap_or(FEW);
    // Half of the rounds are made to overlap; a machine that is busy with something else may spoil many of them.
    let most = wanted * 8 + 40;
    let mut playground = Playground::new(kind, build);
    let mut report = Report::new(format!("{}, {build:?}", kind.name()));
    let mut all = pairings::all();
    if matches!(build, Build::InTransaction(_)) {
        all.extend(pairings::crosswise());
    }
    for (number, pairing) in all.iter().enumerate() {
        if let Build::InTransaction(level) = build {
            if pairing.read_committed && level != Level::ReadCommitted {
                let (outcomes, problems) = playground.in_turn(pairing, [0, 1]);
                assert_eq!((outcomes[0].as_str(), problems), ("backend.isolation", Vec::new()), "{}", pairing.name);
                continue;
            }
            // In the small size the three levels share the pairings among themselves.
            let crosswise = pairing.name.ends_with("crosswise");
            if self::wanted().is_none() && !crosswise && Level::ALL[number % 3] != level {
                continue;
            }
        }
        let tally = playground.play(pairing, wanted, most);
        let line = report.add(pairing, &tally);
        if self::wanted().is_some() {
            println!("{}: {line}", kind.name());
        }
        let what = format!("{}, {build:?}, {}", kind.name(), pairing.name);
        assert!(tally.problems.is_empty(), "{what}, round {}: {:#?}", tally.rounds, tally.problems);
        let counts = format!("{} of {} rounds overlapped: {:?}", tally.overlapped, tally.rounds, tally.outcomes);
        assert!(tally.overlapped >= wanted, "{what}: {counts}");
    }
    println!("{report}");
}

/// The lists of what may come of a race are written by hand. None of them may hold more, or less, than some order of the calls gives.
#[test]
fn what_may_come_of_a_race_is_what_one_call_after_the_other_gives() {
    let mut playground = Playground::new(Kind::Memory, Build::Shipped);
    for pairing in pairings::all() {
        let mut given = BTreeSet::new();
        let calls = pairing.allowed[0].len();
        for backwards in [false, true] {
            let order: Vec<usize> = if backwards { (0..calls).rev().collect() } else { (0..calls).collect() };
            let (outcomes, problems) = playground.in_turn(&pairing, order);
            assert!(problems.is_empty(), "{}: {problems:#?}", pairing.name);
            given.insert(pairings::ordered(outcomes));
        }
        let allowed: BTreeSet<Vec<String>> =
            pairing.allowed.iter().map(|outcomes| outcomes.iter().map(|&outcome| outcome.to_owned()).collect()).collect();
        assert_eq!(given, allowed, "{}", pairing.name);
    }
}
