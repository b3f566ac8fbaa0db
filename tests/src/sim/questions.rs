//! The questions of a flow: made, held back until their state is saved, handed out.
//!
//! A question has one record, from the moment at which it is made. The flow holds it back for as
//! long as it waits for the store, and then hands it out or, if its time is up, gives it up as not
//! sent.

use super::{store::is_in_flight, *};

impl Sim {
    /// Records a question that the flow made in this poll and holds back for a save. Nothing is
    /// recorded if the save is that of a wait.
    pub(super) fn is_held_back(&mut self) {
        let (moment, stage) = (self.mirror.moment, self.flow.stage());
        if stage == Stage::Verifying {
            // Looking for keys may wait as well, which cannot be told apart from outside.
            self.keys_since.get_or_insert(moment);
        }
        if self.mirror.open.is_some() {
            return;
        }
        let saved: Value = serde_json::from_slice(self.flow.snapshot().as_bytes()).expect("JSON");
        let kind = match stage {
            Stage::Authorizing if is_in_flight(&saved) => Kind::Authentication,
            Stage::Redeeming if is_in_flight(&saved) => Kind::Token,
            Stage::Redeeming => Kind::Signature,
            // Otherwise it waits before it tries again.
            Stage::Authorizing
                if saved["phase"]["authorizing"]["due"].as_u64().expect("it is due") <= moment =>
            {
                Kind::Signature
            }
            _ => return,
        };
        self.is_made(kind);
    }

    /// Records a question that the flow made now.
    fn is_made(&mut self, kind: Kind) {
        let moment = self.mirror.moment;
        let deadline = self.last_instant();
        let local = moment + self.local();
        let timeout =
            |timeout: Duration| moment + u64::try_from(timeout.as_millis()).expect("short") + 1000;
        let (mut sent, mut latest, mut stale) = (moment, u64::MAX, u64::MAX);
        let limit = match kind {
            Kind::Authentication => {
                stale = self.mirror.draft.take().unwrap_or(u64::MAX);
                self.mirror.unsigned = 0;
                self.mirror.first_sent.get_or_insert(moment);
                timeout(self.config.policy().authentication_timeout)
            }
            Kind::Token => {
                stale = self.mirror.draft.take().unwrap_or(u64::MAX);
                let grant = self.mirror.grant.as_mut().expect("a request for an id");
                (grant.key_failures, grant.owes) = (0, false);
                latest = deadline + GRACE;
                timeout(self.config.policy().token_timeout)
            }
            Kind::Signature => {
                let life = if self.signs_the_request() { 150_000 } else { 30_000 };
                self.mirror.draft = Some(self.mirror.draft.unwrap_or(u64::MAX).min(moment + life));
                // A signature that has not arrived at the deadline is no longer needed.
                deadline.min(local)
            }
            Kind::Keys => {
                sent = self.keys_since.unwrap_or(moment);
                local
            }
        };
        let limit = limit.min(latest);
        self.mirror.open = Some(OpenQuestion {
            id: 0,
            kind,
            sent,
            limit,
            latest,
            stale,
            is_held: true,
            begun: false,
        });
    }

    /// Whether the next signature is that of the authentication request, which is signed before the
    /// assertion.
    fn signs_the_request(&self) -> bool {
        self.config.request_signing_algorithm().is_some()
            && self.flow.stage() == Stage::Authorizing
            && self.mirror.draft.is_none()
    }

    /// Records a question that reaches the caller.
    pub(super) fn is_handed_out(&mut self, id: u64, kind: Kind, question: Question) {
        let moment = self.mirror.moment;
        match self.mirror.open {
            Some(open) if open.is_held => {
                assert_eq!(open.kind, kind, "another question than the one that was made");
            }
            open => {
                // When keys were requested that were held back is known only roughly.
                let local = self.local();
                assert!(
                    open.is_none_or(|open| open.kind == Kind::Keys && moment >= open.sent + local),
                    "another question is asked while one is open"
                );
                if let Question::Key(operation) = &question {
                    let is_request = operation.purpose() == KeyPurpose::RequestObject;
                    assert_eq!(is_request, self.signs_the_request(), "signed in another order");
                }
                self.is_made(kind);
            }
        }
        let open = self.mirror.open.as_mut().expect("it was made");
        (open.id, open.is_held) = (id, false);
        if open.is_request() {
            // The time in which the store held it back does not count.
            open.restart(moment);
        }
        self.left.extend(self.open.take());
        self.open = Some(Asked { id, question });
    }

    /// On the client's line: the moment from which nothing is asked any more.
    fn last_instant(&self) -> u64 {
        self.mirror.grant.as_ref().map_or(self.not_after(), |grant| grant.deadline)
    }

    /// Records that the flow gives up a question that the store held back for too long. A request
    /// was not sent, and a signature is requested anew, with everything else that its request needs.
    pub(super) fn expire_held(&mut self) {
        let (moment, last) = (self.mirror.moment, self.last_instant());
        let Some(open) = self.mirror.open.take_if(|open| {
            open.is_held && (moment >= open.limit || moment > open.stale || moment >= last)
        }) else {
            return;
        };
        self.mirror.draft = None;
        if open.is_request() {
            self.never_left(open.kind, open.sent);
        }
    }
}
