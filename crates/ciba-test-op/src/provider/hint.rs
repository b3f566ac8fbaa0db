//! The hint of an authentication request, and what a hint for tests asks for.

use super::parameters::Parameters;
use crate::{
    faults::{self, Fault},
    jws,
    message::Incoming,
};

/// The fault that a hint asks for: `fault:NAME`.
pub(super) fn fault_of(hint: &str) -> Option<Fault> {
    faults::named(hint.strip_prefix("fault:")?.split(':').next()?)
}

/// The hint of an authentication request, signed or not.
pub(super) fn hint_of(request: &Incoming) -> Option<String> {
    let parameters = Parameters::read(request).ok()?;
    let names = ["login_hint", "login_hint_token", "id_token_hint"];
    let plain = names.into_iter().find_map(|name| parameters.get(name)).map(str::to_owned);
    plain.or_else(|| {
        let signed = jws::parse(parameters.get("request")?)?;
        names.into_iter().find_map(|name| signed.text(name)).map(str::to_owned)
    })
}
