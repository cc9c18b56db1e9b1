//! The option for poolers that hand out a server for one transaction at a time and keep no prepared statements.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use std::sync::atomic::Ordering;

use support::{Proxy, TestSchema, usr};
use tenantry_core::{AddMember, CreateOrg, Inspect, ListMembers, Patch, TenancyStore, UpdateOrg};
use tenantry_postgres::Options;

#[tokio::test(flavor = "multi_thread")]
async fn with_a_transaction_per_command_no_statement_stands_outside_one_and_none_is_named() {
    let (proxy, schema) = (Proxy::start().await, TestSchema::new());
    let options = Options::new().schema(schema.name()).migrate(true).max_connections(2);
    drop(options.clone().connect(&support::url()).await.unwrap());
    let store = options.migrate(false).transaction_per_command(true).connect(&proxy.url).await.unwrap();
    // Opening looks at the schema with statements of its own, on a connection of its own.
    proxy.counts.outside.store(0, Ordering::SeqCst);
    proxy.counts.named.store(0, Ordering::SeqCst);
    let org = store.create_org(CreateOrg::new(usr(1)).slug("a")).await.unwrap().org.id;
    store.add_member(AddMember::new(org, usr(2), "member")).await.unwrap();
    store.update_org(UpdateOrg::new(org).name(Patch::Set("x".to_owned()))).await.unwrap();
    assert_eq!(store.list_members(ListMembers::new(org)).await.unwrap().data.len(), 2);
    assert_eq!(store.get_org_by_slug("a").await.unwrap().revision, 4);
    store.dump().await.unwrap();
    assert_eq!(proxy.counts.outside.load(Ordering::SeqCst), 0, "statements outside a transaction");
    assert_eq!(proxy.counts.named.load(Ordering::SeqCst), 0, "named statements");
}
