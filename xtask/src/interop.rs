//! A real provider that we did not write, driven through both adapters; see `interop/README.md`.
use std::{
    fs,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use xshell::{Shell, cmd};

use crate::{
    gate::{Gate, Outcome, Stop},
    source, test,
};

pub(crate) const INTEROP: Gate = Gate { name: "interop", run: interop };

/// What the server writes once it listens: `CIBA_INTEROP_…=value` lines for the test program.
const READY: &str = "interop/.run/env";

fn interop(sh: &Shell) -> Outcome {
    let _server = start(sh)?;
    let ready = sh.read_file(READY)?;
    let _variables: Vec<_> = variables(&ready).map(|(name, value)| sh.push_env(name, value)).collect();
    test::shown(sh, &["-p", "ciba-tests", "--test", "interop"], &["--ignored"])
        .map_err(|_| Stop::Red("a case failed, see above; the provider's log is interop/.run/server.log".into()))
}

/// Starts the provider, says how to reach it, and waits for it to be stopped.
pub(crate) fn serve(sh: &Shell) -> Outcome {
    let mut server = start(sh)?;
    println!("{}", sh.read_file(READY)?);
    server.0.wait().map(|_| ()).map_err(|error| Stop::Red(error.to_string()))
}

/// Stopped when dropped, whatever the tests do.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _gone_already = self.0.kill();
        let _gone_already = self.0.wait();
    }
}

fn start(sh: &Shell) -> Result<Server, Stop> {
    let folder = source::root().join("interop");
    let run = folder.join(".run");
    cmd!(sh, "node --version")
        .quiet()
        .ignore_stdout()
        .run()
        .map_err(|_| Stop::Missing("node is not installed".into()))?;
    {
        let _in = sh.push_dir(&folder);
        cmd!(sh, "npm ci --ignore-scripts --no-audit --no-fund")
            .run()
            .map_err(|_| Stop::Missing("npm could not install interop/package-lock.json".into()))?;
    }
    let broken = |what: &str, error: std::io::Error| Stop::Red(format!("{what}: {error}"));
    let _absent = fs::remove_dir_all(&run);
    fs::create_dir_all(&run).map_err(|error| broken("interop/.run", error))?;
    {
        let _in = sh.push_dir(&folder);
        cmd!(sh, "node tls.mjs {run}")
            .quiet()
            .run()
            .map_err(|_| Stop::Missing("the certificates could not be made: is openssl installed?".into()))?;
    }
    let log = fs::File::create(run.join("server.log")).map_err(|error| broken("server.log", error))?;
    let errors = log.try_clone().map_err(|error| broken("server.log", error))?;
    let child = Command::new("node")
        .arg("server.mjs")
        .arg(&run)
        .current_dir(&folder)
        // It calls the notification endpoints of the tests, which have certificates of the run's own authority.
        .env("NODE_EXTRA_CA_CERTS", run.join("ca.pem"))
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(errors)
        .spawn()
        .map_err(|error| broken("node", error))?;
    let mut server = Server(child);
    let began = Instant::now();
    while !source::root().join(READY).exists() {
        if server.0.try_wait().ok().flatten().is_some() || began.elapsed() > Duration::from_secs(60) {
            let log = fs::read_to_string(run.join("server.log")).unwrap_or_default();
            return Err(Stop::Red(format!("the provider did not start\n{log}")));
        }
        thread::sleep(Duration::from_millis(50));
    }
    Ok(server)
}

fn variables(ready: &str) -> impl Iterator<Item = (&str, &str)> {
    ready.lines().filter_map(|line| line.split_once('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_read_line_by_line() {
        let read: Vec<_> = variables("A=https://x/?y=1\nnothing\n").collect();
        assert_eq!(read, [("A", "https://x/?y=1")]);
    }
}
