//! The store without threads of its own: every call runs on the thread that makes it.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use tenantry_core::nesting::Nesting;
use tenantry_core::{BackendError, BackendKind, Error, Job, Stamps, blocking};

use crate::error::Failure;
use crate::session::Session;
use crate::writer::transact;

/// A store in SQLite whose operations are plain calls.
pub type BlockingStore = blocking::Store<Direct>;

/// The backend: connections, taken by whichever thread needs one.
pub struct Direct {
    /// Empty only after a transaction did not bring it back.
    writer: Mutex<Option<Session>>,
    /// None where there is one connection: for a database in memory, and for a file that is opened exclusively.
    readers: Vec<Mutex<Session>>,
    /// Where nobody else can write.
    stamps: Option<Arc<Stamps>>,
    pub(crate) nesting: Nesting,
}

impl fmt::Debug for Direct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Direct").field("readers", &self.readers.len()).finish_non_exhaustive()
    }
}

impl Direct {
    pub(crate) fn new(writer: Session, readers: Vec<Session>) -> Self {
        let readers = readers.into_iter().map(Mutex::new).collect();
        let stamps = writer.stamps();
        Self { writer: Mutex::new(Some(writer)), readers, stamps, nesting: Nesting::default() }
    }

    pub(crate) fn told(&self) -> Option<Arc<Stamps>> {
        self.stamps.clone()
    }

    /// The connection that writes, for this thread alone.
    pub(crate) fn writer(&self) -> MutexGuard<'_, Option<Session>> {
        // Whoever panicked with it rolled back while the stack unwound.
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[expect(clippy::unused_async, reason = "as the store with threads, which waits for them")]
    pub(crate) async fn run<J: Job>(&self, mut job: J) -> Result<J, Error> {
        self.nesting.check()?;
        transact(self.writer().as_ref().ok_or_else(gone)?, &mut job)?;
        Ok(job)
    }

    #[expect(clippy::unused_async, reason = "as the store with threads, which waits for them")]
    pub(crate) async fn read<T>(&self, read: impl FnOnce(&Session) -> Result<T, Failure>) -> Result<T, BackendError> {
        self.nesting.check()?;
        let answer = |session: &Session| read(session).map_err(|failure| session.explain(failure));
        for reader in &self.readers {
            match reader.try_lock() {
                Ok(session) => return answer(&session),
                Err(TryLockError::Poisoned(poisoned)) => return answer(&poisoned.into_inner()),
                Err(TryLockError::WouldBlock) => {}
            }
        }
        match self.readers.first() {
            Some(reader) => answer(&reader.lock().unwrap_or_else(PoisonError::into_inner)),
            None => answer(self.writer().as_ref().ok_or_else(gone)?),
        }
    }

    #[expect(clippy::unused_async, reason = "as the store with threads, which waits for them")]
    pub(crate) async fn read_behind_writes<T>(&self, read: impl FnOnce(&Session) -> Result<T, Failure>) -> Result<T, BackendError> {
        self.nesting.check()?;
        let writer = self.writer();
        let session = writer.as_ref().ok_or_else(gone)?;
        read(session).map_err(|failure| session.explain(failure))
    }
}

pub(crate) fn gone() -> BackendError {
    BackendError::new(BackendKind::Unavailable, "the store's connection is gone: open the store again")
}
