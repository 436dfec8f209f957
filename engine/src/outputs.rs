//! Which files earlier builds wrote into the user's folders, so that those which are made no longer can
//! be taken away again.
//!
//! They are kept in a journal of their own, beside the incremental state: that one is void with another
//! store or another version, this must not be. A line is a digest and a path. It is appended *before* the
//! file is written, all lines of a build at once, so neither a crash nor another build that writes at the
//! same time can leave a file that nobody knows of. A line too many does no harm, as a file is removed
//! only if it has a digest that was noted for its path: whatever else stands there is the user's.
//!
//! Paths are below the project's folder, so the journal of a copied project does not speak of the files
//! of the other one. It may also come with a checkout, so what it names is removed only inside of the
//! project, and not through a symbolic link to elsewhere. Whoever loses the journal loses that knowledge:
//! then files of former builds are left alone.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use cache::Digest;
use rustix::fs::{FlockOperation, Mode, OFlags};

/// How long another process may take that changes the journal, and how often it is asked. Nobody
/// needs more than an instant, unless it was stopped.
const PATIENCE: (Duration, u32) = (Duration::from_millis(5), 40);

/// How many digests of a file are needed: the one it has, and the one it is about to get. More than that
/// only matter if as many builds write at once.
const NEEDED: usize = 4;

/// Bytes of the journal. A longer one is not of our making, and counts as lost.
const LONGEST: u64 = 64 << 20;

/// The files that builds of one project wrote.
#[derive(Debug)]
pub struct Outputs {
    journal: PathBuf,
    /// The project's folder.
    base: PathBuf,
    /// The digests that each file was written with, the last one last, by its path below the base.
    written: BTreeMap<PathBuf, Vec<Digest>>,
    /// How many lines the journal has.
    lines: usize,
}

/// A file that builds wrote once and make no longer.
#[derive(Debug)]
pub struct Former {
    /// The absolute path.
    pub path: PathBuf,
    /// What became of it.
    pub fate: Fate,
}

/// What became of a file that is made no longer.
#[derive(Debug)]
pub enum Fate {
    /// It was removed.
    Removed,
    /// Somebody has changed or exchanged it since; it is left alone and will not be asked for again.
    Changed,
    /// It could not be removed. The next build tries again.
    Stuck(io::Error),
}

impl Outputs {
    /// Reads the journal `.run/outputs` of the project in the folder `base`. A line that can't be read is
    /// left out, and so is all of it.
    #[must_use]
    pub fn open(base: &Path) -> Self {
        Self::read(base.join(".run/outputs"), base.to_owned())
    }

    pub(crate) fn read(journal: PathBuf, base: PathBuf) -> Self {
        let bytes = cache::read_regular(&journal, LONGEST).unwrap_or_default();
        let mut this = Self { journal, base, written: BTreeMap::new(), lines: 0 };
        for (path, digest) in files_of(&bytes) {
            this.note(&path, digest);
            this.lines += 1;
        }
        this
    }

    /// A digest counts from the last time that it was noted.
    fn note(&mut self, path: &Path, digest: Digest) {
        let digests = self.written.entry(path.to_owned()).or_default();
        digests.retain(|known| *known != digest);
        digests.push(digest);
        if digests.len() > NEEDED {
            digests.remove(0);
        }
    }

    pub(crate) fn journal(&self) -> &Path {
        &self.journal
    }

    /// Notes files that are about to be written.
    pub(crate) fn expect<'a>(
        &mut self,
        files: impl IntoIterator<Item = (&'a Path, Digest)>,
    ) -> io::Result<()> {
        let mut lines = Vec::new();
        for (path, digest) in files {
            let Ok(path) = path.strip_prefix(&self.base) else { continue };
            // A path with a line break makes two lines, neither of which names it: it is forgotten.
            if self.written.get(path).and_then(|digests| digests.last()) != Some(&digest) {
                lines.extend(line(path, &digest));
                self.note(path, digest);
                self.lines += 1;
            }
        }
        if lines.is_empty() {
            return Ok(());
        }
        let _turn = self.turn()?;
        if self.lines > 2 * NEEDED * self.written.len() + 100 {
            let mut now = Self::read(self.journal.clone(), self.base.clone());
            files_of(&lines).for_each(|(path, digest)| now.note(&path, digest));
            self.lines = now.written.values().map(Vec::len).sum();
            return now.write();
        }
        let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE;
        let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(0o666);
        let mut journal = File::from(rustix::fs::open(&self.journal, flags, mode)?);
        if !journal.metadata()?.is_file() {
            return Err(io::Error::other("it is not a regular file"));
        }
        journal.write_all(&lines)
    }

    /// Removes what was written once, is not among `current`, and is still as it was written.
    ///
    /// # Errors
    /// If the journal can't be written. What was removed is removed.
    pub fn remove_former(&mut self, current: &BTreeSet<PathBuf>) -> io::Result<Vec<Former>> {
        let former = self.written.keys().filter(|path| !current.contains(&self.base.join(path)));
        let former: Vec<PathBuf> = former.cloned().collect();
        let mut found = Vec::new();
        for path in &former {
            match self.remove(path, &self.written[path]) {
                Ok(None) => {}
                Ok(Some(fate)) => found.push((path, fate)),
                Err(error) => found.push((path, Fate::Stuck(error))),
            }
        }
        let stuck = found.iter().filter(|(_, fate)| matches!(fate, Fate::Stuck(_)));
        let stuck: BTreeSet<&PathBuf> = stuck.map(|(path, _)| *path).collect();
        let gone: BTreeSet<&PathBuf> = former.iter().filter(|path| !stuck.contains(path)).collect();
        if !gone.is_empty() {
            self.forget(&gone)?;
            self.written.retain(|path, _| !gone.contains(path));
        }
        let found =
            found.into_iter().map(|(path, fate)| Former { path: self.base.join(path), fate });
        Ok(found.collect())
    }

    /// Takes lines out of the journal as it is now: others may have added to it.
    fn forget(&self, gone: &BTreeSet<&PathBuf>) -> io::Result<()> {
        let _turn = self.turn()?;
        let mut now = Self::read(self.journal.clone(), self.base.clone());
        now.written.retain(|path, _| !gone.contains(path));
        now.write()
    }

    /// Writes the journal anew, with what is needed of each file.
    fn write(&self) -> io::Result<()> {
        let mut lines = Vec::new();
        for (path, digests) in &self.written {
            digests.iter().for_each(|digest| lines.extend(line(path, digest)));
        }
        if lines.is_empty() {
            return match fs::remove_file(&self.journal) {
                Err(error) if !is_absent(&error) => Err(error),
                _ => Ok(()),
            };
        }
        let folder = self.journal.parent().unwrap_or(Path::new("."));
        let mut fresh = tempfile::NamedTempFile::new_in(folder)?;
        fresh.write_all(&lines)?;
        fresh.persist(&self.journal).map_err(|error| error.error)?;
        Ok(())
    }

    /// Removes a file if it has one of these digests; `None` if it is not there.
    fn remove(&self, path: &Path, digests: &[Digest]) -> io::Result<Option<Fate>> {
        let path = self.base.join(path);
        let metadata = match fs::symlink_metadata(&path) {
            Ok(metadata) => metadata,
            Err(error) if is_absent(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        if !metadata.is_file() || !self.is_inside(&path)? {
            return Ok(Some(Fate::Changed));
        }
        for digest in digests.iter().filter(|digest| digest.size() == metadata.len()) {
            if cache::digest_file(digest.function(), &path)? == *digest {
                fs::remove_file(&path)?;
                return Ok(Some(Fate::Removed));
            }
        }
        Ok(Some(Fate::Changed))
    }

    /// Whether a path lies in the project, without symbolic links that lead out of it.
    fn is_inside(&self, path: &Path) -> io::Result<bool> {
        let folder = fs::canonicalize(path.parent().unwrap_or(&self.base))?;
        Ok(folder.starts_with(fs::canonicalize(&self.base)?))
    }

    /// Has this process change the journal alone, as long as what is returned is held. A process that
    /// was stopped in its turn does not hold others up for long.
    fn turn(&self) -> io::Result<File> {
        let folder = self.journal.parent().unwrap_or(Path::new("."));
        let folder = File::open(folder)?;
        let (pause, times) = PATIENCE;
        for _ in 0..times {
            match rustix::fs::flock(&folder, FlockOperation::NonBlockingLockExclusive) {
                Err(rustix::io::Errno::WOULDBLOCK) => std::thread::sleep(pause),
                // A file system without locks has no turns.
                _ => break,
            }
        }
        Ok(folder)
    }
}

fn line(path: &Path, digest: &Digest) -> Vec<u8> {
    [digest.to_string().as_bytes(), b" ", path.as_os_str().as_bytes(), b"\n"].concat()
}

/// What a journal says. Lines that can't be read are left out.
fn files_of(lines: &[u8]) -> impl Iterator<Item = (PathBuf, Digest)> {
    lines.split(|byte| *byte == b'\n').filter_map(read_line)
}

fn read_line(line: &[u8]) -> Option<(PathBuf, Digest)> {
    let space = line.iter().position(|byte| *byte == b' ')?;
    let digest = std::str::from_utf8(&line[..space]).ok()?.parse().ok()?;
    let path = Path::new(OsStr::from_bytes(&line[space + 1..]));
    let plain = |part: Component<'_>| matches!(part, Component::Normal(_));
    path.components().all(plain).then(|| (path.to_owned(), digest))
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

#[cfg(test)]
mod tests {
    use cache::DigestFunction;

    use super::*;

    /// A project whose files are their own digests' content.
    struct Project(tempfile::TempDir);

    impl Project {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            fs::create_dir(folder.path().join(".run")).unwrap();
            Self(folder)
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn expect(&self, name: &str, content: &str) {
            let digest = Digest::of(DigestFunction::Blake3, content.as_bytes());
            let mut outputs = Outputs::open(self.0.path());
            outputs.expect([(self.path(name).as_path(), digest)]).unwrap();
        }

        /// What becomes of everything.
        fn remove(&self) -> String {
            let found = Outputs::open(self.0.path()).remove_former(&BTreeSet::new()).unwrap();
            let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
            let fates =
                found.iter().map(|Former { path, fate }| format!("{} {fate:?}", name(path)));
            fates.collect::<Vec<_>>().join(", ")
        }
    }

    #[test]
    fn only_what_has_a_noted_digest_is_removed() {
        let project = Project::new();
        for (name, noted, content) in [("a", "1", "1"), ("b", "1", "2"), ("c", "12", "21")] {
            project.expect(name, noted);
            fs::write(project.path(name), content).unwrap();
        }
        project.expect("gone", "1");
        assert_eq!(project.remove(), "a Removed, b Changed, c Changed");
        assert!(!project.path("a").exists() && project.path("b").exists());
        assert_eq!(project.remove(), "", "all is forgotten");
        assert!(!project.path(".run/outputs").exists());
    }

    #[test]
    fn a_file_that_was_not_written_yet_has_its_former_digest() {
        let project = Project::new();
        fs::write(project.path("a"), "1").unwrap();
        for content in ["1", "2", "1", "3"] {
            project.expect("a", content);
        }
        assert_eq!(project.remove(), "a Removed");
    }

    #[test]
    fn the_journal_does_not_grow_with_the_builds() {
        let project = Project::new();
        let mut longest = 0;
        for round in 0..1000 {
            project.expect("a", &round.to_string());
            let length = fs::metadata(project.path(".run/outputs")).unwrap().len();
            longest = length.max(longest);
        }
        assert!(longest < 120 * 80, "{longest}");
        fs::write(project.path("a"), "998").unwrap();
        assert_eq!(project.remove(), "a Removed");
    }

    #[test]
    fn a_journal_that_is_no_file_is_an_error_and_never_waited_for() {
        let project = Project::new();
        let journal = project.path(".run/outputs");
        rustix::fs::mknodat(rustix::fs::CWD, &journal, rustix::fs::FileType::Fifo, Mode::RWXU, 0)
            .unwrap();
        assert_eq!(project.remove(), "");
        let digest = Digest::of(DigestFunction::Blake3, b"");
        let mut outputs = Outputs::open(project.0.path());
        assert!(outputs.expect([(project.path("a").as_path(), digest)]).is_err());
    }
}
