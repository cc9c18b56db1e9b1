//! Derived tuples are the live memberships, and stored ones count when spec/tuples.md says so: in every list, look-up and check, on
//! every store, whatever was done before.
//!
//! What counts is worked out here over the rows alone.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::{Value, json};
use tenantry_core::{Clock, Dump, Error, Membership, MembershipStatus, OrgStatus, TenancyStore, Timestamp, Tuple, UserStatus};

use crate::moves::{self, Move, RELATIONS, ROLES, call};

fn sequence(moves: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Move>> {
    prop::collection::vec(moves::any_move_at_all(), moves)
}

proptest! {
    #![proptest_config(crate::cases(24))]

    // covers: TUP-8, TUP-9, TUP-10, TUP-13, TUP-14, TUP-15, TUP-16, TUP-17, TUP-21, TUP-22, TUP-23
    #[test]
    fn what_counts_is_found_in_memory(moves in sequence(20..80)) {
        crate::run(play("memory", &moves, 2))?;
    }
}

proptest! {
    #![proptest_config(crate::cases(6))]

    // covers: TUP-8, TUP-9, TUP-10, TUP-13, TUP-14, TUP-15, TUP-16, TUP-17, TUP-21, TUP-22, TUP-23
    #[test]
    fn what_counts_is_found_in_sqlite(moves in sequence(40..80)) {
        crate::run(play("sqlite", &moves, 3))?;
    }
}

proptest! {
    #![proptest_config(crate::cases(3))]

    // covers: TUP-8, TUP-9, TUP-10, TUP-13, TUP-14, TUP-15, TUP-16, TUP-17, TUP-21, TUP-22, TUP-23
    #[test]
    fn what_counts_is_found_in_postgres(moves in sequence(40..60)) {
        crate::run(play("postgres", &moves, 5))?;
    }
}

/// Plays the moves, and after each of some looks at everything.
async fn play(store: &str, moves: &[Move], every: usize) -> Result<(), TestCaseError> {
    let (fresh, clock) = crate::fresh(store).await;
    for (index, step) in moves.iter().enumerate() {
        clock.advance_micros(1_000);
        let rows = fresh.inspect.dump().await.expect("a dump");
        if let Err(error @ Error::Backend(_)) = step.play(&*fresh.store, &clock, &rows).await {
            return Err(TestCaseError::fail(format!("move {index}, {step:?}: {error:?}")));
        }
        if index % every == 0 || index + 1 == moves.len() {
            let rows = fresh.inspect.dump().await.expect("a dump");
            let wrong = look(&*fresh.store, &rows, clock.now()).await;
            prop_assert!(wrong.is_empty(), "after move {index}, {step:?}: {wrong:#?}");
        }
    }
    Ok(())
}

/// A type and a UUID.
type Entity = (String, String);

fn entity(kind: &str, id: &str) -> Entity {
    (kind.to_owned(), hyphenated(id))
}

fn hyphenated(id: &str) -> String {
    let hex = id.split_once('_').map_or(id, |(_, hex)| hex);
    uuid::Uuid::parse_str(hex).expect("a UUID").hyphenated().to_string()
}

/// Whether the user has no row or an active one.
fn acts(rows: &Dump, usr: &str) -> bool {
    rows.users.iter().find(|user| user.id.to_string() == usr).is_none_or(|user| user.status == UserStatus::Active)
}

/// Whether the organization and all above it are active.
fn is_live(rows: &Dump, org: &str) -> bool {
    let mut next = Some(org.to_owned());
    while let Some(id) = next {
        let Some(row) = rows.organizations.iter().find(|row| row.id.to_string() == id) else { return false };
        if row.status != OrgStatus::Active {
            return false;
        }
        next = row.parent_id.map(|parent| parent.to_string());
    }
    true
}

fn has_ended(end: Option<Timestamp>, now: Timestamp) -> bool {
    end.is_some_and(|end| end <= now)
}

/// Whether a membership is live.
fn counts(rows: &Dump, mem: &Membership, now: Timestamp) -> bool {
    mem.status == MembershipStatus::Active
        && !has_ended(mem.expires_at, now)
        && acts(rows, &mem.usr_id.to_string())
        && is_live(rows, &mem.org_id.to_string())
}

/// Whether a stored tuple counts.
fn tuple_counts(rows: &Dump, tuple: &Value, end: Option<Timestamp>, now: Timestamp) -> bool {
    let subject = entity(tuple["subject_type"].as_str().unwrap(), tuple["subject_id"].as_str().unwrap());
    let is_subject = |mem: &&Membership| subject == entity("usr", &mem.usr_id.to_string());
    let known = rows.users.iter().find(|user| subject == entity("usr", &user.id.to_string()));
    let in_scope = tuple["org_id"].as_str().is_none_or(|org| {
        let mut of_scope = rows.memberships.iter().filter(|mem| mem.org_id.to_string() == org);
        is_live(rows, org) && (subject.0 != "usr" || of_scope.any(|mem| is_subject(&mem) && counts(rows, mem, now)))
    });
    !has_ended(end, now) && known.is_none_or(|user| user.status == UserStatus::Active) && in_scope
}

/// Every tuple that counts, as it is answered, by id.
fn all_that_count(rows: &Dump, now: Timestamp) -> BTreeMap<String, Value> {
    let wire = |tuple: &Tuple| serde_json::to_value(tuple).expect("a tuple");
    let stored = rows.tuples.iter().map(|tuple| (wire(tuple), tuple.expires_at));
    let stored = stored.filter(|(tuple, end)| tuple_counts(rows, tuple, *end, now)).map(|(tuple, _)| tuple);
    let derived = rows.memberships.iter().filter(|mem| counts(rows, mem, now)).map(|mem| {
        json!({
            "id": mem.id.to_string().replacen("mem_", "tup_", 1),
            "subject_type": "usr",
            "subject_id": hyphenated(&mem.usr_id.to_string()),
            "relation": mem.role.to_string(),
            "object_type": "org",
            "object_id": hyphenated(&mem.org_id.to_string()),
            "org_id": null,
            "created_at": mem.created_at,
            "created_by": mem.invited_by,
            "expires_at": mem.expires_at,
        })
    });
    stored.chain(derived).map(|tuple| (tuple["id"].as_str().expect("an id").to_owned(), tuple)).collect()
}

/// What the store answers otherwise than the rows say.
async fn look(store: &dyn TenancyStore, rows: &Dump, now: Timestamp) -> Vec<String> {
    let counting = all_that_count(rows, now);
    let mut wrong = Vec::new();
    let users = rows.users.iter().map(|user| user.id.to_string()).chain(moves::external_users());
    let members = rows.memberships.iter().map(|mem| mem.usr_id.to_string());
    let subjects: BTreeSet<Entity> = users.chain(members).map(|usr| entity("usr", &usr)).collect();
    let orgs = rows.organizations.iter().map(|org| entity("org", &org.id.to_string()));
    let others: BTreeSet<Entity> = orgs.chain(moves::docs().map(|doc| entity("doc", &doc))).collect();

    for (kind, id) in subjects.iter().chain(&others) {
        let of = |tuple: &&Value| tuple["subject_type"] == *kind && tuple["subject_id"] == *id;
        let expected: Vec<&Value> = counting.values().filter(of).collect();
        let found = pages(store, "list_tuples_for_subject", json!({"subject_type": kind, "subject_id": id})).await;
        compare(&format!("tuples of {kind}:{id}"), &expected, &found, &mut wrong);
    }
    for (kind, id) in subjects.iter().chain(&others) {
        let on = |tuple: &&Value| tuple["object_type"] == *kind && tuple["object_id"] == *id;
        let expected: Vec<&Value> = counting.values().filter(on).collect();
        let found = pages(store, "list_tuples_for_object", json!({"object_type": kind, "object_id": id})).await;
        compare(&format!("tuples on {kind}:{id}"), &expected, &found, &mut wrong);
        let relation = expected.first().map_or("viewer", |tuple| tuple["relation"].as_str().expect("a relation"));
        let expected: Vec<&Value> = expected.iter().filter(|tuple| tuple["relation"] == *relation).copied().collect();
        let found = pages(store, "list_tuples_for_object", json!({"object_type": kind, "object_id": id, "relation": relation})).await;
        compare(&format!("{relation} on {kind}:{id}"), &expected, &found, &mut wrong);
    }
    look_up(store, rows, &counting, &mut wrong).await;
    check(store, &subjects, &others, &counting, &mut wrong).await;
    wrong
}

fn compare(what: &str, expected: &[&Value], found: &[Value], wrong: &mut Vec<String>) {
    if !expected.iter().copied().eq(found) {
        wrong.push(format!("{what}: expected {expected:#?}, found {found:#?}"));
    }
}

async fn pages(store: &dyn TenancyStore, operation: &str, mut input: Value) -> Vec<Value> {
    let mut found = Vec::new();
    input["limit"] = json!(7);
    loop {
        let page = call(store, operation, &input).await.unwrap_or_else(|error| panic!("{operation} {input}: {error:?}"));
        found.extend(page["data"].as_array().expect("a list").iter().cloned());
        match &page["page"]["next_cursor"] {
            Value::Null => return found,
            cursor => input["cursor"] = cursor.clone(),
        }
    }
}

/// Each tuple by its id, also those that do not count.
async fn look_up(store: &dyn TenancyStore, rows: &Dump, counting: &BTreeMap<String, Value>, wrong: &mut Vec<String>) {
    let stored = rows.tuples.iter().map(|tuple| tuple.id.to_string());
    for id in stored.chain(rows.memberships.iter().map(|mem| mem.id.to_string().replacen("mem_", "tup_", 1))) {
        let found = call(store, "get_tuple", &json!({ "tup_id": id })).await.map_err(|error| error.code());
        let expected = counting.get(&id).cloned().ok_or_else(|| "not_found".to_owned());
        if found != expected {
            wrong.push(format!("{id}: expected {expected:?}, found {found:?}"));
        }
    }
}

/// Every subject, relation and object: the lowest tuple that says so, and nothing where there is none.
async fn check(
    store: &dyn TenancyStore,
    subjects: &BTreeSet<Entity>,
    objects: &BTreeSet<Entity>,
    counting: &BTreeMap<String, Value>,
    wrong: &mut Vec<String>,
) {
    let relations: BTreeSet<&str> = ROLES.iter().chain(&RELATIONS).copied().collect();
    let mut checks = Vec::new();
    for (subject_type, subject_id) in subjects.iter().chain(objects) {
        for (object_type, object_id) in objects {
            checks.extend(relations.iter().map(|relation| {
                json!({"subject_type": subject_type, "subject_id": subject_id, "relation": relation, "object_type": object_type,
                    "object_id": object_id})
            }));
        }
    }
    let mut says: BTreeMap<String, &String> = BTreeMap::new();
    let five = |tuple: &Value| {
        ["subject_type", "subject_id", "relation", "object_type", "object_id"]
            .map(|field| tuple[field].as_str().unwrap().to_owned())
            .join(" ")
    };
    for (id, tuple) in counting.iter().rev() {
        // The lowest one comes last, and stays.
        says.insert(five(tuple), id);
    }
    for checks in checks.chunks(200) {
        let reply = call(store, "check_many", &json!({ "checks": checks })).await.expect("an answer");
        for (asked, row) in checks.iter().zip(reply["data"].as_array().expect("a list")) {
            let expected = says.get(&five(asked));
            let expected = json!({"allowed": expected.is_some(), "matched_tuple_id": expected, "error": null});
            if *row != expected {
                wrong.push(format!("{asked}: expected {expected}, found {row}"));
            }
        }
    }
    // One by one and by role, as applications ask.
    if let Some(asked) = checks.get(counting.len() % checks.len().max(1)) {
        let found = call(store, "check", asked).await.expect("an answer");
        let expected = says.get(&five(asked));
        if found != json!({"allowed": expected.is_some(), "matched_tuple_id": expected}) {
            wrong.push(format!("{asked}: expected {expected:?}, found {found}"));
        }
    }
}
