//! The limits on what a package may unpack to, and the reader that enforces them on decompressed streams.
//!
//! A checksum only says that a package is the one that was pinned, not that it is harmless. These limits stop
//! an archive that unpacks to very much more than its own size.

use std::cell::Cell;
use std::fmt;
use std::io::{self, Read};

/// The limits on what a package may unpack to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// The number of files, folders and links. The largest package in the catalogue has 1 500.
    pub(crate) entries: usize,
    /// The number of bytes of all their paths. In the largest packages a path has 100 bytes on average.
    pub(crate) names: usize,
    /// The number of bytes of all files, and of the decompressed stream. The largest packages have 350 MB.
    pub(crate) bytes: u64,
    /// The number of bytes of the stream per byte of the archive. Program files compress by less than 20.
    pub(crate) ratio: u64,
    /// The number of bytes up to which the ratio does not matter, because small archives of zeros do no harm.
    pub(crate) ratio_from: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { entries: 200_000, names: 64 << 20, bytes: 4 << 30, ratio: 200, ratio_from: 64 << 20 }
    }
}

impl Limits {
    /// Returns the number of bytes that an archive of `packed` bytes may unpack to, and the limit that this
    /// comes from.
    pub(crate) fn bytes_for(&self, packed: Option<usize>) -> (u64, Excess) {
        let by_ratio = packed
            .and_then(|packed| u64::try_from(packed).ok())
            .map(|packed| packed.saturating_mul(self.ratio).max(self.ratio_from));
        match by_ratio {
            Some(bytes) if bytes < self.bytes => (bytes, Excess::Ratio(self.ratio)),
            _ => (self.bytes, Excess::Bytes(self.bytes)),
        }
    }
}

/// A limit that was exceeded, with its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Excess {
    /// The number of entries.
    Entries(usize),
    /// The number of bytes of all paths, or of one entry's path or headers.
    Names(usize),
    /// The number of bytes.
    Bytes(u64),
    /// The number of bytes as a multiple of the archive's size.
    Ratio(u64),
}

impl fmt::Display for Excess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entries(entries) => write!(f, "{entries} entries"),
            Self::Names(bytes) => write!(f, "{bytes} bytes of names"),
            Self::Bytes(bytes) => write!(f, "{bytes} bytes"),
            Self::Ratio(ratio) => write!(f, "{ratio} times its size"),
        }
    }
}

/// A reader that fails once more bytes than a limit have been read.
///
/// The readers of the formats wrap its error in errors of their own. So the limit is also recorded in a cell.
pub(crate) struct Bounded<'a, R> {
    inner: R,
    left: u64,
    excess: Excess,
    tripped: &'a Cell<Option<Excess>>,
}

impl<'a, R: Read> Bounded<'a, R> {
    pub(crate) fn new(
        inner: R,
        (left, excess): (u64, Excess),
        tripped: &'a Cell<Option<Excess>>,
    ) -> Self {
        Self { inner, left, excess, tripped }
    }
}

impl<R: Read> Read for Bounded<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        match self.left.checked_sub(u64::try_from(count).unwrap_or(u64::MAX)) {
            Some(left) => self.left = left,
            None => {
                self.tripped.set(Some(self.excess));
                return Err(io::Error::other("too big"));
            }
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lower_limit_holds() {
        let limits = Limits { entries: 1, names: 100, bytes: 1000, ratio: 10, ratio_from: 100 };
        let check = |packed, bytes, excess| assert_eq!(limits.bytes_for(packed), (bytes, excess));
        check(Some(1), 100, Excess::Ratio(10));
        check(Some(50), 500, Excess::Ratio(10));
        check(Some(500), 1000, Excess::Bytes(1000));
        check(None, 1000, Excess::Bytes(1000));
    }

    #[test]
    fn reading_past_the_limit_trips() {
        let tripped = Cell::new(None);
        let mut reader = Bounded::new(&[0; 10][..], (9, Excess::Bytes(9)), &tripped);
        let mut all = Vec::new();
        assert!(reader.read_to_end(&mut all).is_err());
        assert_eq!(tripped.get(), Some(Excess::Bytes(9)));
    }
}
