//! The caller's own transaction (spec/transactions.md): the store inside one, on every store. Every fixture runs inside; what is
//! committed is there, rows of the application's own included, and what is not, is not; and nothing is said to be committed that is not.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says what it did"
)]

#[path = "../drops/commands.rs"]
mod commands;
mod drops;
mod fixtures;
mod isolation;
mod own_rows;
mod server;
#[path = "../support/mod.rs"]
mod support;
mod within;

use std::error::Error as StdError;

use tenantry_core::{BackendError, Error};

/// Why a transaction did not come to be.
#[derive(Debug)]
enum Failed {
    Store(Error),
    /// The application changed its mind.
    Changed,
    Own(Box<dyn StdError + Send + Sync>),
}

impl From<BackendError> for Failed {
    fn from(error: BackendError) -> Self {
        Self::Store(error.into())
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl From<rusqlite::Error> for Failed {
    fn from(error: rusqlite::Error) -> Self {
        Self::Own(error.into())
    }
}

impl Failed {
    fn code(&self) -> String {
        match self {
            Self::Store(error) => error.code(),
            Self::Changed => "changed".to_owned(),
            Self::Own(error) => format!("own: {error}"),
        }
    }
}

fn code<T>(done: Result<T, Failed>) -> String {
    done.map_or_else(|failed| failed.code(), |_| "ok".to_owned())
}
