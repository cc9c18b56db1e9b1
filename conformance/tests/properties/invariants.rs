//! What must hold of the rows, whatever was done. Written from spec/, not from the rules.

use std::collections::{BTreeMap, BTreeSet};

use tenantry_core::{Dump, Membership, MembershipStatus, OrgId, OrgStatus, Organization, Role, Timestamp, UserStatus};

/// What does not hold after a command.
pub(crate) fn broken(before: &Dump, after: &Dump, may_leave_none: bool, now: Timestamp) -> Vec<String> {
    let mut broken = Vec::new();
    owners(after, now, &mut broken);
    if !may_leave_none {
        acting_owners(before, after, &mut broken);
    }
    memberships(after, &mut broken);
    trees(after, &mut broken);
    slugs(after, &mut broken);
    events(before, after, &mut broken);
    ends(before, after, &mut broken);
    broken
}

fn is_owner(mem: &Membership, org: OrgId) -> bool {
    mem.org_id == org && mem.role == Role::Owner && mem.status == MembershipStatus::Active
}

/// An organization that is not revoked has an active owner, whose membership has no end.
fn owners(rows: &Dump, now: Timestamp, broken: &mut Vec<String>) {
    for org in rows.organizations.iter().filter(|org| org.status != OrgStatus::Revoked) {
        if !rows.memberships.iter().any(|mem| is_owner(mem, org.id) && mem.status_at(now) == MembershipStatus::Active) {
            broken.push(format!("{} has no active owner", org.id));
        }
    }
    let ending = rows.memberships.iter().filter(|mem| mem.role == Role::Owner && mem.expires_at.is_some());
    broken.extend(ending.map(|mem| format!("the owner's membership {} has an end", mem.id)));
}

/// No command but one that may takes the last acting owner away.
fn acting_owners(before: &Dump, after: &Dump, broken: &mut Vec<String>) {
    let acting = |rows: &Dump, org: OrgId| {
        let acts = |mem: &&Membership| {
            let row = rows.users.iter().find(|user| user.id == mem.usr_id);
            row.is_none_or(|user| user.status == UserStatus::Active)
        };
        rows.memberships.iter().filter(|mem| is_owner(mem, org)).any(|mem| acts(&mem))
    };
    for org in after.organizations.iter().filter(|org| org.status != OrgStatus::Revoked) {
        let was_there = before.organizations.iter().any(|old| old.id == org.id);
        if !acting(after, org.id) && (!was_there || acting(before, org.id)) {
            broken.push(format!("{} lost its acting owner", org.id));
        }
    }
}

/// One membership of each user and organization that is not revoked; of an organization that is revoked, none; each row
/// replaces a revoked one of the same pair, and is replaced once at most.
fn memberships(rows: &Dump, broken: &mut Vec<String>) {
    let (mut current, mut replaced) = (BTreeSet::new(), BTreeSet::new());
    for mem in &rows.memberships {
        if mem.status == MembershipStatus::Expired {
            broken.push(format!("{} is stored as expired", mem.id));
        }
        let org = rows.organizations.iter().find(|org| org.id == mem.org_id);
        if mem.status != MembershipStatus::Revoked {
            if !current.insert((mem.org_id, mem.usr_id)) {
                broken.push(format!("{} is a second membership", mem.id));
            }
            if org.is_none_or(|org| org.status == OrgStatus::Revoked) {
                broken.push(format!("{} outlives its organization", mem.id));
            }
        }
        let Some(old) = mem.replaces else { continue };
        if !replaced.insert(old) {
            broken.push(format!("{old} is replaced twice"));
        }
        let old = rows.memberships.iter().find(|row| row.id == old);
        let fits = |old: &Membership| old.status == MembershipStatus::Revoked && (old.usr_id, old.org_id) == (mem.usr_id, mem.org_id);
        if !old.is_some_and(fits) {
            broken.push(format!("{} replaces {old:?}", mem.id));
        }
    }
}

/// Parents exist, ancestors are the parents' chain, ten levels are the most, and a revoked organization has no child that is not.
fn trees(rows: &Dump, broken: &mut Vec<String>) {
    let by_id: BTreeMap<OrgId, &Organization> = rows.organizations.iter().map(|org| (org.id, org)).collect();
    for (org, ancestors) in rows.organizations.iter().zip(&rows.ancestors) {
        let mut chain = Vec::new();
        let mut above = org.parent_id;
        while let Some(id) = above.filter(|_| chain.len() < 20) {
            chain.push(id);
            above = by_id.get(&id).and_then(|parent| parent.parent_id);
        }
        chain.reverse();
        if chain != *ancestors || chain.len() > 9 || chain.iter().any(|id| !by_id.contains_key(id)) {
            broken.push(format!("{} has the ancestors {ancestors:?}, its parents are {chain:?}", org.id));
        }
        let parent = org.parent_id.and_then(|id| by_id.get(&id));
        if org.status != OrgStatus::Revoked && parent.is_some_and(|parent| parent.status == OrgStatus::Revoked) {
            broken.push(format!("{} lies below a revoked organization", org.id));
        }
    }
}

/// A slug has one holder, which is not revoked; and who has one, holds it.
fn slugs(rows: &Dump, broken: &mut Vec<String>) {
    let live = rows.organizations.iter().filter(|org| org.status != OrgStatus::Revoked);
    let mut expected: Vec<_> = live.filter_map(|org| org.slug.clone().map(|slug| (slug, org.id))).collect();
    expected.sort();
    if expected != rows.slugs {
        broken.push(format!("organizations have the slugs {expected:?}, {:?} are held", rows.slugs));
    }
    if expected.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        broken.push(format!("a slug is held twice: {expected:?}"));
    }
}

/// Events of an organization are numbered without a gap up to its revision, and what was written stays as it is.
fn events(before: &Dump, after: &Dump, broken: &mut Vec<String>) {
    for org in &after.organizations {
        let revisions: Vec<u64> =
            after.events.iter().filter(|event| event.org_id == Some(org.id)).filter_map(|event| event.revision).collect();
        if revisions != (1..=org.revision).collect::<Vec<u64>>() {
            broken.push(format!("{} has revision {}, its events {revisions:?}", org.id, org.revision));
        }
    }
    let ids: BTreeSet<_> = after.events.iter().map(|event| event.id).collect();
    if ids.len() != after.events.len() {
        broken.push("two events have one id".to_owned());
    }
    let lost = before.events.iter().filter(|event| !after.events.contains(event));
    broken.extend(lost.map(|event| format!("the event {} is gone or changed", event.id)));
    let strays = after.events.iter().filter(|event| event.org_id.is_none() != event.revision.is_none());
    broken.extend(strays.map(|event| format!("the event {} has an organization or a revision, but not both", event.id)));
    // What does not change writes no event, and what writes no event does not change.
    if (before == after) != (before.events == after.events) {
        broken.push("rows changed without an event, or the other way round".to_owned());
    }
}

/// What is revoked stays as it is, and no row goes.
fn ends(before: &Dump, after: &Dump, broken: &mut Vec<String>) {
    for old in &before.users {
        match after.users.iter().find(|user| user.id == old.id) {
            Some(new) if old.status != UserStatus::Revoked || (new.status, &new.display_name) == (old.status, &old.display_name) => {}
            _ => broken.push(format!("the user {} came back or went", old.id)),
        }
    }
    for old in &before.organizations {
        match after.organizations.iter().find(|org| org.id == old.id) {
            Some(new) if old.status != OrgStatus::Revoked || new == old => {}
            _ => broken.push(format!("the organization {} came back or went", old.id)),
        }
    }
    for old in &before.memberships {
        match after.memberships.iter().find(|mem| mem.id == old.id) {
            Some(new) if (new.usr_id, new.org_id, new.role, new.replaces) != (old.usr_id, old.org_id, old.role, old.replaces) => {
                broken.push(format!("the membership {} became another", old.id));
            }
            Some(new) if old.status != MembershipStatus::Revoked || new == old => {}
            _ => broken.push(format!("the membership {} came back or went", old.id)),
        }
    }
}
