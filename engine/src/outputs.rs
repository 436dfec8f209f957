//! The journal of the files that builds have written into the user's folders. With it, files that are no longer
//! made can be removed.
//!
//! The journal is apart from the incremental state, because the state is void with another
//! store or another version of this program, and the journal must stay valid. A line is a digest and a path. It is
//! appended *before* the file is written, all lines of a build at once, so neither a crash nor another build that writes
//! at the same time can leave a file that is not in the journal. A superfluous line does no harm, because a file is
//! removed only if it has a digest that the journal has for its path: any other file belongs to the user.
//!
//! Paths are relative to the project's folder, so the journal of a copied project does not name the files
//! of the original. A hostile checkout may contain a journal, so files are removed only inside of the
//! project, and not through a symbolic link that leads out of it. If the journal is lost,
//! files of earlier builds are left alone.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use cache::Digest;
use rustix::fs::{FlockOperation, Mode, OFlags};

/// The time between two attempts to lock the journal while another process changes it.
const LOCK_RETRY: Duration = Duration::from_millis(5);

/// The number of attempts to lock the journal. A change takes an instant, so a process that holds the lock for longer
/// was stopped, and is not waited for.
const LOCK_ATTEMPTS: u32 = 40;

/// The number of digests that are kept for a file. Two are needed: the one that it has, and the one that it is about to
/// get. More of them matter only if several builds write the file at once.
const NEEDED: usize = 4;

/// The largest size of the journal in bytes. This program writes no longer one, so a longer one counts as lost.
const LONGEST: u64 = 64 << 20;

/// The files that builds of one project have written.
#[derive(Debug)]
pub struct OutputJournal {
    journal: PathBuf,
    /// The project's folder.
    base: PathBuf,
    /// For each file, by the [`key`] of its path below the base: the digests with which it was written, the newest last.
    written: BTreeMap<OsString, Vec<Digest>>,
    /// The number of lines in the journal.
    lines: usize,
}

/// A file that an earlier build has written, and that is no longer made.
#[derive(Debug)]
pub struct FormerOutput {
    /// The absolute path.
    pub path: PathBuf,
    /// The fate of the file.
    pub fate: Fate,
}

/// The fate of a file that is no longer made.
#[derive(Debug)]
pub enum Fate {
    /// The file was removed.
    Removed,
    /// The file was changed or replaced since it was written. It is left alone, and its lines leave the journal.
    Changed,
    /// The file could not be removed. The next build tries again.
    Stuck(io::Error),
}

impl OutputJournal {
    /// Reads the journal `.run/outputs` of the project in the folder `base`. Invalid lines are skipped, and a journal that
    /// can't be read counts as empty.
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

    /// Adds the newest digest of a file. A digest that was there already moves to the end.
    fn note(&mut self, path: &Path, digest: Digest) {
        let digests = self.written.entry(key(path).into_owned()).or_default();
        digests.retain(|known| *known != digest);
        digests.push(digest);
        if digests.len() > NEEDED {
            digests.remove(0);
        }
    }

    pub(crate) fn journal(&self) -> &Path {
        &self.journal
    }

    /// Adds files that are about to be written to the journal.
    pub(crate) fn expect<'a>(
        &mut self,
        files: impl IntoIterator<Item = (&'a Path, Digest)>,
    ) -> io::Result<()> {
        let mut lines = Vec::new();
        for (path, digest) in files {
            let Some(path) = below(&self.base, path) else { continue };
            // A path with a line break would make two lines, neither of which names the file. So such a file is not
            // remembered.
            let known = self.written.get(&*key(path));
            if known.and_then(|digests| digests.last()) != Some(&digest) {
                lines.extend(line(path, &digest));
                self.note(path, digest);
                self.lines += 1;
            }
        }
        if lines.is_empty() {
            return Ok(());
        }
        let _lock = self.lock_journal()?;
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

    /// Removes the files of earlier builds that are not among `current` and are still as they were written.
    ///
    /// # Errors
    /// If the journal can't be written. Files may have been removed before that.
    pub fn remove_former<'a>(
        &mut self,
        current: impl IntoIterator<Item = &'a Path>,
    ) -> io::Result<Vec<FormerOutput>> {
        let current = current.into_iter().filter_map(|path| below(&self.base, path));
        let current: HashSet<Cow<'_, OsStr>> = current.map(key).collect();
        let former = self.written.keys().filter(|path| !current.contains(path.as_os_str()));
        let former: Vec<OsString> = former.cloned().collect();
        let mut found = Vec::new();
        for path in &former {
            match self.remove(Path::new(path), &self.written[path]) {
                Ok(None) => {}
                Ok(Some(fate)) => found.push((path, fate)),
                Err(error) => found.push((path, Fate::Stuck(error))),
            }
        }
        let stuck = found.iter().filter(|(_, fate)| matches!(fate, Fate::Stuck(_)));
        let stuck: BTreeSet<&OsString> = stuck.map(|(path, _)| *path).collect();
        let gone: BTreeSet<&OsString> =
            former.iter().filter(|path| !stuck.contains(path)).collect();
        if !gone.is_empty() {
            self.forget(&gone)?;
            self.written.retain(|path, _| !gone.contains(path));
        }
        let found =
            found.into_iter().map(|(path, fate)| FormerOutput { path: self.base.join(path), fate });
        Ok(found.collect())
    }

    /// Removes the lines of these files from the journal. Reads the journal again before, because other builds may have
    /// added lines.
    fn forget(&self, gone: &BTreeSet<&OsString>) -> io::Result<()> {
        let _lock = self.lock_journal()?;
        let mut now = Self::read(self.journal.clone(), self.base.clone());
        now.written.retain(|path, _| !gone.contains(path));
        now.write()
    }

    /// Writes the whole journal, with the digests that are kept for each file.
    fn write(&self) -> io::Result<()> {
        let mut lines = Vec::new();
        for (path, digests) in &self.written {
            digests.iter().for_each(|digest| lines.extend(line(Path::new(path), digest)));
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

    /// Removes a file if it has one of these digests. Returns `None` if the file does not exist.
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

    /// Tells if a path lies in the project when symbolic links are followed.
    fn is_inside(&self, path: &Path) -> io::Result<bool> {
        let folder = fs::canonicalize(path.parent().unwrap_or(&self.base))?;
        Ok(folder.starts_with(fs::canonicalize(&self.base)?))
    }

    /// Locks the journal, so that only this process changes it until the returned file is dropped. Gives up after a moment
    /// and goes on without the lock, so that a stopped process that holds it does not stop others.
    fn lock_journal(&self) -> io::Result<File> {
        let folder = self.journal.parent().unwrap_or(Path::new("."));
        let folder = File::open(folder)?;
        for _ in 0..LOCK_ATTEMPTS {
            match rustix::fs::flock(&folder, FlockOperation::NonBlockingLockExclusive) {
                Err(rustix::io::Errno::WOULDBLOCK) => std::thread::sleep(LOCK_RETRY),
                // The lock was taken, or the file system has no locks.
                _ => break,
            }
        }
        Ok(folder)
    }
}

/// Returns the one spelling of a path, so that paths can be compared byte by byte. That takes a fraction of comparing
/// them part by part.
fn key(path: &Path) -> Cow<'_, OsStr> {
    match is_in_one_spelling(path.as_os_str().as_bytes()) {
        true => Cow::Borrowed(path.as_os_str()),
        false => Cow::Owned(path.components().collect::<PathBuf>().into_os_string()),
    }
}

/// Tells if a relative path has neither `.` nor an empty name in it.
fn is_in_one_spelling(path: &[u8]) -> bool {
    path.split(|byte| *byte == b'/').all(|part| !matches!(part, b"" | b"."))
}

/// Returns a path relative to the folder `base`, or `None` if it does not lie there.
fn below<'p>(base: &Path, path: &'p Path) -> Option<&'p Path> {
    let (base_bytes, path_bytes) = (base.as_os_str().as_bytes(), path.as_os_str().as_bytes());
    match path_bytes.strip_prefix(base_bytes) {
        Some([b'/', rest @ ..]) if !base_bytes.is_empty() && is_in_one_spelling(rest) => {
            Some(Path::new(OsStr::from_bytes(rest)))
        }
        // The two may be spelt in different ways.
        _ => path.strip_prefix(base).ok(),
    }
}

fn line(path: &Path, digest: &Digest) -> Vec<u8> {
    [digest.to_string().as_bytes(), b" ", path.as_os_str().as_bytes(), b"\n"].concat()
}

/// Reads the lines of a journal. Invalid lines are skipped.
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

    /// A project with a journal in a temporary folder.
    struct JournalProject(tempfile::TempDir);

    impl JournalProject {
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
            let mut outputs = OutputJournal::open(self.0.path());
            outputs.expect([(self.path(name).as_path(), digest)]).unwrap();
        }

        /// Removes all files that the journal knows, and returns their fates as text.
        fn remove(&self) -> String {
            let found = OutputJournal::open(self.0.path()).remove_former([]).unwrap();
            let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
            let fates =
                found.iter().map(|FormerOutput { path, fate }| format!("{} {fate:?}", name(path)));
            fates.collect::<Vec<_>>().join(", ")
        }
    }

    #[test]
    fn only_what_has_a_noted_digest_is_removed() {
        let project = JournalProject::new();
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
    fn a_path_may_be_spelt_in_another_way() {
        let project = JournalProject::new();
        fs::create_dir(project.path("d")).unwrap();
        for name in ["d//a", "d/./a", "d/a"] {
            project.expect(name, "1");
            fs::write(project.path("d/a"), "1").unwrap();
            let mut outputs = OutputJournal::open(project.0.path());
            for current in ["d/a", "d//a", "./d/a", "/d/a"] {
                let current = PathBuf::from(format!("{}/{current}", project.0.path().display()));
                let found = outputs.remove_former([current.as_path()]).unwrap();
                assert!(found.is_empty(), "{name} {current:?}: {found:?}");
            }
        }
        assert_eq!(project.remove(), "a Removed");
    }

    #[test]
    fn a_file_that_was_not_written_yet_has_its_former_digest() {
        let project = JournalProject::new();
        fs::write(project.path("a"), "1").unwrap();
        for content in ["1", "2", "1", "3"] {
            project.expect("a", content);
        }
        assert_eq!(project.remove(), "a Removed");
    }

    #[test]
    fn the_journal_does_not_grow_with_the_builds() {
        let project = JournalProject::new();
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
        let project = JournalProject::new();
        let journal = project.path(".run/outputs");
        rustix::fs::mknodat(rustix::fs::CWD, &journal, rustix::fs::FileType::Fifo, Mode::RWXU, 0)
            .unwrap();
        assert_eq!(project.remove(), "");
        let digest = Digest::of(DigestFunction::Blake3, b"");
        let mut outputs = OutputJournal::open(project.0.path());
        assert!(outputs.expect([(project.path("a").as_path(), digest)]).is_err());
    }
}
