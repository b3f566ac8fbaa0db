//! Invariant: a token is accepted only when its header names the expected algorithm and its
//! signature passed.
#![no_main]
use ciba_core::jose::{JwsAlgorithm, verify_signature_only};
use ciba_fuzz::keys;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(compact) = std::str::from_utf8(data) else { return };
    let keys = keys();
    let accepted: Vec<_> =
        [JwsAlgorithm::Es256, JwsAlgorithm::Es512, JwsAlgorithm::EdDsa, JwsAlgorithm::Rs256]
            .into_iter()
            .filter(|algorithm| verify_signature_only(compact, *algorithm, &keys).is_ok())
            .collect();
    assert!(accepted.len() <= 1, "one token passed for two algorithms");
    assert!(
        accepted.is_empty() || compact.split('.').count() == 3,
        "a token of another form passed"
    );
    assert!(!accepted.contains(&JwsAlgorithm::Rs256), "there is no RSA key in the set");
});
