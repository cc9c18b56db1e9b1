//! Every field of every operation with every kind of bad value, on every store: the error is the one that spec/errors.md and the
//! operation's own section give, and no row changes.
//!
//! What is expected stands in `table` and `bases`, written from spec/. Nothing of it is computed by the code under test.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says what it did"
)]

mod bases;
#[path = "../support/mod.rs"]
mod support;
mod table;

use serde_json::{Map, Value, json};
use tenantry_conformance::testing::World;
use tenantry_conformance::{Fresh, TestStore, dump_differences};
use tenantry_core::wire;
use tenantry_core::{Dump, Sources};

use bases::{Base, Subject};
use table::Case;

/// Cases of one store; fewer mean that a part of the table was lost.
const AT_LEAST: usize = 1_500;

// covers: ERR-1, ERR-3, ERR-4, ERR-5
#[test]
fn memory() {
    support::block_on(all("memory"));
}

// covers: ERR-1, ERR-3, ERR-4, ERR-5
#[test]
fn sqlite() {
    support::block_on(all("sqlite"));
}

// covers: ERR-1, ERR-3, ERR-4, ERR-5
#[test]
fn postgres() {
    support::block_on(all("postgres"));
}

#[test]
fn every_field_has_a_form_and_every_operation_a_base() {
    let world = world_without_store();
    for subject in bases::subjects() {
        let base = Base::of(subject.name, &world);
        for (field, required) in &subject.fields {
            // Panics where the table has no form for the field.
            let _form = table::form(subject.name, field);
            assert!(base.input.contains_key(*field) || !required, "{}.{field}", subject.name);
        }
        let unknown = base.input.keys().find(|key| !subject.fields.iter().any(|(field, _)| field == key));
        assert_eq!(unknown, None, "{}", subject.name);
    }
}

/// A store with the world in it, and its rows.
struct Stage {
    fresh: Fresh,
    world: World,
    rows: Dump,
}

impl Stage {
    async fn new(store: &dyn TestStore) -> Self {
        let (sources, clock) = Sources::deterministic("2026-01-01T00:00:00Z".parse().unwrap(), 1);
        let fresh = store.fresh(sources).await.expect("a fresh store");
        let world = World::build(&*fresh.store).await.expect("the world");
        clock.advance_micros(1_000);
        let rows = fresh.inspect.dump().await.expect("its rows");
        Self { fresh, world, rows }
    }

    async fn call(&self, operation: &str, input: &Value) -> String {
        let input = serde_json::from_value(input.clone()).expect("JSON is a value");
        match wire::call(&*self.fresh.store, operation, &input).await {
            Ok(_) => "ok".to_owned(),
            Err(wire::CallError::Store(error)) => error.code(),
            Err(other) => panic!("{operation}: {other}"),
        }
    }
}

/// Runs the whole table on a store.
async fn all(name: &str) {
    let store = support::store(name);
    let mut stage = Stage::new(store).await;
    let (mut count, mut failures) = (0, Vec::new());
    for subject in bases::subjects() {
        for (label, input, expected) in cases(&subject, &stage.world) {
            count += 1;
            let code = stage.call(subject.operation.name, &bases::wrap(subject.name, &stage.world, input)).await;
            if code != expected {
                failures.push(format!("{} with {label}: expected {expected}, got {code}", subject.name));
            }
            let rows = stage.fresh.inspect.dump().await.expect("its rows");
            if code == "ok" && subject.operation.writes {
                // Whatever it wrote, the next case meets the same world.
                stage = Stage::new(store).await;
            } else if rows != stage.rows {
                failures.push(format!("{} with {label} changed rows: {:?}", subject.name, dump_differences(&stage.rows, &rows)));
                stage = Stage::new(store).await;
            }
        }
    }
    println!("{name}: {count} cases, {} failures", failures.len());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(count >= AT_LEAST, "only {count} cases");
}

/// Label, input and expected code of every case of an operation.
fn cases(subject: &Subject, world: &World) -> Vec<(String, Value, String)> {
    let base = Base::of(subject.name, world);
    let mut cases = vec![("its base".to_owned(), Value::Object(base.input.clone()), base.outcome.to_owned())];
    for (field, required) in &subject.fields {
        for case in table::cases(subject.name, field, world) {
            let expected = expected(subject.name, field, *required, &case, &base);
            let mut input = base.input.clone();
            match &case.value {
                Some(value) => input.insert((*field).to_owned(), value.clone()),
                None => input.remove(*field),
            };
            cases.push((format!("`{field}` {}", case.label), Value::Object(input), expected));
        }
    }
    cases.extend(strangers(&base.input));
    cases
}

fn expected(subject: &str, field: &str, required: bool, case: &Case, base: &Base) -> String {
    if let Some(code) = bases::exception(subject, field, case.label) {
        return code.to_owned();
    }
    match case.expect {
        table::Expect::Format => format!("invalid_format.{field}"),
        table::Expect::Missing if required => format!("invalid_format.{field}"),
        table::Expect::Missing | table::Expect::Accepted => base.outcome.to_owned(),
        table::Expect::Code(code) => code.to_owned(),
    }
}

/// Fields that no operation has, and inputs that are no object.
fn strangers(base: &Map<String, Value>) -> Vec<(String, Value, String)> {
    let with = |key: &str, value: Value| {
        let mut input = base.clone();
        input.insert(key.to_owned(), value);
        Value::Object(input)
    };
    let long = "k".repeat(1 << 20);
    vec![
        ("an unknown field".to_owned(), with("colour", json!("red")), "invalid_format.colour".to_owned()),
        ("an unknown field that is null".to_owned(), with("colour", Value::Null), "invalid_format.colour".to_owned()),
        ("a field without a name".to_owned(), with("", json!(1)), "invalid_format.".to_owned()),
        ("a field with a name of 1 MB".to_owned(), with(&long, json!(1)), format!("invalid_format.{}", "k".repeat(64))),
        ("null for an input".to_owned(), Value::Null, "invalid_format.input".to_owned()),
        ("a list for an input".to_owned(), json!([]), "invalid_format.input".to_owned()),
        ("text for an input".to_owned(), json!("x"), "invalid_format.input".to_owned()),
    ]
}

/// A world to name fields with, where none is needed.
fn world_without_store() -> World {
    support::block_on(async { Stage::new(support::store("memory")).await.world })
}
