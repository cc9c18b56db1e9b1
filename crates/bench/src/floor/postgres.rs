//! The floors over sqlx: each write is one statement, each read the one that answers it.

use anyhow::{Result, ensure};
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgRow, PgTypeInfo, PgValueRef};
use sqlx::{Decode, Encode, PgConnection, Postgres, Row, Type};
use tenantry_core::Role;
use uuid::Uuid;

use super::{Acceptance, Founding, Joining, Rotation};

/// Microseconds since 1970, as `timestamptz`.
#[derive(Debug, Clone, Copy)]
pub struct Micros(pub i64);

/// 2000-01-01T00:00:00Z in microseconds since 1970: what Postgres counts from.
const EPOCH: i64 = 946_684_800_000_000;

impl Type<Postgres> for Micros {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(1184))
    }
}

impl Encode<'_, Postgres> for Micros {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        buffer.extend((self.0 - EPOCH).to_be_bytes());
        Ok(IsNull::No)
    }
}

impl<'r> Decode<'r, Postgres> for Micros {
    fn decode(value: PgValueRef<'r>) -> Result<Self, BoxDynError> {
        Ok(Self(i64::from_be_bytes(value.as_bytes()?.try_into()?) + EPOCH))
    }
}

const ADD_MEMBER: &str = "WITH org AS (UPDATE tenantry.organization SET revision = revision + 1 WHERE id = $1 RETURNING revision), \
    mem AS (INSERT INTO tenantry.membership (org_id, id, usr_id, role_id, status, metadata, created_at, updated_at) \
        VALUES ($1, $2, $3, $4, 'active', '{}', $5, $5)) \
    INSERT INTO tenantry.event (org_id, revision, id, type, actor_type, at, subject_ids, data) \
    SELECT $1, org.revision, $6, $7, 'system', $5, $8, $9 FROM org";

/// One statement.
///
/// # Errors
/// The driver's.
pub async fn add_member(conn: &mut PgConnection, rows: Joining) -> Result<()> {
    let Joining { org, usr, mem, at, event } = rows;
    let done = sqlx::query(ADD_MEMBER).bind(org).bind(mem).bind(usr).bind(Role::Member.id().as_uuid()).bind(Micros(at)).bind(event.id);
    let done = done.bind(event.kind).bind(event.subjects).bind(event.data).execute(conn).await?;
    ensure!(done.rows_affected() == 1, "the floor wrote nothing");
    Ok(())
}

const CREATE_ORG: &str = "WITH usr AS (UPDATE tenantry.user_account SET revision = revision + 1 WHERE id = $1), \
    org AS (INSERT INTO tenantry.organization (id, ancestors, status, name, name_folded, slug, cascade_permissions, inherit_permissions, \
        revision, created_at, updated_at, metadata) VALUES ($2, '{}', 'active', $3, $4, $5, true, true, 2, $6, $6, '{}')), \
    slug AS (INSERT INTO tenantry.organization_slug (slug, org_id) VALUES ($5, $2)), \
    mem AS (INSERT INTO tenantry.membership (org_id, id, usr_id, role_id, status, metadata, created_at, updated_at) \
        VALUES ($2, $7, $1, $8, 'active', '{}', $6, $6)) \
    INSERT INTO tenantry.event (org_id, revision, id, type, actor_type, at, subject_ids, data) \
    VALUES ($2, 1, $9, $10, 'system', $6, $11, $12), ($2, 2, $13, $14, 'system', $6, $15, $16)";

/// One statement.
///
/// # Errors
/// The driver's.
pub async fn create_org(conn: &mut PgConnection, rows: Founding) -> Result<()> {
    let Founding { usr, org, name, folded, slug, mem, at, events } = rows;
    let mut done = sqlx::query(CREATE_ORG).bind(usr).bind(org).bind(name).bind(folded).bind(slug).bind(Micros(at)).bind(mem);
    done = done.bind(Role::Owner.id().as_uuid());
    for event in events {
        done = done.bind(event.id).bind(event.kind).bind(event.subjects).bind(event.data);
    }
    ensure!(done.execute(conn).await?.rows_affected() == 2, "the floor wrote nothing");
    Ok(())
}

// The new row takes from what the update returns, so that it comes behind it: both stand in the index of current memberships.
const CHANGE_ROLE: &str = "WITH org AS (UPDATE tenantry.organization SET revision = revision + 1 WHERE id = $1 RETURNING revision), \
    old AS (UPDATE tenantry.membership SET status = 'revoked', removed_by = NULL, updated_at = $5 \
        WHERE org_id = $1 AND id = $2 AND status = 'active' RETURNING usr_id, invited_by, expires_at, metadata), \
    mem AS (INSERT INTO tenantry.membership (org_id, id, usr_id, role_id, status, replaces, invited_by, expires_at, metadata, created_at, \
        updated_at) SELECT $1, $3, old.usr_id, $4, 'active', $2, old.invited_by, old.expires_at, old.metadata, $5, $5 FROM old) \
    INSERT INTO tenantry.event (org_id, revision, id, type, actor_type, at, subject_ids, data) \
    SELECT $1, org.revision, $6, $7, 'system', $5, $8, $9 FROM org, old";

/// One statement.
///
/// # Errors
/// The driver's.
pub async fn change_role(conn: &mut PgConnection, rows: Rotation) -> Result<()> {
    let Rotation { org, old, new, role, at, event } = rows;
    let done = sqlx::query(CHANGE_ROLE).bind(org).bind(old).bind(new.as_uuid()).bind(role.id().as_uuid()).bind(Micros(at)).bind(event.id);
    let done = done.bind(event.kind).bind(event.subjects).bind(event.data).execute(conn).await?;
    ensure!(done.rows_affected() == 1, "the floor wrote nothing");
    Ok(())
}

const ACCEPT: &str = "WITH org AS (UPDATE tenantry.organization SET revision = revision + 5 WHERE id = $1 RETURNING revision), \
    inv AS (UPDATE tenantry.invitation SET status = 'accepted', terminal_at = $2, terminal_by = $3, invited_user_id = $3 \
        WHERE org_id = $1 AND id = $4 AND status = 'pending' RETURNING id), \
    mem AS (INSERT INTO tenantry.membership (org_id, id, usr_id, role_id, status, invited_by, metadata, created_at, updated_at) \
        VALUES ($1, $5, $3, $6, 'active', $7, '{}', $2, $2)), \
    tup AS (INSERT INTO tenantry.tuple (id, subject_type, subject_id, relation, object_type, object_id, org_id, created_at, created_by) \
        VALUES ($8, 'usr', $3, $9, $10, $11, $1, $2, $7), ($12, 'usr', $3, $13, $14, $15, $1, $2, $7), \
            ($16, 'usr', $3, $17, $18, $19, $1, $2, $7)) \
    INSERT INTO tenantry.event (org_id, revision, id, type, actor_type, at, subject_ids, data) \
    SELECT $1, org.revision - 5 + e.n, e.id, e.type, 'system', $2, e.subjects, e.data FROM org, inv, (VALUES \
        (1, $20::uuid, $21::text, $22::text, $23::text), (2, $24, $25, $26, $27), (3, $28, $29, $30, $31), \
        (4, $32, $33, $34, $35), (5, $36, $37, $38, $39)) e (n, id, type, subjects, data)";

/// One statement.
///
/// # Errors
/// The driver's.
pub async fn accept_invitation(conn: &mut PgConnection, rows: Acceptance) -> Result<()> {
    let Acceptance { org, inv, invited_by, usr, mem, role, tuples, at, events } = rows;
    let mut done = sqlx::query(ACCEPT).bind(org).bind(Micros(at)).bind(usr).bind(inv).bind(mem).bind(role).bind(invited_by);
    for (id, relation, kind, object) in tuples {
        done = done.bind(id).bind(relation).bind(kind).bind(object);
    }
    for event in events {
        done = done.bind(event.id).bind(event.kind).bind(event.subjects).bind(event.data);
    }
    ensure!(done.execute(conn).await?.rows_affected() == 5, "the floor wrote nothing");
    Ok(())
}

/// Every column of a membership, as the driver gives it.
#[derive(Debug)]
#[expect(dead_code, reason = "what counts is that they are read")]
pub struct MembershipRow {
    id: Uuid,
    usr_id: Uuid,
    org_id: Uuid,
    role_id: Uuid,
    status: String,
    replaces: Option<Uuid>,
    invited_by: Option<Uuid>,
    removed_by: Option<Uuid>,
    expires_at: Option<Micros>,
    metadata: String,
    created_at: Micros,
    updated_at: Micros,
}

fn membership(row: &PgRow, from: usize) -> Result<MembershipRow, sqlx::Error> {
    Ok(MembershipRow {
        id: row.try_get(from)?,
        usr_id: row.try_get(from + 1)?,
        org_id: row.try_get(from + 2)?,
        role_id: row.try_get(from + 3)?,
        status: row.try_get(from + 4)?,
        replaces: row.try_get(from + 5)?,
        invited_by: row.try_get(from + 6)?,
        removed_by: row.try_get(from + 7)?,
        expires_at: row.try_get(from + 8)?,
        metadata: row.try_get(from + 9)?,
        created_at: row.try_get(from + 10)?,
        updated_at: row.try_get(from + 11)?,
    })
}

const MEMBERSHIP: &str = "SELECT m.id, m.usr_id, m.org_id, m.role_id, m.status, m.replaces, m.invited_by, m.removed_by, m.expires_at, \
    m.metadata, m.created_at, m.updated_at FROM tenantry.membership m WHERE m.id = $1";

/// One row by its id.
///
/// # Errors
/// The driver's.
pub async fn get_membership(conn: &mut PgConnection, id: Uuid) -> Result<MembershipRow> {
    Ok(membership(&sqlx::query(MEMBERSHIP).bind(id).fetch_one(conn).await?, 0)?)
}

// As the store asks: whether the organization is there comes with the page, and so does the row that tells of a next one.
const MEMBERS: &str = "SELECT EXISTS (SELECT FROM tenantry.organization WHERE id = $1), m.id, m.usr_id, m.org_id, m.role_id, m.status, \
    m.replaces, m.invited_by, m.removed_by, m.expires_at, m.metadata, m.created_at, m.updated_at FROM (SELECT) one \
    LEFT JOIN LATERAL (SELECT * FROM tenantry.membership t WHERE t.org_id = $1 AND t.id > $3 AND ($4::text IS NULL OR t.status = $4) \
    AND ($5::timestamptz IS NULL OR CASE WHEN $6::boolean THEN t.expires_at IS NULL OR t.expires_at > $5 ELSE t.expires_at <= $5 END) \
    ORDER BY t.id LIMIT $2) m ON true ORDER BY m.id";

/// A page of 50, and one row more if there is one.
///
/// # Errors
/// The driver's.
pub async fn list_members(conn: &mut PgConnection, org: Uuid, after: Uuid) -> Result<Vec<MembershipRow>> {
    let page = sqlx::query(MEMBERS).bind(org).bind(51_i64).bind(after).bind(None::<&str>).bind(None::<Micros>).bind(false);
    let rows = page.fetch_all(conn).await?;
    ensure!(rows.len() >= 50, "the floor found too few members");
    let mut page = Vec::with_capacity(rows.len());
    for row in &rows {
        ensure!(row.try_get::<bool, _>(0)?, "the floor found no organization");
        page.push(membership(row, 1)?);
    }
    Ok(page)
}
