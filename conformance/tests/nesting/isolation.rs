//! Transactions that keep to their first moment: what another one committed since then is in the way, and never overlooked.

use sqlx::{Connection, PgConnection};
use tenantry_core::{
    AccessStore, AddMember, Caller, ChangeRole, CreateOrg, CreateRole, CreateTuple, CreateUser, DeleteRole, EnsureTenant, Import,
    ImportRow, ImportUser, Inspect, ListAllChanges, MoveOrg, Sources, TenancyStore, TenantMode, TenantPolicy, UserId, UserStatus,
};
use tenantry_postgres::{PostgresStore, bind, commit};

use crate::server::Server;
use crate::support;

const STRANGER: &str = "usr_01960000000070008000000000000001";

fn told<T, E: Into<tenantry_core::Error>>(done: Result<T, E>) -> String {
    done.map_or_else(|error| error.into().code(), |_| "ok".to_owned())
}

/// For both levels: a transaction that has seen its moment, something that happens outside, and what the transaction hears then.
async fn at_each_level(test: impl AsyncFn(&Server, &str, sqlx::Transaction<'_, sqlx::Postgres>)) {
    for level in ["REPEATABLE READ", "SERIALIZABLE"] {
        let server = Server::new(Sources::system()).await;
        let mut conn = PgConnection::connect(&server.schema.url).await.unwrap();
        let begin = match level {
            "SERIALIZABLE" => "BEGIN ISOLATION LEVEL SERIALIZABLE",
            _ => "BEGIN ISOLATION LEVEL REPEATABLE READ",
        };
        let mut tx = conn.begin_with(begin).await.unwrap();
        // The first statement sets the moment.
        sqlx::query("SELECT txid_current_snapshot()::text").execute(&mut *tx).await.unwrap();
        test(&server, level, tx).await;
    }
}

async fn sole(store: &PostgresStore) -> (tenantry_core::User, tenantry_core::CreatedOrg) {
    let ada = store.create_user(CreateUser::new()).await.unwrap().user;
    let acme = store.create_org(CreateOrg::new(ada.id).slug("acme")).await.unwrap();
    (ada, acme)
}

#[test]
fn a_guard_that_moved_meanwhile_ends_the_transaction() {
    support::block_on(async {
        let server = Server::new(Sources::system()).await;
        let (ada, acme) = sole(&server.store).await;
        for begin in ["BEGIN ISOLATION LEVEL REPEATABLE READ", "BEGIN ISOLATION LEVEL SERIALIZABLE"] {
            let mut conn = PgConnection::connect(&server.schema.url).await.unwrap();
            let mut tx = conn.begin_with(begin).await.unwrap();
            assert_eq!(bind(&server.store, &mut tx).get_org(acme.org.id).await.unwrap().id, acme.org.id);
            let other = server.store.create_user(CreateUser::new()).await.unwrap().user;
            server.store.add_member(AddMember::new(acme.org.id, other.id, "member")).await.unwrap();
            let late = bind(&server.store, &mut tx).add_member(AddMember::new(acme.org.id, STRANGER.parse().unwrap(), "member")).await;
            assert_eq!(told(late), "backend.retryable", "{begin}");
            assert_eq!(told(commit(&server.store, tx).await), "backend.rolled_back", "{begin}");
            // Run again, it goes through.
            let mut tx = conn.begin_with(begin).await.unwrap();
            assert_eq!(told(bind(&server.store, &mut tx).change_role(ChangeRole::new(acme.owner_membership.id, "owner")).await), "ok");
            assert_eq!(told(commit(&server.store, tx).await), "ok", "{begin}");
        }
        assert!(server.store.get_user(ada.id).await.is_ok());
    });
}

#[test]
fn a_slug_that_was_taken_meanwhile_is_not_given_twice() {
    support::block_on(at_each_level(async |server, level, mut tx| {
        let (ada, _) = sole(&server.store).await;
        let bound = bind(&server.store, &mut tx);
        let ben = bound.create_user(CreateUser::new()).await.unwrap().user;
        assert_eq!(told(bound.create_org(CreateOrg::new(ben.id).slug("acme")).await), "backend.retryable", "{level}");
        assert_eq!(told(bound.get_user(ada.id).await), "not_found", "{level}: it keeps to its moment");
    }));
}

#[test]
fn a_user_who_came_meanwhile_is_not_taken_for_absent() {
    support::block_on(at_each_level(async |server, level, mut tx| {
        let stranger: UserId = STRANGER.parse().unwrap();
        let bound = bind(&server.store, &mut tx);
        let ada = bound.create_user(CreateUser::new()).await.unwrap().user;
        let acme = bound.create_org(CreateOrg::new(ada.id)).await.unwrap().org;
        let now = server.store.create_user(CreateUser::new()).await.unwrap().user.created_at;
        let user =
            ImportUser { id: stranger, status: UserStatus::Suspended, display_name: None, created_at: Some(now), updated_at: Some(now) };
        server.store.import(Import::new(vec![(1, ImportRow::User(user))])).await.unwrap();
        assert_eq!(told(bound.add_member(AddMember::new(acme.id, stranger, "owner")).await), "backend.retryable", "{level}");
        drop(bound);
        assert_eq!(told(commit(&server.store, tx).await), "backend.rolled_back", "{level}");
        assert_eq!(server.store.dump().await.unwrap().memberships, [], "{level}");
    }));
}

#[test]
fn a_user_who_is_absent_is_no_obstacle() {
    support::block_on(at_each_level(async |server, level, mut tx| {
        let bound = bind(&server.store, &mut tx);
        let acme = bound.create_org(CreateOrg::new(STRANGER.parse().unwrap())).await.unwrap().org;
        drop(bound);
        assert_eq!(told(commit(&server.store, tx).await), "ok", "{level}");
        let dump = server.store.dump().await.unwrap();
        assert_eq!((dump.users, dump.memberships[0].org_id), (Vec::new(), acme.id), "{level}");
    }));
}

#[test]
fn what_needs_to_see_the_present_is_refused() {
    support::block_on(at_each_level(async |server, level, mut tx| {
        let bound = bind(&server.store, &mut tx);
        let ada = bound.create_user(CreateUser::new()).await.unwrap().user;
        let acme = bound.create_org(CreateOrg::new(ada.id)).await.unwrap().org;
        let as_ada = bound.with_caller(Caller::guarded(ada.id));
        let doc = ("doc", "01960000-0000-7000-8000-00000000d0c1");
        let grant = CreateTuple::new(("usr", &ada.id.to_string()), "editor", doc).scope(acme.id);
        assert_eq!(told(as_ada.create_tuple(grant.clone()).await), "backend.isolation", "{level}");
        let now = ada.created_at;
        let user = ImportUser {
            id: STRANGER.parse().unwrap(),
            status: UserStatus::Active,
            display_name: None,
            created_at: Some(now),
            updated_at: Some(now),
        };
        assert_eq!(told(bound.import(Import::new(vec![(1, ImportRow::User(user))])).await), "backend.isolation", "{level}");
        assert_eq!(told(bound.changes_all(ListAllChanges::new()).await), "backend.isolation", "{level}");
        let policy = TenantPolicy::new(TenantMode::Personal).max_tenants(1);
        let ensured = bound.ensure_tenant_for_user(EnsureTenant::new(STRANGER.parse().unwrap(), policy.clone())).await;
        assert_eq!(told(ensured), "backend.isolation", "{level}");
        // A user with a row has that to be kept apart by, and one who has a place needs nothing.
        let ben = bound.create_user(CreateUser::new()).await.unwrap().user.id;
        assert!(bound.ensure_tenant_for_user(EnsureTenant::new(ben, policy.clone())).await.unwrap().created, "{level}");
        assert!(!bound.ensure_tenant_for_user(EnsureTenant::new(ada.id, policy)).await.unwrap().created, "{level}");
        // A refusal, not the end of the transaction.
        assert_eq!(told(bound.create_tuple(grant).await), "ok", "{level}");
        drop((as_ada, bound));
        assert_eq!(told(commit(&server.store, tx).await), "ok", "{level}");
    }));
}

#[test]
fn a_tenant_that_came_meanwhile_is_not_made_twice() {
    support::block_on(async {
        let server = Server::new(Sources::system()).await;
        let policy = TenantPolicy::new(TenantMode::Personal);
        for begin in ["BEGIN ISOLATION LEVEL REPEATABLE READ", "BEGIN ISOLATION LEVEL SERIALIZABLE"] {
            let ada = server.store.create_user(CreateUser::new()).await.unwrap().user.id;
            let mut conn = PgConnection::connect(&server.schema.url).await.unwrap();
            let mut tx = conn.begin_with(begin).await.unwrap();
            assert_eq!(bind(&server.store, &mut tx).get_user(ada).await.unwrap().id, ada);
            let there = server.store.ensure_tenant_for_user(EnsureTenant::new(ada, policy.clone())).await.unwrap().org;
            let late = bind(&server.store, &mut tx).ensure_tenant_for_user(EnsureTenant::new(ada, policy.clone())).await;
            assert_eq!(told(late), "backend.retryable", "{begin}");
            assert_eq!(told(commit(&server.store, tx).await), "backend.rolled_back", "{begin}");
            // Run again, it finds the one that is there.
            let mut tx = conn.begin_with(begin).await.unwrap();
            let again = bind(&server.store, &mut tx).ensure_tenant_for_user(EnsureTenant::new(ada, policy.clone())).await.unwrap();
            assert_eq!((again.org.map(|org| org.id), again.created), (there.map(|org| org.id), false), "{begin}");
            assert_eq!(told(commit(&server.store, tx).await), "ok", "{begin}");
        }
    });
}

#[test]
fn what_rests_on_rows_below_is_refused() {
    support::block_on(async {
        let server = Server::new(Sources::system()).await;
        let (ada, acme) = sole(&server.store).await;
        let below = server.store.create_org(CreateOrg::new(ada.id).parent(acme.org.id)).await.unwrap().org;
        let clerk = server.store.create_role(CreateRole::new(acme.org.id, "clerk")).await.unwrap();
        for begin in ["BEGIN ISOLATION LEVEL REPEATABLE READ", "BEGIN ISOLATION LEVEL SERIALIZABLE"] {
            let mut conn = PgConnection::connect(&server.schema.url).await.unwrap();
            let mut tx = conn.begin_with(begin).await.unwrap();
            let bound = bind(&server.store, &mut tx);
            assert_eq!(told(bound.create_role(CreateRole::new(acme.org.id, "cook")).await), "backend.isolation", "{begin}");
            assert_eq!(told(bound.delete_role(DeleteRole::new(clerk.id)).await), "backend.isolation", "{begin}");
            assert_eq!(told(bound.move_org(MoveOrg::to_top(below.id)).await), "backend.isolation", "{begin}");
            // A refusal, not the end of the transaction; and what changes nothing rests on nothing.
            assert_eq!(told(bound.move_org(MoveOrg::below(below.id, acme.org.id)).await), "ok", "{begin}");
            drop(bound);
            assert_eq!(told(commit(&server.store, tx).await), "ok", "{begin}");
        }
    });
}
