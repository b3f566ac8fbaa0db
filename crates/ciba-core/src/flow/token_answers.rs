//! The answers of the token endpoint so far, which determine how far the next wait may be shortened
//! and what can be concluded at the deadline.
// Ruling 40: without usable answers, the flow does not conclude that the person did not decide.

use alloc::boxed::Box;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::{context::Context, spacing::Spacing};
use crate::{
    ask::Answer,
    bounds,
    elapsed::Moment,
    fault::Cause,
    saved::{SavedAnswer, SavedCause},
    wire::{ServerAnswer, token::Pacing},
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TokenAnswers {
    /// When the last token request ended, with any outcome.
    ended: Option<Moment>,
    /// The moment before which neither the interval nor a `Retry-After` allows a request.
    pub(super) allowed: Moment,
    /// When the provider last told this process that nothing was decided yet.
    // Not saved: an answer to an earlier process proves nothing, because that process may have
    // received the tokens afterwards without being able to save them (ruling 26).
    pub(super) undecided: Option<Moment>,
    /// The number of requests since then without a usable answer, including those that could not be
    /// made.
    pub(super) unusable: u32,
    /// What went wrong with them.
    pub(super) last_outcome: LastOutcome,
    /// Whether the wait follows a plain pending answer, so that a ping can skip it.
    may_skip: bool,
    /// The number of waits that pings after the first one skipped.
    skips: u32,
    /// The state of requesting the issuer's keys ahead of time.
    // Stored here and not in `Grant`, to keep `Grant` small.
    pub(super) ahead: KeyPrefetch,
    /// Whether the token request repeats one that was refused for its DPoP nonce.
    // REQ-TOK-26: at most one repetition per poll. Not saved: a resumed flow polls anew.
    pub(super) has_new_nonce: bool,
}

/// What went wrong with requests without a usable answer. A response takes precedence over none, and
/// both over a key that could not be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum LastOutcome {
    None,
    Key,
    NoAnswer(Cause),
    Answer(Box<ServerAnswer>),
}

/// The state of requesting the issuer's keys while the person decides. It is retried if they were
/// not available.
// Ruling 31: a flow that learns of missing keys only when the tokens arrive has 120 seconds left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct KeyPrefetch {
    /// Whether the keys were requested.
    // Saved: a program that resumes the flow for every step would otherwise fetch the keys at every
    // step and get no further. After a restart the keys are requested when they are needed.
    pub(super) was_asked: bool,
    /// The number of the question that has not been answered yet.
    question: Option<u64>,
    /// When to request them again.
    pub(super) due: Option<Moment>,
    failures: u8,
}

impl KeyPrefetch {
    pub(super) const fn ask(&mut self, question: u64) {
        self.question = Some(question);
        self.due = None;
    }

    /// Handles the answer to the question. Answers to other questions are ignored.
    pub(super) fn answered(&mut self, question: u64, answer: &Answer, moment: Moment) {
        if self.question != Some(question) {
            return;
        }
        // A second answer to the same question must not count twice.
        self.question = None;
        if matches!(answer, Answer::KeysUnavailable(_) | Answer::KeysLater(_)) {
            self.failures = self.failures.saturating_add(1);
            let wait = bounds::AHEAD_AGAIN
                .saturating_mul(u32::from(self.failures))
                .min(bounds::AHEAD_AGAIN_MOST);
            self.due = Some(moment.plus(wait));
        }
    }
}

impl TokenAnswers {
    /// Creates the state before any answer.
    pub(super) fn nothing(allowed: Moment) -> Box<Self> {
        Box::new(Self {
            ended: None,
            allowed,
            undecided: None,
            unusable: 0,
            last_outcome: LastOutcome::None,
            may_skip: false,
            skips: 0,
            ahead: KeyPrefetch::default(),
            has_new_nonce: false,
        })
    }

    /// Records that a token request ended, or could not be made.
    pub(super) fn ended(&mut self, outcome: &Spacing, allowed: Moment, context: &Context<'_>) {
        self.allowed = allowed;
        self.may_skip = matches!(outcome, Spacing::Pending(_));
        // Nothing was sent, so the pause between two requests still counts from the last real one.
        if !matches!(outcome, Spacing::NoKey) {
            self.ended = Some(context.moment);
        }
        match outcome {
            Spacing::Pending(Pacing { .. }) | Spacing::SlowDown(_) => {
                self.undecided = Some(context.moment);
                self.unusable = 0;
                self.last_outcome = LastOutcome::None;
                return;
            }
            Spacing::Busy(answer) => {
                self.last_outcome = LastOutcome::Answer(Box::new(answer.brief()))
            }
            Spacing::GaveUp(cause) | Spacing::NoAnswer(cause) => match self.last_outcome {
                LastOutcome::None | LastOutcome::Key | LastOutcome::NoAnswer(_) => {
                    self.last_outcome = LastOutcome::NoAnswer(*cause)
                }
                LastOutcome::Answer(_) => {}
            },
            Spacing::NoKey => match self.last_outcome {
                LastOutcome::None => self.last_outcome = LastOutcome::Key,
                LastOutcome::Key | LastOutcome::NoAnswer(_) | LastOutcome::Answer(_) => {}
            },
        }
        self.unusable = self.unusable.saturating_add(1);
    }

    /// Returns when a request may follow after a ping although the interval is not over: two seconds
    /// after the end of the last one, or after the interval if the provider requires that.
    // Ruling 30.
    pub(super) fn soonest(&self, context: &Context<'_>) -> Moment {
        self.ended.map_or(context.moment, |ended| {
            let keeps_interval = context.config.policy.ping_keeps_interval;
            context.moment.max(if keeps_interval {
                self.allowed
            } else {
                ended.plus(bounds::PING_PAUSE)
            })
        })
    }

    /// Whether a ping after the first one may skip a wait until `due`.
    pub(super) fn may_skip(&self, due: Moment, context: &Context<'_>) -> bool {
        // Bounded, so that a provider that pings without a result cannot make the client poll
        // without pause.
        self.may_skip && self.has_skips_left() && self.soonest(context) < due
    }

    pub(super) const fn has_skips_left(&self) -> bool {
        self.skips < bounds::PING_SKIPS
    }

    pub(super) const fn skip(&mut self) {
        self.skips = self.skips.saturating_add(1);
    }
}

/// The form of [`TokenAnswers`] in a snapshot.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SavedTokenAnswers<'a> {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ended: Option<u64>,
    allowed: u64,
    #[serde(default)]
    unusable: u32,
    #[serde(default, rename = "trouble", skip_serializing_if = "Option::is_none")]
    last_outcome: Option<SavedLastOutcome<'a>>,
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    may_skip: bool,
    #[serde(default)]
    skips: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SavedLastOutcome<'a> {
    Key,
    NoAnswer(Option<SavedCause<'a>>),
    Answer(SavedAnswer<'a>),
}

impl<'a> SavedTokenAnswers<'a> {
    pub(super) fn save(answers: &'a TokenAnswers) -> Self {
        Self {
            ended: answers.ended.map(Moment::millis),
            allowed: answers.allowed.millis(),
            unusable: answers.unusable,
            last_outcome: match &answers.last_outcome {
                LastOutcome::None => None,
                LastOutcome::Key => Some(SavedLastOutcome::Key),
                LastOutcome::NoAnswer(cause) => {
                    Some(SavedLastOutcome::NoAnswer(SavedCause::save(Some(*cause))))
                }
                LastOutcome::Answer(answer) => {
                    Some(SavedLastOutcome::Answer(SavedAnswer::save(answer)))
                }
            },
            may_skip: answers.may_skip,
            skips: answers.skips,
        }
    }

    pub(super) fn load(self, context: &Context<'_>) -> Box<TokenAnswers> {
        // A modified snapshot must not move the end of the last request into the future.
        let past = |moment: u64| Moment::from_millis(moment).min(context.moment);
        Box::new(TokenAnswers {
            ended: self.ended.map(past),
            allowed: Moment::from_millis(self.allowed),
            undecided: None,
            unusable: self.unusable,
            last_outcome: match self.last_outcome {
                None => LastOutcome::None,
                Some(SavedLastOutcome::Key) => LastOutcome::Key,
                Some(SavedLastOutcome::NoAnswer(cause)) => {
                    LastOutcome::NoAnswer(SavedCause::load(cause).unwrap_or(Cause::Unknown))
                }
                Some(SavedLastOutcome::Answer(answer)) => LastOutcome::Answer(answer.load()),
            },
            may_skip: self.may_skip,
            skips: self.skips,
            ahead: KeyPrefetch::default(),
            has_new_nonce: false,
        })
    }

    /// Restores a snapshot of the first versions. An interval from now is always allowed.
    pub(super) fn guess(
        setbacks: u32,
        interval: Duration,
        context: &Context<'_>,
    ) -> Box<TokenAnswers> {
        let mut answers = TokenAnswers::nothing(context.moment.plus(interval));
        answers.unusable = setbacks;
        answers
    }
}
