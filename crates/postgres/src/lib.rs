//! Tenantry's Postgres store, over sqlx.
//!
//! ```no_run
//! # async fn example() -> Result<(), tenantry_core::Error> {
//! use tenantry_core::{CreateOrg, TenancyStore, UserId};
//!
//! let store = tenantry_postgres::Options::new().migrate(true).connect("postgres://localhost/app").await?;
//! let creator: UserId = "usr_0196f3c21b7a7c3d9e4f5a6b7c8d9e0f".parse().unwrap();
//! let created = store.create_org(CreateOrg::new(creator).name("Acme")).await?;
//! # let _ = created;
//! # Ok(())
//! # }
//! ```
//!
//! A command is one load statement and one call of the function `apply_v1`, two round trips and no open transaction between
//! them (adr/0002). Everything lives in one schema, `tenantry` unless said otherwise, and every statement names it, so the
//! connection's search path does not matter.

mod apply;
#[cfg(test)]
mod checks;
mod codec;
mod error;
mod execute;
mod list;
mod load;
mod lost;
mod migrations;
mod options;
mod statements;

use std::fmt;
use std::sync::atomic::AtomicBool;

use sqlx::PgPool;
use tenantry_core::{
    Backend, BackendError, Dump, Engine, Error, Event, EventQuery, Job, Membership, MembershipFilter, MembershipQuery, OrgId, OrgQuery,
    Organization, User, UserId,
};

use crate::error::Failure;
use crate::execute::HotOrgs;
use crate::statements::Statements;

pub use options::{Options, connect, from_pool, migrate, status};

/// A store in Postgres. Clones share the pool.
pub type PostgresStore = Engine<Postgres>;

/// The backend: a pool of connections, and the statements rendered for one schema.
pub struct Postgres {
    pool: PgPool,
    /// Whether the pool was made here, and so ends here.
    owned: bool,
    statements: Statements,
    hot: HotOrgs,
    /// Whether reads and writes are wrapped in transactions, for poolers that otherwise split them over servers.
    transaction_per_command: bool,
    /// A pooler was seen to hand a load and its write to different server processes, or transactions are not READ COMMITTED
    /// unless asked: writes go inside a transaction from then on.
    split: AtomicBool,
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postgres").field("owned", &self.owned).field("connections", &self.pool.size()).finish_non_exhaustive()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if !self.owned {
            return;
        }
        // Marks the pool closed at once; the goodbyes to the server need a runtime, and without one the sockets just close.
        let pool = self.pool.clone();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { pool.close().await });
        } else {
            drop(pool.close());
        }
    }
}

/// Runs a read, inside a transaction where one is named. A pooled connection may have died since it was last used, and a read
/// is safe to repeat: once, on a connection that has just answered.
macro_rules! read {
    ($store:ident, $conn:ident => $read:expr) => {
        read!($store, $store.transaction_per_command.then_some("BEGIN"), $conn => $read)
    };
    ($store:ident, $begin:expr, $conn:ident => $read:expr) => {{
        let begin: Option<&'static str> = $begin;
        let mut session = $store.session();
        let mut again = false;
        loop {
            if again {
                session.renew().await?;
            }
            let done = match begin {
                None => {
                    let $conn = session.conn().await?;
                    $read.await
                }
                Some(begin) => match session.begin(begin).await {
                    Ok(mut tx) => {
                        let $conn = &mut *tx;
                        let done = $read.await;
                        // Nothing was changed, so how it ends does not matter.
                        drop(tx.rollback().await);
                        done
                    }
                    Err(failure) => Err(failure),
                },
            };
            match done {
                Err(failure) if failure.is_lost() && !again => again = true,
                done => break done.map_err(Failure::into_backend),
            }
        }
    }};
}

impl Backend for Postgres {
    async fn execute<J: Job>(&self, mut job: J) -> Result<J, Error> {
        self.drive(&mut job).await?;
        Ok(job)
    }

    async fn users(&self, ids: Vec<UserId>) -> Result<Vec<User>, BackendError> {
        read!(self, conn => list::users(&self.statements, conn, &ids))
    }

    async fn orgs(&self, query: OrgQuery) -> Result<Option<Vec<Organization>>, BackendError> {
        read!(self, conn => list::orgs(&self.statements, conn, &query))
    }

    async fn memberships(&self, query: MembershipQuery) -> Result<Option<Vec<Membership>>, BackendError> {
        read!(self, conn => list::memberships(&self.statements, conn, &query))
    }

    async fn count_members(&self, org: OrgId, filter: Option<MembershipFilter>) -> Result<Option<u64>, BackendError> {
        read!(self, conn => list::count_members(&self.statements, conn, org, filter))
    }

    async fn events(&self, query: EventQuery) -> Result<Option<Vec<Event>>, BackendError> {
        read!(self, conn => list::events(&self.statements, conn, &query))
    }

    async fn dump(&self) -> Result<Dump, BackendError> {
        read!(self, Some("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"), conn => list::dump(&self.statements, conn))
    }
}
