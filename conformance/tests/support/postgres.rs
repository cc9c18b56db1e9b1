//! The Postgres store: for each test a database of its own, copied from a template that has been migrated once.

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
/// Held on the server's own database while the template is made.
const LOCK: &str = "SELECT pg_advisory_lock(1952804449, 9)";
/// Where the statements are that a template stands for.
const MIGRATIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/postgres/migrations");

#[derive(Debug)]
pub(crate) struct Postgres;

#[async_trait]
impl TestStore for Postgres {
    fn name(&self) -> &'static str {
        "postgres"
    }

    async fn fresh(&self, sources: Sources) -> Result<Fresh, FreshError> {
        static TEMPLATE: OnceCell<String> = OnceCell::const_new();
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let url = env::var(VARIABLE).ok().filter(|url| !url.is_empty());
        let url = url.ok_or_else(|| format!("{VARIABLE} is not set: run `cargo xtask test`, which starts one"))?;
        let template = TEMPLATE.get_or_try_init(|| prepare(&url)).await?;
        let name = format!("{TEST_PREFIX}{}_{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let mut server = connect(&url).await?;
        let database = Database { url: url.clone(), name };
        run(&mut server, &format!(r#"CREATE DATABASE "{}" TEMPLATE "{template}""#, database.name)).await?;
        server.close().await?;
        let options = tenantry_postgres::Options::new().sources(sources).max_connections(4);
        let store = options.connect(&with_database(&url, &database.name)).await?;
        Ok(Fresh::new(Arc::new(store), database))
    }
}

const TEST_PREFIX: &str = "tenantry_test_";

/// A database of one test, which goes when this is dropped.
#[derive(Debug)]
struct Database {
    url: String,
    name: String,
}

impl Drop for Database {
    fn drop(&mut self) {
        let (url, name) = (self.url.clone(), self.name.clone());
        // On a thread of its own: the one that drops it may be in the middle of a runtime.
        let dropping = thread::spawn(move || {
            super::block_on(async {
                let mut server = connect(&url).await?;
                run(&mut server, &format!(r#"DROP DATABASE IF EXISTS "{name}" WITH (FORCE)"#)).await?;
                server.close().await
            })
        });
        match dropping.join() {
            Ok(Ok(())) => {}
            // The next run sweeps it up.
            failed => eprintln!("the database {} stays behind: {failed:?}", self.name),
        }
    }
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

/// Sweeps up behind runs that were killed, and answers the template's name once it is there.
async fn prepare(url: &str) -> Result<String, FreshError> {
    let mut server = connect(url).await?;
    sweep(&mut server).await?;
    let template = format!("tenantry_template_{}", checksum()?);
    if !exists(&mut server, &template).await? {
        run(&mut server, LOCK).await?;
        if !exists(&mut server, &template).await? {
            make_template(&mut server, url, &template).await?;
        }
    }
    server.close().await?;
    Ok(template)
}

/// Under the lock. The name is given last, so that a template of that name is always whole.
async fn make_template(server: &mut PgConnection, url: &str, template: &str) -> Result<(), FreshError> {
    let unfinished = format!("{template}_unfinished");
    run(server, &format!(r#"DROP DATABASE IF EXISTS "{unfinished}" WITH (FORCE)"#)).await?;
    run(server, &format!(r#"CREATE DATABASE "{unfinished}" TEMPLATE template0"#)).await?;
    tenantry_postgres::migrate(&with_database(url, &unfinished)).await?;
    // A database is renamed and copied only while nobody is connected to it.
    run(server, &format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{unfinished}'")).await?;
    run(server, &format!(r#"ALTER DATABASE "{unfinished}" RENAME TO "{template}""#)).await?;
    Ok(())
}

async fn exists(server: &mut PgConnection, database: &str) -> Result<bool, sqlx::Error> {
    sqlx::query("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)").bind(database).fetch_one(server).await?.try_get(0)
}

/// Removes the databases of processes that are gone.
async fn sweep(server: &mut PgConnection) -> Result<(), sqlx::Error> {
    let rows = sqlx::query("SELECT datname::text FROM pg_database WHERE starts_with(datname::text, $1)").bind(TEST_PREFIX);
    for row in rows.fetch_all(&mut *server).await? {
        let name: String = row.try_get(0)?;
        let pid = name.strip_prefix(TEST_PREFIX).and_then(|rest| rest.split('_').next()).unwrap_or_default();
        if !is_running(pid) {
            run(server, &format!(r#"DROP DATABASE IF EXISTS "{name}" WITH (FORCE)"#)).await?;
        }
    }
    Ok(())
}

/// Where that cannot be told, everything counts as running: better a database too many than one that a test still needs.
fn is_running(pid: &str) -> bool {
    !Path::new("/proc/self").exists() || Path::new("/proc").join(pid).exists()
}

/// A fingerprint of the migrations: a template is good as long as they are the same.
fn checksum() -> Result<String, FreshError> {
    let mut files: Vec<_> = std::fs::read_dir(MIGRATIONS)?.collect::<Result<Vec<_>, _>>()?.into_iter().map(|entry| entry.path()).collect();
    files.sort();
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for file in files {
        for byte in file.to_string_lossy().bytes().chain(std::fs::read(&file)?) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
    Ok(format!("{hash:016x}"))
}
