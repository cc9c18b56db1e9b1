//! What is answered from a cache is what the store would have answered, whatever was written and however the time went.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use proptest::prelude::*;
use tenantry_conformance::{Fresh, TestStore};
use tenantry_core::source::ManualClock;
use tenantry_core::{
    AllowedRow, AncestorReadPolicy, CachedResolver, DomainError, EffectivePermissions, Error, Explanation, Freshness, ListOrgsWith,
    ListUsersWith, OrgId, Page, PermissionAsk, PermissionResolver, PermissionToken, ReviewPermissions, Sources, Stamps, TenancyStore,
    UserAccess, UserId,
};

use crate::access;
use crate::moves::{self, Move};
use crate::support;

pub(crate) const PERMISSIONS: [&str; 4] = ["doc.read", "doc.write", "bill.read", "bill.pay"];

/// As for the property that every way to ask agrees, and more of what takes rights away.
fn worlds() -> impl Strategy<Value = Move> {
    prop_oneof![2 => moves::any_move_of_joining(), 5 => access::any_access().prop_map(Move::Access), 3 => moves::any_move_at_all()]
}

proptest! {
    #![proptest_config(crate::cases(24))]

    // covers: PRM-40, PRM-41, PRM-44, PRM-45
    #[test]
    fn what_is_cached_is_what_the_store_says_in_memory(moves in prop::collection::vec(worlds(), 60..160)) {
        run("memory", &moves)?;
    }
}

proptest! {
    #![proptest_config(crate::cases(6))]

    // covers: PRM-40, PRM-41, PRM-44, PRM-45
    #[test]
    fn what_is_cached_is_what_the_store_says_in_sqlite(moves in prop::collection::vec(worlds(), 60..160)) {
        run("sqlite", &moves)?;
    }

    // covers: PRM-40, PRM-41, PRM-44, PRM-45
    #[test]
    fn what_is_cached_is_what_the_store_says_in_a_file_that_is_opened_exclusively(moves in prop::collection::vec(worlds(), 60..160)) {
        run(support::Alone.name(), &moves)?;
    }
}

proptest! {
    #![proptest_config(crate::cases(2))]

    // covers: PRM-40, PRM-41, PRM-44, PRM-45
    #[test]
    fn what_is_cached_is_what_the_store_says_in_postgres(moves in prop::collection::vec(worlds(), 60..160)) {
        run("postgres", &moves)?;
    }
}

/// Passes questions on, and counts them.
#[derive(Debug)]
pub(crate) struct Counted {
    store: Arc<dyn TenancyStore>,
    /// Whether the store's marks are passed on: without them it is as one that others write to.
    marks: bool,
    pub(crate) resolved: AtomicUsize,
    pub(crate) compared: AtomicUsize,
}

impl Counted {
    pub(crate) fn new(store: &Arc<dyn TenancyStore>, marks: bool) -> Arc<Self> {
        let (resolved, compared) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Arc::new(Self { store: Arc::clone(store), marks, resolved, compared })
    }

    /// How often it resolved, and how often it compared tokens.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.resolved.load(Ordering::SeqCst), self.compared.load(Ordering::SeqCst))
    }
}

#[async_trait]
impl PermissionResolver for Counted {
    async fn resolve_permissions(&self, usr_id: UserId, org_id: OrgId) -> Result<EffectivePermissions, Error> {
        self.resolved.fetch_add(1, Ordering::SeqCst);
        self.store.resolve_permissions(usr_id, org_id).await
    }

    async fn has_permission(&self, usr_id: UserId, org_id: OrgId, permission: &str) -> Result<bool, Error> {
        self.resolved.fetch_add(1, Ordering::SeqCst);
        self.store.has_permission(usr_id, org_id, permission).await
    }

    async fn has_all_permissions(&self, usr_id: UserId, org_id: OrgId, permissions: &[&str]) -> Result<bool, Error> {
        self.resolved.fetch_add(1, Ordering::SeqCst);
        self.store.has_all_permissions(usr_id, org_id, permissions).await
    }

    async fn has_any_permission(&self, usr_id: UserId, org_id: OrgId, permissions: &[&str]) -> Result<bool, Error> {
        self.resolved.fetch_add(1, Ordering::SeqCst);
        self.store.has_any_permission(usr_id, org_id, permissions).await
    }

    async fn has_permissions(&self, asks: &[PermissionAsk]) -> Result<Vec<AllowedRow>, Error> {
        self.resolved.fetch_add(1, Ordering::SeqCst);
        self.store.has_permissions(asks).await
    }

    async fn explain_permission(&self, usr_id: UserId, org_id: OrgId, permission: &str) -> Result<Explanation, Error> {
        self.store.explain_permission(usr_id, org_id, permission).await
    }

    async fn list_users_with(&self, request: ListUsersWith) -> Result<Page<UserId>, Error> {
        self.store.list_users_with(request).await
    }

    async fn list_orgs_with(&self, request: ListOrgsWith) -> Result<Page<OrgId>, Error> {
        self.store.list_orgs_with(request).await
    }

    async fn review_permissions(&self, request: ReviewPermissions) -> Result<Page<UserAccess>, Error> {
        self.store.review_permissions(request).await
    }

    async fn resolve_many(&self, asks: &[(UserId, OrgId)]) -> Result<Vec<Result<EffectivePermissions, DomainError>>, Error> {
        self.resolved.fetch_add(1, Ordering::SeqCst);
        self.store.resolve_many(asks).await
    }

    async fn permission_tokens(&self, asks: &[(UserId, OrgId)]) -> Result<Vec<Result<PermissionToken, DomainError>>, Error> {
        self.compared.fetch_add(1, Ordering::SeqCst);
        self.store.permission_tokens(asks).await
    }

    fn stamps(&self) -> Option<Arc<Stamps>> {
        if self.marks { self.store.stamps() } else { None }
    }
}

/// A cache over a store, beside the store.
struct Cached {
    store: Arc<dyn TenancyStore>,
    counted: Arc<Counted>,
    cache: CachedResolver,
    /// How many answers it gave.
    answers: usize,
    capacity: usize,
}

impl Cached {
    fn new(store: &Arc<dyn TenancyStore>, clock: &Arc<ManualClock>, marks: bool, capacity: usize) -> Self {
        let counted = Counted::new(store, marks);
        let resolver: Arc<dyn PermissionResolver> = Arc::<Counted>::clone(&counted);
        let cache = CachedResolver::with_clock(resolver, Arc::<ManualClock>::clone(clock)).capacity(capacity);
        Self { store: Arc::clone(store), counted, cache, answers: 0, capacity }
    }

    /// Compares what it says of all these with the store, in one round; and alone what is said of some.
    async fn compare(&mut self, pairs: &[(UserId, OrgId)], round: usize) -> Result<(), TestCaseError> {
        for part in pairs.chunks(50) {
            let truths = self.store.resolve_many(part).await.expect("answers");
            let tokens = self.store.permission_tokens(part).await.expect("tokens");
            for ((pair, truth), token) in part.iter().zip(&truths).zip(tokens) {
                prop_assert_eq!(&token.expect("a token"), &truth.as_ref().expect("an answer").token, "{:?}", pair);
            }
            let ask = |(usr, org): &(UserId, OrgId)| PERMISSIONS.map(|permission| PermissionAsk::new(*usr, *org, permission));
            let asks: Vec<PermissionAsk> = part.iter().flat_map(ask).collect();
            let said = self.cache.has_permissions(&asks).await.expect("answers");
            for (ask, row) in asks.iter().zip(said) {
                let place = part.iter().position(|(usr, org)| (*usr, *org) == (ask.usr_id, ask.org_id)).expect("its answer");
                let held = truths[place].as_ref().expect("an answer").allows(&ask.permission);
                prop_assert_eq!(row.0, Ok(held), "{:?}", ask);
            }
            self.answers += asks.len();
            for (n, ((usr, org), truth)) in part.iter().zip(&truths).enumerate() {
                if n % 3 != round % 3 {
                    continue;
                }
                let truth = truth.as_ref().expect("an answer");
                for permission in PERMISSIONS {
                    let held = truth.allows(permission);
                    prop_assert_eq!(
                        self.cache.has_permission(*usr, *org, permission).await.expect("an answer"),
                        held,
                        "{:?} {}",
                        (usr, org),
                        permission
                    );
                    let now = self.cache.has_permission_now(*usr, *org, permission);
                    prop_assert!(now.is_none_or(|now| now == held), "{:?} {}", (usr, org), permission);
                    self.answers += 1;
                }
                let some = &PERMISSIONS[..=n % PERMISSIONS.len()];
                let (all, any) = (some.iter().all(|slug| truth.allows(slug)), some.iter().any(|slug| truth.allows(slug)));
                prop_assert_eq!(self.cache.has_all_permissions(*usr, *org, some).await.expect("an answer"), all);
                prop_assert_eq!(self.cache.has_any_permission(*usr, *org, some).await.expect("an answer"), any);
            }
            prop_assert!(self.cache.len() <= self.capacity);
        }
        Ok(())
    }
}

fn run(name: &str, moves: &[Move]) -> Result<(), TestCaseError> {
    support::block_on(async {
        let (sources, clock) = Sources::deterministic("2026-01-01T00:00:00Z".parse().expect("a time"), 1);
        let Fresh { store, inspect, guard } = support::store(name).fresh(sources).await.expect("a fresh store");
        moves::users(&*store).await;
        let catalog: Vec<_> = PERMISSIONS.iter().map(|slug| serde_json::json!({ "slug": slug })).collect();
        moves::call(&*store, "sync_catalog", &serde_json::json!({ "custom": catalog })).await.expect("a catalog");
        let policy =
            AncestorReadPolicy::new(["admin", "member", "viewer"], ["*"]).and_then(|policy| policy.max_depth(2)).expect("a policy");
        let upwards = store.with_ancestor_read(Some(Arc::new(policy)));
        // With the store's marks, where it has some, and without; and one that forgets most of what it is told.
        let mut caches = vec![
            Cached::new(&store, &clock, true, 1000),
            Cached::new(&upwards, &clock, false, 1000),
            Cached::new(&store, &clock, false, 5),
        ];
        if store.stamps().is_some() {
            caches.push(Cached::new(&upwards, &clock, true, 1000));
        }
        let external = moves::external_users().map(|id| id.parse().expect("a user's id"));
        let external: Vec<UserId> = external.collect();
        for (round, step) in moves.iter().enumerate() {
            clock.advance_micros(1_000);
            let rows = inspect.dump().await.expect("a dump");
            if let Err(error @ Error::Backend(_)) = step.play(&*store, &clock, &rows).await {
                return Err(TestCaseError::fail(format!("{step:?}: {error:?}")));
            }
            let rows = inspect.dump().await.expect("a dump");
            let users: Vec<UserId> = rows.users.iter().map(|user| user.id).chain(external.clone()).collect();
            let pairs: Vec<(UserId, OrgId)> = rows.organizations.iter().flat_map(|org| users.iter().map(|usr| (*usr, org.id))).collect();
            // A few at a time, so that there are old answers as well as young ones.
            let few: Vec<(UserId, OrgId)> =
                pairs.iter().copied().enumerate().filter(|(n, _)| n % 7 == round % 7).map(|(_, pair)| pair).collect();
            for cache in &mut caches {
                cache.compare(&few, round).await?;
            }
        }
        for cache in &caches {
            let ((resolved, _), large) = (cache.counted.counts(), cache.cache.len() > 20);
            // Otherwise nothing was shown about a cache.
            prop_assert!(!large || resolved < cache.answers, "{} answers, {} resolutions", cache.answers, resolved);
        }
        drop((caches, upwards, store, inspect, guard));
        Ok(())
    })
}

/// A member with a permission, cached; and the clock.
struct Scene {
    clock: Arc<ManualClock>,
    store: Arc<dyn TenancyStore>,
    counted: Arc<Counted>,
    cache: CachedResolver,
    usr: UserId,
    org: OrgId,
    mem: String,
    _fresh: Box<dyn std::any::Any>,
}

async fn scene(name: &str, marks: bool) -> Scene {
    let (sources, clock) = Sources::deterministic("2026-01-01T00:00:00Z".parse().expect("a time"), 1);
    let fresh = support::store(name).fresh(sources).await.expect("a fresh store");
    let store = Arc::clone(&fresh.store);
    let call = async |operation: &str, input: serde_json::Value| moves::call(&*store, operation, &input).await.expect("it is done");
    call("sync_catalog", serde_json::json!({"custom": [{"slug": "doc.read"}, {"slug": "doc.write"}]})).await;
    let (ada, bob) = (call("create_user", serde_json::json!({})).await, call("create_user", serde_json::json!({})).await);
    let made = call("create_org", serde_json::json!({"creator": ada["user"]["id"]})).await;
    let mem = call("add_member", serde_json::json!({"org_id": made["org"]["id"], "usr_id": bob["user"]["id"], "role": "member"})).await;
    let grant = serde_json::json!({"mem_id": mem["id"], "permission": "doc.read", "effect": "grant"});
    call("set_membership_override", grant).await;
    let counted = Counted::new(&store, marks);
    let resolver: Arc<dyn PermissionResolver> = Arc::<Counted>::clone(&counted);
    let id = |value: &serde_json::Value| value.as_str().expect("an id").to_owned();
    Scene {
        cache: CachedResolver::with_clock(resolver, Arc::<ManualClock>::clone(&clock)),
        usr: id(&bob["user"]["id"]).parse().expect("an id"),
        org: id(&made["org"]["id"]).parse().expect("an id"),
        mem: id(&mem["id"]),
        clock,
        store: Arc::clone(&fresh.store),
        counted,
        _fresh: Box::new(fresh),
    }
}

impl Scene {
    async fn holds(&self, cache: &CachedResolver, permission: &str) -> bool {
        cache.has_permission(self.usr, self.org, permission).await.expect("an answer")
    }

    async fn deny(&self) {
        let input = serde_json::json!({"mem_id": self.mem, "permission": "doc.read", "effect": "deny"});
        moves::call(&*self.store, "set_membership_override", &input).await.expect("it is done");
    }
}

// covers: PRM-41
#[test]
fn a_fresh_answer_costs_one_comparison_and_none_where_the_store_tells_of_its_writes() {
    support::block_on(async {
        let alone: &dyn TestStore = &support::Alone;
        for store in support::stores().into_iter().chain([alone]) {
            let tells = store.name() == "memory" || store.name() == alone.name();
            for marks in [false, true] {
                let scene = scene(store.name(), marks).await;
                for _ in 0..5 {
                    assert!(scene.holds(&scene.cache, "doc.read").await && !scene.holds(&scene.cache, "doc.write").await);
                }
                let compared = if tells && marks { 0 } else { 9 };
                assert_eq!(scene.counted.counts(), (1, compared), "{}, {marks}", store.name());
                assert_eq!(scene.cache.has_permission_now(scene.usr, scene.org, "doc.read"), (tells && marks).then_some(true));
                scene.deny().await;
                assert_eq!(scene.cache.has_permission_now(scene.usr, scene.org, "doc.read"), None);
                assert!(!scene.holds(&scene.cache, "doc.read").await);
            }
        }
    });
}

// covers: PRM-43
#[test]
fn an_answer_of_an_age_is_given_without_the_store_until_it_is_older() {
    support::block_on(async {
        for store in support::stores() {
            let scene = scene(store.name(), false).await;
            let relaxed = scene.cache.with_freshness(Freshness::MaxAge(std::time::Duration::from_secs(5)));
            assert!(scene.holds(&relaxed, "doc.read").await);
            scene.deny().await;
            scene.clock.advance_micros(5_000_000);
            assert!(scene.holds(&relaxed, "doc.read").await, "it is five seconds old");
            assert_eq!(relaxed.has_permission_now(scene.usr, scene.org, "doc.read"), Some(true));
            assert_eq!(scene.counted.counts(), (1, 0), "{}", store.name());
            scene.clock.advance_micros(1);
            assert_eq!(relaxed.has_permission_now(scene.usr, scene.org, "doc.read"), None);
            assert!(!scene.holds(&relaxed, "doc.read").await, "it would be older");
            assert_eq!(scene.counted.counts(), (2, 1), "{}", store.name());
            // A clock that was put back tells no age.
            scene.clock.advance_micros(-60_000_000);
            assert!(!scene.holds(&relaxed, "doc.read").await);
            assert_eq!(scene.counted.counts(), (2, 2), "{}", store.name());
        }
    });
}

// covers: PRM-42
#[test]
fn an_answer_is_not_older_than_a_token_that_is_named() {
    support::block_on(async {
        for store in support::stores() {
            let scene = scene(store.name(), false).await;
            let token =
                async || scene.store.permission_tokens(&[(scene.usr, scene.org)]).await.expect("tokens").remove(0).expect("a token");
            let old = scene.cache.with_freshness(Freshness::AtLeast(token().await));
            assert!(scene.holds(&old, "doc.read").await);
            scene.deny().await;
            assert!(scene.holds(&old, "doc.read").await, "the state that is named is enough");
            assert_eq!(scene.counted.counts(), (1, 0), "{}", store.name());
            let new = scene.cache.with_freshness(Freshness::AtLeast(token().await));
            assert!(!scene.holds(&new, "doc.read").await && !scene.holds(&old, "doc.read").await);
            assert_eq!(scene.counted.counts().0, 2, "{}", store.name());
        }
    });
}

// covers: PRM-45
#[test]
fn an_error_is_not_kept_and_neither_is_what_was_to_be_forgotten() {
    support::block_on(async {
        for store in support::stores() {
            let scene = scene(store.name(), true).await;
            let nowhere: OrgId = "org_0196f3c21b7a7c3d9e4f5a6b7c8d9e0f".parse().expect("an id");
            for relaxed in [scene.cache.clone(), scene.cache.with_freshness(Freshness::MaxAge(std::time::Duration::MAX))] {
                for _ in 0..2 {
                    let missing = relaxed.has_permission(scene.usr, nowhere, "doc.read").await;
                    assert_eq!(missing.unwrap_err().code(), "not_found");
                    let malformed = relaxed.has_permission(scene.usr, scene.org, "doc").await;
                    assert_eq!(malformed.unwrap_err().code(), "invalid_format.permission");
                    let malformed = relaxed.has_all_permissions(scene.usr, scene.org, &["doc"]).await;
                    assert_eq!(malformed.unwrap_err().code(), "invalid_format.permissions");
                    let none = relaxed.has_permissions(&[]).await;
                    assert_eq!(none.unwrap_err().code(), "invalid_format.asks");
                    let asks = [PermissionAsk::new(scene.usr, nowhere, "doc.read"), PermissionAsk::new(scene.usr, scene.org, "doc.read")];
                    let rows = relaxed.has_permissions(&asks).await.expect("answers");
                    let codes: BTreeMap<usize, String> =
                        rows.iter().enumerate().filter_map(|(n, row)| Some((n, row.0.as_ref().err()?.code()))).collect();
                    assert_eq!((codes, &rows[1].0), (BTreeMap::from([(0, "not_found".to_owned())]), &Ok(true)));
                }
                // An unknown permission is nobody's, before and behind the first answer.
                assert!(!scene.holds(&relaxed, "no.such").await && scene.holds(&relaxed, "doc.read").await);
            }
            assert_eq!(scene.cache.len(), 1, "{}", store.name());
            scene.cache.clear();
            assert!(scene.cache.is_empty());
            assert_eq!(scene.cache.has_permission_now(scene.usr, scene.org, "doc.read"), None);
        }
    });
}

// covers: PRM-38
#[test]
fn a_transaction_in_memory_is_seen_when_it_commits_and_not_before() {
    use tenantry_core::{
        AccessStore, AddMember, BackendError, BackendKind, CreateOrg, CreateUser, DefinePermission, PermissionDefinition,
        SetMembershipOverride, SuspendUser,
    };

    support::block_on(async {
        let store = tenantry_memory::new();
        let (ada, bob) =
            (store.create_user(CreateUser::new()).await.unwrap().user.id, store.create_user(CreateUser::new()).await.unwrap().user.id);
        let org = store.create_org(CreateOrg::new(ada)).await.unwrap().org.id;
        store.define_permission(DefinePermission::new(PermissionDefinition::new("doc.read"))).await.unwrap();
        let mem = store.add_member(AddMember::new(org, bob, "member")).await.unwrap().id;
        store.set_membership_override(SetMembershipOverride::grant(mem, "doc.read")).await.unwrap();
        let cache = CachedResolver::new(Arc::new(store.clone()));
        assert!(cache.has_permission(bob, org, "doc.read").await.unwrap());
        let refused: Result<(), Error> = tenantry_memory::with_transaction(&store, |tx| {
            tx.suspend_user(SuspendUser::new(bob))?;
            assert!(!tx.has_permission(bob, org, "doc.read")?);
            assert_eq!(cache.has_permission_now(bob, org, "doc.read"), Some(true), "nothing is committed");
            Err(BackendError::new(BackendKind::Other, "not now").into())
        });
        assert_eq!(refused.unwrap_err().code(), "backend.other");
        assert_eq!(cache.has_permission_now(bob, org, "doc.read"), Some(true), "it was taken back");
        tenantry_memory::with_transaction(&store, |tx| tx.suspend_user(SuspendUser::new(bob)).map(drop)).unwrap();
        assert_eq!(cache.has_permission_now(bob, org, "doc.read"), None);
        assert!(!cache.has_permission(bob, org, "doc.read").await.unwrap());
    });
}

/// Threads that ask all the time while one suspends a user and brings them back: nobody who asks behind a suspension hears yes.
// covers: PRM-38
#[test]
fn who_asks_behind_a_write_hears_of_it_on_every_thread() {
    use std::sync::atomic::AtomicU64;

    use tenantry_core::{
        AccessStore, AddMember, CreateOrg, CreateUser, DefinePermission, PermissionDefinition, ReinstateUser, SetMembershipOverride,
        SuspendUser,
    };

    let store = tenantry_memory::new();
    let (bob, org) = support::block_on(async {
        let (ada, bob) =
            (store.create_user(CreateUser::new()).await.unwrap().user.id, store.create_user(CreateUser::new()).await.unwrap().user.id);
        let org = store.create_org(CreateOrg::new(ada)).await.unwrap().org.id;
        store.define_permission(DefinePermission::new(PermissionDefinition::new("doc.read"))).await.unwrap();
        let mem = store.add_member(AddMember::new(org, bob, "member")).await.unwrap().id;
        store.set_membership_override(SetMembershipOverride::grant(mem, "doc.read")).await.unwrap();
        (bob, org)
    });
    let cache = CachedResolver::new(Arc::new(store.clone()));
    // Over four: 2 while the user is active for sure, 0 while they are suspended, 1 and 3 in between. Zero ends it.
    let (phase, asked) = (AtomicU64::new(2), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                support::block_on(async {
                    loop {
                        let before = phase.load(Ordering::SeqCst);
                        if before == 0 {
                            break;
                        }
                        let held = match cache.has_permission_now(bob, org, "doc.read") {
                            Some(held) => held,
                            None => cache.has_permission(bob, org, "doc.read").await.unwrap(),
                        };
                        if before % 2 == 0 && phase.load(Ordering::SeqCst) == before {
                            asked.fetch_add(1, Ordering::SeqCst);
                            assert_eq!(held, before % 4 == 2, "in phase {before}");
                        }
                    }
                });
            });
        }
        support::block_on(async {
            for round in 1..400_u64 {
                phase.store(4 * round - 1, Ordering::SeqCst);
                store.suspend_user(SuspendUser::new(bob)).await.unwrap();
                phase.store(4 * round, Ordering::SeqCst);
                std::thread::sleep(std::time::Duration::from_micros(200));
                phase.store(4 * round + 1, Ordering::SeqCst);
                store.reinstate_user(ReinstateUser::new(bob)).await.unwrap();
                phase.store(4 * round + 2, Ordering::SeqCst);
                std::thread::sleep(std::time::Duration::from_micros(200));
            }
            phase.store(0, Ordering::SeqCst);
        });
    });
    assert!(asked.load(Ordering::SeqCst) > 1000, "{asked:?}");
}
