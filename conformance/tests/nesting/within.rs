//! The store itself, called from inside a transaction of its own: it would wait for itself, and says so at once. Every operation.

use serde_json::Value;
use tenantry_conformance::testing::World;
use tenantry_core::{CreateUser, Inspect, TenancyStore, wire};
use tenantry_sqlite::Options;

use crate::{Failed, code, commands, support};

/// Every operation by name: commands with an input that they take, reads with none.
fn operations(world: &World) -> Vec<(&'static str, Value)> {
    let mut all = commands::commands(world);
    let id = |id: &dyn ToString| id.to_string();
    let doc = serde_json::json!({"subject_type": "usr", "subject_id": id(&world.member), "relation": "viewer", "object_type": "doc",
        "object_id": World::DOC});
    let mut any = doc.clone();
    any["relations"] = serde_json::json!(["viewer"]);
    any.as_object_mut().unwrap().remove("relation");
    let everything = serde_json::json!({"usr_id": id(&world.owner), "usr_ids": [id(&world.owner)], "org_id": id(&world.org),
        "org_ids": [id(&world.org)], "slug": World::SLUG, "mem_id": id(&world.owner_mem), "mem_ids": [id(&world.owner_mem)],
        "inv_id": id(&world.pending_inv), "identifier": World::IDENTIFIER, "tup_id": id(&world.scoped_tup),
        "subject_type": "usr", "subject_id": id(&world.member), "object_type": "doc", "object_id": World::DOC,
        "event_id": "aud_01960000000070008000000000000001", "checks": [doc], "role_id": id(&world.role), "group_id": id(&world.group),
        "permission": World::READ, "permissions": [World::READ],
        "asks": [{"usr_id": id(&world.owner), "org_id": id(&world.org), "permission": World::READ}]});
    for operation in wire::OPERATIONS.iter().filter(|operation| !operation.writes) {
        let input = match operation.name {
            "check" => doc.clone(),
            "check_any" => any.clone(),
            _ => {
                let fields = operation.fields.iter().filter(|field| field.required);
                fields.map(|field| (field.name.to_owned(), everything[field.name].clone())).collect::<serde_json::Map<_, _>>().into()
            }
        };
        all.push((operation.name, input));
    }
    all
}

/// Calls every operation of the store, from inside; answers how many there were.
fn call_all(store: &dyn TenancyStore, world: &World) -> usize {
    let operations = operations(world);
    for (name, input) in &operations {
        let input = serde_json::from_value(input.clone()).expect("JSON is a value");
        let done = support::block_on(wire::call(store, name, &input));
        match done {
            Err(wire::CallError::Store(error)) => assert_eq!(error.code(), "backend.nested_write", "{name}"),
            other => panic!("{name}: {other:?}"),
        }
    }
    operations.len()
}

/// The same of every store that lends itself.
macro_rules! from_inside {
    ($store:expr, $engine:expr, $transaction:path) => {{
        let store = $store;
        let world = support::block_on(World::build($engine(&store))).expect("a world");
        let before = support::block_on($engine(&store).dump()).expect("its rows");
        let done = $transaction(&store, |tx| {
            assert!(call_all($engine(&store), &world) > 50);
            assert_eq!(support::block_on($engine(&store).dump()).unwrap_err().code(), "backend.nested_write");
            let again = $transaction(&store, |_| Ok::<(), Failed>(()));
            assert_eq!(code(again), "backend.nested_write");
            // The transaction itself goes on, and so does the store on a thread that can wait.
            tx.create_user(CreateUser::new())?;
            Err::<(), Failed>(Failed::Changed)
        });
        assert_eq!(code(done), "changed");
        assert_eq!(support::block_on($engine(&store).dump()).expect("its rows"), before);
        assert!(support::block_on($engine(&store).create_user(CreateUser::new())).is_ok());
    }};
}

#[test]
fn memory() {
    fn engine(store: &tenantry_memory::MemoryStore) -> &tenantry_memory::MemoryStore {
        store
    }
    from_inside!(tenantry_memory::new(), engine, tenantry_memory::with_transaction);
}

#[test]
fn sqlite_with_threads() {
    fn engine(store: &tenantry_sqlite::SqliteStore) -> &tenantry_sqlite::SqliteStore {
        store
    }
    let folder = tempfile::tempdir().expect("a folder");
    from_inside!(tenantry_sqlite::open(folder.path().join("a.db")).expect("a store"), engine, tenantry_sqlite::with_transaction);
    from_inside!(tenantry_sqlite::open_in_memory().expect("a store"), engine, tenantry_sqlite::with_transaction);
}

#[test]
fn sqlite_without_threads() {
    let folder = tempfile::tempdir().expect("a folder");
    let engine = tenantry_sqlite::BlockingStore::engine;
    from_inside!(tenantry_sqlite::open_blocking(folder.path().join("a.db")).expect("a store"), engine, tenantry_sqlite::with_transaction);
    from_inside!(Options::new().open_in_memory_blocking().expect("a store"), engine, tenantry_sqlite::with_transaction);
}

#[test]
fn a_transaction_can_begin_inside_of_async_code() {
    // Not the way to do it, as it occupies the runtime's thread; but it ends well.
    support::block_on(async {
        let store = tenantry_sqlite::open_in_memory().expect("a store");
        let done = tenantry_sqlite::with_transaction(&store, |tx| {
            tx.create_user(CreateUser::new())?;
            Ok::<(), Failed>(())
        });
        assert_eq!(code(done), "ok");
        let moved = store.clone();
        let done = tokio::task::spawn_blocking(move || tenantry_sqlite::with_transaction(&moved, |tx| tx.create_user(CreateUser::new())));
        assert!(done.await.unwrap().is_ok());
        assert_eq!(store.dump().await.unwrap().users.len(), 2);
    });
}
