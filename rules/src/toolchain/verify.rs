//! `run toolchain verify`: hashes every file of the pinned images, and every package that is kept.
//!
//! What is damaged is moved out of the way, so that the next build makes it again. Which package a
//! file came from is looked up only then: the packages are unpacked once more, into a store that is
//! thrown away.

use std::collections::BTreeMap;
use std::path::PathBuf;

use cache::{Digest, DigestFunction, DiskStore, Entry, Health, StoreError, Tree};

use super::lock::{Image, Lock, Package, Pin, TREE_FUNCTION};
use super::source::Session;
use super::{Catalogue, Event, Events, Network, Platform, Recipe, Registries};

/// A check of pinned images.
pub struct Verify<'a> {
    /// Where they are.
    pub store: &'a DiskStore,
    /// The recipes.
    pub catalogue: &'a Catalogue,
    /// What is locked.
    pub lock: &'a Lock,
    /// Who is told, and asked whether to stop.
    pub events: &'a dyn Events,
}

/// What the check of one image has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The toolchain.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The platform.
    pub platform: Platform,
    /// The sum of it.
    pub state: ImageHealth,
    /// How many files of the image were hashed.
    pub files: u64,
    /// How many bytes they have.
    pub bytes: u64,
    /// How many kept packages were hashed.
    pub packages: u64,
    /// What is damaged.
    pub damage: Vec<Damage>,
}

/// In what state an image is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ImageHealth {
    /// All of it is there, with the right bytes.
    Sound,
    /// Nothing of it is there. No damage: it is installed when something needs it.
    Missing,
    /// Some files are not there, and the others have the right bytes. No damage either.
    Incomplete,
    /// It is not looked for, as this store names files by another function than the lock.
    Unchecked,
    /// Some bytes are wrong.
    Damaged,
}

/// Something with wrong bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The path in the image; of a kept package its file.
    pub path: String,
    /// The package it came with, if that is known.
    pub package: Option<String>,
    /// What it should be.
    pub digest: Digest,
    /// Where the wrong bytes are now; if nowhere, they were removed.
    pub aside: Option<PathBuf>,
}

/// Why a check could not be done.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The store can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The user wants it to stop.
    #[error("cancelled")]
    Cancelled,
}

impl Verify<'_> {
    /// Checks an image and the packages that are kept for it. Blocks.
    ///
    /// # Errors
    /// See [`VerifyError`]. Damage is no error.
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
        // The packages first: the files' origin is read from them.
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
        let is_missing = |flaw: &&(String, Digest, Health)| flaw.2 == Health::Missing;
        verified.state = match (health.flaws.iter().any(|flaw| is_missing(&flaw)), health.files) {
            (false, _) => ImageHealth::Sound,
            (true, 0) => ImageHealth::Missing,
            (true, _) => ImageHealth::Incomplete,
        };
        let damaged: Vec<_> = health.flaws.iter().filter(|flaw| !is_missing(flaw)).collect();
        if damaged.is_empty() {
            return Ok(());
        }
        let origins = self.origins(image)?;
        verified.damage.extend(damaged.into_iter().map(|(path, digest, health)| Damage {
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

    /// Image path → package, as far as the packages are there.
    fn origins(&self, image: &Image) -> Result<BTreeMap<String, String>, VerifyError> {
        let scratch = self.store.scratch()?;
        let throwaway = DiskStore::open(&scratch.path().join("store"), TREE_FUNCTION)?;
        let network = Network { offline: true, ..Network::default() };
        let registries = Registries { network, ..Registries::default() };
        let session = Session::new(&throwaway, &registries, &Quiet)?;
        let kept = DiskStore::open(self.store.root(), DigestFunction::Sha256)?;
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

    /// The image paths of a package; none if it is not there.
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

/// A folder's list of names is no package's; the first file below it tells at least one.
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

/// Nobody is told about the second unpacking.
struct Quiet;

impl Events for Quiet {
    fn event(&self, _: Event<'_>) {}
}
