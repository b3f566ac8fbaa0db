//! npm `oidc-provider`.
use std::{path::Path, process::Command, time::Duration};

use xshell::{Shell, cmd};

use super::{certificates, process::Process};
use crate::{gate::Stop, source};

pub(super) fn start(sh: &Shell, run: &Path) -> Result<Vec<Process>, Stop> {
    certificates(sh, run)?;
    let folder = source::root().join("interop");
    {
        let _in = sh.push_dir(&folder);
        cmd!(sh, "npm ci --ignore-scripts --no-audit --no-fund")
            .run()
            .map_err(|_| Stop::Missing("npm could not install interop/package-lock.json".into()))?;
    }
    let mut server = Process::start(
        Command::new("node")
            .arg("server.mjs")
            .arg(run)
            .current_dir(folder)
            // It calls the notification endpoints of the tests, which have certificates of the
            // run's own authority.
            .env("NODE_EXTRA_CA_CERTS", run.join("ca.pem")),
        run,
        "server",
    )?;
    server.wait_for(run, "env", Duration::from_secs(60))?;
    Ok(vec![server])
}
