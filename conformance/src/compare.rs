//! Compares JSON values and dumps, and says in which places they differ.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};
use tenantry_core::Dump;

/// How many differences a message lists.
const SHOWN: usize = 12;

/// A value as a message shows it: short.
pub(crate) fn show(value: &Value) -> String {
    const CHARS: usize = 400;
    let text = value.to_string();
    match text.char_indices().nth(CHARS) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

/// The places in which two values differ, one line for each; nothing when they are equal.
pub fn json_differences(expected: &Value, actual: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    walk("$", expected, actual, Keys::Same, &mut lines);
    shorten(lines)
}

/// The same, where the objects of `actual` may have more keys.
pub(crate) fn match_differences(expected: &Value, actual: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    walk("$", expected, actual, Keys::AtLeast, &mut lines);
    shorten(lines)
}

fn shorten(mut lines: Vec<String>) -> Vec<String> {
    if lines.len() > SHOWN {
        let more = lines.len() - SHOWN;
        lines.truncate(SHOWN);
        lines.push(format!("and {more} more"));
    }
    lines
}

#[derive(Clone, Copy, PartialEq)]
enum Keys {
    Same,
    AtLeast,
}

fn walk(at: &str, expected: &Value, actual: &Value, keys: Keys, lines: &mut Vec<String>) {
    match (expected, actual) {
        (Value::Object(want), Value::Object(got)) => {
            for (key, value) in want {
                match got.get(key) {
                    Some(found) => walk(&format!("{at}.{key}"), value, found, keys, lines),
                    None => lines.push(format!("{at}.{key}: expected {}, it is not there", show(value))),
                }
            }
            let surplus = got.iter().filter(|(key, _)| keys == Keys::Same && !want.contains_key(*key));
            lines.extend(surplus.map(|(key, value)| format!("{at}.{key}: not expected, it is {}", show(value))));
        }
        (Value::Array(want), Value::Array(got)) => {
            for (index, (value, found)) in want.iter().zip(got).enumerate() {
                walk(&format!("{at}[{index}]"), value, found, keys, lines);
            }
            if want.len() != got.len() {
                lines.push(format!("{at}: expected {} items, there are {}", want.len(), got.len()));
            }
        }
        _ if expected == actual => {}
        _ => lines.push(format!("{at}: expected {}, it is {}", show(expected), show(actual))),
    }
}

/// The rows in which two dumps differ, one line for each; nothing when they are equal.
pub fn dump_differences(expected: &Dump, actual: &Dump) -> Vec<String> {
    if expected == actual {
        return Vec::new();
    }
    let (want, got) = (rows(expected), rows(actual));
    let mut lines = Vec::new();
    for (key, row) in &want {
        match got.get(key) {
            Some(found) => lines.extend(json_differences(row, found).into_iter().map(|line| format!("{key}: {line}"))),
            None => lines.push(format!("{key}: the row is missing, it should be {}", show(row))),
        }
    }
    let surplus = got.iter().filter(|(key, _)| !want.contains_key(*key));
    lines.extend(surplus.map(|(key, row)| format!("{key}: the row should not be there, it is {}", show(row))));
    if lines.is_empty() {
        lines.push("the rows are equal but stand in another order, or stand there twice".to_owned());
    }
    shorten(lines)
}

/// Every row under a name that tells it, with the columns that are not on the wire.
fn rows(dump: &Dump) -> BTreeMap<String, Value> {
    let mut rows = BTreeMap::new();
    for (user, revision) in dump.users.iter().zip(&dump.user_revisions) {
        rows.insert(format!("user {}", user.id), json!({"row": wire(user), "revision": revision}));
    }
    for (org, ancestors) in dump.organizations.iter().zip(&dump.ancestors) {
        rows.insert(format!("organization {}", org.id), json!({"row": wire(org), "ancestors": wire(ancestors)}));
    }
    for (slug, org) in &dump.slugs {
        rows.insert(format!("slug {slug}"), json!({"holder": org.to_string()}));
    }
    for mem in &dump.memberships {
        rows.insert(format!("membership {}", mem.id), wire(mem));
    }
    for inv in &dump.invitations {
        rows.insert(format!("invitation {}", inv.id), json!({"row": wire(inv), "judged": inv.judged}));
    }
    for tuple in &dump.tuples {
        rows.insert(format!("tuple {}", tuple.id), wire(tuple));
    }
    for event in &dump.events {
        rows.insert(format!("event {}", event.id), wire(event));
    }
    rows
}

/// A row as JSON. Rows have text keys and no floats that JSON lacks; should one fail all the same, the difference shows it.
fn wire<T: Serialize>(row: &T) -> Value {
    serde_json::to_value(row).unwrap_or_else(|error| Value::String(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_difference_has_its_place() {
        let (expected, actual) = (json!({"a": [1, {"b": null}], "c": 1}), json!({"a": [1, {"b": 2}, 3], "d": 1}));
        let lines = json_differences(&expected, &actual);
        assert_eq!(
            lines,
            [
                "$.a[1].b: expected null, it is 2",
                "$.a: expected 2 items, there are 3",
                "$.c: expected 1, it is not there",
                "$.d: not expected, it is 1"
            ]
        );
        assert!(json_differences(&actual, &actual).is_empty());
    }

    #[test]
    fn a_match_names_what_it_needs_and_nothing_else() {
        let actual = json!({"id": 1, "gone": null, "list": [{"a": 1, "b": 2}]});
        for good in [json!({}), json!({"id": 1}), json!({"gone": null}), json!({"list": [{"b": 2}]})] {
            assert!(match_differences(&good, &actual).is_empty(), "{good}");
        }
        for bad in [json!({"other": null}), json!({"id": null}), json!({"list": []}), json!({"list": [{}, {}]}), json!([]), json!(null)] {
            assert!(!match_differences(&bad, &actual).is_empty(), "{bad}");
        }
    }

    #[test]
    fn long_values_are_cut_between_characters() {
        assert!(show(&Value::String("é".repeat(1000))).ends_with('…'));
    }
}
