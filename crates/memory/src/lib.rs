//! Tenantry's in-memory store: [`tenantry_core::State`] behind a lock.
//!
//! For tests, for development, and for programs that keep nothing. It has no rule of its own and is the reference that the
//! other stores are compared with.
//!
//! ```
//! use tenantry_core::TenancyStore;
//! let store = tenantry_memory::new();
//! # let _: &dyn TenancyStore = &store;
//! ```

mod transaction;

use std::sync::{Arc, PoisonError, RwLock};

use tenantry_core::doctor::Repair;
use tenantry_core::nesting::Nesting;
use tenantry_core::{
    AccessFound, AccessQuery, Backend, BackendError, Dump, Engine, Error, Event, EventQuery, Facts, FactsQuery, Immediate, Inquiry,
    Invitation, InvitationQuery, Job, Membership, MembershipFilter, MembershipQuery, OrgId, OrgQuery, Organization, Sources, Stamps,
    Standing, State, Timestamp, Touched, Tuple, TupleQuery, UndoLog, User, UserId,
};

pub use transaction::{Lent, Transaction, with_transaction};

/// A store in memory. Clones share the state; it is gone with the last of them.
pub type MemoryStore = Engine<Memory>;

/// A new, empty store with the system's clock and ids.
pub fn new() -> MemoryStore {
    with_sources(Sources::system())
}

/// A new, empty store with these sources.
pub fn with_sources(sources: Sources) -> MemoryStore {
    Engine::new(Memory::default(), sources)
}

/// The backend: the state behind one lock.
#[derive(Debug, Default)]
pub struct Memory {
    state: RwLock<State>,
    nesting: Nesting,
    /// Moved under the lock of the state, behind what they tell of.
    stamps: Arc<Stamps>,
}

impl Memory {
    fn read<T>(&self, read: impl FnOnce(&State) -> T) -> Result<T, BackendError> {
        self.nesting.check()?;
        // `State::apply` is whole or absent, so a writer that panicked elsewhere left nothing half done.
        Ok(read(&self.state.read().unwrap_or_else(PoisonError::into_inner)))
    }

    fn write(&self, job: &mut dyn Job) -> Result<(), Error> {
        self.nesting.check()?;
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let mut touched = Touched::default();
        let done = perform(&mut state, &mut UndoLog::default(), &mut touched, job);
        self.stamps.mark(&touched);
        done
    }

    fn mend(&self, repairs: &[Repair]) -> Result<bool, BackendError> {
        self.nesting.check()?;
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let done = state.repair(repairs);
        self.stamps.mark(&Touched::everything());
        Ok(done)
    }

    #[expect(clippy::unnecessary_wraps, reason = "as inside a transaction, where nothing is told")]
    fn told(&self) -> Option<Arc<Stamps>> {
        Some(Arc::clone(&self.stamps))
    }
}

/// Load, decide, write, over a state that nobody else has in hand; and what was touched of that which permissions rest on.
fn perform(state: &mut State, log: &mut UndoLog, touched: &mut Touched, job: &mut dyn Job) -> Result<(), Error> {
    let mut seen = state.load(job.begin());
    seen.facts = job.weighs(&seen).map(|query| Box::new(state.facts(&query)));
    let plan = job.decide(&seen)?;
    state.apply_logged(&plan, log).map_err(BackendError::from)?;
    state.note_touched(&plan, touched);
    Ok(())
}

/// The port over whatever can `read` and `write` a state.
macro_rules! backend {
    ($type:ty) => {
        impl Backend for $type {
            async fn execute<J: Job>(&self, mut job: J) -> Result<J, Error> {
                self.write(&mut job)?;
                Ok(job)
            }

            async fn users(&self, ids: Vec<UserId>) -> Result<Vec<User>, BackendError> {
                self.read(|state| state.read_users(&ids))
            }

            async fn orgs(&self, query: OrgQuery) -> Result<Option<Vec<Organization>>, BackendError> {
                self.read(|state| state.read_orgs(&query))
            }

            async fn memberships(&self, query: MembershipQuery) -> Result<Option<Vec<Membership>>, BackendError> {
                self.read(|state| state.read_memberships(&query))
            }

            async fn count_members(&self, org: OrgId, filter: Option<MembershipFilter>) -> Result<Option<u64>, BackendError> {
                self.read(|state| state.count_members(org, filter))
            }

            async fn events(&self, query: EventQuery) -> Result<Option<Vec<Event>>, BackendError> {
                self.read(|state| state.read_events(&query))
            }

            async fn invitations(&self, query: InvitationQuery) -> Result<Option<Vec<Invitation>>, BackendError> {
                self.read(|state| state.read_invitations(&query))
            }

            async fn tuples(&self, query: TupleQuery) -> Result<Vec<Tuple>, BackendError> {
                self.read(|state| state.read_tuples(&query))
            }

            async fn standings(&self, usr: UserId, orgs: Vec<OrgId>) -> Result<Vec<Standing>, BackendError> {
                self.read(|state| state.read_standings(usr, &orgs))
            }

            async fn inquire<Q: Inquiry>(&self, inquiry: Q) -> Result<Q, BackendError> {
                self.read(|state| state.inquire(inquiry))
            }

            async fn access(&self, query: AccessQuery, at: Timestamp) -> Result<AccessFound, BackendError> {
                self.read(|state| state.read_access(&query, at))
            }

            async fn facts(&self, query: FactsQuery) -> Result<Facts, BackendError> {
                self.read(|state| state.facts(&query))
            }

            fn stamps(&self) -> Option<Arc<Stamps>> {
                self.told()
            }

            async fn dump(&self) -> Result<Dump, BackendError> {
                self.read(State::dump)
            }

            async fn repair(&self, repairs: Vec<Repair>) -> Result<bool, BackendError> {
                self.mend(&repairs)
            }
        }

        impl Immediate for $type {}
    };
}

backend!(Memory);
backend!(Lent<'_>);
