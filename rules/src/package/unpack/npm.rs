//! Places the files of an npm package as npm installs them.
//!
//! As npm does, it drops the first folder of every path, whatever its name (mostly `package`), skips links,
//! and makes executable what the package's manifest lists as a program (`bin`). The package's scripts are
//! never run.

use std::cell::Cell;
use std::io::Read as _;

use ::tar::{Archive, EntryType};
use serde::Deserialize;
use serde_json::Value;

use super::collect::Collector;
use super::limits::Bounded;
use super::{Limits, UnpackError, compression, tar};

/// The largest size of a package's manifest, in bytes.
const MANIFEST_LIMIT: u64 = 4 << 20;

/// The fields of `package.json` that are read.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct NpmManifest {
    /// The package's name.
    pub(crate) name: Option<String>,
    /// The package's version.
    pub(crate) version: Option<String>,
    /// The C libraries that the package is made for.
    #[serde(default)]
    pub(crate) libc: Value,
    #[serde(default)]
    bin: Value,
    #[serde(default)]
    directories: Value,
}

/// Takes the files of a package to the folder `place`, or to the root if `place` is empty.
pub(super) fn unpack(
    collector: &mut Collector<'_>,
    place: &str,
    bytes: &[u8],
) -> Result<(), UnpackError> {
    let manifest = manifest(bytes).unwrap_or_default();
    tar::unpack(collector, bytes, |name, kind| {
        if matches!(kind, EntryType::Link | EntryType::Symlink) {
            return None;
        }
        let inner = without_top(&name)?;
        let placed = [place.as_bytes(), b"/", inner].concat();
        let placed = if place.is_empty() { inner.to_vec() } else { placed };
        Some((placed, manifest.is_program(&String::from_utf8_lossy(inner))))
    })
}

/// Returns the manifest of a package, or `None` if the bytes are no package.
pub(crate) fn manifest(bytes: &[u8]) -> Option<NpmManifest> {
    let tripped = Cell::new(None);
    let bounds = Limits::default().bytes_for(Some(bytes.len()));
    let stream = compression::reader(bytes).ok()?;
    let mut archive = Archive::new(Bounded::new(stream, bounds, &tripped));
    for entry in archive.entries().ok()? {
        let entry = entry.ok()?;
        if without_top(&entry.path_bytes()) == Some(b"package.json") {
            let mut text = Vec::new();
            entry.take(MANIFEST_LIMIT).read_to_end(&mut text).ok()?;
            return serde_json::from_slice(&text).ok();
        }
    }
    None
}

fn without_top(name: &[u8]) -> Option<&[u8]> {
    let slash = name.iter().position(|byte| *byte == b'/')?;
    Some(&name[slash + 1..])
}

impl NpmManifest {
    /// Returns true if a file of the package is one of its programs.
    fn is_program(&self, path: &str) -> bool {
        let path = parts(path);
        let named = |value: &Value| value.as_str().is_some_and(|file| parts(file) == path);
        let in_folder = |folder: &str| path.starts_with(&parts(folder));
        match &self.bin {
            Value::Object(programs) => programs.values().any(named),
            Value::Null => self.directories["bin"].as_str().is_some_and(in_folder),
            bin => named(bin),
        }
    }
}

fn parts(path: &str) -> Vec<&str> {
    path.split('/').filter(|part| !part.is_empty() && *part != ".").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_those_of_the_manifest() {
        let check = |manifest: &str, path: &str, expect: bool| {
            let manifest: NpmManifest = serde_json::from_str(manifest).unwrap();
            assert_eq!(manifest.is_program(path), expect, "{path}");
        };
        check(r#"{ "bin": "./cli.js" }"#, "cli.js", true);
        check(r#"{ "bin": "./cli.js" }"#, "lib/cli.js", false);
        check(r#"{ "bin": { "a": "bin/a.js", "b": "bin/b.js" } }"#, "bin/b.js", true);
        check(r#"{ "bin": { "a": "bin/a.js" } }"#, "bin/b.js", false);
        check(r#"{ "directories": { "bin": "./bin" } }"#, "bin/b.js", true);
        check(r#"{ "directories": { "bin": "./bin" } }"#, "binary", false);
        check(r#"{ "bin": {}, "directories": { "bin": "bin" } }"#, "bin/b.js", false);
        check(r#"{ "bin": [1], "directories": "x" }"#, "x", false);
        check("{}", "index.js", false);
    }
}
