//! Weakened stores, which the suite must see through: a suite that passes whatever the store does proves nothing.
//!
//! - **Without the revision guard.** Postgres: the function that writes moves the revision of an organization on from whatever it is,
//!   and numbers events from there. SQLite and memory have no guard that could fail: their commands hold one lock from the load to
//!   the write. What takes their place there is the lock, so it is let go in between, and the write takes revisions as it finds them.
//! - **Locking by SELECT.** Postgres: the function takes the row of the organization by `SELECT ... FOR UPDATE` in place of the update that
//!   compares. Both calls do wait for each other; what the second one has decided is of the past all the same. SQLite and memory have
//!   no locks on rows. A transaction of SQLite that has read, and wants to write after somebody else has, is refused by SQLite
//!   itself; so the same mistake there is the one above.
//!
//! Each of them keeps every invariant as long as one call comes after the other, so it is the race that breaks them.

use crate::arena::{Build, Kind};
use crate::pairings::{self, Pairing};
use crate::play::Playground;
use crate::postgres::Weakness;

/// Within so many rounds of the two owners' pairings together.
const ROUNDS: usize = 200;

/// Plays these pairings until something is wrong; answers in which round that was, and what.
fn first_problem(kind: Kind, build: Build, pairings: &[Pairing]) -> Option<(usize, Vec<String>)> {
    let mut playground = Playground::new(kind, build);
    for pairing in pairings {
        for order in [[0, 1], [1, 0]] {
            let (outcomes, problems) = playground.in_turn(pairing, order);
            assert_eq!((pairing.refuse(&outcomes), problems), (None, Vec::new()), "{}: without a race it is sound", pairing.name);
        }
    }
    let mut rounds = 0;
    for pairing in pairings.iter().cycle() {
        if rounds >= ROUNDS {
            return None;
        }
        let tally = playground.play(pairing, 2, 2);
        rounds += tally.rounds;
        if !tally.problems.is_empty() {
            return Some((rounds, tally.problems));
        }
    }
    None
}

fn breaks(kind: Kind, build: Build) {
    let (rounds, problems) = first_problem(kind, build, &pairings::two_owners()).unwrap_or_else(|| panic!("{ROUNDS} rounds passed"));
    println!("{}, {build:?}: round {rounds}: {problems:#?}", kind.name());
    let unowned = problems.iter().any(|problem| problem.ends_with("has no active owner"));
    assert!(unowned, "not for the reason that was looked for: {problems:#?}");
}

#[test]
fn memory_without_guards_loses_its_owners() {
    breaks(Kind::Memory, Build::WithoutGuards);
}

#[test]
fn sqlite_without_guards_loses_its_owners() {
    breaks(Kind::Sqlite, Build::WithoutGuards);
    breaks(Kind::SqliteShared, Build::WithoutGuards);
}

#[test]
fn postgres_without_the_revision_guard_loses_its_owners() {
    breaks(Kind::Postgres, Build::OtherFunction(Weakness::NoRevisionGuard));
}

#[test]
fn postgres_with_a_lock_by_select_loses_its_owners() {
    breaks(Kind::Postgres, Build::OtherFunction(Weakness::LockBySelect));
}

/// The numbers of events are a second net: the second command would write an event that is there already. It is refused as a failure
/// of the store, which is no answer to a caller, but nobody loses an owner by it.
#[test]
fn postgres_without_the_comparison_is_caught_by_the_numbers_of_events() {
    let build = Build::OtherFunction(Weakness::NoComparison);
    let (rounds, problems) = first_problem(Kind::Postgres, build, &pairings::two_owners()).expect("it does not pass");
    println!("postgres, without the comparison: round {rounds}: {problems:#?}");
    assert!(problems.iter().any(|problem| problem.contains("backend.inconsistent")), "{problems:#?}");
    assert!(!problems.iter().any(|problem| problem.ends_with(" owner")), "{problems:#?}");
}

/// Of two first logins, limits and last organizations, the row of a user without one cannot keep apart what comes at once.
#[test]
fn postgres_without_the_key_or_the_count_of_memberships_breaks_what_a_policy_promises() {
    for weakness in [Weakness::NoCount, Weakness::NoKey] {
        let build = Build::OtherFunction(weakness);
        let found = first_problem(Kind::Postgres, build, &pairings::tenants_of_externals());
        let (rounds, problems) = found.unwrap_or_else(|| panic!("{weakness:?}: {ROUNDS} rounds passed"));
        println!("postgres, {weakness:?}: round {rounds}: {problems:#?}");
        assert!(problems.iter().any(|problem| problem.contains("the user owns [")), "{problems:#?}");
    }
}
