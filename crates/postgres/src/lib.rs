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
//! A command is one load statement and one call of the function `apply_v4`, two round trips and no open transaction between
//! them (adr/0002). Everything lives in one schema, `tenantry` unless said otherwise, and every statement names it, so the
//! connection's search path does not matter.

mod access;
mod apply;
mod bound;
#[cfg(test)]
mod checks;
mod codec;
mod error;
mod execute;
mod hot;
mod inquire;
mod list;
mod load;
mod lost;
mod migrations;
mod options;
mod repair;
mod session;
mod statements;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sqlx::PgPool;
use tenantry_core::doctor::Repair;
use tenantry_core::{
    AccessFound, AccessQuery, Backend, BackendError, Dump, Engine, Error, Event, EventQuery, Facts, FactsQuery, Inquiry, Invitation,
    InvitationQuery, Job, Membership, MembershipFilter, MembershipQuery, OrgId, OrgQuery, Organization, Standing, Timestamp, Tuple,
    TupleQuery, User, UserId,
};

use crate::error::Failure;
use crate::hot::HotOrgs;
use crate::session::{Idle, Session};
use crate::statements::Statements;

pub use bound::{Bound, bind, commit};
pub use options::{Options, connect, from_pool, migrate, status};

/// A store in Postgres. Clones share the pool.
pub type PostgresStore = Engine<Postgres>;

/// The backend: a pool of connections, and the statements rendered for one schema.
pub struct Postgres {
    pool: PgPool,
    /// Whether the pool was made here, and so ends here.
    owned: bool,
    statements: Arc<Statements>,
    hot: HotOrgs,
    idle: Arc<Idle>,
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
        self.idle.clear();
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
                    let done = $read.await;
                    if done.is_ok() {
                        session.settle();
                    }
                    done
                }
                Some(begin) => {
                    let (done, ended) = match session.begin(begin).await {
                        Ok(mut tx) => {
                            let $conn = &mut *tx;
                            let done = $read.await;
                            // Nothing was changed, so how it ends does not matter.
                            (done, tx.rollback().await.is_ok())
                        }
                        Err(failure) => (Err(failure), false),
                    };
                    if ended && done.is_ok() {
                        session.settle();
                    }
                    done
                }
            };
            match done {
                Err(failure) if failure.is_lost() && !again => again = true,
                done => break done.map_err(Failure::into_backend),
            }
        }
    }};
}

impl Postgres {
    /// The events of the whole store, in a transaction of their own that commits the places that it gave.
    async fn feed(&self, query: &EventQuery) -> Result<Option<Vec<Event>>, BackendError> {
        const TIMES: usize = 8;
        let mut session = self.session();
        for again in 0..TIMES {
            if again > 0 {
                session.renew().await?;
            }
            match self.feed_once(&mut session, query).await {
                // Another reader was at it, or a pooled connection had died: it is safe to repeat.
                Err(failure) if again + 1 < TIMES && (failure.is_lost() || matches!(failure, Failure::Raced(_))) => {}
                done => return done.map_err(Failure::into_backend),
            }
        }
        Err(error::retryable())
    }

    async fn feed_once(&self, session: &mut Session<'_>, query: &EventQuery) -> Result<Option<Vec<Event>>, Failure> {
        let mut tx = session.begin("BEGIN ISOLATION LEVEL READ COMMITTED").await?;
        let events = list::events(&self.statements, &mut tx, query).await?;
        tx.commit().await?;
        Ok(events)
    }
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

    async fn invitations(&self, query: InvitationQuery) -> Result<Option<Vec<Invitation>>, BackendError> {
        read!(self, conn => list::invitations(&self.statements, conn, &query))
    }

    async fn tuples(&self, query: TupleQuery) -> Result<Vec<Tuple>, BackendError> {
        read!(self, conn => list::tuples(&self.statements, conn, &query))
    }

    async fn access(&self, query: AccessQuery, at: Timestamp) -> Result<AccessFound, BackendError> {
        read!(self, conn => access::read(&self.statements, conn, &query, at))
    }

    async fn facts(&self, query: FactsQuery) -> Result<Facts, BackendError> {
        read!(self, conn => access::facts(&self.statements, conn, &query))
    }

    async fn standings(&self, usr: UserId, orgs: Vec<OrgId>) -> Result<Vec<Standing>, BackendError> {
        read!(self, conn => list::standings(&self.statements, conn, usr, &orgs))
    }

    async fn inquire<Q: Inquiry>(&self, mut inquiry: Q) -> Result<Q, BackendError> {
        let at = inquiry.at();
        if inquiry.is_single() {
            let questions = inquiry.questions();
            let answers = read!(self, conn => inquire::answers(&self.statements, conn, &questions, at))?;
            inquiry.answer(answers);
            if inquiry.questions().is_empty() {
                return Ok(inquiry);
            }
        }
        let begin = Some("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY");
        read!(self, begin, conn => inquire::to_the_end(&self.statements, conn, &mut inquiry))?;
        Ok(inquiry)
    }

    async fn events(&self, query: EventQuery) -> Result<Option<Vec<Event>>, BackendError> {
        if !matches!(query, EventQuery::All { .. }) {
            return read!(self, conn => list::events(&self.statements, conn, &query));
        }
        // It gives places to events, which must last: never inside a transaction that is rolled back.
        if self.transaction_per_command || self.split.load(Ordering::Relaxed) {
            return self.feed(&query).await;
        }
        let mut session = self.session();
        match list::events(&self.statements, session.conn().await?, &query).await {
            Err(failure) if failure.is_lost() || matches!(failure, Failure::Raced(_)) => self.feed(&query).await,
            done => done.map_err(Failure::into_backend),
        }
    }

    async fn dump(&self) -> Result<Dump, BackendError> {
        read!(self, Some("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"), conn => list::dump(&self.statements, conn))
    }

    async fn repair(&self, repairs: Vec<Repair>) -> Result<bool, BackendError> {
        repair::repair(self, &repairs).await
    }
}
