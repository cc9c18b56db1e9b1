//! Mends rows that follow from others. Each step says what it expects to be there, and takes the organization's row as commands do.

use sqlx::PgConnection;
use tenantry_core::doctor::Repair;
use tenantry_core::{BackendError, BackendKind, OrgId};
use uuid::Uuid;

use crate::Postgres;
use crate::error::Failure;
use crate::statements::Statements;

/// All of the repairs, or none: false when a row is not as one of them expects it.
pub(crate) async fn repair(store: &Postgres, repairs: &[Repair]) -> Result<bool, BackendError> {
    let mut session = store.session();
    let begun = session.begin("BEGIN ISOLATION LEVEL READ COMMITTED").await;
    let mut tx = begun.map_err(Failure::into_backend)?;
    if !mend(&store.statements, &mut tx, repairs).await.map_err(Failure::into_backend)? {
        drop(tx.rollback().await);
        return Ok(false);
    }
    match tx.commit().await.map_err(Failure::from) {
        Ok(()) => Ok(true),
        Err(Failure::Lost(source)) => {
            let message = "the connection was lost during COMMIT, and whether the rows were mended cannot be told: ask the doctor again";
            Err(BackendError::new(BackendKind::UnknownCommit, message).caused_by(source))
        }
        Err(failure) => Err(failure.into_backend()),
    }
}

async fn mend(sql: &Statements, conn: &mut PgConnection, repairs: &[Repair]) -> Result<bool, Failure> {
    for repair in repairs {
        let query = match repair {
            Repair::SetAncestors { org_id, from, to } => {
                sql.mend_ancestors.query().bind(org_id.as_uuid()).bind(uuids(from)).bind(uuids(to))
            }
            Repair::SetRevision { org_id, from, to } => {
                sql.mend_revision.query().bind(org_id.as_uuid()).bind(number(*from)).bind(number(*to))
            }
            Repair::DropSlug { slug, org_id } => sql.mend_stale_slug.query().bind(slug.as_str()).bind(org_id.as_uuid()),
            Repair::PutSlug { slug, org_id } => sql.mend_missing_slug.query().bind(slug.as_str()).bind(org_id.as_uuid()),
        };
        if query.execute(&mut *conn).await?.rows_affected() != 1 {
            return Ok(false);
        }
    }
    Ok(true)
}

fn uuids(ids: &[OrgId]) -> Vec<Uuid> {
    ids.iter().map(OrgId::as_uuid).collect()
}

fn number(revision: u64) -> i64 {
    i64::try_from(revision).unwrap_or(i64::MAX)
}
