//! `run.lock.toml`, which pins what a build may use.
//!
//! The lock has the two tables that people know, `[toolchains]` with `name = "version"` and `[checksums]`
//! with `name = "algorithm:hex"`. It adds an `[[image]]` for each toolchain and platform, and a `[[package]]`
//! for each package of an image, with what its source needs to fetch it again. A lock with the two tables
//! only can be read, but it is stale for every build until a sync completes it. A `[[dependency]]` pins a
//! package of `[dependencies]`; it has nothing to do with toolchains.
//!
//! A lock that does not serve a need ([`Stale`]) is something else than a lock that can't be read
//! ([`LockError`]): `run toolchain sync` repairs the first, and a person the second. Nothing here resolves or
//! fetches.

mod change;
mod checksum;
mod dependency;
mod edit;
mod read;
mod stale;
mod write;

use std::collections::BTreeMap;

use cache::Digest;

pub use change::Change;
pub use checksum::{Algorithm, Checksum, ChecksumError};
pub use dependency::{DependencyChange, LockedDependency};
pub use read::LockError;
pub use stale::{NotLocked, Stale};

use super::names::is_in_no_registry;
use super::recipe::Recipe;
use crate::package::Purl;
use crate::platform::Platform;

/// The content of `run.lock.toml`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lock {
    /// The locked versions: toolchain → version.
    pub toolchains: BTreeMap<String, String>,
    /// The checksums of principal packages: toolchain → checksum. The principal package is the first one of
    /// the toolchain's image for x86-64, or else of its first image.
    pub checksums: BTreeMap<String, Checksum>,
    /// The images, ordered by toolchain, then platform.
    pub images: Vec<Image>,
    /// The packages, ordered by toolchain, then platform, then the order in which they are unpacked.
    pub packages: Vec<Package>,
    /// The packages that the project depends on, ordered by name, then version.
    pub dependencies: Vec<LockedDependency>,
}

/// The image of a toolchain for one platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// The toolchain's name.
    pub toolchain: String,
    /// The platform that the image is for.
    pub platform: Platform,
    /// The id of the recipe that made the image, [`Recipe::id`].
    pub recipe: String,
    /// The digest of the image's tree, always BLAKE3.
    pub tree: Digest,
}

/// A package of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// The toolchain's name.
    pub toolchain: String,
    /// The platform that the image is for.
    pub platform: Platform,
    /// The package's name and version.
    pub purl: Purl,
    /// The kind of source that the package comes from.
    pub source: SourceKind,
    /// The text that the source needs to fetch the package again: the pool path of a Debian package, the
    /// requirement of a wheel, the name and version of a crate, the name of a Rust component, the folder of
    /// the image that an npm package is installed in, a URL, or a path.
    pub from: String,
    /// The name of the package's file. A local folder has none.
    pub file: Option<String>,
    /// The pin of the package's bytes.
    pub pin: Pin,
}

/// The pin of a package: what its bytes have to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pin {
    /// The SHA-256 and size of the package's file.
    File(Digest),
    /// The digest of the package's tree (always BLAKE3), for a client that installs the package without
    /// keeping its file. If the client checks the file, its SHA-256 in hexadecimal is recorded, too.
    Tree {
        /// The digest of the unpacked package's tree.
        tree: Digest,
        /// The SHA-256 of the file that the client has checked.
        sha256: Option<String>,
    },
}

/// The kinds of sources that packages come from.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum SourceKind {
    /// A Cargo registry, through cargo.
    Crates,
    /// A Debian mirror.
    Debian,
    /// An npm registry, through npm.
    Npm,
    /// A folder or archive on this machine.
    Path,
    /// The Python package index, through pip.
    Pypi,
    /// A Rust release, through rustup.
    Rustup,
    /// A URL.
    Url,
}

impl Lock {
    /// Returns the image of a toolchain for a platform.
    ///
    /// # Errors
    /// The lock does not have the image. The error says why.
    pub fn image(&self, name: &str, platform: Platform) -> Result<&Image, Stale> {
        if let Some(image) = self.images_of(name).find(|image| image.platform == platform) {
            return Ok(image);
        }
        let (other, version) = (self.images_of(name).next(), self.version(name));
        let name = name.to_owned();
        Err(match (other, version) {
            (Some(image), _) if image.is_added() => {
                Stale::Added { name, platform, added: image.platform }
            }
            (Some(_), _) => Stale::Platform { name, platform },
            (None, version) if is_in_no_registry(&name) => {
                Stale::NotAdded { name, version: version.map(ToOwned::to_owned) }
            }
            (None, Some(version)) => Stale::Short { name, version: version.to_owned() },
            (None, None) => Stale::Toolchain(name),
        })
    }

    /// Returns the images of a toolchain, ordered by platform.
    pub fn images_of(&self, name: &str) -> impl Iterator<Item = &Image> {
        self.images.iter().filter(move |image| image.toolchain == name)
    }

    /// Returns true if the toolchain was added by hand, so that its recipe is in the lock only.
    #[must_use]
    pub fn is_added(&self, name: &str) -> bool {
        self.images_of(name).any(Image::is_added)
    }

    /// Returns the packages of an image, in the order in which they are unpacked.
    pub fn packages(&self, name: &str, platform: Platform) -> impl Iterator<Item = &Package> {
        self.packages
            .iter()
            .filter(move |package| package.toolchain == name && package.platform == platform)
    }

    /// Returns the locked version of a toolchain.
    #[must_use]
    pub fn version(&self, name: &str) -> Option<&str> {
        self.toolchains.get(name).map(String::as_str)
    }

    /// Returns the locked version of a toolchain that a user has asked for by name.
    ///
    /// # Errors
    /// The toolchain is not in the lock.
    pub fn require(&self, name: &str) -> Result<&str, NotLocked> {
        self.version(name).ok_or_else(|| NotLocked {
            name: name.to_owned(),
            known: self.toolchains.keys().cloned().collect(),
        })
    }

    /// Returns the checksum of a toolchain's version that the lock only names, without an image.
    pub(super) fn written_checksum(&self, name: &str, version: &str) -> Option<&Checksum> {
        let is_named = self.version(name) == Some(version) && self.images_of(name).next().is_none();
        self.checksums.get(name).filter(|_| is_named)
    }

    /// Replaces the image and the packages of one toolchain on one platform. A new version removes those of
    /// the other platforms.
    pub(crate) fn set(&mut self, recipe: &Recipe, image: Image, packages: Vec<Package>) {
        let name = &recipe.toolchain;
        if self.version(name) != Some(&recipe.version) {
            self.remove(name);
        }
        self.toolchains.insert(name.clone(), recipe.version.clone());
        self.images.retain(|other| (&other.toolchain, other.platform) != (name, recipe.platform));
        self.packages.retain(|other| (&other.toolchain, other.platform) != (name, recipe.platform));
        self.images.push(image);
        self.packages.extend(packages);
        self.sort();
        if let Some(checksum) = self.principal(name).map(Package::checksum) {
            self.checksums.insert(name.clone(), checksum);
        }
    }

    /// Returns the package whose checksum stands in `[checksums]`. It is the first package of the image for
    /// x86-64 if there is one, so that the checksum stays when another platform is added.
    fn principal(&self, name: &str) -> Option<&Package> {
        let x86 = self.packages(name, Platform::X86_64Linux).next();
        x86.or_else(|| self.packages.iter().find(|package| package.toolchain == name))
    }

    /// Removes a toolchain with its images for all platforms.
    pub fn remove(&mut self, name: &str) {
        self.toolchains.remove(name);
        self.checksums.remove(name);
        self.images.retain(|image| image.toolchain != name);
        self.packages.retain(|package| package.toolchain != name);
    }

    /// Sorts images and packages. The sort is stable, so packages stay in the order in which they are
    /// unpacked.
    fn sort(&mut self) {
        self.images.sort_by(|a, b| (&a.toolchain, a.platform).cmp(&(&b.toolchain, b.platform)));
        self.packages.sort_by(|a, b| (&a.toolchain, a.platform).cmp(&(&b.toolchain, b.platform)));
        self.dependencies.sort();
    }
}

impl Package {
    /// Returns the checksum that stands for the package in `[checksums]`.
    #[must_use]
    pub fn checksum(&self) -> Checksum {
        match &self.pin {
            Pin::File(file) => Checksum::new(Algorithm::Sha256, file.hex()),
            Pin::Tree { sha256: Some(hex), .. } => Checksum::new(Algorithm::Sha256, hex.clone()),
            Pin::Tree { tree, sha256: None } => Checksum::new(Algorithm::Blake3, tree.hex()),
        }
    }

    /// Returns the name that messages use for the package: its file, or else the place that it comes from.
    #[must_use]
    pub fn display_name(&self) -> &str {
        self.file.as_deref().unwrap_or(&self.from)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::package::unpack::TREE_FUNCTION;
    use crate::toolchain::Toolchains;
    use crate::wit::PackageKind;
    use cache::DigestFunction;
    use semver::Version;

    /// Returns a lock of two toolchains with every kind of package.
    pub(crate) fn example() -> Lock {
        let digest = |function, text: &str| Digest::of(function, text.as_bytes());
        let package =
            |toolchain: &str, purl, source, from: &str, file: Option<&str>, pin| Package {
                toolchain: toolchain.to_owned(),
                platform: Platform::X86_64Linux,
                purl,
                source,
                from: from.to_owned(),
                file: file.map(ToOwned::to_owned),
                pin,
            };
        let image = |toolchain: &str| Image {
            toolchain: toolchain.to_owned(),
            platform: Platform::X86_64Linux,
            recipe: digest(DigestFunction::Sha256, "recipe").hex(),
            tree: digest(TREE_FUNCTION, toolchain),
        };
        let wheel = package(
            "py",
            Purl::new("pypi", "py", "1.0", &[]),
            SourceKind::Pypi,
            "py==1.0",
            Some("py-1.0-py3-none-any.whl"),
            Pin::File(digest(DigestFunction::Sha256, "wheel")),
        );
        let component = package(
            "rust",
            Purl::new("generic", "rustc", "1.95.0", &[]),
            SourceKind::Rustup,
            "rustc",
            Some("rustc.tar.xz"),
            Pin::Tree {
                tree: digest(TREE_FUNCTION, "rustc"),
                sha256: Some(digest(DigestFunction::Sha256, "rustc").hex()),
            },
        );
        let folder = package(
            "rust",
            Purl::new("generic", "extra", "0", &[]),
            SourceKind::Path,
            "/opt/\"extra\"",
            None,
            Pin::Tree { tree: digest(TREE_FUNCTION, "extra"), sha256: None },
        );
        Lock {
            toolchains: [("py", "1.0"), ("rust", "1.95.0")]
                .map(|(name, version)| (name.to_owned(), version.to_owned()))
                .into(),
            checksums: [("py", wheel.checksum()), ("rust", component.checksum())]
                .map(|(name, checksum)| (name.to_owned(), checksum))
                .into(),
            images: vec![image("py"), image("rust")],
            packages: vec![wheel, component, folder],
            dependencies: vec![
                dependency("greet", &["demo:types 1.2.0"]),
                dependency("types", &[]),
            ],
        }
    }

    fn dependency(name: &str, needs: &[&str]) -> LockedDependency {
        LockedDependency {
            name: format!("demo:{name}"),
            version: Version::new(1, 2, 0),
            kind: PackageKind::Wit,
            source: "oci://registry.example/demo".to_owned(),
            sha256: Digest::of(DigestFunction::Sha256, name.as_bytes()).hex(),
            needs: needs.iter().map(|need| (*need).to_owned()).collect(),
        }
    }

    #[test]
    fn stale_is_told_apart() {
        let lock = example();
        let name = || "rust".to_owned();
        assert!(lock.image("rust", Platform::X86_64Linux).is_ok());
        assert_eq!(
            lock.image("rust", Platform::Aarch64Linux).unwrap_err(),
            Stale::Platform { name: name(), platform: Platform::Aarch64Linux }
        );
        assert_eq!(
            lock.image("zig", Platform::X86_64Linux).unwrap_err(),
            Stale::Toolchain("zig".into())
        );
        let mut needed = Toolchains::new();
        needed.need_version("rust", "1.95.0").unwrap();
        assert_eq!(lock.check(&needed, Platform::X86_64Linux), Ok(()));
        let mut older = lock;
        older.toolchains.insert(name(), "1.0.0".into());
        assert_eq!(
            older.check(&needed, Platform::X86_64Linux).unwrap_err().to_string(),
            "toolchain `rust` is locked at 1.0.0, not 1.95.0"
        );
    }

    #[test]
    fn setting_an_image_leaves_other_platforms_alone() {
        let mut lock = example();
        let other = |platform| Recipe {
            toolchain: "rust".into(),
            version: "1.95.0".into(),
            platform,
            layers: Vec::new(),
            links: BTreeMap::new(),
        };
        let image = Image { platform: Platform::Aarch64Linux, ..lock.images[1].clone() };
        let package = Package { platform: Platform::Aarch64Linux, ..lock.packages[1].clone() };
        lock.set(&other(Platform::Aarch64Linux), image.clone(), vec![package.clone()]);
        assert_eq!(lock.images.len(), 3);
        assert_eq!(lock.images[1].platform, Platform::Aarch64Linux);
        assert_eq!(lock.packages("rust", Platform::X86_64Linux).count(), 2);
        // A new version removes the images of the old one for other platforms.
        let newer = Recipe { version: "1.96.0".into(), ..other(Platform::Aarch64Linux) };
        lock.set(&newer, image, vec![package]);
        assert_eq!(lock.version("rust"), Some("1.96.0"));
        assert_eq!((lock.images.len(), lock.packages.len()), (2, 2));
    }
}
