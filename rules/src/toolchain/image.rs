//! Assembles an image: unpacks the packages of a recipe in its order, adds its links, and makes one tree of
//! them.
//!
//! It does not decide about versions: packages that a lock has are kept, and sources resolve the others.

use std::collections::BTreeSet;

use cache::{Digest, Entry, Tree, TreeError};

use super::lock::{Package, SourceKind};
use super::origin::{NpmPackages, Origin};
use super::recipe::{Layer, Recipe};
use super::source::{Resolved, Session, SourceError, npm, resolve};
use crate::package::unpack::{Contents, Naming, TREE_FUNCTION};

/// An image that is complete in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Made {
    /// The digest of its tree by the store's function.
    pub(crate) stored: Digest,
    /// The digest of its tree by the lock's function.
    pub(crate) locked: Digest,
}

/// The reason why an image can't be assembled.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// A package can't be fetched or unpacked.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// Two packages, or a package and a link of the recipe, have the same path.
    #[error("cannot add {package} to the image of `{toolchain}`")]
    Conflict {
        /// The toolchain's name.
        toolchain: String,
        /// The package or link that was added second.
        package: String,
        /// The problem with the path.
        #[source]
        source: Box<TreeError>,
    },
    /// The digest of the tree can't be computed.
    #[error("the image of `{toolchain}` makes no tree")]
    Tree {
        /// The toolchain's name.
        toolchain: String,
        /// The problem with the tree.
        #[source]
        source: Box<TreeError>,
    },
}

impl From<cache::StoreError> for ImageError {
    fn from(error: cache::StoreError) -> Self {
        Self::Source(error.into())
    }
}

/// Returns the packages of a recipe: those of `locked` that belong to it, and for the others the packages
/// that their sources have now.
pub(crate) fn resolve_packages(
    session: &Session<'_>,
    recipe: &Recipe,
    locked: &[&Package],
) -> Result<Vec<Package>, SourceError> {
    let mut packages = Vec::new();
    for layer in &recipe.layers {
        packages.extend(match &layer.from {
            Origin::Npm(from) => closure(session, recipe, layer, (from, locked))?,
            _ => listed(session, recipe, layer, locked)?,
        });
    }
    Ok(packages)
}

/// Resolves a layer that lists each of its packages.
fn listed(
    session: &Session<'_>,
    recipe: &Recipe,
    layer: &Layer,
    locked: &[&Package],
) -> Result<Vec<Package>, SourceError> {
    let keys = layer.keys(recipe.platform);
    let kept = |key: &String| locked.iter().copied().find(|p| layer.has(key, p));
    let missing: BTreeSet<&str> =
        keys.iter().filter(|key| kept(key).is_none()).map(String::as_str).collect();
    let found = resolve(session, layer, recipe, &missing)?;
    let package = |key: &String| match kept(key) {
        Some(package) => Ok(package.clone()),
        None => found_package(recipe, key, &found),
    };
    keys.iter().map(package).collect()
}

/// Resolves a layer that lists a few packages, and whose source knows which others they need.
fn closure(
    session: &Session<'_>,
    recipe: &Recipe,
    layer: &Layer,
    (from, locked): (&NpmPackages, &[&Package]),
) -> Result<Vec<Package>, SourceError> {
    let locked: Vec<&Package> =
        locked.iter().copied().filter(|package| npm::place(layer, package).is_some()).collect();
    if npm::serves(from, layer, &locked) {
        return Ok(locked.into_iter().cloned().collect());
    }
    let missing = layer.keys(recipe.platform);
    let missing = missing.iter().map(String::as_str).collect();
    let found = resolve(session, layer, recipe, &missing)?;
    Ok(found.iter().map(|resolved| resolved.locked(recipe)).collect())
}

fn found_package(recipe: &Recipe, key: &str, found: &[Resolved]) -> Result<Package, SourceError> {
    let resolved = found.iter().find(|resolved| resolved.key == key);
    let resolved = resolved.ok_or_else(|| SourceError::Unmatched {
        toolchain: recipe.toolchain.clone(),
        package: key.to_owned(),
    })?;
    Ok(resolved.locked(recipe))
}

impl Resolved {
    /// Returns the package as a lock has it.
    fn locked(&self, recipe: &Recipe) -> Package {
        Package {
            toolchain: recipe.toolchain.clone(),
            platform: recipe.platform,
            purl: self.purl.clone(),
            source: self.source,
            from: self.from.clone(),
            file: self.file.clone(),
            pin: self.pin.clone(),
        }
    }
}

/// Fetches and unpacks the packages, several at once, and puts the image's tree into the store.
pub(crate) fn make(
    session: &Session<'_>,
    recipe: &Recipe,
    packages: &[Package],
) -> Result<Made, ImageError> {
    let of_npm: Vec<&Package> =
        packages.iter().filter(|package| package.source == SourceKind::Npm).collect();
    npm::fetch(session, &of_npm)?;
    let contents = session.parallel(packages, |package| {
        let layer = recipe.layer_of(package).ok_or_else(|| SourceError::Unmatched {
            toolchain: recipe.toolchain.clone(),
            package: package.purl.to_string(),
        })?;
        session.contents(package, layer, recipe)
    })?;
    let locked = tree(recipe, packages, &contents, Naming::Locked)?;
    let wrong =
        |source| ImageError::Tree { toolchain: recipe.toolchain.clone(), source: Box::new(source) };
    let (locked_digest, _) = locked.digest(TREE_FUNCTION).map_err(wrong)?;
    let stored = match session.store.function() {
        TREE_FUNCTION => locked,
        _ => tree(recipe, packages, &contents, Naming::Stored)?,
    };
    Ok(Made { stored: session.store.put_tree(&stored)?, locked: locked_digest })
}

fn tree(
    recipe: &Recipe,
    packages: &[Package],
    contents: &[Contents],
    naming: Naming,
) -> Result<Tree, ImageError> {
    let conflict = |package: &str| {
        let (toolchain, package) = (recipe.toolchain.clone(), package.to_owned());
        |source| ImageError::Conflict { toolchain, package, source: Box::new(source) }
    };
    let mut tree = Tree::default();
    for (package, contents) in packages.iter().zip(contents) {
        contents.add_to(&mut tree, naming).map_err(conflict(package.display_name()))?;
    }
    for (path, target) in &recipe.links {
        let link = Entry::Symlink { target: target.clone() };
        tree.insert(path, link).map_err(conflict(&format!("the link {path}")))?;
    }
    Ok(tree)
}

impl Recipe {
    /// Returns the layer that a package belongs to.
    pub(super) fn layer_of(&self, package: &Package) -> Option<&Layer> {
        self.layers.iter().find(|layer| layer.holds(package, self.platform))
    }
}

impl Layer {
    /// Returns the names by which the layer's origin lists its packages.
    fn keys(&self, platform: crate::platform::Platform) -> Vec<String> {
        match &self.from {
            Origin::Crates(from) => vec![from.key()],
            Origin::Debian(from) => from.packages.clone(),
            Origin::Npm(from) => from.packages.keys().cloned().collect(),
            Origin::Pypi(from) => vec![from.requirement.clone()],
            Origin::Rustup(from) => super::source::rustup_keys(from, platform),
            Origin::Url(from) => vec![from.url.clone()],
            Origin::Path(from) => vec![from.path.clone()],
        }
    }

    /// Returns true if the package belongs to the layer.
    fn holds(&self, package: &Package, platform: crate::platform::Platform) -> bool {
        match &self.from {
            Origin::Npm(_) => npm::place(self, package).is_some(),
            _ => self.keys(platform).iter().any(|key| self.has(key, package)),
        }
    }

    /// Returns true if the package is the one that the layer lists as `key`.
    fn has(&self, key: &str, package: &Package) -> bool {
        let kind = match &self.from {
            Origin::Crates(_) => SourceKind::Crates,
            Origin::Debian(_) => SourceKind::Debian,
            Origin::Npm(_) => SourceKind::Npm,
            Origin::Pypi(_) => SourceKind::Pypi,
            Origin::Rustup(_) => SourceKind::Rustup,
            Origin::Url(_) => SourceKind::Url,
            Origin::Path(_) => SourceKind::Path,
        };
        let name = match kind {
            SourceKind::Debian => package.purl.name(),
            _ => package.from.clone(),
        };
        package.source == kind && name == key
    }
}
