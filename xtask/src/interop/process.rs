//! Programs that run in the background of the cases.
use std::{
    fs::{self, File},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::gate::{Outcome, Stop};

/// A program that is stopped on drop.
pub(crate) struct Process {
    child: Child,
    name: String,
}

impl Drop for Process {
    fn drop(&mut self) {
        // A script forwards this signal to the program that it started. If the script were killed,
        // the program would keep running.
        let _gone_already =
            Command::new("kill").arg(self.child.id().to_string()).stderr(Stdio::null()).status();
        let began = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) && began.elapsed() < Duration::from_secs(15)
        {
            thread::sleep(Duration::from_millis(50));
        }
        let _gone_already = self.child.kill();
        let _gone_already = self.child.wait();
    }
}

impl Process {
    /// Starts a program. Its output goes to `NAME.log` in the directory of the run.
    pub(crate) fn start(command: &mut Command, run: &Path, name: &str) -> Result<Self, Stop> {
        let failed = |error: std::io::Error| Stop::Red(format!("{name}: {error}"));
        let log = File::create(run.join(format!("{name}.log"))).map_err(failed)?;
        let errors = log.try_clone().map_err(failed)?;
        let child =
            command.stdin(Stdio::null()).stdout(log).stderr(errors).spawn().map_err(failed)?;
        Ok(Self { child, name: name.into() })
    }

    /// Waits until a program of the run has written a file.
    pub(crate) fn wait_for(&mut self, run: &Path, file: &str, most: Duration) -> Outcome {
        let began = Instant::now();
        while !run.join(file).exists() {
            self.is_alive(run)?;
            if began.elapsed() > most {
                return Err(Stop::Red(format!(
                    "{} did not start in {} s\n{}",
                    self.name,
                    most.as_secs(),
                    self.log(run)
                )));
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    pub(crate) fn is_alive(&mut self, run: &Path) -> Outcome {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            _ => Err(Stop::Red(format!("{} ended\n{}", self.name, self.log(run)))),
        }
    }

    pub(crate) fn log(&self, run: &Path) -> String {
        fs::read_to_string(run.join(format!("{}.log", self.name))).unwrap_or_default()
    }

    pub(crate) fn wait(&mut self) -> Outcome {
        self.child.wait().map(|_| ()).map_err(|error| Stop::Red(error.to_string()))
    }

    /// Returns the peak memory of the program, or of a program it started, in MiB, if the system
    /// reports it.
    pub(crate) fn memory(&self) -> Option<u64> {
        let own = self.child.id();
        let started =
            fs::read_to_string(format!("/proc/{own}/task/{own}/children")).unwrap_or_default();
        let started = started.split_whitespace().filter_map(|id| id.parse().ok());
        let status = |id: u32| fs::read_to_string(format!("/proc/{id}/status")).ok();
        [own].into_iter().chain(started).filter_map(|id| peak(&status(id)?)).max()
    }
}

/// Converts the kB of Linux to MiB.
fn peak(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kilobytes| kilobytes / 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_read_in_mebibytes() {
        assert_eq!(peak("VmPeak:\t  100 kB\nVmHWM:\t  524288 kB\n"), Some(512));
        assert_eq!(peak("Name:\tx\n"), None);
    }
}
