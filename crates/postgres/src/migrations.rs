//! Brings a schema up to date: which migrations are missing is decided in core, and all of them are one transaction.

use sqlx::{Connection, PgConnection, Row, query, raw_sql};
use tenantry_core::Timestamp;
use tenantry_core::migration::{self, Applied, Migration, SchemaStatus};

use crate::codec::PgMoment;
use crate::error::{Failure, other};
use crate::statements::Schema;

/// Every migration of this store, in order.
pub(crate) const MIGRATIONS: &[Migration] = &[
    Migration { version: 1, name: "foundation", sql: include_str!("../migrations/0001_foundation.sql") },
    Migration { version: 2, name: "offers", sql: include_str!("../migrations/0002_offers.sql") },
    Migration { version: 3, name: "apply", sql: include_str!("../migrations/0003_apply.sql") },
    Migration { version: 4, name: "permissions", sql: include_str!("../migrations/0004_permissions.sql") },
];

/// One run at a time in a database, whatever the schema.
const LOCK: &str = "SELECT pg_advisory_xact_lock(1952804449, 2)";

const TABLE: &str = "CREATE TABLE IF NOT EXISTS {s}schema_migrations (version integer NOT NULL PRIMARY KEY, name text NOT NULL, \
    checksum text NOT NULL, applied_at timestamptz NOT NULL)";

/// Where the schema stands. Changes nothing.
pub(crate) async fn status(conn: &mut PgConnection, schema: &Schema) -> Result<SchemaStatus, Failure> {
    Ok(migration::status(MIGRATIONS, &applied(conn, schema).await?)?)
}

async fn applied(conn: &mut PgConnection, schema: &Schema) -> Result<Vec<Applied>, Failure> {
    let there = query("SELECT EXISTS (SELECT FROM pg_tables WHERE schemaname = $1 AND tablename = 'schema_migrations')");
    if !there.bind(schema.name()).fetch_one(&mut *conn).await?.try_get(0)? {
        return Ok(Vec::new());
    }
    let rows = schema.render("SELECT version, name, checksum FROM {s}schema_migrations ORDER BY version");
    let rows = query(rows.text()).fetch_all(conn).await?;
    let row = |row: &sqlx::postgres::PgRow| {
        let version = u32::try_from(row.try_get::<i32, _>(0)?).map_err(|cause| other().caused_by(cause))?;
        Ok::<_, Failure>(Applied { version, name: row.try_get(1)?, checksum: row.try_get(2)? })
    };
    rows.iter().map(row).collect()
}

/// Applies what is missing, all of it or nothing. Two programs may do it at once: the second finds it done.
pub(crate) async fn migrate(conn: &mut PgConnection, schema: &Schema, now: Timestamp) -> Result<SchemaStatus, Failure> {
    let mut tx = conn.begin().await?;
    query(LOCK).execute(&mut *tx).await?;
    let exists = query("SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)");
    if !exists.bind(schema.name()).fetch_one(&mut *tx).await?.try_get::<bool, _>(0)? {
        raw_sql(schema.render(&format!("CREATE SCHEMA \"{}\"", schema.name())).text()).execute(&mut *tx).await?;
    }
    raw_sql(schema.render(TABLE).text()).execute(&mut *tx).await?;
    let before = migration::status(MIGRATIONS, &applied(&mut tx, schema).await?)?;
    let record = schema.render("INSERT INTO {s}schema_migrations (version, name, checksum, applied_at) VALUES ($1, $2, $3, $4)");
    for migration in &before.pending {
        raw_sql(schema.render(migration.sql).text()).execute(&mut *tx).await?;
        let version = i32::try_from(migration.version).map_err(|cause| other().caused_by(cause))?;
        let insert = query(record.text()).bind(version).bind(migration.name).bind(migration.checksum()).bind(PgMoment(now));
        insert.execute(&mut *tx).await?;
    }
    tx.commit().await?;
    Ok(before)
}
