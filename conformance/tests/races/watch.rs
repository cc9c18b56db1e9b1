//! What a store is given for a clock and for ids. It is the one place from which a test can look into a command under way, and hold it
//! there, without a hook in the product: the clock is read once for each attempt, before its load and behind the lock where the store
//! has one; the first id is drawn when the load has come back and before anything is written.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use tenantry_core::source::{MonotonicIds, SystemClock, SystemSecrets};
use tenantry_core::{BackendError, Clock, IdSource, Sources, Timestamp};
use uuid::Uuid;

/// The longest that one call is held for another: a call that waits for what the holder has would never come.
const PATIENCE: Duration = Duration::from_millis(5);

/// Where the calls of a round are made to meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Nowhere: they run as they come.
    Nowhere,
    /// The first one to hold the store's lock keeps it until all have been asked for this long.
    UnderLock(Duration),
    /// All of them have begun before one of them loads.
    BeforeLoading,
    /// All of them have loaded, or have had their answer, before one of them writes.
    BeforeWriting,
    /// The same, where a store without guards has let go of its lock in between.
    InTheGap,
}

/// The calls of one round.
#[derive(Debug)]
pub(crate) struct Meeting {
    place: Place,
    arrived: AtomicUsize,
    asked: AtomicUsize,
    /// Of each call: whether it has come to the place, or been answered.
    settled: Vec<AtomicBool>,
    held: AtomicBool,
}

impl Meeting {
    pub(crate) fn of(calls: usize, place: Place) -> Self {
        let settled = (0..calls).map(|_| AtomicBool::new(false)).collect();
        Self { place, arrived: AtomicUsize::new(0), asked: AtomicUsize::new(0), settled, held: AtomicBool::new(false) }
    }

    /// Waits until everyone is here: awake, and so let go within a moment.
    pub(crate) fn start(&self) {
        self.arrived.fetch_add(1, Ordering::SeqCst);
        let mut spins = 0u32;
        while self.arrived.load(Ordering::SeqCst) < self.settled.len() {
            spins += 1;
            if spins.is_multiple_of(64) {
                thread::yield_now();
            } else {
                std::hint::spin_loop();
            }
        }
    }

    pub(crate) fn ask(&self) {
        self.asked.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn settle(&self, call: usize) {
        self.settled[call].store(true, Ordering::SeqCst);
    }

    /// The call holds the store's lock, where the store has one.
    fn under_lock(&self) {
        if let Place::UnderLock(after) = self.place
            && !self.held.swap(true, Ordering::SeqCst)
        {
            wait(|| self.asked.load(Ordering::SeqCst) == self.settled.len());
            thread::sleep(after);
        }
    }

    /// The call is at this place: if it is the one where they meet, it waits for the others.
    fn come_to(&self, place: Place, call: usize) {
        if self.place == place {
            self.settle(call);
            wait(|| self.settled.iter().all(|settled| settled.load(Ordering::SeqCst)));
        }
    }
}

fn wait(until: impl Fn() -> bool) {
    let begun = Instant::now();
    while !until() && begun.elapsed() < PATIENCE {
        thread::yield_now();
    }
}

/// What has been seen of one call.
#[derive(Debug, Clone, Default)]
pub(crate) struct Track {
    /// When the caller asked.
    pub(crate) asked: Option<Instant>,
    /// When each attempt read the clock.
    pub(crate) attempts: Vec<Instant>,
    /// The last time that it was seen at work: when it last went on from reading the clock, or drew an id.
    pub(crate) last_seen: Option<Instant>,
    /// When the caller had the answer.
    pub(crate) answered: Option<Instant>,
}

/// The sources of one side of a race.
pub(crate) struct Watch {
    shift: Arc<AtomicI64>,
    ids: MonotonicIds,
    turn: Mutex<Option<Turn>>,
}

struct Turn {
    meeting: Arc<Meeting>,
    call: usize,
    drawn: bool,
    track: Track,
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").finish_non_exhaustive()
    }
}

impl Watch {
    /// A clock that is so many microseconds ahead of the system's.
    pub(crate) fn new(shift: Arc<AtomicI64>) -> Arc<Self> {
        Arc::new(Self { shift, ids: MonotonicIds::new(Arc::new(SystemSecrets)), turn: Mutex::new(None) })
    }

    pub(crate) fn sources(self: &Arc<Self>) -> Sources {
        Sources { clock: Arc::<Self>::clone(self), ids: Arc::<Self>::clone(self) }
    }

    fn turn(&self) -> MutexGuard<'_, Option<Turn>> {
        self.turn.lock().expect("nobody panics while holding it")
    }

    /// From now on what is asked for belongs to this call.
    pub(crate) fn begin(&self, meeting: &Arc<Meeting>, call: usize) {
        let track = Track { asked: Some(Instant::now()), ..Track::default() };
        *self.turn() = Some(Turn { meeting: Arc::clone(meeting), call, drawn: false, track });
        meeting.ask();
    }

    /// The call has its answer.
    pub(crate) fn end(&self) -> Track {
        let turn = self.turn().take().expect("a call was begun");
        turn.meeting.settle(turn.call);
        Track { answered: Some(Instant::now()), ..turn.track }
    }

    /// Waits for the other calls, if this is where they meet.
    pub(crate) fn come_to(&self, place: Place) {
        let turn = self.turn().as_ref().map(|turn| (Arc::clone(&turn.meeting), turn.call));
        if let Some((meeting, call)) = turn {
            meeting.come_to(place, call);
        }
    }

    fn seen(&self) {
        if let Some(turn) = &mut *self.turn() {
            turn.track.last_seen = Some(Instant::now());
        }
    }
}

impl Clock for Watch {
    fn now(&self) -> Timestamp {
        let meeting = self.turn().as_mut().map(|turn| {
            turn.track.attempts.push(Instant::now());
            Arc::clone(&turn.meeting)
        });
        if let Some(meeting) = meeting {
            meeting.under_lock();
        }
        self.come_to(Place::BeforeLoading);
        self.seen();
        SystemClock.now().plus_micros(self.shift.load(Ordering::SeqCst))
    }
}

impl IdSource for Watch {
    fn next(&self, now: Timestamp) -> Result<Uuid, BackendError> {
        self.seen();
        let first = self.turn().as_mut().is_some_and(|turn| !std::mem::replace(&mut turn.drawn, true));
        if first {
            self.come_to(Place::BeforeWriting);
        }
        self.ids.next(now)
    }
}
