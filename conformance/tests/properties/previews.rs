//! What a dry run of a move says comes true: exactly what it names is what single questions answer otherwise behind the move.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use tenantry_conformance::Fresh;
use tenantry_core::{
    AncestorReadPolicy, Dump, Error, Inspect, MoveOrg, OrgId, PageRequest, PermissionAsk, PreviewMoveOrg, Sources, TenancyStore, UserId,
};

use crate::access;
use crate::moves::{self, Move};
use crate::support;

const PERMISSIONS: [&str; 4] = ["doc.read", "doc.write", "bill.read", "bill.pay"];

/// Worlds, and moves that are tried in them: which organization, below which one.
type Played = (Vec<Move>, Vec<(usize, Option<usize>)>);

fn played() -> impl Strategy<Value = Played> {
    let step = prop_oneof![2 => moves::any_move_of_joining(), 5 => access::any_access().prop_map(Move::Access), 1 => moves::any_move()];
    (prop::collection::vec(step, 80..180), prop::collection::vec((0..64_usize, prop::option::weighted(0.8, 0..64_usize)), 8))
}

proptest! {
    #![proptest_config(crate::cases(24))]

    // covers: ORG-36, ORG-37, ORG-38
    #[test]
    fn a_dry_run_says_what_a_move_does_in_memory(played in played()) {
        run("memory", &played)?;
    }
}

proptest! {
    #![proptest_config(crate::cases(6))]

    // covers: ORG-36, ORG-37, ORG-38
    #[test]
    fn a_dry_run_says_what_a_move_does_in_sqlite(played in played()) {
        run("sqlite", &played)?;
    }
}

proptest! {
    #![proptest_config(crate::cases(2))]

    // covers: ORG-36, ORG-37, ORG-38
    #[test]
    fn a_dry_run_says_what_a_move_does_in_postgres(played in played()) {
        run("postgres", &played)?;
    }
}

/// A world in which moves change nothing, or in which all are refused, would show little.
#[test]
fn the_moves_of_these_properties_change_something() {
    let mut runner = TestRunner::deterministic();
    let strategy = played();
    let mut seen = Seen::default();
    for _ in 0..24 {
        let played = strategy.new_tree(&mut runner).expect("a world").current();
        let Seen { moved, refused, gained, lost } = run("memory", &played).expect("dry runs come true");
        seen = Seen { moved: seen.moved + moved, refused: seen.refused + refused, gained: seen.gained + gained, lost: seen.lost + lost };
    }
    println!("{seen:?}");
    assert!(seen.moved > 40 && seen.refused > 20 && seen.gained > 5 && seen.lost > 5, "{seen:?}");
}

#[derive(Debug, Default)]
struct Seen {
    moved: usize,
    refused: usize,
    gained: usize,
    lost: usize,
}

fn run(name: &str, (moves, tries): &Played) -> Result<Seen, TestCaseError> {
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
        let policy =
            AncestorReadPolicy::new(["owner", "admin", "member", "clerk"], ["*"]).and_then(|policy| policy.max_depth(2)).expect("a policy");
        let upwards = store.with_ancestor_read(Some(Arc::new(policy)));
        let mut seen = Seen::default();
        for (number, (org, parent)) in tries.iter().enumerate() {
            let rows = inspect.dump().await.expect("a dump");
            if rows.organizations.is_empty() {
                break;
            }
            let pick = |number: usize| rows.organizations[number % rows.organizations.len()].id;
            let request = parent.map_or_else(|| MoveOrg::to_top(pick(*org)), |parent| MoveOrg::below(pick(*org), pick(parent)));
            let store = if number % 2 == 0 { &store } else { &upwards };
            one(&**store, &*inspect, &rows, request, &mut seen).await?;
        }
        drop((store, upwards, inspect, guard));
        Ok(seen)
    })
}

/// A dry run, the move, and what the single questions say before and behind.
async fn one(store: &dyn TenancyStore, inspect: &dyn Inspect, rows: &Dump, request: MoveOrg, seen: &mut Seen) -> Result<(), TestCaseError> {
    let before = held(store, rows).await;
    let foreseen = match preview(store, &request).await {
        Ok(foreseen) => foreseen,
        Err(refused) => {
            seen.refused += 1;
            let moved = store.move_org(request.clone()).await;
            prop_assert_eq!(moved.expect_err("the dry run was refused").code(), refused.code(), "{:?}", request);
            return Ok(());
        }
    };
    prop_assert!(inspect.dump().await.expect("a dump") == *rows, "a dry run writes nothing");
    let moved = store.move_org(request.clone()).await;
    prop_assert!(moved.is_ok(), "the dry run was not refused: {:?} {:?}", request, moved);
    seen.moved += 1;
    let after = held(store, rows).await;
    let mut expected: BTreeMap<(OrgId, UserId), (Vec<String>, Vec<String>)> = BTreeMap::new();
    for (org, usr, permission) in after.difference(&before) {
        expected.entry((*org, *usr)).or_default().0.push((*permission).to_owned());
        seen.gained += 1;
    }
    for (org, usr, permission) in before.difference(&after) {
        expected.entry((*org, *usr)).or_default().1.push((*permission).to_owned());
        seen.lost += 1;
    }
    prop_assert_eq!(foreseen, expected, "{:?}", request);
    Ok(())
}

/// All pages, of three rows each.
async fn preview(store: &dyn TenancyStore, request: &MoveOrg) -> Result<BTreeMap<(OrgId, UserId), (Vec<String>, Vec<String>)>, Error> {
    let mut found = BTreeMap::new();
    let mut page = PageRequest::first().limit(3);
    loop {
        let next = store.preview_move_org(PreviewMoveOrg::new(request).page(page)).await?;
        assert!(next.data.len() <= 3, "{next:?}");
        for change in next.data {
            let texts = |slugs: Vec<_>| slugs.iter().map(ToString::to_string).collect::<Vec<_>>();
            let row = (texts(change.gained), texts(change.lost));
            assert!(found.insert((change.org_id, change.usr_id), row).is_none(), "each once");
        }
        let Some(cursor) = next.next_cursor else { return Ok(found) };
        page = PageRequest::after(cursor).limit(3);
    }
}

/// Everything that anybody may do anywhere, by single questions.
async fn held(store: &dyn TenancyStore, rows: &Dump) -> BTreeSet<(OrgId, UserId, &'static str)> {
    let external = moves::external_users().map(|id| id.parse().expect("a user's id"));
    let users: BTreeSet<UserId> =
        rows.users.iter().map(|user| user.id).chain(rows.memberships.iter().map(|mem| mem.usr_id)).chain(external).collect();
    let orgs: Vec<OrgId> = rows.organizations.iter().map(|org| org.id).collect();
    let mut questions = Vec::new();
    for org in orgs {
        for usr in &users {
            questions.extend(PERMISSIONS.map(|permission| (org, *usr, permission)));
        }
    }
    let mut held = BTreeSet::new();
    for part in questions.chunks(200) {
        let asks: Vec<PermissionAsk> = part.iter().map(|(org, usr, permission)| PermissionAsk::new(*usr, *org, *permission)).collect();
        let answers = store.has_permissions(&asks).await.expect("answers");
        held.extend(part.iter().zip(answers).filter(|(_, row)| row.0 == Ok(true)).map(|(question, _)| *question));
    }
    held
}
