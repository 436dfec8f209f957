//! Hashes every file of the pinned images and every package that is kept, for `run toolchain verify`.
//!
//! Damaged blobs are moved out of the way, so that the next build makes them again. Only if there is damage,
//! the package of each damaged file is looked up: the packages are unpacked once more, into a store that is
//! deleted afterwards.

use std::collections::BTreeMap;
use std::path::PathBuf;

use cache::{
    ContentStore, Digest, DigestFunction, DiskStore, Entry, Flaw, Health, StoreError, Tree,
};

use super::lock::{Image, Lock, Package, Pin};
use super::source::Session;
use super::{Catalogue, Recipe};
use crate::package::unpack::TREE_FUNCTION;
use crate::package::{Event, Events, Network, Registries};
use crate::platform::Platform;

/// The values with which pinned images are checked.
pub struct Verify<'a> {
    /// The store with the images.
    pub store: &'a DiskStore,
    /// The catalogue with the recipes.
    pub catalogue: &'a Catalogue,
    /// The lock that pins the images.
    pub lock: &'a Lock,
    /// The receiver of events, which may also stop the work.
    pub events: &'a dyn Events,
}

/// The findings about one image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The toolchain's name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The platform that the image is for.
    pub platform: Platform,
    /// The state of the whole image.
    pub state: ImageHealth,
    /// The number of the image's files that were hashed.
    pub files: u64,
    /// The total size of these files in bytes.
    pub bytes: u64,
    /// The number of kept packages that were hashed.
    pub packages: u64,
    /// The damaged files and packages.
    pub damage: Vec<Damage>,
}

/// The state of an image in a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ImageHealth {
    /// All files are present and have the right bytes.
    Sound,
    /// Nothing of the image is present. This is no damage: the image is installed when something needs it.
    Missing,
    /// Some files are missing, and the others have the right bytes. This is no damage either.
    Incomplete,
    /// The image was not looked for, because the store's digest function differs from the lock's.
    Unchecked,
    /// Some files or packages have wrong bytes.
    Damaged,
}

/// A file or a package with wrong bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The path in the image, or the file name of a kept package.
    pub path: String,
    /// The package that the file came with, if it is known.
    pub package: Option<String>,
    /// The digest that the bytes should have.
    pub digest: Digest,
    /// The place where the wrong bytes are now, or `None` if they were removed.
    pub aside: Option<PathBuf>,
}

/// The reason why a check could not be done.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The store can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The check was cancelled.
    #[error("cancelled")]
    Cancelled,
}

impl Verify<'_> {
    /// Checks an image and the packages that are kept for it. Blocks until all is done.
    ///
    /// # Errors
    /// See [`VerifyError`]. Damage is not an error.
    pub fn image(&self, image: &Image) -> Result<Verified, VerifyError> {
        let mut verified = Verified {
            name: image.toolchain.clone(),
            version: self.lock.version(&image.toolchain).unwrap_or_default().to_owned(),
            platform: image.platform,
            state: ImageHealth::Unchecked,
            files: 0,
            bytes: 0,
            packages: 0,
            damage: Vec::new(),
        };
        // The packages are checked first, because the origin of damaged files is read from them.
        self.kept(image, &mut verified)?;
        if self.store.function() == TREE_FUNCTION {
            self.tree(image, &mut verified)?;
        }
        if !verified.damage.is_empty() {
            verified.state = ImageHealth::Damaged;
        }
        Ok(verified)
    }

    fn kept(&self, image: &Image, verified: &mut Verified) -> Result<(), VerifyError> {
        let packages = DiskStore::open(self.store.root(), DigestFunction::Sha256)?;
        for package in self.lock.packages(&image.toolchain, image.platform) {
            if self.events.cancelled() {
                return Err(VerifyError::Cancelled);
            }
            let Pin::File(digest) = &package.pin else { continue };
            match packages.verify(digest)? {
                Health::Missing => {}
                Health::Sound => verified.packages += 1,
                Health::Damaged(aside) => {
                    verified.packages += 1;
                    verified.damage.push(Damage {
                        path: package.display_name().to_owned(),
                        package: Some(package.purl.to_string()),
                        digest: *digest,
                        aside,
                    });
                }
            }
        }
        Ok(())
    }

    fn tree(&self, image: &Image, verified: &mut Verified) -> Result<(), VerifyError> {
        let mut done = 0;
        let mut told = |size| {
            done += size;
            self.events.event(Event::Verifying { toolchain: &image.toolchain, done });
            !self.events.cancelled()
        };
        let health = self.store.verify_tree(&image.tree, &mut told)?;
        if self.events.cancelled() {
            return Err(VerifyError::Cancelled);
        }
        verified.files = health.files;
        verified.bytes = health.bytes;
        let is_missing = |flaw: &Flaw| flaw.health == Health::Missing;
        verified.state = match (health.flaws.iter().any(is_missing), health.files) {
            (false, _) => ImageHealth::Sound,
            (true, 0) => ImageHealth::Missing,
            (true, _) => ImageHealth::Incomplete,
        };
        let damaged: Vec<&Flaw> = health.flaws.iter().filter(|flaw| !is_missing(flaw)).collect();
        if damaged.is_empty() {
            return Ok(());
        }
        let origins = self.origins(image)?;
        verified.damage.extend(damaged.into_iter().map(|Flaw { path, digest, health }| Damage {
            path: if path.is_empty() { ".".to_owned() } else { path.clone() },
            package: origin(&origins, path),
            digest: *digest,
            aside: match health {
                Health::Damaged(aside) => aside.clone(),
                Health::Sound | Health::Missing => None,
            },
        }));
        Ok(())
    }

    /// Returns the package of each path in the image, for those packages that are present.
    fn origins(&self, image: &Image) -> Result<BTreeMap<String, String>, VerifyError> {
        let scratch = self.store.scratch()?;
        let throwaway = ContentStore::open(&scratch.path().join("store"), TREE_FUNCTION)?;
        let network = Network { offline: true, ..Network::default() };
        let registries = Registries { network, ..Registries::default() };
        let session = Session::new(&throwaway, &registries, &Quiet)?;
        let kept = ContentStore::open(self.store.root(), DigestFunction::Sha256)?;
        let session = session.with_packages(kept);
        let Some(recipe) = self.recipe(image) else { return Ok(BTreeMap::new()) };
        let mut origins = BTreeMap::new();
        for package in self.lock.packages(&image.toolchain, image.platform) {
            let name = package.purl.to_string();
            let paths = self.paths(&session, &recipe, package);
            origins.extend(paths.into_iter().map(|path| (path, name.clone())));
        }
        Ok(origins)
    }

    fn recipe(&self, image: &Image) -> Option<Recipe> {
        if image.is_added() {
            return self.lock.added_recipe(image);
        }
        let version = self.lock.version(&image.toolchain)?;
        self.catalogue.recipe(&image.toolchain, version, image.platform).ok()
    }

    /// Returns the paths of a package in the image. They are empty if the package is not present.
    fn paths(&self, session: &Session<'_>, recipe: &Recipe, package: &Package) -> Vec<String> {
        match &package.pin {
            Pin::Tree { tree, .. } => {
                let tree = self.store.tree(tree).ok().flatten();
                tree.map(|tree| paths(&tree)).unwrap_or_default()
            }
            Pin::File(digest) if session.packages.contains(digest) => {
                let layer = recipe.layer_of(package);
                let contents = layer.and_then(|l| session.contents(package, l, recipe).ok());
                contents.map(|contents| contents.nodes.into_keys().collect()).unwrap_or_default()
            }
            Pin::File(_) => Vec::new(),
        }
    }
}

/// Returns the package that a damaged path came with. A folder's message belongs to no package, so the
/// package of the first file below the folder is returned.
fn origin(origins: &BTreeMap<String, String>, path: &str) -> Option<String> {
    let below = format!("{path}/");
    let first = || {
        let mut range = origins.range(below.clone()..);
        range.next().filter(|(found, _)| found.starts_with(&below)).map(|(_, package)| package)
    };
    origins.get(path).or_else(first).cloned()
}

fn paths(tree: &Tree) -> Vec<String> {
    fn add(tree: &Tree, above: &str, paths: &mut Vec<String>) {
        for (name, entry) in &tree.entries {
            match entry {
                Entry::Directory(child) => add(child, &format!("{above}{name}/"), paths),
                _ => paths.push(format!("{above}{name}")),
            }
        }
    }
    let mut paths = Vec::new();
    add(tree, "", &mut paths);
    paths
}

/// A receiver that ignores the events of the second unpacking.
struct Quiet;

impl Events for Quiet {
    fn event(&self, _: Event<'_>) {}
}
