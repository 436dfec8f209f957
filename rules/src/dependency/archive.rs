//! The files of a WIT package of a repository as one blob: a tar archive whose bytes depend on names and contents alone.

use std::collections::BTreeMap;
use std::io::Read as _;

use cache::{ContentStore, Entry, Tree};

use super::error::{AdmitError, ArchiveError, LIMIT};

/// The files of a package, by their path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Archive {
    /// The bytes of each file. Paths have `/` between names, and lead to no folder above.
    pub files: BTreeMap<String, Vec<u8>>,
}

impl Archive {
    /// Returns the archive as a blob.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (path, bytes) in &self.files {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            header.set_mtime(0);
            header.set_entry_type(tar::EntryType::Regular);
            builder.append_data(&mut header, path, bytes.as_slice()).expect("memory takes it");
        }
        builder.into_inner().expect("memory takes it")
    }

    /// Reads a blob that [`to_bytes`](Self::to_bytes) has made.
    ///
    /// # Errors
    /// It is something else.
    pub fn of(bytes: &[u8]) -> Result<Self, ArchiveError> {
        if bytes.len() as u64 > LIMIT {
            return Err(ArchiveError::TooLong);
        }
        let mut files = BTreeMap::new();
        for entry in tar::Archive::new(bytes).entries().map_err(ArchiveError::Damaged)? {
            let mut entry = entry.map_err(ArchiveError::Damaged)?;
            let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            let is_plain = !path.split('/').any(|name| matches!(name, "" | "." | ".."));
            if !is_plain || entry.header().entry_type() != tar::EntryType::Regular {
                return Err(ArchiveError::Entry(path));
            }
            let mut content = Vec::new();
            entry.read_to_end(&mut content).map_err(ArchiveError::Damaged)?;
            files.insert(path, content);
        }
        Ok(Self { files })
    }

    /// Puts the files into the store.
    pub(super) fn store(&self, store: &ContentStore) -> Result<Tree, AdmitError> {
        let mut tree = Tree::default();
        for (path, bytes) in &self.files {
            let digest = store.put(bytes)?;
            tree.insert(path, Entry::File { digest, executable: false })
                .map_err(|_| ArchiveError::Entry(path.clone()))?;
        }
        Ok(tree)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_is_read_back_and_is_always_the_same() {
        let file = |path: &str, text: &str| (path.to_owned(), text.as_bytes().to_vec());
        let files =
            [file("greet.wit", "package demo:greet;"), file("deps/a/a.wit", "package a:a;")];
        let archive = Archive { files: files.into() };
        let bytes = archive.to_bytes();
        assert_eq!(Archive::of(&bytes).unwrap(), archive);
        assert_eq!(archive.to_bytes(), bytes);
    }

    #[test]
    fn odd_archives_are_refused() {
        let link = {
            let mut builder = tar::Builder::new(Vec::new());
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(tar::EntryType::Symlink);
            header.set_size(0);
            builder.append_link(&mut header, "a.wit", "/etc/passwd").unwrap();
            builder.into_inner().unwrap()
        };
        assert_eq!(
            Archive::of(&link).unwrap_err().to_string(),
            "its entry `a.wit` is no file below its root"
        );
        assert!(matches!(
            Archive::of(b"no archive at all"),
            Err(ArchiveError::Damaged(_)) | Ok(Archive { .. })
        ));
        let mut cut = Archive { files: [("a.wit".to_owned(), vec![b'x'; 2000])].into() }.to_bytes();
        cut.truncate(700);
        assert!(matches!(Archive::of(&cut), Err(ArchiveError::Damaged(_))));
    }
}
