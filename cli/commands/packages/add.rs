//! `run add` and `run remove`.

use std::path::Path;
use std::process::ExitCode;

use project::Project;
use registry::{PackageId, Release};
use rules::manifest::PackageName;
use rules::manifest::edit::{NewDependency, PackageSection, with_dependency, without_dependency};
use rules::wit;
use semver::Version;

use super::{Opened, editing, of_registry};
use crate::arguments::{Add, Remove};
use crate::command_error::{CommandError, Kind};
use crate::commands::start;
use crate::config::Config;

/// Runs `run add`.
pub(crate) fn add(arguments: &Add, config: &Config) -> Result<ExitCode, CommandError> {
    let project = start::project(config)?;
    let (name, requirement) = match arguments.package.split_once('@') {
        Some((name, requirement)) => (name, Some(requirement)),
        None => (arguments.package.as_str(), None),
    };
    let package: PackageName = name.parse().map_err(|invalid: rules::manifest::Invalid| {
        CommandError::usage(invalid.message)
            .hint("a package is `namespace:name`, such as acme:greet")
    })?;
    let mut texts = Vec::new();
    let mut key = |key, text: &Option<String>| texts.extend(text.clone().map(|text| (key, text)));
    key("git", &arguments.git);
    key("rev", &arguments.rev);
    key("branch", &arguments.branch);
    key("tag", &arguments.tag);
    // With --git, the path is one in the repository.
    let path = match (&arguments.path, &arguments.git) {
        (Some(path), None) => Some(local(config, &project, path)?),
        (path, _) => path.clone(),
    };
    key("path", &path);
    match (texts.is_empty(), requirement) {
        (true, Some(requirement)) => texts.push(("version", requirement.to_owned())),
        (true, None) => {
            let opened = Opened::of(config, &project)?;
            texts.push(("version", newest(&opened, &package)?.to_string()));
        }
        (false, Some(_)) => {
            return Err(CommandError::usage(
                "a version is chosen among those of a registry, and --git and --path have one only",
            ));
        }
        (false, None) => {}
    }
    let dependency =
        NewDependency { texts, features: arguments.features.clone(), capabilities: Vec::new() };
    let before = editing::text(&project)?;
    let text = with_dependency(&before, section(arguments.dev), name, &dependency)
        .map_err(|error| CommandError::from_error(Kind::Usage, &error))?;
    editing::apply(config, &project, &before, &text)?;
    config.printer.status("Wrote", &format!("{name} into [{}]", section(arguments.dev).name()));
    Ok(ExitCode::SUCCESS)
}

/// Returns the path of a package's folder as run.toml has it, if there is something.
fn local(config: &Config, project: &Project, path: &str) -> Result<String, CommandError> {
    let path = editing::in_project(config, project, Path::new(path));
    if !project.folder.join(&path).exists() {
        return Err(CommandError::usage(format!("there is no `{}`", path.display())));
    }
    path.into_os_string()
        .into_string()
        .map_err(|_| CommandError::usage("the path of the package is not text"))
}

/// Runs `run remove`.
pub(crate) fn remove(arguments: &Remove, config: &Config) -> Result<ExitCode, CommandError> {
    let project = start::project(config)?;
    let before = editing::text(&project)?;
    let mut text = before.clone();
    for package in &arguments.packages {
        let edited = without_dependency(&text, section(arguments.dev), package)
            .map_err(|error| CommandError::from_error(Kind::Usage, &error))?;
        text = edited.ok_or_else(|| absent(arguments.dev, package, &text))?;
    }
    editing::apply(config, &project, &before, &text)?;
    Ok(ExitCode::SUCCESS)
}

/// Returns the error about a package that is not there. It says if the other section has it.
fn absent(dev: bool, package: &str, text: &str) -> CommandError {
    let message = format!("`{package}` is not in [{}]", section(dev).name());
    let other = section(!dev);
    let is_there = without_dependency(text, other, package).is_ok_and(|found| found.is_some());
    let error = CommandError::usage(message);
    match (is_there, dev) {
        (true, false) => error.hint("it is in [dev_dependencies]: add --dev"),
        (true, true) => error.hint("it is in [dependencies]: leave --dev out"),
        (false, _) => error,
    }
}

const fn section(dev: bool) -> PackageSection {
    if dev { PackageSection::DevDependencies } else { PackageSection::Dependencies }
}

/// Returns the newest version of a package that is a release and was not withdrawn; of those that are built in, or of the
/// registry's.
fn newest(opened: &Opened, package: &PackageName) -> Result<Version, CommandError> {
    if let Some(version) = wit::newest_built_in(package.namespace(), package.name()) {
        return Ok(version);
    }
    let releases = |versions: &[Version]| {
        versions.iter().filter(|version| version.pre.is_empty()).max().cloned()
    };
    let id: PackageId = package
        .to_string()
        .parse()
        .map_err(|error| CommandError::from_error(Kind::Usage, &error))?;
    let offered = opened.packages.versions(&id).map_err(of_registry)?;
    let usable: Vec<Version> = offered
        .iter()
        .filter(|release| !release.yanked)
        .map(|release: &Release| release.version.clone())
        .collect();
    releases(&usable).ok_or_else(|| {
        let all: Vec<String> = offered.iter().map(|release| release.version.to_string()).collect();
        CommandError::usage(format!("`{package}` has no released version"))
            .hint(format!("name one of: {}", all.join(", ")))
    })
}
