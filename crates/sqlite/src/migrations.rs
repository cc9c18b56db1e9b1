//! Brings a file up to date: which migrations are missing is decided in core, and all of them are one transaction.

use rusqlite::params;
use tenantry_core::migration::{self, Applied, Migration, SchemaStatus};
use tenantry_core::{BackendError, BackendKind, Clock};

use crate::error::Failure;
use crate::session::Session;
use crate::statements::render;

/// Every migration of this store, in order.
pub(crate) const MIGRATIONS: &[Migration] = &[
    Migration { version: 1, name: "foundation", sql: include_str!("../migrations/0001_foundation.sql") },
    Migration { version: 2, name: "offers", sql: include_str!("../migrations/0002_offers.sql") },
    Migration { version: 3, name: "apply", sql: include_str!("../migrations/0003_apply.sql") },
    Migration { version: 4, name: "permissions", sql: include_str!("../migrations/0004_permissions.sql") },
];

/// What a file that belongs to us alone says of itself in its header: `Tnty`.
const APPLICATION_ID: i32 = 0x546e_7479;

/// Whose tables a file has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Contents {
    ours: bool,
    others: bool,
}

pub(crate) fn contents(db: &Session) -> Result<Contents, BackendError> {
    let migrations = format!("{}schema_migrations", db.sql.prefix);
    let names = db.rows("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name", [], |row| Ok(row.get::<_, String>(0)?));
    let names = names.map_err(|failure| db.explain(failure))?;
    // SQLite keeps tables of its own, which tell nothing.
    let others = names.iter().any(|name| !name.starts_with(&db.sql.prefix) && !name.starts_with("sqlite_"));
    Ok(Contents { ours: names.contains(&migrations), others })
}

/// Refuses a file that an application made, unless it wants to share it.
pub(crate) fn claim(db: &Session, shared: bool) -> Result<(), BackendError> {
    match contents(db)? {
        Contents { ours: false, others: true } if !shared => Err(BackendError::new(
            BackendKind::Schema,
            format!(
                "{}: the file holds tables of another application; name another file, or open it with `share_with_application(true)` \
                 to keep both in one",
                db.place()
            ),
        )),
        _ => Ok(()),
    }
}

/// Where the file stands.
pub(crate) fn status(db: &Session) -> Result<SchemaStatus, BackendError> {
    let applied = if contents(db)?.ours {
        let rows =
            db.rows(&db.sql.applied_migrations, [], |row| Ok(Applied { version: row.get(0)?, name: row.get(1)?, checksum: row.get(2)? }));
        rows.map_err(|failure| db.explain(failure))?
    } else {
        Vec::new()
    };
    migration::status(MIGRATIONS, &applied)
}

/// Applies what is missing.
pub(crate) fn run(db: &Session, clock: &dyn Clock) -> Result<(), BackendError> {
    if status(db)?.pending.is_empty() {
        return Ok(());
    }
    let driver = |error| db.explain(Failure::Driver(error));
    let transaction = db.begin().map_err(driver)?;
    // Asked again under the lock: another process may have been quicker.
    let pending = status(db)?.pending;
    let found = contents(db)?;
    if !found.ours && !found.others {
        db.connection().pragma_update(None, "application_id", APPLICATION_ID).map_err(driver)?;
    }
    for step in &pending {
        db.connection().execute_batch(&render(step.sql, &db.sql.prefix)).map_err(driver)?;
        let bound = params![step.version, step.name, step.checksum(), clock.now().as_micros()];
        db.run(&db.sql.record_migration, bound).map_err(driver)?;
    }
    transaction.commit().map_err(driver)
}
