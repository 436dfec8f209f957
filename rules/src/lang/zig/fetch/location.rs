//! Reads the URL of a package in a manifest, and fetches what is there. It knows the schemes that zig
//! accepts, and nothing of packages or their hashes.

use std::path::PathBuf;

use crate::package::download::Downloads;
use crate::package::fetch::{Request, read_file};
use crate::package::git::{self, GitError};
use crate::package::unpack::Format;
use crate::package::{HttpError, UnpackError};
use crate::redact::mask_urls;

/// The largest size of an archive, in bytes.
pub(super) const MAX_ARCHIVE: u64 = 1 << 30;

/// The place that a package is fetched from.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Location {
    /// An archive on a server.
    Web { url: String },
    /// An archive on this machine.
    File { path: PathBuf },
    /// A commit of a repository.
    Git { url: String, reference: String },
}

/// An error for which a package's bytes could not be fetched.
#[derive(Debug, thiserror::Error)]
pub(super) enum LocationError {
    #[error(
        "`{0}` is not a URL that zig fetches from: it has to begin with https://, http://, file:///, \
         git+https:// or git+http://"
    )]
    Unsupported(String),
    #[error("`{0}` does not say which commit; add it: `{0}#COMMIT`")]
    NoReference(String),
    #[error("`{0}` names a commit by characters that no name of one has")]
    BadReference(String),
    #[error(transparent)]
    Http(#[from] HttpError),
    #[error("cannot fetch {url}")]
    Git { url: String, source: GitError },
    #[error("`{url}` is not an archive that zig unpacks (tar, tar.gz, tar.xz, tar.zst, zip)")]
    Format { url: String, source: UnpackError },
}

/// An archive as it was fetched.
pub(super) struct Archive {
    pub(super) format: Format,
    pub(super) bytes: Vec<u8>,
    /// True if the archive may have one folder around everything, which is not part of the package.
    pub(super) strip: bool,
}

impl Location {
    /// Reads the `.url` of a dependency.
    ///
    /// # Errors
    /// The URL is not one that zig would accept.
    pub(super) fn parse(text: &str) -> Result<Self, LocationError> {
        let unsupported = || LocationError::Unsupported(mask_urls(text).into_owned());
        if let Some(rest) = strip_scheme(text, "git+") {
            let (url, reference) = rest.split_once('#').unwrap_or((rest, ""));
            if !is_web(url) {
                return Err(unsupported());
            }
            if reference.is_empty() {
                return Err(LocationError::NoReference(mask_urls(text).into_owned()));
            }
            if !git::is_reference(reference) {
                return Err(LocationError::BadReference(mask_urls(text).into_owned()));
            }
            return Ok(Self::Git { url: url.to_owned(), reference: reference.to_owned() });
        }
        if is_web(text) {
            return Ok(Self::Web { url: text.to_owned() });
        }
        let url = reqwest::Url::parse(text).map_err(|_| unsupported())?;
        match (url.scheme(), url.to_file_path()) {
            // A relative path would depend on the folder that zig happens to be run in.
            ("file", Ok(path)) if strip_scheme(text, "file://").is_some() => {
                Ok(Self::File { path })
            }
            _ => Err(unsupported()),
        }
    }

    /// Fetches the archive. Progress is shown under `name`.
    ///
    /// # Errors
    /// See [`LocationError`].
    pub(super) fn fetch(
        &self,
        name: &str,
        downloads: &Downloads<'_>,
        git: &git::Git<'_>,
    ) -> Result<Archive, LocationError> {
        let (shown, bytes) = match self {
            Self::Web { url } => {
                let request = Request { url, name, size: None, limit: MAX_ARCHIVE };
                (mask_urls(url).into_owned(), downloads.get(request, None)?)
            }
            Self::File { path } => (path.display().to_string(), read_file(path, MAX_ARCHIVE)?),
            Self::Git { url, reference } => {
                let bytes = git.archive(url, reference).map_err(|source| match source {
                    GitError::Read(error) => LocationError::Http(error),
                    source => LocationError::Git { url: mask_urls(url).into_owned(), source },
                })?;
                return Ok(Archive { format: Format::Tar, bytes, strip: false });
            }
        };
        let format = format(&shown, &bytes);
        let format = format.map_err(|source| LocationError::Format { url: shown, source })?;
        Ok(Archive { format, bytes, strip: true })
    }
}

/// Detects the format from the bytes. Zig goes by the server's answer and the name, but the bytes are more
/// reliable, and the hash judges the result in any case.
fn format(name: &str, bytes: &[u8]) -> Result<Format, UnpackError> {
    match Format::detect(name, bytes) {
        Ok(Format::Wheel | Format::Zip) => Ok(Format::Zip),
        Ok(Format::Deb) => Err(UnpackError::UnknownFormat),
        // Old tar archives have no magic number.
        Err(_) if name.to_ascii_lowercase().ends_with(".tar") => Ok(Format::Tar),
        other => other,
    }
}

fn is_web(url: &str) -> bool {
    strip_scheme(url, "https://").or_else(|| strip_scheme(url, "http://")).is_some()
}

/// Returns the text after a scheme, which may be written in capitals.
fn strip_scheme<'a>(url: &'a str, scheme: &str) -> Option<&'a str> {
    let (start, rest) = url.split_at_checked(scheme.len())?;
    start.eq_ignore_ascii_case(scheme).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_those_that_zig_takes() {
        let check = |url: &str, expect: Result<Location, &str>| {
            let found = Location::parse(url).map_err(|error| error.to_string());
            match (found, expect) {
                (Ok(found), Ok(expect)) => assert_eq!(found, expect, "{url}"),
                (Err(found), Err(expect)) => assert!(found.contains(expect), "{url}: {found}"),
                (found, expect) => panic!("{url}: {found:?}, not {expect:?}"),
            }
        };
        let web = |url: &str| Ok(Location::Web { url: url.to_owned() });
        check("https://a.org/x.tar.gz?a=b", web("https://a.org/x.tar.gz?a=b"));
        check("HTTP://a.org/x", web("HTTP://a.org/x"));
        let git = |url: &str, reference: &str| {
            Ok(Location::Git { url: url.to_owned(), reference: reference.to_owned() })
        };
        check("git+https://a.org/x.git#v1.0", git("https://a.org/x.git", "v1.0"));
        check("git+http://a.org/x?ref=old#deadbeef", git("http://a.org/x?ref=old", "deadbeef"));
        check("file:///a%20b.tar", Ok(Location::File { path: "/a b.tar".into() }));
        check("git+https://a.org/x.git", Err("does not say which commit"));
        for reference in
            ["--upload-pack=/bin/evil", "a:b", "+a", "a b", "a/../b", "^a", "a@{1}", "/a"]
        {
            let url = format!("git+https://a.org/x#{reference}");
            check(&url, Err("names a commit by characters"));
        }
        let elsewhere = "is not a URL that zig fetches from";
        for url in [
            "git+ssh://git@a.org/x#v1",
            "git+file:///x#v1",
            "git+ext::sh -c evil#v1",
            "ftp://a.org/x.tar",
            "file:x.tar",
            "file://host/x.tar",
            "x.tar",
            "",
            "ä",
        ] {
            check(url, Err(elsewhere));
        }
        check("ftp://me:secret@a.org/x", Err("`ftp://***@a.org/x` is not"));
    }
}
