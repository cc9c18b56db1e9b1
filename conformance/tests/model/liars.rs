//! Stores that lie in one small thing: the suite finds each of them out, makes the sequence small, and the fixture that it writes fails
//! on the liar and on nobody else.

use std::sync::Arc;

use tenantry_conformance::{Case, Failure, Fresh, FreshError, Mode, Suite, TestStore, async_trait};
use tenantry_core::{
    AccessFound, AccessQuery, Backend, BackendError, Change, Dump, Engine, Error, Event, EventQuery, EventType, Facts, FactsQuery, Inquiry,
    Invitation, InvitationQuery, Job, Load, LoadSpec, Membership, MembershipFilter, MembershipQuery, OrgId, OrgQuery, Organization, Plan,
    Snapshot, Sources, Standing, Timestamp, Tuple, TupleQuery, User, UserId,
};

use crate::run::{self, Settings};
use crate::{fixture, support};

/// In what a store lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lie {
    /// The event of a suspension is not kept.
    LostEvent,
    /// A slug stays with an organization that is revoked.
    KeptSlug,
    /// What an invitation promised is not given.
    BrokenPromise,
    /// One member too many is counted of those with a status.
    WrongCount,
    /// Of the tuples of a subject that has more than one, the last is not found.
    ShortList,
}

/// A store over another one, which lies.
#[derive(Debug)]
struct Liar<B> {
    honest: Engine<B>,
    lie: Lie,
}

/// A command whose plan is bent.
struct Bent<J> {
    job: J,
    lie: Lie,
}

impl<J: Job> Job for Bent<J> {
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
        let mut plan = self.job.decide(seen)?;
        match self.lie {
            Lie::LostEvent => plan.events.retain(|event| event.kind != EventType::MembershipSuspended),
            Lie::KeptSlug => plan.changes.retain(|change| !matches!(change, Change::ReleaseSlug { .. })),
            Lie::BrokenPromise => {
                let accepts = plan.changes.iter().any(|change| matches!(change, Change::EndInvitation { .. }));
                plan.changes.retain(|change| !(accepts && matches!(change, Change::InsertTuple(_))));
            }
            Lie::WrongCount | Lie::ShortList => {}
        }
        Ok(plan)
    }
}

impl<B: Backend> Backend for Liar<B> {
    async fn execute<J: Job>(&self, job: J) -> Result<J, Error> {
        Ok(self.honest.backend().execute(Bent { job, lie: self.lie }).await?.job)
    }

    async fn users(&self, ids: Vec<UserId>) -> Result<Vec<User>, BackendError> {
        self.honest.backend().users(ids).await
    }

    async fn orgs(&self, query: OrgQuery) -> Result<Option<Vec<Organization>>, BackendError> {
        self.honest.backend().orgs(query).await
    }

    async fn memberships(&self, query: MembershipQuery) -> Result<Option<Vec<Membership>>, BackendError> {
        self.honest.backend().memberships(query).await
    }

    async fn count_members(&self, org: OrgId, filter: Option<MembershipFilter>) -> Result<Option<u64>, BackendError> {
        let more = u64::from(self.lie == Lie::WrongCount && filter.is_some());
        Ok(self.honest.backend().count_members(org, filter).await?.map(|count| count + more))
    }

    async fn events(&self, query: EventQuery) -> Result<Option<Vec<Event>>, BackendError> {
        self.honest.backend().events(query).await
    }

    async fn invitations(&self, query: InvitationQuery) -> Result<Option<Vec<Invitation>>, BackendError> {
        self.honest.backend().invitations(query).await
    }

    async fn tuples(&self, query: TupleQuery) -> Result<Vec<Tuple>, BackendError> {
        let mut tuples = self.honest.backend().tuples(query).await?;
        if self.lie == Lie::ShortList && tuples.len() > 1 {
            tuples.pop();
        }
        Ok(tuples)
    }

    async fn standings(&self, usr: UserId, orgs: Vec<OrgId>) -> Result<Vec<Standing>, BackendError> {
        self.honest.backend().standings(usr, orgs).await
    }

    async fn access(&self, query: AccessQuery, at: Timestamp) -> Result<AccessFound, BackendError> {
        self.honest.backend().access(query, at).await
    }

    async fn facts(&self, query: FactsQuery) -> Result<Facts, BackendError> {
        self.honest.backend().facts(query).await
    }

    async fn inquire<Q: Inquiry>(&self, inquiry: Q) -> Result<Q, BackendError> {
        self.honest.backend().inquire(inquiry).await
    }

    async fn dump(&self) -> Result<Dump, BackendError> {
        self.honest.backend().dump().await
    }
}

/// Liars over a store in memory, or over one in a file.
#[derive(Debug)]
struct Liars {
    lie: Lie,
    in_file: bool,
}

#[async_trait]
impl TestStore for Liars {
    fn name(&self) -> &'static str {
        "liar"
    }

    async fn fresh(&self, sources: Sources) -> Result<Fresh, FreshError> {
        let lie = self.lie;
        if self.in_file {
            let folder = tempfile::tempdir()?;
            let honest = tenantry_sqlite::Options::new().sources(sources.clone()).open(folder.path().join("store.db"))?;
            return Ok(Fresh::new(Arc::new(Engine::new(Liar { honest, lie }, sources)), folder));
        }
        let honest = tenantry_memory::with_sources(sources.clone());
        Ok(Fresh::new(Arc::new(Engine::new(Liar { honest, lie }, sources)), ()))
    }
}

/// Looks for the lie, and tries what is written of it.
fn find_out(liar: &Liars, most: usize) {
    let settings = Settings { cases: 200, seed: None, shrinks: 2_000 };
    let parted = run::run(liar, settings).expect_err("the lie comes to light");
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path().join("found");
    let told = fixture::explain(&folder, liar.name(), &parted);
    println!("{:?}: {told}", liar.lie);
    assert!(parted.steps.len() <= most, "{} steps are left: {:#?}", parted.steps.len(), parted.steps);
    assert!(told.contains("cargo xtask conformance") && told.contains(&folder.display().to_string()), "{told}");

    let suite = Suite::load(&folder, Mode::Ours).expect("the folder can be listed");
    assert_eq!(suite.problems, []);
    let cases: Vec<Case> = suite.cases().collect();
    assert_eq!(cases.len(), 1, "{cases:?}");
    let failures = |store: &dyn TestStore| -> Vec<Failure> { support::block_on(cases[0].run(store)) };
    assert_ne!(failures(liar), [], "the fixture does not find the lie: {told}");
    for honest in ["memory", "sqlite"] {
        assert_eq!(failures(support::store(honest)), [], "the fixture fails on {honest} too: {told}");
    }
}

#[test]
fn a_lost_event_is_found() {
    // An organization, a member, the suspension.
    find_out(&Liars { lie: Lie::LostEvent, in_file: false }, 3);
}

#[test]
fn a_lost_event_is_found_in_a_file() {
    find_out(&Liars { lie: Lie::LostEvent, in_file: true }, 3);
}

#[test]
fn a_slug_that_is_not_released_is_found() {
    find_out(&Liars { lie: Lie::KeptSlug, in_file: false }, 2);
}

#[test]
fn a_promise_that_is_not_kept_is_found() {
    // An organization, an invitation, its acceptance.
    find_out(&Liars { lie: Lie::BrokenPromise, in_file: false }, 3);
}

#[test]
fn a_wrong_count_is_found() {
    find_out(&Liars { lie: Lie::WrongCount, in_file: false }, 2);
}

#[test]
fn a_tuple_that_a_list_leaves_out_is_found() {
    // Two tuples of one subject, and the list.
    find_out(&Liars { lie: Lie::ShortList, in_file: false }, 3);
}
