//! A connection with the statements that run on it.

use std::cell::{Cell, RefCell};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{CachedStatement, Connection, OpenFlags, Params, Row};
use tenantry_core::{BackendError, OrgId, Plan, Stamps, Touched};

use crate::codec::{self, bytes};
use crate::error::{Failure, Place};
use crate::statements::Statements;

/// A connection, the statements rendered for it, and where it leads.
#[derive(Debug)]
pub(crate) struct Session {
    connection: Connection,
    pub(crate) sql: Arc<Statements>,
    place: Arc<Place>,
    /// Where nobody else can write: the marks that its commits leave, and what was touched since the last one.
    alone: Option<(Arc<Stamps>, RefCell<Touched>)>,
}

/// What is prepared without naming a table, such as `COMMIT`.
const PLAIN_STATEMENTS: usize = 16;

/// What undoes.
const TAKING_BACK: [&str; 3] = ["ROLLBACK TO job", "RELEASE job", "ROLLBACK"];

impl Session {
    pub(crate) fn open(place: Arc<Place>, sql: Arc<Statements>, flags: OpenFlags, busy_timeout: Duration) -> Result<Self, BackendError> {
        // Each connection is used by one thread at a time, so SQLite's own mutex would be locked in vain.
        let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let opened = match &*place {
            Place::Memory => Connection::open_in_memory_with_flags(flags),
            Place::File(path) => Connection::open_with_flags(literal(path), flags),
        };
        let session = match opened {
            Ok(connection) => Self { connection, sql, place, alone: None },
            Err(error) => return Err(Failure::Driver(error).at(&place)),
        };
        session.configure(busy_timeout).map_err(|failure| session.explain(failure))?;
        Ok(session)
    }

    fn configure(&self, busy_timeout: Duration) -> Result<(), Failure> {
        // SQLite counts milliseconds in 32 bits.
        let busy_timeout = busy_timeout.min(Duration::from_millis(i32::MAX.unsigned_abs().into()));
        self.connection.busy_timeout(busy_timeout)?;
        self.connection.pragma_update(None, "foreign_keys", true)?;
        // In KiB, which is what a negative number says. Enough for the inner pages of every index over millions of rows; SQLite's own two
        // megabytes are not, and then each look-up reads several pages from the file.
        self.connection.pragma_update(None, "cache_size", -16_384)?;
        // Otherwise, once somebody has run ANALYZE, SQLite plans statements anew for the values that are bound to them.
        self.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        self.connection.set_prepared_statement_cache_capacity(Statements::COUNT + PLAIN_STATEMENTS);
        // To prepare one takes long enough to meet an interrupt, so what takes back is there already.
        for sql in TAKING_BACK {
            drop(self.connection.prepare_cached(sql)?);
        }
        Ok(())
    }

    /// From here on this is the only connection there is, or can be.
    pub(crate) fn alone(mut self) -> Self {
        self.alone = Some(Default::default());
        self
    }

    /// The marks that commits leave.
    pub(crate) fn stamps(&self) -> Option<Arc<Stamps>> {
        self.alone.as_ref().map(|(stamps, _)| Arc::clone(stamps))
    }

    /// Notes what a plan touched that has been applied, and is not committed yet.
    pub(crate) fn note(&self, plan: &Plan) {
        let Some((_, touched)) = &self.alone else { return };
        let line = |org: OrgId| self.first(&self.sql.org_line, [bytes(&org)], codec::line).ok().flatten();
        let is_lost = Cell::new(false);
        let mut touched = touched.borrow_mut();
        touched.add(plan, |org| {
            let line = line(org);
            is_lost.set(is_lost.get() || line.is_none());
            line.and_then(|(ancestors, _)| ancestors.first().copied()).unwrap_or(org)
        });
        if is_lost.get() {
            *touched = Touched::everything();
        }
    }

    /// Notes that anything may have been written.
    pub(crate) fn note_everything(&self) {
        if let Some((_, touched)) = &self.alone {
            touched.replace(Touched::everything());
        }
    }

    /// Leaves the marks of what was touched: behind the end of the transaction, before anybody is answered or reads. Where it was taken
    /// back, marks do no harm.
    pub(crate) fn mark(&self) {
        if let Some((stamps, touched)) = &self.alone {
            stamps.mark(&touched.take());
        }
    }

    pub(crate) const fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// The failure as callers see it.
    pub(crate) fn explain(&self, failure: Failure) -> BackendError {
        failure.at(&self.place)
    }

    /// Runs a statement that answers no rows; says how many it changed.
    pub(crate) fn run(&self, sql: &str, params: impl Params) -> rusqlite::Result<usize> {
        self.connection.prepare_cached(sql)?.execute(params)
    }

    /// A statement to be run several times, or beside others while it stands.
    pub(crate) fn prepared(&self, sql: &str) -> rusqlite::Result<CachedStatement<'_>> {
        self.connection.prepare_cached(sql)
    }

    /// The first row.
    pub(crate) fn first<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> Result<T, Failure>,
    ) -> Result<Option<T>, Failure> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query(params)?;
        rows.next()?.map(read).transpose()
    }

    /// Every row.
    pub(crate) fn rows<T>(&self, sql: &str, params: impl Params, read: impl Fn(&Row<'_>) -> Result<T, Failure>) -> Result<Vec<T>, Failure> {
        let mut found = Vec::new();
        self.walk(sql, params, |row| {
            found.push(read(row)?);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(found)
    }

    /// One row after the other, for as long as they are wanted. Other statements may run in between.
    pub(crate) fn walk(
        &self,
        sql: &str,
        params: impl Params,
        mut meet: impl FnMut(&Row<'_>) -> Result<ControlFlow<()>, Failure>,
    ) -> Result<(), Failure> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query(params)?;
        while let Some(row) = rows.next()? {
            if meet(row)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// The answer to a yes or no.
    pub(crate) fn holds(&self, sql: &str, params: impl Params) -> Result<bool, Failure> {
        Ok(self.connection.prepare_cached(sql)?.query_row(params, |row| row.get(0))?)
    }

    /// Several reads that see one moment. Where a transaction is under way they see it already.
    pub(crate) fn at_one_moment<T>(&self, read: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
        if !self.connection.is_autocommit() {
            return read();
        }
        self.run("BEGIN", [])?;
        let _end = Transaction(self);
        read()
    }

    /// Takes the transaction back, if there is one. An interrupt that was meant for another statement may meet this one.
    pub(crate) fn take_back(&self) {
        const TIMES: usize = 100;
        for _ in 0..TIMES {
            if self.connection.is_autocommit() {
                return;
            }
            drop(self.run("ROLLBACK", []));
        }
    }

    /// A transaction that takes the write lock at once, so that what it reads stays so until it writes.
    pub(crate) fn begin(&self) -> Result<Transaction<'_>, rusqlite::Error> {
        self.run("BEGIN IMMEDIATE", [])?;
        Ok(Transaction(self))
    }
}

impl Session {
    /// For what some versions of rusqlite ask more for than others.
    pub(crate) const fn connection_mut(&mut self) -> &mut Connection {
        &mut self.connection
    }
}

#[cfg(test)]
impl Session {
    /// A database in memory with our tables under this prefix.
    pub(crate) fn scratch(prefix: &str) -> Self {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        let session = Self::open(Arc::new(Place::Memory), Arc::new(Statements::new(prefix)), flags, Duration::ZERO).unwrap();
        crate::migrations::run(&session, &tenantry_core::source::ManualClock::new(tenantry_core::Timestamp::MIN)).unwrap();
        session
    }
}

/// A path that SQLite takes as it is: it gives a meaning to some names that are not absolute.
fn literal(path: &Path) -> std::path::PathBuf {
    if path.is_absolute() { path.to_owned() } else { Path::new(".").join(path) }
}

/// A transaction under way, undone unless it is committed.
#[derive(Debug)]
pub(crate) struct Transaction<'s>(&'s Session);

impl Transaction<'_> {
    pub(crate) fn commit(self) -> Result<(), rusqlite::Error> {
        self.0.run("COMMIT", []).map(drop)
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        // After a COMMIT, and after some failures, there is nothing left to undo. Where even this fails, the next BEGIN does too
        // and says why.
        self.0.take_back();
    }
}

/// A part of a transaction, undone unless it is kept.
#[derive(Debug)]
pub(crate) struct Savepoint<'s> {
    session: &'s Session,
    kept: bool,
}

impl<'s> Savepoint<'s> {
    pub(crate) fn set(session: &'s Session) -> Result<Self, rusqlite::Error> {
        session.run("SAVEPOINT job", [])?;
        Ok(Self { session, kept: false })
    }

    pub(crate) fn keep(mut self) -> Result<(), rusqlite::Error> {
        self.session.run("RELEASE job", [])?;
        self.kept = true;
        Ok(())
    }
}

impl Drop for Savepoint<'_> {
    fn drop(&mut self) {
        // A failure that took the whole transaction back took the savepoint with it; the writer looks for that.
        if !self.kept && !self.session.connection.is_autocommit() {
            let undone = self.session.run("ROLLBACK TO job", []).and_then(|_| self.session.run("RELEASE job", []));
            if undone.is_err() {
                // What cannot be taken back by itself must not be committed with the rest.
                self.session.take_back();
            }
        }
    }
}
