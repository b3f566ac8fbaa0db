//! Formatting, clippy and documentation.
use xshell::{Shell, cmd};

use crate::{
    gate::{Gate, Outcome},
    source::PUBLISHED,
};

pub(crate) const FMT: Gate = Gate { name: "fmt", run: fmt };
pub(crate) const CLIPPY: Gate = Gate { name: "clippy", run: clippy };
pub(crate) const DOCS: Gate = Gate { name: "docs", run: docs };

fn fmt(sh: &Shell) -> Outcome {
    cmd!(sh, "cargo fmt --all --check").run()?;
    cmd!(sh, "cargo fmt --manifest-path fuzz/Cargo.toml --check").run()?;
    cmd!(sh, "cargo fmt --manifest-path tests/consumers/Cargo.toml --all --check").run()?;
    Ok(())
}

fn clippy(sh: &Shell) -> Outcome {
    cmd!(sh, "cargo clippy --locked --workspace --all-targets --all-features -- -D warnings")
        .run()?;
    // One package at a time: in a workspace build a package sees the features that its neighbours
    // switched on.
    for package in PUBLISHED {
        cmd!(sh, "cargo clippy --locked -p {package} --all-targets -- -D warnings").run()?;
    }
    Ok(())
}

fn docs(sh: &Shell) -> Outcome {
    let _denied = sh.push_env("RUSTDOCFLAGS", "-D warnings");
    cmd!(sh, "cargo doc --locked --workspace --no-deps --all-features").run()?;
    Ok(())
}
