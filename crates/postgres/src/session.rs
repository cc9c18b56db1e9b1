//! The connection of one call.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use sqlx::pool::PoolConnection;
use sqlx::{Connection, PgConnection, PgPool, Transaction};
use tenantry_core::BackendError;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::Postgres;
use crate::error::{Failure, unavailable};

/// How long a connection stays away from its pool at most, from call to call: there its age is looked at.
const AWAY: Duration = Duration::from_secs(1);

/// A connection of the pool, replaced when it turns out dead.
#[derive(Debug)]
pub(crate) struct Session<'s> {
    store: &'s Postgres,
    held: Option<Kept>,
    /// A transaction is being begun. Dropped at that point, the driver hands the connection back to the pool with the
    /// transaction open, and whoever gets it next would write into that and never commit.
    beginning: bool,
    /// Nothing is open or under way on the connection.
    settled: bool,
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        self.let_go();
    }
}

impl<'s> Session<'s> {
    pub(crate) const fn new(store: &'s Postgres) -> Self {
        Self { store, held: None, beginning: false, settled: false }
    }

    pub(crate) const fn store(&self) -> &'s Postgres {
        self.store
    }

    pub(crate) async fn conn(&mut self) -> Result<&mut PgConnection, BackendError> {
        self.settled = false;
        if self.held.is_none() {
            self.held = Some(self.store.idle.take(&self.store.pool).await.map_err(|error| Failure::from(error).into_backend())?);
        }
        self.held.as_mut().map(|held| &mut *held.conn).ok_or_else(unavailable)
    }

    /// Takes a connection that has just answered in place of one that turned out dead.
    pub(crate) async fn renew(&mut self) -> Result<&mut PgConnection, BackendError> {
        // The pool's other connections may have died with it; each that does not answer leaves the pool.
        for _ in 0..=self.store.pool.options().get_max_connections() {
            if let Some(mut dead) = self.held.take() {
                dead.conn.close_on_drop();
            }
            self.beginning = false;
            if self.conn().await?.ping().await.is_ok() {
                return self.conn().await;
            }
        }
        Err(unavailable())
    }

    /// Begins a transaction; dropping it rolls it back.
    pub(crate) async fn begin(&mut self, statement: &'static str) -> Result<Transaction<'_, sqlx::Postgres>, Failure> {
        self.conn().await?;
        let held = self.held.as_mut().ok_or_else(unavailable)?;
        self.beginning = true;
        let begun = held.conn.begin_with(statement).await;
        // After a failure the state of the connection is not known: it ends with the session.
        self.beginning = begun.is_err();
        Ok(begun?)
    }

    /// What was asked has been answered, outside of a transaction: whoever comes next may have the connection as it is.
    pub(crate) const fn settle(&mut self) {
        self.settled = true;
    }

    /// Gives the connection to others.
    pub(crate) fn let_go(&mut self) {
        let Some(mut held) = self.held.take() else { return };
        if self.beginning {
            held.conn.close_on_drop();
        } else if self.settled {
            Idle::put(&self.store.idle, held);
        }
    }
}

/// A connection that has been taken from its pool.
#[derive(Debug)]
struct Kept {
    conn: PoolConnection<sqlx::Postgres>,
    /// Since when it is away from the pool.
    taken: Instant,
    /// When the last call ended.
    idle: Instant,
}

/// Connections between two calls. The driver's pool asks each one that comes back whether it still lives, so that a store under load
/// would send half as many messages again as its calls need. One that has settled waits here for the next call, and goes back to the
/// pool when none comes.
#[derive(Debug)]
pub(crate) struct Idle {
    /// How long one waits; zero for not at all.
    linger: Duration,
    waiting: Mutex<Waiting>,
    /// Calls that wait for the pool: a connection that settles goes there.
    asking: AtomicUsize,
}

#[derive(Debug, Default)]
struct Waiting {
    kept: Vec<Kept>,
    /// What takes them back to the pool.
    watch: Option<JoinHandle<()>>,
}

/// One that asks the pool.
struct Asking<'i>(&'i AtomicUsize);

impl<'i> Asking<'i> {
    fn new(asking: &'i AtomicUsize) -> Self {
        asking.fetch_add(1, Ordering::SeqCst);
        Self(asking)
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Idle {
    pub(crate) fn new(linger: Duration) -> Self {
        Self { linger, waiting: Mutex::default(), asking: AtomicUsize::new(0) }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn take(&self, pool: &PgPool) -> Result<Kept, sqlx::Error> {
        // First, so that whoever settles meanwhile either leaves the connection here before this looks, or gives it to the pool.
        let asking = Asking::new(&self.asking);
        let kept = self.waiting().kept.pop();
        if let Some(kept) = kept {
            return Ok(kept);
        }
        let conn = pool.acquire().await?;
        drop(asking);
        let now = Instant::now();
        Ok(Kept { conn, taken: now, idle: now })
    }

    fn put(this: &Arc<Self>, mut kept: Kept) {
        kept.idle = Instant::now();
        let Ok(runtime) = Handle::try_current() else { return close(kept) };
        if this.linger.is_zero() || kept.idle.duration_since(kept.taken) > AWAY {
            return;
        }
        let mut waiting = this.waiting();
        if this.asking.load(Ordering::SeqCst) > 0 {
            // Not under the lock: the pool has a lock of its own.
            drop(waiting);
            return;
        }
        waiting.kept.push(kept);
        // One that ended with its runtime watches no more.
        if waiting.watch.as_ref().is_none_or(JoinHandle::is_finished) {
            waiting.watch = Some(runtime.spawn(watch(Arc::downgrade(this), this.linger)));
        }
    }

    /// Those that have waited for long enough, and whether others are left.
    fn overdue(&self) -> (Vec<Kept>, bool) {
        let mut waiting = self.waiting();
        let overdue = waiting.kept.extract_if(.., |kept| kept.idle.elapsed() >= self.linger).collect();
        let more = !waiting.kept.is_empty();
        if !more {
            waiting.watch = None;
        }
        (overdue, more)
    }

    /// Gives all of them back to the pool.
    pub(crate) fn clear(&self) {
        let kept = std::mem::take(&mut self.waiting().kept);
        if Handle::try_current().is_err() {
            kept.into_iter().for_each(close);
        }
    }
}

/// The way back to the pool is a task of the runtime: without one, the connection leaves the pool and its socket closes.
fn close(kept: Kept) {
    drop(kept.conn.detach());
}

async fn watch(idle: Weak<Idle>, linger: Duration) {
    loop {
        tokio::time::sleep(linger).await;
        let Some(idle) = idle.upgrade() else { return };
        let (overdue, more) = idle.overdue();
        drop(overdue);
        if !more {
            return;
        }
    }
}
