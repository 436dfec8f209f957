//! Debian packages, from the mirror that this machine's apt uses.
//!
//! A signed release file contains the checksums of its indexes, and an index those of the packages. No
//! dependencies are resolved, because the catalogue lists every package. No maintainer script is run.
//!
//! The mirror is that of the user's configuration. If that names none, the mirrors that apt has for the suite
//! are asked, and then all others that apt has, because Debian's mirrors hold all of its releases.

mod apt;
mod index;
mod mirror;
mod release;
mod stanza;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::Read as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

use super::error::DebianError;
use super::resolved::Resolved;
use super::session::Session;
use crate::package::environment::APT;
use crate::package::fetch::{Client, ClientError, Http, Request};
use crate::package::unpack::decompress;
use crate::package::{Proxy, Purl};
use crate::platform::Platform;
use crate::toolchain::lock::{Package, Pin, SourceKind};
use crate::toolchain::origin::DebianPackages;
use apt::AptSource;
use mirror::{Mirror, mirrors};
use release::Release;

/// The longest release file that is read, in bytes. Bookworm's has 150 kB.
const MAX_RELEASE: u64 = 8 << 20;

/// The number of bytes up to which an index is unpacked. Bookworm's has 49 MB.
const MAX_INDEX: u64 = 1 << 30;

/// The findings of a session about Debian's mirrors.
#[derive(Default)]
pub(super) struct Mirrors {
    known: Mutex<Option<Arc<Known>>>,
}

struct Known {
    http: Http,
    sources: Vec<AptSource>,
}

/// Looks up the versions of packages that are not locked yet.
pub(super) fn resolve(
    session: &Session<'_>,
    from: &DebianPackages,
    names: &BTreeSet<&str>,
    platform: Platform,
) -> Result<Vec<Resolved>, DebianError> {
    let (suite, architecture) = (&from.suite, platform.debian_architecture());
    let known = known(session)?;
    let (base, release) = find_release(session, &known, suite)?;
    let text = fetch_index(session, &known, &base, &release, from, architecture)?;
    let mut found = index::find(&text, names)?;
    let resolved = names.iter().map(|&name| {
        let entry = found.remove(name).ok_or_else(|| DebianError::NoPackage {
            name: name.to_owned(),
            suite: suite.clone(),
            architecture,
        })?;
        let qualifiers = [("arch", entry.architecture.as_str()), ("distro", suite)];
        Ok(Resolved {
            purl: Purl::new("deb/debian", name, &entry.version, &qualifiers),
            source: SourceKind::Debian,
            key: name.to_owned(),
            file: entry.path.rsplit('/').next().map(ToOwned::to_owned),
            from: entry.path,
            pin: Pin::File(entry.digest),
        })
    });
    resolved.collect()
}

/// Fetches a locked package from the first mirror that has it.
pub(super) fn fetch(
    session: &Session<'_>,
    from: &DebianPackages,
    package: &Package,
    size: u64,
) -> Result<Vec<u8>, DebianError> {
    let path = &package.from;
    if !index::is_pool_path(path) {
        return Err(DebianError::BadEntry(package.purl.name()));
    }
    let known = known(session)?;
    let found = first(session, &known, &from.suite, |mirror| {
        let url = format!("{}/{path}", mirror.base);
        let name = package.display_name();
        get(session, &known, Request { url: &url, name, size: Some(size), limit: size })
    })?;
    found.map_err(|asked| DebianError::Gone { path: path.clone(), asked })
}

fn find_release(
    session: &Session<'_>,
    known: &Known,
    suite: &str,
) -> Result<(String, Release), DebianError> {
    let found = first(session, known, suite, |mirror| {
        let url = format!("{}/dists/{suite}/InRelease", mirror.base);
        let name = format!("{suite}/InRelease");
        let request = Request { url: &url, name: &name, size: None, limit: MAX_RELEASE };
        let signed = get(session, known, request)?;
        let keyrings = keyrings(session, mirror);
        Ok((mirror.base.clone(), Release::verified(session, suite, &signed, &keyrings)?))
    })?;
    found.map_err(|asked| DebianError::NoSuite { suite: suite.to_owned(), asked })
}

fn fetch_index(
    session: &Session<'_>,
    known: &Known,
    base: &str,
    release: &Release,
    from: &DebianPackages,
    architecture: &'static str,
) -> Result<String, DebianError> {
    let DebianPackages { suite, component, .. } = from;
    let index = release.packages(component, architecture).ok_or_else(|| DebianError::NoIndex {
        suite: suite.clone(),
        component: component.clone(),
        architecture,
    })?;
    let bytes = match session.packages.get(&index.digest)? {
        Some(bytes) => bytes,
        None => {
            let url = format!("{base}/dists/{suite}/{}", index.path);
            let name = format!("{suite}/Packages");
            let size = index.digest.size();
            let request = Request { url: &url, name: &name, size: Some(size), limit: size };
            let bytes = get(session, known, request)?;
            if cache::Digest::of(index.digest.function(), &bytes) != index.digest {
                return Err(DebianError::IndexMismatch { suite: suite.clone() });
            }
            session.packages.put(&bytes)?;
            bytes
        }
    };
    let mut text = String::new();
    let length = decompress(&bytes)
        .and_then(|reader| reader.take(MAX_INDEX + 1).read_to_string(&mut text))
        .map_err(DebianError::DamagedIndex)?;
    if length as u64 > MAX_INDEX {
        let too_long = std::io::Error::other(format!("it has more than {MAX_INDEX} bytes"));
        return Err(DebianError::DamagedIndex(too_long));
    }
    Ok(text)
}

/// Asks one mirror after the other and returns the first success. If all fail, returns in the inner `Err`
/// what each mirror answered.
fn first<T>(
    session: &Session<'_>,
    known: &Known,
    suite: &str,
    ask: impl Fn(&Mirror) -> Result<T, DebianError>,
) -> Result<Result<T, Vec<String>>, DebianError> {
    let mirrors = mirrors(session.registries.mirrors.debian.as_deref(), &known.sources, suite);
    if mirrors.is_empty() {
        return Err(DebianError::NoMirror);
    }
    let mut asked = Vec::new();
    for mirror in &mirrors {
        match ask(mirror) {
            Ok(answer) => return Ok(Ok(answer)),
            // Another mirror may have what this one lacks, or be reachable when this one is not.
            Err(error @ DebianError::BadRelease(_)) => asked.push(error.to_string()),
            Err(DebianError::Http(error)) if error.is_about_the_server() => {
                let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
                asked.push(format!("{error}{}", cause.unwrap_or_default()));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(Err(asked))
}

fn keyrings(session: &Session<'_>, mirror: &Mirror) -> Vec<PathBuf> {
    let folder = &session.registries.programs.keyrings;
    let usual = ["debian-archive-keyring.pgp", "debian-archive-keyring.gpg"];
    let usual = usual.into_iter().map(|name| folder.join(name)).find(|path| path.exists());
    let named = mirror.signed_by.clone().filter(|path| path.exists());
    named.or(usual).into_iter().collect()
}

fn get(session: &Session<'_>, known: &Known, request: Request<'_>) -> Result<Vec<u8>, DebianError> {
    Ok(known.http.get(request, session.events, &|| session.cancelled())?)
}

/// Returns apt's configuration, which is read once in a session.
fn known(session: &Session<'_>) -> Result<Arc<Known>, DebianError> {
    let mirrors = session.findings::<Mirrors>();
    let mut known = mirrors.known.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = &*known {
        return Ok(Arc::clone(known));
    }
    let mut network = session.registries.network.clone();
    let mut sources = Vec::new();
    if session.registries.mirrors.debian.is_none() {
        sources = apt::sources(&session.registries.programs.apt_folder)?;
        let proxies = apt_proxies(session, &session.registries.programs.apt_config)?;
        if !proxies.is_empty() {
            network.proxies = proxies;
        }
    }
    let fresh = Arc::new(Known { http: Http::new(&network)?, sources });
    *known = Some(Arc::clone(&fresh));
    Ok(fresh)
}

/// Returns apt's proxies, which are empty on a machine without apt.
fn apt_proxies(session: &Session<'_>, program: &OsStr) -> Result<Vec<Proxy>, DebianError> {
    let client = Client { program, install: "install apt" };
    let configure = |command: &mut Command| {
        command.arg("dump").env("LC_ALL", "C");
    };
    match session.run(client, APT, configure) {
        Ok(ended) => Ok(apt::proxies(&String::from_utf8_lossy(&ended.succeeded()?))),
        Err(ClientError::Missing { .. }) => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}
