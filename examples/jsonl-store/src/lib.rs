//! A store of one's own: a file of JSON lines. **The guide for those who write a store.**
//!
//! ```
//! use tenantry_core::{CreateOrg, CreateUser, TenancyStore};
//!
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! # let folder = tempfile::tempdir().unwrap();
//! # let path = folder.path().join("acme.jsonl");
//! let store = jsonl_store::open(&path)?;
//! let ada = store.create_user(CreateUser::new().display_name("Ada")).await?.user;
//! store.create_org(CreateOrg::new(ada.id).name("Acme")).await?;
//! drop(store);
//!
//! assert_eq!(jsonl_store::read(&path)?.organizations.len(), 1);
//! # Ok::<(), tenantry_core::Error>(())
//! # }).unwrap();
//! ```
//!
//! # What a store is
//!
//! Everything that Tenantry knows is in `tenantry-core`: who may do what, in which order it is checked, what is written and which
//! events tell of it. A store implements [`Backend`], and [`Engine`] makes the [`TenancyStore`](tenantry_core::TenancyStore) of it
//! that applications hold. Of the three things that a command goes through, a store does two:
//!
//! 1. **load** the rows that the command asks for, as of one moment,
//! 2. let the command **decide** over them, which core does,
//! 3. **apply** what was decided, as one commit.
//!
//! So a store has no opinion. When you find yourself asking for a role or a status in one, it belongs elsewhere.
//!
//! # This store
//!
//! It keeps the whole [`State`] in memory and each commit as a line in a file; opening is reading all lines. [`State`] is not only a
//! convenience: it is the *definition* of what a load shows, what a change means and what a query answers, and the conformance suite
//! compares every store with it. A store that keeps its rows elsewhere reads it beside its own code: each `match` in `State` has its
//! counterpart in a statement of `crates/sqlite` and of `crates/postgres`.
//!
//! | file | what to look for |
//! | --- | --- |
//! | this one | the port: what each method promises |
//! | `log.rs` | what makes a write whole, lasting and alone |
//! | `encode.rs` | how rows are written so that nothing is forgotten |
//! | `tests/` | how a store is held against the suite, and what the suite cannot know of it |
//!
//! What it is good for besides: tools and tests that want a file to look into. A file of a million lines takes seconds to open, and a
//! commit waits for the disk alone, not in a group.

mod encode;
mod log;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, BufReader};
use std::path::Path;
use std::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use tenantry_core::{
    AccessFound, AccessQuery, Backend, BackendError, BackendKind, Dump, Engine, Error, Event, EventQuery, Facts, FactsQuery, Inquiry,
    Invitation, InvitationQuery, Job, Membership, MembershipFilter, MembershipQuery, OrgId, OrgQuery, Organization, Plan, Sources,
    Standing, State, Timestamp, Tuple, TupleQuery, User, UserId,
};

use crate::log::Log;

/// A store in a file of JSON lines. Clones share the file.
pub type JsonlStore = Engine<Jsonl>;

/// Opens the file with the system's clock and ids; creates it where there is none.
///
/// # Errors
/// `backend.unavailable` when the file cannot be opened, or is open already, here or in another process; `backend.schema` when it is
/// none of ours; `backend.inconsistent` when a line is damaged that is not the last.
pub fn open(path: impl AsRef<Path>) -> Result<JsonlStore, BackendError> {
    open_with(path, Sources::system())
}

/// The same with these sources. A store takes the time and ids from nowhere else: that is what lets the suite compare two stores row
/// by row, and a test move the clock.
///
/// # Errors
/// As [`open`].
pub fn open_with(path: impl AsRef<Path>, sources: Sources) -> Result<JsonlStore, BackendError> {
    let (log, state) = Log::open(path.as_ref())?;
    Ok(Engine::new(Jsonl::new(log, state), sources))
}

/// What a file holds, without opening it as a store: it may be open elsewhere, and stays as it is.
///
/// # Errors
/// As [`open`], but for the lock.
pub fn read(path: impl AsRef<Path>) -> Result<Dump, BackendError> {
    let path = path.as_ref();
    let file = File::open(path).map_err(|cause| log::cannot("read", path, cause))?;
    let (state, _) = log::replay(BufReader::new(file), path)?;
    Ok(state.dump())
}

/// The backend: the state and its file, behind one lock.
#[derive(Debug)]
pub struct Jsonl {
    inner: RwLock<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// What the lines of the file lead to, and nothing else.
    state: State,
    log: Log,
    /// The file did not take a line and could not be brought back: what is on the disk is not known any more.
    lost: bool,
}

impl Jsonl {
    fn new(log: Log, state: State) -> Self {
        Self { inner: RwLock::new(Inner { state, log, lost: false }) }
    }

    /// The state for a read. A store that does not know its state says so instead of answering.
    ///
    /// A lock is poisoned when a command panicked while it was held, perhaps between the state and the file. It is not worth finding
    /// out which: the file is right, and opening it again reads it.
    fn state(&self) -> Result<RwLockReadGuard<'_, Inner>, BackendError> {
        self.inner.read().ok().filter(|inner| !inner.lost).ok_or_else(closed)
    }

    fn exclusive(&self) -> Result<RwLockWriteGuard<'_, Inner>, BackendError> {
        self.inner.write().ok().filter(|inner| !inner.lost).ok_or_else(closed)
    }
}

impl Backend for Jsonl {
    /// # What `execute` promises
    ///
    /// **One moment.** What `decide` sees is what `apply` changes. Here one lock is held from the load to the commit, so that nothing
    /// can come between, and a guard that does not hold is a defect. A store without such a lock lets the guards find out: it compares
    /// the revisions that the plan names, in the plan's order, under row locks or in a serializable transaction, and on
    /// [`Refusal::Conflict`](tenantry_core::Refusal::Conflict) writes nothing and goes back to the load: `begin`, load, `decide`,
    /// apply. That is why `decide` may be called again. After some losses it should take its locks before it loads, lest two busy
    /// callers outrun each other for ever.
    ///
    /// **`begin` before each load.** It takes the time of the attempt, which every row and event of the plan will bear and by which
    /// ends are judged. Called before the wait for a lock, it would let a commit look older than the one it waited for.
    ///
    /// **A refusal writes nothing.** The error of `decide` goes to the caller as it is. So does a
    /// [`Refusal`](tenantry_core::Refusal) of the plan, as a `BackendError`: with it nothing may have been written, the guards that
    /// came before included.
    ///
    /// **All of the plan or nothing,** events included, and the answer only after that is certain. An empty plan is not written.
    ///
    /// **Dropping the future** leaves the state as before or as after. There is no `await` below, so that a caller who goes away finds
    /// no place to do harm: the first poll is also the last. The price is that the caller's thread waits for the disk. A store that is
    /// to be used in earnest sends the job to a thread or a server instead (a [`Job`] is `Send` and `'static`, so that it can), and
    /// then a dropped future must not stop it half way: either the job has not begun and never will, or it is brought to its end with
    /// nobody waiting for the answer. `crates/sqlite/src/writer.rs` does so, and commits in groups besides.
    async fn execute<J: Job>(&self, mut job: J) -> Result<J, Error> {
        let mut inner = self.exclusive()?;
        let mut seen = inner.state.load(job.begin());
        seen.facts = job.weighs(&seen).map(|query| Box::new(inner.state.facts(&query)));
        let plan = job.decide(&seen)?;
        if plan.is_empty() {
            return Ok(job);
        }
        let line = log::frame(&plan)?;
        // The state first, for it can still say no: a line that is on the disk cannot be applied only in part. Nobody sees the state
        // before the line is safe, since the lock is held.
        inner.state.apply(&plan).map_err(BackendError::from)?;
        if let Err(cause) = inner.log.append(&line) {
            return Err(inner.take_back(&plan, cause).into());
        }
        // The answer has been in the job since `decide`; the engine takes it out of the one that is given back.
        Ok(job)
    }

    // # What reads promise
    //
    // Each read is of one moment, behind every commit that was answered before. It names its rows, their order and their number; a
    // list is in ascending order of id, begins behind `window.after` and has at most `window.fetch` rows, which is one more than the
    // page will hold, so that core can tell whether there is a next one. Rows come as they are stored: that a membership has expired is
    // computed by core, and a filter comes as a predicate on what is stored (`stored` status, `expires_at` after a moment).
    //
    // `None` says that the organization that the query names does not exist, which is not the same as having no rows.

    async fn users(&self, ids: Vec<UserId>) -> Result<Vec<User>, BackendError> {
        Ok(self.state()?.state.read_users(&ids))
    }

    async fn orgs(&self, query: OrgQuery) -> Result<Option<Vec<Organization>>, BackendError> {
        Ok(self.state()?.state.read_orgs(&query))
    }

    async fn access(&self, query: AccessQuery, at: Timestamp) -> Result<AccessFound, BackendError> {
        Ok(self.state()?.state.read_access(&query, at))
    }

    /// The rows that resolutions rest on, all of one moment. A store with a server behind it makes one statement of it.
    async fn facts(&self, query: FactsQuery) -> Result<Facts, BackendError> {
        Ok(self.state()?.state.facts(&query))
    }

    async fn memberships(&self, query: MembershipQuery) -> Result<Option<Vec<Membership>>, BackendError> {
        Ok(self.state()?.state.read_memberships(&query))
    }

    async fn count_members(&self, org: OrgId, filter: Option<MembershipFilter>) -> Result<Option<u64>, BackendError> {
        Ok(self.state()?.state.count_members(org, filter))
    }

    /// The events of the whole store stand in an order that no late commit comes into from behind. With one writer that is the order of
    /// the lines. With several it takes care: an id is drawn, and a sequence advanced, before the commit, so that a reader could pass by
    /// an event that is committed a moment later with a lower number.
    async fn events(&self, query: EventQuery) -> Result<Option<Vec<Event>>, BackendError> {
        Ok(self.state()?.state.read_events(&query))
    }

    async fn invitations(&self, query: InvitationQuery) -> Result<Option<Vec<Invitation>>, BackendError> {
        Ok(self.state()?.state.read_invitations(&query))
    }

    /// Stored tuples and those that live memberships are, as one list.
    async fn tuples(&self, query: TupleQuery) -> Result<Vec<Tuple>, BackendError> {
        Ok(self.state()?.state.read_tuples(&query))
    }

    /// Asked for behind each read of a guarded caller, so it is worth being quick.
    async fn standings(&self, usr: UserId, orgs: Vec<OrgId>) -> Result<Vec<Standing>, BackendError> {
        Ok(self.state()?.state.read_standings(usr, &orgs))
    }

    /// A check by rewrite rules: core asks, and what it asks next depends on the answers. All answers must be of one moment, or a right
    /// could be found that nobody ever had. Here the lock is held throughout. A store with transactions opens one that reads from a
    /// snapshot, unless the inquiry [is single](Inquiry::is_single), and if it loses that snapshot, it begins anew with
    /// [`restart`](Inquiry::restart), so that no answer of the old one stays.
    async fn inquire<Q: Inquiry>(&self, mut inquiry: Q) -> Result<Q, BackendError> {
        let inner = self.state()?;
        let at = inquiry.at();
        loop {
            // All questions of a round at once: that is one round trip where a store has a network in between.
            let questions = inquiry.questions();
            if questions.is_empty() {
                return Ok(inquiry);
            }
            inquiry.answer(questions.iter().map(|question| inner.state.answer(question, at)).collect());
        }
    }

    /// Every row, for comparing stores and for tests. [`Dump::sorted`] brings rows into the order, and makes what follows from others.
    async fn dump(&self) -> Result<Dump, BackendError> {
        Ok(self.state()?.state.dump())
    }
}

impl Inner {
    /// The line of a plan did not come to the disk, as far as is known, and the state has it already: brings both back to what they
    /// were, and answers with what the caller is to be told.
    ///
    /// The kinds of [`BackendError`] are promises as well. `Unavailable` says that nothing was changed: the caller may try again.
    /// Where that is not certain, the answer must be `UnknownOutcome`, with the id of the first event that the commit would have made:
    /// the caller asks for it later, by [`outcome`](tenantry_core::TenancyStore::outcome). A full disk is the first. A disk that takes
    /// neither the line nor its removal is the second, and such a store answers nothing any more.
    fn take_back(&mut self, plan: &Plan, cause: io::Error) -> BackendError {
        self.lost = true;
        if self.log.cut_back().is_err() {
            let message = "the disk failed while the change was written: open the file again, and ask for the outcome";
            let unknown = match plan.events.first() {
                Some(Event { id, .. }) => BackendError::new(BackendKind::UnknownOutcome { event_id: *id }, format!("{message} of {id}")),
                // There is no such plan; if there were, nothing could be asked for.
                None => BackendError::new(BackendKind::Other, message),
            };
            return unknown.caused_by(cause);
        }
        if let Ok(state) = self.log.replay() {
            self.state = state;
            self.lost = false;
        }
        let message = "the change could not be written, and nothing was changed: make room on the disk, or look at its health";
        BackendError::new(BackendKind::Unavailable, message).caused_by(cause)
    }
}

fn closed() -> BackendError {
    let message = "the store does not know its state since a write failed: open the file again";
    BackendError::new(BackendKind::Unavailable, message)
}
