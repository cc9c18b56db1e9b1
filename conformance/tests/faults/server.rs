//! The Postgres server is killed, with everything that a server does against a crash switched on, while several writers write: what was
//! acknowledged is there when it is back, writers that were cut off were told so, and `outcome` tells which of their writes are there.
#![cfg(unix)]

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use tenantry_core::TenancyStore;
use tenantry_postgres::{Options, PostgresStore};

use crate::cluster::Cluster;
use crate::kills::{now, random, shared};
use crate::size;
use crate::stream::{Book, Found, Log, Note, Writer};

/// How many times the server is killed, unless told otherwise.
const KILLS: usize = 2;
const WRITERS: u32 = 4;
const PATIENCE: Duration = Duration::from_mins(1);

#[test]
fn a_server_that_is_killed_loses_nothing_that_was_acknowledged() {
    let kills = size("TENANTRY_FAULT_SERVER_KILLS", KILLS);
    if kills == 0 {
        println!("TENANTRY_FAULT_SERVER_KILLS is 0: no server was killed, and nothing is known of a store whose server is");
        return;
    }
    let mut cluster = Cluster::start();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let org = runtime.block_on(async {
        let store = Options::new().migrate(true).connect(&cluster.url()).await.unwrap();
        shared(&store).await
    });
    let (mut book, mut found, mut processes) = (Book::default(), Found::default(), 0);
    for run in 0..kills {
        // One time a call gives up soon, and the other it waits until the server is back.
        let waits = run % 2 == 1;
        let patience = if waits { PATIENCE } else { Duration::from_millis(100) };
        let store = Options::new().max_connections(WRITERS + 2).acquire_timeout(patience);
        let store = runtime.block_on(store.connect(&cluster.url())).unwrap();
        let crew = Crew::start(&runtime, &store, org, run);

        let words = usize::try_from(40 + random(400)).unwrap();
        crew.wait_until("they write", || crew.said.load(Ordering::SeqCst) > words);
        thread::sleep(Duration::from_micros(random(3_000)));
        processes += cluster.kill();
        if !waits {
            crew.wait_until("each has been told", || crew.failed.iter().all(|failed| failed.load(Ordering::SeqCst)));
        }
        cluster.restart();
        let before: Vec<u32> = crew.writers.iter().map(|writer| writer.acknowledged()).collect();
        crew.wait_until("all go on over the same pool", || {
            crew.writers.iter().zip(&before).all(|(writer, before)| writer.acknowledged() > before + 1)
        });
        book.note_all(crew.stop(&runtime));
        found = runtime.block_on(book.check(&store, now()));
    }
    let recoveries = cluster.log().matches("automatic recovery in progress").count();
    println!("postgres: server killed {kills} times, {processes} processes of it; {found}");
    assert!(recoveries >= kills, "it recovered {recoveries} times only: {}", cluster.log());
    assert!(found.acknowledged > 20 * kills, "only {} writes were acknowledged", found.acknowledged);
    assert!(found.absent + found.unknown[0] + found.unknown[1] >= kills, "hardly a write was cut off: {found:?}");
}

/// Writers at work.
struct Crew {
    writers: Vec<Arc<Writer>>,
    at_work: Vec<tokio::task::JoinHandle<()>>,
    notes: Arc<Mutex<Vec<Note>>>,
    said: Arc<AtomicUsize>,
    /// By writer, whether it has been told of a failure.
    failed: Arc<Vec<AtomicBool>>,
    is_over: Arc<AtomicBool>,
}

impl Crew {
    fn start(runtime: &tokio::runtime::Runtime, store: &PostgresStore, org: tenantry_core::OrgId, run: usize) -> Self {
        let notes: Arc<Mutex<Vec<Note>>> = Arc::default();
        let said: Arc<AtomicUsize> = Arc::default();
        let failed: Arc<Vec<AtomicBool>> = Arc::new((0..WRITERS).map(|_| AtomicBool::new(false)).collect());
        let is_over = Arc::new(AtomicBool::new(false));
        let store: Arc<dyn TenancyStore> = Arc::new(store.clone());
        let writers: Vec<Arc<Writer>> = (0..WRITERS)
            .map(|number| {
                let (notes, said, failed) = (Arc::clone(&notes), Arc::clone(&said), Arc::clone(&failed));
                let log: Log = Arc::new(move |note| {
                    failed[number as usize].fetch_or(matches!(note, Note::Failed { .. }), Ordering::SeqCst);
                    notes.lock().unwrap().push(note);
                    said.fetch_add(1, Ordering::SeqCst);
                });
                Arc::new(Writer::new(Arc::clone(&store), log, org, u32::try_from(run).unwrap(), number))
            })
            .collect();
        let at_work = writers.iter().map(|writer| {
            let (writer, is_over) = (Arc::clone(writer), Arc::clone(&is_over));
            runtime.spawn(async move { writer.write(|| !is_over.load(Ordering::SeqCst)).await })
        });
        let at_work = at_work.collect();
        Self { writers, at_work, notes, said, failed, is_over }
    }

    fn wait_until(&self, what: &str, holds: impl Fn() -> bool) {
        let start = Instant::now();
        while !holds() {
            assert!(start.elapsed() < PATIENCE, "waited in vain until {what}: {:?}", self.notes.lock().unwrap().last());
            assert!(self.at_work.iter().all(|writer| !writer.is_finished()), "a writer ended by itself");
            thread::sleep(Duration::from_micros(100));
        }
    }

    /// Everything that the writers said, when all have ended.
    fn stop(self, runtime: &tokio::runtime::Runtime) -> Vec<Note> {
        self.is_over.store(true, Ordering::SeqCst);
        for writer in self.at_work {
            runtime.block_on(writer).unwrap();
        }
        std::mem::take(&mut *self.notes.lock().unwrap())
    }
}
