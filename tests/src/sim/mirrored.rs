//! What the reference model concludes as time passes: questions expire, keys fail, waits begin and
//! end.

use super::*;

impl Sim {
    /// Records what the flow concludes from an open question that timed out, and from stale
    /// signatures.
    pub(super) fn expire_open(&mut self) {
        let (moment, stage) = (self.mirror.moment, self.flow.stage());
        let over = self.mirror.open.filter(|open| moment >= open.limit);
        let is_stale =
            self.mirror.open.is_none() && self.mirror.draft.is_some_and(|stale| moment > stale);
        if over.is_some() {
            self.mirror.open = None;
        }
        if let Some(open) = over.filter(|open| !open.begun) {
            return self.never_left(open.kind, open.sent);
        }
        match (over.map(|open| (open.kind, open.sent)), stage) {
            (Some((Kind::Token, sent)), Stage::Redeeming) => {
                self.ended(&Outcome::Lost { waited: moment - sent }, sent)
            }
            (Some((Kind::Authentication, sent)), Stage::Authorizing) => {
                self.prompted = true;
                self.acknowledgement_is_lost(sent);
            }
            (Some((Kind::Signature, _)), _) => self.signature_is_missing(),
            (None, _) if is_stale => self.signature_is_missing(),
            _ => {}
        }
    }

    /// Records what the flow concludes from a question whose request never began.
    pub(super) fn never_left(&mut self, kind: Kind, sent: u64) {
        match kind {
            // A notification proves that an earlier attempt arrived.
            Kind::Authentication if !self.mirror.notifications.early.is_empty() => {
                self.acknowledgement_is_lost(sent);
            }
            Kind::Token => self.ended(&Outcome::NotSent, sent),
            Kind::Signature => self.signature_is_missing(),
            Kind::Authentication | Kind::Keys => {}
        }
    }

    /// Records a key operation without a signature in time. The third in a row ends the flow.
    pub(super) fn signature_is_missing(&mut self) {
        self.mirror.draft = None;
        let moment = self.mirror.moment;
        match (self.flow.stage(), &mut self.mirror.grant) {
            (Stage::Authorizing, _) => self.mirror.unsigned += 1,
            (Stage::Redeeming, Some(grant)) if moment < grant.deadline => {
                grant.key_failures += 1;
                grant.ended(&Outcome::NoKey, moment, moment, &self.setup);
            }
            _ => {}
        }
    }

    /// Returns whether the key was unavailable so often that the flow ends.
    pub(super) fn key_is_gone(&self) -> bool {
        self.mirror.unsigned >= 3
            || self.mirror.grant.as_ref().is_some_and(|grant| grant.key_failures >= 3)
    }

    pub(super) fn acknowledgement_is_lost(&mut self, sent: u64) {
        if let Some(delivered) = self.mirror.loses_acknowledgement(sent, &self.setup) {
            self.spacing_begins();
            self.is_delivered(delivered);
        }
    }

    /// Begins the first wait of a new grant.
    pub(super) fn spacing_begins(&mut self) {
        let (moment, grant) = (self.mirror.moment, self.grant());
        self.not_before = self.spacing + grant.interval.min(grant.due.0.saturating_sub(moment));
    }

    pub(super) fn ended(&mut self, outcome: &Outcome, sent: u64) {
        let moment = self.mirror.moment;
        let Some(grant) = &mut self.mirror.grant else { return };
        grant.ended(outcome, sent, moment, &self.setup);
        if matches!(outcome, Outcome::NotSent) {
            // The provider saw nothing.
            return self.last_request_waits_for_none();
        }
        // The minimum wait of all rules, counted on the line that no crash sets back.
        let from_send = matches!(
            self.setup.policy.interval_reference,
            ciba_core::config::IntervalReference::Send
        );
        let since_send = if from_send { moment - sent } else { 0 };
        self.not_before = self.spacing + grant.interval.saturating_sub(since_send);
        if let Outcome::Answer(
            Say::Pending(asked, _) | Say::SlowDown(asked, _) | Say::Busy(_, asked),
        ) = outcome
        {
            self.not_before = self.not_before.max(self.spacing + asked.unwrap_or(0) * 1000);
        }
        self.ended = Some(self.spacing);
        self.last_request_waits_for_none();
    }

    /// No spacing rule prevents the last request before the deadline.
    pub(super) fn last_request_waits_for_none(&mut self) {
        let (moment, Some(grant)) = (self.mirror.moment, &self.mirror.grant) else { return };
        if grant.allowed.0 < grant.deadline {
            self.not_before =
                self.not_before.min(self.spacing + grant.allowed.0.saturating_sub(moment));
        }
    }
}
