//! What the parts of a program register of permissions, beside a model that knows only what each of them said.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use tenantry_core::{
    AddMember, CreateOrg, CreateRole, CreateUser, DomainError, Exposure, ListPermissions, ManifestResource, PermissionDefinition,
    PermissionRegistry, PermissionSlug, Registration, SyncCatalog, SyncedCatalog,
};

use crate::support;

const SLUGS: [&str; 4] = ["doc.read", "doc.write", "bill.read", "bill.pay"];
const FIELDS: [&str; 3] = ["name", "description", "category"];

/// What a part says of permissions: the slug's number, and of each field nothing or one of two values. Mostly nothing, so that several
/// parts often agree.
type Said = Vec<(usize, [Option<u8>; 3])>;

fn any_said() -> impl Strategy<Value = Said> {
    let field = || prop_oneof![6 => Just(None), 3 => Just(Some(0)), 1 => Just(Some(1))];
    prop::collection::vec((0..SLUGS.len(), [field(), field(), field()]), 0..4)
}

fn definition(slug: usize, fields: [Option<u8>; 3]) -> PermissionDefinition {
    let [name, description, category] = fields.map(|value| value.map(|value| format!("Value {value}")));
    let mut definition = PermissionDefinition::new(SLUGS[slug]);
    (definition.name, definition.description, definition.category) = (name, description, category);
    definition
}

fn register(registry: &PermissionRegistry, part: usize, said: &Said) -> Result<Registration, DomainError> {
    registry.register(format!("part {part}"), said.iter().map(|(slug, fields)| definition(*slug, *fields)))
}

/// What several say together, worked out from all of it at once; none where two of them contradict each other.
fn together(all: &[&Said]) -> Option<Vec<PermissionDefinition>> {
    let mut values: BTreeMap<&str, [BTreeSet<u8>; 3]> = BTreeMap::new();
    for (slug, fields) in all.iter().copied().flatten() {
        let known = values.entry(SLUGS[*slug]).or_default();
        for (known, value) in known.iter_mut().zip(fields) {
            known.extend(value.iter().copied());
        }
    }
    let one = |known: &BTreeSet<u8>| if known.len() < 2 { Some(known.first().copied()) } else { None };
    let rows = values.iter().map(|(slug, [name, description, category])| {
        let slug = SLUGS.iter().position(|known| known == slug).expect("a slug");
        Some(definition(slug, [one(name)?, one(description)?, one(category)?]))
    });
    rows.collect()
}

proptest! {
    #![proptest_config(crate::cases(512))]

    // covers: PRM-46
    #[test]
    fn the_order_of_registrations_does_not_matter(parts in prop::collection::vec(any_said(), 1..6), order in any::<prop::sample::Index>()) {
        let mut shuffled: Vec<_> = parts.iter().enumerate().collect();
        let mut code = order.index(720);
        for at in (1..shuffled.len()).rev() {
            shuffled.swap(at, code % (at + 1));
            code /= at + 1;
        }
        let said = together(&parts.iter().collect::<Vec<_>>());
        for order in [parts.iter().enumerate().collect(), shuffled] {
            let registry = PermissionRegistry::new();
            let handles: Result<Vec<_>, _> = order.iter().map(|(part, said)| register(&registry, *part, said)).collect();
            if let Some(said) = &said {
                prop_assert!(handles.is_ok(), "{handles:?}");
                prop_assert_eq!(&registry.definitions(), said);
            } else {
                prop_assert_eq!(handles.expect_err("a contradiction").code(), "conflict.permission_metadata");
            }
        }
    }

    // covers: PRM-47, PRM-48
    #[test]
    fn what_is_registered_is_what_the_handles_at_hand_say(steps in prop::collection::vec((any_said(), any::<u8>()), 1..24)) {
        let registry = PermissionRegistry::new();
        let mut handles: BTreeMap<usize, (Registration, Said)> = BTreeMap::new();
        let mut kept: Vec<Said> = Vec::new();
        for (part, (said, code)) in steps.into_iter().enumerate() {
            if code % 3 == 0 && let Some(at) = handles.keys().nth(usize::from(code) % handles.len().max(1)).copied() {
                let (handle, said) = handles.remove(&at).expect("a handle");
                // Some stay for good.
                if code % 5 == 0 {
                    handle.keep();
                    kept.push(said);
                }
            }
            let there: Vec<_> = handles.values().map(|(_, said)| said).chain(&kept).chain([&said]).collect();
            let expected = together(&there);
            match register(&registry, part, &said) {
                Ok(handle) => {
                    prop_assert!(expected.is_some(), "part {} was taken: {:?}", part, said);
                    let slugs: BTreeSet<_> = said.iter().map(|(slug, _)| SLUGS[*slug]).collect();
                    prop_assert!(handle.slugs().iter().map(PermissionSlug::as_str).eq(slugs));
                    handles.insert(part, (handle, said));
                }
                Err(DomainError::PermissionMetadata { permission, field, one, other, sources: Some(sources) }) => {
                    prop_assert!(expected.is_none(), "part {part} was refused: {said:?}");
                    prop_assert_ne!(&one, &other);
                    prop_assert_eq!(&sources[1], &format!("part {part}"));
                    // Both said it, in that field.
                    let at = FIELDS.iter().position(|known| *known == field).expect("a field");
                    let says = |said: &Said, value: &str| {
                        said.iter().any(|(slug, fields)| {
                            SLUGS[*slug] == permission.as_str() && fields[at].is_some_and(|said| format!("Value {said}") == value)
                        })
                    };
                    prop_assert!(says(&said, &other));
                    let first = handles.iter().find(|(part, _)| sources[0] == format!("part {part}")).map(|(_, (_, said))| said);
                    prop_assert!(first.map_or_else(|| kept.iter().chain([&said]).any(|said| says(said, &one)), |first| says(first, &one)));
                }
                Err(other) => return Err(TestCaseError::fail(format!("{other:?}"))),
            }
            let there: Vec<_> = handles.values().map(|(_, said)| said).chain(&kept).collect();
            let expected = together(&there).expect("what was taken agrees");
            prop_assert_eq!(&registry.definitions(), &expected);
            prop_assert_eq!(registry.len(), expected.len());
            for slug in SLUGS {
                let one = expected.iter().find(|definition| definition.slug == slug);
                let known = registry.get(slug);
                prop_assert_eq!(known.as_ref(), one);
                prop_assert_eq!(registry.contains(slug), one.is_some());
            }
        }
    }
}

// covers: PRM-47
#[test]
fn a_contradiction_names_both_values_and_both_sources_and_takes_nothing_in() {
    let registry = PermissionRegistry::new();
    let billing = registry.register("billing", [PermissionDefinition::new("bill.pay").name("Pay")]).expect("it is new");
    let archive = [PermissionDefinition::new("archive.read"), PermissionDefinition::new("bill.pay").name("Settle").category("money")];
    let refused = registry.register("archive", archive.clone()).expect_err("another name");
    assert_eq!(refused.code(), "conflict.permission_metadata");
    assert_eq!(refused.to_string(), "`bill.pay`: its name is `Pay` in `billing`, and `Settle` in `archive`");
    assert_eq!(registry.definitions(), [PermissionDefinition::new("bill.pay").name("Pay")]);

    // Within one registration too.
    let twice = [PermissionDefinition::new("bill.read").name("Read"), PermissionDefinition::new("bill.read").name("Look at")];
    let refused = registry.register("ledger", twice).expect_err("two names");
    assert_eq!(refused.to_string(), "`bill.read`: its name is `Read` in `ledger`, and `Look at` in `ledger`");

    // What somebody's form lacks is said as everywhere, and before what others say.
    let wrong = [PermissionDefinition::new("bill.pay").name("Settle"), PermissionDefinition::new("Bill")];
    assert_eq!(registry.register("ledger", wrong).expect_err("no slug").code(), "invalid_format.slug");
    assert_eq!(
        registry.register_manifest("ledger", &[ManifestResource::new("")]).expect_err("no name").code(),
        "invalid_format.collection"
    );

    drop(billing);
    let _archive = registry.register("archive", archive).expect("nobody says otherwise now");
    assert_eq!(registry.get("bill.pay").and_then(|pay| pay.name).as_deref(), Some("Settle"));
}

// covers: PRM-48
#[test]
fn a_registry_holds_a_hundred_thousand_slugs_and_not_one_more() {
    let registry = PermissionRegistry::new();
    let definitions = |from: usize, to: usize| (from..to).map(|n| PermissionDefinition::new(format!("doc.action-{n}")));
    let first = registry.register("first", definitions(0, 60_000)).expect("room");
    let second = registry.register("second", definitions(50_000, SyncCatalog::MAX)).expect("room, since some are known");
    assert_eq!(registry.len(), SyncCatalog::MAX);
    let refused = registry.register("third", definitions(SyncCatalog::MAX, SyncCatalog::MAX + 1)).expect_err("one more");
    assert_eq!(refused.code(), "invalid_format.custom");
    assert_eq!(registry.register("fourth", definitions(0, SyncCatalog::MAX + 1)).expect_err("more").code(), "invalid_format.custom");
    drop(first);
    assert_eq!((registry.len(), registry.contains("doc.action-49999"), registry.contains("doc.action-50000")), (50_000, false, true));
    // A handle may outlive its registry.
    drop(registry);
    assert_eq!((second.source(), second.slugs().len()), ("second", 50_000));
}

#[test]
fn threads_register_and_leave_at_once() {
    let registry = PermissionRegistry::new();
    let stays = registry.register("stays", [PermissionDefinition::new("doc.read").name("Read")]).expect("it is new");
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let registry = registry.clone();
            scope.spawn(move || {
                for _ in 0..500 {
                    let own = PermissionDefinition::new(format!("own.of-{thread}"));
                    let both = [PermissionDefinition::new("doc.read").category("docs"), own];
                    let handle = registry.register(format!("thread {thread}"), both).expect("they agree");
                    assert!(registry.contains(&format!("own.of-{thread}")));
                    assert_eq!(registry.get("doc.read"), Some(PermissionDefinition::new("doc.read").name("Read").category("docs")));
                    drop(handle);
                    assert!(!registry.contains(&format!("own.of-{thread}")));
                }
            });
        }
    });
    assert_eq!(registry.definitions(), [PermissionDefinition::new("doc.read").name("Read")]);
    drop(stays);
    assert!(registry.is_empty());
}

// covers: PRM-49, PRM-50
#[test]
fn a_sync_brings_the_catalog_what_is_registered_and_takes_nothing_from_it() {
    crate::run(async {
        for test_store in support::stores() {
            let (fresh, _) = crate::fresh(test_store.name()).await;
            let store = &*fresh.store;
            let registry = PermissionRegistry::new();
            assert_eq!(registry.sync(store).await.expect("nothing to do"), SyncedCatalog::default());

            let bills = ManifestResource::new("bill").api(Exposure::Include(vec!["get".into(), "pay".into()])).actions(["pay"]);
            let billing = registry.register_manifest("billing", &[bills]).expect("it is new");
            let plug_in =
                registry.register("plug-in", [PermissionDefinition::new("bill.pay").name("Pay"), PermissionDefinition::new("doc.read")]);
            let plug_in = plug_in.expect("they agree");
            let synced = registry.sync(store).await.expect("it is done");
            assert_eq!(slugs(&synced.created), ["bill.pay", "bill.read", "doc.read"], "{}", test_store.name());
            assert_eq!(slugs(&registry.sync(store).await.expect("again").unchanged), ["bill.pay", "bill.read", "doc.read"]);

            let ada = store.create_user(CreateUser::new()).await.expect("a user").user.id;
            let acme = store.create_org(CreateOrg::new(ada)).await.expect("an organization").org.id;
            let ben = store.create_user(CreateUser::new()).await.expect("a user").user.id;
            store.create_role(CreateRole::new(acme, "clerk").permissions(["doc.read"])).await.expect("a role");
            store.add_member(AddMember::new(acme, ben, "clerk")).await.expect("a member");
            assert!(store.has_permission(ben, acme, "doc.read").await.expect("an answer"));

            drop(plug_in);
            assert!(!registry.contains("doc.read") && registry.contains("bill.pay"));
            let synced = registry.sync(store).await.expect("it is done");
            assert_eq!((slugs(&synced.unchanged), slugs(&synced.created)), (vec!["bill.pay", "bill.read"], vec![]));
            // The store knows it still, and so does whoever holds it; of what nobody says now, what was said last stays.
            assert!(store.has_permission(ben, acme, "doc.read").await.expect("an answer"));
            let catalog = store.list_permissions(ListPermissions::new()).await.expect("a page").data;
            let told: Vec<_> = catalog.iter().map(|row| (row.slug.as_str(), row.name.as_ref().map(ToString::to_string))).collect();
            assert_eq!(told, [("bill.pay", Some("Pay".to_owned())), ("bill.read", None), ("doc.read", None)]);
            drop(billing);
            assert!(registry.is_empty());
        }
    });
}

fn slugs(slugs: &[PermissionSlug]) -> Vec<&str> {
    slugs.iter().map(PermissionSlug::as_str).collect()
}
