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
    // Workspaces of their own.
    for manifest in ["fuzz/Cargo.toml", "benches/Cargo.toml", "tests/consumers/Cargo.toml"] {
        cmd!(sh, "cargo fmt --manifest-path {manifest} --all --check").run()?;
    }
    Ok(())
}

fn clippy(sh: &Shell) -> Outcome {
    cmd!(sh, "cargo clippy --locked --workspace --all-targets --all-features -- -D warnings")
        .run()?;
    // One package at a time: in a build of the workspace, a package gets the features that other
    // packages enable.
    for package in PUBLISHED {
        cmd!(sh, "cargo clippy --locked -p {package} --all-targets -- -D warnings").run()?;
    }
    // The benchmarks are a workspace of their own, and no other gate compiles them. They share the
    // target directory, so that dependencies of equal version are compiled once.
    cmd!(
        sh,
        "cargo clippy --locked --manifest-path benches/Cargo.toml --target-dir target --all-targets -- -D warnings"
    )
    .run()?;
    Ok(())
}

fn docs(sh: &Shell) -> Outcome {
    let _denied = sh.push_env("RUSTDOCFLAGS", "-D warnings");
    cmd!(sh, "cargo doc --locked --workspace --no-deps --all-features").run()?;
    // A link to something that only another feature has is broken in the documentation of a user.
    cmd!(sh, "cargo doc --locked -p ciba-core --no-deps").run()?;
    Ok(())
}
