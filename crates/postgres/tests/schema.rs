//! What opening says of a schema that is not up to date, and of a server that does not let us.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use support::{TestSchema, usr};
use tenantry_core::{BackendError, BackendKind, CreateOrg, Error, TenancyStore};
use tenantry_postgres::Options;

async fn run(sql: String) {
    let pool = sqlx::PgPool::connect(&support::url()).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&pool).await.unwrap();
    pool.close().await;
}

async fn opening(schema: &TestSchema) -> BackendError {
    Options::new().schema(schema.name()).connect(&support::url()).await.unwrap_err()
}

fn with(option: &str) -> String {
    let url = support::url();
    format!("{url}{}{option}", if url.contains('?') { '&' } else { '?' })
}

fn says(error: &BackendError, kind: &BackendKind, text: &str) {
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(text), "{error}");
    // The driver's own words are behind the error, not in it.
    if let Some(source) = std::error::Error::source(error) {
        assert!(!error.to_string().contains(&source.to_string()), "{error}");
    }
}

#[tokio::test]
async fn an_empty_database_is_refused_with_the_command_that_fills_it() {
    let schema = TestSchema::new();
    says(&opening(&schema).await, &BackendKind::Schema, "run `tenantry migrate run`");
    let status = Options::new().schema(schema.name()).status(&support::url()).await.unwrap();
    assert_eq!((status.found, status.pending.len()), (0, usize::try_from(status.wanted).unwrap()));
    Options::new().schema(schema.name()).run_migrations(&support::url()).await.unwrap();
    Options::new().schema(schema.name()).connect(&support::url()).await.unwrap();
}

#[tokio::test]
async fn a_newer_database_is_refused_also_by_the_migrations() {
    let (_, schema) = support::fresh().await;
    run(format!("INSERT INTO {}.schema_migrations VALUES (999, 'later', 'x', 'epoch')", schema.name())).await;
    says(&opening(&schema).await, &BackendKind::Schema, "use a newer version of the program");
    let error = Options::new().schema(schema.name()).run_migrations(&support::url()).await.unwrap_err();
    says(&error, &BackendKind::Schema, "schema version 999");
}

#[tokio::test]
async fn a_database_made_by_other_statements_is_refused() {
    let (_, schema) = support::fresh().await;
    run(format!("UPDATE {}.schema_migrations SET checksum = 'x'", schema.name())).await;
    says(&opening(&schema).await, &BackendKind::Schema, "is not the one that this program knows");
}

#[tokio::test]
async fn a_table_that_is_gone_is_said_to_be_missing() {
    let (store, schema) = support::fresh().await;
    run(format!("DROP TABLE {}.organization_slug", schema.name())).await;
    let Err(Error::Backend(error)) = store.get_org_by_slug("acme").await else { panic!("it was found") };
    says(&error, &BackendKind::Schema, "tenantry migrate run");
}

#[tokio::test]
async fn a_role_without_rights_hears_which_ones_it_needs() {
    let (_, schema) = support::fresh().await;
    let role = format!("{}_role", schema.name());
    run(format!(
        "CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA {0} TO {role}; GRANT SELECT ON {0}.schema_migrations TO {role}",
        schema.name()
    ))
    .await;
    let options: sqlx::postgres::PgConnectOptions = support::url().parse().unwrap();
    let pool = sqlx::pool::PoolOptions::new().connect_with(options.username(&role)).await.unwrap();
    let store = Options::new().schema(schema.name()).from_pool(pool).await.unwrap();
    let Err(Error::Backend(error)) = store.create_org(CreateOrg::new(usr(1))).await else { panic!("it was allowed") };
    says(&error, &BackendKind::Unavailable, "lacks a right");
    drop(store);
    run(format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
}

#[tokio::test]
async fn a_read_only_server_is_said_to_be_one() {
    let (_, schema) = support::fresh().await;
    let url = with("options=-c%20default_transaction_read_only%3Don");
    let store = Options::new().schema(schema.name()).connect(&url).await.unwrap();
    let Err(Error::Backend(error)) = store.create_org(CreateOrg::new(usr(1))).await else { panic!("it was written") };
    says(&error, &BackendKind::Unavailable, "read-only");
}

#[tokio::test]
async fn a_database_that_does_not_exist_is_named_as_the_cause() {
    let options: sqlx::postgres::PgConnectOptions = support::url().parse().unwrap();
    let socket =
        options.get_socket().map(|folder| format!("?host={}", folder.display().to_string().replace('/', "%2F"))).unwrap_or_default();
    let url =
        format!("postgres://{}@{}:{}/tenantry_no_such_database{socket}", options.get_username(), options.get_host(), options.get_port());
    let error = Options::new().connect(&url).await.unwrap_err();
    says(&error, &BackendKind::Unavailable, "no such database");
}

#[tokio::test]
async fn a_schema_name_that_would_need_quoting_is_refused() {
    for name in ["", "Tenants", "a b", "a\"; DROP SCHEMA public; --", "pg_tenants"] {
        let error = Options::new().schema(name).connect(&support::url()).await.unwrap_err();
        says(&error, &BackendKind::Schema, "schema's name");
    }
}

#[tokio::test]
async fn two_schemas_in_one_database_know_nothing_of_each_other() {
    let ((one, _first), (two, _second)) = (support::fresh().await, support::fresh().await);
    let org = one.create_org(CreateOrg::new(usr(1)).slug("acme")).await.unwrap().org;
    assert_eq!(two.get_org(org.id).await.unwrap_err().code(), "not_found");
    two.create_org(CreateOrg::new(usr(1)).slug("acme")).await.unwrap();
}
