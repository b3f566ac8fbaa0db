//! Keycloak without changes, and its authentication entity.
use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use xshell::{Shell, cmd};

use super::{certificates, process::Process, variables};
use crate::{
    gate::{Outcome, Stop},
    source,
};

const VERSION: &str = "26.7.3";
/// The checksum of the archive.
const SHA_256: &str = "77657f30b7e90d70f727712ce1c967f430fd6a5e9f458d32d8c6df0635345f47";
/// The Maven plugin that fetches the archive.
const FETCH: &str = "org.apache.maven.plugins:maven-dependency-plugin:2.8:copy";
/// The options of its build step, which creates a server that starts faster.
const OPTIONS: [&str; 2] = ["--db=dev-file", "--https-client-auth=request"];
const PATIENCE: Duration = Duration::from_secs(300);

pub(super) fn start(sh: &Shell, run: &Path) -> Result<Vec<Process>, Stop> {
    java(sh)?;
    certificates(sh, run)?;
    let home = prepared(sh, run)?;

    let mut entity = Process::start(
        Command::new("node")
            .arg("keycloak/entity.mjs")
            .arg(run)
            .current_dir(source::root().join("interop")),
        run,
        "entity",
    )?;
    entity.wait_for(run, "addresses", PATIENCE)?;
    let addresses = sh.read_file(run.join("addresses"))?;
    let address = |wanted: &str| {
        let found = variables(&addresses).find(|(name, _)| *name == wanted);
        found
            .map(|(_, address)| address.to_owned())
            .ok_or_else(|| Stop::Red(format!("no address of the {wanted}")))
    };
    let imported = home.join("data/import");
    // A realm without users, and without the data of the last run.
    renew(&home).map_err(|error| Stop::Red(format!("interop/.keycloak: {error}")))?;
    fs::create_dir_all(&imported)
        .and_then(|()| fs::rename(run.join("realm.json"), imported.join("realm.json")))
        .map_err(|error| Stop::Red(format!("the realm: {error}")))?;
    let channel = format!(
        "--spi-ciba-auth-channel--ciba-http-auth-channel--http-authentication-channel-uri={}",
        address("ENTITY")?
    );
    let mut keycloak = Process::start(
        serving(&home, run, &address("KEYCLOAK")?).args(["--import-realm", &channel]),
        run,
        "keycloak",
    )?;
    keycloak.wait_for(run, "env", PATIENCE)?;
    Ok(vec![keycloak, entity])
}

fn java(sh: &Shell) -> Outcome {
    let version =
        cmd!(sh, "java -version").quiet().ignore_stdout().read_stderr().unwrap_or_default();
    match major(&version) {
        Some(17..) => {}
        Some(older) => {
            return Err(Stop::Missing(format!("install Java 17 or newer: java is {older}")));
        }
        None => return Err(Stop::Missing("install Java 17 or newer (java)".into())),
    }
    cmd!(sh, "mvn --version")
        .quiet()
        .ignore_stdout()
        .run()
        .map_err(|_| Stop::Missing("install Maven 3 (mvn): it fetches Keycloak".into()))
}

/// Returns the first number in `openjdk version "17.0.15" 2025-04-15`.
fn major(version: &str) -> Option<u32> {
    let quoted = version.split('"').nth(1)?;
    quoted.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// Returns a Keycloak that was fetched, checked, built and started once: its database has every
/// table, and no realm of the tests.
fn prepared(sh: &Shell, run: &Path) -> Result<PathBuf, Stop> {
    let directory = source::root().join("interop/.keycloak");
    let home = directory.join(format!("keycloak-{VERSION}"));
    let mark = directory.join("prepared");
    let wanted = format!("{SHA_256} {}", OPTIONS.join(" "));
    if fs::read_to_string(&mark).is_ok_and(|done| done == wanted) {
        return Ok(home);
    }
    let _absent = fs::remove_dir_all(&directory);
    let archive = fetched(sh, &directory)?;
    cmd!(sh, "tar -xzf {archive} -C {directory}").quiet().run()?;
    sh.remove_path(&archive)?;
    let script = home.join("bin/kc.sh");
    cmd!(sh, "{script} build {OPTIONS...}").quiet().ignore_stdout().run()?;
    first_start(&home, run)?;
    fs::rename(home.join("data/h2"), home.join("data/fresh"))
        .and_then(|()| fs::write(mark, wanted))
        .map_err(|error| Stop::Red(format!("interop/.keycloak: {error}")))?;
    Ok(home)
}

fn fetched(sh: &Shell, directory: &Path) -> Result<PathBuf, Stop> {
    let artifact = format!("-Dartifact=org.keycloak:keycloak-quarkus-dist:{VERSION}:tar.gz");
    let output = format!("-DoutputDirectory={}", directory.display());
    cmd!(sh, "mvn --batch-mode --quiet {FETCH} {artifact} {output}").run().map_err(|_| {
        Stop::Missing(format!("mvn could not fetch Keycloak {VERSION} (169 MiB, once)"))
    })?;
    let archive = directory.join(format!("keycloak-quarkus-dist-{VERSION}.tar.gz"));
    let sum = cmd!(sh, "openssl dgst -sha256 -r {archive}").quiet().read()?;
    if sum.split_whitespace().next() == Some(SHA_256) {
        Ok(archive)
    } else {
        Err(Stop::Red(format!(
            "the archive of Keycloak {VERSION} is not the one that is pinned: {sum}"
        )))
    }
}

/// Starts Keycloak until it has created its tables.
fn first_start(home: &Path, run: &Path) -> Outcome {
    // Nothing calls it, so any free port will do.
    let mut keycloak =
        Process::start(&mut serving(home, run, "https://127.0.0.1:0"), run, "first-start")?;
    let began = Instant::now();
    while !keycloak.log(run).contains("Listening on:") {
        keycloak.is_alive(run)?;
        if began.elapsed() > PATIENCE {
            return Err(Stop::Red(format!("Keycloak did not start\n{}", keycloak.log(run))));
        }
        thread::sleep(Duration::from_millis(200));
    }
    drop(keycloak);
    Ok(())
}

/// Restores the database as it was after the first start.
fn renew(home: &Path) -> io::Result<()> {
    let (fresh, used) = (home.join("data/fresh"), home.join("data/h2"));
    let _absent = fs::remove_dir_all(&used);
    fs::create_dir_all(&used)?;
    for entry in fs::read_dir(fresh)? {
        let entry = entry?;
        fs::copy(entry.path(), used.join(entry.file_name()))?;
    }
    Ok(())
}

fn serving(home: &Path, run: &Path, address: &str) -> Command {
    let mut command = Command::new(home.join("bin/kc.sh"));
    let port = address.rsplit(':').next().unwrap_or_default();
    let file = |name: &str| run.join(name).display().to_string();
    command
        .args([
            "start",
            "--optimized",
            "--cache=local",
            "--http-enabled=false",
            "--http-host=127.0.0.1",
        ])
        .args([format!("--hostname={address}"), format!("--https-port={port}")])
        .arg(format!("--https-certificate-file={}", file("server.pem")))
        .arg(format!("--https-certificate-key-file={}", file("server.key")))
        .arg(format!("--https-trust-store-file={}", file("ca.pem")))
        // It calls the notification endpoints of the tests, whose certificates are issued by the
        // authority of the run.
        .arg(format!("--truststore-paths={}", file("ca.pem")))
        .env("JAVA_OPTS_KC_HEAP", "-Xms64m -Xmx512m")
        // It runs for a minute, too short for the optimizing compiler to pay off.
        .env("JAVA_OPTS_APPEND", "-XX:TieredStopAtLevel=1");
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_java_version_is_read() {
        assert_eq!(major("openjdk version \"17.0.15\" 2025-04-15\nOpenJDK Runtime"), Some(17));
        assert_eq!(major("java version \"21\" 2023-09-19"), Some(21));
        assert_eq!(major("java version \"1.8.0_392\""), Some(1));
        assert_eq!(major(""), None);
    }
}
