//! Wheels from the Python package index, through the user's pip: its index, proxies and credentials are pip's business.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use cache::{Digest, DigestFunction};

use super::{Resolved, Session, SourceError};
use crate::environment::PIP;
use crate::toolchain::catalogue::Wheel;
use crate::toolchain::fetch::{Client, ClientError};
use crate::toolchain::lock::{Package, Pin, SourceKind};
use crate::toolchain::{Event, Platform, Purl};

const INSTALL: &str = "install Python with pip (Debian: python3-pip)";

/// Lets pip pick and download the wheel, and keeps it.
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

/// Lets pip download the locked wheel: by its hash, as several wheels may serve one requirement.
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
        Err(SourceError::Client(error)) => Err(match hash_found(&error) {
            Some(actual) => SourceError::ChecksumMismatch {
                package: package.display_name().to_owned(),
                expected: format!("sha256:{}", digest.hex()),
                actual: format!("sha256:{actual}"),
            },
            None => error.into(),
        }),
        Err(error) => Err(error),
    }
}

/// The hash that pip found instead of the expected one, if that is why it failed.
fn hash_found(error: &ClientError) -> Option<String> {
    let ClientError::Failed { output, .. } = error else { return None };
    if !output.contains("DO NOT MATCH THE HASHES") {
        return None;
    }
    let got = output.lines().find_map(|line| line.trim().strip_prefix("Got "));
    Some(got.map_or_else(|| "another hash".to_owned(), |hash| hash.trim().to_owned()))
}

fn download(
    session: &Session<'_>,
    from: &Wheel,
    platform: Platform,
    what: &[std::ffi::OsString],
) -> Result<(String, Vec<u8>), SourceError> {
    if session.registries.network.offline {
        return Err(crate::toolchain::HttpError::Offline { url: from.requirement.clone() }.into());
    }
    let note = format!("download {}", from.requirement);
    session.events.event(Event::Client { client: "pip", what: &note });
    let scratch = session.store.scratch()?;
    let python = &session.registries.clients.python;
    let configure = |command: &mut Command| {
        command.args(["-m", "pip", "download", "--no-input", "--disable-pip-version-check"]);
        command.args(["--progress-bar", "off", "--no-deps", "--only-binary", ":all:"]);
        for tag in &from.platforms {
            command.arg("--platform").arg(format!("{tag}_{}", platform.machine()));
        }
        command.args(["--implementation", "cp", "--python-version", &from.python, "--dest"]);
        command.arg(scratch.path()).args(what);
    };
    let client = Client { program: python, install: INSTALL };
    session.run(client, PIP, configure)?.succeeded().map_err(without_pip)?;
    only_file(scratch.path(), &from.requirement)
}

/// A Python without pip says so in its own words; the user needs to know what to install.
fn without_pip(error: ClientError) -> ClientError {
    match error {
        ClientError::Failed { output, .. } if output.contains("No module named pip") => {
            ClientError::Missing { program: "pip".to_owned(), install: INSTALL }
        }
        error => error,
    }
}

fn only_file(folder: &Path, requirement: &str) -> Result<(String, Vec<u8>), SourceError> {
    let entries = fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let entries = entries.map_err(local(folder))?;
    let [entry] = entries.as_slice() else {
        let requirement = requirement.to_owned();
        return Err(SourceError::NotOneWheel { requirement, found: entries.len() });
    };
    let bytes = fs::read(entry.path()).map_err(local(&entry.path()))?;
    Ok((entry.file_name().to_string_lossy().into_owned(), bytes))
}

fn local(path: &Path) -> impl FnOnce(std::io::Error) -> SourceError {
    let path = PathBuf::from(path);
    |source| SourceError::Local { path, source }
}
