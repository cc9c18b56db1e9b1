//! Memberships: one at a time, and the chain of those before it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::rows::Rows;
use super::{Found, Invariant};
use crate::entity::{Membership, MembershipStatus, OrgStatus};
use crate::id::{AnyId, Id, MembershipId, OrgId, UserId};
use crate::role::Role;

const TABLE: &str = "membership";

pub(super) fn check(rows: &Rows<'_>, found: &mut Found) {
    let mut current: BTreeMap<(OrgId, UserId), Vec<AnyId>> = BTreeMap::new();
    for mem in &rows.dump.memberships {
        let ids = [mem.id.any()];
        if mem.status == MembershipStatus::Expired {
            found.add(Invariant::NeverExpired, TABLE, &ids, "it is stored as expired, which is worked out and never stored");
        }
        if mem.role == Role::Owner && mem.expires_at.is_some() {
            found.add(Invariant::OwnerLasts, TABLE, &ids, "it is an owner's and has an end");
        }
        if mem.status != MembershipStatus::Revoked {
            current.entry((mem.org_id, mem.usr_id)).or_default().push(mem.id.any());
            if rows.orgs.get(&mem.org_id).is_some_and(|org| org.status == OrgStatus::Revoked) {
                found.add(Invariant::EndsWithOrg, TABLE, &ids, format!("it is {}, and its organization is revoked", mem.status));
            }
        }
    }
    for ((org, usr), ids) in current.into_iter().filter(|(_, ids)| ids.len() > 1) {
        found.add(Invariant::OneMembership, TABLE, &ids, format!("all of them are of {usr} in {org}, and none is revoked"));
    }
    chains(rows, found);
}

fn chains(rows: &Rows<'_>, found: &mut Found) {
    let mut replaced_by: HashMap<MembershipId, MembershipId> = HashMap::new();
    for mem in &rows.dump.memberships {
        let Some(id) = mem.replaces else { continue };
        let ids = [mem.id.any(), id.any()];
        match rows.memberships.get(&id) {
            None => found.add(Invariant::ReplacedThere, TABLE, &ids, "the row that it replaces is not there"),
            Some(old) => {
                if (old.org_id, old.usr_id) != (mem.org_id, mem.usr_id) {
                    found.add(Invariant::ReplacedSame, TABLE, &ids, "the row that it replaces is of another user or organization");
                }
                if old.status != MembershipStatus::Revoked {
                    found.add(Invariant::ReplacedEnded, TABLE, &ids, format!("the row that it replaces is {}", old.status));
                }
            }
        }
        if let Some(other) = replaced_by.insert(id, mem.id) {
            found.add(Invariant::ReplacedOnce, TABLE, &[other.any(), mem.id.any(), id.any()], "two rows replace one");
        }
    }
    circles(rows, found);
}

/// Each circle once, with every row on it.
fn circles(rows: &Rows<'_>, found: &mut Found) {
    let before = |id: &MembershipId| rows.memberships.get(id).and_then(|mem: &&Membership| mem.replaces);
    let mut done: HashSet<MembershipId> = HashSet::new();
    for mem in &rows.dump.memberships {
        let mut way = BTreeSet::new();
        let mut next = Some(mem.id);
        while let Some(id) = next.filter(|id| !done.contains(id) && way.insert(*id)) {
            next = before(&id);
        }
        // Where the way came back to itself; else it ended, or came to what was looked at before.
        let mut circle = BTreeSet::new();
        let mut next = next.filter(|id| way.contains(id));
        while let Some(id) = next.filter(|id| circle.insert(*id)) {
            next = before(&id);
        }
        if !circle.is_empty() {
            let ids: Vec<AnyId> = circle.iter().map(Id::any).collect();
            found.add(Invariant::ReplacedAcyclic, TABLE, &ids, "they replace each other in a circle");
        }
        done.extend(way);
    }
}
