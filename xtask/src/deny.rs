//! Runs cargo-deny on duplicate and forbidden crates, licences and sources, as `deny.toml` says.
use xshell::{Shell, cmd};

use crate::{
    gate::{Gate, Outcome},
    tools,
};

pub(crate) const DENY: Gate = Gate { name: "deny", run: deny };

fn deny(sh: &Shell) -> Outcome {
    tools::CARGO_DENY.ensure(sh)?;
    // The graph covers every target, with crates that a build for this platform does not fetch.
    cmd!(sh, "cargo fetch --locked").quiet().run()?;
    cmd!(sh, "cargo deny --offline check bans licenses sources").run()?;
    Ok(())
}
