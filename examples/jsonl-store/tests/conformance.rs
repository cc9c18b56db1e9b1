//! Every fixture of the suite, and beyond it what a dropped future leaves behind.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test fails by panicking, and says what it did")]

use std::path::PathBuf;
use std::sync::Arc;

use jsonl_store::JsonlStore;
use tenantry_conformance::testing::{Moment, count_polls, drop_after};
use tenantry_conformance::{Case, Fresh, FreshError, Mode, Outcome, Report, Suite, TestStore, async_trait, own_fixtures};
use tenantry_core::doctor::Repair;
use tenantry_core::{BackendError, BackendKind, CreateUser, Dump, Error, Inspect, Sources};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// What the suite needs of a store: a fresh one for each test, and a look at its rows.
#[derive(Debug)]
struct Jsonl;

#[async_trait]
impl TestStore for Jsonl {
    fn name(&self) -> &'static str {
        "jsonl"
    }

    async fn fresh(&self, sources: Sources) -> Result<Fresh, FreshError> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("store.jsonl");
        let store = Arc::new(jsonl_store::open_with(&path, sources)?);
        let inspect = Arc::new(OnDisk { store: Arc::clone(&store), path });
        Ok(Fresh { store, inspect, guard: Box::new(folder) })
    }
}

/// Shows what the file holds, and that it is what the store answers from: so each test of the suite is also one of writing and reading.
#[derive(Debug)]
struct OnDisk {
    store: Arc<JsonlStore>,
    path: PathBuf,
}

#[async_trait]
impl Inspect for OnDisk {
    async fn dump(&self) -> Result<Dump, Error> {
        let (here, there) = (self.store.dump().await?, jsonl_store::read(&self.path)?);
        if here == there {
            return Ok(there);
        }
        let message = format!("the file holds something else than the store\n here: {here:?}\nthere: {there:?}");
        Err(BackendError::new(BackendKind::Other, message).into())
    }

    async fn repair(&self, repairs: Vec<Repair>) -> Result<bool, Error> {
        self.store.repair(repairs).await
    }
}

/// How many tests run at once: they wait for the disk more than they compute.
const AT_ONCE: usize = 16;

/// Fewer tests mean that a part of the suite was not found.
const AT_LEAST: usize = 1_000;

#[tokio::test(flavor = "multi_thread")]
async fn every_fixture_passes() {
    let suite = Suite::load(&own_fixtures(), Mode::Ours).unwrap();
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut running = JoinSet::new();
    for case in suite.cases() {
        let places = Arc::clone(&places);
        running.spawn(async move {
            let _place = places.acquire_owned().await;
            run(&case).await
        });
    }
    let mut report = Report { outcomes: running.join_all().await };
    report.outcomes.extend(suite.problems.iter().map(|problem| Outcome::unreadable("jsonl", problem)));
    let failed: Vec<String> = report.failed().map(|outcome| format!("{outcome:#?}")).collect();
    assert!(report.is_success(), "{}", failed.join("\n"));
    assert!(report.outcomes.len() >= AT_LEAST, "only {} tests", report.outcomes.len());
    println!("{} tests in {} files of fixtures passed", report.outcomes.len(), suite.fixtures.len());
}

async fn run(case: &Case) -> Outcome {
    Outcome::of("jsonl", case, &case.run(&Jsonl).await)
}

/// The suite cannot tell how a store waits; what becomes of a command whose caller goes away is for its own tests.
#[tokio::test]
async fn a_dropped_command_has_not_begun_or_is_done() {
    let Fresh { store, inspect, guard } = Jsonl.fresh(Sources::system()).await.unwrap();
    let create = || store.create_user(CreateUser::new());
    for moment in Moment::ALL {
        let before = inspect.dump().await.unwrap();
        assert!(drop_after(create(), 0, moment).await.is_none());
        assert_eq!(inspect.dump().await.unwrap(), before, "{moment:?}");
    }
    let (created, polls) = count_polls(create()).await;
    assert_eq!(polls, 1, "there is no place at which it could be dropped half way");
    assert_eq!(inspect.dump().await.unwrap().users, [created.unwrap().user]);
    drop(guard);
}
