//! A Postgres database that compares and folds texts otherwise than by their bytes, for one test.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::{env, process, thread};

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};
use tenantry_conformance::{Fresh, FreshError, TestStore, async_trait};
use tenantry_core::Sources;

use crate::support;

const VARIABLE: &str = "TENANTRY_TEST_POSTGRES_URL";
const PREFIX: &str = "tenantry_hygiene_";

/// The Postgres store in such a database.
#[derive(Debug)]
pub(crate) struct Collated;

#[async_trait]
impl TestStore for Collated {
    fn name(&self) -> &'static str {
        "postgres"
    }

    async fn fresh(&self, sources: Sources) -> Result<Fresh, FreshError> {
        let database = Database::create().await?;
        let options = tenantry_postgres::Options::new().migrate(true).sources(sources).max_connections(2);
        let store = options.connect(&database.url).await?;
        Ok(Fresh::new(Arc::new(store), database))
    }
}

/// A database of one test, which goes when this is dropped.
#[derive(Debug)]
pub(crate) struct Database {
    server: String,
    pub(crate) url: String,
    name: String,
}

impl Database {
    pub(crate) async fn create() -> Result<Self, FreshError> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let server = env::var(VARIABLE).ok().filter(|url| !url.is_empty());
        let server = server.ok_or_else(|| format!("{VARIABLE} is not set: run `cargo xtask test`, which starts one"))?;
        let mut conn = connect(&server).await?;
        sweep(&mut conn).await?;
        let name = format!("{PREFIX}{}_{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let locale = locale(&mut conn).await?;
        run(&mut conn, &format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' {locale}")).await?;
        conn.close().await?;
        let database = Self { url: with_database(&server, &name), server, name };
        let mut conn = connect(&database.url).await?;
        // By bytes, capitals come before small letters.
        let by_bytes: bool = sqlx::query("SELECT 'a' > 'B'").fetch_one(&mut conn).await?.try_get(0)?;
        conn.close().await?;
        if by_bytes {
            return Err(format!("a database with {locale} compares texts by their bytes").into());
        }
        Ok(database)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        // On a thread of its own: the one that drops it may be in the middle of a runtime.
        let dropping = thread::spawn(move || {
            support::block_on(async {
                let mut conn = connect(&server).await?;
                run(&mut conn, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await?;
                conn.close().await
            })
        });
        // What stays behind, the next run sweeps up.
        drop(dropping.join());
    }
}

/// The words that make a database compare as people of some language do: Turkish where the server knows it, whose `i` has another
/// capital than anywhere else, else any.
async fn locale(conn: &mut PgConnection) -> Result<String, FreshError> {
    let version: i32 = sqlx::query("SELECT current_setting('server_version_num')::integer").fetch_one(&mut *conn).await?.try_get(0)?;
    // A database of its own has had this provider from this version on.
    if version >= 150_000 {
        let icu = sqlx::query("SELECT EXISTS (SELECT FROM pg_collation WHERE collprovider = 'i')");
        if icu.fetch_one(&mut *conn).await?.try_get(0)? {
            return Ok("LOCALE_PROVIDER icu ICU_LOCALE 'tr-TR' LC_COLLATE 'C' LC_CTYPE 'C'".to_owned());
        }
    }
    let libc = sqlx::query(
        "SELECT collcollate FROM pg_collation WHERE collprovider = 'c' AND collcollate !~* '^(C|POSIX)(\\.|$)' \
         AND collencoding IN (-1, 6) AND collcollate ~* 'utf-?8' ORDER BY collcollate LIKE 'tr%' DESC, collcollate LIMIT 1",
    );
    match libc.fetch_optional(conn).await? {
        Some(row) => {
            let name: String = row.try_get(0)?;
            let name = name.replace('\'', "''");
            Ok(format!("LC_COLLATE '{name}' LC_CTYPE '{name}'"))
        }
        None => Err("this Postgres knows no collation but that of bytes: it was built without ICU, or is older than version 15, and the \
                     machine has no locale but C; make one, for instance with `localedef -i tr_TR -f UTF-8 tr_TR.UTF-8`, and run \
                     `SELECT pg_import_system_collations('pg_catalog')`"
            .into()),
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
    let (base, query) = url.split_once('?').map_or((url, String::new()), |(base, query)| (base, format!("?{query}")));
    let start = base.find("://").map_or(0, |at| at + 3);
    let end = base[start..].find('/').map_or(base.len(), |at| start + at);
    format!("{}/{name}{query}", &base[..end])
}

/// Removes the databases of processes that are gone.
async fn sweep(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    // Where that cannot be told, everything counts as running.
    if !Path::new("/proc/self").exists() {
        return Ok(());
    }
    let rows = sqlx::query("SELECT datname::text FROM pg_database WHERE starts_with(datname::text, $1)").bind(PREFIX);
    for row in rows.fetch_all(&mut *conn).await? {
        let name: String = row.try_get(0)?;
        let pid = name.strip_prefix(PREFIX).and_then(|rest| rest.split('_').next()).unwrap_or_default();
        if !Path::new("/proc").join(pid).exists() {
            // Another process may be at the same.
            drop(run(conn, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await);
        }
    }
    Ok(())
}
