//! What a step is expected to do.

use serde_json::{Map, Value};
use tenantry_core::Error;

use crate::compare::{json_differences, match_differences, show};
use crate::vars::Vars;

/// What is expected of a step.
#[derive(Debug, Clone, PartialEq)]
pub struct Expected {
    /// The outcome.
    pub want: Want,
    /// A part of the error's message.
    pub error_matches: Option<String>,
}

/// The outcome of a step.
#[derive(Debug, Clone, PartialEq)]
pub enum Want {
    /// Success with this result; of a list it may say only which ids it holds.
    Result(Value),
    /// Success with a result that has at least these keys.
    Matches(Value),
    /// An error: a code, or with an uppercase first letter a class.
    Error(String),
}

/// The keys by which a list's result may be described instead of spelled out.
const IN_ORDER: &str = "data_ids_in_order";
const UNORDERED: &str = "data_ids_unordered";
const NEXT_CURSOR: &str = "next_cursor";

impl Expected {
    /// The expectation with every variable replaced.
    pub(crate) fn fill(&self, vars: &Vars) -> Result<Self, String> {
        let want = match &self.want {
            Want::Result(value) => Want::Result(vars.fill(value)?),
            Want::Matches(value) => Want::Matches(vars.fill(value)?),
            Want::Error(name) => Want::Error(vars.fill_text(name)?),
        };
        let error_matches = self.error_matches.as_deref().map(|text| vars.fill_text(text)).transpose()?;
        Ok(Self { want, error_matches })
    }

    /// Why an outcome is not the expected one; nothing when it is.
    pub(crate) fn differences(&self, outcome: &Result<Value, Error>) -> Vec<String> {
        match (&self.want, outcome) {
            (Want::Result(expected), Ok(actual)) => with_both(result_differences(expected, actual), expected, actual),
            (Want::Matches(expected), Ok(actual)) => with_both(match_differences(expected, actual), expected, actual),
            (Want::Error(expected), Err(error)) => {
                if !is_error(error, expected) {
                    return vec![format!("expected the error `{expected}`, got {}", describe(error))];
                }
                let message = error.to_string();
                let part = self.error_matches.as_deref().filter(|part| !message.contains(part));
                part.map(|part| format!("expected a message with {part:?}, it is {message:?}")).into_iter().collect()
            }
            (Want::Result(expected) | Want::Matches(expected), Err(error)) => {
                vec![format!("expected {}, got {}", show(expected), describe(error))]
            }
            (Want::Error(expected), Ok(actual)) => vec![format!("expected the error `{expected}`, got {}", show(actual))],
        }
    }
}

fn with_both(mut lines: Vec<String>, expected: &Value, actual: &Value) -> Vec<String> {
    if !lines.is_empty() {
        lines.push(format!("expected {}", show(expected)));
        lines.push(format!("got      {}", show(actual)));
    }
    lines
}

/// An error as a message shows it.
pub(crate) fn describe(error: &Error) -> String {
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    let causes: Vec<String> = causes.map(|cause| format!(", caused by: {cause}")).collect();
    format!("the error `{}` ({error}){}", error.code(), causes.concat())
}

fn is_error(error: &Error, name: &str) -> bool {
    if name.starts_with(|first: char| first.is_uppercase()) {
        error.as_domain().map_or_else(|| error.class() == name, |error| error.is_class(name))
    } else {
        error.code() == name
    }
}

fn result_differences(expected: &Value, actual: &Value) -> Vec<String> {
    match list_form(expected, actual) {
        Some((form, data)) => list_differences(form, data, actual),
        None => json_differences(expected, actual),
    }
}

/// The description of a list, when the expectation is one and the result is a list.
fn list_form<'v>(expected: &'v Value, actual: &'v Value) -> Option<(&'v Map<String, Value>, &'v [Value])> {
    let (form, data) = (expected.as_object()?, actual.get("data")?.as_array()?);
    let described = !form.is_empty() && form.keys().all(|key| [IN_ORDER, UNORDERED, NEXT_CURSOR].contains(&key.as_str()));
    described.then_some((form, data))
}

fn list_differences(form: &Map<String, Value>, data: &[Value], actual: &Value) -> Vec<String> {
    let ids: Vec<Value> = data.iter().map(|row| row.get("id").cloned().unwrap_or(Value::Null)).collect();
    let mut lines = Vec::new();
    if let Some(expected) = form.get(IN_ORDER) {
        lines.extend(under(IN_ORDER, json_differences(expected, &Value::Array(ids.clone()))));
    }
    if let Some(expected) = form.get(UNORDERED) {
        lines.extend(under(UNORDERED, json_differences(&sorted(expected), &sorted(&Value::Array(ids)))));
    }
    if let Some(expected) = form.get(NEXT_CURSOR) {
        let cursor = actual.pointer("/page/next_cursor").unwrap_or(&Value::Null);
        lines.extend(under(NEXT_CURSOR, json_differences(expected, cursor)));
    }
    lines
}

fn under(key: &str, lines: Vec<String>) -> impl Iterator<Item = String> {
    lines.into_iter().map(move |line| line.replacen('$', key, 1))
}

fn sorted(list: &Value) -> Value {
    let mut list = list.clone();
    if let Value::Array(items) = &mut list {
        items.sort_by_key(ToString::to_string);
    }
    list
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tenantry_core::{DomainError, IdType, Precondition};

    use super::*;

    fn holds(want: Want, outcome: &Result<Value, Error>) -> bool {
        Expected { want, error_matches: None }.differences(outcome).is_empty()
    }

    #[test]
    fn lists_may_be_described() {
        let page = || Ok(json!({"data": [{"id": "a"}, {"id": "b"}], "page": {"next_cursor": "x"}}));
        for good in [
            json!({"data_ids_in_order": ["a", "b"]}),
            json!({"data_ids_unordered": ["b", "a"]}),
            json!({"data_ids_in_order": ["a", "b"], "next_cursor": "x"}),
            json!({"data": [{"id": "a"}, {"id": "b"}], "page": {"next_cursor": "x"}}),
        ] {
            assert!(holds(Want::Result(good.clone()), &page()), "{good}");
        }
        for bad in [
            json!({"data_ids_in_order": ["b", "a"]}),
            json!({"data_ids_unordered": ["a"]}),
            json!({"data_ids_unordered": ["a", "a"]}),
            json!({"next_cursor": null}),
            json!({"data_ids_in_order": ["a", "b"], "more": 1}),
            json!({}),
        ] {
            assert!(!holds(Want::Result(bad.clone()), &page()), "{bad}");
        }
    }

    #[test]
    fn codes_are_exact_and_classes_have_subclasses() {
        let hierarchy = || Err(DomainError::RoleHierarchy.into());
        for (name, fits) in
            [("RoleHierarchyError", true), ("ForbiddenError", true), ("forbidden.role_hierarchy", true), ("forbidden", false)]
        {
            assert_eq!(holds(Want::Error(name.into()), &hierarchy()), fits, "{name}");
        }
        assert!(!holds(Want::Error("RoleHierarchyError".into()), &Err(DomainError::Forbidden.into())));
        assert!(holds(Want::Error("PreconditionError".into()), &Err(DomainError::from(Precondition::UnknownRole).into())));
        assert!(!holds(Want::Error("not_found".into()), &Ok(json!(null))));
        assert!(!holds(Want::Result(json!(null)), &Err(DomainError::NotFound(IdType::User).into())));
    }

    #[test]
    fn a_message_is_searched() {
        let expected = |part: &str| Expected { want: Want::Error("not_found".into()), error_matches: Some(part.into()) };
        let outcome = Err(DomainError::NotFound(IdType::User).into());
        assert!(expected("user").differences(&outcome).is_empty());
        assert!(!expected("organization").differences(&outcome).is_empty());
    }
}
