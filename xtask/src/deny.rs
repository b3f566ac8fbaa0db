//! cargo-deny: duplicate and forbidden crates, licences, sources; see `deny.toml`.
use xshell::{Shell, cmd};

use crate::{
    gate::{Gate, Outcome},
    tools,
};

pub(crate) const DENY: Gate = Gate { name: "deny", run: deny };

fn deny(sh: &Shell) -> Outcome {
    tools::CARGO_DENY.ensure(sh)?;
    // The graph covers every target, so also crates that this platform's build never fetched.
    cmd!(sh, "cargo fetch --locked").quiet().run()?;
    cmd!(sh, "cargo deny --offline check bans licenses sources").run()?;
    Ok(())
}
