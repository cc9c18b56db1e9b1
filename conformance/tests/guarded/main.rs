//! Every operation, by every kind of actor, about what is the actor's own, another's and nobody's, on every store: who may do it,
//! what the others are told, and that they are not told more.
//!
//! What is expected stands in `expected.json`, written by hand from spec/guarded.md. Nothing of it is computed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says what it did"
)]

#[path = "../support/mod.rs"]
mod support;
mod table;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};
use tenantry_conformance::{Fresh, TestStore};
use tenantry_core::source::ManualClock;
use tenantry_core::wire::{self, CallError};
use tenantry_core::{Caller, EventId, Sources, TenancyStore, UserId};

use table::{Row, TARGETS, Table};
use world::{Names, World, fill};

/// Cells of one store; fewer mean that a part of the table was lost.
const AT_LEAST: usize = 2_200;

// covers: GRD-4, GRD-5, GRD-6, GRD-49, GRD-50, GRD-51, GRD-52, GRD-53, GRD-54, GRD-55, GRD-56
#[test]
fn memory() {
    support::block_on(all("memory"));
}

// covers: GRD-4, GRD-5, GRD-6, GRD-49, GRD-50, GRD-51, GRD-52, GRD-53, GRD-54, GRD-55, GRD-56
#[test]
fn sqlite() {
    support::block_on(all("sqlite"));
}

// covers: GRD-4, GRD-5, GRD-6, GRD-49, GRD-50, GRD-51, GRD-52, GRD-53, GRD-54, GRD-55, GRD-56
#[test]
fn postgres() {
    support::block_on(all("postgres"));
}

// covers: GRD-33
#[test]
fn outcomes_in_memory() {
    support::block_on(outcomes("memory"));
}

// covers: GRD-33
#[test]
fn outcomes_in_sqlite() {
    support::block_on(outcomes("sqlite"));
}

// covers: GRD-33
#[test]
fn outcomes_in_postgres() {
    support::block_on(outcomes("postgres"));
}

#[test]
fn every_operation_has_rows() {
    let table = Table::read();
    let named: BTreeSet<&str> = table.rows.iter().map(|row| row.operation.as_str()).collect();
    let left_out: BTreeSet<&str> = table.left_out.keys().map(String::as_str).collect();
    let known: BTreeSet<&str> = wire::OPERATIONS.iter().map(|operation| operation.name).collect();
    assert!(left_out.len() <= 3, "too much is left out: {left_out:?}");
    assert_eq!(named.union(&left_out).copied().collect::<BTreeSet<_>>(), known);
    assert!(named.is_disjoint(&left_out));
}

#[test]
fn every_row_says_what_it_is() {
    let table = Table::read();
    assert_eq!(table.actors, world::ACTORS);
    let mut labels = BTreeSet::new();
    for row in &table.rows {
        assert!(labels.insert(row.label()), "`{}` stands there twice", row.label());
        assert_eq!(row.foreign.is_some(), row.missing.is_some(), "{}", row.label());
        assert!(row.foreign.is_some() || row.why.is_some(), "{} names no organization and does not say why", row.label());
    }
}

/// What a call came to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Answer {
    Reply(Value),
    Refused { code: String, message: String },
}

pub(crate) async fn call(store: &dyn TenancyStore, operation: &str, input: &Value) -> Answer {
    let input = serde_json::from_value(input.clone()).expect("JSON is a value");
    match wire::call(store, operation, &input).await {
        Ok(reply) => Answer::Reply(serde_json::to_value(&reply).expect("a reply is JSON")),
        Err(CallError::Store(error)) => Answer::Refused { code: error.code(), message: error.to_string() },
        Err(other) => panic!("{operation}: {other}"),
    }
}

impl Answer {
    /// The word that the table has for it.
    fn word(&self, row: &Row) -> &str {
        match self {
            Self::Refused { code, .. } => code,
            Self::Reply(reply) if row.tells_empty() && reply["data"].as_array().is_some_and(Vec::is_empty) => "empty",
            Self::Reply(_) => "ok",
        }
    }

    /// Whether it says that there is nothing.
    fn denies(&self, row: &Row) -> bool {
        ["not_found", "empty"].contains(&self.word(row))
    }
}

/// A store, and the world in it that was made last.
struct Stage {
    fresh: Fresh,
    clock: Arc<ManualClock>,
    worlds: u64,
    world: World,
    rows: Value,
}

impl Stage {
    async fn new(store: &dyn TestStore) -> Self {
        let (sources, clock) = Sources::deterministic("2026-01-01T00:00:00Z".parse().unwrap(), 1);
        let fresh = store.fresh(sources).await.expect("a fresh store");
        let world = World::build(&*fresh.store, 0).await;
        let rows = watched(&*fresh.store, &world).await;
        Self { fresh, clock, worlds: 1, world, rows }
    }

    /// Makes another world beside those that are there: whatever was written in them, the next cell meets none of it.
    async fn next_world(&mut self) {
        self.clock.advance_micros(1_000);
        self.world = World::build(&*self.fresh.store, self.worlds).await;
        self.worlds += 1;
        self.rows = watched(&*self.fresh.store, &self.world).await;
    }

    async fn ask(&self, actor: &str, row: &Row, names: &Names) -> Answer {
        let vouched: Vec<String> = row.vouched.iter().map(|text| fill(&json!(text), names).as_str().unwrap().to_owned()).collect();
        let caller = guarded(&self.world, actor);
        let caller = if vouched.is_empty() { caller } else { caller.vouching(vouched) };
        call(&*self.fresh.store.with_caller(caller), &row.operation, &fill(&row.input, names)).await
    }
}

fn guarded(world: &World, actor: &str) -> Caller {
    let id: UserId = world.actor(actor).usr.parse().expect("an id");
    Caller::guarded(id)
}

/// The organizations of a world with their revisions, and its users.
async fn watched(store: &dyn TenancyStore, world: &World) -> Value {
    let orgs = world::must(store, "get_orgs", &json!({"org_ids": world.orgs()})).await;
    let users = world::must(store, "get_users", &json!({"usr_ids": world.users()})).await;
    assert_eq!(orgs["data"].as_array().map(Vec::len), Some(world.orgs().len()));
    json!([orgs, users])
}

/// Runs the whole table on a store.
async fn all(name: &str) {
    let table = Table::read();
    let mut stage = Stage::new(support::store(name)).await;
    let (mut cells, mut failures) = (0, Vec::new());
    for row in &table.rows {
        let writes = wire::operation(&row.operation).unwrap_or_else(|| panic!("there is no operation `{}`", row.operation)).writes;
        for (index, actor) in table.actors.iter().enumerate() {
            let mut answers = BTreeMap::new();
            for target in TARGETS {
                let Some(expected) = row.expected(target, index, table.actors.len()) else { continue };
                cells += 1;
                let label = format!("{} by {actor}, {target}", row.label());
                let names = stage.world.names(actor, target);
                let answer = stage.ask(actor, row, &names).await;
                if answer.word(row) != expected {
                    failures.push(format!("{label}: expected {expected}, got {answer:?}"));
                }
                if writes && matches!(answer, Answer::Reply(_)) {
                    stage.next_world().await;
                } else {
                    let rows = watched(&*stage.fresh.store, &stage.world).await;
                    if rows != stage.rows {
                        failures.push(format!("{label}: {} was changed into {rows}", stage.rows));
                        stage.next_world().await;
                    }
                }
                answers.insert(target, answer);
            }
            failures.extend(told_apart(row, &answers).map(|how| format!("{} by {actor}: {how}", row.label())));
        }
    }
    println!("{name}: {cells} cells, {} worlds, {} failures", stage.worlds, failures.len());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(cells >= AT_LEAST, "only {cells} cells");
}

/// How the answers tell what is another's from what is nobody's.
fn told_apart(row: &Row, answers: &BTreeMap<&str, Answer>) -> Option<String> {
    let (foreign, missing) = (answers.get("foreign")?, answers.get("missing")?);
    if row.unlike.is_some() {
        return None;
    }
    let own = answers.get("own").filter(|own| own.denies(row));
    let other = [Some(foreign), own].into_iter().flatten().find(|answer| *answer != missing)?;
    Some(format!("{other:?} is not {missing:?}"))
}

/// Events by their ids: shown to who caused them and to owner and admin of their organization.
async fn outcomes(name: &str) {
    let stage = Stage::new(support::store(name)).await;
    let (store, world) = (&*stage.fresh.store, &stage.world);
    let (own, foreign) = (world.names("stranger", "own"), world.names("stranger", "foreign"));

    let owner = store.with_caller(guarded(world, "owner"));
    world::must(&*owner, "update_org", &json!({"org_id": own["org"], "name": "Renamed"})).await;
    let renamed = last_event(store, &own["org"], "organization.updated").await;
    shown(&stage, renamed, &["admin", "owner"]).await;

    let added = last_event(store, &own["org"], "membership.added").await;
    shown(&stage, added, &["admin", "owner"]).await;
    let elsewhere = last_event(store, &foreign["org"], "invitation.created").await;
    shown(&stage, elsewhere, &[]).await;

    // Who causes an event and is no admin there sees that one, and no other.
    let stranger = store.with_caller(guarded(world, "stranger"));
    let input = json!({"inv_id": foreign["inv"], "as_usr_id": foreign["actor"], "accepting_identifier": foreign["identifier"]});
    world::must(&*stranger, "accept_invitation", &input).await;
    let accepted = last_event(store, &foreign["org"], "invitation.accepted").await;
    shown(&stage, accepted, &["stranger"]).await;
    shown(&stage, elsewhere, &[]).await;

    // The right to see what others caused ends with the membership; what one caused oneself stays in sight.
    world::must(store, "suspend_org", &json!({"org_id": own["org"]})).await;
    shown(&stage, renamed, &["owner"]).await;
    shown(&stage, added, &[]).await;

    let unknown: EventId = world::id("aud", 0xfff, 1).parse().expect("an id");
    assert_eq!(store.outcome(unknown).await.expect("an answer"), None);
    shown(&stage, unknown, &[]).await;
}

/// The last event of this type in an organization's log, as a trusted caller sees it.
async fn last_event(store: &dyn TenancyStore, org: &str, kind: &str) -> EventId {
    let log = world::must(store, "changes", &json!({"org_id": org, "limit": 200})).await;
    let of_kind = log["data"].as_array().unwrap().iter().rfind(|event| event["type"] == kind);
    let event = of_kind.unwrap_or_else(|| panic!("no {kind} in {log}"));
    let id = event["id"].as_str().unwrap().parse().expect("an id");
    let found = store.outcome(id).await.expect("an answer");
    assert_eq!(found.map(|event| event.id), Some(id));
    id
}

/// Whether these actors see an event, and the others get what an unknown one gets.
async fn shown(stage: &Stage, event: EventId, to: &[&str]) {
    for actor in world::ACTORS {
        let guarded = stage.fresh.store.with_caller(guarded(&stage.world, actor));
        let found = guarded.outcome(event).await.expect("an answer");
        assert_eq!(found.map(|event| event.id), to.contains(&actor).then_some(event), "{actor}");
    }
}
