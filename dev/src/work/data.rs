//! The files that `[dev].watch` names. Components may read them when they run, so a change of one concerns open pages and
//! commands, even if nothing is built from it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rules::manifest::{Pattern, PatternSet, Spanned};

/// The size in bytes from which on a file is not read, but told from another by size and time.
const BIG: u64 = 16 << 20;

/// The files that match the patterns, with what is known of their contents.
#[derive(Debug)]
pub(crate) struct Data {
    project: PathBuf,
    patterns: Option<PatternSet>,
    files: BTreeMap<PathBuf, Content>,
}

/// The knowledge of a file's content by which a change is noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    Hash(blake3::Hash),
    Stat(u64, Option<SystemTime>),
}

impl Data {
    /// Looks at the files of a project that match its patterns. `is_open` tells if a folder is one that builds do not write
    /// to.
    pub(crate) fn new(
        project: &Path,
        patterns: &[Spanned<Pattern>],
        is_open: impl Fn(&Path) -> bool,
    ) -> Self {
        let set = PatternSet::new(patterns.iter().map(|pattern| &pattern.value)).ok();
        let set = set.filter(|_| !patterns.is_empty());
        let mut this = Self { project: project.to_owned(), patterns: set, files: BTreeMap::new() };
        let bases: BTreeSet<PathBuf> =
            patterns.iter().map(|pattern| project.join(pattern.value.base())).collect();
        for path in bases.iter().flat_map(|base| files_below(base, &is_open)) {
            if this.matches(&path)
                && let Ok(content) = content(&path)
            {
                this.files.insert(path, content);
            }
        }
        this
    }

    /// Returns those of these files that match and have another content than before, and takes note of it.
    pub(crate) fn changed<'p>(
        &mut self,
        paths: impl IntoIterator<Item = &'p PathBuf>,
    ) -> Vec<PathBuf> {
        let mut changed = Vec::new();
        for path in paths {
            if !self.matches(path) || path.is_dir() {
                continue;
            }
            let now = content(path).ok();
            if self.files.get(path).copied() != now {
                match now {
                    Some(now) => _ = self.files.insert(path.clone(), now),
                    None => _ = self.files.remove(path),
                }
                changed.push(path.clone());
            }
        }
        changed
    }

    fn matches(&self, path: &Path) -> bool {
        let inside = path.strip_prefix(&self.project).ok().and_then(Path::to_str);
        inside.is_some_and(|path| self.patterns.as_ref().is_some_and(|set| set.matches(path)))
    }
}

fn files_below(base: &Path, is_open: &impl Fn(&Path) -> bool) -> Vec<PathBuf> {
    let (mut files, mut next) = (Vec::new(), vec![base.to_owned()]);
    while let Some(path) = next.pop() {
        match fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_dir() => {
                if is_open(&path) {
                    let entries = fs::read_dir(&path).into_iter().flatten().flatten();
                    next.extend(entries.map(|entry| entry.path()));
                }
            }
            Ok(_) => files.push(path),
            // It is gone again.
            Err(_) => {}
        }
    }
    files
}

fn content(path: &Path) -> io::Result<Content> {
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() || metadata.len() >= BIG {
        return Ok(Content::Stat(metadata.len(), metadata.modified().ok()));
    }
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(File::open(path)?)?;
    Ok(Content::Hash(hasher.finalize()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_decide() {
        let folder = tempfile::tempdir().unwrap();
        let project = folder.path();
        let write = |path: &str, text: &str| {
            let path = project.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
            path
        };
        let (kept, other) = (write("data/a.json", "1"), write("src/a.rs", "1"));
        write("out/data/b.json", "1");
        let patterns = [Spanned::new("data/**".parse().unwrap(), 0..0)];
        let mut data = Data::new(project, &patterns, |path| !path.ends_with("out"));
        let none: [PathBuf; 0] = [];
        assert_eq!(data.changed(&none), none);
        write("data/a.json", "1");
        assert_eq!(data.changed([&kept, &other]), none, "a touch changes nothing");
        write("data/a.json", "2");
        assert_eq!(data.changed([&kept, &other]), std::slice::from_ref(&kept));
        assert_eq!(data.changed([&kept]), none);
        let new = write("data/x/new.json", "1");
        assert_eq!(data.changed([&new]), std::slice::from_ref(&new));
        fs::remove_file(&new).unwrap();
        assert_eq!(data.changed([&new, &kept]), [new]);
    }
}
