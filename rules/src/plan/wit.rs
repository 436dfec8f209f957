//! Completes the WIT of a component, and remembers the result by the contents of the files.
//!
//! How WIT is completed is known to `wit`; that is done by a worker, because WIT may be hostile.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use cache::{ContentStore, Digest, Memo};
use engine::{BuiltinError, SourceError, SourceFile, State};
use sandbox::Cancel;

use super::{Problems, Selection};
use crate::dependency::{NamedIn, Package, Packages};
use crate::manifest::{Component, Dependency as Entry, DependencySource, Manifest, PackageName};
use crate::path::ProjectPath;
use crate::planner::{ComponentWit, Options, PlanError, Planner, Project};
use crate::wit::{self, CompleteErrand, Completed, Dependency, FetchedPackage, Request};
use crate::worker::{self, Done};

/// Completes the WIT of `component` and picks its world. Returns `None` if the component names neither WIT
/// nor a world. A world that is built in or in `[dependencies]` needs no `wit`.
pub(super) fn complete(
    planner: &mut Planner<'_>,
    component: &Component,
) -> Result<Option<ComponentWit>, PlanError> {
    if component.wit.is_none() && component.world.is_none() {
        return Ok(None);
    }
    let path = component.wit.as_ref().map(|wit| &wit.value);
    let request = Request {
        root: planner.project().to_owned(),
        wit: path.map(|path| PathBuf::from(path.as_str())),
        ..request(planner.manifest(), planner.packages(), *component.test)
    };
    let request = Request {
        world: component.world.as_ref().map(|world| world.as_str().to_owned()),
        ..request
    };
    let place = path.map_or_else(ProjectPath::root, |path| place(planner, path));
    let mut key = memo_key(planner, component, &request)?;
    let limits = planner.worker_limits();
    for _ in 0..ATTEMPTS {
        if let Some(Memo { tree, text }) = planner.store().memo(&key)
            && let Ok(completed) = serde_json::from_str(&text)
            && planner.store().contains_tree(&tree)?
        {
            return Ok(Some(component_wit(tree, completed, place)));
        }
        let component_name = component.name.as_str().to_owned();
        let complete = CompleteErrand { request: request.clone(), component: component_name };
        // Nothing else runs while a build is planned. So whoever cancels the build ends this whole process,
        // and the worker with it.
        let Done { digest: tree, text } =
            worker::run(complete, planner.store(), &limits, &Cancel::new())?;
        // The files were read once for the key, and once more by the worker. If they were edited in between,
        // the result must not be remembered under a key that does not belong to it.
        let after = memo_key(planner, component, &request)?;
        if after == key {
            planner.store().put_memo(&key, &Memo { tree, text: text.clone() })?;
            let completed = serde_json::from_str(&text).map_err(|e| BuiltinError::failed(&e));
            let completed = completed.map_err(PlanError::UnreadWit)?;
            return Ok(Some(component_wit(tree, completed, place)));
        }
        key = after;
    }
    let path =
        path.map_or_else(|| planner.project().to_owned(), |path| path.on_disk(planner.project()));
    Err(SourceError::Unstable(path).into())
}

/// Returns a request to complete WIT with the packages of a project. It names no WIT yet. Only WIT of tests sees the packages
/// for tests.
pub(crate) fn request(manifest: &Manifest, fetched: &Packages, for_tests: bool) -> Request {
    let own = manifest.dependencies.iter();
    let of_tests = manifest.dev_dependencies.iter().filter(|_| for_tests);
    let entries: Vec<(&PackageName, &Entry)> = own.chain(of_tests).collect();
    Request {
        dependencies: dependencies(&entries),
        packages: packages(fetched, for_tests),
        features: features(&entries),
        ..Request::default()
    }
}

/// The WIT of a component, as tools get it.
#[derive(Debug)]
pub struct WitFolder {
    /// The folder of the checkout that has the component's own WIT.
    pub place: ProjectPath,
    /// The packages that do not come from there: the name of each folder below `deps/`, and its files with their texts.
    pub packages: BTreeMap<String, BTreeMap<String, String>>,
}

/// The ending of the names of folders below `deps/` that are copies for editors. Builds do not read them.
pub const COPY: &str = wit::COPY;

/// Returns the WIT of each component that has WIT of its own.
///
/// # Errors
/// The WIT of a component can't be completed. All errors are returned at once, with their places in run.toml.
pub fn wit_folders(
    project: Project<'_>,
    store: &ContentStore,
    state: &mut State,
    options: &Options,
) -> Result<Vec<WitFolder>, Problems> {
    let mut planner = Planner::new(project, store, state, options);
    let (mut folders, mut problems) = (Vec::new(), Problems::default());
    for component in Selection::with_tests().components(project.manifest) {
        if component.wit.is_none() {
            continue;
        }
        planner.begin(component);
        let folder = complete(&mut planner, component)
            .and_then(|wit| wit.map(|wit| folder(store, wit)).transpose());
        match folder {
            Ok(folder) => folders.extend(folder),
            Err(error) => problems.add(error, component, store),
        }
    }
    if problems.findings.is_empty() { Ok(folders) } else { Err(problems) }
}

fn folder(store: &ContentStore, wit: ComponentWit) -> Result<WitFolder, PlanError> {
    let ComponentWit { tree, place, origins, .. } = wit;
    let own = match place.as_str() {
        "" => "deps/".to_owned(),
        place => format!("{place}/deps/"),
    };
    let files = wit::files(store, &tree, &origins).map_err(PlanError::UnreadWit)?;
    let mut packages: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for file in files {
        let path = file.path.strip_prefix("deps/").and_then(|path| path.split_once('/'));
        if let Some((package, name)) = path.filter(|_| !file.origin.starts_with(&own)) {
            let texts = packages.entry(package.to_owned()).or_default();
            texts.insert(name.to_owned(), file.text.into_owned());
        }
    }
    Ok(WitFolder { place, packages })
}

fn component_wit(tree: Digest, completed: Completed, place: ProjectPath) -> ComponentWit {
    let Completed { world, origins } = completed;
    ComponentWit { tree, world, place, origins }
}

/// The number of times that WIT is read if it changes while it is read.
const ATTEMPTS: usize = 3;

/// Returns the folder of the checkout that the completed folder stands for.
fn place(planner: &Planner<'_>, path: &ProjectPath) -> ProjectPath {
    if path.on_disk(planner.project()).is_dir() { path.clone() } else { path.parent() }
}

/// Returns the packages that were fetched, as the completion takes them.
fn packages(packages: &Packages, for_tests: bool) -> Vec<FetchedPackage> {
    let package = |package: &Package| FetchedPackage {
        name: package.name.clone(),
        version: package.version.clone(),
        tree: package.tree.to_string(),
        is_direct: match package.named_in {
            Some(NamedIn::Dependencies) => true,
            Some(NamedIn::DevDependencies) => for_tests,
            None => false,
        },
    };
    let visible = packages.0.iter().filter(|package| for_tests || !package.is_for_tests);
    visible.map(package).collect()
}

/// Returns the features that the entries switch on.
fn features(entries: &[(&PackageName, &Entry)]) -> BTreeMap<String, BTreeSet<String>> {
    let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (name, dependency) in entries.iter().filter(|(_, entry)| !entry.features.is_empty()) {
        let features = dependency.features.iter().map(|feature| feature.value.to_string());
        all.entry(name.to_string()).or_default().extend(features);
    }
    all
}

/// Returns the entries that matter for WIT and are not fetched. The first one of a name counts.
fn dependencies(entries: &[(&PackageName, &Entry)]) -> BTreeMap<String, Dependency> {
    let entries = entries.iter().rev().filter_map(|(name, dependency)| {
        let dependency = match &dependency.source {
            DependencySource::Path { path } => Dependency::Path(PathBuf::from(path.as_str())),
            DependencySource::Registry { version } => Dependency::Version(version.base()?),
            DependencySource::Git { .. } => return None,
        };
        Some((name.to_string(), dependency))
    });
    entries.collect()
}

/// Returns the key of the memo: the digest of everything that the completed folder depends on.
fn memo_key(
    planner: &mut Planner<'_>,
    component: &Component,
    request: &Request,
) -> Result<Digest, PlanError> {
    let files: Vec<SourceFile> = wit::inputs(request)?
        .into_iter()
        .map(|path| SourceFile { path: tree_path(&path), file: request.root.join(&path) })
        .collect();
    let tree = planner.source_files(&files)?;
    let text = format!(
        "wit 5 {} {tree} {} {:?} {:?} {:?} {:?} {:?}",
        env!("CARGO_PKG_VERSION"),
        component.name.as_str(),
        request.wit,
        request.world,
        request.dependencies,
        request.packages,
        request.features,
    );
    Ok(Digest::of(planner.store().function(), text.as_bytes()))
}

/// Turns a path into one that a tree can have: the path of a dependency may lead out of the project.
fn tree_path(path: &std::path::Path) -> String {
    path.to_string_lossy().replace("../", "up/")
}
