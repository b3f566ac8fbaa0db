//! The file of `--state`: a flow that can be resumed, readable by its owner only, and held by one
//! process at a time.
//!
//! Written to a temporary file beside it, synced and renamed, so that a crash leaves the old state
//! or the new one and never half of either.

mod hold;

use std::{
    fs, io,
    io::Write as _,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use ciba_core::{JsonObject, Snapshot};
use serde::{Deserialize, Serialize};

use crate::{
    access::{self, Exposure},
    args::Client,
    exit::Stop,
    files::{read_at_most, warn_of_detour},
    output::quoted,
};

/// What the file holds beside the flow as core saved it, which is its member `flow`: the client's
/// options (no secret among them).
#[derive(Debug, Serialize, Deserialize)]
struct Contents {
    ciba_state: u32,
    client: Client,
}

/// A flow that was saved.
#[derive(Debug)]
pub(crate) struct Saved {
    pub(crate) file: StateFile,
    /// What the command line says, and what was saved where it says nothing.
    pub(crate) client: Client,
    pub(crate) snapshot: Vec<u8>,
}

/// What is at the path.
#[derive(Debug)]
struct Held {
    file: fs::File,
    /// The revision of the last state this process wrote.
    revision: Option<u64>,
}

const VERSION: u32 = 1;
/// Far above what a flow needs, tokens with photographs included.
const MOST_BYTES: u64 = 32 * 1024 * 1024;

/// A place where a flow is kept.
#[derive(Debug)]
pub(crate) struct StateFile {
    path: PathBuf,
    client: Client,
    /// What is at the path, locked.
    held: Mutex<Held>,
    /// This process made it.
    is_new: bool,
}

impl StateFile {
    /// Takes a path for a new flow, and finds out whether it can be written before anything is
    /// sent.
    pub(crate) fn new(path: &Path, client: &Client) -> Result<Self, Stop> {
        let shown = path.display();
        let is_new = match fs::symlink_metadata(path) {
            Ok(found) if !found.is_file() => return Err(irregular(path)),
            Ok(found) => refuse_others(path, &found).map(|()| false)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => true,
            Err(error) => {
                return Err(Stop::usage(format!(
                    "the state file {shown} cannot be used: {}",
                    reason(&error)
                )));
            }
        };
        let file = Self::hold(path, client, is_new)?;
        if !file.is_empty() {
            return Err(Stop::usage(format!(
                "the state file {shown} already holds a flow: go on with it by `ciba resume --state {}`, or remove it",
                quoted(&shown.to_string())
            )));
        }
        Ok(file)
    }

    /// Takes the file for this process, and finds out whether it can be replaced.
    fn hold(path: &Path, client: &Client, is_new: bool) -> Result<Self, Stop> {
        let shown = path.display();
        let unwritable = |error: io::Error| {
            Stop::usage(format!("the state file {shown} cannot be written: {}", reason(&error)))
        };
        let held = hold::hold(path, is_new).map_err(unwritable)?;
        let held = held.ok_or_else(|| {
            Stop::usage(format!(
                "the state file {shown} is in use by another `ciba`, which goes on with its flow"
            ))
        })?;
        warn_of_detour(path, &format!("the state file {shown}"));
        let held = Mutex::new(Held { file: held, revision: None });
        let file = Self { path: path.to_owned(), client: client.clone().absolute(), held, is_new };
        file.temporary().and_then(|(path, _)| fs::remove_file(path)).map_err(unwritable)?;
        Ok(file)
    }

    /// Whether no flow was saved yet.
    fn is_empty(&self) -> bool {
        self.held().file.metadata().is_ok_and(|found| found.len() == 0)
    }

    /// Opens the file of an interrupted flow; `client` holds what the command line says now and
    /// wins over what was saved.
    pub(crate) fn open(path: &Path, client: Client) -> Result<Saved, Stop> {
        let shown = path.display();
        let unreadable = |error: &io::Error| {
            Stop::usage(format!("the state file {shown} cannot be read: {}", reason(error)))
        };
        let found = fs::symlink_metadata(path).map_err(|error| unreadable(&error))?;
        if !found.is_file() {
            return Err(irregular(path));
        }
        refuse_others(path, &found)?;
        let mut file = Self::hold(path, &client, false)?;
        let bytes = read_at_most(path, MOST_BYTES).map_err(|error| unreadable(&error))?;
        let bytes = bytes
            .ok_or_else(|| Stop::usage(format!("the state file {shown} is too large to be one")))?;
        let damaged = || Stop::usage(format!("the state file {shown} does not hold a saved flow"));
        let members =
            std::str::from_utf8(&bytes).ok().and_then(|text| JsonObject::from_json(text).ok());
        let members = members.ok_or_else(damaged)?;
        let contents: Contents = serde_json::from_slice(&bytes).map_err(|_| damaged())?;
        if contents.ciba_state != VERSION {
            return Err(Stop::usage(format!(
                "the state file {shown} was written by another version of this command"
            )));
        }
        let client = client.or(contents.client);
        file.client = client.clone().absolute();
        let snapshot = members.json("flow").ok_or_else(damaged)?.as_bytes().to_vec();
        Ok(Saved { file, client, snapshot })
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Replaces what is saved, unless that is as new.
    pub(crate) fn save(&self, snapshot: &Snapshot) -> io::Result<()> {
        let mut held = self.held();
        if held.revision >= Some(snapshot.revision()) {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "a newer state was saved"));
        }
        let contents = Contents { ciba_state: VERSION, client: self.client.clone() };
        let mut bytes = serde_json::to_vec(&contents).map_err(io::Error::other)?;
        // The snapshot is JSON already, and goes in as it is.
        bytes.pop();
        bytes.extend_from_slice(b",\"flow\":");
        bytes.extend_from_slice(snapshot.as_bytes());
        bytes.extend_from_slice(b"}\n");
        let (temporary, mut file) = self.temporary()?;
        let written = file
            .write_all(&bytes)
            .and_then(|()| file.sync_all())
            .and_then(|()| hold::lock(&file))
            .and_then(|_| fs::rename(&temporary, &self.path));
        if written.is_err() {
            let _ = fs::remove_file(&temporary);
            return written;
        }
        *held = Held { file, revision: Some(snapshot.revision()) };
        self.sync_folder()
    }

    /// The flow is over and its outcome was told: its secrets leave the disk.
    pub(crate) fn remove(&self) -> io::Result<()> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed.and_then(|()| self.sync_folder()),
        }
    }

    /// A new file beside the state file, readable by its owner only from its first moment.
    fn temporary(&self) -> io::Result<(PathBuf, fs::File)> {
        let name =
            self.path.file_name().ok_or_else(|| io::Error::from(io::ErrorKind::IsADirectory))?;
        let random = getrandom::u64().map_err(|_| io::Error::other("no randomness"))?;
        let mut temporary = std::ffi::OsString::from(".");
        temporary.push(name);
        temporary.push(format!(".{random:016x}"));
        let path = self.path.with_file_name(temporary);
        Ok((path.clone(), private_file(&path)?))
    }

    /// Makes the rename itself durable.
    fn sync_folder(&self) -> io::Result<()> {
        if cfg!(unix) {
            let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
            let synced = fs::File::open(folder.unwrap_or(Path::new(".")))
                .and_then(|folder| folder.sync_all());
            return synced
                .or_else(|error| if is_not_offered(&error) { Ok(()) } else { Err(error) });
        }
        Ok(())
    }
}

impl Drop for StateFile {
    /// A flow that was never saved leaves no file behind.
    fn drop(&mut self) {
        if self.is_new && self.is_empty() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// What is at the path cannot be replaced by renaming and leave nothing behind. A symbolic link
/// would be replaced itself, and the secrets stay where it led.
fn irregular(path: &Path) -> Stop {
    Stop::usage(format!(
        "the state file {} is not a regular file: give its own path, and no symbolic link",
        path.display()
    ))
}

/// Some file systems sync no folders (EINVAL, ENOTSUP), and some folders may be written to and not
/// be opened: then the rename is as durable as it can be there. What a device reports is an error.
fn is_not_offered(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported | io::ErrorKind::PermissionDenied
    )
}

/// Creates a file that only its owner can read; never one that is there already.
pub(crate) fn private_file(path: &Path) -> io::Result<fs::File> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Refuses what is of another user, or can be read by one.
fn refuse_others(path: &Path, found: &fs::Metadata) -> Result<(), Stop> {
    let shown = path.display();
    if let Some(owner) = access::foreign_owner(found) {
        return Err(Stop::usage(format!(
            "the state file {shown} belongs to another user (id {owner}): give one of your own"
        )));
    }
    if let Some(Exposure::Readable(how) | Exposure::Changeable(how)) = access::exposure(found) {
        return Err(Stop::usage(format!(
            "the state file {shown} can be read by others ({how}): protect it with `chmod 600 {}`",
            quoted(&shown.to_string())
        )));
    }
    Ok(())
}

/// The operating system's reason, without its number.
pub(crate) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_store_as_the_drivers_want_it() {
        let path = std::env::temp_dir().join(format!("ciba-state-file-{}", std::process::id()));
        let file = StateFile::new(&path, &Client::default()).expect("the folder can be written");
        for case in ciba_test_op::store_cases() {
            let saved = file.save(case.snapshot());
            let members = JsonObject::from_json(&fs::read_to_string(&path).expect("it was saved"))
                .expect("it is JSON");
            assert_eq!(
                case.check(&saved, members.json("flow").unwrap_or_default().as_bytes()),
                Ok(()),
                "{case:?}"
            );
        }
        file.remove().expect("it is there");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_folder_that_cannot_be_synced_fails_no_save_and_a_broken_device_does() {
        // EACCES, EINVAL, ENOTSUP; EIO, ENOSPC, EROFS.
        for (number, is_fine) in
            [(13, true), (22, true), (95, true), (5, false), (28, false), (30, false)]
        {
            assert_eq!(is_not_offered(&io::Error::from_raw_os_error(number)), is_fine, "{number}");
        }
    }
}
