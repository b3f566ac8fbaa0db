//! DPoP: F-24.

use super::entry::{Fault, fault};
use crate::{
    message::Endpoint::Token,
    script::{Act, Amendment, Script, ScriptedAnswer},
};

fn demand(nonce: &str) -> ScriptedAnswer {
    ScriptedAnswer::error(400, "use_dpop_nonce").header("dpop-nonce", nonce)
}

pub(super) fn faults() -> Vec<Fault> {
    let without = ScriptedAnswer::error(400, "use_dpop_nonce");
    let refused = ScriptedAnswer::error(400, "invalid_dpop_proof");
    let two = demand("nonce-1").header("dpop-nonce", "nonce-2");
    let first = |answer| Script::new().nth(Token, 1, Act::Answer(answer));
    vec![
        fault(
            "dpop-nonce-once",
            "F-24",
            "a nonce is demanded on the first poll",
            first(demand("nonce-1")),
        ),
        fault(
            "dpop-nonce-for-ever",
            "F-24",
            "the nonce of no proof is accepted",
            Script::new().every(Token, Act::Answer(demand("nonce-1"))),
        ),
        fault("dpop-nonce-missing", "F-24", "a nonce is demanded and not provided", first(without)),
        fault("dpop-nonce-twice", "F-24", "a demand has two nonces", first(two)),
        fault(
            "dpop-nonce-unusable",
            "F-24",
            "a demanded nonce has characters that no nonce may have",
            first(demand("a \"nonce\"")),
        ),
        fault("dpop-proof-refused", "F-24", "invalid_dpop_proof on the first poll", first(refused)),
        fault(
            "dpop-tokens-not-bound",
            "F-24",
            "the tokens are bearer tokens",
            Script::new().token_response(Amendment::new().set("token_type", "Bearer")),
        ),
    ]
}
