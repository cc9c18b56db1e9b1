//! What reads answer, defined by `tenantry_core::State`.

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};
use tenantry_core::{
    Dump, Event, EventQuery, Expiry, Id, Invitation, InvitationFilter, InvitationQuery, InvitationStatus, Membership, MembershipFilter,
    MembershipQuery, OrgId, OrgQuery, OrgStatus, Organization, PermissionRow, Relation, Slug, Standing, Timestamp, Tuple, TupleQuery, User,
    UserId, WhichTuples, Window, are_live,
};
use uuid::Uuid;

use crate::codec::{self, Columns, PgMoment, record};
use crate::error::{Failure, unreadable};
use crate::inquire::role;
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
        OrgQuery::Descendants { org, levels, window } => {
            let (after, limit) = behind(window);
            let list = sql.descendants.query().bind(org.as_uuid()).bind(limit).bind(after);
            let rows = list.bind(levels.map(i32::from)).fetch_all(conn).await?;
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

/// Whether pending ones are wanted, and which of them; a stored status.
fn open(filter: Option<InvitationFilter>) -> (bool, Option<PgMoment>, bool, Option<&'static str>) {
    let (pending, stored) = filter.map_or((None, None), |filter| (filter.pending, filter.stored));
    let stored = stored.map(InvitationStatus::as_str);
    match pending {
        None => (false, None, false, stored),
        Some(Expiry::After(now)) => (true, Some(PgMoment(now)), true, stored),
        Some(Expiry::NotAfter(now)) => (true, Some(PgMoment(now)), false, stored),
    }
}

pub(crate) async fn invitations(
    sql: &Statements,
    conn: &mut PgConnection,
    asked: &InvitationQuery,
) -> Result<Option<Vec<Invitation>>, Failure> {
    let rows = match asked {
        InvitationQuery::Id(id) => sql.invitations_by_id.query().bind(vec![id.as_uuid()]).fetch_all(conn).await?,
        InvitationQuery::OfOrg { org, filter, window } => {
            let ((after, limit), (pending, moment, later, stored)) = (behind(window), open(*filter));
            let list = sql.invitations.query().bind(org.as_uuid()).bind(limit).bind(after);
            let rows = list.bind(pending).bind(moment).bind(later).bind(stored).fetch_all(conn).await?;
            return scoped(&rows, |fields| codec::invitation(fields));
        }
        InvitationQuery::For { identifier, filter, window } => {
            let ((after, limit), (pending, moment, later, stored)) = (behind(window), open(*filter));
            let list = sql.invitations_for.query().bind(limit).bind(identifier.as_str()).bind(after);
            list.bind(pending).bind(moment).bind(later).bind(stored).fetch_all(conn).await?
        }
    };
    each(&rows, |fields| codec::invitation(fields)).map(Some)
}

pub(crate) async fn tuples(sql: &Statements, conn: &mut PgConnection, asked: &TupleQuery) -> Result<Vec<Tuple>, Failure> {
    let at = PgMoment(asked.at);
    let rows = match &asked.which {
        WhichTuples::Id(id) => sql.tuple_by_id.query().bind(id.as_uuid()).bind(at).fetch_all(conn).await?,
        WhichTuples::OfSubject { subject, window } => {
            let (after, limit) = behind(window);
            let list = sql.tuples_of_subject.query().bind(subject.kind.as_str()).bind(subject.id);
            list.bind(after).bind(limit).bind(at).fetch_all(conn).await?
        }
        WhichTuples::OfObject { object, relation, window } => {
            let (after, limit) = behind(window);
            let relation = relation.as_ref().map(Relation::as_str);
            if object.as_org().is_some() {
                let list = sql.tuples_on_org.query().bind(object.id).bind(after).bind(limit).bind(at);
                list.bind(relation).bind(relation.and_then(role)).fetch_all(conn).await?
            } else {
                let list = sql.tuples_on_object.query().bind(object.kind.as_str()).bind(object.id).bind(after).bind(limit).bind(at);
                list.bind(relation).fetch_all(conn).await?
            }
        }
    };
    each(&rows, |fields| codec::tuple(fields))
}

pub(crate) async fn standings(sql: &Statements, conn: &mut PgConnection, usr: UserId, orgs: &[OrgId]) -> Result<Vec<Standing>, Failure> {
    let rows = sql.standings.query().bind(usr.as_uuid()).bind(uuids(orgs)).fetch_all(conn).await?;
    rows.iter().map(|row| standing(row, 0)).collect()
}

/// A standing in three columns: the user's row, their membership, the statuses of the organization and all above it.
pub(crate) fn standing(row: &PgRow, at: usize) -> Result<Standing, Failure> {
    Ok(Standing {
        user: record(row, at, codec::user)?,
        membership: record(row, at + 1, codec::membership)?,
        org_live: org_live(row, at + 2)?,
    })
}

/// Statuses of an organization and all above it; none when it does not exist.
pub(crate) fn org_live(row: &PgRow, at: usize) -> Result<bool, Failure> {
    let statuses: Vec<String> = row.try_get(at)?;
    let status =
        |text: &String| OrgStatus::parse(text).ok_or_else(|| unreadable("organization", "unknown", "`status` does not have its form"));
    Ok(are_live(statuses.iter().map(status).collect::<Result<Vec<_>, _>>()?))
}

pub(crate) async fn events(sql: &Statements, conn: &mut PgConnection, asked: &EventQuery) -> Result<Option<Vec<Event>>, Failure> {
    match asked {
        EventQuery::OfOrg { org, after, fetch } => {
            let after = i64::try_from(*after).unwrap_or(i64::MAX);
            let rows = sql.events_of_org.query().bind(org.as_uuid()).bind(i64::from(*fetch)).bind(after).fetch_all(conn).await?;
            scoped(&rows, |fields| codec::event(fields))
        }
        EventQuery::All { after, fetch } => {
            let fetch = i32::try_from(*fetch).unwrap_or(i32::MAX);
            let rows = sql.feed.query().bind(after.map(|id| id.as_uuid())).bind(fetch).fetch_all(conn).await?;
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
    let invitations = sql.dump_invitations.query().fetch_all(&mut *conn).await?;
    let tuples = sql.dump_tuples.query().fetch_all(&mut *conn).await?;
    let events = sql.dump_events.query().fetch_all(&mut *conn).await?;
    let dump = Dump {
        users: each(&users, |fields| codec::user(fields))?,
        organizations: each(&orgs, |fields| codec::org(fields))?,
        slugs: slugs.iter().map(slug).collect::<Result<_, _>>()?,
        memberships: each(&memberships, |fields| codec::membership(fields))?,
        invitations: each(&invitations, |fields| codec::invitation(fields))?,
        tuples: each(&tuples, |fields| codec::tuple(fields))?,
        system_revision: sql
            .dump_system
            .query()
            .fetch_optional(&mut *conn)
            .await?
            .map(|row| count(&row, 0))
            .transpose()?
            .unwrap_or_default(),
        permissions: each(&sql.dump_permissions.query().fetch_all(&mut *conn).await?, |fields| codec::permission(fields))?
            .into_iter()
            .map(PermissionRow::from)
            .collect(),
        roles: each(&sql.dump_roles.query().fetch_all(&mut *conn).await?, |fields| codec::role(fields))?,
        grants: each(&sql.dump_grants.query().fetch_all(&mut *conn).await?, |fields| codec::grant(fields))?,
        groups: each(&sql.dump_groups.query().fetch_all(&mut *conn).await?, |fields| codec::group(fields))?,
        group_members: each(&sql.dump_group_members.query().fetch_all(&mut *conn).await?, |fields| codec::group_member(fields))?,
        group_roles: each(&sql.dump_group_roles.query().fetch_all(&mut *conn).await?, |fields| codec::group_role(fields))?,
        events: each(&events, |fields| codec::event(fields))?,
        ..Dump::default()
    };
    Ok(dump.sorted())
}
