//! The provider: a function of its state, a request and the time.

mod acts;
mod answer;
mod authenticate;
mod backchannel;
mod documents;
mod dpop;
mod hint;
mod issued;
mod json_answer;
mod judging;
mod key_set;
mod memory;
mod notify;
mod pace;
mod parameters;
mod plan;
mod records;
mod refresh;
mod refusal;
mod request_object;
mod revocation;
mod serve;
mod state;
mod supported;
mod token;
mod transaction;
mod words;

#[cfg(test)]
mod tests;

pub use self::{
    state::Provider,
    transaction::{Transaction, TransactionState},
};
