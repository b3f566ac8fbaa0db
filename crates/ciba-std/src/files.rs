//! Reads files.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    path::Path,
};

/// Reads a regular file of at most `longest` bytes.
pub(crate) fn read(path: &Path, longest: u64) -> io::Result<Vec<u8>> {
    let is_regular = |found: fs::Metadata| match found.is_file() {
        true => Ok(()),
        false => Err(io::Error::other("it is not a regular file")),
    };
    // Opening a pipe would block until something opens its other end.
    is_regular(fs::metadata(path)?)?;
    let file = File::open(path)?;
    // By now another file may be at the path.
    is_regular(file.metadata()?)?;
    take(&file, longest)?.ok_or_else(|| {
        let longest = longest / (1024 * 1024);
        io::Error::new(io::ErrorKind::FileTooLarge, format!("it is longer than {longest} MiB"))
    })
}

/// Reads what is left of a file, or returns `None` if that is more than `longest` bytes. The length
/// in the metadata is not used: it is 0 for devices and for some file systems, and the file may grow.
pub(crate) fn take(file: &File, longest: u64) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    let read = file.take(longest.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(u64::try_from(read).is_ok_and(|read| read <= longest).then_some(bytes))
}
