//! Snapshots of a flow. They contain what was received and when, but no verdicts.

use alloc::{borrow::Cow, boxed::Box, sync::Arc, vec::Vec};
use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    adrift::Adrift,
    authorizing::Authorizing,
    context::Context,
    grant::Grant,
    machine::Flow,
    nonce::{Received, SavedNonce},
    notifications::{EarlyNotification, Notifications},
    pending::Pending,
    phase::Phase,
    questions::Questions,
    saved_terms::{SavedTerms, millis},
    saving::resumed_revision,
    settled::Settled,
    spacing::Spacing,
    store::StoreState,
    token_answers::SavedTokenAnswers,
    verifying::{Evidence, Verifying},
};
use crate::{
    bounds,
    client::ClientConfig,
    elapsed::{Clock, Moment},
    fault::Cause,
    request::SavedRequest,
    saved::{SavedAcknowledgement, SavedAnswer, SavedCause, SavedFailure, SavedTokens},
    secret::{AuthReqId, NotificationToken},
    snapshot::{Origin, ResumeError, Snapshot},
    time::Timestamp,
    wire::{metadata::DeliveryMode, notify::Delivery},
};

/// The format version that this release writes and reads.
const VERSION: u32 = 1;

/// By how much the question counter jumps on resuming, so that answers to questions of the previous
/// process are never taken for answers to new questions.
const COUNTER_JUMP: u64 = 1 << 16;

/// The version of a snapshot, which is read first.
#[derive(Deserialize)]
struct VersionOnly {
    version: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved<'a> {
    version: u32,
    issuer: Cow<'a, str>,
    client_id: Cow<'a, str>,
    serial: u64,
    counter: u64,
    revision: u64,
    /// The wall clock of the last step, and the corresponding moment on the machine's time line.
    wall: u64,
    moment: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    acknowledged: Option<SavedAcknowledgement<'a>>,
    // The name that earlier versions wrote.
    #[serde(default, rename = "mailbox", skip_serializing_if = "Option::is_none")]
    notifications: Option<SavedNotifications<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dpop_nonce: Option<SavedNonce<'a>>,
    phase: SavedPhase<'a>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum SavedPhase<'a> {
    Authorizing {
        request: SavedRequest<'a>,
        attempt: u32,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        first_sent: Option<u64>,
        /// The next attempt is not made before this moment.
        due: u64,
        /// `None` in snapshots of the first releases. The value then follows from the configuration
        /// and the start of the flow.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        not_after: Option<u64>,
        in_flight: bool,
        #[serde(default, skip_serializing_if = "core::ops::Not::not")]
        has_new_nonce: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cause: Option<SavedCause<'a>>,
    },
    Adrift {
        terms: SavedTerms<'a>,
        sent: u64,
        until: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        answer: Option<SavedAnswer<'a>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cause: Option<SavedCause<'a>>,
        #[serde(default, skip_serializing_if = "is_zero")]
        attempts: u32,
        jitter: u64,
    },
    Pending {
        grant: SavedGrant<'a>,
        due: u64,
        /// Whether a token request may have been sent without a response so far.
        in_flight: bool,
    },
    /// Also for a flow that was verified but not finished, and for one that ended because keys were
    /// not available: both are verified again.
    Verifying(SavedEvidence<'a>),
    Failed(SavedFailure<'a>),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SavedGrant<'a> {
    auth_req_id: Cow<'a, str>,
    interval: u64,
    sent: u64,
    deadline: u64,
    requests: u32,
    setbacks: u32,
    #[serde(default, skip_serializing_if = "is_zero")]
    key_failures: u32,
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    was_pinged: bool,
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    owes_request: bool,
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    asked_ahead: bool,
    maybe_redeemed: bool,
    jitter: u64,
    /// `None` in snapshots of the first releases.
    // The name that earlier versions wrote.
    #[serde(default, rename = "heard", skip_serializing_if = "Option::is_none")]
    answers: Option<SavedTokenAnswers<'a>>,
    terms: SavedTerms<'a>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SavedNotifications<'a> {
    mode: Cow<'a, str>,
    token: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    auth_req_id: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    early: Vec<SavedEarlyNotification<'a>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SavedEarlyNotification<'a> {
    auth_req_id: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    delivery: Option<SavedDelivery<'a>>,
    received_at: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SavedDelivery<'a> {
    Tokens(SavedTokens<'a>),
    Error(SavedAnswer<'a>),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SavedEvidence<'a> {
    tokens: SavedTokens<'a>,
    auth_req_id: Cow<'a, str>,
    terms: SavedTerms<'a>,
    started_at: u64,
    received_at: u64,
    /// `None` in snapshots of the first releases. The time of receipt is then used instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deadline: Option<u64>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it this way")]
const fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl<'a> SavedGrant<'a> {
    fn save(grant: &'a Grant) -> Self {
        Self {
            auth_req_id: grant.auth_req_id.expose().into(),
            interval: millis(grant.interval),
            sent: grant.sent.millis(),
            deadline: grant.deadline.millis(),
            requests: grant.requests,
            setbacks: grant.setbacks,
            key_failures: grant.key_failures,
            was_pinged: grant.was_pinged,
            owes_request: grant.owes_request,
            asked_ahead: grant.answers.ahead.was_asked,
            maybe_redeemed: grant.maybe_redeemed,
            jitter: millis(grant.jitter),
            answers: Some(SavedTokenAnswers::save(&grant.answers)),
            terms: SavedTerms::save(&grant.terms),
        }
    }

    /// Loads a grant. Values that a modified snapshot could extend are clamped like those of a
    /// provider.
    fn load(self, context: &Context<'_>) -> Grant {
        // A moment in the future would extend the deadline, which counts from it.
        let sent = Moment::from_millis(self.sent).min(context.moment);
        // In push mode, an actual push would be taken for a repetition.
        let can_be_pinged = context.config.delivery == DeliveryMode::Ping;
        let interval = bounds::INTERVAL.clamp(Duration::from_millis(self.interval));
        Grant {
            auth_req_id: AuthReqId::new(self.auth_req_id),
            interval,
            sent,
            deadline: Moment::from_millis(self.deadline).min(sent.plus(bounds::LIFETIME.most)),
            requests: self.requests,
            setbacks: self.setbacks,
            key_failures: self.key_failures,
            was_pinged: self.was_pinged && can_be_pinged,
            owes_request: self.owes_request && can_be_pinged,
            // An earlier process may have received the tokens without being able to save them
            // (ruling 26). The next pending answer proves that it did not.
            maybe_redeemed: true,
            maybe_slower: true,
            jitter: Duration::from_millis(self.jitter).min(bounds::JITTER),
            answers: {
                let mut answers = match self.answers {
                    Some(answers) => answers.load(context),
                    None => SavedTokenAnswers::guess(self.setbacks, interval, context),
                };
                answers.ahead.was_asked = self.asked_ahead;
                answers
            },
            terms: self.terms.load(),
        }
    }
}

impl<'a> SavedNotifications<'a> {
    fn save(notifications: &'a Notifications) -> Self {
        Self {
            mode: notifications.mode.name().into(),
            token: notifications.token.expose().into(),
            auth_req_id: notifications.auth_req_id.as_ref().map(|id| id.expose().into()),
            until: notifications.until.map(Moment::millis),
            early: notifications.early.iter().map(SavedEarlyNotification::save).collect(),
        }
    }

    fn load(self, context: &Context<'_>) -> Box<Notifications> {
        let mode = context.config.delivery;
        // No flow accepts notifications for longer than this.
        let longest = context.moment.plus(bounds::LIFETIME.most).plus(bounds::GRACE);
        // A ping delivers nothing, and a push always delivers something.
        let fits = |early: &SavedEarlyNotification<'_>| {
            early.delivery.is_some() == (mode == DeliveryMode::Push)
        };
        let early = self.early.into_iter().filter(fits).take(bounds::EARLY_NOTIFICATIONS);
        Box::new(Notifications {
            mode,
            token: NotificationToken::new(self.token),
            auth_req_id: self.auth_req_id.map(AuthReqId::new),
            until: self.until.map(|until| Moment::from_millis(until).min(longest)),
            early: early.map(SavedEarlyNotification::load).collect(),
            has_news: false,
        })
    }
}

impl<'a> SavedEarlyNotification<'a> {
    fn save(early: &'a EarlyNotification) -> Self {
        Self {
            auth_req_id: early.auth_req_id.expose().into(),
            delivery: early.delivery.as_ref().map(|delivery| match delivery {
                Delivery::Tokens(tokens) => SavedDelivery::Tokens(SavedTokens::save(tokens)),
                Delivery::Error(answer) => SavedDelivery::Error(SavedAnswer::save(answer)),
            }),
            received_at: early.received_at.unix_millis(),
        }
    }

    fn load(self) -> EarlyNotification {
        EarlyNotification {
            auth_req_id: AuthReqId::new(self.auth_req_id),
            delivery: self.delivery.map(|delivery| match delivery {
                SavedDelivery::Tokens(tokens) => Delivery::Tokens(Box::new(tokens.load())),
                SavedDelivery::Error(answer) => Delivery::Error(answer.load()),
            }),
            received_at: Timestamp::from_unix_millis(self.received_at),
        }
    }
}

impl<'a> SavedEvidence<'a> {
    fn save(evidence: &'a Evidence) -> Self {
        Self {
            tokens: SavedTokens::save(&evidence.tokens),
            auth_req_id: evidence.auth_req_id.expose().into(),
            terms: SavedTerms::save(&evidence.terms),
            started_at: evidence.started_at.unix_millis(),
            received_at: evidence.received_at.unix_millis(),
            deadline: Some(evidence.deadline.millis()),
        }
    }

    fn load(self, context: &Context<'_>) -> Evidence {
        let received_at = Timestamp::from_unix_millis(self.received_at);
        let received = context.moment.minus(context.now.since(received_at));
        Evidence {
            tokens: self.tokens.load(),
            auth_req_id: AuthReqId::new(self.auth_req_id),
            terms: self.terms.load(),
            started_at: Timestamp::from_unix_millis(self.started_at),
            received_at,
            // A modified snapshot cannot extend it.
            deadline: self.deadline.map_or(received, |deadline| {
                Moment::from_millis(deadline).min(received.plus(bounds::LIFETIME.most))
            }),
        }
    }
}

impl<'a> SavedPhase<'a> {
    fn save(phase: &'a Phase) -> Self {
        match phase {
            Phase::Authorizing(authorizing) => Self::Authorizing {
                request: SavedRequest::save(&authorizing.request),
                attempt: authorizing.attempt,
                first_sent: authorizing.first_sent.map(Moment::millis),
                due: authorizing.due.millis(),
                // Saved as a moment, so that another configuration cannot extend it.
                not_after: Some(authorizing.not_after.millis()),
                in_flight: authorizing.request_progress.is_in_flight(),
                has_new_nonce: authorizing.has_new_nonce,
                cause: SavedCause::save(Some(authorizing.cause)),
            },
            Phase::Adrift(adrift) => Self::Adrift {
                terms: SavedTerms::save(&adrift.terms),
                sent: adrift.sent.millis(),
                until: adrift.until.millis(),
                answer: adrift.answer.as_deref().map(SavedAnswer::save),
                cause: SavedCause::save(adrift.cause),
                attempts: adrift.attempts,
                jitter: millis(adrift.jitter),
            },
            Phase::Pending(pending) => Self::Pending {
                grant: SavedGrant::save(&pending.grant),
                due: pending.due.millis(),
                in_flight: false,
            },
            Phase::Redeeming(redeeming) => Self::Pending {
                grant: SavedGrant::save(&redeeming.grant),
                due: redeeming.due.millis(),
                in_flight: redeeming.request_progress.is_in_flight(),
            },
            Phase::Verifying(verifying) => {
                Self::Verifying(SavedEvidence::save(&verifying.evidence))
            }
            Phase::Settled(Settled::Verified(verified)) => {
                Self::Verifying(SavedEvidence::save(&verified.evidence))
            }
            Phase::Settled(Settled::Unverified(unverified)) => {
                Self::Verifying(SavedEvidence::save(&unverified.evidence))
            }
            Phase::Settled(Settled::Failed(failure)) => Self::Failed(SavedFailure::save(failure)),
        }
    }

    fn load(self, context: &Context<'_>) -> Result<Phase, ResumeError> {
        Ok(match self {
            Self::Authorizing {
                request,
                attempt,
                first_sent,
                due,
                not_after,
                in_flight,
                has_new_nonce,
                cause,
            } => {
                let had_user_code = request.had_user_code();
                let request = request.load();
                let not_after = not_after
                    .map_or_else(|| Authorizing::not_after(context.config), Moment::from_millis);
                // A modified snapshot cannot extend it.
                let not_after = not_after.min(Moment::START.plus(bounds::PROMPT_WITHIN.most));
                let authorizing = Authorizing {
                    attempt,
                    has_new_nonce,
                    cause: SavedCause::load(cause).unwrap_or(Cause::Unknown),
                    first_sent: first_sent
                        .map(|sent| Moment::from_millis(sent).min(context.moment)),
                    due: Moment::from_millis(due).min(context.moment.plus(bounds::SEND_WINDOW)),
                    is_resumed: true,
                    ..Authorizing::new(request, not_after)
                };
                // The request may have been sent, so it must not be sent again.
                if in_flight {
                    let authorizing = Authorizing { cause: Cause::Interrupted, ..authorizing };
                    let sent = authorizing.first_sent.unwrap_or(context.moment);
                    authorizing.lost(None, sent, context)
                } else if had_user_code {
                    return Err(ResumeError::UserCodeGone);
                // The configuration may have changed since the request was checked.
                } else if authorizing.request.check(context.config, context.now).is_err() {
                    return Err(ResumeError::Malformed);
                } else {
                    Phase::Authorizing(authorizing)
                }
            }
            Self::Adrift { terms, sent, until, answer, cause, attempts, jitter } => {
                let sent = Moment::from_millis(sent).min(context.moment);
                Phase::Adrift(Box::new(Adrift {
                    terms: terms.load(),
                    sent,
                    until: Moment::from_millis(until).min(sent.plus(bounds::LIFETIME.most)),
                    answer: answer.map(SavedAnswer::load),
                    cause: SavedCause::load(cause),
                    attempts,
                    jitter: Duration::from_millis(jitter).min(bounds::JITTER),
                    is_resumed: true,
                }))
            }
            Self::Pending { grant, due, in_flight } => {
                let mut grant = grant.load(context);
                let mut due = Moment::from_millis(due);
                // The response may still have been on its way, so the interval is counted from now.
                if in_flight {
                    // No back-off: the process stopped, and the provider did not fail.
                    due = grant.next_due(
                        &Spacing::GaveUp(Cause::Interrupted),
                        context.moment,
                        context,
                    );
                }
                Phase::Pending(Pending::resumed(grant, due, context))
            }
            // Keys are looked up for as long as if the tokens had just arrived.
            Self::Verifying(evidence) => {
                Verifying::start(evidence.load(context), context.moment, context)
            }
            Self::Failed(failure) => Settled::failed(failure.load().ok_or(ResumeError::Malformed)?),
        })
    }
}

impl Flow {
    /// Returns the state to save. A loop that saves by itself must do so after [`Self::poll`] and
    /// before performing the output, whenever [`Self::revision`] has changed.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        // Only inside of a call is there no phase, so this is never saved.
        let abandoned = SavedPhase::Failed(SavedFailure::Abandoned);
        let saved = Saved {
            version: VERSION,
            issuer: self.config.issuer.as_str().into(),
            client_id: self.config.client_id.as_str().into(),
            serial: self.questions.serial,
            counter: self.questions.counter,
            revision: self.revision,
            wall: self.clock.wall().unix_millis(),
            moment: self.clock.moment().millis(),
            acknowledged: self.acknowledgement().map(SavedAcknowledgement::save),
            notifications: self.notifications.as_deref().map(SavedNotifications::save),
            dpop_nonce: SavedNonce::save(self.received.as_deref()),
            phase: self.phase.as_ref().map_or(abandoned, SavedPhase::save),
        };
        // Serializing a map with string keys, strings and numbers never fails.
        Snapshot::new(
            serde_json::to_vec(&saved).unwrap_or_default(),
            self.revision,
            self.saving.as_ref().map(|saving| saving.origin).unwrap_or_default(),
            self.must_be_saved(),
            self.holds_tokens(),
        )
    }

    /// Resumes a saved flow, on this or another machine. Exchanges that were in flight count as
    /// lost.
    ///
    /// # Errors
    ///
    /// Returns [`ResumeError`] if the snapshot is malformed or does not match the configuration.
    pub fn resume(
        config: Arc<ClientConfig>,
        snapshot: &[u8],
        now: Timestamp,
    ) -> Result<Self, ResumeError> {
        // Read on its own, because `deny_unknown_fields` would report a newer version as malformed.
        let first: VersionOnly =
            serde_json::from_slice(snapshot).map_err(|_| ResumeError::Malformed)?;
        // Before the rest: another version may have other members.
        if first.version != VERSION {
            return Err(ResumeError::UnknownVersion);
        }
        let saved: Saved<'_> =
            serde_json::from_slice(snapshot).map_err(|_| ResumeError::Malformed)?;
        // The `auth_req_id` and the tokens belong to this client at this issuer. Another one could
        // only misuse them.
        if saved.issuer != config.issuer.as_str() || saved.client_id != config.client_id.as_str() {
            return Err(ResumeError::AnotherClient);
        }
        // The time line continues, so that the time in which no process ran counts towards
        // deadlines.
        let mut clock = Clock::restored(
            Timestamp::from_unix_millis(saved.wall),
            Moment::from_millis(saved.moment),
        );
        // Another machine may have an earlier clock; the next wait then reports it.
        let set_back = clock.observe(now);
        let context = Context::new(&config, now, clock.moment());
        let mut phase = saved.phase.load(&context)?;
        let mut notifications = match (config.delivery, saved.notifications) {
            (DeliveryMode::Poll, None) => None,
            // The mode is part of the snapshot only with a notification token, which poll mode does
            // not have.
            (mode, Some(notifications)) if mode.name() == notifications.mode => {
                Some(notifications.load(&context))
            }
            (DeliveryMode::Poll | DeliveryMode::Ping | DeliveryMode::Push, _) => {
                return Err(ResumeError::AnotherDeliveryMode);
            }
        };
        if let Some(notifications) = &mut notifications {
            // An early notification may name the request that a crash left without acknowledgement.
            phase = notifications.collect(phase, &context);
        }
        let first = resumed_revision(saved.revision, clock.moment());
        let origin = Origin { resumed: saved.revision, first };
        Ok(Self {
            questions: Questions {
                serial: saved.serial,
                counter: saved.counter.saturating_add(COUNTER_JUMP),
            },
            is_resumed: true,
            revision: first,
            set_back: set_back.map_or(0, |by| u32::try_from(by.as_millis()).unwrap_or(u32::MAX)),
            received: Received::restored(saved.acknowledged, saved.dpop_nonce),
            notifications,
            saving: Some(Box::new(StoreState::resumed(&phase, origin))),
            phase: Some(phase),
            clock,
            config,
        })
    }
}
