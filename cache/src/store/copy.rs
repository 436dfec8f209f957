//! Copies a file and hashes it on the way. Shares its blocks where the file system supports reflinks.

use std::fs::File;
use std::io::{self, Seek, Write};

use rustix::io::Errno;

use crate::digest::{Digest, DigestFunction};
use crate::hasher::{Hasher, digest_open_file, for_each_block};

/// Copies the content of `from` to the empty file `to`, and returns the digest of the bytes in `to`, even if another
/// process changes `from` meanwhile.
pub(super) fn copy_hashed(function: DigestFunction, from: &File, to: &File) -> io::Result<Digest> {
    if reflink(from, to)? {
        return digest_open_file(function, to);
    }
    let mut hasher = Hasher::new(function);
    let mut writer = to;
    for_each_block(from, |block| {
        hasher.update(block);
        writer.write_all(block)
    })?;
    Ok(hasher.finish())
}

/// Makes `to` share the blocks of `from` (FICLONE). Returns `false` if the file system can't do that.
fn reflink(from: &File, to: &File) -> io::Result<bool> {
    match rustix::fs::ioctl_ficlone(to, from) {
        Ok(()) => Ok(true),
        Err(
            Errno::OPNOTSUPP
            | Errno::XDEV
            | Errno::INVAL
            | Errno::NOTTY
            | Errno::NOSYS
            | Errno::PERM
            | Errno::ACCESS
            | Errno::TXTBSY
            | Errno::ISDIR
            | Errno::BADF,
        ) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Empties a file that a failed copy was written to.
pub(super) fn reset(mut file: &File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()
}
