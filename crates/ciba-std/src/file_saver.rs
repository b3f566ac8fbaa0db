//! A saver that writes one flow to a file.

use std::{
    error::Error,
    fmt, fs,
    fs::File,
    hash::{BuildHasher as _, Hasher as _, RandomState},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use ciba_core::{Snapshot, json::JsonObject};

use crate::{Superseded, files};

/// Saves the state of one flow in a file, so that the flow survives a crash and a restart.
///
/// The file is a JSON object with the snapshot in its last member `flow`, after the caller's
/// [notes](Self::with_notes). It holds secrets, so only its owner can read it. Each save writes a
/// temporary file in the same directory, syncs it, renames it over the old state, and syncs the
/// directory: after a crash the file holds the old state or the new one, never a part of either.
/// A state is replaced only by one that [replaces](Snapshot::replaces) it.
///
/// Clones are the same saver, which holds a lock on the file until all are dropped. A second saver
/// for the file, in this process or another, is refused: two processes that continue the same flow
/// could prompt a person twice. On file systems without locks, such as some network file systems,
/// it cannot be refused.
///
/// Dropping a saver that never saved anything removes the file that it created.
///
/// It is a `Saver` of both adapters; a `Client` resumes from it with `resume_file`.
/// [`save`](Self::save) blocks; the asynchronous driver calls it on a thread for blocking work.
///
/// # Examples
///
/// ```no_run
/// use std::{error::Error, sync::Arc, time::SystemTime};
///
/// use ciba_core::{ClientConfig, Flow};
/// use ciba_std::{FileSaver, SavedFlow};
///
/// fn resume(config: Arc<ClientConfig>) -> Result<(Flow, FileSaver), Box<dyn Error>> {
///     let SavedFlow { saver, snapshot, .. } = FileSaver::open("flow.json")?;
///     Ok((Flow::resume(config, &snapshot, SystemTime::now().into())?, saver))
/// }
/// ```
#[derive(Clone)]
pub struct FileSaver(Arc<Place>);

struct Place {
    path: PathBuf,
    held: Mutex<Held>,
    /// Whether this saver created the file.
    is_new: bool,
}

/// The locked file at the path.
#[derive(Debug)]
struct Held {
    file: File,
    /// The text that comes before the snapshot.
    before: String,
    /// The revision of the saved state.
    revision: Option<u64>,
    /// Whether the file was removed. An abandoned save may still run, and must not write the
    /// secrets again.
    is_removed: bool,
}

/// A flow that was saved in a file. The snapshot holds secrets; `Debug` does not show it.
#[non_exhaustive]
pub struct SavedFlow {
    /// Saves later states of the flow in the same file.
    pub saver: FileSaver,
    /// The bytes for [`Flow::resume`](ciba_core::Flow::resume).
    pub snapshot: Vec<u8>,
    /// What [`FileSaver::with_notes`] stored beside the flow.
    pub notes: JsonObject,
}

/// The member that holds the snapshot.
const FLOW: &str = "\"flow\":";
/// Far more than a flow needs, even with photographs in its tokens.
const MOST_BYTES: u64 = 32 * 1024 * 1024;
/// How often to open a file that its holder keeps replacing at the same moment.
const TRIES: u32 = 8;

impl FileSaver {
    /// Reserves a path for a new flow, and checks that a state can be written there. Creates an
    /// empty file if there is none.
    ///
    /// # Errors
    ///
    /// [`FileSaverError`], [`FileSaverError::Occupied`] if the file is not empty.
    pub fn create(path: impl Into<PathBuf>) -> Result<Self, FileSaverError> {
        let path = path.into();
        let is_new = match fs::symlink_metadata(&path) {
            Ok(found) => check(&path, &found).map(|()| false)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => true,
            Err(error) => return Err(FileSaverError::Unreadable(error)),
        };
        let saver = Self::hold(path, is_new)?;
        let found = saver.held().file.metadata().map_err(FileSaverError::Unreadable)?;
        if found.len() > 0 {
            return Err(FileSaverError::Occupied);
        }
        Ok(saver)
    }

    /// Opens the file of a saved flow.
    ///
    /// # Errors
    ///
    /// [`FileSaverError`], [`FileSaverError::Malformed`] if the file does not hold a flow.
    pub fn open(path: impl Into<PathBuf>) -> Result<SavedFlow, FileSaverError> {
        let path = path.into();
        let found = fs::symlink_metadata(&path).map_err(FileSaverError::Unreadable)?;
        check(&path, &found)?;
        let saver = Self::hold(path, false)?;
        // Read through the locked handle: on Windows, the lock blocks reads through any other.
        let bytes = files::take(&saver.held().file, MOST_BYTES);
        let bytes = bytes.map_err(FileSaverError::Unreadable)?.ok_or(FileSaverError::TooLarge)?;
        let (before, snapshot, notes) = parts(&bytes).ok_or(FileSaverError::Malformed)?;
        let flow = JsonObject::from_json(&snapshot).map_err(|_| FileSaverError::Malformed)?;
        let mut held = saver.held();
        held.before = before;
        held.revision = flow.get("revision").map_err(|_| FileSaverError::Malformed)?;
        drop(held);
        Ok(SavedFlow { saver, snapshot: snapshot.into_bytes(), notes })
    }

    /// Stores these members beside the flow from the next save on, replacing earlier ones. A member
    /// named `flow` makes the file unreadable.
    #[must_use]
    pub fn with_notes(self, notes: &JsonObject) -> Self {
        let text = notes.as_json();
        let text = text.strip_suffix('}').unwrap_or(text);
        let between = if notes.is_empty() { "" } else { "," };
        self.held().before = format!("{text}{between}");
        self
    }

    /// Returns the path of the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Replaces the state in the file, and returns when the new one is durable.
    ///
    /// # Errors
    ///
    /// [`Superseded`] if the snapshot does not [replace](Snapshot::replaces) the state in the file,
    /// which is unchanged. [`io::ErrorKind::NotFound`] after [`remove`](Self::remove). After any
    /// other error of the operating system, the file holds the old state or the new one.
    pub fn save(&self, snapshot: &Snapshot) -> io::Result<()> {
        let mut held = self.held();
        if held.is_removed {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the file was removed"));
        }
        // Another saver can have replaced the file only where the file system has no locks.
        let found = replaced(&held.file, self.path())?;
        if !snapshot.replaces(held.revision) || !snapshot.replaces(found) {
            return Err(Superseded.into());
        }
        let (temporary, mut file) = temporary(self.path())?;
        let written = [held.before.as_bytes(), FLOW.as_bytes(), snapshot.as_bytes(), b"}\n"]
            .into_iter()
            .try_for_each(|part| file.write_all(part))
            .and_then(|()| file.sync_all())
            // Locked before the rename, so that the path never has an unlocked file.
            .and_then(|()| lock(&file))
            .and_then(|_| fs::rename(&temporary, self.path()));
        if written.is_err() {
            let _ = fs::remove_file(&temporary);
            return written;
        }
        held.file = file;
        held.revision = Some(snapshot.revision());
        sync_directory(self.path())
    }

    /// Removes the file and its secrets. Call it once the flow is over and its result is stored.
    /// Waits for a save in progress; later saves are refused. A file that another process has put
    /// there stays.
    ///
    /// # Errors
    ///
    /// The error of the operating system. A file that does not exist any more is not an error.
    pub fn remove(&self) -> io::Result<()> {
        let mut held = self.held();
        held.is_removed = true;
        // Without a lock on the file, another process may have put its own there.
        if replaced(&held.file, self.path())?.is_some() {
            return Ok(());
        }
        match fs::remove_file(self.path()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed.and_then(|()| sync_directory(self.path())),
        }
    }

    fn hold(path: PathBuf, create: bool) -> Result<Self, FileSaverError> {
        let file = hold(&path, create).map_err(FileSaverError::Unwritable)?;
        let file = file.ok_or(FileSaverError::InUse)?;
        let held =
            Mutex::new(Held { file, before: "{".to_owned(), revision: None, is_removed: false });
        let saver = Self(Arc::new(Place { path, held, is_new: create }));
        // Only creating a file tells whether the directory allows it.
        temporary(saver.path())
            .and_then(|(path, _)| fs::remove_file(path))
            .map_err(FileSaverError::Unwritable)?;
        Ok(saver)
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.held()
    }
}

impl Place {
    /// A panic elsewhere while the lock was held leaves a complete file.
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    /// A flow that was never saved leaves no file behind.
    fn drop(&mut self) {
        let is_empty = self.held().file.metadata().is_ok_and(|found| found.len() == 0);
        if self.is_new && is_empty {
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl fmt::Debug for FileSaver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileSaver").field("path", &self.0.path).finish_non_exhaustive()
    }
}

/// Why a file cannot hold a flow, or cannot be read.
#[derive(Debug)]
#[non_exhaustive]
pub enum FileSaverError {
    /// The path is a directory, a device or a symbolic link. A save would replace the link, and
    /// leave the secrets in the file to which it points.
    NotRegular,
    /// The file belongs to the user with this id.
    Foreign(u32),
    /// The file has this mode, with which other users can read or change it.
    Exposed(u32),
    /// Another saver holds the file.
    InUse,
    /// The file for a new flow is not empty.
    Occupied,
    /// The file is larger than any saved flow.
    TooLarge,
    /// The file does not hold a flow.
    Malformed,
    /// The file cannot be read.
    Unreadable(io::Error),
    /// The file, or another file in its directory, cannot be written.
    Unwritable(io::Error),
}

impl fmt::Display for FileSaverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotRegular => f.write_str("not a regular file"),
            Self::Foreign(owner) => write!(f, "the file belongs to another user (id {owner})"),
            Self::Exposed(mode) => write!(f, "the file is accessible to others (mode {mode:03o})"),
            Self::InUse => f.write_str("the file is in use"),
            Self::Occupied => f.write_str("the file is not empty"),
            Self::TooLarge => write!(f, "the file is larger than {MOST_BYTES} bytes"),
            Self::Malformed => f.write_str("the file does not hold a saved flow"),
            Self::Unreadable(_) => f.write_str("the file cannot be read"),
            Self::Unwritable(_) => f.write_str("the file cannot be written"),
        }
    }
}

impl Error for FileSaverError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Unreadable(error) | Self::Unwritable(error) => Some(error),
            _ => None,
        }
    }
}

impl fmt::Debug for SavedFlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SavedFlow").field("saver", &self.saver).finish_non_exhaustive()
    }
}

/// Returns the revision of the flow in the file at this path, if it is another file than the held
/// one and holds a flow.
fn replaced(held: &File, path: &Path) -> io::Result<Option<u64>> {
    if is_at(held, path)? {
        return Ok(None);
    }
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let found = files::take(&file, MOST_BYTES)?.and_then(|bytes| parts(&bytes));
    let flow = found.and_then(|(_, flow, _)| JsonObject::from_json(&flow).ok());
    Ok(flow.and_then(|flow| flow.get("revision").ok().flatten()))
}

/// Splits the file into the text before the snapshot, the snapshot, and the notes.
fn parts(bytes: &[u8]) -> Option<(String, String, JsonObject)> {
    let object = JsonObject::from_json(std::str::from_utf8(bytes).ok()?).ok()?;
    let flow = object.json("flow")?.to_owned();
    let before = object.as_json().strip_suffix('}')?.strip_suffix(&flow)?.strip_suffix(FLOW)?;
    let notes = before.strip_suffix(',').unwrap_or(before);
    Some((before.to_owned(), flow, JsonObject::from_json(&format!("{notes}}}")).ok()?))
}

/// Opens a file, or creates it for its owner only, and locks it until it is closed. `None` if
/// another saver holds it.
fn hold(path: &Path, create: bool) -> io::Result<Option<File>> {
    for _ in 0..TRIES {
        let mut options = fs::OpenOptions::new();
        options.read(true).write(true).create(create);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path)?;
        if !lock(&file)? {
            return Ok(None);
        }
        if is_at(&file, path)? {
            return Ok(Some(file));
        }
    }
    Ok(None)
}

/// Locks a file without waiting. Returns `false` if it is locked already, and `true` if the file
/// system has no locks.
fn lock(file: &File) -> io::Result<bool> {
    /// `ENOLCK`, which has no [`io::ErrorKind`].
    const NO_LOCKS: i32 =
        if cfg!(any(target_os = "linux", target_os = "android")) { 37 } else { 77 };

    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(fs::TryLockError::WouldBlock) => Ok(false),
        Err(fs::TryLockError::Error(error)) => match error.kind() {
            io::ErrorKind::Unsupported | io::ErrorKind::InvalidInput => Ok(true),
            _ if cfg!(unix) && error.raw_os_error() == Some(NO_LOCKS) => Ok(true),
            _ => Err(error),
        },
    }
}

/// Returns whether the file is still the file at this path: its holder replaces it with every save.
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    match fs::metadata(path) {
        Ok(there) => Ok(identity(&there) == identity(&file.metadata()?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(unix)]
fn identity(found: &fs::Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt as _;

    (found.dev(), found.ino())
}

/// The standard library does not return the file index on Windows. A file that replaced another was
/// written later.
#[cfg(windows)]
fn identity(found: &fs::Metadata) -> (u64, u64) {
    use std::os::windows::fs::MetadataExt as _;

    (found.creation_time(), found.last_write_time())
}

#[cfg(not(any(unix, windows)))]
fn identity(_: &fs::Metadata) -> (u64, u64) {
    (0, 0)
}

/// Refuses everything but a regular file of this user that no other user can access.
fn check(path: &Path, found: &fs::Metadata) -> Result<(), FileSaverError> {
    if !found.is_file() {
        return Err(FileSaverError::NotRegular);
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;

        // The standard library cannot return the id of this user, but a new file belongs to it.
        let (probe, ours) = temporary(path).map_err(FileSaverError::Unwritable)?;
        let ours = ours.metadata();
        let _ = fs::remove_file(probe);
        if found.uid() != ours.map_err(FileSaverError::Unwritable)?.uid() {
            return Err(FileSaverError::Foreign(found.uid()));
        }
        if found.mode() & 0o066 != 0 {
            return Err(FileSaverError::Exposed(found.mode() & 0o777));
        }
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

/// Creates a file in the same directory, which only its owner can ever read.
fn temporary(path: &Path) -> io::Result<(PathBuf, File)> {
    let name = path.file_name().ok_or_else(|| io::Error::from(io::ErrorKind::IsADirectory))?;
    // If the name is taken, which is unlikely, creating the file fails.
    let random = RandomState::new().build_hasher().finish();
    let mut temporary = std::ffi::OsString::from(".");
    temporary.push(name);
    temporary.push(format!(".{random:016x}"));
    let path = path.with_file_name(temporary);
    let mut options = fs::OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(&path)?;
    Ok((path, file))
}

/// Makes a rename in the directory of this path durable. Windows cannot open directories as files,
/// and keeps the order of renames itself.
fn sync_directory(path: &Path) -> io::Result<()> {
    if cfg!(unix) {
        let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty());
        let synced = File::open(directory.unwrap_or(Path::new(".")))
            .and_then(|directory| directory.sync_all());
        return synced.or_else(|error| if is_not_offered(&error) { Ok(()) } else { Err(error) });
    }
    Ok(())
}

/// Returns whether the error means that the directory cannot be synced at all: some file systems do
/// not offer it (EINVAL, ENOTSUP), and some directories can be written but not opened. Errors of
/// the device are errors of the save.
fn is_not_offered(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported | io::ErrorKind::PermissionDenied
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn an_unsupported_directory_sync_fails_no_save_but_an_io_error_does() {
        // EACCES, EINVAL, ENOTSUP; EIO, ENOSPC, EROFS.
        for (number, is_fine) in
            [(13, true), (22, true), (95, true), (5, false), (28, false), (30, false)]
        {
            assert_eq!(is_not_offered(&io::Error::from_raw_os_error(number)), is_fine, "{number}");
        }
    }
}
