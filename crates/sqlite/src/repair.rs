//! Mends rows that follow from others. Each step says what it expects to be there.

use tenantry_core::OrgId;
use tenantry_core::doctor::Repair;

use crate::codec::{bytes, integer};
use crate::error::Failure;
use crate::session::{Savepoint, Session};

/// All of the repairs, or none: false when a row is not as one of them expects it.
pub(crate) fn repair(db: &Session, repairs: &[Repair]) -> Result<bool, Failure> {
    // Inside of a transaction that is under way, they are a part of it.
    if !db.connection().is_autocommit() {
        let savepoint = Savepoint::set(db)?;
        let done = mend(db, repairs)?;
        if done {
            savepoint.keep()?;
        }
        return Ok(done);
    }
    let transaction = db.begin()?;
    let done = mend(db, repairs)?;
    if done {
        db.note_everything();
        let committed = transaction.commit();
        db.mark();
        committed?;
    }
    Ok(done)
}

fn mend(db: &Session, repairs: &[Repair]) -> Result<bool, Failure> {
    for repair in repairs {
        let changed = match repair {
            Repair::SetAncestors { org_id, from, to } => db.run(&db.sql.mend_ancestors, (bytes(org_id), row(from), row(to)))?,
            Repair::SetRevision { org_id, from, to } => db.run(&db.sql.mend_revision, (bytes(org_id), integer(*from), integer(*to)))?,
            Repair::DropSlug { slug, org_id } => db.run(&db.sql.mend_stale_slug, (slug.as_str(), bytes(org_id)))?,
            Repair::PutSlug { slug, org_id } => db.run(&db.sql.mend_missing_slug, (slug.as_str(), bytes(org_id)))?,
        };
        if changed != 1 {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Ancestors as they are stored.
fn row(ancestors: &[OrgId]) -> Vec<u8> {
    ancestors.iter().flat_map(|id| id.as_uuid().into_bytes()).collect()
}
