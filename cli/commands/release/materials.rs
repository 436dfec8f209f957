//! Says what the components of a release are made of: packages of languages, WIT packages, and toolchains.
//!
//! Everything is known where it was pinned: in the plan, which has what the lockfiles of languages pin, and in the lock.

use std::collections::{BTreeMap, BTreeSet};

use project::{Builder, Project};
use release::statement::Role;
use release::{Algorithm, Digests, Package, Purl};
use rules::package::PinFunction;
use rules::plan::{Plan, PlannedComponent, Selection};
use rules::toolchain::{Pin, SourceKind};
use rules::wit::PackageKind;

use crate::command_error::{CommandError, Kind};

/// The packages of one component, each once.
pub(super) fn of(
    builder: &Builder,
    plan: &Plan,
    component: &PlannedComponent,
) -> Result<Vec<Package>, CommandError> {
    let mut found = BTreeMap::new();
    let packages = languages(plan, component)?.into_iter().chain(dependencies(builder)?);
    for package in packages.chain(toolchains(builder, &component.name)?) {
        found.entry(package.purl.clone()).or_insert(package);
    }
    Ok(found.into_values().collect())
}

/// Returns the paths of the lockfiles that pin packages of these components.
pub(super) fn locks(plan: &Plan) -> BTreeSet<String> {
    let of = |component: &PlannedComponent| plan.fetched_by(component.action);
    plan.components.iter().flat_map(of).map(|fetched| fetched.lock.to_string()).collect()
}

fn languages(plan: &Plan, component: &PlannedComponent) -> Result<Vec<Package>, CommandError> {
    let packages = plan.fetched_by(component.action).flat_map(|fetched| &fetched.packages);
    let package = |fetched: &rules::planner::FetchedPackage| {
        let algorithm = match fetched.function {
            PinFunction::Sha256 => Algorithm::Sha256,
            PinFunction::Sha384 => Algorithm::Sha384,
            PinFunction::Sha512 => Algorithm::Sha512,
            PinFunction::DirHash => Algorithm::DirHash,
            PinFunction::GitCommit => Algorithm::GitCommit,
        };
        package(&fetched.purl, algorithm, fetched.digest.clone(), Role::Library)
    };
    packages.map(package).collect()
}

/// Returns the packages of `[dependencies]`.
fn dependencies(builder: &Builder) -> Result<Vec<Package>, CommandError> {
    let used = builder.packages.0.iter().filter(|package| !package.is_for_tests);
    let locked = used.flat_map(|package| {
        let locked = builder.images.lock.dependencies.iter();
        locked.filter(|locked| (&locked.name, &locked.version) == (&package.name, &package.version))
    });
    let package = |locked: &rules::toolchain::LockedDependency| {
        let (namespace, name) = locked.name.split_once(':').unwrap_or(("", &locked.name));
        let version = locked.version.to_string();
        let purl = rules::package::Purl::new(&format!("wasm/{namespace}"), name, &version, &[]);
        let role = match locked.kind {
            PackageKind::Component => Role::Library,
            PackageKind::Wit => Role::Wit,
        };
        package(&purl, Algorithm::Sha256, locked.sha256.clone(), role)
    };
    locked.map(package).collect()
}

/// Returns the packages of the toolchains that a component is built with.
fn toolchains(builder: &Builder, component: &str) -> Result<Vec<Package>, CommandError> {
    let Builder { project, images, .. } = builder;
    let Project { manifest, .. } = project;
    let selection = Selection::new(manifest, &[component.to_owned()])
        .map_err(|error| CommandError::from_error(Kind::Internal, &error))?;
    let Ok(platform) = images.platform.clone() else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for (name, _) in project.toolchains(&selection)?.iter() {
        for locked in images.lock.packages(name, platform) {
            let (algorithm, digest) = match &locked.pin {
                Pin::File(file) => (Algorithm::Sha256, file.hex()),
                Pin::Tree { sha256: Some(hex), .. } => (Algorithm::Sha256, hex.clone()),
                Pin::Tree { tree, sha256: None } => (Algorithm::Blake3, tree.hex()),
            };
            let is_runtime =
                locked.source == SourceKind::Rustup && locked.from.starts_with("rust-std");
            let role = if is_runtime { Role::Runtime } else { Role::Tool };
            found.push(package(&locked.purl, algorithm, digest, role)?);
        }
    }
    Ok(found)
}

fn package(
    purl: &rules::package::Purl,
    algorithm: Algorithm,
    digest: String,
    role: Role,
) -> Result<Package, CommandError> {
    let unstated = |error: &dyn std::error::Error| {
        CommandError::usage(format!("`{purl}` can't be stated in a release: {error}"))
    };
    Ok(Package {
        name: purl.name(),
        version: Some(purl.version()),
        digests: Digests::new([(algorithm, digest)]).map_err(|error| unstated(&error))?,
        purl: purl.as_str().parse::<Purl>().map_err(|error| unstated(&error))?,
        licence: None,
        role,
        depends_on: Vec::new(),
    })
}
