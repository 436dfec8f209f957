//! Finds out if a component has C in it, which its packages compile with the crate `cc`, as far as Cargo.lock
//! and the project's manifests show it.
//!
//! The lockfile is that of a whole workspace: it also covers other members, tests and all systems. So this
//! follows the dependencies that Cargo would follow for the component. The project's manifests say which of
//! these are for tests, for the host or for other systems. Other people's packages are known only by the
//! lockfile until they are fetched, so all that they depend on counts. Features are not taken into account.

use std::collections::BTreeSet;

use toml::{Table, Value};

use super::error::CargoError;
use super::lock::{LockedPackage, Lockfile};
use super::manifests::Manifests;
use super::package::Package;
use super::target_spec;
use crate::path::ProjectPath;

/// The crate with which build scripts compile C.
pub(super) const CC: &str = "cc";

/// The packages that compile C with it for other systems only.
const ELSEWHERE: [&str; 1] = ["iana-time-zone-haiku"];

/// A package that the search has reached.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Step<'a> {
    entry: &'a LockedPackage,
    /// Its folder, if it belongs to the project.
    folder: Option<ProjectPath>,
    /// True if it is compiled for the host, as a part of a build script. Code that such a package itself
    /// compiles is not in the component. But the build script may call it to compile code for its own
    /// package.
    is_for_host: bool,
}

/// Returns true if the component from the package in `folder` has C in it.
pub(super) fn is_in(
    folder: &ProjectPath,
    manifests: &Manifests,
    lock: &Lockfile,
) -> Result<bool, CargoError> {
    let manifest = manifests.read(folder)?;
    let package = Package::read(&manifests.folder, folder, &manifest)?;
    // A lockfile without the package is out of date, which Cargo will report.
    let Some(entry) = lock.entry(&package) else { return Ok(false) };
    let mut open = vec![Step { entry, folder: Some(folder.clone()), is_for_host: false }];
    let mut seen = BTreeSet::new();
    while let Some(step) = open.pop() {
        if !seen.insert(step.clone()) {
            continue;
        }
        let named = step.folder.as_ref().and_then(|dir| named(dir, manifests));
        for entry in lock.dependencies(step.entry) {
            let steps = step.to(entry, named.as_deref(), manifests);
            if entry.name() == CC && !steps.is_empty() && !ELSEWHERE.contains(&step.entry.name()) {
                return Ok(true);
            }
            open.extend(steps);
        }
    }
    Ok(false)
}

impl<'a> Step<'a> {
    /// Returns the next steps, which lead to one dependency: none if the component does not need it, and two
    /// if it needs it for both host and target. `named` are the dependencies in the package's manifest, if it
    /// belongs to the project.
    fn to(
        &self,
        entry: &'a LockedPackage,
        named: Option<&[Named]>,
        manifests: &Manifests,
    ) -> Vec<Self> {
        let named = named.into_iter().flatten();
        let named: Vec<&Named> = named.filter(|named| named.package == entry.name()).collect();
        // All dependencies of other people's packages count, and so does a package that is patched in under
        // another name.
        if named.is_empty() {
            return vec![Step { entry, folder: None, is_for_host: self.is_for_host }];
        }
        let needed = named.into_iter().filter(|named| match named.table {
            NORMAL => self.is_for_host || named.target.as_deref().is_none_or(target_spec::may_hold),
            BUILD => !self.is_for_host,
            _ => false,
        });
        let is_macro =
            |folder: &ProjectPath| manifests.read(folder).is_ok_and(|m| is_proc_macro(&m));
        needed
            .filter(|named| !named.folder.as_ref().is_some_and(is_macro))
            .map(|named| Step {
                entry,
                is_for_host: self.is_for_host || named.table == BUILD,
                folder: named.folder.clone(),
            })
            .collect()
    }
}

const NORMAL: &str = "dependencies";
const BUILD: &str = "build-dependencies";

/// A dependency in a manifest.
struct Named {
    /// The table that it stands in, and the target of that table if it has one.
    table: &'static str,
    target: Option<String>,
    /// The name of the package.
    package: String,
    /// Its folder, if that is in the project.
    folder: Option<ProjectPath>,
}

/// Returns all dependencies in the manifest in the folder `dir`, if that can be read.
fn named(dir: &ProjectPath, manifests: &Manifests) -> Option<Vec<Named>> {
    let manifest = manifests.read(dir).ok()?;
    let shared = manifests.workspace_root(dir).ok().and_then(|root| {
        let manifest = manifests.read(&root).ok()?;
        let table = manifest.get("workspace")?.get(NORMAL)?.as_table()?.clone();
        Some((root, table))
    });
    let targets = manifest.get("target").and_then(Value::as_table).into_iter().flatten();
    let targets = targets.filter_map(|(spec, table)| Some((Some(spec), table.as_table()?)));
    let mut found = Vec::new();
    for (target, scope) in std::iter::once((None, &*manifest)).chain(targets) {
        for table in [NORMAL, BUILD, "dev-dependencies"] {
            let entries = scope.get(table).and_then(Value::as_table).into_iter().flatten();
            for (key, value) in entries {
                let is_shared = value.get("workspace").and_then(Value::as_bool) == Some(true);
                let (dir, value) = match &shared {
                    Some((root, table)) if is_shared => (root, table.get(key).unwrap_or(value)),
                    _ => (dir, value),
                };
                let text = |key| value.get(key).and_then(Value::as_str);
                found.push(Named {
                    table,
                    target: target.cloned(),
                    package: text("package").unwrap_or(key).to_owned(),
                    folder: text("path").and_then(|path| dir.resolve(path).ok()),
                });
            }
        }
    }
    Some(found)
}

fn is_proc_macro(manifest: &Table) -> bool {
    let library = manifest.get("lib");
    let mut keys = ["proc-macro", "proc_macro"].into_iter();
    keys.any(|key| library.and_then(|lib| lib.get(key)).and_then(Value::as_bool) == Some(true))
}

#[cfg(test)]
mod tests {
    use super::super::lock;
    use super::super::vendored::Vendored;
    use super::*;

    /// Checks if C is compiled for `app` in a workspace with the packages `app` and `other`, whose lockfile
    /// has `cc` in it.
    fn check(app: &str, needs: &[(&str, &str)], expect: bool) {
        let dir = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write(
            "Cargo.toml",
            "[workspace]\nmembers = [\"*\"]\n[workspace.dependencies]\nc = { version = \"1\", package = \"cc\" }\n\
             ours = { path = \"tool\", package = \"tool\" }\n",
        );
        write("app/Cargo.toml", &format!("[package]\nname = \"app\"\nversion = \"0.1.0\"\n{app}"));
        write(
            "tool/Cargo.toml",
            "[package]\nname = \"tool\"\nversion = \"0.1.0\"\n[dependencies]\nzip = \"1\"\n\
             [build-dependencies]\ncc = \"1\"\n",
        );
        write(
            "derive/Cargo.toml",
            "[package]\nname = \"derive\"\nversion = \"0.1.0\"\n[lib]\nproc-macro = true\n[dependencies]\ncc = \"1\"\n",
        );
        let mut text = String::new();
        let packages = [("cc", ""), ("tool", "\"cc\", \"zip\""), ("derive", "\"cc\"")];
        for (name, needs) in needs.iter().chain(&packages) {
            text += &format!(
                "[[package]]\nname = \"{name}\"\nversion = \"0.1.0\"\ndependencies = [{needs}]\n"
            );
        }
        write("Cargo.lock", &text);
        let manifests = Manifests::of(dir.path());
        let place = ProjectPath::parse("Cargo.lock").unwrap();
        let lock = lock::read(dir.path(), &place, &Vendored::default()).unwrap();
        let app = ProjectPath::parse("app").unwrap();
        assert_eq!(is_in(&app, &manifests, &lock).unwrap(), expect);
    }

    #[test]
    fn c_that_no_component_has_counts_for_nothing() {
        let zip = ("zip", "");
        check("", &[("app", ""), zip], false);
        for (table, expect) in [
            ("build-dependencies", true),
            ("dependencies", true),
            ("dev-dependencies", false),
            ("target.'cfg(unix)'.dependencies", false),
            ("target.wasm32-wasip2.dependencies", true),
            ("target.'cfg(unix)'.build-dependencies", true),
        ] {
            check(&format!("[{table}]\ncc = \"1\"\n"), &[("app", "\"cc\""), zip], expect);
            check(&format!("[{table}]\nc.workspace = true\n"), &[("app", "\"cc\""), zip], expect);
        }
        // The component reaches `cc` through somebody else's package.
        let ring = [("app", "\"ring\""), ("ring", "\"cc 0.1.0\""), zip];
        check("[dependencies]\nring = \"1\"\n", &ring, true);
        check("[dev-dependencies]\nring = \"1\"\n", &ring, false);
        check("[dependencies]\nsomething = \"1\"\n", &ring, true);
        let haiku = "iana-time-zone-haiku";
        let elsewhere = [("app", "\"iana-time-zone-haiku\""), (haiku, "\"cc\""), zip];
        check(&format!("[dependencies]\n{haiku} = \"1\"\n"), &elsewhere, false);
    }

    #[test]
    fn what_runs_in_the_build_compiles_c_for_the_machine_that_builds() {
        let tool = [("app", "\"tool\""), ("zip", "")];
        let path = "tool = { path = \"../tool\" }\n";
        check(&format!("[dependencies]\n{path}"), &tool, true);
        check("[dependencies]\nours.workspace = true\n", &tool, true);
        check(&format!("[build-dependencies]\n{path}"), &tool, false);
        check("[build-dependencies]\nours.workspace = true\n", &tool, false);
        // The build script calls a package that calls `cc`, perhaps to compile code for the component.
        let helper = [("app", "\"tool\""), ("zip", "\"cc\"")];
        check(&format!("[build-dependencies]\n{path}"), &helper, true);
        let derive = [("app", "\"derive\""), ("zip", "")];
        check("[dependencies]\nderive = { path = \"../derive\" }\n", &derive, false);
    }
}
