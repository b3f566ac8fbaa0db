//! Invariant: whatever a provider serves as its key set, reading it ends in a set or in a fault,
//! the same way every time.
#![no_main]
use ciba_core::{Issuer, jose::KeySet};
use ciba_fuzz::{ISSUER, Lenient};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let issuer = Issuer::parse(ISSUER).expect("the issuer is an https address");
    let once = KeySet::pinned(&issuer, data, &Lenient);
    let twice = KeySet::pinned(&issuer, data, &Lenient);
    assert_eq!(once.is_ok(), twice.is_ok());
    if let Ok(keys) = once {
        assert_eq!(keys.issuer(), ISSUER);
    }
});
