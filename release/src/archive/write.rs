//! Writes the archive of a release. The bytes are a function of the files.
//!
//! The headers are those of ustar, without extensions. What is fixed in them may never change: the reader compares an
//! archive with the one that is written here, so another time or mode would make all older releases unreadable.

use std::io::{self, Write};

use super::error::ArchiveError;
use super::path::{self, SUMS};
use super::{Files, Limits, sums};

/// The time of all files: 1980-01-01, the epoch of reproducible builds here (docs/reproducibility.md).
const EPOCH: u64 = 315_532_800;

/// The level of compression. Higher ones take several times as long and save some per cent of a component.
const LEVEL: i32 = 9;

/// Writes the compressed archive.
pub(super) fn archive(files: &Files, limits: &Limits) -> Result<Vec<u8>, ArchiveError> {
    if files.members.len() >= limits.members {
        return Err(ArchiveError::TooMany(limits.members));
    }
    path::clashes(files.members.keys())?;
    let mut tar = Vec::new();
    write(files, &mut tar).expect("memory takes it");
    if tar.len() as u64 > limits.unpacked {
        return Err(ArchiveError::TooLarge { limit: limits.unpacked });
    }
    let packed = compress(&tar).expect("memory takes it");
    if packed.len() as u64 > limits.packed {
        return Err(ArchiveError::TooLarge { limit: limits.packed });
    }
    Ok(packed)
}

fn compress(tar: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), LEVEL)?;
    encoder.include_checksum(true)?;
    encoder.set_pledged_src_size(Some(tar.len() as u64))?;
    encoder.write_all(tar)?;
    encoder.finish()
}

/// Writes the tar archive.
pub(super) fn write(files: &Files, target: impl Write) -> io::Result<()> {
    let mut builder = tar::Builder::new(target);
    let list = sums::write(&files.members);
    // The list comes first, as its name is the first in the order of bytes.
    append(&mut builder, &files.root, SUMS, &list)?;
    for (path, bytes) in &files.members {
        append(&mut builder, &files.root, path.as_str(), bytes)?;
    }
    builder.into_inner()?.flush()
}

fn append(
    builder: &mut tar::Builder<impl Write>,
    root: &str,
    path: &str,
    bytes: &[u8],
) -> io::Result<()> {
    let mut header = tar::Header::new_ustar();
    header.set_path(format!("{root}/{path}"))?;
    header.set_entry_type(tar::EntryType::Regular);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(EPOCH);
    header.set_size(bytes.len() as u64);
    header.set_cksum();
    builder.append(&header, bytes)
}
