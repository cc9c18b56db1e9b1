//! The stores answer checks as the plain steps do, over stored and derived tuples alike.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};
use tenantry_core::rules::Rules;
use tenantry_core::wire::{self, CallError, Reply};
use tenantry_core::{ObjectType, Relation, Sources, TenancyStore};

use crate::plain::{Check, Entity, Most, Plan, Tuple, World};
use crate::support;

const TYPES: [&str; 3] = ["doc", "org", "usr"];
const RELATIONS: [&str; 5] = ["viewer", "member", "parent", "biller", "owner"];
/// Which of them are roles: on organizations memberships alone give them.
const ROLES: [usize; 3] = [0, 1, 4];
const ORG: usize = 1;
const USR: usize = 2;
const ENTITIES: usize = 3;

fn id((kind, number): Entity) -> String {
    format!("{}_0196000000007000800000000001{kind}00{number}", TYPES[kind])
}

fn any_plan() -> impl Strategy<Value = Plan> {
    let relation = || 0..RELATIONS.len();
    prop_oneof![
        1 => Just(Plan::This),
        3 => relation().prop_map(Plan::Computed),
        4 => (relation(), relation()).prop_map(|(first, second)| Plan::Through(first, second)),
    ]
}

/// Rules and tuples, and the imported rows that they come from. Each organization has an owner and perhaps members.
fn any_world() -> impl Strategy<Value = (World, Vec<Value>)> {
    let rule = prop::option::weighted(0.7, prop::collection::vec(any_plan(), 0..3));
    let rules = prop::collection::vec(prop::collection::vec(rule, RELATIONS.len()), TYPES.len());
    let entity = || (0..TYPES.len(), 0..ENTITIES);
    let tuples = prop::collection::vec((entity(), 0..RELATIONS.len(), entity()), 0..24);
    let members = prop::collection::vec((0..ENTITIES, prop::sample::select(&ROLES[..2]), 0..ENTITIES), 0..6);
    (rules, tuples, members, prop::collection::vec(0..ENTITIES, ENTITIES)).prop_map(|(rules, tuples, members, owners)| {
        let mut says: Vec<Tuple> = Vec::new();
        let owners = owners.into_iter().enumerate().map(|(org, usr)| (usr, ROLES[2], org));
        let members = owners.chain(members).map(|(usr, relation, org)| Tuple { subject: (USR, usr), relation, object: (ORG, org) });
        let mut met = Vec::new();
        for tuple in members {
            // One membership of each user in each organization.
            if !met.contains(&(tuple.subject, tuple.object)) {
                met.push((tuple.subject, tuple.object));
                says.push(tuple);
            }
        }
        let derived = says.len();
        for (subject, relation, object) in tuples {
            let tuple = Tuple { subject, relation, object };
            if !(object.0 == ORG && ROLES.contains(&relation) || says.contains(&tuple)) {
                says.push(tuple);
            }
        }
        let rows = rows(&says, derived);
        (World { rules, tuples: says }, rows)
    })
}

/// The id of a tuple by its place: a membership is one with the same digits.
fn digits(place: usize) -> String {
    format!("019700000000700080000000000000{place:02x}")
}

fn rows(says: &[Tuple], derived: usize) -> Vec<Value> {
    let orgs = (0..ENTITIES).map(|org| json!({"type": "organization", "id": id((ORG, org))}));
    let row = |(place, tuple): (usize, &Tuple)| {
        let Tuple { subject, relation, object } = *tuple;
        if place < derived {
            return json!({"type": "membership", "id": format!("mem_{}", digits(place)), "usr_id": id(subject), "org_id": id(object),
                "role": RELATIONS[relation]});
        }
        json!({"type": "tuple", "id": format!("tup_{}", digits(place)), "subject_type": TYPES[subject.0], "subject_id": id(subject),
            "relation": RELATIONS[relation], "object_type": TYPES[object.0], "object_id": id(object)})
    };
    orgs.chain(says.iter().enumerate().map(row)).collect()
}

fn rules(world: &World) -> Arc<Rules> {
    let relation = |place: usize| Relation::parse(RELATIONS[place]).expect("a relation");
    let mut rules = Rules::new();
    for (kind, relations) in world.rules.iter().enumerate() {
        for (place, nodes) in relations.iter().enumerate() {
            if let Some(nodes) = nodes {
                let kind = ObjectType::parse(TYPES[kind]).expect("a type");
                rules = rules.with(kind, relation(place), nodes.iter().map(|plan| plan.node(relation)).collect());
            }
        }
    }
    Arc::new(rules)
}

async fn call(store: &dyn TenancyStore, operation: &str, input: Value) -> Result<Reply, TestCaseError> {
    let read = serde_json::from_value(input.clone()).expect("JSON is a value");
    wire::call(store, operation, &read).await.map_err(|error: CallError| TestCaseError::fail(format!("{operation} {input}: {error:?}")))
}

async fn compare(name: &str, world: &World, rows: &[Value]) -> Result<(), TestCaseError> {
    let (sources, _clock) = Sources::deterministic("2026-01-01T00:00:00Z".parse().expect("a time"), 1);
    let fresh = support::store(name).fresh(sources).await.expect("a fresh store");
    call(&*fresh.store, "import", json!({ "rows": rows })).await?;
    let store = fresh.store.with_rules(rules(world));
    let mut asked: Vec<(Entity, usize, Entity)> = Vec::new();
    for object in (0..TYPES.len()).flat_map(|kind| (0..ENTITIES).map(move |number| (kind, number))) {
        asked.extend((0..RELATIONS.len()).flat_map(|relation| (0..ENTITIES).map(move |usr| ((USR, usr), relation, object))));
    }
    let check = |(subject, relation, object): &(Entity, usize, Entity)| {
        json!({"subject_type": TYPES[subject.0], "subject_id": id(*subject), "relation": RELATIONS[*relation],
            "object_type": TYPES[object.0], "object_id": id(*object)})
    };
    let checks: Vec<Value> = asked.iter().map(check).collect();
    let reply = call(&*store, "check_many", json!({ "checks": checks })).await?;
    let reply = serde_json::to_value(reply).expect("a reply");
    for (place, (subject, relation, object)) in asked.iter().enumerate() {
        let expected = Check::new(world, Most::default(), *subject).any(&[*relation], *object);
        let row = &reply["data"][place];
        let tuple = expected.ok().flatten().map(|place| format!("tup_{}", digits(place)));
        prop_assert_eq!(&row["matched_tuple_id"], &json!(tuple), "{}: {}: {}", name, checks[place], row);
        prop_assert_eq!(&row["allowed"], &json!(tuple.is_some()), "{}: {}: {}", name, checks[place], row);
        let code = expected.is_err().then_some("evaluation_limit_exceeded");
        prop_assert_eq!(&row["error"]["code"], &json!(code), "{}: {}: {}", name, checks[place], row);
    }
    // One alone, and several relations of one subject in their order.
    let (subject, _, object) = asked[rows.len() % asked.len()];
    let order: Vec<usize> = (0..RELATIONS.len()).map(|place| (place + rows.len()) % RELATIONS.len()).collect();
    let mut any = check(&(subject, 0, object));
    any.as_object_mut().expect("an object").remove("relation");
    any["relations"] = order.iter().map(|place| RELATIONS[*place]).collect();
    let expected = Check::new(world, Most::default(), subject).any(&order, object);
    let read = serde_json::from_value(any.clone()).expect("JSON is a value");
    match (expected, wire::call(&*store, "check_any", &read).await) {
        (Ok(place), Ok(Reply::Checked(checked))) => {
            let id = place.map(|place| format!("tup_{}", digits(place)));
            prop_assert_eq!(checked.matched_tuple_id.map(|id| id.to_string()), id, "{}: {}", name, any);
        }
        (Err(_), Err(CallError::Store(error))) => prop_assert_eq!(error.code(), "evaluation_limit_exceeded"),
        (expected, found) => return Err(TestCaseError::fail(format!("{name}: {any}: expected {expected:?}, found {found:?}"))),
    }
    Ok(())
}

proptest! {
    #![proptest_config(crate::cases(64))]

    // covers: RUL-6, RUL-8, RUL-10, RUL-11, TUP-10, TUP-34, TUP-36, TUP-40, TUP-41
    #[test]
    fn checks_in_memory((world, rows) in any_world()) {
        support::block_on(compare("memory", &world, &rows))?;
    }
}

proptest! {
    #![proptest_config(crate::cases(16))]

    // covers: RUL-6, RUL-8, RUL-10, RUL-11, TUP-10, TUP-34, TUP-36, TUP-40, TUP-41
    #[test]
    fn checks_in_sqlite((world, rows) in any_world()) {
        support::block_on(compare("sqlite", &world, &rows))?;
    }
}

proptest! {
    #![proptest_config(crate::cases(12))]

    // covers: RUL-6, RUL-8, RUL-10, RUL-11, TUP-10, TUP-34, TUP-36, TUP-40, TUP-41
    #[test]
    fn checks_in_postgres((world, rows) in any_world()) {
        support::block_on(compare("postgres", &world, &rows))?;
    }
}
