//! Comparison of the person in an ID Token with the one named by the request, by national id or
//! `sub`.

use alloc::string::String;
use core::fmt;

use zeroize::Zeroizing;

use crate::{
    expect::{Presence, is_or_refines},
    fault::Untrusted,
    jose::scalar::Scalar,
    named::named,
    secret::{ExpectedText, LoginHint},
    text::is_plain,
    time::Timestamp,
};

/// The prefix of a hint that names a person by national id.
// `spec/providers.md` ID-21.
const BY_NUMBER: &str = "sub:ssn:";
/// The claims that repeat the national id: `ssn` with Swedish BankID, `socialno` with Norwegian
/// BankID and the scope `ssn`.
// ID-93
const SSN: &str = "ssn";
const SOCIALNO: &str = "socialno";
/// The claim that names the eID that was used.
const EID: &str = "authenticationtype";
/// The eIDs whose claims are documented.
const SWEDISH_BANKID: &str = "urn:grn:authn:se:bankid";
const NORWEGIAN_BANKID: &str = "urn:grn:authn:no:bankid";

/// Whether the person in the ID Token was compared with the one named by the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Person {
    /// They were compared and are the same person.
    Compared(ComparedBy),
    /// They were not compared. Only the provider vouches that the right person approved.
    NotCompared(NotCompared),
}

named! {
    /// The property by which the person was compared.
    #[non_exhaustive]
    pub enum ComparedBy {
        /// The national id in the hint.
        NationalId = "national_id",
        /// The expected `sub`, or that of the `id_token_hint`.
        Subject = "subject",
    }
}

named! {
    /// The reason for which the person was not compared.
    #[non_exhaustive]
    pub enum NotCompared {
        /// There is no ID Token, because the request was made without `openid`.
        NoIdToken = "no_id_token",
        /// The request names the person by national id, which no claim of the ID Token repeats.
        NotInToken = "not_in_token",
        /// The request names the person in a way that no claim of this provider's ID Tokens is
        /// known to repeat.
        NothingToCompare = "nothing_to_compare",
    }
}

impl Person {
    /// Returns `true` if the person was compared. Otherwise only the provider vouches for them.
    #[must_use]
    pub const fn is_compared(self) -> bool {
        matches!(self, Self::Compared(_))
    }
}

impl fmt::Display for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Compared(ComparedBy::NationalId) => "compared by the national id of the hint",
            Self::Compared(ComparedBy::Subject) => "compared by the expected subject",
            Self::NotCompared(NotCompared::NoIdToken) => "not compared: there is no ID Token",
            Self::NotCompared(NotCompared::NotInToken) => {
                "not compared: the ID Token does not repeat the national id of the hint (with Norwegian BankID, request the scope ssn)"
            }
            Self::NotCompared(NotCompared::NothingToCompare) => {
                "not compared: no claim is known to repeat the hint"
            }
        })
    }
}

/// The rules of a configuration about persons and eIDs, which apply to every request.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct PersonRules {
    /// A hint `sub:ssn:N` names a person whose number the claims `ssn` and `socialno` repeat.
    pub(crate) by_number: bool,
    /// The claim `authenticationtype` names the eID that was used, with a value of `acr_values`.
    pub(crate) eid_claim: bool,
    /// Swedish BankID requires a binding message, and Norwegian BankID accepts none.
    pub(crate) eid_messages: bool,
    /// The person must be compared in every flow.
    pub(crate) required: bool,
}

/// Returns the number after `sub:ssn:`, or `None` if the hint does not name a person by number.
pub(crate) fn hinted_number(hint: &LoginHint) -> Option<&str> {
    let (prefix, number) = hint.expose().split_at_checked(BY_NUMBER.len())?;
    prefix.eq_ignore_ascii_case(BY_NUMBER).then_some(number)
}

/// Returns what is wrong with a hint that names a person by number.
// A provider reads a space as the end of the number and the rest as another instruction. It might
// then prompt a different person than the one who is compared (ruling 24).
pub(crate) fn against_hint(hint: &LoginHint) -> Option<&'static str> {
    if !as_may_be_read(hint.expose()).contains(BY_NUMBER) {
        return None;
    }
    match hinted_number(hint) {
        None => Some("it has text before sub:ssn:, or a different spelling of sub:ssn:"),
        Some("") => Some("it has no number after sub:ssn:"),
        Some(number) if !number.bytes().all(|byte| byte.is_ascii_graphic()) => Some(
            "it has a space, or another character that no national id contains, after sub:ssn:",
        ),
        Some(_) => None,
    }
}

/// Returns what is wrong with a binding message, or with its absence, for these eIDs.
// `spec/providers.md` ID-24.
pub(crate) fn against_message(eids: &[String], message: Option<&str>) -> Option<&'static str> {
    match message {
        // Compared exactly: a refined value may be another product, which need not require one.
        None if eids.iter().any(|eid| eid == SWEDISH_BANKID) => Some("Swedish BankID requires one"),
        // The acknowledgement contains the words that the app shows. A second message would only
        // confuse the person who compares them.
        Some(_) if eids.iter().any(|eid| is_or_refines(eid, NORWEGIAN_BANKID)) => Some(
            "Norwegian BankID accepts none; its acknowledgement contains two words to read to the person",
        ),
        None | Some(_) => None,
    }
}

/// Normalizes a hint to what the most lenient provider may read: without white space and invisible
/// characters, percent-decoded, in lower case, and with full-width letters and characters that look
/// like a colon replaced by the ASCII ones.
fn as_may_be_read(hint: &str) -> Zeroizing<String> {
    let mut read = Zeroizing::new(String::with_capacity(hint.len()));
    let mut rest = hint.chars();
    while let Some(c) = rest.next() {
        let escaped = || char::from_u32(u32::from_str_radix(rest.as_str().get(..2)?, 16).ok()?);
        let c = match c {
            '%' => match escaped() {
                Some(decoded) => {
                    rest.nth(1);
                    decoded
                }
                None => c,
            },
            // Full-width forms are in the same order as the ASCII characters.
            '\u{ff01}'..='\u{ff5e}' => {
                u32::from(c).checked_sub(0xfee0).and_then(char::from_u32).unwrap_or(c)
            }
            '\u{2d0}' | '\u{2236}' | '\u{a789}' | '\u{fe13}' | '\u{fe55}' => ':',
            // The long s, which case folding maps to `s`.
            '\u{17f}' => 's',
            _ => c,
        };
        // In a form, `+` is a space.
        if is_plain(c) && !c.is_whitespace() && c != '+' {
            read.push(c.to_ascii_lowercase());
        }
    }
    read
}

/// A person named by number. `Debug` does not show the number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ExpectedPerson {
    pub(crate) number: ExpectedText,
    pub(crate) demand: Demand,
}

named! {
    /// The claim that is required.
    pub(crate) enum Demand {
        /// No claim is required.
        Nothing = "nothing",
        /// `ssn`, if the token says that Swedish BankID was used.
        SsnOfSwedishBankId = "ssn_of_swedish_bank_id",
        /// `ssn`.
        Ssn = "ssn",
        /// `socialno`.
        Socialno = "socialno",
        /// Either `ssn` or `socialno`.
        Either = "either",
    }
}

impl ExpectedPerson {
    /// Creates the expectation of a person. Which claim is required depends on the requested eIDs.
    // Ruling 25: Swedish BankID always sends the number, so a token without it proves nothing.
    pub(crate) fn new(number: &str, eids: &[String], presence: Option<Presence>) -> Self {
        let asks_for = |eid| eids.iter().any(|asked| is_or_refines(asked, eid));
        let demand = match presence {
            Some(Presence::IfPresent) => Demand::Nothing,
            None | Some(Presence::Required) if asks_for(SWEDISH_BANKID) => Demand::Ssn,
            None => Demand::SsnOfSwedishBankId,
            Some(Presence::Required) if asks_for(NORWEGIAN_BANKID) => Demand::Socialno,
            Some(Presence::Required) => Demand::Either,
        };
        Self { number: ExpectedText::new(number), demand }
    }

    pub(crate) fn looks_at(name: &str) -> bool {
        matches!(name, SSN | SOCIALNO | EID)
    }

    /// Compares the claims with this person. Both claims are compared if they are present,
    /// whichever eID was requested.
    pub(crate) fn check<'a, 'b: 'a>(
        &self,
        claim: &impl Fn(&str) -> Option<&'a Scalar<'b>>,
        now: Timestamp,
    ) -> Result<Person, Untrusted> {
        let compare = |name| match claim(name) {
            None | Some(Scalar::Null) => Ok(false),
            Some(value) if self.is_shown_by(value, now) => Ok(true),
            Some(_) => Err(Untrusted::AnotherPerson),
        };
        let (ssn, socialno) = (compare(SSN)?, compare(SOCIALNO)?);
        let is_swedish = || {
            claim(EID).and_then(Scalar::text).is_some_and(|eid| is_or_refines(eid, SWEDISH_BANKID))
        };
        let is_met = match self.demand {
            Demand::Nothing => true,
            // With another eID the number may legitimately be missing, and the result says so
            // (ruling 25).
            Demand::SsnOfSwedishBankId => ssn || !is_swedish(),
            Demand::Ssn => ssn,
            Demand::Socialno => socialno,
            Demand::Either => ssn || socialno,
        };
        match (is_met, ssn || socialno) {
            (false, _) => Err(Untrusted::AnotherPerson),
            (true, true) => Ok(Person::Compared(ComparedBy::NationalId)),
            // Not an error: the caller did not require the comparison, and sees that there was
            // none.
            (true, false) => Ok(Person::NotCompared(NotCompared::NotInToken)),
        }
    }

    fn is_shown_by(&self, value: &Scalar<'_>, now: Timestamp) -> bool {
        match value {
            Scalar::Text(text) => is_same(self.number.expose(), text, now),
            // Some providers may send the digits as a number. If it lost a leading zero, it is not
            // equal.
            Scalar::Whole(number) => {
                is_same(self.number.expose(), &alloc::format!("{number}"), now)
            }
            Scalar::Null
            | Scalar::Bool(_)
            | Scalar::Negative(_)
            | Scalar::Fraction(_)
            | Scalar::Texts(_)
            | Scalar::Other => false,
        }
    }
}

/// Whether two strings certainly denote the same person: they are equal byte for byte, or the same
/// Swedish number.
fn is_same(one: &str, other: &str, now: Timestamp) -> bool {
    let year = year_of(now);
    one == other || swedish(one, year).is_some_and(|number| swedish(other, year) == Some(number))
}

/// Returns a number in canonical form, so that all spellings of it are equal.
pub(crate) fn in_one_spelling(number: &str, now: Timestamp) -> String {
    match swedish(number, year_of(now)) {
        Some(digits) => digits.iter().filter_map(|digit| char::from_digit(*digit, 10)).collect(),
        None => number.into(),
    }
}

/// Returns the twelve digits `YYYYMMDDNNNN` of a Swedish personal or coordination number, which is
/// written with twelve or ten digits, with or without a sign before the last four. Returns `None`
/// if it is not such a number or could belong to another person.
///
/// Ten digits omit the century, and the sign restores it: `+` from the year of the hundredth
/// birthday on, `-` before. A missing sign counts as `-`. The check digit is not verified, because
/// both spellings have the same one.
fn swedish(text: &str, year: u32) -> Option<[u32; 12]> {
    let (front, back) = text.split_at_checked(text.len().checked_sub(4)?)?;
    let (front, sign) = match front.strip_suffix(['-', '+']) {
        Some(digits) => (digits, front.chars().next_back()),
        None => (front, None),
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(front) || !digits(back) {
        return None;
    }
    // The sign is part of the number: without it two persons a hundred years apart would be equal.
    let is_old = sign == Some('+');
    let latest = if is_old { year.checked_sub(100)? } else { year };
    let born = match front.len() {
        8 => front.get(..4)?.parse().ok()?,
        6 => {
            let within: u32 = front.get(..2)?.parse().ok()?;
            // The last year with these two digits that is not after `latest`.
            latest.checked_sub((latest + 100 - within) % 100)?
        }
        _ => return None,
    };
    // A year outside of this range is a typing error or another kind of number.
    if !(1800..=latest).contains(&born) {
        return None;
    }
    let rest = front.get(front.len().checked_sub(4)?..)?;
    let (month, day): (u32, u32) = (rest.get(..2)?.parse().ok()?, rest.get(2..)?.parse().ok()?);
    // In a coordination number, 60 is added to the day.
    if !is_date(born, month, if day > 60 { day - 60 } else { day }) {
        return None;
    }
    let spelt = alloc::format!("{born:04}{rest}{back}");
    let mut number = [0; 12];
    for (slot, digit) in number.iter_mut().zip(spelt.chars()) {
        *slot = digit.to_digit(10)?;
    }
    Some(number)
}

/// Whether a day exists in the Gregorian calendar.
pub(crate) fn is_date(year: u32, month: u32, day: u32) -> bool {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let longest = match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        1..=12 => 31,
        _ => return false,
    };
    (1..=longest).contains(&day)
}

/// Returns the calendar year in UTC.
fn year_of(now: Timestamp) -> u32 {
    let mut days = now.unix_secs() / 86_400;
    let mut year = 1970;
    // This terminates, because timestamps end with the year 9999.
    loop {
        let length = if is_date(year, 2, 29) { 366 } else { 365 };
        if days < length {
            return year;
        }
        days -= length;
        year += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// REQ-SEC-12b
    #[test]
    fn the_prompt_guard_uses_one_spelling_per_person() {
        let now = Timestamp::from_unix_secs(1_893_456_000);
        let spellings = ["198010121233", "19801012-1233", "8010121233", "801012-1233"];
        for spelling in spellings {
            assert_eq!(in_one_spelling(spelling, now), "198010121233", "{spelling}");
        }
        assert_ne!(in_one_spelling("801012+1233", now), "198010121233");
        assert_eq!(in_one_spelling("05073500186", now), "05073500186");
    }

    /// The last and the first second of a year.
    const NEW_YEARS_EVE_2025: u64 = 1_767_225_599;

    fn at(year: u32) -> Timestamp {
        let days: u64 = (1970..year).map(|year| if is_date(year, 2, 29) { 366 } else { 365 }).sum();
        Timestamp::from_unix_secs(days * 86_400 + 180 * 86_400)
    }

    #[test]
    fn the_year_changes_at_midnight_utc() {
        assert_eq!(year_of(Timestamp::EPOCH), 1970);
        assert_eq!(year_of(Timestamp::from_unix_secs(NEW_YEARS_EVE_2025)), 2025);
        assert_eq!(year_of(Timestamp::from_unix_secs(NEW_YEARS_EVE_2025 + 1)), 2026);
        assert_eq!(year_of(Timestamp::from_unix_millis(u64::MAX)), 9999);
        assert_eq!(year_of(at(2400)), 2400);
    }

    #[test]
    fn spellings_of_one_swedish_person_are_the_same_and_all_others_are_not() {
        for (one, other, same) in [
            ("196802020575", "196802020575", true),
            ("196802020575", "19680202-0575", true),
            ("196802020575", "6802020575", true),
            ("196802020575", "680202-0575", true),
            ("19680202-0575", "680202-0575", true),
            ("6802020575", "680202-0575", true),
            // Coordination numbers.
            ("197010632391", "701063-2391", true),
            ("197010632391", "19701063-2391", true),
            ("197010632391", "701003-2391", false),
            // Another century is another person.
            ("186802020575", "6802020575", false),
            ("186802020575", "196802020575", false),
            ("191802020575", "180202-0575", false),
            ("201802020575", "180202-0575", true),
            ("201802020575", "1802020575", true),
            ("191802020575", "1802020575", false),
            ("191802020575", "180202+0575", true),
            ("191802020575", "19180202-0575", true),
            ("191802020575", "19180202+0575", true),
            ("201802020575", "180202+0575", false),
            ("201802020575", "20180202+0575", false),
            ("186802020575", "680202+0575", true),
            ("196802020575", "680202+0575", false),
            // From the year of the hundredth birthday on, the sign is a plus.
            ("192602020575", "260202+0575", true),
            ("192602020575", "260202-0575", false),
            ("192702020575", "270202-0575", true),
            ("192702020575", "270202+0575", false),
            // Another number.
            ("196802020575", "196802020576", false),
            ("196802020575", "6802020576", false),
            ("196802020575", "196802020575 ", false),
            ("196802020575", "1968-0202-0575", false),
            ("196802020575", "19680202--0575", false),
            ("196802020575", "19680202\u{2013}0575", false),
            ("196802020575", "19680202 0575", false),
            ("196802020575", "+6802020575", false),
            ("196802020575", "", false),
            ("196802020575", "0575", false),
            // Not a date, so not a Swedish number: only equal strings are the same.
            ("199913020575", "991302-0575", false),
            ("199913020575", "199913020575", true),
            ("199902290575", "990229-0575", false),
            // Norwegian numbers have eleven digits and a single spelling.
            ("01010750160", "01010750160", true),
            ("01010750160", "010107-50160", false),
            ("01010750160", "0101075016", false),
        ] {
            let now = at(2026);
            assert_eq!(
                (is_same(one, other, now), is_same(other, one, now)),
                (same, same),
                "{one} {other}"
            );
        }
    }

    /// The property behind the table: the century is never guessed wrong, whatever the spelling.
    #[test]
    fn every_spelling_of_a_year_is_read_as_that_year_or_refused() {
        for now in [1999, 2000, 2026, 2099, 2100] {
            for born in now - 199..=now {
                let whole = alloc::format!("{born}02020575");
                let short = alloc::format!("{:02}0202", born % 100);
                let is_old = now - born >= 100;
                for (spelt, same) in [
                    (alloc::format!("{short}0575"), !is_old),
                    (alloc::format!("{short}-0575"), !is_old),
                    (alloc::format!("{short}+0575"), is_old),
                    (alloc::format!("{born}0202-0575"), true),
                    (alloc::format!("{born}0202+0575"), is_old),
                ] {
                    assert_eq!(is_same(&whole, &spelt, at(now)), same, "{whole} {spelt} in {now}");
                }
            }
        }
    }

    #[test]
    fn a_hint_with_a_national_id_contains_nothing_else() {
        for (hint, number, is_refused) in [
            ("sub:ssn:196802020575", Some("196802020575"), false),
            ("SUB:SSN:196802020575", Some("196802020575"), false),
            ("sub:ssn:131052-308T", Some("131052-308T"), false),
            ("sub:ssncountry:SE", None, false),
            ("sub:email:a@example.org", None, false),
            ("sub:ssn", None, false),
            ("", None, false),
            ("sub:ssn:", Some(""), true),
            (" sub:ssn:196802020575", None, true),
            ("sub:ssn: 196802020575", Some(" 196802020575"), true),
            ("sub:ssn:196802020575 ", Some("196802020575 "), true),
            ("sub:ssn:196802020575\t", Some("196802020575\t"), true),
            ("sub:ssn:19680202 0575", Some("19680202 0575"), true),
            ("sub:ssn:19680202\u{a0}0575", Some("19680202\u{a0}0575"), true),
            ("sub:ssn:19680202\u{200b}0575", Some("19680202\u{200b}0575"), true),
            ("sub:ssn:1 sub:ssn:2", Some("1 sub:ssn:2"), true),
            ("message:aGk= sub:ssn:196802020575", None, true),
            // Strings that a lenient provider reads as a number.
            ("sub: ssn:196802020575", None, true),
            ("sub:ssn :196802020575", None, true),
            ("sub:ssn\t:196802020575", None, true),
            ("s\u{200b}ub:ssn:196802020575", None, true),
            ("sub%3assn%3A196802020575", None, true),
            ("sub%20:ssn:196802020575", None, true),
            ("sub+:ssn:196802020575", None, true),
            ("sub\u{ff1a}ssn\u{ff1a}196802020575", None, true),
            ("\u{ff33}UB:ssn:196802020575", None, true),
            ("sub:\u{17f}sn:196802020575", None, true),
            ("sub%3", None, false),
            ("sub%", None, false),
            ("sub%zz:a", None, false),
        ] {
            let hint = LoginHint::new(hint);
            assert_eq!(hinted_number(&hint), number);
            assert_eq!(against_hint(&hint).is_some(), is_refused, "{number:?}");
        }
    }
}
