//! What resolution promises whatever was granted: a denial wins over everything that it is to win over, and it makes no difference in which
//! order something was granted.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use tenantry_conformance::Fresh;
use tenantry_core::source::ManualClock;
use tenantry_core::{Clock, Dump, Effect, Error, Holder, MembershipId, OrgId, PermissionGrant, Sources, TenancyStore, UserId};

use crate::access::{self, Access};
use crate::moves::{self, Move};
use crate::support;

const PERMISSIONS: [&str; 4] = ["doc.read", "doc.write", "bill.read", "bill.pay"];

/// What is there, and what is granted or denied then.
#[derive(Debug, Clone)]
struct World {
    setup: Vec<Move>,
    grants: Vec<Access>,
    /// The same in another order.
    shuffled: Vec<usize>,
    /// Chooses what is denied.
    denied: [u8; 3],
}

fn worlds() -> impl Strategy<Value = World> {
    let step = prop_oneof![3 => moves::any_move_of_joining(), 4 => access::any_access().prop_map(Move::Access)];
    let grants = prop::collection::vec(access::any_grant(), 20..40);
    let grants = grants.prop_flat_map(|grants| {
        let places = Just((0..grants.len()).collect::<Vec<_>>()).prop_shuffle();
        (Just(grants), places)
    });
    (prop::collection::vec(step, 60..120), grants, any::<[u8; 3]>()).prop_map(|(setup, (grants, shuffled), denied)| World {
        setup,
        grants,
        shuffled,
        denied,
    })
}

proptest! {
    #![proptest_config(crate::cases(32))]

    // covers: PRM-16, PRM-17, PRM-18, PRM-21
    #[test]
    fn denials_win_and_order_makes_no_difference_in_memory(world in worlds()) {
        run("memory", &world)?;
    }
}

proptest! {
    #![proptest_config(crate::cases(6))]

    // covers: PRM-16, PRM-17, PRM-18, PRM-21
    #[test]
    fn denials_win_and_order_makes_no_difference_in_sqlite(world in worlds()) {
        run("sqlite", &world)?;
    }
}

proptest! {
    #![proptest_config(crate::cases(3))]

    // covers: PRM-16, PRM-17, PRM-18, PRM-21
    #[test]
    fn denials_win_and_order_makes_no_difference_in_postgres(world in worlds()) {
        run("postgres", &world)?;
    }
}

/// How much the properties saw.
#[derive(Debug, Default)]
struct Seen {
    /// Permissions held after the grants.
    held: usize,
    /// Of those, how many a denial of a membership took.
    by_membership: usize,
    /// And one of an organization.
    by_org: usize,
    /// How many were held in spite of that, by an override.
    readded: usize,
}

/// A denial of what nobody holds would show nothing.
#[test]
fn the_denials_of_these_properties_take_something() {
    let mut runner = TestRunner::deterministic();
    let mut all = Seen::default();
    for _ in 0..60 {
        let world = worlds().new_tree(&mut runner).expect("a world").current();
        let seen = run("memory", &world).expect("denials that win");
        all.held += seen.held;
        all.by_membership += seen.by_membership;
        all.by_org += seen.by_org;
        all.readded += seen.readded;
    }
    println!("{all:?}");
    assert!(all.held > 300 && all.by_membership > 10 && all.by_org > 30 && all.readded > 3, "{all:?}");
}

/// A store with what is there before anything is granted.
struct Scene {
    fresh: Fresh,
    clock: std::sync::Arc<ManualClock>,
    rows: Dump,
}

impl Scene {
    async fn new(name: &str, world: &World) -> Result<Self, TestCaseError> {
        let (sources, clock) = Sources::deterministic("2026-01-01T00:00:00Z".parse().expect("a time"), 1);
        let fresh = support::store(name).fresh(sources).await.expect("a fresh store");
        moves::users(&*fresh.store).await;
        let catalog: Vec<_> = PERMISSIONS.iter().map(|slug| json!({ "slug": slug })).collect();
        moves::call(&*fresh.store, "sync_catalog", &json!({ "custom": catalog })).await.expect("a catalog");
        for step in &world.setup {
            clock.advance_micros(1_000);
            let rows = fresh.inspect.dump().await.expect("a dump");
            if let Err(error @ Error::Backend(_)) = step.play(&*fresh.store, &clock, &rows).await {
                return Err(TestCaseError::fail(format!("{step:?}: {error:?}")));
            }
        }
        let rows = fresh.inspect.dump().await.expect("a dump");
        Ok(Self { fresh, clock, rows })
    }

    fn store(&self) -> &dyn TenancyStore {
        &*self.fresh.store
    }

    /// Whether it was done, or refused.
    async fn call(&self, (operation, input): &(&'static str, Value)) -> Result<bool, TestCaseError> {
        self.clock.advance_micros(1_000);
        match moves::call(self.store(), operation, input).await {
            Ok(_) => Ok(true),
            Err(Error::Domain(_)) => Ok(false),
            Err(error) => Err(TestCaseError::fail(format!("{operation} {input}: {error:?}"))),
        }
    }

    /// What everybody may do everywhere, and all else that does not tell how often something was written.
    async fn answers(&self) -> BTreeMap<(UserId, OrgId), Value> {
        let mut answers = BTreeMap::new();
        for org in &self.rows.organizations {
            for usr in self.members() {
                let mut all = json!(self.store().resolve_permissions(usr, org.id).await.expect("an answer"));
                all.as_object_mut().expect("an object").remove("token");
                answers.insert((usr, org.id), all);
            }
        }
        answers
    }

    fn members(&self) -> BTreeSet<UserId> {
        self.rows.memberships.iter().map(|mem| mem.usr_id).collect()
    }

    async fn holds(&self, permission: &str) -> BTreeSet<(UserId, OrgId)> {
        let mut holds = BTreeSet::new();
        for org in &self.rows.organizations {
            for usr in self.members() {
                if self.store().has_permission(usr, org.id, permission).await.expect("an answer") {
                    holds.insert((usr, org.id));
                }
            }
        }
        holds
    }
}

/// What is set by the command: whatever sets the same replaces it, so that only the first of those is taken.
fn target((operation, input): &(&'static str, Value)) -> String {
    let mut input = input.clone();
    for told in ["effect", "expires_at"] {
        input.as_object_mut().expect("an object").remove(told);
    }
    format!("{operation} {input}")
}

fn run(name: &str, world: &World) -> Result<Seen, TestCaseError> {
    support::block_on(async {
        let scene = Scene::new(name, world).await?;
        let mut taken = BTreeSet::new();
        let grants: Vec<_> = world.grants.iter().map(|grant| grant.input(&scene.rows, scene.clock.now())).collect();
        let first: Vec<bool> = grants.iter().map(|call| call.as_ref().is_some_and(|call| taken.insert(target(call)))).collect();
        let mut done = BTreeMap::new();
        for (place, call) in grants.iter().enumerate().filter(|(place, _)| first[*place]) {
            done.insert(place, scene.call(call.as_ref().expect("a call")).await?);
        }
        let answers = scene.answers().await;

        let other = Scene::new(name, world).await?;
        for place in world.shuffled.iter().filter(|place| first[**place]) {
            let call = grants[*place].as_ref().expect("a call");
            prop_assert_eq!(other.call(call).await?, done[place], "{:?}", call);
        }
        prop_assert_eq!(&other.answers().await, &answers);
        drop(scene);

        // The other one goes on, and is looked at before and after denials.
        let permission = PERMISSIONS[usize::from(world.denied[0]) % PERMISSIONS.len()];
        let mut seen = Seen::default();
        for permission in PERMISSIONS {
            seen.held += other.holds(permission).await.len();
        }
        denied_to_everybody(&other, world, permission, &mut seen).await?;
        denied_to_one(&other, world, permission, &mut seen).await?;
        Ok(seen)
    })
}

/// Where an organization denies it, only overrides of memberships give it, there and below, unless an organization on the way grants it
/// again.
async fn denied_to_everybody(scene: &Scene, world: &World, permission: &str, seen: &mut Seen) -> Result<(), TestCaseError> {
    let Some(org) = moves::newest(&scene.rows.organizations, world.denied[1]) else { return Ok(()) };
    let before = scene.holds(permission).await;
    let denial = json!({"org_id": org.id.to_string(), "permission": permission, "effect": "deny"});
    if !scene.call(&("set_org_override", denial)).await? {
        return Ok(());
    }
    let rows = scene.fresh.inspect.dump().await.expect("a dump");
    let now = scene.clock.now();
    let granted = |holder: Holder| {
        let counts = |row: &&PermissionGrant| row.holder == holder && row.permission.as_str() == permission && !row.is_expired(now);
        rows.grants.iter().find(counts).is_some_and(|row| row.effect == Effect::Grant)
    };
    for below in rows.organizations.iter().filter(|row| row.id == org.id || row.ancestors.contains(&org.id)) {
        let way = below.ancestors.iter().skip_while(|above| **above != org.id).skip(1).chain([&below.id]);
        if below.id != org.id && way.copied().any(|org| granted(Holder::Organization(org))) {
            continue;
        }
        for usr in scene.members() {
            let all = scene.store().resolve_permissions(usr, below.id).await.expect("an answer");
            let by_override = all.membership_id.is_some_and(|mem: MembershipId| granted(Holder::Membership(mem)));
            prop_assert_eq!(all.allows(permission), by_override, "{} {} in {}: {:?}", usr, permission, below.id, all);
            seen.readded += usize::from(by_override);
            seen.by_org += usize::from(before.contains(&(usr, below.id)) && !by_override);
        }
    }
    Ok(())
}

/// What a membership is denied nothing gives, wherever that membership counts.
async fn denied_to_one(scene: &Scene, world: &World, permission: &str, seen: &mut Seen) -> Result<(), TestCaseError> {
    // Somebody who holds it, where there is one.
    let before = scene.holds(permission).await;
    let chosen = before.iter().nth(usize::from(world.denied[2]).checked_rem(before.len()).unwrap_or_default()).copied();
    let mut mem = moves::newest(&scene.rows.memberships, world.denied[2]).map(|mem| mem.id);
    if let Some((usr, org)) = chosen {
        mem = scene.store().resolve_permissions(usr, org).await.expect("an answer").membership_id.or(mem);
    }
    let Some(mem) = mem else { return Ok(()) };
    let denial = json!({"mem_id": mem.to_string(), "permission": permission, "effect": "deny"});
    if !scene.call(&("set_membership_override", denial)).await? {
        return Ok(());
    }
    for org in &scene.rows.organizations {
        for usr in scene.members() {
            let all = scene.store().resolve_permissions(usr, org.id).await.expect("an answer");
            let held = all.allows(permission);
            if all.membership_id == Some(mem) {
                prop_assert!(!held, "{} {} in {}: {:?}", usr, permission, org.id, all);
                prop_assert!(all.denied.iter().any(|slug| slug.as_str() == permission), "{:?}", all);
                seen.by_membership += usize::from(before.contains(&(usr, org.id)));
            } else {
                prop_assert_eq!(held, before.contains(&(usr, org.id)), "{} {} in {}: {:?}", usr, permission, org.id, all);
            }
        }
    }
    Ok(())
}
