//! The service over each store: what its users rely on beside the operations themselves, which have fixtures.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says what it did"
)]

#[path = "../support/mod.rs"]
mod support;

use std::future::Future;
use std::sync::Arc;

use tenantry_core::{
    AddMember, CachedResolver, Caller, CreateOrg, CreateUser, DefinePermission, Error, GrantRolePermissions, Membership, OrgId,
    PermissionDefinition, PermissionResolver, Role, SeedSystemRoles, Sources, SuspendOrg, SuspendUser, TenancyStore, TenantMode,
    TenantPolicy, TenantService, UserId,
};
use uuid::Uuid;

fn usr(number: u128) -> UserId {
    UserId::from_uuid(Uuid::from_u128((0x0196_f3c2_1b7a_7000_8000 << 48) | number)).expect("of a known version")
}

/// On each store, one after the other.
fn on_each<F: Future<Output = ()>>(test: impl Fn(Arc<dyn TenancyStore>) -> F) {
    for store in support::stores() {
        support::block_on(async {
            let fresh = store.fresh(Sources::system()).await.expect("a fresh store");
            println!("{}", store.name());
            test(Arc::clone(&fresh.store)).await;
        });
    }
}

fn service(store: &Arc<dyn TenancyStore>, policy: TenantPolicy) -> TenantService<'static> {
    TenantService::new(Arc::clone(store), policy).expect("a policy that has its form")
}

fn code<T: std::fmt::Debug>(refused: Result<T, Error>) -> String {
    refused.expect_err("it is refused").code()
}

#[test]
fn a_policy_without_its_form_makes_no_service() {
    let store: Arc<dyn TenancyStore> = Arc::new(tenantry_memory::new());
    for name in [String::new(), "x".repeat(201), "a\nb".to_owned()] {
        let policy = TenantPolicy::new(TenantMode::Personal).default_name(name);
        let refused = TenantService::new(Arc::clone(&store), policy).expect_err("the name is none");
        assert_eq!(refused.code(), "invalid_format.default_name");
    }
}

// covers: TEN-11
#[test]
fn first_logins_at_once_make_one_organization() {
    on_each(|store| async move {
        let tenants = service(&store, TenantPolicy::new(TenantMode::Personal));
        let logins: Vec<_> = (0..8)
            .map(|_| {
                let tenants = tenants.clone();
                tokio::spawn(async move { tenants.ensure_tenant_for_user(usr(1), Some("Ann")).await })
            })
            .collect();
        let mut answers = Vec::new();
        for login in logins {
            answers.push(login.await.expect("it ends").expect("it is answered"));
        }
        let orgs: Vec<Option<OrgId>> = answers.iter().map(|answer| answer.org.as_ref().map(|org| org.id)).collect();
        assert!(orgs[0].is_some() && orgs.iter().all(|org| *org == orgs[0]), "{orgs:?}");
        assert_eq!(answers.iter().filter(|answer| answer.created).count(), 1);
        assert_eq!(tenants.list_owned_tenants(usr(1)).await.expect("a list").len(), 1);
    });
}

// covers: TEN-5
#[test]
fn many_users_of_one_name_get_one_organization_each_at_once() {
    on_each(|store| async move {
        let tenants = service(&store, TenantPolicy::new(TenantMode::Required));
        let logins: Vec<_> = (0..12)
            .map(|number| {
                let tenants = tenants.clone();
                tokio::spawn(async move { tenants.ensure_tenant_for_user(usr(100 + number), None).await })
            })
            .collect();
        let (mut slugs, mut orgs) = (Vec::new(), Vec::new());
        for login in logins {
            let org = login.await.expect("it ends").expect("it is answered").org.expect("one is made");
            assert_eq!(org.name.as_ref().map(tenantry_core::Name::as_str), Some(TenantPolicy::DEFAULT_NAME));
            slugs.push(org.slug.expect("it has one"));
            orgs.push(org.id);
        }
        slugs.sort();
        slugs.dedup();
        orgs.sort();
        orgs.dedup();
        assert_eq!((slugs.len(), orgs.len()), (12, 12));
    });
}

#[test]
fn what_is_owned_and_may_be_made() {
    on_each(|store| async move {
        let tenants = service(&store, TenantPolicy::new(TenantMode::Flexible).max_tenants(2));
        let ann = store.create_user(CreateUser::new()).await.expect("a user").user.id;
        assert!(tenants.can_create_tenant(ann).await.expect("an answer"));
        assert!(tenants.list_owned_tenants(ann).await.expect("a list").is_empty());

        let first = tenants.create_tenant_with_ownership(ann, "First", None).await.expect("made").org.id;
        let others = store.create_org(CreateOrg::new(usr(2))).await.expect("made").org.id;
        store.add_member(AddMember::new(others, ann, "admin")).await.expect("a member");
        assert!(tenants.can_create_tenant(ann).await.expect("an answer"), "an admin owns nothing");
        let second = tenants.create_tenant_with_ownership(ann, "Second", Some("second")).await.expect("made").org.id;
        assert!(!tenants.can_create_tenant(ann).await.expect("an answer"));
        assert_eq!(code(tenants.create_tenant_with_ownership(ann, "Third", None).await), "precondition.tenant_limit");

        store.suspend_org(SuspendOrg::new(first)).await.expect("suspended");
        let owned = |found: Vec<tenantry_core::Organization>| found.into_iter().map(|org| org.id).collect::<Vec<_>>();
        assert_eq!(owned(tenants.list_owned_tenants(ann).await.expect("a list")), [first, second]);
        assert!(!tenants.can_create_tenant(ann).await.expect("an answer"), "what is suspended counts");

        let by_ann = tenants.with_caller(Caller::guarded(ann));
        assert_eq!(owned(by_ann.list_owned_tenants(ann).await.expect("a list")), [second], "what is not live is not seen");
        assert!(!by_ann.can_create_tenant(ann).await.expect("an answer"));
        assert_eq!(code(by_ann.can_create_tenant(usr(2)).await), "forbidden");
        assert_eq!(code(by_ann.list_owned_tenants(usr(2)).await), "forbidden");
        assert_eq!(code(by_ann.delete_tenant(ann, first).await), "not_found");
        by_ann.delete_tenant(ann, second).await.expect("deleted");
        assert!(tenants.can_create_tenant(ann).await.expect("an answer"));

        store.suspend_user(SuspendUser::new(ann)).await.expect("suspended");
        assert!(!tenants.can_create_tenant(ann).await.expect("an answer"));
        assert!(!service(&store, TenantPolicy::default()).can_create_tenant(ann).await.expect("an answer"));
    });
}

/// More than a page of them.
#[test]
fn two_hundred_and_more_are_counted_and_listed() {
    support::block_on(async {
        let store: Arc<dyn TenancyStore> = Arc::new(tenantry_memory::new());
        let tenants = service(&store, TenantPolicy::new(TenantMode::Flexible).max_tenants(420));
        for _ in 0..420 {
            tenants.create_tenant_with_ownership(usr(1), "Another", None).await.expect("made");
        }
        assert!(!tenants.can_create_tenant(usr(1)).await.expect("an answer"));
        let owned = tenants.list_owned_tenants(usr(1)).await.expect("a list");
        assert!(owned.len() == 420 && owned.is_sorted_by_key(|org| org.id));
    });
}

#[test]
fn a_cache_sees_the_new_tenant_and_its_end() {
    on_each(|store| async move {
        store.define_permission(DefinePermission::new(PermissionDefinition::new("invoices.pay"))).await.expect("defined");
        store.seed_system_roles(SeedSystemRoles::new()).await.expect("seeded");
        store.grant_role_permissions(GrantRolePermissions::new(Role::Owner.id(), ["invoices.pay"])).await.expect("granted");
        let cache = CachedResolver::new(Arc::clone(&store) as Arc<dyn PermissionResolver>);
        let tenants = service(&store, TenantPolicy::new(TenantMode::Personal));

        let place = tenants.ensure_tenant_for_user(usr(1), Some("Ann")).await.expect("answered");
        let org = place.org.expect("one is made").id;
        assert_eq!(place.membership.map(|mem: Membership| mem.role), Some(Role::Owner));
        assert!(cache.has_permission(usr(1), org, "invoices.pay").await.expect("an answer"));
        let other = tenants.create_tenant_with_ownership(usr(1), "Other", None).await.expect("made").org.id;
        assert!(cache.has_permission(usr(1), other, "invoices.pay").await.expect("an answer"));
        assert!(!cache.has_permission(usr(2), other, "invoices.pay").await.expect("an answer"));
        tenants.delete_tenant(usr(1), org).await.expect("deleted");
        assert!(!cache.has_permission(usr(1), org, "invoices.pay").await.expect("an answer"));
        assert!(cache.has_permission(usr(1), other, "invoices.pay").await.expect("an answer"));
        assert_eq!(tenants.ensure_tenant_for_user(usr(1), None).await.expect("answered").org.map(|org| org.id), Some(other));
    });
}

#[test]
fn plain_calls_do_the_same() {
    let store = tenantry_core::blocking::Store::new(tenantry_memory::new());
    let tenants = tenantry_core::blocking::TenantService::new(&store, TenantPolicy::new(TenantMode::Required).max_tenants(2)).expect("one");
    let place = tenants.ensure_tenant_for_user(usr(1), Some("Ann")).expect("answered");
    let org = place.org.expect("one is made").id;
    assert!(place.created && !tenants.ensure_tenant_for_user(usr(1), None).expect("answered").created);
    assert_eq!(code(tenants.delete_tenant(usr(1), org)), "precondition.last_tenant");
    let other = tenants.create_tenant_with_ownership(usr(1), "Other", None).expect("made").org.id;
    assert!(!tenants.can_create_tenant(usr(1)).expect("an answer"));
    assert_eq!(code(tenants.with_caller(Caller::guarded(usr(2))).delete_tenant(usr(1), org)), "not_found");
    tenants.delete_tenant(usr(1), org).expect("deleted");
    let owned: Vec<OrgId> = tenants.list_owned_tenants(usr(1)).expect("a list").into_iter().map(|org| org.id).collect();
    assert_eq!((owned, tenants.policy().max_tenants), (vec![other], 2));
}
