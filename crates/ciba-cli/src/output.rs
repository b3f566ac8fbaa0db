//! What the command says: lines of JSON for scripts, sentences for people, or the story of the
//! demonstration.

mod claims;
mod json;
mod json_text;
mod story;
mod terminal;
mod text;
mod voice;

use std::{io, path::Path};

use ciba_core::{
    Acknowledgement, Authentication, ClientConfig, DeliveryMode, Event, Failure, Timestamp,
    http::Endpoint, tokens::UserInfo,
};
use ciba_std::CallError;

use self::{json::Json, terminal::Terminal, text::Text, voice::Voice};
pub(crate) use self::{json::line, json_text::escaped, story::Story, voice::Started};
use crate::{
    advice::Known,
    args::{Format, Report},
    exit,
    listen::Refusal,
    time,
    wording::quoted,
};

/// Tells the person or the script what happens, in one of the three voices.
#[derive(Debug)]
pub(crate) struct Reporter {
    voice: Box<dyn Voice>,
    terminal: Terminal,
    /// When the authentication request was sent.
    asked_at: Option<Timestamp>,
    /// How many calls of the notification endpoint were refused.
    refusals: u32,
    /// What a sentence about a failure needs.
    known: Known,
}

impl Reporter {
    /// `delivery` is how the result arrives.
    pub(crate) fn new(report: Report, show_tokens: bool, delivery: DeliveryMode) -> Self {
        match report.output {
            Format::Json => Self::with(report, Json { show_tokens }),
            Format::Text => Self::with(report, Text { show_tokens, delivery, said: String::new() }),
        }
    }

    /// For a demonstration.
    pub(crate) fn telling(report: Report, story: Story) -> Self {
        Self::with(report, story)
    }

    fn with(report: Report, voice: impl Voice + 'static) -> Self {
        Self {
            voice: Box::new(voice),
            terminal: Terminal::new(report),
            asked_at: None,
            refusals: 0,
            known: Known::default(),
        }
    }

    /// Holds lines of standard output back until [`Self::release`]: a mistake in the options that
    /// shows only against the provider's metadata must leave standard output empty.
    pub(crate) fn hold(&mut self) {
        self.terminal.hold();
    }

    /// The options were right: lines are written.
    pub(crate) fn release(&mut self) {
        self.terminal.release();
    }

    /// A saved flow knows when its authentication request expires.
    pub(crate) const fn expires(&mut self, at: Option<Timestamp>) {
        self.terminal.deadline = at;
    }

    /// What the options say that a sentence about a failure may need.
    pub(crate) fn know(&mut self, known: Known) {
        self.known = known;
    }

    pub(crate) fn started(&mut self, started: &Started<'_>) {
        self.voice.started(&mut self.terminal, started);
    }

    /// A request outside of a flow.
    pub(crate) fn requesting(&mut self, endpoint: Endpoint) {
        self.event(&Event::Requesting { endpoint, attempt: 1 });
    }

    /// A saved flow was acknowledged before.
    pub(crate) fn acknowledged(&mut self, acknowledgement: &Acknowledgement) {
        self.event(&Event::Acknowledgement(acknowledgement.clone()));
    }

    /// Something a driver did or is about to do.
    pub(crate) fn event(&mut self, event: &Event) {
        self.known.awaited.heed(event);
        match event {
            Event::Requesting { endpoint: Endpoint::BackchannelAuthentication, .. } => {
                self.asked_at = Some(time::now());
            }
            Event::Acknowledgement(acknowledgement) => {
                self.known.is_acknowledged = true;
                let lifetime = acknowledgement.expires_in;
                let sent_now = self.asked_at.map(|at| at.saturating_add(lifetime));
                self.terminal.deadline = sent_now.or(self.terminal.deadline);
            }
            _ => {}
        }
        self.voice.event(&mut self.terminal, event);
    }

    /// A call of the notification endpoint was refused. Anyone can call it, so only the first few
    /// are told, and nothing that they sent.
    pub(crate) fn notification_refused(&mut self, status: u16, refusal: Refusal) {
        const MOST: u32 = 20;
        self.refusals = self.refusals.saturating_add(1);
        if self.refusals <= MOST {
            self.voice.notification_refused(&mut self.terminal, status, refusal);
        }
    }

    /// The test provider's verdict at the end of a demonstration.
    pub(crate) fn judged(&mut self, report: &str, clean: bool) {
        self.voice.judged(report, clean);
    }

    /// Brings the line on the terminal up to date.
    pub(crate) fn tick(&mut self) {
        self.terminal.tick();
    }

    /// `--timeout` is over.
    pub(crate) const fn timed_out(&mut self) {
        self.known.given_up = Some("--timeout was over");
    }

    /// Ctrl-C, and nothing is kept.
    pub(crate) const fn interrupted(&mut self) {
        self.known.given_up = Some("interrupted");
    }

    /// The person was authenticated. An error if standard output cannot be written.
    pub(crate) fn authenticated(
        &mut self,
        authentication: &Authentication,
        config: &ClientConfig,
    ) -> io::Result<()> {
        self.terminal.status("");
        self.terminal.clear();
        self.voice.authenticated(&mut self.terminal, authentication, config)
    }

    /// The UserInfo endpoint returned these claims. An error if standard output cannot be written.
    pub(crate) fn userinfo(&mut self, user_info: &UserInfo) -> io::Result<()> {
        self.terminal.status("");
        self.terminal.clear();
        self.voice.userinfo(&mut self.terminal, user_info)
    }

    /// The person was authenticated, but there are no claims of the UserInfo endpoint.
    pub(crate) fn userinfo_failed(&mut self, error: &CallError) {
        self.voice.userinfo_failed(&mut self.terminal, error);
        let sentence = exit::call_sentence(error, &self.known);
        self.stopped(&sentence);
    }

    /// The flow ended without an authentication.
    pub(crate) fn failed(&mut self, failure: &Failure) {
        self.voice.failed(&mut self.terminal, failure, None);
        let sentence = exit::sentence(failure, &self.known);
        self.stopped(&sentence);
    }

    /// The flow ended because the provider's keys could not be fetched, and its tokens are in the
    /// state file.
    pub(crate) fn unverified(&mut self, failure: &Failure, kept: &Path) {
        self.voice.failed(&mut self.terminal, failure, Some(kept));
        let sentence = exit::sentence(failure, &self.known);
        let command = format!("ciba resume --state {}", quoted(&kept.display().to_string()));
        self.stopped(&format!(
            "{sentence}; the tokens are kept, fetch the keys again with: {command}"
        ));
    }

    /// The command ends before the flow does. `kept` is the state file from which the flow can be
    /// resumed.
    pub(crate) fn left(&mut self, kept: Option<&Path>) {
        self.voice.failed(&mut self.terminal, &Failure::Abandoned, kept);
    }

    /// One sentence about why the command ends.
    pub(crate) fn stopped(&mut self, sentence: &str) {
        self.terminal.status("");
        self.say(&format!("ciba: {sentence}"));
    }

    /// A sentence for the person, whatever the format.
    pub(crate) fn say(&mut self, sentence: &str) {
        self.terminal.say(sentence);
    }

    /// A detail for `-v`.
    pub(crate) fn detail(&mut self, sentence: &str) {
        if self.terminal.verbose {
            self.say(sentence);
        }
    }
}
