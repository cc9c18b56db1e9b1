//! The store does what core's state does: the same commands give the same answers and leave the same rows.

#![allow(clippy::unwrap_used, reason = "a test may end so")]

mod support;

use std::collections::BTreeSet;
use std::fmt::Debug;

use tenantry_core::source::ManualClock;
use tenantry_core::{
    AddMember, AdminRemove, ChangeRole, CountMembers, CreateOrg, CreateUser, Dump, Error, Import, ImportMember, ImportOrg, ImportRow,
    ImportUser, Inspect, ListChanges, ListChildren, ListMembers, ListMemberships, ListOrgs, Membership, MembershipId, MembershipStatus,
    OrgId, OrgStatus, PageRequest, Patch, ReinstateMembership, ReinstateOrg, ReinstateUser, RevokeOrg, RevokeUser, SelfLeave,
    SuspendMembership, SuspendOrg, SuspendUser, TenancyStore, Timestamp, TransferOwnership, UpdateMembership, UpdateOrg, UserId,
    UserStatus,
};
use tenantry_sqlite::Options;

/// The answers of a run, those of commands with the rows that were there after it.
#[derive(Debug, Default)]
struct Transcript(Vec<(String, Option<Dump>)>);

impl Transcript {
    fn note<T: Debug>(&mut self, call: &str, answer: Result<T, Error>, rows: Option<Dump>) -> Option<T> {
        let told = match &answer {
            Ok(value) => format!("{call}: {value:?}"),
            Err(error) => format!("{call}: {} {error}", error.code()),
        };
        self.0.push((told, rows));
        answer.ok()
    }
}

#[track_caller]
fn same(ours: &Transcript, wanted: &Transcript) {
    for (step, (ours, wanted)) in ours.0.iter().zip(&wanted.0).enumerate() {
        assert_eq!(ours.0, wanted.0, "answer {step}");
        assert_eq!(ours.1, wanted.1, "rows after answer {step}: {}", ours.0);
    }
    assert_eq!(ours.0.len(), wanted.0.len());
}

fn import() -> Import {
    fn id<I: std::str::FromStr<Err: Debug>>(prefix: &str, last: char) -> I {
        format!("{prefix}_0196f3c21b7a7c3d9e4f5a6b7c8d9e0{last}").parse().unwrap()
    }
    let at = |text: &str| Some(text.parse::<Timestamp>().unwrap());
    let usr: UserId = id("usr", 'a');
    let mem = |last: char, role: &str| ImportMember {
        id: id("mem", last),
        usr_id: usr,
        org_id: id("org", '1'),
        role: role.to_owned(),
        status: MembershipStatus::Active,
        replaces: None,
        invited_by: None,
        removed_by: None,
        expires_at: None,
        created_at: at("2024-05-01T00:00:00Z"),
        updated_at: None,
    };
    let org = |last: char, parent: Option<OrgId>| ImportOrg {
        id: id("org", last),
        parent_id: parent,
        status: OrgStatus::Active,
        name: Some("Größe".to_owned()),
        slug: Some(format!("imported-{last}")),
        cascade_permissions: false,
        inherit_permissions: true,
        created_at: None,
        updated_at: None,
    };
    let rows = vec![
        ImportRow::User(ImportUser {
            id: usr,
            status: UserStatus::Active,
            display_name: Some("Imported".to_owned()),
            created_at: at("2024-01-01T00:00:00.5Z"),
            updated_at: None,
        }),
        ImportRow::Org(org('1', None)),
        ImportRow::Org(org('2', Some(id("org", '1')))),
        ImportRow::Member(ImportMember { status: MembershipStatus::Revoked, removed_by: Some(usr), ..mem('1', "guest") }),
        ImportRow::Member(ImportMember { replaces: Some(id("mem", '1')), ..mem('2', "owner") }),
        ImportRow::Member(ImportMember { org_id: id("org", '2'), ..mem('3', "owner") }),
        ImportRow::Member(ImportMember {
            org_id: id("org", '2'),
            usr_id: id("usr", 'b'),
            status: MembershipStatus::Expired,
            expires_at: at("2025-01-01T00:00:00Z"),
            ..mem('4', "viewer")
        }),
    ];
    Import::new((1..).zip(rows).collect())
}

/// Every operation at least once, with and without success.
async fn script(store: &(impl TenancyStore + Inspect), clock: &ManualClock) -> Transcript {
    let mut told = Transcript::default();
    macro_rules! step {
        ($call:ident($request:expr)) => {{
            clock.advance_micros(1_500);
            let answer = store.$call($request).await;
            told.note(stringify!($call), answer, store.dump().await.ok())
        }};
    }
    let ada = step!(create_user(CreateUser::new().display_name("Ada \u{1F600} L'Ovelace"))).unwrap().user.id;
    let bob = step!(create_user(CreateUser::new())).unwrap().user.id;
    let eve = step!(create_user(CreateUser::new().display_name("Eve"))).unwrap().user.id;
    let external: UserId = "usr_0196f3c21b7a7c3d9e4f5a6b7c8d9eee".parse().unwrap();
    step!(create_user(CreateUser::new().display_name("a\u{0}b")));

    let root = step!(create_org(CreateOrg::new(ada).name("ÄCME %_\\ Ltd").slug("acme"))).unwrap();
    let root_id = root.org.id;
    step!(create_org(CreateOrg::new(ada).slug("acme")));
    let child = step!(create_org(CreateOrg::new(bob).name("Child").parent(root_id))).unwrap().org;
    step!(create_org(CreateOrg::new(external).parent(child.id)));
    let by_bob = step!(add_member(AddMember::new(root_id, bob, "admin").invited_by(ada))).unwrap();
    step!(add_member(AddMember::new(root_id, bob, "guest")));
    step!(add_member(AddMember::new(root_id, eve, "janitor")));
    let soon = by_bob.created_at.plus_seconds(60);
    let of_eve = step!(add_member(AddMember::new(root_id, eve, "member").expires_at(soon))).unwrap();
    step!(update_membership(UpdateMembership::new(of_eve.id).expires_at(Patch::Set(soon.plus_seconds(1)))));
    step!(update_membership(UpdateMembership::new(of_eve.id).expires_at(Patch::Clear)));
    step!(update_membership(UpdateMembership::new(of_eve.id).expires_at(Patch::Set(soon))));
    clock.advance_micros(61_000_000);
    step!(get_membership(of_eve.id));
    let of_eve = step!(add_member(AddMember::new(root_id, eve, "guest"))).unwrap();
    let of_eve = step!(change_role(ChangeRole::new(of_eve.id, "editor"))).unwrap();
    step!(change_role(ChangeRole::new(of_eve.id, "editor")));
    step!(suspend_membership(SuspendMembership::new(of_eve.id)));
    step!(suspend_membership(SuspendMembership::new(of_eve.id)));
    step!(reinstate_membership(ReinstateMembership::new(of_eve.id)));
    step!(admin_remove(AdminRemove::new(of_eve.id, bob)));
    step!(admin_remove(AdminRemove::new(root.owner_membership.id, bob)));
    step!(self_leave(SelfLeave::new(root.owner_membership.id)));
    let moved = step!(transfer_ownership(TransferOwnership::new(root_id, root.owner_membership.id, by_bob.id))).unwrap();
    step!(self_leave(SelfLeave::new(moved.to_membership.id).transfer_to(ada)));
    step!(suspend_user(SuspendUser::new(ada)));
    step!(suspend_user(SuspendUser::new(ada)));
    step!(reinstate_user(ReinstateUser::new(ada)));
    step!(revoke_user(RevokeUser::new(ada)));
    step!(add_member(AddMember::new(root_id, eve, "owner")));
    step!(revoke_user(RevokeUser::new(ada)));
    step!(update_org(UpdateOrg::new(root_id).name(Patch::Set("Neu".to_owned())).slug(Patch::Set("neu".to_owned()))));
    step!(update_org(UpdateOrg::new(root_id).name(Patch::Clear).cascade_permissions(false)));
    step!(update_org(UpdateOrg::new(child.id).slug(Patch::Set("neu".to_owned()))));
    step!(update_org(UpdateOrg::new(child.id).slug(Patch::Set("acme".to_owned())).inherit_permissions(false)));
    step!(suspend_org(SuspendOrg::new(child.id)));
    step!(add_member(AddMember::new(child.id, eve, "guest")));
    step!(reinstate_org(ReinstateOrg::new(child.id)));
    step!(revoke_org(RevokeOrg::new(root_id)));
    let leaf = step!(create_org(CreateOrg::new(eve).slug("leaf").parent(root_id))).unwrap().org;
    for (usr, role) in [(external, "guest"), (bob, "viewer")] {
        step!(add_member(AddMember::new(leaf.id, usr, role)));
    }
    step!(revoke_org(RevokeOrg::new(leaf.id)));
    step!(revoke_org(RevokeOrg::new(leaf.id)));
    step!(get_org_by_slug("leaf"));
    step!(create_org(CreateOrg::new(eve).slug("leaf")));
    step!(import(import()));
    step!(import(import()));
    told.0.extend(reads(store).await.0);
    told
}

/// Every read, of everything that is there and of some that is not.
async fn reads(store: &(impl TenancyStore + Inspect)) -> Transcript {
    let mut told = Transcript::default();
    let rows = store.dump().await.unwrap();
    macro_rules! look {
        ($call:ident($($argument:expr),*)) => {{
            let answer = store.$call($($argument),*).await;
            told.note(stringify!($call), answer, None)
        }};
    }
    let nobody: UserId = "usr_0196f3c21b7a7c3d9e4f5a6b7c8d9fff".parse().unwrap();
    let nowhere: OrgId = "org_0196f3c21b7a7c3d9e4f5a6b7c8d9fff".parse().unwrap();
    let nothing: MembershipId = "mem_0196f3c21b7a7c3d9e4f5a6b7c8d9fff".parse().unwrap();
    let users: BTreeSet<UserId> = rows.memberships.iter().map(|mem| mem.usr_id).chain([nobody]).collect();
    let orgs: Vec<OrgId> = rows.organizations.iter().map(|org| org.id).chain([nowhere]).collect();
    let mems: Vec<MembershipId> = rows.memberships.iter().rev().map(|mem| mem.id).chain([nothing]).collect();
    let statuses = || MembershipStatus::ALL.iter().copied().map(Some).chain([None]);

    for usr in &users {
        look!(get_user(*usr));
        for status in statuses() {
            let mut request = ListMemberships::new(*usr);
            request.status = status;
            let first = look!(list_memberships(request.clone().page(PageRequest::first().limit(2)))).unwrap();
            look!(list_memberships(request.page(PageRequest::after_optional(first.next_cursor))));
        }
    }
    for org in &orgs {
        look!(get_org(*org));
        look!(get_org_path(*org));
        if let Some(first) = look!(list_children(ListChildren::new(*org).page(PageRequest::first().limit(1)))) {
            look!(list_children(ListChildren::new(*org).page(PageRequest::after_optional(first.next_cursor))));
        }
        for status in statuses() {
            let mut request = ListMembers::new(*org);
            request.status = status;
            if let Some(first) = look!(list_members(request.clone().page(PageRequest::first().limit(1)))) {
                look!(list_members(request.page(PageRequest::after_optional(first.next_cursor))));
            }
            let mut request = CountMembers::new(*org);
            request.status = status;
            look!(count_members(request));
        }
        for after in [0, 1, 3, u64::MAX] {
            look!(changes(ListChanges::new(*org).after_revision(after).limit(2)));
        }
        for usr in &users {
            look!(get_membership_for(*org, *usr));
        }
    }
    look!(get_orgs(&orgs.iter().chain(&orgs).take(200).copied().collect::<Vec<_>>()));
    look!(get_memberships(&mems.iter().take(200).copied().collect::<Vec<_>>()));
    for mem in mems {
        look!(get_membership(mem));
        look!(membership_history(mem));
    }
    for status in OrgStatus::ALL.iter().copied().map(Some).chain([None]) {
        for query in ["", "acme", "ÄC", "äc", "%", "_", "\\", "neu", "ILD", "größe", "no such", "a\u{0}"] {
            let mut request = ListOrgs::new().query(query);
            request.status = status;
            let first = look!(list_orgs(request.clone().page(PageRequest::first().limit(2)))).unwrap();
            look!(list_orgs(request.page(PageRequest::after_optional(first.next_cursor))));
        }
        let mut request = ListOrgs::new();
        request.status = status;
        look!(list_orgs(request));
    }
    for slug in ["acme", "neu", "leaf", "none"] {
        look!(get_org_by_slug(slug));
    }
    for event in rows.events {
        look!(outcome(event.id));
    }
    look!(outcome("aud_0196f3c21b7a7c3d9e4f5a6b7c8d9fff".parse().unwrap()));
    told
}

#[tokio::test]
async fn a_script_of_every_operation_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let ((sources, clock), (reference, other_clock)) = (support::sources(1), support::reference(1));
    let store = Options::new().sources(sources).open(folder.path().join("a.db")).unwrap();
    let wanted = script(&reference, &other_clock).await;
    assert!(wanted.0.iter().any(|(told, _)| told.contains("ImportCounts")), "the script came to its end");
    same(&script(&store, &clock).await, &wanted);
}

#[tokio::test]
async fn a_script_of_every_operation_in_memory() {
    let ((sources, clock), (reference, other_clock)) = (support::sources(2), support::reference(2));
    let store = Options::new().sources(sources).open_in_memory().unwrap();
    same(&script(&store, &clock).await, &script(&reference, &other_clock).await);
}

/// A small generator: the same numbers for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(bound).unwrap()).unwrap()
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        *from.get(self.below(from.len())).unwrap()
    }
}

/// Commands at random over few rows, so that most checks are met from both sides.
async fn wander(store: &(impl TenancyStore + Inspect), clock: &ManualClock, seed: u64, steps: usize) -> Transcript {
    let mut told = Transcript::default();
    let mut dice = Dice(seed);
    let mut users: Vec<UserId> = vec!["usr_0196f3c21b7a7c3d9e4f5a6b7c8d9eee".parse().unwrap()];
    let mut orgs: Vec<OrgId> = vec!["org_0196f3c21b7a7c3d9e4f5a6b7c8d9eee".parse().unwrap()];
    let mut mems: Vec<MembershipId> = vec!["mem_0196f3c21b7a7c3d9e4f5a6b7c8d9eee".parse().unwrap()];
    let roles = ["owner", "owner", "admin", "member", "guest", "viewer", "editor"];
    let slugs = ["one", "two", "three"];
    macro_rules! step {
        ($call:ident($request:expr)) => {{
            let request = $request;
            let answer = store.$call(request).await;
            told.note(stringify!($call), answer, store.dump().await.ok())
        }};
    }
    for _ in 0..steps {
        clock.advance_micros(700_000);
        let end = tenantry_core::Clock::now(clock).plus_seconds(i64::try_from(dice.below(20)).unwrap());
        let (usr, org, mem) = (dice.pick(&users), dice.pick(&orgs), dice.pick(&mems));
        let kept = |kept: Option<Membership>, mems: &mut Vec<MembershipId>| mems.extend(kept.map(|mem| mem.id));
        match dice.below(20) {
            0 => users.extend(step!(create_user(CreateUser::new())).map(|made| made.user.id)),
            1 | 2 => {
                let mut request = CreateOrg::new(usr);
                if dice.below(2) == 0 {
                    request = request.parent(org);
                }
                if dice.below(2) == 0 {
                    request = request.slug(dice.pick(&slugs));
                }
                if let Some(made) = step!(create_org(request)) {
                    orgs.push(made.org.id);
                    mems.push(made.owner_membership.id);
                }
            }
            3..=5 => kept(step!(add_member(AddMember::new(org, usr, dice.pick(&roles)))), &mut mems),
            6 => kept(step!(add_member(AddMember::new(org, usr, "guest").expires_at(end).invited_by(dice.pick(&users)))), &mut mems),
            7 | 8 => kept(step!(change_role(ChangeRole::new(mem, dice.pick(&roles)))), &mut mems),
            9 => kept(step!(suspend_membership(SuspendMembership::new(mem))), &mut mems),
            10 => kept(step!(reinstate_membership(ReinstateMembership::new(mem))), &mut mems),
            11 => kept(step!(self_leave(SelfLeave::new(mem))), &mut mems),
            12 => kept(step!(self_leave(SelfLeave::new(mem).transfer_to(usr))), &mut mems),
            13 => kept(step!(admin_remove(AdminRemove::new(mem, usr))), &mut mems),
            14 => {
                if let Some(moved) = step!(transfer_ownership(TransferOwnership::new(org, mem, dice.pick(&mems)))) {
                    mems.extend([moved.from_membership.id, moved.to_membership.id]);
                }
            }
            15 => kept(step!(update_membership(UpdateMembership::new(mem).expires_at(Patch::Set(end)))), &mut mems),
            16 => drop(step!(update_org(UpdateOrg::new(org).slug(Patch::Set(dice.pick(&slugs).to_owned()))))),
            17 if dice.below(2) == 0 => drop(step!(suspend_org(SuspendOrg::new(org)))),
            17 if dice.below(3) == 0 => drop(step!(revoke_org(RevokeOrg::new(org)))),
            17 => drop(step!(reinstate_org(ReinstateOrg::new(org)))),
            18 if dice.below(2) == 0 => drop(step!(suspend_user(SuspendUser::new(usr)))),
            18 if dice.below(3) == 0 => drop(step!(revoke_user(RevokeUser::new(usr)))),
            _ => drop(step!(reinstate_user(ReinstateUser::new(usr)))),
        }
    }
    told.0.extend(reads(store).await.0);
    told
}

#[tokio::test]
async fn a_random_walk() {
    for seed in 1..=4 {
        let ((sources, clock), (reference, other_clock)) = (support::sources(seed), support::reference(seed));
        let store = Options::new().sources(sources).open_in_memory().unwrap();
        let wanted = wander(&reference, &other_clock, seed, 250).await;
        same(&wander(&store, &clock, seed, 250).await, &wanted);
    }
}
