//! The two streams: lines of JSON on standard output, sentences on standard error, and on a
//! terminal one line that is kept up to date.

use std::io::{self, IsTerminal as _, Write as _};

use ciba_core::Timestamp;

use crate::{
    args::{Format, Report},
    stdio::{put, put_error},
    time,
    wording::seconds,
};

/// The two output streams.
#[derive(Debug)]
pub(crate) struct Terminal {
    pub(super) verbose: bool,
    /// Standard error is a terminal, and sentences go there.
    pub(super) live: bool,
    /// Lines for standard output that are held back; see [`Self::hold`].
    held: Option<Vec<String>>,
    /// What the line on the terminal says.
    status: String,
    /// When the authentication request expires.
    pub(super) deadline: Option<Timestamp>,
    frame: usize,
}

impl Terminal {
    pub(super) fn new(report: Report) -> Self {
        Self {
            verbose: report.verbose,
            live: report.output == Format::Text && io::stderr().is_terminal(),
            held: None,
            status: String::new(),
            deadline: None,
            frame: 0,
        }
    }

    /// Holds lines back. A mistake in the options that is found only with the provider's metadata must
    /// leave standard output empty; every other end must write a last line there.
    pub(super) fn hold(&mut self) {
        self.held = Some(Vec::new());
    }

    /// Writes the lines that were held back; later ones are written at once.
    pub(super) fn release(&mut self) {
        for line in self.held.take().unwrap_or_default() {
            put(&line);
        }
    }

    /// Writes a line to standard output.
    pub(super) fn line(&mut self, line: String) {
        self.clear();
        match &mut self.held {
            Some(held) => held.push(line),
            None => put(&line),
        }
    }

    /// Writes a sentence to standard error.
    pub(super) fn say(&mut self, sentence: &str) {
        self.clear();
        put_error(sentence);
    }

    /// Replaces what the line on the terminal says.
    pub(super) fn status(&mut self, status: impl Into<String>) {
        self.status = status.into();
        self.tick();
    }

    /// Brings the line on the terminal up to date.
    pub(super) fn tick(&mut self) {
        const FRAMES: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
        if !self.live || self.status.is_empty() {
            return;
        }
        self.frame = (self.frame + 1) % FRAMES.len();
        let left = self
            .seconds_left(time::now())
            .map(|left| format!(" · {left} s left"))
            .unwrap_or_default();
        let frame = FRAMES[self.frame];
        // Without wrapping, a narrow terminal cuts the line instead of leaving copies of it.
        let mut stderr = io::stderr().lock();
        let _ = write!(stderr, "\r\x1b[2K\x1b[?7l{frame} {}{left}\x1b[?7h", self.status);
        let _ = stderr.flush();
    }

    pub(super) fn seconds_left(&self, now: Timestamp) -> Option<u64> {
        self.deadline.map(|deadline| seconds(deadline.since(now)))
    }

    /// Removes the line on the terminal.
    pub(super) fn clear(&mut self) {
        if self.live {
            let _ = write!(io::stderr().lock(), "\r\x1b[2K");
        }
    }
}
