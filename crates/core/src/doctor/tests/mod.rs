//! What the doctor finds in rows that were damaged on purpose, and that it finds nothing else.

mod world;

use std::collections::BTreeSet;

use super::*;
use crate::access::{Effect, Group, GroupMember, GroupRole, Holder, PermissionGrant};
use crate::entity::{InvitationStatus, MembershipStatus, OrgStatus, UserStatus};
use crate::event::{EventType, Fields};
use crate::id::{EventId, Id, InvitationId, MembershipId, OrgId, TupleId, UserId};
use crate::json::Value;
use crate::role::{CustomRole, Role, RoleDefinition};
use crate::tuple::{EntityRef, Grant};
use crate::value::{Identifier, Metadata, Name, ObjectType, PermissionSlug, Relation, RoleSlug};

use world::World;

/// A damage, and the codes that are found for it.
type Case = (&'static str, fn(&mut Dump, &World), &'static [&'static str]);

fn codes(findings: &[Finding]) -> Vec<&'static str> {
    findings.iter().map(Finding::code).collect()
}

/// An id that no row has.
fn nobody<I: Id>(number: u128) -> I {
    I::from_uuid(uuid::Uuid::from_u128(0x0196_0000_0000_7000_8000_0000_00ff_0000 + number)).unwrap()
}

macro_rules! rows {
    ($($name:ident: $table:ident of $id:ty = $row:ty),+ $(,)?) => {
        $(fn $name(dump: &mut Dump, id: $id) -> &mut $row {
            dump.$table.iter_mut().find(|row| row.id == id).unwrap()
        })+
    };
}

rows! {
    user: users of UserId = crate::entity::User,
    org: organizations of OrgId = crate::entity::Organization,
    mem: memberships of MembershipId = crate::entity::Membership,
    inv: invitations of InvitationId = crate::entity::Invitation,
    tuple: tuples of TupleId = crate::tuple::Tuple,
}

/// The event of an organization with this revision.
fn event(dump: &mut Dump, org: OrgId, revision: u64) -> &mut crate::event::Event {
    dump.events.iter_mut().find(|event| (event.org_id, event.revision) == (Some(org), Some(revision))).unwrap()
}

/// The last event of a type, of whatever it is.
fn last(dump: &mut Dump, kind: EventType) -> &mut crate::event::Event {
    dump.events.iter_mut().rev().find(|event| event.kind == kind).unwrap()
}

/// A role of an organization, which has nothing but its slug.
fn role(number: u128, org: OrgId) -> RoleDefinition {
    RoleDefinition {
        id: nobody(number),
        org_id: Some(org),
        slug: RoleSlug::parse("clerk").unwrap(),
        name: Name::parse("Clerk").unwrap(),
        description: None,
        is_system: false,
        inherits_to_descendants: false,
        permissions: Vec::new(),
        created_at: d_now(),
        updated_at: d_now(),
    }
}

/// The role of that number, held by its slug or by another one.
fn held(number: u128, slug: &str) -> Role {
    Role::Custom(CustomRole { id: nobody(number), slug: RoleSlug::parse(slug).unwrap() })
}

fn group(number: u128, org: OrgId) -> Group {
    let (id, name) = (nobody(number), Name::parse("Desk").unwrap());
    Group { id, org_id: org, slug: world::slug("desk"), name, created_at: d_now(), updated_at: d_now() }
}

fn grouped(number: u128, org: OrgId, usr: UserId) -> GroupMember {
    GroupMember { group_id: nobody(number), org_id: org, usr_id: usr, granted_by: None, created_at: d_now(), expires_at: None }
}

/// A grant of a permission that the catalog does not have.
fn granted(holder: Holder) -> PermissionGrant {
    let permission = PermissionSlug::parse("doc.read").unwrap();
    PermissionGrant { holder, permission, effect: Effect::Grant, granted_by: None, created_at: d_now(), expires_at: None }
}

const CASES: &[Case] = &[
    // Permissions, of which the world has none.
    ("a role of nothing", |d, _| d.roles.push(role(1, nobody(1))), &["doctor.org_missing"]),
    ("two roles of one slug", |d, w| d.roles.extend([role(1, w.acme), role(2, w.acme)]), &["doctor.role_slug_twice"]),
    ("a role that is not there", |d, w| mem(d, w.imported_guest).role = held(1, "clerk"), &["doctor.role_missing"]),
    (
        "a role of elsewhere",
        |d, w| {
            d.roles.push(role(1, w.acme));
            mem(d, w.imported_guest).role = held(1, "clerk");
        },
        &["doctor.role_missing"],
    ),
    (
        "a role that is called otherwise",
        |d, w| {
            d.roles.push(role(1, w.imported));
            mem(d, w.imported_guest).role = held(1, "boss");
        },
        &["doctor.role_missing"],
    ),
    ("two groups of one slug", |d, w| d.groups.extend([group(1, w.acme), group(2, w.acme)]), &["doctor.group_slug_twice"]),
    ("a member of no group", |d, w| d.group_members.push(grouped(1, w.imported, w.imported_user)), &["doctor.group_missing"]),
    (
        "a stranger in a group",
        |d, w| {
            d.groups.push(group(1, w.imported));
            d.group_members.push(grouped(1, w.imported, nobody(1)));
        },
        &["doctor.not_of_the_group"],
    ),
    (
        "a role of no group",
        |d, w| {
            let (org_id, role) = (w.acme, Role::Guest);
            d.group_roles.push(GroupRole { group_id: nobody(1), org_id, role, granted_by: None, created_at: d_now(), expires_at: None });
        },
        &["doctor.group_missing"],
    ),
    ("a grant to nobody", |d, _| d.grants.push(granted(Holder::Role(nobody(1)))), &["doctor.holder_missing", "doctor.permission_missing"]),
    ("a grant of nothing", |d, w| d.grants.push(granted(Holder::Organization(w.acme))), &["doctor.permission_missing"]),
    // Every table.
    ("a user twice", |d, _| d.users.push(d.users[0].clone()), &["doctor.id_twice"]),
    (
        "an event twice",
        |d, w| {
            let first = event(d, w.acme, 1).clone();
            d.events.push(first);
        },
        &["doctor.id_twice", "doctor.event_gap"],
    ),
    (
        "a slug held twice",
        |d, w| d.slugs.push((world::slug("acme"), w.child)),
        &["doctor.id_twice", "doctor.slug_stale", "doctor.slug_missing"],
    ),
    (
        "a membership of nothing",
        |d, w| mem(d, w.imported_guest).org_id = nobody(1),
        &["doctor.org_missing", "doctor.row_untold", "doctor.not_a_member"],
    ),
    ("an invitation to nothing", |d, w| inv(d, w.imported_inv).org_id = nobody(1), &["doctor.org_missing", "doctor.row_untold"]),
    (
        "a tuple in the scope of nothing",
        |d, w| tuple(d, w.imported_tuple).org_id = Some(nobody(1)),
        &["doctor.org_missing", "doctor.not_a_member"],
    ),
    (
        "an organization that went",
        |d, w| d.organizations.retain(|org| org.id != w.gone),
        &["doctor.org_missing", "doctor.org_missing", "doctor.org_missing", "doctor.parent_missing"],
    ),
    ("a membership that went", |d, w| d.memberships.retain(|mem| mem.id != w.suspended_mem), &["doctor.row_missing"]),
    (
        "an imported membership that went",
        |d, w| d.memberships.retain(|mem| mem.id != w.imported_guest),
        &["doctor.row_untold", "doctor.not_a_member"],
    ),
    ("an invitation that went", |d, w| d.invitations.retain(|inv| inv.id != w.declined), &["doctor.row_missing"]),
    ("a user that went", |d, w| d.users.retain(|user| user.id != w.carl), &["doctor.row_missing"]),
    (
        "a child that went with its log",
        |d, w| {
            d.organizations.retain(|org| org.id != w.leaf);
            d.memberships.retain(|mem| mem.org_id != w.leaf);
            d.events.retain(|event| event.org_id != Some(w.leaf));
        },
        &["doctor.row_missing"],
    ),
    (
        "a membership that nobody made",
        |d, w| {
            let other = mem(d, w.suspended_mem).clone();
            d.memberships.push(crate::entity::Membership { id: nobody(1), usr_id: nobody(1), ..other });
        },
        &["doctor.row_untold"],
    ),
    (
        "an invitation that nobody made",
        |d, w| {
            let other = inv(d, w.declined).clone();
            d.invitations.push(crate::entity::Invitation { id: nobody(1), ..other });
        },
        &["doctor.row_untold"],
    ),
    // Users.
    ("a revoked user made active", |d, w| user(d, w.dora).status = UserStatus::Active, &["doctor.user_log"]),
    ("a suspended user made active", |d, w| user(d, w.bert).status = UserStatus::Active, &["doctor.user_log"]),
    ("a user suspended by nobody", |d, w| user(d, w.carl).status = UserStatus::Suspended, &["doctor.user_log"]),
    ("a user revoked by nobody", |d, w| user(d, w.carl).status = UserStatus::Revoked, &["doctor.user_log"]),
    ("an imported user revoked by nobody", |d, w| user(d, w.imported_user).status = UserStatus::Revoked, &["doctor.user_log"]),
    ("a user's revision set back", |d, w| user(d, w.carl).revision = 1, &["doctor.user_revision"]),
    // Trees.
    (
        "a parent that is not there",
        |d, w| org(d, w.leaf).parent_id = Some(nobody(1)),
        &["doctor.parent_missing", "doctor.org_log", "doctor.org_log"],
    ),
    (
        "a circle of parents",
        |d, w| org(d, w.acme).parent_id = Some(w.leaf),
        &["doctor.parent_cycle", "doctor.parent_cycle", "doctor.parent_cycle", "doctor.org_log"],
    ),
    ("a parent in itself", |d, w| org(d, w.acme).parent_id = Some(w.acme), &["doctor.parent_cycle", "doctor.org_log"]),
    (
        "eleven levels",
        |d, w| org(d, w.acme).parent_id = Some(w.bottom),
        // Those below it have other ancestors too.
        &[
            "doctor.max_depth",
            "doctor.max_depth",
            "doctor.max_depth",
            "doctor.ancestors",
            "doctor.ancestors",
            "doctor.ancestors",
            "doctor.org_log",
        ],
    ),
    ("no ancestors", |d, w| org(d, w.leaf).ancestors.clear(), &["doctor.ancestors"]),
    ("ancestors from below", |d, w| org(d, w.leaf).ancestors.reverse(), &["doctor.ancestors"]),
    ("one ancestor too many", |d, w| org(d, w.child).ancestors.push(w.gone), &["doctor.ancestors"]),
    (
        "an active child of a revoked parent",
        |d, w| org(d, w.gone_child).status = OrgStatus::Active,
        &["doctor.outlived_parent", "doctor.no_active_owner", "doctor.org_log"],
    ),
    // Slugs.
    ("one slug for two", |d, w| org(d, w.child).slug = Some(world::slug("acme")), &["doctor.slug_twice", "doctor.org_log"]),
    ("a slug that nobody holds", |d, _| d.slugs.retain(|(slug, _)| slug.as_str() != "acme"), &["doctor.slug_missing"]),
    ("a slug that was given up", |d, w| d.slugs.push((world::slug("acme-first"), w.acme)), &["doctor.slug_stale"]),
    ("a slug of a revoked organization", |d, w| d.slugs.push((world::slug("gone"), w.gone)), &["doctor.slug_stale"]),
    ("a slug of nobody", |d, _| d.slugs.push((world::slug("nobody"), nobody(1))), &["doctor.slug_stale"]),
    (
        "a slug held by another",
        |d, w| d.slugs.iter_mut().find(|(slug, _)| slug.as_str() == "acme").unwrap().1 = w.child,
        &["doctor.slug_stale", "doctor.slug_missing"],
    ),
    // Organizations.
    ("no seats", |d, w| org(d, w.acme).seat_limit = Some(0), &["doctor.seat_limit", "doctor.org_log"]),
    ("too many seats", |d, w| org(d, w.acme).seat_limit = Some(u32::MAX), &["doctor.seat_limit", "doctor.org_log"]),
    (
        "owners who went",
        |d, w| mem(d, w.olga_mem).status = MembershipStatus::Suspended,
        &["doctor.no_active_owner", "doctor.membership_log"],
    ),
    ("an owner who is none", |d, w| mem(d, w.olga_mem).role = Role::Admin, &["doctor.no_active_owner", "doctor.membership_log"]),
    ("a revoked owner alone", |d, w| mem(d, w.imported_owner).usr_id = w.dora, &["doctor.no_active_owner"]),
    ("a revision too high", |d, w| org(d, w.acme).revision += 1, &["doctor.revision"]),
    ("a revision too low", |d, w| org(d, w.acme).revision -= 1, &["doctor.revision"]),
    ("an organization without events", |d, w| d.events.retain(|event| event.org_id != Some(w.gone_child)), &["doctor.revision"]),
    ("another name", |d, w| org(d, w.acme).name = Name::parse("Other"), &["doctor.org_log"]),
    ("another flag", |d, w| org(d, w.acme).cascade_permissions = false, &["doctor.org_log"]),
    ("another id elsewhere", |d, w| org(d, w.acme).external_id = None, &["doctor.org_log"]),
    ("other metadata", |d, w| org(d, w.acme).metadata = Metadata::default(), &["doctor.org_log"]),
    ("a suspended organization made active", |d, w| org(d, w.paused).status = OrgStatus::Active, &["doctor.org_log"]),
    // Memberships.
    (
        "an end that is stored",
        |d, w| mem(d, w.ben_mem).status = MembershipStatus::Expired,
        &["doctor.stored_expired", "doctor.membership_log"],
    ),
    ("an owner with an end", |d, w| mem(d, w.imported_owner).expires_at = Some(Timestamp::MAX), &["doctor.owner_expires"]),
    (
        "a former row in force",
        |d, w| mem(d, w.ben_chain[1]).status = MembershipStatus::Active,
        &["doctor.membership_twice", "doctor.replaced_current", "doctor.membership_log"],
    ),
    (
        "a member of a revoked organization",
        |d, w| mem(d, w.gone_mem).status = MembershipStatus::Active,
        &["doctor.outlived_org", "doctor.membership_log"],
    ),
    (
        "a predecessor that is not there",
        |d, w| mem(d, w.ben_mem).replaces = Some(nobody(1)),
        &["doctor.replaced_missing", "doctor.membership_log"],
    ),
    (
        "a predecessor of another organization",
        |d, w| mem(d, w.ben_mem).replaces = Some(w.gone_mem),
        &["doctor.replaced_elsewhere", "doctor.membership_log"],
    ),
    (
        "a predecessor of another user",
        |d, w| mem(d, w.ben_mem).replaces = Some(w.left_mem),
        &["doctor.replaced_elsewhere", "doctor.membership_log"],
    ),
    (
        "two rows that replace one",
        |d, w| mem(d, w.ben_mem).replaces = Some(w.ben_chain[0]),
        &["doctor.replaced_twice", "doctor.membership_log"],
    ),
    (
        "a circle of rows",
        |d, w| mem(d, w.ben_chain[0]).replaces = Some(w.ben_mem),
        &["doctor.replaced_current", "doctor.replaced_cycle", "doctor.membership_log"],
    ),
    (
        "a row that replaces itself",
        |d, w| mem(d, w.ben_mem).replaces = Some(w.ben_mem),
        &["doctor.replaced_current", "doctor.replaced_cycle", "doctor.membership_log"],
    ),
    ("another role", |d, w| mem(d, w.ben_mem).role = Role::Admin, &["doctor.membership_log"]),
    ("another user", |d, w| mem(d, w.suspended_mem).usr_id = nobody(1), &["doctor.membership_log"]),
    ("a reinstatement by nobody", |d, w| mem(d, w.suspended_mem).status = MembershipStatus::Active, &["doctor.membership_log"]),
    ("a return by nobody", |d, w| mem(d, w.left_mem).status = MembershipStatus::Active, &["doctor.membership_log"]),
    // Invitations.
    ("a pending one with an end", |d, w| inv(d, w.pending).terminal_at = Some(d_now()), &["doctor.invitation_end"]),
    ("an expired one that another day ended", |d, w| inv(d, w.swept).terminal_at = Some(Timestamp::MAX), &["doctor.invitation_end"]),
    ("an accepted one without its user", |d, w| inv(d, w.accepted).invited_user_id = None, &["doctor.invitation_end"]),
    ("a declined one with a user", |d, w| inv(d, w.declined).invited_user_id = Some(nobody(1)), &["doctor.invitation_end"]),
    ("a revoked one without its moment", |d, w| inv(d, w.taken_back).terminal_at = None, &["doctor.invitation_end"]),
    (
        "a second pending one",
        |d, w| inv(d, w.lapsed).identifier = Identifier::parse("anna@example.org").unwrap(),
        &["doctor.invitation_twice", "doctor.invitation_log"],
    ),
    (
        "a promise twice",
        |d, w| {
            let promises = &mut inv(d, w.pending).pre_tuples;
            promises.push(promises[0].clone());
        },
        &["doctor.promises"],
    ),
    (
        "too many promises",
        |d, w| {
            let doc = |number| EntityRef { kind: ObjectType::parse("doc").unwrap(), id: uuid::Uuid::from_u128(number) };
            let promise = |number| Grant { relation: Relation::parse("viewer").unwrap(), object: doc(number) };
            inv(d, w.pending).pre_tuples = (1..=101).map(promise).collect();
        },
        &["doctor.promises"],
    ),
    ("a promise on an organization", |d, w| inv(d, w.pending).pre_tuples[0].object = EntityRef::org(w.acme), &["doctor.promise_on_org"]),
    (
        "one that outlived its organization",
        |d, w| {
            let inv = inv(d, w.gone_inv);
            (inv.status, inv.terminal_at) = (InvitationStatus::Pending, None);
        },
        &["doctor.outlived_org"],
    ),
    (
        "one made pending again",
        |d, w| {
            let inv = inv(d, w.declined);
            (inv.status, inv.terminal_at) = (InvitationStatus::Pending, None);
        },
        &["doctor.invitation_log"],
    ),
    ("another identifier", |d, w| inv(d, w.pending).identifier = Identifier::parse("x").unwrap(), &["doctor.invitation_log"]),
    // Tuples.
    (
        "one tuple twice",
        |d, w| {
            let other = tuple(d, w.open).clone();
            d.tuples.push(crate::tuple::Tuple { id: nobody(1), ..other });
        },
        &["doctor.tuple_twice"],
    ),
    ("an object that is none", |d, w| tuple(d, w.open).key.object.id = uuid::Uuid::max(), &["doctor.tuple_entity"]),
    ("a tuple of a former member", |d, w| tuple(d, w.imported_tuple).key.subject = EntityRef::user(nobody(1)), &["doctor.not_a_member"]),
    (
        "a tuple that outlived its scope",
        |d, w| {
            let other = tuple(d, w.open).clone();
            d.tuples.push(crate::tuple::Tuple { id: nobody(1), org_id: Some(w.gone), ..other });
        },
        &["doctor.outlived_org", "doctor.not_a_member"],
    ),
    ("a role that is stored", |d, w| tuple(d, w.open).key.object = EntityRef::org(w.acme), &["doctor.stored_role"]),
    ("another relation", |d, w| tuple(d, w.scoped).key.relation = Relation::parse("editor").unwrap(), &["doctor.tuple_log"]),
    (
        "a tuple that came back",
        |d, w| {
            let other = tuple(d, w.scoped).clone();
            d.tuples.push(crate::tuple::Tuple { id: w.deleted, ..other });
        },
        &["doctor.tuple_twice", "doctor.tuple_log"],
    ),
    // Events.
    (
        "the first event that went",
        |d, w| d.events.retain(|event| (event.org_id, event.revision) != (Some(w.acme), Some(1))),
        &["doctor.event_gap"],
    ),
    (
        "the third event that went",
        |d, w| d.events.retain(|event| (event.org_id, event.revision) != (Some(w.acme), Some(3))),
        &["doctor.event_gap"],
    ),
    (
        "the last event that went",
        |d, w| {
            let revision = org(d, w.acme).revision;
            d.events.retain(|event| (event.org_id, event.revision) != (Some(w.acme), Some(revision)));
        },
        &["doctor.revision"],
    ),
    (
        "an event of nothing",
        |d, _| {
            let event = last(d, EventType::UserCreated);
            (event.org_id, event.revision, event.kind) = (Some(nobody(1)), Some(1), EventType::OrganizationCreated);
            event.subject_ids = vec![nobody::<OrgId>(1).any()];
        },
        &["doctor.org_missing"],
    ),
    ("an event without a number", |d, w| event(d, w.acme, 3).revision = None, &["doctor.event_place", "doctor.event_gap"]),
    ("a number without an organization", |d, _| last(d, EventType::UserCreated).revision = Some(1), &["doctor.event_place"]),
    (
        "an event in the wrong log",
        |d, w| {
            let event = last(d, EventType::UserCreated);
            (event.org_id, event.revision) = (Some(w.gone_child), Some(4));
            org(d, w.gone_child).revision = 4;
        },
        &["doctor.event_place"],
    ),
    ("an event about nothing", |d, w| event(d, w.acme, 2).subject_ids.clear(), &["doctor.row_untold", "doctor.event_subjects"]),
    ("an event about another organization", |d, w| event(d, w.acme, 1).subject_ids = vec![w.child.any()], &["doctor.event_subjects"]),
    (
        "a log that begins in the middle",
        |d, w| {
            let event = event(d, w.imported, 1);
            event.kind = EventType::OrganizationUpdated;
            event.data.after = Fields::new();
        },
        &["doctor.row_untold", "doctor.row_untold", "doctor.log_start"],
    ),
    ("a log that begins twice", |d, w| event(d, w.paused, 3).kind = EventType::OrganizationCreated, &["doctor.log_start"]),
    (
        "an import of more",
        |d, w| {
            let after = &mut event(d, w.imported, 1).data.after;
            *after = after.clone().with("memberships", Value::Int(4));
        },
        &["doctor.row_untold"],
    ),
];

fn d_now() -> Timestamp {
    "2026-01-02T00:00:00Z".parse().unwrap()
}

#[test]
fn a_store_as_its_operations_left_it_is_well() {
    let world = World::build();
    assert_eq!(examine(&world.dump(), world.now()), []);
    // Wherever the clock is put.
    for now in [Timestamp::MIN, Timestamp::MAX] {
        assert_eq!(examine(&world.dump(), now), []);
    }
    let empty = Dump::default();
    assert_eq!(examine(&empty, Timestamp::MIN), []);
}

#[test]
fn organizations_may_call_their_roles_alike() {
    let world = World::build();
    let mut dump = world.dump();
    dump.roles.extend([role(1, world.acme), role(2, world.imported)]);
    mem(&mut dump, world.imported_guest).role = held(2, "clerk");
    assert_eq!(examine(&dump, world.now()), []);
}

#[test]
fn each_damage_is_found_by_its_code_and_nothing_else_is() {
    let world = World::build();
    let mut wrong = Vec::new();
    for (name, damage, expected) in CASES {
        let mut dump = world.dump();
        damage(&mut dump, &world);
        let findings = examine(&dump, world.now());
        if codes(&findings) != *expected {
            let lines = findings.iter().map(|finding| format!("\n    {} {:?}: {}", finding.code(), finding.ids, finding.message));
            wrong.push(format!("{name}:{}", lines.collect::<String>()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_invariant_is_broken_by_some_damage() {
    let found: BTreeSet<&str> = CASES.iter().flat_map(|(_, _, codes)| codes.iter().copied()).collect();
    let elsewhere = [Invariant::Readable, Invariant::FeedWhole, Invariant::FeedOrder];
    let missing: Vec<_> = Invariant::ALL.iter().filter(|one| !elsewhere.contains(one) && !found.contains(one.code())).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn findings_name_their_table_and_rows() {
    let world = World::build();
    for (name, damage, _) in CASES {
        let mut dump = world.dump();
        damage(&mut dump, &world);
        for finding in examine(&dump, world.now()) {
            assert!(finding.invariant.tables().contains(&finding.table.as_str()), "{name}: {finding:?}");
            assert!(!finding.ids.is_empty() && !finding.message.is_empty(), "{name}: {finding:?}");
        }
    }
}

/// Whether the damage can be mended is said by the finding; and what was mended is found no more.
#[test]
fn what_follows_from_other_rows_can_be_mended() {
    let mended = [
        "no ancestors",
        "ancestors from below",
        "one ancestor too many",
        "a slug that nobody holds",
        "a slug that was given up",
        "a slug of a revoked organization",
        "a slug of nobody",
        "a slug held by another",
        "a revision too low",
    ];
    let world = World::build();
    for (name, damage, _) in CASES {
        let mut dump = world.dump();
        damage(&mut dump, &world);
        let findings = examine(&dump, world.now());
        assert_eq!(findings.iter().all(|finding| finding.repair.is_some()), mended.contains(name), "{name}: {findings:#?}");
        if mended.contains(name) {
            for repair in repairs(&findings) {
                mend(&mut dump, repair);
            }
            assert_eq!(dump.sorted(), world.dump(), "{name}");
        }
    }
}

/// What a repair means, on rows.
fn mend(dump: &mut Dump, repair: Repair) {
    match repair {
        Repair::SetAncestors { org_id, from, to } => assert_eq!(std::mem::replace(&mut org(dump, org_id).ancestors, to), from),
        Repair::SetRevision { org_id, from, to } => assert_eq!(std::mem::replace(&mut org(dump, org_id).revision, to), from),
        Repair::DropSlug { slug, org_id } => {
            let place = dump.slugs.iter().position(|held| *held == (slug.clone(), org_id)).expect("it is held");
            dump.slugs.remove(place);
        }
        Repair::PutSlug { slug, org_id } => {
            assert!(dump.slugs.iter().all(|(held, _)| *held != slug), "it is free");
            dump.slugs.push((slug, org_id));
        }
    }
}

#[test]
fn a_row_that_cannot_be_read_is_a_finding() {
    let finding = Finding::unreadable(&BackendError::inconsistent("tuple", "tup_1")).unwrap();
    let told = (finding.code(), finding.table.as_str(), finding.ids.as_slice());
    assert_eq!(told, ("doctor.unreadable", "tuple", ["tup_1".to_owned()].as_slice()));
    assert_eq!(Finding::unreadable(&BackendError::new(BackendKind::Unavailable, "away")), None);
}

#[test]
fn the_feed_has_every_event_once_and_in_order() {
    let world = World::build();
    let (dump, feed) = (world.dump(), world.feed());
    assert_eq!(examine_feed(&dump, &feed), []);
    // What was written meanwhile is no finding.
    let mut fewer = world.dump();
    fewer.events.truncate(3);
    assert_eq!(examine_feed(&fewer, &feed), []);

    let without: Vec<_> = feed.iter().skip(1).cloned().collect();
    assert_eq!(codes(&examine_feed(&dump, &without)), ["doctor.feed_gap"]);
    let twice: Vec<_> = feed.iter().chain(feed.last()).cloned().collect();
    assert_eq!(codes(&examine_feed(&dump, &twice))[0], "doctor.feed_gap");
    let mut turned = feed.clone();
    let places: Vec<usize> = (0..feed.len()).filter(|place| feed[*place].org_id == Some(world.acme)).take(2).collect();
    turned.swap(places[0], places[1]);
    assert_eq!(codes(&examine_feed(&dump, &turned)), ["doctor.feed_order"]);
    let id: EventId = nobody(1);
    assert!(feed.iter().all(|event| event.id != id));
}

#[test]
fn codes_are_unique() {
    let codes: BTreeSet<&str> = Invariant::ALL.iter().map(|one| one.code()).collect();
    assert_eq!(codes.len(), Invariant::ALL.len());
}

/// A state whose rows were made wrong by plans that no command makes: each repair mends what it names and nothing else, and where one
/// row is not as it is expected, nothing is written.
#[test]
fn a_state_is_mended_whole_or_not_at_all() {
    let mut world = World::build();
    let whole = world.dump();
    let wrong_ancestors = Repair::SetAncestors { org_id: world.leaf, from: vec![world.acme, world.child], to: vec![world.gone] };
    let stranger = Repair::SetAncestors { org_id: world.gone, from: vec![world.acme], to: Vec::new() };
    // All of them or none.
    assert!(!world.state.repair(&[wrong_ancestors.clone(), stranger]));
    assert_eq!(world.dump(), whole);
    assert!(world.state.repair(&[wrong_ancestors]));
    let findings = examine(&world.dump(), world.now());
    assert_eq!(codes(&findings), ["doctor.ancestors"]);
    assert!(world.state.repair(&repairs(&findings)));
    assert_eq!(world.dump(), whole);

    let (acme, slug) = (world.acme, world::slug("acme"));
    let revision = org(&mut world.dump(), acme).revision;
    for unfounded in [
        // Who has a slug keeps it, who has none gets none, and what is held is not held twice.
        Repair::DropSlug { slug: slug.clone(), org_id: acme },
        Repair::DropSlug { slug: slug.clone(), org_id: world.child },
        Repair::PutSlug { slug: slug.clone(), org_id: acme },
        Repair::PutSlug { slug, org_id: world.child },
        Repair::PutSlug { slug: world::slug("gone"), org_id: world.gone },
        // A revision is the number of the events, and no other.
        Repair::SetRevision { org_id: acme, from: revision, to: revision + 1 },
        Repair::SetRevision { org_id: acme, from: revision, to: revision - 1 },
        Repair::SetRevision { org_id: acme, from: revision - 1, to: revision },
        Repair::SetRevision { org_id: nobody(1), from: 0, to: 0 },
        Repair::SetAncestors { org_id: nobody(1), from: Vec::new(), to: Vec::new() },
    ] {
        assert!(!world.state.repair(std::slice::from_ref(&unfounded)), "{unfounded:?}");
        assert_eq!(world.dump(), whole, "{unfounded:?}");
    }
    assert!(world.state.repair(&[]));
}
