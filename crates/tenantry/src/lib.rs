#![doc = include_str!("../../../README.md")]

pub use tenantry_core::*;

#[doc = include_str!("../../../docs/how-a-permission-is-decided.md")]
#[cfg(feature = "memory")]
pub mod how_a_permission_is_decided {}

/// The store in memory (feature `memory`, on by default).
#[cfg(feature = "memory")]
pub use tenantry_memory as memory;
/// The store in Postgres (feature `postgres`).
#[cfg(feature = "postgres")]
pub use tenantry_postgres as postgres;
/// The store in SQLite (feature `sqlite`).
#[cfg(feature = "sqlite")]
pub use tenantry_sqlite as sqlite;
