//! The Go library go-oidc, in a program of this repository.
use std::{path::Path, process::Command, time::Duration};

use xshell::{Shell, cmd};

use super::{certificates, process::Process};
use crate::{gate::Stop, source};

pub(super) fn start(sh: &Shell, run: &Path) -> Result<Vec<Process>, Stop> {
    let install = || Stop::Missing("install Go 1.25 or newer (go)".into());
    cmd!(sh, "go version").quiet().ignore_stdout().run().map_err(|_| install())?;
    certificates(sh, run)?;
    let program = run.join("provider");
    {
        let _in = sh.push_dir(source::root().join("interop/go-oidc"));
        // With the installed compiler, and only the modules in go.sum.
        let _local = sh.push_env("GOTOOLCHAIN", "local");
        let _pinned = sh.push_env("GOFLAGS", "-mod=readonly");
        cmd!(sh, "go mod download").quiet().run().map_err(|_| {
            Stop::Missing(
                "go could not fetch the modules of interop/go-oidc/go.sum, or is older than 1.25"
                    .into(),
            )
        })?;
        cmd!(sh, "go build -trimpath -o {program} .").quiet().run()?;
    }
    let mut server = Process::start(Command::new(program).arg(run), run, "server")?;
    server.wait_for(run, "env", Duration::from_secs(60))?;
    Ok(vec![server])
}
