//! Makes a build cache of the go command the same, whoever filled it and when.
//!
//! An entry of the cache says when it was made. That would give the layer other bytes on every
//! machine, and with it another key to every compile that stands on it.

use cache::{DiskStore, Entry, Tree};
use engine::{Artifact, Builtin, BuiltinContext, BuiltinError};

/// The action that makes a build cache reproducible. Input and output: [`Self::CACHE`].
pub(super) struct SealCache;

/// What stands in the place of a time: 20 characters, as the go command writes it.
const NO_TIME: &str = "                   1\n";

impl SealCache {
    pub(super) const CACHE: &'static str = "cache";
}

impl Builtin for SealCache {
    fn name(&self) -> &str {
        "go-seal"
    }

    fn version(&self) -> &str {
        "1"
    }

    fn arguments(&self) -> Vec<String> {
        Vec::new()
    }

    fn run(&self, cx: &BuiltinContext) -> Result<(), BuiltinError> {
        let digest = *cx.input(Self::CACHE).digest();
        let mut tree = cx.store().tree(&digest)?.ok_or(BuiltinError::Missing(digest))?;
        // Notes of the go command: when it last looked for what is old.
        tree.entries.retain(|_, entry| !matches!(entry, Entry::File { .. }));
        seal(cx.store(), &mut tree)?;
        cx.produce(Self::CACHE, Artifact::Tree(cx.store().put_tree(&tree)?));
        Ok(())
    }
}

fn seal(store: &DiskStore, tree: &mut Tree) -> Result<(), BuiltinError> {
    for (name, entry) in &mut tree.entries {
        match entry {
            Entry::Directory(below) => seal(store, below)?,
            // What an action made; `-d` is that itself.
            Entry::File { digest, .. } if name.ends_with("-a") => {
                let text = store.get(digest)?.ok_or(BuiltinError::Missing(*digest))?;
                if let Some(text) = timeless(&text) {
                    *digest = store.put(&text)?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// An entry without its time; `None` if it is not of the form that is known.
fn timeless(entry: &[u8]) -> Option<Vec<u8>> {
    let known = entry.starts_with(b"v1 ") && entry.len() > NO_TIME.len();
    let (rest, time) = known.then(|| entry.split_at(entry.len() - NO_TIME.len()))?;
    let is_time = time.iter().all(|b| b.is_ascii_digit() || b" \n".contains(b));
    is_time.then(|| [rest, NO_TIME.as_bytes()].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_time_of_an_entry_changes() {
        let entry = b"v1 00ff 42aa                  812  1795371008138384080\n";
        let sealed = timeless(entry).unwrap();
        assert_eq!(sealed, b"v1 00ff 42aa                  812                    1\n");
        assert_eq!(sealed.len(), entry.len());
        assert_eq!(timeless(&sealed).unwrap(), sealed);
        assert_eq!(timeless(b"v2 something else altogether"), None);
        assert_eq!(timeless(b""), None);
    }
}
