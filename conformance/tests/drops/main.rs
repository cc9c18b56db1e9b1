//! Drops every command on every store in the middle of its work, after each number of polls that it takes: the rows are then as
//! before or as after it, never between, and the store goes on working.
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
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tenantry_conformance::testing::{Moment, World, count_polls, drop_after};
use tenantry_conformance::{Fresh, TestStore, dump_differences};
use tenantry_core::source::{IdSource, ManualClock, MonotonicIds, SeededSecrets};
use tenantry_core::wire::{self, Reply};
use tenantry_core::{AnyId, BackendError, CreateUser, Dump, Id, RevokeOrg, Sources, Timestamp, User};
use uuid::Uuid;

/// How many polls beyond those of an undisturbed run are tried: a runtime polls more often than it must.
const MARGIN: usize = 2;
/// How long rows must stand still to count as settled.
const PAUSE: Duration = Duration::from_millis(10);

#[test]
fn memory() {
    run("memory");
}

#[test]
fn sqlite() {
    run("sqlite");
}

#[test]
fn postgres() {
    run("postgres");
}

#[test]
fn every_command_is_here() {
    let world = support::block_on(Stage::new(support::store("memory"))).world;
    let mut here: Vec<&str> = commands::commands(&world).into_iter().map(|(name, _)| name).collect();
    here.dedup();
    let all: Vec<&str> = wire::OPERATIONS.iter().filter(|operation| operation.writes).map(|operation| operation.name).collect();
    assert_eq!(here, all);
}

fn run(name: &str) {
    // Several threads: what a dropped future set off goes on beside the test.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let tally = runtime.block_on(all(support::store(name)));
    let Tally { drops, before, after, late } = tally;
    println!(
        "{name}: {drops} drops, {before} left the rows as before, {after} as after; {late} times the write was still under way when the next calls had ended"
    );
    assert!(drops > 150, "only {drops} drops");
}

#[derive(Debug, Default)]
struct Tally {
    drops: usize,
    before: usize,
    after: usize,
    late: usize,
}

async fn all(store: &dyn TestStore) -> Tally {
    let mut tally = Tally::default();
    let mut stage = Stage::new(store).await;
    for index in 0..commands::commands(&stage.world).len() {
        let (polls, after) = stage.undisturbed(index).await;
        stage = Stage::new(store).await;
        for polls in 0..=polls + MARGIN {
            for moment in Moment::ALL {
                tally.drops += 1;
                let (written, late) = stage.dropped(index, polls, moment, &after).await;
                tally.late += usize::from(late);
                *(if written { &mut tally.after } else { &mut tally.before }) += 1;
                stage = Stage::new(store).await;
            }
        }
    }
    tally
}

/// How many writes follow a drop: enough to come upon each connection of a store.
const WRITES: usize = 6;
/// The name of what they write.
const PROBE: &str = "Probe";

fn is_probe(user: &User) -> bool {
    user.display_name.as_ref().is_some_and(|name| name.as_str() == PROBE)
}

/// The rows without the users that `write_and_look` made.
fn without_probes(rows: Dump) -> Dump {
    let probes: BTreeSet<AnyId> = rows.users.iter().filter(|user| is_probe(user)).map(|user| user.id.any()).collect();
    let users = rows.users.into_iter().zip(rows.user_revisions).filter(|(user, _)| !is_probe(user));
    let (users, user_revisions) = users.unzip();
    let events = rows.events.into_iter().filter(|event| !event.subject_ids.iter().any(|id| probes.contains(id))).collect();
    Dump { users, user_revisions, events, ..rows }
}

/// A fresh store with the world in it, and a source of ids that gives the same ones again.
struct Stage {
    fresh: Fresh,
    world: World,
    before: Dump,
    ids: Arc<Again>,
}

impl Stage {
    async fn new(store: &dyn TestStore) -> Self {
        let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let (clock, ids) = (Arc::new(ManualClock::new(start)), Arc::new(Again::default()));
        let fresh = store.fresh(Sources { clock: Arc::<ManualClock>::clone(&clock), ids: Arc::<Again>::clone(&ids) }).await;
        let fresh = fresh.expect("a fresh store");
        let world = World::build(&*fresh.store).await.expect("the world");
        commands::add_what_expires(&*fresh.store, &world, start.plus_micros(500)).await;
        clock.advance_micros(1_000);
        let before = fresh.inspect.dump().await.expect("its rows");
        Self { fresh, world, before, ids }
    }

    /// Runs a command to its end; answers how often it was polled, and the rows after it.
    async fn undisturbed(&self, index: usize) -> (usize, Dump) {
        self.ids.rewind();
        let (name, input) = commands::commands(&self.world).swap_remove(index);
        let (reply, polls) = count_polls(self.call(name, input)).await;
        assert!(reply.is_ok(), "{name}: {reply:?}");
        let after = self.dump().await;
        assert!(after != self.before, "{name} wrote nothing: {reply:?}");
        (polls, after)
    }

    /// Runs a command and drops it. Whether the rows are those after it, and whether it was still under way then.
    async fn dropped(&self, index: usize, polls: usize, moment: Moment, after: &Dump) -> (bool, bool) {
        self.ids.rewind();
        let (name, input) = commands::commands(&self.world).swap_remove(index);
        let what = format!("{name} dropped after {polls} polls ({moment:?})");
        let output = drop_after(self.call(name, input), polls, moment).await;
        let first = self.write_and_look(&what).await;
        let rows = without_probes(self.settled().await);
        let written = rows == *after;
        assert!(
            written || rows == self.before,
            "{what}: neither before nor after.\nto before: {:#?}\nto after: {:#?}",
            dump_differences(&self.before, &rows),
            dump_differences(after, &rows)
        );
        match output {
            Some(Ok(_)) => assert!(written, "{what}: it succeeded, and nothing is written"),
            Some(Err(error)) => panic!("{what}: it failed with {error:?}"),
            None => {}
        }
        let path = self.fresh.store.get_org_path(self.world.child).await;
        assert_eq!(path.unwrap_or_else(|error| panic!("{what}: then it cannot be read: {error:?}")).data.len(), 2, "{what}");
        let refused = self.fresh.store.revoke_org(RevokeOrg::new(self.world.org)).await;
        assert_eq!(refused.expect_err("it has a child").code(), "conflict.has_children", "{what}");
        (written, first != rows)
    }

    /// The store goes on at once, and what it writes is there for everyone: a connection that was left in the middle of a
    /// transaction would swallow it. Answers the rows beside what it wrote.
    async fn write_and_look(&self, what: &str) -> Dump {
        for _ in 0..WRITES {
            let written = self.fresh.store.create_user(CreateUser::new().display_name(PROBE)).await;
            written.unwrap_or_else(|error| panic!("{what}: then it cannot write: {error:?}"));
        }
        // At once, so that a store with several connections reads over all of them.
        let all = <[Dump; 6]>::from(tokio::join!(self.dump(), self.dump(), self.dump(), self.dump(), self.dump(), self.dump()));
        for seen in &all {
            let there = seen.users.iter().filter(|user| is_probe(user)).count();
            assert_eq!(there, WRITES, "{what}: then writes that succeeded are not there for everyone");
        }
        let [.., last] = all;
        without_probes(last)
    }

    /// The rows once they stand still: a server may still be at what a dropped future asked of it.
    async fn settled(&self) -> Dump {
        let mut rows = self.dump().await;
        loop {
            tokio::time::sleep(PAUSE).await;
            let again = self.dump().await;
            if again == rows {
                return rows;
            }
            rows = again;
        }
    }

    async fn dump(&self) -> Dump {
        self.fresh.inspect.dump().await.expect("its rows")
    }

    async fn call(&self, operation: &'static str, input: Value) -> Result<Reply, wire::CallError> {
        let input = serde_json::from_value(input).expect("JSON is a value");
        wire::call(&*self.fresh.store, operation, &input).await
    }
}

/// Ids that begin anew when told, so that each attempt at a command draws the same ones.
#[derive(Debug)]
struct Again(Mutex<MonotonicIds>);

impl Default for Again {
    fn default() -> Self {
        Self(Mutex::new(seeded(1)))
    }
}

fn seeded(seed: u64) -> MonotonicIds {
    MonotonicIds::new(Arc::new(SeededSecrets::new(seed)))
}

impl Again {
    fn rewind(&self) {
        *self.0.lock().expect("no test fails here") = seeded(2);
    }
}

impl IdSource for Again {
    fn next(&self, now: Timestamp) -> Result<Uuid, BackendError> {
        self.0.lock().expect("no test fails here").next(now)
    }
}
