//! What the tests of the workspace share. Nothing here is published.
//!
//! [`cheap`] is cryptography that costs nothing and protects nothing, [`model`] an OpenID provider
//! in a few hundred lines that watches over the rules, [`letter`] what it sends to the notification
//! endpoint, and [`sim`] ties a flow, that provider and a clock together in simulated time.
//! [`scenario`] is one table row for the test provider, [`drivers`] runs it four ways, and [`toy`]
//! is the smallest of them. [`adapters`] is both adapters behind one interface, for tests of what
//! they do besides.

pub mod adapters;
pub mod cheap;
pub mod drivers;
pub mod letter;
pub mod model;
pub mod scenario;
pub mod sim;
pub mod toy;

/// The code of the README, compiled.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
