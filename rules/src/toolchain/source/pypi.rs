//! Wheels from the Python package index, fetched by the user's pip. pip's own configuration decides on index,
//! proxies and credentials.
//!
//! What comes is pinned by its SHA-256, which pip checks as well when it fetches a locked wheel.

use std::fs;
use std::path::{Path, PathBuf};

use cache::{Digest, DigestFunction};

use super::error::SourceError;
use super::resolved::Resolved;
use super::session::Session;
use crate::bounded;
use crate::package::environment::PIP;
use crate::package::fetch::pip;
use crate::package::fetch::pip::Download;
use crate::package::{Event, Purl, environment};
use crate::platform::Platform;
use crate::toolchain::lock::{Package, Pin, SourceKind};
use crate::toolchain::origin::Wheel;

/// Lets pip choose and download the wheel, and keeps it in the store.
pub(super) fn resolve(
    session: &Session<'_>,
    from: &Wheel,
    platform: Platform,
) -> Result<Resolved, SourceError> {
    let unpinned = || SourceError::Unpinned(from.requirement.clone());
    let (name, version) = from.requirement.split_once("==").ok_or_else(unpinned)?;
    let (file, bytes) = download(session, from, platform, &[from.requirement.as_str().into()])?;
    let digest = Digest::of(DigestFunction::Sha256, &bytes);
    session.keep(&file, &digest, &bytes)?;
    Ok(Resolved {
        purl: Purl::new("pypi", name, version, &[]),
        source: SourceKind::Pypi,
        key: from.requirement.clone(),
        from: from.requirement.clone(),
        file: Some(file),
        pin: Pin::File(digest),
    })
}

/// Lets pip download the locked wheel. pip gets its hash, because several wheels may fit one requirement.
pub(super) fn fetch(
    session: &Session<'_>,
    from: &Wheel,
    package: &Package,
    digest: &Digest,
) -> Result<Vec<u8>, SourceError> {
    let scratch = session.store.scratch()?;
    let list = scratch.path().join("requirements.txt");
    let text = format!("{} --hash=sha256:{}\n", package.from, digest.hex());
    fs::write(&list, text).map_err(local(&list))?;
    let arguments = ["--require-hashes".into(), "-r".into(), list.into_os_string()];
    match download(session, from, package.platform, &arguments) {
        Ok((_, bytes)) => Ok(bytes),
        Err(SourceError::Client(error)) => Err(match pip::wrong_hash(&error) {
            Some(wrong) => SourceError::ChecksumMismatch {
                package: package.display_name().to_owned(),
                expected: format!("sha256:{}", digest.hex()),
                actual: format!("sha256:{}", wrong.found),
            },
            None => error.into(),
        }),
        Err(error) => Err(error),
    }
}

fn download(
    session: &Session<'_>,
    from: &Wheel,
    platform: Platform,
    what: &[std::ffi::OsString],
) -> Result<(String, Vec<u8>), SourceError> {
    if session.registries.network.offline {
        return Err(crate::package::HttpError::Offline { url: from.requirement.clone() }.into());
    }
    let note = format!("download {}", from.requirement);
    session.events.event(Event::Client { client: "pip", what: &note });
    let scratch = session.store.scratch()?;
    let platforms = from.platforms.iter().map(|tag| format!("{tag}_{}", platform.machine()));
    let download = Download {
        python: &session.registries.programs.python,
        environment: environment::for_client(&session.registries.variables, PIP),
        platforms: platforms.collect(),
        abis: Vec::new(),
        version: from.python.clone(),
    };
    download.run(what, scratch.path(), &|| session.cancelled())?;
    only_file(scratch.path(), &from.requirement)
}

fn only_file(folder: &Path, requirement: &str) -> Result<(String, Vec<u8>), SourceError> {
    let entries = fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let entries = entries.map_err(local(folder))?;
    let [entry] = entries.as_slice() else {
        let requirement = requirement.to_owned();
        return Err(SourceError::NotOneWheel { requirement, found: entries.len() });
    };
    let bytes =
        bounded::read(&entry.path(), bounded::LONGEST_PACKAGE).map_err(local(&entry.path()))?;
    Ok((entry.file_name().to_string_lossy().into_owned(), bytes))
}

fn local(path: &Path) -> impl FnOnce(std::io::Error) -> SourceError {
    let path = PathBuf::from(path);
    |source| SourceError::Local { path, source }
}
