//! Finds the toolchains that components in Rust need besides Rust itself.

use std::collections::BTreeMap;
use std::path::Path;

use super::manifests::Manifests;
use super::vendored::Vendored;
use super::{c_code, lock, metadata};
use crate::lang::rule::Written;
use crate::path::ProjectPath;
use crate::toolchain::{CARGO_COMPONENT, RUST, ZIG};

/// Returns the toolchains of each component. A component whose manifest or lockfile can't be read needs only
/// Rust here, because planning will report what is wrong with it.
pub(super) fn needed(project: &Path, components: &[Written<'_>]) -> Vec<Vec<&'static str>> {
    let manifests = Manifests::of(project);
    let places: Vec<_> =
        components.iter().map(|component| manifests.find(component.file).ok()).collect();
    // One action compiles the dependencies of all components of a workspace, so these need the same
    // toolchains.
    let mut workspaces: BTreeMap<&ProjectPath, Vec<&ProjectPath>> = BTreeMap::new();
    for (package, root) in places.iter().flatten() {
        workspaces.entry(root).or_default().push(package);
    }
    let with_c: BTreeMap<&ProjectPath, bool> = workspaces
        .into_iter()
        .map(|(root, all)| (root, compiles_c(&manifests, root, &all)))
        .collect();
    let needed = |place: &Option<(ProjectPath, ProjectPath)>| {
        let mut needed = vec![RUST];
        let Some((package, root)) = place else { return needed };
        let manifest = manifests.read(package);
        if manifest.is_ok_and(|manifest| metadata::section(&manifest).is_some()) {
            needed.push(CARGO_COMPONENT);
        }
        if with_c[root] {
            needed.push(ZIG);
        }
        needed
    };
    places.iter().map(needed).collect()
}

fn compiles_c(manifests: &Manifests, root: &ProjectPath, packages: &[&ProjectPath]) -> bool {
    let vendored = Vendored::find(&manifests.folder, root).unwrap_or_default();
    let lock = lock::read(&manifests.folder, &root.join("Cargo.lock"), &vendored);
    // Most workspaces have no package that could compile C, and this is evaluated before every build.
    let Some(lock) = lock.ok().filter(|lock| lock.has(c_code::CC)) else { return false };
    packages.iter().any(|package| c_code::is_in(package, manifests, &lock).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zig_is_needed_where_a_component_of_the_workspace_has_c() {
        let dir = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let package = |name: &str, rest: &str| {
            format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\n{rest}")
        };
        write("w/Cargo.toml", "[workspace]\nmembers = [\"plain\", \"with-c\", \"native\"]\n");
        write("w/plain/Cargo.toml", &package("plain", ""));
        write("w/with-c/Cargo.toml", &package("with-c", "[build-dependencies]\ncc = \"1\"\n"));
        write("alone/Cargo.toml", &package("alone", "[package.metadata.component]\n"));
        let entry = |name: &str, needs: &str| {
            format!(
                "[[package]]\nname = \"{name}\"\nversion = \"0.1.0\"\ndependencies = [{needs}]\n"
            )
        };
        let lock = [("plain", ""), ("with-c", "\"cc\""), ("cc", "")];
        write("w/Cargo.lock", &lock.map(|(name, needs)| entry(name, needs)).concat());
        write("alone/Cargo.lock", &(entry("alone", "") + &entry("cc", "")));
        let sources = ["w/plain/src/lib.rs", "w/with-c/src/lib.rs", "alone/src/lib.rs", "none.rs"];
        let sources = sources.map(|source| {
            write(source, "");
            ProjectPath::parse(source).unwrap()
        });
        let needed = |sources: &[&ProjectPath]| {
            let written = sources.iter().map(|file| Written { file, compiler: None });
            super::needed(dir.path(), &written.collect::<Vec<_>>())
        };
        let [plain, with_c, alone, none] = &sources;
        assert_eq!(needed(&[plain, alone]), [vec![RUST], vec![RUST, CARGO_COMPONENT]]);
        let all = needed(&[plain, with_c, alone, none]);
        let expect = [vec![RUST, ZIG], vec![RUST, ZIG], vec![RUST, CARGO_COMPONENT], vec![RUST]];
        assert_eq!(all, expect);
    }
}
