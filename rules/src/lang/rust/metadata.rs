//! Reads `[package.metadata.component]`, which marks a package that is built by cargo-component.
//!
//! cargo-component finds the world and its packages by the manifest. `run` has them complete already, by
//! run.toml. So the action sees a manifest whose `target` is the completed folder, and what the user's own
//! manifest says of the world has to agree with run.toml. Nothing is looked up in a registry.

use toml::{Table, Value};

use super::package::Package;
use crate::path::ProjectPath;
use crate::planner::ComponentWit;

/// The folder in which an action sees the completed WIT.
pub(super) const WIT: &str = "deps/wit";

/// A setting for cargo-component in a manifest that a build here does not follow.
#[derive(Debug, thiserror::Error)]
pub(in crate::lang) enum MetadataError {
    /// run.toml names no WIT for the component.
    #[error("{manifest} is a package for cargo-component, whose bindings are made from `wit`")]
    NeedsWit {
        /// The package's manifest.
        manifest: ProjectPath,
        /// The place where cargo-component would look for its WIT.
        wit: ProjectPath,
    },
    /// The world is a package of a registry.
    #[error(
        "{manifest}: the `target` of `[package.metadata.component]` is `{target}`, from a registry"
    )]
    RegistryTarget {
        /// The package's manifest.
        manifest: ProjectPath,
        /// The target.
        target: String,
    },
    /// The package imports what another component exports.
    #[error(
        "{manifest}: `[package.metadata.component.dependencies]` names the component `{dependency}`"
    )]
    ComponentDependency {
        /// The package's manifest.
        manifest: ProjectPath,
        /// The component.
        dependency: String,
    },
    /// The package brings an adapter.
    #[error("{manifest}: `adapter` in `[package.metadata.component]` would not be used")]
    Adapter {
        /// The package's manifest.
        manifest: ProjectPath,
    },
    /// Manifest and run.toml disagree.
    #[error("{manifest} targets the {what} `{there}`, run.toml `{here}`")]
    Disagree {
        /// The package's manifest.
        manifest: ProjectPath,
        /// The thing that they disagree on, in the words of the message.
        what: &'static str,
        /// The value in the manifest.
        there: String,
        /// The value in run.toml.
        here: String,
    },
}

impl MetadataError {
    /// Returns the remedy for the error.
    pub(super) fn hint(&self) -> String {
        match self {
            Self::NeedsWit { wit, .. } => format!("add `wit = \"{wit}\"` to the component"),
            Self::RegistryTarget { target, .. } => format!(
                "remove `target`, and write a world into the folder that `wit` names: \
                 `world my-world {{ include {target}; }}`"
            ),
            Self::ComponentDependency { .. } => {
                "import its interfaces in the component's own world, and remove the entry: \
                 components are put together after they are built"
                    .to_owned()
            }
            Self::Adapter { .. } => {
                "remove it: components are compiled for wasm32-wasip2, which needs no adapter"
                    .to_owned()
            }
            Self::Disagree { .. } => "let both say the same".to_owned(),
        }
    }
}

/// Returns `[package.metadata.component]` of a manifest, if it is there.
pub(super) fn section(manifest: &Table) -> Option<&Value> {
    manifest.get("package")?.get("metadata")?.get("component")
}

/// Compares what the manifest asks for with run.toml, and returns the component's WIT.
pub(super) fn check<'a>(
    package: &Package,
    manifest: &Table,
    wit: Option<&'a ComponentWit>,
) -> Result<&'a ComponentWit, MetadataError> {
    let file = package.dir.join("Cargo.toml");
    let section = section(manifest);
    let target = section.and_then(|section| section.get("target"));
    if let Some(target) = target.and_then(registry_target) {
        return Err(MetadataError::RegistryTarget { manifest: file, target });
    }
    let dependencies = section.and_then(|s| s.get("dependencies")).and_then(Value::as_table);
    if let Some(dependency) = dependencies.and_then(|table| table.keys().next()) {
        let dependency = dependency.clone();
        return Err(MetadataError::ComponentDependency { manifest: file, dependency });
    }
    if section.and_then(|section| section.get("adapter")).is_some() {
        return Err(MetadataError::Adapter { manifest: file });
    }
    let text = |key: &str| target.and_then(|target| target.get(key)).and_then(Value::as_str);
    let path = package.dir.resolve(text("path").unwrap_or("wit"));
    let Some(wit) = wit else {
        let wit = path.unwrap_or_else(|_| package.dir.join("wit"));
        return Err(MetadataError::NeedsWit { manifest: file, wit });
    };
    let disagree = |what, there: &str, here: &str| {
        let (there, here) = (there.to_owned(), here.to_owned());
        Err(MetadataError::Disagree { manifest: file.clone(), what, there, here })
    };
    let same = path.is_ok_and(|path| path == wit.place || path.parent() == wit.place);
    match (text("path"), text("world")) {
        (Some(path), _) if !same => disagree("WIT in", path, wit.place.as_str()),
        (_, Some(world)) if short(world) != short(&wit.world) => {
            disagree("world", world, &wit.world)
        }
        _ => Ok(wit),
    }
}

/// Returns the name of a target that comes from a registry.
fn registry_target(target: &Value) -> Option<String> {
    if let Some(name) = target.as_str() {
        return Some(name.to_owned());
    }
    let text = |key| target.get(key).and_then(Value::as_str);
    let world = text("world").map_or_else(String::new, |world| format!("/{world}"));
    // WIT names a package with its full version, so a range of versions is left out.
    let version = text("version").filter(|version| semver::Version::parse(version).is_ok());
    let version = version.map_or_else(String::new, |version| format!("@{version}"));
    Some(format!("{}{world}{version}", text("package")?))
}

/// Returns a world's name without its package.
fn short(world: &str) -> &str {
    let name = world.rsplit('/').next().unwrap_or(world);
    name.split('@').next().unwrap_or(name)
}

/// Returns the manifest that the action sees: its target is the completed folder, whose `deps/` has the
/// folders `packages`.
pub(super) fn retargeted(
    manifest: &Table,
    world: &str,
    packages: impl Iterator<Item = String>,
) -> String {
    let path = |path: String| Value::from(Table::from_iter([("path".to_owned(), path.into())]));
    // The keys are names for cargo-component alone. Each folder states itself which package it is.
    let packages = packages
        .enumerate()
        .map(|(number, folder)| (format!("deps:p{number}"), path(format!("/{WIT}/deps/{folder}"))));
    let target = Table::from_iter([
        ("path".to_owned(), format!("/{WIT}").into()),
        ("world".to_owned(), world.into()),
        ("dependencies".to_owned(), Value::Table(packages.collect())),
    ]);
    let mut manifest = manifest.clone();
    let section = manifest
        .get_mut("package")
        .and_then(|package| package.get_mut("metadata"))
        .and_then(|metadata| metadata.get_mut("component"))
        .and_then(Value::as_table_mut);
    if let Some(section) = section {
        section.insert("target".to_owned(), Value::Table(target));
    }
    manifest.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(section: &str) -> (Package, Table) {
        let text = format!("[package]\nname = \"units\"\n{section}");
        let manifest: Table = toml::from_str(&text).unwrap();
        let dir = ProjectPath::parse("units").unwrap();
        (Package::read(std::path::Path::new("/nowhere"), &dir, &manifest).unwrap(), manifest)
    }

    #[test]
    fn manifest_and_run_toml_have_to_agree() {
        let wit = ComponentWit {
            tree: cache::Digest::of(cache::DigestFunction::Blake3, b""),
            world: "units".to_owned(),
            place: ProjectPath::parse("units/wit").unwrap(),
            origins: crate::wit::Origins::default(),
        };
        let check = |section: &str, expect: Option<&str>| {
            let (package, manifest) = parse(section);
            let error = check(&package, &manifest, Some(&wit)).err();
            assert_eq!(error.map(|e| e.to_string()).as_deref(), expect, "{section}");
        };
        check("[package.metadata.component]", None);
        check("[package.metadata.component]\nproxy = true", None);
        check("[package.metadata.component.target]\npath = \"wit\"\nworld = \"units\"", None);
        check("[package.metadata.component.target]\npath = \"wit/units.wit\"", None);
        check("[package.metadata.component.target.dependencies]\n\"wasi:io\" = \"0.2.0\"", None);
        check("[package.metadata.component.target]\nworld = \"demo:units/units@1.0.0\"", None);
        check(
            "[package.metadata.component.target]\npath = \"../wit\"",
            Some("units/Cargo.toml targets the WIT in `../wit`, run.toml `units/wit`"),
        );
        check(
            "[package.metadata.component.target]\nworld = \"other\"",
            Some("units/Cargo.toml targets the world `other`, run.toml `units`"),
        );
        check(
            "[package.metadata.component]\ntarget = \"wasi:http/proxy@0.2.4\"",
            Some(
                "units/Cargo.toml: the `target` of `[package.metadata.component]` is \
                 `wasi:http/proxy@0.2.4`, from a registry",
            ),
        );
        check(
            "[package.metadata.component.target]\npackage = \"a:b\"\nversion = \"1\"\nworld = \"w\"",
            Some(
                "units/Cargo.toml: the `target` of `[package.metadata.component]` is `a:b/w`, \
                 from a registry",
            ),
        );
        check(
            "[package.metadata.component.target]\npackage = \"a:b\"\nversion = \"1.0.0\"\nworld = \"w\"",
            Some(
                "units/Cargo.toml: the `target` of `[package.metadata.component]` is `a:b/w@1.0.0`, \
                 from a registry",
            ),
        );
        check(
            "[package.metadata.component.dependencies]\n\"a:b\" = { path = \"b.wasm\" }",
            Some(
                "units/Cargo.toml: `[package.metadata.component.dependencies]` names the \
                 component `a:b`",
            ),
        );
        check(
            "[package.metadata.component]\nadapter = \"a.wasm\"",
            Some("units/Cargo.toml: `adapter` in `[package.metadata.component]` would not be used"),
        );
    }

    #[test]
    fn without_wit_the_folder_is_named() {
        let (package, manifest) = parse("[package.metadata.component]");
        let error = check(&package, &manifest, None).unwrap_err();
        assert_eq!(error.hint(), "add `wit = \"units/wit\"` to the component");
    }

    #[test]
    fn the_action_sees_the_completed_folder() {
        let (_, manifest) = parse(
            "[package.metadata.component.bindings]\nderives = [\"PartialEq\"]\n\
             [package.metadata.component.target.dependencies]\n\"wasi:io\" = \"0.2.0\"",
        );
        let text = retargeted(&manifest, "units", ["wasi-io-0.2.4".to_owned()].into_iter());
        let seen: Table = toml::from_str(&text).unwrap();
        let section = section(&seen).unwrap();
        assert_eq!(section["bindings"]["derives"][0].as_str(), Some("PartialEq"));
        let expect: Table = toml::from_str(
            "path = \"/deps/wit\"\nworld = \"units\"\n\
             [dependencies]\n\"deps:p0\" = { path = \"/deps/wit/deps/wasi-io-0.2.4\" }",
        )
        .unwrap();
        assert_eq!(section["target"], Value::Table(expect));
    }
}
