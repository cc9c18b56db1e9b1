//! Fixtures, runner and suites that prove a Tenantry store.
//!
//! A fixture file says what an operation does: steps, and what is expected of each. The runner plays every test against a fresh
//! store and, beside it, against core's own [`State`](tenantry_core::State); replies, errors and finally every row must agree.
//! So a fixture proves a rule, and the model proves that the store adds none of its own.
//!
//! A store of your own gets every test by implementing [`TestStore`]:
//!
//! ```
//! use tenantry_conformance::{Fresh, FreshError, TestStore, async_trait};
//! use tenantry_core::Sources;
//!
//! #[derive(Debug)]
//! struct Mine;
//!
//! #[async_trait]
//! impl TestStore for Mine {
//!     fn name(&self) -> &str {
//!         "mine"
//!     }
//!
//!     async fn fresh(&self, sources: Sources) -> Result<Fresh, FreshError> {
//!         # let _ = &sources;
//!         # return Err("no store in an example".into());
//!         // An empty store that uses these sources, and a guard that removes it when it is dropped:
//!         // let store = Arc::new(open(&directory, sources)?);
//!         // Ok(Fresh::new(store, directory))
//!     }
//! }
//! ```
//!
//! The format of the files is an open one; [`Mode::Foreign`] reads those of other implementations.

mod compare;
mod expect;
mod fixture;
pub mod fuzz;
pub mod guard;
mod ops;
mod reference;
mod report;
mod runner;
mod store;
mod suite;
pub mod testing;
mod vars;

pub use async_trait::async_trait;
pub use compare::{dump_differences, json_differences};
pub use expect::{Expected, Want};
pub use fixture::{Fixture, Mode, Problem, Step, Test, load, load_file, own_fixtures};
pub use report::{Matrix, Outcome, Report};
pub use runner::{Failure, Prepared, run};
pub use store::{Fresh, FreshError, TestStore};
pub use suite::{Case, Suite};
