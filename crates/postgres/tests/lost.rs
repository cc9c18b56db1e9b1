//! A connection that is lost during the load, during the write, and between commands.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use support::{Proxy, TestSchema, org, usr};
use tenantry_core::{AddMember, BackendKind, CountMembers, CreateOrg, Error, Inspect, TenancyStore};
use tenantry_postgres::{Options, PostgresStore};

async fn proxied() -> (PostgresStore, PostgresStore, Proxy, TestSchema) {
    let (proxy, schema) = (Proxy::start().await, TestSchema::new());
    let store = Options::new().schema(schema.name()).migrate(true).max_connections(1).connect(&proxy.url).await.unwrap();
    let direct = Options::new().schema(schema.name()).connect(&support::url()).await.unwrap();
    (store, direct, proxy, schema)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_cut_at_each_round_trip_leaves_the_state_as_before_or_as_after() {
    let (store, direct, proxy, _schema) = proxied().await;
    let org = org(&store).await;
    let mut told = [0, 0];
    for deliver in [false, true] {
        for k in 1..=6 {
            for n in 0..4u128 {
                let member = usr(1000 + n + 10 * u128::try_from(k).unwrap() + 100 * u128::from(deliver));
                // Warm the connection, so that the round trips are those of the command.
                store.get_org(org).await.unwrap();
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
                proxy.counts.cut_at(k, deliver);
                let outcome = store.add_member(AddMember::new(org, member, "member")).await;
                proxy.counts.cut_at(-1, false);
                let there = direct.get_membership_for(org, member).await.is_ok();
                match outcome {
                    Ok(_) => assert!(there, "acknowledged, so it is there (cut {k}, {deliver})"),
                    Err(Error::Backend(error)) => match error.kind() {
                        BackendKind::Unavailable => {
                            assert!(!there, "said to be absent (cut {k}, {deliver})");
                            told[0] += 1;
                        }
                        BackendKind::UnknownOutcome { event_id } => {
                            assert_eq!(direct.outcome(*event_id).await.unwrap().is_some(), there);
                            told[1] += 1;
                        }
                        other => panic!("{other:?}"),
                    },
                    Err(other) => panic!("{other:?}"),
                }
            }
        }
    }
    println!("unavailable {}, unknown {}", told[0], told[1]);
    assert!(told[0] > 0, "some cuts fell before the write reached the server");
    direct.dump().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_reached_the_server_is_found_again() {
    let (store, direct, proxy, _schema) = proxied().await;
    let org = org(&store).await;
    store.add_member(AddMember::new(org, usr(2), "member")).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    // Round trip 1 is the load, 2 the write.
    proxy.counts.cut_at(2, true);
    let added = store.add_member(AddMember::new(org, usr(3), "member")).await.unwrap();
    assert_eq!(direct.get_membership(added.id).await.unwrap(), added);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_whose_connections_all_died_goes_on() {
    let (schema, url) = (TestSchema::new(), support::url());
    let store = Options::new().schema(schema.name()).migrate(true).max_connections(3).connect(&url).await.unwrap();
    let org = org(&store).await;
    let busy = (0..3).map(|_| {
        let store = store.clone();
        tokio::spawn(async move { store.get_org(org).await.unwrap() })
    });
    for one in busy.collect::<Vec<_>>() {
        one.await.unwrap();
    }
    let admin = sqlx::PgPool::connect(&url).await.unwrap();
    let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND query LIKE $1";
    sqlx::query(end).bind(format!("%\"{}\"%", schema.name())).execute(&admin).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    store.add_member(AddMember::new(org, usr(2), "member")).await.unwrap();
    assert_eq!(store.count_members(CountMembers::new(org)).await.unwrap(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_cannot_be_reached_is_said_so_with_a_remedy() {
    let error = Options::new().connect("postgres://nobody@127.0.0.1:1/none").await.unwrap_err();
    assert_eq!(error.kind(), &BackendKind::Unavailable);
    assert!(error.to_string().contains("check that it runs"), "{error}");
    let error = Options::new().connect("mysql://x").await.unwrap_err();
    assert!(error.to_string().contains("postgres://user@host/database"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_injected_pool_is_never_closed_and_an_owned_one_is() {
    let schema = TestSchema::new();
    let pool = sqlx::PgPool::connect(&support::url()).await.unwrap();
    let store = Options::new().schema(schema.name()).migrate(true).from_pool(pool.clone()).await.unwrap();
    store.create_org(CreateOrg::new(usr(1))).await.unwrap();
    drop(store);
    assert!(!pool.is_closed());
    let name = format!("tenantry-owned-{}", std::process::id());
    let url = format!("{}{}application_name={name}", support::url(), if support::url().contains('?') { '&' } else { '?' });
    let store = Options::new().schema(schema.name()).connect(&url).await.unwrap();
    let clone = store.clone();
    drop(store);
    clone.list_orgs(tenantry_core::ListOrgs::new()).await.unwrap();
    drop(clone);
    for _ in 0..100 {
        let left: i64 = sqlx::query_scalar("SELECT count(*) FROM pg_stat_activity WHERE application_name = $1")
            .bind(&name)
            .fetch_one(&pool)
            .await
            .unwrap();
        if left == 0 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("connections outlived the last handle");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outcome_that_cannot_be_told_yet_is_found_out_later() {
    let (store, direct, proxy, schema) = proxied().await;
    let org = org(&store).await;
    store.add_member(AddMember::new(org, usr(2), "member")).await.unwrap();
    // Somebody else holds the organization's row, so that the write waits on the server.
    let holder = sqlx::PgPool::connect(&support::url()).await.unwrap();
    let mut holding = holder.begin().await.unwrap();
    let take = format!("UPDATE {}.organization SET revision = revision", schema.name());
    sqlx::raw_sql(sqlx::AssertSqlSafe(take)).execute(&mut *holding).await.unwrap();
    // Round trip 1 is the load, 2 the write, which reaches the server while its answer does not come back.
    proxy.counts.cut_at(2, true);
    let error = store.add_member(AddMember::new(org, usr(3), "member")).await.unwrap_err();
    let Error::Backend(error) = error else { panic!("{error:?}") };
    let &BackendKind::UnknownOutcome { event_id } = error.kind() else { panic!("{error:?}") };
    assert!(error.to_string().contains(&event_id.to_string()), "{error}");
    assert_eq!(direct.outcome(event_id).await.unwrap(), None, "not yet");
    holding.rollback().await.unwrap();
    for _ in 0..100 {
        if let Some(event) = direct.outcome(event_id).await.unwrap() {
            assert_eq!(event.revision, Some(4));
            direct.get_membership_for(org, usr(3)).await.unwrap();
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("the write never came");
}
