//! Crates from a Cargo registry, fetched by the user's cargo. Cargo's own configuration decides on registry
//! replacement, proxies and credentials.
//!
//! `cargo info` is the only command that downloads a crate without the crates that it depends on. The
//! checksum in the registry's index is read from the lockfile of a package that depends on the crate.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::Command;

use cache::{Digest, DigestFunction};
use serde::Deserialize;

use super::error::SourceError;
use super::resolved::Resolved;
use super::session::Session;
use crate::package::environment::CARGO;
use crate::package::fetch::{Client, ClientError, CrateCache};
use crate::package::{Event, Purl};
use crate::toolchain::lock::{Package, Pin, SourceKind};
use crate::toolchain::origin::CratePackage;

const INSTALL: &str = "install Rust 1.82 or later with rustup";

/// Lets cargo look up the crate's checksum and download the crate, and keeps the archive in the store.
pub(super) fn resolve(session: &Session<'_>, from: &CratePackage) -> Result<Resolved, SourceError> {
    let cargo = Cargo::new(session, from)?;
    let sha256 = cargo.checksum()?;
    let bytes = match cargo.cache.find(&from.folder(), &sha256) {
        Some(bytes) => bytes,
        None => cargo.download(&sha256)?,
    };
    let (file, digest) = (from.file(), Digest::of(DigestFunction::Sha256, &bytes));
    if digest.hex() != sha256 {
        return Err(SourceError::ChecksumMismatch {
            package: file,
            expected: format!("sha256:{sha256}"),
            actual: format!("sha256:{}", digest.hex()),
        });
    }
    session.keep(&file, &digest, &bytes)?;
    Ok(Resolved {
        purl: Purl::new("cargo", &from.package, &from.version, &[]),
        source: SourceKind::Crates,
        key: from.key(),
        from: from.key(),
        file: Some(file),
        pin: Pin::File(digest),
    })
}

/// Returns the locked crate from what cargo has downloaded, now or before. The bytes may differ from the
/// pinned ones; the caller checks them.
pub(super) fn fetch(
    session: &Session<'_>,
    from: &CratePackage,
    package: &Package,
    digest: &Digest,
) -> Result<Vec<u8>, SourceError> {
    debug_assert_eq!(package.from, from.key(), "BUG: a package of another layer");
    let sha256 = digest.hex();
    let scratch = session.store.scratch()?;
    if let Some(bytes) = crate_cache(session, scratch.path()).find(&from.folder(), &sha256) {
        return Ok(bytes);
    }
    Cargo::new(session, from)?.download(&sha256)
}

/// The user's cargo with a package, in a scratch folder, that depends on one crate.
struct Cargo<'a> {
    session: &'a Session<'a>,
    from: &'a CratePackage,
    cache: CrateCache,
    scratch: cache::ScratchDir,
}

impl<'a> Cargo<'a> {
    fn new(session: &'a Session<'_>, from: &'a CratePackage) -> Result<Self, SourceError> {
        if session.registries.network.offline {
            return Err(crate::package::HttpError::Offline { url: from.key() }.into());
        }
        let scratch = session.store.scratch()?;
        // It is a workspace of its own, so that no manifest above the store counts.
        let manifest = format!(
            "[workspace]\n[package]\nname = \"run-fetch\"\nversion = \"0.0.0\"\nedition = \"2021\"\n\
             [dependencies]\n{} = \"={}\"\n",
            from.package, from.version
        );
        write(&scratch.path().join("Cargo.toml"), &manifest)?;
        write(&scratch.path().join("src/lib.rs"), "")?;
        let cache = crate_cache(session, scratch.path());
        Ok(Self { session, from, cache, scratch })
    }

    /// Returns the crate's checksum in the registry's index. Of the crate's dependencies only the index is
    /// read.
    fn checksum(&self) -> Result<String, SourceError> {
        let manifest = self.scratch.path().join("Cargo.toml");
        self.run(&[
            "generate-lockfile".as_ref(),
            "--manifest-path".as_ref(),
            manifest.as_os_str(),
        ])?;
        let path = self.scratch.path().join("Cargo.lock");
        let text = fs::read_to_string(&path).map_err(local(&path))?;
        let found = checksum_in(&text, self.from);
        found.ok_or_else(|| SourceError::NoCrate { package: self.from.key() })
    }

    /// Lets cargo download the crate, unless cargo has it already.
    fn download(&self, sha256: &str) -> Result<Vec<u8>, SourceError> {
        // If the registry is named, a mirror may replace it. Without a name, `cargo info` refuses that.
        let key = self.from.key();
        self.run(&["info", &key, "--registry", "crates-io"].map(OsStr::new))
            .map_err(without_info)?;
        let folder = self.from.folder();
        let pinned = self.cache.find(&folder, sha256);
        let found = pinned.or_else(|| self.cache.candidates(&folder).next());
        found.ok_or_else(|| SourceError::NoCrate { package: self.from.key() })
    }

    fn run(&self, arguments: &[&OsStr]) -> Result<(), ClientError> {
        let registries = self.session.registries;
        let note = format!("{} {}", arguments[0].to_string_lossy(), self.from.key());
        self.session.events.event(Event::Client { client: "cargo", what: &note });
        let configure = |command: &mut Command| {
            command.args(arguments).arg("--quiet");
            command.env("CARGO_HOME", self.cache.home()).env("CARGO_TERM_COLOR", "never");
        };
        let client = Client { program: &registries.programs.cargo, install: INSTALL };
        self.session.run(client, CARGO, configure)?.succeeded()?;
        Ok(())
    }
}

fn crate_cache(session: &Session<'_>, scratch: &Path) -> CrateCache {
    let registries = session.registries;
    CrateCache::of(&registries.variables, &registries.checkout, scratch)
}

#[derive(Deserialize)]
struct Lockfile {
    package: Vec<LockedPackage>,
}

#[derive(Deserialize)]
struct LockedPackage {
    name: String,
    version: String,
    checksum: Option<String>,
}

/// Returns the checksum that a Cargo.lock has for the crate.
fn checksum_in(lockfile: &str, from: &CratePackage) -> Option<String> {
    let lockfile: Lockfile = toml::from_str(lockfile).ok()?;
    let fits = |p: &LockedPackage| p.name == from.package && p.version == from.version;
    lockfile.package.into_iter().find(fits)?.checksum
}

/// Converts the failure of a cargo that is too old for `cargo info` into an error that says what to install.
fn without_info(error: ClientError) -> ClientError {
    match error {
        ClientError::Failed { output, .. } if output.contains("no such command") => {
            ClientError::Missing { program: "cargo info".to_owned(), install: INSTALL }
        }
        error => error,
    }
}

fn write(path: &Path, text: &str) -> Result<(), SourceError> {
    let folder = path.parent().map_or(Ok(()), fs::create_dir_all);
    folder.and_then(|()| fs::write(path, text)).map_err(local(path))
}

fn local(path: &Path) -> impl FnOnce(std::io::Error) -> SourceError {
    let path = path.to_owned();
    |source| SourceError::Local { path, source }
}
