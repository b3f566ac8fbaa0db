//! For people: sentences on standard error, and the result on standard output.

use std::{borrow::Cow, fmt::Write as _, io, path::Path, time::Duration};

use ciba_core::{
    Acknowledgement, Authentication, ClientConfig, DeliveryMode, Event, Failure, Timestamp, Wait,
    answer::Deviation, http::Endpoint, machine::WaitReason, text::plain, tokens::UserInfo,
};
use ciba_std::CallError;

use super::{
    claims::{self, lifetime},
    json_text::compact,
    terminal::Terminal,
    voice::{Started, Voice},
};
use crate::{listen::Refusal, stdio::try_put, time};

/// The voice of `--output text`.
#[derive(Debug)]
pub(super) struct Text {
    pub(super) show_tokens: bool,
    pub(super) delivery: DeliveryMode,
    /// The last sentence about waiting, which is not repeated.
    pub(super) said: String,
}

impl Voice for Text {
    fn started(&mut self, to: &mut Terminal, started: &Started<'_>) {
        let client = started.client_id.map(|id| format!(" as client {}", plain(id)));
        let issuer = started.issuer.unwrap_or("the provider");
        let verb = if started.resumed { "Resuming" } else { "Starting" };
        to.say(&format!("{verb} an authentication at {issuer}{}.", client.unwrap_or_default()));
    }

    fn event(&mut self, to: &mut Terminal, event: &Event) {
        match event {
            Event::Requesting { endpoint, attempt } => requesting(to, *endpoint, *attempt),
            Event::Acknowledgement(acknowledgement) => self.acknowledged(to, acknowledgement),
            Event::Notified => to.say("The provider has notified this client."),
            Event::Waiting(wait) => self.waiting(to, wait),
            _ => {}
        }
    }

    fn notification_refused(&mut self, to: &mut Terminal, status: u16, refusal: Refusal) {
        if to.verbose {
            to.say(&format!("A notification was refused (status {status}): {refusal}."));
        }
    }

    fn authenticated(
        &mut self,
        to: &mut Terminal,
        authentication: &Authentication,
        config: &ClientConfig,
    ) -> io::Result<()> {
        tolerated(to, authentication.deviations());
        try_put(authenticated(authentication, config, self.show_tokens).trim_end())
    }

    fn userinfo(&mut self, _: &mut Terminal, user_info: &UserInfo) -> io::Result<()> {
        let how = if user_info.is_signed() { "signed" } else { "not signed" };
        let claims = table(user_info.iter_claims().collect());
        try_put(format!("Claims of the UserInfo endpoint ({how}):\n{claims}").trim_end())
    }

    fn userinfo_failed(&mut self, _: &mut Terminal, _: &CallError) {}

    fn failed(&mut self, _: &mut Terminal, _: &Failure, _: Option<&Path>) {}
}

impl Text {
    fn acknowledged(&self, to: &mut Terminal, acknowledgement: &Acknowledgement) {
        to.say(&acknowledged(acknowledgement, self.delivery));
        for (name, value) in acknowledgement.extra.iter() {
            to.say(&format!("  {}: {}", plain(&name), shown(value)));
        }
        if to.verbose {
            tolerated(to, acknowledgement.deviations.iter().copied());
        }
    }

    fn waiting(&mut self, to: &mut Terminal, wait: &Wait) {
        if *wait.reason() == WaitReason::InFlight {
            return;
        }
        let sentence = waiting(wait);
        if to.verbose || sentence != self.said {
            self.said.clone_from(&sentence);
            if !to.live || to.verbose {
                let now = time::now();
                // Rounded to the nearest second, so that five seconds plus jitter are shown as 5, not 6.
                let next = (wait.until().since(now) + Duration::from_millis(499)).as_secs();
                let left = to.seconds_left(now);
                // In push mode, and if the auth_req_id was lost, no request is sent at the
                // end of a wait; nor when time is up then.
                let asks = self.delivery != DeliveryMode::Push
                    && *wait.reason() != WaitReason::Adrift
                    && left.is_none_or(|left| next < left);
                let times = times(asks, next, left);
                to.say(&format!("{sentence} ({times})."));
            }
        }
        to.status(sentence);
    }
}

fn requesting(to: &mut Terminal, endpoint: Endpoint, attempt: u32) {
    if to.verbose {
        to.say(&format!("Request {attempt} to {endpoint}."));
    }
    to.status(format!("asking {endpoint}"));
}

/// Says which deviations of the provider were tolerated.
pub(super) fn tolerated(to: &mut Terminal, deviations: impl Iterator<Item = Deviation>) {
    for deviation in deviations {
        to.say(&format!("  tolerated: {deviation}"));
    }
}

fn acknowledged(acknowledged: &Acknowledgement, delivery: DeliveryMode) -> String {
    let then = match delivery {
        DeliveryMode::Poll => {
            format!("it allows a request every {} s", acknowledged.interval.as_secs())
        }
        DeliveryMode::Ping => "it will notify this client when the result is ready".to_owned(),
        DeliveryMode::Push => "it will deliver the result".to_owned(),
    };
    format!(
        "The provider is asking the person, who has {} s to answer; {then}.",
        acknowledged.expires_in.as_secs()
    )
}

/// What is waited for, without the numbers that change.
fn waiting(wait: &Wait) -> String {
    match (wait.reason(), wait.progress()) {
        (WaitReason::Setback(setback), _) => format!("Trying again: {setback}"),
        (WaitReason::SlowDown, Some(words)) => {
            format!("Waiting for the person; the provider asks for fewer requests, and says: {}", plain(words))
        }
        (_, Some(progress)) => format!("Waiting for the person; the provider says: {}", plain(progress)),
        (WaitReason::Notification, None) => "Waiting for the person; the provider will notify us".to_owned(),
        (WaitReason::Adrift, None) => {
            "The provider's answer was lost; if it asks the person all the same, its notification tells".to_owned()
        }
        (WaitReason::SlowDown, None) => "Waiting for the person; the provider asks for fewer requests".to_owned(),
        (_, None) => "Waiting for the person".to_owned(),
    }
}

fn authenticated(
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
            let _ = writeln!(text, "{what} {}", plain(&compact(value)));
        }
    }
    let lifetime = lifetime(authentication)
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
        authentication
            .authorization_details()
            .map(|details| format!("authorization_details {}", plain(&compact(details)))),
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
    format!("{at}{ago}.")
}

/// A table of the claims of the ID Token.
pub(super) fn claims(authentication: &Authentication) -> String {
    table(claims::claims(authentication).collect())
}

/// A table of claims.
fn table(claims: Vec<(Cow<'_, str>, &str)>) -> String {
    let names = claims.iter().map(|(name, _)| name.chars().count());
    let width = names.max().unwrap_or_default().min(24);
    let mut text = String::new();
    for (name, claim) in claims {
        let _ = writeln!(text, "  {:width$}  {}", plain(&name), shown(claim));
    }
    text
}

/// A value on one line; strings without their quotes.
fn shown(json: &str) -> String {
    // A string with an unpaired surrogate cannot be decoded and is shown as JSON.
    match serde_json::from_str::<String>(json) {
        Ok(text) => plain(&text),
        Err(_) => plain(&compact(json)),
    }
}

/// How long a wait is, and how long the person has. An answer or a notification is accepted until a
/// minute after that.
fn times(asks: bool, next: u64, left: Option<u64>) -> String {
    match (asks, left) {
        (true, Some(left)) => format!("next request in {next} s, {left} s left"),
        (true, None) => format!("next request in {next} s"),
        (false, Some(left)) if left < next => {
            format!("{left} s left, a late answer is accepted for {next} s")
        }
        (false, Some(left)) => format!("{left} s left"),
        (false, None) => format!("at most {next} s more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_authentication_is_printed_with_its_age() {
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

    #[test]
    fn the_printed_times_of_a_wait_are_consistent() {
        assert_eq!(times(true, 5, Some(115)), "next request in 5 s, 115 s left");
        assert_eq!(times(true, 5, None), "next request in 5 s");
        // Push: the wait ends a minute after the person's time.
        assert_eq!(times(false, 180, Some(120)), "120 s left, a late answer is accepted for 180 s");
        assert_eq!(times(false, 1, Some(1)), "1 s left");
        assert_eq!(times(false, 600, None), "at most 600 s more");
    }
}
