//! Numbers chosen by a provider. No JSON value makes them overflow, become negative or be mistaken
//! for another number.

use core::time::Duration;

use crate::{bounds, json::Raw};

/// The meaning of an `interval` member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interval {
    /// A whole number of seconds within the limits.
    AsGiven(Duration),
    /// A number that was rounded up, parsed from a string of digits, or clamped.
    Adjusted(Duration),
    /// Zero, negative or not a number, so it is ignored.
    Unusable,
}

/// Reads an `interval`.
// Ruling 1: an interval never ends a flow.
pub(crate) fn interval(value: Raw<'_>) -> Interval {
    let (seconds, exact) = match (whole(value), value.number().and_then(double)) {
        (Some(whole), _) => (whole.seconds, !whole.was_text),
        // Rounded up, so that the client never polls earlier than the provider asked.
        (None, Some(fraction)) if fraction > 0.0 => (truncated(fraction).saturating_add(1), false),
        (None, _) => return Interval::Unusable,
    };
    let given = Duration::from_secs(seconds);
    match bounds::INTERVAL.clamp(given) {
        _ if given.is_zero() => Interval::Unusable,
        clamped if clamped == given && exact => Interval::AsGiven(given),
        clamped => Interval::Adjusted(clamped),
    }
}

/// A non-negative whole number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Whole {
    /// The number, or [`u64::MAX`] if it does not fit.
    pub(crate) seconds: u64,
    /// Whether it was a string of digits.
    pub(crate) was_text: bool,
}

/// Reads a non-negative whole number: a JSON number without a fraction (`120`, `120.0`, `1.2e2`) or
/// a string of digits.
// REQ-ACK-08, REQ-ACK-09, ruling 2: some providers send strings.
pub(crate) fn whole(value: Raw<'_>) -> Option<Whole> {
    if let Some(number) = value.number() {
        // `120.0` and `1.2e2` are the same number as `120` (RFC 8259 section 6).
        let from_fraction =
            || double(number).filter(|value| *value >= 0.0 && is_whole(*value)).map(truncated);
        return number
            .parse()
            .ok()
            .or_else(from_fraction)
            .map(|seconds| Whole { seconds, was_text: false });
    }
    digits(&value.text()?).map(|seconds| Whole { seconds, was_text: true })
}

/// Reads a number as `f64`. A number out of range is rejected, so that it is never mistaken for a
/// usable one.
// REQ-SEC-24
fn double(number: &str) -> Option<f64> {
    number.parse().ok().filter(|value: &f64| value.is_finite())
}

/// Reads a string of decimal digits. A number that does not fit becomes [`u64::MAX`].
pub(crate) fn digits(text: &str) -> Option<u64> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    // Too large for `u64` is still large: the callers clamp it.
    plain.then(|| text.parse().unwrap_or(u64::MAX))
}

/// Truncates a number. Negative numbers become zero, large ones [`u64::MAX`].
#[cfg_attr(
    not(test),
    expect(clippy::as_conversions, reason = "saturates; there is no other one without `std`")
)]
fn truncated(value: f64) -> u64 {
    value as u64
}

#[cfg_attr(not(test), expect(clippy::as_conversions, reason = "exact: the number is below 2^53"))]
fn is_whole(value: f64) -> bool {
    // From 2^53 on, every `f64` is a whole number.
    value >= 9_007_199_254_740_992.0 || truncated(value) as f64 == value
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString as _;

    use serde_json::json;

    use super::*;

    /// REQ-ACK-08
    /// REQ-ACK-09
    /// REQ-ACK-10
    #[test]
    fn whole_numbers_are_read_from_numbers_and_digit_strings() {
        let number = |seconds| Some(Whole { seconds, was_text: false });
        let text = |seconds| Some(Whole { seconds, was_text: true });
        for (value, expected) in [
            (json!(120), number(120)),
            (json!(120.0), number(120)),
            (json!(1.2e2), number(120)),
            (json!(0), number(0)),
            (json!(1_000_000_000_000_000_000_u64), number(1_000_000_000_000_000_000)),
            (json!(9_007_199_254_740_993.0), number(9_007_199_254_740_992)),
            (json!(1e300), number(u64::MAX)),
            (json!("120"), text(120)),
            (json!("0120"), text(120)),
            (json!("99999999999999999999999999"), text(u64::MAX)),
            (json!(-5), None),
            (json!(-0.5), None),
            (json!(1.5), None),
            (json!("-5"), None),
            (json!("1.5"), None),
            (json!("1e400"), None),
            (json!(" 5"), None),
            (json!("+5"), None),
            (json!("٥"), None),
            (json!(""), None),
            (json!(null), None),
            (json!(true), None),
            (json!([120]), None),
            (json!({"a": 120}), None),
        ] {
            assert_eq!(whole(Raw::parse(&value.to_string()).unwrap()), expected, "{value}");
        }
    }

    /// REQ-ACK-13a
    /// REQ-ACK-14
    /// OPM-ACK-08
    #[test]
    fn an_interval_is_rounded_up_clamped_or_unusable() {
        let given = |seconds| Interval::AsGiven(Duration::from_secs(seconds));
        let adjusted = |seconds| Interval::Adjusted(Duration::from_secs(seconds));
        for (value, expected) in [
            (json!(1), given(1)),
            (json!(31), given(31)),
            (json!(2.0), given(2)),
            (json!(2.5), adjusted(3)),
            (json!(0.001), adjusted(1)),
            (json!("5"), adjusted(5)),
            (json!(1_000_000_000), adjusted(86_400)),
            (json!(u64::MAX), adjusted(86_400)),
            (json!(1e300), adjusted(86_400)),
            (json!("100000000000000000000"), adjusted(86_400)),
            (json!(0), Interval::Unusable),
            (json!(0.0), Interval::Unusable),
            (json!(-0.0), Interval::Unusable),
            (json!("0"), Interval::Unusable),
            (json!(-1), Interval::Unusable),
            (json!(-1e300), Interval::Unusable),
            (json!("five"), Interval::Unusable),
            (json!("2.5"), Interval::Unusable),
            (json!(false), Interval::Unusable),
            (json!([]), Interval::Unusable),
            (json!({}), Interval::Unusable),
        ] {
            assert_eq!(interval(Raw::parse(&value.to_string()).unwrap()), expected, "{value}");
        }
    }
}
