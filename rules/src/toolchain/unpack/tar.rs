//! Tape archives.

use std::cell::Cell;
use std::io;

use ::tar::{Archive, EntryType};

use super::collect::Collector;
use super::limits::Excess;
use super::{UnpackError, compression};

/// Where an entry belongs, and whether it is executable even if its mode does not say so.
pub(super) type Placed = (Vec<u8>, bool);

/// Takes the entries of a tape archive, compressed or not. `placed` says of a name and a type where
/// the entry belongs; if nowhere, it is passed over.
pub(super) fn unpack(
    collector: &mut Collector<'_>,
    bytes: &[u8],
    placed: impl Fn(Vec<u8>, EntryType) -> Option<Placed>,
) -> Result<(), UnpackError> {
    let tripped = Cell::new(None);
    let stream = compression::reader(bytes).map_err(UnpackError::Damaged)?;
    let mut archive = Archive::new(collector.bounded(stream, &tripped));
    let entries = archive.entries().map_err(UnpackError::Damaged)?;
    for entry in entries {
        let taken = entry.map_err(UnpackError::Damaged).and_then(|e| take(collector, e, &placed));
        taken.map_err(|error| excess_or(error, &tripped))?;
    }
    Ok(())
}

/// The limit that was tripped is the reason, whatever the archive's reader made of it.
fn excess_or(error: UnpackError, tripped: &Cell<Option<Excess>>) -> UnpackError {
    tripped.get().map_or(error, UnpackError::TooBig)
}

fn take(
    collector: &mut Collector<'_>,
    mut entry: ::tar::Entry<'_, impl io::Read>,
    placed: impl Fn(Vec<u8>, EntryType) -> Option<Placed>,
) -> Result<(), UnpackError> {
    let kind = entry.header().entry_type();
    let Some((name, executable)) = placed(entry.path_bytes().into_owned(), kind) else {
        return Ok(());
    };
    let target = entry.link_name_bytes().map(std::borrow::Cow::into_owned).unwrap_or_default();
    let mode = entry.header().mode().map_err(UnpackError::Damaged)?;
    match kind {
        // An old archive marks a folder by the slash alone.
        EntryType::Regular if name.ends_with(b"/") => collector.folder(&name),
        EntryType::Regular | EntryType::Continuous => {
            collector.file(&name, executable || mode & 0o100 != 0, &mut entry)
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
