//! The injected sources: the clock, ids, and secrets. Nothing else in the library knows the time or rolls dice.

use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use uuid::{Builder, Uuid};

use crate::error::{BackendError, BackendKind};
use crate::time::Timestamp;

/// Tells the time.
pub trait Clock: fmt::Debug + Send + Sync {
    /// Now. Read once per attempt of a command.
    fn now(&self) -> Timestamp;
}

/// Makes UUIDs for new rows and events.
pub trait IdSource: fmt::Debug + Send + Sync {
    /// The next one: version 7, above every earlier one of this source. Drawn once per command, also when it is decided again.
    ///
    /// # Errors
    /// `backend.unavailable` when there is no randomness to be had.
    fn next(&self, now: Timestamp) -> Result<Uuid, BackendError>;
}

/// Fills bytes that nobody can guess.
pub trait SecretSource: fmt::Debug + Send + Sync {
    /// Fills the whole of `bytes`.
    ///
    /// # Errors
    /// `backend.unavailable` when the operating system gives none.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), BackendError>;
}

/// The sources that a store uses.
///
/// ```
/// use std::sync::Arc;
/// use tenantry_core::{Sources, source::ManualClock};
/// let clock = Arc::new(ManualClock::new("2026-01-01T00:00:00Z".parse().unwrap()));
/// let sources = Sources { clock: clock.clone(), ..Sources::system() };
/// clock.advance_micros(1_000);
/// assert_eq!(sources.clock.now().to_string(), "2026-01-01T00:00:00.001000Z");
/// ```
#[derive(Debug, Clone)]
pub struct Sources {
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Ids of new rows.
    pub ids: Arc<dyn IdSource>,
}

impl Sources {
    /// The system's clock, and monotonic version 7 UUIDs over the system's randomness.
    pub fn system() -> Self {
        Self { clock: Arc::new(SystemClock), ids: Arc::new(MonotonicIds::new(Arc::new(SystemSecrets))) }
    }

    /// A clock that stands still until it is moved, and ids that follow from a seed: the same commands make the same
    /// bytes in every store. For tests and for comparing stores, never for data that is kept.
    pub fn deterministic(start: Timestamp, seed: u64) -> (Self, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::new(start));
        let ids = Arc::new(MonotonicIds::new(Arc::new(SeededSecrets::new(seed))));
        (Self { clock: Arc::<ManualClock>::clone(&clock), ids }, clock)
    }
}

/// The operating system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one injected source of the time")]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_micros()).ok().and_then(|micros| Timestamp::from_micros(micros).ok()).unwrap_or(Timestamp::MAX)
    }
}

/// A clock that moves only when told.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that shows this moment.
    pub const fn new(start: Timestamp) -> Self {
        Self(AtomicI64::new(start.as_micros()))
    }

    /// Moves it, also backwards, within the bounds of [`Timestamp`].
    pub fn advance_micros(&self, micros: i64) {
        self.0.fetch_add(micros, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::MIN.plus_micros(self.0.load(Ordering::SeqCst))
    }
}

/// Version 7 UUIDs in strictly rising order, also when the clock stands still or steps back.
#[derive(Debug)]
pub struct MonotonicIds {
    secrets: Arc<dyn SecretSource>,
    last: Mutex<u128>,
}

/// The 74 random bits of a version 7 UUID, without its version and variant.
const RANDOM_BITS: u32 = 74;

impl MonotonicIds {
    /// Ids whose random part comes from this source.
    pub fn new(secrets: Arc<dyn SecretSource>) -> Self {
        Self { secrets, last: Mutex::new(0) }
    }
}

impl IdSource for MonotonicIds {
    fn next(&self, now: Timestamp) -> Result<Uuid, BackendError> {
        let mut random = [0; 16];
        self.secrets.fill(&mut random)?;
        let random = u128::from_be_bytes(random);
        let millis = u128::from(now.as_micros().unsigned_abs() / 1000);
        // A number of 122 bits, milliseconds first. The top random bit starts as zero, which leaves room to count up.
        let fresh = (millis << RANDOM_BITS) | (random & ((1 << (RANDOM_BITS - 1)) - 1));
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let number = if fresh > *last {
            fresh
        } else {
            // Within one millisecond, or behind a clock that stepped back: a random step up keeps ids unguessable.
            *last + 1 + (random & 0xffff_ffff)
        };
        *last = number;
        let millis = u64::try_from(number >> RANDOM_BITS).unwrap_or(u64::MAX);
        // `Builder` puts version and variant over six of these 80 bits, so the 74 are laid around them: 12 in front
        // (after the version), 62 behind (after the variant).
        let tail = number & ((1 << RANDOM_BITS) - 1);
        let laid = ((tail >> 62) << 64) | (tail & ((1 << 62) - 1));
        let mut bytes = [0; 10];
        bytes.copy_from_slice(laid.to_be_bytes().split_at(6).1);
        Ok(Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid())
    }
}

/// The operating system's randomness.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemSecrets;

impl SecretSource for SystemSecrets {
    #[expect(clippy::disallowed_methods, reason = "this is the one injected source of randomness")]
    fn fill(&self, bytes: &mut [u8]) -> Result<(), BackendError> {
        getrandom::fill(bytes).map_err(|error| {
            BackendError::new(BackendKind::Unavailable, "the operating system gives no random bytes").caused_by(error.to_string())
        })
    }
}

/// Bytes that follow from a seed. For tests only: anyone can compute them.
#[derive(Debug)]
pub struct SeededSecrets(AtomicU64);

impl SeededSecrets {
    /// The source with this seed.
    pub const fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }
}

impl SecretSource for SeededSecrets {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), BackendError> {
        for chunk in bytes.chunks_mut(8) {
            // SplitMix64: the state counts in steps of the golden ratio, the output is a mix of it.
            const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
            let mut word = self.0.fetch_add(STEP, Ordering::SeqCst).wrapping_add(STEP);
            word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            word ^= word >> 31;
            for (byte, random) in chunk.iter_mut().zip(word.to_be_bytes()) {
                *byte = random;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(seed: u64, now: &str, count: usize) -> Vec<Uuid> {
        let (sources, _) = Sources::deterministic(now.parse().unwrap(), seed);
        (0..count).map(|_| sources.ids.next(sources.clock.now()).unwrap()).collect()
    }

    #[test]
    fn ids_rise_within_one_millisecond_and_follow_from_the_seed() {
        let made = ids(7, "2026-01-01T00:00:00Z", 10_000);
        assert!(made.is_sorted() && made.iter().all(|id| id.get_version_num() == 7));
        assert_eq!(made, ids(7, "2026-01-01T00:00:00Z", 10_000));
        assert_ne!(made, ids(8, "2026-01-01T00:00:00Z", 10_000));
    }

    #[test]
    fn ids_carry_the_time_and_the_rfc_variant() {
        let made = ids(1, "2026-01-01T00:00:00Z", 1);
        assert!(made.iter().all(|id| id.get_variant() == uuid::Variant::RFC4122));
        assert!(made.first().unwrap().to_string().starts_with("019b76da-a800-7"), "{made:?}");
    }

    #[test]
    fn ids_rise_when_the_clock_steps_back() {
        let (sources, clock) = Sources::deterministic("2026-01-01T00:00:00Z".parse().unwrap(), 1);
        let first = sources.ids.next(clock.now()).unwrap();
        clock.advance_micros(-5_000_000);
        assert!(sources.ids.next(clock.now()).unwrap() > first);
    }
}
