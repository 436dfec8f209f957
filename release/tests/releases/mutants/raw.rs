//! A release taken apart, so that it can be put together wrongly.
//!
//! The writer here is written a second time, so that it can do what the one of the crate refuses. A test holds them
//! together: a release that is taken apart and put together is the same, byte for byte.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;

use release::Sha256;

/// The name of the list of files.
pub(crate) const SUMS: &str = "SHA256SUMS";

/// The folder and the files of an archive. Nothing about them needs to be right.
#[derive(Clone)]
pub(crate) struct Raw {
    pub(crate) root: String,
    pub(crate) files: BTreeMap<String, Vec<u8>>,
}

impl Raw {
    /// Takes a valid archive apart. The list of files is left out: it is made anew.
    pub(crate) fn of(archive: &[u8]) -> Self {
        let tar = zstd::stream::decode_all(archive).unwrap();
        let (mut root, mut files) = (String::new(), BTreeMap::new());
        for entry in tar::Archive::new(tar.as_slice()).entries().unwrap() {
            let mut entry = entry.unwrap();
            let path = String::from_utf8(entry.path_bytes().into_owned()).unwrap();
            let (folder, path) = path.split_once('/').unwrap();
            root = folder.to_owned();
            let mut bytes = Vec::new();
            std::io::Read::read_to_end(&mut entry, &mut bytes).unwrap();
            files.insert(path.to_owned(), bytes);
        }
        files.remove(SUMS).unwrap();
        Self { root, files }
    }

    pub(crate) fn set(&mut self, path: &str, bytes: Vec<u8>) {
        self.files.insert(path.to_owned(), bytes);
    }

    /// Returns the list of the files as it should be.
    pub(crate) fn sums(&self) -> Vec<u8> {
        let mut list = String::new();
        for (path, bytes) in &self.files {
            let _ = writeln!(list, "{}  {path}", Sha256::of(bytes));
        }
        list.into_bytes()
    }

    /// Returns the members of the tar archive as they should be, in order.
    pub(crate) fn members(&self) -> Vec<Member> {
        let list = (SUMS.to_owned(), self.sums());
        let others = self.files.clone();
        let mut members: Vec<_> = std::iter::once(list).chain(others).collect();
        members.sort();
        members
            .into_iter()
            .map(|(path, bytes)| Member::new(&format!("{}/{path}", self.root), bytes))
            .collect()
    }

    /// Returns the archive with the right list of files.
    pub(crate) fn pack(&self) -> Vec<u8> {
        pack(&self.members())
    }

    /// Returns the archive with this list of files.
    pub(crate) fn pack_with_sums(&self, sums: &[u8]) -> Vec<u8> {
        let mut members = self.members();
        for member in &mut members {
            if member.path().ends_with(SUMS) {
                *member = Member::new(&member.path(), sums.to_vec());
            }
        }
        pack(&members)
    }
}

/// A member of a tar archive.
#[derive(Clone)]
pub(crate) struct Member {
    pub(crate) header: tar::Header,
    pub(crate) bytes: Vec<u8>,
}

impl Member {
    /// Makes a member as the writer of releases makes it.
    pub(crate) fn new(path: &str, bytes: Vec<u8>) -> Self {
        let mut header = tar::Header::new_ustar();
        // Not through `set_path`, which refuses tricks.
        let name = &mut header.as_ustar_mut().unwrap().name;
        name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_entry_type(tar::EntryType::Regular);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(315_532_800);
        header.set_size(bytes.len() as u64);
        header.set_cksum();
        Self { header, bytes }
    }

    pub(crate) fn path(&self) -> String {
        String::from_utf8(self.header.path_bytes().into_owned()).unwrap()
    }

    /// Changes the header and makes its checksum anew.
    pub(crate) fn with(mut self, change: impl FnOnce(&mut tar::Header)) -> Self {
        change(&mut self.header);
        self.header.set_cksum();
        self
    }
}

/// Writes members as they are.
pub(crate) fn tar(members: &[Member]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for member in members {
        bytes.extend_from_slice(member.header.as_bytes());
        bytes.extend_from_slice(&member.bytes);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
    }
    bytes.resize(bytes.len() + 1024, 0);
    bytes
}

/// Compresses as the writer of releases does.
pub(crate) fn compress(tar: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 9).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.set_pledged_src_size(Some(tar.len() as u64)).unwrap();
    encoder.write_all(tar).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn pack(members: &[Member]) -> Vec<u8> {
    compress(&tar(members))
}

#[test]
fn a_release_that_is_taken_apart_and_put_together_is_the_same() {
    let archive = crate::sample::Sample::new("1.2.0").archive();
    assert_eq!(Raw::of(&archive).pack(), archive);
}
