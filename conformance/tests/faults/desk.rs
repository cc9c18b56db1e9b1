//! The world in an SQLite file, copied for each use, and a second connection to it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use rusqlite::Connection;
use serde_json::Value;
use tempfile::TempDir;
use tenantry_conformance::dump_differences;
use tenantry_conformance::testing::World;
use tenantry_core::wire::{CallError, Reply};
use tenantry_core::{Dump, Inspect, TenancyStore};
use tenantry_sqlite::{Durability, Options, SqliteStore};

use crate::commands;
use crate::stage::Same;

/// Files with the world in them, as it was before any command.
#[derive(Debug)]
pub(crate) struct Desk {
    folder: TempDir,
    pristine: PathBuf,
    copies: AtomicUsize,
    same: Same,
    pub(crate) world: World,
    pub(crate) before: Dump,
}

impl Desk {
    /// A page of this size lets the file grow in steps of this size.
    pub(crate) async fn new(page_size: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let pristine = folder.path().join("pristine.db");
        let made = Connection::open(&pristine).unwrap();
        made.execute_batch(&format!("PRAGMA page_size = {page_size}; PRAGMA journal_mode = WAL")).unwrap();
        made.close().unwrap();
        let same = Same::new();
        let store = options(&same).open(&pristine).unwrap();
        let world = same.build(&store).await;
        let before = store.dump().await.unwrap();
        drop(store);
        assert!(!pristine.with_extension("db-wal").exists(), "the file is not whole");
        Self { folder, pristine, copies: AtomicUsize::new(0), same, world, before }
    }

    /// Every command.
    pub(crate) fn commands(&self) -> Vec<(&'static str, Value)> {
        commands::commands(&self.world)
    }

    /// Another file with the world in it.
    pub(crate) fn copy(&self) -> PathBuf {
        let path = self.folder.path().join(format!("{}.db", self.copies.fetch_add(1, Ordering::SeqCst)));
        fs::copy(&self.pristine, &path).unwrap();
        path
    }

    /// A store over another file.
    pub(crate) fn sheet(&self) -> Sheet<'_> {
        self.open(self.copy(), options(&self.same))
    }

    /// A store over another file that waits for no lock.
    pub(crate) fn impatient_sheet(&self) -> Sheet<'_> {
        self.open(self.copy(), options(&self.same).busy_timeout(std::time::Duration::from_millis(1)))
    }

    /// A store over a file that is there.
    pub(crate) fn at(&self, path: &Path) -> Sheet<'_> {
        self.open(path.to_owned(), options(&self.same))
    }

    fn open(&self, path: PathBuf, options: Options) -> Sheet<'_> {
        let store = options.open(&path).unwrap();
        let other = Connection::open(&path).unwrap();
        other.pragma_update(None, "synchronous", "OFF").unwrap();
        Sheet { desk: self, store, other, path }
    }

    /// The rows after a command.
    pub(crate) async fn after(&self, command: &(&'static str, Value)) -> Dump {
        let sheet = self.sheet();
        let reply = sheet.call(command).await;
        assert!(reply.is_ok(), "{}: {reply:?}", command.0);
        let after = sheet.dump().await;
        assert!(after != self.before, "{} wrote nothing", command.0);
        after
    }
}

/// Nothing here outlasts a loss of power, so nothing waits for the disk.
pub(crate) fn options(same: &Same) -> Options {
    Options::new().sources(same.sources()).readers(1).durability(Durability::Normal)
}

/// A store over a file of its own.
pub(crate) struct Sheet<'d> {
    desk: &'d Desk,
    pub(crate) store: SqliteStore,
    /// A connection that the store does not know of.
    pub(crate) other: Connection,
    path: PathBuf,
}

impl Drop for Sheet<'_> {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.path));
    }
}

impl Sheet<'_> {
    pub(crate) async fn call(&self, command: &(&'static str, Value)) -> Result<Reply, CallError> {
        self.desk.same.call(&self.store, command).await
    }

    pub(crate) async fn dump(&self) -> Dump {
        self.store.dump().await.unwrap()
    }

    /// The rows are those before every command, and the store can be read.
    pub(crate) async fn is_as_before(&self, what: &str) {
        let rows = self.dump().await;
        assert!(rows == self.desk.before, "{what}: rows have changed: {:#?}", dump_differences(&self.desk.before, &rows));
        let path = self.store.get_org_path(self.desk.world.child).await;
        assert_eq!(path.unwrap_or_else(|error| panic!("{what}: then it cannot be read: {error:?}")).data.len(), 2, "{what}");
    }

    /// Nothing is in the way any more: the command succeeds, and comes to what it should.
    pub(crate) async fn goes_on(&self, command: &(&'static str, Value), after: &Dump, what: &str) {
        let reply = self.call(command).await;
        reply.unwrap_or_else(|error| panic!("{what}: then it fails: {error:?}"));
        let rows = self.dump().await;
        assert!(rows == *after, "{what}: then it comes to something else: {:#?}", dump_differences(after, &rows));
    }
}
