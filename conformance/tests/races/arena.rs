//! Where races are run: one store's rows, with several sides that reach them by ways of their own. Each side is a thread with a
//! runtime of its own, on which its connections live, and has sources of its own, so that what they are asked for is known to be
//! asked for by it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tenantry_core::wire::{self, CallError, Reply};
use tenantry_core::{Caller, Clock, Dump, Engine, Inspect, Sources, TenancyStore, Timestamp, UserId, json};
use tenantry_memory::MemoryStore;
use tenantry_sqlite::{Durability, SqliteStore};
use tokio::runtime::Runtime;

use crate::play::Seen;
use crate::postgres::{Level, Schema, Weakness};
use crate::through::Through;
use crate::watch::{Meeting, Place, Track, Watch};

pub(crate) type BoxFuture<'f, T> = Pin<Box<dyn Future<Output = T> + Send + 'f>>;

/// A kind of store, and how the sides reach it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One store in memory, used by several threads.
    Memory,
    /// One file, which each side has opened for itself: several connections want SQLite's lock.
    Sqlite,
    /// One file opened once: the sides' calls come together before its one writer.
    SqliteShared,
    /// A pool of connections for each side.
    Postgres,
}

impl Kind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Sqlite => "sqlite, a connection each",
            Self::SqliteShared => "sqlite, one writer",
            Self::Postgres => "postgres",
        }
    }

    /// Whether a command holds the store's one lock from its load to its write.
    pub(crate) const fn locks(self) -> bool {
        !matches!(self, Self::Postgres)
    }

    /// How long a call takes to come to the lock, with room to spare: whoever asked longer ago than that is at it.
    pub(crate) const fn way_to_lock(self) -> Duration {
        match self {
            Self::Memory => Duration::from_micros(50),
            Self::Sqlite | Self::SqliteShared | Self::Postgres => Duration::from_micros(300),
        }
    }
}

/// One call of an operation by name.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) operation: &'static str,
    /// The guarded caller, if it is one.
    pub(crate) actor: Option<UserId>,
    pub(crate) input: serde_json::Value,
    /// What comes behind it in the same transaction of the caller.
    pub(crate) then: Option<Box<Self>>,
}

/// What a call came to, in a word: `ok`, with what the answer says where that depends on who was first; `nothing` where it succeeded
/// and had nothing to do; or the code of its refusal.
pub(crate) fn word(reply: &Result<Reply, CallError>) -> String {
    match reply {
        Ok(Reply::SuspendedUser(suspended)) => match suspended.orgs_without_acting_owner.len() {
            0 => "ok".to_owned(),
            left => format!("ok, {left} left without"),
        },
        Ok(Reply::Swept(swept)) => match swept.invitations + swept.tuples {
            0 => "nothing".to_owned(),
            rows => format!("ok, {rows} swept"),
        },
        Ok(Reply::EnsuredTenant(ensured)) if !ensured.created => "nothing".to_owned(),
        Ok(_) => "ok".to_owned(),
        Err(CallError::Store(error)) => error.code(),
        Err(error) => error.to_string(),
    }
}

impl Call {
    /// The inputs of the call and of those behind it, as the store takes them.
    fn inputs(&self) -> Vec<json::Value> {
        let all = std::iter::successors(Some(self), |call| call.then.as_deref());
        all.map(|call| serde_json::from_value(call.input.clone()).expect("JSON is a value")).collect()
    }

    /// Makes the call and those behind it, up to the first that fails; answers what the last one came to.
    pub(crate) async fn make(&self, store: &dyn TenancyStore, inputs: &[json::Value]) -> Result<Reply, CallError> {
        let mut call = self;
        for input in inputs {
            let reply = match call.actor {
                None => wire::call(store, call.operation, input).await,
                Some(actor) => wire::call(&*store.with_caller(Caller::guarded(actor)), call.operation, input).await,
            };
            match &call.then {
                Some(then) if reply.is_ok() => call = then,
                _ => return reply,
            }
        }
        panic!("an input for each call")
    }
}

/// A store as a side has it.
pub(crate) struct Opened {
    pub(crate) store: Box<dyn Contender>,
    /// What is to be done at the end, on the runtime of the store.
    pub(crate) close: BoxFuture<'static, ()>,
}

/// Makes one call at a store, to its end.
pub(crate) trait Contender: Send {
    fn run<'c>(&'c self, call: &'c Call, inputs: &'c [json::Value]) -> BoxFuture<'c, String>;
}

impl Contender for Arc<dyn TenancyStore> {
    fn run<'c>(&'c self, call: &'c Call, inputs: &'c [json::Value]) -> BoxFuture<'c, String> {
        Box::pin(async move { word(&call.make(&**self, inputs).await) })
    }
}

struct Turn {
    number: usize,
    call: Call,
    meeting: Arc<Meeting>,
    delay: Duration,
}

struct Side {
    turns: Option<mpsc::Sender<Turn>>,
    answers: mpsc::Receiver<(String, Track)>,
    thread: Option<JoinHandle<()>>,
}

impl Side {
    fn start(watch: Arc<Watch>, open: impl FnOnce() -> BoxFuture<'static, Opened> + Send + 'static) -> Self {
        let (turns, queue) = mpsc::channel::<Turn>();
        let (answer, answers) = mpsc::channel();
        let thread = thread::spawn(move || {
            let runtime = runtime();
            let Opened { store, close } = runtime.block_on(open());
            for Turn { number, call, meeting, delay } in queue {
                let inputs = call.inputs();
                meeting.start();
                let begun = Instant::now();
                while begun.elapsed() < delay {
                    std::hint::spin_loop();
                }
                watch.begin(&meeting, number);
                let outcome = runtime.block_on(store.run(&call, &inputs));
                if answer.send((outcome, watch.end())).is_err() {
                    break;
                }
            }
            drop(store);
            runtime.block_on(close);
        });
        Self { turns: Some(turns), answers, thread: Some(thread) }
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        self.turns = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
            && !thread::panicking()
        {
            panic!("a side panicked");
        }
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// The rows.
enum Ground {
    Memory(MemoryStore),
    Sqlite(TempDir),
    SqliteShared { store: SqliteStore, _folder: TempDir },
    Postgres(Schema),
}

/// How the store differs from what is shipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Build {
    Shipped,
    /// Load, decide and write without a lock over all three and without comparing revisions.
    WithoutGuards,
    /// The function that writes in Postgres is another one.
    OtherFunction(Weakness),
    /// As shipped; each call stands in a transaction of the caller.
    InTransaction(Level),
}

impl Build {
    /// Where calls are made to meet, so that they overlap.
    pub(crate) const fn meeting_place(self, kind: Kind, seen: Seen) -> Place {
        match (self, seen) {
            (Self::WithoutGuards, _) => Place::InTheGap,
            _ if kind.locks() => Place::UnderLock(kind.way_to_lock()),
            (_, Seen::Conflict) => Place::BeforeWriting,
            (_, Seen::InFlight) => Place::BeforeLoading,
        }
    }
}

/// A store with its sides.
pub(crate) struct Arena {
    // In this order: what uses the rows goes before them.
    sides: Vec<Side>,
    /// For what is not part of a race.
    pub(crate) store: Arc<dyn TenancyStore>,
    inspect: Arc<dyn Inspect>,
    close: Option<BoxFuture<'static, ()>>,
    ground: Ground,
    pub(crate) kind: Kind,
    build: Build,
    shift: Arc<AtomicI64>,
    runtime: Runtime,
    /// How many worlds are in it.
    pub(crate) worlds: AtomicUsize,
}

impl fmt::Debug for Arena {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arena").field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl Arena {
    pub(crate) fn new(kind: Kind, build: Build) -> Self {
        let shift = Arc::new(AtomicI64::new(0));
        let sources = Watch::new(Arc::clone(&shift)).sources();
        let runtime = runtime();
        let (ground, own) = runtime.block_on(Self::ground(kind, build, sources));
        let (store, inspect, close) = own;
        Self { sides: Vec::new(), store, inspect, close, ground, kind, build, shift, runtime, worlds: AtomicUsize::new(0) }
    }

    async fn ground(kind: Kind, build: Build, sources: Sources) -> (Ground, Own) {
        match kind {
            Kind::Memory => {
                let store = tenantry_memory::with_sources(sources);
                (Ground::Memory(store.clone()), own(store, None))
            }
            Kind::Sqlite => {
                let folder = tempfile::tempdir().expect("a folder");
                let store = open_file(&folder, sources);
                (Ground::Sqlite(folder), own(store, None))
            }
            Kind::SqliteShared => {
                let folder = tempfile::tempdir().expect("a folder");
                let store = open_file(&folder, sources);
                (Ground::SqliteShared { store: store.clone(), _folder: folder }, own(store, None))
            }
            Kind::Postgres => {
                let schema = Schema::new().await;
                let (store, pool) = schema.address().open(sources, true).await;
                if let Build::OtherFunction(weakness) = build {
                    schema.address().weaken(&pool, weakness).await;
                }
                (Ground::Postgres(schema), own(store, Some(Box::pin(async move { pool.close().await }))))
            }
        }
    }

    /// The clock of all sides.
    pub(crate) fn now(&self) -> Timestamp {
        Watch::new(Arc::clone(&self.shift)).now()
    }

    /// Moves the clock of all sides.
    pub(crate) fn advance(&self, by: Duration) {
        self.shift.fetch_add(i64::try_from(by.as_micros()).expect("no age"), Ordering::SeqCst);
    }

    pub(crate) fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    pub(crate) fn dump(&self) -> Dump {
        self.runtime.block_on(self.inspect.dump()).expect("its rows")
    }

    fn add_side(&mut self) {
        let watch = Watch::new(Arc::clone(&self.shift));
        let sources = watch.sources();
        let build = self.build;
        let side = match &self.ground {
            Ground::Memory(store) => {
                let store = shared(store.clone(), build, &watch);
                Side::start(watch, move || Box::pin(async move { opened(store) }))
            }
            Ground::SqliteShared { store, .. } => {
                let store = shared(store.clone(), build, &watch);
                Side::start(watch, move || Box::pin(async move { opened(store) }))
            }
            Ground::Sqlite(folder) => {
                let own = open_file(folder, sources);
                let store: Arc<dyn TenancyStore> = if build == Build::WithoutGuards { shared(own, build, &watch) } else { Arc::new(own) };
                Side::start(watch, move || Box::pin(async move { opened(store) }))
            }
            Ground::Postgres(schema) => {
                let address = schema.address();
                Side::start(watch, move || Box::pin(async move { address.contender(sources, build).await }))
            }
        };
        self.sides.push(side);
    }

    /// Makes the calls, each from a side of its own, let go at the same moment and then after their delays. Answers what each came
    /// to, and what was seen of it.
    pub(crate) fn race(&mut self, calls: &[(Call, Duration)], place: Place) -> Vec<(String, Track)> {
        while self.sides.len() < calls.len() {
            self.add_side();
        }
        let meeting = Arc::new(Meeting::of(calls.len(), place));
        let sides = || self.sides.iter().take(calls.len());
        for ((number, side), (call, delay)) in sides().enumerate().zip(calls) {
            let turn = Turn { number, call: call.clone(), meeting: Arc::clone(&meeting), delay: *delay };
            side.turns.as_ref().and_then(|turns| turns.send(turn).ok()).expect("its thread is there");
        }
        sides().map(|side| side.answers.recv().expect("an answer")).collect()
    }

    /// Makes one call after the other, in this order; answers in the order of the calls.
    pub(crate) fn in_turn(&mut self, calls: &[Call], order: impl IntoIterator<Item = usize>) -> Vec<String> {
        let mut outcomes = vec![String::new(); calls.len()];
        for number in order {
            let answer = self.race(&[(calls[number].clone(), Duration::ZERO)], Place::Nowhere);
            outcomes[number] = answer.into_iter().next().expect("one call, one answer").0;
        }
        outcomes
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        self.sides.clear();
        if let Some(close) = self.close.take() {
            self.runtime.block_on(close);
        }
    }
}

type Own = (Arc<dyn TenancyStore>, Arc<dyn Inspect>, Option<BoxFuture<'static, ()>>);

fn own<S: TenancyStore + Inspect + 'static>(store: S, close: Option<BoxFuture<'static, ()>>) -> Own {
    let store = Arc::new(store);
    (Arc::<S>::clone(&store), store, close)
}

fn opened(store: Arc<dyn TenancyStore>) -> Opened {
    Opened { store: Box::new(store), close: Box::pin(async {}) }
}

/// A commit counts when the system has it: what outlasts a loss of power is not the question here, and it takes milliseconds.
fn open_file(folder: &TempDir, sources: Sources) -> SqliteStore {
    let options = tenantry_sqlite::Options::new().readers(1).durability(Durability::Normal).sources(sources);
    options.open(folder.path().join("store.db")).expect("a file to open")
}

/// The same store with the sources of a side.
fn shared<B: tenantry_core::Backend + 'static>(store: Engine<B>, build: Build, watch: &Arc<Watch>) -> Arc<dyn TenancyStore> {
    let through = match build {
        Build::WithoutGuards => Through::without_guards(store, Arc::clone(watch)),
        _ => Through::new(store),
    };
    Arc::new(Engine::new(through, watch.sources()))
}
