//! Takes a folder of this machine as if it were an archive, so that the same rules hold for it.

use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::UnpackError;
use super::collect::Collector;

/// Takes the named files of a folder.
pub(super) fn take(
    collector: &mut Collector<'_>,
    folder: &Path,
    files: &[String],
) -> Result<(), UnpackError> {
    files.iter().try_for_each(|name| take_one(collector, &folder.join(name), name.as_bytes()))
}

/// Takes everything in a folder. Symbolic links are taken as links and not followed.
pub(super) fn take_all(collector: &mut Collector<'_>, folder: &Path) -> Result<(), UnpackError> {
    let walk = walkdir::WalkDir::new(folder).min_depth(1).sort_by_file_name();
    for entry in walk {
        let entry = entry.map_err(|error| {
            let path = error.path().unwrap_or(folder).to_owned();
            unreadable(&path, error.into_io_error().unwrap_or_else(|| io::ErrorKind::Other.into()))
        })?;
        let name = entry.path().strip_prefix(folder).unwrap_or(entry.path());
        take_one(collector, entry.path(), name.as_os_str().as_bytes())?;
    }
    Ok(())
}

fn take_one(collector: &mut Collector<'_>, path: &Path, name: &[u8]) -> Result<(), UnpackError> {
    let metadata = fs::symlink_metadata(path).map_err(|error| unreadable(path, error))?;
    let kind = metadata.file_type();
    if kind.is_dir() {
        collector.folder(name)
    } else if kind.is_symlink() {
        let target = fs::read_link(path).map_err(|error| unreadable(path, error))?;
        collector.link(name, target.as_os_str().as_bytes())
    } else if kind.is_file() {
        let mut file = File::open(path).map_err(|error| unreadable(path, error))?;
        collector.file(name, metadata.permissions().mode() & 0o100 != 0, &mut file)
    } else {
        collector.special(name, "special file")
    }
}

fn unreadable(path: &Path, source: io::Error) -> UnpackError {
    UnpackError::Read { path: path.display().to_string(), source }
}
