//! Roles, what they grant, overrides, groups and the catalog: what commands load and reads answer, defined by `tenantry_core::State`.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use rusqlite::{CachedStatement, ToSql, params};
use tenantry_core::{
    Access, AccessFound, AccessQuery, Effect, Facts, FactsQuery, Found, GroupId, Holder, Id, ImportIds, Line, MembershipId, Moving, OrgId,
    Organization, PermissionSlug, Role, RoleDefinition, RoleFacts, RoleId, RoleSlug, RoleUsage, Snapshot, Timestamp, UserId, Wants, Window,
};

use crate::codec::{self, bytes, scope};
use crate::error::Failure;
use crate::list;
use crate::session::Session;

/// A holder as it is stored.
pub(crate) fn held_by(holder: Holder) -> (&'static str, [u8; 16]) {
    (holder.kind(), holder.uuid().into_bytes())
}

/// What is stored beside a role's id: nothing for a built-in one.
pub(crate) fn own_slug(role: &Role) -> Option<&str> {
    role.custom().map(|role| role.slug.as_str())
}

fn count(db: &Session, sql: &str, params: impl rusqlite::Params) -> Result<u64, Failure> {
    Ok(db.first(sql, params, |row| codec::only_count("permission_grant", row))?.unwrap_or_default())
}

pub(crate) fn system_revision(db: &Session) -> Result<u64, Failure> {
    let revision = db.first(&db.sql.system_revision, [], |row| codec::only_count("system", row))?;
    revision.ok_or_else(|| Failure::inconsistent("system", "1"))
}

pub(crate) fn member_groups(db: &Session, org: OrgId, usr: Option<UserId>) -> Result<u64, Failure> {
    match usr {
        Some(usr) => count(db, &db.sql.member_group_count, [bytes(&org), bytes(&usr)]),
        None => count(db, &db.sql.org_group_member_count, [bytes(&org)]),
    }
}

pub(crate) fn overrides(db: &Session, mem: MembershipId) -> Result<u64, Failure> {
    grant_count(db, Holder::Membership(mem))
}

fn grant_count(db: &Session, holder: Holder) -> Result<u64, Failure> {
    let (kind, id) = held_by(holder);
    count(db, &db.sql.grant_count, params![kind, id])
}

/// The organization's line, with the roles of these slugs; without an organization, those of the system.
pub(crate) fn line(db: &Session, org: Option<OrgId>, slugs: &[RoleSlug]) -> Result<Line, Failure> {
    let path = org.map_or(Ok(Vec::new()), |org| list::path(db, org))?;
    let mut roles = Vec::new();
    for place in path.iter().map(|org| Some(org.id)).chain([None]) {
        for slug in slugs {
            roles.extend(db.first(&db.sql.role_by_slug, params![scope(place), slug.as_str()], codec::role)?);
        }
    }
    roles.sort_by_key(|role| role.id);
    roles.dedup_by_key(|role| role.id);
    let orgs = path.iter().map(|org| (org.id, org.revision, org.structure_revision)).collect();
    Ok(Line { orgs, system_revision: system_revision(db)?, roles })
}

fn role(db: &Session, id: RoleId) -> Result<Option<RoleDefinition>, Failure> {
    db.first(&db.sql.role_by_id, [bytes(&id)], codec::role)
}

pub(crate) fn load(db: &Session, wants: &Wants, at: Timestamp, seen: &mut Snapshot) -> Result<Option<OrgId>, Failure> {
    let mut access = Access {
        role: wants.role.map_or(Ok(None), |id| role(db, id))?,
        other_role: wants.other_role.map_or(Ok(None), |id| role(db, id))?,
        group: wants.group.map_or(Ok(None), |id| db.first(&db.sql.group_by_id, [bytes(&id)], codec::group))?,
        ..Access::default()
    };
    seen.membership = wants.membership.map_or(Ok(None), |id| list::membership(db, id))?;
    let of_role = access.role.as_ref().and_then(|role| role.org_id);
    let of_group = access.group.as_ref().map(|group| group.org_id);
    let place = wants.org.or(of_group).or(seen.membership.as_ref().map(|mem| mem.org_id)).or(of_role);
    seen.org = place.map_or(Ok(None), |org| list::org(db, org))?;
    seen.structure = structure(db, seen.org.as_ref())?;
    if let Some(id) = access.role.as_ref().map(|role| role.id) {
        let bound = params![bytes(&id), at.as_micros()];
        access.usage = RoleUsage {
            memberships: count(db, &db.sql.role_memberships, [bytes(&id)])?,
            invitations: count(db, &db.sql.role_invitations, bound)?,
            groups: count(db, &db.sql.role_groups, bound)?,
        };
        access.lapsed = count(db, &db.sql.role_groups_lapsed, bound)?;
        access.role_grants = grant_count(db, Holder::Role(id))?;
    }
    if let Some(slug) = wants.new_role {
        access.slug_taken = db.first(&db.sql.role_by_slug, params![scope(wants.org), slug.as_str()], codec::role)?.is_some();
        access.stored_relation = is_stored_relation(db, wants.org, slug, at)?;
    }
    if let (Some(slug), Some(org)) = (&wants.new_group, wants.org) {
        access.slug_taken = db.holds(&db.sql.group_is_there, params![bytes(&org), slug.as_str()])?;
    }
    if let Some(id) = access.group.as_ref().map(|group| group.id) {
        let size = (count(db, &db.sql.group_member_count, [bytes(&id)])?, count(db, &db.sql.group_role_count, [bytes(&id)])?);
        access.group_size = size;
        if let Some(role) = wants.role {
            access.group_role = db.first(&db.sql.group_role, [bytes(&id), bytes(&role)], codec::group_role)?;
        }
        if let (Some(usr), Some(org)) = (wants.user, place) {
            access.group_member = db.first(&db.sql.group_member, [bytes(&org), bytes(&usr), bytes(&id)], codec::group_member)?;
        }
    }
    if let (Some(usr), Some(org)) = (wants.user, place) {
        seen.peer = list::current(db, org, usr)?;
    }
    let of_mem = || wants.membership.map(Holder::Membership);
    let holder = wants.role.map(Holder::Role).or_else(of_mem).or_else(|| wants.org.map(Holder::Organization));
    if let Some((kind, id)) = holder.map(held_by) {
        for slug in &wants.permissions {
            access.grants.extend(db.first(&db.sql.grant_in_place, params![kind, id, slug.as_str()], codec::grant)?);
        }
        access.grants.sort_by(|one, other| one.permission.cmp(&other.permission));
        access.grants.dedup_by(|one, other| one.permission == other.permission);
    }
    catalog(db, &wants.permissions, seen)?;
    *seen.access = access;
    Ok(place)
}

/// The root of an organization's tree, and the revision of its structure.
pub(crate) fn structure(db: &Session, org: Option<&Organization>) -> Result<Option<(OrgId, u64)>, Failure> {
    let Some(org) = org else { return Ok(None) };
    let root = match org.ancestors.first() {
        Some(root) => list::org(db, *root)?,
        None => Some(org.clone()),
    };
    Ok(root.map(|root| (root.id, root.structure_revision)))
}

/// What moving an organization relies on.
pub(crate) fn moving(db: &Session, org: OrgId, parent: Option<OrgId>, at: Timestamp, seen: &mut Snapshot) -> Result<(), Failure> {
    seen.org = list::org(db, org)?;
    let Some(moved) = &seen.org else { return Ok(()) };
    let is_within = |id: OrgId| Ok::<_, Failure>(id == org || list::org(db, id)?.is_some_and(|lower| lower.ancestors.contains(&org)));
    let mut homes = Vec::new();
    for home in &moved.ancestors {
        let place = |row: &rusqlite::Row<'_>| codec::only_id::<OrgId>("membership", row);
        let mut places = db.rows(&db.sql.orgs_holding, [bytes(home)], place)?;
        places.extend(db.rows(&db.sql.orgs_offering, params![bytes(home), at.as_micros()], place)?);
        places.extend(db.rows(&db.sql.orgs_teaming, params![bytes(home), at.as_micros()], place)?);
        places.sort_unstable();
        places.dedup();
        for place in places {
            if is_within(place)? {
                homes.push(*home);
                break;
            }
        }
    }
    homes.sort_unstable();
    let parent = parent.map_or(Ok(None), |parent| list::org(db, parent))?;
    let to = structure(db, parent.as_ref())?;
    let path = parent.as_ref().map_or(Ok(Vec::new()), |parent| list::path(db, parent.id))?;
    let above: Vec<(OrgId, u64)> = path.iter().map(|org| (org.id, org.revision)).collect();
    let mut clashes = false;
    for (above, _) in &above {
        for role in db.rows(&db.sql.slugs_of_roles, [bytes(above)], codec::role)? {
            clashes = clashes || is_stored_relation(db, Some(org), role.slug, at)?;
        }
    }
    let extent = db.first(&db.sql.extent, [bytes(&org)], |row| Ok((row.get::<_, u32>(0)?, u64::from(row.get::<_, u32>(1)?))))?;
    let (levels, size) = extent.unwrap_or_default();
    let levels = usize::try_from(levels).unwrap_or(usize::MAX);
    seen.moving = Some(Box::new(Moving { parent, size, levels, from: structure(db, Some(moved))?, to, above, homes, clashes }));
    Ok(())
}

pub(crate) fn catalog(db: &Session, slugs: &[PermissionSlug], seen: &mut Snapshot) -> Result<(), Failure> {
    for slug in slugs {
        seen.permissions.extend(db.first(&db.sql.permission_by_slug, [slug.as_str()], codec::permission)?);
    }
    seen.permissions.sort_by(|one, other| one.slug.cmp(&other.slug));
    seen.permissions.dedup_by(|one, other| one.slug == other.slug);
    seen.system_revision = system_revision(db)?;
    Ok(())
}

/// What concerns access of the rows of an import, behind the organizations and the relations that were found.
pub(crate) fn found(db: &Session, ids: &ImportIds, at: Timestamp, found: &mut Found) -> Result<(), Failure> {
    for slug in &ids.permissions {
        found.permissions.extend(db.first(&db.sql.permission_by_slug, [slug.as_str()], codec::permission)?);
    }
    for id in &ids.roles {
        found.roles.extend(role(db, *id)?);
    }
    let slugs: BTreeSet<RoleSlug> = ids.role_slugs.iter().copied().chain(found.relations.iter().map(|(_, slug)| *slug)).collect();
    for slug in &slugs {
        found.roles.extend(db.first(&db.sql.role_by_slug, params![scope(None), slug.as_str()], codec::role)?);
    }
    if !slugs.is_empty() {
        for org in &found.orgs {
            let roles = db.rows(&db.sql.slugs_of_roles, [bytes(&org.id)], codec::role)?;
            found.roles.extend(roles.into_iter().filter(|role| slugs.contains(&role.slug)));
        }
    }
    for slug in &ids.system_slugs {
        if is_stored_relation(db, None, *slug, at)? {
            found.stored_relations.push(*slug);
        }
    }
    for (holder, slug) in &ids.grants {
        let (kind, id) = held_by(*holder);
        found.grants.extend(db.first(&db.sql.grant_in_place, params![kind, id, slug.as_str()], codec::grant)?);
    }
    for id in &ids.groups {
        found.groups.extend(db.first(&db.sql.group_by_id, [bytes(id)], codec::group)?);
        found.group_roles.extend(db.rows(&db.sql.group_roles, params![bytes(id), behind(None::<&RoleId>), u32::MAX], codec::group_role)?);
    }
    for (group, usr) in &ids.group_members {
        found.group_members.extend(db.first(&db.sql.member_of_group, [bytes(group), bytes(usr)], codec::group_member)?);
    }
    Ok(())
}

/// The whole catalog, and what these roles grant.
pub(crate) fn granted(db: &Session, roles: &[RoleDefinition], seen: &mut Snapshot) -> Result<(), Failure> {
    seen.permissions = db.rows(&db.sql.permissions, params!["", u32::MAX], codec::permission)?;
    for role in roles {
        let (kind, id) = held_by(Holder::Role(role.id));
        seen.access.grants.extend(db.rows(&db.sql.grants, params![kind, id, "", u32::MAX], codec::grant)?);
    }
    Ok(())
}

/// Whether a stored tuple has this relation to an organization, or to one below it; without one, to any.
fn is_stored_relation(db: &Session, org: Option<OrgId>, slug: RoleSlug, at: Timestamp) -> Result<bool, Failure> {
    let lines = db.rows(&db.sql.orgs_in_relation, params![slug.as_str(), at.as_micros()], codec::place_in_tree)?;
    Ok(lines.iter().any(|(id, ancestors)| org.is_none_or(|org| *id == org || ancestors.contains(&org))))
}

/// The rows that resolutions rest on: one statement for each ask, whatever the depth of the tree and the number of groups.
pub(crate) fn facts(db: &Session, query: &FactsQuery) -> Result<Facts, Failure> {
    let FactsQuery { asks, permissions, below, grantors, roles, groups, only_revisions, holding, resolving } = query;
    let mut facts = Facts::default();
    if *below == 0 && !holding.is_empty() {
        holding_each(db, holding, &mut facts)?;
        return Ok(facts);
    }
    if *below == 0 && *resolving {
        resolving_each(db, asks, &mut facts)?;
        return Ok(facts);
    }
    if *only_revisions {
        revisions(db, asks, *below, &mut facts)?;
        return Ok(facts);
    }
    let is_named = !(roles.is_empty() && groups.is_empty());
    if let (&[(usr, org)], 0, false) = (asks.as_slice(), below, *grantors || is_named) {
        // One statement sees one moment.
        of(db, usr, org, permissions.as_deref(), &mut facts)?;
        return Ok(facts);
    }
    db.at_one_moment(|| {
        for (usr, org) in asks {
            of(db, *usr, *org, permissions.as_deref(), &mut facts)?;
            for lower in memberships_below(db, *usr, *org, *below)? {
                of(db, *usr, lower, permissions.as_deref(), &mut facts)?;
            }
            for slug in permissions.iter().flatten().filter(|_| *grantors) {
                let mut add = |row: &rusqlite::Row<'_>| codec::fact(row, *usr, &mut facts).map(|()| ControlFlow::Continue(()));
                db.walk(&db.sql.grantors, params![rusqlite::types::Null, bytes(org), slug.as_str()], &mut add)?;
            }
        }
        for id in groups {
            for row in db.rows(&db.sql.group_roles, params![bytes(id), behind(None::<&RoleId>), u32::MAX], codec::group_role)? {
                facts.add_group_role(*id, row.role.id(), row.expires_at);
                named(db, row.role.id(), permissions.as_deref(), &mut facts)?;
            }
        }
        for id in roles {
            named(db, *id, permissions.as_deref(), &mut facts)?;
        }
        Ok(())
    })?;
    Ok(facts)
}

type Ask = (UserId, OrgId, PermissionSlug);

fn holding_each(db: &Session, asks: &[Ask], facts: &mut Facts) -> Result<(), Failure> {
    let mut first = db.prepared(&db.sql.holding)?;
    if let [ask] = asks {
        return holding(db, &mut first, ask, Before::default(), facts).map(drop);
    }
    // By permission, so that what one ask shows is known to the next, and by organization, as the rows are stored.
    let mut asks: Vec<&Ask> = asks.iter().collect();
    asks.sort_unstable_by(|(usr, org, slug), (other_usr, other_org, other)| (slug, org, usr).cmp(&(other, other_org, other_usr)));
    asks.dedup();
    db.at_one_moment(|| {
        let mut before = Before::default();
        for ask in asks {
            if before.permission.is_some_and(|permission| *permission != ask.2) {
                before = Before::default();
            }
            before = holding(db, &mut first, ask, before, facts)?;
        }
        Ok(())
    })
}

/// What an ask has shown that the next one, of the same permission at the same moment, need not ask again.
#[derive(Default)]
struct Before<'a> {
    permission: Option<&'a PermissionSlug>,
    /// A role that grants it without an end.
    role: Option<RoleId>,
    /// Whether anybody overrides it.
    overridden: Option<bool>,
}

/// What tells whether a user holds one permission, with no more look-ups than that takes. Everything further is read while the first row
/// still stands, and so as of its moment.
fn holding<'a>(
    db: &Session,
    first: &mut CachedStatement<'_>,
    ask: &'a Ask,
    before: Before<'a>,
    facts: &mut Facts,
) -> Result<Before<'a>, Failure> {
    let (usr, org, permission) = ask;
    let (key, place, slug) = (bytes(usr), bytes(org), permission.as_str());
    let known = before.role.as_ref().map(bytes);
    let bound = params![key, place, slug, known.as_ref().map_or(&[][..], |role| &role[..]), before.overridden];
    let mut rows = first.query(bound)?;
    // Of an organization that is not there nothing is learnt.
    let Some(row) = rows.next()? else { return Ok(before) };
    let (here, granted) = codec::holding_here(row, *usr, *org, facts)?;
    if let (Some(held), Some(end)) = (here.held, granted) {
        by_role(held.role.id(), permission, end, facts);
    }
    if !here.ancestors.is_empty() {
        above(db, (*usr, slug), &here, facts, |role, end, facts| by_role(role, permission, end, facts))?;
    }
    if here.overridden {
        db.walk(&db.sql.overrides_of, params![here.line(*org), key, slug], |row| {
            codec::given(row, facts)?;
            facts.add_known(permission.clone());
            Ok(ControlFlow::Continue(()))
        })?;
    }
    let role = here.held.map(|held| held.role.id()).filter(|role| before.role == Some(*role) || granted == Some(None));
    if role.is_none() {
        db.walk(&db.sql.held_by_groups, params![place, key, slug], |row| {
            codec::held_by_group(row, *usr, *org, permission, facts)?;
            facts.add_known(permission.clone());
            Ok(ControlFlow::Continue(()))
        })?;
    }
    Ok(Before { permission: Some(permission), role, overridden: Some(here.overridden) })
}

/// The organizations above, and where there is no membership below them the memberships there. Tells which of their roles grant this
/// permission, and until when.
fn above(
    db: &Session,
    (usr, slug): (UserId, &str),
    here: &codec::Here,
    facts: &mut Facts,
    mut grants: impl FnMut(RoleId, codec::End, &mut Facts),
) -> Result<(), Failure> {
    db.walk(&db.sql.places_above, [&here.ancestors], |row| codec::place_above(row, facts).map(ControlFlow::Continue))?;
    if here.held.is_some() {
        return Ok(());
    }
    db.walk(&db.sql.held_above, params![here.ancestors, bytes(&usr), slug], |row| {
        if let Some((held, Some(end))) = codec::held_above(row, usr, facts)? {
            grants(held.role.id(), end, facts);
        }
        Ok(ControlFlow::Continue(()))
    })
}

fn resolving_each(db: &Session, asks: &[(UserId, OrgId)], facts: &mut Facts) -> Result<(), Failure> {
    if let [(usr, org)] = asks {
        // As of one moment, like what is held.
        return resolving(db, *usr, *org, facts);
    }
    db.at_one_moment(|| asks.iter().try_for_each(|(usr, org)| resolving(db, *usr, *org, facts)))
}

/// What tells everything that a user may do in an organization.
fn resolving(db: &Session, usr: UserId, org: OrgId, facts: &mut Facts) -> Result<(), Failure> {
    let (key, place) = (bytes(&usr), bytes(&org));
    db.first(&db.sql.resolving, [key, place], |row| {
        let codec::Resolving { here, is_special, is_grouped, knows_role } = codec::resolving_here(row, usr, org, facts)?;
        let given = |sql: &str, params: &[&dyn ToSql], facts: &mut Facts| {
            db.walk(sql, params, |row| codec::given(row, facts).map(ControlFlow::Continue))
        };
        if let Some(held) = here.held {
            for holder in [(!knows_role).then_some(Holder::Role(held.role.id())), is_special.then_some(Holder::Membership(held.id))] {
                let Some((kind, id)) = holder.map(held_by) else { continue };
                given(&db.sql.given, params![kind, id], facts)?;
            }
        }
        if !here.ancestors.is_empty() {
            above(db, (usr, ""), &here, facts, |_, _, _| {})?;
            if here.held.is_none() {
                given(&db.sql.given_above, params![here.ancestors, key], facts)?;
            }
        }
        if here.overridden {
            given(&db.sql.given_by_orgs, params![here.line(org)], facts)?;
        }
        let mut has_roles = false;
        if is_grouped {
            db.walk(&db.sql.groups_of, [place, key], |row| {
                has_roles |= codec::group_of(row, usr, org, facts)?;
                Ok(ControlFlow::Continue(()))
            })?;
        }
        if has_roles {
            given(&db.sql.given_by_groups, params![place, key], facts)?;
        }
        Ok(())
    })
    .map(drop)
}

/// A role grants it, and so the catalog has it.
fn by_role(role: RoleId, permission: &PermissionSlug, end: codec::End, facts: &mut Facts) {
    facts.add_grant(Holder::Role(role), permission.clone(), Effect::Grant, end);
    facts.add_known(permission.clone());
}

/// A role that is wanted by name, with what it grants.
fn named(db: &Session, id: RoleId, only: Option<&[PermissionSlug]>, facts: &mut Facts) -> Result<(), Failure> {
    if let Some(row) = role(db, id)? {
        facts.add_role(RoleFacts { role: row.held(), org_id: row.org_id, inherits_to_descendants: row.inherits_to_descendants });
    }
    let holder = Holder::Role(id);
    let (kind, key) = held_by(holder);
    for row in db.rows(&db.sql.grants, params![kind, key, "", u32::MAX], codec::grant)? {
        if only.is_none_or(|only| only.contains(&row.permission)) {
            facts.add_grant(holder, row.permission, row.effect, row.expires_at);
        }
    }
    Ok(())
}

/// What tokens are made of: one statement for each ask, and where memberships below count, one for each of those.
fn revisions(db: &Session, asks: &[(UserId, OrgId)], below: u32, facts: &mut Facts) -> Result<(), Failure> {
    let place = |usr: UserId, org: OrgId, facts: &mut Facts| {
        let add = |row: &rusqlite::Row<'_>| codec::fact(row, usr, facts).map(|()| ControlFlow::Continue(()));
        db.walk(&db.sql.facts_revisions, [bytes(&usr), bytes(&org)], add)
    };
    if let (&[(usr, org)], 0) = (asks, below) {
        return place(usr, org, facts);
    }
    db.at_one_moment(|| {
        for (usr, org) in asks {
            place(*usr, *org, facts)?;
            for lower in memberships_below(db, *usr, *org, below)? {
                // Nothing of what is granted.
                of(db, *usr, lower, Some(&[]), facts)?;
            }
        }
        Ok(())
    })
}

fn of(db: &Session, usr: UserId, org: OrgId, only: Option<&[PermissionSlug]>, facts: &mut Facts) -> Result<(), Failure> {
    let (key, place) = (bytes(&usr), bytes(&org));
    let add = |row: &rusqlite::Row<'_>| codec::fact(row, usr, facts).map(|()| ControlFlow::Continue(()));
    match only {
        None => db.walk(&db.sql.facts_all, [key, place], add),
        Some([one]) => db.walk(&db.sql.facts_one, params![key, place, one.as_str()], add),
        Some(some) => {
            let list =
                serde_json::to_string(some).map_err(|error| Failure::Driver(rusqlite::Error::ToSqlConversionFailure(error.into())))?;
            db.walk(&db.sql.facts_some, params![key, place, list], add)
        }
    }
}

/// The organizations at most so many levels below one where the user has a membership that is not revoked.
fn memberships_below(db: &Session, usr: UserId, org: OrgId, levels: u32) -> Result<Vec<OrgId>, Failure> {
    if levels == 0 {
        return Ok(Vec::new());
    }
    let levels = usize::try_from(levels).unwrap_or(usize::MAX);
    let mut places = db.rows(&db.sql.orgs_of_user, [bytes(&usr)], codec::place_in_tree)?;
    places.retain(|(_, ancestors)| ancestors.iter().rev().take(levels).any(|above| *above == org));
    Ok(places.into_iter().map(|(id, _)| id).collect())
}

/// The role as a reader sees it: with what it grants.
fn seen(db: &Session, role: RoleDefinition, at: Timestamp) -> Result<RoleDefinition, Failure> {
    let (kind, id) = held_by(Holder::Role(role.id));
    let rows = db.rows(&db.sql.grants, params![kind, id, "", u32::MAX], codec::grant)?;
    let permissions = rows.into_iter().filter(|row| !row.is_expired(at)).map(|row| row.permission).collect();
    Ok(RoleDefinition { permissions, ..role })
}

/// An id behind which to begin, where the empty blob is below every id.
fn behind(id: Option<&impl Id>) -> Vec<u8> {
    id.map_or_else(Vec::new, |id| bytes(id).to_vec())
}

pub(crate) fn read(db: &Session, query: &AccessQuery, at: Timestamp) -> Result<AccessFound, Failure> {
    db.at_one_moment(|| {
        let mut found = AccessFound { there: true, ..AccessFound::default() };
        match query {
            AccessQuery::Permissions { after, fetch } => {
                let after = after.as_ref().map_or("", PermissionSlug::as_str);
                found.permissions = db.rows(&db.sql.permissions, params![after, fetch], codec::permission)?;
            }
            AccessQuery::Role(id) => {
                found.roles = role(db, *id)?.into_iter().map(|role| seen(db, role, at)).collect::<Result<_, _>>()?;
                found.there = !found.roles.is_empty();
                found.org_id = found.roles.first().and_then(|role| role.org_id);
            }
            AccessQuery::Roles { org, window } => {
                let path = org.map_or(Ok(Vec::new()), |org| list::path(db, org))?;
                found.there = org.is_none() || !path.is_empty();
                found.org_id = *org;
                if found.there {
                    let mut rows = Vec::new();
                    for place in path.iter().map(|org| Some(bytes(&org.id))).chain([None]) {
                        rows.extend(db.rows(&db.sql.roles_of, params![place, behind(window.after.as_ref()), window.fetch], codec::role)?);
                    }
                    rows.sort_by_key(|role| role.id);
                    rows.truncate(usize::try_from(window.fetch).unwrap_or(usize::MAX));
                    found.roles = rows.into_iter().map(|role| seen(db, role, at)).collect::<Result<_, _>>()?;
                }
            }
            AccessQuery::Group(id) => group(db, *id, &mut found)?,
            AccessQuery::Groups { org, window } => {
                found.there = list::org(db, *org)?.is_some();
                found.org_id = Some(*org);
                found.groups = db.rows(&db.sql.groups, params![bytes(org), behind(window.after.as_ref()), window.fetch], codec::group)?;
            }
            AccessQuery::GroupMembers { group: id, window } => {
                group(db, *id, &mut found)?;
                found.groups.clear();
                let bound = params![bytes(id), behind(window.after.as_ref()), window.fetch];
                found.members = db.rows(&db.sql.group_members, bound, codec::group_member)?;
            }
            AccessQuery::GroupRoles { group: id, window } => {
                group(db, *id, &mut found)?;
                found.groups.clear();
                let bound = params![bytes(id), behind(window.after.as_ref()), window.fetch];
                found.group_roles = db.rows(&db.sql.group_roles, bound, codec::group_role)?;
            }
            AccessQuery::Grants { holder, after, fetch } => {
                (found.there, found.org_id) = match holder {
                    Holder::Role(id) => {
                        let role = role(db, *id)?;
                        (role.is_some(), role.and_then(|role| role.org_id))
                    }
                    Holder::Organization(id) => (list::org(db, *id)?.is_some(), Some(*id)),
                    Holder::Membership(id) => {
                        let mem = list::membership(db, *id)?;
                        (mem.is_some(), mem.map(|mem| mem.org_id))
                    }
                };
                let (kind, id) = held_by(*holder);
                let after = after.as_ref().map_or("", PermissionSlug::as_str);
                found.grants = db.rows(&db.sql.grants, params![kind, id, after, fetch], codec::grant)?;
            }
            AccessQuery::UsersAbout { org, below, window } => {
                found.org_id = Some(*org);
                let path = list::path(db, *org)?;
                found.there = !path.is_empty();
                let mut orgs: Vec<OrgId> = path.iter().map(|org| org.id).collect();
                if *below > 0 && found.there {
                    orgs.extend(subtree(db, *org, *below)?);
                }
                found.users = users_of(db, orgs, window)?;
            }
            AccessQuery::PairsWithin { org, also, below, after, orgs, fetch } => {
                found.org_id = Some(*org);
                found.there = list::org(db, *org)?.is_some();
                if found.there {
                    let mut places = subtree(db, *org, u32::try_from(Organization::MAX_LEVELS).unwrap_or(u32::MAX))?;
                    places.retain(|org| after.is_none_or(|(after, _)| *org >= after));
                    places.sort_unstable();
                    places.truncate(usize::try_from(*orgs).unwrap_or(usize::MAX));
                    pairs(db, &places, (*also, *below), *after, *fetch, &mut found.pairs)?;
                    found.orgs = places;
                }
            }
            AccessQuery::OrgsAbout { usr, above, window } => {
                let levels = usize::try_from(*above).unwrap_or(usize::MAX);
                for (id, ancestors) in db.rows(&db.sql.orgs_of_user, [bytes(usr)], codec::place_in_tree)? {
                    found.orgs.extend(ancestors.iter().rev().take(levels).chain([&id]));
                }
                let reaching = |row: &rusqlite::Row<'_>| codec::only_id::<OrgId>("membership", row);
                for org in db.rows(&db.sql.reaching_orgs, [bytes(usr)], reaching)? {
                    found.orgs.extend(subtree(db, org, u32::try_from(Organization::MAX_LEVELS).unwrap_or(u32::MAX))?);
                }
                found.orgs.sort_unstable();
                found.orgs.dedup();
                found.orgs.retain(|org| window.after.is_none_or(|after| *org > after));
                found.orgs.truncate(usize::try_from(window.fetch).unwrap_or(usize::MAX));
            }
        }
        Ok(found)
    })
}

/// Who has a membership that is not revoked in one of these organizations, in order.
fn users_of(db: &Session, mut orgs: Vec<OrgId>, window: &Window<UserId>) -> Result<Vec<UserId>, Failure> {
    orgs.sort_unstable();
    orgs.dedup();
    let mut users = Vec::new();
    for org in orgs {
        let bound = params![bytes(&org), behind(window.after.as_ref()), window.fetch];
        users.extend(db.rows(&db.sql.users_of_org, bound, |row| codec::only_id::<UserId>("membership", row))?);
    }
    users.sort_unstable();
    users.dedup();
    users.truncate(usize::try_from(window.fetch).unwrap_or(usize::MAX));
    Ok(users)
}

/// For each of these organizations the users about it, and those of another one and all above that.
fn pairs(
    db: &Session,
    places: &[OrgId],
    (also, below): (Option<OrgId>, u32),
    after: Option<(OrgId, UserId)>,
    fetch: u32,
    found: &mut Vec<(OrgId, UserId)>,
) -> Result<(), Failure> {
    let above: Vec<OrgId> = also.map_or(Ok(Vec::new()), |also| list::path(db, also))?.iter().map(|org| org.id).collect();
    let most = usize::try_from(fetch).unwrap_or(usize::MAX);
    for place in places {
        let behind = after.filter(|(org, _)| org == place).map(|(_, usr)| usr);
        let mut orgs: Vec<OrgId> = list::path(db, *place)?.iter().map(|org| org.id).chain(above.iter().copied()).collect();
        if below > 0 {
            orgs.extend(subtree(db, *place, below)?);
        }
        let users = users_of(db, orgs, &Window { after: behind, fetch })?;
        found.extend(users.into_iter().map(|usr| (*place, usr)).take(most - found.len()));
        if found.len() == most {
            break;
        }
    }
    Ok(())
}

fn group(db: &Session, id: GroupId, found: &mut AccessFound) -> Result<(), Failure> {
    found.groups = db.rows(&db.sql.group_by_id, [bytes(&id)], codec::group)?;
    found.there = !found.groups.is_empty();
    found.org_id = found.groups.first().map(|group| group.org_id);
    Ok(())
}

/// The organization and those so many levels below it.
fn subtree(db: &Session, org: OrgId, levels: u32) -> Result<Vec<OrgId>, Failure> {
    db.rows(&db.sql.subtree, params![bytes(&org), levels], |row| codec::only_id::<OrgId>("organization", row))
}
