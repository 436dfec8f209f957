//! Puts a fence around the manifests that cargo sees, so that it looks for no workspace above them.
//!
//! If a manifest has no `[workspace]`, cargo looks for one in every folder above. The manifests stand in the
//! store, which may itself stand in a checkout. cargo would then take that checkout's Cargo.toml for the
//! workspace's. So the outermost manifest gets an empty `[workspace]`. The packages that it depends on by
//! path are excluded from it: otherwise they would be its members, and they may be workspaces of their own.

use std::collections::BTreeSet;
use std::path::PathBuf;

use cache::{Entry, Tree};
use engine::{Artifact, BuiltinContext, BuiltinError, Report};
use toml::{Table, Value};

use crate::path::ProjectPath;

/// Returns the tree of the input `src` on disk, with a fence in the manifest of the folder `workspace`.
pub(super) fn around(
    cx: &BuiltinContext,
    workspace: &ProjectPath,
    packages: &BTreeSet<ProjectPath>,
) -> Result<PathBuf, BuiltinError> {
    let manifest = workspace.join("Cargo.toml");
    let text = std::fs::read_to_string(manifest.on_disk(&cx.path("src")?));
    let text = text.map_err(|error| BuiltinError::infrastructure(&error))?;
    let Some(fenced) = fenced(&text, workspace, packages) else { return cx.path("src") };
    let (store, Artifact::Tree(digest)) = (cx.store(), cx.input("src")) else {
        panic!("BUG: the sources are not a folder");
    };
    let mut tree = store.tree(&digest)?.ok_or(BuiltinError::Missing(digest))?;
    let digest = store.put(fenced.as_bytes())?;
    let parts: Vec<&str> = manifest.parts().collect();
    replace(&mut tree, &parts, Entry::File { digest, executable: false })
        .ok_or_else(|| BuiltinError::Failed(Report::text(format!("there is no {manifest}"))))?;
    Ok(store.materialise(&store.put_tree(&tree)?)?)
}

/// Returns the manifest with a fence. `None` if it says itself where its workspace is, or is not TOML, which
/// cargo will report better.
fn fenced(text: &str, workspace: &ProjectPath, packages: &BTreeSet<ProjectPath>) -> Option<String> {
    let manifest: Table = text.parse().ok()?;
    let elsewhere = manifest.get("package").and_then(|package| package.get("workspace"));
    if manifest.contains_key("workspace") || elsewhere.is_some() {
        return None;
    }
    let inside = packages.iter().filter(|folder| *folder != workspace && folder.is_in(workspace));
    let depth = workspace.parts().count();
    let excluded: Vec<Value> = inside
        .map(|folder| folder.parts().skip(depth).collect::<Vec<_>>().join("/").into())
        .collect();
    let fence = Table::from_iter([("exclude".to_owned(), Value::Array(excluded))]);
    let fence = Table::from_iter([("workspace".to_owned(), Value::Table(fence))]);
    Some(format!("{text}\n{fence}"))
}

fn replace(tree: &mut Tree, path: &[&str], entry: Entry) -> Option<()> {
    let (name, rest) = path.split_first()?;
    let slot = tree.entries.get_mut(*name)?;
    match slot {
        _ if rest.is_empty() => *slot = entry,
        Entry::Directory(inner) => replace(inner, rest, entry)?,
        _ => return None,
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_without_a_workspace_becomes_one() {
        let path = |text: &str| ProjectPath::parse(text).unwrap();
        let check = |text: &str, workspace: &ProjectPath, expect: Option<&str>| {
            let packages = [ProjectPath::root(), path("app"), path("app/deep/lib"), path("lib")];
            let fenced =
                fenced(text, workspace, &packages.into()).map(|text| text.parse::<Table>());
            let expect = expect.map(|text| text.parse::<Table>().unwrap());
            assert_eq!(fenced.transpose().unwrap(), expect, "{text}");
        };
        let lone = "[package]\nname = \"a\"";
        let with = |exclude: &str| format!("{lone}\n[workspace]\nexclude = {exclude}");
        check(lone, &path("app"), Some(&with("[\"deep/lib\"]")));
        check(lone, &path("lib"), Some(&with("[]")));
        check(lone, &ProjectPath::root(), Some(&with("[\"app\", \"app/deep/lib\", \"lib\"]")));
        check("[workspace]", &path("app"), None);
        check("[package]\nworkspace = \"..\"", &path("app"), None);
        check("[package", &path("app"), None);
    }
}
