//! Runs a command: load, decide, guarded apply (adr/0002).
//!
//! Without contention that is two round trips and no open transaction. A plan whose guards no longer hold is decided again, in its turn
//! among the commands of this process; the second time, and at once on an organization where other processes write too, the guarded rows
//! are taken first, inside a transaction ([`crate::hot`]).

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use sqlx::PgConnection;
use tenantry_core::{BackendError, Error, Guard, Id, Job, LoadSpec, OrgId, Plan, Refusal, UniqueKey};
use uuid::Uuid;

use crate::apply::{Applied, CHUNK, Presence, apply, lock, presences};
use crate::error::{Failure, other, retryable, unavailable};
use crate::load::{Loaded, load_for};
use crate::session::Session;
use crate::statements::Statements;
use crate::{Postgres, lost};

/// How often a command is decided at most.
const ATTEMPTS: usize = 8;

/// How many attempts are made without taking the rows first.
const OPTIMISTIC: usize = 2;

impl Postgres {
    pub(crate) const fn session(&self) -> Session<'_> {
        Session::new(self)
    }

    pub(crate) async fn drive(&self, job: &mut dyn Job) -> Result<(), Error> {
        // Before a connection is taken: whoever has the turn may need one.
        let mut turns = self.hot.turns(job.spec().org_hint()).await;
        let mut session = self.session();
        // An import is read and written in several statements.
        let always = self.transaction_per_command || self.split.load(Ordering::Relaxed) || matches!(job.spec(), LoadSpec::Ids(_));
        let mut rows = Rows { needs_transaction: always, ..Rows::before(job.spec()) };
        rows.orgs.extend(job.spec().org_hint().filter(|org| self.hot.is_shared(*org)));
        let mut id_taken = false;
        for attempt in 0..ATTEMPTS {
            let lock_first = rows.needs_transaction || !rows.orgs.is_empty() || attempt >= OPTIMISTIC;
            let step = if lock_first {
                self.locked(&mut session, job, &rows).await?
            } else {
                self.optimistic(&mut session, job, turns.is_empty() && attempt == 0).await?
            };
            match step {
                Step::Done => return Ok(()),
                Step::Conflict(guarded) => {
                    self.hot.met(guarded.orgs.iter().copied(), &turns);
                    if attempt + 1 >= OPTIMISTIC {
                        rows.extend(guarded);
                    } else if turns.is_empty() {
                        session.let_go();
                        turns = self.hot.turns(guarded.orgs).await;
                    }
                }
                Step::Wait(orgs) => {
                    session.let_go();
                    turns = self.hot.turns(orgs).await;
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

    async fn optimistic(&self, session: &mut Session<'_>, job: &mut dyn Job, waits: bool) -> Result<Step, Error> {
        let loaded = match load_for(&self.statements, session.conn().await?, job).await {
            // A pooled connection may have died since it was last used; nothing has happened yet.
            Err(failure) if failure.is_lost() => load_for(&self.statements, session.renew().await?, job).await,
            done => done,
        };
        let Loaded { seen, backend_pid } = loaded.map_err(Failure::into_backend)?;
        session.settle();
        let plan = job.decide(&seen)?;
        if plan.is_empty() {
            return Ok(Step::Done);
        }
        let guarded = Rows::of(&plan);
        if guarded.needs_transaction || plan.guarded_orgs().any(|org| self.hot.is_shared(org)) {
            return Ok(Step::LockFirst(guarded));
        }
        if waits && plan.guarded_orgs().any(|org| self.hot.is_hot(org)) {
            return Ok(Step::Wait(guarded.orgs));
        }
        match apply(&self.statements, session.conn().await?, &plan, backend_pid).await {
            Ok(Applied::Done) => {
                session.settle();
                Ok(Step::Done)
            }
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
            Ok(()) => load_for(&self.statements, &mut tx, job).await,
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
        // could wait for each other: begin again with all of them. And what was read without them may be out of date.
        let wanted = Rows::of(&plan);
        if (rows.holds_beyond_orgs_presence() || plan.rests_on_what_is_below()) && !rows.hold(&wanted) {
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
            Ok(()) => {
                session.settle();
                Ok(Step::Done)
            }
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
    let store = session.store();
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
    /// Nothing was written: decide again, in the turn on these.
    Wait(BTreeSet<OrgId>),
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
        Refusal::Unique(
            UniqueKey::OrgSlug
            | UniqueKey::CurrentMembership
            | UniqueKey::PendingInvitation
            | UniqueKey::Tuple
            | UniqueKey::RoleSlug
            | UniqueKey::GroupSlug,
        ) => Ok(Step::LockFirst(guarded)),
        Refusal::Unique(UniqueKey::Id) => Ok(Step::IdTaken(guarded)),
        Refusal::Inconsistent { table, id } => Err(BackendError::inconsistent(table, id).into()),
    }
}

/// Rows to take first, in the order of their ids.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    orgs_presence: Presence,
    users_presence: Presence,
    /// Roots.
    trees: BTreeSet<Uuid>,
    /// What belongs to no organization.
    system: bool,
    /// `type:id`, and `memberships:id` for those of a user.
    objects: BTreeSet<String>,
    users: BTreeSet<Uuid>,
    orgs: BTreeSet<OrgId>,
    /// The plan is written in several calls, or rests on rows that must be read behind the locks.
    needs_transaction: bool,
}

impl Rows {
    /// What is to be taken before anything is read, as an import writes only what it saw to be absent.
    pub(crate) fn before(spec: &LoadSpec) -> Self {
        let brings_orgs = matches!(spec, LoadSpec::Ids(ids) if !ids.orgs.is_empty());
        Self { orgs_presence: if brings_orgs { Presence::Changed } else { Presence::Free }, ..Self::default() }
    }

    /// Takes the rows, and waits for whoever has them.
    pub(crate) async fn lock(&self, sql: &Statements, conn: &mut PgConnection) -> Result<(), Failure> {
        let (users, orgs): (Vec<Uuid>, Vec<Uuid>) = (self.users.iter().copied().collect(), self.orgs.iter().map(Id::as_uuid).collect());
        let objects: Vec<String> = self.objects.iter().cloned().collect();
        let trees: Vec<Uuid> = self.trees.iter().copied().collect();
        lock(sql, conn, [self.orgs_presence, self.users_presence], &trees, &objects, self.system, &users, &orgs).await
    }

    pub(crate) fn of(plan: &Plan) -> Self {
        let (orgs_presence, users_presence) = presences(plan);
        let needs_transaction = plan.changes.len().max(plan.events.len()) > CHUNK || plan.rests_on_what_is_below();
        let mut rows = Self { orgs_presence, users_presence, needs_transaction, ..Self::default() };
        for guard in &plan.guards {
            match guard {
                Guard::User { id, revision: Some(_), advance: _ } => {
                    rows.users.insert(id.as_uuid());
                }
                Guard::User { id: _, revision: None, advance: _ } | Guard::NewUsers { .. } | Guard::NoOrg { .. } | Guard::NewOrgs => {}
                Guard::Org { id, revision: _, events: _ } => {
                    rows.orgs.insert(*id);
                }
                Guard::Tree { root, revision: _, advance: _ } => {
                    rows.trees.insert(root.as_uuid());
                }
                Guard::System { revision: _, advance: _ } => rows.system = true,
                Guard::Object { object, org_id: _ } => {
                    rows.objects.insert(object.to_string());
                }
                // As the function names it.
                Guard::Memberships { usr_id, rows: _, ended: _ } => {
                    rows.objects.insert(format!("memberships:{}", usr_id.as_uuid()));
                }
            }
        }
        rows
    }

    pub(crate) fn extend(&mut self, more: Self) {
        self.orgs_presence = self.orgs_presence.max(more.orgs_presence);
        self.users_presence = self.users_presence.max(more.users_presence);
        self.trees.extend(more.trees);
        self.system |= more.system;
        self.objects.extend(more.objects);
        self.users.extend(more.users);
        self.orgs.extend(more.orgs);
        self.needs_transaction |= more.needs_transaction;
    }

    pub(crate) fn holds_any(&self) -> bool {
        self.orgs_presence > Presence::Free || self.holds_beyond_orgs_presence()
    }

    /// Whether it holds what is taken behind the first of all.
    fn holds_beyond_orgs_presence(&self) -> bool {
        self.users_presence > Presence::Free
            || !self.trees.is_empty()
            || self.system
            || !self.objects.is_empty()
            || !self.users.is_empty()
            || !self.orgs.is_empty()
    }

    pub(crate) fn hold(&self, wanted: &Self) -> bool {
        self.orgs_presence >= wanted.orgs_presence
            && self.users_presence >= wanted.users_presence
            && wanted.trees.is_subset(&self.trees)
            && (self.system || !wanted.system)
            && wanted.objects.is_subset(&self.objects)
            && wanted.users.is_subset(&self.users)
            && wanted.orgs.is_subset(&self.orgs)
    }
}
