//! The three stores, ready to be tested. Shared by the tests and by the example that runs fixtures.
#![allow(dead_code, unused_imports, clippy::print_stderr, reason = "each test takes what it needs; what stays behind is told to people")]

mod memory;
mod postgres;
mod sqlite;

use std::future::Future;

use tenantry_conformance::TestStore;

pub(crate) use postgres::Schema;
pub(crate) use sqlite::Alone;

/// Every store. All of them run every test: none may be left out.
pub(crate) fn stores() -> Vec<&'static dyn TestStore> {
    vec![&memory::Memory, &sqlite::Sqlite, &postgres::Postgres]
}

/// The store with this name.
pub(crate) fn store(name: &str) -> &'static dyn TestStore {
    let alone: &dyn TestStore = &Alone;
    stores().into_iter().chain([alone]).find(|store| store.name() == name).unwrap_or_else(|| panic!("there is no store `{name}`"))
}

/// Runs a future on a runtime of its own.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}
