//! What every part of the suite stands on: the world at a moment that stands still, and ids that come again.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tenantry_conformance::testing::World;
use tenantry_core::source::{IdSource, ManualClock, MonotonicIds, SeededSecrets};
use tenantry_core::wire::{self, CallError, Reply};
use tenantry_core::{AnyId, BackendError, Dump, Error, Id, Sources, TenancyStore, Timestamp, User};
use uuid::Uuid;

use crate::commands;

/// The sources of a stage.
#[derive(Debug, Clone)]
pub(crate) struct Same {
    clock: Arc<ManualClock>,
    ids: Arc<Again>,
}

impl Same {
    pub(crate) fn new() -> Self {
        let start = "2026-01-01T00:00:00Z".parse().unwrap();
        Self { clock: Arc::new(ManualClock::new(start)), ids: Arc::new(Again(Mutex::new(seeded(1)))) }
    }

    pub(crate) fn sources(&self) -> Sources {
        Sources { clock: Arc::<ManualClock>::clone(&self.clock), ids: Arc::<Again>::clone(&self.ids) }
    }

    /// The world in an empty store, with what has expired when the commands come.
    pub(crate) async fn build(&self, store: &dyn TenancyStore) -> World {
        let world = World::build(store).await.unwrap();
        let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        commands::add_what_expires(store, &world, start.plus_micros(500)).await;
        self.clock.advance_micros(1_000);
        world
    }

    /// Calls a command with the ids that it always gets here.
    pub(crate) async fn call(&self, store: &dyn TenancyStore, (name, input): &(&'static str, Value)) -> Result<Reply, CallError> {
        *self.ids.0.lock().unwrap() = seeded(2);
        let input = serde_json::from_value(input.clone()).expect("JSON is a value");
        wire::call(store, name, &input).await
    }
}

/// Ids that begin anew when told, so that each attempt at a command draws the same ones.
#[derive(Debug)]
struct Again(Mutex<MonotonicIds>);

fn seeded(seed: u64) -> MonotonicIds {
    MonotonicIds::new(Arc::new(SeededSecrets::new(seed)))
}

impl IdSource for Again {
    fn next(&self, now: Timestamp) -> Result<Uuid, BackendError> {
        self.0.lock().unwrap().next(now)
    }
}

/// The store's failure; anything else is none of ours.
#[track_caller]
pub(crate) fn failure(error: CallError, what: &dyn fmt::Display) -> BackendError {
    match error {
        CallError::Store(Error::Backend(error)) => error,
        other => panic!("{what}: {other:?}"),
    }
}

/// The name of what is written to see that a store works.
pub(crate) const PROBE: &str = "Probe";

fn is_probe(user: &User) -> bool {
    user.display_name.as_ref().is_some_and(|name| name.as_str() == PROBE)
}

/// The rows without users of that name, and how many there were.
pub(crate) fn without_probes(rows: Dump) -> (Dump, usize) {
    let probes: BTreeSet<AnyId> = rows.users.iter().filter(|user| is_probe(user)).map(|user| user.id.any()).collect();
    let users = rows.users.into_iter().zip(rows.user_revisions).filter(|(user, _)| !is_probe(user));
    let (users, user_revisions) = users.unzip();
    let events = rows.events.into_iter().filter(|event| !event.subject_ids.iter().any(|id| probes.contains(id))).collect();
    (Dump { users, user_revisions, events, ..rows }, probes.len())
}
