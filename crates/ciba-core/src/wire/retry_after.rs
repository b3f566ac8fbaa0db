//! The `Retry-After` field (RFC 9110 10.2.3): seconds or a date.

use core::time::Duration;

use crate::{
    bounds,
    time::Timestamp,
    wire::{Headers, number},
};

/// The delay the field asks for; `None` when it is missing or makes no sense. A date in the past means zero.
pub(crate) fn retry_after(headers: &Headers, now: Timestamp) -> Option<Duration> {
    let text = headers.get("retry-after")?.trim();
    let delay = match number::digits(text) {
        Some(seconds) => Duration::from_secs(seconds),
        None => http_date(text)?.since(now),
    };
    Some(bounds::RETRY_AFTER.clamp(delay))
}

/// Reads `Tue, 01 Jan 2030 00:00:20 GMT`, the one form of a date that may be sent (RFC 9110 5.6.7). Years before 1970 are
/// not read.
#[cfg_attr(not(test), expect(clippy::arithmetic_side_effects, reason = "four-digit years fit many times over"))]
fn http_date(text: &str) -> Option<Timestamp> {
    const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (weekday, rest) = text.split_once(", ")?;
    let mut words = rest.split(' ');
    let day = fixed_width(words.next()?, 2)?;
    let month = words.next()?;
    let month = MONTHS.iter().position(|name| *name == month)?;
    let year = fixed_width(words.next()?, 4)?;
    let mut clock = words.next()?.split(':');
    let hour = fixed_width(clock.next()?, 2)?;
    let minute = fixed_width(clock.next()?, 2)?;
    let second = fixed_width(clock.next()?, 2)?;
    let ends = clock.next().is_none() && words.next() == Some("GMT") && words.next().is_none();
    let fits = WEEKDAYS.contains(&weekday) && year >= 1970 && hour < 24 && minute < 60 && second <= 60;
    let leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let lengths = [31, if leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    if !ends || !fits || day == 0 || day > *lengths.get(month)? {
        return None;
    }
    let leap_days = |year: u64| year / 4 - year / 100 + year / 400;
    let years = (year - 1970) * 365 + leap_days(year - 1) - leap_days(1969);
    let days = years + lengths.iter().take(month).sum::<u64>() + day - 1;
    Some(Timestamp::from_unix_secs(((days * 24 + hour) * 60 + minute) * 60 + second))
}

fn fixed_width(text: &str, width: usize) -> Option<u64> {
    if text.len() == width { number::digits(text) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_unix_secs(1_893_456_000);

    fn read(text: &str) -> Option<u64> {
        retry_after(&[("Retry-After", text)].into_iter().collect(), NOW).map(|delay| delay.as_secs())
    }

    /// REQ-AERR-16
    /// REQ-POLL-14
    #[test]
    fn the_vectors_of_appendix_b_9_hold() {
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
    fn dates_are_read_exactly_or_not_at_all() {
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
            ("Tuesday, 01-Jan-30 00:00:00 GMT", None),
            ("Xxx, 01 Jan 2030 00:00:00 GMT", None),
        ] {
            assert_eq!(http_date(text).map(Timestamp::unix_secs), expected, "{text}");
        }
    }
}
