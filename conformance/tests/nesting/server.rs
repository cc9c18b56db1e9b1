//! A schema in Postgres with a store over a pool of the test's own.

use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, Row};
use tenantry_core::Sources;
use tenantry_postgres::{Options, PostgresStore};

use crate::support::Schema;

/// In this order: the pool goes before the schema.
pub(crate) struct Server {
    pub(crate) store: PostgresStore,
    pub(crate) pool: PgPool,
    pub(crate) schema: Schema,
}

impl Server {
    pub(crate) async fn new(sources: Sources) -> Self {
        let schema = Schema::new().await.expect("a server");
        let pool = PgPoolOptions::new().max_connections(4).connect(&schema.url).await.expect("a connection");
        let server = Self { store: open(&schema, &pool, sources, true).await, pool, schema };
        server.sql("CREATE TABLE own (n integer PRIMARY KEY)").await;
        server
    }

    /// Another store over the same rows.
    pub(crate) async fn with(&self, sources: Sources) -> PostgresStore {
        open(&self.schema, &self.pool, sources, false).await
    }

    /// A statement with the table's name in the schema.
    pub(crate) fn named(&self, sql: &str) -> AssertSqlSafe<String> {
        AssertSqlSafe(sql.replace(" own", &format!(" {}.own", self.schema.name)))
    }

    pub(crate) async fn sql(&self, sql: &str) {
        sqlx::raw_sql(self.named(sql)).execute(&self.pool).await.expect("a statement");
    }

    /// The application's own rows.
    pub(crate) async fn own(&self) -> Vec<i32> {
        let rows = sqlx::query(self.named("SELECT n FROM own ORDER BY n")).fetch_all(&self.pool).await.expect("rows");
        rows.iter().map(|row| row.get(0)).collect()
    }
}

async fn open(schema: &Schema, pool: &PgPool, sources: Sources, migrate: bool) -> PostgresStore {
    let options = Options::new().schema(&schema.name).migrate(migrate).sources(sources);
    options.from_pool(pool.clone()).await.expect("a store")
}

/// The tables of the store, each behind those that it refers to.
const TABLES: [&str; 15] = [
    "user_account",
    "organization",
    "organization_slug",
    "membership",
    "invitation",
    "tuple",
    "event",
    "store_event",
    "system",
    "permission",
    "role",
    "permission_grant",
    "user_group",
    "group_member",
    "group_role",
];

impl Server {
    /// Keeps the rows as they are now.
    pub(crate) async fn keep(&self) {
        let name = &self.schema.name;
        for table in TABLES {
            self.sql(&format!("CREATE TABLE {name}.kept_{table} AS SELECT * FROM {name}.{table}")).await;
        }
    }

    /// Puts the kept rows back in place of those that are there.
    pub(crate) async fn restore(&self) {
        let name = &self.schema.name;
        let all = TABLES.map(|table| format!("{name}.{table}")).join(", ");
        let copies = TABLES.map(|table| format!("INSERT INTO {name}.{table} SELECT * FROM {name}.kept_{table};"));
        self.sql(&format!("BEGIN; TRUNCATE {all}; {} COMMIT", copies.join(" "))).await;
    }
}
