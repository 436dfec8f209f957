//! Packages of an npm registry with all their dependencies, fetched by the user's npm. npm's own
//! configuration decides on registry, proxies and credentials.
//!
//! In a sync, npm computes which packages are needed and in which folders they belong, as it would for a
//! project, and writes a lockfile. Nothing is installed. The packages in that lockfile for the image's
//! platform are downloaded with one call and compared with npm's `integrity`. From then on the SHA-256 in our
//! own lock counts, which also has the folder of each package. No script of a package is ever run.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::path::Path;

use cache::{Digest, DigestFunction};

use super::error::SourceError;
use super::resolved::Resolved;
use super::session::Session;
use crate::package::environment::NPM;
use crate::package::npm::{Integrity, Npm, NpmError, PackageLock, Placed, Spec, Tarballs};
use crate::package::unpack::npm_manifest;
use crate::package::{Event, HttpError, Purl, environment};
use crate::platform::{Platform, host_platform};
use crate::toolchain::Recipe;
use crate::toolchain::lock::{Package, Pin, SourceKind};
use crate::toolchain::origin::NpmPackages;
use crate::toolchain::recipe::Layer;

/// Lets npm compute what the packages of a layer need, and keeps the tarballs of all these packages in the
/// store.
pub(super) fn resolve(
    session: &Session<'_>,
    from: &NpmPackages,
    layer: &Layer,
    recipe: &Recipe,
) -> Result<Vec<Resolved>, SourceError> {
    let mut lock = closure(session, from, recipe.platform)?;
    let placed =
        |lock: &PackageLock| lock.placed(recipe.platform, &|_| false).map_err(NpmError::Lockfile);
    let specs: Vec<Spec> = placed(&lock)?.into_iter().map(|placed| placed.spec).collect();
    let tarballs = download(session, &specs)?;
    for placed in placed(&lock)? {
        if lock.lacks_libc(&placed.place)
            && let Some(manifest) = npm_manifest(&tarballs.get(&placed.spec, &placed.integrity)?)
        {
            lock.note_libc(&placed.place, manifest.libc);
        }
    }
    let mut placed = placed(&lock)?;
    // The packages that were asked for come first, because the first package of an image stands for the
    // toolchain.
    let asked = |placed: &Placed| from.packages.keys().any(|name| placed.place == folder(name));
    placed.sort_by_key(|placed| !asked(placed));
    session.parallel(&placed, |placed| {
        let bytes = tarballs.get(&placed.spec, &placed.integrity)?;
        let digest = Digest::of(DigestFunction::Sha256, &bytes);
        let file = file_name(&placed.spec);
        session.keep(&file, &digest, &bytes)?;
        Ok(resolved(layer, placed, file, digest))
    })
}

/// Fetches the locked packages that the store lacks, all with one call of npm.
pub(crate) fn fetch(session: &Session<'_>, packages: &[&Package]) -> Result<(), SourceError> {
    let mut missing = Vec::new();
    for package in packages {
        let Pin::File(digest) = &package.pin else { continue };
        if !session.packages.contains(digest) {
            let (name, version) = (package.purl.npm_name(), package.purl.version());
            let spec = Spec::new(&name.unwrap_or_default(), &version)?;
            missing.push((spec, digest, package.display_name()));
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let specs: Vec<Spec> = missing.iter().map(|(spec, ..)| spec.clone()).collect();
    let tarballs = download(session, &specs)?;
    session.parallel(&missing, |(spec, digest, file)| {
        let bytes = tarballs.get(spec, &Integrity::of_sha256(digest.hash()));
        let bytes = bytes.map_err(|error| in_hexadecimal(error, file, digest))?;
        session.keep(file, digest, &bytes)
    })?;
    Ok(())
}

/// Returns the folder of a package below the layer's folder, or `None` if the package does not belong to the
/// layer.
pub(crate) fn place<'a>(layer: &Layer, package: &'a Package) -> Option<&'a str> {
    if package.source != SourceKind::Npm {
        return None;
    }
    let place = match layer.at.as_str() {
        "" => package.from.as_str(),
        at => package.from.strip_prefix(at)?.strip_prefix('/')?,
    };
    place.starts_with(&folder("")).then_some(place)
}

/// Returns true if the locked packages still are what the layer asks for.
pub(crate) fn serves(from: &NpmPackages, layer: &Layer, locked: &[&Package]) -> bool {
    let asked = from.packages.iter().all(|(name, version)| {
        let here = |package: &&&Package| place(layer, package) == Some(folder(name).as_str());
        locked.iter().find(here).is_some_and(|package| package.purl.version() == *version)
    });
    asked
        && locked.iter().all(|package| {
            let version = package.purl.npm_name().and_then(|name| from.overrides.get(&name));
            version.is_none_or(|version| package.purl.version() == *version)
        })
}

fn folder(name: &str) -> String {
    format!("node_modules/{name}")
}

/// Lets npm make a lockfile for a project that depends on the packages, on the image's platform.
fn closure(
    session: &Session<'_>,
    from: &NpmPackages,
    platform: Platform,
) -> Result<PackageLock, SourceError> {
    let specs = |versions: &BTreeMap<String, String>| -> Result<Vec<Spec>, NpmError> {
        versions.iter().map(|(name, version)| Spec::new(name, version)).collect()
    };
    let asked = specs(&from.packages)?;
    specs(&from.overrides)?;
    online(session, &asked)?;
    let note = format!("resolve {}", listed(&asked));
    session.events.event(Event::Client { client: "npm", what: &note });
    let scratch = session.store.scratch()?;
    let project = serde_json::json!({
        "name": "run-toolchain",
        "version": "0.0.0",
        "private": true,
        "dependencies": from.packages,
        "overrides": from.overrides,
    });
    let manifest = scratch.path().join("package.json");
    fs::write(&manifest, project.to_string()).map_err(NpmError::local(&manifest))?;
    let cancelled = || session.cancelled();
    let npm = client(session, scratch.path(), &cancelled);
    let mut arguments = vec![
        "install",
        "--package-lock-only",
        "--package-lock",
        "--lockfile-version=3",
        "--install-strategy=hoisted",
        "--omit=dev",
        "--no-legacy-peer-deps",
        "--no-engine-strict",
        "--no-dry-run",
    ];
    if host_platform() != Ok(platform) {
        // Without this, npm refuses packages that are made for another machine than this one, although it
        // installs nothing.
        arguments.push("--force");
    }
    let arguments: Vec<OsString> = arguments.into_iter().map(Into::into).collect();
    npm.run(&arguments)?;
    let lockfile = scratch.path().join("package-lock.json");
    let text = fs::read_to_string(&lockfile).map_err(NpmError::local(&lockfile))?;
    Ok(PackageLock::parse(&text).map_err(NpmError::Lockfile)?)
}

fn download(session: &Session<'_>, specs: &[Spec]) -> Result<Tarballs, SourceError> {
    // The list may have a package twice, because it may be needed in two folders.
    let specs: Vec<Spec> = BTreeSet::from_iter(specs).into_iter().cloned().collect();
    online(session, &specs)?;
    let note = format!("download {}", listed(&specs));
    session.events.event(Event::Client { client: "npm", what: &note });
    let scratch = session.store.scratch()?;
    let cancelled = || session.cancelled();
    Ok(client(session, scratch.path(), &cancelled).download(session.store, &specs)?)
}

fn client<'a>(
    session: &'a Session<'_>,
    folder: &'a Path,
    cancelled: &'a dyn Fn() -> bool,
) -> Npm<'a> {
    let variables = environment::for_client(&session.registries.variables, NPM);
    Npm { program: &session.registries.programs.npm, variables, prefix: folder, cancelled }
}

fn online(session: &Session<'_>, specs: &[Spec]) -> Result<(), HttpError> {
    match session.registries.network.offline {
        true => Err(HttpError::Offline { url: listed(specs) }),
        false => Ok(()),
    }
}

/// Returns the first package, and how many more there are.
fn listed(specs: &[Spec]) -> String {
    match specs {
        [] => String::new(),
        [one] => one.to_string(),
        [one, _] => format!("{one} and another package"),
        [one, more @ ..] => format!("{one} and {} more packages", more.len()),
    }
}

/// Returns the file name that `npm pack` gives to the tarball of a package.
fn file_name(spec: &Spec) -> String {
    let name = spec.name.trim_start_matches('@').replace('/', "-");
    format!("{name}-{}.tgz", spec.version)
}

fn resolved(layer: &Layer, placed: &Placed, file: String, digest: Digest) -> Resolved {
    let Placed { place, spec, .. } = placed;
    let from = if layer.at.is_empty() { place.clone() } else { format!("{}/{place}", layer.at) };
    Resolved {
        purl: Purl::npm(&spec.name, &spec.version),
        source: SourceKind::Npm,
        key: from.clone(),
        from,
        file: Some(file),
        pin: Pin::File(digest),
    }
}

/// Converts npm's mismatch into the error of sources, with checksums in hexadecimal as in the lock.
fn in_hexadecimal(error: NpmError, file: &str, expected: &Digest) -> SourceError {
    let NpmError::Mismatch { actual, .. } = error else { return error.into() };
    let hex = actual.parse::<Integrity>().map_or(actual, |actual| actual.hex());
    SourceError::ChecksumMismatch {
        package: file.to_owned(),
        expected: format!("sha256:{}", expected.hex()),
        actual: hex,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::toolchain::Origin;

    fn versions(versions: &[(&str, &str)]) -> BTreeMap<String, String> {
        versions.iter().map(|(name, version)| ((*name).into(), (*version).into())).collect()
    }

    fn package(from: &str, name: &str, version: &str) -> Package {
        Package {
            toolchain: "tool".into(),
            platform: Platform::X86_64Linux,
            purl: Purl::npm(name, version),
            source: SourceKind::Npm,
            from: from.into(),
            file: None,
            pin: Pin::File(Digest::empty(DigestFunction::Sha256)),
        }
    }

    fn layer(at: &str, from: &NpmPackages) -> Layer {
        Layer {
            from: Origin::Npm(from.clone()),
            strip: false,
            at: at.into(),
            rename: BTreeMap::new(),
            exclude: Vec::new(),
            executable: Vec::new(),
        }
    }

    #[test]
    fn packages_belong_to_the_layer_of_their_folder() {
        let from = NpmPackages { packages: BTreeMap::new(), overrides: BTreeMap::new() };
        let check = |at: &str, from_: &str, expect: Option<&str>| {
            let package = package(from_, "a", "1.0.0");
            assert_eq!(place(&layer(at, &from), &package), expect, "{at} {from_}");
        };
        check("usr/lib/x", "usr/lib/x/node_modules/a", Some("node_modules/a"));
        check("", "node_modules/@a/b", Some("node_modules/@a/b"));
        check("usr/lib/x", "usr/lib/xy/node_modules/a", None);
        check("usr/lib/x", "node_modules/a", None);
        check("", "usr/lib/x/node_modules/a", None);
    }

    #[test]
    fn locked_packages_serve_until_another_version_is_asked_for() {
        let locked = [
            package("node_modules/a", "a", "1.0.0"),
            package("node_modules/b", "b", "2.0.0"),
            package("node_modules/b/node_modules/alias", "c", "3.0.0"),
        ];
        let locked: Vec<&Package> = locked.iter().collect();
        let check = |packages: &[(&str, &str)], overrides: &[(&str, &str)], expect: bool| {
            let from = NpmPackages { packages: versions(packages), overrides: versions(overrides) };
            assert_eq!(serves(&from, &layer("", &from), &locked), expect, "{from:?}");
        };
        check(&[("a", "1.0.0")], &[], true);
        check(&[("a", "1.0.0"), ("b", "2.0.0")], &[("c", "3.0.0"), ("absent", "1.0.0")], true);
        check(&[("a", "1.0.1")], &[], false);
        check(&[("a", "1.0.0"), ("c", "3.0.0")], &[], false);
        check(&[("a", "1.0.0")], &[("c", "3.0.1")], false);
    }

    #[test]
    fn files_are_named_as_npm_names_them() {
        let check = |name: &str, expect: &str| {
            assert_eq!(file_name(&Spec::new(name, "1.0.0").unwrap()), expect);
        };
        check("esbuild", "esbuild-1.0.0.tgz");
        check("@esbuild/linux-x64", "esbuild-linux-x64-1.0.0.tgz");
    }
}
