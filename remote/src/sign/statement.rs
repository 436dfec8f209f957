//! Writes what a signature covers as bytes: the action's key, and all that a result says of the action's outcome.
//!
//! Two results have the same statement exactly if a build can't tell them apart. So lists are sorted, inlined bytes
//! count by their digest, and what servers fill in (workers, times) is left out. Each part is written with its length, so
//! that no two statements run into each other.

use std::collections::BTreeSet;

use cache::{Digest, reapi};

/// The first line, which keeps these signatures apart from all others that the same key may make.
const DOMAIN: &str = "run.cache.v1.result";

/// Returns what `result` says of the action `key`; `None` if it contradicts itself or has a digest that is none.
pub(crate) fn statement(key: &Digest, result: &reapi::ActionResult) -> Option<Vec<u8>> {
    let mut parts = Parts::default();
    parts.text(DOMAIN);
    parts.text(key.function().name());
    parts.digest(key);
    parts.number(i64::from(result.exit_code).cast_unsigned());
    parts.digest(&bytes_or_digest(key, &result.stdout_raw, result.stdout_digest.as_ref())?);
    parts.digest(&bytes_or_digest(key, &result.stderr_raw, result.stderr_digest.as_ref())?);
    parts.list(files(key, result)?);
    parts.list(directories(key, result)?);
    parts.list(symlinks(result));
    Some(parts.bytes)
}

fn files(key: &Digest, result: &reapi::ActionResult) -> Option<BTreeSet<Vec<u8>>> {
    let encoded = result.output_files.iter().map(|file| {
        let mut parts = Parts::default();
        parts.text(&file.path);
        file.digest.as_ref()?;
        parts.digest(&bytes_or_digest(key, &file.contents, file.digest.as_ref())?);
        parts.number(u64::from(file.is_executable));
        Some(parts.bytes)
    });
    encoded.collect()
}

fn directories(key: &Digest, result: &reapi::ActionResult) -> Option<BTreeSet<Vec<u8>>> {
    let encoded = result.output_directories.iter().map(|directory| {
        let mut parts = Parts::default();
        parts.text(&directory.path);
        for digest in [&directory.tree_digest, &directory.root_directory_digest] {
            match digest {
                Some(digest) => parts.digest(&Digest::from_reapi(key.function(), digest).ok()?),
                None => parts.text("none"),
            }
        }
        Some(parts.bytes)
    });
    encoded.collect()
}

/// Servers of different ages list a link once or twice, so the three lists count as one.
fn symlinks(result: &reapi::ActionResult) -> BTreeSet<Vec<u8>> {
    let lists =
        [&result.output_symlinks, &result.output_file_symlinks, &result.output_directory_symlinks];
    let encoded = lists.into_iter().flatten().map(|link| {
        let mut parts = Parts::default();
        parts.text(&link.path);
        parts.text(&link.target);
        parts.bytes
    });
    encoded.collect()
}

/// Returns the digest of some output, which servers may inline. Nothing at all means the empty output.
fn bytes_or_digest(key: &Digest, raw: &[u8], digest: Option<&reapi::Digest>) -> Option<Digest> {
    let inlined = || Digest::of(key.function(), raw);
    let Some(digest) = digest else { return Some(inlined()) };
    let digest = Digest::from_reapi(key.function(), digest).ok()?;
    (raw.is_empty() || inlined() == digest).then_some(digest)
}

#[derive(Default)]
struct Parts {
    bytes: Vec<u8>,
}

impl Parts {
    fn number(&mut self, number: u64) {
        self.bytes.extend(number.to_be_bytes());
    }

    fn part(&mut self, part: &[u8]) {
        self.number(part.len() as u64);
        self.bytes.extend(part);
    }

    fn text(&mut self, text: &str) {
        self.part(text.as_bytes());
    }

    fn digest(&mut self, digest: &Digest) {
        self.part(digest.hash());
        self.number(digest.size());
    }

    fn list(&mut self, items: BTreeSet<Vec<u8>>) {
        self.number(items.len() as u64);
        for item in items {
            self.part(&item);
        }
    }
}
