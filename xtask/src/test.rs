//! The README's command.
use xshell::{Shell, cmd};

use crate::gate::{Gate, Outcome, Stop};

pub(crate) const TEST: Gate = Gate { name: "test", run: test };

fn test(sh: &Shell) -> Outcome {
    cmd!(sh, "cargo test --locked --workspace --no-fail-fast").run().map_err(|_| {
        Stop::Red("a test failed, see above; run one alone with: cargo test -p <package> <name> -- --nocapture".into())
    })
}
