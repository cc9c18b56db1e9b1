//! A store that fails at whatever it is asked.

use std::fmt;
use std::sync::Arc;

use tenantry::{
    AccessFound, AccessQuery, Backend, BackendError, Dump, Engine, Error, Event, EventQuery, Facts, FactsQuery, Inquiry, Invitation,
    InvitationQuery, Job, Membership, MembershipFilter, MembershipQuery, OrgId, OrgQuery, Organization, Sources, Standing, TenancyStore,
    Timestamp, Tuple, TupleQuery, User, UserId,
};

pub(crate) fn store(failure: impl Fn() -> BackendError + Send + Sync + 'static) -> Arc<dyn TenancyStore> {
    Arc::new(Engine::new(Down(failure), Sources::system()))
}

struct Down<F>(F);

impl<F> fmt::Debug for Down<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Down")
    }
}

impl<F: Fn() -> BackendError + Send + Sync + 'static> Backend for Down<F> {
    async fn execute<J: Job>(&self, _: J) -> Result<J, Error> {
        Err(self.0().into())
    }

    async fn users(&self, _: Vec<UserId>) -> Result<Vec<User>, BackendError> {
        Err(self.0())
    }

    async fn orgs(&self, _: OrgQuery) -> Result<Option<Vec<Organization>>, BackendError> {
        Err(self.0())
    }

    async fn memberships(&self, _: MembershipQuery) -> Result<Option<Vec<Membership>>, BackendError> {
        Err(self.0())
    }

    async fn count_members(&self, _: OrgId, _: Option<MembershipFilter>) -> Result<Option<u64>, BackendError> {
        Err(self.0())
    }

    async fn events(&self, _: EventQuery) -> Result<Option<Vec<Event>>, BackendError> {
        Err(self.0())
    }

    async fn invitations(&self, _: InvitationQuery) -> Result<Option<Vec<Invitation>>, BackendError> {
        Err(self.0())
    }

    async fn tuples(&self, _: TupleQuery) -> Result<Vec<Tuple>, BackendError> {
        Err(self.0())
    }

    async fn standings(&self, _: UserId, _: Vec<OrgId>) -> Result<Vec<Standing>, BackendError> {
        Err(self.0())
    }

    async fn access(&self, _: AccessQuery, _: Timestamp) -> Result<AccessFound, BackendError> {
        Err(self.0())
    }

    async fn facts(&self, _: FactsQuery) -> Result<Facts, BackendError> {
        Err(self.0())
    }

    async fn inquire<Q: Inquiry>(&self, _: Q) -> Result<Q, BackendError> {
        Err(self.0())
    }

    async fn dump(&self) -> Result<Dump, BackendError> {
        Err(self.0())
    }
}
