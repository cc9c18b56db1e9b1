//! What reads answer, defined by `tenantry_core::State`.

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};
use tenantry_core::{
    Dump, Event, EventQuery, Expiry, Id, Membership, MembershipFilter, MembershipQuery, OrgId, OrgQuery, OrgStatus, Organization, Slug,
    Timestamp, User, UserId, Window,
};
use uuid::Uuid;

use crate::codec::{self, Columns, PgMoment};
use crate::error::{Failure, unreadable};
use crate::statements::Statements;

/// A count, or a revision.
pub(crate) fn count(row: &PgRow, at: usize) -> Result<u64, Failure> {
    let number: i64 = row.try_get(at)?;
    u64::try_from(number).map_err(|cause| unreadable("organization", "unknown", cause))
}

fn each<T>(rows: &[PgRow], read: impl Fn(&mut Columns<'_>) -> Result<T, Failure>) -> Result<Vec<T>, Failure> {
    rows.iter().map(|row| read(&mut Columns::from(row, 0))).collect()
}

/// Rows that belong to an organization, behind a column that says whether it is there; a row without an id is none.
fn scoped<T>(rows: &[PgRow], read: impl Fn(&mut Columns<'_>) -> Result<T, Failure>) -> Result<Option<Vec<T>>, Failure> {
    let there = rows.first().map_or(Ok(false), |row| row.try_get(0))?;
    if !there {
        return Ok(None);
    }
    let mut found = Vec::with_capacity(rows.len());
    for row in rows {
        if row.try_get::<Option<Uuid>, _>(1)?.is_some() {
            found.push(read(&mut Columns::from(row, 1))?);
        }
    }
    Ok(Some(found))
}

pub(crate) fn uuids<I: Id>(ids: &[I]) -> Vec<Uuid> {
    ids.iter().map(Id::as_uuid).collect()
}

/// The id behind which to start, and the most rows. The start is the nil UUID, which no id has: a plain comparison, so that
/// also a plan for any parameters begins in the index and not at its start.
fn behind<I: Id>(window: &Window<I>) -> (Uuid, i64) {
    (window.after.map_or(Uuid::nil(), |id| id.as_uuid()), i64::from(window.fetch))
}

/// Stored status, moment, and whether the end must lie behind the moment.
fn predicate(filter: Option<MembershipFilter>) -> (Option<&'static str>, Option<PgMoment>, bool) {
    let moment = |moment: Timestamp| Some(PgMoment(moment));
    match filter {
        None => (None, None, false),
        Some(MembershipFilter { stored, expiry }) => match expiry {
            None => (Some(stored.as_str()), None, false),
            Some(Expiry::After(now)) => (Some(stored.as_str()), moment(now), true),
            Some(Expiry::NotAfter(now)) => (Some(stored.as_str()), moment(now), false),
        },
    }
}

pub(crate) async fn users(sql: &Statements, conn: &mut PgConnection, ids: &[UserId]) -> Result<Vec<User>, Failure> {
    let rows = sql.users_by_id.query().bind(uuids(ids)).fetch_all(conn).await?;
    each(&rows, |fields| codec::user(fields))
}

pub(crate) async fn orgs(sql: &Statements, conn: &mut PgConnection, asked: &OrgQuery) -> Result<Option<Vec<Organization>>, Failure> {
    let rows = match asked {
        OrgQuery::Ids(ids) => sql.orgs_by_id.query().bind(uuids(ids)).fetch_all(conn).await?,
        OrgQuery::Slug(slug) => sql.org_by_slug.query().bind(slug.as_str()).fetch_all(conn).await?,
        OrgQuery::Path(id) => sql.org_path.query().bind(id.as_uuid()).fetch_all(conn).await?,
        OrgQuery::Children { parent, window } => {
            let (after, limit) = behind(window);
            let rows = sql.children.query().bind(parent.as_uuid()).bind(limit).bind(after).fetch_all(conn).await?;
            return scoped(&rows, |fields| codec::org(fields));
        }
        OrgQuery::All { status, contains, window } => {
            let (after, limit) = behind(window);
            // A text with NUL is in no name, and Postgres would not take it.
            if contains.as_ref().is_some_and(|text| text.contains('\0')) {
                return Ok(Some(Vec::new()));
            }
            let list = sql.all_orgs.query().bind(limit).bind(after).bind(status.map(OrgStatus::as_str));
            list.bind(contains.as_deref()).fetch_all(conn).await?
        }
    };
    each(&rows, |fields| codec::org(fields)).map(Some)
}

pub(crate) async fn memberships(
    sql: &Statements,
    conn: &mut PgConnection,
    asked: &MembershipQuery,
) -> Result<Option<Vec<Membership>>, Failure> {
    let rows = match asked {
        MembershipQuery::Ids(ids) => sql.memberships_by_id.query().bind(uuids(ids)).fetch_all(conn).await?,
        MembershipQuery::Current { org, usr } => {
            sql.membership_current.query().bind(org.as_uuid()).bind(usr.as_uuid()).fetch_all(conn).await?
        }
        MembershipQuery::Siblings(id) => sql.membership_siblings.query().bind(id.as_uuid()).fetch_all(conn).await?,
        MembershipQuery::OfOrg { org, filter, window } => {
            let ((after, limit), (status, moment, later)) = (behind(window), predicate(*filter));
            let list = sql.members.query().bind(org.as_uuid()).bind(limit).bind(after);
            let rows = list.bind(status).bind(moment).bind(later).fetch_all(conn).await?;
            return scoped(&rows, |fields| codec::membership(fields));
        }
        MembershipQuery::OfUser { usr, filter, window } => {
            let ((after, limit), (status, moment, later)) = (behind(window), predicate(*filter));
            let list = sql.memberships_of_user.query().bind(limit).bind(usr.as_uuid()).bind(after);
            list.bind(status).bind(moment).bind(later).fetch_all(conn).await?
        }
    };
    each(&rows, |fields| codec::membership(fields)).map(Some)
}

pub(crate) async fn count_members(
    sql: &Statements,
    conn: &mut PgConnection,
    org: OrgId,
    filter: Option<MembershipFilter>,
) -> Result<Option<u64>, Failure> {
    let (status, moment, later) = predicate(filter);
    let row = sql.count_members.query().bind(org.as_uuid()).bind(status).bind(moment).bind(later).fetch_one(conn).await?;
    if row.try_get(0)? { count(&row, 1).map(Some) } else { Ok(None) }
}

pub(crate) async fn events(sql: &Statements, conn: &mut PgConnection, asked: &EventQuery) -> Result<Option<Vec<Event>>, Failure> {
    match asked {
        EventQuery::OfOrg { org, after, fetch } => {
            let after = i64::try_from(*after).unwrap_or(i64::MAX);
            let rows = sql.events_of_org.query().bind(org.as_uuid()).bind(i64::from(*fetch)).bind(after).fetch_all(conn).await?;
            scoped(&rows, |fields| codec::event(fields))
        }
        EventQuery::Id(id) => {
            let rows = sql.event_by_id.query().bind(id.as_uuid()).fetch_all(conn).await?;
            each(&rows, |fields| codec::event(fields)).map(Some)
        }
    }
}

/// A slug with its holder.
pub(crate) fn slug(row: &PgRow) -> Result<(Slug, OrgId), Failure> {
    let (text, org): (&str, Uuid) = (row.try_get(0)?, row.try_get(1)?);
    let slug = Slug::parse(text).ok_or_else(|| unreadable("organization_slug", text, "not a slug"))?;
    Ok((slug, codec::id("organization_slug", org)?))
}

/// Every row. As of one moment when the caller has begun a transaction that sees one.
pub(crate) async fn dump(sql: &Statements, conn: &mut PgConnection) -> Result<Dump, Failure> {
    let users = sql.dump_users.query().fetch_all(&mut *conn).await?;
    let orgs = sql.dump_orgs.query().fetch_all(&mut *conn).await?;
    let slugs = sql.dump_slugs.query().fetch_all(&mut *conn).await?;
    let memberships = sql.dump_memberships.query().fetch_all(&mut *conn).await?;
    let events = sql.dump_events.query().fetch_all(&mut *conn).await?;
    Ok(Dump::new(
        each(&users, |fields| codec::user(fields))?,
        each(&orgs, |fields| codec::org(fields))?,
        slugs.iter().map(slug).collect::<Result<_, _>>()?,
        each(&memberships, |fields| codec::membership(fields))?,
        each(&events, |fields| codec::event(fields))?,
    ))
}
