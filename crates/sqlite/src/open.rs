//! Opening: which file, on which terms, and what is wrong with it if it cannot be had.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use rusqlite::{ErrorCode, OpenFlags};
use tenantry_core::migration::{self, SchemaStatus};
use tenantry_core::{BackendError, BackendKind, Engine, Sources};

use crate::error::{Failure, Place};
use crate::migrations::{self, MIGRATIONS};
use crate::session::{Session, Transaction};
use crate::statements::{PREFIX, Statements};
use crate::{BlockingStore, Direct, Sqlite, SqliteStore};

/// When a commit counts as done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Durability {
    /// When it is on the disk: it outlasts a loss of power.
    #[default]
    Full,
    /// When it is with the operating system: several times faster, and it outlasts the end of the process. A loss of power
    /// may take the last commits, whole ones, and never damages the file.
    Normal,
}

/// The terms on which a store is opened.
///
/// ```
/// use tenantry_sqlite::{Durability, Options};
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("tenantry.db");
/// let store = Options::new().readers(4).durability(Durability::Normal).open(&path)?;
/// # let _ = store;
/// # Ok::<(), tenantry_core::BackendError>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct Options {
    sources: Sources,
    readers: usize,
    share_with_application: bool,
    exclusive: bool,
    busy_timeout: Duration,
    durability: Durability,
    max_pages: Option<u32>,
}

impl Default for Options {
    fn default() -> Self {
        Self::new()
    }
}

impl Options {
    /// The system's clock and ids, two readers, a file of its own, five seconds' patience, full durability.
    pub fn new() -> Self {
        Self {
            sources: Sources::system(),
            readers: 2,
            share_with_application: false,
            exclusive: false,
            busy_timeout: Duration::from_secs(5),
            durability: Durability::Full,
            max_pages: None,
        }
    }

    /// Takes the time and new ids from here.
    pub fn sources(mut self, sources: Sources) -> Self {
        self.sources = sources;
        self
    }

    /// So many threads read, each with a connection of its own, which keeps up to 16 MiB of the file in memory; at least one. A database in memory has one connection only.
    pub const fn readers(mut self, readers: usize) -> Self {
        self.readers = if readers == 0 { 1 } else { readers };
        self
    }

    /// Takes a file that holds tables of another application too. Ours begin with `tenantry_`; the file's journal becomes a
    /// write-ahead log for both. Without this, such a file is refused: it was probably named by mistake.
    pub const fn share_with_application(mut self, share: bool) -> Self {
        self.share_with_application = share;
        self
    }

    /// Keeps everybody else out of the file while the store is open: other processes, and other stores and connections of this one. Opening
    /// fails with `backend.retryable` while somebody else has it open, and so does whatever tries to open it after that.
    ///
    /// One connection then does everything, so reads wait for writes, and there are no [readers](Self::readers). What it is good for: the
    /// store knows of every write, so that a `CachedResolver` over it tells without a statement whether an answer still holds, also under
    /// `Freshness::Fresh`. So does a database in memory.
    ///
    /// ```
    /// use tenantry_core::PermissionResolver;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("tenantry.db");
    /// let store = tenantry_sqlite::Options::new().exclusive(true).open(&path)?;
    /// assert!(store.stamps().is_some());
    /// assert_eq!(tenantry_sqlite::open(&path).unwrap_err().code(), "backend.retryable");
    /// # Ok::<(), tenantry_core::BackendError>(())
    /// ```
    pub const fn exclusive(mut self, exclusive: bool) -> Self {
        self.exclusive = exclusive;
        self
    }

    /// Waits so long for another process's lock before a call fails with `backend.retryable`.
    pub const fn busy_timeout(mut self, timeout: Duration) -> Self {
        self.busy_timeout = timeout;
        self
    }

    /// When a commit counts as done.
    pub const fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Lets the file grow to so many pages only, as on a full disk: for tests.
    #[doc(hidden)]
    pub const fn max_pages(mut self, pages: u32) -> Self {
        self.max_pages = Some(pages);
        self
    }

    /// Opens a file; creates it when it is not there, and brings its schema up to date.
    ///
    /// # Errors
    /// `backend.unavailable` when the file cannot be opened or written, `backend.schema` when it is not one of ours or of a
    /// newer version, `backend.retryable` when another process holds a lock on it. The message says what to do.
    pub fn open(self, path: impl AsRef<Path>) -> Result<SqliteStore, BackendError> {
        let (writer, readers) = self.connect(path.as_ref())?;
        Ok(Engine::new(Sqlite::start(writer, readers)?, self.sources))
    }

    /// Opens a file for plain calls, which run on the thread that makes them: for programs without a runtime. The
    /// [readers](Self::readers) are connections then, as many as may read at once.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_blocking(self, path: impl AsRef<Path>) -> Result<BlockingStore, BackendError> {
        let (writer, readers) = self.connect(path.as_ref())?;
        Ok(Engine::new(Direct::new(writer, readers), self.sources).into())
    }

    /// The connection that writes, and those that read.
    fn connect(&self, path: &Path) -> Result<(Session, Vec<Session>), BackendError> {
        let place = Arc::new(Place::File(path.to_owned()));
        folder_of(path)?;
        is_file(path)?;
        let sql = Arc::new(Statements::new(PREFIX));
        let connect = |flags| Session::open(Arc::clone(&place), Arc::clone(&sql), flags, self.busy_timeout);
        let writer = connect(OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
        if self.exclusive {
            // Before the file is looked at for the first time: what is locked from then on stays so.
            writer.connection().pragma_update(None, "locking_mode", "EXCLUSIVE").map_err(|error| writer.explain(Failure::Driver(error)))?;
        }
        self.prepare_file(&writer)?;
        if self.exclusive {
            // Nothing of the above need have written.
            writer.begin().and_then(Transaction::commit).map_err(|error| writer.explain(Failure::Driver(error)))?;
            return Ok((writer.alone(), Vec::new()));
        }
        let mut readers = Vec::with_capacity(self.readers);
        for _ in 0..self.readers {
            let reader = connect(OpenFlags::SQLITE_OPEN_READ_WRITE)?;
            // Opened for writing all the same: a reader takes part in the write-ahead log's locks.
            reader.connection().pragma_update(None, "query_only", true).map_err(|error| reader.explain(Failure::Driver(error)))?;
            readers.push(reader);
        }
        Ok((writer, readers))
    }

    /// Opens a new, empty database in memory. It is gone with the last clone of the store.
    ///
    /// # Errors
    /// `backend.other` and `backend.unavailable` when the system has no memory or thread to give.
    pub fn open_in_memory(self) -> Result<SqliteStore, BackendError> {
        let session = self.in_memory()?;
        Ok(Engine::new(Sqlite::start(session, Vec::new())?, self.sources))
    }

    /// The same for plain calls.
    ///
    /// # Errors
    /// As [`open_in_memory`](Self::open_in_memory).
    pub fn open_in_memory_blocking(self) -> Result<BlockingStore, BackendError> {
        let session = self.in_memory()?;
        Ok(Engine::new(Direct::new(session, Vec::new()), self.sources).into())
    }

    fn in_memory(&self) -> Result<Session, BackendError> {
        let sql = Arc::new(Statements::new(PREFIX));
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        let session = Session::open(Arc::new(Place::Memory), sql, flags, self.busy_timeout)?;
        migrations::run(&session, &*self.sources.clock)?;
        self.limit(&session).map_err(|failure| session.explain(failure))?;
        Ok(session.alone())
    }

    fn prepare_file(&self, db: &Session) -> Result<(), BackendError> {
        let explain = |failure| db.explain(failure);
        // Before anything is written: the file may be somebody else's.
        migrations::claim(db, self.share_with_application)?;
        if db.connection().is_readonly("main").map_err(|error| explain(Failure::Driver(error)))? {
            // SQLite opens what it cannot write for reading, without a word.
            let message = format!("{}: it cannot be written: give this process the right to write the file and its folder", db.place());
            return Err(BackendError::new(BackendKind::Unavailable, message));
        }
        self.keep_log(db)?;
        let synchronous = match self.durability {
            Durability::Full => "FULL",
            Durability::Normal => "NORMAL",
        };
        db.connection().pragma_update(None, "synchronous", synchronous).map_err(|error| explain(Failure::Driver(error)))?;
        migrations::run(db, &*self.sources.clock)?;
        self.limit(db).map_err(explain)
    }

    /// Switches the file to a write-ahead log, so that readers and the writer do not wait for each other.
    fn keep_log(&self, db: &Session) -> Result<(), BackendError> {
        const PAUSE: Duration = Duration::from_millis(5);
        let mut waited = Duration::ZERO;
        loop {
            let mode = db.connection().pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0));
            match mode {
                Ok(mode) if mode.eq_ignore_ascii_case("wal") => return Ok(()),
                Ok(_) => {
                    let message = format!("{}: its file system cannot hold a write-ahead log: put the file on a local disk", db.place());
                    return Err(BackendError::new(BackendKind::Unavailable, message));
                }
                // For the lock that the switch takes, SQLite does not wait by itself.
                Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && waited < self.busy_timeout => {
                    sleep(PAUSE);
                    waited += PAUSE;
                }
                Err(error) => return Err(db.explain(Failure::Driver(error))),
            }
        }
    }

    fn limit(&self, db: &Session) -> Result<(), Failure> {
        if let Some(pages) = self.max_pages {
            db.connection().pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
        }
        Ok(())
    }
}

/// Opens a file on the usual terms; creates it when it is not there, and brings its schema up to date.
///
/// # Errors
/// See [`Options::open`].
///
/// ```
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("tenantry.db");
/// let store = tenantry_sqlite::open(&path)?;
/// # let _ = store;
/// # Ok::<(), tenantry_core::BackendError>(())
/// ```
pub fn open(path: impl AsRef<Path>) -> Result<SqliteStore, BackendError> {
    Options::new().open(path)
}

/// Opens a file for plain calls, on the usual terms.
///
/// # Errors
/// See [`Options::open`].
///
/// ```
/// use tenantry_core::{CreateOrg, CreateUser};
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("tenantry.db");
/// let store = tenantry_sqlite::open_blocking(&path)?;
/// let ada = store.create_user(CreateUser::new().display_name("Ada"))?.user;
/// let acme = store.create_org(CreateOrg::new(ada.id).name("Acme"))?.org;
/// assert_eq!(store.get_org(acme.id)?, acme);
/// # Ok::<(), tenantry_core::Error>(())
/// ```
pub fn open_blocking(path: impl AsRef<Path>) -> Result<BlockingStore, BackendError> {
    Options::new().open_blocking(path)
}

/// Opens a new, empty database in memory on the usual terms.
///
/// # Errors
/// See [`Options::open_in_memory`].
pub fn open_in_memory() -> Result<SqliteStore, BackendError> {
    Options::new().open_in_memory()
}

/// Where a file's schema stands, without changing it. A file that is not there, and one without tables of ours, has version 0.
///
/// # Errors
/// `backend.schema` when it is no SQLite file, or newer than this library; `backend.unavailable` when it cannot be read.
///
/// ```
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("tenantry.db");
/// assert_eq!(tenantry_sqlite::status(&path)?.found, 0);
/// drop(tenantry_sqlite::open(&path)?);
/// assert!(tenantry_sqlite::status(&path)?.pending.is_empty());
/// # Ok::<(), tenantry_core::BackendError>(())
/// ```
pub fn status(path: impl AsRef<Path>) -> Result<SchemaStatus, BackendError> {
    let path = path.as_ref();
    if !is_file(path)? {
        return migration::status(MIGRATIONS, &[]);
    }
    // For writing, although nothing is: only such a connection takes the files of the log away again when it closes.
    let place = Arc::new(Place::File(path.to_owned()));
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
    let session = Session::open(place, Arc::new(Statements::new(PREFIX)), flags, Options::new().busy_timeout)?;
    session.connection().pragma_update(None, "query_only", true).map_err(|error| session.explain(Failure::Driver(error)))?;
    migrations::status(&session)
}

fn unavailable(path: &Path, what: &str) -> BackendError {
    BackendError::new(BackendKind::Unavailable, format!("`{}`: {what}", path.display()))
}

/// The folder that the file is to be in must be there: SQLite itself would only say that it cannot open the file.
fn folder_of(path: &Path) -> Result<(), BackendError> {
    let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) else { return Ok(()) };
    match folder.metadata() {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => Err(unavailable(folder, "it is a file, and the database cannot be inside it: name a folder")),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Err(unavailable(folder, "there is no such folder: create it first").caused_by(error))
        }
        Err(error) => {
            Err(unavailable(folder, "the folder cannot be looked into: check its path and this process's rights").caused_by(error))
        }
    }
}

/// Whether the file is there.
fn is_file(path: &Path) -> Result<bool, BackendError> {
    match path.metadata() {
        Ok(found) if found.is_dir() => Err(unavailable(path, "it is a folder: name a file in it")),
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(unavailable(path, "the file cannot be looked at: check its path and this process's rights").caused_by(error)),
    }
}
