//! Reads files, and checks who else can access them.

use std::{
    fs,
    io::{self, Read as _},
    path::Path,
    sync::{Mutex, PoisonError},
};

use crate::{
    access::{self, Exposure},
    exit::Stop,
    stdio::put_error,
    wording::{quoted, reason},
};

/// The size of the largest file that is read, in bytes.
const MOST: u64 = 1024 * 1024;

/// Reads a text file that an option names, without its byte order mark. An error does not repeat
/// the path, which may be the secret itself, given by mistake.
pub(crate) fn read(path: &Path, option: &str) -> Result<Vec<u8>, Stop> {
    let (_, bytes) = open(path, option)?;
    text(bytes, path, option)
}

/// As [`read`], for a file that holds a secret: refused when others can change it, with a warning
/// when they can read it.
pub(crate) fn read_secret(path: &Path, option: &str) -> Result<Vec<u8>, Stop> {
    let bytes = secret(path, option)?;
    text(bytes, path, option)
}

/// The bytes of a file, or `None` if there are more than `most`. The length in the metadata is not
/// used, because pipes and devices have none.
fn take(file: fs::File, most: u64) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    let read = file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(u64::try_from(read).is_ok_and(|read| read <= most).then_some(bytes))
}

/// Reads a file of at most a megabyte.
pub(super) fn open(path: &Path, option: &str) -> Result<(fs::Metadata, Vec<u8>), Stop> {
    let unreadable = |error: io::Error| {
        Stop::usage(format!("the file of {option} cannot be read: {}", reason(&error)))
    };
    let file = fs::File::open(path).map_err(unreadable)?;
    // The metadata of the open file: by now another file may be at the path.
    let found = file.metadata().map_err(unreadable)?;
    let bytes = take(file, MOST).map_err(unreadable)?.ok_or_else(|| {
        Stop::usage(format!(
            "the file of {option} cannot be used: {} is larger than a megabyte",
            path.display()
        ))
    })?;
    Ok((found, bytes))
}

/// As [`open`], for a file that holds a secret.
pub(super) fn secret(path: &Path, option: &str) -> Result<Vec<u8>, Stop> {
    let (found, bytes) = open(path, option)?;
    let shown = path.display().to_string();
    match access::exposure(&found) {
        None => {}
        Some(Exposure::Owned(owner)) => {
            return Err(Stop::usage(format!(
                "the file of {option} is not used, because {shown} belongs to another user (id {owner}), who can change it: give one of your own"
            )));
        }
        Some(Exposure::Changeable(how)) => {
            return Err(Stop::usage(format!(
                "the file of {option} is not used, because others can change it ({how}): protect {shown} with `chmod 600 {}`",
                quoted(&shown)
            )));
        }
        Some(Exposure::Readable(how)) => warn_once(format!(
            "ciba: warning: the file of {option} can be read by others ({how}): protect it with `chmod 600 {}`",
            quoted(&shown)
        )),
    }
    if found.is_file() {
        warn_of_detour(path, &format!("the file of {option}"));
    }
    Ok(bytes)
}

/// A shared directory may be intended, or out of the user's control: it is warned about, and the
/// file is used.
pub(crate) fn warn_of_detour(path: &Path, what: &str) {
    if let Some(why) = access::detour(path) {
        warn_once(format!(
            "ciba: warning: others can put another file in the place of {what}: {why}"
        ));
    }
}

/// Warns once about a file that is read twice, such as a key that authenticates and signs requests.
fn warn_once(warning: String) {
    static TOLD: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let mut told = TOLD.lock().unwrap_or_else(PoisonError::into_inner);
    if !told.contains(&warning) {
        put_error(&warning);
        told.push(warning);
    }
}

/// Removes the byte order mark; UTF-16, which a shell on Windows writes, has an error of its own.
fn text(bytes: Vec<u8>, path: &Path, option: &str) -> Result<Vec<u8>, Stop> {
    match bytes.as_slice() {
        [0xef, 0xbb, 0xbf, rest @ ..] => Ok(rest.to_vec()),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Err(Stop::usage(format!(
            "the file of {option} cannot be used: {} is in UTF-16, and UTF-8 is needed",
            path.display()
        ))),
        _ => Ok(bytes),
    }
}
