//! A disk without room: the call that meets it fails, nothing of it stays, and the store goes on.

mod support;

use tenantry_core::{CreateOrg, CreateUser, Import, ImportRow, ImportUser, Inspect, TenancyStore};
use tenantry_sqlite::Options;

const FULL: &str = "the disk that holds the database is full; free space and repeat";

#[tokio::test]
async fn small_calls_succeed_until_the_disk_is_full_and_again_when_it_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let store = Options::new().max_pages(80).open(&path).unwrap();
    let creator = store.create_user(CreateUser::new()).await.unwrap().user.id;
    let mut made = Vec::new();
    let error = loop {
        match store.create_org(CreateOrg::new(creator).name("n".repeat(200))).await {
            Ok(created) => made.push(created.org.id),
            Err(error) => break error,
        }
    };
    assert_eq!((error.code().as_str(), error.to_string().as_str()), ("backend.unavailable", FULL));
    assert!(made.len() > 10, "{}", made.len());
    let rows = store.dump().await.unwrap();
    assert_eq!(rows.organizations.iter().map(|org| org.id).collect::<Vec<_>>(), made);
    assert_eq!(rows.memberships.len(), made.len());
    assert_eq!(store.get_org(made[0]).await.unwrap().name.unwrap().as_str(), "n".repeat(200));
    drop(store);

    let store = Options::new().open(&path).unwrap();
    assert_eq!(store.dump().await.unwrap(), rows);
    store.create_org(CreateOrg::new(creator)).await.unwrap();
}

#[tokio::test]
async fn an_import_without_room_leaves_nothing() {
    let store = Options::new().max_pages(60).open_in_memory().unwrap();
    let user = |n: u64| ImportUser {
        display_name: Some("n".repeat(200)),
        ..ImportUser::new(format!("usr_0196f3c21b7a7c3d9e4f{n:012x}").parse().unwrap())
    };
    let rows = (1..2_000).map(|n| (n, ImportRow::User(user(n)))).collect();
    let error = store.import(Import::new(rows)).await.unwrap_err();
    assert_eq!(error.to_string(), FULL);
    assert!(store.dump().await.unwrap().users.is_empty());
    store.import(Import::new(vec![(1, ImportRow::User(user(1)))])).await.unwrap();
}
