//! What a command needs to see, defined by `tenantry_core::State::load`. Runs inside the transaction that writes the plan, so its
//! look-ups need not be one statement.

use rusqlite::params;
use tenantry_core::{
    Found, ImportIds, LoadSpec, MembershipId, OrgId, Organization, OtherOwner, Owned, Slug, Snapshot, User, UserId, is_live,
};

use crate::codec::{self, bytes};
use crate::error::Failure;
use crate::list;
use crate::session::Session;

pub(crate) fn load(db: &Session, spec: &LoadSpec) -> Result<Snapshot, Failure> {
    let mut seen = Snapshot::default();
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
            seen.slug_holder = slug_holder(db, slug.as_ref())?;
        }
        LoadSpec::Org { org: id, slug } => {
            seen.org = org(db, *id)?;
            seen.slug_holder = slug_holder(db, slug.as_ref())?;
        }
        LoadSpec::OrgEnd { org: id, ids } => {
            seen.org = org(db, *id)?;
            seen.has_children = db.holds(&db.sql.has_children, [bytes(id)])?;
            let count = db.first(&db.sql.current_count, [bytes(id)], |row| codec::only_count("membership", row))?;
            let first = db.rows(&db.sql.current_ids, params![bytes(id), ids], |row| codec::only_id::<MembershipId>("membership", row))?;
            seen.current = (count.unwrap_or_default(), first);
        }
        LoadSpec::Join { org: id, usr } => {
            seen.org = org(db, *id)?;
            seen.user = user(db, *usr)?;
            seen.membership = list::current(db, *id, *usr)?;
        }
        LoadSpec::Member { mem, peer } => {
            seen.membership = list::membership(db, *mem)?;
            if let Some((at, who)) = seen.membership.as_ref().map(|mem| (mem.org_id, mem.usr_id)) {
                seen.org = org(db, at)?;
                seen.user = user(db, who)?;
                seen.other_owner = other_owner(db, at, who)?;
                if let Some(peer) = peer {
                    seen.org_live = is_live(&list::path(db, at)?);
                    seen.peer = list::current(db, at, *peer)?;
                    seen.peer_user = user(db, *peer)?;
                }
            }
        }
        LoadSpec::Pair { org: id, from, to } => {
            seen.org = org(db, *id)?;
            seen.membership = list::membership(db, *from)?;
            seen.peer = list::membership(db, *to)?;
            seen.peer_user = seen.peer.as_ref().map_or(Ok(None), |peer| user(db, peer.usr_id))?;
        }
        LoadSpec::Ids(ids) => *seen.found = found(db, ids)?,
    }
    Ok(seen)
}

fn user(db: &Session, id: UserId) -> Result<Option<User>, Failure> {
    db.first(&db.sql.user_by_id, [bytes(&id)], codec::user)
}

fn org(db: &Session, id: OrgId) -> Result<Option<Organization>, Failure> {
    list::org(db, id)
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

fn found(db: &Session, ids: &ImportIds) -> Result<Found, Failure> {
    let mut found = Found::default();
    for usr in &ids.users {
        found.users.extend(user(db, *usr)?);
        if db.holds(&db.sql.has_memberships, [bytes(usr)])? {
            found.members.push(*usr);
        }
    }
    for id in &ids.orgs {
        found.orgs.extend(org(db, *id)?);
    }
    for id in &ids.memberships {
        found.memberships.extend(list::membership(db, *id)?);
    }
    for slug in &ids.slugs {
        found.slugs.extend(slug_holder(db, Some(slug))?.map(|holder| (slug.clone(), holder)));
    }
    found.normalize();
    Ok(found)
}
