//! Postgres: a schema that several pools reach, and what weakens it.

use std::sync::Arc;

use sqlx::AssertSqlSafe;
use sqlx::postgres::{PgPool, PgPoolOptions};
use tenantry_core::wire::CallError;
use tenantry_core::{Sources, TenancyStore, json};
use tenantry_postgres::PostgresStore;

use crate::arena::{BoxFuture, Build, Call, Contender, Opened, word};
use crate::support;

/// A schema that goes when this is dropped.
#[derive(Debug)]
pub(crate) struct Schema(support::Schema);

/// Where it is.
#[derive(Debug, Clone)]
pub(crate) struct Address {
    url: String,
    schema: String,
}

impl Schema {
    pub(crate) async fn new() -> Self {
        Self(support::Schema::new().await.expect("a server"))
    }

    pub(crate) fn address(&self) -> Address {
        Address { url: self.0.url.clone(), schema: self.0.name.clone() }
    }
}

impl Address {
    /// A store over a pool of one connection, which so stays warm.
    pub(crate) async fn open(&self, sources: Sources, migrate: bool) -> (PostgresStore, PgPool) {
        let options = PgPoolOptions::new().max_connections(1).test_before_acquire(false);
        let pool = options.connect(&self.url).await.expect("a server");
        let options = tenantry_postgres::Options::new().schema(&self.schema).migrate(migrate).sources(sources);
        (options.from_pool(pool.clone()).await.expect("a store"), pool)
    }

    /// For a side of a race.
    pub(crate) async fn contender(&self, sources: Sources, build: Build) -> Opened {
        let (store, pool) = self.open(sources, false).await;
        let own = pool.clone();
        let store: Box<dyn Contender> = match build {
            Build::InTransaction(level) => {
                // Transactions that want the same rows crosswise stand still until the server looks. Not every role may say when.
                drop(sqlx::raw_sql("SET deadlock_timeout = '20ms'").execute(&pool).await);
                Box::new(InTransaction { store, pool, level })
            }
            _ => Box::new(Arc::new(store) as Arc<dyn TenancyStore>),
        };
        Opened { store, close: Box::pin(async move { own.close().await }) }
    }
}

/// The isolation of a caller's transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    ReadCommitted,
    RepeatableRead,
    Serializable,
}

impl Level {
    pub(crate) const ALL: [Self; 3] = [Self::ReadCommitted, Self::RepeatableRead, Self::Serializable];

    const fn begin(self) -> &'static str {
        match self {
            Self::ReadCommitted => "BEGIN ISOLATION LEVEL READ COMMITTED",
            Self::RepeatableRead => "BEGIN ISOLATION LEVEL REPEATABLE READ",
            Self::Serializable => "BEGIN ISOLATION LEVEL SERIALIZABLE",
        }
    }
}

/// An application that makes each call in a transaction of its own, and runs that again when it is told to.
struct InTransaction {
    store: PostgresStore,
    pool: PgPool,
    level: Level,
}

/// How often it does.
const TIMES: usize = 20;

impl InTransaction {
    async fn once(&self, call: &Call, inputs: &[json::Value]) -> String {
        let mut tx = self.pool.begin_with(self.level.begin()).await.expect("a transaction");
        let reply = call.make(&tenantry_postgres::bind(&self.store, &mut tx), inputs).await;
        match &reply {
            Ok(_) => match tenantry_postgres::commit(&self.store, tx).await {
                Ok(()) => word(&reply),
                Err(error) => error.code().to_owned(),
            },
            Err(CallError::Store(_)) => {
                tx.rollback().await.expect("an end of the transaction");
                word(&reply)
            }
            Err(_) => word(&reply),
        }
    }
}

impl Contender for InTransaction {
    fn run<'c>(&'c self, call: &'c Call, inputs: &'c [json::Value]) -> BoxFuture<'c, String> {
        Box::pin(async move {
            let mut told = String::new();
            for _ in 0..TIMES {
                told = self.once(call, inputs).await;
                if !["backend.retryable", "backend.rolled_back"].contains(&told.as_str()) {
                    break;
                }
            }
            told
        })
    }
}

/// How the function that writes is made weaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weakness {
    /// It moves an organization's revision on from whatever it is. The events keep the numbers that the decision gave them.
    NoComparison,
    /// The same, and events take the numbers that come next.
    NoRevisionGuard,
    /// It takes the organization's row by `SELECT ... FOR UPDATE` and trusts that this is enough.
    LockBySelect,
    /// It takes the key of a user's memberships, and does not count them again.
    NoCount,
    /// It counts them again, and does not take their key.
    NoKey,
}

/// The statement of a guard.
const GUARD: &str = "WHERE o.id = (g ->> 'id')::uuid AND o.revision = (g ->> 'revision')::bigint;";
const MOVE: &str = "SET revision = o.revision + (g ->> 'events')::bigint";
/// The number of an event.
const NUMBER: &str = "SELECT r.org_id, r.revision, r.id, r.type,";

impl Address {
    /// Replaces the function by the one that is there, with parts of it exchanged.
    pub(crate) async fn weaken(&self, pool: &PgPool, weakness: Weakness) {
        let schema = format!("\"{}\"", self.schema);
        let shipped: String = sqlx::query_scalar("SELECT pg_get_functiondef(to_regproc($1))")
            .bind(format!("{schema}.apply_v4"))
            .fetch_one(pool)
            .await
            .expect("the function");
        let next = format!(
            "SELECT r.org_id, (SELECT coalesce(max(e.revision), 0) FROM {schema}.event e WHERE e.org_id = r.org_id) \
             + row_number() OVER (PARTITION BY r.org_id ORDER BY r.revision), r.id, r.type,"
        );
        let update = format!("UPDATE {schema}.organization o {MOVE}\n                {GUARD}");
        let blind = format!("UPDATE {schema}.organization o {MOVE} WHERE o.id = (g ->> 'id')::uuid;");
        let select = format!("PERFORM FROM {schema}.organization o WHERE o.id = (g ->> 'id')::uuid FOR UPDATE;");
        // So that the revision is the number of events all the same, and nothing is wrong but who may write when.
        let count = format!(
            "UPDATE {schema}.organization o SET revision = (SELECT count(*) FROM {schema}.event e WHERE e.org_id = o.id) \
             WHERE o.id IN (SELECT (x.value ->> 'id')::uuid FROM jsonb_array_elements(guards) x WHERE x.value ->> 'k' = 'org');\n\
             RETURN 'ok';"
        );
        let key = format!("PERFORM {schema}.lock_object_v1('memberships:' || (g ->> 'usr_id'));");
        let exchanged: &[(&str, &str)] = match weakness {
            Weakness::NoCount => &[("IF n <> (g ->> 'rows')::bigint OR more <> (g ->> 'ended')::bigint THEN", "IF false THEN")],
            Weakness::NoKey => &[(&key, "")],
            Weakness::NoComparison => &[(&update, &blind)],
            Weakness::NoRevisionGuard => &[(&update, &blind), (NUMBER, &next)],
            Weakness::LockBySelect => &[(&update, &select), (NUMBER, &next), ("RETURN 'ok';", &count)],
        };
        let mut weak = shipped;
        for (strong, instead) in exchanged {
            assert_eq!(weak.matches(strong).count(), 1, "`{strong}` stands in the function once:\n{weak}");
            weak = weak.replacen(strong, instead, 1);
        }
        sqlx::raw_sql(AssertSqlSafe(weak)).execute(pool).await.expect("the function is replaced");
    }
}
