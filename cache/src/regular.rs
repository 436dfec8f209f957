//! Reading a file that has to be a regular one.
//!
//! In the place of a file that is to be read there may be anything: a FIFO, whose reader waits for a
//! writer, a socket, a terminal or another device. So nothing is opened before its kind is known, it is
//! opened without waiting, and its kind is asked again of what was opened. What is none is an error
//! that says so. How much is read is limited, as a file may have any length, or none that it tells.

use std::fs::{File, FileType};
use std::io::{self, Read as _};
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

use rustix::fs::{Mode, OFlags};

/// Names what is in the place of a regular file.
#[derive(Debug, thiserror::Error)]
#[error("it is {0} and not a regular file")]
struct NotRegular(&'static str);

/// Opens a regular file for reading, through symbolic links. Never waits.
///
/// # Errors
/// If there is none, it can't be opened, or it is something else: a folder, a FIFO, a device.
pub fn open_regular(path: &Path) -> io::Result<File> {
    open(path, OFlags::empty())
}

/// Reads a regular file of at most `most` bytes, through symbolic links. Never waits.
///
/// # Errors
/// As [`open_regular`]; also if it is longer.
pub fn read_regular(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    read(&open_regular(path)?, most)
}

/// Reads a regular file of at most `most` bytes of UTF-8 text, through symbolic links. Never waits.
///
/// # Errors
/// As [`read_regular`]; also if it is not UTF-8.
pub fn read_regular_to_string(path: &Path, most: u64) -> io::Result<String> {
    let bytes = read_regular(path, most)?;
    String::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// Reads a regular file of at most `most` bytes that no symbolic link may stand in for. Never waits.
pub(crate) fn read_own(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    read(&open(path, OFlags::NOFOLLOW)?, most)
}

fn read(file: &File, most: u64) -> io::Result<Vec<u8>> {
    let length = file.metadata()?.len();
    if length > most {
        return Err(too_long(length, most));
    }
    let mut bytes = Vec::new();
    // It may grow while it is read.
    let length = file.take(most + 1).read_to_end(&mut bytes)?;
    let length = u64::try_from(length).unwrap_or(u64::MAX);
    if length > most { Err(too_long(length, most)) } else { Ok(bytes) }
}

fn too_long(length: u64, most: u64) -> io::Error {
    let limit = if most < 1 << 20 { String::new() } else { format!(" ({} MiB)", most >> 20) };
    let text = format!("it has {length} bytes; the limit for such a file is {most}{limit}");
    io::Error::new(io::ErrorKind::FileTooLarge, text)
}

fn open(path: &Path, flags: OFlags) -> io::Result<File> {
    // To open some devices is to start them, so a look comes first.
    let metadata = match flags.contains(OFlags::NOFOLLOW) {
        true => std::fs::symlink_metadata(path)?,
        false => std::fs::metadata(path)?,
    };
    check(metadata.file_type())?;
    let flags = flags | OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    check(file.metadata()?.file_type())?;
    Ok(file)
}

fn check(kind: FileType) -> io::Result<()> {
    let what = match () {
        () if kind.is_file() => return Ok(()),
        () if kind.is_dir() => "a folder",
        () if kind.is_symlink() => "a symbolic link",
        () if kind.is_fifo() => "a FIFO",
        () if kind.is_socket() => "a socket",
        () => "a device",
    };
    Err(io::Error::other(NotRegular(what)))
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use rustix::fs::{CWD, FileType, Mode};

    use super::*;

    #[test]
    fn what_is_no_regular_file_is_named_and_never_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("file"), "text").unwrap();
        std::fs::write(at("bytes"), [0xff]).unwrap();
        std::os::unix::fs::symlink("file", at("link")).unwrap();
        std::os::unix::fs::symlink("loop", at("loop")).unwrap();
        rustix::fs::mknodat(CWD, at("fifo"), FileType::Fifo, Mode::RWXU, 0).unwrap();
        let _listener = UnixListener::bind(at("socket")).unwrap();
        assert_eq!(read_regular_to_string(&at("file"), 9).unwrap(), "text");
        assert_eq!(read_regular_to_string(&at("link"), 9).unwrap(), "text");
        let check = |path: &Path, expect: &str| {
            let error = read_regular_to_string(path, 9).unwrap_err().to_string();
            assert!(error.contains(expect), "{}: {error}", path.display());
            assert!(read_own(path, 9).is_err() || path == at("bytes"));
        };
        check(&at("fifo"), "it is a FIFO and not a regular file");
        check(&at("socket"), "it is a socket");
        check(folder.path(), "it is a folder");
        check(Path::new("/dev/zero"), "it is a device");
        check(&at("loop"), "symbolic links");
        check(&at("none"), "No such file");
        check(&at("file").join("below"), "Not a directory");
        check(&at("bytes"), "utf-8");
        let error = read_own(&at("link"), 9).unwrap_err().to_string();
        assert_eq!(error, "it is a symbolic link and not a regular file");
    }
}
