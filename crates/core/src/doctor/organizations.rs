//! Organizations: their trees, slugs, owners and revisions.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::rows::{Rows, count};
use super::{Found, Invariant, Repair};
use crate::entity::{MembershipStatus, OrgStatus, Organization, UserStatus};
use crate::id::{Id, OrgId};
use crate::role::Role;
use crate::value::Slug;

const TABLE: &str = "organization";

pub(super) fn check(rows: &Rows<'_>, found: &mut Found) {
    trees(rows, found);
    slugs(rows, found);
    owners(rows, found);
    for org in &rows.dump.organizations {
        if org.seat_limit.is_some_and(|limit| !(1..=Organization::MAX_SEATS).contains(&limit)) {
            found.add(Invariant::SeatLimit, TABLE, &[org.id.any()], "the seat limit is none from 1 to 1000000000");
        }
        revision(rows, org, found);
    }
}

/// Where the parents of an organization lead.
enum Path {
    /// To a root: what is passed on the way, root first.
    Whole(Vec<OrgId>),
    /// To an organization that is not there.
    Broken,
    /// In a circle that the organization is on, or above it.
    Circle { on_it: bool },
}

fn path(rows: &Rows<'_>, org: &Organization) -> Path {
    let mut above = Vec::new();
    let mut passed = HashSet::from([org.id]);
    let mut next = org.parent_id;
    while let Some(id) = next {
        if !passed.insert(id) {
            return Path::Circle { on_it: id == org.id };
        }
        above.push(id);
        match rows.orgs.get(&id) {
            Some(parent) => next = parent.parent_id,
            None => return Path::Broken,
        }
    }
    above.reverse();
    Path::Whole(above)
}

fn trees(rows: &Rows<'_>, found: &mut Found) {
    for org in &rows.dump.organizations {
        let ids = [org.id.any()];
        match org.parent_id.map(|id| (id, rows.orgs.get(&id))) {
            Some((id, None)) => found.add(Invariant::ParentThere, TABLE, &ids, format!("its parent {id} is not there")),
            Some((id, Some(parent))) if parent.status == OrgStatus::Revoked && org.status != OrgStatus::Revoked => {
                found.add(Invariant::ParentLives, TABLE, &ids, format!("it is {}, and its parent {id} is revoked", org.status));
            }
            Some(_) | None => {}
        }
        match path(rows, org) {
            Path::Whole(above) => {
                let fits = above.len() < Organization::MAX_LEVELS;
                if !fits {
                    found.add(Invariant::Depth, TABLE, &ids, format!("{} organizations are above it", above.len()));
                }
                if above != org.ancestors {
                    let from = org.ancestors.clone();
                    let repair = fits.then_some(Repair::SetAncestors { org_id: org.id, from, to: above });
                    let message = "the ancestors kept with it are not those that its parents lead to";
                    found.add_repairable(Invariant::Ancestors, TABLE, &ids, message, repair);
                }
            }
            Path::Circle { on_it: true } => found.add(Invariant::ParentAcyclic, TABLE, &ids, "it is above itself"),
            // Found at the organization where the way breaks off, or at those on the circle.
            Path::Broken | Path::Circle { on_it: false } => {}
        }
    }
}

fn slugs(rows: &Rows<'_>, found: &mut Found) {
    let mut claims: BTreeMap<&Slug, Vec<OrgId>> = BTreeMap::new();
    for org in rows.dump.organizations.iter().filter(|org| org.status != OrgStatus::Revoked) {
        if let Some(slug) = &org.slug {
            claims.entry(slug).or_default().push(org.id);
        }
    }
    let is_claimed = |slug: &Slug, org: OrgId| claims.get(slug).is_some_and(|claims| claims.contains(&org));
    let held: HashMap<&Slug, OrgId> = rows.dump.slugs.iter().map(|(slug, org)| (slug, *org)).collect();
    for (slug, org) in rows.dump.slugs.iter().filter(|(slug, org)| !is_claimed(slug, *org)) {
        let message = format!("it holds the slug `{slug}`, which it does not have, or it is revoked or not there");
        let repair = Repair::DropSlug { slug: slug.clone(), org_id: *org };
        found.add_repairable(Invariant::SlugHeld, "organization_slug", &[org.any()], message, Some(repair));
    }
    for (slug, orgs) in &claims {
        if let [org] = orgs.as_slice() {
            if held.get(slug) != Some(org) {
                let repair = Repair::PutSlug { slug: (*slug).clone(), org_id: *org };
                let message = format!("it has the slug `{slug}` and does not hold it");
                found.add_repairable(Invariant::SlugHolds, TABLE, &[org.any()], message, Some(repair));
            }
        } else {
            let ids: Vec<_> = orgs.iter().map(Id::any).collect();
            found.add(Invariant::SlugOnce, TABLE, &ids, format!("all of them have the slug `{slug}`, and none is revoked"));
        }
    }
}

fn owners(rows: &Rows<'_>, found: &mut Found) {
    let is_revoked = |usr| rows.users.get(usr).is_some_and(|user| user.status == UserStatus::Revoked);
    let owned: BTreeSet<OrgId> = rows
        .dump
        .memberships
        .iter()
        .filter(|mem| mem.role == Role::Owner && mem.status_at(rows.now) == MembershipStatus::Active && !is_revoked(&mem.usr_id))
        .map(|mem| mem.org_id)
        .collect();
    for org in rows.dump.organizations.iter().filter(|org| org.status != OrgStatus::Revoked && !owned.contains(&org.id)) {
        let message = "it has no active owner's membership, or only of users who are revoked";
        found.add(Invariant::ActiveOwner, TABLE, &[org.id.any()], message);
    }
}

fn revision(rows: &Rows<'_>, org: &Organization, found: &mut Found) {
    let (events, is_numbered) = rows.logs.get(&org.id).map_or((0, true), |log| (count(log.events.len()), log.is_numbered));
    // Where numbers are missing, that is what is wrong.
    if is_numbered && org.revision != events {
        let repair = (org.revision < events).then_some(Repair::SetRevision { org_id: org.id, from: org.revision, to: events });
        let message = format!("its revision is {}, and the number of its events {events}", org.revision);
        found.add_repairable(Invariant::Revision, TABLE, &[org.id.any()], message, repair);
    }
}
