//! Compiles the published crates with the oldest supported compiler.
use xshell::{Shell, cmd};

use crate::{
    gate::{Gate, Outcome, Stop},
    source::PUBLISHED,
    tools,
};

pub(crate) const MSRV: Gate = Gate { name: "msrv", run: msrv };

fn msrv(sh: &Shell) -> Outcome {
    let manifest = sh.read_file("Cargo.toml")?;
    let version = rust_version(&manifest).ok_or_else(|| {
        Stop::Red("Cargo.toml has no rust-version in [workspace.package]".to_owned())
    })?;
    let toolchain = format!("{version}.0");
    tools::toolchain(sh, &toolchain)?;
    let packages = PUBLISHED.iter().flat_map(|package| ["-p", package]);
    // Through rustup: a nested cargo ignores `+toolchain` and keeps the toolchain of the outer cargo.
    cmd!(sh, "rustup run {toolchain} cargo check --locked {packages...} --all-features").run()?;
    Ok(())
}

fn rust_version(manifest: &str) -> Option<&str> {
    manifest.lines().find_map(|line| line.strip_prefix("rust-version = \"")?.strip_suffix('"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_msrv_is_read_from_the_manifest() {
        assert_eq!(rust_version("[workspace.package]\nrust-version = \"1.89\"\n"), Some("1.89"));
        assert_eq!(rust_version("edition = \"2024\"\n"), None);
    }
}
