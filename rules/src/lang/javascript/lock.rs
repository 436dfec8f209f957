//! Reads from package-lock.json what one package of the project needs: other packages of the project, and
//! packages to fetch. A *package of the project* is a folder with a package.json. A *package to fetch* comes
//! from a registry; this file does not know how it is fetched.
//!
//! npm keeps one lockfile for all packages of a workspace, at the workspace's root. For each package of the
//! workspace it makes a link in `node_modules` that leads to the package's folder, and it does the same for a
//! dependency by `file:`. Nothing is fetched for such a link: the link and the folder that it leads to become
//! part of an action's sources.
//!
//! Node, esbuild and tsc follow the link: they look for the imports of a linked package in the `node_modules`
//! of its own folder and of the folders above that. npm may have given the folder a `node_modules` of its
//! own. The packages to fetch that belong there are fetched into [`FOLDERS`], and links in the sources lead
//! to them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use cache::{Digest, Entry, Tree};
use globset::GlobBuilder;
use serde::Deserialize;

use super::error::NpmError;
use super::fetch::MODULES;
use super::package::{self, LOCKFILE, MANIFEST, Package};
use crate::bounded;
use crate::package::npm::{Dependencies, PackageLock, Placed};
use crate::path::ProjectPath;
use crate::planner::{PlanError, Planner, SourceTreeError};

/// The folder in `node_modules` for packages that a folder below the lockfile has in a `node_modules` of its
/// own.
const FOLDERS: &str = ".folders";

/// The packages that a package of the project needs.
#[derive(Debug, Default)]
pub(super) struct Needs {
    /// The folder of the lockfile.
    pub(super) folder: ProjectPath,
    /// The packages to fetch. The place of each is its path in the fetched folder, such as `node_modules/a`.
    pub(super) packages: Vec<Placed>,
    /// The packages of the project that it needs.
    pub(super) linked: BTreeSet<Package>,
    /// The links in the sources: the target of each, by its folder, such as `packages/app/node_modules`, and
    /// its name.
    links: BTreeMap<ProjectPath, BTreeMap<String, String>>,
}

/// The part of a package.json by which the root of a workspace is known.
#[derive(Deserialize)]
struct WorkspaceRoot {
    workspaces: Option<Workspaces>,
}

/// The patterns for the folders of a workspace's packages, in either form that npm accepts.
#[derive(Deserialize)]
#[serde(untagged)]
enum Workspaces {
    Patterns(Vec<String>),
    Packages { packages: Vec<String> },
}

impl Needs {
    /// Reads what `package` needs from its lockfile. Of its devDependencies it takes those that `develops`
    /// picks.
    pub(super) fn of(
        planner: &Planner<'_>,
        package: &Package,
        develops: &dyn Fn(&str) -> bool,
    ) -> Result<Self, PlanError> {
        let manifest: Dependencies = match package.has_manifest {
            true => package::read(planner.project(), &package.manifest())?.unwrap_or_default(),
            false => return Ok(Self::default()),
        };
        let Some((folder, mut lock)) = lockfile(planner, package)? else {
            return match manifest.is_empty() {
                true => Ok(Self::default()),
                false => Err(no_lockfile(planner, package)?.into()),
            };
        };
        let path = folder.join(LOCKFILE);
        let unusable = |reason| NpmError::Lockfile { lock: path.clone(), reason };
        let own = below(&folder, &package.folder);
        let stale = |difference| NpmError::StaleLockfile { lock: path.clone(), difference };
        if let Some(difference) = lock.difference(own, &manifest) {
            return Err(stale(difference).into());
        }
        lock.retain(own, &manifest);
        let needed = lock.needed(own, planner.platform()?, develops).map_err(unusable)?;
        let mut needs = Self { folder, ..Self::default() };
        for placed in needed.packages {
            needs.install(placed)?;
        }
        for (place, target) in &needed.links {
            let linked = needs.link(place, target).map_err(unusable)?;
            let manifest: Dependencies =
                package::read(planner.project(), &linked.manifest())?.unwrap_or_default();
            if let Some(difference) = lock.difference(target, &manifest) {
                return Err(stale(format!("of `{}`, {difference}", linked.folder)).into());
            }
            needs.linked.insert(linked);
        }
        Ok(needs)
    }

    /// Adds a package to fetch. If it belongs to the `node_modules` of a folder below the lockfile, it is
    /// placed in [`FOLDERS`], and a link in that `node_modules` leads to it.
    fn install(&mut self, placed: Placed) -> Result<(), PlanError> {
        let Some((folder, inside)) = placed.place.split_once(&format!("/{MODULES}/")) else {
            self.packages.push(placed);
            return Ok(());
        };
        if folder == MODULES || folder.starts_with(&format!("{MODULES}/")) {
            self.packages.push(placed);
            return Ok(());
        }
        let modules = self.folder.resolve(folder)?.join(MODULES);
        let place = format!("{MODULES}/{FOLDERS}/{modules}/{inside}");
        if !inside.contains(&format!("/{MODULES}/")) {
            // The link leads up from its own folder to the one that holds the sources and `node_modules`, and
            // down.
            let depth = 1 + modules.parts().count() + inside.matches('/').count();
            let target = format!("{}{place}", "../".repeat(depth));
            self.links.entry(modules).or_default().insert(inside.to_owned(), target);
        }
        self.packages.push(Placed { place, ..placed });
        Ok(())
    }

    /// Adds a link to a package of the project and returns that package. The error says why it can't be.
    fn link(&mut self, place: &str, target: &str) -> Result<Package, String> {
        let leaves = |_| format!("`{place}` is a link out of the project, to `{target}`");
        let folder = self.folder.resolve(target).map_err(leaves)?;
        let (above, name) = match place.rsplit_once(&format!("/{MODULES}/")) {
            Some((above, name)) => (above, name),
            None => ("", place.strip_prefix(&format!("{MODULES}/")).unwrap_or(place)),
        };
        if above.split('/').any(|part| part == MODULES) {
            return Err(format!("`{place}` is a link inside of another package"));
        }
        let modules = self.folder.resolve(above).map_err(leaves)?.join(MODULES);
        let up = "../".repeat(modules.parts().count() + name.matches('/').count());
        self.links.entry(modules).or_default().insert(name.to_owned(), format!("{up}{folder}"));
        Ok(Package { folder, has_manifest: true })
    }

    /// Stores the folders of links, which belong into the tree of sources, and returns the digest of each.
    pub(super) fn link_folders(
        &self,
        planner: &Planner<'_>,
    ) -> Result<Vec<(ProjectPath, Digest)>, PlanError> {
        let mut folders = Vec::new();
        for (folder, links) in &self.links {
            let mut tree = Tree::default();
            for (name, target) in links {
                let entry = Entry::Symlink { target: target.clone() };
                tree.insert(name, entry).map_err(SourceTreeError::from)?;
            }
            folders.push((folder.clone(), planner.store().put_tree(&tree)?));
        }
        Ok(folders)
    }
}

/// Returns the lockfile of a package and its folder: the one beside the package, or else the nearest one
/// above it that covers the package.
fn lockfile(
    planner: &Planner<'_>,
    package: &Package,
) -> Result<Option<(ProjectPath, PackageLock)>, NpmError> {
    let project = planner.project();
    for folder in std::iter::once(package.folder.clone()).chain(package.folder.ancestors()) {
        let path = folder.join(LOCKFILE);
        let Some(text) = package::read_text(project, &path)? else { continue };
        let unusable = |reason| NpmError::Lockfile { lock: path.clone(), reason };
        let lock = PackageLock::parse(&text).map_err(unusable)?;
        if folder == package.folder || lock.has_project(below(&folder, &package.folder)) {
            return Ok(Some((folder, lock)));
        }
    }
    Ok(None)
}

/// Returns the error for a package without the lockfile that it needs. The error names the lockfile to make:
/// the package's own, or that of a workspace above it.
fn no_lockfile(planner: &Planner<'_>, package: &Package) -> Result<NpmError, NpmError> {
    let project = planner.project();
    let manifest = package.manifest();
    for folder in package.folder.ancestors().filter(|folder| *folder != package.folder) {
        let root: Option<WorkspaceRoot> = package::read(project, &folder.join(MANIFEST))?;
        if root.is_some_and(|root| root.has(below(&folder, &package.folder))) {
            return Ok(NpmError::NoLockfileOfWorkspace { manifest, root: folder.join(MANIFEST) });
        }
    }
    Ok(match workspace_around(project, package) {
        Some(root) => NpmError::WorkspaceAround { manifest, root },
        None => NpmError::NoLockfile { manifest },
    })
}

/// Returns the root of a workspace that the package belongs to and that lies above the project. A manifest
/// there that can't be read is ignored, because it is not part of the project.
fn workspace_around(project: &Path, package: &Package) -> Option<PathBuf> {
    let folder = package.folder.on_disk(project);
    let is_root = |above: &&Path| {
        let text = bounded::read_text(&above.join(MANIFEST)).ok();
        let root: Option<WorkspaceRoot> = text.and_then(|text| serde_json::from_str(&text).ok());
        let inside = folder.strip_prefix(above).ok().and_then(Path::to_str);
        root.zip(inside).is_some_and(|(root, inside)| root.has(inside))
    };
    project.ancestors().skip(1).find(is_root).map(Path::to_owned)
}

impl WorkspaceRoot {
    /// Returns true if the package in `folder`, relative to the root, is one of the workspace.
    fn has(&self, folder: &str) -> bool {
        let patterns = match &self.workspaces {
            Some(Workspaces::Patterns(patterns) | Workspaces::Packages { packages: patterns }) => {
                patterns.as_slice()
            }
            None => &[],
        };
        patterns.iter().any(|pattern| {
            let pattern = pattern.trim_start_matches("./").trim_end_matches('/');
            let glob = GlobBuilder::new(pattern).literal_separator(true).build();
            glob.is_ok_and(|glob| glob.compile_matcher().is_match(folder))
        })
    }
}

/// Returns the path of a folder relative to one above it.
fn below<'a>(above: &ProjectPath, folder: &'a ProjectPath) -> &'a str {
    let rest = folder.as_str().strip_prefix(above.as_str()).unwrap_or(folder.as_str());
    rest.trim_start_matches('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> ProjectPath {
        ProjectPath::parse(text).unwrap()
    }

    fn needs(folder: &str) -> Needs {
        Needs { folder: path(folder), ..Needs::default() }
    }

    #[test]
    fn links_lead_from_their_folder_to_that_of_the_package() {
        let check = |folder: &str, place: &str, target: &str, expect: [&str; 3]| {
            let mut needs = needs(folder);
            needs.link(place, target).unwrap();
            let (modules, links) = needs.links.first_key_value().unwrap();
            let (name, link) = links.first_key_value().unwrap();
            assert_eq!([modules.as_str(), name, link], expect, "{place}");
        };
        check("", "node_modules/x", "packages/x", ["node_modules", "x", "../packages/x"]);
        let expect = ["web/node_modules", "@acme/x", "../../../web/x"];
        check("web", "node_modules/@acme/x", "x", expect);
        check("web", "node_modules/x", "../lib/x", ["web/node_modules", "x", "../../lib/x"]);
        let expect = ["a/node_modules", "x", "../../x"];
        check("", "a/node_modules/x", "x", expect);
    }

    #[test]
    fn a_workspace_lists_its_packages() {
        let check = |workspaces: &str, folder: &str, expect: bool| {
            let text = format!("{{ \"workspaces\": {workspaces} }}");
            let root: WorkspaceRoot = serde_json::from_str(&text).unwrap();
            assert_eq!(root.has(folder), expect, "{workspaces} {folder}");
        };
        check(r#"["packages/*"]"#, "packages/app", true);
        check(r#"["packages/*"]"#, "packages/app/inside", false);
        check(r#"["./packages/**/"]"#, "packages/app/inside", true);
        check(r#"["web", "api"]"#, "api", true);
        check(r#"{ "packages": ["api"], "nohoist": [] }"#, "api", true);
        check(r#"["["]"#, "api", false);
        check("null", "api", false);
    }

    #[test]
    fn a_link_that_can_not_be_followed_is_told() {
        let check = |place: &str, target: &str, expect: &str| {
            assert_eq!(needs("web").link(place, target).unwrap_err(), expect);
        };
        check(
            "node_modules/x",
            "../../x",
            "`node_modules/x` is a link out of the project, to `../../x`",
        );
        check(
            "node_modules/a/node_modules/x",
            "x",
            "`node_modules/a/node_modules/x` is a link inside of another package",
        );
    }

    #[test]
    fn what_a_folder_has_for_itself_lies_apart() {
        let check = |place: &str, expect: &str, link: Option<[&str; 3]>| {
            let integrity = "sha256-15Z3GIaH57MrQ96dI2Wh/4rm8anj1JRxm+VCOU2Z990=".parse().unwrap();
            let spec = crate::package::npm::Spec::new("a", "1.0.0").unwrap();
            let mut needs = needs("web");
            needs.install(Placed { place: place.to_owned(), spec, integrity }).unwrap();
            assert_eq!(needs.packages[0].place, expect);
            let links = needs.links.first_key_value().map(|(folder, links)| {
                let (name, target) = links.first_key_value().unwrap();
                [folder.as_str(), name, target]
            });
            assert_eq!(links, link);
        };
        check("node_modules/a", "node_modules/a", None);
        check("node_modules/b/node_modules/a", "node_modules/b/node_modules/a", None);
        let apart = "node_modules/.folders/web/x/node_modules/@s/a";
        let target = "../../../../../node_modules/.folders/web/x/node_modules/@s/a";
        check("x/node_modules/@s/a", apart, Some(["web/x/node_modules", "@s/a", target]));
        let inner = "node_modules/.folders/web/x/node_modules/b/node_modules/a";
        check("x/node_modules/b/node_modules/a", inner, None);
    }
}
