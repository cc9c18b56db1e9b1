//! Plays a pairing: rounds, each over a world of its own, until enough of them have overlapped.
//!
//! # What counts as an overlap
//!
//! Two calls that are let go at the same moment can still run one after the other, and then a round says nothing. So a round counts
//! only when one of these was *seen* in it:
//!
//! - In a store with one lock (memory, SQLite), a **wait**: a call was asked for while another one held the lock, that is at least
//!   the way to the lock ([`Kind::way_to_lock`]) before that one was last seen at work under it, and had the lock after it. For two
//!   connections to one SQLite file the call must also have been held up for as long as SQLite's busy handler sleeps at least,
//!   a millisecond, before it read its clock under the lock.
//! - In Postgres, a **second attempt**: the clock is read once for each attempt, and a call that read it twice has met a conflict, a
//!   lost unique key or a failed serialization. Waits that end without one are not seen and not counted.
//!
//! Some pairings can do neither in Postgres: a call that is refused for what it loads first writes nothing, waits for nothing and is
//! not decided twice. These are marked ([`Seen::InFlight`]), and a round of theirs counts when the two calls were **in flight** together: each
//! read its clock, before its load, before the other one was answered.
//!
//! Every other round is made to overlap, by holding the calls where they meet ([`Build::meeting_place`]); in the rounds between, the
//! calls run freely, one of them a little later than the other, so that it comes into every phase of the first one. In Postgres that
//! time is adapted until about half of these rounds overlap. In the others it is not, as a lock is rarely held for as long as the way
//! to it takes, so that few of the free rounds count.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tenantry_conformance::testing::invariants::{self, Deed};
use tenantry_core::source::SeededSecrets;
use tenantry_core::{Dump, SecretSource};

use crate::arena::{Arena, Build, Call, Kind};
use crate::pairings::{Pairing, Race, ordered};
use crate::watch::{Place, Track};
use crate::worlds::Maker;

/// How many worlds are made before they are raced in, one right after the other.
const BATCH: usize = 24;
/// How many worlds one store takes: all its rows are compared after each batch.
const WORLDS: usize = 60;
/// A busy connection sleeps at least so long.
const SLEEP: Duration = Duration::from_millis(1);
/// How far ends lie ahead that are to have come when the race is run.
const LATER: Duration = Duration::from_hours(2);

/// What shows that a round has overlapped in Postgres.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    Conflict,
    InFlight,
}

/// What became of the rounds of a pairing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    pub(crate) rounds: usize,
    pub(crate) overlapped: usize,
    /// Of those, how many were not made to.
    pub(crate) freely: usize,
    pub(crate) outcomes: BTreeMap<Vec<String>, usize>,
    /// What was wrong.
    pub(crate) problems: Vec<String>,
}

/// Stores to play in, made anew when one has taken enough.
pub(crate) struct Playground {
    kind: Kind,
    build: Build,
    arena: Option<Arena>,
    dice: Dice,
}

impl Playground {
    pub(crate) fn new(kind: Kind, build: Build) -> Self {
        Self { kind, build, arena: None, dice: Dice(SeededSecrets::new(7)) }
    }

    fn arena(&mut self) -> &mut Arena {
        if self.arena.as_ref().is_some_and(|arena| arena.worlds.load(Ordering::Relaxed) >= WORLDS) {
            self.arena = None;
        }
        self.arena.get_or_insert_with(|| Arena::new(self.kind, self.build))
    }

    /// Plays until so many rounds have overlapped, or something was wrong, or there were `most` rounds.
    pub(crate) fn play(&mut self, pairing: &Pairing, wanted: usize, most: usize) -> Tally {
        let mut tally = Tally::default();
        let mut spread = Spread::new(self.kind);
        while tally.overlapped < wanted && tally.rounds < most && tally.problems.is_empty() {
            // About as many as are still missing, if half of them, or two thirds, overlap.
            let missing = wanted - tally.overlapped;
            let batch = if self.kind.locks() { missing * 2 } else { missing * 3 / 2 };
            let batch = if pairing.alone { 1 } else { batch.next_multiple_of(2).min(BATCH).min(most - tally.rounds) };
            self.batch(pairing, batch, &mut tally, &mut spread);
        }
        tally
    }

    fn batch(&mut self, pairing: &Pairing, size: usize, tally: &mut Tally, spread: &mut Spread) {
        let mut dice = std::mem::replace(&mut self.dice, Dice(SeededSecrets::new(0)));
        let (kind, place) = (self.kind, self.build.meeting_place(self.kind, pairing.seen));
        let arena = self.arena();
        let worlds: Vec<Race> = (0..size).map(|_| build(arena, pairing)).collect();
        if pairing.later {
            arena.advance(LATER);
        }
        let before = arena.dump();
        let mut played = Vec::new();
        for race in worlds {
            let made_to = tally.rounds.is_multiple_of(2);
            let place = if made_to { place } else { Place::Nowhere };
            let mut calls: Vec<(Call, Duration)> = race.calls.iter().map(|call| (call.clone(), Duration::ZERO)).collect();
            if !made_to {
                let late = usize::try_from(dice.below(calls.len() as u64)).expect("small");
                calls[late].1 = Duration::from_nanos(dice.below(spread.nanos()));
            }
            let seen = arena.race(&calls, place);
            let (outcomes, tracks): (Vec<String>, Vec<Track>) = seen.into_iter().unzip();
            let overlapped = overlap(kind, pairing.seen, &tracks);
            if !made_to {
                spread.adapt(overlapped);
                tally.freely += usize::from(overlapped);
            }
            tally.rounds += 1;
            tally.overlapped += usize::from(overlapped);
            if let Some(problem) = pairing.refuse(&outcomes) {
                tally.problems.push(problem);
            }
            *tally.outcomes.entry(ordered(outcomes.clone())).or_default() += 1;
            played.push((race, outcomes));
        }
        let after = arena.dump();
        let deed = Deed::trusted(pairing.deed);
        tally.problems.extend(invariants::broken(&before, &after, deed, arena.now()));
        for (race, outcomes) in &played {
            tally.problems.extend(told(&after, race, outcomes));
            tally.problems.extend((race.settled)(&after).map(|problem| format!("{outcomes:?}: {problem}")));
        }
        self.dice = dice;
    }

    /// Plays one round in which the calls come one after the other, in this order.
    pub(crate) fn in_turn(&mut self, pairing: &Pairing, order: impl IntoIterator<Item = usize>) -> (Vec<String>, Vec<String>) {
        let arena = self.arena();
        let race = build(arena, pairing);
        if pairing.later {
            arena.advance(LATER);
        }
        let before = arena.dump();
        let outcomes = arena.in_turn(&race.calls, order);
        let after = arena.dump();
        let mut problems = invariants::broken(&before, &after, Deed::trusted(pairing.deed), arena.now());
        problems.extend(told(&after, &race, &outcomes));
        problems.extend((race.settled)(&after));
        (outcomes, problems)
    }
}

fn build(arena: &Arena, pairing: &Pairing) -> Race {
    let number = arena.worlds.fetch_add(1, Ordering::Relaxed);
    let maker = Maker::new(&*arena.store, number, arena.now());
    let mut race = arena.block_on((pairing.build)(maker)).expect("a world");
    for (place, call) in race.calls.iter_mut().enumerate() {
        let request = format!("{number}-{place}");
        call.requested(&request);
        race.requests.push(request);
    }
    race
}

/// What succeeded is told by an event, what did not by none: an answer is true, and a refusal has written nothing.
fn told(rows: &Dump, race: &Race, outcomes: &[String]) -> Vec<String> {
    let mut problems = Vec::new();
    for (request, outcome) in race.requests.iter().zip(outcomes) {
        let events = rows.events.iter().filter(|event| event.request_id.as_ref().is_some_and(|id| id.as_str() == request)).count();
        if (events > 0) != outcome.starts_with("ok") {
            problems.push(format!("the call {request} was answered with `{outcome}`, and {events} events tell of it"));
        }
    }
    problems
}

/// Whether a round has overlapped; see above.
fn overlap(kind: Kind, seen: Seen, tracks: &[Track]) -> bool {
    if kind.locks() {
        let waited = |call: &Track, holder: &Track| {
            let (Some(asked), Some(got)) = (call.asked, call.attempts.first()) else { return false };
            let (Some(held), Some(last)) = (holder.attempts.first(), holder.last_seen) else { return false };
            let slept = kind != Kind::Sqlite || got.duration_since(asked) >= SLEEP;
            got > held && asked + kind.way_to_lock() <= last && slept
        };
        return tracks.iter().any(|call| tracks.iter().any(|holder| waited(call, holder)));
    }
    match seen {
        Seen::Conflict => tracks.iter().any(|track| track.attempts.len() > 1),
        Seen::InFlight => {
            let last_begun = tracks.iter().filter_map(|track| track.attempts.first()).max();
            let first_answered = tracks.iter().filter_map(|track| track.answered.as_ref()).min();
            last_begun < first_answered
        }
    }
}

/// How much later than the other a call comes at most.
struct Spread {
    most: Duration,
    adapts: bool,
}

impl Spread {
    const LEAST: Duration = Duration::from_micros(2);
    const MOST: Duration = Duration::from_millis(20);

    const fn new(kind: Kind) -> Self {
        let most = match kind {
            Kind::Memory => Duration::from_micros(200),
            Kind::Sqlite | Kind::SqliteShared | Kind::Postgres => Duration::from_millis(1),
        };
        Self { most, adapts: !kind.locks() }
    }

    fn nanos(&self) -> u64 {
        u64::try_from(self.most.as_nanos()).expect("milliseconds").max(1)
    }

    fn adapt(&mut self, overlapped: bool) {
        if self.adapts {
            self.most = if overlapped { self.most * 5 / 4 } else { self.most * 4 / 5 }.clamp(Self::LEAST, Self::MOST);
        }
    }
}

struct Dice(SeededSecrets);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes).expect("it needs no system");
        u64::from_le_bytes(bytes) % bound
    }
}
