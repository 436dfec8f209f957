//! `go.sum`: the checksums that pin modules, and how they are computed.
//!
//! A checksum is `Hash1` of golang.org/x/mod/sumdb/dirhash: SHA-256 over a line for each file, sorted
//! by name, with the SHA-256 of the file and its name. A module zip has one, and its go.mod has one.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Read as _};

use cache::{Digest, DigestFunction, Hasher};

use super::error::GoError;
use super::manifest::Version;
use crate::path::ProjectPath;

/// The entries of a go.sum.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Sums {
    /// Module → checksum of its zip.
    pub(super) zips: BTreeMap<Version, String>,
    /// Module → checksum of its go.mod.
    pub(super) manifests: BTreeMap<Version, String>,
}

impl Sums {
    /// Reads a go.sum; `file` is its path, for messages.
    pub(super) fn parse(text: &str, file: &ProjectPath) -> Result<Self, GoError> {
        let mut sums = Self::default();
        for (number, line) in text.lines().enumerate() {
            let words: Vec<&str> = line.split_ascii_whitespace().collect();
            match words.as_slice() {
                [] => {}
                [path, version, sum] if is_plain(path) && is_plain(version) => {
                    let (version, of) = match version.strip_suffix("/go.mod") {
                        Some(version) => (version, &mut sums.manifests),
                        None => (*version, &mut sums.zips),
                    };
                    // Other algorithms than `h1` may stand beside it one day.
                    if sum.starts_with("h1:") {
                        of.insert(Version::new(path, version), (*sum).to_owned());
                    }
                }
                _ => return Err(GoError::BadSum { file: file.clone(), line: number + 1 }),
            }
        }
        Ok(sums)
    }
}

/// Returns true if `text` is a path that stays below a folder: nothing in go.sum may lead out of the module
/// cache.
fn is_plain(text: &str) -> bool {
    let part = |part: &str| !part.is_empty() && !part.starts_with('.');
    text.split('/').all(part)
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.~+!/".contains(&b))
}

/// The largest size of a module zip, and of all files in it together, in bytes (golang.org/x/mod/zip,
/// `MaxZipFile`).
pub(super) const MAX_ZIP: u64 = 500 << 20;

/// Returns the checksum of a module zip.
///
/// # Errors
/// The zip is damaged, it unpacks to more than [`MAX_ZIP`], or `cancelled` returned true.
pub(super) fn of_zip(bytes: &[u8], cancelled: &dyn Fn() -> bool) -> io::Result<String> {
    let mut archive = zip::ZipArchive::new(io::Cursor::new(bytes))?;
    let mut files = BTreeMap::new();
    let mut left = usize::try_from(MAX_ZIP).unwrap_or(usize::MAX);
    for index in 0..archive.len() {
        let mut file = archive.by_index(index)?;
        let name = String::from_utf8(file.name_raw().to_vec()).map_err(io::Error::other)?;
        let mut hasher = Hasher::new(DigestFunction::Sha256);
        let mut buffer = [0; 1 << 14];
        loop {
            let length = file.read(&mut buffer)?;
            if length == 0 {
                break;
            }
            let too_big = || io::Error::other(format!("it unpacks to more than {MAX_ZIP} bytes"));
            left = left.checked_sub(length).ok_or_else(too_big)?;
            if cancelled() {
                return Err(io::ErrorKind::Interrupted.into());
            }
            hasher.update(&buffer[..length]);
        }
        files.insert(name, hasher.finish().hex());
    }
    Ok(hash(&files))
}

/// Returns the checksum of a go.mod.
pub(super) fn of_manifest(bytes: &[u8]) -> String {
    hash(&BTreeMap::from([("go.mod".to_owned(), sha256(bytes).hex())]))
}

fn hash(files: &BTreeMap<String, String>) -> String {
    let mut text = String::new();
    for (name, sum) in files {
        let _ = writeln!(text, "{sum}  {name}");
    }
    format!("h1:{}", base64(sha256(text.as_bytes()).hash()))
}

fn sha256(bytes: &[u8]) -> Digest {
    Digest::of(DigestFunction::Sha256, bytes)
}

/// Encodes bytes in base64 (RFC 4648, section 4).
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let at = |index: usize| u32::from(chunk.get(index).copied().unwrap_or_default());
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for place in 0..4 {
            let digit = ALPHABET[(bits >> (18 - 6 * place)) as usize & 63];
            text.push(if place <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zips_and_manifests_are_told_apart() {
        let file = ProjectPath::parse("go.sum").unwrap();
        let text =
            "a.org/x v1.0.0 h1:AA=\na.org/x v1.0.0/go.mod h1:BB=\n\nb.org/y v0.1.0/go.mod h1:CC=\n";
        let sums = Sums::parse(text, &file).unwrap();
        assert_eq!(
            sums.zips,
            BTreeMap::from([(Version::new("a.org/x", "v1.0.0"), "h1:AA=".into())])
        );
        assert_eq!(sums.manifests.len(), 2);
        let check = |text: &str| {
            let error = Sums::parse(text, &file).unwrap_err().to_string();
            assert_eq!(error, "go.sum:1: it is not an entry that the go command writes");
        };
        check("a.org/x v1.0.0");
        check("../x v1.0.0 h1:AA=");
        check("a.org/x ../v1.0.0 h1:AA=");
    }

    #[test]
    fn checksums_are_those_of_the_go_command() {
        // `rsc.io/quote v1.5.2`, as in every go.sum that has it.
        let manifest = "module \"rsc.io/quote\"\n\nrequire \"rsc.io/sampler\" v1.3.0\n";
        assert_eq!(
            of_manifest(manifest.as_bytes()),
            "h1:LzX7hefJvL54yjefDEDHNONDjII0t9xZLPXsUe+TKr0="
        );
        assert_eq!(base64(b"a"), "YQ==");
        assert_eq!(base64(b"ab"), "YWI=");
        assert_eq!(base64(b"abc"), "YWJj");
    }
}
