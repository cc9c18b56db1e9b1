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

use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use tenantry_core::{
    Backend, BackendError, Dump, Engine, Error, Event, EventQuery, Inquiry, Invitation, InvitationQuery, Job, Membership, MembershipFilter,
    MembershipQuery, OrgId, OrgQuery, Organization, Sources, Standing, State, Tuple, TupleQuery, User, UserId,
};

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
}

impl Memory {
    fn read(&self) -> RwLockReadGuard<'_, State> {
        // `State::apply` is whole or absent, so a writer that panicked elsewhere left nothing half done.
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Backend for Memory {
    async fn execute<J: Job>(&self, mut job: J) -> Result<J, Error> {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let seen = state.load(job.begin());
        let plan = job.decide(&seen)?;
        state.apply(&plan).map_err(BackendError::from)?;
        Ok(job)
    }

    async fn users(&self, ids: Vec<UserId>) -> Result<Vec<User>, BackendError> {
        Ok(self.read().read_users(&ids))
    }

    async fn orgs(&self, query: OrgQuery) -> Result<Option<Vec<Organization>>, BackendError> {
        Ok(self.read().read_orgs(&query))
    }

    async fn memberships(&self, query: MembershipQuery) -> Result<Option<Vec<Membership>>, BackendError> {
        Ok(self.read().read_memberships(&query))
    }

    async fn count_members(&self, org: OrgId, filter: Option<MembershipFilter>) -> Result<Option<u64>, BackendError> {
        Ok(self.read().count_members(org, filter))
    }

    async fn events(&self, query: EventQuery) -> Result<Option<Vec<Event>>, BackendError> {
        Ok(self.read().read_events(&query))
    }

    async fn invitations(&self, query: InvitationQuery) -> Result<Option<Vec<Invitation>>, BackendError> {
        Ok(self.read().read_invitations(&query))
    }

    async fn tuples(&self, query: TupleQuery) -> Result<Vec<Tuple>, BackendError> {
        Ok(self.read().read_tuples(&query))
    }

    async fn standings(&self, usr: UserId, orgs: Vec<OrgId>) -> Result<Vec<Standing>, BackendError> {
        Ok(self.read().read_standings(usr, &orgs))
    }

    async fn inquire<Q: Inquiry>(&self, inquiry: Q) -> Result<Q, BackendError> {
        Ok(self.read().inquire(inquiry))
    }

    async fn dump(&self) -> Result<Dump, BackendError> {
        Ok(self.read().dump())
    }
}
