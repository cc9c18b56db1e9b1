//! Many callers, callers that go away, calls that panic, and two stores over one file.

#![allow(clippy::unwrap_used, reason = "a test may end so")]

mod support;

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Waker};
use std::time::Duration;

use rusqlite::Connection;
use tenantry_core::{
    AccessStore, AddMember, BackendError, BackendKind, CachedResolver, Clock, CountMembers, CreateOrg, CreateUser, Dump, Error, Inspect,
    OrgId, PermissionDefinition, PermissionResolver, Role, SetOrgOverride, Sources, SuspendUser, SyncCatalog, TenancyStore, Timestamp,
    UserId,
};
use tenantry_sqlite::{Durability, Options, SqliteStore, open, with_transaction};
use tokio::task::JoinSet;

/// Every organization has as many events as its revision says, numbered without gaps, and an owner.
#[track_caller]
fn whole(rows: &Dump) {
    let mut told: BTreeMap<OrgId, u64> = BTreeMap::new();
    for event in rows.events.iter().filter(|event| event.org_id.is_some()) {
        let last = told.entry(event.org_id.unwrap()).or_default();
        *last += 1;
        assert_eq!(event.revision, Some(*last));
    }
    for org in &rows.organizations {
        assert_eq!(told.get(&org.id), Some(&org.revision));
        assert!(rows.memberships.iter().any(|mem| mem.org_id == org.id && mem.role == Role::Owner));
    }
}

async fn user(store: &SqliteStore) -> UserId {
    store.create_user(CreateUser::new()).await.unwrap().user.id
}

#[tokio::test]
async fn many_tasks_at_once_each_read_their_own_writes() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path().join("a.db")).unwrap();
    let creator = user(&store).await;
    let org = store.create_org(CreateOrg::new(creator)).await.unwrap().org.id;
    let mut tasks = JoinSet::new();
    for n in 0..500_u32 {
        let store = store.clone();
        tasks.spawn(async move {
            let usr = user(&store).await;
            assert_eq!(store.get_user(usr).await.unwrap().id, usr);
            let mem = store.add_member(AddMember::new(org, usr, "member")).await.unwrap();
            assert_eq!(store.get_membership(mem.id).await.unwrap(), mem);
            let name = format!("org-{}", n % 100);
            // One of five that ask for the same slug gets it.
            store.create_org(CreateOrg::new(usr).slug(name)).await.is_ok()
        });
    }
    let made = tasks.join_all().await.into_iter().filter(|made| *made).count();
    let rows = store.dump().await.unwrap();
    assert_eq!((made, rows.slugs.len(), rows.organizations.len()), (100, 100, 101));
    assert_eq!(store.count_members(CountMembers::new(org)).await.unwrap(), 501);
    whole(&rows);
}

#[tokio::test]
async fn an_answer_is_true_on_every_other_connection() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let (store, other) = (open(&path).unwrap(), open(&path).unwrap());
    let raw = Connection::open(&path).unwrap();
    for n in 1..=50 {
        let usr = user(&store).await;
        other.get_user(usr).await.unwrap();
        let count: i64 = raw.query_row("SELECT count(*) FROM tenantry_user_account", [], |row| row.get(0)).unwrap();
        assert_eq!(count, n);
    }
}

#[tokio::test]
async fn a_future_that_is_dropped_leaves_all_or_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = Options::new().durability(Durability::Normal).open(folder.path().join("a.db")).unwrap();
    let creator = user(&store).await;
    for n in 0..400_u64 {
        let mut call = pin!(store.create_org(CreateOrg::new(creator).slug(format!("s-{n}"))));
        drop(call.as_mut().poll(&mut Context::from_waker(Waker::noop())));
        // Some are dropped in the queue, some at work, some behind it.
        std::thread::sleep(Duration::from_micros(n % 8 * 40));
    }
    let rows = store.dump().await.unwrap();
    whole(&rows);
    assert_eq!(rows.organizations.len(), rows.slugs.len());
}

#[tokio::test]
async fn a_full_queue_waits_without_blocking_its_thread() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let store = open(&path).unwrap();
    let first = user(&store).await;
    let lock = Connection::open(&path).unwrap();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut tasks = JoinSet::new();
    for _ in 0..1_000 {
        let store = store.clone();
        tasks.spawn(async move { user(&store).await });
    }
    // All on this one thread: it goes on, and so do reads, while no write can.
    for _ in 0..50 {
        tokio::task::yield_now().await;
        store.get_user(first).await.unwrap();
    }
    assert!(tasks.try_join_next().is_none());
    lock.execute_batch("ROLLBACK").unwrap();
    assert_eq!(tasks.join_all().await.len(), 1_000);
    assert_eq!(store.dump().await.unwrap().users.len(), 1_001);
}

/// A clock that can be made to panic.
#[derive(Debug, Default)]
struct Brittle(AtomicBool);

impl Clock for Brittle {
    fn now(&self) -> Timestamp {
        assert!(!self.0.load(Ordering::SeqCst), "the clock broke");
        Timestamp::MIN
    }
}

#[tokio::test]
async fn a_call_that_panics_is_answered_and_the_store_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(Brittle::default());
    let sources = || Sources { clock: Arc::<Brittle>::clone(&clock), ..Sources::system() };
    for store in [Options::new().sources(sources()).open(folder.path().join("a.db")), Options::new().sources(sources()).open_in_memory()] {
        let store = store.unwrap();
        user(&store).await;
        clock.0.store(true, Ordering::SeqCst);
        let error = store.create_user(CreateUser::new()).await.unwrap_err();
        assert_eq!((error.code().as_str(), error.to_string().contains("panicked")), ("backend.other", true));
        clock.0.store(false, Ordering::SeqCst);
        user(&store).await;
        assert_eq!(store.dump().await.unwrap().users.len(), 2);
    }
}

#[test]
fn the_store_needs_no_runtime() {
    struct Unpark(std::thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let store = tenantry_sqlite::open_in_memory().unwrap();
    let waker = Arc::new(Unpark(std::thread::current())).into();
    let mut call = pin!(user(&store));
    while call.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
        std::thread::park();
    }
}

const COMMANDS: usize = 200;

async fn two_hundred_commands(store: SqliteStore) {
    let creator = user(&store).await;
    let org = store.create_org(CreateOrg::new(creator)).await.unwrap().org.id;
    for _ in 0..COMMANDS / 4 {
        let usr = user(&store).await;
        store.add_member(AddMember::new(org, usr, "admin")).await.unwrap();
    }
    let mut tasks = JoinSet::new();
    for _ in 0..COMMANDS / 2 - 2 {
        let store = store.clone();
        tasks.spawn(async move { user(&store).await });
    }
    tasks.join_all().await;
}

fn run(store: SqliteStore) {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(two_hundred_commands(store));
}

#[tokio::test]
async fn two_stores_and_two_processes_write_one_file_at_once() {
    const THIS: &str = "two_stores_and_two_processes_write_one_file_at_once";
    if let Some(path) = support::told() {
        two_hundred_commands(open(path).unwrap()).await;
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let program = std::env::current_exe().unwrap();
    let start = || support::child(&program, THIS, path.to_str().unwrap()).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let children = [start(), start()];
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| run(open(&path).unwrap()));
        }
    });
    for child in children {
        support::succeeded(&child.wait_with_output().unwrap());
    }
    let rows = open(&path).unwrap().dump().await.unwrap();
    whole(&rows);
    assert_eq!(rows.organizations.len(), 4);
    assert_eq!(rows.users.len(), 4 * (1 + COMMANDS / 4 + COMMANDS / 2 - 2));
}

#[tokio::test]
async fn an_answer_that_was_kept_ends_with_each_commit_that_concerns_it() {
    let folder = tempfile::tempdir().unwrap();
    let alone = Options::new().exclusive(true).open(folder.path().join("a.db")).unwrap();
    for store in [alone, tenantry_sqlite::open_in_memory().unwrap()] {
        store.sync_catalog(SyncCatalog::new(vec![PermissionDefinition::new("docs.read")])).await.unwrap();
        let (ada, bob) =
            (store.create_user(CreateUser::new()).await.unwrap().user, store.create_user(CreateUser::new()).await.unwrap().user);
        let org = store.create_org(CreateOrg::new(ada.id)).await.unwrap().org;
        let below = store.create_org(CreateOrg::new(ada.id).parent(org.id)).await.unwrap().org;
        store.add_member(AddMember::new(below.id, bob.id, "member")).await.unwrap();
        store.set_org_override(SetOrgOverride::grant(org.id, "docs.read")).await.unwrap();
        let cache = CachedResolver::new(Arc::new(store.clone()));
        let now = || cache.has_permission_now(bob.id, below.id, "docs.read");
        let ask = async || cache.has_permission(bob.id, below.id, "docs.read").await.unwrap();
        assert_eq!((now(), ask().await, now()), (None, true, Some(true)));

        // What concerns others, and what is not written.
        store.create_org(CreateOrg::new(ada.id)).await.unwrap();
        assert_eq!(now(), Some(true));
        let undone = with_transaction(&store, |tx| {
            tx.set_org_override(SetOrgOverride::deny(org.id, "docs.read"))?;
            assert!(!tx.has_permission(bob.id, below.id, "docs.read")?, "within, it shows");
            assert_eq!(now(), Some(true), "outside, it does not");
            Err::<(), Error>(BackendError::new(BackendKind::Other, "taken back").into())
        });
        assert!(undone.is_err());
        assert!(ask().await);

        // Of the organization above, by the store and in a transaction.
        store.set_org_override(SetOrgOverride::deny(org.id, "docs.read")).await.unwrap();
        assert_eq!((now(), ask().await, now()), (None, false, Some(false)));
        with_transaction(&store, |tx| tx.set_org_override(SetOrgOverride::grant(org.id, "docs.read"))).unwrap();
        assert_eq!((now(), ask().await, now()), (None, true, Some(true)));
        store.suspend_user(SuspendUser::new(bob.id)).await.unwrap();
        assert_eq!((now(), ask().await, now()), (None, false, Some(false)));
    }
}
