//! What a command needs to see, defined by `tenantry_core::State::load`. Runs inside the transaction that writes the plan, so its
//! look-ups need not be one statement.

use std::collections::BTreeSet;

use rusqlite::{Params, params};
use tenantry_core::{
    EntityRef, Found, Grant, Hold, ImportIds, Invitation, InvitationId, Load, LoadSpec, MembershipId, OrgId, Organization, OtherOwner,
    Owned, RoleSlug, Slug, Snapshot, Standing, Standpoint, Tenancy, Timestamp, Tuple, TupleId, TupleKey, UserId,
};

use crate::access;
use crate::codec::{self, bytes};
use crate::error::Failure;
use crate::list::{self, org, user};
use crate::session::Session;
use crate::tuples::{self, ends};

#[expect(clippy::too_many_lines, reason = "one arm for each kind of load, and each is short")]
pub(crate) fn load(db: &Session, load: Load<'_>) -> Result<Snapshot, Failure> {
    let Load { spec, actor, at } = load;
    let mut seen = Snapshot::default();
    // The organization in which a guarded caller's standing is wanted.
    let mut place = None;
    match spec {
        LoadSpec::Nothing => {}
        LoadSpec::User { usr } => seen.user = user(db, *usr)?,
        LoadSpec::Owner { usr } => {
            seen.user = user(db, *usr)?;
            seen.owned = owned(db, *usr)?;
        }
        LoadSpec::NewOrg { creator, parent, slug } => {
            seen.user = user(db, *creator)?;
            seen.org = parent.map_or(Ok(None), |parent| org(db, parent))?;
            seen.structure = access::structure(db, seen.org.as_ref())?;
            seen.slug_holder = slug_holder(db, slug.as_ref())?;
            place = *parent;
        }
        LoadSpec::Org { org: id, slug } => {
            seen.org = org(db, *id)?;
            seen.slug_holder = slug_holder(db, slug.as_ref())?;
            place = Some(*id);
        }
        LoadSpec::Tenants { usr, slugs } => {
            seen.user = user(db, *usr)?;
            seen.tenancy = Some(Box::new(tenancy(db, *usr, None, at)?));
            for slug in slugs {
                seen.taken.extend(slug_holder(db, Some(slug))?.map(|_| slug.clone()));
            }
            seen.taken.sort_unstable();
            seen.taken.dedup();
        }
        LoadSpec::OrgEnd { org: id, ids, owner } => {
            seen.org = org(db, *id)?;
            if let Some(usr) = owner {
                seen.user = user(db, *usr)?;
                seen.membership = list::current(db, *id, *usr)?;
                seen.tenancy = Some(Box::new(tenancy(db, *usr, Some(*id), at)?));
            }
            seen.has_children = db.holds(&db.sql.has_children, [bytes(id)])?;
            let first = db.rows(&db.sql.current_ids, params![bytes(id), ids], |row| codec::only_id::<MembershipId>("membership", row))?;
            seen.current = (count(db, "membership", &db.sql.current_count, [bytes(id)])?, first);
            seen.pending_count = count(db, "invitation", &db.sql.pending_count, params![bytes(id), at.as_micros()])?;
            let object = EntityRef::org(*id);
            let (kind, key) = ends(&object);
            seen.org_tuples = count(db, "tuple", &db.sql.org_tuple_count, params![kind, key])?;
            seen.member_groups = access::member_groups(db, *id, None)?;
            place = Some(*id);
        }
        LoadSpec::Join { org: id, usr, role: _ } => {
            seen.org = org(db, *id)?;
            seen.user = user(db, *usr)?;
            seen.membership = list::current(db, *id, *usr)?;
            seen.seats = seats(db, seen.org.as_ref(), at)?;
            seen.member_tuples = member_tuples(db, *id, *usr)?;
            seen.member_groups = access::member_groups(db, *id, Some(*usr))?;
            place = Some(*id);
        }
        LoadSpec::Member { mem, peer, role: _ } => {
            let id = *mem;
            seen.membership = list::membership(db, *mem)?;
            place = seen.membership.as_ref().map(|mem| mem.org_id);
            if let Some((at, who)) = seen.membership.as_ref().map(|mem| (mem.org_id, mem.usr_id)) {
                seen.org = org(db, at)?;
                seen.user = user(db, who)?;
                seen.other_owner = other_owner(db, at, who)?;
                seen.member_tuples = member_tuples(db, at, who)?;
                seen.member_groups = access::member_groups(db, at, Some(who))?;
                seen.overrides = access::overrides(db, id)?;
                if let Some(peer) = peer {
                    seen.org_live = list::is_live(db, at)?;
                    seen.peer = list::current(db, at, *peer)?;
                    seen.peer_user = user(db, *peer)?;
                    seen.peer_overrides = seen.peer.as_ref().map_or(Ok(0), |peer| access::overrides(db, peer.id))?;
                }
            }
        }
        LoadSpec::Pair { org: id, from, to } => {
            seen.org = org(db, *id)?;
            seen.membership = list::membership(db, *from)?;
            seen.peer = list::membership(db, *to)?;
            seen.peer_user = seen.peer.as_ref().map_or(Ok(None), |peer| user(db, peer.usr_id))?;
            (seen.overrides, seen.peer_overrides) = (access::overrides(db, *from)?, access::overrides(db, *to)?);
            place = seen.membership.as_ref().map(|mem| mem.org_id);
        }
        LoadSpec::Invite { org: id, identifiers, grants, roles: _ } => {
            seen.org = org(db, *id)?;
            for identifier in identifiers {
                let pending = db.first(&db.sql.invitation_pending, params![bytes(id), identifier.as_str()], codec::invitation)?;
                seen.pending.extend(pending);
            }
            seen.pending.sort_by_key(|inv| inv.id);
            seen.pending.dedup_by_key(|inv| inv.id);
            if let Some(usr) = actor {
                seen.grants = grants.iter().map(|grant| standpoint(db, usr, grant, Some(*id), at)).collect::<Result<_, _>>()?;
            }
            place = Some(*id);
        }
        LoadSpec::Invitation { inv } => {
            seen.invitation = invitation(db, *inv)?;
            if let Some(inv) = &seen.invitation {
                let bound = params![bytes(&inv.org_id), inv.identifier.as_str()];
                seen.pending = db.rows(&db.sql.invitation_pending, bound, codec::invitation)?;
                seen.org = org(db, inv.org_id)?;
                if let Some(usr) = actor {
                    seen.grants = promises(db, inv, usr, at)?;
                }
                place = Some(inv.org_id);
            }
        }
        LoadSpec::Accept { inv, usr } => accept(db, *inv, *usr, at, &mut seen)?,
        LoadSpec::NewTuple { key, org: scope } => {
            seen.tuple = tuples::in_place(db, key, *scope)?;
            seen.org = scope.map_or(Ok(None), |scope| org(db, scope))?;
            seen.object_org = object_org(db, key)?;
            seen.membership = match scope.zip(key.subject.as_user()) {
                Some((scope, usr)) => list::current(db, scope, usr)?,
                None => None,
            };
            seen.grants = grants(db, key, *scope, actor, at)?;
            place = scope.or_else(|| key.object.as_org());
        }
        LoadSpec::Tuple { id } => place = tuple(db, *id, actor, at, &mut seen)?,
        LoadSpec::Expired { limit } => expired(db, *limit, at, &mut seen)?,
        LoadSpec::Ids(ids) => {
            seen.system_revision = access::system_revision(db)?;
            *seen.found = found(db, ids, at)?;
        }
        LoadSpec::Catalog { slugs } => access::catalog(db, slugs, &mut seen)?,
        LoadSpec::Move { org, parent } => {
            place = Some(*org);
            access::moving(db, *org, *parent, at, &mut seen)?;
        }
        LoadSpec::SystemRoles { slugs, with_grants } => {
            seen.system_revision = access::system_revision(db)?;
            let line = access::line(db, None, slugs)?;
            if *with_grants {
                access::granted(db, &line.roles, &mut seen)?;
            }
            seen.line = Some(line);
        }
        LoadSpec::Access(wants) => place = access::load(db, wants, at, &mut seen)?,
    }
    if let Some((org, slugs)) = spec.line(&seen) {
        seen.line = Some(access::line(db, Some(org), &slugs)?);
    }
    let always = matches!(spec, LoadSpec::NewTuple { .. } | LoadSpec::Tuple { .. });
    if let Some(usr) = actor.filter(|_| always || place.is_some()) {
        seen.standing = Some(match place {
            Some(org) => list::standing(db, usr, org)?,
            None => Standing { user: user(db, usr)?, ..Standing::default() },
        });
    }
    Ok(seen)
}

/// What a user has to do with each promise of an invitation.
fn promises(db: &Session, inv: &Invitation, usr: UserId, at: Timestamp) -> Result<Vec<Standpoint>, Failure> {
    inv.pre_tuples.iter().map(|promise| standpoint(db, usr, promise, Some(inv.org_id), at)).collect()
}

fn accept(db: &Session, inv: InvitationId, usr: Option<UserId>, at: Timestamp, seen: &mut Snapshot) -> Result<(), Failure> {
    seen.invitation = invitation(db, inv)?;
    let Some(inv) = &seen.invitation else { return Ok(()) };
    seen.org = org(db, inv.org_id)?;
    seen.seats = seats(db, seen.org.as_ref(), at)?;
    if inv.judged {
        seen.grants = promises(db, inv, inv.invited_by, at)?;
    }
    let Some(usr) = usr else { return Ok(()) };
    seen.user = user(db, usr)?;
    seen.membership = list::current(db, inv.org_id, usr)?;
    seen.member_tuples = member_tuples(db, inv.org_id, usr)?;
    seen.member_groups = access::member_groups(db, inv.org_id, Some(usr))?;
    for (grant, place) in inv.pre_tuples.iter().zip(0..) {
        if standpoint(db, usr, grant, None, at)?.open > Hold::Not {
            seen.held.push(place);
        }
    }
    Ok(())
}

/// Answers the organization in which a guarded caller's standing is wanted.
fn tuple(db: &Session, id: TupleId, actor: Option<UserId>, at: Timestamp, seen: &mut Snapshot) -> Result<Option<OrgId>, Failure> {
    seen.tuple = tuples::by_id(db, id)?;
    if let Some(Tuple { key, org_id, .. }) = &seen.tuple {
        seen.org = org_id.map_or(Ok(None), |scope| org(db, scope))?;
        seen.object_org = object_org(db, key)?;
        seen.grants = grants(db, key, *org_id, actor, at)?;
        return Ok(org_id.or_else(|| key.object.as_org()));
    }
    let Ok(mem) = MembershipId::from_uuid(id.as_uuid()) else { return Ok(None) };
    let Some(mem) = list::membership(db, mem)? else { return Ok(None) };
    let place = mem.org_id;
    seen.user = user(db, mem.usr_id)?;
    seen.org = org(db, place)?;
    seen.org_live = list::is_live(db, place)?;
    seen.membership = Some(mem);
    Ok(Some(place))
}

fn expired(db: &Session, limit: u32, at: Timestamp, seen: &mut Snapshot) -> Result<(), Failure> {
    seen.pending = db.rows(&db.sql.expired_invitations, params![at.as_micros(), limit], codec::invitation)?;
    let room = limit.saturating_sub(u32::try_from(seen.pending.len()).unwrap_or(u32::MAX));
    seen.expired_tuples = db.rows(&db.sql.expired_tuples, params![at.as_micros(), room], codec::tuple)?;
    let of_tuples = seen.expired_tuples.iter().flat_map(|tuple| tuple.org_id.into_iter().chain(tuple.key.object.as_org()));
    let mut orgs: Vec<OrgId> = seen.pending.iter().map(|inv| inv.org_id).chain(of_tuples).collect();
    orgs.sort_unstable();
    orgs.dedup();
    for id in orgs {
        seen.found.orgs.extend(org(db, id)?);
    }
    seen.found.normalize();
    Ok(())
}

fn invitation(db: &Session, id: InvitationId) -> Result<Option<Invitation>, Failure> {
    db.first(&db.sql.invitation_by_id, [bytes(&id)], codec::invitation)
}

fn object_org(db: &Session, key: &TupleKey) -> Result<Option<Organization>, Failure> {
    key.object.as_org().map_or(Ok(None), |object| org(db, object))
}

/// How many seats are taken, where there is a limit.
fn seats(db: &Session, org: Option<&Organization>, at: Timestamp) -> Result<Option<u64>, Failure> {
    let Some(org) = org.filter(|org| org.seat_limit.is_some()) else { return Ok(None) };
    count(db, "membership", &db.sql.seat_count, params![bytes(&org.id), at.as_micros()]).map(Some)
}

fn count(db: &Session, table: &str, sql: &str, params: impl Params) -> Result<u64, Failure> {
    Ok(db.first(sql, params, |row| codec::only_count(table, row))?.unwrap_or_default())
}

fn member_tuples(db: &Session, org: OrgId, usr: UserId) -> Result<u64, Failure> {
    let subject = EntityRef::user(usr);
    let (kind, id) = ends(&subject);
    count(db, "tuple", &db.sql.member_tuple_count, params![bytes(&org), kind, id])
}

fn grants(db: &Session, key: &TupleKey, scope: Option<OrgId>, actor: Option<UserId>, at: Timestamp) -> Result<Vec<Standpoint>, Failure> {
    let grant = Grant { relation: key.relation.clone(), object: key.object };
    actor.into_iter().map(|usr| standpoint(db, usr, &grant, scope, at)).collect()
}

fn standpoint(db: &Session, usr: UserId, grant: &Grant, scope: Option<OrgId>, at: Timestamp) -> Result<Standpoint, Failure> {
    let key = TupleKey { subject: EntityRef::user(usr), relation: grant.relation.clone(), object: grant.object };
    let hold = |scope| {
        let tuple = tuples::in_place(db, &key, scope)?.filter(|tuple| !tuple.is_expired(at));
        Ok::<_, Failure>(tuple.map_or(Hold::Not, |tuple| Hold::until(tuple.expires_at)))
    };
    Ok(Standpoint {
        open: hold(None)?,
        scoped: scope.map_or(Ok(Hold::Not), |org| hold(Some(org)))?,
        elsewhere: scope.map_or(Ok(false), |org| tuples::is_elsewhere(db, grant.object, org, at))?,
    })
}

fn slug_holder(db: &Session, slug: Option<&Slug>) -> Result<Option<OrgId>, Failure> {
    slug.map_or(Ok(None), |slug| db.first(&db.sql.slug_holder, [slug.as_str()], |row| codec::only_id("organization_slug", row)))
}

fn other_owner(db: &Session, org: OrgId, usr: UserId) -> Result<Option<OtherOwner>, Failure> {
    db.first(&db.sql.other_owner, [bytes(&org), bytes(&usr)], codec::other_owner)
}

fn owned(db: &Session, usr: UserId) -> Result<Vec<Owned>, Failure> {
    let orgs = db.rows(&db.sql.owned_orgs, [bytes(&usr)], |row| codec::only_id::<OrgId>("membership", row))?;
    let mut owned = Vec::with_capacity(orgs.len());
    for org_id in orgs {
        let revision = db.first(&db.sql.org_revision, [bytes(&org_id)], |row| codec::only_count("organization", row))?;
        if let Some(revision) = revision {
            owned.push(Owned { org_id, revision, other: other_owner(db, org_id, usr)? });
        }
    }
    Ok(owned)
}

/// Where a user belongs, and may belong without one organization.
fn tenancy(db: &Session, usr: UserId, without: Option<OrgId>, at: Timestamp) -> Result<Tenancy, Failure> {
    let counts = db.first(&db.sql.tenancy, [bytes(&usr)], codec::tenancy)?;
    let mut tenancy = counts.unwrap_or_default();
    if let Some(ends) = without {
        for owned in db.rows(&db.sql.owned_orgs, [bytes(&usr)], |row| codec::only_id::<OrgId>("membership", row))? {
            tenancy.owns_another = tenancy.owns_another || (owned != ends && list::is_live(db, owned)?);
        }
    }
    let bound = params![bytes(&usr), at.as_micros()];
    for id in db.rows(&db.sql.active_orgs, bound, |row| codec::only_id::<OrgId>("membership", row))? {
        tenancy.active = true;
        if list::is_live(db, id)? {
            tenancy.home = list::current(db, id, usr)?.zip(org(db, id)?);
            break;
        }
    }
    Ok(tenancy)
}

fn found(db: &Session, ids: &ImportIds, at: Timestamp) -> Result<Found, Failure> {
    let mut found = Found::default();
    for usr in &ids.users {
        found.users.extend(user(db, *usr)?);
        if db.holds(&db.sql.has_memberships, [bytes(usr)])? {
            found.members.push(*usr);
        }
    }
    let mut above = BTreeSet::new();
    for id in &ids.orgs {
        if let Some(asked) = org(db, *id)? {
            above.extend(asked.ancestors.iter().copied());
            found.orgs.push(asked);
            continue;
        }
        let object = EntityRef::org(*id);
        let (kind, key) = ends(&object);
        let relations = db.rows(&db.sql.relations_to, params![kind, key, at.as_micros()], codec::relation)?;
        found.relations.extend(relations.iter().filter_map(|relation| Some((*id, RoleSlug::parse(relation.as_str())?))));
    }
    for id in above {
        found.orgs.extend(org(db, id)?);
    }
    for id in &ids.memberships {
        found.memberships.extend(list::membership(db, *id)?);
    }
    for id in &ids.invitations {
        found.invitations.extend(invitation(db, *id)?);
    }
    for id in &ids.tuples {
        found.tuples.extend(tuples::by_id(db, *id)?);
    }
    for (key, scope) in &ids.keys {
        found.tuples.extend(tuples::in_place(db, key, *scope)?);
    }
    for slug in &ids.slugs {
        found.slugs.extend(slug_holder(db, Some(slug))?.map(|holder| (slug.clone(), holder)));
    }
    found.normalize();
    access::found(db, ids, at, &mut found)?;
    found.normalize();
    Ok(found)
}
