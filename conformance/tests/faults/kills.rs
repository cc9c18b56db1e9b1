//! A process that writes is killed in the middle of it, again and again: everything that it was told is there, the rest is whole or
//! absent, and the next process goes on.

use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rusqlite::Connection;
use serde_json::{Value, json};
use sqlx::Connection as _;
use tenantry_core::source::{SecretSource, SystemSecrets};
use tenantry_core::{Clock, CreateOrg, CreateUser, Inspect, OrgId, TenancyStore, UserId};
use tenantry_sqlite::{Durability, Options};

use crate::child::{self, Process};
use crate::lane::{self, wait_for_orphans};
use crate::size;
use crate::stream::{Book, Found, Note, Writer};
use crate::support::Schema;
use crate::support::block_on;

/// How many times a process is killed on each store, unless told otherwise.
const KILLS: usize = 10;
/// After so many kills another database is begun, so that looking through it stays quick.
const KILLS_EACH: usize = 20;
/// How many writers a process has.
const WRITERS: u32 = 4;
/// It is killed after so many of its words at most: two for each write.
const WORDS: u64 = 300;

/// A number below this one.
pub(crate) fn random(below: u64) -> u64 {
    let mut bytes = [0; 8];
    SystemSecrets.fill(&mut bytes).unwrap();
    u64::from_be_bytes(bytes) % below
}

/// An organization for all writers.
pub(crate) async fn shared(store: &dyn TenancyStore) -> OrgId {
    let owner: UserId = "usr_01960000000070008000000000000001".parse().unwrap();
    store.create_org(CreateOrg::new(owner).name("Shared")).await.unwrap().org.id
}

pub(crate) fn now() -> tenantry_core::Timestamp {
    tenantry_core::source::SystemClock.now()
}

/// The child's part: writes until it is killed.
fn work(task: &str) {
    let task: Value = serde_json::from_str(task).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let store: Arc<dyn TenancyStore> = if let Some(path) = task["sqlite"].as_str() {
            let durability = if task["run"].as_u64().unwrap().is_multiple_of(2) { Durability::Full } else { Durability::Normal };
            Arc::new(Options::new().durability(durability).open(path).unwrap())
        } else {
            let options = tenantry_postgres::Options::new().schema(task["schema"].as_str().unwrap());
            Arc::new(options.connect(task["postgres"].as_str().unwrap()).await.unwrap())
        };
        let shared = task["shared"].as_str().unwrap().parse().unwrap();
        let run = u32::try_from(task["run"].as_u64().unwrap()).unwrap();
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let writer = Writer::new(Arc::clone(&store), Arc::new(|note: Note| child::say(&note.to_line())), shared, run, writer);
                tokio::spawn(async move { writer.write(|| true).await })
            })
            .collect();
        for writer in writers {
            writer.await.unwrap();
        }
    });
}

/// Starts a child with this task and kills it; answers what it said.
fn killed(test: &str, task: &Value, run: usize) -> Vec<Note> {
    const STEP: Duration = Duration::from_micros(100);
    let mut process = Process::start(test, &task.to_string());
    // Now and then while it begins.
    if run % 10 == 9 {
        thread::sleep(Duration::from_millis(random(50)));
    } else {
        let words = usize::try_from(1 + random(WORDS)).unwrap();
        while process.heard() < words {
            assert!(process.is_running(), "the child ended by itself");
            thread::sleep(STEP);
        }
        thread::sleep(Duration::from_micros(random(2_000)));
    }
    process.kill();
    let (status, said) = process.end();
    assert!(!status.success() && status.code().is_none_or(|code| code == 1), "the child ended by itself: {status}");
    said.iter().map(|line| Note::from_line(line)).collect()
}

/// What stays of several kills of one database.
async fn after_a_kill<S: TenancyStore + Inspect>(store: &S, book: &mut Book, said: Vec<Note>) -> Found {
    book.note_all(said);
    let found = book.check(store, now()).await;
    // Nobody holds a lock any more.
    store.create_user(CreateUser::new().display_name("Next")).await.unwrap();
    found
}

#[derive(Default)]
struct Total {
    kills: usize,
    found: Found,
}

impl Total {
    fn tell(&self, name: &str, kills: usize) {
        println!("{name}: {} processes killed; {}", self.kills, self.found);
        assert_eq!(self.kills, kills);
        assert!(self.found.acknowledged > 10 * kills, "only {} writes were acknowledged", self.found.acknowledged);
        assert_eq!((self.found.absent, self.found.unknown), (0, [0, 0]), "a write failed without a fault");
        assert!(self.found.open[0] + self.found.open[1] > kills, "hardly a write was cut off: {:?}", self.found.open);
    }
}

#[test]
fn a_process_that_is_killed_loses_nothing_on_sqlite() {
    if let Some(task) = child::task() {
        return work(&task);
    }
    let kills = size("TENANTRY_FAULT_KILLS", KILLS);
    let mut total = Total::default();
    while total.kills < kills {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let shared = block_on(shared(&tenantry_sqlite::open(&path).unwrap()));
        let (mut book, mut found) = (Book::default(), Found::default());
        for run in 0..KILLS_EACH.min(kills - total.kills) {
            // Now and then somebody else has the file open, who sees what is left of the one that is gone.
            let other = (run % 2 == 1).then(|| tenantry_sqlite::open(&path).unwrap());
            let task = json!({"sqlite": path, "shared": shared.to_string(), "run": run});
            let said = killed("kills::a_process_that_is_killed_loses_nothing_on_sqlite", &task, run);
            let store = other.unwrap_or_else(|| tenantry_sqlite::open(&path).unwrap());
            found = block_on(after_a_kill(&store, &mut book, said));
            drop(store);
            is_sound(&path);
            total.kills += 1;
        }
        total.found += found;
    }
    total.tell("sqlite", kills);
}

fn is_sound(path: &Path) {
    let db = Connection::open(path).unwrap();
    let told: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(told, "ok");
    let broken: i64 = db.query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| row.get(0)).unwrap();
    assert_eq!(broken, 0);
}

#[test]
fn a_process_that_is_killed_loses_nothing_on_postgres() {
    if let Some(task) = child::task() {
        return work(&task);
    }
    let kills = size("TENANTRY_FAULT_KILLS", KILLS);
    let mut total = Total::default();
    block_on(async {
        while total.kills < kills {
            let schema = Schema::new().await.unwrap();
            let url = &schema.url;
            let mut conn = sqlx::PgConnection::connect(url).await.unwrap();
            let store = lane::options(&schema).migrate(true).max_connections(2).connect(url).await.unwrap();
            let shared = shared(&store).await;
            let application = format!("{}_child", schema.name);
            let separator = if url.contains('?') { '&' } else { '?' };
            let for_child = format!("{url}{separator}application_name={application}");
            let (mut book, mut found) = (Book::default(), Found::default());
            for run in 0..KILLS_EACH.min(kills - total.kills) {
                let task = json!({"postgres": for_child, "schema": schema.name, "shared": shared.to_string(), "run": run});
                let said = killed("kills::a_process_that_is_killed_loses_nothing_on_postgres", &task, run);
                // The server may still be at what the process asked for last.
                wait_for_orphans(&mut conn, &application, || 0).await;
                found = after_a_kill(&store, &mut book, said).await;
                total.kills += 1;
            }
            total.found += found;
        }
    });
    total.tell("postgres", kills);
}
