//! A Postgres database is filled by `COPY` into the tables that the store has made.

use std::fmt::Write;

use anyhow::Result;
use indicatif::ProgressBar;
use sqlx::PgConnection;
use tenantry_core::{Invitation, Membership, Organization, Timestamp, Tuple};

use super::{event_data, store_event_data};
use crate::interrupt;
use crate::world::{self, World};

const USER: &str = "COPY tenantry.user_account (id, status, revision, created_at, updated_at) FROM STDIN";
const ORG: &str = "COPY tenantry.organization (id, parent_id, ancestors, status, name, name_folded, slug, cascade_permissions, \
    inherit_permissions, revision, created_at, updated_at, seat_limit, external_id, metadata) FROM STDIN";
const SLUG: &str = "COPY tenantry.organization_slug (slug, org_id) FROM STDIN";
const MEMBERSHIP: &str = "COPY tenantry.membership (org_id, id, usr_id, role_id, status, replaces, invited_by, removed_by, expires_at, \
    metadata, created_at, updated_at) FROM STDIN";
const TUPLE: &str = "COPY tenantry.tuple (id, subject_type, subject_id, relation, object_type, object_id, org_id, created_at, \
    created_by, expires_at) FROM STDIN";
const INVITATION: &str = "COPY tenantry.invitation (id, org_id, identifier, role_id, status, pre_tuples, invited_by, created_at, \
    expires_at, judged) FROM STDIN";
const EVENT: &str = "COPY tenantry.event (org_id, revision, id, type, actor_type, actor_id, at, subject_ids, data) FROM STDIN";
const STORE_EVENT: &str = "COPY tenantry.store_event (id, type, actor_type, actor_id, at, subject_ids, data) FROM STDIN";

/// How many rows go out at once.
const CHUNK: u32 = 2000;

/// Fills the tables of the schema `tenantry`, which are there and empty.
///
/// # Errors
/// What Postgres refused, or an interrupt.
pub async fn fill(conn: &mut PgConnection, world: World, bar: &ProgressBar) -> Result<()> {
    // Every row's parents come first; the server need not look for them row by row.
    sqlx::raw_sql("SET session_replication_role = replica").execute(&mut *conn).await?;
    copy(conn, USER, world.size(), bar, |out, n| {
        let user = world.user(n)?;
        let (made, changed) = (user.created_at, user.updated_at);
        writeln!(out, "{}\t{}\t{}\t{made}\t{changed}", user.id.as_uuid(), user.status, user.revision)?;
        Ok(())
    })
    .await?;
    copy(conn, ORG, world.organizations(), bar, |out, n| org(out, &world.org(n)?)).await?;
    copy(conn, SLUG, world.organizations(), bar, |out, n| {
        writeln!(out, "{}\t{}", world::slug(n), world::org_id(n)?.as_uuid())?;
        Ok(())
    })
    .await?;
    copy(conn, MEMBERSHIP, world.size(), bar, |out, n| membership(out, &world.ownership(n)?)).await?;
    copy(conn, MEMBERSHIP, world.size(), bar, |out, n| membership(out, &world.crowd_member(n)?)).await?;
    copy(conn, TUPLE, world.size(), bar, |out, n| tuple(out, &world.tuple(n)?)).await?;
    copy(conn, INVITATION, world.invitations(), bar, |out, n| invitation(out, &world.invitation(n)?)).await?;
    copy(conn, EVENT, world.organizations(), bar, |out, n| {
        let (org, id, at, data) = (world::org_id(n)?, world::event_id(n), world::made(n)?, event_data(world, n));
        writeln!(out, "{}\t1\t{id}\timport.applied\tsystem\t\\N\t{at}\t[\"{org}\"]\t{data}", org.as_uuid())?;
        Ok(())
    })
    .await?;
    let told = store_event_data(world);
    copy(conn, STORE_EVENT, u32::try_from(told.len())?, bar, |out, n| {
        let data = told.get(usize::try_from(n)?).map(String::as_str).unwrap_or_default();
        let (id, at) = (world::event_id(world.organizations() + n), world::made(0)?);
        writeln!(out, "{id}\timport.applied\tsystem\t\\N\t{at}\t[]\t{data}")?;
        Ok(())
    })
    .await?;
    sqlx::raw_sql("SET session_replication_role = DEFAULT").execute(&mut *conn).await?;
    // What autovacuum does in time; a server for tests has none.
    sqlx::raw_sql("VACUUM ANALYZE").execute(&mut *conn).await?;
    sqlx::raw_sql("CHECKPOINT").execute(&mut *conn).await?;
    bar.finish_and_clear();
    Ok(())
}

async fn copy(
    conn: &mut PgConnection,
    statement: &'static str,
    count: u32,
    bar: &ProgressBar,
    write: impl Fn(&mut String, u32) -> Result<()>,
) -> Result<()> {
    let mut copy = conn.copy_in_raw(statement).await?;
    let mut lines = String::new();
    let mut from = 0;
    while from < count {
        interrupt::check()?;
        let to = count.min(from + CHUNK);
        lines.clear();
        (from..to).try_for_each(|n| write(&mut lines, n))?;
        copy.send(lines.as_bytes()).await?;
        bar.inc(u64::from(to - from));
        from = to;
    }
    copy.finish().await?;
    Ok(())
}

fn org(out: &mut String, org: &Organization) -> Result<()> {
    let Organization { id, status, name, slug, revision, created_at, updated_at, .. } = org;
    let (name, folded) = (name.as_ref().map(ToString::to_string), name.as_ref().map(tenantry_core::Name::folded));
    let (name, folded) = (name.unwrap_or_default(), folded.unwrap_or_default());
    let slug = slug.as_ref().map(ToString::to_string).unwrap_or_default();
    let times = format!("{created_at}\t{updated_at}");
    let id = id.as_uuid();
    writeln!(out, "{id}\t\\N\t{{}}\t{status}\t{name}\t{folded}\t{slug}\tt\tt\t{revision}\t{times}\t\\N\t\\N\t{{}}")?;
    Ok(())
}

fn membership(out: &mut String, mem: &Membership) -> Result<()> {
    let (org, id, usr, role) = (mem.org_id.as_uuid(), mem.id.as_uuid(), mem.usr_id.as_uuid(), mem.role.id().as_uuid());
    let (status, made, changed) = (mem.status, mem.created_at, mem.updated_at);
    writeln!(out, "{org}\t{id}\t{usr}\t{role}\t{status}\t\\N\t\\N\t\\N\t\\N\t{{}}\t{made}\t{changed}")?;
    Ok(())
}

fn tuple(out: &mut String, tuple: &Tuple) -> Result<()> {
    let (subject, object) = (tuple.key.subject, tuple.key.object);
    let scope = tuple.org_id.map_or_else(|| "\\N".to_owned(), |org| org.as_uuid().to_string());
    let (id, relation, made): (_, _, Timestamp) = (tuple.id.as_uuid(), &tuple.key.relation, tuple.created_at);
    let ends = format!("{}\t{}\t{relation}\t{}\t{}", subject.kind, subject.id, object.kind, object.id);
    writeln!(out, "{id}\t{ends}\t{scope}\t{made}\t\\N\t\\N")?;
    Ok(())
}

fn invitation(out: &mut String, inv: &Invitation) -> Result<()> {
    let (id, org, role, by) = (inv.id.as_uuid(), inv.org_id.as_uuid(), inv.role.id().as_uuid(), inv.invited_by.as_uuid());
    let (whom, status, made, end) = (&inv.identifier, inv.status, inv.created_at, inv.expires_at);
    writeln!(out, "{id}\t{org}\t{whom}\t{role}\t{status}\t[]\t{by}\t{made}\t{end}\tf")?;
    Ok(())
}
