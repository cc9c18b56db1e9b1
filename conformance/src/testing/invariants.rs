//! What must hold of the rows, whatever was done. Written from spec/ and over the rows alone: nothing here asks the rules, so that
//! a wrong one is noticed.

use std::collections::{BTreeMap, BTreeSet};

use tenantry_core::{
    Dump, Event, Id, Invitation, InvitationStatus, Membership, MembershipStatus, OrgId, OrgStatus, Organization, Role, Timestamp, Tuple,
    UserId, UserStatus,
};

/// What happened between two dumps, as far as it matters what that was.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Deed<'d> {
    /// The operation's name, as on the wire; any other text for none.
    pub operation: &'d str,
    /// The guarded caller, where there was one.
    pub actor: Option<UserId>,
}

impl<'d> Deed<'d> {
    /// An operation of a trusted caller.
    pub const fn trusted(operation: &'d str) -> Self {
        Self { operation, actor: None }
    }
}

/// What does not hold of rows at a moment, however they came about; nothing of a sound store.
pub fn broken_rows(rows: &Dump, now: Timestamp) -> Vec<String> {
    let mut broken = Vec::new();
    owners(rows, now, &mut broken);
    memberships(rows, &mut broken);
    trees(rows, &mut broken);
    slugs(rows, &mut broken);
    revisions(rows, &mut broken);
    invitations(rows, now, &mut broken);
    tuples(rows, now, &mut broken);
    broken
}

/// What does not hold after a command, of the rows and of what became of them; nothing of a sound store.
pub fn broken(before: &Dump, after: &Dump, deed: Deed<'_>, now: Timestamp) -> Vec<String> {
    let imported = deed.operation == "import";
    let mut broken = broken_rows(after, now);
    // The suspension of a user may leave no acting owner, and an import brings what there was elsewhere.
    if !imported && deed.operation != "suspend_user" {
        acting_owners(before, after, &mut broken);
    }
    history(before, after, &mut broken);
    ends(before, after, deed, &mut broken);
    lives(before, after, deed, now, &mut broken);
    tuples_stay(before, after, imported, now, &mut broken);
    if !imported {
        seats(before, after, now, &mut broken);
    }
    if let Some(actor) = deed.actor {
        rights(before, after, deed.operation, actor, now, &mut broken);
    }
    broken
}

/// An organization has one pending invitation for an identifier, and none when it is revoked; and what came to an end says so.
fn invitations(rows: &Dump, now: Timestamp, broken: &mut Vec<String>) {
    let mut pending = BTreeSet::new();
    for inv in &rows.invitations {
        let org = rows.organizations.iter().find(|org| org.id == inv.org_id);
        if inv.status_at(now) == InvitationStatus::Pending {
            if !pending.insert((inv.org_id, inv.identifier.clone())) {
                broken.push(format!("{} is a second pending invitation", inv.id));
            }
            if org.is_none_or(|org| org.status == OrgStatus::Revoked) {
                broken.push(format!("{} outlives its organization", inv.id));
            }
        }
        let ended = (inv.terminal_at.is_some(), inv.terminal_by.is_some(), inv.invited_user_id.is_some());
        let fits = match inv.status {
            InvitationStatus::Pending => ended == (false, false, false),
            InvitationStatus::Expired => ended == (true, false, false) && inv.terminal_at == Some(inv.expires_at) && inv.expires_at <= now,
            // An import need not say by whom.
            InvitationStatus::Accepted => ended.0 && ended.2,
            InvitationStatus::Declined | InvitationStatus::Revoked => ended.0 && !ended.2,
        };
        if !fits {
            broken.push(format!("{inv:?} does not fit its status"));
        }
        if inv.pre_tuples.iter().collect::<BTreeSet<_>>().len() != inv.pre_tuples.len() {
            broken.push(format!("{} promises something twice", inv.id));
        }
    }
}

/// What is accepted, declined or revoked stays as it is; what is expired becomes pending or stays; no invitation goes.
fn lives(before: &Dump, after: &Dump, deed: Deed<'_>, now: Timestamp, broken: &mut Vec<String>) {
    use InvitationStatus::{Accepted, Declined, Expired, Pending, Revoked};

    for old in &before.invitations {
        let Some(new) = after.invitations.iter().find(|inv| inv.id == old.id) else {
            broken.push(format!("the invitation {} went", old.id));
            continue;
        };
        let role = role_of(after, deed, old.role, new.role);
        if (&new.org_id, &new.identifier, &new.role, &new.pre_tuples, &new.invited_by, &new.created_at)
            != (&old.org_id, &old.identifier, &role, &old.pre_tuples, &old.invited_by, &old.created_at)
        {
            broken.push(format!("the invitation {} became another", old.id));
        }
        let holds = match (old.status_at(now), new.status_at(now)) {
            (Accepted | Declined | Revoked, _) => new == old,
            (Expired, Expired) => new.clone().seen_at(now) == old.clone().seen_at(now),
            (Expired, Pending) => new.expires_at > now,
            (Expired, Accepted | Declined | Revoked) => false,
            (Pending, _) => true,
        };
        if !holds {
            broken.push(format!("from {old:?} to {new:?}"));
        }
    }
}

/// No two that have not expired say the same in one scope; none has a role on an organization that is there; none is left of an
/// organization that is revoked, or in its scope of a user who has no membership there.
fn tuples(rows: &Dump, now: Timestamp, broken: &mut Vec<String>) {
    let mut said = BTreeSet::new();
    for tuple in &rows.tuples {
        if !tuple.is_expired(now) && !said.insert((tuple.key.clone(), tuple.org_id)) {
            broken.push(format!("{} says what another says", tuple.id));
        }
        let of = |id: Option<OrgId>| id.and_then(|id| rows.organizations.iter().find(|org| org.id == id));
        let object = of(tuple.key.object.as_org());
        if object.is_some() && Role::from_slug(tuple.key.relation.as_str()).is_some() {
            broken.push(format!("{} gives a role", tuple.id));
        }
        let gone = |org: Option<&Organization>| org.is_some_and(|org| org.status == OrgStatus::Revoked);
        // An organization that is no scope may have been revoked before the tuple on it was made.
        if gone(of(tuple.org_id)) {
            broken.push(format!("{} outlives its scope", tuple.id));
        }
        if let (Some(scope), Some(usr)) = (tuple.org_id, tuple.key.subject.as_user())
            && !rows.memberships.iter().any(|mem| (mem.org_id, mem.usr_id) == (scope, usr) && mem.status != MembershipStatus::Revoked)
        {
            broken.push(format!("{} is in a scope where its user has no membership", tuple.id));
        }
    }
}

/// A tuple stays as it is or goes. It goes only by being deleted, with a membership or with an organization, or where it has expired
/// and an import needs its place.
fn tuples_stay(before: &Dump, after: &Dump, imported: bool, now: Timestamp, broken: &mut Vec<String>) {
    let new_events = new_events(before, after);
    let happened = |kinds: &[&str], subject: &str| {
        new_events.iter().any(|event| kinds.contains(&event.kind.as_str()) && event.subject_ids.iter().any(|id| id.to_string() == subject))
    };
    let revoked = |org: Option<OrgId>| org.is_some_and(|org| happened(&["organization.revoked"], &org.to_string()));
    let left = |tuple: &Tuple| {
        let ends = ["membership.left", "membership.removed", "membership.expired"];
        let of_scope = |usr: &UserId| {
            let mems = before.memberships.iter().filter(|mem| Some(mem.org_id) == tuple.org_id && mem.usr_id == *usr);
            mems.into_iter().any(|mem| happened(&ends, &mem.id.to_string()))
        };
        tuple.key.subject.as_user().is_some_and(|usr| of_scope(&usr))
    };
    for old in &before.tuples {
        match after.tuples.iter().find(|tuple| tuple.id == old.id) {
            Some(new) if new == old => {
                if revoked(old.org_id) || revoked(old.key.object.as_org()) || left(old) {
                    broken.push(format!("{old:?} did not go with what it belongs to"));
                }
            }
            _ if imported && old.is_expired(now) => {}
            Some(new) => broken.push(format!("from {old:?} to {new:?}")),
            None if happened(&["tuple.deleted"], &old.id.to_string()) => {}
            None if revoked(old.org_id) || revoked(old.key.object.as_org()) || left(old) => {}
            None => broken.push(format!("{old:?} went (now {now}), and nothing says why")),
        }
    }
}

fn new_events<'d>(before: &Dump, after: &'d Dump) -> Vec<&'d Event> {
    let old: BTreeSet<_> = before.events.iter().map(|event| event.id).collect();
    after.events.iter().filter(|event| !old.contains(&event.id)).collect()
}

/// No membership is added beyond the limit.
fn seats(before: &Dump, after: &Dump, now: Timestamp, broken: &mut Vec<String>) {
    let taken = |rows: &Dump, org: OrgId| {
        let takes = |mem: &&Membership| matches!(mem.status_at(now), MembershipStatus::Active | MembershipStatus::Suspended);
        rows.memberships.iter().filter(|mem| mem.org_id == org).filter(takes).count()
    };
    let new_events = new_events(before, after);
    for org in &after.organizations {
        let (was, is) = (taken(before, org.id), taken(after, org.id));
        // An end that is put off or taken away is no joining.
        let joined = new_events.iter().any(|event| event.org_id == Some(org.id) && event.kind.as_str() == "membership.added");
        if joined && is > was && org.seat_limit.is_some_and(|limit| usize::try_from(limit).is_ok_and(|limit| is > limit)) {
            broken.push(format!("{} has {is} of {:?} seats", org.id, org.seat_limit));
        }
    }
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
    let held: BTreeSet<_> = expected.iter().map(|(slug, _)| slug).collect();
    if held.len() != expected.len() {
        broken.push(format!("a slug is held twice: {expected:?}"));
    }
}

/// Events of an organization are numbered without a gap up to its revision; each has an id of its own.
fn revisions(rows: &Dump, broken: &mut Vec<String>) {
    for org in &rows.organizations {
        let of_org = rows.events.iter().filter(|event| event.org_id == Some(org.id));
        let revisions: Vec<u64> = of_org.filter_map(|event| event.revision).collect();
        if revisions != (1..=org.revision).collect::<Vec<u64>>() {
            broken.push(format!("{} has revision {}, its events {revisions:?}", org.id, org.revision));
        }
    }
    let ids: BTreeSet<_> = rows.events.iter().map(|event| event.id).collect();
    if ids.len() != rows.events.len() {
        broken.push("two events have one id".to_owned());
    }
    let known: BTreeSet<OrgId> = rows.organizations.iter().map(|org| org.id).collect();
    let strays = rows
        .events
        .iter()
        .filter(|event| event.org_id.is_none() != event.revision.is_none() || event.org_id.is_some_and(|org| !known.contains(&org)));
    broken.extend(strays.map(|event| format!("the event {} has an organization or a revision, but not both, or a strange one", event.id)));
}

/// What was written stays as it is, and rows change with events alone.
fn history(before: &Dump, after: &Dump, broken: &mut Vec<String>) {
    let now: BTreeMap<_, _> = after.events.iter().map(|event| (event.id, event)).collect();
    let lost = before.events.iter().filter(|event| now.get(&event.id) != Some(event));
    broken.extend(lost.map(|event| format!("the event {} is gone or changed", event.id)));
    // What does not change writes no event, and what writes no event does not change.
    if (before == after) != (before.events == after.events) {
        broken.push("rows changed without an event, or the other way round".to_owned());
    }
}

/// An organization as it was but for its number and its place.
fn unmoved(new: &Organization, old: &Organization) -> Organization {
    let (ancestors, structure_revision) = (old.ancestors.clone(), old.structure_revision);
    Organization { revision: old.revision, ancestors, structure_revision, ..new.clone() }
}

/// The role that a row must have after a command: the one that it had, unless that was deleted and another one took its place.
fn role_of(after: &Dump, deed: Deed<'_>, old: Role, new: Role) -> Role {
    let is_gone = || !after.roles.iter().any(|role| role.id == old.id());
    if deed.operation == "delete_role" && matches!(old, Role::Custom(_)) && is_gone() { new } else { old }
}

/// What is revoked stays as it is, and no row goes.
fn ends(before: &Dump, after: &Dump, deed: Deed<'_>, broken: &mut Vec<String>) {
    for old in &before.users {
        match after.users.iter().find(|user| user.id == old.id) {
            Some(new) if old.status != UserStatus::Revoked || (new.status, &new.display_name) == (old.status, &old.display_name) => {}
            _ => broken.push(format!("the user {} came back or went", old.id)),
        }
    }
    for old in &before.organizations {
        match after.organizations.iter().find(|org| org.id == old.id) {
            Some(_) if old.status != OrgStatus::Revoked => {}
            // A tuple on it, which is neither a role nor in its scope, still stands in its log.
            // And it moves along with what is above it.
            Some(new) if unmoved(new, old) == *old => {}
            _ => broken.push(format!("the organization {} came back or went", old.id)),
        }
    }
    for old in &before.memberships {
        match after.memberships.iter().find(|mem| mem.id == old.id) {
            Some(new)
                if (new.usr_id, new.org_id, new.role, new.replaces)
                    != (old.usr_id, old.org_id, role_of(after, deed, old.role, new.role), old.replaces) =>
            {
                broken.push(format!("the membership {} became another", old.id));
            }
            Some(new) if old.status != MembershipStatus::Revoked || new == old => {}
            _ => broken.push(format!("the membership {} came back or went", old.id)),
        }
    }
}

/// Whether a membership is live.
fn is_live(rows: &Dump, mem: &Membership, now: Timestamp) -> bool {
    let row = rows.users.iter().find(|user| user.id == mem.usr_id);
    let acts = row.is_none_or(|user| user.status == UserStatus::Active);
    let org = |id: OrgId| rows.organizations.iter().find(|org| org.id == id);
    let path = org(mem.org_id).into_iter().flat_map(|own| own.ancestors.iter().copied().chain([own.id]));
    let mut path = path.peekable();
    let there = path.peek().is_some() && path.all(|id| org(id).is_some_and(|org| org.status == OrgStatus::Active));
    acts && there && mem.status_at(now) == MembershipStatus::Active
}

/// Whether all that a caller did was to hand on, or to take away, what they hold themselves outside of every scope: for that they need
/// to belong nowhere. What is handed on has no scope either, and does not outlast what the caller holds.
fn by_holding(before: &Dump, after: &Dump, operation: &str, actor: UserId, now: Timestamp) -> bool {
    let holds = |tuple: &Tuple, end: Option<Timestamp>| {
        before.tuples.iter().any(|own| {
            let same = (&own.key.relation, own.key.object) == (&tuple.key.relation, tuple.key.object);
            let is_own = own.key.subject.as_user() == Some(actor) && own.org_id.is_none() && !own.is_expired(now);
            same && is_own && own.expires_at.is_none_or(|own_end| end.is_some_and(|end| end <= own_end))
        })
    };
    let mut gone = before.tuples.iter().filter(|tuple| !after.tuples.contains(tuple));
    let mut new = after.tuples.iter().filter(|tuple| !before.tuples.contains(tuple));
    match operation {
        "create_tuple" => new.all(|tuple| tuple.org_id.is_none() && holds(tuple, tuple.expires_at)),
        "delete_tuple" => gone.all(|tuple| holds(tuple, Some(now))),
        _ => false,
    }
}

/// Nobody rises above themselves, or lifts anyone there: a guarded caller writes only where they are live members, into no membership
/// above their own rank but their own, and gives no role above it. Owners and admins alone touch what is not theirs.
fn rights(before: &Dump, after: &Dump, operation: &str, actor: UserId, now: Timestamp, broken: &mut Vec<String>) {
    // Which membership the caller had in an organization, and counted.
    let standing = |org: OrgId| before.memberships.iter().find(|mem| (mem.org_id, mem.usr_id) == (org, actor) && is_live(before, mem, now));
    let invited = ["accept_invitation", "decline_invitation"].contains(&operation);
    let was_there = |org: OrgId| before.organizations.iter().any(|row| row.id == org);
    for event in new_events(before, after) {
        if event.actor.id != Some(Id::any(&actor)) {
            broken.push(format!("the event {} does not name {actor}, who caused it", event.id));
        }
        let Some(org) = event.org_id.filter(|org| was_there(*org) && !invited) else { continue };
        if standing(org).is_none() && !by_holding(before, after, operation, actor, now) {
            broken.push(format!("{actor} wrote into {org} as no live member of it"));
        }
        let own = ["membership.left", "membership.role_changed", "tuple."];
        let needs = operation == "change_role" || !own.iter().any(|kind| event.kind.as_str().starts_with(kind));
        let manages = standing(org).is_some_and(|mem| mem.role.rank() >= Role::Admin.rank());
        if needs && !manages {
            broken.push(format!("{actor} caused {} in {org} as neither owner nor admin", event.kind.as_str()));
        }
    }
    for new in after.memberships.iter().filter(|new| was_there(new.org_id)) {
        let old = before.memberships.iter().find(|old| old.id == new.id);
        if old == Some(new) {
            continue;
        }
        let rank = standing(new.org_id).map(|mem| mem.role.rank());
        let offered = || {
            let accepted = |inv: &&Invitation| inv.status == InvitationStatus::Accepted && inv.invited_user_id == Some(actor);
            let fits = |inv: &Invitation| (inv.org_id, inv.role) == (new.org_id, new.role);
            after.invitations.iter().filter(accepted).any(|inv| fits(inv) && !before.invitations.contains(inv))
        };
        let holds = match old {
            // A row of one's own may end, or begin by an invitation to that very role.
            Some(_) if new.usr_id == actor => true,
            None if operation == "accept_invitation" => new.usr_id == actor && offered(),
            _ => rank.is_some_and(|rank| new.role.rank() <= rank),
        };
        if !holds {
            broken.push(format!("{actor}, of rank {rank:?}, made or changed {new:?}"));
        }
    }
    for new in after.organizations.iter().filter(|org| !was_there(org.id)) {
        let members: Vec<_> = after.memberships.iter().filter(|mem| mem.org_id == new.id).map(|mem| mem.usr_id).collect();
        if members != [actor] {
            broken.push(format!("{actor} made {}, whose members are {members:?}", new.id));
        }
    }
    let others = after.users.iter().filter(|user| user.id != actor);
    let status = |rows: &Dump, id: UserId| rows.users.iter().find(|user| user.id == id).map(|user| user.status);
    let touched = others.filter(|user| status(before, user.id) != Some(user.status));
    broken.extend(touched.map(|user| format!("{actor} changed the user {}", user.id)));
}
