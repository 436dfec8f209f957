//! `run info`: shows how `run` understands the project.
//!
//! There is one description, which is shown as text or as JSON. So the two forms always say the same.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::ExitCode;

use cache::DiskStore;
use project::Project;
use rules::manifest::{Component, Dependencies, DependencySource, Manifest, Origin};
use rules::toolchain::Lock;
use serde_json::{Map, Value, json};

use super::start;
use crate::arguments::Info as Arguments;
use crate::command_error::CommandError;
use crate::config::Config;
use crate::shared_cache;
use crate::ui;

/// Runs `run info`.
pub(crate) fn run(arguments: &Arguments, config: &Config) -> Result<ExitCode, CommandError> {
    let project = start::project(config)?;
    let selection = start::selection(&project, &arguments.names)?;
    if !selection.is_everything() {
        let components = selection.components(&project.manifest).map(component);
        let description = json!({ "components": components.collect::<Vec<_>>() });
        print(config, &ui::mask::json(&description), String::new());
        return Ok(ExitCode::SUCCESS);
    }
    let store = start::store(config)?;
    let lock = project.lock()?;
    let description = ui::mask::json(&describe(config, &project, &store, lock.as_ref()));
    print(config, &description, headline(&project.manifest));
    Ok(ExitCode::SUCCESS)
}

fn print(config: &Config, description: &Value, headline: String) {
    config.printer.result(&match config.printer.json {
        true => format!("{description}\n"),
        false => headline + &text(description),
    });
}

fn headline(manifest: &Manifest) -> String {
    format!("{} {}\n\n", manifest.project.name.value, manifest.project.version.value)
}

fn describe(config: &Config, project: &Project, store: &DiskStore, lock: Option<&Lock>) -> Value {
    let manifest = &project.manifest;
    let registry = &manifest.registry;
    let dev = &manifest.dev;
    json!({
        "project": identity(project),
        "components": manifest.components.iter().map(component).collect::<Vec<_>>(),
        "tests": tests(manifest),
        "dependencies": dependencies(&manifest.dependencies),
        "dev_dependencies": dependencies(&manifest.dev_dependencies),
        "build": {
            "output_dir": manifest.build.output_dir.value.to_string(),
            "opt_level": manifest.build.opt_level.value.to_string(),
            "reproducible": manifest.build.reproducible.value,
            "determinism": {
                "layer": sandbox::Determinism::LAYER,
                "commands": if *manifest.build.reproducible {
                    "all"
                } else {
                    "python, javascript, typescript"
                },
            },
        },
        "registry": {
            "url": registry.url.value.to_string(),
            "mirrors": registry.mirrors.iter().map(|url| url.value.to_string()).collect::<Vec<_>>(),
            "authenticated": registry.auth_token.is_some(),
        },
        "shared_cache": shared_cache::address(config, manifest).map(|(url, is_trusted)| {
            json!({"remote": url.to_string(), "for_all_projects": is_trusted})
        }),
        "dev": {
            "watch": dev.watch.iter().map(|glob| glob.value.to_string()).collect::<Vec<_>>(),
            "hot_reload": dev.hot_reload.value,
            "port": dev.port.value,
            "log_level": dev.log_level.value.to_string(),
        },
        "deploy": deploy(manifest),
        "toolchains": toolchains(lock),
        "store": {
            "path": store.root().display().to_string(),
            "digest_function": store.function().to_string(),
        },
    })
}

fn identity(project: &Project) -> Value {
    let folder = project.folder.display().to_string();
    let project = &project.manifest.project;
    let mut value = json!({
        "name": project.name.value.to_string(),
        "version": project.version.value.to_string(),
        "folder": folder,
    });
    if let Some(description) = &project.description {
        value["description"] = description.value.clone().into();
    }
    if !project.authors.is_empty() {
        value["authors"] = project.authors.iter().map(|author| author.value.clone()).collect();
    }
    if let Some(license) = &project.license {
        value["license"] = license.value.to_string().into();
    }
    if let Some(repository) = &project.repository {
        value["repository"] = repository.value.to_string().into();
    }
    value
}

fn component(component: &Component) -> Value {
    let mut value = json!({ "name": component.name.value.to_string() });
    match &component.origin {
        Origin::Source { file, language } => {
            value["language"] = language.value.to_string().into();
            value["source"] = file.value.to_string().into();
        }
        Origin::Prebuilt { file } => value["path"] = file.value.to_string().into(),
    }
    if let Some(wit) = &component.wit {
        value["wit"] = wit.value.to_string().into();
    }
    if let Some(world) = &component.world {
        value["world"] = world.value.to_string().into();
    }
    for (key, list) in [
        ("capabilities", component.capabilities.iter().map(|c| c.value.to_string()).collect()),
        ("inputs", component.inputs.iter().map(|glob| glob.value.to_string()).collect()),
        ("exclude", component.exclude.iter().map(|glob| glob.value.to_string()).collect()),
        ("env", component.env.keys().map(ToString::to_string).collect()),
        ("features", component.features.names.iter().map(|name| name.value.to_string()).collect()),
        ("dependencies", component.dependencies.iter().map(|d| d.value.to_string()).collect()),
    ] {
        let list: Vec<String> = list;
        if !list.is_empty() {
            value[key] = list.into();
        }
    }
    if let Some(compiler) = &component.compiler {
        value["compiler"] = compiler.value.to_string().into();
    }
    if !component.features.default.value {
        value["default_features"] = false.into();
    }
    if !component.enabled.value {
        value["enabled"] = false.into();
    }
    if component.test.value {
        value["test"] = true.into();
    }
    value
}

/// Lists the names of all tests, by their components.
fn tests(manifest: &Manifest) -> Value {
    let mut by_component: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for test in manifest.all_tests() {
        let names = by_component.entry(test.component.value.to_string()).or_default();
        names.push(test.name.value.to_string());
    }
    json!(by_component)
}

fn dependencies(dependencies: &Dependencies) -> Value {
    let entries = dependencies.iter().map(|(name, dependency)| {
        let origin = match &dependency.source {
            DependencySource::Registry { version } => version.value.to_string(),
            DependencySource::Git { url, .. } => url.value.to_string(),
            DependencySource::Path { path } => path.value.to_string(),
        };
        (name.to_string(), Value::from(origin))
    });
    Value::Object(entries.collect())
}

fn deploy(manifest: &Manifest) -> Value {
    let entries = manifest.deploy.iter().map(|(name, profile)| {
        let mut value = json!({ "target_type": profile.target_type.value.to_string() });
        if let Some(provider) = &profile.provider {
            value["provider"] = provider.value.clone().into();
        }
        if !profile.options.is_empty() {
            // Only the names are shown, because an option may hold a credential.
            value["options"] = profile.options.keys().cloned().collect();
        }
        (name.to_string(), value)
    });
    Value::Object(entries.collect::<Map<_, _>>())
}

fn toolchains(lock: Option<&Lock>) -> Value {
    let Some(lock) = lock else { return json!({}) };
    let entries = lock.toolchains.iter().map(|(name, version)| {
        let images = lock.images.iter().filter(|image| &image.toolchain == name);
        let images: Map<String, Value> = images
            .map(|image| (image.platform.to_string(), image.tree.to_string().into()))
            .collect();
        (name.clone(), json!({ "version": version, "images": images }))
    });
    Value::Object(entries.collect())
}

/// Formats a description as indented text, with a heading per section and a line per entry.
fn text(description: &Value) -> String {
    let mut text = String::new();
    for (section, value) in description.as_object().into_iter().flatten() {
        if is_empty(value) {
            continue;
        }
        let _ = writeln!(text, "{section}");
        match value {
            Value::Array(items) => items.iter().for_each(|item| entry(&mut text, item)),
            Value::Object(entries) => {
                let width = entries.keys().map(String::len).max().unwrap_or_default();
                for (key, value) in entries.iter().filter(|(_, value)| !is_empty(value)) {
                    let _ = writeln!(text, "  {key:width$}  {}", inline(value));
                }
            }
            other => {
                let _ = writeln!(text, "  {}", inline(other));
            }
        }
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text + "\n"
}

/// Writes a component: its name, and then a line for each of its properties.
fn entry(text: &mut String, item: &Value) {
    let name = item["name"].as_str().unwrap_or_default();
    let _ = writeln!(text, "  {name}");
    for (key, value) in item.as_object().into_iter().flatten().filter(|(key, _)| *key != "name") {
        let _ = writeln!(text, "    {key:12}  {}", inline(value));
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.is_empty(),
        Value::Object(entries) => entries.is_empty(),
        _ => false,
    }
}

fn inline(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(inline).collect::<Vec<_>>().join(", "),
        Value::Object(entries) => {
            let parts = entries.iter().filter(|(_, value)| !is_empty(value));
            parts
                .map(|(key, value)| format!("{key} {}", inline(value)))
                .collect::<Vec<_>>()
                .join(", ")
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_has_a_line_an_entry() {
        let description = json!({
            "project": { "name": "p", "folder": "/p" },
            "components": [{ "name": "api", "language": "rust", "capabilities": ["clock", "stdio"] }],
            "deploy": {},
        });
        assert_eq!(
            text(&description),
            "project\n  name    p\n  folder  /p\n\n\
             components\n  api\n    language      rust\n    capabilities  clock, stdio\n"
        );
    }
}
