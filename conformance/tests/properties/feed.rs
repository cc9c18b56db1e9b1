//! The feed of a whole store, followed page by page while commands go on: every event exactly once, those of one organization in the
//! order of their revisions, and nothing that comes to stand before what was answered already.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::{Value, json};
use tenantry_core::{Error, TenancyStore};

use crate::moves::{self, Move, call};

/// After each move, the limits of the pages that are read: often none, so that the follower falls behind.
fn sequence(moves: std::ops::Range<usize>) -> impl Strategy<Value = Vec<(Move, Vec<i64>)>> {
    let limit = prop_oneof![4 => 1..4_i64, 1 => 4..300_i64, 1 => Just(0)];
    prop::collection::vec((moves::any_move_at_all(), prop::collection::vec(limit, 0..3)), moves)
}

proptest! {
    #![proptest_config(crate::cases(48))]

    // covers: EVT-15, EVT-16, EVT-17, EVT-18
    #[test]
    fn a_follower_sees_each_event_once_in_memory(steps in sequence(20..100)) {
        crate::run(follow("memory", &steps))?;
    }
}

proptest! {
    #![proptest_config(crate::cases(8))]

    // covers: EVT-15, EVT-16, EVT-17, EVT-18
    #[test]
    fn a_follower_sees_each_event_once_in_sqlite(steps in sequence(20..100)) {
        crate::run(follow("sqlite", &steps))?;
    }
}

proptest! {
    #![proptest_config(crate::cases(4))]

    // covers: EVT-15, EVT-16, EVT-17, EVT-18
    #[test]
    fn a_follower_sees_each_event_once_in_postgres(steps in sequence(20..100)) {
        crate::run(follow("postgres", &steps))?;
    }
}

/// What has been seen, in order.
#[derive(Default)]
struct Follower {
    seen: Vec<Value>,
}

impl Follower {
    /// Reads one page. Whether another follows.
    async fn read(&mut self, store: &dyn TenancyStore, limit: Option<i64>) -> Result<bool, TestCaseError> {
        let after = self.seen.last().map(|event| event["id"].clone());
        let input = json!({"after": after, "limit": limit});
        let page = call(store, "changes_all", &input).await.map_err(|error| TestCaseError::fail(format!("{input}: {error:?}")))?;
        let data = page["data"].as_array().expect("a list");
        let most = limit.map_or(50, |limit| limit.clamp(1, 200));
        prop_assert!(data.len() <= usize::try_from(most).expect("a number"), "{} events for {:?}", data.len(), limit);
        let next = &page["page"]["next_cursor"];
        prop_assert!(next.is_null() || Some(next) == data.last().map(|event| &event["id"]), "next is {}", next);
        self.seen.extend(data.iter().cloned());
        Ok(!next.is_null())
    }

    async fn read_all(&mut self, store: &dyn TenancyStore, limit: Option<i64>) -> Result<(), TestCaseError> {
        while self.read(store, limit).await? {}
        // Behind the last one there is nothing.
        let seen = self.seen.len();
        prop_assert!(!self.read(store, limit).await?);
        prop_assert_eq!(self.seen.len(), seen);
        Ok(())
    }
}

async fn follow(name: &str, steps: &[(Move, Vec<i64>)]) -> Result<(), TestCaseError> {
    let (fresh, clock) = crate::fresh(name).await;
    let store = &*fresh.store;
    let mut follower = Follower::default();
    // By command, how many events there were after it.
    let mut commits = Vec::new();
    for (index, (step, limits)) in steps.iter().enumerate() {
        clock.advance_micros(1_000);
        let rows = fresh.inspect.dump().await.expect("a dump");
        commits.push(rows.events.iter().map(|event| event.id.to_string()).collect::<BTreeSet<_>>());
        if let Err(error @ Error::Backend(_)) = step.play(store, &clock, &rows).await {
            return Err(TestCaseError::fail(format!("move {index}, {step:?}: {error:?}")));
        }
        for limit in limits {
            follower.read(store, Some(*limit)).await?;
        }
    }
    follower.read_all(store, None).await?;

    let rows = fresh.inspect.dump().await.expect("a dump");
    let written: BTreeMap<String, Value> =
        rows.events.iter().map(|event| (event.id.to_string(), serde_json::to_value(event).expect("an event"))).collect();
    let ids: Vec<&str> = follower.seen.iter().map(|event| event["id"].as_str().expect("an id")).collect();
    prop_assert_eq!(ids.len(), written.len(), "{} events were seen", ids.len());
    prop_assert_eq!(ids.iter().copied().collect::<BTreeSet<_>>(), written.keys().map(String::as_str).collect::<BTreeSet<_>>());
    for event in &follower.seen {
        prop_assert_eq!(event, &written[event["id"].as_str().expect("an id")]);
    }
    // Those of each organization by revision, from the first on.
    let mut revisions: BTreeMap<&str, u64> = BTreeMap::new();
    for event in &follower.seen {
        let Some(org) = event["org_id"].as_str() else { continue };
        let last = revisions.entry(org).or_default();
        *last += 1;
        prop_assert_eq!(event["revision"].as_u64(), Some(*last), "{}", org);
    }
    // What was there after a command stands before what came later.
    let places: BTreeMap<&str, usize> = ids.iter().enumerate().map(|(place, id)| (*id, place)).collect();
    for there in &commits {
        let behind = there.iter().map(|id| places[id.as_str()]).max().map_or(0, |last| last + 1);
        prop_assert_eq!(behind, there.len(), "{} events were there, and one of them stands at {}", there.len(), behind);
    }
    // And from the start again the same.
    for limit in [Some(1), Some(7), Some(200)] {
        let mut again = Follower::default();
        again.read_all(store, limit).await?;
        prop_assert!(again.seen == follower.seen, "with a limit of {:?} the feed is another", limit);
    }
    Ok(())
}
