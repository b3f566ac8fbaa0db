//! A transaction, from its acknowledgement to its end.

use ciba_core::Timestamp;
use serde_json::Value;

use super::{pace::Pace, plan::Plan};
use crate::{
    client::Client,
    message::ExchangeId,
    notification::Moment,
    script::{Decision, Script},
};

/// The state of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TransactionState {
    /// There is no decision yet.
    Pending,
    /// The user approved; the tokens were not fetched yet.
    Approved,
    /// The user denied.
    Denied,
    /// The tokens were fetched.
    Redeemed,
    /// It expired before there was a decision, or before the tokens were fetched.
    Expired,
    /// The provider ended it because of early polls.
    Dead,
    /// The tokens or the error were pushed, and the client acknowledged them.
    Delivered,
    /// The client did not accept the push.
    DeliveryFailed,
}

/// An authentication that was begun, as the phone page and tests see it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Transaction {
    /// Its number, from 1.
    pub number: usize,
    /// The client that began it.
    pub client_id: String,
    /// Its state.
    pub state: TransactionState,
    /// The requested scopes.
    pub scope: String,
    /// The binding message that the user sees.
    pub binding_message: Option<String>,
    /// The pair of words that the agent reads out and the user has to choose (Norwegian BankID).
    pub words: Option<String>,
    /// When it expires.
    pub expires: Timestamp,
    /// When it expires according to the acknowledgement, which a script may have changed.
    pub told_expires: Timestamp,
}

/// A transaction with everything the provider stores of it (OP-36).
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub(super) number: usize,
    /// The authentication request.
    pub(super) asked: ExchangeId,
    pub(super) auth_req_id: String,
    pub(super) client: Client,
    pub(super) subject: String,
    pub(super) name: String,
    pub(super) hint: String,
    pub(super) scope: String,
    pub(super) acr: Option<String>,
    /// The certificate its access tokens are bound to.
    pub(super) thumbprint: Option<String>,
    /// The key its access tokens are bound to.
    pub(super) dpop_key: Option<String>,
    /// Whether a refresh token was requested (`offline_access`).
    pub(super) offline: bool,
    pub(super) details: Option<Value>,
    pub(super) binding_message: Option<String>,
    pub(super) words: Option<String>,
    pub(super) started: Timestamp,
    pub(super) expires: Timestamp,
    pub(super) decided: Option<Decision>,
    /// The future decision of the user, and its time. Only in ping and push mode; in poll mode the
    /// polls are counted.
    pub(super) scheduled: Option<(Timestamp, Decision)>,
    /// When the user decided.
    pub(super) decision_came: Option<Timestamp>,
    /// When the acknowledgement was sent.
    pub(super) acknowledged: Option<Timestamp>,
    pub(super) notification_token: Option<String>,
    pub(super) plans: Vec<Plan>,
    /// The token response that is pushed.
    pub(super) pushed: Option<Value>,
    /// Whether the client accepted the push.
    pub(super) delivered: Option<bool>,
    /// The number of token requests that are still answered as pending before the decision.
    pub(super) pending_left: u32,
    pub(super) pending_told: u32,
    pub(super) redeemed: bool,
    pub(super) dead: bool,
    pub(super) script: Script,
    /// The number of token requests.
    pub(super) requests: u32,
    pub(super) pace: Pace,
}

impl Record {
    /// Schedules the notifications that waited for the decision.
    pub(super) fn decided_at(&mut self, at: Timestamp) {
        self.decision_came = Some(self.decision_came.unwrap_or(at));
        let Some(acknowledged) = self.acknowledged else { return };
        for plan in self
            .plans
            .iter_mut()
            .filter(|plan| plan.due.is_none() && plan.moment == Moment::Decided)
        {
            plan.fall_due(at.max(acknowledged));
        }
    }

    /// Schedules the notifications that waited for the acknowledgement.
    pub(super) fn acknowledged_at(&mut self, at: Timestamp) {
        self.acknowledged = Some(at);
        for plan in self
            .plans
            .iter_mut()
            .filter(|plan| plan.due.is_none() && plan.moment == Moment::Acknowledgement)
        {
            plan.fall_due(at);
        }
        if let Some(decided) = self.decision_came {
            self.decided_at(decided);
        }
    }

    /// Whether one of its notifications is still to be sent.
    pub(super) fn is_to_be_told(&self) -> bool {
        self.plans.iter().any(|plan| plan.due.is_some())
    }

    /// Whether the client has tokens of it, as far as the provider knows.
    pub(super) fn has_tokens_out(&self) -> bool {
        self.redeemed || self.delivered == Some(true) && self.pushed.is_some()
    }

    /// The decision of the user at `now`.
    pub(super) fn decision(&self, now: Timestamp) -> Option<Decision> {
        self.decided
            .or_else(|| self.scheduled.filter(|(at, _)| *at <= now).map(|(_, decision)| decision))
    }

    pub(super) fn state(&self, now: Timestamp) -> TransactionState {
        match self.decision(now) {
            _ if self.delivered == Some(true) => TransactionState::Delivered,
            _ if self.delivered == Some(false) => TransactionState::DeliveryFailed,
            _ if self.redeemed => TransactionState::Redeemed,
            _ if self.dead => TransactionState::Dead,
            _ if now >= self.expires => TransactionState::Expired,
            // The decision of this user is known, but not made yet, and the phone page or a test may
            // decide otherwise before.
            Some(_) if self.pending_left > 0 => TransactionState::Pending,
            Some(Decision::Approve) => TransactionState::Approved,
            Some(Decision::Deny) => TransactionState::Denied,
            None => TransactionState::Pending,
        }
    }

    pub(super) fn public(&self, now: Timestamp) -> Transaction {
        Transaction {
            number: self.number,
            client_id: self.client.id.clone(),
            state: self.state(now),
            scope: self.scope.clone(),
            binding_message: self.binding_message.clone(),
            words: self.words.clone(),
            expires: self.expires,
            told_expires: self.pace.deadline,
        }
    }
}
