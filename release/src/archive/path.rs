//! Checks the paths of a release. What is not one of them has no place in an archive, so nothing can be written elsewhere.
//!
//! The part of a file in a release follows from its folder alone. Names that some file system can't hold, or takes for
//! others, are refused on all of them: a release that unpacks here unpacks everywhere, to the same files.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use super::error::ArchiveError;
use crate::keys::KeyId;
use crate::text::{is_plain, printable};

/// The name of the list of the files.
pub(super) const SUMS: &str = "SHA256SUMS";

/// The path of a file in the folder of a release, `SHA256SUMS` excepted.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct MemberPath(String);

/// The part that a file has in a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place<'a> {
    /// An attestation, with the beginning of the name of its key.
    Attestation(&'a str),
    /// The component of this name.
    Component(&'a str),
    /// The bill of materials of the component of this name.
    Sbom(&'a str),
    /// The file of the project with this path.
    Source(&'a str),
}

/// The reason why a path is not one of a release.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{path}` is not a path of a release: {reason}")]
pub struct PathError {
    path: String,
    reason: &'static str,
}

impl MemberPath {
    /// Returns the path with `/` between names.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns what the file is.
    #[must_use]
    pub fn place(&self) -> Place<'_> {
        place(&self.0).expect("a path is checked when it is made")
    }

    /// Returns true if the file was made by the build.
    pub(super) fn is_made(&self) -> bool {
        matches!(self.place(), Place::Component(_) | Place::Sbom(_))
    }
}

impl FromStr for MemberPath {
    type Err = PathError;

    fn from_str(path: &str) -> Result<Self, PathError> {
        match names(path).and_then(|()| place(path)) {
            Ok(_) => Ok(Self(path.to_owned())),
            Err(reason) => Err(wrong(path, reason)),
        }
    }
}

impl Borrow<str> for MemberPath {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MemberPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for MemberPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

fn wrong(path: &str, reason: &'static str) -> PathError {
    PathError { path: printable(path, 200), reason }
}

/// Checks that each name of a path can be the name of a file on every system, and leads downwards.
fn names(path: &str) -> Result<(), &'static str> {
    if !is_plain(path) {
        return Err("it is empty or has invisible characters");
    }
    if path.contains(['\\', ':', '*', '?', '"', '<', '>', '|']) {
        return Err("it has a character that is not allowed in names of files everywhere");
    }
    for name in path.split('/') {
        match name {
            "" => return Err("a name in it is empty"),
            "." | ".." => return Err("it leads to another folder"),
            _ if name.ends_with(['.', ' ']) => {
                return Err("a name in it ends with a point or a space");
            }
            _ => {}
        }
    }
    Ok(())
}

fn place(path: &str) -> Result<Place<'_>, &'static str> {
    let (folder, rest) = path.split_once('/').ok_or("it is in no folder of a release")?;
    match folder {
        "attestations" => {
            let digits = rest.strip_suffix(".sigstore.json").filter(|digits| {
                digits.len() == 16 && digits.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'))
            });
            digits.map(Place::Attestation).ok_or("an attestation is called KEY.sigstore.json")
        }
        "components" => {
            let name = rest.strip_suffix(".wasm").filter(|name| is_component(name));
            name.map(Place::Component).ok_or("a component is called NAME.wasm")
        }
        "sbom" => {
            let name = rest.strip_suffix(".cdx.json").filter(|name| is_component(name));
            name.map(Place::Sbom).ok_or("a bill of materials is called NAME.cdx.json")
        }
        "source" => Ok(Place::Source(rest)),
        _ => Err("it is in no folder of a release"),
    }
}

/// Returns true if a component may have this name, by the rule of WIT.
fn is_component(name: &str) -> bool {
    let is_word = |word: &str| {
        !word.is_empty() && word.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
    };
    name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.split('-').all(is_word)
}

/// Checks the name of the folder of a release.
pub(super) fn root(name: &str) -> Result<String, PathError> {
    let fits = |c: u8| c.is_ascii_alphanumeric() || b"._+-".contains(&c);
    if name.len() > 90 || !name.bytes().all(fits) {
        return Err(wrong(name, "a folder is called PROJECT-VERSION, with at most 90 characters"));
    }
    if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) || name.ends_with('.') {
        return Err(wrong(
            name,
            "a folder is called PROJECT-VERSION, and begins with a letter or digit",
        ));
    }
    Ok(name.to_owned())
}

/// Returns the path of what a key says.
pub(super) fn attestation(key: &KeyId) -> String {
    format!("attestations/{}.sigstore.json", key.short())
}

/// Checks that a path fits into a header of tar.
pub(super) fn fits(root: &str, path: &MemberPath) -> Result<(), PathError> {
    let whole = format!("{root}/{path}");
    let mut header = tar::Header::new_ustar();
    header.set_path(&whole).map_err(|_| wrong(path.as_str(), "it is too long"))?;
    // The bytes that are read back are those that were written, or nobody finds the file.
    if header.path_bytes() == whole.as_bytes() {
        Ok(())
    } else {
        Err(wrong(path.as_str(), "it is too long"))
    }
}

/// Checks that paths can stand beside each other on a file system to which case means nothing.
pub(super) fn clashes<'a>(paths: impl Iterator<Item = &'a MemberPath>) -> Result<(), ArchiveError> {
    let mut folded = BTreeMap::new();
    for path in paths {
        if let Some(other) = folded.insert(path.0.to_lowercase(), path) {
            return Err(ArchiveError::Clash(other.to_string(), path.to_string()));
        }
    }
    for (text, path) in &folded {
        let folders = text.match_indices('/').map(|(at, _)| &text[..at]);
        if let Some(file) = folders.filter_map(|folder| folded.get(folder)).next() {
            return Err(ArchiveError::Clash(file.to_string(), path.to_string()));
        }
    }
    Ok(())
}
