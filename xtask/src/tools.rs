//! Installs the tools of the gates, each in a fixed version.
use xshell::{Shell, cmd};

use crate::gate::{Outcome, Stop};

/// A cargo subcommand or runner.
pub(crate) struct Tool {
    package: &'static str,
    version: &'static str,
}

pub(crate) const CARGO_DENY: Tool = Tool { package: "cargo-deny", version: "0.20.2" };
pub(crate) const CARGO_HACK: Tool = Tool { package: "cargo-hack", version: "0.6.46" };
pub(crate) const CARGO_FUZZ: Tool = Tool { package: "cargo-fuzz", version: "0.13.2" };
pub(crate) const GUNGRAUN_RUNNER: Tool = Tool { package: "gungraun-runner", version: "0.20.0" };

impl Tool {
    pub(crate) fn ensure(&self, sh: &Shell) -> Outcome {
        let installed = cmd!(sh, "cargo install --list").quiet().read().unwrap_or_default();
        if lists(&installed, self.package, self.version) {
            return Ok(());
        }
        let spec = format!("{}@{}", self.package, self.version);
        cmd!(sh, "cargo install --locked {spec}").run().map_err(|_| {
            Stop::Missing(format!("{spec} is not installed and could not be installed"))
        })
    }
}

/// Installs a toolchain through rustup, unless it is installed.
pub(crate) fn toolchain(sh: &Shell, name: &str) -> Outcome {
    let installed = cmd!(sh, "rustup toolchain list").quiet().read().unwrap_or_default();
    if installed.lines().any(|line| line.starts_with(&format!("{name}-")) || line == name) {
        return Ok(());
    }
    cmd!(sh, "rustup toolchain install {name} --profile minimal")
        .run()
        .map_err(|_| Stop::NotRun(format!("the toolchain {name} could not be installed")))
}

/// Installs a target of the default toolchain through rustup, unless it is installed.
pub(crate) fn target(sh: &Shell, name: &str) -> Outcome {
    let installed = cmd!(sh, "rustup target list --installed").quiet().read().unwrap_or_default();
    if installed.lines().any(|line| line == name) {
        return Ok(());
    }
    cmd!(sh, "rustup target add {name}")
        .run()
        .map_err(|_| Stop::NotRun(format!("the target {name} could not be installed")))
}

fn lists(installed: &str, package: &str, version: &str) -> bool {
    installed.lines().any(|line| line.trim_end_matches(':') == format!("{package} v{version}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_pinned_tool_version_is_accepted() {
        let list = "cargo-hack v0.6.46:\n    cargo-hack\n";
        assert!(lists(list, "cargo-hack", "0.6.46"));
        assert!(!lists(list, "cargo-hack", "0.6.4"));
        assert!(!lists(list, "cargo-deny", "0.20.2"));
    }
}
