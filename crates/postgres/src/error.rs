//! From the driver's errors to ours.

use std::error::Error as StdError;

use tenantry_core::{BackendError, BackendKind};

/// What a step on a connection can end with.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The connection is gone; what was under way may or may not have taken place.
    Lost(sqlx::Error),
    /// Another transaction was in the way, and this one was undone as a whole.
    Raced(sqlx::Error),
    /// Anything else; nothing took place.
    Failed(BackendError),
}

impl Failure {
    pub(crate) const fn is_lost(&self) -> bool {
        matches!(self, Self::Lost(_))
    }

    /// For steps that change nothing.
    pub(crate) fn into_backend(self) -> BackendError {
        match self {
            Self::Lost(source) => unavailable().caused_by(source),
            Self::Raced(source) => retryable().caused_by(source),
            Self::Failed(error) => error,
        }
    }
}

impl From<BackendError> for Failure {
    fn from(error: BackendError) -> Self {
        Self::Failed(error)
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            // A protocol error is a message that breaks off in the middle.
            sqlx::Error::Io(_) | sqlx::Error::WorkerCrashed | sqlx::Error::Protocol(_) => Self::Lost(error),
            sqlx::Error::Database(database) => match database.code().as_deref() {
                Some("40001" | "40P01") => Self::Raced(error),
                // Class 08, and what a server says that is going away.
                // Among them `cached plan must not change result type`, after a migration: another connection prepares anew.
                Some("57P01" | "57P02" | "57P03" | "57P05" | "25P03" | "0A000") => Self::Lost(error),
                Some(code) if code.starts_with("08") => Self::Lost(error),
                Some(code) => Self::Failed(from_sqlstate(code).caused_by(error)),
                None => Self::Failed(other().caused_by(error)),
            },
            sqlx::Error::PoolTimedOut => {
                let message = "no connection to the database in time: check that the server runs and can be reached; if it does, raise the pool's size, or look for what holds its connections";
                Self::Failed(BackendError::new(BackendKind::Unavailable, message).caused_by(error))
            }
            sqlx::Error::PoolClosed => {
                Self::Failed(BackendError::new(BackendKind::Unavailable, "the pool of connections has been closed").caused_by(error))
            }
            _ => Self::Failed(other().caused_by(error)),
        }
    }
}

fn from_sqlstate(code: &str) -> BackendError {
    let (kind, message) = match code {
        "53100" => (BackendKind::Unavailable, "the disk that holds the database is full: free space and repeat"),
        "53300" => (BackendKind::Unavailable, "the database server takes no more connections: raise max_connections, or use a pooler"),
        "53200" | "53400" | "53000" => (BackendKind::Unavailable, "the database server is short of a resource: see its log"),
        "25006" => (BackendKind::Unavailable, "the database is read-only, as a standby is: connect to the primary"),
        "42501" => (
            BackendKind::Unavailable,
            "the database role lacks a right: grant it USAGE on the schema, and SELECT, INSERT, UPDATE, DELETE and EXECUTE on what is in it",
        ),
        "28000" | "28P01" => (BackendKind::Unavailable, "the database refuses this role or its password: see the connection's address"),
        "3D000" => (BackendKind::Unavailable, "there is no such database: create it first, or correct the connection's address"),
        "42P01" | "42883" | "42703" | "3F000" => {
            (BackendKind::Schema, "a table or function is missing: run the migrations, `tenantry migrate run`")
        }
        // The latter is what a savepoint of the driver comes to whose release was dropped.
        "25P02" | "3B001" => (
            BackendKind::RolledBack,
            "an earlier statement of the transaction failed, and the database takes no further one: roll the transaction back and run it again",
        ),
        "25P01" => (
            BackendKind::RolledBack,
            "the transaction has been ended by a statement of its own, such as ROLLBACK, which only `commit` or dropping it may do",
        ),
        "25P04" => (BackendKind::Retryable, "the transaction took longer than the server allows"),
        "57014" => (BackendKind::Retryable, "the statement was cancelled, by a time limit or an operator"),
        "55P03" => (BackendKind::Retryable, "a lock was not to be had in time"),
        _ => return other(),
    };
    BackendError::new(kind, message)
}

pub(crate) fn unavailable() -> BackendError {
    BackendError::new(BackendKind::Unavailable, "the database cannot be reached: check that it runs and that the address is right")
}

pub(crate) fn retryable() -> BackendError {
    BackendError::new(BackendKind::Retryable, "other transactions were in the way each time: repeat the call")
}

pub(crate) fn other() -> BackendError {
    BackendError::new(BackendKind::Other, "the database refused a statement: see the cause and the server's log")
}

/// A stored value that does not have the form that it was written with.
pub(crate) fn unreadable(table: &'static str, id: impl std::fmt::Display, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Failure {
    Failure::Failed(BackendError::inconsistent(table, id).caused_by(cause))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_operator_can_mend_is_named() {
        let told: Vec<String> =
            ["25P01", "25P02", "53100", "53300", "53200", "25006", "42501", "28P01", "3D000", "42P01", "57014", "55P03", "XX000"]
                .into_iter()
                .map(from_sqlstate)
                .map(|error| format!("{}: {error}", error.code()))
                .collect();
        insta::assert_snapshot!(told.join("\n"));
    }
}
