//! Events by which a driver reports the progress of a flow.

use serde::Serialize;

use crate::{
    ask::{Output, Transmit, Wait},
    endpoint::Endpoint,
    flow::Flow,
    wire::authorize::Acknowledgement,
};

/// A step of a driver, for progress displays and logs. Ignoring events is safe.
///
/// Serializes as one object of the `ciba` command's JSON output, with its name in `event`:
///
/// ```
/// use ciba_core::{Event, http::Endpoint};
///
/// let event = Event::Requesting { endpoint: Endpoint::Token, attempt: 2 };
/// assert_eq!(
///     serde_json::to_string(&event)?,
///     r#"{"event":"requesting","endpoint":"token","attempt":2}"#
/// );
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// A request is about to be sent.
    Requesting {
        /// The endpoint.
        endpoint: Endpoint,
        /// The number of this request among those to this endpoint, counted from 1.
        attempt: u32,
    },
    /// The provider acknowledged the authentication request and prompts the person
    /// ([CIBA Core 7.3]).
    ///
    /// [CIBA Core 7.3]: https://openid.net/specs/openid-client-initiated-backchannel-authentication-core-1_0.html#rfc.section.7.3
    #[serde(rename = "acknowledged")]
    Acknowledgement(Acknowledgement),
    /// A notification for this flow was accepted ([CIBA Core 10.2], [CIBA Core 10.3]).
    ///
    /// [CIBA Core 10.2]: https://openid.net/specs/openid-client-initiated-backchannel-authentication-core-1_0.html#rfc.section.10.2
    /// [CIBA Core 10.3]: https://openid.net/specs/openid-client-initiated-backchannel-authentication-core-1_0.html#rfc.section.10.3
    Notified,
    /// The flow waits until an instant.
    Waiting(Wait),
}

impl Event {
    /// Creates the event of an exchange that is about to begin.
    #[must_use]
    pub const fn requesting(transmit: &Transmit) -> Self {
        Self::Requesting { endpoint: transmit.endpoint(), attempt: transmit.attempt() }
    }
}

/// Derives the events of one drive from the outputs of a flow, and reports each once.
#[derive(Debug)]
pub struct Events {
    is_acknowledged: bool,
    wait: Option<Wait>,
}

impl Events {
    /// Begins a drive.
    ///
    /// Earlier progress of the flow is not reported again. If saving failed in an earlier drive,
    /// the flow tries again immediately.
    #[must_use]
    pub fn new(flow: &mut Flow) -> Self {
        // A new drive usually means that its caller expects the store to work.
        flow.tries_the_store_again();
        Self { is_acknowledged: flow.acknowledgement().is_some(), wait: None }
    }

    /// Returns the events to report when a drive stops: what has become known since the last output.
    pub fn before_stop(&mut self, flow: &mut Flow) -> impl Iterator<Item = Event> + use<> {
        self.known(flow).into_iter().flatten()
    }

    /// Returns the events to report after [`Flow::poll`] returned `output`.
    pub fn after(
        &mut self,
        flow: &mut Flow,
        output: &Output,
    ) -> impl Iterator<Item = Event> + use<> {
        let [acknowledged, notified] = self.known(flow);
        let next = match output {
            Output::Transmit(transmit) => Some(Event::requesting(transmit)),
            // A caller that polls early gets the same wait again.
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

    /// Returns what has happened to the flow and was not reported yet.
    fn known(&mut self, flow: &mut Flow) -> [Option<Event>; 2] {
        let acknowledged = match flow.acknowledgement() {
            Some(acknowledged) if !core::mem::replace(&mut self.is_acknowledged, true) => {
                Some(Event::Acknowledgement(acknowledged.clone()))
            }
            Some(_) | None => None,
        };
        [acknowledged, flow.take_news().then_some(Event::Notified)]
    }
}
