//! The Postgres store: for each test a schema of its own, in a database of these tests.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::{env, process, thread};

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};
use tenantry_conformance::{Fresh, FreshError, TestStore, async_trait};
use tenantry_core::Sources;
use tokio::sync::OnceCell;

const VARIABLE: &str = "TENANTRY_TEST_POSTGRES_URL";
/// Held on the server's own database while the tests' one is made.
const LOCK: &str = "SELECT pg_advisory_lock(1952804449, 9)";
/// The database of these tests: what they leave in the catalog does not get into the one that the address names.
const DATABASE: &str = "tenantry_conformance";

#[derive(Debug)]
pub(crate) struct Postgres;

#[async_trait]
impl TestStore for Postgres {
    fn name(&self) -> &'static str {
        "postgres"
    }

    async fn fresh(&self, sources: Sources) -> Result<Fresh, FreshError> {
        let schema = Schema::new().await?;
        let options = tenantry_postgres::Options::new().schema(&schema.name).migrate(true).sources(sources).max_connections(4);
        let store = options.connect(&schema.url).await?;
        Ok(Fresh::new(Arc::new(store), schema))
    }
}

const TEST_PREFIX: &str = "tenantry_test_";

/// A schema of one test, which goes when this is dropped.
#[derive(Debug)]
pub(crate) struct Schema {
    /// The address of the database that it is in.
    pub(crate) url: String,
    pub(crate) name: String,
}

impl Schema {
    /// The name of a schema that nobody else has. Whoever opens a store there makes it.
    pub(crate) async fn new() -> Result<Self, FreshError> {
        static URL: OnceCell<String> = OnceCell::const_new();
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let url = URL.get_or_try_init(prepare).await?;
        let name = format!("{TEST_PREFIX}{}_{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        Ok(Self { url: url.clone(), name })
    }
}

impl Drop for Schema {
    fn drop(&mut self) {
        let (url, name) = (self.url.clone(), self.name.clone());
        // On a thread of its own: the one that drops it may be in the middle of a runtime.
        let dropping = thread::spawn(move || {
            super::block_on(async {
                let mut server = connect(&url).await?;
                discard(&mut server, &name).await?;
                server.close().await
            })
        });
        match dropping.join() {
            Ok(Ok(())) => {}
            // The next run sweeps it up.
            failed => eprintln!("the schema {} stays behind: {failed:?}", self.name),
        }
    }
}

/// A connection of the test may hold a transaction still, which nobody ends once its runtime is gone: it would be waited for forever.
async fn discard(server: &mut PgConnection, schema: &str) -> Result<(), sqlx::Error> {
    let holders = format!(
        "SELECT pg_terminate_backend(l.pid) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation \
         JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = '{schema}' AND l.pid <> pg_backend_pid()"
    );
    run(server, &holders).await?;
    run(server, &format!(r#"DROP SCHEMA IF EXISTS "{schema}" CASCADE"#)).await
}

async fn connect(url: &str) -> Result<PgConnection, sqlx::Error> {
    PgConnection::connect_with(&url.parse::<PgConnectOptions>()?).await
}

async fn run(conn: &mut PgConnection, sql: &str) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(conn).await.map(drop)
}

/// The address with another database in place of its own.
fn with_database(url: &str, name: &str) -> String {
    let (base, query) = url.split_once('?').map_or((url, None), |(base, query)| (base, Some(query)));
    let start = base.find("://").map_or(0, |at| at + 3);
    let end = base[start..].find('/').map_or(base.len(), |at| start + at);
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    format!("{}/{name}{query}", &base[..end])
}

/// Makes the database where it is missing, sweeps up behind runs that were killed, and answers the database's address.
async fn prepare() -> Result<String, FreshError> {
    let url = env::var(VARIABLE).ok().filter(|url| !url.is_empty());
    let url = url.ok_or_else(|| format!("{VARIABLE} is not set: run `cargo xtask test`, which starts one"))?;
    let mut server = connect(&url).await?;
    if !exists(&mut server).await? {
        run(&mut server, LOCK).await?;
        if !exists(&mut server).await? {
            run(&mut server, &format!(r#"CREATE DATABASE "{DATABASE}" TEMPLATE template0"#)).await?;
        }
    }
    server.close().await?;
    let url = with_database(&url, DATABASE);
    let mut server = connect(&url).await?;
    sweep(&mut server).await?;
    server.close().await?;
    Ok(url)
}

async fn exists(server: &mut PgConnection) -> Result<bool, sqlx::Error> {
    sqlx::query("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)").bind(DATABASE).fetch_one(server).await?.try_get(0)
}

/// Removes the schemas of processes that are gone.
async fn sweep(server: &mut PgConnection) -> Result<(), sqlx::Error> {
    let rows = sqlx::query("SELECT nspname::text FROM pg_namespace WHERE starts_with(nspname::text, $1)").bind(TEST_PREFIX);
    for row in rows.fetch_all(&mut *server).await? {
        let name: String = row.try_get(0)?;
        let pid = name.strip_prefix(TEST_PREFIX).and_then(|rest| rest.split('_').next()).unwrap_or_default();
        if !is_running(pid) {
            // Another process may be at the same.
            drop(discard(server, &name).await);
        }
    }
    Ok(())
}

/// Where that cannot be told, everything counts as running: better a database too many than one that a test still needs.
fn is_running(pid: &str) -> bool {
    !Path::new("/proc/self").exists() || Path::new("/proc").join(pid).exists()
}
