//! `tenantry changes` and `tenantry event`.

use serde_json::{Map, Value};
use tenantry::{DomainError, Event, EventId, Fields, IdType, ListChanges, TenancyStore};

use super::{next_page, org_id, to_the_second};
use crate::args::ChangesArgs;
use crate::failure::Failure;
use crate::output::{Answer, Record, Table};

const HEAD: &[&str] = &["revision", "at", "event", "actor", "what changed", "subjects"];

pub(super) async fn run(args: ChangesArgs, store: &dyn TenancyStore) -> Result<Answer, Failure> {
    let request = ListChanges::new(org_id(store, &args.org.org).await?).after_revision(args.after);
    let page = store.changes(args.limit.into_iter().fold(request, ListChanges::limit)).await?;
    Ok(Answer::new(&page, table(&page.data))?.note(next_page(page.next_cursor.as_ref(), "--after")))
}

pub(super) async fn event(event_id: EventId, store: &dyn TenancyStore) -> Result<Answer, Failure> {
    let event = store.outcome(event_id).await?.ok_or(DomainError::NotFound(IdType::Event))?;
    let record = Record::new()
        .with("id", event.id)
        .with_some("org_id", event.org_id)
        .with_some("revision", event.revision)
        .with("type", event.kind.as_str())
        .with("actor", actor(&event))
        .with("at", event.at)
        .with("subject_ids", subjects(&event))
        .with("data", what_changed(&event));
    Answer::new(&event, record)
}

/// Events as a table.
pub(super) fn table(events: &[Event]) -> Table {
    let row = |event: &Event| {
        vec![
            event.revision.map(|revision| revision.to_string()).unwrap_or_default(),
            to_the_second(event.at),
            event.kind.as_str().to_owned(),
            actor(event),
            what_changed(event),
            subjects(event),
        ]
    };
    Table::new(HEAD, events.iter().map(row))
}

fn actor(event: &Event) -> String {
    event.actor.id.map_or_else(|| event.actor.kind.as_str().to_owned(), |id| id.to_string())
}

fn subjects(event: &Event) -> String {
    event.subject_ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

/// The fields that changed, each with its value before, if it had one, and after.
fn what_changed(event: &Event) -> String {
    let (before, after) = (fields(&event.data.before), fields(&event.data.after));
    let mut shown: Vec<String> = Vec::new();
    for (name, value) in &after {
        shown.push(match before.get(name) {
            Some(was) => format!("{name}: {} -> {}", text(was), text(value)),
            None => format!("{name}: {}", text(value)),
        });
    }
    shown.join(", ")
}

fn fields(fields: &Fields) -> Map<String, Value> {
    match serde_json::to_value(fields) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "none".to_owned(),
        Value::Array(items) => format!("{} ids", items.len()),
        other => other.to_string(),
    }
}
