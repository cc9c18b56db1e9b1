//! The checkers of rows and of the log can fail: sound rows are damaged in one place after the other, and each damage is noticed.

use tenantry_conformance::testing::invariants::{Deed, broken, broken_rows};
use tenantry_conformance::testing::{World, log_differences};
use tenantry_core::source::ManualClock;
use tenantry_core::{
    AddMember, ChangeRole, Clock, DeleteTuple, Dump, EntityRef, EventType, Identifier, Inspect, Invitation, InvitationId, InvitationStatus,
    Membership, MembershipId, MembershipStatus, OrgId, OrgStatus, Organization, Relation, RevokeOrg, Role, SelfLeave, Sources, SuspendUser,
    TenancyStore, Timestamp, UserId, UserStatus,
};

use crate::support;

/// A world with a history: a change of role, a member who left, an organization that is revoked.
async fn world() -> (tenantry_memory::MemoryStore, std::sync::Arc<ManualClock>, World) {
    let (sources, clock) = Sources::deterministic("2026-01-01T00:00:00Z".parse().expect("a time"), 1);
    let store = tenantry_memory::with_sources(sources);
    let world = World::build(&store).await.expect("the world");
    clock.advance_micros(1_000);
    store.change_role(ChangeRole::new(world.admin_mem, "guest")).await.expect("a rotation");
    store.self_leave(SelfLeave::new(world.ending_mem)).await.expect("a departure");
    store.revoke_org(RevokeOrg::new(world.child)).await.expect("a revocation");
    clock.advance_micros(1_000);
    (store, clock, world)
}

type Damage = fn(&mut Dump, &World);

/// What is done to the rows, and a part of what is said of it.
const OF_ROWS: &[(&str, Damage)] = &[
    ("has no active owner", |rows, w| mem(rows, w.owner_mem).status = MembershipStatus::Suspended),
    ("has an end", |rows, w| mem(rows, w.owner_mem).expires_at = Some(Timestamp::MAX)),
    ("is a second membership", |rows, w| {
        let twin = Membership { id: other_mem(rows, w), ..mem(rows, w.member_mem).clone() };
        rows.memberships.push(twin);
    }),
    ("is stored as expired", |rows, w| mem(rows, w.member_mem).status = MembershipStatus::Expired),
    ("outlives its organization", |rows, w| org(rows, w.org).status = OrgStatus::Revoked),
    ("replaces", |rows, w| mem(rows, w.member_mem).replaces = Some(w.owner_mem)),
    ("is replaced twice", |rows, w| mem(rows, w.member_mem).replaces = Some(w.admin_mem)),
    ("has the ancestors", |rows, w| org(rows, w.child).parent_id = None),
    ("lies below a revoked organization", |rows, w| {
        org(rows, w.child).status = OrgStatus::Active;
        org(rows, w.org).status = OrgStatus::Revoked;
    }),
    ("organizations have the slugs", |rows, w| org(rows, w.org).slug = None),
    ("a slug is held twice", |rows, w| org(rows, w.suspended_org).slug = org(rows, w.org).slug.clone()),
    ("its events", |rows, w| {
        let place = rows.events.iter().position(|event| event.org_id == Some(w.org)).expect("an event");
        rows.events.remove(place);
    }),
    ("has revision", |rows, w| org(rows, w.org).revision += 1),
    ("two events have one id", |rows, _| rows.events[1].id = rows.events[0].id),
    ("or a strange one", |rows, _| rows.events.last_mut().expect("an event").revision = Some(1)),
    ("is a second pending invitation", |rows, w| {
        let pending = rows.invitations.iter().find(|inv| inv.id == w.pending_inv).expect("a row").identifier.clone();
        let other = rows.invitations.iter_mut().find(|inv| inv.id == w.declined_inv).expect("a row");
        (other.identifier, other.status, other.terminal_at) = (pending, InvitationStatus::Pending, None);
    }),
    ("does not fit its status", |rows, w| inv(rows, w.pending_inv).status = InvitationStatus::Accepted),
    ("promises something twice", |rows, w| {
        let again = inv(rows, w.pending_inv).pre_tuples[0].clone();
        inv(rows, w.pending_inv).pre_tuples.push(again);
    }),
    ("says what another says", |rows, w| {
        let there = rows.tuples.iter().find(|tuple| tuple.id == w.open_tup).expect("a row").clone();
        let other = rows.tuples.iter_mut().find(|tuple| tuple.id == w.scoped_tup).expect("a row");
        (other.key, other.org_id) = (there.key, there.org_id);
    }),
    ("gives a role", |rows, w| {
        let tuple = rows.tuples.iter_mut().find(|tuple| tuple.id == w.open_tup).expect("a row");
        (tuple.key.object, tuple.key.relation) = (EntityRef::org(w.org), Relation::of_role(Role::Admin));
    }),
    ("in a scope where its user has no membership", |rows, w| mem(rows, w.member_mem).status = MembershipStatus::Revoked),
    ("outlives its scope", |rows, w| {
        rows.tuples.iter_mut().find(|tuple| tuple.id == w.scoped_tup).expect("a row").org_id = Some(w.child);
    }),
];

fn mem(rows: &mut Dump, id: MembershipId) -> &mut Membership {
    rows.memberships.iter_mut().find(|mem| mem.id == id).expect("a row")
}

/// The id of a row that stands for nothing else in the damaged rows.
fn other_mem(rows: &mut Dump, w: &World) -> MembershipId {
    rows.memberships.retain(|mem| mem.id != w.ending_mem);
    w.ending_mem
}

fn org(rows: &mut Dump, id: OrgId) -> &mut Organization {
    rows.organizations.iter_mut().find(|org| org.id == id).expect("a row")
}

fn inv(rows: &mut Dump, id: InvitationId) -> &mut Invitation {
    rows.invitations.iter_mut().find(|inv| inv.id == id).expect("a row")
}

#[test]
fn damaged_rows_are_noticed() {
    let (rows, now, world) = support::block_on(async {
        let (store, clock, world) = world().await;
        (store.dump().await.expect("a dump"), clock.now(), world)
    });
    assert_eq!(broken_rows(&rows, now), Vec::<String>::new());
    for (what, damage) in OF_ROWS {
        let mut damaged = rows.clone();
        damage(&mut damaged, &world);
        let said = broken_rows(&damaged, now);
        assert!(said.iter().any(|line| line.contains(what)), "`{what}` is not noticed: {said:#?}");
    }
}

/// What is done to rows of which the log tells.
const AGAINST_LOG: &[(&str, Damage)] = &[
    ("`status`", |rows, w| mem(rows, w.member_mem).status = MembershipStatus::Suspended),
    ("`role`", |rows, w| mem(rows, w.member_mem).role = Role::Viewer),
    ("`updated_at`", |rows, w| mem(rows, w.member_mem).updated_at = Timestamp::MAX),
    ("`replaces`", |rows, w| {
        rows.memberships.iter_mut().find(|mem| mem.replaces == Some(w.admin_mem)).expect("a row").replaces = None;
    }),
    ("`slug`", |rows, w| org(rows, w.org).slug = None),
    ("`seat_limit`", |rows, w| org(rows, w.org).seat_limit = Some(7)),
    ("`identifier`", |rows, w| inv(rows, w.pending_inv).identifier = Identifier::parse("other").expect("one")),
    ("`pre_tuples`", |rows, w| inv(rows, w.pending_inv).pre_tuples.clear()),
    ("`relation`", |rows, _| rows.tuples[0].key.relation = Relation::parse("another").expect("a relation")),
    ("`status`", |rows, _| rows.users[0].status = UserStatus::Suspended),
    ("there is no such row", |rows, _| rows.tuples.truncate(1)),
    ("there is no such row", |rows, _| rows.users.truncate(1)),
    ("no event tells of", |rows, w| {
        let place = rows.events.iter().position(|event| event.org_id == Some(w.org)).expect("an event");
        rows.events.remove(place);
    }),
    ("`status`", |rows, _| rows.events.retain(|event| event.kind != EventType::MembershipLeft)),
    ("`status`", |rows, _| rows.events.retain(|event| event.kind != EventType::OrganizationRevoked)),
];

#[test]
fn rows_that_are_not_as_the_log_tells_are_noticed() {
    let (rows, now, world) = support::block_on(async {
        let (store, clock, world) = world().await;
        (store.dump().await.expect("a dump"), clock.now(), world)
    });
    assert_eq!(log_differences(&rows, now), Vec::<String>::new());
    for (what, damage) in AGAINST_LOG {
        let mut damaged = rows.clone();
        damage(&mut damaged, &world);
        let said = log_differences(&damaged, now);
        assert!(said.iter().any(|line| line.contains(what)), "`{what}` is not noticed: {said:#?}");
    }
}

/// What may become of rows, and what may not, is judged by what happened between them.
#[test]
fn changes_that_must_not_be_are_noticed() {
    support::block_on(async {
        let (store, clock, w) = world().await;
        let before = store.dump().await.expect("a dump");
        let judge = |after: &Dump, operation, actor, what: &str| {
            let said = broken(&before, after, Deed { operation, actor }, clock.now());
            assert!(said.iter().any(|line| line.contains(what)), "`{what}` is not noticed: {said:#?}");
        };
        let damages: [(&str, Damage); 7] = [
            ("came back or went", |rows, w| mem(rows, w.admin_mem).status = MembershipStatus::Active),
            ("came back or went", |rows, w| org(rows, w.child).status = OrgStatus::Active),
            ("became another", |rows, w| mem(rows, w.member_mem).role = Role::Guest),
            ("is gone or changed", |rows, _| rows.events[0].at = Timestamp::MAX),
            ("without an event", |rows, _| rows.users[0].display_name = None),
            ("nothing says why", |rows, _| rows.tuples.truncate(1)),
            ("from Invitation", |rows, w| inv(rows, w.declined_inv).status = InvitationStatus::Revoked),
        ];
        for (what, damage) in damages {
            let mut after = before.clone();
            damage(&mut after, &w);
            judge(&after, "update_org", None, what);
        }
    });
}

/// What a trusted caller did is judged as what somebody else may have done.
#[test]
fn commands_that_must_not_be_are_noticed() {
    let acts: [(&str, Act, &str); 8] = [
        ("suspend_user", |_| (Did::SuspendOwner, None), ""),
        ("update_org", |_| (Did::SuspendOwner, None), "lost its acting owner"),
        ("add_member", |_| (Did::JoinBeyondLimit, None), "of Some(1) seats"),
        ("add_member", |w| (Did::Join("guest"), Some(w.outsider)), "as no live member"),
        ("add_member", |w| (Did::Join("guest"), Some(w.member)), "as neither owner nor admin"),
        ("add_member", |w| (Did::Join("owner"), Some(w.member)), "made or changed"),
        ("delete_tuple", |w| (Did::Delete, Some(w.outsider)), "as no live member"),
        ("suspend_user", |w| (Did::SuspendOutsider, Some(w.admin)), "changed the user"),
    ];
    for (operation, act, what) in acts {
        support::block_on(judge(operation, act, what));
    }
}

/// What is done, and of whom it is said.
type Act = fn(&World) -> (Did, Option<UserId>);

#[derive(Clone, Copy, PartialEq)]
enum Did {
    SuspendOwner,
    SuspendOutsider,
    Join(&'static str),
    JoinBeyondLimit,
    Delete,
}

async fn judge(operation: &str, act: Act, what: &str) {
    let (store, clock, w) = world().await;
    let mut before = store.dump().await.expect("a dump");
    clock.advance_micros(1_000);
    let (did, actor) = act(&w);
    match did {
        Did::SuspendOwner => drop(store.suspend_user(SuspendUser::new(w.owner)).await.expect("a suspension")),
        Did::SuspendOutsider => drop(store.suspend_user(SuspendUser::new(w.outsider)).await.expect("a suspension")),
        Did::Join(role) => drop(store.add_member(AddMember::new(w.org, w.outsider, role)).await.expect("a member")),
        Did::JoinBeyondLimit => drop(store.add_member(AddMember::new(w.org, w.outsider, "guest")).await.expect("a member")),
        Did::Delete => drop(store.delete_tuple(DeleteTuple::new(w.scoped_tup)).await.expect("a deletion")),
    }
    let mut after = store.dump().await.expect("a dump");
    if did == Did::JoinBeyondLimit {
        org(&mut before, w.org).seat_limit = Some(1);
        org(&mut after, w.org).seat_limit = Some(1);
    }
    let said = broken(&before, &after, Deed { operation, actor }, clock.now());
    if what.is_empty() {
        assert_eq!(said, Vec::<String>::new());
    } else {
        assert!(said.iter().any(|line| line.contains(what)), "`{what}` is not noticed: {said:#?}");
    }
}
