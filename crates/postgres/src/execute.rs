//! Runs a command: load, decide, guarded apply (adr/0002).
//!
//! Without contention that is two round trips and no open transaction. A plan whose guards no longer hold is decided again;
//! the second time, and at once on an organization where that happened within the last second, the guarded rows are taken
//! first, inside a transaction: repeated optimism collapses where many write to one organization.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::pool::PoolConnection;
use sqlx::{Connection, PgConnection, Transaction};
use tenantry_core::{BackendError, Error, Guard, Job, LoadSpec, OrgId, Plan, Refusal, UniqueKey};
use uuid::Uuid;

use crate::apply::{Applied, CHUNK, Presence, apply, lock};
use crate::error::{Failure, other, retryable, unavailable};
use crate::load::{Loaded, load};
use crate::statements::Statements;
use crate::{Postgres, lost};

/// How often a command is decided at most.
const ATTEMPTS: usize = 8;

/// How many attempts are made without taking the rows first.
const OPTIMISTIC: usize = 2;

/// A connection of the pool, replaced when it turns out dead.
#[derive(Debug)]
pub(crate) struct Session<'s> {
    store: &'s Postgres,
    held: Option<PoolConnection<sqlx::Postgres>>,
    /// A transaction is being begun. Dropped at that point, the driver hands the connection back to the pool with the
    /// transaction open, and whoever gets it next would write into that and never commit.
    beginning: bool,
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        if let Some(held) = self.held.as_mut().filter(|_| self.beginning) {
            held.close_on_drop();
        }
    }
}

impl Session<'_> {
    pub(crate) async fn conn(&mut self) -> Result<&mut PgConnection, BackendError> {
        if self.held.is_none() {
            self.held = Some(self.store.pool.acquire().await.map_err(|error| Failure::from(error).into_backend())?);
        }
        self.held.as_deref_mut().ok_or_else(unavailable)
    }

    /// Takes a connection that has just answered in place of one that turned out dead.
    pub(crate) async fn renew(&mut self) -> Result<&mut PgConnection, BackendError> {
        // The pool's other connections may have died with it; each that does not answer leaves the pool.
        for _ in 0..=self.store.pool.options().get_max_connections() {
            if let Some(mut dead) = self.held.take() {
                dead.close_on_drop();
            }
            self.beginning = false;
            if self.conn().await?.ping().await.is_ok() {
                return self.conn().await;
            }
        }
        Err(unavailable())
    }

    /// Begins a transaction; dropping it rolls it back.
    pub(crate) async fn begin(&mut self, statement: &'static str) -> Result<Transaction<'_, sqlx::Postgres>, Failure> {
        self.conn().await?;
        let held = self.held.as_deref_mut().ok_or_else(unavailable)?;
        self.beginning = true;
        let begun = held.begin_with(statement).await;
        // After a failure the state of the connection is not known: it ends with the session.
        self.beginning = begun.is_err();
        Ok(begun?)
    }
}

impl Postgres {
    pub(crate) const fn session(&self) -> Session<'_> {
        Session { store: self, held: None, beginning: false }
    }

    pub(crate) async fn drive(&self, job: &mut dyn Job) -> Result<(), Error> {
        let mut session = self.session();
        // An import is read and written in several statements.
        let always = self.transaction_per_command || self.split.load(Ordering::Relaxed) || matches!(job.spec(), LoadSpec::Ids(_));
        let mut rows = Rows { needs_transaction: always, ..Rows::default() };
        rows.orgs.extend(job.spec().org_hint().filter(|org| self.hot.contains(*org)).map(|org| org.as_uuid()));
        let mut id_taken = false;
        for attempt in 0..ATTEMPTS {
            let lock_first = rows.needs_transaction || !rows.orgs.is_empty() || attempt >= OPTIMISTIC;
            let step = if lock_first {
                self.locked(&mut session, job, &rows).await?
            } else {
                self.optimistic(&mut session, job, attempt == 0).await?
            };
            match step {
                Step::Done => return Ok(()),
                Step::Conflict(guarded) => {
                    self.hot.add(&guarded);
                    if attempt + 1 >= OPTIMISTIC {
                        rows.extend(guarded);
                    }
                }
                Step::LockFirst(guarded) => rows.extend(guarded),
                Step::Dead => drop(session.renew().await?),
                // Decided anew, an import finds the row and says so; ids drawn for new rows stay as they are.
                Step::IdTaken(_) if id_taken => return Err(BackendError::from(Refusal::Unique(UniqueKey::Id)).into()),
                Step::IdTaken(guarded) => {
                    id_taken = true;
                    rows.extend(guarded);
                }
            }
        }
        Err(retryable().into())
    }

    async fn optimistic(&self, session: &mut Session<'_>, job: &mut dyn Job, first: bool) -> Result<Step, Error> {
        let loaded = match load(&self.statements, session.conn().await?, job.begin()).await {
            // A pooled connection may have died since it was last used; nothing has happened yet.
            Err(failure) if failure.is_lost() => load(&self.statements, session.renew().await?, job.begin()).await,
            done => done,
        };
        let Loaded { seen, backend_pid } = loaded.map_err(Failure::into_backend)?;
        let plan = job.decide(&seen)?;
        if plan.is_empty() {
            return Ok(Step::Done);
        }
        let guarded = Rows::of(&plan);
        if guarded.needs_transaction || (first && plan.guarded_orgs().any(|org| self.hot.contains(org))) {
            return Ok(Step::LockFirst(guarded));
        }
        match apply(&self.statements, session.conn().await?, &plan, backend_pid).await {
            Ok(Applied::Done) => Ok(Step::Done),
            Ok(Applied::Refused(refusal)) => again(refusal, guarded),
            // Or the server's transactions are of another isolation than when the store was opened.
            Ok(Applied::Moved | Applied::Isolation) => {
                self.split.store(true, Ordering::Relaxed);
                Ok(Step::LockFirst(Rows { needs_transaction: true, ..guarded }))
            }
            Err(Failure::Raced(_)) => Ok(Step::Conflict(guarded)),
            Err(Failure::Failed(error)) => Err(error.into()),
            Err(Failure::Lost(source)) => find_out(session, &plan, backend_pid, source).await,
        }
    }

    async fn locked(&self, session: &mut Session<'_>, job: &mut dyn Job, rows: &Rows) -> Result<Step, Error> {
        // Whatever the session's default: after waiting for a row, the load must see what was committed meanwhile.
        const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";
        let mut tx = match session.begin(BEGIN).await {
            Ok(tx) => tx,
            Err(failure) if failure.is_lost() => return Ok(Step::Dead),
            Err(failure) => return Err(failure.into_backend().into()),
        };
        let loaded = match rows.lock(&self.statements, &mut tx).await {
            Ok(()) => load(&self.statements, &mut tx, job.begin()).await,
            Err(failure) => Err(failure),
        };
        let Loaded { seen, backend_pid } = match loaded {
            Ok(loaded) => loaded,
            Err(Failure::Raced(_)) => return Ok(Step::LockFirst(Rows::default())),
            Err(failure) => return Err(failure.into_backend().into()),
        };
        let plan = job.decide(&seen)?;
        if plan.is_empty() {
            return Ok(Step::Done);
        }
        // Rows are taken in one order. With some of them in hand already, and one of an earlier place missing, two commands
        // could wait for each other: begin again with all of them.
        let wanted = Rows::of(&plan);
        if rows.holds_any() && !rows.hold(&wanted) {
            return Ok(Step::LockFirst(wanted));
        }
        match apply(&self.statements, &mut tx, &plan, backend_pid).await {
            Ok(Applied::Done) => {}
            Ok(Applied::Refused(refusal)) => return again(refusal, wanted),
            Ok(Applied::Moved | Applied::Isolation) => return Err(other().into()),
            Err(Failure::Raced(_)) => return Ok(Step::LockFirst(wanted)),
            // COMMIT was not sent yet, so nothing took place.
            Err(failure) => return Err(failure.into_backend().into()),
        }
        match tx.commit().await.map_err(Failure::from) {
            Ok(()) => Ok(Step::Done),
            Err(Failure::Raced(_)) => Ok(Step::LockFirst(wanted)),
            Err(Failure::Failed(error)) => Err(error.into()),
            Err(Failure::Lost(source)) => find_out(session, &plan, backend_pid, source).await,
        }
    }
}

/// The connection broke while a write was under way: did it take place?
async fn find_out(session: &mut Session<'_>, plan: &Plan, backend_pid: i32, source: sqlx::Error) -> Result<Step, Error> {
    // Every plan that is not empty has an event; one without could not be asked for.
    let Some(event_id) = plan.events.first().map(|event| event.id) else {
        return Err(unavailable().caused_by(source).into());
    };
    let store = session.store;
    let told = match session.renew().await {
        Ok(conn) => lost::took_place(&store.statements, conn, event_id, backend_pid).await,
        Err(error) => Err(error.into()),
    };
    match told {
        Ok(Some(true)) => Ok(Step::Done),
        Ok(Some(false)) => Err(unavailable().caused_by(source).into()),
        Ok(None) | Err(_) => Err(lost::unknown_outcome(event_id).caused_by(source).into()),
    }
}

/// What an attempt came to.
#[derive(Debug)]
enum Step {
    Done,
    /// Nothing was written: a guard did not hold, or the database chose another transaction. These rows were guarded.
    Conflict(Rows),
    /// Nothing was written: decide again, with these rows taken first.
    LockFirst(Rows),
    /// Nothing was begun: the connection is dead.
    Dead,
    /// Nothing was written: a row with the id of a new one is there.
    IdTaken(Rows),
}

fn again(refusal: Refusal, guarded: Rows) -> Result<Step, Error> {
    match refusal {
        Refusal::Conflict => Ok(Step::Conflict(guarded)),
        // The next load shows what stands in the way, and core says which error that is.
        Refusal::Unique(UniqueKey::OrgSlug | UniqueKey::CurrentMembership | UniqueKey::PendingInvitation | UniqueKey::Tuple) => {
            Ok(Step::LockFirst(guarded))
        }
        Refusal::Unique(UniqueKey::Id) => Ok(Step::IdTaken(guarded)),
        Refusal::Inconsistent { table, id } => Err(BackendError::inconsistent(table, id).into()),
    }
}

/// Rows to take first, in the order of their ids.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    presence: Presence,
    /// `type:id`.
    objects: BTreeSet<String>,
    users: BTreeSet<Uuid>,
    orgs: BTreeSet<Uuid>,
    /// The plan is written in several calls.
    needs_transaction: bool,
}

impl Rows {
    /// Takes the rows, and waits for whoever has them.
    pub(crate) async fn lock(&self, sql: &Statements, conn: &mut PgConnection) -> Result<(), Failure> {
        let (users, orgs): (Vec<Uuid>, Vec<Uuid>) = (self.users.iter().copied().collect(), self.orgs.iter().copied().collect());
        let objects: Vec<String> = self.objects.iter().cloned().collect();
        lock(sql, conn, self.presence, &objects, &users, &orgs).await
    }

    pub(crate) fn of(plan: &Plan) -> Self {
        let mut rows = Self { needs_transaction: plan.changes.len().max(plan.events.len()) > CHUNK, ..Self::default() };
        for guard in &plan.guards {
            match guard {
                Guard::User { id, revision: Some(_), advance: _ } => {
                    rows.users.insert(id.as_uuid());
                }
                Guard::User { id: _, revision: None, advance: _ } => rows.presence = rows.presence.max(Presence::Relied),
                Guard::Org { id, revision: _, events: _ } => {
                    rows.orgs.insert(id.as_uuid());
                }
                Guard::Object { object, org_id: _ } => {
                    rows.objects.insert(object.to_string());
                }
                Guard::NewUsers { without_memberships: _ } => rows.presence = Presence::Changed,
            }
        }
        rows
    }

    pub(crate) fn extend(&mut self, more: Self) {
        self.presence = self.presence.max(more.presence);
        self.objects.extend(more.objects);
        self.users.extend(more.users);
        self.orgs.extend(more.orgs);
        self.needs_transaction |= more.needs_transaction;
    }

    pub(crate) fn holds_any(&self) -> bool {
        self.presence > Presence::Free || !self.objects.is_empty() || !self.users.is_empty() || !self.orgs.is_empty()
    }

    fn hold(&self, wanted: &Self) -> bool {
        self.presence >= wanted.presence
            && wanted.objects.is_subset(&self.objects)
            && wanted.users.is_subset(&self.users)
            && wanted.orgs.is_subset(&self.orgs)
    }
}

/// Organizations where a guard failed within the last second. Local to the process, and only a hint.
#[derive(Debug, Default)]
pub(crate) struct HotOrgs(Mutex<HashMap<Uuid, Instant>>);

const HOT_FOR: Duration = Duration::from_secs(1);

impl HotOrgs {
    fn contains(&self, org: OrgId) -> bool {
        let hot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        hot.get(&org.as_uuid()).is_some_and(|since| since.elapsed() < HOT_FOR)
    }

    fn add(&self, rows: &Rows) {
        const MOST: usize = 4096;
        let mut hot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if hot.len() > MOST {
            hot.retain(|_, since| since.elapsed() < HOT_FOR);
        }
        hot.extend(rows.orgs.iter().map(|org| (*org, Instant::now())));
    }
}
