//! Reads files, and refuses whatever is not a regular file.
//!
//! A path that should name a file may name anything: a FIFO, which makes its reader wait for a
//! writer, a socket, a terminal or another device. So the kind is checked before anything is opened, the path is
//! opened without blocking, and the kind of the opened file is checked again. Anything but a regular file is an
//! error that names its kind. The number of bytes read is limited, because a file may be huge, and some files report
//! no length at all.

use std::fs::{File, FileType};
use std::io::{self, Read as _};
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

use rustix::fs::{Mode, OFlags};

/// Says what the path names instead of a regular file.
#[derive(Debug, thiserror::Error)]
#[error("it is {0} and not a regular file")]
struct NotRegular(&'static str);

/// Opens a regular file for reading. Symbolic links are followed, and the call never blocks.
///
/// # Errors
/// If the file is missing, can't be opened, or is something else: a folder, a FIFO, a device.
pub fn open_regular(path: &Path) -> io::Result<File> {
    open(path, OFlags::empty())
}

/// Reads a regular file of at most `most` bytes. Symbolic links are followed, and the call never blocks.
///
/// # Errors
/// As [`open_regular`]; also if the file is longer.
pub fn read_regular(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    read(&open_regular(path)?, most)
}

/// Reads a regular file of at most `most` bytes of UTF-8 text. Symbolic links are followed, and the call never blocks.
///
/// # Errors
/// As [`read_regular`]; also if the file is not UTF-8.
pub fn read_regular_to_string(path: &Path, most: u64) -> io::Result<String> {
    let bytes = read_regular(path, most)?;
    String::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// Reads a regular file of at most `most` bytes, and refuses a symbolic link in its place. The call never blocks.
pub(crate) fn read_own(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    read(&open(path, OFlags::NOFOLLOW)?, most)
}

fn read(file: &File, most: u64) -> io::Result<Vec<u8>> {
    let length = file.metadata()?.len();
    if length > most {
        return Err(too_long(length, most));
    }
    let mut bytes = Vec::new();
    // The file may grow while it is read.
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
    // Opening some devices starts them, so the kind is checked before.
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
