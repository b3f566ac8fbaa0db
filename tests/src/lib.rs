//! What the tests of the workspace share. Nothing here is published.
//!
//! [`cheap`] is cryptography that costs nothing and protects nothing, [`model`] an OpenID provider in a few hundred lines
//! that watches over the rules, and [`sim`] ties a flow, that provider and a clock together in simulated time.

pub mod cheap;
pub mod model;
pub mod sim;
