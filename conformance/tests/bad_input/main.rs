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
mod limits;
mod lives;
mod sizes;
#[path = "../support/mod.rs"]
mod support;
mod table;

use serde_json::{Map, Value, json};
use tenantry_conformance::testing::World;
use tenantry_conformance::{Fresh, TestStore, dump_differences};
use tenantry_core::wire::{self, Reply};
use tenantry_core::{AllowedRow, Dump, InvitedRow, Sources};

use bases::{Base, Subject};
use table::{Case, Expect, Form};

/// Cases of one store; fewer mean that a part of the table was lost.
const AT_LEAST: usize = 20_000;

// covers: ERR-1, ERR-2, ERR-3, ERR-4, ERR-5
#[test]
fn memory() {
    support::block_on(all("memory"));
}

// covers: ERR-1, ERR-2, ERR-3, ERR-4, ERR-5
#[test]
fn sqlite() {
    support::block_on(all("sqlite"));
}

// covers: ERR-1, ERR-2, ERR-3, ERR-4, ERR-5
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

    /// How the rows differ from those of the world.
    async fn changes(&self) -> Vec<String> {
        dump_differences(&self.rows, &self.fresh.inspect.dump().await.expect("its rows"))
    }

    async fn call(&self, operation: &str, input: &Value) -> String {
        let input = serde_json::from_value(input.clone()).expect("JSON is a value");
        match wire::call(&*self.fresh.store, operation, &input).await {
            // The outcome of the one entry, whose command has succeeded.
            Ok(Reply::InvitedRows { data }) => match &data[..] {
                [InvitedRow(Err(error))] => format!("{ROW}{}", error.code()),
                _ => "ok".to_owned(),
            },
            Ok(Reply::AllowedRows { data }) => match &data[..] {
                [.., AllowedRow(Err(error))] => format!("{ROW}{}", error.code()),
                _ => "ok".to_owned(),
            },
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
            let changes = stage.changes().await;
            if !changes.is_empty() {
                if code != "ok" || !subject.operation.writes {
                    failures.push(format!("{} with {label} changed rows: {changes:?}", subject.name));
                }
                // Whatever it wrote, the next case meets the same world.
                stage = Stage::new(store).await;
            }
        }
        // Many, and all about the form: their rows are looked at together.
        for (label, input, expected) in pairs(&subject, &Base::of(subject.name, &stage.world).input) {
            count += 1;
            let code = stage.call(subject.operation.name, &bases::wrap(subject.name, &stage.world, input)).await;
            if code != expected {
                failures.push(format!("{} with {label}: expected {expected}, got {code}", subject.name));
            }
        }
        let changes = stage.changes().await;
        if !changes.is_empty() {
            failures.push(format!("{} with two wrong fields changed rows: {changes:?}", subject.name));
            stage = Stage::new(store).await;
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
    cases.extend(strangers(&base.input, subject.no_object));
    cases
}

/// What an error of an entry begins with, when the command as a whole succeeded.
const ROW: &str = "row: ";

fn expected(subject: &str, field: &str, required: bool, case: &Case, base: &Base) -> String {
    if let Some(code) = bases::exception(subject, field, case) {
        return code.to_owned();
    }
    // What does not belong to the form of the input is the matter of the entry.
    let is_text = case.value.as_ref().is_some_and(Value::is_string);
    let of_entry = subject == bases::INV_ENTRY && (matches!(case.expect, Expect::Code(_)) || field == "identifier" && is_text);
    let prefix = if of_entry { ROW } else { "" };
    match case.expect {
        Expect::Format => format!("{prefix}invalid_format.{field}"),
        Expect::Missing if required => format!("invalid_format.{field}"),
        Expect::Missing | Expect::Accepted => base.outcome.to_owned(),
        Expect::Code(code) => format!("{prefix}{code}"),
    }
}

/// Two fields that are wrong at once: the first of those whose form is wrong decides, then one that is not known, and only then what
/// a check of the operation refuses.
fn pairs(subject: &Subject, base: &Map<String, Value>) -> Vec<(String, Value, String)> {
    let form = |field: &str| table::form(subject.name, field);
    let with = |fields: [(&str, &Value); 2]| {
        let mut input = base.clone();
        input.extend(fields.map(|(field, value)| (field.to_owned(), value.clone())));
        Value::Object(input)
    };
    // Each with the code that the form gives.
    let malformed = |field: &str| {
        let code = |value: &Value| match form(field) {
            Form::Cursor | Form::After => "invalid_cursor".to_owned(),
            Form::Id(_) if value.is_string() => "invalid_id".to_owned(),
            Form::Ids(_) if value.is_array() => "invalid_id".to_owned(),
            _ => format!("invalid_format.{field}"),
        };
        table::malformed(field, form(field)).into_iter().map(|value| (code(&value), value)).collect::<Vec<_>>()
    };
    let stranger = ("a_stranger", &json!(1));
    let mut pairs = Vec::new();
    for (index, (field, _)) in subject.fields.iter().enumerate() {
        for (code, wrong) in malformed(field) {
            let what = format!("`{field}` malformed as {}", excerpt(&wrong));
            pairs.push((format!("{what} and an unknown field"), with([(field, &wrong), stranger]), code.clone()));
            for (later, _) in &subject.fields[index + 1..] {
                for (_, other) in malformed(later) {
                    let label = format!("{what} and `{later}` as {}", excerpt(&other));
                    pairs.push((label, with([(field, &wrong), (later, &other)]), code.clone()));
                }
            }
        }
        // An entry of several checks is looked at in one go.
        let refused = table::refused_by_a_check(field, form(field)).filter(|_| subject.name != bases::CHECK_ENTRY);
        let Some(refused) = refused else { continue };
        let label = format!("`{field}` that a check refuses and an unknown field");
        pairs.push((label, with([(field, &refused), stranger]), "invalid_format.a_stranger".to_owned()));
        for (other, _) in subject.fields.iter().filter(|(other, _)| other != field) {
            for (code, wrong) in malformed(other) {
                let label = format!("`{field}` that a check refuses and `{other}` malformed as {}", excerpt(&wrong));
                pairs.push((label, with([(field, &refused), (other, &wrong)]), code));
            }
        }
    }
    pairs
}

fn excerpt(value: &Value) -> String {
    value.to_string().chars().take(20).collect()
}

/// Fields that no operation has, and inputs that are no object.
fn strangers(base: &Map<String, Value>, no_object: &str) -> Vec<(String, Value, String)> {
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
        ("null for an input".to_owned(), Value::Null, no_object.to_owned()),
        ("a list for an input".to_owned(), json!([]), no_object.to_owned()),
        ("text for an input".to_owned(), json!("x"), no_object.to_owned()),
    ]
}

/// A world to name fields with, where none is needed.
fn world_without_store() -> World {
    support::block_on(async { Stage::new(support::store("memory")).await.world })
}
