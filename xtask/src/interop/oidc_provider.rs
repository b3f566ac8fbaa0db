//! npm `oidc-provider`.
use std::{path::Path, process::Command, time::Duration};

use xshell::{Shell, cmd};

use super::{certificates, node, process::Process};
use crate::{
    gate::{Outcome, Stop},
    source,
};

pub(super) fn start(sh: &Shell, run: &Path) -> Result<Vec<Process>, Stop> {
    install(sh)?;
    Ok(vec![start_with(sh, run, &["https"])?])
}

/// Installs the packages. No program that has them loaded may be running.
pub(super) fn install(sh: &Shell) -> Outcome {
    node(sh)?;
    let _in = sh.push_dir(source::root().join("interop"));
    cmd!(sh, "npm ci --ignore-scripts --no-audit --no-fund")
        .run()
        .map_err(|_| Stop::Missing("npm could not install interop/package-lock.json".into()))
}

/// Starts it, given the scheme of its first port and how long that keeps idle connections.
pub(super) fn start_with(sh: &Shell, run: &Path, port: &[&str]) -> Result<Process, Stop> {
    certificates(sh, run)?;
    let mut server = Process::start(
        Command::new("node")
            .arg("server.mjs")
            .arg(run)
            .args(port)
            .current_dir(source::root().join("interop"))
            // It calls the notification endpoints of the tests, whose certificates are issued by
            // the authority of the run.
            .env("NODE_EXTRA_CA_CERTS", run.join("ca.pem")),
        run,
        "server",
    )?;
    server.wait_for(run, "env", Duration::from_secs(60))?;
    Ok(server)
}
