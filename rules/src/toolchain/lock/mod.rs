//! `run.lock.toml`: what a build may use, and nothing else.
//!
//! The lock keeps the two tables people know (`[toolchains]` name = version, `[checksums]` name =
//! "algorithm:hex") and adds an `[[image]]` for each toolchain and platform and a `[[package]]` for
//! each package of an image, with what its source needs to fetch it again. A lock of the two tables
//! alone can be read; it is stale for every build until a sync completes it.
//!
//! A lock that does not serve a need ([`Stale`]) is not the same as one that can't be read
//! ([`LockError`]): the first is mended by `run toolchain sync`, the second by a person.

mod change;
mod checksum;
mod edit;
mod read;
mod stale;
mod write;

use std::collections::BTreeMap;

use cache::{Digest, DigestFunction};

pub use change::Change;
pub use checksum::{Algorithm, Checksum, ChecksumError};
pub use read::LockError;
pub use stale::{NotLocked, Stale};

use super::{Platform, Purl, Recipe};

/// The function of every tree digest in a lock, whatever the store uses: a lock is the same for all
/// who share it.
pub(crate) const TREE_FUNCTION: DigestFunction = DigestFunction::Blake3;

/// The content of `run.lock.toml`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lock {
    /// Toolchain → version.
    pub toolchains: BTreeMap<String, String>,
    /// Toolchain → checksum of its principal package: the first one of its image for x86-64, or
    /// else of its first image.
    pub checksums: BTreeMap<String, Checksum>,
    /// The images, ordered by toolchain, then platform.
    pub images: Vec<Image>,
    /// The packages, ordered by toolchain, then platform, then as they are unpacked.
    pub packages: Vec<Package>,
}

/// One toolchain on one platform, unpacked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// The toolchain.
    pub toolchain: String,
    /// The platform.
    pub platform: Platform,
    /// The recipe it was made by: [`Recipe::id`].
    pub recipe: String,
    /// The digest of its tree, always BLAKE3.
    pub tree: Digest,
}

/// One package of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// The toolchain.
    pub toolchain: String,
    /// The platform.
    pub platform: Platform,
    /// What it is.
    pub purl: Purl,
    /// Where it comes from.
    pub source: SourceKind,
    /// What the source needs to fetch it again: the pool path of a Debian package, the requirement
    /// of a wheel, the name and version of a crate, the name of a Rust component, the folder of the
    /// image that an npm package is installed in, a URL, a path.
    pub from: String,
    /// The name of its file. A local folder has none.
    pub file: Option<String>,
    /// What pins it.
    pub pin: Pin,
}

/// What pins a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pin {
    /// The bytes of its file: SHA-256 and size.
    File(Digest),
    /// The digest of its tree (always BLAKE3), because its client installs it without keeping the
    /// file, and the SHA-256 in hexadecimal of the file that the client has checked, if there is one.
    Tree {
        /// The unpacked package.
        tree: Digest,
        /// The file it came in.
        sha256: Option<String>,
    },
}

/// The kinds of sources.
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
    /// The image of a toolchain.
    ///
    /// # Errors
    /// The lock is stale for it.
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
            (None, Some(version)) => Stale::Short { name, version: version.to_owned() },
            (None, None) => Stale::Toolchain(name),
        })
    }

    /// The images of a toolchain, by platform.
    pub fn images_of(&self, name: &str) -> impl Iterator<Item = &Image> {
        self.images.iter().filter(move |image| image.toolchain == name)
    }

    /// Whether the toolchain was added by hand: its recipe is in the lock alone.
    #[must_use]
    pub fn is_added(&self, name: &str) -> bool {
        self.images_of(name).any(Image::is_added)
    }

    /// The packages of an image, in the order in which they are unpacked.
    pub fn packages(&self, name: &str, platform: Platform) -> impl Iterator<Item = &Package> {
        self.packages
            .iter()
            .filter(move |package| package.toolchain == name && package.platform == platform)
    }

    /// Checks that every toolchain of `needed` is locked for `platform`.
    ///
    /// # Errors
    /// The first, by name, that is not.
    pub fn check(&self, needed: &super::Toolchains, platform: Platform) -> Result<(), Stale> {
        for (name, version) in needed.iter() {
            self.image(name, platform)?;
            self.check_version(name, version)?;
        }
        Ok(())
    }

    /// The locked version of a toolchain.
    #[must_use]
    pub fn version(&self, name: &str) -> Option<&str> {
        self.toolchains.get(name).map(String::as_str)
    }

    /// The locked version of a toolchain that a user has asked for by name.
    ///
    /// # Errors
    /// It is not in the lock.
    pub fn require(&self, name: &str) -> Result<&str, NotLocked> {
        self.version(name).ok_or_else(|| NotLocked {
            name: name.to_owned(),
            known: self.toolchains.keys().cloned().collect(),
        })
    }

    fn check_version(&self, name: &str, needed: Option<&str>) -> Result<(), Stale> {
        match (self.version(name), needed) {
            (Some(locked), Some(needed)) if locked != needed => Err(Stale::Version {
                name: name.to_owned(),
                locked: locked.to_owned(),
                needed: needed.to_owned(),
            }),
            _ => Ok(()),
        }
    }

    /// Replaces the image and the packages of one toolchain on one platform.
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

    /// The first package of the image for x86-64 if there is one, so that a further platform leaves
    /// the checksum alone.
    fn principal(&self, name: &str) -> Option<&Package> {
        let x86 = self.packages(name, Platform::X86_64Linux).next();
        x86.or_else(|| self.packages.iter().find(|package| package.toolchain == name))
    }

    /// Takes a toolchain out, on all platforms.
    pub fn remove(&mut self, name: &str) {
        self.toolchains.remove(name);
        self.checksums.remove(name);
        self.images.retain(|image| image.toolchain != name);
        self.packages.retain(|package| package.toolchain != name);
    }

    /// The sort is stable: packages stay in the order in which they are unpacked.
    fn sort(&mut self) {
        self.images.sort_by(|a, b| (&a.toolchain, a.platform).cmp(&(&b.toolchain, b.platform)));
        self.packages.sort_by(|a, b| (&a.toolchain, a.platform).cmp(&(&b.toolchain, b.platform)));
    }
}

impl Package {
    /// What `[checksums]` says of it.
    #[must_use]
    pub fn checksum(&self) -> Checksum {
        match &self.pin {
            Pin::File(file) => Checksum::new(Algorithm::Sha256, file.hex()),
            Pin::Tree { sha256: Some(hex), .. } => Checksum::new(Algorithm::Sha256, hex.clone()),
            Pin::Tree { tree, sha256: None } => Checksum::new(Algorithm::Blake3, tree.hex()),
        }
    }

    /// What messages call it: its file, or else where it comes from.
    #[must_use]
    pub fn display_name(&self) -> &str {
        self.file.as_deref().unwrap_or(&self.from)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::toolchain::Toolchains;

    /// A lock of two toolchains with every kind of package.
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
        // A new version drops what other platforms had of the old one.
        let newer = Recipe { version: "1.96.0".into(), ..other(Platform::Aarch64Linux) };
        lock.set(&newer, image, vec![package]);
        assert_eq!(lock.version("rust"), Some("1.96.0"));
        assert_eq!((lock.images.len(), lock.packages.len()), (2, 2));
    }
}
