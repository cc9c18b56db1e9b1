//! The store inside a transaction of the caller's own.
//!
//! It cannot commit, by type, and uses no savepoints of the client: the driver takes such a one back behind a dropped future, and where the
//! server has already released it, that aborts the caller's transaction without a word. What a command writes is whole or absent by the
//! block of the function `apply_v4` (adr/0010).

use std::fmt;
use std::sync::Arc;

use sqlx::{PgConnection, Row, Transaction};
use tenantry_core::{
    AccessFound, AccessQuery, Backend, BackendError, BackendKind, Dump, Engine, Error, Event, EventQuery, Facts, FactsQuery, Inquiry,
    Invitation, InvitationQuery, Job, Membership, MembershipFilter, MembershipQuery, OrgId, OrgQuery, Organization, Refusal, Standing,
    Timestamp, Tuple, TupleQuery, UniqueKey, User, UserId,
};
use tokio::sync::{Mutex, MutexGuard};

use crate::access;
use crate::apply::{Applied, apply};
use crate::error::{Failure, other};
use crate::execute::Rows;
use crate::load::{Loaded, load_for};
use crate::statements::Statements;
use crate::{PostgresStore, inquire, list};

/// How often a command is decided at most. Where the transaction keeps to its first moment, deciding again changes nothing.
const ATTEMPTS: usize = 4;

/// The backend of a store that is bound to a transaction.
pub struct Bound<'t> {
    conn: Mutex<&'t mut PgConnection>,
    statements: Arc<Statements>,
}

impl fmt::Debug for Bound<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bound").finish_non_exhaustive()
    }
}

/// The store inside a transaction of the application: what is written through it and what the application writes are committed
/// together, or not at all. It is a full [`TenancyStore`](tenantry_core::TenancyStore), on behalf of the same caller as `store`.
///
/// The rows that a command guards stay locked until the transaction ends, so that other commands on the same organization wait: keep
/// it short. Calls of `store` itself run on other connections, and one that needs such a row would wait for this transaction.
///
/// Spec: `transactions.md`. Beside their usual errors, commands fail with
/// - `backend.retryable` where another transaction was in the way and the server gave up this one: roll it back and run it again. Under
///   REPEATABLE READ and SERIALIZABLE that is what happens in place of deciding again.
/// - `backend.rolled_back` where an earlier statement failed, so that the server takes no further one.
/// - `backend.isolation` for what only READ COMMITTED can decide: imports that bring users or organizations, and grants on objects by guarded callers.
///
/// ```no_run
/// # async fn example(pool: sqlx::PgPool, store: tenantry_postgres::PostgresStore) -> Result<(), Box<dyn std::error::Error>> {
/// use tenantry_core::{CreateOrg, CreateUser, TenancyStore};
///
/// let mut tx = pool.begin().await?;
/// let bound = tenantry_postgres::bind(&store, &mut tx);
/// let ada = bound.create_user(CreateUser::new().display_name("Ada")).await?.user;
/// let acme = bound.create_org(CreateOrg::new(ada.id).slug("acme")).await?.org;
/// sqlx::query("INSERT INTO account (org, plan) VALUES ($1, 'free')").bind(acme.id.to_string()).execute(&mut *tx).await?;
/// tenantry_postgres::commit(&store, tx).await?;
/// # Ok(())
/// # }
/// ```
pub fn bind<'t>(store: &PostgresStore, tx: &'t mut Transaction<'_, sqlx::Postgres>) -> Engine<Bound<'t>> {
    let statements = Arc::clone(&store.backend().statements);
    store.rebound(Bound { conn: Mutex::new(&mut **tx), statements })
}

/// Commits a transaction, and says whether that took place. The driver's own `commit` does not: where the server has rolled the
/// transaction back, because a statement failed or a future was dropped at a bad moment, it answers `Ok` all the same.
///
/// # Errors
/// - `backend.rolled_back`: nothing took place. Run the transaction again.
/// - `backend.retryable`: nothing took place, because of another transaction. Run it again.
/// - `backend.unavailable`: the connection was lost, and nothing took place.
/// - `backend.unknown_outcome`: the connection was lost, and the server cannot be asked: look for a row of your own.
pub async fn commit(store: &PostgresStore, mut tx: Transaction<'_, sqlx::Postgres>) -> Result<(), BackendError> {
    // In a transaction that was aborted, and outside of one, the savepoint is refused; and the number of the transaction tells afterwards
    // what became of it.
    let asked = sqlx::raw_sql("SAVEPOINT tenantry_commit; SELECT txid_current_if_assigned()").fetch_one(&mut *tx).await;
    let number: Option<i64> = asked.and_then(|row| row.try_get(0)).map_err(|error| in_a_transaction(error.into()))?;
    match tx.commit().await.map_err(Failure::from) {
        Ok(()) => Ok(()),
        Err(Failure::Lost(source)) => became_of(store, number).await.map_err(|error| error.caused_by(source)),
        Err(failure) => Err(failure.into_backend()),
    }
}

/// What became of a transaction whose connection broke during COMMIT.
async fn became_of(store: &PostgresStore, number: Option<i64>) -> Result<(), BackendError> {
    let unknown = || {
        let message =
            "the connection was lost during COMMIT, and whether the transaction took place cannot be told: look for a row of your own";
        BackendError::new(BackendKind::UnknownCommit, message)
    };
    // Without a number nothing was written.
    let Some(number) = number else { return Ok(()) };
    match crate::lost::became_of(store.backend(), number).await {
        Ok(Some(true)) => Ok(()),
        Ok(Some(false)) => Err(crate::error::unavailable()),
        Ok(None) => Err(unknown()),
        Err(error) => Err(unknown().caused_by(error)),
    }
}

impl<'t> Bound<'t> {
    async fn conn(&self) -> MutexGuard<'_, &'t mut PgConnection> {
        self.conn.lock().await
    }

    async fn drive(&self, job: &mut dyn Job) -> Result<(), Error> {
        let mut held = self.conn().await;
        let conn = &mut **held;
        let failed = |failure: Failure| Error::from(in_a_transaction(failure));
        let mut rows = Rows::before(job.spec());
        let mut id_taken = false;
        for _ in 0..ATTEMPTS {
            if rows.holds_any() {
                rows.lock(&self.statements, conn).await.map_err(failed)?;
            }
            let Loaded { seen, backend_pid } = load_for(&self.statements, conn, job).await.map_err(failed)?;
            let plan = job.decide(&seen)?;
            if plan.is_empty() {
                return Ok(());
            }
            let wanted = Rows::of(&plan);
            if plan.rests_on_what_is_below() && !rows.hold(&wanted) {
                // Behind the locks it must see what has been committed until then.
                if !sees_all(conn).await? {
                    return Err(isolation().into());
                }
                rows.extend(wanted);
                continue;
            }
            match apply(&self.statements, conn, &plan, backend_pid).await.map_err(failed)? {
                Applied::Done => return Ok(()),
                Applied::Refused(refusal @ Refusal::Unique(UniqueKey::Id)) if id_taken => return Err(BackendError::from(refusal).into()),
                // Decided again, over rows that nobody else can move any more.
                Applied::Refused(refusal @ (Refusal::Conflict | Refusal::Unique(_))) => {
                    id_taken = matches!(refusal, Refusal::Unique(UniqueKey::Id));
                    rows.extend(wanted);
                }
                Applied::Refused(refusal @ Refusal::Inconsistent { .. }) => return Err(BackendError::from(refusal).into()),
                // The transaction is on one server process.
                Applied::Moved => return Err(other().into()),
                Applied::Isolation => return Err(isolation().into()),
            }
        }
        Err(lost_race().into())
    }
}

/// Whether each statement of the transaction sees what was committed until then.
async fn sees_all(conn: &mut PgConnection) -> Result<bool, BackendError> {
    let asked = sqlx::query("SELECT current_setting('transaction_isolation') = 'read committed'").fetch_one(conn).await;
    asked.and_then(|row| row.try_get(0)).map_err(|error| in_a_transaction(error.into()))
}

/// Failures as whoever holds the transaction has to take them.
fn in_a_transaction(failure: Failure) -> BackendError {
    match failure {
        Failure::Raced(source) => lost_race().caused_by(source),
        failure => failure.into_backend(),
    }
}

fn lost_race() -> BackendError {
    let message = "another transaction was in the way: roll the surrounding transaction back and run it again";
    BackendError::new(BackendKind::Retryable, message)
}

fn isolation() -> BackendError {
    let message = "this cannot be decided in a transaction that does not see what others have committed since it began: \
                   begin it as READ COMMITTED";
    BackendError::new(BackendKind::Isolation, message)
}

/// A read on the transaction's connection.
macro_rules! read {
    ($bound:ident, $conn:ident => $read:expr) => {{
        let mut held = $bound.conn().await;
        let $conn = &mut **held;
        $read.await.map_err(in_a_transaction)
    }};
}

impl Backend for Bound<'_> {
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

    /// Under READ COMMITTED each round of questions sees its own moment.
    async fn inquire<Q: Inquiry>(&self, mut inquiry: Q) -> Result<Q, BackendError> {
        read!(self, conn => inquire::to_the_end(&self.statements, conn, &mut inquiry))?;
        Ok(inquiry)
    }

    async fn events(&self, query: EventQuery) -> Result<Option<Vec<Event>>, BackendError> {
        let mut held = self.conn().await;
        let conn = &mut **held;
        if matches!(query, EventQuery::All { .. }) {
            // It gives places to events, in the order that it sees.
            if !sees_all(conn).await? {
                return Err(isolation());
            }
        }
        list::events(&self.statements, conn, &query).await.map_err(in_a_transaction)
    }

    async fn dump(&self) -> Result<Dump, BackendError> {
        read!(self, conn => list::dump(&self.statements, conn))
    }
}
