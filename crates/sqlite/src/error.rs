//! From SQLite's errors to ours.

use std::fmt;
use std::path::PathBuf;

use rusqlite::ErrorCode;
use rusqlite::ffi::{SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_UNIQUE};
use tenantry_core::{BackendError, BackendKind, Refusal, UniqueKey};

/// What a step on a connection can end with.
#[derive(Debug)]
pub(crate) enum Failure {
    /// SQLite could not do it.
    Driver(rusqlite::Error),
    /// The rows are not what the step expects of them.
    Refused(Refusal),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Driver(error)
    }
}

impl Failure {
    /// A row that is not as the rules left it.
    pub(crate) fn inconsistent(table: &str, id: impl fmt::Display) -> Self {
        Self::Refused(Refusal::Inconsistent { table: table.to_owned(), id: id.to_string() })
    }

    /// The failure as callers see it.
    pub(crate) fn at(self, place: &Place) -> BackendError {
        match self {
            Self::Driver(error) => explain(&error, place).caused_by(error),
            Self::Refused(refusal) => refusal.into(),
        }
    }
}

/// Where a database is, for the texts of errors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    Memory,
    File(PathBuf),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("the database in memory"),
            Self::File(path) => write!(f, "`{}`", path.display()),
        }
    }
}

/// What happened and what to do about it, without SQLite's words.
pub(crate) fn explain(error: &rusqlite::Error, place: &Place) -> BackendError {
    let Some(code) = error.sqlite_error_code() else {
        return BackendError::new(BackendKind::Other, format!("{place}: a statement failed, see the cause"));
    };
    let (kind, what) = match code {
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed => {
            (BackendKind::Retryable, "another process holds a lock on it: repeat the call, and if that does not help, end that process")
        }
        ErrorCode::DiskFull => {
            let message = "the disk that holds the database is full; free space and repeat";
            return BackendError::new(BackendKind::Unavailable, message);
        }
        ErrorCode::ReadOnly | ErrorCode::PermissionDenied => {
            (BackendKind::Unavailable, "it cannot be written: give this process the right to write the file and its folder")
        }
        ErrorCode::CannotOpen => (
            BackendKind::Unavailable,
            "it cannot be opened: its folder must exist, and this process must be able to write the file, its folder, \
             and the files ending in `-wal` and `-shm` beside it",
        ),
        ErrorCode::SystemIoFailure => (BackendKind::Unavailable, "reading or writing it failed: check the disk and the file system"),
        ErrorCode::NotADatabase => (BackendKind::Schema, "it is not an SQLite database: name another file"),
        ErrorCode::DatabaseCorrupt => (BackendKind::Schema, "the file is damaged: restore a backup"),
        _ => (BackendKind::Other, "a statement failed, see the cause"),
    };
    BackendError::new(kind, format!("{place}: {what}"))
}

/// The constraint that a statement met, by the columns that SQLite names; `None` when it is none that a plan can meet.
pub(crate) fn unique_key(error: &rusqlite::Error, prefix: &str) -> Option<UniqueKey> {
    let rusqlite::Error::SqliteFailure(code, Some(message)) = error else { return None };
    if ![SQLITE_CONSTRAINT_UNIQUE, SQLITE_CONSTRAINT_PRIMARYKEY].contains(&code.extended_code) {
        return None;
    }
    // `UNIQUE constraint failed: table.column, table.column`
    let (_, columns) = message.split_once(": ")?;
    match columns.replace(prefix, "").as_str() {
        "organization_slug.slug" => Some(UniqueKey::OrgSlug),
        "membership.org_id, membership.usr_id" => Some(UniqueKey::CurrentMembership),
        "invitation.org_id, invitation.identifier" => Some(UniqueKey::PendingInvitation),
        // One over an expression is told by its own name.
        "index 'tuple_key'" => Some(UniqueKey::Tuple),
        "index 'role_slug'" => Some(UniqueKey::RoleSlug),
        "user_group.org_id, user_group.slug" => Some(UniqueKey::GroupSlug),
        "user_account.id"
        | "role.id"
        | "user_group.id"
        | "organization.id"
        | "membership.id"
        | "membership.org_id, membership.id"
        | "invitation.id"
        | "invitation.org_id, invitation.id"
        | "tuple.id"
        | "event.id"
        | "store_event.id" => Some(UniqueKey::Id),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use rusqlite::ffi;

    use super::*;

    fn failure(code: i32) -> BackendError {
        Failure::Driver(rusqlite::Error::SqliteFailure(ffi::Error::new(code), Some("driver's words".to_owned())))
            .at(&Place::File(PathBuf::from("/data/app.db")))
    }

    #[test]
    fn codes_have_kinds_and_remedies() {
        for (code, kind, part) in [
            (ffi::SQLITE_BUSY, "backend.retryable", "repeat the call"),
            (ffi::SQLITE_BUSY_SNAPSHOT, "backend.retryable", "repeat the call"),
            (ffi::SQLITE_LOCKED, "backend.retryable", "repeat the call"),
            (ffi::SQLITE_FULL, "backend.unavailable", "the disk that holds the database is full; free space and repeat"),
            (ffi::SQLITE_READONLY, "backend.unavailable", "right to write"),
            (ffi::SQLITE_READONLY_DIRECTORY, "backend.unavailable", "`/data/app.db`"),
            (ffi::SQLITE_PERM, "backend.unavailable", "right to write"),
            (ffi::SQLITE_CANTOPEN, "backend.unavailable", "`/data/app.db`: it cannot be opened"),
            (ffi::SQLITE_IOERR_FSYNC, "backend.unavailable", "check the disk"),
            (ffi::SQLITE_NOTADB, "backend.schema", "not an SQLite database"),
            (ffi::SQLITE_CORRUPT, "backend.schema", "restore a backup"),
            (ffi::SQLITE_NOMEM, "backend.other", "see the cause"),
            (ffi::SQLITE_CONSTRAINT_CHECK, "backend.other", "see the cause"),
        ] {
            let error = failure(code);
            assert_eq!(error.code(), kind, "{code}");
            assert!(error.to_string().contains(part), "{code}: {error}");
            assert!(!error.to_string().contains("driver's words"), "{code}: {error}");
            assert_eq!(error.source().unwrap().to_string(), "driver's words");
        }
    }

    #[test]
    fn what_does_not_come_from_sqlite_is_other() {
        let error = Failure::Driver(rusqlite::Error::InvalidQuery).at(&Place::Memory);
        assert_eq!(
            (error.code(), error.to_string().as_str()),
            ("backend.other", "the database in memory: a statement failed, see the cause")
        );
    }

    #[test]
    fn constraints_are_told_by_their_columns() {
        let constraint = |code, text: &str| unique_key(&rusqlite::Error::SqliteFailure(ffi::Error::new(code), Some(text.to_owned())), "p_");
        let unique = |columns: &str| constraint(SQLITE_CONSTRAINT_UNIQUE, &format!("UNIQUE constraint failed: {columns}"));
        assert_eq!(unique("p_organization_slug.slug"), Some(UniqueKey::OrgSlug));
        assert_eq!(unique("p_membership.org_id, p_membership.usr_id"), Some(UniqueKey::CurrentMembership));
        assert_eq!(unique("p_membership.id"), Some(UniqueKey::Id));
        assert_eq!(unique("p_invitation.org_id, p_invitation.identifier"), Some(UniqueKey::PendingInvitation));
        assert_eq!(unique("index 'p_tuple_key'"), Some(UniqueKey::Tuple));
        assert_eq!(unique("index 'p_other'"), None);
        assert_eq!(unique("p_event.org_id, p_event.revision"), None);
        assert_eq!(unique("p_event.position"), None);
        assert_eq!(unique("customer.id"), None);
        assert_eq!(constraint(ffi::SQLITE_CONSTRAINT_FOREIGNKEY, "FOREIGN KEY constraint failed"), None);
        assert_eq!(constraint(ffi::SQLITE_CONSTRAINT_CHECK, "CHECK constraint failed: p_organization_slug.slug"), None);
    }
}
