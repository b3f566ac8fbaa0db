//! Dates as texts: the one of Idura's tokens, and the one of HTTP.

use ciba_core::Timestamp;

/// Days from 0000-03-01, where the calendar below begins, to 1970-01-01.
const TO_1970: u64 = 719_468;

/// ISO 8601 with milliseconds and `Z`, as in the sample token. Civil date from days: the year
/// begins in March, so that the leap day is its last.
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

/// Reads `Sun, 06 Nov 1994 08:49:37 GMT`, the form of a date that HTTP writes (RFC 9110 5.6.7);
/// nothing before 1970.
pub(crate) fn from_http(text: &str) -> Option<Timestamp> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (_, rest) = text.split_once(", ")?;
    let [day, month, year, hour, minute, second, "GMT"] =
        rest.split([' ', ':']).collect::<Vec<_>>()[..]
    else {
        return None;
    };
    let number =
        |text: &str, width: usize| text.parse::<u64>().ok().filter(|_| text.len() == width);
    let month = u64::try_from(MONTHS.iter().position(|name| *name == month)?).ok()?;
    let (day, hour, minute, second) =
        (number(day, 2)?, number(hour, 2)?, number(minute, 2)?, number(second, 2)?);
    // January and February belong to the year that began in March before them.
    let (year, month) = if month < 2 {
        (number(year, 4)?.checked_sub(1)?, month + 10)
    } else {
        (number(year, 4)?, month - 2)
    };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day;
    let days = days.checked_sub(TO_1970 + 1)?;
    Some(Timestamp::from_unix_secs(((days * 24 + hour) * 60 + minute) * 60 + second))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_name_the_same_instant() {
        for (http, written) in [
            ("Sun, 06 Nov 1994 08:49:37 GMT", "1994-11-06T08:49:37.000Z"),
            ("Thu, 01 Jan 1970 00:00:00 GMT", "1970-01-01T00:00:00.000Z"),
            ("Thu, 29 Feb 2024 23:59:59 GMT", "2024-02-29T23:59:59.000Z"),
            ("Fri, 01 Mar 2024 00:00:00 GMT", "2024-03-01T00:00:00.000Z"),
            ("Tue, 01 Jan 2030 00:00:20 GMT", "2030-01-01T00:00:20.000Z"),
            ("Mon, 31 Dec 2029 12:00:00 GMT", "2029-12-31T12:00:00.000Z"),
        ] {
            assert_eq!(from_http(http).map(iso).as_deref(), Some(written), "{http}");
        }
        for text in [
            "",
            "20",
            "in a while",
            "Sun, 06 Nov 1994 08:49:37 CET",
            "Sun, 6 Nov 1994 8:49:37 GMT",
            "06 Nov 1994",
        ] {
            assert_eq!(from_http(text), None, "{text}");
        }
        assert_eq!(from_http("Wed, 31 Dec 1969 23:59:59 GMT"), None);
    }
}
