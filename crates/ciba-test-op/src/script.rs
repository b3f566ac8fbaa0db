//! Misbehaviour as data: which message of which endpoint, and what happens to it.

use core::time::Duration;

use ciba_core::jose::JwsAlgorithm;
use serde_json::{Map, Value};

use crate::{keys::TestKey, message::Endpoint, notification::NotificationEdit};

/// What a provider does differently: an ordered list of steps, each for some messages of one
/// endpoint.
///
/// All steps that fit a message apply, in their order. Where none fits, the provider behaves.
///
/// ```
/// use std::time::Duration;
/// use ciba_test_op::{Act, Endpoint, IdTokenEdit, Script, ScriptedAnswer};
///
/// // The second poll meets a proxy, the third is told to slow down, and the ID Token is for somebody else.
/// let script = Script::new()
///     .nth(Endpoint::Token, 2, Act::Answer(ScriptedAnswer::html(502)))
///     .nth(Endpoint::Token, 3, Act::Answer(ScriptedAnswer::error(400, "slow_down")))
///     .id_token(IdTokenEdit::set("aud", "somebody-else"));
/// # let _ = (script, Duration::ZERO);
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Script {
    pub(crate) steps: Vec<Step>,
}

/// One line of a [`Script`].
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Step {
    /// The endpoint.
    pub endpoint: Endpoint,
    /// Which of its messages.
    pub which: Which,
    /// What happens.
    pub act: Act,
}

/// Which messages of an endpoint a step is for. Token requests and notifications are counted per
/// transaction, from 1; all others per endpoint, from 1, beginning when the script was given to the
/// provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// All.
    Every,
    /// The n-th.
    Nth(u32),
    /// The n-th and all after it.
    From(u32),
    /// The n-th and all before it.
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

/// What happens to a message.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Act {
    /// This is answered in place of what the provider had to say. Nothing is decided and nothing
    /// redeemed, but the client is held to the answer: after a terminal error it must not poll
    /// again, after `slow_down` it must wait longer.
    Answer(ScriptedAnswer),
    /// The provider's answer, with changes.
    Amend(Amendment),
    /// The answer leaves later. What it says was decided when the request came.
    Delay(Duration),
    /// No answer, ever; the connection stays open.
    HoldForever,
    /// The request is read, and the connection closed. The provider has not acted on the request.
    DropBefore,
    /// The provider has acted on the request, and closes the connection before the answer (fault
    /// F-21).
    DropAfter,
    /// The provider has acted on the request, and closes the connection inside the body, after so
    /// many bytes.
    DropInside(usize),
    /// The body leaves in small pieces.
    Drip {
        /// How many bytes leave in a second.
        bytes_per_second: usize,
    },
    /// The body is repeated without end.
    Endless,
    /// The ID Token of a token response or push is changed. Only for [`Endpoint::Token`] and
    /// [`Endpoint::Notification`].
    IdToken(IdTokenEdit),
    /// A notification is changed. Only for [`Endpoint::Notification`].
    Notification(NotificationEdit),
    /// The person's answer changes: the transaction is decided when this message arrives.
    Decide(Decision),
    /// The published keys change before this message is answered.
    Keys(KeySetEdit),
}

/// What a person, or a script in the person's place, decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Decision {
    /// Yes.
    Approve,
    /// No.
    Deny,
}

/// A whole answer made by hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptedAnswer {
    /// Status code.
    pub status: u16,
    /// Header fields, in order.
    pub headers: Vec<(String, String)>,
    /// The raw body.
    pub body: Vec<u8>,
}

impl ScriptedAnswer {
    /// A status and nothing else.
    #[must_use]
    pub const fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }
    }

    /// An answer of some media type.
    #[must_use]
    pub fn raw(status: u16, media_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: vec![("content-type".into(), media_type.into())],
            body: body.into(),
        }
    }

    /// A JSON answer; the text may be anything, valid or not.
    #[must_use]
    pub fn json(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::raw(status, "application/json", body)
    }

    /// An OAuth error.
    #[must_use]
    pub fn error(status: u16, code: &str) -> Self {
        Self::json(status, serde_json::json!({ "error": code }).to_string())
    }

    /// A page as proxies send it.
    #[must_use]
    pub fn html(status: u16) -> Self {
        let page = format!(
            "<!DOCTYPE html><html><body><h1>{status}</h1><p>The proxy is sorry.</p></body></html>"
        );
        Self::raw(status, "text/html; charset=utf-8", page)
    }

    /// A redirect to another place.
    #[must_use]
    pub fn redirect(status: u16, location: &str) -> Self {
        Self::status(status).header("location", location)
    }

    /// The same with one more header field.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// Changes to the provider's own answer, carried out in the order of the fields.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Amendment {
    /// JsonObject of the JSON object to set; existing ones keep their place.
    pub set: Vec<(String, Value)>,
    /// Text put behind members that are text: a slash behind `issuer`.
    pub append_to: Vec<(String, String)>,
    /// JsonObject to leave out.
    pub remove: Vec<String>,
    /// Raw text put behind the opening brace, for duplicate members and numbers no serializer
    /// writes: `"expires_in":1e3,`.
    pub raw_members: Option<String>,
    /// Bytes behind the body.
    pub append: Vec<u8>,
    /// Only so many bytes of the body.
    pub truncate: Option<usize>,
    /// Another status.
    pub status: Option<u16>,
    /// Another media type; an empty text removes the field.
    pub media_type: Option<String>,
    /// More header fields.
    pub headers: Vec<(String, String)>,
}

impl Amendment {
    /// No change yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a member.
    #[must_use]
    pub fn set(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.set.push((name.to_owned(), value.into()));
        self
    }

    /// Puts text behind a member that is text.
    #[must_use]
    pub fn append_to(mut self, name: &str, text: &str) -> Self {
        self.append_to.push((name.to_owned(), text.to_owned()));
        self
    }

    /// Leaves a member out.
    #[must_use]
    pub fn remove(mut self, name: &str) -> Self {
        self.remove.push(name.to_owned());
        self
    }

    /// Puts raw text behind the opening brace.
    #[must_use]
    pub fn raw_members(mut self, text: &str) -> Self {
        self.raw_members = Some(text.to_owned());
        self
    }

    /// Appends bytes to the body.
    #[must_use]
    pub fn append(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.append = bytes.into();
        self
    }

    /// Cuts the body. The answer is complete all the same: its length is the shorter one.
    #[must_use]
    pub fn truncate(mut self, length: usize) -> Self {
        self.truncate = Some(length);
        self
    }

    /// Another status.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// Another media type; an empty text removes the field.
    #[must_use]
    pub fn media_type(mut self, media_type: &str) -> Self {
        self.media_type = Some(media_type.to_owned());
        self
    }

    /// One more header field.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// A change to ID Tokens: claims, header, key, signature, form. Edits of one token add up.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum IdTokenEdit {
    /// Sets a claim of any type.
    Set(String, Value),
    /// Sets a claim to the instant of issue moved by so many seconds.
    SetTime(String, i64),
    /// Puts text behind a claim that is text, as it stands by then: a slash behind `iss`.
    Append(String, String),
    /// Makes an array of a claim: what it is by then, and these behind it (`aud` as a list).
    Array(String, Vec<String>),
    /// Leaves a claim out.
    Remove(String),
    /// Raw text put behind the opening brace of the claims, for duplicates and odd numbers.
    RawClaims(String),
    /// Sets a header member, `alg`, `kid` and `typ` included; the signature stays the one of the
    /// key.
    Header(String, Value),
    /// Leaves a header member out.
    RemoveHeader(String),
    /// Raw text put behind the opening brace of the header.
    RawHeader(String),
    /// Signs with another algorithm and the provider's key for it, published like the others.
    Algorithm(JwsAlgorithm),
    /// Signs with a key, published or not, by an algorithm that fits it. The header's `kid` is the
    /// key's own.
    Key(TestKey, JwsAlgorithm),
    /// No signature; `alg` is written as given (`none`, `None`, `nOnE`).
    Unsigned(String),
    /// A MAC over the token instead of a signature, with these bytes as its key; `alg` says HS256.
    Mac(MacKey),
    /// Exclusive-ors every byte of the signature.
    XorSignature(u8),
    /// Another signature, raw bytes.
    Signature(Vec<u8>),
    /// An ECDSA signature in DER form (RFC 7518 3.4 wants fixed width).
    DerSignature,
    /// Only so many bytes of the signature.
    CutSignature(usize),
    /// Flips one bit of the segment's first character that allows it: 0 header, 1 claims, 2
    /// signature.
    FlipBit(usize),
    /// Changes the compact form at the very end.
    Shape(TokenShape),
}

impl IdTokenEdit {
    /// Sets a claim.
    #[must_use]
    pub fn set(claim: &str, value: impl Into<Value>) -> Self {
        Self::Set(claim.to_owned(), value.into())
    }

    /// Sets a claim to the instant of issue moved by so many seconds.
    #[must_use]
    pub fn set_time(claim: &str, offset_seconds: i64) -> Self {
        Self::SetTime(claim.to_owned(), offset_seconds)
    }

    /// Puts text behind a claim that is text.
    #[must_use]
    pub fn append(claim: &str, text: &str) -> Self {
        Self::Append(claim.to_owned(), text.to_owned())
    }

    /// Makes an array of a claim, with more members behind it.
    #[must_use]
    pub fn array(claim: &str, more: &[&str]) -> Self {
        Self::Array(claim.to_owned(), more.iter().map(|&text| text.to_owned()).collect())
    }

    /// Leaves a claim out.
    #[must_use]
    pub fn remove(claim: &str) -> Self {
        Self::Remove(claim.to_owned())
    }

    /// Sets a header member.
    #[must_use]
    pub fn header(member: &str, value: impl Into<Value>) -> Self {
        Self::Header(member.to_owned(), value.into())
    }

    /// Leaves a header member out.
    #[must_use]
    pub fn remove_header(member: &str) -> Self {
        Self::RemoveHeader(member.to_owned())
    }
}

/// What a forged MAC is keyed with.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum MacKey {
    /// The published JWK of the signing key, as it stands in the key set.
    PublicJwk,
    /// The modulus of the published RSA key, or the point of an elliptic one.
    PublicNumbers,
    /// The client's secret, when it has one.
    ClientSecret,
    /// These bytes.
    Bytes(Vec<u8>),
}

/// The outer form of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenShape {
    /// Without its signature segment, dot included.
    TwoSegments,
    /// With more segments behind it.
    ExtraSegments(usize),
    /// A dot behind it.
    TrailingDot,
    /// `=` behind every segment that would be padded.
    Padded,
    /// A line break in the middle of the claims segment.
    LineBreak,
    /// A blank at the end.
    TrailingBlank,
    /// The JWS JSON serialization, in a string.
    JsonSerialization,
    /// Anything.
    Raw(String),
}

/// A change to the published keys or to the key that signs.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum KeySetEdit {
    /// First step of a rotation: the next keys are published beside the old ones.
    PublishNext,
    /// Second step: the next keys sign.
    SignWithNext,
    /// Third step: the old keys are no longer published.
    RetireOld,
    /// The next keys sign, and are published only from now on, the old ones not: what a client's
    /// cache cannot know.
    RotateAtOnce,
    /// Any list of values, valid or not, in place of the `keys`.
    Replace(Vec<Value>),
    /// More values in front of the good ones.
    Prepend(Vec<Value>),
    /// Sets members of every published key.
    SetMembers(Map<String, Value>),
    /// Leaves a member of every published key out (`kid`, `alg`, `use`).
    RemoveMember(String),
    /// Any document in place of the key set.
    Document(Vec<u8>),
}

impl Script {
    /// No steps: a provider that behaves.
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

    /// Answers the first messages of an endpoint from a list; after the last one the provider
    /// behaves.
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

    /// Changes every successful token response; other answers of the token endpoint stay as they
    /// are. (An [`Act::Amend`] for [`Endpoint::Token`] made by hand is for successful answers only,
    /// too.)
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

    /// Changes the published keys whenever they are asked for; the key that signs stays.
    #[must_use]
    pub fn keys(self, edit: KeySetEdit) -> Self {
        self.every(Endpoint::KeySet, Act::Keys(edit))
    }

    /// Puts another script's steps behind these.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.steps.extend(other.steps);
        self
    }

    /// The steps.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }
}
