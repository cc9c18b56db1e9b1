//! `tenantry changes` and `tenantry event`.

use std::sync::Arc;

use serde_json::{Map, Value};
use tenantry::{DomainError, Event, EventId, Fields, IdType, ListAllChanges, ListChanges, Page, PageSize, TenancyStore};
use tokio::sync::Notify;

use super::{next_page, org_id, to_the_second};
use crate::args::ChangesArgs;
use crate::failure::Failure;
use crate::output::{Answer, Output, Record, Table};

const HEAD: &[&str] = &["revision", "at", "event", "actor", "what changed", "subjects"];
const FEED: &[&str] = &["revision", "at", "event", "actor", "what changed", "subjects", "organization", "id"];

/// How long a follower waits where nothing is said.
const PAUSE: std::time::Duration = std::time::Duration::from_secs(1);

/// One page, of an organization or of the whole store.
pub(super) async fn run(args: &ChangesArgs, store: &dyn TenancyStore) -> Result<Answer, Failure> {
    if args.follow {
        return Err(Failure::usage("--follow does not come to an end: it is no line of a batch"));
    }
    let Some(org) = &args.which.org else {
        let request = all_after(event_id(args)?);
        let page = store.changes_all(args.limit.into_iter().fold(request, ListAllChanges::limit)).await?;
        return Ok(Answer::new(&page, feed_table(&page.data))?.note(next_page(page.next_cursor.as_ref(), "--after")));
    };
    let revision = args.after.as_deref().map(revision).transpose()?.unwrap_or(0);
    let request = ListChanges::new(org_id(store, org).await?).after_revision(revision);
    let page = store.changes(args.limit.into_iter().fold(request, ListChanges::limit)).await?;
    Ok(Answer::new(&page, table(&page.data))?.note(next_page(page.next_cursor.as_ref(), "--after")))
}

fn revision(text: &str) -> Result<u64, DomainError> {
    let number = text.parse::<i64>().ok().and_then(|number| u64::try_from(number).ok());
    number.ok_or_else(|| DomainError::InvalidFormat { field: "after_revision".to_owned(), expected: "a whole number from 0" })
}

/// What is no event's id is no cursor.
fn event_id(args: &ChangesArgs) -> Result<Option<EventId>, DomainError> {
    args.after.as_deref().map(|text| text.parse().map_err(|_| DomainError::InvalidCursor)).transpose()
}

fn all_after(event: Option<EventId>) -> ListAllChanges {
    event.into_iter().fold(ListAllChanges::new(), ListAllChanges::after)
}

/// The events of the whole store, written as they are read, and on request as they come.
pub(super) async fn feed(args: &ChangesArgs, store: &dyn TenancyStore, output: &mut Output<'_>) -> Result<(), Failure> {
    let mut feed = Feed { last: event_id(args)?, shown: false, follow: args.follow };
    let limit = args.limit.unwrap_or(PageSize::MAX);
    if !args.follow {
        loop {
            let page = feed.next(limit, store).await?;
            if !feed.show(&page, output)? || args.limit.is_some() {
                return Ok(());
            }
        }
    }
    let stop = interrupted()?;
    let pause = args.interval.map_or(PAUSE, crate::args::Span::duration);
    loop {
        let page = tokio::select! {
            page = feed.next(limit, store) => page?,
            () = stop.notified() => break,
        };
        if feed.show(&page, output)? {
            continue;
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.notified() => break,
        }
    }
    if let Some(last) = feed.last {
        output.note(&format!("to go on from here: --after {last}"));
    }
    Ok(())
}

/// How far the events of the whole store have been shown.
struct Feed {
    last: Option<EventId>,
    shown: bool,
    follow: bool,
}

impl Feed {
    async fn next(&self, limit: i64, store: &dyn TenancyStore) -> Result<Page<Event>, Failure> {
        Ok(store.changes_all(all_after(self.last).limit(limit)).await?)
    }

    /// Shows a page; true when there is more.
    fn show(&mut self, page: &Page<Event>, output: &mut Output<'_>) -> Result<bool, Failure> {
        let table = feed_table(&page.data).continued(self.shown || (self.follow && page.data.is_empty()));
        output.rows(&page.data, &table)?;
        self.shown |= !page.data.is_empty();
        self.last = page.data.last().map(|event| event.id).or(self.last);
        Ok(page.next_cursor.is_some())
    }
}

/// Told when the user, or who looks after this process, asks it to end.
fn interrupted() -> Result<Arc<Notify>, Failure> {
    let stop = Arc::new(Notify::new());
    let told = Arc::clone(&stop);
    let set = ctrlc::set_handler(move || told.notify_one());
    set.map_err(|error| Failure::usage(format!("Ctrl-C cannot be waited for: {error}")))?;
    Ok(stop)
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
        .with("data", what_changed(&event))
        .with_some("request_id", event.request_id.as_ref())
        .with_some("reason", event.reason.as_ref());
    Answer::new(&event, record)
}

/// Events as a table.
pub(super) fn table(events: &[Event]) -> Table {
    Table::new(HEAD, events.iter().map(row))
}

/// Events of the whole store as a table.
fn feed_table(events: &[Event]) -> Table {
    let row = |event: &Event| {
        let mut row = row(event);
        row.push(event.org_id.map(|org| org.to_string()).unwrap_or_default());
        row.push(event.id.to_string());
        row
    };
    Table::new(FEED, events.iter().map(row))
}

fn row(event: &Event) -> Vec<String> {
    vec![
        event.revision.map(|revision| revision.to_string()).unwrap_or_default(),
        to_the_second(event.at),
        event.kind.as_str().to_owned(),
        actor(event),
        what_changed(event),
        subjects(event),
    ]
}

fn actor(event: &Event) -> String {
    event.actor.id.map_or_else(|| event.actor.kind.as_str().to_owned(), |id| id.to_string())
}

fn subjects(event: &Event) -> String {
    event.subject_ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

/// The fields that changed, each with its value before, if it had one, and after; of what is gone, the fields that it had.
fn what_changed(event: &Event) -> String {
    let (before, after) = (fields(&event.data.before), fields(&event.data.after));
    let said = if after.is_empty() { &before } else { &after };
    let shown = said.iter().map(|(name, value)| match before.get(name) {
        Some(was) if !after.is_empty() => format!("{name}: {} -> {}", text(was), text(value)),
        _ => format!("{name}: {}", text(value)),
    });
    shown.collect::<Vec<_>>().join(", ")
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
        Value::Array(items) if items.iter().all(Value::is_string) => format!("{} ids", items.len()),
        Value::Array(items) => items.iter().map(grant).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}

/// A relation that an invitation promises, as it can be typed behind `--grant`.
fn grant(value: &Value) -> String {
    let parts = ["relation", "object_type", "object_id"].map(|part| value.get(part).and_then(Value::as_str));
    match parts {
        [Some(relation), Some(kind), Some(id)] => format!("{relation}:{kind}:{id}"),
        _ => value.to_string(),
    }
}
