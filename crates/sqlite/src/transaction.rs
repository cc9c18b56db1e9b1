//! The caller's own transaction: statements of the application and commands of the store, all of them or none.

use std::fmt;
use std::future::Future;
use std::ops::Deref;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, MutexGuard, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use parking_lot::{MappedReentrantMutexGuard, ReentrantMutex, ReentrantMutexGuard};
use rusqlite::Connection;
use tenantry_core::nesting::Inside;
use tenantry_core::{Backend, BackendError, BackendKind, Engine, Error, Job, Stamps, TenancyStore, blocking};

use crate::direct::{Direct, gone};
use crate::error::Failure;
use crate::session::Session;
use crate::writer::{self, Message, perform};
use crate::{Sqlite, gone as ended};

/// The backend of a transaction: the store's connection, lent for as long as it lasts.
pub struct Lent<'t> {
    session: &'t ReentrantMutex<Session>,
    watch: &'t Watch,
}

impl fmt::Debug for Lent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lent").finish_non_exhaustive()
    }
}

/// Sees to it that the transaction ends when we end it.
#[derive(Debug, Default)]
struct Watch {
    /// We are committing.
    committing: AtomicBool,
    /// The transaction came to its end in some other way.
    lost: AtomicBool,
}

impl Watch {
    /// SQLite asks before it commits: without our word, it takes everything back instead.
    fn hook(watch: &Arc<Self>, connection: &mut Connection) -> rusqlite::Result<()> {
        let (on_commit, on_rollback) = (Arc::clone(watch), Arc::clone(watch));
        connection.commit_hook(Some(move || {
            let refused = !on_commit.committing.load(Ordering::Relaxed);
            on_commit.lost.fetch_or(refused, Ordering::Relaxed);
            refused
        }))?;
        connection.rollback_hook(Some(move || on_rollback.lost.store(true, Ordering::Relaxed)))
    }

    fn unhook(connection: &mut Connection) -> rusqlite::Result<()> {
        connection.commit_hook(None::<fn() -> bool>)?;
        connection.rollback_hook(None::<fn()>)
    }

    fn check(&self, session: &Session) -> Result<(), BackendError> {
        if self.lost.load(Ordering::Relaxed) || session.connection().is_autocommit() {
            let message = "the transaction has been rolled back: by a statement of its own, such as COMMIT or ROLLBACK, which only the \
                           end of the closure may do, or by a failure that took everything back; nothing of it was written";
            return Err(BackendError::new(BackendKind::RolledBack, message));
        }
        Ok(())
    }
}

impl Lent<'_> {
    /// What is written shows here before it is committed, and no mark tells of it.
    #[expect(clippy::unused_self, reason = "as the stores, which may have some")]
    pub(crate) const fn told(&self) -> Option<Arc<Stamps>> {
        None
    }

    #[expect(clippy::unused_async, reason = "as the store with threads, which waits for them")]
    pub(crate) async fn run<J: Job>(&self, mut job: J) -> Result<J, Error> {
        let session = self.session.lock();
        self.watch.check(&session)?;
        perform(&session, &mut job)?;
        Ok(job)
    }

    #[expect(clippy::unused_async, reason = "as the store with threads, which waits for them")]
    pub(crate) async fn read<T>(&self, read: impl FnOnce(&Session) -> Result<T, Failure>) -> Result<T, BackendError> {
        let session = self.session.lock();
        self.watch.check(&session)?;
        read(&session).map_err(|failure| session.explain(failure))
    }

    pub(crate) async fn read_behind_writes<T>(&self, read: impl FnOnce(&Session) -> Result<T, Failure>) -> Result<T, BackendError> {
        self.read(read).await
    }
}

/// A transaction under way: the store, in which what was written shows at once while nobody outside sees anything of it, and the
/// connection, for statements of the application's own.
///
/// Its operations are plain calls ([`blocking::Store`]); [`Transaction::store`] is the same as an async store, for code that is
/// written for one. Its futures never suspend.
#[derive(Debug)]
pub struct Transaction<'t>(blocking::Store<Lent<'t>>);

impl<'t> Transaction<'t> {
    /// The store inside the transaction.
    pub fn store(&self) -> &(dyn TenancyStore + 't) {
        self.0.engine()
    }

    /// The connection, for the application's own statements in the same transaction. The store's operations may run while it is held,
    /// on the same thread.
    ///
    /// It is the store's only connection that writes, and goes back to it: settings that are changed here stay changed. A COMMIT or
    /// ROLLBACK takes the whole transaction back, and the commit at its end fails with `backend.rolled_back`; savepoints are free to use.
    pub fn connection(&self) -> Lease<'_> {
        Lease(ReentrantMutexGuard::map(self.0.engine().backend().session.lock(), Session::connection))
    }
}

impl<'t> Deref for Transaction<'t> {
    type Target = blocking::Store<Lent<'t>>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

/// The connection of a transaction, for the thread that holds it.
#[derive(Debug)]
pub struct Lease<'a>(MappedReentrantMutexGuard<'a, Connection>);

impl Deref for Lease<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.0
    }
}

/// A backend that can lend its connection: the one with threads of its own, and the one without.
pub trait Lends: Backend {
    /// Waits for the connection.
    #[doc(hidden)]
    fn lend(&self) -> Result<Borrowed<'_>, BackendError>;
}

/// The store's connection in other hands, and how it goes back.
#[doc(hidden)]
#[derive(Debug)]
pub struct Borrowed<'m> {
    session: Session,
    home: Home<'m>,
    inside: Inside,
}

#[derive(Debug)]
enum Home<'m> {
    Thread(mpsc::Sender<Session>),
    Place(MutexGuard<'m, Option<Session>>),
}

impl Lends for Sqlite {
    fn lend(&self) -> Result<Borrowed<'_>, BackendError> {
        let inside = self.nesting.enter()?;
        let ((to, lent), (home, back)) = (mpsc::sync_channel(1), mpsc::channel());
        wait_for(self.writer.send(Message::Lend(writer::Loan { to, back }))).map_err(|_| ended())?;
        let session = lent.recv().map_err(|_| ended())?;
        Ok(Borrowed { session, home: Home::Thread(home), inside })
    }
}

impl Lends for Direct {
    fn lend(&self) -> Result<Borrowed<'_>, BackendError> {
        let inside = self.nesting.enter()?;
        let mut place = self.writer();
        let session = place.take().ok_or_else(gone)?;
        Ok(Borrowed { session, home: Home::Place(place), inside })
    }
}

/// The end of a future, on this thread: what makes it ready runs on another one.
fn wait_for<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(done) => return done,
            Poll::Pending => thread::park(),
        }
    }
}

/// A transaction with all that it holds. However it ends, the connection goes home, and what was not committed is rolled back.
struct Open<'m> {
    /// Empty only while this is dropped.
    session: Option<ReentrantMutex<Session>>,
    watch: Arc<Watch>,
    home: Home<'m>,
    _inside: Inside,
}

impl<'m> Open<'m> {
    fn begin(borrowed: Borrowed<'m>) -> Result<Self, BackendError> {
        let Borrowed { session, home, inside } = borrowed;
        // From here on the connection goes home whatever happens.
        let mut open = Self { session: Some(ReentrantMutex::new(session)), watch: Arc::default(), home, _inside: inside };
        let watch = Arc::clone(&open.watch);
        let session = open.session.as_mut().ok_or_else(gone)?.get_mut();
        let driver = |session: &Session, error| session.explain(Failure::Driver(error));
        session.run("BEGIN IMMEDIATE", []).map_err(|error| driver(session, error))?;
        Watch::hook(&watch, session.connection_mut()).map_err(|error| driver(session, error))?;
        Ok(open)
    }

    fn commit(&mut self) -> Result<(), BackendError> {
        let session = self.session.as_mut().ok_or_else(gone)?.get_mut();
        self.watch.check(session)?;
        self.watch.committing.store(true, Ordering::Relaxed);
        let committed = session.run("COMMIT", []).map(drop).map_err(|error| session.explain(Failure::Driver(error)));
        // The application may have written our tables itself.
        session.note_everything();
        session.mark();
        committed
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        let Some(session) = self.session.take() else { return };
        let mut session = session.into_inner();
        // Where this fails, so does the next BEGIN, and says why.
        drop(Watch::unhook(session.connection_mut()));
        session.take_back();
        match &mut self.home {
            // The thread waits for it, unless it died; then the connection closes here.
            Home::Thread(home) => drop(home.send(session)),
            Home::Place(place) => **place = Some(session),
        }
    }
}

/// Runs `work` as one transaction of the store and the application, on this thread: when it answers `Ok`, everything that it did through
/// the transaction and its connection is written, and when it answers `Err` or panics, nothing of it. Other writers wait meanwhile.
///
/// It blocks its thread: in async code, call it where that is allowed, such as tokio's `spawn_blocking`.
///
/// Spec: `transactions.md`.
///
/// # Errors
/// What `work` says; `backend.nested_write` when this thread is inside a transaction of this store already (the store itself, called from
/// `work` in place of the transaction, says the same); `backend.retryable` when another process holds the file's lock;
/// `backend.rolled_back` when `work` ended the transaction by a statement of its own, or went on after a failure that took it back.
///
/// ```
/// use tenantry_sqlite::rusqlite::params;
/// use tenantry_core::{CreateOrg, CreateUser, Error, OrgId};
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("app.db");
/// let store = tenantry_sqlite::open(&path)?;
/// let acme = tenantry_sqlite::with_transaction(&store, |tx| {
///     let ada = tx.create_user(CreateUser::new().display_name("Ada"))?.user;
///     let acme = tx.create_org(CreateOrg::new(ada.id).slug("acme"))?.org;
///     tx.connection().execute_batch("CREATE TABLE account (org TEXT PRIMARY KEY, plan TEXT)")?;
///     tx.connection().execute("INSERT INTO account VALUES (?, ?)", params![acme.id.to_string(), "free"])?;
///     Ok::<OrgId, Box<dyn std::error::Error>>(acme.id)
/// }).unwrap();
/// # let _ = acme;
/// # Ok::<(), Error>(())
/// ```
pub fn with_transaction<B: Lends, T, E: From<BackendError>>(
    store: &impl AsRef<Engine<B>>,
    work: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
) -> Result<T, E> {
    let store = store.as_ref();
    let mut open = Open::begin(store.backend().lend()?)?;
    let session = open.session.as_ref().ok_or_else(gone)?;
    let done = work(&Transaction(blocking::Store::new(store.rebound(Lent { session, watch: &open.watch }))))?;
    open.commit()?;
    Ok(done)
}
