//! Reads a lock. It accepts nothing that it does not know, and errors name the line of the problem.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use cache::{Digest, DigestFunction};
use semver::Version;
use serde::{Deserialize, Deserializer};
use toml::Spanned;

use super::{Algorithm, Checksum, Image, Lock, LockedDependency, Package, Pin, SourceKind};
use crate::manifest::PackageName;
use crate::package::Purl;
use crate::package::unpack::TREE_FUNCTION;
use crate::platform::Platform;
use crate::wit::PackageKind;

/// The reason why a lock can't be read or written.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// The operating system returned an error.
    #[error("cannot {action} the lockfile {}", .path.display())]
    Io {
        /// `read` or `write`.
        action: &'static str,
        /// The lockfile.
        path: PathBuf,
        /// The error of the system.
        #[source]
        source: io::Error,
    },
    /// The file can't be changed without losing other content.
    #[error(
        "cannot change {} without losing what else is in it; delete it and run `run toolchain sync`",
        .path.display()
    )]
    Uneditable {
        /// The lockfile.
        path: PathBuf,
    },
    /// The text of the file is not a valid lock.
    #[error("{}:{line}:{column}: {message}", .path.display())]
    Broken {
        /// The lockfile.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The column in characters, from 1.
        column: usize,
        /// The description of the problem.
        message: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLock {
    #[serde(default)]
    toolchains: BTreeMap<String, String>,
    #[serde(default)]
    checksums: BTreeMap<Spanned<String>, Checksum>,
    #[serde(default, rename = "image")]
    images: Vec<Spanned<RawImage>>,
    #[serde(default, rename = "package")]
    packages: Vec<Spanned<RawPackage>>,
    #[serde(default, rename = "dependency")]
    dependencies: Vec<Spanned<RawDependency>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDependency {
    name: String,
    version: Version,
    kind: PackageKind,
    source: String,
    digest: Checksum,
    #[serde(default)]
    needs: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawImage {
    toolchain: String,
    platform: Platform,
    recipe: String,
    #[serde(deserialize_with = "tree_digest")]
    tree: Digest,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPackage {
    toolchain: String,
    platform: Platform,
    purl: Purl,
    source: SourceKind,
    from: String,
    file: Option<String>,
    sha256: Option<Sha256>,
    size: Option<u64>,
    #[serde(default, deserialize_with = "optional_tree_digest")]
    tree: Option<Digest>,
}

#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Sha256(String);

impl TryFrom<String> for Sha256 {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match Digest::from_str(&format!("sha256:{text}/0")) {
            Ok(_) => Ok(Self(text)),
            Err(_) => Err(format!("`{text}` is no SHA-256 (64 lower-case hexadecimal digits)")),
        }
    }
}

fn tree_digest<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Digest, D::Error> {
    let text = String::deserialize(deserializer)?;
    let wrong = || format!("`{text}` is no tree digest (`blake3:HEX/SIZE`)");
    match Digest::from_str(&text) {
        Ok(digest) if digest.function() == TREE_FUNCTION => Ok(digest),
        _ => Err(serde::de::Error::custom(wrong())),
    }
}

fn optional_tree_digest<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Digest>, D::Error> {
    tree_digest(from).map(Some)
}

impl Lock {
    /// Reads a lockfile. Returns `None` if the file does not exist.
    ///
    /// # Errors
    /// The file can't be read, or is not a valid lock.
    pub fn read(path: &Path) -> Result<Option<Self>, LockError> {
        let text = crate::bounded::read_text_if_there(path).map_err(|source| LockError::Io {
            action: "read",
            path: path.to_owned(),
            source,
        })?;
        text.map(|text| Self::parse(&text, path)).transpose()
    }

    /// Parses the text of a lockfile. `path` is used in error messages only.
    ///
    /// # Errors
    /// The text is not a valid lock.
    pub fn parse(text: &str, path: &Path) -> Result<Self, LockError> {
        let broken = |span: Range<usize>, message: String| {
            let (line, column) = position(text, span.start);
            LockError::Broken { path: path.to_owned(), line, column, message }
        };
        let raw: RawLock = toml::from_str(text)
            .map_err(|error| broken(error.span().unwrap_or(0..0), error.message().to_owned()))?;
        build(raw).map_err(|(span, message)| broken(span, message))
    }
}

type Wrong = (Range<usize>, String);

/// Builds the lock, and checks that the tables fit each other.
fn build(raw: RawLock) -> Result<Lock, Wrong> {
    let mut lock = Lock { toolchains: raw.toolchains, ..Lock::default() };
    let known = |name: &str, span: Range<usize>| match lock.toolchains.contains_key(name) {
        true => Ok(()),
        false => Err((span, format!("toolchain `{name}` is not in [toolchains]"))),
    };
    for (name, checksum) in raw.checksums {
        known(name.get_ref(), name.span())?;
        lock.checksums.insert(name.into_inner(), checksum);
    }
    let mut images = BTreeSet::new();
    for image in raw.images {
        let (span, image) = (image.span(), image.into_inner());
        known(&image.toolchain, span.clone())?;
        if !images.insert((image.toolchain.clone(), image.platform)) {
            let message = format!("`{}` has two images for {}", image.toolchain, image.platform);
            return Err((span, message));
        }
        let RawImage { toolchain, platform, recipe, tree } = image;
        lock.images.push(Image { toolchain, platform, recipe, tree });
    }
    for package in raw.packages {
        let (span, package) = (package.span(), package.into_inner());
        if !images.contains(&(package.toolchain.clone(), package.platform)) {
            let message = format!(
                "package `{}` belongs to no image: `{}` has none for {}",
                package.purl, package.toolchain, package.platform
            );
            return Err((span, message));
        }
        lock.packages.push(package.build().map_err(|message| (span, message))?);
    }
    lock.dependencies = dependencies(raw.dependencies)?;
    lock.sort();
    Ok(lock)
}

/// Reads the dependencies, and checks that the lock has everything that they need.
fn dependencies(raw: Vec<Spanned<RawDependency>>) -> Result<Vec<LockedDependency>, Wrong> {
    let (mut spans, mut built) = (Vec::new(), Vec::new());
    for dependency in raw {
        let (span, dependency) = (dependency.span(), dependency.into_inner());
        built.push(dependency.build().map_err(|message| (span.clone(), message))?);
        spans.push(span);
    }
    let ids: BTreeSet<String> = built.iter().map(LockedDependency::id).collect();
    for (dependency, span) in built.iter().zip(spans) {
        if let Some(missing) = dependency.needs.iter().find(|need| !ids.contains(*need)) {
            let message = format!("`{}` needs `{missing}`, which is not locked", dependency.id());
            return Err((span, message));
        }
    }
    Ok(built)
}

impl RawDependency {
    fn build(self) -> Result<LockedDependency, String> {
        let Self { name, version, kind, source, digest, needs } = self;
        if let Err(invalid) = name.parse::<PackageName>() {
            return Err(invalid.to_string());
        }
        let is_whole = digest.digits().len() == 64
            && digest.digits().bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if digest.algorithm() != Algorithm::Sha256 || !is_whole {
            return Err(format!("`{digest}` is no digest of a package (`sha256:` and 64 digits)"));
        }
        let is_commit = |hash: &str| {
            matches!(hash.len(), 40 | 64) && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
        };
        let commit = source.rsplit_once('#').map(|(_, commit)| commit);
        if source.contains(char::is_control)
            || (source.starts_with("git+") && !commit.is_some_and(is_commit))
        {
            let source = source.escape_debug();
            return Err(format!("`{source}` is not where a package comes from"));
        }
        let sha256 = digest.digits().to_owned();
        Ok(LockedDependency { name, version, kind, source, sha256, needs })
    }
}

impl RawPackage {
    fn build(self) -> Result<Package, String> {
        let Self { toolchain, platform, purl, source, from, file, .. } = self;
        let pin = match (self.tree, self.sha256, self.size) {
            (Some(tree), sha256, None) => Pin::Tree { tree, sha256: sha256.map(|sha256| sha256.0) },
            (None, Some(sha256), Some(size)) => Pin::File(file_digest(&sha256.0, size)?),
            _ => {
                return Err(format!(
                    "package `{purl}` is pinned by `tree`, or by `sha256` and `size` together"
                ));
            }
        };
        if file.is_none() && matches!(pin, Pin::File(_)) {
            return Err(format!("package `{purl}` has no `file`"));
        }
        Ok(Package { toolchain, platform, purl, source, from, file, pin })
    }
}

fn file_digest(sha256: &str, size: u64) -> Result<Digest, String> {
    let name = DigestFunction::Sha256.name();
    Digest::from_str(&format!("{name}:{sha256}/{size}")).map_err(|error| error.to_string())
}

/// Returns the line and column of a byte offset, both counted from 1.
fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_short_tables_are_a_lock() {
        let text = r#"
            [toolchains]
            cargo-component = "0.20.0"
            wasm-tools = "1.219.1"
            componentize-py = "0.15.0"

            [checksums]
            cargo-component = "sha256:abc123..."
        "#;
        let lock = Lock::parse(text, Path::new("run.lock.toml")).unwrap();
        assert_eq!(lock.version("wasm-tools"), Some("1.219.1"));
        assert_eq!(lock.checksums["cargo-component"].to_string(), "sha256:abc123...");
        assert!(lock.image("componentize-py", Platform::X86_64Linux).is_err());
    }

    #[test]
    fn an_absent_lock_is_none() {
        assert!(Lock::read(Path::new("/nonexistent/run.lock.toml")).unwrap().is_none());
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let check = |text: &str, expect: &str| {
            let error = Lock::parse(text, Path::new("run.lock.toml")).unwrap_err().to_string();
            assert_eq!(error, format!("run.lock.toml:{expect}"));
        };
        let hex = "0".repeat(64);
        check(
            "[toolchains]\n[checksum]\n",
            "2:2: unknown field `checksum`, expected one of `toolchains`, `checksums`, `image`, `package`, `dependency`",
        );
        check(
            "[toolchains]\nrust = \"1\"\n[checksums]\nrust = \"md5:0\"\n",
            "4:8: `md5:0` is no checksum (`sha256:HEX` or `blake3:HEX`)",
        );
        check("[checksums]\nrust = \"sha256:0\"\n", "2:1: toolchain `rust` is not in [toolchains]");
        let image = |tree: &str| {
            format!(
                "[toolchains]\nrust = \"1\"\n[[image]]\ntoolchain = \"rust\"\nplatform = \"x86_64-linux\"\nrecipe = \"r\"\ntree = \"{tree}\"\n"
            )
        };
        check(&image("sha256:00/1"), "7:8: `sha256:00/1` is no tree digest (`blake3:HEX/SIZE`)");
        let one = image(&format!("blake3:{hex}/1"));
        let two = format!("{one}{}", &one[one.find("[[").unwrap()..]);
        check(&two, "8:1: `rust` has two images for x86_64-linux");
        let package = |rest: &str| {
            format!(
                "{one}[[package]]\ntoolchain = \"rust\"\nplatform = \"x86_64-linux\"\npurl = \"pkg:a/b@1\"\nsource = \"url\"\nfrom = \"u\"\n{rest}\n"
            )
        };
        check(
            &package("sha256 = \"0\""),
            "14:10: `0` is no SHA-256 (64 lower-case hexadecimal digits)",
        );
        check(
            &package(&format!("sha256 = \"{hex}\"")),
            "8:1: package `pkg:a/b@1` is pinned by `tree`, or by `sha256` and `size` together",
        );
        check(
            &package(&format!("sha256 = \"{hex}\"\nsize = 1")),
            "8:1: package `pkg:a/b@1` has no `file`",
        );
        check(
            &package("x = 1").replacen("\"rust\"\nplatform", "\"zig\"\nplatform", 1),
            "14:1: unknown field `x`, expected one of `toolchain`, `platform`, `purl`, `source`, `from`, `file`, `sha256`, `size`, `tree`",
        );
    }
}
