//! What a command needs to see: one statement for each kind of load, defined by `tenantry_core::State::load`.

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row, query, query_as};
use tenantry_core::{Found, Id, ImportIds, LoadSpec, Owned, Slug, Snapshot};
use uuid::Uuid;

use crate::codec::{self, Columns, record};
use crate::error::{Failure, unreadable};
use crate::list;
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
        LoadSpec::Nothing => query(sql.load_nothing.text()).fetch_all(&mut *conn).await?,
        LoadSpec::User { usr } => query(sql.load_user.text()).bind(usr.as_uuid()).fetch_all(&mut *conn).await?,
        LoadSpec::Owner { usr } => query(sql.load_owner.text()).bind(usr.as_uuid()).fetch_all(&mut *conn).await?,
        LoadSpec::NewOrg { creator, parent, slug } => {
            let load = query(sql.load_new_org.text()).bind(creator.as_uuid()).bind(parent.map(|id| id.as_uuid()));
            load.bind(slug.as_ref().map(Slug::as_str)).fetch_all(&mut *conn).await?
        }
        LoadSpec::Org { org, slug } => {
            let load = query(sql.load_org.text()).bind(org.as_uuid()).bind(slug.as_ref().map(Slug::as_str));
            load.fetch_all(&mut *conn).await?
        }
        LoadSpec::OrgEnd { org, ids } => {
            query(sql.load_org_end.text()).bind(org.as_uuid()).bind(i64::from(*ids)).fetch_all(&mut *conn).await?
        }
        LoadSpec::Join { org, usr } => query(sql.load_join.text()).bind(org.as_uuid()).bind(usr.as_uuid()).fetch_all(&mut *conn).await?,
        LoadSpec::Member { mem, peer: None } => query(sql.load_member.text()).bind(mem.as_uuid()).fetch_all(&mut *conn).await?,
        LoadSpec::Member { mem, peer: Some(peer) } => {
            query(sql.load_member_and_peer.text()).bind(mem.as_uuid()).bind(peer.as_uuid()).fetch_all(&mut *conn).await?
        }
        LoadSpec::Pair { org, from, to } => {
            let load = query(sql.load_pair.text()).bind(org.as_uuid()).bind(from.as_uuid()).bind(to.as_uuid());
            load.fetch_all(&mut *conn).await?
        }
        LoadSpec::Ids(ids) => {
            *seen.found = found(sql, conn, ids).await?;
            query(sql.load_nothing.text()).fetch_all(&mut *conn).await?
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
                seen.org_live = first.try_get::<Option<bool>, _>(7)?.unwrap_or(false);
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
    fn uuids<I: Id>(ids: &[I]) -> Vec<Uuid> {
        ids.iter().map(Id::as_uuid).collect()
    }
    let slugs: Vec<&str> = ids.slugs.iter().map(Slug::as_str).collect();
    let rows = query(sql.orgs_by_id.text()).bind(uuids(&ids.orgs)).fetch_all(&mut *conn).await?;
    let orgs = rows.iter().map(|row| codec::org(&mut Columns::from(row, 0))).collect::<Result<_, _>>()?;
    let rows = query(sql.memberships_by_id.text()).bind(uuids(&ids.memberships)).fetch_all(&mut *conn).await?;
    let memberships = rows.iter().map(|row| codec::membership(&mut Columns::from(row, 0))).collect::<Result<_, _>>()?;
    let rows: Vec<(String, Uuid)> = query_as(sql.slugs_by_text.text()).bind(slugs).fetch_all(&mut *conn).await?;
    let holder = |(slug, org): (String, Uuid)| {
        let parsed = Slug::parse(&slug).ok_or_else(|| unreadable("organization_slug", &slug, "not a slug"))?;
        Ok::<_, Failure>((parsed, codec::id("organization_slug", org)?))
    };
    let slugs = rows.into_iter().map(holder).collect::<Result<_, _>>()?;
    let rows: Vec<(Uuid,)> = query_as(sql.members_among.text()).bind(uuids(&ids.users)).fetch_all(&mut *conn).await?;
    let members = rows.into_iter().map(|(usr,)| codec::id("membership", usr)).collect::<Result<_, _>>()?;
    let mut found = Found { users: list::users(sql, conn, &ids.users).await?, orgs, memberships, slugs, members };
    found.normalize();
    Ok(found)
}
