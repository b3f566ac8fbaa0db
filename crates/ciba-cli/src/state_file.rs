//! The file of `--state`: a flow that can be resumed, and the client's options beside it.

use std::{io, path::Path};

use ciba_core::{Snapshot, json::JsonObject};
use ciba_std::{FileSaver, FileSaverError, SavedFlow};
use serde::{Deserialize, Serialize};

use crate::{
    args::Client,
    exit::Stop,
    files::warn_of_detour,
    wording::{quoted, reason},
};

/// What is stored beside the flow; no secret is in it.
#[derive(Debug, Serialize, Deserialize)]
struct Notes {
    ciba_state: u32,
    client: Client,
}

const VERSION: u32 = 1;

/// A flow that was saved.
#[derive(Debug)]
pub(crate) struct Saved {
    pub(crate) file: StateFile,
    /// The options of the command line, and the saved ones where it has none.
    pub(crate) client: Client,
    pub(crate) snapshot: Vec<u8>,
}

/// A place where a flow is kept.
#[derive(Debug)]
pub(crate) struct StateFile(FileSaver);

impl StateFile {
    /// Creates the file of a new flow, to find out whether it can be written before anything is
    /// sent.
    pub(crate) fn new(path: &Path, client: &Client) -> Result<Self, Stop> {
        let saver = FileSaver::create(path).map_err(|error| unusable(path, error))?;
        Self::with(saver, client)
    }

    /// Opens the file of an interrupted flow; `client` holds what the command line says now and
    /// wins over what was saved.
    pub(crate) fn open(path: &Path, client: Client) -> Result<Saved, Stop> {
        let opened = FileSaver::open(path).map_err(|error| unusable(path, error))?;
        let SavedFlow { saver, snapshot, notes, .. } = opened;
        let notes: Notes = serde_json::from_str(notes.as_json())
            .map_err(|_| unusable(path, FileSaverError::Malformed))?;
        if notes.ciba_state != VERSION {
            return Err(Stop::usage(format!(
                "the state file {} was written by another version of this command",
                path.display()
            )));
        }
        let client = client.or(notes.client)?;
        Ok(Saved { file: Self::with(saver, &client)?, client, snapshot })
    }

    fn with(saver: FileSaver, client: &Client) -> Result<Self, Stop> {
        warn_of_detour(saver.path(), &format!("the state file {}", saver.path().display()));
        let notes = Notes { ciba_state: VERSION, client: client.clone() };
        let notes = serde_json::to_string(&notes).ok();
        let notes = notes.and_then(|notes| JsonObject::from_json(&notes).ok());
        let notes = notes.ok_or_else(|| Stop::bug("the client's options cannot be saved"))?;
        Ok(Self(saver.with_notes(&notes)))
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Replaces the saved state, unless that is as new.
    pub(crate) fn save(&self, snapshot: &Snapshot) -> io::Result<()> {
        self.0.save(snapshot)
    }

    /// Removes the file: the flow is over, and its outcome was written.
    pub(crate) fn remove(&self) -> io::Result<()> {
        self.0.remove()
    }
}

/// What keeps a file from being used, and what to do about it.
fn unusable(path: &Path, error: FileSaverError) -> Stop {
    let shown = path.display();
    let word = quoted(&shown.to_string());
    Stop::usage(match error {
        FileSaverError::NotRegular => format!(
            "the state file {shown} is not a regular file: give its own path, and no symbolic link"
        ),
        FileSaverError::Foreign(owner) => format!(
            "the state file {shown} belongs to another user (id {owner}): give one of your own"
        ),
        FileSaverError::Exposed(mode) => format!(
            "the state file {shown} can be read by others (mode {mode:03o}): protect it with `chmod 600 {word}`"
        ),
        FileSaverError::InUse => {
            format!("the state file {shown} is in use by another `ciba`, which continues its flow")
        }
        FileSaverError::Occupied => format!(
            "the state file {shown} already holds a flow: continue it with `ciba resume --state {word}`, or remove it"
        ),
        FileSaverError::TooLarge => format!("the state file {shown} is too large to be one"),
        FileSaverError::Malformed => {
            format!("the state file {shown} does not hold a saved flow")
        }
        FileSaverError::Unreadable(error) => {
            format!("the state file {shown} cannot be read: {}", reason(&error))
        }
        FileSaverError::Unwritable(error) => {
            format!("the state file {shown} cannot be written: {}", reason(&error))
        }
        other => format!("the state file {shown} cannot be used: {other}"),
    })
}
