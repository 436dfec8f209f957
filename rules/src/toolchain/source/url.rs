//! An archive at a URL, which the catalogue pins by a checksum. The archive of a toolchain that the user adds
//! may be pinned by what comes.

use cache::{Digest, DigestFunction};

use super::error::SourceError;
use super::resolved::Resolved;
use super::session::Session;
use crate::package::Purl;
use crate::package::fetch::Request;
use crate::toolchain::Recipe;
use crate::toolchain::lock::{Package, Pin, SourceKind};
use crate::toolchain::origin::UrlArchive;

/// The longest archive that is fetched while its size is not known, in bytes.
const MAX_SIZE: u64 = 2 << 30;

/// Fetches the archive to find out its size, and keeps it in the store. If the origin has no checksum, the
/// bytes that come are pinned.
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

/// Returns the last part of a URL's path.
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
