//! Invariant: whatever an encrypted token looks like, opening it neither panics nor returns a
//! plaintext that is longer than the token, and what opens under one pair of algorithms opens under
//! no other.
#![no_main]

use ciba_core::{
    Entropy,
    jose::{ContentEncryption, KeyManagement},
};
use ciba_fuzz::{Lenient, decryption_key};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(token) = std::str::from_utf8(data) else { return };
    let mut opened = 0;
    for algorithm in KeyManagement::ALL {
        let key = decryption_key(algorithm);
        for content in ContentEncryption::ALL {
            if let Ok(plaintext) = key.open(token, content, Entropy::from_bytes([7; 32]), &Lenient)
            {
                assert!(plaintext.expose().len() < token.len(), "it is longer than the token");
                opened += 1;
            }
        }
    }
    assert!(opened <= 1, "{opened} pairs of algorithms open it");
});
