//! An archive at a URL, pinned by the catalogue itself.

use cache::{Digest, DigestFunction};

use super::{Resolved, Session, SourceError};
use crate::toolchain::catalogue::UrlArchive;
use crate::toolchain::fetch::Request;
use crate::toolchain::lock::{Package, Pin, SourceKind};
use crate::toolchain::{Purl, Recipe};

/// The longest archive that is fetched while its size is not known.
const MAX_SIZE: u64 = 2 << 30;

/// Fetches the archive, to learn its size, and keeps it. Without a checksum, what comes is pinned.
pub(super) fn resolve(
    session: &Session<'_>,
    from: &UrlArchive,
    recipe: &Recipe,
) -> Result<Resolved, SourceError> {
    let file = file_name(&from.url);
    let request = Request { url: &from.url, name: file, size: None, limit: MAX_SIZE };
    let bytes = session.http()?.get(request, session.events, &|| session.cancelled())?;
    let pin = match &from.sha256 {
        Some(sha256) => digest(sha256, bytes.len())?,
        None => Digest::of(DigestFunction::Sha256, &bytes),
    };
    session.keep(file, &pin, &bytes)?;
    Ok(Resolved {
        purl: Purl::new("generic", &recipe.toolchain, &recipe.version, &[]),
        source: SourceKind::Url,
        key: from.url.clone(),
        from: from.url.clone(),
        file: Some(file.to_owned()),
        pin: Pin::File(pin),
    })
}

/// The last part of a URL's path.
fn file_name(url: &str) -> &str {
    let path = url.split(['?', '#']).next().unwrap_or(url);
    path.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or(url)
}

fn digest(sha256: &str, size: usize) -> Result<Digest, SourceError> {
    let text = format!("{}:{sha256}/{size}", DigestFunction::Sha256.name());
    text.parse().map_err(|_| SourceError::BadChecksum(sha256.to_owned()))
}

/// Fetches the locked archive.
pub(super) fn fetch(
    session: &Session<'_>,
    package: &Package,
    size: u64,
) -> Result<Vec<u8>, SourceError> {
    let name = package.display_name();
    let request = Request { url: &package.from, name, size: Some(size), limit: size };
    Ok(session.http()?.get(request, session.events, &|| session.cancelled())?)
}
