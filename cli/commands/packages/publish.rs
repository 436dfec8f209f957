//! `run publish`: publishes a component, or a WIT package, in a registry.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use cache::Digest;
use engine::Download;
use project::{Builder, Project, Scope};
use registry::{Artifact, Facts, Interfaces, PackageId, Published, annotation};
use rules::dependency::{self, PackageKind, Packages};
use rules::publish::{self, EncodedWit};
use rules::wasm::Stamp;
use sandbox::Isolation;
use semver::Version;
use serde_json::json;

use super::{Opened, editing, of_registry};
use crate::arguments::Publish;
use crate::checkout;
use crate::command_error::{CommandError, Kind};
use crate::commands::{built, prepare, start};
use crate::config::Config;
use crate::ui;

/// A package that is ready to be published.
struct Ready {
    package: PackageId,
    version: Version,
    digest: Digest,
    kind: PackageKind,
}

/// Runs `run publish`.
pub(crate) fn run(arguments: &Publish, config: &Config) -> Result<ExitCode, CommandError> {
    let project = start::project(config)?;
    let opened = Opened::of(config, &project)?;
    let revision = checkout::revision(config, &project.folder);
    let stamp = stamp(&project, revision);
    let ready = match &arguments.wit {
        Some(wit) => {
            let wit = editing::in_project(config, &project, wit);
            wit_package(arguments, config, &project, &opened, &wit, &stamp)?
        }
        None => component(arguments, config, &project, &opened, &stamp)?,
    };
    if !arguments.allow_breaking {
        refuse_breaking(&opened, &ready)?;
    }
    let artifact = artifact(&opened, &ready, &stamp)?;
    let Ready { package, version, .. } = &ready;
    let size = artifact.bytes.len();
    let registry = opened.packages.source(package);
    if arguments.dry_run {
        let text =
            format!("{package} {version} ({size} bytes) in {registry}, because of --dry-run");
        config.printer.status("Kept out", &text);
        return Ok(ExitCode::SUCCESS);
    }
    let published = opened.packages.publish(package, version, &artifact).map_err(of_registry)?;
    say(config, &ready, &published);
    Ok(ExitCode::SUCCESS)
}

fn say(config: &Config, ready: &Ready, published: &Published) {
    let Ready { package, version, .. } = ready;
    let Published { digest, address, was_there } = published;
    match was_there {
        true => {
            let text = format!("{package} {version}: {address} has the same bytes already");
            config.printer.status("Kept", &text);
        }
        false => config.printer.status("Published", &format!("{package} {version} as {address}")),
    }
    if config.printer.json {
        ui::emit(&json!({
            "event": "published",
            "name": package.to_string(),
            "version": version.to_string(),
            "address": address,
            "digest": digest.to_string(),
            "was_there": was_there,
        }));
    }
}

/// Returns the facts that are written into the package.
fn stamp(project: &Project, revision: Option<String>) -> Stamp {
    let facts = &project.manifest.project;
    let authors: Vec<&str> = facts.authors.iter().map(|author| author.value.as_str()).collect();
    Stamp {
        name: None,
        version: None,
        description: facts.description.as_ref().map(|text| text.value.clone()),
        authors: (!authors.is_empty()).then(|| authors.join(", ")),
        licenses: facts.license.as_ref().map(|license| license.value.to_string()),
        source: facts.repository.as_ref().map(|url| url.value.to_string()),
        revision,
        processed_by: Vec::new(),
    }
}

/// Encodes a WIT package. Its `package` line has the name and the version.
fn wit_package(
    arguments: &Publish,
    config: &Config,
    project: &Project,
    opened: &Opened,
    wit: &Path,
    stamp: &Stamp,
) -> Result<Ready, CommandError> {
    if arguments.package.is_some() || arguments.component.is_some() {
        return Err(CommandError::usage(
            "with --wit, the `package` line of the WIT says what is published: leave --package and -p out",
        ));
    }
    let packages = packages(config, project, opened)?;
    let of = (project.folder.as_path(), &project.manifest);
    let store = opened.store.content();
    let encoded = |stamp: &Stamp| {
        publish::encode_wit(of, wit, &packages, stamp, store, &opened.cancel)
            .map_err(|error| CommandError::from_error(Kind::Usage, &error))
    };
    let name = encoded(&Stamp::default())?.name;
    let (name, version) = name.split_once('@').ok_or_else(|| {
        CommandError::usage(format!("{} has no version", wit.display()))
            .hint(format!("write it in the first line: package {name}@1.0.0;"))
    })?;
    let stamp =
        Stamp { name: Some(name.to_owned()), version: Some(version.to_owned()), ..stamp.clone() };
    let EncodedWit { digest, .. } = encoded(&stamp)?;
    Ok(Ready { package: id(name)?, version: parsed(version)?, digest, kind: PackageKind::Wit })
}

/// Returns the packages that the WIT may refer to.
fn packages(config: &Config, project: &Project, opened: &Opened) -> Result<Packages, CommandError> {
    let lock = project.lock()?.unwrap_or_default();
    let dependencies = opened.dependencies(project);
    let lock = dependencies.lock_for_build(&lock, start::lock_policy(config))?;
    Ok(dependencies.fetch(&lock, Scope::Build)?)
}

/// Builds a component, and returns it with the facts in it.
fn component(
    arguments: &Publish,
    config: &Config,
    project: &Project,
    opened: &Opened,
    stamp: &Stamp,
) -> Result<Ready, CommandError> {
    let name = component_name(arguments, project)?;
    let package = match &arguments.package {
        Some(package) => id(package)?,
        None => {
            return Err(CommandError::usage(format!(
                "the registry needs a name for component `{name}`"
            ))
            .hint(format!("name the package: run publish -p {name} --package NAMESPACE:{name}")));
        }
    };
    let what = arguments.how.with_name(&name);
    let mut builder = prepare::builder(config, &what, Isolation::default())?;
    // The component has to be here, whatever is left in the shared cache otherwise.
    builder.conditions.download = Download::All;
    let digest = build(config, &builder)?;
    let version = project.manifest.project.version.value.clone();
    let stamp = Stamp { version: Some(version.to_string()), ..stamp.clone() };
    let (store, cancel) = (builder.store.content(), &opened.cancel);
    let digest = publish::stamp_component(&digest, &stamp, store, cancel)
        .map_err(|error| CommandError::from_error(Kind::BuildFailed, &error))?;
    Ok(Ready { package, version, digest, kind: PackageKind::Component })
}

fn component_name(arguments: &Publish, project: &Project) -> Result<String, CommandError> {
    if let Some(name) = &arguments.component {
        return Ok(name.clone());
    }
    let enabled = project.manifest.enabled();
    let names: Vec<String> = enabled.map(|component| component.name.value.to_string()).collect();
    match names.as_slice() {
        [name] => Ok(name.clone()),
        [] => Err(CommandError::usage("the project has no component")
            .hint("publish a WIT package: run publish --wit wit")),
        _ => Err(CommandError::usage("the project has several components")
            .hint(format!("choose one with -p: {}", names.join(", ")))),
    }
}

/// Builds the selected component, and returns its digest.
fn build(config: &Config, builder: &Builder) -> Result<Digest, CommandError> {
    let bytes = built::component(config, builder)?;
    let put = builder.store.content().put(&bytes);
    put.map_err(|error| CommandError::from_error(Kind::Environment, &error))
}

/// Refuses a version that breaks users of the version before, although its number says that it does not.
fn refuse_breaking(opened: &Opened, ready: &Ready) -> Result<(), CommandError> {
    let Ready { package, version, digest, .. } = ready;
    let releases = match opened.packages.versions(package) {
        Ok(releases) => releases,
        Err(error) if error.is_absence() => return Ok(()),
        Err(error) => return Err(of_registry(error)),
    };
    // A version before a release promises nothing, and is nothing that a release has to keep.
    let is_compatible = |other: &Version| {
        other < version
            && other.pre.is_empty()
            && version.pre.is_empty()
            && resolver::Range::of(other) == resolver::Range::of(version)
    };
    let before = releases.into_iter().filter(|release| !release.yanked);
    let before = before.map(|release| release.version);
    let Some(before) = before.filter(is_compatible).max() else { return Ok(()) };
    let fetched = opened.packages.fetch(package, &before, None).map_err(of_registry)?;
    let store = opened.store.content();
    let old = store
        .put(&fetched.bytes)
        .map_err(|error| CommandError::from_error(Kind::Environment, &error))?;
    let changes = publish::breaking_changes(&old, digest, store, &opened.cancel)
        .map_err(|error| CommandError::from_error(Kind::Usage, &error))?;
    if changes.is_empty() {
        return Ok(());
    }
    let next = match version.major {
        0 => format!("0.{}.0", version.minor + 1),
        major => format!("{}.0.0", major + 1),
    };
    Err(CommandError::usage(format!(
        "{package} {version} breaks users of {before}:\n  {}",
        changes.join("\n  ")
    ))
    .hint(format!("publish it as {next}, or add --allow-breaking if nobody uses what has changed")))
}

/// Returns the package with what registries show of it.
fn artifact(opened: &Opened, ready: &Ready, stamp: &Stamp) -> Result<Artifact, CommandError> {
    let store = opened.store.content();
    let bytes = store.get(&ready.digest).ok().flatten().ok_or_else(|| {
        CommandError::environment("the store has lost the package in the meantime")
    })?;
    let sha256 = dependency::sha256(&bytes);
    let (_, description) = dependency::admit(store, &sha256, &bytes, &opened.cancel)
        .map_err(|error| CommandError::from_error(Kind::BuildFailed, &error))?;
    let mut annotations = BTreeMap::new();
    let mut annotate = |name: &str, value: &Option<String>| {
        annotations.extend(value.clone().map(|value| (name.to_owned(), value)));
    };
    annotate(annotation::DESCRIPTION, &stamp.description);
    annotate(annotation::LICENSES, &stamp.licenses);
    annotate(annotation::SOURCE, &stamp.source);
    annotate(annotation::REVISION, &stamp.revision);
    annotate(annotation::AUTHORS, &stamp.authors);
    let interfaces = (ready.kind == PackageKind::Component).then(|| Interfaces {
        imports: description.imports,
        exports: description.exports,
        ..Interfaces::default()
    });
    let facts = Facts { component: interfaces, ..Facts::default() };
    Ok(Artifact { bytes, annotations, facts })
}

fn id(name: &str) -> Result<PackageId, CommandError> {
    name.parse().map_err(|error| CommandError::from_error(Kind::Usage, &error))
}

fn parsed(version: &str) -> Result<Version, CommandError> {
    version.parse().map_err(|error| CommandError::from_error(Kind::Usage, &error))
}
