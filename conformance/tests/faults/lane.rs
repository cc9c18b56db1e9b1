//! A schema of its own on the test server with the world in it, which can be put back to how it was, and a proxy in front.

use std::fmt;
use std::time::{Duration, Instant};

use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};
use tenantry_conformance::dump_differences;
use tenantry_conformance::testing::World;
use tenantry_core::{CreateUser, Dump, Inspect, OrgId, Patch, TenancyStore, UpdateOrg};
use tenantry_postgres::{Options, PostgresStore};

use crate::commands;
use crate::proxy::Proxy;
use crate::stage::{PROBE, Same};
use crate::support::Schema;

/// How to open a store in a schema.
pub(crate) fn options(schema: &Schema) -> Options {
    Options::new().schema(&schema.name)
}

pub(crate) async fn run(conn: &mut PgConnection, sql: &str) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(conn).await.map(drop)
}

/// How many server processes serve connections of this name.
pub(crate) async fn served(conn: &mut PgConnection, application: &str) -> usize {
    let count = sqlx::query("SELECT count(*) FROM pg_stat_activity WHERE application_name = $1").bind(application);
    let count: i64 = count.fetch_one(conn).await.unwrap().get(0);
    usize::try_from(count).unwrap()
}

/// Waits until at most so many server processes serve connections of this name: those beyond have lost their clients, and may still
/// be at what these asked for.
pub(crate) async fn wait_for_orphans(conn: &mut PgConnection, application: &str, living: impl Fn() -> usize) {
    const PATIENCE: Duration = Duration::from_secs(30);
    let start = Instant::now();
    while served(conn, application).await > living() {
        assert!(start.elapsed() < PATIENCE, "a server process outlives its client");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// All rows, and what they come to in few bytes: to be compared quickly, every column of every table.
#[derive(Debug)]
pub(crate) struct Rows {
    print: String,
    dump: Dump,
}

/// Takes that from all tables, without rows written to see that a store works, and without the order in which events got their numbers:
/// what is undone leaves a gap in it.
fn print_of(tables: &[String], schema: &str) -> String {
    let of_table = |table: &String| {
        format!(
            "(SELECT coalesce(string_agg(row, ',' ORDER BY row), '') FROM (SELECT (to_jsonb(t) - 'seq' - 'position')::text AS row FROM {schema}.{table} t) x \
             WHERE row NOT LIKE '%{PROBE}%')"
        )
    };
    format!("SELECT md5(concat_ws('|', {}))", tables.iter().map(of_table).collect::<Vec<_>>().join(", "))
}

async fn printed(conn: &mut PgConnection, print: &str) -> String {
    sqlx::query(AssertSqlSafe(print)).fetch_one(conn).await.unwrap().get(0)
}

/// Everything that one command after the other is tried on.
pub(crate) struct Lane {
    pub(crate) proxy: Proxy,
    /// Through the proxy; nobody is ever in the way of its commands.
    pub(crate) store: PostgresStore,
    /// Through the proxy; another store was in the way, so that it takes rows before it reads them.
    pub(crate) hot: PostgresStore,
    /// Past the proxy.
    pub(crate) direct: PostgresStore,
    pub(crate) conn: PgConnection,
    pub(crate) same: Same,
    pub(crate) world: World,
    before: Rows,
    /// In the order in which they were made: each behind those that it refers to.
    tables: Vec<String>,
    restore: String,
    print: String,
    /// When others were in the way last.
    heated: Option<Instant>,
    // Dropped last, when nobody uses it any more.
    schema: Schema,
}

impl Lane {
    pub(crate) async fn new() -> Self {
        let schema = Schema::new().await.unwrap();
        let same = Same::new();
        let direct = options(&schema).migrate(true).sources(same.sources()).max_connections(2).connect(&schema.url).await.unwrap();
        let world = same.build(&direct).await;
        let dump = direct.dump().await.unwrap();

        let mut conn = PgConnection::connect(&schema.url).await.unwrap();
        let found = sqlx::query(
            "SELECT c.relname::text FROM pg_class c WHERE c.relnamespace = $1::regnamespace AND c.relkind = 'r' \
             AND c.relname <> 'schema_migrations' ORDER BY c.oid",
        );
        let found = found.bind(&schema.name).fetch_all(&mut conn).await.unwrap();
        let tables: Vec<String> = found.iter().map(|row| row.get(0)).collect();
        let name = &schema.name;
        let mut restore = format!("TRUNCATE {};", tables.iter().map(|table| format!("{name}.{table}")).collect::<Vec<_>>().join(", "));
        for table in &tables {
            run(&mut conn, &format!("CREATE TABLE {name}.was_{table} AS TABLE {name}.{table}")).await.unwrap();
            restore.extend(["INSERT INTO ", name, ".", table, " SELECT * FROM ", name, ".was_", table, ";"]);
        }

        let print = print_of(&tables, name);
        let before = Rows { print: printed(&mut conn, &print).await, dump };

        let proxy = Proxy::start(&schema.url, &schema.name).await;
        let through = || options(&schema).sources(same.sources()).max_connections(4).acquire_timeout(Duration::from_secs(5));
        let (store, hot) = (through().connect(&proxy.url).await.unwrap(), through().connect(&proxy.url).await.unwrap());
        Self { proxy, store, hot, direct, conn, same, world, before, tables, restore, print, heated: None, schema }
    }

    /// The tables of the store.
    pub(crate) fn tables(&self) -> &[String] {
        &self.tables
    }

    pub(crate) fn schema(&self) -> &str {
        &self.schema.name
    }

    pub(crate) fn options(&self) -> Options {
        options(&self.schema)
    }

    /// The address of the server, past the proxy.
    pub(crate) fn url(&self) -> &str {
        &self.schema.url
    }

    pub(crate) fn command(&self, index: usize) -> (&'static str, Value) {
        commands::commands(&self.world).swap_remove(index)
    }

    /// What the rows are, when no server process is at work any more that has lost its client: as after a command (true), or as before
    /// it (false).
    pub(crate) async fn has_written(&mut self, after: &Rows, what: &dyn fmt::Display) -> bool {
        wait_for_orphans(&mut self.conn, &self.schema.name, || self.proxy.live()).await;
        let print = printed(&mut self.conn, &self.print).await;
        if [&self.before.print, &after.print].contains(&&print) {
            return print == after.print;
        }
        let dump = self.direct.dump().await.unwrap();
        panic!(
            "{what}: neither before nor after.\nto before: {:#?}\nto after: {:#?}",
            dump_differences(&self.before.dump, &dump),
            dump_differences(&after.dump, &dump)
        );
    }

    /// The store goes on at once, over the same pool: what was not written can be written by the same call, and something else beside
    /// what was. Then the world is put back to how it was.
    pub(crate) async fn goes_on(
        &mut self,
        store: &PostgresStore,
        command: &(&'static str, Value),
        after: &Rows,
        written: bool,
        what: &dyn fmt::Display,
    ) {
        if written {
            let probe = store.create_user(CreateUser::new().display_name(PROBE)).await;
            let probe = probe.unwrap_or_else(|error| panic!("{what}: then it cannot write: {error:?}"));
            self.direct.get_user(probe.user.id).await.unwrap();
        } else {
            let repeated = self.same.call(store, command).await;
            repeated.unwrap_or_else(|error| panic!("{what}: then it cannot be repeated: {error:?}"));
        }
        let path = store.get_org_path(self.world.child).await;
        assert_eq!(path.unwrap_or_else(|error| panic!("{what}: then it cannot be read: {error:?}")).data.len(), 2, "{what}");
        assert!(self.has_written(after, what).await, "{what}: then it is not written");
        self.restore().await;
    }

    /// Puts the world back to how it was.
    pub(crate) async fn restore(&mut self) {
        run(&mut self.conn, &self.restore).await.unwrap();
    }

    /// Runs a command to its end; answers the rows after it, and puts them back.
    pub(crate) async fn undisturbed(&mut self, command: &(&'static str, Value)) -> Rows {
        let reply = self.same.call(&self.store, command).await;
        assert!(reply.is_ok(), "{}: {reply:?}", command.0);
        let after = Rows { print: printed(&mut self.conn, &self.print).await, dump: self.direct.dump().await.unwrap() };
        assert!(after.dump != self.before.dump && after.print != self.before.print, "{} wrote nothing", command.0);
        self.restore().await;
        let back = self.direct.dump().await.unwrap();
        assert!(back == self.before.dump, "it is not as it was: {:#?}", dump_differences(&self.before.dump, &back));
        assert_eq!(printed(&mut self.conn, &self.print).await, self.before.print);
        after
    }

    /// Lets commands get in the way of those of another store, so that for a while this one takes the rows of both organizations first.
    pub(crate) async fn heat(&mut self) {
        const TIMES: usize = 200;
        /// The store remembers for a second.
        const STAYS: Duration = Duration::from_millis(500);
        if self.heated.is_some_and(|since| since.elapsed() < STAYS) {
            return;
        }
        for time in 0..TIMES {
            self.heated = Some(Instant::now());
            let rename = |store: &PostgresStore, org, name: char| {
                let store = store.clone();
                async move { store.update_org(UpdateOrg::new(org).name(Patch::Set(format!("{name}{time}")))).await }
            };
            let (org, suspended, hot, other) = (self.world.org, self.world.suspended_org, &self.hot, &self.direct);
            let renamed =
                tokio::join!(rename(hot, org, 'A'), rename(other, org, 'B'), rename(hot, suspended, 'A'), rename(other, suspended, 'B'));
            renamed.0.and(renamed.1).and(renamed.2).and(renamed.3).unwrap();
            if self.is_hot(org).await && self.is_hot(suspended).await {
                self.restore().await;
                return;
            }
        }
        panic!("{TIMES} times nobody was in the way");
    }

    /// Whether a command takes rows before it reads them, where others were in the way.
    pub(crate) async fn takes_rows_first(&mut self, command: &(&'static str, Value)) -> bool {
        self.heat().await;
        let begun = self.proxy.begun();
        self.same.call(&self.hot, command).await.unwrap();
        self.restore().await;
        self.proxy.begun() > begun
    }

    /// A command that changes nothing begins a transaction only where it takes rows first.
    async fn is_hot(&self, org: OrgId) -> bool {
        let begun = self.proxy.begun();
        self.hot.update_org(UpdateOrg::new(org)).await.unwrap();
        self.proxy.begun() > begun
    }
}
