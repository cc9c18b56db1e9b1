//! The reference that every store is compared with: core's own state, behind a lock.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tenantry_core::doctor::Repair;
use tenantry_core::{
    AccessFound, AccessQuery, Backend, BackendError, BackendKind, Dump, Engine, Error, Event, EventQuery, Facts, FactsQuery, Inquiry,
    Invitation, InvitationQuery, Job, Membership, MembershipFilter, MembershipQuery, OrgId, OrgQuery, Organization, Sources, Standing,
    State, Timestamp, Tuple, TupleQuery, User, UserId,
};

/// The rules over core's own state.
pub(crate) fn reference(sources: Sources) -> Engine<Reference> {
    Engine::new(Reference::default(), sources)
}

/// Core's state as a backend: the definition of what a store does.
#[derive(Debug, Default)]
pub(crate) struct Reference(Mutex<State>);

impl Reference {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Backend for Reference {
    async fn execute<J: Job>(&self, mut job: J) -> Result<J, Error> {
        let mut state = self.state();
        let mut seen = state.load(job.begin());
        seen.facts = job.weighs(&seen).map(|query| Box::new(state.facts(&query)));
        let plan = job.decide(&seen)?;
        let refused = |refusal| BackendError::new(BackendKind::Other, format!("core refuses its own plan: {refusal:?}"));
        state.apply(&plan).map_err(refused)?;
        Ok(job)
    }

    async fn users(&self, ids: Vec<UserId>) -> Result<Vec<User>, BackendError> {
        Ok(self.state().read_users(&ids))
    }

    async fn orgs(&self, query: OrgQuery) -> Result<Option<Vec<Organization>>, BackendError> {
        Ok(self.state().read_orgs(&query))
    }

    async fn memberships(&self, query: MembershipQuery) -> Result<Option<Vec<Membership>>, BackendError> {
        Ok(self.state().read_memberships(&query))
    }

    async fn count_members(&self, org: OrgId, filter: Option<MembershipFilter>) -> Result<Option<u64>, BackendError> {
        Ok(self.state().count_members(org, filter))
    }

    async fn events(&self, query: EventQuery) -> Result<Option<Vec<Event>>, BackendError> {
        Ok(self.state().read_events(&query))
    }

    async fn invitations(&self, query: InvitationQuery) -> Result<Option<Vec<Invitation>>, BackendError> {
        Ok(self.state().read_invitations(&query))
    }

    async fn tuples(&self, query: TupleQuery) -> Result<Vec<Tuple>, BackendError> {
        Ok(self.state().read_tuples(&query))
    }

    async fn standings(&self, usr: UserId, orgs: Vec<OrgId>) -> Result<Vec<Standing>, BackendError> {
        Ok(self.state().read_standings(usr, &orgs))
    }

    async fn inquire<Q: Inquiry>(&self, inquiry: Q) -> Result<Q, BackendError> {
        Ok(self.state().inquire(inquiry))
    }

    async fn access(&self, query: AccessQuery, at: Timestamp) -> Result<AccessFound, BackendError> {
        Ok(self.state().read_access(&query, at))
    }

    async fn facts(&self, query: FactsQuery) -> Result<Facts, BackendError> {
        Ok(self.state().facts(&query))
    }

    async fn dump(&self) -> Result<Dump, BackendError> {
        Ok(self.state().dump())
    }

    async fn repair(&self, repairs: Vec<Repair>) -> Result<bool, BackendError> {
        Ok(self.state().repair(&repairs))
    }
}
