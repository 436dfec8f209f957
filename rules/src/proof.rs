//! Remembers what `run verify` found out about toolchains that users have added themselves.
//!
//! The catalogue's toolchains are known to give the same bytes each time. For others, the store of this
//! machine remembers the verdict of the last verification under the digest of the toolchain's image: another
//! archive of the same version is another toolchain.

use cache::{ContentStore, Digest, Memo, StoreError, Tree};

/// The verdict of a verification on a toolchain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// All components that the toolchain compiles were the same in each build.
    Same,
    /// At least one component differed between builds.
    Different,
}

impl Proof {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Different => "different",
        }
    }

    /// Remembers the verdict on the toolchain with this image.
    ///
    /// # Errors
    /// Fails if the store can't be written.
    pub fn record(self, store: &ContentStore, image: &Digest) -> Result<(), StoreError> {
        let tree = store.put_tree(&Tree::default())?;
        store.put_memo(&key(store, image), &Memo { tree, text: self.as_str().to_owned() })
    }

    /// Returns the latest verdict, or `None` if the toolchain was never verified.
    #[must_use]
    pub fn of(store: &ContentStore, image: &Digest) -> Option<Self> {
        let found = store.memo(&key(store, image))?;
        [Self::Same, Self::Different].into_iter().find(|proof| proof.as_str() == found.text)
    }
}

fn key(store: &ContentStore, image: &Digest) -> Digest {
    Digest::of(store.function(), format!("proof 1\n{image}").as_bytes())
}

#[cfg(test)]
mod tests {
    use cache::DigestFunction;

    use super::*;

    #[test]
    fn the_last_finding_counts() {
        let folder = tempfile::tempdir().unwrap();
        let store = ContentStore::open(folder.path(), DigestFunction::Blake3).unwrap();
        let [one, other] =
            ["one", "other"].map(|text| Digest::of(store.function(), text.as_bytes()));
        assert_eq!(Proof::of(&store, &one), None);
        for proof in [Proof::Same, Proof::Different, Proof::Same] {
            proof.record(&store, &one).unwrap();
            assert_eq!(Proof::of(&store, &one), Some(proof));
        }
        assert_eq!(Proof::of(&store, &other), None);
    }
}
