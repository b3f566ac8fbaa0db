//! What other users of the machine can do to a file that the command relies on, or to a directory or
//! link on the way to it.

use std::{fs, path::Path};

/// What others can do to a file.
#[cfg_attr(not(unix), allow(dead_code, reason = "nothing is known of others there"))]
pub(crate) enum Exposure {
    /// They own it, whatever its mode says: the owner of a file can change its mode.
    Owned(u32),
    Changeable(String),
    Readable(String),
}

/// What others can do to an open file. Root does not count: it can do everything anyway, and it is
/// the one that mounts secrets into containers. Pipes and devices are not checked.
#[cfg(unix)]
pub(crate) fn exposure(found: &fs::Metadata) -> Option<Exposure> {
    use std::os::unix::fs::MetadataExt as _;

    if !found.is_file() {
        return None;
    }
    let mode = found.mode() & 0o777;
    match (mode & 0o022, mode & 0o044) {
        _ if is_foreign(found.uid()) => Some(Exposure::Owned(found.uid())),
        (0, 0) => None,
        (0, _) => Some(Exposure::Readable(format!("mode {mode:03o}"))),
        _ => Some(Exposure::Changeable(format!("mode {mode:03o}"))),
    }
}

/// The first directory or symbolic link on the way to a file by which others can put another file in
/// its place, and why.
///
/// A world-writable directory counts unless it is sticky, as the directory for temporary files is. A
/// group-writable one does not: on many systems each user has a group of its own, and every
/// directory is group-writable.
#[cfg(unix)]
pub(crate) fn detour(path: &Path) -> Option<String> {
    use std::{os::unix::fs::MetadataExt as _, path::PathBuf};

    /// The number of links that Linux follows.
    const LINKS: u32 = 40;

    fn pieces(path: &Path) -> Vec<PathBuf> {
        path.iter().rev().map(Into::into).collect()
    }

    let mut left = pieces(&std::path::absolute(path).ok()?);
    let (mut at, mut links) = (PathBuf::new(), 0);
    while let Some(piece) = left.pop() {
        // `..` refers to the target of a link.
        if piece.as_os_str() == ".." {
            at.pop();
            continue;
        }
        let next = at.join(piece);
        // The file could be opened, so a part of the path that cannot be examined was removed since,
        // or does not exist in the file system (`/proc/self/fd`).
        let found = fs::symlink_metadata(&next).ok()?;
        let is_open = found.is_dir() && found.mode() & 0o1002 == 0o002;
        if is_open {
            return Some(format!("{} has mode {:03o}", next.display(), found.mode() & 0o777));
        }
        if !found.is_file() && is_foreign(found.uid()) {
            return Some(format!(
                "{} belongs to another user (id {})",
                next.display(),
                found.uid()
            ));
        }
        if found.is_symlink() {
            links += 1;
            if links > LINKS {
                return None;
            }
            left.extend(pieces(&fs::read_link(&next).ok()?));
        } else {
            at = next;
        }
    }
    None
}

#[cfg(unix)]
fn is_foreign(owner: u32) -> bool {
    owner != 0 && owner != rustix::process::geteuid().as_raw()
}

#[cfg(not(unix))]
pub(crate) fn exposure(_: &fs::Metadata) -> Option<Exposure> {
    None
}

#[cfg(not(unix))]
pub(crate) fn detour(_: &Path) -> Option<String> {
    None
}
