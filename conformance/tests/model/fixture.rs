//! A sequence as a fixture file, for whoever finds out why a store parted from core.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{fs, io};

use serde_json::{Map, Value, json};

use crate::machine::{self, EXTERNAL, Model};
use crate::run::Parted;
use crate::step::{ADVANCE, Step, Vars, each_text, variable};

/// Writes the sequence into a folder that holds nothing else, and answers the file.
pub(crate) fn write(folder: &Path, system: &str, parted: &Parted) -> io::Result<PathBuf> {
    let file = json(system, parted);
    let operation = file["operation"].as_str().unwrap_or_default().to_owned();
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    let area = folder.join("model");
    fs::create_dir_all(&area)?;
    let path = area.join(format!("{operation}.json"));
    fs::write(&path, serde_json::to_string_pretty(&file)? + "\n")?;
    Ok(path)
}

/// The sequence as a file of one test. Every step says how it comes out; the answers and the rows are compared by the runner.
pub(crate) fn json(system: &str, parted: &Parted) -> Value {
    let steps = &parted.steps;
    let operation = steps.iter().rev().map(|step| step.operation).find(|operation| *operation != ADVANCE).unwrap_or("get_org");
    let mut model = Model::clone(&parted.start);
    let mut literal = Vars::new();
    let mut written = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        let later: BTreeSet<String> = steps[index + 1..].iter().flat_map(Step::names).collect();
        written.push(one(&mut model, step, &later, &mut literal));
    }
    let reason: Vec<&str> = parted.reason.lines().take(4).map(str::trim).collect();
    let mut test = json!({
        "id": "parted",
        "description": format!("A sequence of the model suite on which {system} was found to part from core: {}", reason.join(" ")),
        "users": EXTERNAL,
        "steps": written,
    });
    if steps.iter().any(|step| step.operation.starts_with("check")) {
        test["rules"] = machine::rules_json();
    }
    json!({
        "spec_version": "0.1.0",
        "capability": "tenancy",
        "operation": operation,
        "conformance_level": "MUST",
        "description": "Made small and written by the model suite.",
        "tests": [test],
    })
}

/// One step, over what came before it. What later steps lean on is captured where the answer shows it; elsewhere its id stands there as
/// it is, which is the same each time that the runner plays the steps.
fn one(model: &mut Model, step: &Step, later: &BTreeSet<String>, literal: &mut Vars) -> Value {
    model.play(step);
    let played = model.last.as_ref().expect("a step was played");
    let mut known = |text: &str| variable(text).and_then(|name| literal.get(name)).cloned().unwrap_or_else(|| text.to_owned());
    let mut written = json!({"op": step.operation, "input": each_text(&Value::Object(step.input.clone()), &mut known)});
    if let Some(actor) = &step.actor {
        let usr = known(&actor.usr);
        written["as"] = match &actor.identifiers {
            None => json!(variable(&usr).unwrap_or(&usr)),
            Some(identifiers) => json!({"usr_id": usr, "identifiers": identifiers}),
        };
    }
    let mut captures = Map::new();
    for (name, value) in played.made.iter().filter(|(name, _)| later.contains(*name)) {
        match played.outcome.as_ref().ok().and_then(|reply| place_of(reply, value)) {
            Some(place) => drop(captures.insert(name.clone(), json!(place))),
            None => drop(literal.insert(name.clone(), value.clone())),
        }
    }
    if !captures.is_empty() {
        written["captures"] = Value::Object(captures);
    }
    if let Err((code, _)) = &played.outcome {
        written["expected"] = json!({ "error": code });
    }
    written
}

/// Where a text stands in an answer, as a dotted path.
fn place_of(reply: &Value, text: &str) -> Option<String> {
    let below = |key: String, value: &Value| match value {
        Value::String(found) if found == text => Some(key),
        value => Some(format!("{key}.{}", place_of(value, text)?)),
    };
    match reply {
        Value::Object(fields) => fields.iter().find_map(|(key, value)| below(key.clone(), value)),
        Value::Array(items) => items.iter().enumerate().find_map(|(index, value)| below(index.to_string(), value)),
        _ => None,
    }
}

/// What is told of a sequence that failed: where it was written, and how it is run again.
pub(crate) fn explain(folder: &Path, system: &str, parted: &Parted) -> String {
    let written = match write(folder, system, parted) {
        Ok(path) => format!(
            "They are in {}; run them with\n\n  cargo xtask conformance --store {system} --fixtures {}\n",
            path.display(),
            folder.display()
        ),
        Err(error) => format!("They cannot be written to {} ({error}): {}\n", folder.display(), json(system, parted)),
    };
    format!("{system} and core part over {} steps: {}\n\n{written}", parted.steps.len(), parted.reason)
}
