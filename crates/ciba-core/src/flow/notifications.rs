//! How a flow in ping or push mode knows its notifications, and what it does with them (CIBA 10.2,
//! 10.3, 12).

use alloc::{boxed::Box, vec::Vec};
use core::fmt;

use subtle::ConstantTimeEq as _;

use super::{
    Flow,
    grant::Grant,
    notify::{Notification, NotificationVerdict},
    pending::Pending,
    phase::{Context, Phase},
    redeeming,
    saving::Receipt,
    settled::Settled,
    verifying::Verifying,
};
use crate::{
    bounds,
    crypto::Verifier,
    elapsed::Moment,
    endpoint::Endpoint,
    entropy::{Entropy, Purpose},
    error::Failure,
    fault::Fault,
    jose::base64url,
    secret::{AuthReqId, NotificationToken},
    time::Timestamp,
    wire::{
        Misbehaviour,
        metadata::DeliveryMode,
        notify::{self, Delivery, NotificationBody},
    },
};

/// What a notification is routed by: the first part of the notification token, random and not
/// secret by itself. The rest of the token proves that a notification is authentic, and only the
/// flow compares it. Known before anything is sent.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NotificationKey([u8; Self::BYTES]);

impl NotificationKey {
    const BYTES: usize = 16;
    /// How long it is in base64url.
    const TEXT: usize = 22;

    /// The key as bytes, for an index or a database.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }

    /// The key of a token of ours; of a foreign one perhaps `None`, perhaps a key that belongs to
    /// nobody.
    pub(super) fn of(token: &str) -> Option<Self> {
        let bytes = base64url::decode(token.get(..Self::TEXT)?)?;
        bytes.try_into().ok().map(Self)
    }
}

impl fmt::Debug for NotificationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NotificationKey(..)")
    }
}

/// Makes the token of one request: the key, then 256 random bits, in the alphabet of bearer tokens
/// (CIBA 7.1,
/// REQ-AREQ-14, REQ-FAPI-28).
fn mint(entropy: &Entropy, verifier: &dyn Verifier) -> NotificationToken {
    let key = entropy.expand(verifier, Purpose::NotificationKey);
    let mut token = base64url::encode(key.get(..NotificationKey::BYTES).unwrap_or_default());
    base64url::encode_onto(entropy.expand(verifier, Purpose::NotificationSecret), &mut token);
    NotificationToken::new(token)
}

/// What a flow knows of its notifications.
pub(super) struct Notifications {
    /// Ping or push.
    pub(super) mode: DeliveryMode,
    pub(super) token: NotificationToken,
    /// The id of the request, once the acknowledgement or a notification named it.
    pub(super) auth_req_id: Option<AuthReqId>,
    /// Until when notifications are taken, once that is known.
    pub(super) until: Option<Moment>,
    /// What overtook the acknowledgement: no two with the same id (REQ-PING-14).
    pub(super) early: Vec<EarlyNotification>,
    /// Something was accepted since a watcher was told last.
    pub(super) has_news: bool,
}

/// A notification that is authentic.
pub(super) struct EarlyNotification {
    pub(super) auth_req_id: AuthReqId,
    /// What a push delivers; a ping delivers nothing.
    pub(super) delivery: Option<Delivery>,
    pub(super) received_at: Timestamp,
}

impl Notifications {
    /// The mailbox of a new flow; none in poll mode (REQ-META-05).
    pub(super) fn open(
        mode: DeliveryMode,
        entropy: &Entropy,
        verifier: &dyn Verifier,
    ) -> Option<Box<Self>> {
        let token = match mode {
            DeliveryMode::Poll => return None,
            DeliveryMode::Ping | DeliveryMode::Push => mint(entropy, verifier),
        };
        Some(Box::new(Self {
            mode,
            token,
            auth_req_id: None,
            until: None,
            early: Vec::new(),
            has_news: false,
        }))
    }

    pub(super) fn key(&self) -> Option<NotificationKey> {
        NotificationKey::of(self.token.expose())
    }

    /// Whether a notification is ours, in the order in which its faults are answered (REQ-PING-02,
    /// REQ-PUSH-01).
    pub(super) fn admit(
        &self,
        notification: &Notification,
        moment: Moment,
    ) -> Result<NotificationBody, NotificationVerdict> {
        let is_ours: bool =
            self.token.expose().as_bytes().ct_eq(notification.bearer.as_bytes()).into();
        // Too late is the same as never ours (REQ-PUSH-26).
        if !is_ours || self.until.is_some_and(|until| moment > until) {
            return Err(NotificationVerdict::Unauthorized);
        }
        if self.mode == DeliveryMode::Ping && notification.message.body.len() > bounds::PING_BYTES {
            return Err(NotificationVerdict::TooLarge);
        }
        let letter = notify::read(&notification.message).map_err(|fault| match fault {
            Fault::MediaType => NotificationVerdict::UnsupportedMediaType,
            Fault::Redirect
            | Fault::Status
            | Fault::ContentCoding
            | Fault::TooLarge
            | Fault::NotJson
            | Fault::DuplicateMember
            | Fault::MissingMember(_)
            | Fault::WrongType(_)
            | Fault::BadMember(_)
            | Fault::AnotherMode => NotificationVerdict::Malformed,
        })?;
        match &self.auth_req_id {
            Some(id) if *id != letter.auth_req_id => Err(NotificationVerdict::AnotherRequest),
            Some(_) | None => Ok(letter),
        }
    }

    /// Keeps what overtook the acknowledgement. Only the provider and we have the token, so a few
    /// different ids are already more than an honest provider sends.
    fn keep(&mut self, arrival: EarlyNotification) -> NotificationVerdict {
        if self.early.iter().any(|kept| kept.auth_req_id == arrival.auth_req_id) {
            return NotificationVerdict::Known;
        }
        if self.early.len() >= bounds::EARLY_NOTIFICATIONS {
            return NotificationVerdict::Unauthorized;
        }
        self.early.push(arrival);
        NotificationVerdict::Accepted
    }

    /// Once the request has its id, or will only get one from a notification, what came early
    /// counts; what is about another request is dropped.
    pub(super) fn collect(&mut self, phase: Phase, tick: &Context<'_>) -> Phase {
        match phase {
            Phase::Pending(pending) if self.auth_req_id.is_none() => {
                self.name(&pending.grant);
                let mut early = core::mem::take(&mut self.early).into_iter();
                match early.find(|arrival| arrival.auth_req_id == pending.grant.auth_req_id) {
                    Some(arrival) => deliver(pending, arrival, tick),
                    None => Phase::Pending(pending),
                }
            }
            Phase::Authorizing(authorizing)
                if !self.early.is_empty() && !authorizing.making.is_begun() =>
            {
                self.collect(authorizing.was_received(tick), tick)
            }
            Phase::Adrift(adrift) if !self.early.is_empty() => {
                let first = self.early.swap_remove(0);
                self.early.clear();
                let pending = adrift.adopt(first.auth_req_id.clone(), tick);
                self.name(&pending.grant);
                deliver(pending, first, tick)
            }
            Phase::Adrift(adrift) => {
                self.until = Some(adrift.until.plus(bounds::GRACE));
                Phase::Adrift(adrift)
            }
            other @ (Phase::Authorizing(_)
            | Phase::Pending(_)
            | Phase::Redeeming(_)
            | Phase::Verifying(_)
            | Phase::Settled(_)) => other,
        }
    }

    fn name(&mut self, grant: &Grant) {
        self.auth_req_id = Some(grant.auth_req_id.clone());
        self.until = Some(grant.deadline.plus(bounds::GRACE));
    }
}

/// An authentic push that cannot be used. The provider delivers once, so waiting for another would
/// end as expired and hide what is wrong; nothing of it is accepted. Before the request has its id
/// nothing says that the push is about it (ruling 23).
fn unusable(phase: Phase, fault: Fault) -> (Phase, NotificationVerdict) {
    match phase {
        Phase::Pending(_) => {
            let misbehaviour =
                Misbehaviour { fault, endpoint: Endpoint::Notification, answer: None };
            (
                Settled::failed(Failure::ProviderMisbehaved(misbehaviour)),
                NotificationVerdict::Unusable,
            )
        }
        other @ (Phase::Authorizing(_)
        | Phase::Adrift(_)
        | Phase::Redeeming(_)
        | Phase::Verifying(_)
        | Phase::Settled(_)) => (other, NotificationVerdict::Malformed),
    }
}

/// A ping means "ask now", never "success" (REQ-PING-09); a push is the result itself.
fn deliver(pending: Pending, arrival: EarlyNotification, tick: &Context<'_>) -> Phase {
    match arrival.delivery {
        None => Phase::Pending(pending.pinged(tick)),
        Some(Delivery::Tokens(tokens)) => {
            Verifying::begin(*tokens, pending.grant, arrival.received_at, tick)
        }
        Some(Delivery::Error(answer)) => {
            Settled::failed(redeeming::refusal(answer, &pending.grant, tick))
        }
    }
}

impl Flow {
    /// The key its notifications are found by, from the start on; `None` in poll mode.
    #[must_use]
    pub fn notification_key(&self) -> Option<NotificationKey> {
        self.mailbox.as_ref()?.key()
    }

    /// Takes something that arrived unasked; [`Self::acknowledge`] says what to answer. A flow in
    /// poll mode accepts no notification and stays as it is.
    ///
    /// If the [receipt](Receipt::is_news) says something new, poll the flow whatever becomes of the
    /// answer: what was accepted is verified by the next polls, or starts a token request there.
    ///
    /// `now` may be a little older than what the flow was shown last: whoever takes a notification
    /// in may have read the clock before waiting for the flow.
    pub fn notify(&mut self, notification: &Notification, now: Timestamp) -> Receipt {
        // Anybody can call: an older reading must not count as a clock that was set back, nor the
        // time since then twice.
        self.observe(now.max(self.clock.wall()));
        let said = self.take_in(notification, now);
        if matches!(said, NotificationVerdict::Accepted | NotificationVerdict::Unusable) {
            self.touch();
            if let Some(mailbox) = &mut self.mailbox {
                mailbox.has_news = true;
            }
        }
        Receipt::new(said, self.revision)
    }

    /// Whether a notification was accepted since this was asked last.
    pub(crate) fn take_news(&mut self) -> bool {
        self.mailbox.as_mut().is_some_and(|mailbox| core::mem::take(&mut mailbox.has_news))
    }

    fn take_in(&mut self, notification: &Notification, now: Timestamp) -> NotificationVerdict {
        let tick = Context { config: &self.config, now, moment: self.clock.moment() };
        let Some(mailbox) = &mut self.mailbox else { return NotificationVerdict::Unauthorized };
        let Some(phase) = self.phase.take() else { return NotificationVerdict::Unauthorized };
        let (phase, said) = match mailbox.admit(notification, tick.moment) {
            Err(refused) => (phase, refused),
            Ok(letter) => mailbox.take(phase, letter, notification, &tick),
        };
        self.phase = Some(phase);
        said
    }
}

impl Notifications {
    /// An authentic notification meets the phase.
    fn take(
        &mut self,
        phase: Phase,
        letter: NotificationBody,
        notification: &Notification,
        tick: &Context<'_>,
    ) -> (Phase, NotificationVerdict) {
        match phase {
            // The provider never took the request, so it has nothing to report (REQ-AERR-19).
            Phase::Settled(_) if self.auth_req_id.is_none() => {
                return (phase, NotificationVerdict::Unauthorized);
            }
            Phase::Verifying(_) | Phase::Settled(_) => return (phase, NotificationVerdict::Known),
            Phase::Authorizing(_) | Phase::Adrift(_) | Phase::Pending(_) | Phase::Redeeming(_) => {}
        }
        let auth_req_id = letter.auth_req_id.clone();
        let delivery = match self.mode {
            // Tokens that are pushed to a client that waits for pings are never taken. Its requests
            // would be refused from now on, or wait for nothing, so the flow ends with the reason
            // (REQ-PING-19).
            DeliveryMode::Ping if letter.has_tokens() && matches!(phase, Phase::Pending(_)) => {
                return unusable(phase, Fault::AnotherMode);
            }
            // A ping delivers nothing, whatever is in it.
            DeliveryMode::Ping | DeliveryMode::Poll => None,
            DeliveryMode::Push => {
                // A push without an ID Token has nothing that binds it to this request
                // (REQ-PUSH-02).
                let rules = tick.config.policy.token_rules(true);
                match letter.delivery(&notification.message, rules, tick.now) {
                    Ok(delivery) => Some(delivery),
                    Err(fault) => return unusable(phase, fault),
                }
            }
        };
        let arrival = EarlyNotification { auth_req_id, delivery, received_at: tick.now };
        match phase {
            Phase::Authorizing(authorizing) => {
                let acknowledgement = self.keep(arrival);
                (self.collect(Phase::Authorizing(authorizing), tick), acknowledgement)
            }
            Phase::Adrift(adrift) => {
                self.early.push(arrival);
                (self.collect(Phase::Adrift(adrift), tick), NotificationVerdict::Accepted)
            }
            // Repetitions in the same wait say nothing new (REQ-PING-15).
            Phase::Pending(pending)
                if self.mode == DeliveryMode::Ping && !pending.heeds_ping(tick) =>
            {
                (Phase::Pending(pending), NotificationVerdict::Known)
            }
            Phase::Redeeming(redeeming) if !redeeming.heeds_ping() => {
                (Phase::Redeeming(redeeming), NotificationVerdict::Known)
            }
            Phase::Pending(pending) => {
                (deliver(pending, arrival, tick), NotificationVerdict::Accepted)
            }
            Phase::Redeeming(mut redeeming) => {
                redeeming.grant.ping();
                (Phase::Redeeming(redeeming), NotificationVerdict::Accepted)
            }
            other @ (Phase::Verifying(_) | Phase::Settled(_)) => {
                (other, NotificationVerdict::Known)
            }
        }
    }
}
