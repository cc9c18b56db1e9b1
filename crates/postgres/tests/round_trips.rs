//! Round trips of each operation, warm and alone, counted at the wire and at the server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use std::pin::Pin;
use std::sync::atomic::Ordering;

use support::{Proxy, TestSchema, org, usr};
use tenantry_core::{
    AcceptInvitation, AccessStore, AddGroupMember, AddGroupRole, AddMember, AdminRemove, CachedResolver, Caller, ChangeRole, CheckAny,
    CheckOne, CountMembers, CreateGroup, CreateInvitation, CreateInvitations, CreateOrg, CreateRole, CreateTenant, CreateTuple, CreateUser,
    DeclineInvitation, DefinePermission, DeleteGroup, DeleteRole, DeleteTenant, DeleteTuple, EnsureTenant, ExtendInvitation, Freshness,
    GrantRolePermissions, Import, InvitationInput, ListAllChanges, ListChanges, ListChildren, ListDescendants, ListGroupMembers,
    ListGroupRoles, ListGroups, ListInvitations, ListInvitationsFor, ListMembers, ListMembershipOverrides, ListMemberships,
    ListOrgOverrides, ListOrgs, ListOrgsWith, ListPermissions, ListRoles, ListTuplesForObject, ListTuplesForSubject, ListUsersWith,
    MembershipStatus, MoveOrg, Patch, PermissionAsk, PermissionDefinition, PermissionResolver, PreTuple, PreviewMoveOrg,
    ReinstateMembership, ReinstateOrg, ReinstateUser, RemoveGroupMember, RemoveGroupRole, ReviewPermissions, RevokeInvitation, RevokeOrg,
    RevokeRolePermissions, RevokeUser, RolePatterns, SeedRolePermissions, SeedSystemRoles, SelfLeave, SetMembershipOverride,
    SetOrgOverride, SuspendMembership, SuspendOrg, SuspendUser, SyncCatalog, TenancyStore, TenantMode, TenantPolicy, TransferOwnership,
    UpdateGroup, UpdateMembership, UpdateOrg, UpdateRole,
};
use tenantry_postgres::Options;

/// Runs every operation twice, the first time to prepare its statements, and hands each second run's counts to `count`.
macro_rules! each_operation {
    ($store:ident, $count:ident) => {
        for warm in [false, true] {
            let store = &$store;
            let root = store.create_org(CreateOrg::new(usr(1))).await.unwrap();
            macro_rules! op {
                ($name:literal, $call:expr) => {{
                    $count.start().await;
                    // In a frame of its own: all of them in one are more than a thread's stack holds.
                    let done = Box::pin(async { $call.await.unwrap() }).await;
                    $count.stop($name, warm).await;
                    done
                }};
            }
            let user = op!("create_user", store.create_user(CreateUser::new())).user.id;
            op!("get_user", store.get_user(user));
            op!("get_users", store.get_users(&[user]));
            op!("suspend_user", store.suspend_user(SuspendUser::new(user)));
            op!("reinstate_user", store.reinstate_user(ReinstateUser::new(user)));
            let slug = if warm { "b" } else { "a" };
            let made = op!("create_org", store.create_org(CreateOrg::new(usr(1)).slug(slug).parent(root.org.id)));
            let (org, owner) = (made.org.id, made.owner_membership.id);
            op!("get_org", store.get_org(org));
            op!("get_org_by_slug", store.get_org_by_slug(slug));
            op!("get_orgs", store.get_orgs(&[org]));
            op!("get_org_path", store.get_org_path(org));
            op!("list_children", store.list_children(ListChildren::new(root.org.id)));
            op!("list_descendants", store.list_descendants(ListDescendants::new(root.org.id).levels(2)));
            op!("list_orgs", store.list_orgs(ListOrgs::new().query("a")));
            op!("update_org", store.update_org(UpdateOrg::new(org).name(Patch::Set("x".to_owned()))));
            op!("suspend_org", store.suspend_org(SuspendOrg::new(org)));
            op!("reinstate_org", store.reinstate_org(ReinstateOrg::new(org)));
            let mem = op!("add_member", store.add_member(AddMember::new(org, user, "member"))).id;
            op!("get_membership", store.get_membership(mem));
            op!("get_membership_for", store.get_membership_for(org, user));
            op!("get_memberships", store.get_memberships(&[mem]));
            op!(
                "update_membership",
                store.update_membership(UpdateMembership::new(mem).expires_at(Patch::Set("2100-01-01T00:00:00Z".parse().unwrap())))
            );
            let mem = op!("change_role", store.change_role(ChangeRole::new(mem, "admin"))).id;
            op!("suspend_membership", store.suspend_membership(SuspendMembership::new(mem)));
            op!("reinstate_membership", store.reinstate_membership(ReinstateMembership::new(mem)));
            op!("membership_history", store.membership_history(mem));
            op!("list_members", store.list_members(ListMembers::new(org)));
            op!("list_memberships", store.list_memberships(ListMemberships::new(user)));
            op!("count_members", store.count_members(CountMembers::new(org)));
            op!("changes", store.changes(ListChanges::new(org)));
            op!("changes_all", store.changes_all(ListAllChanges::new()));
            let later = "2100-01-01T00:00:00Z".parse().unwrap();
            let promise = PreTuple::new("viewer", "proj", "0196f3c2-1b7a-7c3d-9e4f-5a6b7c8d9e0f");
            let offer = |who: &str| InvitationInput::new(who, "member", later).pre_tuples(vec![promise.clone()]);
            let inv = op!("create_invitation", store.create_invitation(CreateInvitation::new(org, usr(1), offer("a")))).id;
            let more = vec![offer("b"), offer("c"), offer("d")];
            let rows = op!("create_invitations", store.create_invitations(CreateInvitations::new(org, usr(1), more)));
            let row = |n: usize| rows[n].0.as_ref().unwrap().id;
            op!("get_invitation", store.get_invitation(inv));
            op!("list_invitations", store.list_invitations(ListInvitations::new(org)));
            op!("list_invitations_for", store.list_invitations_for(ListInvitationsFor::new("a")));
            op!("extend_invitation", store.extend_invitation(ExtendInvitation::new(inv, "2101-01-01T00:00:00Z".parse().unwrap())));
            let joined = op!("accept_invitation", store.accept_invitation(AcceptInvitation::by(inv, usr(7), "a"))).membership.id;
            op!("decline_invitation", store.decline_invitation(DeclineInvitation::new(row(0))));
            op!("revoke_invitation", store.revoke_invitation(RevokeInvitation::new(row(1), usr(1))));
            let (subject, object) = (usr(7).to_string(), "0196f3c2-1b7a-7c3d-9e4f-5a6b7c8d9e0e");
            let tuple = CreateTuple::new(("usr", &subject), "editor", ("proj", object)).scope(org);
            let tuple = op!("create_tuple", store.create_tuple(tuple)).id;
            op!("get_tuple", store.get_tuple(tuple));
            op!("list_tuples_for_subject", store.list_tuples_for_subject(ListTuplesForSubject::new("usr", &subject)));
            op!("list_tuples_for_object", store.list_tuples_for_object(ListTuplesForObject::new("proj", object)));
            op!("check", store.check(CheckOne::new(("usr", &subject), "editor", ("proj", object))));
            op!("check_any", store.check_any(CheckAny::new(("usr", &subject), ["viewer", "editor"], ("proj", object))));
            let checks = ["viewer", "editor"].map(|relation| CheckOne::new(("usr", &subject), relation, ("proj", object)));
            op!("check_many", store.check_many(checks.to_vec()));
            op!("delete_tuple", store.delete_tuple(DeleteTuple::new(tuple)));
            store.self_leave(SelfLeave::new(joined)).await.unwrap();
            let moved = op!("transfer_ownership", store.transfer_ownership(TransferOwnership::new(org, owner, mem)));
            op!("self_leave", store.self_leave(SelfLeave::new(moved.from_membership.id)));
            let other = store.add_member(AddMember::new(org, usr(9), "member")).await.unwrap().id;
            op!("admin_remove", store.admin_remove(AdminRemove::new(other, user)));
            op!("define_permission", store.define_permission(DefinePermission::new(PermissionDefinition::new(format!("{slug}.read")))));
            let read = format!("{slug}.read");
            let known = ["write", "send"].map(|action| PermissionDefinition::new(format!("{slug}.{action}")));
            op!("sync_catalog", store.sync_catalog(SyncCatalog::new(known.to_vec())));
            op!("list_permissions", store.list_permissions(ListPermissions::new()));
            op!(
                "seed_system_roles",
                store.seed_system_roles(SeedSystemRoles::new().inherits_to_descendants([if warm { "admin" } else { "guest" }]))
            );
            let slugs = ["owner", if warm { "admin" } else { "guest" }].map(|role| RolePatterns::new(role, [format!("{slug}.*")]));
            op!("seed_role_permissions", store.seed_role_permissions(SeedRolePermissions::of(slugs).prune(true)));
            let role = op!("create_role", store.create_role(CreateRole::new(org, "clerk").permissions([read.clone()]))).id;
            op!("get_role", store.get_role(role));
            op!("list_roles", store.list_roles(ListRoles::new(Some(org))));
            op!("update_role", store.update_role(UpdateRole::new(role).name("Clerk")));
            op!("grant_role_permission", store.grant_role_permissions(GrantRolePermissions::new(role, [format!("{slug}.write")])));
            op!("revoke_role_permission", store.revoke_role_permissions(RevokeRolePermissions::new(role, [format!("{slug}.write")])));
            let group = op!("create_group", store.create_group(CreateGroup::new(org, "team"))).id;
            op!("get_group", store.get_group(group));
            op!("list_groups", store.list_groups(ListGroups::new(org)));
            op!("update_group", store.update_group(UpdateGroup::new(group, "Team")));
            op!("add_group_member", store.add_group_member(AddGroupMember::new(group, user)));
            op!("list_group_members", store.list_group_members(ListGroupMembers::new(group)));
            op!("add_group_role", store.add_group_role(AddGroupRole::new(group, role)));
            op!("list_group_roles", store.list_group_roles(ListGroupRoles::new(group)));
            let of = store.get_membership_for(org, user).await.unwrap().id;
            op!("set_org_override", store.set_org_override(SetOrgOverride::deny(org, read.as_str())));
            op!("set_membership_override", store.set_membership_override(SetMembershipOverride::grant(of, read.as_str())));
            op!("list_org_overrides", store.list_org_overrides(ListOrgOverrides::new(org)));
            op!("list_membership_overrides", store.list_membership_overrides(ListMembershipOverrides::new(of)));
            op!("resolve_permissions", store.resolve_permissions(user, org));
            op!("resolve_many", store.resolve_many(&[(user, org), (usr(1), root.org.id)]));
            op!("permission_tokens", store.permission_tokens(&[(user, org), (usr(1), root.org.id)]));
            op!("has_permission", store.has_permission(user, org, &read));
            op!("has_all_permissions", store.has_all_permissions(user, org, &[&read]));
            op!("has_any_permission", store.has_any_permission(user, org, &[&read]));
            let asks = [1, 9].map(|n| PermissionAsk::new(usr(n), org, read.as_str()));
            op!("has_permissions", store.has_permissions(&asks));
            op!("explain_permission", store.explain_permission(user, org, &read));
            op!("list_users_with", store.list_users_with(ListUsersWith::new(org, read.as_str())));
            op!("review_permissions", store.review_permissions(ReviewPermissions::new(org)));
            op!("list_orgs_with", store.list_orgs_with(ListOrgsWith::new(user, read.as_str())));
            op!("remove_group_role", store.remove_group_role(RemoveGroupRole::new(group, role)));
            op!("remove_group_member", store.remove_group_member(RemoveGroupMember::new(group, user)));
            op!("delete_group", store.delete_group(DeleteGroup::new(group)));
            op!("delete_role", store.delete_role(DeleteRole::new(role)));
            let other = store.create_org(CreateOrg::new(usr(1))).await.unwrap().org.id;
            op!("preview_move_org", store.preview_move_org(PreviewMoveOrg::new(&MoveOrg::below(org, other))));
            op!("move_org", store.move_org(MoveOrg::below(org, other)));
            op!("revoke_org", store.revoke_org(RevokeOrg::new(org)));
            let policy = TenantPolicy::new(TenantMode::Required).max_tenants(3);
            let own = op!("ensure_tenant_for_user", store.ensure_tenant_for_user(EnsureTenant::new(user, policy.clone()))).org.unwrap().id;
            op!("create_tenant_with_ownership", store.create_tenant_with_ownership(CreateTenant::new(user, "Other", policy.clone())));
            op!("delete_tenant", store.delete_tenant(DeleteTenant::new(user, own, policy)));
            for mem in store.list_memberships(ListMemberships::new(user).status(MembershipStatus::Active)).await.unwrap().data {
                store.revoke_org(RevokeOrg::new(mem.org_id)).await.unwrap();
            }
            op!("revoke_user", store.revoke_user(RevokeUser::new(user)));
        }
    };
}

/// Operations that have no name outside of the library.
const OF_THE_LIBRARY: [&str; 2] = ["resolve_many", "permission_tokens"];

fn writes(operation: &str) -> bool {
    let named = tenantry_core::wire::operation(operation);
    assert!(named.is_some() || OF_THE_LIBRARY.contains(&operation), "{operation}");
    named.is_some_and(|operation| operation.writes)
}

/// A mutation is a load and an apply. A reverse question first finds who or what may come into question, and then resolves all of them;
/// a review looks up in the end what of it the catalog has. A dry run asks first whether it may be done, and has nothing to look up
/// where nobody gains or loses anything.
fn transactions(operation: &str) -> usize {
    match operation {
        "list_users_with" | "list_orgs_with" => 2,
        "review_permissions" | "preview_move_org" => 3,
        other if writes(other) => 2,
        _ => 1,
    }
}

/// Each is one statement, but for what rests on rows below that no guard stands for: it is decided a second time in a transaction that
/// begins, locks, loads, applies and commits.
fn statements(operation: &str) -> usize {
    if ["create_role", "delete_role", "move_org"].contains(&operation) { 6 } else { transactions(operation) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mutation_is_two_round_trips_and_a_read_one_at_the_wire() {
    struct AtTheWire(Proxy, usize);
    impl AtTheWire {
        async fn start(&mut self) {
            self.settle().await;
            self.0.counts.take();
        }

        /// The pool says goodbye to a connection behind our back, with a Sync that carries no statement.
        async fn settle(&self) {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }

        async fn stop(&mut self, operation: &str, warm: bool) {
            self.settle().await;
            let (_, counted) = self.0.counts.take();
            if warm {
                println!("{operation}: {counted}");
                assert_eq!(counted, statements(operation), "{operation}");
                self.1 += 1;
            }
        }
    }
    let proxy = Proxy::start().await;
    let schema = TestSchema::new();
    let store = Options::new().schema(schema.name()).migrate(true).max_connections(1).connect(&proxy.url).await.unwrap();
    let mut count = AtTheWire(proxy, 0);
    each_operation!(store, count);
    // An import takes as many as its rows need, and a sweep loads invitations and tuples one after the other.
    assert_eq!(count.1, tenantry_core::wire::OPERATIONS.len() - 2 + OF_THE_LIBRARY.len());
}

/// Rows of every kind, so many of each, of a new organization.
fn rows_of_every_kind(part: u32, each: u32) -> Import {
    let id = |prefix: &str, number: u32| format!("{prefix}_01960000{part:04x}70008000{number:012x}");
    let (org, of_org) = (id("org", 0), format!("\"org_id\":\"{}\"", id("org", 0)));
    let mut lines = vec![format!(r#"{{"type":"organization","id":"{org}"}}"#)];
    let mut each_of = |row: &dyn Fn(u32) -> String| lines.extend((0..each).map(row));
    each_of(&|n| format!(r#"{{"type":"user","id":"{}"}}"#, id("usr", n)));
    each_of(&|n| format!(r#"{{"type":"permission","slug":"part{part}.action{n}"}}"#));
    let slug = |n: u32| format!("part_{}", "x".repeat(n as usize + 1));
    each_of(&|n| format!(r#"{{"type":"role","id":"{}",{of_org},"slug":"{}"}}"#, id("rol", n), slug(n)));
    each_of(&|n| format!(r#"{{"type":"role_permission","role_id":"{}","permission":"part{part}.action{n}"}}"#, id("rol", n)));
    let role = |n: u32| if n == 0 { "owner".to_owned() } else { slug(n) };
    let member = |n| format!(r#""usr_id":"{}",{of_org}"#, id("usr", n));
    each_of(&|n| format!(r#"{{"type":"membership","id":"{}",{},"role":"{}"}}"#, id("mem", n), member(n), role(n)));
    each_of(&|n| format!(r#"{{"type":"group","id":"{}",{of_org},"slug":"group-{n}"}}"#, id("grp", n)));
    each_of(&|n| format!(r#"{{"type":"group_member","group_id":"{}",{}}}"#, id("grp", n), member(n)));
    each_of(&|n| format!(r#"{{"type":"group_role","group_id":"{}",{of_org},"role":"{}"}}"#, id("grp", n), slug(n)));
    let denied = |n| format!(r#""permission":"part{part}.action{n}","effect":"deny"}}"#);
    each_of(&|n| format!(r#"{{"type":"override","holder":"{}",{}"#, id("mem", n), denied(n)));
    let rows = lines.iter().map(|line| serde_json::from_str(line).unwrap()).map(|line| tenantry_core::wire::import_row(&line).unwrap());
    Import::new((1..).zip(rows).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_takes_as_many_round_trips_whatever_the_number_of_its_rows() {
    let (proxy, schema) = (Proxy::start().await, TestSchema::new());
    let store = Options::new().schema(schema.name()).migrate(true).max_connections(1).connect(&proxy.url).await.unwrap();
    let mut counted = Vec::new();
    // The first one prepares the statements.
    for (part, each) in [(1, 1), (2, 1), (3, 25)] {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        proxy.counts.take();
        let counts = store.import(rows_of_every_kind(part, each)).await.unwrap();
        assert_eq!((counts.users, counts.roles, counts.overrides), (each.into(), each.into(), each.into()));
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        counted.push(proxy.counts.take().1);
    }
    println!("{counted:?}");
    assert_eq!(counted[1], counted[2]);
    assert!(counted[2] < 30, "{counted:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guarded_caller_adds_one_round_trip() {
    let (proxy, schema) = (Proxy::start().await, TestSchema::new());
    let store = Options::new().schema(schema.name()).migrate(true).max_connections(1).connect(&proxy.url).await.unwrap();
    let org = org(&store).await;
    let owner = store.list_members(ListMembers::new(org)).await.unwrap().data[0].usr_id;
    let stranger = usr(40);
    for warm in [false, true] {
        let count = async || {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            let (_, statements) = proxy.counts.take();
            statements
        };
        for (caller, org) in [(owner, org), (stranger, org), (owner, missing())] {
            let guarded = store.with_caller(Caller::guarded(caller));
            count().await;
            let read = guarded.get_org(org).await.is_ok();
            let reads = count().await;
            let written = guarded.add_member(AddMember::new(org, if warm { usr(41) } else { usr(42) }, "member")).await.is_ok();
            let writes = count().await;
            assert_eq!(read, written);
            if warm {
                // What may be given is weighed. A refusal loads and writes nothing, and the organization that is not there costs what a foreign one does.
                assert_eq!((reads, writes), (2, if written { 3 } else { 1 }), "{caller} in {org}");
            }
        }
    }
}

fn missing() -> tenantry_core::OrgId {
    "org_01960000000070008000000000000009".parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mutation_is_two_transactions_and_a_read_one_at_the_server() {
    /// The server's own count of the transactions of this database, after the store's one connection has told its own.
    struct AtTheServer {
        pool: sqlx::PgPool,
        before: i64,
    }
    impl AtTheServer {
        async fn told(&self) -> i64 {
            let mut conn = self.pool.acquire().await.unwrap();
            sqlx::query("SELECT pg_stat_force_next_flush()").execute(&mut *conn).await.unwrap();
            let count = "SELECT pg_stat_get_db_xact_commit(oid) FROM pg_database WHERE datname = current_database()";
            sqlx::query_scalar(count).fetch_one(&mut *conn).await.unwrap()
        }

        // Boxed where they are made: in each place where they are called they would else take up room on the stack.
        fn start(&mut self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
            Box::pin(async { self.before = self.told().await })
        }

        fn stop(&mut self, operation: &'static str, warm: bool) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
            Box::pin(async move {
                // Two of the difference are the two statements of the count itself.
                let counted = self.told().await - self.before - 2;
                if warm {
                    assert_eq!(counted, i64::try_from(transactions(operation)).unwrap(), "{operation}");
                }
            })
        }
    }
    // A database of its own: the count is per database.
    let admin = sqlx::PgPool::connect(&support::url()).await.unwrap();
    let name = format!("tenantry_trips_{}", std::process::id());
    sqlx::query(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&admin).await.unwrap();
    let options: sqlx::postgres::PgConnectOptions = support::url().parse().unwrap();
    let pool =
        sqlx::pool::PoolOptions::new().max_connections(1).test_before_acquire(false).connect_with(options.database(&name)).await.unwrap();
    let store = Options::new().migrate(true).from_pool(pool.clone()).await.unwrap();
    let mut count = AtTheServer { pool: pool.clone(), before: 0 };
    each_operation!(store, count);
    pool.close().await;
    sqlx::query(sqlx::AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"))).execute(&admin).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_no_op_is_one_round_trip() {
    let (proxy, schema) = (Proxy::start().await, TestSchema::new());
    let store = Options::new().schema(schema.name()).migrate(true).max_connections(1).connect(&proxy.url).await.unwrap();
    let org = org(&store).await;
    store.update_org(UpdateOrg::new(org)).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    proxy.counts.take();
    store.update_org(UpdateOrg::new(org)).await.unwrap();
    assert_eq!(proxy.counts.statements.load(Ordering::SeqCst), 1);

    // Every login behind the first one finds what is there.
    let ensure = || EnsureTenant::new(usr(77), TenantPolicy::new(TenantMode::Personal));
    assert!(store.ensure_tenant_for_user(ensure()).await.unwrap().created);
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    proxy.counts.take();
    assert!(!store.ensure_tenant_for_user(ensure()).await.unwrap().created);
    assert_eq!(proxy.counts.statements.load(Ordering::SeqCst), 1);
}

// covers: PRM-41
#[tokio::test(flavor = "multi_thread")]
async fn much_is_as_few_round_trips_as_little() {
    const MANY: usize = 5000;

    let (proxy, schema) = (Proxy::start().await, TestSchema::new());
    let store = Options::new().schema(schema.name()).migrate(true).max_connections(1).connect(&proxy.url).await.unwrap();
    let org = org(&store).await;
    let count = async || {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        proxy.counts.take().1
    };
    // What a first statement takes to be prepared is no part of it.
    store.sync_catalog(SyncCatalog::new(vec![PermissionDefinition::new("warm.up")])).await.unwrap();
    let slugs: Vec<String> = (0..MANY).map(|n| format!("r{}.a{}", n / 50, n % 50)).collect();
    count().await;
    let synced = store.sync_catalog(SyncCatalog::new(slugs.iter().map(PermissionDefinition::new).collect())).await.unwrap();
    assert_eq!(synced.created.len(), MANY);
    let took = count().await;
    assert!(took <= 3, "{took} statements for a catalog");

    store.create_role(CreateRole::new(org, "lord").permissions(slugs)).await.unwrap();
    store.add_member(AddMember::new(org, usr(30), "lord")).await.unwrap();
    store.resolve_permissions(usr(1), org).await.unwrap();
    count().await;
    assert_eq!(store.resolve_permissions(usr(30), org).await.unwrap().permissions.len(), MANY);
    assert_eq!(count().await, 1, "all that somebody may do");

    let cache = CachedResolver::new(std::sync::Arc::new(store.clone()));
    store.permission_tokens(&[(usr(30), org)]).await.unwrap();
    count().await;
    for (asked, wanted) in [("an answer that is not kept", 1), ("a fresh one that is", 1)] {
        assert!(cache.has_permission(usr(30), org, "r99.a49").await.unwrap());
        assert_eq!(count().await, wanted, "{asked}");
    }
    let asks: Vec<PermissionAsk> = (0..100).map(|n| PermissionAsk::new(usr(30), org, format!("r{n}.a0"))).collect();
    assert!(cache.has_permissions(&asks).await.unwrap().iter().all(|row| row.0 == Ok(true)));
    assert_eq!(count().await, 1, "many questions at once");
    store.add_member(AddMember::new(org, usr(31), "lord")).await.unwrap();
    count().await;
    assert!(cache.has_permission(usr(30), org, "r99.a49").await.unwrap());
    assert_eq!(count().await, 2, "one that something was written of");
    let relaxed = cache.with_freshness(Freshness::MaxAge(std::time::Duration::from_mins(1)));
    assert!(relaxed.has_permission(usr(30), org, "r99.a49").await.unwrap());
    assert_eq!(count().await, 0, "one that is young enough");
}
