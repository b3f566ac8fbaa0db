//! What the command says: lines of JSON for scripts, or words for people.

mod json;
mod text;

use std::{
    borrow::Cow,
    io::{self, IsTerminal as _, Write as _},
    path::Path,
    time::Duration,
};

use ciba_core::{
    Acknowledgement, Authentication, ClientConfig, DeliveryMode, Deviation, Endpoint, Event,
    Failure, Timestamp, Wait, WaitReason,
};

pub(crate) use self::json::{Line, escaped};
use crate::{
    advice::Known,
    args::{Format, Report},
    demo::Story,
    exit,
    listen::Refusal,
    time,
};

/// Tells the person or the script what happens.
///
/// In JSON every event is one line on standard output. In text what happens goes to standard error
/// and the result to standard output, so that it can be redirected; on a terminal one line is kept
/// up to date.
#[derive(Debug)]
pub(crate) struct Reporter {
    format: Format,
    verbose: bool,
    /// Standard error is a terminal and text goes there.
    live: bool,
    /// Lines that wait until it is clear that the options were right; see [`Self::hold`].
    held: Option<Vec<String>>,
    /// The last thing said about waiting, so that it is said once.
    said: String,
    /// What the line on the terminal says.
    status: String,
    asked_at: Option<Timestamp>,
    deadline: Option<Timestamp>,
    frame: usize,
    show_tokens: bool,
    delivery: DeliveryMode,
    /// How many calls of the notification endpoint were refused.
    refusals: u32,
    /// What helps to say what can be done about a failure.
    known: Known,
    /// The demonstration's own words, instead of those of every day.
    story: Option<Story>,
}

impl Reporter {
    pub(crate) fn new(report: Report, show_tokens: bool) -> Self {
        Self {
            format: report.output,
            verbose: report.verbose,
            live: report.output == Format::Text && io::stderr().is_terminal(),
            held: None,
            said: String::new(),
            status: String::new(),
            asked_at: None,
            deadline: None,
            frame: 0,
            show_tokens,
            delivery: DeliveryMode::Poll,
            refusals: 0,
            known: Known::default(),
            story: None,
        }
    }

    /// Tells the story of a demonstration.
    pub(crate) fn tell(&mut self, story: Story) {
        put(&story.opening());
        self.story = Some(story);
    }

    /// Keeps lines back: a mistake in the options that shows only against the provider's metadata
    /// must leave standard output empty, and everything else must leave a last line there.
    pub(crate) fn hold(&mut self) {
        self.held = Some(Vec::new());
    }

    /// The options were right: lines go out.
    pub(crate) fn release(&mut self) {
        for line in self.held.take().unwrap_or_default() {
            put(&line);
        }
    }

    /// A saved flow knows when its authentication request expires.
    pub(crate) const fn expires(&mut self, at: Option<Timestamp>) {
        self.deadline = at;
    }

    /// How the result will come.
    pub(crate) const fn comes_by(&mut self, delivery: DeliveryMode) {
        self.delivery = delivery;
    }

    /// A flow is about to begin, or to be resumed.
    pub(crate) fn started(&mut self, issuer: Option<&str>, client_id: Option<&str>, resumed: bool) {
        if self.format == Format::Json {
            let line = Line::new("started").some("issuer", issuer).some("client_id", client_id);
            let line = if resumed { line.with("resumed", true) } else { line };
            self.line(line);
        } else if self.story.is_none() {
            let who = client_id.map(|id| format!(" as client {}", plain(id))).unwrap_or_default();
            let whom = issuer.unwrap_or("the provider");
            let verb = if resumed {
                "Going on with the authentication at"
            } else {
                "Starting an authentication at"
            };
            self.say(&format!("{verb} {whom}{who}."));
        }
    }

    /// Something a driver did or is about to do.
    pub(crate) fn event(&mut self, event: &Event) {
        self.known.awaited.heed(event);
        if let Some(story) = &mut self.story {
            let told = story.event(event);
            self.narrate(told, event);
            return;
        }
        match event {
            Event::Requesting { endpoint, attempt } => self.requesting(*endpoint, *attempt),
            Event::Acknowledgement(acknowledged) => self.acknowledged(acknowledged),
            Event::Notified => self.notified(),
            Event::Waiting(wait) => self.waiting(wait),
            _ => {}
        }
    }

    pub(crate) fn requesting(&mut self, endpoint: Endpoint, attempt: u32) {
        self.known.awaited.heed(&Event::Requesting { endpoint, attempt });
        if endpoint == Endpoint::BackchannelAuthentication {
            self.asked_at = Some(time::now());
        }
        if self.story.is_some() {
            return self.event(&Event::Requesting { endpoint, attempt });
        }
        if self.format == Format::Json {
            return self.line(
                Line::new("requesting").with("endpoint", endpoint.name()).with("attempt", attempt),
            );
        }
        self.status = format!("asking {endpoint}");
        if self.verbose {
            self.say(&format!("Request {attempt} to {endpoint}."));
        }
        self.tick();
    }

    /// A part of the story; while somebody waits, the line on the terminal says so.
    fn narrate(&mut self, told: Option<String>, event: &Event) {
        if let Some(told) = told {
            self.clear();
            put(&told);
        }
        self.status = match event {
            Event::Waiting(_) => "waiting for the person".to_owned(),
            _ => String::new(),
        };
        self.tick();
    }

    /// The test provider's verdict at the end of a demonstration.
    pub(crate) fn judged(&mut self, report: &str, clean: bool) {
        if let Some(story) = &self.story {
            put(&story.judged(report, clean));
        }
    }

    pub(crate) fn acknowledged(&mut self, acknowledged: &Acknowledgement) {
        self.known.awaited.is_acknowledged();
        self.known.is_acknowledged = true;
        let sent_now = self.asked_at.map(|at| at.saturating_add(acknowledged.expires_in));
        self.deadline = sent_now.or(self.deadline);
        if self.format == Format::Json {
            let line = Line::new("acknowledged")
                .with("expires_in", acknowledged.expires_in.as_secs())
                .with("interval", acknowledged.interval.as_secs())
                .with_json("extra", acknowledged.extra.as_json());
            return self.line(json::deviations(line, acknowledged.deviations.iter().copied()));
        }
        self.say(&text::acknowledged(acknowledged, self.delivery));
        for (name, value) in acknowledged.extra.iter() {
            self.say(&format!("  {}: {}", plain(&name), text::value(value)));
        }
        if self.verbose {
            self.odd(acknowledged.deviations.iter().copied());
        }
    }

    /// Deviations of the provider that ended nothing.
    fn odd(&mut self, deviations: impl Iterator<Item = Deviation>) {
        for deviation in deviations {
            self.say(&format!("  odd, and tolerated: {deviation}"));
        }
    }

    fn notified(&mut self) {
        if self.format == Format::Json {
            return self.line(Line::new("notified"));
        }
        self.say("The provider has notified this client.");
    }

    /// A call of the notification endpoint was refused. Anybody can call it, so only the first few
    /// are told, and nothing of them.
    pub(crate) fn refused_notification(&mut self, status: u16, refusal: Refusal) {
        const MOST: u32 = 20;
        self.refusals = self.refusals.saturating_add(1);
        if self.refusals > MOST || self.story.is_some() {
            return;
        }
        let (reason, sentence) = refusal.words();
        if self.format == Format::Json {
            return self.line(
                Line::new("notification_refused").with("status", status).with("reason", reason),
            );
        }
        self.detail(&format!("A notification was refused (status {status}): {sentence}."));
    }

    fn waiting(&mut self, wait: &Wait) {
        if self.format == Format::Json {
            let line = Line::new("waiting")
                .with("until", time::rfc3339(wait.until()))
                .with("because", wait.reason().name())
                .some("progress", wait.progress());
            return self.line(line);
        }
        if *wait.reason() == WaitReason::InFlight {
            return;
        }
        let sentence = text::waiting(wait);
        self.status.clone_from(&sentence);
        if self.verbose || sentence != self.said {
            self.said.clone_from(&sentence);
            if !self.live || self.verbose {
                let now = time::now();
                // To the nearest second: a wait of five seconds and the jitter is not one of six.
                let next = (wait.until().since(now) + Duration::from_millis(499)).as_secs();
                let left = self.seconds_left(now);
                // In push mode, and when nobody knows what to ask for, nothing is asked at the end
                // of a wait; nor when time is up then.
                let asks = self.delivery != DeliveryMode::Push
                    && *wait.reason() != WaitReason::Adrift
                    && left.is_none_or(|left| next < left);
                let times = times(asks, next, left);
                self.say(&format!("{sentence} ({times})."));
            }
        }
        self.tick();
    }

    /// Brings the line on the terminal up to date.
    pub(crate) fn tick(&mut self) {
        const FRAMES: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
        if !self.live || self.status.is_empty() {
            return;
        }
        self.frame = (self.frame + 1) % FRAMES.len();
        let now = time::now();
        let left =
            self.seconds_left(now).map(|left| format!(" · {left} s left")).unwrap_or_default();
        let frame = FRAMES[self.frame];
        // Without wrapping, a narrow terminal cuts the line instead of leaving copies of it behind.
        let mut stderr = io::stderr().lock();
        let _ = write!(stderr, "\r\x1b[2K\x1b[?7l{frame} {}{left}\x1b[?7h", self.status);
        let _ = stderr.flush();
    }

    fn seconds_left(&self, now: Timestamp) -> Option<u64> {
        self.deadline.map(|deadline| seconds(deadline.since(now)))
    }

    /// What the options say that a sentence about a failure may need.
    pub(crate) fn know(&mut self, known: Known) {
        self.known = known;
    }

    /// `--timeout` is over.
    pub(crate) const fn timed_out(&mut self) {
        self.known.given_up = Some("--timeout was over");
    }

    /// Ctrl-C, where nothing is kept.
    pub(crate) const fn interrupted(&mut self) {
        self.known.given_up = Some("interrupted");
    }

    /// The person was authenticated. An error when standard output cannot be written.
    pub(crate) fn authenticated(
        &mut self,
        authentication: &Authentication,
        config: &ClientConfig,
    ) -> io::Result<()> {
        self.clear();
        self.status.clear();
        if self.format == Format::Text {
            self.odd(authentication.deviations());
        }
        if let Some(story) = &mut self.story {
            try_put(&story.closing(&text::claims(authentication)))
        } else if self.format == Format::Json {
            try_put(&json::authenticated(authentication, self.show_tokens).finish())
        } else {
            try_put(text::authenticated(authentication, config, self.show_tokens).trim_end())
        }
    }

    /// The flow ended without an authentication.
    pub(crate) fn failed(&mut self, failure: &Failure) {
        if self.format == Format::Json {
            self.line(json::failed(failure));
        }
        let sentence = exit::sentence(failure, &self.known);
        self.stopped(&sentence);
    }

    /// The flow ended for want of keys, and its tokens are in the state file.
    pub(crate) fn unverified(&mut self, failure: &Failure, kept: &Path) {
        let kept = kept.display().to_string();
        let sentence = exit::sentence(failure, &self.known);
        let command = format!("ciba resume --state {}", quoted(&kept));
        if self.format == Format::Json {
            self.line(json::failed(failure).with("state", kept));
        }
        self.stopped(&format!(
            "{sentence}; the tokens are kept, ask for the keys again by: {command}"
        ));
    }

    /// The command ends before the flow does. `kept` is the state file from which the flow can be
    /// resumed.
    pub(crate) fn left(&mut self, kept: Option<&Path>) {
        if self.format == Format::Json {
            let kept = kept.map(|path| path.display().to_string());
            self.line(json::failed(&Failure::Abandoned).some("state", kept));
        }
    }

    /// One sentence about why the command ends.
    pub(crate) fn stopped(&mut self, sentence: &str) {
        self.status.clear();
        self.say(&format!("ciba: {sentence}"));
    }

    /// A sentence for the person, whatever the format.
    pub(crate) fn say(&mut self, sentence: &str) {
        self.clear();
        put_error(sentence);
    }

    /// A detail for `-v`.
    pub(crate) fn detail(&mut self, sentence: &str) {
        if self.verbose {
            self.say(sentence);
        }
    }

    fn clear(&mut self) {
        if self.live {
            let _ = write!(io::stderr().lock(), "\r\x1b[2K");
        }
    }

    fn line(&mut self, line: Line) {
        let line = line.finish();
        match &mut self.held {
            Some(held) => held.push(line),
            None => put(&line),
        }
    }
}

/// The verified claims, without the one that only ties a pushed token to its request.
///
/// Each is a name and JSON text: they are shown as they were signed, and nothing in them is
/// interpreted on the way.
fn claims(authentication: &Authentication) -> impl Iterator<Item = (Cow<'_, str>, &str)> {
    let claims = authentication.id_token().into_iter().flat_map(|token| token.iter_claims());
    claims.filter(|(name, _)| *name != "urn:openid:params:jwt:claim:auth_req_id")
}

/// How long a wait is, and how long the person has. An answer or a notification is taken until a
/// minute after that.
fn times(asks: bool, next: u64, left: Option<u64>) -> String {
    match (asks, left) {
        (true, Some(left)) => format!("next request in {next} s, {left} s left"),
        (true, None) => format!("next request in {next} s"),
        (false, Some(left)) if left < next => {
            format!("{left} s left, a late answer is taken for {next} s")
        }
        (false, Some(left)) => format!("{left} s left"),
        (false, None) => format!("at most {next} s more"),
    }
}

/// Whole seconds, rounded up.
fn seconds(time: Duration) -> u64 {
    time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0))
}

/// The access token's lifetime, counted from its arrival.
fn lifetime(authentication: &Authentication) -> Option<Duration> {
    authentication.expires_at().map(|end| end.since(authentication.received_at()))
}

/// A line on standard output. Nobody may be listening any more; that is no reason to drop an
/// authentication.
pub(crate) fn put(line: &str) {
    let _ = try_put(line);
}

/// The same, for what is lost when nobody gets it.
pub(crate) fn try_put(line: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{line}").and_then(|()| stdout.flush())
}

/// A line on standard error. `eprintln` panics when nobody is listening there.
pub(crate) fn put_error(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Makes a string of another party safe to print on one line.
// REQ-AERR-15
pub(crate) use ciba_core::text::plain;

/// A word as a shell reads it.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// REQ-AERR-15
    #[test]
    fn foreign_text_cannot_steer_a_terminal() {
        assert_eq!(plain("a\x1b[2Jb\nc\u{202e}d\u{9b}e"), "a [2Jb c d e");
    }

    #[test]
    fn the_times_of_a_wait_do_not_contradict_each_other() {
        assert_eq!(times(true, 5, Some(115)), "next request in 5 s, 115 s left");
        assert_eq!(times(true, 5, None), "next request in 5 s");
        // Push: the wait ends a minute after the person's time.
        assert_eq!(times(false, 180, Some(120)), "120 s left, a late answer is taken for 180 s");
        assert_eq!(times(false, 1, Some(1)), "1 s left");
        assert_eq!(times(false, 600, None), "at most 600 s more");
    }

    #[test]
    fn words_are_quoted_where_a_shell_would_take_them_apart() {
        assert_eq!(quoted("sub:ssn:1"), "sub:ssn:1");
        assert_eq!(quoted("a b"), "'a b'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }
}
