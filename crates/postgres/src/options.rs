//! Opening a store.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::pool::PoolOptions;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection, PgPool, Row};
use tenantry_core::migration::SchemaStatus;
use tenantry_core::{BackendError, BackendKind, Engine, Sources};

use crate::error::Failure;
use crate::hot::HotOrgs;
use crate::session::Idle;
use crate::statements::{Schema, Statements};
use crate::{Postgres, PostgresStore, migrations};

/// How to open a store in Postgres.
#[derive(Debug, Clone)]
pub struct Options {
    sources: Sources,
    schema: String,
    migrate: bool,
    max_connections: u32,
    acquire_timeout: Duration,
    linger: Option<Duration>,
    transaction_per_command: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            sources: Sources::system(),
            schema: "tenantry".to_owned(),
            migrate: false,
            max_connections: 10,
            acquire_timeout: Duration::from_secs(30),
            linger: None,
            transaction_per_command: false,
        }
    }
}

impl Options {
    /// Schema `tenantry`, which must be up to date; at most 10 connections, waited for 30 seconds at most.
    pub fn new() -> Self {
        Self::default()
    }

    /// Other sources of time and ids than the system's.
    #[must_use]
    pub fn sources(mut self, sources: Sources) -> Self {
        self.sources = sources;
        self
    }

    /// The schema that holds everything: 1 to 63 of `a-z`, `0-9` and `_`, no digit first, not beginning with `pg_`.
    #[must_use]
    pub fn schema(mut self, name: impl Into<String>) -> Self {
        self.schema = name.into();
        self
    }

    /// Whether to bring the schema up to date on opening. Without it an older schema is refused.
    #[must_use]
    pub const fn migrate(mut self, migrate: bool) -> Self {
        self.migrate = migrate;
        self
    }

    /// How many connections [`connect`](Self::connect) keeps at most.
    #[must_use]
    pub const fn max_connections(mut self, connections: u32) -> Self {
        self.max_connections = connections;
        self
    }

    /// How long a call waits for a connection of the pool that [`connect`](Self::connect) makes.
    #[must_use]
    pub const fn acquire_timeout(mut self, timeout: Duration) -> Self {
        self.acquire_timeout = timeout;
        self
    }

    /// How long a connection waits for the store's next call before it goes back to its pool, which asks the server whether it still lives:
    /// 100 milliseconds unless said otherwise in the pool that [`connect`](Self::connect) makes, and not at all in one of the application's
    /// own. There, other users of the pool may have to wait for so long, or for a second while the store is never idle, and what the pool
    /// does with connections that come and go is done less often; in turn the store's throughput rises by about a sixth
    /// (eight connections, two cores).
    #[must_use]
    pub const fn linger(mut self, linger: Duration) -> Self {
        self.linger = Some(linger);
        self
    }

    /// Whether every command and every read runs inside a transaction and without named statements: for `PgBouncer` in transaction
    /// mode before version 1.21, or with `max_prepared_statements = 0`. It costs about four round trips more for each. Newer
    /// versions need nothing.
    #[must_use]
    pub const fn transaction_per_command(mut self, each: bool) -> Self {
        self.transaction_per_command = each;
        self
    }

    /// Opens a store with a pool of its own, which ends with the last clone of the store.
    ///
    /// # Errors
    /// `backend.unavailable` when the server cannot be reached or refuses; `backend.schema` when the schema is older or newer
    /// than this library, with the command to run.
    pub async fn connect(self, url: &str) -> Result<PostgresStore, BackendError> {
        let address = address(url)?;
        // Not from the pool, which goes on trying until its time is up: whoever opens a store wants to hear at once.
        let mut first = PgConnection::connect_with(&address).await.map_err(connecting)?;
        let (schema, isolated) = self.ready(&mut first).await?;
        let pool = PoolOptions::new()
            .max_connections(self.max_connections)
            .acquire_timeout(self.acquire_timeout)
            // It would cost a round trip for each command; a dead connection is found and replaced where it is used.
            .test_before_acquire(false)
            .connect_lazy_with(address);
        // The store works without its goodbye.
        let _ignored = first.close().await;
        Ok(self.over(pool, true, &schema, isolated))
    }

    /// Opens a store over a pool that the application made, and that stays the application's: it is never closed here.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn from_pool(self, pool: PgPool) -> Result<PostgresStore, BackendError> {
        let mut first = pool.acquire().await.map_err(connecting)?;
        let (schema, isolated) = self.ready(&mut first).await?;
        drop(first);
        Ok(self.over(pool, false, &schema, isolated))
    }

    /// The schema, once it is up to date, and whether a statement on its own has another isolation than READ COMMITTED: it would
    /// not see what was committed while it waited for a lock.
    async fn ready(&self, conn: &mut PgConnection) -> Result<(Schema, bool), BackendError> {
        let schema = self.up_to_date(conn).await?;
        let isolation = sqlx::query("SELECT current_setting('default_transaction_isolation') <> 'read committed'");
        let isolated = isolation.persistent(false).fetch_one(conn).await.and_then(|row| row.try_get(0));
        Ok((schema, isolated.map_err(connecting)?))
    }

    async fn up_to_date(&self, conn: &mut PgConnection) -> Result<Schema, BackendError> {
        let schema = Schema::parse(&self.schema)?;
        if self.migrate {
            migrations::migrate(conn, &schema, self.sources.clock.now()).await.map_err(Failure::into_backend)?;
            return Ok(schema);
        }
        let SchemaStatus { found, wanted, pending } = migrations::status(conn, &schema).await.map_err(Failure::into_backend)?;
        if pending.is_empty() {
            return Ok(schema);
        }
        let message = format!(
            "the database has schema version {found}, this program needs {wanted}: run `tenantry migrate run`, or open with `Options::migrate(true)`"
        );
        Err(BackendError::new(BackendKind::Schema, message))
    }

    fn over(self, pool: PgPool, owned: bool, schema: &Schema, isolated: bool) -> PostgresStore {
        let transaction_per_command = self.transaction_per_command;
        let (statements, hot) = (Arc::new(Statements::new(schema, !transaction_per_command)), HotOrgs::default());
        let linger = self.linger.unwrap_or(if owned { Duration::from_millis(100) } else { Duration::ZERO });
        let idle = Arc::new(Idle::new(linger));
        let backend = Postgres { pool, owned, statements, hot, idle, transaction_per_command, split: isolated.into() };
        Engine::new(backend, self.sources)
    }

    /// Where the schema stands, without changing anything.
    ///
    /// # Errors
    /// As [`connect`](Self::connect), but an older schema is no error.
    pub async fn status(self, url: &str) -> Result<SchemaStatus, BackendError> {
        let schema = Schema::parse(&self.schema)?;
        let mut conn = PgConnection::connect_with(&address(url)?).await.map_err(connecting)?;
        migrations::status(&mut conn, &schema).await.map_err(Failure::into_backend)
    }

    /// Brings the schema up to date, in one transaction. Answers where it stood before.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn run_migrations(self, url: &str) -> Result<SchemaStatus, BackendError> {
        let schema = Schema::parse(&self.schema)?;
        let mut conn = PgConnection::connect_with(&address(url)?).await.map_err(connecting)?;
        migrations::migrate(&mut conn, &schema, self.sources.clock.now()).await.map_err(Failure::into_backend)
    }
}

fn address(url: &str) -> Result<PgConnectOptions, BackendError> {
    let malformed = || {
        let message = "the address of the database is not of the form `postgres://user@host/database`";
        BackendError::new(BackendKind::Unavailable, message)
    };
    // The driver reads any scheme.
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        return Err(malformed());
    }
    PgConnectOptions::from_str(url).map_err(|error| malformed().caused_by(error))
}

fn connecting(error: sqlx::Error) -> BackendError {
    Failure::from(error).into_backend()
}

/// Opens a store with the default [`Options`].
///
/// # Errors
/// As [`Options::connect`].
pub async fn connect(url: &str) -> Result<PostgresStore, BackendError> {
    Options::new().connect(url).await
}

/// Opens a store over an application's pool, with the default [`Options`].
///
/// # Errors
/// As [`Options::connect`].
pub async fn from_pool(pool: PgPool) -> Result<PostgresStore, BackendError> {
    Options::new().from_pool(pool).await
}

/// Where the schema `tenantry` stands, without changing anything.
///
/// # Errors
/// As [`Options::status`].
pub async fn status(url: &str) -> Result<SchemaStatus, BackendError> {
    Options::new().status(url).await
}

/// Brings the schema `tenantry` up to date.
///
/// # Errors
/// As [`Options::run_migrations`].
pub async fn migrate(url: &str) -> Result<SchemaStatus, BackendError> {
    Options::new().run_migrations(url).await
}
