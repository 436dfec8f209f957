//! Reads the time by the clock that stamps a file, which is the clock of the file's own file system.
//!
//! Clocks of file systems differ: one is the kernel's, another that of a server, which may run ahead or
//! behind; one ticks every few milliseconds, another once in two seconds. So the clock of this process says nothing
//! about them. Instead, a new file is made on the file system and its time stamp is read. Where the file system supports
//! it, this file has no name; elsewhere it has one for an instant.
//!
//! If no file can be made, as on a read-only mount whose files another machine writes, the time is taken from the
//! files themselves: the clock has reached the newest stamp on them. Then only files that are clearly older are
//! trusted, and the newest are read again in each build.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::stat::{COARSEST, Moment, Stat};

/// Reads the clocks of file systems.
#[derive(Debug)]
pub(crate) struct FileSystemClocks {
    /// A folder that this program may write to. The clock of its file system is read there, so files of that file system
    /// need no probe beside them.
    home: PathBuf,
}

/// A file by whose file system's clock the time is wanted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stamped<'a> {
    pub(crate) path: &'a Path,
    /// The number of the device that the file lies on.
    pub(crate) device: u64,
    pub(crate) stat: Stat,
}

impl FileSystemClocks {
    pub(crate) const fn new(home: PathBuf) -> Self {
        Self { home }
    }

    /// Returns the time on the file systems of these files, by device. A file that is written later gets no earlier
    /// stamp.
    pub(crate) fn now<'a>(
        &self,
        files: impl IntoIterator<Item = Stamped<'a>>,
    ) -> BTreeMap<u64, Moment> {
        // For each device: one of its files, and the newest stamp of its files.
        let mut devices: BTreeMap<u64, (&Path, i64)> = BTreeMap::new();
        for Stamped { path, device, stat } in files {
            match devices.entry(device) {
                Entry::Vacant(place) => _ = place.insert((path, stat.newest())),
                Entry::Occupied(mut place) => {
                    let (_, newest) = place.get_mut();
                    *newest = stat.newest().max(*newest);
                }
            }
        }
        // If this clock can't be read, no stat is trusted in the next build, which is slower and just as correct.
        let (home, ours) = probe(&self.home).unwrap_or((0, Moment::NEVER));
        let moment = |(device, (path, newest))| match () {
            () if device == home => (device, ours),
            () => (device, elsewhere(device, path).unwrap_or_else(|| proven(newest, ours))),
        };
        devices.into_iter().map(moment).collect()
    }
}

/// Reads the time in a folder by the clock of its file system.
pub(crate) fn now(folder: &Path) -> io::Result<Moment> {
    probe(folder).map(|(_, moment)| moment)
}

/// Returns the device on which new files of a folder lie, and the time by its clock.
fn probe(folder: &Path) -> io::Result<(u64, Moment)> {
    let metadata = tempfile::tempfile_in(folder)?.metadata()?;
    let stat = Stat::of(&metadata);
    Ok((metadata.dev(), Moment(stat.mtime.min(stat.ctime))))
}

/// Reads the time in the folder of a file. Returns `None` if new files there lie on another device, because a single
/// file may be mounted from another file system.
fn elsewhere(device: u64, path: &Path) -> Option<Moment> {
    let real = fs::canonicalize(path).ok()?;
    let (found, moment) = probe(real.parent()?).ok()?;
    (found == device).then_some(moment)
}

/// Returns a time that the clock of a device has reached for certain, judging by the newest stamp on it. A stamp in the
/// future proves nothing, because on some file systems every user may set one.
fn proven(newest: i64, ours: Moment) -> Moment {
    Moment(newest.saturating_sub(COARSEST)).min(ours)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stat_of(path: &Path) -> (u64, Stat) {
        let metadata = path.symlink_metadata().unwrap();
        (metadata.dev(), Stat::of(&metadata))
    }

    #[test]
    fn the_moment_is_not_before_a_file_made_earlier() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "x").unwrap();
        let (device, stat) = stat_of(&path);
        let clocks = FileSystemClocks::new(folder.path().to_owned());
        let moments = clocks.now([Stamped { path: &path, device, stat }]);
        assert!(stat.newest() <= moments[&device].0);
        assert!(!stat.is_settled(moments[&device]), "it was written within the same tick");
    }

    #[test]
    fn each_device_has_its_own_clock() {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path().join("file");
        fs::write(&here, "x").unwrap();
        // No file can be made there.
        let there = Path::new("/proc/version");
        let [(one, first), (other, second)] = [stat_of(&here), stat_of(there)];
        assert_ne!(one, other);
        let files = [
            Stamped { path: &here, device: one, stat: first },
            Stamped { path: there, device: other, stat: second },
        ];
        let moments = FileSystemClocks::new(folder.path().to_owned()).now(files);
        assert!(first.newest() <= moments[&one].0);
        assert!(moments[&other].0 <= second.newest() - COARSEST);
        let without = FileSystemClocks::new(folder.path().join("none")).now(files);
        assert_eq!(without[&other], Moment::NEVER, "our own clock bounds what stamps prove");
    }

    #[test]
    fn a_stamp_of_the_future_proves_nothing() {
        assert_eq!(proven(10 * COARSEST, Moment(3 * COARSEST)), Moment(3 * COARSEST));
        assert_eq!(proven(2 * COARSEST, Moment(9 * COARSEST)), Moment(COARSEST));
    }
}
