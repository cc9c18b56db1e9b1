//! The SQLite store: for each test a file in a folder of its own.

use std::sync::Arc;

use tenantry_conformance::{Fresh, FreshError, TestStore, async_trait};
use tenantry_core::Sources;

#[derive(Debug)]
pub(crate) struct Sqlite;

#[async_trait]
impl TestStore for Sqlite {
    fn name(&self) -> &'static str {
        "sqlite"
    }

    async fn fresh(&self, sources: Sources) -> Result<Fresh, FreshError> {
        open(tenantry_sqlite::Options::new().sources(sources))
    }
}

/// The same with files that nobody else can open meanwhile: for what concerns how the store knows of its writes.
#[derive(Debug)]
pub(crate) struct Alone;

#[async_trait]
impl TestStore for Alone {
    fn name(&self) -> &'static str {
        "sqlite, opened exclusively"
    }

    async fn fresh(&self, sources: Sources) -> Result<Fresh, FreshError> {
        open(tenantry_sqlite::Options::new().sources(sources).exclusive(true))
    }
}

fn open(options: tenantry_sqlite::Options) -> Result<Fresh, FreshError> {
    let folder = tempfile::tempdir()?;
    let store = options.open(folder.path().join("store.db"))?;
    Ok(Fresh::new(Arc::new(store), folder))
}
