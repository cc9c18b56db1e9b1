//! What is told of trees, beside the parents that the rows say.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use tenantry_core::{
    BackendKind, CreateOrg, Descendant, Dump, Error, Import, ImportMember, ImportOrg, ImportRow, ListDescendants, ListSiblings,
    MembershipId, MoveOrg, OrgId, OrgTree, Organization, Page, PageRequest, PageSize, ReadTree, RevokeOrg, SuspendOrg, TenancyStore,
    UserId,
};

use crate::support;

/// Whoever makes organizations.
fn creator() -> UserId {
    "usr_01960000000070008000000000000001".parse().expect("an id")
}

/// Each organization's parent, among those before it; then moves, of one below another or to the top; and how large pages are.
type Played = (Vec<Option<u8>>, Vec<(u8, Option<u8>)>, i64);

fn played() -> impl Strategy<Value = Played> {
    let parent = prop_oneof![1 => Just(None), 4 => any::<u8>().prop_map(Some)];
    let moves = prop::collection::vec((any::<u8>(), prop_oneof![1 => Just(None), 4 => any::<u8>().prop_map(Some)]), 0..12);
    (prop::collection::vec(parent, 1..24), moves, 1..9_i64)
}

proptest! {
    #![proptest_config(crate::cases(64))]

    // covers: ORG-39, ORG-40, ORG-41, ORG-42, ORG-43
    #[test]
    fn trees_are_as_their_rows_say_in_memory(played in played()) {
        crate::run(play("memory", &played))?;
    }
}

proptest! {
    #![proptest_config(crate::cases(16))]

    // covers: ORG-39, ORG-40, ORG-41, ORG-42, ORG-43
    #[test]
    fn trees_are_as_their_rows_say_in_sqlite(played in played()) {
        crate::run(play("sqlite", &played))?;
    }
}

proptest! {
    #![proptest_config(crate::cases(8))]

    // covers: ORG-39, ORG-40, ORG-41, ORG-42, ORG-43
    #[test]
    fn trees_are_as_their_rows_say_in_postgres(played in played()) {
        crate::run(play("postgres", &played))?;
    }
}

async fn play(name: &str, (parents, moves, limit): &Played) -> Result<(), TestCaseError> {
    let (fresh, clock) = crate::fresh(name).await;
    let store = &*fresh.store;
    let mut orgs: Vec<OrgId> = Vec::new();
    for parent in parents {
        clock.advance_micros(1_000);
        let mut request = CreateOrg::new(creator());
        request.parent_id = parent.and_then(|number| orgs.get(usize::from(number) % orgs.len().max(1))).copied();
        // The tenth level takes none.
        if let Ok(created) = store.create_org(request).await {
            orgs.push(created.org.id);
        }
    }
    for (number, (org, parent)) in moves.iter().enumerate() {
        clock.advance_micros(1_000);
        let pick = |number: u8| orgs[usize::from(number) % orgs.len()];
        let org = pick(*org);
        let done = match (number % 5, parent) {
            (3, _) => store.suspend_org(SuspendOrg::new(org)).await,
            (4, _) => store.revoke_org(RevokeOrg::new(org)).await,
            (_, None) => store.move_org(MoveOrg::to_top(org)).await,
            (_, Some(parent)) => store.move_org(MoveOrg::below(org, pick(*parent))).await,
        };
        prop_assert!(!matches!(done, Err(Error::Backend(_))), "{:?}", done);
    }
    let rows = fresh.inspect.dump().await.expect("a dump");
    for org in &rows.organizations {
        check(store, &rows, org, *limit).await?;
    }
    Ok(())
}

/// How many levels below one each of these organizations is, by parents alone.
fn below(rows: &Dump, top: OrgId) -> BTreeMap<OrgId, usize> {
    let parents: BTreeMap<OrgId, Option<OrgId>> = rows.organizations.iter().map(|org| (org.id, org.parent_id)).collect();
    let level = |org: OrgId| {
        let above = std::iter::successors(Some(org), |org| parents.get(org).copied().flatten());
        above.enumerate().find(|(level, above)| *level > 0 && *above == top).map(|(level, _)| level)
    };
    rows.organizations.iter().filter_map(|org| Some((org.id, level(org.id)?))).collect()
}

async fn check(store: &dyn TenancyStore, rows: &Dump, org: &Organization, limit: i64) -> Result<(), TestCaseError> {
    let by_id: BTreeMap<OrgId, &Organization> = rows.organizations.iter().map(|org| (org.id, org)).collect();
    let below = below(rows, org.id);
    for levels in [None, Some(1), Some(2), Some(3), Some(9)] {
        let near = |level: usize| levels.is_none_or(|levels| i64::try_from(level).is_ok_and(|level| level <= levels));
        let expected: Vec<(Organization, usize)> =
            below.iter().filter(|(_, level)| near(**level)).map(|(id, level)| ((*by_id[id]).clone(), *level)).collect();
        let mut request = ListDescendants::new(org.id);
        request.levels = levels;
        let listed: Vec<_> = all(store, &request, limit).await?.into_iter().map(|row| (row.org, row.level)).collect();
        prop_assert_eq!(&listed, &expected, "{:?} below {}", levels, org.id);

        let mut ask = ReadTree::new(org.id);
        ask.levels = levels;
        let tree = store.org_tree(ask).await.expect("a tree");
        prop_assert_eq!(&tree.org, org);
        let mut placed = BTreeMap::new();
        walk(&tree, 0, &mut placed)?;
        prop_assert_eq!(placed.remove(&org.id), Some(0));
        prop_assert_eq!(placed.into_iter().collect::<Vec<_>>(), expected.iter().map(|(org, level)| (org.id, *level)).collect::<Vec<_>>());
    }

    // Those beside it.
    let siblings = |other: &&Organization| other.id != org.id && other.parent_id == org.parent_id && org.parent_id.is_some();
    let expected: Vec<OrgId> = rows.organizations.iter().filter(siblings).map(|org| org.id).collect();
    let mut found = Vec::new();
    let mut page = PageRequest::first().limit(limit);
    loop {
        let Page { data, next_cursor, .. } = store.list_siblings(ListSiblings::new(org.id).page(page)).await.expect("a page");
        found.extend(data.into_iter().map(|org| org.id));
        let Some(cursor) = next_cursor else { break };
        page = PageRequest::after(cursor).limit(limit);
    }
    prop_assert_eq!(found, expected);

    // Those above it, in both orders.
    let path = store.get_org_path(org.id).await.expect("a path");
    let above: Vec<OrgId> = std::iter::successors(org.parent_id, |id| by_id[id].parent_id).collect();
    prop_assert!(path.ancestors_upwards().map(|org| org.id).eq(above.iter().copied()));
    prop_assert!(path.ancestors().iter().map(|org| org.id).eq(above.iter().rev().copied()));
    Ok(())
}

async fn all(store: &dyn TenancyStore, request: &ListDescendants, limit: i64) -> Result<Vec<Descendant>, TestCaseError> {
    let mut rows = Vec::new();
    let mut page = PageRequest::first().limit(limit);
    loop {
        let Page { data, next_cursor, .. } = store.list_descendants(request.clone().page(page)).await.expect("a page");
        prop_assert!(data.len() <= usize::try_from(limit).expect("a number"));
        rows.extend(data);
        let Some(cursor) = next_cursor else { return Ok(rows) };
        page = PageRequest::after(cursor).limit(limit);
    }
}

/// Notes on which level each organization stands, and looks that it is below its parent, in order.
fn walk(tree: &OrgTree, level: usize, placed: &mut BTreeMap<OrgId, usize>) -> Result<(), TestCaseError> {
    prop_assert!(placed.insert(tree.org.id, level).is_none(), "{} stands there twice", tree.org.id);
    prop_assert!(tree.children.is_sorted_by_key(|child| child.org.id));
    for child in &tree.children {
        prop_assert_eq!(child.org.parent_id, Some(tree.org.id));
        walk(child, level + 1, placed)?;
    }
    Ok(())
}

const MANY: usize = 10_000;
/// Some pages of them.
const SOME: usize = 600;

fn org(number: usize) -> OrgId {
    format!("org_019600000000700080000000{number:08x}").parse().expect("an id")
}

fn owner(number: usize) -> MembershipId {
    format!("mem_019600000000700080000000{number:08x}").parse().expect("an id")
}

/// A tree of so many organizations in which each has three children, to the tenth level, and the rest are children of the first; ids
/// do not rise with levels.
async fn plant(store: &dyn TenancyStore, count: usize) {
    let place = |at: usize| org(1 + at * 7_919 % count);
    let mut depth = vec![0_usize];
    let mut rows = Vec::new();
    for at in 0..count {
        let mut row = ImportOrg::new(place(at));
        if at > 0 {
            let parent = if depth[(at - 1) / 3] < 9 { (at - 1) / 3 } else { 0 };
            depth.push(depth[parent] + 1);
            row.parent_id = Some(place(parent));
        }
        rows.push(ImportRow::Org(row));
        rows.push(ImportRow::Member(ImportMember::new(owner(at), creator(), place(at), "owner")));
    }
    store.import(Import::new((1..).zip(rows).collect())).await.expect("a tree");
}

// covers: ORG-42
#[test]
fn a_tree_of_ten_thousand_is_read_and_its_bound_holds() {
    for name in ["memory", "sqlite", "postgres"] {
        crate::run(async {
            let (fresh, _) = crate::fresh(name).await;
            let store = &*fresh.store;
            plant(store, MANY).await;
            let started = std::time::Instant::now();
            let tree = store.org_tree(ReadTree::new(org(1))).await.expect("a tree");
            println!("{name}: {MANY} organizations in {:?}", started.elapsed());
            let mut placed = BTreeMap::new();
            walk(&tree, 0, &mut placed).expect("a tree");
            assert_eq!(placed.len(), MANY);
            let rows = fresh.inspect.dump().await.expect("a dump");
            let expected = below(&rows, org(1));
            assert!(placed.into_iter().filter(|(id, _)| *id != org(1)).eq(expected), "{name}");

            let below = MANY - 1;
            assert!(store.org_tree(ReadTree::new(org(1)).at_most(below)).await.is_ok());
            let refused = store.org_tree(ReadTree::new(org(1)).at_most(below - 1)).await.expect_err("one too many");
            assert_eq!(refused.code(), "invalid_format.levels");
            let near = store.org_tree(ReadTree::new(org(1)).levels(2).at_most(below - 1)).await.expect("a part");
            assert!(near.orgs().count() < 50);
        });
    }
}

// covers: ORG-42
#[test]
fn a_tree_that_is_read_while_organizations_move_in_it_is_whole() {
    for name in ["memory", "sqlite", "postgres"] {
        crate::run(async {
            let (fresh, _) = crate::fresh(name).await;
            plant(&*fresh.store, SOME).await;
            let tree = fresh.store.org_tree(ReadTree::new(org(1))).await.expect("a tree");
            // Two far apart, one of which goes to and fro below the other and where it was.
            let [first, .., last] = tree.children.as_slice() else { panic!("children") };
            let (moving, there, home) = (first.children[0].org.id, last.org.id, first.org.id);
            let ids: BTreeSet<OrgId> = tree.orgs().map(|org| org.id).collect();
            let mover = async {
                for number in 0..20 {
                    let to = if number % 2 == 0 { there } else { home };
                    fresh.store.move_org(MoveOrg::below(moving, to)).await.expect("it moves");
                    tokio::task::yield_now().await;
                }
            };
            let reader = async {
                let mut whole = 0;
                for _ in 0..20 {
                    match fresh.store.org_tree(ReadTree::new(org(1))).await {
                        Ok(tree) => {
                            let mut placed = BTreeMap::new();
                            walk(&tree, 0, &mut placed).expect("a tree");
                            assert!(placed.keys().eq(&ids), "{name}: who only moved was always there");
                            whole += 1;
                        }
                        Err(Error::Backend(error)) => assert!(matches!(error.kind(), BackendKind::Retryable), "{name}: {error}"),
                        Err(error) => panic!("{name}: {error}"),
                    }
                    tokio::task::yield_now().await;
                }
                whole
            };
            let ((), whole) = tokio::join!(mover, reader);
            assert!(whole > 0, "{name}: nothing could be read");
        });
    }
}

// covers: ORG-43
#[test]
fn a_root_has_no_siblings_and_no_page_of_them_a_next_one() {
    for test_store in support::stores() {
        crate::run(async {
            let (fresh, _) = crate::fresh(test_store.name()).await;
            let store = &*fresh.store;
            let one = store.create_org(CreateOrg::new(creator())).await.expect("a root").org.id;
            store.create_org(CreateOrg::new(creator())).await.expect("another root");
            assert_eq!(store.list_siblings(ListSiblings::new(one)).await.expect("a page"), Page { data: Vec::new(), next_cursor: None });
            let refused = store.list_siblings(ListSiblings::new(one).page(PageRequest::after("AAAA").limit(PageSize::MAX))).await;
            assert_eq!(refused.expect_err("no such page").code(), "invalid_cursor");
            let nobody = org(77);
            assert_eq!(store.list_siblings(ListSiblings::new(nobody)).await.expect_err("no such row").code(), "not_found");
            assert_eq!(store.org_tree(ReadTree::new(nobody)).await.expect_err("no such row").code(), "not_found");
            assert_eq!(store.org_tree(ReadTree::new(one).levels(10)).await.expect_err("too deep").code(), "invalid_format.levels");
        });
    }
}
