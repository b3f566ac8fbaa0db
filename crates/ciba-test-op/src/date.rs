//! Dates in the form of ISO 8601.

use ciba_core::Timestamp;

/// Days from 0000-03-01, where the calendar below begins, to 1970-01-01.
const TO_1970: u64 = 719_468;

/// ISO 8601 with milliseconds and `Z`, as in Idura's tokens.
// The civil date from a count of days: the year begins in March, so that the leap day is its last.
pub(crate) fn iso(now: Timestamp) -> String {
    let (days, second) = (now.unix_secs() / 86_400 + TO_1970, now.unix_secs() % 86_400);
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = era * 400 + year + carry;
    let (hour, minute, second, millis) =
        (second / 3_600, second / 60 % 60, second % 60, now.unix_millis() % 1_000);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calendar_is_that_of_http_dates() {
        for (http, written) in [
            ("Sun, 06 Nov 1994 08:49:37 GMT", "1994-11-06T08:49:37.000Z"),
            ("Thu, 01 Jan 1970 00:00:00 GMT", "1970-01-01T00:00:00.000Z"),
            ("Thu, 29 Feb 2024 23:59:59 GMT", "2024-02-29T23:59:59.000Z"),
            ("Fri, 01 Mar 2024 00:00:00 GMT", "2024-03-01T00:00:00.000Z"),
            ("Mon, 31 Dec 2029 12:00:00 GMT", "2029-12-31T12:00:00.000Z"),
        ] {
            let at = httpdate::parse_http_date(http).map(Timestamp::from);
            assert_eq!(at.map(iso).as_deref().ok(), Some(written));
        }
    }
}
