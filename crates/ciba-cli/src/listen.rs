//! The notification endpoint of one flow: a small server that passes each call to the flow and
//! returns the flow's answer.
//!
//! It never redirects, and answers every path but its own with 404.

mod endpoint;
mod places;
mod refusal;
mod server;

pub(crate) use self::{
    endpoint::Endpoint,
    refusal::Refusal,
    server::{Listening, Serving},
};
