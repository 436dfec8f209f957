//! Completes the WIT of a component, and remembers the result by the contents of the files.
//!
//! How WIT is completed is known to `wit`; that is done by a worker, because WIT may be hostile.

use std::collections::BTreeMap;
use std::path::PathBuf;

use cache::{Digest, Memo};
use engine::{BuiltinError, SourceError, SourceFile};
use sandbox::Cancel;

use crate::manifest::{Component, DependencySource, Manifest};
use crate::path::ProjectPath;
use crate::planner::{ComponentWit, PlanError, Planner};
use crate::wit::{self, CompleteErrand, Completed, Dependency, Request};
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
        dependencies: dependencies(planner.manifest()),
        world: component.world.as_ref().map(|world| world.as_str().to_owned()),
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

/// Returns the `[dependencies]` that matter for WIT.
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
        "wit 4 {} {tree} {} {:?} {:?} {:?}",
        env!("CARGO_PKG_VERSION"),
        component.name.as_str(),
        request.wit,
        request.world,
        request.dependencies,
    );
    Ok(Digest::of(planner.store().function(), text.as_bytes()))
}

/// Turns a path into one that a tree can have: the path of a dependency may lead out of the project.
fn tree_path(path: &std::path::Path) -> String {
    path.to_string_lossy().replace("../", "up/")
}
