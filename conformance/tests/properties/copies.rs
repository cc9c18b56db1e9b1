//! What was made in one store, permissions included, comes into another by an import of what an export writes, and the next export
//! writes the same; and metadata is answered as it was given.

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use tenantry_core::wire::Export;
use tenantry_core::{Clock, Dump, Error, Invitation, Organization, Timestamp, doctor};

use crate::moves::{self, Move, call};
use crate::support;

proptest! {
    #![proptest_config(crate::cases(48))]

    // covers: IMP-8, IMP-9, IMP-10, IMP-11, IMP-16, IMP-17
    #[test]
    fn rows_come_over_as_they_are_in_memory(moves in prop::collection::vec(moves::any_move_at_all(), 20..100)) {
        crate::run(copy("memory", &moves))?;
    }
}

proptest! {
    #![proptest_config(crate::cases(8))]

    // covers: IMP-8, IMP-9, IMP-10, IMP-11, IMP-16, IMP-17
    #[test]
    fn rows_come_over_as_they_are_in_sqlite(moves in prop::collection::vec(moves::any_move_at_all(), 20..100)) {
        crate::run(copy("sqlite", &moves))?;
    }
}

proptest! {
    #![proptest_config(crate::cases(4))]

    // covers: IMP-8, IMP-9, IMP-10, IMP-11, IMP-16, IMP-17
    #[test]
    fn rows_come_over_as_they_are_in_postgres(moves in prop::collection::vec(moves::any_move_at_all(), 20..100)) {
        crate::run(copy("postgres", &moves))?;
    }
}

/// The rows of a dump as an export writes them.
fn rows(dump: &Dump, now: Timestamp) -> Vec<Value> {
    Export::of(dump.clone(), now).rows().map(|row| serde_json::to_value(row).expect("a row")).collect()
}

async fn copy(name: &str, moves: &[Move]) -> Result<(), TestCaseError> {
    let (from, clock) = crate::fresh(name).await;
    for (index, step) in moves.iter().enumerate() {
        clock.advance_micros(1_000);
        let dump = from.inspect.dump().await.expect("a dump");
        if let Err(error @ Error::Backend(_)) = step.play(&*from.store, &clock, &dump).await {
            return Err(TestCaseError::fail(format!("move {index}, {step:?}: {error:?}")));
        }
    }
    let (dump, now) = (from.inspect.dump().await.expect("a dump"), clock.now());
    let rows = rows(&dump, now);

    let to = crate::empty(name, tenantry_core::Sources::deterministic(now, 2).0).await;
    let imported = call(&*to.store, "import", &json!({ "rows": rows })).await;
    let imported = imported.map_err(|error| TestCaseError::fail(format!("{error:?}: {rows:#?}")))?;
    let copy = to.inspect.dump().await.expect("a dump");
    prop_assert_eq!(&imported["users"], &json!(dump.users.len()));
    prop_assert_eq!(&imported["organizations"], &json!(dump.organizations.len()));
    prop_assert_eq!(&imported["memberships"], &json!(dump.memberships.len()));
    prop_assert_eq!(&imported["invitations"], &json!(dump.invitations.len()));
    for (kind, count) in [
        ("permissions", dump.permissions.len()),
        ("roles", dump.roles.len()),
        ("groups", dump.groups.len()),
        ("group_members", dump.group_members.len()),
        ("group_roles", dump.group_roles.len()),
    ] {
        prop_assert_eq!(&imported[kind], &json!(count), "{}", kind);
    }
    let grants = imported["role_permissions"].as_u64().unwrap() + imported["overrides"].as_u64().unwrap();
    prop_assert_eq!(grants, dump.grants.len() as u64);
    // One that has expired is nobody's any more, and may count as new or not.
    let lapsed = dump.tuples.iter().filter(|tuple| tuple.is_expired(now)).count() as u64;
    let (new, unchanged) = (imported["tuples"].as_u64().unwrap(), imported["unchanged"].as_u64().unwrap());
    prop_assert!(new + unchanged == dump.tuples.len() as u64 && unchanged <= lapsed, "{}: {} have expired", imported, lapsed);

    prop_assert_eq!(seen(&dump, now), seen(&copy, now));
    prop_assert!(copy.organizations.iter().all(|org| org.revision == 1), "{:#?}", copy.organizations);
    prop_assert_eq!(&dump.slugs, &copy.slugs);
    prop_assert_eq!(&dump.ancestors, &copy.ancestors);
    prop_assert_eq!(&dump.memberships, &copy.memberships);
    prop_assert_eq!((&dump.permissions, &dump.roles, &dump.grants), (&copy.permissions, &copy.roles, &copy.grants));
    prop_assert_eq!((&dump.groups, &dump.group_members, &dump.group_roles), (&copy.groups, &copy.group_members, &copy.group_roles));
    prop_assert_eq!(doctor::examine(&copy, now), vec![]);

    // Once more, and nothing is new. Only a tuple whose end has come is as one that a sweep has taken away.
    let rows: Vec<Value> = rows.into_iter().filter(|row| row["type"] != "tuple" || !has_ended(row, now)).collect();
    // The next export is the same, byte for byte, but for those.
    let next: Vec<Value> = self::rows(&copy, now).into_iter().filter(|row| row["type"] != "tuple" || !has_ended(row, now)).collect();
    prop_assert_eq!(rows.iter().map(Value::to_string).collect::<Vec<_>>(), next.iter().map(Value::to_string).collect::<Vec<_>>());
    let again = call(&*to.store, "import", &json!({ "rows": rows })).await;
    let again = again.map_err(|error| TestCaseError::fail(format!("the second time: {error:?}: {rows:#?}")))?;
    let (new, unchanged) = (again["tuples"].as_u64().unwrap(), again["unchanged"].as_u64().unwrap());
    prop_assert!(new + unchanged == rows.len() as u64 && new <= lapsed, "{}: {} have expired", again, lapsed);
    prop_assert!(to.inspect.dump().await.expect("a dump") == copy, "the second time it wrote something");
    Ok(())
}

fn has_ended(tuple: &Value, now: Timestamp) -> bool {
    tuple["expires_at"].as_str().is_some_and(|end| end.parse::<Timestamp>().expect("a moment") <= now)
}

/// What was imported can be imported again when a part of it has expired meanwhile, swept away or not: nothing is new.
// covers: IMP-11
#[test]
fn an_import_can_be_repeated_when_its_tuples_have_expired() {
    const SOON: &str = "2026-01-01T00:01:00Z";
    let id = |prefix: &str, number: u8| format!("{prefix}_019600000000700080000000000000{number:02x}");
    let tuple = |number: u8, scope: Option<String>| {
        json!({"type": "tuple", "id": id("tup", number), "subject_type": "doc", "subject_id": id("doc", number), "relation": "viewer",
            "object_type": "doc", "object_id": id("doc", 1), "org_id": scope, "expires_at": SOON})
    };
    let org = json!({"type": "organization", "id": id("org", 1)});
    let owner = json!({"type": "membership", "id": id("mem", 1), "usr_id": id("usr", 1), "org_id": id("org", 1), "role": "owner"});
    let mut wrong = Vec::new();
    for (what, tuple) in [("without a scope", tuple(2, None)), ("in a scope", tuple(3, Some(id("org", 1))))] {
        let rows = json!({"rows": [org, owner, tuple]});
        for (is_swept, seconds) in [(false, 0), (false, 90), (true, 90)] {
            let case = async {
                let (fresh, clock) = crate::fresh("memory").await;
                call(&*fresh.store, "import", &rows).await.expect("an import");
                clock.advance_micros(seconds * 1_000_000);
                if is_swept {
                    call(&*fresh.store, "sweep", &json!({})).await.expect("a sweep");
                }
                let before = fresh.inspect.dump().await.expect("a dump");
                let again = call(&*fresh.store, "import", &rows).await.map_err(|error| error.code());
                (again, fresh.inspect.dump().await.expect("a dump") == before)
            };
            match crate::run(case) {
                (Ok(_), true) => {}
                (again, same) => wrong.push(format!("{what}, {seconds} s later, swept {is_swept}: {again:?}, rows as before: {same}")),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Rows as a reader sees them, without what an import does not bring.
fn seen(dump: &Dump, now: Timestamp) -> Value {
    let org = |org: &Organization| {
        let mut row = serde_json::to_value(org).expect("a row");
        row["revision"] = Value::Null;
        row
    };
    let invitations: Vec<Invitation> = dump.invitations.iter().map(|inv| inv.clone().seen_at(now)).collect();
    let tuples: Vec<_> = dump.tuples.iter().filter(|tuple| !tuple.is_expired(now)).collect();
    json!({"users": dump.users, "organizations": dump.organizations.iter().map(org).collect::<Vec<_>>(),
        "invitations": invitations, "tuples": tuples})
}

/// Any JSON value, but for whole numbers beyond those that a float holds digit by digit.
fn any_value() -> impl Strategy<Value = Value> {
    let number = prop_oneof![
        any::<i64>().prop_map(Value::from),
        (-1e15..1e15_f64).prop_map(Value::from),
        Just(json!(1.0)),
        Just(json!(-0.0)),
        Just(json!(0.1))
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        number,
        any::<String>().prop_map(Value::from),
        Just(json!("\0")),
        Just(json!("\u{ffff}\"\\\u{7f}"))
    ];
    leaf.prop_recursive(4, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..4).prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

fn any_metadata() -> impl Strategy<Value = Map<String, Value>> {
    prop::collection::btree_map(any::<String>(), any_value(), 0..4).prop_map(|fields| fields.into_iter().collect())
}

proptest! {
    #![proptest_config(crate::cases(4))]

    // covers: ORG-31, MEM-38
    #[test]
    fn metadata_is_answered_as_it_was_given(all in prop::collection::vec(any_metadata(), 20)) {
        for store in support::stores() {
            crate::run(keep(store.name(), &all))?;
        }
    }
}

async fn keep(name: &str, all: &[Map<String, Value>]) -> Result<(), TestCaseError> {
    let (fresh, clock) = crate::fresh(name).await;
    let creator = moves::external_users().next().expect("a user");
    let created = call(&*fresh.store, "create_org", &json!({ "creator": creator })).await.expect("an organization");
    let (org, mem) = (&created["org"]["id"], &created["owner_membership"]["id"]);
    for metadata in all {
        clock.advance_micros(1_000);
        for (id, row, update, get) in [("org_id", org, "update_org", "get_org"), ("mem_id", mem, "update_membership", "get_membership")] {
            let updated = call(&*fresh.store, update, &json!({id: row, "metadata": metadata})).await;
            // Compact text with sorted keys, which is how this JSON library writes.
            let fits = serde_json::to_string(metadata).expect("JSON").len() <= 4096;
            match updated {
                Ok(updated) => {
                    prop_assert!(fits, "{} bytes are too many", serde_json::to_string(metadata).expect("JSON").len());
                    let read = call(&*fresh.store, get, &json!({ id: row })).await.expect("the row");
                    // As text too: `1` and `1.0` are equal as numbers.
                    let text = |value: &Value| serde_json::to_string(value).expect("JSON");
                    for answered in [&updated["metadata"], &read["metadata"]] {
                        prop_assert_eq!(text(answered), serde_json::to_string(metadata).expect("JSON"), "{}", name);
                    }
                    // The same once more changes nothing.
                    let before = fresh.inspect.dump().await.expect("a dump");
                    call(&*fresh.store, update, &json!({id: row, "metadata": metadata})).await.expect("a no-op");
                    prop_assert!(
                        fresh.inspect.dump().await.expect("a dump") == before,
                        "{}: {} is written again",
                        name,
                        text(&updated["metadata"])
                    );
                }
                Err(error) => prop_assert!(!fits && error.code() == "invalid_format.metadata", "{}: {error:?}", name),
            }
        }
    }
    Ok(())
}
