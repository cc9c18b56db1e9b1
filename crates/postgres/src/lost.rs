//! After a connection was lost in the middle of a write: did the write take place?

use std::time::Duration;

use sqlx::{PgConnection, Row};
use tenantry_core::{BackendError, BackendKind, EventId};

use crate::Postgres;
use crate::error::Failure;
use crate::statements::Statements;

/// How long to wait for the server process that had the write in hand to come to an end.
const PATIENCE: u32 = 40;
const PAUSE: Duration = Duration::from_millis(50);

/// Whether the write with this event took place; `None` when that cannot be told yet. The event's id was drawn before the
/// write, and is written with it: where it is, everything is. Where it is not, the write cannot come any more once the
/// process that had it is gone, so the process is asked for first.
pub(crate) async fn took_place(
    sql: &Statements,
    conn: &mut PgConnection,
    event_id: EventId,
    backend_pid: i32,
) -> Result<Option<bool>, Failure> {
    for _ in 0..PATIENCE {
        let asked = sql.backend_lives.query().bind(backend_pid).fetch_one(&mut *conn).await?;
        let (knows, lives): (bool, bool) = (asked.try_get(0)?, asked.try_get(1)?);
        if !sql.event_by_id.query().bind(event_id.as_uuid()).fetch_all(&mut *conn).await?.is_empty() {
            return Ok(Some(true));
        }
        if knows && !lives {
            return Ok(Some(false));
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(None)
}

/// Whether the transaction with this number took place; `None` when the server does not say.
pub(crate) async fn became_of(store: &Postgres, number: i64) -> Result<Option<bool>, BackendError> {
    let mut session = store.session();
    let conn = session.renew().await?;
    for _ in 0..PATIENCE {
        let asked = sqlx::query("SELECT txid_status($1)").persistent(false).bind(number).fetch_one(&mut *conn).await;
        let status: Option<String> = asked.and_then(|row| row.try_get(0)).map_err(|error| Failure::from(error).into_backend())?;
        match status.as_deref() {
            Some("committed") => return Ok(Some(true)),
            Some("aborted") => return Ok(Some(false)),
            Some("in progress") => tokio::time::sleep(PAUSE).await,
            _ => return Ok(None),
        }
    }
    Ok(None)
}

pub(crate) fn unknown_outcome(event_id: EventId) -> BackendError {
    let message = format!(
        "the connection was lost while the change was being written, and whether it took place cannot be told yet: ask for the outcome of {event_id}"
    );
    BackendError::new(BackendKind::UnknownOutcome { event_id }, message)
}
