//! Sentences for people.

use std::fmt::Write as _;

use ciba_core::{
    Acknowledgement, Authentication, ClientConfig, DeliveryMode, Timestamp, Wait, WaitReason,
};

use super::plain;
use crate::time;

pub(super) fn acknowledged(acknowledged: &Acknowledgement, delivery: DeliveryMode) -> String {
    let then = match delivery {
        DeliveryMode::Poll => {
            format!("it wants to be asked every {} s", acknowledged.interval.as_secs())
        }
        DeliveryMode::Ping => "it will say when to ask for the result".to_owned(),
        DeliveryMode::Push => "it will deliver the result".to_owned(),
    };
    format!(
        "The provider is asking the person, who has {} s to answer; {then}.",
        acknowledged.expires_in.as_secs()
    )
}

/// What is waited for, without the numbers that change.
pub(super) fn waiting(wait: &Wait) -> String {
    match (wait.reason(), wait.progress()) {
        (WaitReason::Setback(setback), _) => format!("Trying again: {setback}"),
        (WaitReason::SlowDown, Some(words)) => {
            format!("Waiting for the person; the provider wants to be asked less often, and says: {}", plain(words))
        }
        (_, Some(progress)) => format!("Waiting for the person; the provider says: {}", plain(progress)),
        (WaitReason::Notification, None) => "Waiting for the person; the provider will notify us".to_owned(),
        (WaitReason::Adrift, None) => {
            "The provider's answer was lost; if it asks the person all the same, its notification tells".to_owned()
        }
        (WaitReason::SlowDown, None) => "Waiting for the person; the provider wants to be asked less often".to_owned(),
        (_, None) => "Waiting for the person".to_owned(),
    }
}

pub(super) fn authenticated(
    authentication: &Authentication,
    config: &ClientConfig,
    show_tokens: bool,
) -> String {
    let mut text = match authentication.subject() {
        Ok(subject) => format!("Authenticated: {}\n", plain(subject)),
        Err(_) => "Authorized, without an ID Token\n".to_owned(),
    };
    let _ = writeln!(text, "The person was {}.", authentication.person());
    let _ = writeln!(text, "Received at {}", received(authentication.received_at(), time::now()));
    if authentication.id_token().is_some() {
        let _ = writeln!(
            text,
            "Verified claims of the ID Token ({} by {}):",
            config.id_token_algorithm(),
            config.issuer()
        );
        text.push_str(&claims(authentication));
    }
    let _ = writeln!(text, "Granted: {}", granted(authentication));
    let difference = authentication.difference();
    for (what, values) in [
        ("Asked for and not granted: scope", &difference.scope),
        ("Asked for and not granted: authorization_details", &difference.authorization_details),
        ("Asked for and not granted: resource", &difference.resources),
        (
            "Granted and not asked for: authorization_details",
            &difference.unasked_authorization_details,
        ),
    ] {
        for value in values {
            let _ = writeln!(text, "{what} {}", plain(&super::json::compact(value)));
        }
    }
    let lifetime = super::lifetime(authentication)
        .map(|life| format!(", valid for {} s", life.as_secs()))
        .unwrap_or_default();
    let refresh =
        if authentication.refresh_token().is_some() { ", with a refresh token" } else { "" };
    let hidden = if show_tokens { "" } else { "; --show-tokens shows it" };
    let _ = writeln!(
        text,
        "Access token: {}{lifetime}{refresh}{hidden}",
        plain(authentication.token_type())
    );
    if show_tokens {
        let _ = writeln!(text, "  access_token  {}", plain(authentication.access_token().expose()));
        if let Some(token) = authentication.refresh_token() {
            let _ = writeln!(text, "  refresh_token {}", plain(token.expose()));
        }
        if let Some(token) = authentication.id_token() {
            let _ = writeln!(text, "  id_token      {}", plain(token.compact().expose()));
        }
    }
    text
}

/// What was granted, as far as the provider says so.
fn granted(authentication: &Authentication) -> String {
    let scope = authentication.scope();
    let mut granted = vec![if scope.is_empty() {
        "no scope".to_owned()
    } else {
        format!("scope {}", plain(scope))
    }];
    granted.extend(
        authentication.authorization_details().map(|details| {
            format!("authorization_details {}", plain(&super::json::compact(details)))
        }),
    );
    granted.extend(
        authentication.resources().map(|resources| format!("for {}", plain(&resources.join(", ")))),
    );
    granted.join("; ")
}

/// When something was received, and how long ago if that is long.
fn received(at: Timestamp, now: Timestamp) -> String {
    const UNITS: [(u64, &str); 3] = [(86_400, "d"), (3600, "h"), (60, "min")];
    let age = now.since(at).as_secs();
    let unit = UNITS.into_iter().find(|(seconds, _)| age >= *seconds);
    let ago =
        unit.map(|(seconds, unit)| format!(", {} {unit} ago", age / seconds)).unwrap_or_default();
    format!("{}{ago}.", time::rfc3339(at))
}

/// A table of claims.
pub(crate) fn claims(authentication: &Authentication) -> String {
    let names = super::claims(authentication).map(|(name, _)| name.chars().count());
    let width = names.max().unwrap_or_default().min(24);
    let mut text = String::new();
    for (name, claim) in super::claims(authentication) {
        let _ = writeln!(text, "  {:width$}  {}", plain(&name), value(claim));
    }
    text
}

/// A value on one line; texts without their quotes.
pub(super) fn value(json: &str) -> String {
    // A string that is none, for want of half a character, is shown as it stands there.
    match serde_json::from_str::<String>(json) {
        Ok(text) => plain(&text),
        Err(_) => plain(&super::json::compact(json)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_receipt_says_how_old_it_is() {
        let at = Timestamp::from_unix_secs(1_893_456_000);
        for (seconds, ago) in [
            (0, ""),
            (59, ""),
            (60, ", 1 min ago"),
            (7_199, ", 1 h ago"),
            (86_399, ", 23 h ago"),
            (604_800, ", 7 d ago"),
        ] {
            let now = Timestamp::from_unix_secs(1_893_456_000 + seconds);
            assert_eq!(received(at, now), format!("2030-01-01T00:00:00.000Z{ago}."));
        }
        assert_eq!(received(at, Timestamp::EPOCH), "2030-01-01T00:00:00.000Z.", "a clock set back");
    }
}
