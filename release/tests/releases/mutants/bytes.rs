//! One byte of one file is another, in several places of each file.
//!
//! Each change is made twice: with the list of files as it was, and with a list that fits the change.

use release::archive::ArchiveError;
use release::verify::Fault;

use super::Mutant;
use super::raw::{Raw, SUMS};
use crate::sample::Sample;

/// The places of a file that are changed, in parts of its length.
const PLACES: usize = 7;

pub(crate) fn mutants() -> Vec<Mutant> {
    let raw = Raw::of(&Sample::new("1.2.0").archive());
    let mut mutants = list(&raw);
    for (path, bytes) in &raw.files {
        for place in 0..PLACES {
            let at = place * (bytes.len() - 1) / (PLACES - 1);
            let mut changed = raw.clone();
            let mut other = bytes.clone();
            other[at] ^= 1;
            changed.set(path, other);
            let name = format!("bytes: {path} at {at}");
            let expected = path.clone();
            let checksum = move |fault: &Fault| matches!(fault, Fault::Archive(ArchiveError::Checksum(path)) if *path == expected);
            let old = changed.pack_with_sums(&raw.sums());
            mutants.push(Mutant::integrity(format!("{name}, list as it was"), old, checksum));
            mutants.push(Mutant::integrity(name, changed.pack(), is_about(path)));
        }
    }
    mutants
}

/// Returns the faults of a file that was changed by someone who has written a new list of files.
fn is_about(path: &str) -> impl Fn(&Fault) -> bool + 'static {
    let expected = path.to_owned();
    move |fault| match fault {
        Fault::Differs { file, .. } => *file == expected,
        // The bundle is damaged, its payload or signature is another, or the hint is.
        Fault::Bundle { path, .. } | Fault::Signature { path, .. } | Fault::Hint { path, .. } => {
            *path == expected
        }
        _ => false,
    }
}

/// The list of files itself, in each of its first bytes.
fn list(raw: &Raw) -> Vec<Mutant> {
    let sums = raw.sums();
    let about_sums = |fault: &Fault| {
        matches!(
            fault,
            Fault::Archive(
                ArchiveError::Checksum(_)
                    | ArchiveError::Sums(_)
                    | ArchiveError::Unlisted(_)
                    | ArchiveError::Missing(_)
            )
        )
    };
    (0..24)
        .map(|place| {
            let at = place * 3;
            let mut sums = sums.clone();
            sums[at] ^= 1;
            Mutant::integrity(
                format!("bytes: {SUMS} at {at}"),
                raw.pack_with_sums(&sums),
                about_sums,
            )
        })
        .collect()
}
