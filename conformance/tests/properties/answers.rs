//! Every way to ask about a permission gives the same answer: one question and many, the list of what somebody may do, why, and both
//! lists the other way round.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use tenantry_conformance::Fresh;
use tenantry_core::{
    Dump, Effect, Error, Explanation, ListOrgsWith, ListUsersWith, MembershipStatus, OrgId, PageRequest, PermissionAsk, ReviewPermissions,
    Sources, TenancyStore, UserId,
};

use crate::access;
use crate::moves::{self, Move};
use crate::support;

const PERMISSIONS: [&str; 4] = ["doc.read", "doc.write", "bill.read", "bill.pay"];

/// Mostly what is about permissions, and members enough whom it can be about.
fn worlds() -> impl Strategy<Value = Move> {
    prop_oneof![2 => moves::any_move_of_joining(), 5 => access::any_access().prop_map(Move::Access), 1 => moves::any_move()]
}

proptest! {
    #![proptest_config(crate::cases(32))]

    // covers: PRM-24, PRM-28, PRM-29, PRM-32, PRM-33, PRM-37, PRM-38, PRM-39
    #[test]
    fn every_way_to_ask_agrees_in_memory(moves in prop::collection::vec(worlds(), 80..200)) {
        run("memory", &moves)?;
    }
}

proptest! {
    #![proptest_config(crate::cases(8))]

    // covers: PRM-24, PRM-28, PRM-29, PRM-32, PRM-33, PRM-37, PRM-38, PRM-39
    #[test]
    fn every_way_to_ask_agrees_in_sqlite(moves in prop::collection::vec(worlds(), 80..200)) {
        run("sqlite", &moves)?;
    }
}

proptest! {
    #![proptest_config(crate::cases(3))]

    // covers: PRM-24, PRM-28, PRM-29, PRM-32, PRM-33, PRM-37, PRM-38, PRM-39
    #[test]
    fn every_way_to_ask_agrees_in_postgres(moves in prop::collection::vec(worlds(), 80..200)) {
        run("postgres", &moves)?;
    }
}

/// A world in which nobody may do anything, or everybody, would show little.
#[test]
fn the_worlds_of_these_properties_allow_and_deny() {
    let mut runner = TestRunner::deterministic();
    let moves = prop::collection::vec(worlds(), 200);
    let (mut allowed, mut asked) = (0, 0);
    for _ in 0..24 {
        let moves = moves.new_tree(&mut runner).expect("moves").current();
        let counts = run("memory", &moves).expect("every way to ask agrees");
        (allowed, asked) = (allowed + counts.0, asked + counts.1);
    }
    println!("{allowed} of {asked} questions: yes");
    assert!(allowed > 100 && asked > 5 * allowed, "{allowed} of {asked}");
}

/// How many questions were answered with yes, and how many there were.
fn run(name: &str, moves: &[Move]) -> Result<(usize, usize), TestCaseError> {
    support::block_on(async {
        let (sources, clock) = Sources::deterministic("2026-01-01T00:00:00Z".parse().expect("a time"), 1);
        let Fresh { store, inspect, guard } = support::store(name).fresh(sources).await.expect("a fresh store");
        moves::users(&*store).await;
        let catalog: Vec<_> = PERMISSIONS.iter().map(|slug| serde_json::json!({ "slug": slug })).collect();
        moves::call(&*store, "sync_catalog", &serde_json::json!({ "custom": catalog })).await.expect("a catalog");
        for step in moves {
            clock.advance_micros(1_000);
            let rows = inspect.dump().await.expect("a dump");
            if let Err(error @ Error::Backend(_)) = step.play(&*store, &clock, &rows).await {
                return Err(TestCaseError::fail(format!("{step:?}: {error:?}")));
            }
        }
        let rows = inspect.dump().await.expect("a dump");
        let orgs: Vec<OrgId> = rows.organizations.iter().map(|org| org.id).collect();
        let external = moves::external_users().map(|id| id.parse().expect("a user's id"));
        // Imports bring members of whom nobody else speaks.
        let members = rows.memberships.iter().map(|mem| mem.usr_id);
        let users: BTreeSet<UserId> = rows.users.iter().map(|user| user.id).chain(external).chain(members).collect();
        let users: Vec<UserId> = users.into_iter().collect();
        let mut allowed = 0;
        for permission in PERMISSIONS {
            allowed += one(&*store, &users, &orgs, permission).await?;
        }
        for org in &orgs {
            reviewed(&*store, &users, *org, &rows).await?;
        }
        drop((store, inspect, guard));
        Ok((allowed, PERMISSIONS.len() * users.len() * orgs.len()))
    })
}

/// All that can be asked about one permission; answers how often it is held.
async fn one(store: &dyn TenancyStore, users: &[UserId], orgs: &[OrgId], permission: &str) -> Result<usize, TestCaseError> {
    let mut allowed = Vec::new();
    for org in orgs {
        for usr in users {
            let held = store.has_permission(*usr, *org, permission).await.expect("an answer");
            let why = store.explain_permission(*usr, *org, permission).await.expect("an answer");
            prop_assert_eq!((why.allowed, replayed(&why)), (held, held), "{} {} {}: {:#?}", usr, org, permission, why);
            prop_assert_eq!(why.decided_by.is_some(), held, "{:#?}", why);
            prop_assert_eq!(why.reason.reason.is_none(), held, "{:#?}", why);
            let all = store.resolve_permissions(*usr, *org).await.expect("an answer");
            let named = all.permissions.iter().any(|slug| slug.as_str() == permission);
            prop_assert_eq!(named, held, "{} {} {}: {:?}", usr, org, permission, all);
            prop_assert_eq!(store.has_all_permissions(*usr, *org, &[permission]).await.expect("an answer"), held);
            prop_assert_eq!(store.has_any_permission(*usr, *org, &[permission]).await.expect("an answer"), held);
            if held {
                allowed.push((*usr, *org));
            }
        }
        let asks: Vec<PermissionAsk> = users.iter().map(|usr| PermissionAsk::new(*usr, *org, permission)).collect();
        for (ask, row) in asks.iter().zip(store.has_permissions(&asks).await.expect("answers")) {
            prop_assert_eq!(row.0, Ok(allowed.contains(&(ask.usr_id, ask.org_id))), "{:?}", ask);
        }
    }
    for org in orgs {
        let mut expected: Vec<UserId> = allowed.iter().filter(|(_, there)| there == org).map(|(usr, _)| *usr).collect();
        expected.sort();
        prop_assert_eq!(users_with(store, *org, permission).await, expected, "in {} {}", org, permission);
    }
    for usr in users {
        let mut expected: Vec<OrgId> = allowed.iter().filter(|(who, _)| who == usr).map(|(_, org)| *org).collect();
        expected.sort();
        prop_assert_eq!(orgs_with(store, *usr, permission).await, expected, "of {} {}", usr, permission);
    }
    Ok(allowed.len())
}

/// The access review of one organization: every user who is to be in it, and of each exactly what the single questions say.
async fn reviewed(store: &dyn TenancyStore, users: &[UserId], org: OrgId, rows: &Dump) -> Result<(), TestCaseError> {
    let mut found = Vec::new();
    let mut page = PageRequest::first().limit(2);
    loop {
        let next = store.review_permissions(ReviewPermissions::new(org).page(page)).await.expect("a page");
        found.extend(next.data);
        let Some(cursor) = next.next_cursor else { break };
        page = PageRequest::after(cursor).limit(2);
    }
    prop_assert!(found.is_sorted_by_key(|row| row.usr_id) && found.iter().all(|row| users.contains(&row.usr_id)), "{:#?}", found);
    for usr in users {
        let mut expected = Vec::new();
        for permission in PERMISSIONS {
            let why = store.explain_permission(*usr, org, permission).await.expect("an answer");
            expected.extend(why.decided_by.map(|by| (permission.to_owned(), by)));
        }
        expected.sort_by(|one, other| one.0.cmp(&other.0));
        let own = rows.memberships.iter().any(|mem| mem.usr_id == *usr && mem.org_id == org && mem.status != MembershipStatus::Revoked);
        let effective = store.resolve_permissions(*usr, org).await.expect("an answer");
        let belongs = own || effective.membership_id.is_some();
        let row = found.iter().find(|row| row.usr_id == *usr);
        prop_assert_eq!(row.is_some(), belongs || !expected.is_empty(), "{} in {}", usr, org);
        let Some(row) = row else { continue };
        let held: Vec<_> = row.permissions.iter().map(|held| (held.permission.to_string(), held.decided_by.clone())).collect();
        prop_assert_eq!(&held, &expected, "{} in {}", usr, org);
        let shown = (row.role, row.inherited_from_org_id);
        prop_assert_eq!(shown, (effective.role, effective.inherited_from_org_id), "{} in {}", usr, org);
        prop_assert!(row.reason.is_none() || held.is_empty(), "{:#?}", row);
        let mut alone = ReviewPermissions::new(org);
        alone.usr_id = Some(*usr);
        let alone = store.review_permissions(alone).await.expect("a page");
        prop_assert_eq!(alone.data, vec![row.clone()]);
    }
    for permission in PERMISSIONS {
        let mut only = ReviewPermissions::new(org);
        only.permission = Some(permission.to_owned());
        let only = store.review_permissions(only.page(PageRequest::first().limit(200))).await.expect("a page").data;
        let users: Vec<UserId> = only.iter().map(|row| row.usr_id).collect();
        prop_assert_eq!(users, users_with(store, org, permission).await, "{} in {}", permission, org);
        prop_assert!(only.iter().all(|row| row.permissions.len() == 1), "{:#?}", only);
    }
    Ok(())
}

/// What the steps come to, for somebody who knows nothing else.
fn replayed(why: &Explanation) -> bool {
    why.steps.iter().fold(false, |held, step| match step.effect {
        Some(Effect::Grant) => true,
        Some(Effect::Deny) => false,
        None => held,
    })
}

/// In pages of two.
async fn users_with(store: &dyn TenancyStore, org: OrgId, permission: &str) -> Vec<UserId> {
    let (mut found, mut page) = (Vec::new(), PageRequest::first().limit(2));
    loop {
        let next = store.list_users_with(ListUsersWith::new(org, permission).page(page)).await.expect("a page");
        found.extend(next.data);
        let Some(cursor) = next.next_cursor else { return found };
        page = PageRequest::after(cursor).limit(2);
    }
}

async fn orgs_with(store: &dyn TenancyStore, usr: UserId, permission: &str) -> Vec<OrgId> {
    let (mut found, mut page) = (Vec::new(), PageRequest::first().limit(2));
    loop {
        let next = store.list_orgs_with(ListOrgsWith::new(usr, permission).page(page)).await.expect("a page");
        found.extend(next.data);
        let Some(cursor) = next.next_cursor else { return found };
        page = PageRequest::after(cursor).limit(2);
    }
}
