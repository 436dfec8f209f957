//! A folder or an archive on this machine, which holds a toolchain of the user's own. A lock with it serves
//! only machines that have the same files at that path.

use std::path::PathBuf;

use cache::{Digest, DigestFunction};

use crate::bounded;

use super::error::SourceError;
use super::resolved::Resolved;
use super::session::Session;
use crate::package::Purl;
use crate::package::unpack::Contents;
use crate::toolchain::Recipe;
use crate::toolchain::lock::{Package, Pin, SourceKind};
use crate::toolchain::origin::LocalPath;
use crate::toolchain::recipe::Layer;

/// Pins the present content of the path.
pub(super) fn resolve(
    session: &Session<'_>,
    from: &LocalPath,
    layer: &Layer,
    recipe: &Recipe,
) -> Result<Resolved, SourceError> {
    let path = session.local(&from.path);
    let (file, pin) = if path.is_dir() {
        let tree = session.keep_tree(&from.path, &folder(session, &from.path, layer)?)?;
        (None, Pin::Tree { tree, sha256: None })
    } else {
        let bytes = read(path.clone())?;
        let digest = Digest::of(DigestFunction::Sha256, &bytes);
        session.keep(&from.path, &digest, &bytes)?;
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        (name.or_else(|| Some(from.path.clone())), Pin::File(digest))
    };
    Ok(Resolved {
        purl: Purl::new("generic", &recipe.toolchain, &recipe.version, &[]),
        source: SourceKind::Path,
        key: from.path.clone(),
        from: from.path.clone(),
        file,
        pin,
    })
}

/// Reads the locked archive.
pub(super) fn fetch(session: &Session<'_>, package: &Package) -> Result<Vec<u8>, SourceError> {
    read(session.local(&package.from))
}

/// The longest archive that is read, in bytes. It is also the most that an archive may unpack to.
const LONGEST: u64 = 4 << 30;

/// Returns the files that are in the folder now.
pub(super) fn folder(
    session: &Session<'_>,
    path: &str,
    layer: &Layer,
) -> Result<Contents, SourceError> {
    session.unpack(path, layer, |unpacker| unpacker.folder(&session.local(path), None))
}

fn read(path: PathBuf) -> Result<Vec<u8>, SourceError> {
    bounded::read(&path, LONGEST).map_err(|source| SourceError::Local { path, source })
}
