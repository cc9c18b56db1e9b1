//! Connections between two calls: they wait for the next one, and nobody waits for them for long.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use std::time::{Duration, Instant};

use sqlx::PgPool;
use sqlx::pool::PoolOptions;
use support::{fresh, usr};
use tenantry_core::{CreateOrg, CreateUser, TenancyStore};
use tenantry_postgres::{Options, PostgresStore};

async fn store(schema: &support::TestSchema, connections: u32, linger: Duration) -> (PostgresStore, PgPool) {
    let pool = PoolOptions::new().max_connections(connections).acquire_timeout(Duration::from_secs(5));
    let pool = pool.connect(&support::url()).await.unwrap();
    (Options::new().schema(schema.name()).linger(linger).from_pool(pool.clone()).await.unwrap(), pool)
}

async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..500 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never: {what}");
}

#[tokio::test]
async fn a_connection_waits_for_the_next_call_and_then_goes_back_to_its_pool() {
    let (_, schema) = fresh().await;
    let (store, pool) = store(&schema, 2, Duration::from_millis(300)).await;
    until("the pool has the connection that looked at the schema", || pool.num_idle() == 1).await;
    let org = store.create_org(CreateOrg::new(usr(1))).await.unwrap().org.id;
    store.get_org(org).await.unwrap();
    assert_eq!(pool.num_idle(), 0, "it waits for a third call");
    until("no call came", || pool.num_idle() == 1).await;
    assert_eq!(pool.size(), 1, "all calls had the same one");
}

#[tokio::test]
async fn no_connection_waits_in_an_application_s_pool_unless_asked() {
    let (_, schema) = fresh().await;
    let pool = PoolOptions::new().max_connections(1).connect(&support::url()).await.unwrap();
    let store = Options::new().schema(schema.name()).from_pool(pool.clone()).await.unwrap();
    let mut shortest = Duration::MAX;
    for _ in 0..20 {
        store.create_user(CreateUser::new()).await.unwrap();
        let asked = Instant::now();
        drop(pool.acquire().await.unwrap());
        shortest = shortest.min(asked.elapsed());
    }
    // Where they waited as in a pool of the store's own, each would take longer than that.
    assert!(shortest < Duration::from_millis(90), "{shortest:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn more_calls_than_connections_all_get_one() {
    let (_, schema) = fresh().await;
    let (store, _pool) = store(&schema, 2, Duration::from_mins(1)).await;
    let calls = (0..40).map(|n| {
        let store = store.clone();
        tokio::spawn(async move {
            for _ in 0..5 {
                store.create_org(CreateOrg::new(usr(n))).await.unwrap();
            }
        })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_application_gets_a_connection_within_about_a_second_from_a_store_that_never_rests() {
    let (_, schema) = fresh().await;
    let (store, pool) = store(&schema, 1, Duration::from_mins(1)).await;
    let busy = tokio::spawn(async move {
        loop {
            store.create_user(CreateUser::new()).await.unwrap();
        }
    });
    for _ in 0..3 {
        drop(pool.acquire().await.unwrap());
    }
    busy.abort();
}

#[test]
fn a_store_may_end_where_no_runtime_is() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (store, pool, schema) = runtime.block_on(async {
        let (_, schema) = fresh().await;
        let (store, pool) = store(&schema, 1, Duration::from_mins(1)).await;
        store.create_user(CreateUser::new()).await.unwrap();
        (store, pool, schema)
    });
    drop(store);
    // What it had left the pool, which makes another one.
    runtime.block_on(async { drop(pool.acquire().await.unwrap()) });
    runtime.block_on(async { drop(schema) });
}
