//! Code that the tests of the workspace share. Not published.
//!
//! - [`fake_crypto`]: cryptography that costs nothing and protects nothing.
//! - [`model`]: an OpenID provider in a few hundred lines that checks the rules; [`callback`] is
//!   what it sends to the notification endpoint.
//! - [`sim`]: a flow, that provider and a clock in simulated time.
//! - [`scenario`]: a row of the scenario table; [`drivers`] runs it in four ways, of which [`toy`]
//!   is the smallest.
//! - [`adapters`]: both adapters behind one interface, for tests of what they do besides.

pub mod adapters;
pub mod callback;
pub mod drivers;
pub mod fake_crypto;
pub mod model;
pub mod scenario;
pub mod sim;
pub mod toy;

/// The code of the README, compiled.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
