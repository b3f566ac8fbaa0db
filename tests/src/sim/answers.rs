//! Performing the outputs of a flow: correctly, late or not at all.

use std::time::Duration;

use ciba_core::{
    Input, Lookup, Sending, Stage,
    fault::Cause,
    http::{Endpoint, Headers, Response, Unanswered},
    machine::{KeyTask, Misuse, MisuseReason},
};

use super::{
    Asked, GRACE, Question, START, Sim,
    mirror::{Dropped, Kind, OpenQuestion, Outcome},
};
use crate::{
    fake_crypto,
    model::{CLIENT_KEY, Say},
};

impl Sim {
    /// Sends the open request, unless it is too late. The provider receives and answers it, and the
    /// answer is on its way. Does nothing if no request is open or it was already performed.
    pub fn perform(&mut self, say: Say) {
        self.begin();
        let Some(Asked { question: Question::Sent { sending, response }, .. }) = &mut self.open
        else {
            return;
        };
        if response.is_some() {
            return;
        }
        let now = (START + self.elapsed) / 1000;
        let request = sending.request();
        *response = Some(match sending.transmit().endpoint() {
            Endpoint::BackchannelAuthentication => {
                self.prompted = true;
                let response = self.op.authenticate(request);
                assert_eq!(
                    self.op.notification_token, self.token,
                    "a token with ping and push, and only then"
                );
                (response, None)
            }
            _ => (self.op.token(request, say, now), Some(say)),
        });
    }

    /// Delivers the answer of an exchange, now or much too late. `None` means that the response was
    /// lost.
    ///
    /// # Panics
    ///
    /// Panics if a rule is broken.
    pub fn deliver(&mut self, asked: Asked) {
        let Asked { id, question } = asked;
        let Question::Sent { sending, response } = question else {
            // It never began, and is given up now.
            return self.is_dropped(id, Dropped::Untouched);
        };
        self.observe();
        let open = self.mirror.open.filter(|open| open.id == id);
        let moment = self.mirror.moment;
        let Some((response, say)) = response else {
            self.may_have_left(&sending);
            return self.unanswered(sending, Unanswered::Lost(Cause::Closed), open);
        };
        let status = response.status;
        let invalid_grant =
            String::from_utf8_lossy(response.body.expose()).contains("invalid_grant");
        let before = (self.flow.stage(), self.flow.revision());
        self.hand_over(sending.answered(response)).expect("the input belongs to this flow");
        let after = (self.flow.stage(), self.flow.revision());
        let Some(say) = say else {
            let sent = match (open, before.0, self.mirror.adrift) {
                (Some(open), Stage::Authorizing, _) => open.sent,
                (None, Stage::Adrift, Some((sent, _))) => sent,
                _ => return assert_eq!(before, after, "a late acknowledgement is ignored"),
            };
            self.mirror.open = None;
            let early = self.mirror.is_acknowledged(sent, &self.setup);
            self.spacing_begins();
            match early {
                None => assert_eq!(after.0, Stage::Pending),
                Some(delivered) => self.is_delivered(delivered),
            }
            return;
        };
        let in_time =
            self.mirror.grant.as_ref().is_some_and(|grant| moment <= grant.deadline + GRACE);
        if let Some(open) = open {
            self.mirror.open = None;
            let outcome = if in_time {
                Outcome::Answer(say)
            } else {
                Outcome::Lost { waited: moment - open.sent }
            };
            self.ended(&outcome, open.sent);
            self.mirror.redeemed |= status == 200;
            match say {
                _ if !in_time => {
                    assert_eq!(
                        after.0,
                        Stage::Settled,
                        "answers are taken for a minute after the deadline"
                    )
                }
                _ if status == 200 => assert!(matches!(after.0, Stage::Verifying | Stage::Settled)),
                Say::Busy(..) => assert_eq!(after.0, Stage::Pending),
                _ if invalid_grant => assert_eq!(after.0, Stage::Settled),
                Say::Pending(..) | Say::SlowDown(..) => assert_eq!(after.0, Stage::Pending),
                _ => assert_eq!(after.0, Stage::Settled),
            }
        } else if status == 200 && in_time && matches!(before.0, Stage::Pending | Stage::Redeeming)
        {
            self.mirror.open = None;
            self.mirror.redeemed = true;
            assert!(
                matches!(after.0, Stage::Verifying | Stage::Settled),
                "after a 200 nothing is asked again"
            );
        } else {
            assert_eq!(before, after, "a late answer of another status is ignored");
        }
    }

    /// Reports an exchange as unanswered.
    fn unanswered(&mut self, sending: Sending, how: Unanswered, open: Option<OpenQuestion>) {
        let before = (self.flow.stage(), self.flow.revision());
        self.hand_over(sending.unanswered(how)).expect("the input belongs to this flow");
        let Some(open) = open else {
            assert_eq!(before, (self.flow.stage(), self.flow.revision()), "a late loss is ignored");
            return;
        };
        self.mirror.open = None;
        let is_lost =
            matches!(how, Unanswered::Lost(_)) || !self.mirror.notifications.early.is_empty();
        if open.kind == Kind::Authentication && is_lost {
            self.acknowledgement_is_lost(open.sent);
        }
        if open.kind == Kind::Token {
            let outcome = match how {
                Unanswered::Lost(_) => Outcome::Lost { waited: self.mirror.moment - open.sent },
                Unanswered::NotSent(_) => Outcome::NotSent,
            };
            self.ended(&outcome, open.sent);
        }
    }

    /// Reports that the open request was not sent because there was no connection. Does nothing if
    /// it was performed.
    pub fn not_sent(&mut self) {
        self.begin();
        match self.open.take() {
            Some(Asked { id, question: Question::Sent { sending, response: None } }) => {
                self.observe();
                let open = self.mirror.open.filter(|open| open.id == id);
                self.unanswered(sending, Unanswered::NotSent(Cause::Refused), open);
            }
            other => self.open = other,
        }
    }

    /// Begins the open request, immediately before it is sent.
    ///
    /// # Panics
    ///
    /// Panics if a request would be sent too late, or is held back without need.
    pub fn begin(&mut self) {
        let Some(Asked { id, question: Question::Transmit(transmit) }) =
            self.open.take_if(|asked| matches!(asked.question, Question::Transmit(_)))
        else {
            return;
        };
        let now = self.now();
        let begun = self.flow.begin(transmit, now);
        self.observe();
        let not_after = self.not_after();
        let (moment, mirror) = (self.mirror.moment, &mut self.mirror);
        let open = mirror.open.as_mut().filter(|open| open.id == id);
        let deadline = mirror.grant.as_ref().map_or(not_after, |grant| grant.deadline);
        let is_wanted = open.as_ref().is_some_and(|open| moment <= open.stale && moment < deadline);
        assert_eq!(begun.is_some(), is_wanted, "{:?}", self.flow);
        match (open, begun) {
            (Some(open), Some(sending)) => {
                assert!(
                    open.kind != Kind::Authentication || moment < not_after,
                    "an authentication request leaves too late"
                );
                open.restart(moment);
                open.begun = true;
                if let (Kind::Token, Some(sent)) = (open.kind, self.sends.last_mut()) {
                    *sent = self.elapsed;
                }
                self.open =
                    Some(Asked { id, question: Question::Sent { sending, response: None } });
            }
            // The flow learns of it at the next poll.
            _ => self.is_dropped(id, Dropped::Untouched),
        }
    }

    /// Reports the open request as lost: the provider may have it.
    fn may_have_left(&mut self, sending: &Sending) {
        self.prompted |= sending.transmit().endpoint() != Endpoint::Token;
    }

    fn is_dropped(&mut self, id: u64, how: Dropped) {
        if self.mirror.open.is_some_and(|open| open.id == id) {
            self.mirror.dropped = Some((id, how));
        }
    }

    /// The flow learns that the open question was dropped, and answers it with what was true then.
    pub(super) fn hear_of_a_drop(&mut self) {
        let Some((id, how)) = self.mirror.dropped.take() else { return };
        let Some(open) = self.mirror.open.take_if(|open| open.id == id) else { return };
        let moment = self.mirror.moment;
        match (open.kind, how) {
            (Kind::Authentication, Dropped::Begun) => self.acknowledgement_is_lost(open.sent),
            (Kind::Authentication, Dropped::Untouched)
                if !self.mirror.notifications.early.is_empty() =>
            {
                self.acknowledgement_is_lost(open.sent);
            }
            (Kind::Token, Dropped::Begun) => {
                self.ended(&Outcome::Lost { waited: moment - open.sent }, open.sent)
            }
            (Kind::Token, Dropped::Untouched) => self.ended(&Outcome::NotSent, open.sent),
            (Kind::Signature, _) => self.mirror.draft = None,
            (Kind::Authentication, Dropped::Untouched) | (Kind::Keys, _) => {}
        }
    }

    /// Drops the open question, like a caller whose future or thread ends. The flow learns of it at
    /// the next poll.
    pub fn drop_open(&mut self) {
        if let Some(Asked { id, question }) = self.open.take() {
            let how = match &question {
                Question::Sent { sending, .. } => {
                    self.may_have_left(sending);
                    Dropped::Begun
                }
                Question::Transmit(_) | Question::Key(_) | Question::KeySet(_) => {
                    Dropped::Untouched
                }
            };
            self.is_dropped(id, how);
        }
    }

    /// Sends the open request, to which no answer will arrive.
    pub fn lose(&mut self) {
        self.begin();
        match self.open.take() {
            Some(Asked { id, question: Question::Sent { sending, .. } }) => {
                self.may_have_left(&sending);
                self.observe();
                let open = self.mirror.open.filter(|open| open.id == id);
                self.unanswered(sending, Unanswered::Lost(Cause::Closed), open);
            }
            other => self.open = other,
        }
    }

    /// Performs the open exchange and delivers the answer immediately.
    pub fn answer(&mut self, say: Say) {
        self.perform(say);
        if let Some(asked) = self.open.take() {
            match asked.question {
                Question::Sent { .. } => self.deliver(asked),
                _ => self.open = Some(asked),
            }
        }
    }

    /// Answers the open key operation with a signature, now or much too late.
    ///
    /// # Panics
    ///
    /// Panics if the flow rejects it.
    pub fn sign(&mut self, asked: Asked) {
        let Asked { id, question: Question::Key(operation) } = asked else { return };
        let KeyTask::Sign(task) = operation.task() else { return };
        let signature = fake_crypto::sign(&fake_crypto::key(CLIENT_KEY), task.message());
        let revision = self.flow.revision();
        self.observe();
        self.hand_over(operation.answered(signature)).expect("the input belongs to this flow");
        assert_eq!(self.flow.revision(), revision, "a signature is not worth a save");
        if self.mirror.open.is_some_and(|open| open.id == id) {
            self.mirror.open = None;
        }
    }

    /// Reports that the private key is unavailable.
    ///
    /// # Panics
    ///
    /// Panics if the flow rejects it, or gives up at the wrong time.
    pub fn key_unavailable(&mut self, asked: Asked) {
        let Asked { id, question: Question::Key(operation) } = asked else { return };
        self.observe();
        self.hand_over(operation.unavailable()).expect("the input belongs to this flow");
        let Some(open) = self.mirror.open.filter(|open| open.id == id) else { return };
        debug_assert_eq!(open.kind, Kind::Signature);
        self.mirror.open = None;
        // Not the current stage, which is the one after it.
        if self.mirror.grant.is_none() {
            self.mirror.draft = None;
            self.mirror.unsigned += 1;
        } else if let Some(grant) = &mut self.mirror.grant {
            self.mirror.draft = None;
            grant.key_failures += 1;
            grant.ended(&Outcome::NoKey, self.mirror.moment, self.mirror.moment, &self.setup);
        }
        let is_over = self.flow.stage() == Stage::Settled;
        assert_eq!(
            is_over,
            self.key_is_gone(),
            "three failures of the key in a row are the end, not fewer"
        );
    }

    /// Answers a request for keys from the cache, which fetches them from the provider if
    /// necessary.
    ///
    /// # Panics
    ///
    /// Panics if the flow or the cache rejects the answer.
    pub fn find_keys(&mut self, asked: Asked, can_fetch: bool) {
        let Asked { id, question: Question::KeySet(mut request) } = asked else { return };
        self.keys_missed |= request.within().is_some();
        let now = self.now();
        let input = loop {
            match self.cache.lookup(&mut request, now) {
                Lookup::Ready(keys) => break request.found(keys),
                Lookup::Later(until) => break request.later(until),
                Lookup::Unavailable(why) => break request.unavailable(why),
                Lookup::Fetch(transmit) => {
                    let sending =
                        self.cache.begin(transmit, now).expect("it was requested just now");
                    let input = match can_fetch {
                        true => sending.answered(self.op.key_set()),
                        false => sending.answered(Response::new(500, Headers::new(), "")),
                    };
                    self.cache.handle(input, now).expect("the input belongs to the cache");
                }
            }
        };
        self.keys(id, input);
    }

    /// Reports that the keys are unavailable: at all, or before some time has passed.
    pub fn no_keys(&mut self, asked: Asked, later: Option<u64>) {
        let Asked { id, question: Question::KeySet(request) } = asked else { return };
        self.keys_missed |= request.within().is_some();
        let until = later.map(|millis| self.now().saturating_add(Duration::from_millis(millis)));
        self.keys(
            id,
            match until {
                Some(until) => request.later(until),
                None => request.unavailable(Cause::Name.into()),
            },
        );
    }

    fn keys(&mut self, id: u64, input: Input) {
        self.observe();
        self.hand_over(input).expect("the input belongs to this flow");
        if self.mirror.open.is_some_and(|open| open.id == id) {
            self.mirror.open = None;
        }
    }

    fn hand_over(&mut self, input: Input) -> Result<(), Misuse> {
        let (revision, now) = (self.flow.revision(), self.now());
        let result = self.flow.handle(input, now);
        assert!(self.flow.revision() >= revision, "the revision went back");
        match result {
            // A question of an earlier process, which the resumed snapshot did not know.
            Err(Misuse { reason: MisuseReason::StaleTicket, .. }) if self.processes > 1 => {
                assert_eq!(self.flow.revision(), revision);
                (self.mirror.wall, self.mirror.moment, self.spacing_wall, self.spacing) =
                    self.unobserved;
                Ok(())
            }
            result => result,
        }
    }

    /// Cancels the flow.
    pub fn cancel(&mut self) {
        self.observe();
        let now = self.now();
        self.flow.cancel(now);
        assert_eq!(self.flow.stage(), Stage::Settled);
        self.mirror.open = None;
    }
}
