//! Misbehaviour as data: which message of which endpoint, and what happens to it.

mod answer;
mod id_token;
mod key_set;

use core::time::Duration;

pub use self::{
    answer::{Amendment, ScriptedAnswer},
    id_token::{IdTokenEdit, MacKey, TokenShape},
    key_set::KeySetEdit,
};
use crate::{
    message::{Closing, Endpoint},
    notification::NotificationEdit,
};

/// A list of deviations from correct behaviour, each for some of the messages of one endpoint.
///
/// All steps that match a message apply, in order. A message that no step matches is answered
/// correctly.
///
/// ```
/// use std::time::Duration;
/// use ciba_test_op::{Act, Endpoint, IdTokenEdit, Script, ScriptedAnswer};
///
/// // The second poll is answered by a proxy, the third with `slow_down`, and the ID Token has another
/// // client's `aud`.
/// let script = Script::new()
///     .nth(Endpoint::Token, 2, Act::Answer(ScriptedAnswer::html(502)))
///     .nth(Endpoint::Token, 3, Act::Answer(ScriptedAnswer::error(400, "slow_down")))
///     .id_token(IdTokenEdit::set("aud", "another-client"));
/// # let _ = (script, Duration::ZERO);
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Script {
    pub(crate) steps: Vec<Step>,
}

/// One entry of a [`Script`].
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Step {
    /// The endpoint whose messages it changes.
    pub endpoint: Endpoint,
    /// The messages it changes.
    pub which: Which,
    /// What happens to them.
    pub act: Act,
}

/// The messages of an endpoint that a step applies to.
///
/// Token requests and notifications are counted per transaction, all other messages per endpoint.
/// Counting starts at 1, when the script is installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// All messages.
    Every,
    /// The n-th message.
    Nth(u32),
    /// The n-th message and all after it.
    From(u32),
    /// The n-th message and all before it.
    Until(u32),
}

impl Which {
    pub(crate) const fn includes(self, count: u32) -> bool {
        match self {
            Self::Every => true,
            Self::Nth(n) => count == n,
            Self::From(n) => count >= n,
            Self::Until(n) => count <= n,
        }
    }
}

/// What a [`Step`] does to a message.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Act {
    /// Replaces the provider's answer. The provider neither decides nor redeems anything, but the
    /// judge expects the client to obey the answer: no more polls after a terminal error, longer
    /// waits after `slow_down`.
    Answer(ScriptedAnswer),
    /// Changes the provider's answer.
    Amend(Amendment),
    /// Sends the answer later. Its content is decided when the request arrives.
    Delay(Duration),
    /// Never answers and keeps the connection open.
    HoldForever,
    /// Reads the request and closes the connection without acting on the request. Over HTTP/2 only
    /// the stream is reset.
    DropBefore,
    /// Acts on the request and closes the connection before the answer. Over HTTP/2 only the stream
    /// is reset.
    DropAfter,
    /// Acts on the request and closes the connection after this many bytes of the body. Over HTTP/2
    /// only the stream is reset.
    DropInside(usize),
    /// Sends the body in small pieces.
    Drip {
        /// How many bytes are sent per second.
        bytes_per_second: usize,
    },
    /// Repeats the body without end.
    Endless,
    /// Sends the answer, then closes the connection, which the client may have meant to keep.
    Close(Closing),
    /// Changes the ID Token of a token response or push. Only for [`Endpoint::Token`] and
    /// [`Endpoint::Notification`].
    IdToken(IdTokenEdit),
    /// Changes a notification. Only for [`Endpoint::Notification`].
    Notification(NotificationEdit),
    /// Decides the transaction, in the user's place, when this message arrives.
    Decide(Decision),
    /// Changes the published keys before this message is answered.
    Keys(KeySetEdit),
}

/// A decision of the user, or of a script in the user's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Decision {
    /// The user approves.
    Approve,
    /// The user denies.
    Deny,
}

impl Script {
    /// Returns a script without steps: a provider that behaves correctly.
    #[must_use]
    pub const fn new() -> Self {
        Self { steps: Vec::new() }
    }

    /// Adds a step.
    #[must_use]
    pub fn step(mut self, endpoint: Endpoint, which: Which, act: Act) -> Self {
        self.steps.push(Step { endpoint, which, act });
        self
    }

    /// Adds a step for the n-th message only.
    #[must_use]
    pub fn nth(self, endpoint: Endpoint, n: u32, act: Act) -> Self {
        self.step(endpoint, Which::Nth(n), act)
    }

    /// Adds a step for every message.
    #[must_use]
    pub fn every(self, endpoint: Endpoint, act: Act) -> Self {
        self.step(endpoint, Which::Every, act)
    }

    /// Adds a step for the n-th message and all after it.
    #[must_use]
    pub fn from(self, endpoint: Endpoint, n: u32, act: Act) -> Self {
        self.step(endpoint, Which::From(n), act)
    }

    /// Answers the first messages of an endpoint from a list, and the rest correctly.
    #[must_use]
    pub fn answers(
        mut self,
        endpoint: Endpoint,
        answers: impl IntoIterator<Item = ScriptedAnswer>,
    ) -> Self {
        for (n, answer) in (1..).zip(answers) {
            self = self.nth(endpoint, n, Act::Answer(answer));
        }
        self
    }

    /// Changes every ID Token.
    #[must_use]
    pub fn id_token(self, edit: IdTokenEdit) -> Self {
        self.every(Endpoint::Token, Act::IdToken(edit))
    }

    /// Changes every acknowledgement.
    #[must_use]
    pub fn acknowledgement(self, amendment: Amendment) -> Self {
        self.every(Endpoint::Backchannel, Act::Amend(amendment))
    }

    /// Changes every successful token response. Error responses of the token endpoint stay as they
    /// are, as with any [`Act::Amend`] for [`Endpoint::Token`].
    #[must_use]
    pub fn token_response(self, amendment: Amendment) -> Self {
        self.every(Endpoint::Token, Act::Amend(amendment))
    }

    /// Changes every notification.
    #[must_use]
    pub fn notification(self, edit: NotificationEdit) -> Self {
        self.every(Endpoint::Notification, Act::Notification(edit))
    }

    /// Changes the n-th notification of each transaction.
    #[must_use]
    pub fn nth_notification(self, n: u32, edit: NotificationEdit) -> Self {
        self.nth(Endpoint::Notification, n, Act::Notification(edit))
    }

    /// Changes every pushed ID Token.
    #[must_use]
    pub fn pushed_id_token(self, edit: IdTokenEdit) -> Self {
        self.every(Endpoint::Notification, Act::IdToken(edit))
    }

    /// Changes the body of every notification.
    #[must_use]
    pub fn payload(self, amendment: Amendment) -> Self {
        self.every(Endpoint::Notification, Act::Amend(amendment))
    }

    /// Changes the metadata document.
    #[must_use]
    pub fn metadata(self, amendment: Amendment) -> Self {
        self.every(Endpoint::Discovery, Act::Amend(amendment))
    }

    /// Changes the published keys each time they are fetched. The signing key stays the same.
    #[must_use]
    pub fn keys(self, edit: KeySetEdit) -> Self {
        self.every(Endpoint::KeySet, Act::Keys(edit))
    }

    /// Appends the steps of another script.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.steps.extend(other.steps);
        self
    }

    /// Returns the steps, in order.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }
}
