//! The `Retry-After` field (RFC 9110 section 10.2.3): seconds, or a date in any of its three forms.

use core::time::Duration;

use crate::{
    bounds,
    time::Timestamp,
    wire::{Headers, number},
};

/// Returns the delay that the field requests, clamped, or `None` if the field is missing or invalid.
/// A date in the past means zero.
pub(crate) fn retry_after(headers: &Headers, now: Timestamp) -> Option<Duration> {
    let text = headers.get("retry-after")?.trim();
    let delay = match number::digits(text) {
        Some(seconds) => Duration::from_secs(seconds),
        None => http_date(text, now)?.since(now),
    };
    // Clamped where it is parsed, so that no later arithmetic meets an extreme value.
    Some(bounds::RETRY_AFTER.clamp(delay))
}

/// Reads a date (RFC 9110 section 5.6.7) in the preferred form, `Sun, 06 Nov 1994 08:49:37 GMT`, or
/// in one of the two obsolete forms, `Sunday, 06-Nov-94 08:49:37 GMT` and
/// `Sun Nov  6 08:49:37 1994`. Years before 1970 are rejected.
fn http_date(text: &str, now: Timestamp) -> Option<Timestamp> {
    const WEEKDAYS: [&str; 7] =
        ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
    // The weekday only tells the forms apart. It is not compared with the date.
    let is_short = |word: &str| WEEKDAYS.iter().any(|name| name.get(..3) == Some(word));
    let mut words = text.split(' ');
    let weekday = words.next()?;
    let (date, ends) = match weekday.strip_suffix(',') {
        Some(weekday) if is_short(weekday) => {
            let (day, month) = (fixed_width(words.next()?, 2)?, words.next()?);
            let year = fixed_width(words.next()?, 4)?;
            (date(year, month, day, words.next()?)?, words.next() == Some("GMT"))
        }
        Some(weekday) if WEEKDAYS.contains(&weekday) => {
            let mut parts = words.next()?.split('-');
            let (day, month) = (fixed_width(parts.next()?, 2)?, parts.next()?);
            let year = full_year(fixed_width(parts.next()?, 2)?, now);
            (
                date(year, month, day, words.next()?)?,
                parts.next().is_none() && words.next() == Some("GMT"),
            )
        }
        None if is_short(weekday) => {
            let month = words.next()?;
            let day = match words.next()? {
                // This form pads a day of one digit with a space.
                "" => fixed_width(words.next()?, 1)?,
                day => fixed_width(day, 2)?,
            };
            let clock = words.next()?;
            (date(fixed_width(words.next()?, 4)?, month, day, clock)?, true)
        }
        Some(_) | None => return None,
    };
    (ends && words.next().is_none()).then_some(date)
}

/// Expands a two-digit year. A year that would be more than 50 years in the future is the most
/// recent one in the past with the same digits (RFC 9110 section 5.6.7).
#[cfg_attr(
    not(test),
    expect(clippy::arithmetic_side_effects, reason = "the latest year is above 2000")
)]
fn full_year(digits: u64, now: Timestamp) -> u64 {
    // The mean length of a year; a day more or less does not matter for a century.
    const SECONDS: u64 = 31_556_952;
    let latest = 1970 + 50 + now.unix_secs() / SECONDS;
    latest - (latest - digits) % 100
}

#[cfg_attr(
    not(test),
    expect(clippy::arithmetic_side_effects, reason = "four-digit years fit many times over")
)]
fn date(year: u64, month: &str, day: u64, clock: &str) -> Option<Timestamp> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = MONTHS.iter().position(|name| *name == month)?;
    let mut clock = clock.split(':');
    let hour = fixed_width(clock.next()?, 2)?;
    let minute = fixed_width(clock.next()?, 2)?;
    let second = fixed_width(clock.next()?, 2)?;
    // A second of 60 is a leap second.
    let fits = clock.next().is_none() && year >= 1970 && hour < 24 && minute < 60 && second <= 60;
    let leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    let lengths = [31, if leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    if !fits || day == 0 || day > *lengths.get(month)? {
        return None;
    }
    let leap_days = |year: u64| year / 4 - year / 100 + year / 400;
    let years = (year - 1970) * 365 + leap_days(year - 1) - leap_days(1969);
    let days = years + lengths.iter().take(month).sum::<u64>() + day - 1;
    Some(Timestamp::from_unix_secs(((days * 24 + hour) * 60 + minute) * 60 + second))
}

fn fixed_width(text: &str, width: usize) -> Option<u64> {
    // The digits alone would also accept a date with fields of another width.
    if text.len() == width { number::digits(text) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_unix_secs(1_893_456_000);

    fn read(text: &str) -> Option<u64> {
        retry_after(&[("Retry-After", text)].into_iter().collect(), NOW)
            .map(|delay| delay.as_secs())
    }

    /// REQ-AERR-16
    /// REQ-POLL-14
    #[test]
    fn the_vectors_of_appendix_b_9_match() {
        for (text, expected) in [
            ("7", Some(7)),
            ("0", Some(0)),
            ("Tue, 01 Jan 2030 00:00:20 GMT", Some(20)),
            ("Mon, 31 Dec 2029 23:59:00 GMT", Some(0)),
            ("-3", None),
            ("abc", None),
            ("1.5", None),
            ("99999999999", Some(86_400)),
            ("99999999999999999999999999", Some(86_400)),
            ("", None),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
        assert_eq!(retry_after(&Headers::new(), NOW), None);
    }

    /// REQ-POLL-14
    #[test]
    fn dates_are_read_exactly_or_refused() {
        for (text, expected) in [
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777)),
            ("Tue, 29 Feb 2000 12:00:00 GMT", Some(951_825_600)),
            ("Fri, 01 Mar 2024 00:00:00 GMT", Some(1_709_251_200)),
            ("Tue, 01 Jan 2030 00:00:00 GMT", Some(1_893_456_000)),
            ("Fri, 31 Dec 9999 23:59:59 GMT", Some(253_402_300_799)),
            ("Thu, 29 Feb 2001 00:00:00 GMT", None),
            ("Thu, 29 Feb 2100 00:00:00 GMT", None),
            ("Wed, 31 Dec 1969 23:59:59 GMT", None),
            ("Tue, 00 Jan 2030 00:00:00 GMT", None),
            ("Tue, 32 Jan 2030 00:00:00 GMT", None),
            ("Tue, 1 Jan 2030 00:00:00 GMT", None),
            ("Tue, 01 Jan 2030 24:00:00 GMT", None),
            ("Tue, 01 Jan 2030 00:60:00 GMT", None),
            ("Sat, 31 Dec 2016 23:59:60 GMT", Some(1_483_228_800)),
            ("Sat, 31 Dec 2016 23:59:61 GMT", None),
            ("Tue, 01 Jan 2030 00:00:00 UTC", None),
            ("Tue, 01 Jan 2030 00:00:00 GMT x", None),
            ("Tue, 01 Jan 2030 00:00 GMT", None),
            ("Xxx, 01 Jan 2030 00:00:00 GMT", None),
            // The two obsolete forms (RFC 9110 section 5.6.7).
            ("Sunday, 06-Nov-94 08:49:37 GMT", Some(784_111_777)),
            ("Tuesday, 01-Jan-30 00:00:20 GMT", Some(1_893_456_020)),
            ("Saturday, 31-Dec-79 23:59:59 GMT", Some(3_471_292_799)),
            ("Friday, 01-Jan-82 00:00:00 GMT", Some(378_691_200)),
            ("Tue, 01-Jan-30 00:00:00 GMT", None),
            ("Tuesday, 1-Jan-30 00:00:00 GMT", None),
            ("Tuesday, 01-Jan-2030 00:00:00 GMT", None),
            ("Tuesday, 01-Jan-30-1 00:00:00 GMT", None),
            ("Tuesday, 01-Jan-30 00:00:00", None),
            ("Tuesday, 01 Jan 2030 00:00:00 GMT", None),
            ("Sun Nov  6 08:49:37 1994", Some(784_111_777)),
            ("Sun Nov 16 08:49:37 1994", Some(784_975_777)),
            ("Tue Jan  1 00:00:20 2030", Some(1_893_456_020)),
            ("Tue Jan 1 00:00:00 2030", None),
            ("Tue Jan 01 00:00:00 2030", Some(1_893_456_000)),
            ("Tue Jan  01 00:00:00 2030", None),
            ("Tue Jan   1 00:00:00 2030", None),
            ("Tue Jan  1 00:00:00 2030 GMT", None),
            ("Tue Jan  1 00:00:00 30", None),
            ("Tuesday Jan  1 00:00:00 2030", None),
            ("Tue", None),
            ("Tue,", None),
        ] {
            assert_eq!(http_date(text, NOW).map(Timestamp::unix_secs), expected, "{text}");
        }
    }
}
