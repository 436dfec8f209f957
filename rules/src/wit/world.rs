//! Picks the world that a component is built for: the one that run.toml names, the only one of the package,
//! or the one that has the component's name.
//!
//! It works on WIT that is already parsed, and does not know run.toml: the names of the world and of the
//! component are passed in as text.

use wit_parser::{PackageId, PackageName, ParsedUsePath, Resolve, WorldId, parse_use_path};

/// The reason why no world could be picked.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum WorldError {
    /// The package declares interfaces only.
    #[error("package `{package}` has no world")]
    None {
        /// The component's package.
        package: String,
    },
    /// The world that the manifest names does not exist.
    #[error("there is no world `{world}` in package `{package}`, which has {}", list(.available))]
    Unknown {
        /// The world's name, as the manifest writes it.
        world: String,
        /// The package that was searched.
        package: String,
        /// The names of the worlds that exist.
        available: Vec<String>,
    },
    /// The world that the manifest names is in a package that nothing refers to.
    #[error("world `{world}` names a package that is not among this component's WIT")]
    UnknownPackage {
        /// The world's name, as the manifest writes it.
        world: String,
    },
    /// The name in the manifest does not have the form of a world's name.
    #[error("`{world}` is not the name of a world; expected `name` or `namespace:package/name`")]
    Malformed {
        /// The name, as the manifest writes it.
        world: String,
    },
    /// The package has several worlds, and none is named like the component.
    #[error(
        "package `{package}` has the worlds {}; none is named `{component}` like the component",
        list(.available)
    )]
    Ambiguous {
        /// The component's package.
        package: String,
        /// The component's name.
        component: String,
        /// The names of the worlds that exist.
        available: Vec<String>,
    },
}

/// Picks the world that is asked for, else the only one, else the one that is named like the component.
///
/// `explicit` is a world of `package`, or `namespace:package/world[@version]` for a world of any package in
/// `resolve`.
pub fn select_world(
    resolve: &Resolve,
    package: PackageId,
    explicit: Option<&str>,
    component: &str,
) -> Result<WorldId, WorldError> {
    if let Some(name) = explicit {
        return named(resolve, package, name);
    }
    let package = &resolve.packages[package];
    let mut worlds = package.worlds.values();
    match (worlds.next(), worlds.next()) {
        (None, _) => Err(WorldError::None { package: package.name.to_string() }),
        (Some(only), None) => Ok(*only),
        _ => package.worlds.get(component).copied().ok_or_else(|| WorldError::Ambiguous {
            package: package.name.to_string(),
            component: component.to_owned(),
            available: package.worlds.keys().cloned().collect(),
        }),
    }
}

fn named(resolve: &Resolve, package: PackageId, world: &str) -> Result<WorldId, WorldError> {
    let owned = || world.to_owned();
    let (package, name) = match parse_use_path(world) {
        Ok(ParsedUsePath::Name(name)) => (package, name),
        Ok(ParsedUsePath::Package(wanted, name)) => {
            let package = find_package(resolve, &wanted);
            (package.ok_or_else(|| WorldError::UnknownPackage { world: owned() })?, name)
        }
        Err(_) => return Err(WorldError::Malformed { world: owned() }),
    };
    let package = &resolve.packages[package];
    package.worlds.get(&name).copied().ok_or_else(|| WorldError::Unknown {
        world: owned(),
        package: package.name.to_string(),
        available: package.worlds.keys().cloned().collect(),
    })
}

/// Returns the package of that name. Without a version, this is the newest one.
fn find_package(resolve: &Resolve, wanted: &PackageName) -> Option<PackageId> {
    let fits = |name: &PackageName| {
        name.namespace == wanted.namespace
            && name.name == wanted.name
            && (wanted.version.is_none() || name.version == wanted.version)
    };
    let found = resolve.package_names.iter().filter(|(name, _)| fits(name));
    found.max_by(|(a, _), (b, _)| a.version.cmp(&b.version)).map(|(_, id)| *id)
}

fn list(names: &[String]) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks the world that is picked from the WIT file `wit`. `expect` is its name, or the text of the
    /// error.
    #[track_caller]
    fn check(wit: &str, explicit: Option<&str>, expect: &str) {
        let mut resolve = Resolve::new();
        resolve.push_source("dep.wit", "package dep:d@1.2.0;\nworld w {}").unwrap();
        let package = resolve.push_source("api.wit", wit).unwrap();
        let found = match select_world(&resolve, package, explicit, "api") {
            Ok(world) => resolve.worlds[world].name.clone(),
            Err(error) => error.to_string(),
        };
        assert_eq!(found, expect);
    }

    #[test]
    fn the_rule() {
        check("package a:b; world only {}", None, "only");
        check("package a:b; world api {} world other {}", None, "api");
        check("package a:b; world api {} world other {}", Some("other"), "other");
        check("package a:b; world api {}", Some("a:b/api"), "api");
        check("package a:b; world api {}", Some("dep:d/w@1.2.0"), "w");
        check("package a:b; world api {}", Some("dep:d/w"), "w");
    }

    #[test]
    fn the_errors() {
        check("package a:b@1.0.0; interface i {}", None, "package `a:b@1.0.0` has no world");
        check(
            "package a:b; world one {} world two {}",
            None,
            "package `a:b` has the worlds `one`, `two`; none is named `api` like the component",
        );
        check(
            "package a:b; world one {} world two {}",
            Some("three"),
            "there is no world `three` in package `a:b`, which has `one`, `two`",
        );
        check(
            "package a:b; world one {}",
            Some("dep:d/w@1.0.0"),
            "world `dep:d/w@1.0.0` names a package that is not among this component's WIT",
        );
        check(
            "package a:b; world one {}",
            Some("not a name"),
            "`not a name` is not the name of a world; expected `name` or `namespace:package/name`",
        );
    }
}
