//! What the token endpoint has answered so far: how far the next wait may be shortened, and what
//! can be concluded at the deadline. Without usable answers a flow does not conclude that the
//! person never answered (ruling 40).

use alloc::boxed::Box;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    grant::{Grant, Spacing},
    phase::Context,
};
use crate::{
    ask::Answer,
    bounds,
    elapsed::Moment,
    error::{Failure, Indeterminacy, LostAnswer},
    fault::Cause,
    saved::{SavedAnswer, SavedCause},
    wire::{ServerAnswer, metadata::DeliveryMode, token::Pacing},
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TokenAnswers {
    /// When the last token request ended, whatever came of it.
    ended: Option<Moment>,
    /// Neither the interval nor a `Retry-After` allows a request before this moment.
    pub(super) allowed: Moment,
    /// When the provider last told this process that nothing was decided yet. Not saved: what an
    /// earlier process was told concludes nothing, because after it that process may have been
    /// given the tokens and not been able to save them (ruling 26).
    undecided: Option<Moment>,
    /// Counts the requests since then that were not answered usably, or could not be made.
    unusable: u32,
    /// What became of them.
    trouble: Trouble,
    /// Whether the wait follows a plain pending answer, so that a ping skips it.
    may_skip: bool,
    /// Counts the waits that pings after the first one skipped.
    skips: u32,
    /// What came of asking for the issuer's keys ahead of time. It is here because the rest of a
    /// grant has to be small.
    pub(super) ahead: KeyPrefetch,
}

/// What became of requests that were not answered usably. An answer says more than none, and either
/// more than a key that could not be used.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Trouble {
    None,
    Key,
    NoAnswer(Cause),
    Answer(Box<ServerAnswer>),
}

/// Keys that are asked for while the person decides are asked for again when they could not be had:
/// whoever finds out only when the tokens are there has 120 seconds left (ruling 31).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct KeyPrefetch {
    /// Whether they were asked for. Saved: a program that resumes the flow for every step would
    /// fetch them at every step, and get no further. Who resumes it without keys is asked when they
    /// are needed.
    pub(super) was_asked: bool,
    /// The number of the question that has no answer yet.
    question: Option<u64>,
    /// When to ask again.
    pub(super) due: Option<Moment>,
    failures: u8,
}

impl KeyPrefetch {
    pub(super) const fn ask(&mut self, question: u64) {
        self.question = Some(question);
        self.due = None;
    }

    /// Takes the answer to the question; any other changes nothing.
    pub(super) fn answered(&mut self, question: u64, answer: &Answer, moment: Moment) {
        if self.question != Some(question) {
            return;
        }
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
    /// Nothing yet.
    pub(super) fn nothing(allowed: Moment) -> Box<Self> {
        Box::new(Self {
            ended: None,
            allowed,
            undecided: None,
            unusable: 0,
            trouble: Trouble::None,
            may_skip: false,
            skips: 0,
            ahead: KeyPrefetch::default(),
        })
    }

    /// A token request ended, or could not be made.
    pub(super) fn ended(&mut self, outcome: &Spacing, allowed: Moment, tick: &Context<'_>) {
        self.allowed = allowed;
        self.may_skip = matches!(outcome, Spacing::Pending(_));
        if !matches!(outcome, Spacing::NoKey) {
            self.ended = Some(tick.moment);
        }
        match outcome {
            Spacing::Pending(Pacing { .. }) | Spacing::SlowDown(_) => {
                self.undecided = Some(tick.moment);
                self.unusable = 0;
                self.trouble = Trouble::None;
                return;
            }
            Spacing::Busy(answer) => self.trouble = Trouble::Answer(Box::new(answer.brief())),
            Spacing::GaveUp(cause) | Spacing::NoAnswer(cause) => match self.trouble {
                Trouble::None | Trouble::Key | Trouble::NoAnswer(_) => {
                    self.trouble = Trouble::NoAnswer(*cause)
                }
                Trouble::Answer(_) => {}
            },
            Spacing::NoKey => match self.trouble {
                Trouble::None => self.trouble = Trouble::Key,
                Trouble::Key | Trouble::NoAnswer(_) | Trouble::Answer(_) => {}
            },
        }
        self.unusable = self.unusable.saturating_add(1);
    }

    /// When a request may follow although the interval is not over, because the provider called:
    /// not within two seconds of the end of the last one (ruling 30), and not within the interval
    /// where the provider's counts after a ping, too.
    pub(super) fn soonest(&self, tick: &Context<'_>) -> Moment {
        self.ended.map_or(tick.moment, |ended| {
            let keeps_interval = tick.config.policy.ping_keeps_interval;
            tick.moment.max(if keeps_interval {
                self.allowed
            } else {
                ended.plus(bounds::PING_PAUSE)
            })
        })
    }

    /// Whether one more ping after the first may skip a wait until `due`.
    pub(super) fn may_skip(&self, due: Moment, tick: &Context<'_>) -> bool {
        self.may_skip && self.has_skips_left() && self.soonest(tick) < due
    }

    pub(super) const fn has_skips_left(&self) -> bool {
        self.skips < bounds::PING_SKIPS
    }

    pub(super) const fn skip(&mut self) {
        self.skips = self.skips.saturating_add(1);
    }
}

impl Grant {
    /// Time is up and the provider did not say what became of the request. That the person did not
    /// answer can be concluded from pending answers if the last requests brought one; otherwise the
    /// person may have approved. In push mode there are none: a provider need not push that a
    /// request expired (CIBA 12), so silence may as well be a push that was lost.
    pub(super) fn ran_out(&self, tick: &Context<'_>) -> Failure {
        if self.was_undecided_lately() {
            return Failure::Expired(None);
        }
        let unknown = |lost| Indeterminacy::new(lost, self.requests);
        Failure::Indeterminate(match &self.heard.trouble {
            Trouble::Answer(answer) => unknown(LostAnswer::Outcome).answered(Some(answer.clone())),
            Trouble::NoAnswer(cause) => unknown(LostAnswer::Outcome).because(Some(*cause)),
            Trouble::Key => unknown(LostAnswer::PrivateKey),
            Trouble::None => unknown(match tick.config.delivery {
                DeliveryMode::Push => LostAnswer::Notification,
                DeliveryMode::Ping if self.requests == 0 && !tick.config.policy.ping_backstop => {
                    LostAnswer::Notification
                }
                DeliveryMode::Poll | DeliveryMode::Ping => LostAnswer::Outcome,
            }),
        })
    }

    /// The last request brought a pending answer, or the last but one, and not long before the
    /// deadline: a process that slept since then knows nothing of what was decided meanwhile.
    fn was_undecided_lately(&self) -> bool {
        let intervals = self.interval.max(bounds::DEFAULT_INTERVAL).saturating_mul(2);
        let lately = match self.heard.unusable {
            0 => intervals,
            // The request that brought nothing was waited for as well.
            1 => intervals.max(bounds::LATELY),
            _ => return false,
        };
        self.heard.undecided.is_some_and(|at| self.deadline.since(at) <= lately)
    }
}

/// As it stands in a snapshot.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SavedTokenAnswers<'a> {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ended: Option<u64>,
    allowed: u64,
    #[serde(default)]
    unusable: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trouble: Option<SavedTrouble<'a>>,
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    may_skip: bool,
    #[serde(default)]
    skips: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SavedTrouble<'a> {
    Key,
    NoAnswer(Option<SavedCause<'a>>),
    Answer(SavedAnswer<'a>),
}

impl<'a> SavedTokenAnswers<'a> {
    pub(super) fn save(heard: &'a TokenAnswers) -> Self {
        Self {
            ended: heard.ended.map(Moment::millis),
            allowed: heard.allowed.millis(),
            unusable: heard.unusable,
            trouble: match &heard.trouble {
                Trouble::None => None,
                Trouble::Key => Some(SavedTrouble::Key),
                Trouble::NoAnswer(cause) => {
                    Some(SavedTrouble::NoAnswer(SavedCause::save(Some(*cause))))
                }
                Trouble::Answer(answer) => Some(SavedTrouble::Answer(SavedAnswer::save(answer))),
            },
            may_skip: heard.may_skip,
            skips: heard.skips,
        }
    }

    pub(super) fn load(self, tick: &Context<'_>) -> Box<TokenAnswers> {
        let past = |moment: u64| Moment::from_millis(moment).min(tick.moment);
        Box::new(TokenAnswers {
            ended: self.ended.map(past),
            allowed: Moment::from_millis(self.allowed),
            undecided: None,
            unusable: self.unusable,
            trouble: match self.trouble {
                None => Trouble::None,
                Some(SavedTrouble::Key) => Trouble::Key,
                Some(SavedTrouble::NoAnswer(cause)) => {
                    Trouble::NoAnswer(SavedCause::load(cause).unwrap_or(Cause::Unknown))
                }
                Some(SavedTrouble::Answer(answer)) => Trouble::Answer(answer.load()),
            },
            may_skip: self.may_skip,
            skips: self.skips,
            ahead: KeyPrefetch::default(),
        })
    }

    /// For a snapshot of the first releases: an interval from now is always allowed.
    pub(super) fn guess(
        setbacks: u32,
        interval: Duration,
        tick: &Context<'_>,
    ) -> Box<TokenAnswers> {
        let mut heard = TokenAnswers::nothing(tick.moment.plus(interval));
        heard.unusable = setbacks;
        heard
    }
}
