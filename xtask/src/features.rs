//! Compiles core without features, with each feature and with each pair of features.
use xshell::{Shell, cmd};

use crate::{
    gate::{Gate, Outcome},
    tools,
};

pub(crate) const FEATURES: Gate = Gate { name: "features", run: features };

fn features(sh: &Shell) -> Outcome {
    tools::CARGO_HACK.ensure(sh)?;
    cmd!(sh, "cargo hack clippy --locked -p ciba-core --lib --feature-powerset --depth 2 --exclude-features default -- -D warnings")
        .run()?;
    Ok(())
}
