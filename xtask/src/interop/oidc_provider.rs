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

/// Fetches the packages, which must not happen while something runs that has them loaded.
pub(super) fn install(sh: &Shell) -> Outcome {
    node(sh)?;
    let _in = sh.push_dir(source::root().join("interop"));
    cmd!(sh, "npm ci --ignore-scripts --no-audit --no-fund")
        .run()
        .map_err(|_| Stop::Missing("npm could not install interop/package-lock.json".into()))
}

/// With the scheme of its first port, and for how long that keeps an idle connection.
pub(super) fn start_with(sh: &Shell, run: &Path, port: &[&str]) -> Result<Process, Stop> {
    certificates(sh, run)?;
    let mut server = Process::start(
        Command::new("node")
            .arg("server.mjs")
            .arg(run)
            .args(port)
            .current_dir(source::root().join("interop"))
            // It calls the notification endpoints of the tests, which have certificates of the
            // run's own authority.
            .env("NODE_EXTRA_CA_CERTS", run.join("ca.pem")),
        run,
        "server",
    )?;
    server.wait_for(run, "env", Duration::from_secs(60))?;
    Ok(server)
}
