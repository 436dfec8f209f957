//! What the time is by the clock that stamps a file: that of the file system it lies on.
//!
//! Clocks of file systems differ: one is the kernel's, another that of a server which runs ahead or
//! behind; one ticks every few milliseconds, another once in two seconds. So nothing is computed from our
//! own. A new file is stamped by the clock that is wanted, and tells the time and the tick at once. It has
//! no name where the file system can do that, and else one for an instant.
//!
//! Where no file can be made, as on a read-only mount through which others' writes are seen, the files
//! themselves tell: the clock has reached the newest stamp on them. Then only clearly older ones are
//! trusted; the newest are read again in each build.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::stat::{COARSEST, Moment, Stat};

/// Reads the clocks of file systems.
#[derive(Debug)]
pub(crate) struct Clocks {
    /// A folder that is written to anyway. What shares its file system needs no other file.
    home: PathBuf,
}

/// A file whose clock is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stamped<'a> {
    pub(crate) path: &'a Path,
    /// The number of the device that it lies on.
    pub(crate) device: u64,
    pub(crate) stat: Stat,
}

impl Clocks {
    pub(crate) const fn new(home: PathBuf) -> Self {
        Self { home }
    }

    /// The time on the file systems of these files, by device. Later writes to a file get no earlier
    /// stamps.
    pub(crate) fn now<'a>(
        &self,
        files: impl IntoIterator<Item = Stamped<'a>>,
    ) -> BTreeMap<u64, Moment> {
        // The first file of each device, and the newest stamp on it.
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
        // Without a clock of our own nothing is trusted next time: slower, and just as right.
        let (home, ours) = probe(&self.home).unwrap_or((0, Moment::NEVER));
        let moment = |(device, (path, newest))| match () {
            () if device == home => (device, ours),
            () => (device, elsewhere(device, path).unwrap_or_else(|| proven(newest, ours))),
        };
        devices.into_iter().map(moment).collect()
    }
}

/// The time in a folder, by the clock of its file system.
pub(crate) fn now(folder: &Path) -> io::Result<Moment> {
    probe(folder).map(|(_, moment)| moment)
}

/// The device of a folder's new files, and the time there.
fn probe(folder: &Path) -> io::Result<(u64, Moment)> {
    let metadata = tempfile::tempfile_in(folder)?.metadata()?;
    let stat = Stat::of(&metadata);
    Ok((metadata.dev(), Moment(stat.mtime.min(stat.ctime))))
}

/// The time beside a file, if new files there lie on the same device. A single file may be mounted
/// over one of another file system.
fn elsewhere(device: u64, path: &Path) -> Option<Moment> {
    let real = fs::canonicalize(path).ok()?;
    let (found, moment) = probe(real.parent()?).ok()?;
    (found == device).then_some(moment)
}

/// A time that the clock of a device has passed for certain, by the newest stamp on it. A stamp of the
/// future, which anybody may set on some file systems, proves nothing.
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
        let clocks = Clocks::new(folder.path().to_owned());
        let moments = clocks.now([Stamped { path: &path, device, stat }]);
        assert!(stat.newest() <= moments[&device].0);
        assert!(!stat.is_settled(moments[&device]), "it was written within the same tick");
    }

    #[test]
    fn each_device_has_its_own_clock() {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path().join("file");
        fs::write(&here, "x").unwrap();
        // Nobody can make files there.
        let there = Path::new("/proc/version");
        let [(one, first), (other, second)] = [stat_of(&here), stat_of(there)];
        assert_ne!(one, other);
        let files = [
            Stamped { path: &here, device: one, stat: first },
            Stamped { path: there, device: other, stat: second },
        ];
        let moments = Clocks::new(folder.path().to_owned()).now(files);
        assert!(first.newest() <= moments[&one].0);
        assert!(moments[&other].0 <= second.newest() - COARSEST);
        let without = Clocks::new(folder.path().join("none")).now(files);
        assert_eq!(without[&other], Moment::NEVER, "our own clock bounds what stamps prove");
    }

    #[test]
    fn a_stamp_of_the_future_proves_nothing() {
        assert_eq!(proven(10 * COARSEST, Moment(3 * COARSEST)), Moment(3 * COARSEST));
        assert_eq!(proven(2 * COARSEST, Moment(9 * COARSEST)), Moment(COARSEST));
    }
}
