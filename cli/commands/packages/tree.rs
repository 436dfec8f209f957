//! `run tree`: shows which packages the project depends on, and why.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::process::ExitCode;

use project::Project;
use rules::manifest::{Dependencies, DependencySource, PackageName, Requirement};
use rules::toolchain::{Lock, LockedDependency};
use rules::wit;
use serde_json::{Value, json};

use crate::command_error::CommandError;
use crate::commands::start;
use crate::config::Config;
use crate::ui;

/// A package in the tree.
struct Node<'l> {
    name: String,
    /// The version, or what stands in its place.
    version: String,
    /// The kind of package and the place that it comes from.
    note: String,
    /// The entry of the lock, if there is one.
    locked: Option<&'l LockedDependency>,
}

/// Runs `run tree`.
pub(crate) fn run(config: &Config) -> Result<ExitCode, CommandError> {
    let project = start::project(config)?;
    let lock = project.lock()?.unwrap_or_default();
    let manifest = &project.manifest;
    let sections = [
        (None, nodes(&manifest.dependencies, &lock)),
        (Some("dev_dependencies"), nodes(&manifest.dev_dependencies, &lock)),
    ];
    if config.printer.json {
        for (section, nodes) in &sections {
            let section = section.unwrap_or("dependencies");
            for node in nodes {
                ui::emit(&as_json(node, section));
            }
        }
        return Ok(ExitCode::SUCCESS);
    }
    config.printer.result(&text(&project, &lock, &sections));
    Ok(ExitCode::SUCCESS)
}

fn text(project: &Project, lock: &Lock, sections: &[(Option<&str>, Vec<Node<'_>>)]) -> String {
    let facts = &project.manifest.project;
    let mut text = format!("{} {}\n", facts.name.value, facts.version.value);
    // A package is shown with its needs once; where it comes again, a star stands in their place, as Cargo has it.
    let mut shown = BTreeSet::new();
    for (section, nodes) in sections {
        if nodes.is_empty() {
            continue;
        }
        if let Some(section) = section {
            let _ = writeln!(text, "[{section}]");
        }
        draw(nodes, lock, "", &mut shown, &mut text);
    }
    text
}

fn draw(
    nodes: &[Node<'_>],
    lock: &Lock,
    before: &str,
    shown: &mut BTreeSet<String>,
    text: &mut String,
) {
    for (index, node) in nodes.iter().enumerate() {
        let is_last = index + 1 == nodes.len();
        let Node { name, version, note, locked } = node;
        let branch = if is_last { "└── " } else { "├── " };
        let has_needs = locked.is_some_and(|locked| !locked.needs.is_empty());
        let is_new = shown.insert(format!("{name} {version}"));
        let star = if has_needs && !is_new { " (*)" } else { "" };
        let _ = writeln!(text, "{before}{branch}{name} {version} ({note}){star}");
        if let Some(locked) = locked.filter(|_| has_needs && is_new) {
            let below = format!("{before}{}", if is_last { "    " } else { "│   " });
            let needs = lock.dependencies.iter().filter(|other| locked.needs.contains(&other.id()));
            draw(&needs.map(node_of).collect::<Vec<_>>(), lock, &below, shown, text);
        }
    }
}

fn as_json(node: &Node<'_>, section: &str) -> Value {
    let needs = node.locked.map(|locked| locked.needs.as_slice()).unwrap_or_default();
    json!({
        "event": "dependency",
        "section": section,
        "name": node.name,
        "version": node.version,
        "from": node.note,
        "needs": needs,
    })
}

/// Returns the packages of a section.
fn nodes<'l>(section: &Dependencies, lock: &'l Lock) -> Vec<Node<'l>> {
    let node = |(name, dependency): (&PackageName, &rules::manifest::Dependency)| {
        let leaf = |version: String, note: &str| Node {
            name: name.to_string(),
            version,
            note: note.to_owned(),
            locked: None,
        };
        match &dependency.source {
            DependencySource::Path { path } => leaf("*".to_owned(), path.as_str()),
            DependencySource::Registry { version } => match built_in(name, version) {
                Some(found) => leaf(found, "built in"),
                None => locked(lock, &name.to_string(), |found| {
                    version.matches(&found.version) && !found.source.starts_with("git+")
                })
                .unwrap_or_else(|| leaf(version.to_string(), "not locked yet")),
            },
            DependencySource::Git { url, .. } => locked(lock, &name.to_string(), |found| {
                let rest = found.source.strip_prefix("git+");
                let rest = rest.and_then(|source| source.strip_prefix(url.as_str()));
                rest.is_some_and(|rest| rest.starts_with(['?', '#']))
            })
            .unwrap_or_else(|| leaf("*".to_owned(), url.as_str())),
        }
    };
    section.iter().map(node).collect()
}

fn built_in(name: &PackageName, version: &Requirement) -> Option<String> {
    let found = wit::built_in_version(name.namespace(), name.name(), &version.base()?)?;
    Some(found.to_string())
}

/// Returns the newest locked version of a package that fits.
fn locked<'l>(
    lock: &'l Lock,
    name: &str,
    fits: impl Fn(&LockedDependency) -> bool,
) -> Option<Node<'l>> {
    let found = lock.dependencies_of(name).filter(|found| fits(found));
    found.max_by_key(|found| &found.version).map(node_of)
}

fn node_of(locked: &LockedDependency) -> Node<'_> {
    Node {
        name: locked.name.clone(),
        version: locked.version.to_string(),
        note: format!("{}, {}", locked.kind.as_str(), locked.source),
        locked: Some(locked),
    }
}
