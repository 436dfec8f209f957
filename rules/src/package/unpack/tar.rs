//! Reads tar archives. What an entry means is decided by the [`Collector`].

use std::cell::Cell;
use std::io::{self, Read};

use ::tar::{Archive, EntryType};

use super::collect::Collector;
use super::limits::Excess;
use super::{UnpackError, compression};

/// The path of an entry in the image, and true if it is executable whatever its mode says.
pub(super) type Placed = (Vec<u8>, bool);

/// The number of bytes that the headers of one entry may have. Long names and extended attributes are read
/// into memory as a whole.
const MOST_OF_HEADERS: usize = 1 << 20;

/// A stream that fails when more bytes are read from it than `left` says, if that is set.
struct Metered<'a, R> {
    inner: R,
    left: &'a Cell<Option<usize>>,
    tripped: &'a Cell<Option<Excess>>,
}

impl<R: Read> Read for Metered<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(left) = self.left.get() else { return self.inner.read(buffer) };
        if left == 0 && !buffer.is_empty() {
            self.tripped.set(Some(Excess::Names(MOST_OF_HEADERS)));
            return Err(io::Error::other("too long"));
        }
        let most = buffer.len().min(left);
        let count = self.inner.read(&mut buffer[..most])?;
        self.left.set(Some(left - count));
        Ok(count)
    }
}

/// Takes the entries of a tar archive, compressed or not. `placed` returns the path of an entry with this
/// name and type, or `None` to skip it.
pub(super) fn unpack(
    collector: &mut Collector<'_>,
    bytes: &[u8],
    placed: impl Fn(Vec<u8>, EntryType) -> Option<Placed>,
) -> Result<(), UnpackError> {
    let (tripped, left) = (Cell::new(None), Cell::new(None));
    let stream = compression::reader(bytes).map_err(UnpackError::Damaged)?;
    let inner = collector.bounded(stream, &tripped);
    let mut archive = Archive::new(Metered { inner, left: &left, tripped: &tripped });
    let mut entries = archive.entries().map_err(UnpackError::Damaged)?;
    loop {
        left.set(Some(MOST_OF_HEADERS));
        let next = entries.next();
        left.set(None);
        let Some(entry) = next else { return Ok(()) };
        let taken = entry.map_err(UnpackError::Damaged).and_then(|mut entry| {
            take(collector, &mut entry, &placed)?;
            // The rest of the entry is read here, so that it counts as bytes of the stream and not as headers
            // of the next entry.
            io::copy(&mut entry, &mut io::sink()).map_err(UnpackError::Damaged)
        });
        taken.map_err(|error| excess_or(error, &tripped))?;
    }
}

/// Returns the limit that was exceeded, if any, instead of the error that the archive's reader made of it.
fn excess_or(error: UnpackError, tripped: &Cell<Option<Excess>>) -> UnpackError {
    tripped.get().map_or(error, UnpackError::TooBig)
}

fn take(
    collector: &mut Collector<'_>,
    entry: &mut ::tar::Entry<'_, impl Read>,
    placed: impl Fn(Vec<u8>, EntryType) -> Option<Placed>,
) -> Result<(), UnpackError> {
    let kind = entry.header().entry_type();
    let Some((name, executable)) = placed(entry.path_bytes().into_owned(), kind) else {
        return Ok(());
    };
    let target = entry.link_name_bytes().map(std::borrow::Cow::into_owned).unwrap_or_default();
    let mode = entry.header().mode().map_err(UnpackError::Damaged)?;
    match kind {
        // Old archives mark a folder only by a slash at the end of its name.
        EntryType::Regular if name.ends_with(b"/") => collector.folder(&name),
        EntryType::Regular | EntryType::Continuous => {
            collector.file(&name, executable || mode & 0o100 != 0, entry)
        }
        EntryType::Directory => collector.folder(&name),
        EntryType::Symlink => collector.link(&name, &target),
        EntryType::Link => collector.hard_link(&name, &target),
        EntryType::XGlobalHeader => Ok(()),
        EntryType::Char | EntryType::Block => collector.special(&name, "device"),
        EntryType::Fifo => collector.special(&name, "FIFO"),
        EntryType::GNUSparse => collector.special(&name, "sparse file"),
        _ => collector.special(&name, "tar entry of an unknown type"),
    }
}
