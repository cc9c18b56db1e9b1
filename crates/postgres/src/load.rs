//! What a command needs to see: one statement for each kind of load, defined by `tenantry_core::State::load`.

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};
use tenantry_core::{Found, ImportIds, LoadSpec, OrgStatus, Owned, Slug, Snapshot, are_live};
use uuid::Uuid;

use crate::codec::{self, Columns, record};
use crate::error::{Failure, unreadable};
use crate::list::{self, uuids};
use crate::statements::Statements;

/// A snapshot, and the server process that showed it.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) seen: Snapshot,
    pub(crate) backend_pid: i32,
}

pub(crate) async fn load(sql: &Statements, conn: &mut PgConnection, spec: &LoadSpec) -> Result<Loaded, Failure> {
    let mut seen = Snapshot::default();
    let rows = match spec {
        LoadSpec::Nothing => sql.load_nothing.query().fetch_all(&mut *conn).await?,
        LoadSpec::User { usr } => sql.load_user.query().bind(usr.as_uuid()).fetch_all(&mut *conn).await?,
        LoadSpec::Owner { usr } => sql.load_owner.query().bind(usr.as_uuid()).fetch_all(&mut *conn).await?,
        LoadSpec::NewOrg { creator, parent, slug } => {
            let load = sql.load_new_org.query().bind(creator.as_uuid()).bind(parent.map(|id| id.as_uuid()));
            load.bind(slug.as_ref().map(Slug::as_str)).fetch_all(&mut *conn).await?
        }
        LoadSpec::Org { org, slug } => {
            let load = sql.load_org.query().bind(org.as_uuid()).bind(slug.as_ref().map(Slug::as_str));
            load.fetch_all(&mut *conn).await?
        }
        LoadSpec::OrgEnd { org, ids } => sql.load_org_end.query().bind(org.as_uuid()).bind(i64::from(*ids)).fetch_all(&mut *conn).await?,
        LoadSpec::Join { org, usr } => sql.load_join.query().bind(org.as_uuid()).bind(usr.as_uuid()).fetch_all(&mut *conn).await?,
        LoadSpec::Member { mem, peer: None } => sql.load_member.query().bind(mem.as_uuid()).fetch_all(&mut *conn).await?,
        LoadSpec::Member { mem, peer: Some(peer) } => {
            sql.load_member_and_peer.query().bind(mem.as_uuid()).bind(peer.as_uuid()).fetch_all(&mut *conn).await?
        }
        LoadSpec::Pair { org, from, to } => {
            let load = sql.load_pair.query().bind(org.as_uuid()).bind(from.as_uuid()).bind(to.as_uuid());
            load.fetch_all(&mut *conn).await?
        }
        LoadSpec::Ids(ids) => {
            *seen.found = found(sql, conn, ids).await?;
            sql.load_nothing.query().fetch_all(&mut *conn).await?
        }
    };
    // Only a load that starts from a membership can find no row at all.
    let Some(first) = rows.first() else { return Ok(Loaded { seen, backend_pid: 0 }) };
    let backend_pid = first.try_get(0)?;
    match spec {
        LoadSpec::Nothing | LoadSpec::Ids(_) => {}
        LoadSpec::User { .. } => seen.user = record(first, 1, codec::user)?,
        LoadSpec::Owner { .. } => {
            seen.user = record(first, 1, codec::user)?;
            seen.owned = rows.iter().filter_map(|row| owned(row).transpose()).collect::<Result<_, _>>()?;
        }
        LoadSpec::NewOrg { .. } => {
            seen.user = record(first, 1, codec::user)?;
            seen.org = record(first, 2, codec::org)?;
            seen.slug_holder = holder(first, 3)?;
        }
        LoadSpec::Org { .. } => {
            seen.org = record(first, 1, codec::org)?;
            seen.slug_holder = holder(first, 2)?;
        }
        LoadSpec::OrgEnd { .. } => {
            seen.org = record(first, 1, codec::org)?;
            seen.has_children = first.try_get(2)?;
            let ids: Vec<Uuid> = first.try_get(4)?;
            let ids = ids.into_iter().map(|id| codec::id("membership", id)).collect::<Result<_, _>>()?;
            seen.current = (list::count(first, 3)?, ids);
        }
        LoadSpec::Join { .. } => {
            seen.org = record(first, 1, codec::org)?;
            seen.user = record(first, 2, codec::user)?;
            seen.membership = record(first, 3, codec::membership)?;
        }
        LoadSpec::Member { peer, .. } => {
            seen.membership = record(first, 1, codec::membership)?;
            seen.org = record(first, 2, codec::org)?;
            seen.user = record(first, 3, codec::user)?;
            seen.other_owner = record(first, 4, codec::other_owner)?;
            if peer.is_some() {
                seen.peer = record(first, 5, codec::membership)?;
                seen.peer_user = record(first, 6, codec::user)?;
                seen.org_live = org_live(first, 7)?;
            }
        }
        LoadSpec::Pair { .. } => {
            seen.org = record(first, 1, codec::org)?;
            seen.membership = record(first, 2, codec::membership)?;
            seen.peer = record(first, 3, codec::membership)?;
            seen.peer_user = record(first, 4, codec::user)?;
        }
    }
    Ok(Loaded { seen, backend_pid })
}

fn org_live(row: &PgRow, at: usize) -> Result<bool, Failure> {
    let statuses: Vec<String> = row.try_get(at)?;
    let status =
        |text: &String| OrgStatus::parse(text).ok_or_else(|| unreadable("organization", "unknown", "`status` does not have its form"));
    Ok(are_live(statuses.iter().map(status).collect::<Result<Vec<_>, _>>()?))
}

fn owned(row: &PgRow) -> Result<Option<Owned>, Failure> {
    let org: Option<Uuid> = row.try_get(2)?;
    let Some(org) = org else { return Ok(None) };
    let other = record(row, 4, codec::other_owner)?;
    Ok(Some(Owned { org_id: codec::id("organization", org)?, revision: list::count(row, 3)?, other }))
}

fn holder(row: &PgRow, at: usize) -> Result<Option<tenantry_core::OrgId>, Failure> {
    let org: Option<Uuid> = row.try_get(at)?;
    org.map(|org| codec::id("organization_slug", org)).transpose()
}

/// Rows by id. Several statements: an import relies on unique constraints, not on one moment.
async fn found(sql: &Statements, conn: &mut PgConnection, ids: &ImportIds) -> Result<Found, Failure> {
    let slugs: Vec<&str> = ids.slugs.iter().map(Slug::as_str).collect();
    let rows = sql.orgs_by_id.query().bind(uuids(&ids.orgs)).fetch_all(&mut *conn).await?;
    let orgs = rows.iter().map(|row| codec::org(&mut Columns::from(row, 0))).collect::<Result<_, _>>()?;
    let rows = sql.memberships_by_id.query().bind(uuids(&ids.memberships)).fetch_all(&mut *conn).await?;
    let memberships = rows.iter().map(|row| codec::membership(&mut Columns::from(row, 0))).collect::<Result<_, _>>()?;
    let rows = sql.slugs_by_text.query().bind(slugs).fetch_all(&mut *conn).await?;
    let slugs = rows.iter().map(list::slug).collect::<Result<_, _>>()?;
    let rows = sql.members_among.query().bind(uuids(&ids.users)).fetch_all(&mut *conn).await?;
    let members = rows.iter().map(|row| codec::id("membership", row.try_get(0)?)).collect::<Result<_, _>>()?;
    let mut found = Found { users: list::users(sql, conn, &ids.users).await?, orgs, memberships, slugs, members };
    found.normalize();
    Ok(found)
}
