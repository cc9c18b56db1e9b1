//! Nobody gives what they do not hold: whatever users do on their own behalf, nobody comes to hold a permission that nobody who held it
//! gave them. With the guard of an operation off, somebody does.
//!
//! The test keeps its own account: who held what, where, before each call. After each call that went through, whoever holds something
//! more must have it from the caller, who held it, or from what was given before by somebody who did. It asks the resolver who holds
//! what, which other properties hold against its own explanations, and shares nothing with the rules of the guard.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use tenantry_conformance::Fresh;
use tenantry_core::source::ManualClock;
use tenantry_core::{
    Actor, Caller, Clock, DenialReason, Dump, Effect, Error, Holder, Layer, MEMBERS_MANAGE, MembershipId, MembershipStatus, OrgId,
    OrgStatus, Role, Sources, TenancyStore, Timestamp, UserId,
};

use crate::moves::{self, Move};
use crate::{access, support};

const PERMISSIONS: [&str; 5] = ["doc.read", "doc.write", "bill.read", "bill.pay", MEMBERS_MANAGE];
const SLUGS: [&str; 9] = ["owner", "admin", "member", "guest", "viewer", "editor", "clerk", "auditor", "biller"];

/// Everything that a user may call that gives something to somebody, or takes something out of the way; and what makes room for it.
const OPERATIONS: [&str; 23] = [
    "add_member",
    "change_role",
    "create_invitation",
    "create_invitations",
    "extend_invitation",
    "update_membership",
    "accept_invitation",
    "transfer_ownership",
    "self_leave",
    "admin_remove",
    "create_role",
    "update_role",
    "delete_role",
    "grant_role_permission",
    "add_group_member",
    "add_group_role",
    "set_org_override",
    "set_membership_override",
    "update_org",
    "move_org",
    "create_org",
    "reinstate_membership",
    "suspend_membership",
];

/// Those of them whose guard is looked for: without it, the account must not come out even.
const GUARDED: [&str; 19] = [
    "add_member",
    "change_role",
    "create_invitation",
    "create_invitations",
    "extend_invitation",
    "update_membership",
    "transfer_ownership",
    "self_leave",
    "admin_remove",
    "create_role",
    "update_role",
    "delete_role",
    "grant_role_permission",
    "add_group_member",
    "add_group_role",
    "set_org_override",
    "set_membership_override",
    "update_org",
    "move_org",
];

/// What a user tries; numbers choose among what is there.
#[derive(Debug, Clone)]
struct Attempt {
    actor: u8,
    operation: u8,
    numbers: [u8; 5],
}

/// What was set up by the operator, and what users try then.
#[derive(Debug, Clone)]
struct World {
    setup: Vec<Move>,
    /// What each built-in role grants, one bit for each permission, and whether it reaches down.
    built_in: Vec<(u8, bool)>,
    /// Which organizations take nothing over from above, one bit for each eighth of them.
    closed: u8,
    attempts: Vec<Attempt>,
}

fn worlds() -> impl Strategy<Value = World> {
    let step = prop_oneof![4 => moves::any_move_of_joining(), 6 => access::any_access().prop_map(Move::Access)];
    let attempt =
        (0..moves::USERS, any::<u8>(), any::<[u8; 5]>()).prop_map(|(actor, operation, numbers)| Attempt { actor, operation, numbers });
    let built_in = prop::collection::vec((0..32_u8, prop::bool::weighted(0.3)), 6);
    let setup = prop::collection::vec(step, 40..90);
    (setup, built_in, any::<u8>(), prop::collection::vec(attempt, 30..60)).prop_map(|(setup, built_in, closed, attempts)| World {
        setup,
        built_in,
        closed,
        attempts,
    })
}

proptest! {
    #![proptest_config(crate::cases(64))]

    // covers: GRD-60, GRD-62, GRD-64, GRD-65, GRD-67, GRD-68, GRD-69
    #[test]
    fn nobody_gains_what_nobody_gave_in_memory(world in worlds()) {
        let account = run("memory", &world, None)?;
        prop_assert_eq!(account.faults, Vec::<String>::new());
    }
}

proptest! {
    #![proptest_config(crate::cases(6))]

    // covers: GRD-60, GRD-62, GRD-64, GRD-65, GRD-67, GRD-68, GRD-69
    #[test]
    fn nobody_gains_what_nobody_gave_in_sqlite(world in worlds()) {
        let account = run("sqlite", &world, None)?;
        prop_assert_eq!(account.faults, Vec::<String>::new());
    }
}

proptest! {
    #![proptest_config(crate::cases(3))]

    // covers: GRD-60, GRD-62, GRD-64, GRD-65, GRD-67, GRD-68, GRD-69
    #[test]
    fn nobody_gains_what_nobody_gave_in_postgres(world in worlds()) {
        let account = run("postgres", &world, None)?;
        prop_assert_eq!(account.faults, Vec::<String>::new());
    }
}

/// The account notices: with the guard of one operation off, in turn, something comes out of a world that does not with it.
// covers: GRD-60
#[test]
fn each_guard_that_is_off_is_noticed() {
    let mut missed = Vec::new();
    for operation in GUARDED {
        let mut runner = TestRunner::deterministic();
        let noticed = (1..=300).find(|_| {
            let world = worlds().new_tree(&mut runner).expect("a world").current();
            let faults = |off| run("memory", &world, off).expect("a store that works").faults;
            !faults(Some(operation)).is_empty() && faults(None).is_empty()
        });
        match noticed {
            Some(worlds) => println!("{operation}: noticed in world {worlds}"),
            None => missed.push(operation),
        }
    }
    assert!(missed.is_empty(), "nothing came of these guards: {missed:?}");
}

/// Attempts that are all refused would show nothing.
#[test]
fn the_attempts_of_these_properties_succeed_and_are_refused() {
    let mut runner = TestRunner::deterministic();
    let mut done: BTreeMap<&str, [u32; 2]> = BTreeMap::new();
    for _ in 0..60 {
        let world = worlds().new_tree(&mut runner).expect("a world").current();
        for (operation, [went, refused]) in run("memory", &world, None).expect("a store that works").done {
            let counts = done.entry(operation).or_default();
            *counts = [counts[0] + went, counts[1] + refused];
        }
    }
    println!("{done:#?}");
    let never: Vec<_> = OPERATIONS.iter().filter(|operation| done.get(*operation).is_none_or(|counts| counts.contains(&0))).collect();
    assert!(never.is_empty(), "never done, or never refused: {never:?}");
}

type Held = BTreeSet<(UserId, OrgId, &'static str)>;

/// What the test knows of what went on.
#[derive(Default)]
struct Account {
    /// Who has held what since the operator left.
    ever: Held,
    /// What who offers an invitation held there when they did.
    promised: BTreeMap<String, BTreeSet<&'static str>>,
    faults: Vec<String>,
    /// How many went through, and how many were refused.
    done: BTreeMap<&'static str, [u32; 2]>,
}

fn run(name: &str, world: &World, off: Option<&str>) -> Result<Account, TestCaseError> {
    support::block_on(async {
        let (sources, clock) = Sources::deterministic("2026-01-01T00:00:00Z".parse().expect("a time"), 1);
        let Fresh { store, inspect, guard } = support::store(name).fresh(sources).await.expect("a fresh store");
        set_up(&*store, &clock, &*inspect, world).await?;
        let mut account = Account::default();
        let mut rows = inspect.dump().await.expect("a dump");
        for attempt in &world.attempts {
            clock.advance_micros(1_000);
            let actor: UserId = moves::user(&rows, attempt.actor).parse().expect("a user's id");
            let Some((operation, input)) = attempt.input(&rows, actor, &clock, off) else { continue };
            let before = held(&*store, &rows, clock.now()).await;
            account.ever.extend(before.iter().copied());
            let caller = if off == Some(operation) { Caller::Trusted(Actor::user(actor)) } else { Caller::guarded(actor) };
            let outcome = moves::call(&*store.with_caller(caller), operation, &input).await;
            let counts = account.done.entry(operation).or_default();
            match outcome {
                Ok(reply) => {
                    counts[0] += 1;
                    let after = inspect.dump().await.expect("a dump");
                    let call = Call {
                        operation,
                        input: &input,
                        reply: &reply,
                        actor,
                        rows: &rows,
                        after: &after,
                        before: &before,
                        at: clock.now(),
                    };
                    account.close(&*store, &call).await;
                    rows = after;
                }
                Err(Error::Domain(_)) => counts[1] += 1,
                Err(error) => return Err(TestCaseError::fail(format!("{operation} {input}: {error:?}"))),
            }
        }
        drop((store, inspect, guard));
        Ok(account)
    })
}

async fn set_up(
    store: &dyn TenancyStore,
    clock: &ManualClock,
    inspect: &dyn tenantry_core::Inspect,
    world: &World,
) -> Result<(), TestCaseError> {
    moves::users(store).await;
    let catalog: Vec<_> = PERMISSIONS.iter().map(|slug| json!({ "slug": slug })).collect();
    moves::call(store, "sync_catalog", &json!({ "custom": catalog })).await.expect("a catalog");
    let down: Vec<&str> = world.built_in.iter().zip(SLUGS).filter(|((_, down), _)| *down).map(|(_, slug)| slug).collect();
    moves::call(store, "seed_system_roles", &json!({ "inherits_to_descendants": down })).await.expect("roles");
    for ((bits, _), slug) in world.built_in.iter().zip(SLUGS) {
        let role = Role::from_slug(slug).expect("a built-in role").id().to_string();
        for permission in chosen(*bits) {
            moves::call(store, "grant_role_permission", &json!({"role_id": role, "permission": permission})).await.expect("a grant");
        }
    }
    for step in &world.setup {
        clock.advance_micros(1_000);
        let rows = inspect.dump().await.expect("a dump");
        if let Err(error @ Error::Backend(_)) = step.play(store, clock, &rows).await {
            return Err(TestCaseError::fail(format!("{step:?}: {error:?}")));
        }
    }
    // Some of the application's own roles manage members too.
    let rows = inspect.dump().await.expect("a dump");
    for role in rows.roles.iter().filter(|role| role.slug.as_str() == "clerk") {
        let input = json!({"role_id": role.id.to_string(), "permission": MEMBERS_MANAGE});
        moves::call(store, "grant_role_permission", &input).await.expect("a grant");
    }
    for (place, org) in rows.organizations.iter().enumerate() {
        if world.closed >> (place % 8) & 1 == 1 && org.status == OrgStatus::Active {
            let input = json!({"org_id": org.id.to_string(), "inherit_permissions": false});
            moves::call(store, "update_org", &input).await.expect("an organization that is closed");
        }
    }
    Ok(())
}

fn chosen(bits: u8) -> impl Iterator<Item = &'static str> {
    PERMISSIONS.into_iter().enumerate().filter(move |(place, _)| bits >> place & 1 == 1).map(|(_, slug)| slug)
}

/// Who holds what, where.
async fn held(store: &dyn TenancyStore, rows: &Dump, at: Timestamp) -> Held {
    let mut held = Held::new();
    let members: BTreeSet<UserId> = rows.memberships.iter().map(|mem| mem.usr_id).collect();
    for org in &rows.organizations {
        for usr in &members {
            let all = store.resolve_permissions(*usr, org.id).await.expect("an answer");
            held.extend(PERMISSIONS.into_iter().filter(|slug| all.allows(slug)).map(|slug| (*usr, org.id, slug)));
            // Who is owner or admin, here, in a group or by a role that reaches down, manages members without being granted it, unless it
            // is denied.
            let groups = rows.group_roles.iter().filter(|row| all.group_ids.contains(&row.group_id));
            let by_group = groups.filter(|row| row.expires_at.is_none_or(|end| at < end)).map(|row| row.role);
            let leads = all.role.into_iter().chain(by_group).any(|role| matches!(role, Role::Owner | Role::Admin));
            if leads && !all.allows(MEMBERS_MANAGE) {
                let why = store.explain_permission(*usr, org.id, MEMBERS_MANAGE).await.expect("an answer");
                if why.reason.reason == Some(DenialReason::NotGranted) {
                    held.insert((*usr, org.id, MEMBERS_MANAGE));
                }
            }
        }
    }
    held
}

/// A call that went through.
struct Call<'c> {
    operation: &'static str,
    input: &'c Value,
    reply: &'c Value,
    actor: UserId,
    rows: &'c Dump,
    after: &'c Dump,
    before: &'c Held,
    at: Timestamp,
}

impl Call<'_> {
    fn actor_held(&self, org: OrgId, permission: &'static str) -> bool {
        self.before.contains(&(self.actor, org, permission))
    }

    /// The organization of the input.
    fn org(&self) -> OrgId {
        self.input["org_id"].as_str().and_then(|id| id.parse().ok()).expect("an organization")
    }

    /// The organizations above, as they are and as they were.
    fn above(&self, org: OrgId) -> BTreeSet<OrgId> {
        let rows = self.rows.organizations.iter().chain(&self.after.organizations);
        rows.filter(|row| row.id == org).flat_map(|row| row.ancestors.clone()).collect()
    }

    fn is_new(&self, org: OrgId) -> bool {
        self.rows.organizations.iter().all(|row| row.id != org)
    }

    fn home(&self, holder: Holder) -> Option<OrgId> {
        match holder {
            Holder::Role(id) => self.after.roles.iter().find(|role| role.id == id)?.org_id,
            Holder::Organization(id) => Some(id),
            Holder::Membership(id) => self.after.memberships.iter().find(|mem| mem.id == id).map(|mem| mem.org_id),
        }
    }

    /// Whether a membership of the caller's decides about an organization before the one further up does: in it, or on the way there one
    /// whose role reaches down.
    fn stands_nearer(&self, org: OrgId, further: OrgId) -> bool {
        let above =
            |org: OrgId| self.rows.organizations.iter().find(|row| row.id == org).map(|row| row.ancestors.clone()).unwrap_or_default();
        let between = |at: OrgId| above(org).contains(&at) && above(at).contains(&further);
        let down = |role: Role| self.rows.roles.iter().any(|row| row.id == role.id() && row.inherits_to_descendants);
        self.rows.memberships.iter().filter(|mem| mem.usr_id == self.actor).any(|mem| match mem.status {
            MembershipStatus::Revoked => false,
            MembershipStatus::Active if between(mem.org_id) && down(mem.role) => mem.expires_at.is_none_or(|end| self.at < end),
            _ => mem.org_id == org,
        })
    }
}

impl Account {
    /// After a call: who holds more than before must have it from somebody.
    async fn close(&mut self, store: &dyn TenancyStore, call: &Call<'_>) {
        if ["create_invitation", "extend_invitation", "create_invitations"].contains(&call.operation) {
            self.promise(call);
        }
        self.rows(call);
        self.lengthened(call);
        let now = held(store, call.after, call.at).await;
        for (usr, org, permission) in now.difference(call.before).copied().collect::<Vec<_>>() {
            if !self.is_even(store, call, (usr, org, permission)).await {
                let (operation, input, actor) = (call.operation, call.input, call.actor);
                let why = json!(store.explain_permission(usr, org, permission).await.expect("an answer"));
                self.faults.push(format!("{operation} {input} by {actor}: {usr} holds {permission} in {org} now: {why}"));
            }
        }
    }

    /// What is written down as given, whether or not somebody holds something by it now.
    fn rows(&mut self, call: &Call<'_>) {
        let gave = |row: &&tenantry_core::PermissionGrant| {
            let old = call.rows.grants.iter().find(|old| (old.holder, &old.permission) == (row.holder, &row.permission));
            let copied = call.operation != "set_membership_override" && matches!(row.holder, Holder::Membership(_));
            row.effect == Effect::Grant && !copied && old.is_none_or(|old| old.effect != Effect::Grant || old.expires_at < row.expires_at)
        };
        for row in call.after.grants.iter().filter(gave) {
            let permission = PERMISSIONS.into_iter().find(|slug| *slug == row.permission.as_str()).expect("one of them");
            let home = call.home(row.holder);
            if !home.is_some_and(|home| call.actor_held(home, permission)) {
                self.faults.push(format!("{} {} by {}: {row:?}", call.operation, call.input, call.actor));
            }
        }
    }

    /// Whose membership ends later is given its role anew.
    fn lengthened(&mut self, call: &Call<'_>) {
        for mem in &call.after.memberships {
            let longer = |old: &&tenantry_core::Membership| {
                old.id == mem.id && old.expires_at.is_some_and(|end| mem.expires_at.is_none_or(|new| end < new))
            };
            let given = Self::granted_by(call, mem.role);
            if call.rows.memberships.iter().any(|old| longer(&old)) && !given.iter().all(|slug| call.actor_held(mem.org_id, slug)) {
                self.faults.push(format!("{} {} by {}: {given:?} for longer", call.operation, call.input, call.actor));
            }
        }
    }

    /// What who invites holds may come of it; what the operator offered before is as good.
    fn promise(&mut self, call: &Call<'_>) {
        let ids = match call.operation {
            "create_invitations" => {
                let rows = call.reply["data"].as_array().or_else(|| call.reply.as_array()).cloned().unwrap_or_default();
                rows.iter().filter_map(|row| row["invitation"]["id"].as_str().map(str::to_owned)).collect()
            }
            _ => vec![call.reply["id"].as_str().expect("an invitation").to_owned()],
        };
        for id in ids {
            let inv = call.after.invitations.iter().find(|inv| inv.id.to_string() == id).expect("an invitation");
            let held = PERMISSIONS.into_iter().filter(|slug| call.actor_held(inv.org_id, slug)).collect();
            let given: BTreeSet<&str> = Self::granted_by(call, inv.role);
            if !given.is_subset(&held) {
                self.faults.push(format!("{} {} by {}: {given:?} is offered", call.operation, call.input, call.actor));
            }
            // What reaches down is offered by who reaches down.
            let down = |role: Role| call.after.roles.iter().any(|row| row.id == role.id() && row.inherits_to_descendants);
            let own = |mem: &&tenantry_core::Membership| {
                mem.usr_id == call.actor && mem.org_id == inv.org_id && mem.status == MembershipStatus::Active
            };
            if down(inv.role) && !call.rows.memberships.iter().find(own).is_some_and(|mem| down(mem.role)) {
                self.faults.push(format!("{} {} by {}: it would reach down", call.operation, call.input, call.actor));
            }
            self.promised.entry(id).or_default().extend(held);
        }
    }

    fn granted_by(call: &Call<'_>, role: Role) -> BTreeSet<&'static str> {
        let rows = call.after.grants.iter().filter(|row| row.holder == Holder::Role(role.id()) && !row.is_expired(call.at));
        rows.filter_map(|row| PERMISSIONS.into_iter().find(|slug| *slug == row.permission.as_str())).collect()
    }

    /// Whether somebody who held it gave it.
    async fn is_even(&self, store: &dyn TenancyStore, call: &Call<'_>, (usr, org, permission): (UserId, OrgId, &'static str)) -> bool {
        let leaves = call.operation == "self_leave" || call.operation == "admin_remove" && call.input["mem_id"] == Self::own(call, org);
        if leaves && usr == call.actor {
            return false;
        }
        // Who makes an organization owns it.
        if call.is_new(org) || self.ever.contains(&(usr, org, permission)) {
            return true;
        }
        let why = store.explain_permission(usr, org, permission).await.expect("an answer");
        let all = store.resolve_permissions(usr, org).await.expect("an answer");
        let by_the_org = why.decided_by.as_ref().is_some_and(|by| by.layer == Layer::OrganizationGrant);
        if by_the_org && !["set_org_override", "update_org", "move_org"].contains(&call.operation) {
            // It is for every member, and was so before.
            return true;
        }
        if call.operation == "accept_invitation" {
            let promised = call.input["inv_id"].as_str().and_then(|id| self.promised.get(id));
            // The role may grant more by now; whoever let it do so was looked at then.
            return promised.is_some();
        }
        // It comes back as it was, here and below, and so does what others gave it meanwhile.
        if call.operation == "reinstate_membership" {
            return true;
        }
        if let Some(from) = all.inherited_from_org_id {
            // From above: the caller held it here too, or it was theirs above already, by a membership that the call left as it was, and what
            // stood before it went, or the organization came below.
            let stood = call.rows.memberships.iter().any(|mem| Some(mem.id) == all.membership_id && mem.status == MembershipStatus::Active);
            let lets_down = ["update_role", "delete_role"].contains(&call.operation);
            let before = stood && !lets_down && call.before.contains(&(usr, from, permission));
            // Or the caller held it above, and has another membership nearer by, which counts alone.
            let reaches = call.actor_held(from, permission) && (call.actor_held(org, permission) || call.stands_nearer(org, from));
            // What an organization denies is denied below it too, and whoever lifts that holds it in the organization.
            let lifted =
                ["set_org_override", "update_org", "move_org"].contains(&call.operation) && call.actor_held(call.org(), permission);
            return before || by_the_org || reaches || lifted;
        }
        call.actor_held(org, permission) || call.above(org).into_iter().any(|above| call.actor_held(above, permission))
    }

    fn own(call: &Call<'_>, org: OrgId) -> Value {
        let own =
            |mem: &&tenantry_core::Membership| mem.usr_id == call.actor && mem.org_id == org && mem.status == MembershipStatus::Active;
        json!(call.rows.memberships.iter().find(own).map(|mem| mem.id.to_string()))
    }
}

impl Attempt {
    fn pick<'r, T>(&self, place: usize, rows: &'r [T]) -> Option<&'r T> {
        rows.get(usize::from(self.numbers[place]).checked_rem(rows.len())?)
    }

    /// The operation and its input: mostly about an organization of the actor's.
    fn input(&self, rows: &Dump, actor: UserId, clock: &ManualClock, off: Option<&str>) -> Option<(&'static str, Value)> {
        let mut operation = OPERATIONS[usize::from(self.operation) % OPERATIONS.len()];
        if let Some(off) = off.filter(|_| self.operation.is_multiple_of(2)) {
            operation = OPERATIONS.into_iter().find(|operation| *operation == off).expect("one of them");
        }
        let now = clock.now();
        let active = |mem: &&tenantry_core::Membership| mem.status == MembershipStatus::Active;
        let own: Vec<_> = rows.memberships.iter().filter(active).filter(|mem| mem.usr_id == actor).collect();
        let mine = self.pick(0, &own)?;
        let org = mine.org_id;
        let there: Vec<_> = rows.memberships.iter().filter(|mem| mem.org_id == org && mem.status != MembershipStatus::Revoked).collect();
        let mem = *self.pick(1, &there)?;
        let above: BTreeSet<OrgId> = rows.organizations.iter().filter(|row| row.id == org).flat_map(|row| row.ancestors.clone()).collect();
        let known: Vec<_> = rows.roles.iter().filter(|role| role.org_id.is_none_or(|home| home == org || above.contains(&home))).collect();
        let of_org: Vec<_> = rows.roles.iter().filter(|role| role.org_id == Some(org)).collect();
        let groups: Vec<_> = rows.groups.iter().filter(|group| group.org_id == org).collect();
        let orgs: Vec<OrgId> = rows.organizations.iter().map(|row| row.id).collect();
        let permission = *self.pick(2, &PERMISSIONS)?;
        let end = (self.numbers[4].is_multiple_of(4)).then(|| now.plus_seconds(i64::from(self.numbers[4])).to_string());
        let slug = |place: usize| self.pick(place, &SLUGS).copied();
        let usr = || moves::user(rows, self.numbers[3] % moves::USERS);
        let offer = |place: usize| {
            let later = now.plus_seconds(3600).to_string();
            Some(json!({"identifier": format!("{}@example.org", self.numbers[3] % 6), "role": slug(place)?, "expires_at": later}))
        };
        let input = match operation {
            "add_member" => json!({"org_id": org, "usr_id": usr(), "role": slug(2)?}),
            "change_role" => json!({"mem_id": mem.id, "new_role": slug(2)?}),
            "create_invitation" => {
                let mut input = offer(2)?;
                (input["org_id"], input["invited_by"]) = (json!(org), json!(actor));
                input
            }
            "create_invitations" => json!({"org_id": org, "invited_by": actor, "invitations": [offer(2)?]}),
            "extend_invitation" => {
                let invitations: Vec<_> = rows.invitations.iter().filter(|inv| inv.org_id == org).collect();
                json!({"inv_id": self.pick(1, &invitations)?.id, "expires_at": now.plus_seconds(7200).to_string()})
            }
            "update_membership" => {
                json!({"mem_id": mem.id, "expires_at": (!self.numbers[2].is_multiple_of(3)).then(|| now.plus_seconds(86_400).to_string())})
            }
            "accept_invitation" => {
                let inv = self.pick(1, &rows.invitations)?;
                json!({"inv_id": inv.id, "as_usr_id": actor, "accepting_identifier": inv.identifier.as_str()})
            }
            "transfer_ownership" => json!({"org_id": org, "from_mem_id": mine.id, "to_mem_id": mem.id}),
            "self_leave" => json!({"mem_id": mine.id, "transfer_to": (self.numbers[4].is_multiple_of(2)).then_some(mem.usr_id)}),
            "admin_remove" => {
                let target = if self.numbers[4].is_multiple_of(2) { mine.id } else { mem.id };
                json!({"mem_id": target, "admin_usr_id": actor})
            }
            "create_role" => {
                let permissions: Vec<&str> = chosen(self.numbers[1] & self.numbers[3]).collect();
                let inherits = self.numbers[4].is_multiple_of(3);
                json!({"org_id": org, "slug": SLUGS[6 + usize::from(self.numbers[2] % 3)], "permissions": permissions,
                    "inherits_to_descendants": inherits})
            }
            "update_role" => json!({"role_id": self.pick(1, &of_org)?.id, "inherits_to_descendants": !self.numbers[4].is_multiple_of(4)}),
            "delete_role" => json!({"role_id": self.pick(1, &of_org)?.id, "replacement_role_id": self.pick(2, &known)?.id}),
            "grant_role_permission" => json!({"role_id": self.pick(1, &of_org)?.id, "permission": permission, "expires_at": end}),
            "add_group_member" => json!({"group_id": self.pick(1, &groups)?.id, "usr_id": self.pick(3, &there)?.usr_id, "expires_at": end}),
            "add_group_role" => json!({"group_id": self.pick(1, &groups)?.id, "role_id": self.pick(2, &known)?.id, "expires_at": end}),
            "set_org_override" => {
                let effect = ["grant", "deny", "inherit"][usize::from(self.numbers[3]) % 3];
                json!({"org_id": org, "permission": permission, "effect": effect, "expires_at": end})
            }
            "set_membership_override" => {
                let effect = ["grant", "deny", "clear"][usize::from(self.numbers[3]) % 3];
                json!({"mem_id": mem.id, "permission": permission, "effect": effect, "expires_at": end})
            }
            "update_org" => {
                json!({"org_id": org, "cascade_permissions": self.numbers[1].is_multiple_of(2), "inherit_permissions": self.numbers[2].is_multiple_of(2)})
            }
            "move_org" => {
                let to = if self.numbers[4].is_multiple_of(3) { None } else { self.pick(1, &orgs) };
                json!({"org_id": org, "new_parent_id": to})
            }
            "create_org" => json!({"creator": actor, "parent_id": (self.numbers[4].is_multiple_of(2)).then_some(org)}),
            "suspend_membership" => json!({"mem_id": mem.id}),
            "reinstate_membership" => {
                let paused: Vec<&MembershipId> =
                    there.iter().filter(|mem| mem.status == MembershipStatus::Suspended).map(|mem| &mem.id).collect();
                json!({"mem_id": self.pick(1, &paused).copied().unwrap_or(&mem.id)})
            }
            other => panic!("{other} is not tried"),
        };
        Some((operation, input))
    }
}
