//! Builds programs outside of the workspace from the code of the READMEs, as a user would, and runs
//! them against the test provider.
use std::{
    fs,
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
};

use xshell::{Shell, cmd};

use crate::{
    gate::{Gate, Outcome, Stop, findings},
    source,
};

pub(crate) const CONSUMERS: Gate = Gate { name: "consumers", run: consumers };

/// A package, and the arguments of cargo for its features. Each is built alone, so that it does not
/// get the features of another.
const PROGRAMS: [(&str, &str); 10] = [
    ("async", ""),
    ("async", "--no-default-features --features rustcrypto-rsa"),
    ("async", "--no-default-features --features aws-lc-rs"),
    ("blocking", ""),
    ("blocking", "--no-default-features --features aws-lc-rs"),
    ("blocking", "--no-default-features --features rustcrypto-rsa"),
    ("tower", ""),
    ("own-loop", ""),
    ("no-backend", ""),
    ("test-op", ""),
];

fn consumers(sh: &Shell) -> Outcome {
    let manifest = source::root().join("tests/consumers/Cargo.toml");
    // The target directory of the workspace, so that crates with equal features are compiled once.
    let target = source::root().join("target");
    let directory = target.join("consumers");
    fs::create_dir_all(&directory)
        .map_err(|error| Stop::Red(format!("target/consumers: {error}")))?;
    let cargo = |verb: &str, package: &str, features: &str| {
        let features = features.split_whitespace();
        cmd!(
            sh,
            "cargo {verb} --quiet --locked --manifest-path {manifest} --target-dir {target} --package consumer-{package} {features...}"
        )
    };
    cargo("build", "provider", "").run()?;
    let mut provider = Provider::start(&target.join("debug/consumer-provider"), &directory)?;
    let authority = directory.join("ca.pem");
    let mut wrong = Vec::new();
    for (package, features) in PROGRAMS {
        let name = format!("{package} {features}");
        eprintln!("-- {}", name.trim());
        let mut run = cargo("run", package, features)
            .env("SSL_CERT_FILE", &authority)
            .env("CLIENT_SECRET", "a secret of the test")
            .ignore_status();
        for (variable, issuer) in &provider.issuers {
            run = run.env(variable, issuer);
        }
        // The programs read `key.pem` from the current directory.
        let _there = sh.push_dir(&directory);
        let output = run.output()?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        print!("{said}");
        if !output.status.success() || !said.contains("authenticated: ") {
            wrong.push(format!(
                "{}: {}",
                name.trim(),
                String::from_utf8_lossy(&output.stderr).trim()
            ));
        }
    }
    if !provider.stop() {
        wrong.push("a program broke a rule of the protocol: see above".into());
    }
    findings(wrong)
}

/// The provider, in its own process, so that the programs do not get its features.
struct Provider {
    child: Child,
    issuers: Vec<(String, String)>,
}

impl Provider {
    fn start(program: &std::path::Path, directory: &std::path::Path) -> Result<Self, Stop> {
        let broken =
            |error: std::io::Error| Stop::Red(format!("the provider cannot be run: {error}"));
        let mut child = Command::new(program)
            .arg(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(broken)?;
        let mut issuers = Vec::new();
        let lines =
            BufReader::new(child.stdout.take().ok_or_else(|| Stop::Red("no output".into()))?);
        for line in lines.lines() {
            let line = line.map_err(broken)?;
            match line.split_once('=') {
                Some((name, issuer)) => issuers.push((name.to_owned(), issuer.to_owned())),
                None => return Ok(Self { child, issuers }),
            }
        }
        let _gone = child.wait();
        Err(Stop::Red("the provider did not start".into()))
    }

    /// Ends it, and returns whether no client broke a rule.
    fn stop(&mut self) -> bool {
        drop(self.child.stdin.take());
        self.child.wait().is_ok_and(|status| status.success())
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _gone_already = self.child.kill();
        let _gone_already = self.child.wait();
    }
}
