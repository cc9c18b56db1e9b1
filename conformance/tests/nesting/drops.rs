//! Futures that are dropped inside a transaction of the caller's own, after each number of polls. Then the caller commits, at once or
//! behind another statement: the caller's own row is there exactly when the commit said so, and the command is whole or absent.

use std::sync::Arc;

use sqlx::Row;
use tenantry_conformance::testing::{Moment, World, count_polls, drop_after};
use tenantry_core::source::ManualClock;
use tenantry_core::{Dump, Engine, Inspect, Sources, TenancyStore, Timestamp, wire};
use tenantry_postgres::{Bound, bind, commit};

use crate::commands;
use crate::server::Server;

#[derive(Debug, Default)]
struct Tally {
    drops: usize,
    committed: usize,
    refused: usize,
    written: usize,
}

/// The commands that are dropped: some of each shape, since each takes the same steps.
const CHOSEN: [&str; 8] =
    ["create_user", "create_org", "add_member", "change_role", "transfer_ownership", "accept_invitation", "create_tuple", "sweep"];

#[test]
fn the_caller_s_row_is_there_exactly_when_the_commit_said_so() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let tally = runtime.block_on(all());
    println!("postgres, inside a transaction: {tally:?}");
    assert!(tally.drops > 100 && tally.committed > 50, "{tally:?}");
}

async fn all() -> Tally {
    let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let clock = Arc::new(ManualClock::new(start));
    let server = Server::new(Sources { clock: Arc::<ManualClock>::clone(&clock), ..Sources::system() }).await;
    let world = World::build(&server.store).await.expect("the world");
    commands::add_what_expires(&server.store, &world, start.plus_micros(500)).await;
    clock.advance_micros(1_000);
    server.keep().await;
    let before = server.store.dump().await.unwrap();
    let mut tally = Tally::default();
    let mut own = 0;
    for (name, input) in commands::commands(&world).into_iter().filter(|(name, _)| CHOSEN.contains(name)) {
        let input = serde_json::from_value(input).expect("JSON is a value");
        let mut tx = server.pool.begin().await.unwrap();
        let bound = bind(&server.store, &mut tx);
        let (reply, polls) = count_polls(call(&bound, name, &input)).await;
        assert!(reply.is_ok(), "{name}: {reply:?}");
        let after = bound.dump().await.unwrap();
        drop(bound);
        tx.rollback().await.unwrap();
        for polls in 0..=polls + 1 {
            for moment in Moment::ALL {
                for statement_first in [false, true] {
                    own += 1;
                    tally.drops += 1;
                    let mut tx = server.pool.begin().await.unwrap();
                    sqlx::query(server.named("INSERT INTO own VALUES ($1)")).bind(own).execute(&mut *tx).await.unwrap();
                    let bound = bind(&server.store, &mut tx);
                    drop(drop_after(call(&bound, name, &input), polls, moment).await);
                    drop(bound);
                    if statement_first {
                        let one: i32 = sqlx::query("SELECT 1").fetch_one(&mut *tx).await.unwrap().get(0);
                        assert_eq!(one, 1);
                    }
                    let what = format!("{name} dropped after {polls} polls ({moment:?}), statement first {statement_first}");
                    let said = commit(&server.store, tx).await;
                    let there = server.own().await.contains(&own);
                    assert_eq!(there, said.is_ok(), "{what}: the commit said {said:?}");
                    *(if said.is_ok() { &mut tally.committed } else { &mut tally.refused }) += 1;
                    let rows = server.store.dump().await.unwrap();
                    let written = shape(&rows) == shape(&after);
                    assert!(written || rows == before, "{what}: neither before nor after");
                    tally.written += usize::from(written);
                    if written {
                        server.restore().await;
                    }
                }
            }
        }
    }
    tally
}

/// What of the rows does not depend on the ids that were drawn.
fn shape(dump: &Dump) -> (usize, usize, usize, usize, usize, usize, Vec<u64>) {
    let revisions = dump.organizations.iter().map(|org| org.revision).collect();
    (
        dump.users.len(),
        dump.organizations.len(),
        dump.memberships.len(),
        dump.invitations.len(),
        dump.tuples.len(),
        dump.events.len(),
        revisions,
    )
}

async fn call(store: &Engine<Bound<'_>>, name: &str, input: &tenantry_core::json::Value) -> Result<wire::Reply, wire::CallError> {
    let store: &dyn TenancyStore = store;
    wire::call(store, name, input).await
}

/// What the driver does by itself: a savepoint whose release is dropped is rolled back behind the caller's back, which the server refuses,
/// and the whole transaction is lost. The next statement hears of it; when the caller does not mind that one's failure, the driver's own
/// commit answers `Ok`. Ours says what happened.
#[test]
fn a_release_that_was_dropped_is_not_said_to_be_committed() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let server = Server::new(Sources::system()).await;
        let (mut silent, mut own) = (0, 0);
        for round in 0..16 {
            for ours in [false, true] {
                own += 1;
                let statement_first = round % 2 == 0;
                let what = format!("round {round}, statement first {statement_first}, our commit {ours}");
                let mut tx = server.pool.begin().await.unwrap();
                sqlx::query(server.named("INSERT INTO own VALUES ($1)")).bind(own).execute(&mut *tx).await.unwrap();
                let savepoint = sqlx::Connection::begin(&mut *tx).await.unwrap();
                drop(drop_after(savepoint.commit(), 1, Moment::AtOnce).await);
                if statement_first {
                    drop(sqlx::query("SELECT 1").execute(&mut *tx).await);
                }
                if ours {
                    let said = commit(&server.store, tx).await;
                    assert_eq!(server.own().await.contains(&own), said.is_ok(), "{what}: {said:?}");
                    if let Err(error) = said {
                        assert_eq!(error.code(), "backend.rolled_back", "{what}");
                    }
                } else {
                    let said = tx.commit().await;
                    silent += usize::from(said.is_ok() && !server.own().await.contains(&own));
                }
            }
        }
        println!("postgres: the driver's own commit was silent about a rollback {silent} times of 16, ours never");
        assert!(silent > 0, "the driver has changed: then `commit` may be simpler");
    });
}
