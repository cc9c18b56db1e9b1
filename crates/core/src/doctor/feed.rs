//! The feed of the whole store, which an outbox follows.

use std::collections::{HashMap, HashSet};

use super::{Finding, Found, Invariant};
use crate::event::Event;
use crate::id::Id;
use crate::state::Dump;

const TABLE: &str = "event";

/// Whether the feed, as [`changes_all`](crate::TenancyStore::changes_all) shows it page by page, has every event of a dump that was
/// taken before, once, and those of an organization in the order of their revisions. The feed may have more, written meanwhile.
pub fn examine_feed(dump: &Dump, feed: &[Event]) -> Vec<Finding> {
    let mut found = Found::default();
    let mut met = HashSet::new();
    let mut last = HashMap::new();
    for event in feed {
        if !met.insert(event.id) {
            found.add(Invariant::FeedWhole, TABLE, &[event.id.any()], "the event stands in the feed twice");
        }
        if let Some((org, revision)) = event.org_id.zip(event.revision)
            && let Some(before) = last.insert(org, revision).filter(|before| *before >= revision)
        {
            let message = format!("the revision {revision} of {org} stands behind {before} in the feed");
            found.add(Invariant::FeedOrder, TABLE, &[event.id.any()], message);
        }
    }
    for event in dump.events.iter().filter(|event| !met.contains(&event.id)) {
        found.add(Invariant::FeedWhole, TABLE, &[event.id.any()], "the event is not in the feed");
    }
    found.sorted()
}
