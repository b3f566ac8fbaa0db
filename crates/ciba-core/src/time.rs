//! Instants of the wall clock, which the caller reads.

use core::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A wall-clock instant in whole milliseconds since the Unix epoch.
///
/// The core never reads a clock; every function that depends on time takes a `Timestamp`. Read the
/// wall clock again for each call, and do not cache the value or derive it from a monotonic clock.
/// All arithmetic saturates. Instants after the end of the year 9999 are clamped to it.
///
/// Prints, parses and serializes as [RFC 3339](https://www.rfc-editor.org/rfc/rfc3339) text, in UTC
/// with milliseconds:
///
/// ```
/// use ciba_core::Timestamp;
///
/// let at = Timestamp::from_unix_millis(1_716_374_501_361);
/// assert_eq!(at.to_string(), "2024-05-22T10:41:41.361Z");
/// assert_eq!("2024-05-22T12:41:41.361+02:00".parse(), Ok(at));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

/// The latest representable instant: 9999-12-31T23:59:59.999Z.
const LATEST: u64 = 253_402_300_799_999;

impl Timestamp {
    /// The Unix epoch.
    pub const EPOCH: Self = Self(0);

    /// Creates an instant from milliseconds since the Unix epoch.
    #[must_use]
    pub const fn from_unix_millis(millis: u64) -> Self {
        Self(if millis > LATEST { LATEST } else { millis })
    }

    /// Creates an instant from seconds since the Unix epoch.
    #[must_use]
    pub const fn from_unix_secs(secs: u64) -> Self {
        Self::from_unix_millis(secs.saturating_mul(1000))
    }

    /// Returns the milliseconds since the Unix epoch.
    #[must_use]
    pub const fn unix_millis(self) -> u64 {
        self.0
    }

    /// Returns the whole seconds since the Unix epoch, rounded down.
    #[must_use]
    pub const fn unix_secs(self) -> u64 {
        self.0 / 1000
    }

    /// Returns the instant that is `duration` later, but not after the end of the year 9999.
    #[must_use]
    pub fn saturating_add(self, duration: Duration) -> Self {
        Self::from_unix_millis(self.0.saturating_add(millis(duration)))
    }

    /// Returns the instant that is `duration` earlier, but not before the epoch.
    #[must_use]
    pub fn saturating_sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(millis(duration)))
    }

    /// Returns the time from `earlier` to this instant, or zero if `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.unix_secs();
        let (year, month, day) = date(seconds / DAY);
        let of_day = seconds % DAY;
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}Z",
            of_day / 3600,
            of_day / 60 % 60,
            of_day % 60,
            self.0 % 1000
        )
    }
}

/// Returned for text that is not an RFC 3339 instant between the years 1970 and 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct TimestampError;

impl fmt::Display for TimestampError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an RFC 3339 instant between 1970 and 9999, such as 2030-01-01T00:00:00Z")
    }
}

impl core::error::Error for TimestampError {}

impl FromStr for Timestamp {
    type Err = TimestampError;

    /// Reads an RFC 3339 instant. Digits after the milliseconds are dropped, and a leap second is
    /// read as the second after it.
    fn from_str(text: &str) -> Result<Self, TimestampError> {
        parse(text).map(Self::from_unix_millis).ok_or(TimestampError)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Text;

        impl de::Visitor<'_> for Text {
            type Value = Timestamp;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an RFC 3339 instant")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Timestamp, E> {
                text.parse().map_err(E::custom)
            }
        }

        from.deserialize_str(Text)
    }
}

/// Seconds of a day.
const DAY: u64 = 86_400;
/// Days from 1 March of the year 0 to the Unix epoch.
const EPOCH_DAY: u64 = 719_468;
/// Days in 400 years, after which the Gregorian calendar repeats.
const ERA: u64 = 146_097;

/// Year, month and day of a number of days since the Unix epoch. Years begin in March here, so that
/// the leap day is the last day of its year.
const fn date(days: u64) -> (u64, u64, u64) {
    let days = days + EPOCH_DAY;
    let (era, of_era) = (days / ERA, days % ERA);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year_of_era;
    (if month <= 2 { year + 1 } else { year }, month, day)
}

/// The inverse of [`date`]. `None` for a day that does not exist, or is before the epoch.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    let (march_year, of_year) =
        if month <= 2 { (year.checked_sub(1)?, month + 9) } else { (year, month.checked_sub(3)?) };
    let of_era = march_year % 400;
    let day_of_year = (153 * of_year + 2) / 5 + day.checked_sub(1)?;
    let day_of_era = of_era * 365 + of_era / 4 - of_era / 100 + day_of_year;
    let days = (march_year / 400 * ERA + day_of_era).checked_sub(EPOCH_DAY)?;
    // The inverse function finds every day that does not exist, such as 31 April.
    (date(days) == (year, month, day)).then_some(days)
}

/// Milliseconds since the epoch of RFC 3339 text.
fn parse(text: &str) -> Option<u64> {
    // RFC 3339 section 5.6 allows lower case, and a space as the separator.
    let (day, rest) = text.split_once(['T', 't', ' '])?;
    // The time contains none of these, so the first one begins the offset.
    let zone = rest.find(['Z', 'z', '+', '-'])?;
    let (time, zone) = rest.split_at_checked(zone)?;
    let [year, month, day] = numbers(day, '-', [4, 2, 2])?;
    // A missing fraction is zero.
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let [hour, minute, second] = numbers(time, ':', [2, 2, 2])?;
    // A second of 60 is a leap second.
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let seconds = days(year, month, day)? * DAY + hour * 3600 + minute * 60 + second;
    let at = Timestamp::from_unix_secs(seconds).0 + thousandths(fraction)?;
    let shift = |offset: &str| {
        let [hours, minutes] = numbers(offset, ':', [2, 2])?;
        (hours < 24 && minutes < 60).then_some((hours * 60 + minutes) * 60_000)
    };
    match (zone.split_at_checked(1)?, zone) {
        (_, "Z" | "z") => Some(at),
        // Checked, because an offset may lead to an instant before the epoch.
        (("+", offset), _) => at.checked_sub(shift(offset)?),
        (("-", offset), _) => at.checked_add(shift(offset)?).filter(|at| *at <= LATEST),
        _ => None,
    }
}

/// Reads numbers of exactly so many digits.
fn numbers<const N: usize>(text: &str, between: char, digits: [usize; N]) -> Option<[u64; N]> {
    let mut parts = text.split(between);
    let mut read = [0; N];
    for (slot, digits) in read.iter_mut().zip(digits) {
        *slot = number(parts.next().filter(|part| part.len() == digits)?)?;
    }
    parts.next().is_none().then_some(read)
}

/// Digits only: `u64::from_str` also takes a sign.
fn number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// The milliseconds of a decimal fraction of a second.
fn thousandths(fraction: &str) -> Option<u64> {
    if fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits = fraction.bytes().chain(*b"000").take(3);
    Some(digits.fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0')))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(feature = "std")]
impl From<std::time::SystemTime> for Timestamp {
    /// Converts a system time. Times before the epoch become the epoch.
    fn from(time: std::time::SystemTime) -> Self {
        let since = time.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Self::from_unix_millis(millis(since))
    }
}

#[cfg(feature = "std")]
impl From<Timestamp> for std::time::SystemTime {
    fn from(time: Timestamp) -> Self {
        // Every platform can represent times up to the year 9999, so this never fails.
        std::time::UNIX_EPOCH
            .checked_add(Duration::from_millis(time.0))
            .unwrap_or(std::time::UNIX_EPOCH)
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString as _;

    use super::*;

    #[test]
    fn an_instant_prints_and_parses_as_rfc_3339() {
        let table = [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (951_868_800_001, "2000-03-01T00:00:00.001Z"),
            (1_716_374_501_361, "2024-05-22T10:41:41.361Z"),
            (4_107_542_399_000, "2100-02-28T23:59:59.000Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (LATEST, "9999-12-31T23:59:59.999Z"),
        ];
        for (millis, text) in table {
            let at = Timestamp::from_unix_millis(millis);
            assert_eq!(at.to_string(), text);
            assert_eq!(text.parse(), Ok(at));
            let json = serde_json::to_string(&at).unwrap();
            assert_eq!(json, alloc::format!("\"{text}\""));
            assert_eq!(serde_json::from_str::<Timestamp>(&json).unwrap(), at);
        }
    }

    #[test]
    fn an_instant_is_parsed_from_every_form_of_rfc_3339_and_no_other() {
        let at = Ok(Timestamp::from_unix_millis(951_782_400_120));
        for text in [
            "2000-02-29T00:00:00.12Z",
            "2000-02-29t00:00:00.12000000000000000000000000z",
            "2000-02-29 01:00:00.1209+01:00",
            "2000-02-28T16:30:00.120-07:30",
            "2000-02-28T23:59:60.12Z",
        ] {
            assert_eq!(text.parse(), at, "{text}");
        }
        for text in [
            "",
            "2000-02-29",
            "2000-02-29T00:00:00",
            "2000-02-29T00:00Z",
            "2000-02-30T00:00:00Z",
            "2001-02-29T00:00:00Z",
            "2000-13-01T00:00:00Z",
            "2000-00-01T00:00:00Z",
            "2000-01-00T00:00:00Z",
            "2000-02-29T24:00:00Z",
            "2000-02-29T00:60:00Z",
            "2000-02-29T00:00:00.Z",
            "2000-02-29T00:00:00.+1Z",
            "2000-02-29T00:00:00+1:00",
            "2000-02-29T00:00:00+24:00",
            "2000-02-29T00:00:00ZZ",
            "+200-02-29T00:00:00Z",
            "1969-12-31T23:59:59Z",
            "1970-01-01T00:00:00+00:01",
            "0000-01-01T00:00:00Z",
            "9999-12-31T23:59:59-00:01",
            "2000-02-29T00:00:00é",
        ] {
            assert_eq!(text.parse::<Timestamp>(), Err(TimestampError), "{text}");
        }
    }

    #[test]
    fn arithmetic_saturates() {
        let latest = Timestamp::from_unix_millis(u64::MAX);
        assert_eq!(latest.saturating_add(Duration::MAX), latest);
        assert_eq!(Timestamp::EPOCH.saturating_sub(Duration::MAX), Timestamp::EPOCH);
        assert_eq!(Timestamp::EPOCH.since(latest), Duration::ZERO);
    }
}
