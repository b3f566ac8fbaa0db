//! Every save of a login in turn, and every one from there on, fails.

use ciba_tests::{drivers::at_a_failing_store, sim::Fails};

use crate::{MODES, plain};

/// Ruling 26.
///
/// REQ-AREQ-30a
#[test]
fn a_store_that_fails_at_any_save_costs_no_login_and_no_second_prompt() {
    let mut wrong = Vec::new();
    for mode in MODES {
        let row = plain(format!("{mode:?}")).mode(mode);
        for fails in (1..=12).flat_map(|save| [Fails::Once(save), Fails::From(save)]) {
            wrong.extend(at_a_failing_store(&row, fails));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
