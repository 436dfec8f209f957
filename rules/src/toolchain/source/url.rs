//! An archive at a URL, pinned by the catalogue itself.

use cache::DigestFunction;

use super::{Resolved, Session, SourceError};
use crate::toolchain::catalogue::UrlArchive;
use crate::toolchain::fetch::Request;
use crate::toolchain::lock::{Package, Pin, SourceKind};
use crate::toolchain::{Purl, Recipe};

/// The longest archive that is fetched while its size is not known.
const MAX_SIZE: u64 = 2 << 30;

/// Fetches the archive, to learn its size, and keeps it.
pub(super) fn resolve(
    session: &Session<'_>,
    from: &UrlArchive,
    recipe: &Recipe,
) -> Result<Resolved, SourceError> {
    let file = from.url.rsplit('/').next().unwrap_or(&from.url);
    let request = Request { url: &from.url, name: file, size: None, limit: MAX_SIZE };
    let bytes = session.http()?.get(request, session.events, &|| session.cancelled())?;
    let function = DigestFunction::Sha256;
    let expected = format!("{}:{}/{}", function.name(), from.sha256, bytes.len());
    let expected = expected.parse().map_err(|_| SourceError::BadChecksum(from.sha256.clone()))?;
    session.keep(file, &expected, &bytes)?;
    Ok(Resolved {
        purl: Purl::new("generic", &recipe.toolchain, &recipe.version, &[]),
        source: SourceKind::Url,
        key: from.url.clone(),
        from: from.url.clone(),
        file: Some(file.to_owned()),
        pin: Pin::File(expected),
    })
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
