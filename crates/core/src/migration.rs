//! Schema migrations: which of them a database still needs. The stores read and write the table; the reasoning is here.

use crate::error::{BackendError, BackendKind};
use crate::page::fingerprint;

/// A migration that comes with a store. Once released it never changes; a correction is a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Migration {
    /// From 1, without gaps.
    pub version: u32,
    /// The file's name without number and ending.
    pub name: &'static str,
    /// The statements, with the schema's name left open.
    pub sql: &'static str,
}

impl Migration {
    /// A fingerprint of the statements, kept with each applied migration.
    pub fn checksum(&self) -> String {
        format!("{:016x}", fingerprint(&[self.sql.as_bytes()]))
    }
}

/// A row of the table of applied migrations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// Its version.
    pub version: u32,
    /// The name it had.
    pub name: String,
    /// The fingerprint it had.
    pub checksum: String,
}

/// Where a database stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaStatus {
    /// The version that the database has; 0 for none.
    pub found: u32,
    /// The version that this library works with.
    pub wanted: u32,
    /// What is still to be applied, in order.
    pub pending: Vec<Migration>,
}

/// Compares a database's table with the migrations that this library knows.
///
/// # Errors
/// `backend.schema` when the database is newer than the library, or was made by other statements than the library's.
pub fn status(known: &[Migration], applied: &[Applied]) -> Result<SchemaStatus, BackendError> {
    let wanted = known.last().map_or(0, |migration| migration.version);
    let found = applied.iter().map(|row| row.version).max().unwrap_or(0);
    if found > wanted {
        return Err(BackendError::new(
            BackendKind::Schema,
            format!("the database has schema version {found}, this program knows up to {wanted}: use a newer version of the program"),
        ));
    }
    for (index, row) in applied.iter().enumerate() {
        let same = known.get(index).is_some_and(|known| known.version == row.version && known.checksum() == row.checksum);
        if !same {
            return Err(BackendError::new(
                BackendKind::Schema,
                format!(
                    "migration {} (`{}`) of the database is not the one that this program knows: the schema was changed by hand or by a development version",
                    row.version, row.name
                ),
            ));
        }
    }
    Ok(SchemaStatus { found, wanted, pending: known.iter().skip(applied.len()).copied().collect() })
}

/// Puts the name of the schema, or the prefix of the tables, where the text leaves it open as `{s}`.
pub fn render(sql: &str, schema: &str) -> String {
    sql.replace("{s}", schema)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [Migration; 2] = [Migration { version: 1, name: "one", sql: "a" }, Migration { version: 2, name: "two", sql: "b" }];

    fn applied(migration: &Migration) -> Applied {
        Applied { version: migration.version, name: migration.name.to_owned(), checksum: migration.checksum() }
    }

    #[test]
    fn pending_are_those_behind_the_applied_ones() {
        let done: Vec<Applied> = KNOWN.iter().take(1).map(applied).collect();
        let status = status(&KNOWN, &done).unwrap();
        assert_eq!((status.found, status.wanted, status.pending.len()), (1, 2, 1));
    }

    #[test]
    fn a_newer_or_changed_database_is_refused() {
        let mut rows: Vec<Applied> = KNOWN.iter().map(applied).collect();
        rows.push(Applied { version: 3, name: "three".to_owned(), checksum: String::new() });
        assert!(status(&KNOWN, &rows).unwrap_err().to_string().contains("schema version 3"));
        let mut changed = applied(&KNOWN[0]);
        changed.checksum = "0".to_owned();
        assert!(status(&KNOWN, &[changed]).unwrap_err().to_string().contains("`one`"));
    }
}
