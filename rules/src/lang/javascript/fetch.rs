//! Fetches the packages that package-lock.json pins and lays them out as `node_modules`.
//!
//! The user's own npm and its configuration say how registries are reached. The `integrity` of the lockfile
//! decides whether what came is accepted. Of the checkout npm sees only the addresses in its `.npmrc`
//! ([`Npmrc`]). No script of a package is run, and packages for other platforms are not fetched. Each package
//! is unpacked once, however many projects ask for it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use cache::{Digest, Entry, Tree};
use engine::{Action, Artifact, Builtin, BuiltinContext, BuiltinError, Label, Source};

use super::lock::Needs;
use super::package::Package;
use crate::bounded;
use crate::package::environment::NPM;
use crate::package::npm::{Integrity, Npm, Npmrc, Placed, Spec, Tarballs};
use crate::package::unpack::npm_package;
use crate::package::{Registries, Shelf, Sorted};
use crate::planner::{PlanError, Planner};

/// The folder in which modules look for packages: that of the nearest folder above them.
pub(super) const MODULES: &str = "node_modules";

/// The file with npm's configuration for a project.
const NPMRC: &str = ".npmrc";

/// The shelf of unpacked packages, by their integrity.
const SHELF: Shelf = Shelf::new("npm-package 1");

/// The action that fetches packages. It has no inputs; its output is [`MODULES`].
struct FetchPackages {
    packages: Vec<Placed>,
    /// The folder of the checkout whose `.npmrc` has addresses of registries.
    folder: PathBuf,
    registries: Arc<Registries>,
}

/// An error for which the packages could not be fetched.
#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error("package {0} is not on this machine, and this build is offline")]
    Offline(Spec),
    #[error("cannot read or write {}", .path.display())]
    Local { path: PathBuf, source: std::io::Error },
    #[error(
        "npm could not fetch the packages; of the .npmrc of a checkout only the addresses of registries and \
         logins for them are used: `{}` was left out; if it is needed, set it in the .npmrc of your home, or lend the variables that it refers to \
         with RUN_FETCH_VARIABLES",
        .left_out.join("`, `")
    )]
    LeftOut { left_out: Vec<String>, source: crate::package::NpmError },
}

/// Plans the action that fetches what `package` needs; `None` if that is nothing.
pub(super) fn packages(
    planner: &mut Planner<'_>,
    package: &Package,
    needs: &Needs,
    typed: bool,
) -> Result<Option<Source>, PlanError> {
    if needs.packages.is_empty() {
        return Ok(None);
    }
    let folder = &package.folder;
    let purpose = if typed { "types" } else { "fetch" };
    let action = planner.once(&format!("npm {purpose} {folder}"), |planner| {
        let fetch = FetchPackages {
            packages: needs.packages.clone(),
            folder: needs.folder.on_disk(planner.project()),
            registries: planner.registries(),
        };
        let owner = if folder.is_root() { "npm".to_owned() } else { format!("npm {folder}") };
        let label = Label::new(owner, if typed { "fetch with types" } else { "fetch" });
        planner.add(Action::builtin(label, fetch).output(MODULES))
    })?;
    Ok(Some(Source::output(action, MODULES)))
}

/// Returns true if a devDependency serves the type checker alone. The others, such as test runners, have no
/// part in a build.
pub(super) fn has_types_only(name: &str) -> bool {
    name.starts_with("@types/") || name.starts_with("@tsconfig/")
}

impl FetchPackages {
    /// Returns the trees of all packages, by their integrity.
    fn trees(&self, cx: &BuiltinContext) -> Result<BTreeMap<Integrity, Digest>, BuiltinError> {
        let Sorted { here, absent } =
            SHELF.sort(cx.store(), &self.packages, |placed| placed.integrity.to_string())?;
        let here = here.into_iter().map(|(placed, tree)| (placed.integrity.clone(), tree));
        let mut trees: BTreeMap<Integrity, Digest> = here.collect();
        // The same package may stand in several places, and is fetched once.
        let absent: BTreeMap<&Integrity, &Spec> =
            absent.into_iter().map(|placed| (&placed.integrity, &placed.spec)).collect();
        if !absent.is_empty() {
            let tarballs = self.download(cx, absent.values().copied().cloned().collect())?;
            let total = absent.len();
            for (done, (integrity, spec)) in absent.into_iter().enumerate() {
                if cx.cancelled() {
                    return Err(BuiltinError::Cancelled);
                }
                cx.status(format!("unpacking {spec} ({} of {total})", done + 1));
                trees.insert(integrity.clone(), unpack(cx, &tarballs, spec, integrity)?);
            }
        }
        Ok(trees)
    }

    fn download(
        &self,
        cx: &BuiltinContext,
        specs: BTreeSet<Spec>,
    ) -> Result<Tarballs, BuiltinError> {
        let specs = Vec::from_iter(specs);
        if self.registries.network.offline {
            return Err(BuiltinError::failed(&FetchError::Offline(specs[0].clone())));
        }
        cx.status("npm cache add");
        let scratch = cx.store().scratch()?;
        let npmrc = self.npmrc()?;
        let file = scratch.path().join(NPMRC);
        std::fs::write(&file, &npmrc.text).map_err(|source| local(file, source))?;
        let npm = Npm {
            program: &self.registries.programs.npm,
            variables: self.registries.for_client_and_lent(NPM),
            prefix: scratch.path(),
            cancelled: &|| cx.cancelled(),
        };
        npm.download(cx.store(), &specs).map_err(|source| match source {
            source
                if source.is_mismatch() || source.is_cancelled() || npmrc.left_out.is_empty() =>
            {
                judged(&source)
            }
            source => {
                let left_out = npmrc.left_out.into_iter().collect();
                BuiltinError::infrastructure(&FetchError::LeftOut { left_out, source })
            }
        })
    }

    /// Returns the part of the checkout's configuration that npm may see.
    fn npmrc(&self) -> Result<Npmrc, BuiltinError> {
        let path = self.folder.join(NPMRC);
        let is_lent = |name: &str| self.registries.is_lent(name);
        match bounded::read_text(&path) {
            Ok(text) => Ok(Npmrc::new(&text, &is_lent)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Npmrc::default()),
            Err(source) => Err(local(path, source)),
        }
    }
}

fn local(path: PathBuf, source: std::io::Error) -> BuiltinError {
    BuiltinError::infrastructure(&FetchError::Local { path, source })
}

impl Builtin for FetchPackages {
    fn name(&self) -> &str {
        "npm-fetch"
    }

    fn version(&self) -> &str {
        "1"
    }

    fn arguments(&self) -> Vec<String> {
        let words = |p: &Placed| format!("{} {} {}", p.place, p.spec, p.integrity);
        self.packages.iter().map(words).collect()
    }

    fn needs_network(&self) -> bool {
        // An offline build runs it all the same, because the packages may all be in the store.
        !self.registries.network.offline
    }

    fn run(&self, cx: &BuiltinContext) -> Result<(), BuiltinError> {
        let trees = self.trees(cx)?;
        let mut modules = Tree::default();
        // The lockfile's order puts a package before those that stand inside it.
        for Placed { place, integrity, .. } in &self.packages {
            let digest = trees[integrity];
            let tree = cx.store().tree(&digest)?.ok_or(BuiltinError::Missing(digest))?;
            insert(&mut modules, place, tree).map_err(|error| BuiltinError::failed(&error))?;
        }
        cx.produce(MODULES, Artifact::Tree(cx.store().put_tree(&modules)?));
        Ok(())
    }
}

/// Inserts a package at `place`, such as `node_modules/a/node_modules/b`, into the tree of `node_modules`.
fn insert(modules: &mut Tree, place: &str, package: Tree) -> Result<(), cache::TreeError> {
    let below = place.strip_prefix(MODULES).map_or(place, |rest| rest.trim_start_matches('/'));
    modules.insert(below, Entry::Directory(package))
}

fn judged(error: &crate::package::NpmError) -> BuiltinError {
    if error.is_cancelled() {
        return BuiltinError::Cancelled;
    }
    match error.is_mismatch() {
        true => BuiltinError::mismatch(error),
        false => BuiltinError::infrastructure(error),
    }
}

fn unpack(
    cx: &BuiltinContext,
    tarballs: &Tarballs,
    spec: &Spec,
    integrity: &Integrity,
) -> Result<Digest, BuiltinError> {
    let store = cx.store();
    let bytes = tarballs.get(spec, integrity).map_err(|error| judged(&error))?;
    let tree = npm_package(store, &bytes, &|| cx.cancelled())
        .map_err(|error| error.ends(|error| BuiltinError::failed(&error)))?;
    let digest = store.put_tree(&tree)?;
    SHELF.keep(store, &integrity.to_string(), digest)?;
    Ok(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_lie_where_the_lockfile_puts_them() {
        let package = |text: &str| {
            let digest = Digest::of(cache::DigestFunction::Blake3, text.as_bytes());
            let mut tree = Tree::default();
            tree.insert("index.js", Entry::File { digest, executable: false }).unwrap();
            tree
        };
        let mut modules = Tree::default();
        for place in ["node_modules/@a/b", "node_modules/@a/b/node_modules/c", "node_modules/c"] {
            insert(&mut modules, place, package(place)).unwrap();
        }
        for path in ["@a/b/index.js", "@a/b/node_modules/c/index.js", "c/index.js"] {
            assert!(matches!(modules.get(path), Some(Entry::File { .. })), "{path}");
        }
    }

    #[test]
    fn of_what_a_project_is_developed_with_the_types_are_fetched() {
        let check = |name: &str, expect: bool| assert_eq!(has_types_only(name), expect, "{name}");
        check("@types/node", true);
        check("@tsconfig/strictest", true);
        check("vitest", false);
        check("types", false);
    }
}
