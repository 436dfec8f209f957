//! Reads files of this machine that stand in for a download. A file is read whole, up to a limit, and only if
//! it is a regular file.
//!
//! A path may come from a checkout and lead to anything: opening a FIFO would wait for a writer for ever, and
//! a device may never end.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags};

use super::HttpError;

/// Reads a regular file of at most `limit` bytes.
///
/// # Errors
/// The file can't be read, is not a regular file, or is longer than the limit.
pub(crate) fn read_file(path: &Path, limit: u64) -> Result<Vec<u8>, HttpError> {
    let read = || {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = File::from(rustix::fs::openat(CWD, path, flags, Mode::empty())?);
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
        }
        let mut bytes = Vec::new();
        file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().map_err(|source| HttpError::File { path: path.to_owned(), source })?;
    match u64::try_from(bytes.len()) {
        Ok(length) if length <= limit => Ok(bytes),
        _ => Err(HttpError::TooLong { url: format!("file://{}", path.display()), limit }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_are_read_and_nothing_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let check = |path: &Path, expect: &str| {
            let error = read_file(path, 10).unwrap_err();
            let causes = std::error::Error::source(&error).map(ToString::to_string);
            assert_eq!(causes.as_deref(), Some(expect), "{error}");
        };
        let fifo = folder.path().join("fifo");
        rustix::fs::mknodat(CWD, &fifo, rustix::fs::FileType::Fifo, Mode::RWXU, 0).unwrap();
        check(&fifo, "it is no regular file");
        check(Path::new("/dev/zero"), "it is no regular file");
        check(folder.path(), "it is no regular file");
        check(&folder.path().join("absent"), "No such file or directory (os error 2)");
    }
}
