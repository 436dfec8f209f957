//! `run toolchain list`: lists the pinned, the needed and the available toolchains.

use std::collections::BTreeMap;
use std::process::ExitCode;

use rules::plan;
use rules::platform::Platform;
use rules::toolchain::{BuiltIn, Catalogue, Lock, Pinned, Presence};
use serde_json::{Value, json};

use crate::command_error::{CommandError, Kind};
use crate::commands::start;
use crate::config::Config;
use crate::ui;

/// For each toolchain, the components that need it.
type Needed<'a> = BTreeMap<&'static str, Vec<&'a str>>;

/// A toolchain that the lock or the project names but that has no pinned image.
struct Unpinned<'a> {
    name: &'a str,
    version: Option<&'a str>,
    built_in: Option<BuiltIn>,
}

/// Runs `run toolchain list`.
pub(super) fn run(config: &Config) -> Result<ExitCode, CommandError> {
    let project = start::project(config)?;
    let lock = project.lock()?.unwrap_or_default();
    let pinned = lock
        .inventory(start::store(config)?.content())
        .map_err(|error| CommandError::from_error(Kind::Environment, &error))?;
    let needed = plan::needed_by(&project.folder, &project.manifest);
    let unpinned = unpinned(&lock, &needed);
    if config.printer.json {
        pinned.iter().for_each(|pinned| ui::emit(&pinned_value(pinned, &needed)));
        unpinned.iter().for_each(|unpinned| ui::emit(&unpinned_value(unpinned, &needed)));
        available().iter().for_each(ui::emit);
    } else {
        config.printer.result(&text(&pinned, &unpinned, &needed));
    }
    Ok(ExitCode::SUCCESS)
}

fn unpinned<'a>(lock: &'a Lock, needed: &Needed<'_>) -> Vec<Unpinned<'a>> {
    let named = lock.toolchains.iter().filter(|(name, _)| lock.images_of(name).next().is_none());
    let named = named.map(|(name, version)| Unpinned {
        name,
        version: Some(version),
        built_in: BuiltIn::of(name, Catalogue::builtin()),
    });
    let missing = needed.keys().filter(|name| lock.version(name).is_none());
    let missing = missing.map(|&name| Unpinned { name, version: None, built_in: None });
    named.chain(missing).collect()
}

fn pinned_value(pinned: &Pinned, needed: &Needed<'_>) -> Value {
    json!({
        "event": "toolchain",
        "name": pinned.name,
        "version": pinned.version,
        "pinned": true,
        "platform": pinned.platform,
        "added": pinned.added,
        "sources": pinned.sources,
        "packages": pinned.packages,
        "store": pinned.presence,
        "unpacked_bytes": pinned.unpacked,
        "kept_bytes": pinned.kept,
        "needed_by": needed.get(pinned.name.as_str()),
    })
}

fn unpinned_value(unpinned: &Unpinned<'_>, needed: &Needed<'_>) -> Value {
    json!({
        "event": "toolchain",
        "name": unpinned.name,
        "version": unpinned.version,
        "pinned": false,
        "built_in": unpinned.built_in.map(|built_in| built_in.crates),
        "needed_by": needed.get(unpinned.name),
    })
}

/// Returns every version in the catalogue.
fn available() -> Vec<Value> {
    let catalogue = Catalogue::builtin();
    let toolchains =
        catalogue.names().filter_map(|name| Some((name, catalogue.toolchain(name).ok()?)));
    let versions = toolchains.flat_map(|(name, toolchain)| {
        toolchain.versions().map(move |version| {
            json!({
                "event": "available",
                "name": name,
                "version": version,
                "default": version == toolchain.default,
                "platforms": toolchain.platforms(version).collect::<Vec<Platform>>(),
                "about": toolchain.about,
            })
        })
    });
    versions.collect()
}

fn text(pinned: &[Pinned], unpinned: &[Unpinned<'_>], needed: &Needed<'_>) -> String {
    let heading =
        ["TOOLCHAIN", "VERSION", "PLATFORM", "FROM", "STORE", "UNPACKED", "KEPT", "NEEDED BY"];
    let mut rows = vec![heading.map(ToOwned::to_owned).to_vec()];
    rows.extend(pinned.iter().map(|pinned| pinned_row(pinned, needed)));
    rows.extend(unpinned.iter().map(|unpinned| unpinned_row(unpinned, needed)));
    let mut available_rows =
        vec![["AVAILABLE", "VERSION", "PLATFORMS"].map(ToOwned::to_owned).to_vec()];
    available_rows.extend(available().iter().map(available_row));
    let lock = if rows.len() > 1 { ui::table(&rows) + "\n" } else { String::new() };
    lock + &ui::table(&available_rows)
}

fn pinned_row(pinned: &Pinned, needed: &Needed<'_>) -> Vec<String> {
    let mut sources: Vec<String> = pinned.sources.iter().map(source).collect();
    if pinned.added {
        sources.insert(0, "added".to_owned());
    }
    vec![
        pinned.name.clone(),
        pinned.version.clone(),
        pinned.platform.to_string(),
        sources.join(","),
        match pinned.presence {
            Presence::Whole => "yes",
            Presence::Partial => "in part",
            Presence::Absent => "no",
            Presence::Unknown => "?",
        }
        .to_owned(),
        pinned.unpacked.map_or_else(|| "-".to_owned(), ui::size),
        ui::size(pinned.kept),
        components(&pinned.name, needed),
    ]
}

/// Returns the name of a source as in the lock.
fn source(kind: &rules::toolchain::SourceKind) -> String {
    let value = serde_json::to_value(kind).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}

fn unpinned_row(unpinned: &Unpinned<'_>, needed: &Needed<'_>) -> Vec<String> {
    let from = if unpinned.built_in.is_some() { "built in" } else { "not pinned" };
    let version = unpinned.version.unwrap_or("-").to_owned();
    let mut row = vec![unpinned.name.to_owned(), version, "-".to_owned(), from.to_owned()];
    row.extend(["-"; 3].map(ToOwned::to_owned));
    row.push(components(unpinned.name, needed));
    row
}

fn available_row(value: &Value) -> Vec<String> {
    let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let default = if value["default"] == true { " (default)" } else { "" };
    let platforms = value["platforms"].as_array().into_iter().flatten();
    let platforms: Vec<&str> = platforms.filter_map(Value::as_str).collect();
    vec![text("name"), format!("{}{default}", text("version")), platforms.join(", ")]
}

fn components(name: &str, needed: &Needed<'_>) -> String {
    needed.get(name).map_or_else(|| "-".to_owned(), |components| components.join(", "))
}
