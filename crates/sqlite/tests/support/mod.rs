//! What the tests share: the state of core as a store to compare with, and a way to run the test's own program again.

#![allow(dead_code, clippy::unwrap_used, reason = "each test uses a part of it, and may end so")]

use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use tenantry_core::source::ManualClock;
use tenantry_core::{
    AccessFound, AccessQuery, Backend, BackendError, Dump, Engine, Error, Event, EventQuery, Facts, FactsQuery, Inquiry, Invitation,
    InvitationQuery, Job, Membership, MembershipFilter, MembershipQuery, OrgId, OrgQuery, Organization, Sources, Standing, State,
    Timestamp, Tuple, TupleQuery, User, UserId,
};

/// The state of core behind a lock: what every store must agree with.
#[derive(Debug, Default)]
pub(crate) struct Reference(Mutex<State>);

impl Backend for Reference {
    async fn execute<J: Job>(&self, mut job: J) -> Result<J, Error> {
        let mut state = self.0.lock().unwrap();
        let mut seen = state.load(job.begin());
        seen.facts = job.weighs(&seen).map(|query| Box::new(state.facts(&query)));
        let plan = job.decide(&seen)?;
        state.apply(&plan).unwrap();
        Ok(job)
    }

    async fn users(&self, ids: Vec<UserId>) -> Result<Vec<User>, BackendError> {
        Ok(self.0.lock().unwrap().read_users(&ids))
    }

    async fn orgs(&self, query: OrgQuery) -> Result<Option<Vec<Organization>>, BackendError> {
        Ok(self.0.lock().unwrap().read_orgs(&query))
    }

    async fn memberships(&self, query: MembershipQuery) -> Result<Option<Vec<Membership>>, BackendError> {
        Ok(self.0.lock().unwrap().read_memberships(&query))
    }

    async fn count_members(&self, org: OrgId, filter: Option<MembershipFilter>) -> Result<Option<u64>, BackendError> {
        Ok(self.0.lock().unwrap().count_members(org, filter))
    }

    async fn events(&self, query: EventQuery) -> Result<Option<Vec<Event>>, BackendError> {
        Ok(self.0.lock().unwrap().read_events(&query))
    }

    async fn invitations(&self, query: InvitationQuery) -> Result<Option<Vec<Invitation>>, BackendError> {
        Ok(self.0.lock().unwrap().read_invitations(&query))
    }

    async fn tuples(&self, query: TupleQuery) -> Result<Vec<Tuple>, BackendError> {
        Ok(self.0.lock().unwrap().read_tuples(&query))
    }

    async fn standings(&self, usr: UserId, orgs: Vec<OrgId>) -> Result<Vec<Standing>, BackendError> {
        Ok(self.0.lock().unwrap().read_standings(usr, &orgs))
    }

    async fn access(&self, query: AccessQuery, at: Timestamp) -> Result<AccessFound, BackendError> {
        Ok(self.0.lock().unwrap().read_access(&query, at))
    }

    async fn facts(&self, query: FactsQuery) -> Result<Facts, BackendError> {
        Ok(self.0.lock().unwrap().facts(&query))
    }

    async fn inquire<Q: Inquiry>(&self, mut inquiry: Q) -> Result<Q, BackendError> {
        let (state, at) = (self.0.lock().unwrap(), inquiry.at());
        loop {
            let questions = inquiry.questions();
            if questions.is_empty() {
                return Ok(inquiry);
            }
            inquiry.answer(questions.iter().map(|question| state.answer(question, at)).collect());
        }
    }

    async fn dump(&self) -> Result<Dump, BackendError> {
        Ok(self.0.lock().unwrap().dump())
    }
}

pub(crate) fn sources(seed: u64) -> (Sources, Arc<ManualClock>) {
    Sources::deterministic("2026-01-01T00:00:00Z".parse().unwrap(), seed)
}

pub(crate) fn reference(seed: u64) -> (Engine<Reference>, Arc<ManualClock>) {
    let (sources, clock) = sources(seed);
    (Engine::new(Reference::default(), sources), clock)
}

/// What a child process is told to do, if this is one.
pub(crate) fn told() -> Option<String> {
    std::env::var("TENANTRY_TEST_CHILD").ok()
}

/// The same test in another process: there [`told`] answers the task.
pub(crate) fn child(program: &Path, test: &str, task: &str) -> Command {
    let mut command = Command::new(program);
    command.args(["--exact", test, "--nocapture"]).env("TENANTRY_TEST_CHILD", task);
    command
}

#[track_caller]
pub(crate) fn succeeded(output: &Output) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (told, complaints) = (text(&output.stdout), text(&output.stderr));
    // A test under another name would be a run of no test at all.
    assert!(output.status.success() && told.contains("1 passed"), "{told}\n{complaints}");
}
