//! The connection to Postgres, cut at each message that a command sends.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::Value;
use tenantry_core::{BackendKind, TenancyStore};

use crate::counts::Counts;
use crate::lane::{Lane, Rows};
use crate::proxy::Cut;
use crate::stage::failure;
use crate::support::block_on;
use crate::{commands, size};

/// How many lanes work side by side: most of the time a lane waits.
const LANES: usize = 4;

/// In which state a command finds its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    /// There is one.
    Warm,
    /// Rows are taken first, inside a transaction: others were in the way a moment ago.
    LockFirst,
    /// The pool's connections have died unnoticed.
    Cold,
}

/// What happens to a message, and whether nobody gets through afterwards.
type Kind = (Cut, bool);

/// How a message is kept from the server.
const KEPT: [Kind; 4] = [(Cut::Before, false), (Cut::Torn, true), (Cut::Before, true), (Cut::Torn, false)];

/// How the answer to a message is kept from the client.
const TAKEN: [Kind; 4] = [(Cut::After, false), (Cut::After, true), (Cut::HalfAnswered, false), (Cut::HalfAnswered, true)];

/// Each message is cut so often in each of both manners, unless told otherwise. Four times is all there is.
const TIMES: usize = 1;

#[derive(Debug, Default)]
struct Tally {
    by_way: Counts<&'static str>,
    by_cut: Counts<String>,
    by_message: Counts<&'static str>,
    told: Counts<&'static str>,
    /// Commands that took rows first.
    locking: Counts<&'static str>,
}

impl Tally {
    fn merge(&mut self, other: Self) {
        self.by_way.merge(other.by_way);
        self.by_cut.merge(other.by_cut);
        self.by_message.merge(other.by_message);
        self.told.merge(other.told);
        self.locking.merge(other.locking);
    }
}

#[test]
fn a_connection_cut_at_any_message_leaves_the_rows_as_before_or_as_after_and_the_error_says_which() {
    let times = size("TENANTRY_FAULT_CUTS", TIMES).clamp(1, KEPT.len());
    let next = AtomicUsize::new(0);
    let mut tally = Tally::default();
    thread::scope(|scope| {
        let lanes: Vec<_> = (0..LANES).map(|_| scope.spawn(|| block_on(lane(&next, times)))).collect();
        for lane in lanes {
            tally.merge(lane.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
    });
    println!("connections cut: {} ({})", tally.by_way.total(), tally.by_way);
    println!("  {}", tally.by_cut);
    println!("  at {}", tally.by_message);
    println!("  told: {}", tally.told);
    println!("  commands that took rows first: {}", tally.locking.len());
    assert!(tally.by_way.total() > 700, "only {} cuts", tally.by_way.total());
    for told in ["success", "unavailable", "unknown outcome, written", "unknown outcome, not written"] {
        assert!(tally.told.of(&told) >= 5, "only {} times: {told}", tally.told.of(&told));
    }
    assert!(tally.locking.len() >= 10, "only {} commands took rows first", tally.locking.len());
}

async fn lane(next: &AtomicUsize, times: usize) -> Tally {
    let mut lane = Lane::new().await;
    let mut tally = Tally::default();
    let count = commands::commands(&lane.world).len();
    loop {
        let index = next.fetch_add(1, Ordering::SeqCst);
        if index >= count {
            return tally;
        }
        let command = lane.command(index);
        let after = lane.undisturbed(&command).await;
        let takes_rows_first = lane.takes_rows_first(&command).await;
        for (way, cuts) in ways(index, times, takes_rows_first) {
            for cut in cuts {
                let mut k = 1;
                while (Attempt { lane: &mut lane, command: &command, after: &after, way, kind: cut(k + index), k }).run(&mut tally).await {
                    k += 1;
                }
            }
        }
    }
}

/// Chooses how a message is cut by its number.
type Choice = Box<dyn Fn(usize) -> Kind>;

/// In which ways a command is tried, and how often all its messages are cut in each. In small runs the ways beside the usual one are not
/// tried with each command, and both manners take turns in them.
fn ways(index: usize, times: usize, takes_rows_first: bool) -> Vec<(Way, Vec<Choice>)> {
    let both = || -> Vec<Choice> {
        let choose = |kinds: [Kind; 4], time| -> Choice { Box::new(move |number| kinds[(number + time) % kinds.len()]) };
        (0..times).flat_map(|time| [choose(KEPT, time), choose(TAKEN, time)]).collect()
    };
    let is_small = times <= TIMES;
    let turns = || -> Vec<Choice> { if is_small { vec![Box::new(|number| [KEPT, TAKEN][number % 2][number / 2 % 4])] } else { both() } };
    let mut ways = vec![(Way::Warm, both())];
    if takes_rows_first && (!is_small || index.is_multiple_of(2)) {
        ways.push((Way::LockFirst, turns()));
    }
    if !is_small || index.is_multiple_of(8) {
        ways.push((Way::Cold, turns()));
    }
    ways
}

/// A command whose `k`-th message is cut.
struct Attempt<'l> {
    lane: &'l mut Lane,
    command: &'l (&'static str, Value),
    after: &'l Rows,
    way: Way,
    kind: Kind,
    k: usize,
}

impl fmt::Display for Attempt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (cut, stays_away) = self.kind;
        let away = if stays_away { ", and nobody gets through afterwards" } else { "" };
        write!(f, "{} ({:?}), message {} cut ({cut:?}){away}", self.command.0, self.way, self.k)
    }
}

impl Attempt<'_> {
    /// Whether the command came so far.
    async fn run(&mut self, tally: &mut Tally) -> bool {
        let (cut, stays_away) = self.kind;
        let store = if self.way == Way::LockFirst {
            self.lane.heat().await;
            self.lane.hot.clone()
        } else {
            self.lane.store.clone()
        };
        self.lane.proxy.quiet().await;
        if self.way == Way::Cold {
            self.lane.proxy.cut_all().await;
        }
        let begun = self.lane.proxy.begun();
        self.lane.proxy.arm(self.k, cut, stays_away);
        let outcome = self.lane.same.call(&store, self.command).await;
        let message = self.lane.proxy.disarm();
        if self.way == Way::LockFirst && self.lane.proxy.begun() > begun {
            tally.locking.add(self.command.0);
        }

        let what = self.to_string();
        let written = self.lane.has_written(self.after, &what).await;
        let told = match outcome {
            Ok(_) => {
                assert!(written, "{self}: it succeeded, and nothing is written");
                "success"
            }
            Err(error) => {
                let error = failure(error, self);
                match error.kind() {
                    BackendKind::Unavailable => {
                        assert!(!written, "{self}: it is said not to be written, and it is");
                        "unavailable"
                    }
                    BackendKind::UnknownOutcome { event_id } => {
                        assert!(stays_away, "{self}: it could have been found out");
                        let event = self.lane.direct.outcome(*event_id).await.unwrap();
                        assert_eq!(event.is_some(), written, "{self}: {event_id} tells it wrongly");
                        if written { "unknown outcome, written" } else { "unknown outcome, not written" }
                    }
                    other => panic!("{self}: {other:?}"),
                }
            }
        };
        let Some(message) = message else {
            assert_eq!(told, "success", "{self}: nothing was cut");
            self.lane.restore().await;
            return false;
        };
        tally.by_way.add(match self.way {
            Way::Warm => "warm",
            Way::LockFirst => "rows first",
            Way::Cold => "cold",
        });
        tally.by_cut.add(format!("{cut:?}{}", if stays_away { " and away" } else { "" }));
        tally.by_message.add(message);
        tally.told.add(told);
        self.lane.goes_on(&store, self.command, self.after, written, &what).await;
        true
    }
}
