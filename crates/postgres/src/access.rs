//! Roles, what they grant, overrides, groups and the catalog: what commands load and reads answer, defined by `tenantry_core::State`.

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};
use tenantry_core::{
    Access, AccessFound, AccessQuery, Facts, FactsQuery, Found, Holder, Id, ImportIds, Line, OrgId, PermissionSlug, RoleDefinition,
    RoleSlug, RoleUsage, Snapshot, Timestamp, UserId, Window,
};
use uuid::Uuid;

use crate::codec::{self, Columns, PgMoment, record};
use crate::error::{Failure, unreadable};
use crate::list;
use crate::statements::Statements;

/// The organization's line, with the roles of these slugs; without an organization, those of the system.
pub(crate) async fn line(sql: &Statements, conn: &mut PgConnection, org: Option<OrgId>, slugs: &[RoleSlug]) -> Result<Line, Failure> {
    line_of(&line_rows(sql, conn, org, slugs).await?)
}

pub(crate) async fn line_rows(
    sql: &Statements,
    conn: &mut PgConnection,
    org: Option<OrgId>,
    slugs: &[RoleSlug],
) -> Result<Vec<PgRow>, Failure> {
    let slugs: Vec<&str> = slugs.iter().map(RoleSlug::as_str).collect();
    Ok(sql.line.query().bind(org.map(|org| org.as_uuid())).bind(slugs).fetch_all(conn).await?)
}

pub(crate) fn line_of(rows: &[PgRow]) -> Result<Line, Failure> {
    let mut line = Line::default();
    for row in rows {
        let org: Option<Uuid> = row.try_get(1)?;
        let revision = list::count(row, 2)?;
        match org {
            Some(org) => {
                let place = (codec::id("organization", org)?, revision, list::count(row, 3)?);
                if line.orgs.last() != Some(&place) {
                    line.orgs.push(place);
                }
            }
            None => line.system_revision = revision,
        }
        line.roles.extend(record(row, 4, codec::role)?);
    }
    line.roles.sort_by_key(|role| role.id);
    line.roles.dedup_by_key(|role| role.id);
    Ok(line)
}

/// What concerns access of the rows of an import, behind the organizations and the relations that were found. One statement for each
/// kind of row that is asked for.
pub(crate) async fn found(
    sql: &Statements,
    conn: &mut PgConnection,
    ids: &ImportIds,
    at: PgMoment,
    found: &mut Found,
) -> Result<(), Failure> {
    let texts = |slugs: &[RoleSlug]| slugs.iter().map(ToString::to_string).collect::<Vec<String>>();
    if !ids.permissions.is_empty() {
        let slugs: Vec<&str> = ids.permissions.iter().map(PermissionSlug::as_str).collect();
        let rows = sql.permissions_by_slug.query().bind(slugs).fetch_all(&mut *conn).await?;
        found.permissions = rows.iter().map(|row| codec::permission(&mut Columns::from(row, 0))).collect::<Result<_, _>>()?;
    }
    let slugs: Vec<RoleSlug> = ids.role_slugs.iter().copied().chain(found.relations.iter().map(|(_, slug)| *slug)).collect();
    if !(ids.roles.is_empty() && slugs.is_empty()) {
        let orgs: Vec<Uuid> = found.orgs.iter().map(|org| org.id.as_uuid()).collect();
        let asked = sql.roles_by_key.query().bind(list::uuids(&ids.roles)).bind(texts(&slugs)).bind(orgs);
        let rows = asked.fetch_all(&mut *conn).await?;
        found.roles = rows.iter().map(|row| codec::role(&mut Columns::from(row, 0))).collect::<Result<_, _>>()?;
    }
    if !ids.system_slugs.is_empty() {
        let rows = sql.stored_relations.query().bind(texts(&ids.system_slugs)).bind(at).fetch_all(&mut *conn).await?;
        for row in &rows {
            found.stored_relations.extend(RoleSlug::parse(row.try_get(0)?));
        }
    }
    if !ids.grants.is_empty() {
        let holders = |value: fn(Holder) -> Uuid| ids.grants.iter().map(|(holder, _)| value(*holder)).collect::<Vec<Uuid>>();
        let types: Vec<&str> = ids.grants.iter().map(|(holder, _)| holder.kind()).collect();
        let slugs: Vec<&str> = ids.grants.iter().map(|(_, slug)| slug.as_str()).collect();
        let asked = sql.grants_by_key.query().bind(types).bind(holders(Holder::uuid)).bind(slugs);
        let rows = asked.fetch_all(&mut *conn).await?;
        found.grants = rows.iter().map(|row| codec::grant(&mut Columns::from(row, 0))).collect::<Result<_, _>>()?;
    }
    if !ids.groups.is_empty() {
        let rows = sql.groups_by_id.query().bind(list::uuids(&ids.groups)).fetch_all(&mut *conn).await?;
        found.groups = rows.iter().map(|row| codec::group(&mut Columns::from(row, 0))).collect::<Result<_, _>>()?;
        let rows = sql.group_roles_of.query().bind(list::uuids(&ids.groups)).fetch_all(&mut *conn).await?;
        found.group_roles = rows.iter().map(|row| codec::group_role(&mut Columns::from(row, 0))).collect::<Result<_, _>>()?;
    }
    if !ids.group_members.is_empty() {
        let (groups, users): (Vec<Uuid>, Vec<Uuid>) = ids.group_members.iter().map(|(group, usr)| (group.as_uuid(), usr.as_uuid())).unzip();
        let rows = sql.group_members_by_key.query().bind(groups).bind(users).fetch_all(&mut *conn).await?;
        found.group_members = rows.iter().map(|row| codec::group_member(&mut Columns::from(row, 0))).collect::<Result<_, _>>()?;
    }
    Ok(())
}

/// Roles of the system with what they grant, and the whole catalog.
pub(crate) fn granted(rows: &[PgRow], seen: &mut Snapshot) -> Result<(), Failure> {
    let mut line = Line::default();
    for row in rows {
        line.system_revision = list::count(row, 1)?;
        line.roles.extend(record(row, 2, codec::role)?);
        seen.permissions.extend(record(row, 3, codec::permission)?);
        seen.access.grants.extend(record(row, 4, codec::grant)?);
    }
    line.roles.sort_by_key(|role| role.id);
    seen.permissions.sort_by(|one, other| one.slug.cmp(&other.slug));
    seen.access.grants.sort_by(|one, other| (one.holder, &one.permission).cmp(&(other.holder, &other.permission)));
    seen.system_revision = line.system_revision;
    seen.line = Some(line);
    Ok(())
}

/// What stands behind the standing in the rows of `load_access`.
pub(crate) fn loaded(rows: &[PgRow], first: &PgRow, from: usize, has_role: bool, seen: &mut Snapshot) -> Result<(), Failure> {
    let count = |at: usize| list::count(first, from + at);
    let role = record(first, from, codec::role)?;
    let usage = RoleUsage { memberships: count(6)?, invitations: count(7)?, groups: count(8)? };
    let (lapsed, role_grants) = (count(9)?, count(10)?);
    let is_there = role.is_some();
    let group = record(first, from + 2, codec::group)?;
    let mut access = Access {
        other_role: record(first, from + 1, codec::role)?,
        // Of a role without a row nothing is counted.
        usage: if is_there { usage } else { RoleUsage::default() },
        lapsed: if is_there { lapsed } else { 0 },
        role_grants: if is_there { role_grants } else { 0 },
        role,
        slug_taken: first.try_get(from + 11)?,
        stored_relation: first.try_get(from + 12)?,
        group_size: if group.is_some() { (count(13)?, count(14)?) } else { (0, 0) },
        group,
        group_member: record(first, from + 15, codec::group_member)?,
        group_role: record(first, from + 16, codec::group_role)?.filter(|_| has_role),
        ..Access::default()
    };
    seen.membership = record(first, from + 3, codec::membership)?;
    seen.org = record(first, from + 4, codec::org)?;
    seen.peer = record(first, from + 5, codec::membership)?;
    seen.system_revision = count(17)?;
    seen.structure = record(first, from + 20, codec::structure)?;
    for row in rows {
        seen.permissions.extend(record(row, from + 18, codec::permission)?);
        access.grants.extend(record(row, from + 19, codec::grant)?);
    }
    *seen.access = access;
    Ok(())
}

/// The rows that resolutions rest on, in one statement.
pub(crate) async fn facts(sql: &Statements, conn: &mut PgConnection, query: &FactsQuery) -> Result<Facts, Failure> {
    let FactsQuery { asks, permissions, below, grantors, roles, groups, only_revisions, holding, resolving } = query;
    if *below == 0 && !holding.is_empty() {
        return holding_each(sql, conn, holding).await;
    }
    if *below == 0 && *resolving {
        return resolving_each(sql, conn, asks).await;
    }
    if *below == 0 && *only_revisions {
        return revisions_each(sql, conn, asks).await;
    }
    let is_named = !(roles.is_empty() && groups.is_empty());
    let none: Option<Vec<PermissionSlug>> = Some(Vec::new());
    // Where memberships below count, all but what is granted is read.
    let permissions = if *only_revisions { &none } else { permissions };
    // With names, what is granted beside them does no harm.
    let statement = match (permissions.is_some() && !(is_named && *below > 0), *below > 0, grantors) {
        (true, false, _) if is_named => &sql.facts_some_named,
        (_, false, _) if is_named => &sql.facts_all_named,
        (_, true, _) if is_named => &sql.facts_all_below_named,
        (true, false, true) => &sql.facts_why,
        (true, true, true) => &sql.facts_why_below,
        (true, false, false) => &sql.facts_some,
        (true, true, false) => &sql.facts_some_below,
        (false, false, _) => &sql.facts_all,
        (false, true, _) => &sql.facts_all_below,
    };
    let (users, orgs): (Vec<Uuid>, Vec<Uuid>) = asks.iter().map(|(usr, org)| (usr.as_uuid(), org.as_uuid())).unzip();
    let slugs: Option<Vec<&str>> = permissions.as_ref().map(|slugs| slugs.iter().map(PermissionSlug::as_str).collect());
    let mut asked = statement.query().bind(users).bind(orgs);
    if let Some(slugs) = slugs.filter(|_| !(is_named && *below > 0)) {
        asked = asked.bind(slugs);
    }
    if *below > 0 {
        asked = asked.bind(i32::try_from(*below).unwrap_or(i32::MAX));
    }
    if is_named {
        asked = asked.bind(list::uuids(roles)).bind(list::uuids(groups));
    }
    let mut facts = Facts::default();
    for row in &asked.fetch_all(conn).await? {
        codec::fact(row, &mut facts)?;
    }
    Ok(facts)
}

/// What tells whether users hold one permission each, in one statement.
async fn holding_each(sql: &Statements, conn: &mut PgConnection, asks: &[(UserId, OrgId, PermissionSlug)]) -> Result<Facts, Failure> {
    let (mut facts, mut alone) = (Facts::default(), Vec::new());
    if let [ask] = asks {
        let (usr, org, permission) = ask;
        let asked = sql.holding.query().bind(usr.as_uuid()).bind(org.as_uuid()).bind(permission.as_str());
        for row in &asked.fetch_all(conn).await? {
            codec::holding(row, 0, ask, &mut facts, &mut alone)?;
        }
    } else {
        let users: Vec<Uuid> = asks.iter().map(|(usr, ..)| usr.as_uuid()).collect();
        let orgs: Vec<Uuid> = asks.iter().map(|(_, org, _)| org.as_uuid()).collect();
        let slugs: Vec<&str> = asks.iter().map(|(.., slug)| slug.as_str()).collect();
        for row in &sql.holding_each.query().bind(users).bind(orgs).bind(slugs).fetch_all(conn).await? {
            codec::holding(row, 1, in_place(asks, row)?, &mut facts, &mut alone)?;
        }
    }
    // What such a one passes on is asked of those below it alone, and then their rows have told it.
    for org in alone {
        facts.add_org_above(codec::place(org, false));
    }
    Ok(facts)
}

/// What tells everything that users may do, in one statement.
async fn resolving_each(sql: &Statements, conn: &mut PgConnection, asks: &[(UserId, OrgId)]) -> Result<Facts, Failure> {
    let mut facts = Facts::default();
    if let &[(usr, org)] = asks {
        for row in &sql.resolving.query().bind(usr.as_uuid()).bind(org.as_uuid()).fetch_all(conn).await? {
            codec::resolving(row, 0, (usr, org), &mut facts)?;
        }
        return Ok(facts);
    }
    let (users, orgs): (Vec<Uuid>, Vec<Uuid>) = asks.iter().map(|(usr, org)| (usr.as_uuid(), org.as_uuid())).unzip();
    let none: Vec<&str> = Vec::new();
    for row in &sql.resolving_each.query().bind(users).bind(orgs).bind(none).fetch_all(conn).await? {
        codec::resolving(row, 1, *in_place(asks, row)?, &mut facts)?;
    }
    Ok(facts)
}

/// What tokens are made of, in one statement.
async fn revisions_each(sql: &Statements, conn: &mut PgConnection, asks: &[(UserId, OrgId)]) -> Result<Facts, Failure> {
    let mut facts = Facts::default();
    if let &[(usr, org)] = asks {
        for row in &sql.revisions.query().bind(usr.as_uuid()).bind(org.as_uuid()).fetch_all(conn).await? {
            codec::revisions(row, 0, Some(usr), &mut facts)?;
        }
        return Ok(facts);
    }
    let (users, orgs): (Vec<Uuid>, Vec<Uuid>) = asks.iter().map(|(usr, org)| (usr.as_uuid(), org.as_uuid())).unzip();
    for row in &sql.revisions_each.query().bind(users).bind(orgs).fetch_all(conn).await? {
        // Those above the organizations that are asked about have no place among the asks.
        let usr = if row.try_get::<Option<i64>, _>(0)?.is_some() { Some(in_place(asks, row)?.0) } else { None };
        codec::revisions(row, 1, usr, &mut facts)?;
    }
    Ok(facts)
}

/// What a row is about, of these; its place among them, from one, is its first column.
fn in_place<'a, T>(asks: &'a [T], row: &PgRow) -> Result<&'a T, Failure> {
    let place = usize::try_from(list::count(row, 0)?).unwrap_or(usize::MAX);
    let ask = place.checked_sub(1).and_then(|place| asks.get(place));
    ask.ok_or_else(|| unreadable("permission_grant", "unknown", "a row about nothing that was asked"))
}

/// A window's start and length, where no id is below the lowest one.
fn part<I: Id>(window: &Window<I>) -> (Uuid, i64) {
    (window.after.map_or(Uuid::nil(), |after| after.as_uuid()), i64::from(window.fetch))
}

/// A role with what it grants, from a column on.
fn role(row: &PgRow, at: usize) -> Result<RoleDefinition, Failure> {
    let role = codec::role(&mut Columns::from(row, at))?;
    Ok(RoleDefinition { permissions: codec::slugs(&row.try_get::<Vec<String>, _>(at + 8)?)?, ..role })
}

/// Whether a column, which is never null in a row of its table, is there: the other side of an outer join may be missing.
fn is_there(row: &PgRow, at: usize) -> Result<bool, Failure> {
    Ok(row.try_get::<Option<Uuid>, _>(at)?.is_some())
}

pub(crate) async fn read(sql: &Statements, conn: &mut PgConnection, query: &AccessQuery, at: Timestamp) -> Result<AccessFound, Failure> {
    let at = PgMoment(at);
    let mut found = AccessFound { there: true, ..AccessFound::default() };
    match query {
        AccessQuery::Permissions { after, fetch } => {
            let after = after.as_ref().map_or("", PermissionSlug::as_str);
            let rows = sql.permissions.query().bind(i64::from(*fetch)).bind(after).fetch_all(conn).await?;
            found.permissions = rows.iter().map(|row| codec::permission(&mut Columns::from(row, 0))).collect::<Result<_, _>>()?;
        }
        AccessQuery::Role(id) => {
            let rows = sql.role_by_id.query().bind(id.as_uuid()).bind(at).fetch_all(conn).await?;
            found.roles = rows.iter().map(|row| role(row, 0)).collect::<Result<_, _>>()?;
            found.there = !found.roles.is_empty();
            found.org_id = found.roles.first().and_then(|role| role.org_id);
        }
        AccessQuery::Roles { org, window } => {
            let (after, limit) = part(window);
            let asked = sql.roles_known.query().bind(org.map(|org| org.as_uuid())).bind(limit).bind(after).bind(at);
            let rows = asked.fetch_all(conn).await?;
            found.there = rows.first().map(|row| row.try_get(0)).transpose()?.unwrap_or_default();
            found.org_id = *org;
            for row in &rows {
                if found.there && is_there(row, 1)? {
                    found.roles.push(role(row, 1)?);
                }
            }
        }
        AccessQuery::Group(id) => {
            let rows = sql.group_by_id.query().bind(id.as_uuid()).fetch_all(conn).await?;
            found.groups = rows.iter().map(|row| codec::group(&mut Columns::from(row, 0))).collect::<Result<_, _>>()?;
            found.there = !found.groups.is_empty();
            found.org_id = found.groups.first().map(|group| group.org_id);
        }
        AccessQuery::Groups { org, window } => {
            let (after, limit) = part(window);
            let rows = sql.groups.query().bind(org.as_uuid()).bind(limit).bind(after).fetch_all(conn).await?;
            found.there = rows.first().map(|row| row.try_get(0)).transpose()?.unwrap_or_default();
            found.org_id = Some(*org);
            for row in &rows {
                if is_there(row, 1)? {
                    found.groups.push(codec::group(&mut Columns::from(row, 1))?);
                }
            }
        }
        AccessQuery::GroupMembers { group, window } => {
            let (after, limit) = part(window);
            let rows = sql.group_members.query().bind(group.as_uuid()).bind(limit).bind(after).fetch_all(conn).await?;
            of_group(&rows, &mut found)?;
            for row in &rows {
                if is_there(row, 1)? {
                    found.members.push(codec::group_member(&mut Columns::from(row, 1))?);
                }
            }
        }
        AccessQuery::GroupRoles { group, window } => {
            let (after, limit) = part(window);
            let rows = sql.group_roles.query().bind(group.as_uuid()).bind(limit).bind(after).fetch_all(conn).await?;
            of_group(&rows, &mut found)?;
            for row in &rows {
                if is_there(row, 1)? {
                    found.group_roles.push(codec::group_role(&mut Columns::from(row, 1))?);
                }
            }
        }
        AccessQuery::Grants { holder, after, fetch } => {
            let after = after.as_ref().map_or("", PermissionSlug::as_str);
            let asked = sql.grants.query().bind(holder.kind()).bind(holder.uuid()).bind(i64::from(*fetch)).bind(after);
            let rows = asked.fetch_all(conn).await?;
            let first = rows.first().map(|row| Ok::<_, Failure>((row.try_get(0)?, row.try_get(1)?))).transpose()?;
            let (there, org): (bool, Option<Uuid>) = first.unwrap_or_default();
            (found.there, found.org_id) = (there, org.map(|org| codec::id("organization", org)).transpose()?);
            for row in &rows {
                if is_there(row, 2)? {
                    found.grants.push(codec::grant(&mut Columns::from(row, 2))?);
                }
            }
        }
        AccessQuery::UsersAbout { org, below, window } => {
            let (after, limit) = part(window);
            let asked = sql.users_about.query().bind(org.as_uuid()).bind(limit).bind(after);
            let rows = asked.bind(i32::try_from(*below).unwrap_or(i32::MAX)).fetch_all(conn).await?;
            found.there = rows.first().map(|row| row.try_get(0)).transpose()?.unwrap_or_default();
            found.org_id = Some(*org);
            for row in &rows {
                let usr: Option<Uuid> = row.try_get(1)?;
                found.users.extend(usr.map(|usr| codec::id::<UserId>("membership", usr)).transpose()?);
            }
        }
        AccessQuery::PairsWithin { .. } => pairs_within(sql, conn, query, &mut found).await?,
        AccessQuery::OrgsAbout { usr, above, window } => {
            let (after, limit) = part(window);
            let asked = sql.orgs_about.query().bind(usr.as_uuid()).bind(limit).bind(after);
            let rows = asked.bind(i32::try_from(*above).unwrap_or(i32::MAX)).fetch_all(conn).await?;
            found.orgs = rows.iter().map(|row| codec::id("organization", row.try_get(0)?)).collect::<Result<_, _>>()?;
        }
    }
    Ok(found)
}

/// Organizations, and users in them: first, by a row without either, whether there is what was asked about.
async fn pairs_within(sql: &Statements, conn: &mut PgConnection, query: &AccessQuery, found: &mut AccessFound) -> Result<(), Failure> {
    let AccessQuery::PairsWithin { org, also, below, after, orgs, fetch } = query else { return Ok(()) };
    let (from, behind) = after.map_or((Uuid::nil(), Uuid::nil()), |(org, usr)| (org.as_uuid(), usr.as_uuid()));
    let statement = if *below > 0 { &sql.pairs_within_below } else { &sql.pairs_within };
    let asked = statement.query().bind(org.as_uuid()).bind(from).bind(behind).bind(i64::from(*orgs));
    let mut asked = asked.bind(i64::from(*fetch)).bind(also.map(|also| also.as_uuid()));
    if *below > 0 {
        asked = asked.bind(i32::try_from(*below).unwrap_or(i32::MAX));
    }
    let rows = asked.fetch_all(conn).await?;
    found.org_id = Some(*org);
    found.there = !rows.is_empty();
    for row in &rows {
        let (org, usr): (Option<Uuid>, Option<Uuid>) = (row.try_get(1)?, row.try_get(2)?);
        let Some(org) = org.map(|org| codec::id("organization", org)).transpose()? else { continue };
        match usr {
            Some(usr) => found.pairs.push((org, codec::id::<UserId>("membership", usr)?)),
            None => found.orgs.push(org),
        }
    }
    found.orgs.sort_unstable();
    found.pairs.sort_unstable();
    Ok(())
}

/// The group that a list is of: its organization stands first in each of the rows.
fn of_group(rows: &[PgRow], found: &mut AccessFound) -> Result<(), Failure> {
    let org = rows.first().map(|row| row.try_get::<Uuid, _>(0)).transpose()?;
    found.org_id = org.map(|org| codec::id("organization", org)).transpose()?;
    found.there = found.org_id.is_some();
    Ok(())
}
