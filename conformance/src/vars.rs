//! Variables of a test: `{name}`, and the parts of results that they are captured from.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// What a test has named so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Vars(BTreeMap<String, Value>);

/// A name of letters, digits and underscores in lowercase, with no digit in front.
pub(crate) fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    let start = |b: u8| b.is_ascii_lowercase() || b == b'_';
    bytes.next().is_some_and(start) && bytes.all(|b| start(b) || b.is_ascii_digit())
}

/// The name in a text that is exactly `{name}`; there is no interpolation into longer texts.
fn variable(text: &str) -> Option<&str> {
    text.strip_prefix('{')?.strip_suffix('}').filter(|name| is_name(name))
}

impl Vars {
    pub(crate) fn set(&mut self, name: &str, value: Value) {
        self.0.insert(name.to_owned(), value);
    }

    /// The value with every variable replaced, also in the keys of objects.
    pub(crate) fn fill(&self, value: &Value) -> Result<Value, String> {
        Ok(match value {
            Value::String(text) => match variable(text) {
                Some(name) => self.get(name)?.clone(),
                None => value.clone(),
            },
            Value::Array(items) => Value::Array(items.iter().map(|item| self.fill(item)).collect::<Result<_, _>>()?),
            Value::Object(fields) => Value::Object(self.fill_map(fields)?),
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        })
    }

    pub(crate) fn fill_map(&self, fields: &Map<String, Value>) -> Result<Map<String, Value>, String> {
        let mut filled = Map::new();
        for (key, value) in fields {
            let key = self.fill_text(key)?;
            if filled.contains_key(&key) {
                return Err(format!("two keys became `{key}`"));
            }
            filled.insert(key, self.fill(value)?);
        }
        Ok(filled)
    }

    /// A text with its variable replaced, which must stand for text too.
    pub(crate) fn fill_text(&self, text: &str) -> Result<String, String> {
        let Some(name) = variable(text) else { return Ok(text.to_owned()) };
        self.get(name)?.as_str().map(str::to_owned).ok_or_else(|| format!("the variable `{name}` stands where only text can"))
    }

    fn get(&self, name: &str) -> Result<&Value, String> {
        self.0.get(name).ok_or_else(|| format!("there is no variable `{name}`"))
    }
}

/// The part of a result at a dotted path; parts of lists are numbers from 0.
pub(crate) fn at_path<'v>(result: &'v Value, path: &str) -> Result<&'v Value, String> {
    path.split('.').try_fold(result, |value, part| {
        match value {
            Value::Array(items) => part.parse().ok().and_then(|index: usize| items.get(index)),
            Value::Object(fields) => fields.get(part),
            _ => None,
        }
        .ok_or_else(|| format!("the result has nothing at `{path}` (no `{part}`)"))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn variables_are_replaced_at_any_depth_and_in_keys_but_only_whole() {
        let mut vars = Vars::default();
        vars.set("a", json!("usr_1"));
        vars.set("list", json!([1, null]));
        let filled = vars.fill(&json!({"{a}": [{"x": "{a}"}, "{list}", "an {a}", "{A}", "{}", "{1a}", 7]}));
        assert_eq!(filled, Ok(json!({"usr_1": [{"x": "usr_1"}, [1, null], "an {a}", "{A}", "{}", "{1a}", 7]})));
    }

    #[test]
    fn what_cannot_be_replaced_fails() {
        let mut vars = Vars::default();
        vars.set("list", json!([]));
        vars.set("a", json!("x"));
        vars.set("b", json!("x"));
        for value in [json!("{unknown}"), json!({"{list}": 1}), json!({"{a}": 1, "{b}": 2}), json!({"x": 1, "{a}": 2})] {
            assert!(vars.fill(&value).is_err(), "{value}");
        }
    }

    #[test]
    fn paths_lead_through_objects_and_lists() {
        let result = json!({"data": [{"id": "a"}, {"id": null}]});
        assert_eq!(at_path(&result, "data.1.id"), Ok(&Value::Null));
        for path in ["data.2.id", "data.x", "data.0.id.deeper", "other", "data.-1", ""] {
            assert!(at_path(&result, path).is_err(), "{path}");
        }
    }
}
