//! Collects the entries of an archive one by one, and checks each of them against the rules for trees.
//!
//! It does not know the archive's format. All formats call it, so that a rule holds for each of them.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::{self, Read, Write as _};

use cache::Hasher;

use super::TREE_FUNCTION;
use super::contents::{Blob, Contents, Node};
use super::limits::{Bounded, Excess};
use super::unpacker::{UnpackError, Unpacker};

/// The longest path of an entry, in bytes. Linux opens no longer one (`PATH_MAX`).
const LONGEST_NAME: usize = 4096;

/// The highest number of folders inside each other. Each of them is kept with its whole path.
const DEEPEST: usize = 128;

/// The entries of one archive that have been taken so far.
pub(super) struct Collector<'a> {
    unpacker: Unpacker<'a>,
    seen: BTreeMap<String, Seen>,
    contents: Contents,
    /// The number of bytes of all paths in `seen`.
    names: usize,
    /// The number of bytes that may still be unpacked.
    left: u64,
    /// The limit that is exceeded when no bytes are left.
    excess: Excess,
    /// Entries that can't be part of a tree, each with the reason. If `None`, the first such entry ends the
    /// unpacking with an error.
    flaws: Option<BTreeMap<String, UnpackError>>,
}

/// An entry of the archive, whether it becomes part of the image or is left out.
#[derive(Clone, Copy)]
enum Seen {
    Folder,
    Link,
    /// A file. It has a blob and the executable bit, unless it was left out.
    File(Option<(Blob, bool)>),
}

impl<'a> Collector<'a> {
    /// Starts an archive of `packed` bytes.
    pub(super) fn new(unpacker: Unpacker<'a>, packed: Option<usize>) -> Self {
        let (left, excess) = unpacker.limits.bytes_for(packed);
        let (seen, contents) = (BTreeMap::new(), Contents::default());
        Self { unpacker, seen, contents, names: 0, left, excess, flaws: None }
    }

    /// Starts an archive whose entries may have flaws. Entries that can't be part of a tree are recorded and
    /// skipped, and links keep their targets as written.
    pub(super) fn forgiving(unpacker: Unpacker<'a>, packed: usize) -> Self {
        Self { flaws: Some(BTreeMap::new()), ..Self::new(unpacker, Some(packed)) }
    }

    /// Returns true if flaws are recorded instead of ending the unpacking.
    pub(super) const fn is_forgiving(&self) -> bool {
        self.flaws.is_some()
    }

    /// Returns the files and links that become part of the image.
    pub(super) fn finish(self) -> Contents {
        self.contents
    }

    /// Returns the files and links that become part of the image, and the entries that can't be part of it.
    pub(super) fn finish_with_flaws(self) -> (Contents, BTreeMap<String, UnpackError>) {
        (self.contents, self.flaws.unwrap_or_default())
    }

    /// Returns the folder that contains all other entries, if there is one.
    pub(super) fn only_folder(&self) -> Option<String> {
        let first = |path: &str| path.split('/').next().map(ToOwned::to_owned);
        let top = first(self.seen.keys().next()?)?;
        let is_folder = matches!(self.seen.get(&top), Some(Seen::Folder));
        let holds_all = || self.seen.keys().all(|path| first(path).as_ref() == Some(&top));
        (is_folder && holds_all()).then_some(top)
    }

    /// Wraps a decompressed stream in a reader that enforces the limit of bytes.
    pub(super) fn bounded<'t, R: Read>(
        &self,
        inner: R,
        tripped: &'t Cell<Option<Excess>>,
    ) -> Bounded<'t, R> {
        Bounded::new(inner, (self.left, self.excess), tripped)
    }

    /// Takes a folder. The archive may name its root, which is not recorded as an entry.
    pub(super) fn folder(&mut self, name: &[u8]) -> Result<(), UnpackError> {
        match self.path(name)? {
            path if path.is_empty() => Ok(()),
            path => self.claim(&path, Seen::Folder),
        }
    }

    /// Takes a file. If the file is left out, its bytes are not read.
    pub(super) fn file(
        &mut self,
        name: &[u8],
        executable: bool,
        reader: &mut dyn Read,
    ) -> Result<(), UnpackError> {
        // The path is claimed before the bytes are read, so that a second entry of that name writes nothing.
        let Some(path) = self.taken(name, Seen::File(None))? else { return Ok(()) };
        let Some(place) = self.unpacker.placement.place(&path) else { return Ok(()) };
        let executable = executable || self.unpacker.placement.makes_executable(&place);
        let blob = self.store(executable, reader)?;
        self.seen.insert(path, Seen::File(Some((blob, executable))));
        self.put(place, Node::File { blob, executable })
    }

    /// Takes a symbolic link.
    pub(super) fn link(&mut self, name: &[u8], target: &[u8]) -> Result<(), UnpackError> {
        let Some(path) = self.taken(name, Seen::Link)? else { return Ok(()) };
        let target = match text(target) {
            Ok(target) => target,
            Err(error) => return self.refuse(&path, error),
        };
        if self.is_forgiving() {
            return self.put(path, Node::Link { target: target.to_owned() });
        }
        let leaves = || UnpackError::LinkLeaves { link: path.clone(), target: target.to_owned() };
        let target = self.unpacker.placement.retarget(&path, target).ok_or_else(leaves)?;
        match self.unpacker.placement.place(&path) {
            Some(place) => self.put(place, Node::Link { target }),
            None => Ok(()),
        }
    }

    /// Takes a hard link to a file that came before.
    pub(super) fn hard_link(&mut self, name: &[u8], target: &[u8]) -> Result<(), UnpackError> {
        if self.is_forgiving() {
            return self.special(name, "hard link");
        }
        let (path, target) = (self.named(name)?, self.path(target)?);
        let Some(place) = self.unpacker.placement.place(&path) else {
            return self.claim(&path, Seen::File(None));
        };
        let Some(Seen::File(Some((blob, executable)))) = self.seen.get(&target).copied() else {
            return Err(UnpackError::HardLink { path, target });
        };
        self.claim(&path, Seen::File(Some((blob, executable))))?;
        self.put(place, Node::File { blob, executable })
    }

    /// Refuses an entry of a type that a tree can't contain.
    pub(super) fn special(&mut self, name: &[u8], kind: &'static str) -> Result<(), UnpackError> {
        if name.len() > LONGEST_NAME {
            return Err(UnpackError::TooBig(Excess::Names(LONGEST_NAME)));
        }
        let path = clean(name).unwrap_or_else(|_| name.escape_ascii().to_string());
        self.refuse(&path, UnpackError::Special { path: name.escape_ascii().to_string(), kind })
    }

    /// Returns the error, or records it as a flaw if flaws are recorded.
    fn refuse(&mut self, path: &str, error: UnpackError) -> Result<(), UnpackError> {
        match &mut self.flaws {
            Some(flaws) => {
                flaws.entry(path.to_owned()).or_insert(error);
                Ok(())
            }
            None => Err(error),
        }
    }

    /// Claims the path of an entry and returns it, or `None` if the entry was recorded as a flaw.
    fn taken(&mut self, name: &[u8], entry: Seen) -> Result<Option<String>, UnpackError> {
        let path = match self.named(name) {
            Err(error @ UnpackError::NotUtf8(_)) => {
                let path = String::from_utf8_lossy(name).into_owned();
                return self.refuse(&path, error).map(|()| None);
            }
            path => path?,
        };
        match self.claim(&path, entry) {
            Err(error @ UnpackError::Duplicate(_)) => self.refuse(&path, error).map(|()| None),
            claimed => claimed.map(|()| Some(path)),
        }
    }

    /// Returns the path of an entry, which is empty for the root.
    fn path(&self, name: &[u8]) -> Result<String, UnpackError> {
        self.unpacker.placement.without_top(clean(name)?)
    }

    fn named(&self, name: &[u8]) -> Result<String, UnpackError> {
        match self.path(name)? {
            path if path.is_empty() => Err(UnpackError::Leaves(name.escape_ascii().to_string())),
            path => Ok(path),
        }
    }

    /// Records an entry and the folders above it, unless another entry stands in the way.
    fn claim(&mut self, path: &str, entry: Seen) -> Result<(), UnpackError> {
        if (self.unpacker.cancelled)() {
            return Err(UnpackError::Cancelled);
        }
        for (index, _) in path.match_indices('/') {
            self.claim_folder(&path[..index], path)?;
        }
        match (self.seen.get(path), entry) {
            (None, _) => self.note(path, entry),
            (Some(Seen::Folder), Seen::Folder) => Ok(()),
            _ => Err(UnpackError::Duplicate(path.to_owned())),
        }
    }

    fn claim_folder(&mut self, folder: &str, of: &str) -> Result<(), UnpackError> {
        match self.seen.get(folder) {
            None => self.note(folder, Seen::Folder),
            Some(Seen::Folder) => Ok(()),
            Some(Seen::File(_)) => Err(UnpackError::Duplicate(folder.to_owned())),
            Some(Seen::Link) => {
                Err(UnpackError::BehindLink { path: of.to_owned(), link: folder.to_owned() })
            }
        }
    }

    fn note(&mut self, path: &str, entry: Seen) -> Result<(), UnpackError> {
        let limits = &self.unpacker.limits;
        if self.seen.len() >= limits.entries {
            return Err(UnpackError::TooBig(Excess::Entries(limits.entries)));
        }
        self.names += path.len();
        if self.names > limits.names {
            return Err(UnpackError::TooBig(Excess::Names(limits.names)));
        }
        self.seen.insert(path.to_owned(), entry);
        Ok(())
    }

    /// Adds a node to the image. The layer's rules may give two entries the same place, which is an error.
    fn put(&mut self, place: String, node: Node) -> Result<(), UnpackError> {
        match self.contents.nodes.insert(place.clone(), node) {
            None => Ok(()),
            Some(_) => Err(UnpackError::Duplicate(place)),
        }
    }

    fn store(&mut self, executable: bool, reader: &mut dyn Read) -> Result<Blob, UnpackError> {
        let store = self.unpacker.store;
        let mut writer = store.writer(executable)?;
        let mut hasher = (store.function() != TREE_FUNCTION).then(|| Hasher::new(TREE_FUNCTION));
        let mut buffer = vec![0; 128 << 10];
        loop {
            let count = read(reader, &mut buffer)?;
            if count == 0 {
                break;
            }
            self.spend(count)?;
            writer.write_all(&buffer[..count]).map_err(UnpackError::Write)?;
            if let Some(hasher) = &mut hasher {
                hasher.update(&buffer[..count]);
            }
        }
        let stored = writer.finish()?;
        Ok(Blob { stored, locked: hasher.map_or(stored, |hasher| hasher.finish()) })
    }

    fn spend(&mut self, count: usize) -> Result<(), UnpackError> {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        self.left = self.left.checked_sub(count).ok_or(UnpackError::TooBig(self.excess))?;
        if (self.unpacker.cancelled)() { Err(UnpackError::Cancelled) } else { Ok(()) }
    }
}

fn read(reader: &mut dyn Read, buffer: &mut [u8]) -> Result<usize, UnpackError> {
    loop {
        match reader.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other.map_err(UnpackError::Damaged),
        }
    }
}

fn text(bytes: &[u8]) -> Result<&str, UnpackError> {
    std::str::from_utf8(bytes).map_err(|_| UnpackError::NotUtf8(bytes.escape_ascii().to_string()))
}

/// Returns the normal form of an entry's name, without `.` and empty parts. It is empty for the root.
fn clean(name: &[u8]) -> Result<String, UnpackError> {
    if name.len() > LONGEST_NAME {
        return Err(UnpackError::TooBig(Excess::Names(LONGEST_NAME)));
    }
    let name = text(name)?;
    let leaves = || UnpackError::Leaves(name.escape_debug().to_string());
    if name.starts_with('/') || name.contains('\0') {
        return Err(leaves());
    }
    let mut parts = Vec::new();
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." => return Err(leaves()),
            part => parts.push(part),
        }
    }
    if parts.len() > DEEPEST {
        return Err(UnpackError::TooDeep { path: parts[..3].join("/"), limit: DEEPEST });
    }
    Ok(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cleaned_or_refused() {
        let check = |name: &[u8], expect: Option<&str>| {
            assert_eq!(clean(name).ok().as_deref(), expect, "{}", name.escape_ascii());
        };
        check(b"./usr//bin/", Some("usr/bin"));
        check(b"./", Some(""));
        check(b"a..b/...", Some("a..b/..."));
        check(b"/etc/passwd", None);
        check(b"a/../../b", None);
        check(b"a/..", None);
        check(b"a\0b", None);
        check(b"\xff", None);
        check("a/".repeat(128).as_bytes(), Some("a/".repeat(128).trim_end_matches('/')));
        check("a/".repeat(129).as_bytes(), None);
        check("a".repeat(4097).as_bytes(), None);
    }
}
