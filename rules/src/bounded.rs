//! Reads the files of a project that this process parses, and refuses those that are too long for that.
//!
//! Manifests and locks become tables in memory that are many times as long as their text. So their length is
//! limited before they are read, well above that of any real project: a package-lock.json of 30,000 packages
//! has 15 MiB. Files that are only hashed have no limit, because they are never held in memory.

use std::ffi::OsStr;
use std::io;
use std::path::Path;

/// The maximum length of a JSON file in bytes. package-lock.json is the longest kind of lock.
const MOST_OF_JSON: u64 = 32 << 20;

/// The maximum length, in bytes, of a package that a registry's client has fetched. It is unpacked from
/// memory.
pub(crate) const LONGEST_PACKAGE: u64 = 1 << 30;

/// The maximum length, in bytes, of a source file that is searched for its imports. It does not become a
/// table.
const MOST_OF_SOURCE: u64 = 256 << 20;

/// The maximum length, in bytes, of any other text: Cargo.lock, uv.lock, go.sum, run.lock.toml, a manifest, a
/// WIT file.
const MOST_OF_TEXT: u64 = 16 << 20;

/// Reads a text file. The maximum length depends on the file's extension.
///
/// # Errors
/// Fails if the operating system can't read the file, or if it is not a regular file, too long, or not UTF-8.
pub(crate) fn read_text(path: &Path) -> io::Result<String> {
    let most = match path.extension().and_then(OsStr::to_str) {
        Some("json") => MOST_OF_JSON,
        Some("go" | "zig") => MOST_OF_SOURCE,
        _ => MOST_OF_TEXT,
    };
    let bytes = read(path, most)?;
    let not_text = |_| io::Error::new(io::ErrorKind::InvalidData, "it is not valid UTF-8");
    String::from_utf8(bytes).map_err(not_text)
}

/// Reads a text file as [`read_text`] does. Returns `None` if there is no such file.
///
/// # Errors
/// Those of [`read_text`].
pub(crate) fn read_text_if_there(path: &Path) -> io::Result<Option<String>> {
    match read_text(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Reads a file of at most `most` bytes.
///
/// # Errors
/// Fails if the operating system can't read the file, or if it is not a regular file or too long.
pub(crate) fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    cache::read_regular(path, most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_up_to_their_limit() {
        let folder = tempfile::tempdir().unwrap();
        let sparse = |name: &str, length| {
            let path = folder.path().join(name);
            std::fs::File::create(&path).unwrap().set_len(length).unwrap();
            path
        };
        assert_eq!(read_text(&sparse("a.json", 20 << 20)).unwrap().len(), 20 << 20);
        for (name, length, limit) in [
            ("b.json", 50 << 20, "33554432 (32 MiB)"),
            ("Cargo.lock", 50 << 20, "16777216 (16 MiB)"),
            ("go.sum", 1 << 40, "16777216 (16 MiB)"),
            ("data.go", 1 << 30, "268435456 (256 MiB)"),
        ] {
            let error = read_text(&sparse(name, length)).unwrap_err().to_string();
            let expect = format!("it has {length} bytes; the limit for such a file is {limit}");
            assert_eq!(error, expect);
        }
        // `/dev/zero` reports a length of 0 and never ends.
        let error = read(Path::new("/dev/zero"), 9).unwrap_err().to_string();
        assert_eq!(error, "it is a device and not a regular file");
        assert_eq!(
            read(Path::new("/proc/self/maps"), 9).unwrap_err().kind(),
            io::ErrorKind::FileTooLarge
        );
    }

    #[test]
    fn a_fifo_is_an_error_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("Cargo.lock");
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        let error = read_text(&path).unwrap_err().to_string();
        assert_eq!(error, "it is a FIFO and not a regular file");
    }
}
