//! Finds out if everything that an action result names is in the store.
//!
//! A client that gets a result relies on its blobs. So a result counts only if they are all there: output files, the
//! command's messages, and of each output directory the `Tree` message with every file that it names. The `Directory` messages
//! inside of a `Tree` need no blobs of their own, as Bazel uploads none. A directory that is named by its own digest
//! (`root_directory_digest`) must be there with everything below it.

use std::collections::HashSet;

use cache::reapi::{ActionResult, Directory, OutputDirectory};
use cache::{ContentStore, Digest, DigestFunction, reapi};
use prost::Message;

use crate::failure::Failure;

/// The largest `Tree` message that is looked into, in bytes. A result with a larger one counts as incomplete.
const LARGEST_TREE: u64 = 256 << 20;

/// A `Tree` message whose directories are kept as the bytes that were sent: their digests are those of these bytes.
#[derive(Clone, PartialEq, Message)]
struct RawTree {
    #[prost(bytes = "bytes", optional, tag = "1")]
    root: Option<bytes::Bytes>,
    #[prost(bytes = "bytes", repeated, tag = "2")]
    children: Vec<bytes::Bytes>,
}

/// Fails with [`Failure::Incomplete`] if a blob that the result names is missing, and with [`Failure::Invalid`] if
/// the result can't be right. Digests of the result are of `function`.
pub(crate) fn check(
    store: &ContentStore,
    function: DigestFunction,
    result: &ActionResult,
) -> Result<(), Failure> {
    let mut check = Check { store, function, seen: HashSet::new() };
    let files = result.output_files.iter().map(|file| &file.digest);
    for digest in files {
        check.blob(digest.as_ref())?;
    }
    for digest in result.stdout_digest.iter().chain(&result.stderr_digest) {
        check.blob(Some(digest))?;
    }
    result.output_directories.iter().try_for_each(|directory| check.directory(directory))
}

struct Check<'a> {
    store: &'a ContentStore,
    function: DigestFunction,
    seen: HashSet<Digest>,
}

impl Check<'_> {
    fn digest(&self, digest: Option<&reapi::Digest>) -> Result<Digest, Failure> {
        let missing = || Failure::Invalid("the action result lacks a digest".to_owned());
        let digest = Digest::from_reapi(self.function, digest.ok_or_else(missing)?);
        digest.map_err(|error| Failure::Invalid(format!("the action result is broken: {error}")))
    }

    fn blob(&mut self, digest: Option<&reapi::Digest>) -> Result<(), Failure> {
        let digest = self.digest(digest)?;
        let is_there = !self.seen.insert(digest) || self.store.contains(&digest);
        if is_there { Ok(()) } else { Err(Failure::Incomplete(digest)) }
    }

    fn read(&self, digest: &Digest) -> Result<Vec<u8>, Failure> {
        if digest.size() > LARGEST_TREE {
            return Err(Failure::Incomplete(*digest));
        }
        self.store.get(digest)?.ok_or(Failure::Incomplete(*digest))
    }

    fn directory(&mut self, output: &OutputDirectory) -> Result<(), Failure> {
        if output.tree_digest.is_none() && output.root_directory_digest.is_none() {
            self.digest(None)?;
        }
        if output.tree_digest.is_some() {
            let digest = self.digest(output.tree_digest.as_ref())?;
            if self.seen.insert(digest) {
                self.tree(&digest)?;
            }
        }
        match &output.root_directory_digest {
            Some(root) => self.walk(self.digest(Some(root))?),
            None => Ok(()),
        }
    }

    fn tree(&mut self, digest: &Digest) -> Result<(), Failure> {
        let tree: RawTree = decode(&self.read(digest)?, digest)?;
        let children = tree.children.iter().map(|bytes| Digest::of(self.function, bytes));
        let children: HashSet<Digest> = children.collect();
        for bytes in tree.root.iter().chain(&tree.children) {
            let directory: Directory = decode(bytes, digest)?;
            self.files(&directory)?;
            for node in &directory.directories {
                let child = self.digest(node.digest.as_ref())?;
                if !children.contains(&child) {
                    self.walk(child)?;
                }
            }
        }
        Ok(())
    }

    /// Checks a directory and all below it. Each is looked at once, so a tree that repeats itself takes no longer.
    fn walk(&mut self, root: Digest) -> Result<(), Failure> {
        let mut waiting = vec![root];
        while let Some(digest) = waiting.pop() {
            if !self.seen.insert(digest) {
                continue;
            }
            let directory: Directory = decode(&self.read(&digest)?, &digest)?;
            self.files(&directory)?;
            for node in &directory.directories {
                waiting.push(self.digest(node.digest.as_ref())?);
            }
        }
        Ok(())
    }

    fn files(&mut self, directory: &Directory) -> Result<(), Failure> {
        directory.files.iter().try_for_each(|file| self.blob(file.digest.as_ref()))
    }
}

fn decode<M: Message + Default>(bytes: &[u8], digest: &Digest) -> Result<M, Failure> {
    M::decode(bytes).map_err(|error| Failure::Invalid(format!("blob {digest} is broken: {error}")))
}
