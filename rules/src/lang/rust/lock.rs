//! `Cargo.lock`: the third-party crates of a workspace and the checksums that pin them.
//!
//! Format: the Cargo book, "Cargo.toml vs Cargo.lock"; the checksum is the SHA-256 of the `.crate`
//! file. A crate without one (a git dependency) cannot be pinned and is refused by name.

use std::path::Path;

use serde::Deserialize;

use super::CargoError;
use crate::bounded;
use crate::path::ProjectPath;

/// A crate from a registry, pinned.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LockedCrate {
    pub(super) name: String,
    pub(super) version: String,
    /// Where the lock says that it comes from, as Cargo spells it: `registry+…` or `sparse+…`.
    pub(super) source: String,
    /// SHA-256 of the `.crate` file, lowercase hexadecimal.
    pub(super) checksum: String,
}

impl LockedCrate {
    /// The name of its folder among vendored crates, and of its archive.
    pub(super) fn folder(&self) -> String {
        format!("{}-{}", self.name, self.version)
    }
}

#[derive(Deserialize)]
struct Lockfile {
    #[serde(default)]
    package: Vec<LockedPackage>,
}

#[derive(Deserialize)]
struct LockedPackage {
    name: String,
    version: String,
    source: Option<String>,
    checksum: Option<String>,
}

/// Reads the crates of the lockfile `lock`, sorted.
pub(super) fn read(project: &Path, lock: &ProjectPath) -> Result<Vec<LockedCrate>, CargoError> {
    let text = match bounded::read_text(&lock.on_disk(project)) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(CargoError::NoLockfile { manifest: lock.parent().join("Cargo.toml") });
        }
        Err(source) => return Err(CargoError::Read { path: lock.clone(), source }),
    };
    parse(&text, lock)
}

fn parse(text: &str, lock: &ProjectPath) -> Result<Vec<LockedCrate>, CargoError> {
    let lockfile: Lockfile = toml::from_str(text)
        .map_err(|source| CargoError::Parse { manifest: lock.clone(), source: source.into() })?;
    let mut crates = lockfile
        .package
        .into_iter()
        .filter_map(|package| pinned(package, lock).transpose())
        .collect::<Result<Vec<_>, _>>()?;
    crates.sort();
    Ok(crates)
}

/// The pin of a package; `None` for one of the workspace itself.
fn pinned(package: LockedPackage, lock: &ProjectPath) -> Result<Option<LockedCrate>, CargoError> {
    let LockedPackage { name, version, source, checksum } = package;
    let Some(source) = source else { return Ok(None) };
    let is_plain = |text: &str| {
        !text.is_empty()
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.+".contains(&b))
            && !text.starts_with('.')
    };
    if !is_plain(&name) || !is_plain(&version) {
        return Err(CargoError::BadLockEntry { lock: lock.clone(), name });
    }
    let is_sha256 = |sum: &String| {
        sum.len() == 64 && sum.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    let from_registry = source.starts_with("registry+") || source.starts_with("sparse+");
    match checksum.filter(is_sha256) {
        Some(checksum) if from_registry => {
            Ok(Some(LockedCrate { name, version, source, checksum }))
        }
        _ => Err(CargoError::Unpinned { lock: lock.clone(), name, version, origin: source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUM: &str = "b05b61dc5112cbb17e4b6cd61790d9845d13888356391624cbe7e41efeac1e75";

    #[test]
    fn reads_registry_crates_and_refuses_the_rest() {
        let check = |entry: &str, expect: Result<&[&str], &str>| {
            let text = format!("version = 4\n\n[[package]]\n{entry}\n");
            let lock = ProjectPath::parse("Cargo.lock").unwrap();
            let got = parse(&text, &lock);
            let got = got.map(|c| c.iter().map(LockedCrate::folder).collect::<Vec<_>>());
            let got = got.map_err(|error| error.to_string());
            assert_eq!(
                got,
                expect.map(|c| c.iter().map(ToString::to_string).collect()).map_err(str::to_owned)
            );
        };
        check("name = \"own\"\nversion = \"0.1.0\"", Ok(&[]));
        check(
            &format!(
                "name = \"a\"\nversion = \"1.0.0\"\nsource = \"registry+x\"\nchecksum = \"{SUM}\""
            ),
            Ok(&["a-1.0.0"]),
        );
        check(
            "name = \"a\"\nversion = \"1.0.0\"\nsource = \"git+file:///a#1234\"",
            Err(
                "Cargo.lock: crate `a` 1.0.0 comes from `git+file:///a#1234` without a checksum, so it can't be pinned",
            ),
        );
        check(
            &format!(
                "name = \"../a\"\nversion = \"1.0.0\"\nsource = \"registry+x\"\nchecksum = \"{SUM}\""
            ),
            Err("Cargo.lock: `../a` is not a package entry that Cargo writes"),
        );
    }
}
