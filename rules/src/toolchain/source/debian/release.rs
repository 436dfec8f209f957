//! A suite's release file. It is signed and contains the SHA-256 of each index.
//!
//! Source: the Debian repository format (wiki.debian.org/DebianRepository/Format).

use std::fs;
use std::path::PathBuf;

use cache::{Digest, DigestFunction};

use super::stanza;
use crate::package::Event;
use crate::package::environment::APT;
use crate::package::fetch::{Client, ClientError};
use crate::toolchain::source::error::DebianError;
use crate::toolchain::source::session::Session;

const BEGIN: &str = "-----BEGIN PGP SIGNED MESSAGE-----";
const SIGNATURE: &str = "-----BEGIN PGP SIGNATURE-----";

/// The signed text of a release file.
#[derive(Debug)]
pub(super) struct Release {
    text: String,
}

/// An index whose checksum the release file contains.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct IndexFile {
    /// The path of the index below the suite's folder.
    pub(super) path: String,
    /// The SHA-256 and size of the index.
    pub(super) digest: Digest,
}

impl Release {
    /// Checks the signature of an `InRelease` file with the keys of `keyrings`. The user is warned if this
    /// machine can't check it, because gpgv or the keyring is missing.
    ///
    /// # Errors
    /// The signature is bad, or the file is not a release file of the suite.
    pub(super) fn verified(
        session: &Session<'_>,
        suite: &str,
        signed: &[u8],
        keyrings: &[PathBuf],
    ) -> Result<Self, DebianError> {
        let unchecked = |why: &str| {
            let warning = format!("the signature of Debian {suite} was not checked: {why}");
            session.events.event(Event::Warning(&warning));
            Self::unverified(suite, signed)
        };
        if keyrings.is_empty() {
            return unchecked(
                "there is no keyring of Debian on this machine (package debian-archive-keyring)",
            );
        }
        match check(session, suite, signed, keyrings) {
            Err(DebianError::Client(ClientError::Missing { .. })) => {
                unchecked("gpgv is not installed")
            }
            Ok(text) => Self::of(suite, text),
            Err(error) => Err(error),
        }
    }

    fn unverified(suite: &str, signed: &[u8]) -> Result<Self, DebianError> {
        let text = String::from_utf8_lossy(signed);
        let body = message(&text).ok_or_else(|| DebianError::BadRelease(suite.to_owned()))?;
        Self::of(suite, body)
    }

    fn of(suite: &str, text: String) -> Result<Self, DebianError> {
        let release = Self { text };
        let names = ["Codename", "Suite"].map(|field| release.field(field));
        if names.iter().flatten().any(|name| name == suite) {
            return Ok(release);
        }
        Err(DebianError::BadRelease(suite.to_owned()))
    }

    fn field(&self, name: &str) -> Option<String> {
        stanza::all(&self.text).next()?.get(name)
    }

    /// Returns the index of the binary packages, in the best compression that the release has.
    pub(super) fn packages(&self, component: &str, architecture: &str) -> Option<IndexFile> {
        let sums = self.field("SHA256")?;
        let base = format!("{component}/binary-{architecture}/Packages");
        ["xz", "gz"].into_iter().find_map(|extension| {
            let path = format!("{base}.{extension}");
            let digest = sums.lines().find_map(|line| checksum(line, &path))?;
            Some(IndexFile { path, digest })
        })
    }
}

/// Reads a line `hex size path`, and returns the digest if the path is this one.
fn checksum(line: &str, path: &str) -> Option<Digest> {
    let mut words = line.split_whitespace();
    let (hex, size, named) = (words.next()?, words.next()?, words.next()?);
    let digest = format!("{}:{hex}/{size}", DigestFunction::Sha256).parse().ok()?;
    (named == path).then_some(digest)
}

/// Returns the message in a clear-signed text.
fn message(text: &str) -> Option<String> {
    let (_, rest) = text.split_once(BEGIN)?;
    let (_, rest) = rest.split_once("\n\n")?;
    let (body, _) = rest.split_once(SIGNATURE)?;
    let unescaped = body.lines().map(|line| line.strip_prefix("- ").unwrap_or(line));
    Some(unescaped.collect::<Vec<_>>().join("\n"))
}

/// Returns the signed text if there is a good signature and no bad one.
fn check(
    session: &Session<'_>,
    suite: &str,
    signed: &[u8],
    keyrings: &[PathBuf],
) -> Result<String, DebianError> {
    let scratch = session.store.scratch()?;
    let (input, output) = (scratch.path().join("InRelease"), scratch.path().join("Release"));
    let unusable = |path: PathBuf| move |source| DebianError::Configuration { path, source };
    fs::write(&input, signed).map_err(unusable(input.clone()))?;
    let client = Client { program: &session.registries.programs.gpgv, install: "install gpgv" };
    let ended = session.run(client, APT, |command| {
        command.args(["--status-fd", "1", "--output"]).arg(&output);
        for keyring in keyrings {
            command.arg("--keyring").arg(keyring);
        }
        command.arg(&input);
    })?;
    // There may be several signatures. One by a key that this machine does not know yet does no harm.
    let said = ended.text();
    let has = |word: &str| said.lines().any(|line| line.starts_with(&format!("[GNUPG:] {word} ")));
    if !has("GOODSIG") || !has("VALIDSIG") || has("BADSIG") {
        return Err(DebianError::BadSignature { suite: suite.to_owned(), output: said });
    }
    fs::read_to_string(&output).map_err(unusable(output))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
-----BEGIN PGP SIGNED MESSAGE-----
Hash: SHA256

Origin: Debian
Suite: oldstable
Codename: bookworm
SHA256:
 0000000000000000000000000000000000000000000000000000000000000001 30 main/binary-amd64/Packages
 0000000000000000000000000000000000000000000000000000000000000002 20 main/binary-amd64/Packages.gz
 0000000000000000000000000000000000000000000000000000000000000003 10 main/binary-amd64/Packages.xz
 0000000000000000000000000000000000000000000000000000000000000004 10 main/binary-arm64/Packages.gz
- - dashed
-----BEGIN PGP SIGNATURE-----

iQIz
-----END PGP SIGNATURE-----
";

    #[test]
    fn indexes_are_found() {
        let release = Release::unverified("bookworm", TEXT.as_bytes()).unwrap();
        let index = release.packages("main", "amd64").unwrap();
        assert_eq!(index.path, "main/binary-amd64/Packages.xz");
        assert_eq!(index.digest.size(), 10);
        assert_eq!(
            release.packages("main", "arm64").unwrap().digest.hex().chars().last(),
            Some('4')
        );
        assert_eq!(release.packages("contrib", "amd64"), None);
        assert!(Release::unverified("oldstable", TEXT.as_bytes()).is_ok());
    }

    #[test]
    fn another_suite_or_no_release_is_refused() {
        for (suite, text) in [("trixie", TEXT), ("bookworm", "<html>")] {
            let error = Release::unverified(suite, text.as_bytes()).unwrap_err();
            assert!(matches!(error, DebianError::BadRelease(_)), "{error}");
        }
    }

    #[test]
    fn only_the_signed_message_is_read() {
        let text = format!("Codename: evil\n\n{TEXT}\nCodename: evil\n");
        let release = Release::unverified("bookworm", text.as_bytes()).unwrap();
        assert!(!release.text.contains("evil"));
        assert!(release.text.ends_with("\n- dashed"));
    }
}
