//! Assertions: looks at the state that no operation gives in this form.

use serde_json::{Map, Value, json};
use tenantry_core::{Error, TenancyStore};

use super::{call, input, wrong_form};
use crate::compare::json_differences;

/// An assertion of a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Assertion {
    Equal,
    OrgFields,
    UserFields,
    Events,
    SubjectRelations,
    InvitationStatus,
    Permissions,
}

/// Why an assertion did not come to hold.
#[derive(Debug)]
pub(crate) enum Broken {
    /// The state is another.
    Differs(Vec<String>),
    /// The state could not be looked at.
    Error(Error),
}

impl From<Error> for Broken {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl Assertion {
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "assert_equal" => Self::Equal,
            "assert_org_fields" => Self::OrgFields,
            "assert_user_fields" => Self::UserFields,
            "assert_events" => Self::Events,
            "assert_subject_relations" => Self::SubjectRelations,
            "assert_invitation_status" => Self::InvitationStatus,
            "assert_permissions" => Self::Permissions,
            _ => return None,
        })
    }

    pub(super) fn fields(self) -> &'static [&'static str] {
        match self {
            Self::Equal => &["actual", "expected"],
            Self::OrgFields => &["org_id", "expected_name", "expected_slug"],
            Self::UserFields => &["usr_id", "expected_display_name"],
            Self::Events => &["org_id", "types"],
            Self::SubjectRelations => &["subject_type", "subject_id", "relations"],
            Self::InvitationStatus => &["inv_id", "expected_status"],
            Self::Permissions => &["usr_id", "org_id", "exactly", "includes", "excludes"],
        }
    }

    pub(crate) async fn check(self, store: &dyn TenancyStore, input: &Map<String, Value>) -> Result<(), Broken> {
        let (expected, actual) = match self {
            Self::Equal => (part(input, "expected")?.clone(), part(input, "actual")?.clone()),
            Self::OrgFields => {
                let row = call(store, "get_org", &only(input, "org_id")?).await?;
                named_fields(input, &row, &[("expected_name", "name"), ("expected_slug", "slug")])
            }
            Self::UserFields => {
                let row = call(store, "get_user", &only(input, "usr_id")?).await?;
                named_fields(input, &row, &[("expected_display_name", "display_name")])
            }
            Self::SubjectRelations => (sorted(part(input, "relations")?), Value::from(relations(store, &only_subject(input)?).await?)),
            Self::InvitationStatus => {
                let row = call(store, "get_invitation", &only(input, "inv_id")?).await?;
                named_fields(input, &row, &[("expected_status", "status")])
            }
            Self::Permissions => permissions(store, input).await?,
            Self::Events => (part(input, "types")?.clone(), event_types(store, input::text(input, "org_id")?).await?),
        };
        if matches!(self, Self::OrgFields | Self::UserFields | Self::InvitationStatus) && expected.as_object().is_some_and(Map::is_empty) {
            return Err(Broken::Differs(vec!["it names nothing that it expects".to_owned()]));
        }
        let differences = json_differences(&expected, &actual);
        if differences.is_empty() { Ok(()) } else { Err(Broken::Differs(differences)) }
    }
}

fn part<'i>(input: &'i Map<String, Value>, field: &str) -> Result<&'i Value, Error> {
    input.get(field).ok_or_else(|| wrong_form(field, "a value"))
}

fn sorted(list: &Value) -> Value {
    let mut list = list.clone();
    if let Value::Array(items) = &mut list {
        items.sort_by_key(ToString::to_string);
    }
    list
}

fn only_subject(input: &Map<String, Value>) -> Result<Map<String, Value>, Error> {
    let mut subject = only(input, "subject_type")?;
    subject.extend(only(input, "subject_id")?);
    Ok(subject)
}

/// The relations of a subject's tuples, sorted, page by page.
async fn relations(store: &dyn TenancyStore, subject: &Map<String, Value>) -> Result<Vec<Value>, Error> {
    let mut relations = Vec::new();
    let mut input = subject.clone();
    loop {
        let page = call(store, "list_tuples_for_subject", &input).await?;
        let tuples = page.get("data").and_then(Value::as_array).into_iter().flatten();
        relations.extend(tuples.filter_map(|tuple| tuple.get("relation").cloned()));
        let next = page.pointer("/page/next_cursor").filter(|cursor| !cursor.is_null()).cloned();
        match next {
            // A cursor that does not lead forward would never end.
            Some(next) if input.get("cursor") != Some(&next) => input.insert("cursor".to_owned(), next),
            _ => break,
        };
    }
    relations.sort_by_key(ToString::to_string);
    Ok(relations)
}

/// What a user may do: exactly this, or this and not that.
async fn permissions(store: &dyn TenancyStore, input: &Map<String, Value>) -> Result<(Value, Value), Error> {
    let mut ask = only(input, "usr_id")?;
    ask.extend(only(input, "org_id")?);
    let found = call(store, "resolve_permissions", &ask).await?;
    let found: Vec<Value> = found.get("permissions").and_then(Value::as_array).cloned().unwrap_or_default();
    if let Some(exactly) = input.get("exactly") {
        return Ok((sorted(exactly), Value::from(found)));
    }
    let named = |field: &str| input.get(field).and_then(Value::as_array).cloned().unwrap_or_default();
    let (includes, excludes) = (named("includes"), named("excludes"));
    if includes.is_empty() && excludes.is_empty() {
        return Err(wrong_form("exactly", "a list of permissions, or one of `includes` and `excludes`"));
    }
    let there = |slug: &&Value| found.contains(slug);
    let held: Vec<Value> = includes.iter().filter(there).cloned().collect();
    let held_too: Vec<Value> = excludes.iter().filter(there).cloned().collect();
    Ok((json!({"includes": includes, "excludes": []}), json!({"includes": held, "excludes": held_too})))
}

fn only(input: &Map<String, Value>, field: &str) -> Result<Map<String, Value>, Error> {
    Ok(Map::from_iter([(field.to_owned(), part(input, field)?.clone())]))
}

/// The fields that the input names, as it expects them and as the row has them.
fn named_fields(input: &Map<String, Value>, row: &Value, names: &[(&str, &str)]) -> (Value, Value) {
    let (mut expected, mut actual) = (Map::new(), Map::new());
    for (key, field) in names {
        if let Some(value) = input.get(*key) {
            expected.insert((*field).to_owned(), value.clone());
            actual.insert((*field).to_owned(), row.get(*field).cloned().unwrap_or(Value::Null));
        }
    }
    (Value::Object(expected), Value::Object(actual))
}

/// The types of all events of an organization, page by page.
async fn event_types(store: &dyn TenancyStore, org_id: &str) -> Result<Value, Error> {
    let mut types = Vec::new();
    let mut after = Some(0);
    while let Some(revision) = after {
        let input = [("org_id", json!(org_id)), ("after_revision", json!(revision)), ("limit", json!(200))];
        let input = input.into_iter().map(|(field, value)| (field.to_owned(), value)).collect();
        let page = call(store, "changes", &input).await?;
        let events = page.get("data").and_then(Value::as_array).into_iter().flatten();
        types.extend(events.filter_map(|event| event.get("type").cloned()));
        let cursor = page.pointer("/page/next_cursor").and_then(Value::as_str);
        // A cursor that does not lead forward would never end.
        after = cursor.and_then(|cursor| cursor.parse::<u64>().ok()).filter(|next| *next > revision);
    }
    Ok(Value::Array(types))
}
