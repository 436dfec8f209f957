//! Reads zip archives. What an entry means is decided by the [`Collector`].

use std::io::{self, Cursor, Read};

use ::zip::read::ZipFile;
use ::zip::{ZipArchive, result::ZipError};

use super::UnpackError;
use super::collect::Collector;

const TYPE_MASK: u32 = 0o170_000;
const REGULAR: u32 = 0o100_000;
const FOLDER: u32 = 0o040_000;
const LINK: u32 = 0o120_000;

/// The longest target of a symbolic link in bytes, as on Linux.
const MAX_TARGET: u64 = 4096;

/// Takes the entries of a zip archive. `placed` returns the path of an entry with this name, and true if it
/// is executable whatever its mode says. It returns `None` for an entry that is not wanted.
pub(super) fn unpack(
    collector: &mut Collector<'_>,
    bytes: &[u8],
    placed: impl Fn(String) -> Option<(String, bool)>,
) -> Result<(), UnpackError> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(damaged)?;
    if archive.has_duplicate_names() {
        return Err(UnpackError::Duplicate(duplicate_name(&archive)));
    }
    if archive.has_overlapping_files().map_err(damaged)? {
        return Err(damaged(ZipError::InvalidArchive("its entries overlap".into())));
    }
    for index in 0..archive.len() {
        let mut file = archive.by_index(index).map_err(damaged)?;
        let raw = file.name_raw().to_vec();
        let name = String::from_utf8(raw)
            .map_err(|error| UnpackError::NotUtf8(error.as_bytes().escape_ascii().to_string()))?;
        let Some((name, executable)) = placed(name) else { continue };
        take(collector, &name, executable, &mut file)?;
    }
    Ok(())
}

fn take<R: Read>(
    collector: &mut Collector<'_>,
    name: &str,
    executable: bool,
    file: &mut ZipFile<'_, R>,
) -> Result<(), UnpackError> {
    // A caller that decides afterwards what counts, as zig does, uses only names and bytes of a zip archive.
    let mode = if collector.is_forgiving() { 0 } else { file.unix_mode().unwrap_or(0) };
    match mode & TYPE_MASK {
        _ if name.ends_with('/') => collector.folder(name.as_bytes()),
        FOLDER => collector.folder(name.as_bytes()),
        LINK => {
            let mut target = Vec::new();
            file.take(MAX_TARGET + 1).read_to_end(&mut target).map_err(UnpackError::Damaged)?;
            collector.link(name.as_bytes(), &target)
        }
        0 | REGULAR => collector.file(name.as_bytes(), executable || mode & 0o100 != 0, file),
        _ => collector.special(name.as_bytes(), "special file"),
    }
}

fn damaged(error: ZipError) -> UnpackError {
    UnpackError::Damaged(io::Error::new(io::ErrorKind::InvalidData, error))
}

/// Returns a name that comes twice, if the archive's reader still has both of its entries.
fn duplicate_name(archive: &ZipArchive<Cursor<&[u8]>>) -> String {
    let mut seen = std::collections::BTreeSet::new();
    let twice = archive.file_names_raw().find(|name| !seen.insert(name.to_vec()));
    twice.map_or_else(|| "an entry".to_owned(), |name| name.escape_ascii().to_string())
}
