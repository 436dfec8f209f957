//! Prepares packages for a registry: encodes WIT, writes the facts of the project into a package, and compares a package with
//! the version before.
//!
//! Workers do all of it, because WIT and WebAssembly may be hostile.

use cache::{ContentStore, Digest, Tree};
use engine::BuiltinError;
use serde::{Deserialize, Serialize};
use wit_component::DecodedWasm;
use wit_parser::{InterfaceId, PackageId, Resolve, WorldId, WorldItem};

use super::check::misfits;
use super::stamp::{Stamp, stamp};
use crate::wit::{Request, complete, resolve_all};
use crate::worker::{Done, Errand, ErrandError, Refused};

/// Encodes the WIT of a folder as a package of a registry. The text of the result is the name of the package,
/// `namespace:name@version`, and its digest is that of the bytes.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct EncodeErrand {
    pub(crate) request: Request,
    pub(crate) stamp: Stamp,
}

/// Writes facts into a component. The digest of the result is that of the new bytes.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StampErrand {
    /// The digest of the component in the store.
    pub(crate) component: String,
    pub(crate) stamp: Stamp,
}

/// Compares a package with an earlier version that it says it is compatible with. The text of the result has a line for each
/// change that breaks users of the earlier one.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct BreakingErrand {
    /// The digest of the earlier package in the store.
    pub(crate) before: String,
    /// The digest of the new package in the store.
    pub(crate) after: String,
}

impl Errand for EncodeErrand {
    const NAME: &'static str = "encode";

    fn run(self, store: &ContentStore) -> Result<Done, ErrandError> {
        let completed = complete(&self.request, store)?;
        let resolved = resolve_all(&completed.files).map_err(Refused::from)?;
        let failed = |error: &dyn std::fmt::Display| Refused::of(&Unpublishable(error.to_string()));
        let bytes = wit_component::encode(&resolved.resolve, resolved.package, false)
            .map_err(|error| failed(&format!("{error:#}")))?;
        let bytes = stamp(&bytes, &self.stamp).map_err(|error| failed(&error))?;
        Ok(Done { digest: store.put(&bytes)?, text: completed.package.to_string() })
    }
}

/// An error of the libraries that read packages.
type Failed = Box<dyn std::error::Error + Send + Sync>;

/// The reason why a package can't be made.
#[derive(Debug, thiserror::Error)]
#[error("the package can't be encoded: {0}")]
struct Unpublishable(String);

impl Errand for StampErrand {
    const NAME: &'static str = "stamp";

    fn run(self, store: &ContentStore) -> Result<Done, ErrandError> {
        let bytes = stamp(&read(store, &self.component)?, &self.stamp);
        let bytes = bytes.map_err(|error| BuiltinError::failed(&error))?;
        Ok(Done { digest: store.put(&bytes)?, text: String::new() })
    }
}

impl Errand for BreakingErrand {
    const NAME: &'static str = "breaking";

    fn run(self, store: &ContentStore) -> Result<Done, ErrandError> {
        let (before, after) = (read(store, &self.before)?, read(store, &self.after)?);
        let changes = breaking(&before, &after).map_err(|error| {
            ErrandError::Builtin(BuiltinError::failed(&Unpublishable(error.to_string())))
        })?;
        Ok(Done { digest: store.put_tree(&Tree::default())?, text: changes.join("\n") })
    }
}

fn read(store: &ContentStore, digest: &str) -> Result<Vec<u8>, ErrandError> {
    let digest: Digest = digest.parse().map_err(|error| BuiltinError::failed(&error))?;
    Ok(store.get(&digest)?.ok_or(BuiltinError::Missing(digest))?)
}

/// Returns what breaks users of a package if `after` takes the place of `before`.
///
/// Whoever uses an interface needs every type and function of it. So all that the earlier package has must be there, with
/// the same types; a component must also not import more than before.
fn breaking(before: &[u8], after: &[u8]) -> Result<Vec<String>, Failed> {
    let (before, after) = (wit_component::decode(before)?, wit_component::decode(after)?);
    match (before, after) {
        (DecodedWasm::WitPackage(mut old, package), DecodedWasm::WitPackage(mut new, other)) => {
            let asked = of_interfaces(&mut old, package, "import")?;
            let given = of_interfaces(&mut new, other, "export")?;
            Ok(gaps((&old, asked), (&new, given)))
        }
        (DecodedWasm::Component(mut old, world), DecodedWasm::Component(new, other)) => {
            let mut asked = old.worlds[world].clone();
            asked.imports = std::mem::take(&mut asked.exports);
            let asked = old.worlds.alloc(asked);
            let mut changes = gaps((&old, asked), (&new, other));
            changes.extend(new_imports((&old, world), (&new, other)));
            Ok(changes)
        }
        _ => Ok(vec!["a WIT package and a component can't be versions of each other".to_owned()]),
    }
}

/// Makes a world that imports or exports all interfaces of a package, and nothing else: what they use of other packages has
/// versions of its own.
fn of_interfaces(resolve: &mut Resolve, package: PackageId, way: &str) -> Result<WorldId, Failed> {
    let interfaces: Vec<InterfaceId> =
        resolve.packages[package].interfaces.values().copied().collect();
    let names = interfaces.iter().filter_map(|id| resolve.id_of(*id));
    let names: Vec<String> = names.map(|name| format!("{way} {name};\n")).collect();
    let text = format!("package run:comparison;\nworld all {{\n{} }}", names.concat());
    let package = resolve.push_source("comparison.wit", &text)?;
    let world = resolve.packages[package].worlds["all"];
    resolve.worlds[world].imports.retain(|_, item| match item {
        WorldItem::Interface { id, .. } => interfaces.contains(id),
        WorldItem::Function(_) | WorldItem::Type { .. } => false,
    });
    Ok(world)
}

fn gaps(asked: (&Resolve, WorldId), given: (&Resolve, WorldId)) -> Vec<String> {
    let mut changes = Vec::new();
    let bare = |name: &str| name.split('@').next().unwrap_or_default().to_owned();
    let names: Vec<String> = given.0.worlds[given.1]
        .exports
        .keys()
        .map(|key| bare(&given.0.name_world_key(key)))
        .collect();
    for key in asked.0.worlds[asked.1].imports.keys() {
        let name = bare(&asked.0.name_world_key(key));
        if !names.contains(&name) {
            changes.push(format!("`{name}` is gone"));
        }
    }
    changes.extend(misfits(asked, given).unwrap_or_default().iter().map(ToString::to_string));
    changes
}

fn new_imports(before: (&Resolve, WorldId), after: (&Resolve, WorldId)) -> Vec<String> {
    let names = |(resolve, world): (&Resolve, WorldId)| -> Vec<String> {
        let keys = resolve.worlds[world].imports.keys();
        keys.map(|key| resolve.name_world_key(key)).collect()
    };
    let bare = |name: &str| name.split('@').next().unwrap_or_default().to_owned();
    let old: Vec<String> = names(before).iter().map(|name| bare(name)).collect();
    let new = names(after);
    // What a language's run time imports by itself is no choice of the author, and every host has it.
    let new = new.iter().filter(|name| !name.starts_with("wasi:"));
    let new = new.filter(|name| !old.contains(&bare(name)));
    new.map(|name| format!("`{name}` is imported, and was not before")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(text: &str) -> Vec<u8> {
        let mut resolve = Resolve { all_features: true, ..Resolve::default() };
        let package = resolve.push_source("a.wit", text).unwrap();
        wit_component::encode(&resolve, package, false).unwrap()
    }

    const OLD: &str = "package demo:greet@1.0.0;
        interface greeter { record name { first: string } hello: func(name: name) -> string; }";

    #[track_caller]
    fn check(new: &str, expect: &[&str]) {
        assert_eq!(breaking(&package(OLD), &package(new)).unwrap(), expect);
    }

    #[test]
    fn more_is_compatible_and_less_is_not() {
        let new = OLD.replace("1.0.0", "1.1.0");
        check(&new, &[]);
        check(&new.replace("hello:", "bye: func(); hello:"), &[]);
        check(&format!("{new} interface more {{ more: func(); }}"), &[]);
        check(
            &new.replace("interface greeter", "interface hello"),
            &["`demo:greet/greeter` is gone"],
        );
        let changed =
            breaking(&package(OLD), &package(&new.replace("-> string", "-> u32"))).unwrap();
        assert!(changed[0].contains("found    `hello: func(name: name) -> u32`"), "{changed:?}");
        let changed = new.replace("first: string", "first: string, last: string");
        let changed = breaking(&package(OLD), &package(&changed)).unwrap();
        assert!(!changed.is_empty());
    }
}
