//! What reads answer, defined by `tenantry_core::State`.

use rusqlite::{ToSql, params};
use tenantry_core::{
    Dump, Event, EventQuery, Expiry, Id, Invitation, InvitationFilter, InvitationId, InvitationQuery, InvitationStatus, Membership,
    MembershipFilter, MembershipId, MembershipQuery, OrgId, OrgQuery, OrgStatus, Organization, PermissionRow, Standing, User, UserId,
    Window, are_live,
};

use crate::access;
use crate::codec::{self, bytes, integer};
use crate::error::Failure;
use crate::session::Session;

pub(crate) fn user(db: &Session, id: UserId) -> Result<Option<User>, Failure> {
    db.first(&db.sql.user_by_id, [bytes(&id)], codec::user)
}

pub(crate) fn org(db: &Session, id: OrgId) -> Result<Option<Organization>, Failure> {
    db.first(&db.sql.org_by_id, [bytes(&id)], codec::org)
}

pub(crate) fn membership(db: &Session, id: MembershipId) -> Result<Option<Membership>, Failure> {
    db.first(&db.sql.membership_by_id, [bytes(&id)], codec::membership)
}

/// The user's row in the organization that is not revoked.
pub(crate) fn current(db: &Session, org: OrgId, usr: UserId) -> Result<Option<Membership>, Failure> {
    db.first(&db.sql.membership_current, [bytes(&org), bytes(&usr)], codec::membership)
}

/// The organization and all above it, root first; nothing when it does not exist.
pub(crate) fn path(db: &Session, id: OrgId) -> Result<Vec<Organization>, Failure> {
    let Some(last) = org(db, id)? else { return Ok(Vec::new()) };
    let mut path = Vec::with_capacity(last.ancestors.len() + 1);
    for id in &last.ancestors {
        path.extend(org(db, *id)?);
    }
    path.push(last);
    Ok(path)
}

/// Whether the organization and all above it are active: what [`path`] would tell, without reading what else they hold.
pub(crate) fn is_live(db: &Session, id: OrgId) -> Result<bool, Failure> {
    let line = |id: OrgId| db.first(&db.sql.org_line, [bytes(&id)], codec::line);
    let Some((ancestors, status)) = line(id)? else { return Ok(false) };
    let mut statuses = vec![status];
    for id in ancestors {
        statuses.extend(line(id)?.map(|(_, status)| status));
    }
    Ok(are_live(statuses))
}

/// A user's place in an organization; the user's own row is looked up once for several.
fn place(db: &Session, row: Option<User>, usr: UserId, org: OrgId) -> Result<Standing, Failure> {
    Ok(Standing { user: row, membership: current(db, org, usr)?, org_live: is_live(db, org)? })
}

pub(crate) fn standing(db: &Session, usr: UserId, org: OrgId) -> Result<Standing, Failure> {
    place(db, user(db, usr)?, usr, org)
}

pub(crate) fn standings(db: &Session, usr: UserId, orgs: &[OrgId]) -> Result<Vec<Standing>, Failure> {
    db.at_one_moment(|| {
        let row = user(db, usr)?;
        orgs.iter().map(|org| place(db, row.clone(), usr, *org)).collect()
    })
}

pub(crate) fn users(db: &Session, ids: Vec<UserId>) -> Result<Vec<User>, Failure> {
    each(db, ids, |id| user(db, id))
}

pub(crate) fn orgs(db: &Session, query: OrgQuery) -> Result<Option<Vec<Organization>>, Failure> {
    match query {
        OrgQuery::Ids(ids) => each(db, ids, |id| org(db, id)).map(Some),
        OrgQuery::Slug(slug) => db.rows(&db.sql.org_by_slug, [slug.as_str()], codec::org).map(Some),
        OrgQuery::Path(id) => db.at_one_moment(|| path(db, id)).map(Some),
        OrgQuery::Children { parent, window } => {
            of_org(db, parent, || db.rows(&db.sql.children, params![bytes(&parent), behind(window), window.fetch], codec::org))
        }
        OrgQuery::Descendants { org, levels, window } => db.at_one_moment(|| {
            let line = db.first(&db.sql.org_line, [bytes(&org)], codec::line)?;
            line.map(|(ancestors, _)| descendants(db, &ancestors, org, levels, window)).transpose()
        }),
        OrgQuery::All { status, contains, window } => {
            let status = status.map(OrgStatus::as_str);
            db.rows(&db.sql.all_orgs, params![status, contains, behind(window), window.fetch], codec::org).map(Some)
        }
    }
}

pub(crate) fn memberships(db: &Session, query: MembershipQuery) -> Result<Option<Vec<Membership>>, Failure> {
    match query {
        MembershipQuery::Ids(ids) => each(db, ids, |id| membership(db, id)).map(Some),
        MembershipQuery::Current { org, usr } => Ok(Some(current(db, org, usr)?.into_iter().collect())),
        MembershipQuery::Siblings(id) => db.at_one_moment(|| siblings(db, id)).map(Some),
        MembershipQuery::OfOrg { org, filter, window } => of_org(db, org, || part(db, &db.sql.members, &org, filter, window)),
        MembershipQuery::OfUser { usr, filter, window } => part(db, &db.sql.memberships_of_user, &usr, filter, window).map(Some),
    }
}

pub(crate) fn invitations(db: &Session, query: &InvitationQuery) -> Result<Option<Vec<Invitation>>, Failure> {
    match query {
        InvitationQuery::Id(id) => db.rows(&db.sql.invitation_by_id, [bytes(id)], codec::invitation).map(Some),
        InvitationQuery::OfOrg { org, filter, window } => {
            of_org(db, *org, || offers(db, &db.sql.invitations_of_org, &bytes(org), *filter, *window))
        }
        InvitationQuery::For { identifier, filter, window } => {
            offers(db, &db.sql.invitations_for, &identifier.as_str(), *filter, *window).map(Some)
        }
    }
}

pub(crate) fn count_members(db: &Session, org: OrgId, filter: Option<MembershipFilter>) -> Result<Option<u64>, Failure> {
    let (status, after, not_after) = predicate(filter);
    of_org(db, org, || {
        let bound = params![bytes(&org), status, after, not_after];
        let count = db.first(&db.sql.count_members, bound, |row| codec::only_count("membership", row))?;
        Ok(count.unwrap_or_default())
    })
}

pub(crate) fn events(db: &Session, query: &EventQuery) -> Result<Option<Vec<Event>>, Failure> {
    match *query {
        EventQuery::OfOrg { org, after, fetch } => {
            of_org(db, org, || db.rows(&db.sql.events_of_org, params![bytes(&org), integer(after), fetch], codec::event))
        }
        EventQuery::Id(id) => db.rows(&db.sql.event_by_id, [bytes(&id)], codec::event).map(Some),
        EventQuery::All { after, fetch } => db.at_one_moment(|| {
            let position = match after {
                Some(id) => db.first(&db.sql.event_position, [bytes(&id)], |row| codec::only_count("event", row))?,
                None => Some(0),
            };
            position.map(|position| db.rows(&db.sql.all_events, params![integer(position), fetch], codec::event)).transpose()
        }),
    }
}

pub(crate) fn dump(db: &Session) -> Result<Dump, Failure> {
    db.at_one_moment(|| {
        let mut events = db.rows(&db.sql.dump_events, [], codec::event)?;
        events.extend(db.rows(&db.sql.dump_store_events, [], codec::event)?);
        let dump = Dump {
            users: db.rows(&db.sql.dump_users, [], codec::user)?,
            system_revision: access::system_revision(db)?,
            permissions: db.rows(&db.sql.dump_permissions, [], codec::permission)?.into_iter().map(PermissionRow::from).collect(),
            roles: db.rows(&db.sql.dump_roles, [], codec::role)?,
            grants: db.rows(&db.sql.dump_grants, [], codec::grant)?,
            groups: db.rows(&db.sql.dump_groups, [], codec::group)?,
            group_members: db.rows(&db.sql.dump_group_members, [], codec::group_member)?,
            group_roles: db.rows(&db.sql.dump_group_roles, [], codec::group_role)?,
            organizations: db.rows(&db.sql.dump_orgs, [], codec::org)?,
            slugs: db.rows(&db.sql.dump_slugs, [], codec::holding)?,
            memberships: db.rows(&db.sql.dump_memberships, [], codec::membership)?,
            invitations: db.rows(&db.sql.dump_invitations, [], codec::invitation)?,
            tuples: db.rows(&db.sql.dump_tuples, [], codec::tuple)?,
            events,
            ..Dump::default()
        };
        Ok(dump.sorted())
    })
}

/// The rows with these ids, as of one moment, in order of id and each once.
fn each<I: Id, T>(db: &Session, mut ids: Vec<I>, read: impl Fn(I) -> Result<Option<T>, Failure>) -> Result<Vec<T>, Failure> {
    ids.sort_unstable();
    ids.dedup();
    let look_up = || ids.iter().filter_map(|id| read(*id).transpose()).collect();
    // One statement is one moment by itself.
    if ids.len() > 1 { db.at_one_moment(look_up) } else { look_up() }
}

/// What an organization has; nothing when it does not exist.
fn of_org<T>(db: &Session, org: OrgId, read: impl FnOnce() -> Result<T, Failure>) -> Result<Option<T>, Failure> {
    db.at_one_moment(|| {
        let there = db.first(&db.sql.org_revision, [bytes(&org)], |_| Ok(()))?;
        there.map(|()| read()).transpose()
    })
}

/// A part of what is below an organization with these ancestors.
fn descendants(
    db: &Session,
    ancestors: &[OrgId],
    org: OrgId,
    levels: Option<u8>,
    window: Window<OrgId>,
) -> Result<Vec<Organization>, Failure> {
    let from: Vec<u8> = ancestors.iter().chain([&org]).flat_map(bytes).collect();
    // No id is as high as this.
    let to = [from.as_slice(), &[u8::MAX; 16]].concat();
    let most = levels.and_then(|levels| u64::try_from(from.len()).ok().map(|from| from + 16 * (u64::from(levels) - 1)));
    db.rows(&db.sql.descendants, params![from, to, most.map(integer), behind(window), window.fetch], codec::org)
}

fn siblings(db: &Session, id: MembershipId) -> Result<Vec<Membership>, Failure> {
    match membership(db, id)? {
        Some(mem) => db.rows(&db.sql.membership_siblings, [bytes(&mem.usr_id), bytes(&mem.org_id)], codec::membership),
        None => Ok(Vec::new()),
    }
}

/// A part of the memberships of an organization or user.
fn part(
    db: &Session,
    sql: &str,
    owner: &impl Id,
    filter: Option<MembershipFilter>,
    window: Window<MembershipId>,
) -> Result<Vec<Membership>, Failure> {
    let (status, after, not_after) = predicate(filter);
    db.rows(sql, params![bytes(owner), status, after, not_after, behind(window), window.fetch], codec::membership)
}

/// A part of the invitations of an organization or for an identifier.
fn offers(
    db: &Session,
    sql: &str,
    owner: &dyn ToSql,
    filter: Option<InvitationFilter>,
    window: Window<InvitationId>,
) -> Result<Vec<Invitation>, Failure> {
    let InvitationFilter { pending, stored } = filter.unwrap_or(InvitationFilter { pending: None, stored: None });
    let (after, not_after) = end(pending);
    let bound = params![owner, after, not_after, stored.map(InvitationStatus::as_str), filter.is_none(), behind(window), window.fetch];
    db.rows(sql, bound, codec::invitation)
}

/// The id behind which a list starts; the empty blob is below every id.
pub(crate) fn behind<I: Id>(window: Window<I>) -> Vec<u8> {
    window.after.map_or_else(Vec::new, |id| bytes(&id).to_vec())
}

/// The stored status, and how the end must lie.
fn predicate(filter: Option<MembershipFilter>) -> (Option<&'static str>, Option<i64>, Option<i64>) {
    let Some(MembershipFilter { stored, expiry }) = filter else { return (None, None, None) };
    let (after, not_after) = end(expiry);
    (Some(stored.as_str()), after, not_after)
}

/// The moment behind which an end must lie, and the moment that it must not lie behind.
fn end(expiry: Option<Expiry>) -> (Option<i64>, Option<i64>) {
    match expiry {
        None => (None, None),
        Some(Expiry::After(now)) => (Some(now.as_micros()), None),
        Some(Expiry::NotAfter(now)) => (None, Some(now.as_micros())),
    }
}
