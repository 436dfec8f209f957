//! The WIT of a component: completed once per content, then remembered.

use std::collections::BTreeMap;
use std::path::PathBuf;

use cache::Digest;
use engine::{SourceError, SourceFile};
use sandbox::Cancel;

use super::{PlanError, Planner};
use crate::lang::ComponentWit;
use crate::manifest::{Component, DependencySource, Manifest};
use crate::path::ProjectPath;
use crate::wit::{self, CompleteErrand, Dependency, Request};
use crate::worker::{self, Done, Errand};

/// Completes the WIT of `component` and picks its world; `None` if it names neither. A world that is
/// built in, or in `[dependencies]`, needs no WIT beside it.
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
        dependencies: dependencies(planner.manifest()),
        world: component.world.as_ref().map(|world| world.as_str().to_owned()),
    };
    let place = path.map_or_else(ProjectPath::root, |path| place(planner, path));
    let mut key = memo_key(planner, component, &request)?;
    let limits = planner.worker_limits();
    for _ in 0..ATTEMPTS {
        if let Some((tree, world)) = crate::memo::recall(planner.store(), &key)?
            && planner.store().contains_tree(&tree)?
        {
            return Ok(Some(ComponentWit { tree, world, place }));
        }
        let component_name = component.name.as_str().to_owned();
        let complete = CompleteErrand { request: request.clone(), component: component_name };
        // Nothing else runs while a build is planned, so whoever cancels it ends this whole process.
        let Done { digest: tree, text: world } =
            worker::run(Errand::Complete(complete), planner.store(), &limits, &Cancel::new())?;
        // The files were read once for the key and once more here. What an edit between the two left
        // must not be remembered under a key that is not its own.
        let after = memo_key(planner, component, &request)?;
        if after == key {
            crate::memo::remember(planner.store(), &key, &tree, &world)?;
            return Ok(Some(ComponentWit { tree, world, place }));
        }
        key = after;
    }
    let path =
        path.map_or_else(|| planner.project().to_owned(), |path| path.on_disk(planner.project()));
    Err(SourceError::Unstable(path).into())
}

/// How often WIT that changes while it is read is read again.
const ATTEMPTS: usize = 3;

/// The folder of the checkout that the completed folder stands for.
fn place(planner: &Planner<'_>, path: &ProjectPath) -> ProjectPath {
    if path.on_disk(planner.project()).is_dir() { path.clone() } else { path.parent() }
}

/// `[dependencies]` as far as WIT is concerned.
fn dependencies(manifest: &Manifest) -> BTreeMap<String, Dependency> {
    let entries = manifest.dependencies.iter().filter_map(|(name, dependency)| {
        let dependency = match &dependency.source {
            DependencySource::Path { path } => Dependency::Path(PathBuf::from(path.as_str())),
            DependencySource::Registry { version } => Dependency::Version(version.base()?),
            DependencySource::Git { .. } => return None,
        };
        Some((name.to_string(), dependency))
    });
    entries.collect()
}

/// What the completed folder depends on.
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
        "wit 3 {} {tree} {} {:?} {:?} {:?}",
        env!("CARGO_PKG_VERSION"),
        component.name.as_str(),
        request.wit,
        request.world,
        request.dependencies,
    );
    Ok(Digest::of(planner.store().function(), text.as_bytes()))
}

/// A path for a tree: a dependency may lie outside the project.
fn tree_path(path: &std::path::Path) -> String {
    path.to_string_lossy().replace("../", "up/")
}
