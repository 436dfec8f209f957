//! Reads the archive of a release, which may be hostile.
//!
//! Everything is read into memory, and nothing is written. Limits hold while it is unpacked. Only plain files with
//! a path of a release are members, so no link, device, long name or sparse file gets anywhere. In the end the tar
//! archive of these files is made anew, and its digest is compared with that of the bytes that came.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};

use ring::digest::{Context, Digest, SHA256};

use super::error::ArchiveError;
use super::path::{self, MemberPath, SUMS};
use super::{Files, Limits, sums, write};
use crate::text::printable;

/// The largest window that the decompression may need, as a power of two: 128 MiB.
const WINDOW: u32 = 27;

/// Reads an archive.
pub(super) fn archive(bytes: &[u8], limits: &Limits) -> Result<Files, ArchiveError> {
    if bytes.len() as u64 > limits.packed {
        return Err(ArchiveError::TooLarge { limit: limits.packed });
    }
    if !bytes.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        return Err(ArchiveError::NotZstandard);
    }
    let decoder = zstd::stream::read::Decoder::with_buffer(bytes).and_then(|mut decoder| {
        decoder.window_log_max(WINDOW)?;
        Ok(decoder.single_frame())
    });
    let mut tar = Measured::new(decoder.map_err(|error| damaged(&error))?, limits.unpacked);
    let members = members(&mut tar, limits);
    let members = members.and_then(|members| match io::copy(&mut tar, &mut io::sink()) {
        Ok(_) => Ok(members),
        Err(error) => Err(damaged(&error)),
    });
    if tar.is_exceeded {
        return Err(ArchiveError::TooLarge { limit: limits.unpacked });
    }
    let (root, mut members) = members?;
    let (decoder, digest) = tar.finish();
    match decoder.finish().len() {
        0 => {}
        more => return Err(ArchiveError::Trailing(more)),
    }
    let list = members.remove(SUMS).ok_or(ArchiveError::NoSums)?;
    let files = Files { root: path::root(&root)?, members: checked(members)? };
    sums::check(&list, &files.members)?;
    let mut again = Hash(Context::new(&SHA256));
    match write::write(&files, &mut again) {
        Ok(()) if again.0.finish().as_ref() == digest.as_ref() => Ok(files),
        _ => Err(ArchiveError::NotCanonical),
    }
}

/// Returns the folder of the release and the members in it by their paths, which are not checked yet.
fn members(
    tar: &mut impl Read,
    limits: &Limits,
) -> Result<(String, BTreeMap<String, Vec<u8>>), ArchiveError> {
    let mut archive = tar::Archive::new(tar);
    let (mut root, mut members) = (None::<String>, BTreeMap::new());
    // Raw entries: extensions of the format are members here, and refused like all that is no plain file.
    for entry in archive.entries().map_err(|error| damaged(&error))?.raw(true) {
        let mut entry = entry.map_err(|error| damaged(&error))?;
        let whole = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let kind = entry.header().entry_type();
        if kind != tar::EntryType::Regular {
            let kind = printable(&char::from(kind.as_byte()).to_string(), 1);
            return Err(ArchiveError::Kind { path: printable(&whole, 200), kind });
        }
        let (folder, path) = whole.split_once('/').unwrap_or(("", &whole));
        let root = root.get_or_insert_with(|| folder.to_owned());
        if folder != root {
            return Err(ArchiveError::Outside(printable(&whole, 200), printable(root, 200)));
        }
        if members.len() >= limits.members {
            return Err(ArchiveError::TooMany(limits.members));
        }
        let size = entry.header().size().map_err(|error| damaged(&error))?;
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).map_err(|error| damaged(&error))?;
        if bytes.len() as u64 != size {
            return Err(ArchiveError::Damaged(format!("`{}` is cut off", printable(path, 200))));
        }
        if members.insert(path.to_owned(), bytes).is_some() {
            return Err(ArchiveError::Twice(printable(path, 200)));
        }
    }
    Ok((root.unwrap_or_default(), members))
}

/// Checks the paths of members, each by itself and all beside each other.
fn checked(
    members: BTreeMap<String, Vec<u8>>,
) -> Result<BTreeMap<MemberPath, Vec<u8>>, ArchiveError> {
    let mut checked: BTreeMap<MemberPath, Vec<u8>> = BTreeMap::new();
    for (path, bytes) in members {
        checked.insert(path.parse()?, bytes);
    }
    path::clashes(checked.keys())?;
    Ok(checked)
}

fn damaged(error: &io::Error) -> ArchiveError {
    ArchiveError::Damaged(printable(&error.to_string(), 200))
}

/// A reader that hashes what passes through it, and ends with an error where there is too much.
struct Measured<R> {
    inner: R,
    hash: Context,
    left: u64,
    is_exceeded: bool,
}

impl<R> Measured<R> {
    fn new(inner: R, limit: u64) -> Self {
        Self { inner, hash: Context::new(&SHA256), left: limit, is_exceeded: false }
    }

    fn finish(self) -> (R, Digest) {
        (self.inner, self.hash.finish())
    }
}

impl<R: Read> Read for Measured<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        match self.left.checked_sub(read as u64) {
            Some(left) => self.left = left,
            None => {
                self.is_exceeded = true;
                return Err(io::Error::other("there is too much"));
            }
        }
        self.hash.update(&buffer[..read]);
        Ok(read)
    }
}

/// A writer that keeps nothing but a digest.
struct Hash(Context);

impl Write for Hash {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.0.update(buffer);
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
