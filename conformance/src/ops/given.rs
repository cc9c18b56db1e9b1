//! The short form of checks: tuples that are given, and one question or one more tuple over them.

use serde_json::{Map, Value, json};

use super::Op;

/// What stands in the input beside the tuples that are given, and what of the result is looked at.
#[derive(Debug)]
pub(crate) struct Given {
    /// The inputs of `create_tuple` that come first.
    pub(crate) tuples: Vec<Map<String, Value>>,
    /// The operation itself.
    pub(crate) op: Op,
    /// Its input.
    pub(crate) input: Map<String, Value>,
}

const TUPLES: &str = "given_tuples";

impl Given {
    /// Takes the short form apart; `None` when the input does not have it.
    pub(crate) fn parse(op: &str, input: &Map<String, Value>) -> Result<Option<Self>, String> {
        let (key, op) = match op {
            "check" | "check_any" => ("check", op),
            "create_tuple" => ("create", op),
            _ => return Ok(None),
        };
        let Some(Value::Object(asked)) = input.get(key) else { return Ok(None) };
        if let Some(other) = input.keys().find(|other| *other != key && *other != TUPLES) {
            return Err(format!("the short form of `{op}` has no input `{other}`"));
        }
        // Whichever of the two the file is about: the input says whether one relation is asked about or several.
        let op = if key == "check" && asked.contains_key("relations") { "check_any" } else { op };
        let op = if op == "check_any" && asked.contains_key("relation") { "check" } else { op };
        let op = Op::named(op).ok_or_else(|| format!("there is no operation `{op}` here"))?;
        let tuple = |value: &Value| value.as_object().cloned().ok_or_else(|| format!("`{TUPLES}` must hold objects"));
        let tuples = match input.get(TUPLES) {
            None => Vec::new(),
            Some(Value::Array(tuples)) => tuples.iter().map(tuple).collect::<Result<_, _>>()?,
            Some(_) => return Err(format!("`{TUPLES}` must be a list")),
        };
        Ok(Some(Self { tuples, op, input: asked.clone() }))
    }

    /// What the short form shows of a result.
    pub(crate) fn shown(result: &Value) -> Value {
        match result.get("allowed") {
            Some(allowed) => json!({ "allowed": allowed }),
            None => json!("ok"),
        }
    }
}
