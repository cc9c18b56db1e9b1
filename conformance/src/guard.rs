//! Guards against tests that silently do not run.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::fixture::{EXPECTED_KEYS, FILE_KEYS, STEP_KEYS, TEST_KEYS};
use crate::suite::Suite;

/// What is wrong with the list of trials, which must have every test on every store exactly once.
pub fn trials(suite: &Suite, stores: &[&str], trials: &[String]) -> Vec<String> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for trial in trials {
        *counts.entry(trial.clone()).or_default() += 1;
    }
    let mut problems = Vec::new();
    for store in stores {
        for case in suite.cases() {
            let name = format!("{store}::{}", case.name());
            match counts.remove(&name) {
                Some(1) => {}
                // A name that stands there twice is met twice: the second time it is gone.
                Some(count) => problems.push(format!("{count} trials are called {name}")),
                None => problems.push(format!("no trial of its own for {name}")),
            }
        }
    }
    problems.extend(counts.into_keys().map(|name| format!("the trial {name} is no test of a file")));
    problems
}

/// How the list of files that other implementations read (`index.json`) differs from the files.
pub fn index(suite: &Suite, index: &Value) -> Vec<String> {
    let text = |entry: &Value, key: &str| entry.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let tests = |entry: &Value| entry.get("tests").and_then(Value::as_u64);
    let entries = index.as_array().into_iter().flatten();
    let listed: Vec<_> = entries.map(|entry| (text(entry, "path"), text(entry, "operation"), tests(entry))).collect();
    let files = suite.fixtures.iter().map(|fixture| {
        let tests = u64::try_from(fixture.tests.len()).ok();
        (format!("fixtures/{}", fixture.file), fixture.operation.clone(), tests)
    });
    let files: Vec<_> = files.collect();
    let missing = files.iter().filter(|file| !listed.contains(file)).map(|(path, ..)| format!("the index lacks {path} as it is"));
    let surplus =
        listed.iter().filter(|entry| !files.contains(entry)).map(|(path, ..)| format!("the index has {path} otherwise than it is"));
    let repeated = if listed.len() > files.len() { Some("the index has more entries than there are files".to_owned()) } else { None };
    missing.chain(surplus).chain(repeated).collect()
}

/// Where the JSON schema of fixture files allows other keys than the runner reads.
pub fn schema(schema: &Value) -> Vec<String> {
    let objects = [("", FILE_KEYS), ("/$defs/test", TEST_KEYS), ("/$defs/step", STEP_KEYS), ("/$defs/expected", EXPECTED_KEYS)];
    let mut problems = Vec::new();
    for (place, keys) in objects {
        let Some(object) = schema.pointer(place) else {
            problems.push(format!("the schema has nothing at `{place}`"));
            continue;
        };
        let mut known: Vec<&str> = keys.to_vec();
        known.sort_unstable();
        let mut named: Vec<&str> =
            object.get("properties").and_then(Value::as_object).into_iter().flatten().map(|(key, _)| key.as_str()).collect();
        named.sort_unstable();
        if named != known {
            problems.push(format!("`{place}` of the schema has the keys {named:?}, the runner reads {known:?}"));
        }
        if object.get("additionalProperties") != Some(&Value::Bool(false)) {
            problems.push(format!("`{place}` of the schema lets other keys pass"));
        }
    }
    problems
}
