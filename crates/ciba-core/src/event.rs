//! What a driver reports about a flow.

use crate::{
    ask::{Output, Transmit, Wait},
    endpoint::Endpoint,
    flow::Flow,
    wire::authorize::Acknowledgement,
};

/// Something a driver did or is about to do, for progress displays and logs. Ignoring events is
/// safe.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A request is about to be sent.
    Requesting {
        /// Where to.
        endpoint: Endpoint,
        /// Counts the requests to this endpoint, from 1.
        attempt: u32,
    },
    /// The provider took the authentication request and asks the person (CIBA 7.3).
    Acknowledgement(Acknowledgement),
    /// A notification for this flow was accepted (CIBA 10.2, 10.3).
    Notified,
    /// Nothing happens before an instant.
    Waiting(Wait),
}

impl Event {
    /// Of an exchange that is about to begin.
    #[must_use]
    pub const fn requesting(transmit: &Transmit) -> Self {
        Self::Requesting { endpoint: transmit.endpoint(), attempt: transmit.attempt() }
    }
}

/// Sees to it that whoever watches one drive of a flow is told of everything once.
#[derive(Debug)]
pub struct Events {
    is_acknowledged: bool,
    wait: Option<Wait>,
}

impl Events {
    /// At the beginning of a drive. What the flow has behind it is not told again, and a store that
    /// failed an earlier drive is tried again at once.
    #[must_use]
    pub fn new(flow: &mut Flow) -> Self {
        flow.tries_the_store_again();
        Self { is_acknowledged: flow.acknowledgement().is_some(), wait: None }
    }

    /// What is to be told after a poll of the flow brought this output.
    pub fn after(
        &mut self,
        flow: &mut Flow,
        output: &Output,
    ) -> impl Iterator<Item = Event> + use<> {
        let acknowledged = match flow.acknowledgement() {
            Some(acknowledged) if !core::mem::replace(&mut self.is_acknowledged, true) => {
                Some(Event::Acknowledgement(acknowledged.clone()))
            }
            Some(_) | None => None,
        };
        let notified = flow.take_news().then_some(Event::Notified);
        let next = match output {
            Output::Transmit(transmit) => Some(Event::requesting(transmit)),
            Output::Wait(wait) if self.wait.as_ref() != Some(wait) => {
                self.wait = Some(wait.clone());
                Some(Event::Waiting(wait.clone()))
            }
            Output::Wait(_)
            | Output::Save(_)
            | Output::Key(_)
            | Output::KeySet(_)
            | Output::Done => None,
        };
        [acknowledged, notified, next].into_iter().flatten()
    }
}
