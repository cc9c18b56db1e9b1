//! What a command needs to see: one statement for each kind of load, defined by `tenantry_core::State::load`.

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};
use tenantry_core::{
    EntityRef, Found, Grant, Hold, Id, Identifier, ImportIds, Job, Load, LoadSpec, Moving, OrgId, Owned, PermissionSlug, RoleSlug, Slug,
    Snapshot, Standpoint, Tenancy, Timestamp, Tuple, Wants,
};
use uuid::Uuid;

use crate::access;
use crate::codec::{self, Columns, PgMoment, record};
use crate::error::{Failure, unreadable};
use crate::list::{self, uuids};
use crate::statements::{Statement, Statements};

/// A snapshot, and the server process that showed it.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) seen: Snapshot,
    pub(crate) backend_pid: i32,
}

/// A statement with its values, bound in order; a guarded caller's statement takes a few more behind them.
macro_rules! rows {
    ($conn:ident, $load:ident, $plain:expr, $guarded:expr, [$($value:expr),*], [$($more:expr),*]) => {{
        match $load.actor {
            None => $plain.query()$(.bind($value))*.fetch_all(&mut *$conn).await?,
            Some(actor) => $guarded.query()$(.bind($value))*.bind(actor.as_uuid())$(.bind($more))*.fetch_all(&mut *$conn).await?,
        }
    }};
}

/// What an attempt at a command wants to see, and what it weighs then.
pub(crate) async fn load_for(sql: &Statements, conn: &mut PgConnection, job: &mut dyn Job) -> Result<Loaded, Failure> {
    let mut loaded = load(sql, conn, job.begin()).await?;
    if let Some(query) = job.weighs(&loaded.seen) {
        loaded.seen.facts = Some(Box::new(access::facts(sql, conn, &query).await?));
    }
    Ok(loaded)
}

#[expect(clippy::too_many_lines, reason = "one arm for each kind of load, and each is short")]
pub(crate) async fn load(sql: &Statements, conn: &mut PgConnection, load: Load<'_>) -> Result<Loaded, Failure> {
    let mut seen = Snapshot::default();
    let at = PgMoment(load.at);
    let rows = match load.spec {
        LoadSpec::SystemRoles { slugs, with_grants: false } => access::line_rows(sql, &mut *conn, None, slugs).await?,
        LoadSpec::SystemRoles { slugs, with_grants: true } => {
            let slugs: Vec<&str> = slugs.iter().map(RoleSlug::as_str).collect();
            sql.load_role_grants.query().bind(slugs).fetch_all(&mut *conn).await?
        }
        LoadSpec::Nothing => sql.load_nothing.query().fetch_all(&mut *conn).await?,
        LoadSpec::User { usr } => sql.load_user.query().bind(usr.as_uuid()).fetch_all(&mut *conn).await?,
        LoadSpec::Owner { usr } => sql.load_owner.query().bind(usr.as_uuid()).fetch_all(&mut *conn).await?,
        LoadSpec::NewOrg { creator, parent, slug } => {
            let (creator, parent, slug) = (creator.as_uuid(), parent.map(|id| id.as_uuid()), slug.as_ref().map(Slug::as_str));
            // Without a parent there is no organization to stand in.
            let load = Load { actor: load.actor.filter(|_| parent.is_some()), ..load };
            rows!(conn, load, sql.load_new_org, sql.load_new_org_as, [creator, parent, slug], [])
        }
        LoadSpec::Org { org, slug } => {
            rows!(conn, load, sql.load_org, sql.load_org_as, [org.as_uuid(), slug.as_ref().map(Slug::as_str)], [])
        }
        LoadSpec::Tenants { usr, slugs } => {
            let slugs: Vec<&str> = slugs.iter().map(Slug::as_str).collect();
            sql.load_tenants.query().bind(usr.as_uuid()).bind(slugs).bind(at).fetch_all(&mut *conn).await?
        }
        LoadSpec::OrgEnd { org, ids, owner: Some(owner) } => {
            let owner = owner.as_uuid();
            rows!(conn, load, sql.load_own_end, sql.load_own_end_as, [org.as_uuid(), i64::from(*ids), at, owner], [])
        }
        LoadSpec::OrgEnd { org, ids, owner: None } => {
            rows!(conn, load, sql.load_org_end, sql.load_org_end_as, [org.as_uuid(), i64::from(*ids), at], [])
        }
        LoadSpec::Join { org, usr, role: _ } => rows!(conn, load, sql.load_join, sql.load_join_as, [org.as_uuid(), usr.as_uuid(), at], []),
        LoadSpec::Member { mem, peer: None, role: _ } => rows!(conn, load, sql.load_member, sql.load_member_as, [mem.as_uuid()], []),
        LoadSpec::Member { mem, peer: Some(peer), role: _ } => {
            rows!(conn, load, sql.load_member_and_peer, sql.load_member_and_peer_as, [mem.as_uuid(), peer.as_uuid()], [])
        }
        LoadSpec::Pair { org, from, to } => {
            rows!(conn, load, sql.load_pair, sql.load_pair_as, [org.as_uuid(), from.as_uuid(), to.as_uuid()], [])
        }
        LoadSpec::Invite { org, identifiers, grants, roles: _ } => {
            let identifiers: Vec<&str> = identifiers.iter().map(Identifier::as_str).collect();
            let (relations, types, ids) = asked(grants);
            rows!(conn, load, sql.load_invite, sql.load_invite_as, [org.as_uuid(), &identifiers], [at, &relations, &types, &ids])
        }
        LoadSpec::Invitation { inv } => rows!(conn, load, sql.load_invitation, sql.load_invitation_as, [inv.as_uuid()], [at]),
        LoadSpec::Accept { inv, usr } => {
            let accept = sql.load_accept.query().bind(inv.as_uuid()).bind(at);
            accept.bind(usr.map(|usr| usr.as_uuid())).fetch_all(&mut *conn).await?
        }
        LoadSpec::NewTuple { key, org } => {
            let (subject, object) = (key.subject, key.object);
            let scope = org.map(|org| org.as_uuid());
            let as_org = object.as_org().map(|org| org.as_uuid());
            let as_user = subject.as_user().map(|usr| usr.as_uuid());
            let values = (subject.kind.as_str(), subject.id, key.relation.as_str(), object.kind.as_str(), object.id);
            rows!(
                conn,
                load,
                sql.load_new_tuple,
                sql.load_new_tuple_as,
                [values.0, values.1, values.2, values.3, values.4, scope, as_org, as_user],
                [at]
            )
        }
        LoadSpec::Tuple { id } => rows!(conn, load, sql.load_tuple, sql.load_tuple_as, [id.as_uuid()], [at]),
        LoadSpec::Expired { limit } => return expired(sql, conn, *limit, load.at).await,
        LoadSpec::Catalog { slugs } => {
            let slugs: Vec<&str> = slugs.iter().map(PermissionSlug::as_str).collect();
            sql.load_catalog.query().bind(slugs).fetch_all(&mut *conn).await?
        }
        LoadSpec::Move { org, parent } => {
            rows!(conn, load, sql.load_move, sql.load_move_as, [org.as_uuid(), opt(parent.as_ref()), at], [])
        }
        LoadSpec::Access(wants) => {
            let Wants { org, role, other_role, new_role, group, new_group, membership, user, permissions } = &**wants;
            let (org, role, other) = (opt(org.as_ref()), opt(role.as_ref()), opt(other_role.as_ref()));
            let (group, mem, usr) = (opt(group.as_ref()), opt(membership.as_ref()), opt(user.as_ref()));
            let (new_role, new_group) = (new_role.as_ref().map(RoleSlug::as_str), new_group.as_ref().map(Slug::as_str));
            let permissions: Vec<&str> = permissions.iter().map(PermissionSlug::as_str).collect();
            rows!(
                conn,
                load,
                sql.load_access,
                sql.load_access_as,
                [org, role, other, new_role, group, new_group, mem, usr, &permissions, at],
                []
            )
        }
        LoadSpec::Ids(ids) => {
            // Revisions come before what hangs on them: where that changes in between, the guard of an older revision fails.
            let rows = sql.load_system.query().fetch_all(&mut *conn).await?;
            *seen.found = found(sql, conn, ids, at).await?;
            rows
        }
    };
    // Only a load that starts from a membership or an invitation can find no row at all.
    let Some(first) = rows.first() else { return Ok(Loaded { seen, backend_pid: 0 }) };
    let backend_pid = first.try_get(0)?;
    let mut from = 1;
    if load.actor.is_some() && has_standing(load.spec) {
        seen.standing = Some(list::standing(first, from)?);
        from += 3;
    }
    let has_grants = match load.spec {
        LoadSpec::Accept { .. } => true,
        LoadSpec::Invite { .. } | LoadSpec::Invitation { .. } | LoadSpec::NewTuple { .. } | LoadSpec::Tuple { .. } => load.actor.is_some(),
        _ => false,
    };
    if has_grants {
        seen.grants = standpoints(first, from)?;
        from += 1;
    }
    match load.spec {
        LoadSpec::Nothing | LoadSpec::Expired { .. } => {}
        LoadSpec::Ids(_) => seen.system_revision = list::count(first, from)?,
        LoadSpec::Move { .. } => {
            seen.org = record(first, from, codec::org)?;
            if seen.org.is_some() {
                let parent = record(first, from + 1, codec::org)?;
                let homes: Vec<Uuid> = first.try_get(from + 4)?;
                let levels: i32 = first.try_get(from + 2)?;
                let mut moving = Moving {
                    levels: usize::try_from(levels).unwrap_or(usize::MAX),
                    size: list::count(first, from + 3)?,
                    homes: homes.into_iter().map(|home| codec::id("organization", home)).collect::<Result<_, _>>()?,
                    clashes: first.try_get(from + 5)?,
                    ..Moving::default()
                };
                moving.from = record(first, from + 6, codec::structure)?;
                moving.to = record(first, from + 7, codec::structure)?;
                let (above, revisions): (Vec<Uuid>, Vec<i64>) = (first.try_get(from + 8)?, first.try_get(from + 9)?);
                for (above, revision) in above.into_iter().zip(revisions) {
                    let revision = u64::try_from(revision).map_err(|cause| unreadable("organization", above, cause))?;
                    moving.above.push((codec::id("organization", above)?, revision));
                }
                moving.parent = parent;
                seen.moving = Some(Box::new(moving));
            }
        }
        LoadSpec::Catalog { .. } => {
            seen.system_revision = list::count(first, from)?;
            for row in &rows {
                seen.permissions.extend(record(row, from + 1, codec::permission)?);
            }
        }
        LoadSpec::SystemRoles { with_grants: true, .. } => access::granted(&rows, &mut seen)?,
        LoadSpec::SystemRoles { .. } => {
            let line = access::line_of(&rows)?;
            seen.system_revision = line.system_revision;
            seen.line = Some(line);
        }
        LoadSpec::Access(wants) => {
            access::loaded(&rows, first, from, wants.role.is_some(), &mut seen)?;
            // Without an organization there is none to stand in.
            if seen.org.is_none() && wants.org.is_none() {
                seen.standing = None;
            }
        }
        LoadSpec::User { .. } => seen.user = record(first, from, codec::user)?,
        LoadSpec::Owner { .. } => {
            seen.user = record(first, from, codec::user)?;
            seen.owned = rows.iter().filter_map(|row| owned(row).transpose()).collect::<Result<_, _>>()?;
        }
        LoadSpec::NewOrg { .. } => {
            seen.user = record(first, from, codec::user)?;
            seen.org = record(first, from + 1, codec::org)?;
            seen.slug_holder = holder(first, from + 2)?;
            seen.structure = record(first, from + 3, codec::structure)?;
        }
        LoadSpec::Org { .. } => {
            seen.org = record(first, from, codec::org)?;
            seen.slug_holder = holder(first, from + 1)?;
        }
        LoadSpec::Tenants { .. } => {
            seen.user = record(first, from, codec::user)?;
            seen.tenancy = tenancy(first, from + 1)?;
            let taken: Vec<String> = first.try_get(from + 4)?;
            seen.taken = taken.iter().filter_map(|slug| Slug::parse(slug)).collect();
        }
        LoadSpec::OrgEnd { owner, .. } => {
            if owner.is_some() {
                seen.user = record(first, from + 7, codec::user)?;
                seen.membership = record(first, from + 8, codec::membership)?;
                seen.tenancy = tenancy(first, from + 9)?;
            }
            seen.org = record(first, from, codec::org)?;
            seen.has_children = first.try_get(from + 1)?;
            let ids: Vec<Uuid> = first.try_get(from + 3)?;
            let ids = ids.into_iter().map(|id| codec::id("membership", id)).collect::<Result<_, _>>()?;
            seen.current = (list::count(first, from + 2)?, ids);
            seen.pending_count = list::count(first, from + 4)?;
            seen.org_tuples = list::count(first, from + 5)?;
            seen.member_groups = list::count(first, from + 6)?;
        }
        LoadSpec::Join { .. } => {
            seen.org = record(first, from, codec::org)?;
            seen.user = record(first, from + 1, codec::user)?;
            seen.membership = record(first, from + 2, codec::membership)?;
            seen.seats = opt_count(first, from + 3)?;
            seen.member_tuples = list::count(first, from + 4)?;
            seen.member_groups = list::count(first, from + 5)?;
        }
        LoadSpec::Member { peer, .. } => {
            seen.membership = record(first, from, codec::membership)?;
            seen.org = record(first, from + 1, codec::org)?;
            seen.user = record(first, from + 2, codec::user)?;
            seen.other_owner = record(first, from + 3, codec::other_owner)?;
            seen.member_tuples = list::count(first, from + 4)?;
            seen.member_groups = list::count(first, from + 5)?;
            seen.overrides = list::count(first, from + 6)?;
            if peer.is_some() {
                seen.peer = record(first, from + 7, codec::membership)?;
                seen.peer_user = record(first, from + 8, codec::user)?;
                seen.org_live = list::org_live(first, from + 9)?;
                seen.peer_overrides = list::count(first, from + 10)?;
            }
        }
        LoadSpec::Pair { .. } => {
            seen.org = record(first, from, codec::org)?;
            seen.membership = record(first, from + 1, codec::membership)?;
            seen.peer = record(first, from + 2, codec::membership)?;
            seen.peer_user = record(first, from + 3, codec::user)?;
            (seen.overrides, seen.peer_overrides) = (list::count(first, from + 4)?, list::count(first, from + 5)?);
            if seen.membership.is_none() {
                seen.standing = None;
            }
        }
        LoadSpec::Invite { .. } => {
            seen.org = record(first, from, codec::org)?;
            let pending = |row| record(row, from + 1, codec::invitation).transpose();
            seen.pending = rows.iter().filter_map(pending).collect::<Result<_, _>>()?;
        }
        LoadSpec::Invitation { .. } => {
            seen.invitation = record(first, from, codec::invitation)?;
            seen.org = record(first, from + 1, codec::org)?;
            seen.pending = record(first, from + 2, codec::invitation)?.into_iter().collect();
        }
        LoadSpec::Accept { usr, .. } => {
            seen.invitation = record(first, from, codec::invitation)?;
            seen.org = record(first, from + 1, codec::org)?;
            seen.seats = opt_count(first, from + 2)?;
            if usr.is_some() {
                seen.user = record(first, from + 3, codec::user)?;
                seen.membership = record(first, from + 4, codec::membership)?;
                seen.member_tuples = list::count(first, from + 5)?;
                let held: Vec<i32> = first.try_get(from + 6)?;
                seen.held = held.into_iter().filter_map(|place| u32::try_from(place).ok()).collect();
                seen.member_groups = list::count(first, from + 7)?;
            }
        }
        LoadSpec::NewTuple { .. } => {
            seen.tuple = record(first, from, codec::tuple)?;
            seen.org = record(first, from + 1, codec::org)?;
            seen.object_org = record(first, from + 2, codec::org)?;
            seen.membership = record(first, from + 3, codec::membership)?;
        }
        LoadSpec::Tuple { .. } => {
            seen.tuple = record(first, from, codec::tuple)?;
            if seen.tuple.is_some() {
                seen.org = record(first, from + 1, codec::org)?;
                seen.object_org = record(first, from + 2, codec::org)?;
            } else {
                seen.membership = record(first, from + 3, codec::membership)?;
                seen.user = record(first, from + 4, codec::user)?;
                seen.org = record(first, from + 5, codec::org)?;
                seen.org_live = list::org_live(first, from + 6)?;
            }
        }
    }
    if let Some((org, slugs)) = load.spec.line(&seen) {
        seen.line = Some(access::line(sql, conn, Some(org), &slugs).await?);
    }
    Ok(Loaded { seen, backend_pid })
}

fn opt<I: Id>(id: Option<&I>) -> Option<Uuid> {
    id.map(Id::as_uuid)
}

/// Whether the statement of a guarded caller shows a standing.
fn has_standing(spec: &LoadSpec) -> bool {
    match spec {
        LoadSpec::NewOrg { parent, .. } => parent.is_some(),
        LoadSpec::Org { .. }
        | LoadSpec::OrgEnd { .. }
        | LoadSpec::Join { .. }
        | LoadSpec::Member { .. }
        | LoadSpec::Pair { .. }
        | LoadSpec::Invite { .. }
        | LoadSpec::Invitation { .. }
        | LoadSpec::NewTuple { .. }
        | LoadSpec::Access(_)
        | LoadSpec::Move { .. }
        | LoadSpec::Tuple { .. } => true,
        LoadSpec::Nothing
        | LoadSpec::User { .. }
        | LoadSpec::Owner { .. }
        | LoadSpec::Tenants { .. }
        | LoadSpec::Accept { .. }
        | LoadSpec::Expired { .. }
        | LoadSpec::Catalog { .. }
        | LoadSpec::SystemRoles { .. }
        | LoadSpec::Ids(_) => false,
    }
}

fn asked(grants: &[Grant]) -> (Vec<&str>, Vec<&str>, Vec<Uuid>) {
    let relations = grants.iter().map(|grant| grant.relation.as_str()).collect();
    let types = grants.iter().map(|grant| grant.object.kind.as_str()).collect();
    (relations, types, grants.iter().map(|grant| grant.object.id).collect())
}

/// Three numbers for each relation and object.
fn standpoints(row: &PgRow, at: usize) -> Result<Vec<Standpoint>, Failure> {
    let numbers: Option<Vec<i64>> = row.try_get(at)?;
    let hold = |micros: i64| match micros {
        -1 => Ok(Hold::Not),
        i64::MAX => Ok(Hold::Lasting),
        micros => Timestamp::from_micros(micros).map(Hold::Until).map_err(|cause| unreadable("tuple", "unknown", cause)),
    };
    let (each, _) = numbers.as_deref().unwrap_or_default().as_chunks();
    each.iter()
        .map(|[open, scoped, elsewhere]| Ok(Standpoint { open: hold(*open)?, scoped: hold(*scoped)?, elsewhere: *elsewhere != 0 }))
        .collect()
}

fn opt_count(row: &PgRow, at: usize) -> Result<Option<u64>, Failure> {
    let count: Option<i64> = row.try_get(at)?;
    count.map(|count| u64::try_from(count).map_err(|cause| unreadable("membership", "unknown", cause))).transpose()
}

fn owned(row: &PgRow) -> Result<Option<Owned>, Failure> {
    let org: Option<Uuid> = row.try_get(2)?;
    let Some(org) = org else { return Ok(None) };
    let other = record(row, 4, codec::other_owner)?;
    Ok(Some(Owned { org_id: codec::id("organization", org)?, revision: list::count(row, 3)?, other }))
}

/// Where a user belongs: three values from a column on.
fn tenancy(row: &PgRow, at: usize) -> Result<Option<Box<Tenancy>>, Failure> {
    let Some(tenancy) = record(row, at, codec::tenancy)? else { return Ok(None) };
    let home = record(row, at + 1, codec::membership)?.zip(record(row, at + 2, codec::org)?);
    Ok(Some(Box::new(Tenancy { home, ..tenancy })))
}

fn holder(row: &PgRow, at: usize) -> Result<Option<OrgId>, Failure> {
    let org: Option<Uuid> = row.try_get(at)?;
    org.map(|org| codec::id("organization_slug", org)).transpose()
}

/// What a sweep would clear away. Two statements, each of which shows rows with their organizations as of one moment; where an
/// organization moved between them, its older revision stays and its guard fails.
async fn expired(sql: &Statements, conn: &mut PgConnection, limit: u32, at: Timestamp) -> Result<Loaded, Failure> {
    let mut seen = Snapshot::default();
    let ended = |statement: &Statement, limit: u32| statement.query().bind(PgMoment(at)).bind(i64::from(limit));
    let mut backend_pid = 0;
    for row in ended(&sql.load_expired_invitations, limit).fetch_all(&mut *conn).await? {
        backend_pid = row.try_get(0)?;
        seen.pending.extend(record(&row, 1, codec::invitation)?);
        seen.found.orgs.extend(record(&row, 2, codec::org)?);
    }
    let room = limit.saturating_sub(u32::try_from(seen.pending.len()).unwrap_or(u32::MAX));
    for row in ended(&sql.load_expired_tuples, room).fetch_all(&mut *conn).await? {
        backend_pid = row.try_get(0)?;
        seen.expired_tuples.extend(record(&row, 1, codec::tuple)?);
        seen.found.orgs.extend(record(&row, 2, codec::org)?);
        seen.found.orgs.extend(record(&row, 3, codec::org)?);
    }
    seen.found.orgs.sort_by_key(|org| (org.id, org.revision));
    seen.found.normalize();
    Ok(Loaded { seen, backend_pid })
}

/// Rows by id. Several statements, whatever the number of rows: an import relies on unique constraints and on revisions, which are read
/// first, not on one moment.
async fn found(sql: &Statements, conn: &mut PgConnection, ids: &ImportIds, at: PgMoment) -> Result<Found, Failure> {
    let slugs: Vec<&str> = ids.slugs.iter().map(Slug::as_str).collect();
    let rows = sql.lines_by_id.query().bind(uuids(&ids.orgs)).fetch_all(&mut *conn).await?;
    let orgs = rows.iter().map(|row| codec::org(&mut Columns::from(row, 0))).collect::<Result<_, _>>()?;
    let rows = sql.memberships_by_id.query().bind(uuids(&ids.memberships)).fetch_all(&mut *conn).await?;
    let memberships = rows.iter().map(|row| codec::membership(&mut Columns::from(row, 0))).collect::<Result<_, _>>()?;
    let rows = sql.invitations_by_id.query().bind(uuids(&ids.invitations)).fetch_all(&mut *conn).await?;
    let invitations = rows.iter().map(|row| codec::invitation(&mut Columns::from(row, 0))).collect::<Result<_, _>>()?;
    let rows = sql.slugs_by_text.query().bind(slugs).fetch_all(&mut *conn).await?;
    let slugs = rows.iter().map(list::slug).collect::<Result<_, _>>()?;
    let rows = sql.members_among.query().bind(uuids(&ids.users)).fetch_all(&mut *conn).await?;
    let members = rows.iter().map(|row| codec::id("membership", row.try_get(0)?)).collect::<Result<_, _>>()?;
    let rows = sql.relations_to.query().bind(uuids(&ids.orgs)).bind(at).fetch_all(&mut *conn).await?;
    let relations = rows.iter().filter_map(|row| relation_to(row).transpose()).collect::<Result<_, _>>()?;
    let tuples = found_tuples(sql, conn, ids).await?;
    let users = list::users(sql, conn, &ids.users).await?;
    let mut found = Found { users, orgs, memberships, invitations, tuples, relations, slugs, members, ..Found::default() };
    found.normalize();
    access::found(sql, conn, ids, at, &mut found).await?;
    found.normalize();
    Ok(found)
}

/// A relation to what is no organization yet, where it could be a role's.
fn relation_to(row: &PgRow) -> Result<Option<(OrgId, RoleSlug)>, Failure> {
    let (org, relation): (Uuid, &str) = (row.try_get(0)?, row.try_get(1)?);
    RoleSlug::parse(relation).map(|slug| Ok((codec::id("organization", org)?, slug))).transpose()
}

async fn found_tuples(sql: &Statements, conn: &mut PgConnection, ids: &ImportIds) -> Result<Vec<Tuple>, Failure> {
    let column = |entity: fn(&Grantee<'_>) -> String| ids.keys.iter().map(|key| entity(&key)).collect::<Vec<String>>();
    let uuid_of = |end: fn(&Grantee<'_>) -> EntityRef| ids.keys.iter().map(|key| end(&key).id).collect::<Vec<Uuid>>();
    let mut rows = sql.tuples_by_id.query().bind(uuids(&ids.tuples)).fetch_all(&mut *conn).await?;
    let by_key = sql.tuples_by_key.query().bind(column(|(key, _)| key.subject.kind.to_string())).bind(uuid_of(|(key, _)| key.subject));
    let by_key = by_key.bind(column(|(key, _)| key.relation.to_string())).bind(column(|(key, _)| key.object.kind.to_string()));
    let scopes: Vec<Option<Uuid>> = ids.keys.iter().map(|(_, org)| org.map(|org| org.as_uuid())).collect();
    rows.extend(by_key.bind(uuid_of(|(key, _)| key.object)).bind(scopes).fetch_all(&mut *conn).await?);
    rows.iter().map(|row| codec::tuple(&mut Columns::from(row, 0))).collect()
}

/// What a tuple says, and its scope.
type Grantee<'k> = &'k (tenantry_core::TupleKey, Option<OrgId>);
