//! Notifications of a flow in ping or push mode: how they are authenticated and what they cause
//! (CIBA Core 10.2, 10.3 and 12).

use alloc::{boxed::Box, vec::Vec};

use subtle::ConstantTimeEq as _;

use super::{
    context::Context,
    grant::Grant,
    notify::{Notification, NotificationKey, NotificationVerdict},
    pending::Pending,
    phase::Phase,
    redeeming,
    settled::Settled,
    verifying::Verifying,
};
use crate::{
    bounds,
    crypto::{
        Verifier,
        entropy::{Entropy, Purpose},
    },
    elapsed::Moment,
    endpoint::Endpoint,
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

/// Makes the token of one request: the key, then 256 random bits, in the alphabet of bearer tokens
/// (CIBA Core 7.1).
// REQ-AREQ-14, REQ-FAPI-28
fn mint(entropy: &Entropy, verifier: &dyn Verifier) -> NotificationToken {
    let key = entropy.expand(verifier, Purpose::NotificationKey);
    let mut token = base64url::encode(key.get(..NotificationKey::BYTES).unwrap_or_default());
    base64url::encode_onto(entropy.expand(verifier, Purpose::NotificationSecret), &mut token);
    NotificationToken::new(token)
}

/// What a flow knows of its notifications.
pub(super) struct Notifications {
    /// The delivery mode, which is ping or push.
    pub(super) mode: DeliveryMode,
    pub(super) token: NotificationToken,
    /// The id of the request, once the acknowledgement or a notification named it.
    pub(super) auth_req_id: Option<AuthReqId>,
    /// Until when notifications are accepted, once this is known.
    pub(super) until: Option<Moment>,
    /// Notifications that arrived before the acknowledgement, each with a different id.
    // REQ-PING-14
    pub(super) early: Vec<EarlyNotification>,
    /// Whether something was accepted since it was last reported.
    pub(super) has_news: bool,
}

/// An authenticated notification.
pub(super) struct EarlyNotification {
    pub(super) auth_req_id: AuthReqId,
    /// The content of a push; `None` for a ping.
    pub(super) delivery: Option<Delivery>,
    pub(super) received_at: Timestamp,
}

impl Notifications {
    /// Creates the state for a new flow, or `None` in poll mode.
    // REQ-META-05
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

    /// Authenticates and reads a notification. Its faults are reported in a fixed order.
    // REQ-PING-02, REQ-PUSH-01
    pub(super) fn admit(
        &self,
        notification: &Notification,
        moment: Moment,
    ) -> Result<NotificationBody, NotificationVerdict> {
        let is_ours: bool =
            // In constant time, because anyone can call the endpoint and measure.
            self.token.expose().as_bytes().ct_eq(notification.bearer.as_bytes()).into();
        // Too late gets the same answer as a wrong token (REQ-PUSH-26).
        if !is_ours || self.until.is_some_and(|until| moment > until) {
            return Err(NotificationVerdict::Unauthorized);
        }
        // After the token: only the provider learns more than that the token is wrong.
        if self.mode == DeliveryMode::Ping && notification.message.body.len() > bounds::PING_BYTES {
            return Err(NotificationVerdict::TooLarge);
        }
        let body = notify::read(&notification.message).map_err(|fault| match fault {
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
            | Fault::NotBound
            | Fault::NonceMissing
            | Fault::NonceRefused
            | Fault::NotSigned
            | Fault::AnotherMode => NotificationVerdict::Malformed,
        })?;
        match &self.auth_req_id {
            // Compared last: what is told about a body is told only to a caller with the right
            // token.
            Some(id) if *id != body.auth_req_id => Err(NotificationVerdict::AnotherRequest),
            Some(_) | None => Ok(body),
        }
    }

    /// Keeps a notification that arrived before the acknowledgement.
    // Only the provider knows the token, so an honest provider sends fewer different ids than are
    // kept.
    fn keep(&mut self, early: EarlyNotification) -> NotificationVerdict {
        // A provider that repeats itself must not fill the few places.
        if self.early.iter().any(|kept| kept.auth_req_id == early.auth_req_id) {
            return NotificationVerdict::Known;
        }
        if self.early.len() >= bounds::EARLY_NOTIFICATIONS {
            // Answered like a wrong token, because an honest provider never gets here.
            return NotificationVerdict::Unauthorized;
        }
        self.early.push(early);
        NotificationVerdict::Accepted
    }

    /// Applies early notifications once the request has its id, or will get it only from a
    /// notification. Those about another request are dropped.
    pub(super) fn collect(&mut self, phase: Phase, context: &Context<'_>) -> Phase {
        match phase {
            Phase::Pending(pending) if self.auth_req_id.is_none() => {
                // The acknowledgement is authentic and names the request, so it decides which
                // notification counts.
                self.name(&pending.grant);
                let mut early = core::mem::take(&mut self.early).into_iter();
                match early.find(|early| early.auth_req_id == pending.grant.auth_req_id) {
                    Some(early) => deliver(pending, early, context),
                    None => Phase::Pending(pending),
                }
            }
            Phase::Authorizing(authorizing)
                if !self.early.is_empty() && !authorizing.request_progress.is_begun() =>
            {
                self.collect(authorizing.was_received(context), context)
            }
            Phase::Adrift(adrift) if !self.early.is_empty() => {
                // The first notification names the request. Others with different ids cannot be
                // about it.
                let first = self.early.swap_remove(0);
                self.early.clear();
                let pending = adrift.adopt(first.auth_req_id.clone(), context);
                self.name(&pending.grant);
                deliver(pending, first, context)
            }
            Phase::Adrift(adrift) => {
                // A notification is on its way for a while after the flow has stopped waiting for
                // it.
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
        // Ruling 3: notifications are accepted for as long after the deadline as answers are.
        self.until = Some(grant.deadline.plus(bounds::GRACE));
    }
}

/// Handles an authenticated push that cannot be used. No part of it is accepted, and the flow ends.
// Ruling 23: a provider delivers only once, so waiting on would end as expired and hide the reason.
// Before the request has its id, nothing shows that the push is about it.
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

/// Applies a notification to a pending flow: a ping causes a token request, a push is the result.
// REQ-PING-09: a ping never means success.
fn deliver(pending: Pending, early: EarlyNotification, context: &Context<'_>) -> Phase {
    match early.delivery {
        None => Phase::Pending(pending.pinged(context)),
        Some(Delivery::Tokens(tokens)) => {
            Verifying::begin(*tokens, pending.grant, early.received_at, context)
        }
        Some(Delivery::Error(answer)) => {
            Settled::failed(redeeming::refusal(answer, &pending.grant, context))
        }
    }
}

impl Notifications {
    /// Applies an authenticated notification to the phase.
    pub(super) fn take(
        &mut self,
        phase: Phase,
        body: NotificationBody,
        notification: &Notification,
        context: &Context<'_>,
    ) -> (Phase, NotificationVerdict) {
        match phase {
            // The provider never accepted the request, so it has nothing to report (REQ-AERR-19).
            Phase::Settled(_) if self.auth_req_id.is_none() => {
                return (phase, NotificationVerdict::Unauthorized);
            }
            // The result is there already, so the provider is told that it can stop repeating
            // itself.
            Phase::Verifying(_) | Phase::Settled(_) => return (phase, NotificationVerdict::Known),
            Phase::Authorizing(_) | Phase::Adrift(_) | Phase::Pending(_) | Phase::Redeeming(_) => {}
        }
        let auth_req_id = body.auth_req_id.clone();
        let delivery = match self.mode {
            // Tokens that are pushed to a client in ping mode are never accepted. Its token
            // requests would fail from now on, or wait in vain, so the flow ends with the reason
            // (REQ-PING-19).
            DeliveryMode::Ping if body.has_tokens() && matches!(phase, Phase::Pending(_)) => {
                return unusable(phase, Fault::AnotherMode);
            }
            // The content of a ping is ignored.
            DeliveryMode::Ping | DeliveryMode::Poll => None,
            DeliveryMode::Push => {
                // A push without an ID Token has nothing that ties it to this request (REQ-PUSH-02).
                let rules = context.config.token_rules(true);
                match body.delivery(&notification.message, rules, context.now) {
                    Ok(delivery) => Some(delivery),
                    Err(fault) => return unusable(phase, fault),
                }
            }
        };
        // The receipt time is kept: the tokens of an early push are verified only later.
        let early = EarlyNotification { auth_req_id, delivery, received_at: context.now };
        match phase {
            Phase::Authorizing(authorizing) => {
                let acknowledgement = self.keep(early);
                (self.collect(Phase::Authorizing(authorizing), context), acknowledgement)
            }
            Phase::Adrift(adrift) => {
                self.early.push(early);
                (self.collect(Phase::Adrift(adrift), context), NotificationVerdict::Accepted)
            }
            // A repetition during the same wait has no effect (REQ-PING-15).
            Phase::Pending(pending)
                if self.mode == DeliveryMode::Ping && !pending.heeds_ping(context) =>
            {
                (Phase::Pending(pending), NotificationVerdict::Known)
            }
            Phase::Redeeming(redeeming) if !redeeming.heeds_ping() => {
                (Phase::Redeeming(redeeming), NotificationVerdict::Known)
            }
            Phase::Pending(pending) => {
                (deliver(pending, early, context), NotificationVerdict::Accepted)
            }
            Phase::Redeeming(mut redeeming) => {
                // The answer in flight may be older than the ping, so another request follows it
                // (OPM-PNG-16).
                redeeming.grant.ping();
                // A request that has not begun yet answers the ping itself.
                redeeming.grant.owes_request = redeeming.request_progress.is_begun();
                (Phase::Redeeming(redeeming), NotificationVerdict::Accepted)
            }
            other @ (Phase::Verifying(_) | Phase::Settled(_)) => {
                (other, NotificationVerdict::Known)
            }
        }
    }
}
