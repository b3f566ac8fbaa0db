//! Providers that we did not write, through both adapters. `cargo xtask interop` starts each and
//! runs its module.
//!
//! Every case runs in a separate thread, because those that poll must wait at least one real
//! interval.

mod clients;
mod command;
mod endpoint;
mod go_oidc;
mod keycloak;
mod oidc_provider;
mod party;
mod table;
