//! Time: UTC, whole microseconds, the years 1970 to 9999.

use std::fmt;
use std::str::FromStr;

use jiff::SignedDuration;
use jiff::civil::DateTime;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A moment in UTC, in whole microseconds since 1970-01-01T00:00:00Z, at most 9999-12-31T23:59:59.999999Z.
///
/// Text is RFC 3339; what is written always has six decimals and `Z`, so that equal moments have equal text.
///
/// ```
/// use tenantry_core::Timestamp;
/// let t: Timestamp = "2026-01-01T02:00:00+02:00".parse().unwrap();
/// assert_eq!(t.to_string(), "2026-01-01T00:00:00.000000Z");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// A text or number that is not a moment within the bounds of [`Timestamp`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an RFC 3339 time between the years 1970 and 9999")]
pub struct TimestampError;

impl Timestamp {
    /// 1970-01-01T00:00:00.000000Z.
    pub const MIN: Self = Self(0);
    /// 9999-12-31T23:59:59.999999Z.
    pub const MAX: Self = Self(253_402_300_799_999_999);

    /// The moment this many microseconds after 1970-01-01T00:00:00Z.
    ///
    /// # Errors
    /// [`TimestampError`] outside [`Timestamp::MIN`] to [`Timestamp::MAX`].
    pub fn from_micros(micros: i64) -> Result<Self, TimestampError> {
        if (Self::MIN.0..=Self::MAX.0).contains(&micros) { Ok(Self(micros)) } else { Err(TimestampError) }
    }

    /// Microseconds since 1970-01-01T00:00:00Z.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// This moment moved by so many microseconds, kept within the bounds.
    #[must_use]
    pub fn plus_micros(self, micros: i64) -> Self {
        Self(self.0.saturating_add(micros).clamp(Self::MIN.0, Self::MAX.0))
    }

    /// This moment moved by so many seconds, kept within the bounds.
    #[must_use]
    pub fn plus_seconds(self, seconds: i64) -> Self {
        self.plus_micros(seconds.saturating_mul(1_000_000))
    }
}

/// The civil time in UTC that the count of microseconds starts from. (jiff's own timestamps end two days too early.)
const EPOCH: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let civil = EPOCH.checked_add(SignedDuration::from_micros(self.0)).map_err(|_| fmt::Error)?;
        write!(f, "{civil:.6}Z")
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, TimestampError> {
        // jiff also reads other ISO 8601 forms; RFC 3339 has a fixed shape up to the seconds, and always an offset.
        let shape = "dddd-dd-ddTdd:dd:dd";
        let (head, tail) = text.split_at_checked(shape.len()).ok_or(TimestampError)?;
        let digits = tail.strip_prefix('.').map_or(0, |tail| 1 + tail.bytes().take_while(u8::is_ascii_digit).count());
        let (fraction, offset) = tail.split_at_checked(digits).ok_or(TimestampError)?;
        let fits = |(want, got): (u8, u8)| match want {
            b'd' => got.is_ascii_digit(),
            b'T' => matches!(got, b'T' | b't' | b' '),
            _ => want == got,
        };
        if !shape.bytes().zip(head.bytes()).all(fits) || digits == 1 || digits > 10 {
            return Err(TimestampError);
        }
        let civil: DateTime = format!("{head}{fraction}").parse().map_err(|_| TimestampError)?;
        let since = civil.duration_since(EPOCH) - offset_from_utc(offset).ok_or(TimestampError)?;
        // Truncation, not rounding: a moment never moves into the future by being written down.
        Self::from_micros(since.as_nanos().div_euclid(1000).try_into().map_err(|_| TimestampError)?)
    }
}

/// `Z`, or `+hh:mm` or `-hh:mm`.
fn offset_from_utc(text: &str) -> Option<SignedDuration> {
    if matches!(text, "Z" | "z") {
        return Some(SignedDuration::ZERO);
    }
    let (sign, digits) = text.split_at_checked(1)?;
    let (hours, minutes) = digits.split_once(':')?;
    let offset = SignedDuration::from_mins(two_digits(hours, 24)? * 60 + two_digits(minutes, 60)?);
    match sign {
        "+" => Some(offset),
        "-" => Some(-offset),
        _ => None,
    }
}

fn two_digits(text: &str, below: i64) -> Option<i64> {
    let number: i64 = if text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit()) { text.parse().ok()? } else { return None };
    (number < below).then_some(number)
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips_at_the_bounds() {
        for t in [Timestamp::MIN, Timestamp::MAX, Timestamp(1), Timestamp(1_767_225_600_000_001)] {
            assert_eq!(t.to_string().parse(), Ok(t), "{t}");
            assert_eq!(t.to_string().len(), 27, "{t}");
        }
        assert_eq!(Timestamp::MAX.to_string(), "9999-12-31T23:59:59.999999Z");
    }

    #[test]
    fn nanoseconds_are_cut_off() {
        let t: Timestamp = "2026-01-01T00:00:00.1234569Z".parse().unwrap();
        assert_eq!(t.to_string(), "2026-01-01T00:00:00.123456Z");
    }

    #[test]
    fn what_is_not_rfc_3339_within_the_years_is_refused() {
        for text in [
            "",
            "2026-01-01",
            "2026-01-01T00:00:00",
            "20260101T000000Z",
            "1969-12-31T23:59:59Z",
            "10000-01-01T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-02-30T00:00:00Z",
            "2026-01-01T00:00:00Z\n",
            "2026-01-01T00:00Z",
            "-2026-01-01T00:00:00Z",
            "2026-01-01T00:00:00Z[Europe/Paris]",
            "9999-12-31T23:59:59-01:00",
            "2026-01-01T00:00:00.Z",
            "2026-01-01T00:00:00+1:00",
            "2026-01-01T00:00:00+24:00",
            "2026-01-01T00:00:00é",
        ] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
    }
}
