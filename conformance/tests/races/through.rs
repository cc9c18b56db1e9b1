//! A backend that hands everything on to another store: so that several sides of a race, each with sources of its own, share one
//! store in memory, or one SQLite file behind one writer. And a weak one, that writes without the revision guard.

use std::sync::Arc;

use tenantry_core::{
    AccessFound, AccessQuery, Backend, BackendError, Dump, Engine, Error, Event, EventQuery, Facts, FactsQuery, Guard, ImportIds, Inquiry,
    Invitation, InvitationQuery, Job, Load, LoadSpec, Membership, MembershipFilter, MembershipQuery, OrgId, OrgQuery, Organization, Plan,
    Snapshot, Standing, Timestamp, Tuple, TupleQuery, User, UserId,
};

use crate::watch::{Place, Watch};

/// The other store.
#[derive(Debug)]
pub(crate) struct Through<B> {
    inner: Engine<B>,
    /// Decides in one transaction and writes in a second one, whatever happened in between.
    gap: Option<Arc<Watch>>,
}

impl<B> Through<B> {
    pub(crate) const fn new(inner: Engine<B>) -> Self {
        Self { inner, gap: None }
    }

    /// Without the guard: this is what "load, decide, write" is without a lock over all three, and without comparing revisions.
    pub(crate) const fn without_guards(inner: Engine<B>, watch: Arc<Watch>) -> Self {
        Self { inner, gap: Some(watch) }
    }
}

/// Decides, and writes nothing.
struct Decide<J> {
    job: J,
    plan: Plan,
}

impl<J: Job> Job for Decide<J> {
    fn spec(&self) -> &LoadSpec {
        self.job.spec()
    }

    fn begin(&mut self) -> Load<'_> {
        self.job.begin()
    }

    fn weighs(&self, seen: &Snapshot) -> Option<FactsQuery> {
        self.job.weighs(seen)
    }

    fn decide(&mut self, seen: &Snapshot) -> Result<Plan, Error> {
        self.plan = self.job.decide(seen)?;
        Ok(Plan::default())
    }
}

/// Writes what was decided over rows of the past, as if they were those of now: revisions are taken as they are found, so that no
/// guard fails, and events numbered from there.
struct Write {
    plan: Plan,
    spec: LoadSpec,
}

impl Write {
    fn new(plan: Plan) -> Self {
        let mut ids = ImportIds { orgs: plan.guarded_orgs().collect(), ..ImportIds::default() };
        ids.users.extend(plan.guards.iter().filter_map(|guard| if let Guard::User { id, .. } = guard { Some(*id) } else { None }));
        Self { plan, spec: LoadSpec::Ids(Box::new(ids)) }
    }
}

impl Job for Write {
    fn spec(&self) -> &LoadSpec {
        &self.spec
    }

    fn begin(&mut self) -> Load<'_> {
        Load { spec: &self.spec, actor: None, at: self.plan.at.unwrap_or(Timestamp::MIN) }
    }

    fn weighs(&self, _seen: &Snapshot) -> Option<FactsQuery> {
        None
    }

    fn decide(&mut self, seen: &Snapshot) -> Result<Plan, Error> {
        let mut plan = self.plan.clone();
        // What is compared with nothing else is left out.
        plan.guards.retain(|guard| !matches!(guard, Guard::Tree { .. } | Guard::System { .. }));
        for guard in &mut plan.guards {
            match guard {
                Guard::Org { id, revision, .. } => {
                    let found = seen.found.orgs.iter().find(|org| org.id == *id).map_or(0, |org| org.revision);
                    for event in plan.events.iter_mut().filter(|event| event.org_id == Some(*id)) {
                        event.revision = event.revision.map(|planned| planned - *revision + found);
                    }
                    *revision = found;
                }
                Guard::User { id, revision, .. } => {
                    *revision = seen.found.users.iter().find(|user| user.id == *id).map(|user| user.revision);
                }
                Guard::NewOrgs
                | Guard::NoOrg { .. }
                | Guard::NewUsers { .. }
                | Guard::Object { .. }
                | Guard::Memberships { .. }
                | Guard::Tree { .. }
                | Guard::System { .. } => {}
            }
        }
        Ok(plan)
    }
}

impl<B: Backend + 'static> Backend for Through<B> {
    async fn execute<J: Job>(&self, job: J) -> Result<J, Error> {
        let inner = self.inner.backend();
        let Some(watch) = &self.gap else { return inner.execute(job).await };
        let Decide { job, plan } = inner.execute(Decide { job, plan: Plan::default() }).await?;
        if !plan.is_empty() {
            watch.come_to(Place::InTheGap);
            inner.execute(Write::new(plan)).await?;
        }
        Ok(job)
    }

    async fn users(&self, ids: Vec<UserId>) -> Result<Vec<User>, BackendError> {
        self.inner.backend().users(ids).await
    }

    async fn orgs(&self, query: OrgQuery) -> Result<Option<Vec<Organization>>, BackendError> {
        self.inner.backend().orgs(query).await
    }

    async fn memberships(&self, query: MembershipQuery) -> Result<Option<Vec<Membership>>, BackendError> {
        self.inner.backend().memberships(query).await
    }

    async fn count_members(&self, org: OrgId, filter: Option<MembershipFilter>) -> Result<Option<u64>, BackendError> {
        self.inner.backend().count_members(org, filter).await
    }

    async fn events(&self, query: EventQuery) -> Result<Option<Vec<Event>>, BackendError> {
        self.inner.backend().events(query).await
    }

    async fn invitations(&self, query: InvitationQuery) -> Result<Option<Vec<Invitation>>, BackendError> {
        self.inner.backend().invitations(query).await
    }

    async fn tuples(&self, query: TupleQuery) -> Result<Vec<Tuple>, BackendError> {
        self.inner.backend().tuples(query).await
    }

    async fn standings(&self, usr: UserId, orgs: Vec<OrgId>) -> Result<Vec<Standing>, BackendError> {
        self.inner.backend().standings(usr, orgs).await
    }

    async fn access(&self, query: AccessQuery, at: Timestamp) -> Result<AccessFound, BackendError> {
        self.inner.backend().access(query, at).await
    }

    async fn facts(&self, query: FactsQuery) -> Result<Facts, BackendError> {
        self.inner.backend().facts(query).await
    }

    async fn inquire<Q: Inquiry>(&self, inquiry: Q) -> Result<Q, BackendError> {
        self.inner.backend().inquire(inquiry).await
    }

    async fn dump(&self) -> Result<Dump, BackendError> {
        self.inner.backend().dump().await
    }
}
