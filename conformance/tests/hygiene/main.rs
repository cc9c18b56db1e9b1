//! Texts, ids, orders and pages as people and programs send them: every store answers as the tables here say, and so all of them
//! alike. Postgres is asked in a database whose own collation is not that of bytes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod cursors;
mod database;
mod ids;
mod order;
mod pages;
mod search;
mod slugs;
#[path = "../support/mod.rs"]
mod support;
mod texts;

use std::sync::Arc;

use serde_json::{Value, json};
use tenantry_conformance::TestStore;
use tenantry_core::source::ManualClock;
use tenantry_core::wire::{self, CallError};
use tenantry_core::{Error, Sources, TenancyStore};

/// A fresh store.
pub(crate) struct Place {
    pub(crate) name: &'static str,
    pub(crate) store: Arc<dyn TenancyStore>,
    clock: Arc<ManualClock>,
}

/// The moment at which every test begins.
const START: &str = "2026-01-01T00:00:00Z";
/// An end that does not come.
pub(crate) const LATE: &str = "9999-01-01T00:00:00Z";
/// A user without a row.
pub(crate) const OWNER: &str = "usr_0196000000007000800000000000abcd";

/// Runs a test on a fresh store of each kind.
#[expect(clippy::needless_pass_by_value, reason = "tests are written as closures in place")]
pub(crate) fn on_every_store(test: impl AsyncFn(&Place)) {
    for (name, kind) in [("memory", support::store("memory")), ("sqlite", support::store("sqlite")), ("postgres", &database::Collated)] {
        let guard = support::block_on(async {
            let kind: &dyn TestStore = kind;
            let (sources, clock) = Sources::deterministic(START.parse().expect("a time"), 1);
            let fresh = kind.fresh(sources).await.unwrap_or_else(|error| panic!("{name}: no fresh store: {error}"));
            test(&Place { name, store: Arc::clone(&fresh.store), clock }).await;
            fresh.guard
        });
        drop(guard);
    }
}

impl Place {
    /// Calls an operation. A call that is none is a defect of the test.
    pub(crate) async fn try_call(&self, operation: &str, input: &Value) -> Result<Value, String> {
        self.clock.advance_micros(1_000);
        let read = serde_json::from_value(input.clone()).expect("JSON is a value");
        match wire::call(&*self.store, operation, &read).await {
            Ok(reply) => Ok(serde_json::to_value(reply).expect("a reply")),
            Err(CallError::Store(Error::Domain(error))) => Err(error.code()),
            Err(other) => panic!("{}: {operation} {input}: {other:?}", self.name),
        }
    }

    /// The same, and it succeeds.
    pub(crate) async fn call(&self, operation: &str, input: Value) -> Value {
        self.try_call(operation, &input).await.unwrap_or_else(|code| panic!("{}: {operation} {input}: {code}", self.name))
    }

    /// The code of an operation; `ok` when it succeeds.
    pub(crate) async fn code(&self, operation: &str, input: Value) -> String {
        self.try_call(operation, &input).await.map_or_else(|code| code, |_| "ok".to_owned())
    }

    /// A new organization's id.
    pub(crate) async fn org(&self, fields: Value) -> String {
        let mut input = json!({ "creator": OWNER });
        input.as_object_mut().expect("an object").extend(fields.as_object().expect("an object").clone());
        text(&self.call("create_org", input).await["org"]["id"])
    }

    /// Every row of a list, page by page.
    pub(crate) async fn all(&self, operation: &str, input: &Value, limit: u8) -> Vec<Value> {
        let mut rows = Vec::new();
        let mut input = input.clone();
        input["limit"] = json!(limit);
        loop {
            let page = self.call(operation, input.clone()).await;
            let data = page["data"].as_array().expect("rows").clone();
            assert!(data.len() <= usize::from(limit), "{}: {operation}: {} rows", self.name, data.len());
            rows.extend(data);
            match page["page"]["next_cursor"].as_str() {
                Some(cursor) => input["cursor"] = json!(cursor),
                None => return rows,
            }
        }
    }
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

/// What was sent as a number in the middle of a UUID of version 7.
pub(crate) fn id(prefix: &str, number: u32) -> String {
    format!("{prefix}_0196000000007000800000{number:010x}")
}
