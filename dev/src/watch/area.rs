//! The files whose changes matter.
//!
//! Any file of the project may matter: planning decides what belongs to a component, and a new file may be the one that it
//! looked for. So the whole folder is watched, except what builds and tools write there. Outside of the folder only the
//! inputs of the last build matter.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The names of folders that tools fill. Of their files, only inputs of the last build matter.
const FILLED_BY_TOOLS: [&str; 9] = [
    ".git",
    ".hg",
    ".jj",
    ".venv",
    ".zig-cache",
    "__pycache__",
    "node_modules",
    "target",
    "zig-out",
];

/// The name of the folder for the files that `run` keeps in a project. Nothing of it ever matters.
const PRIVATE: &str = ".run";

/// The files that decide what the project is.
const CONFIGURATION: [&str; 2] = [rules::manifest::FILE_NAME, project::LOCK_FILE];

/// The way in which a change of a file matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Urgency {
    /// The build may or may not depend on the file. Nothing is interrupted for it.
    Low,
    /// The last build depended on the file, so a build in flight is of no use any more.
    High,
}

/// The files whose changes matter.
#[derive(Clone, Debug)]
pub(crate) struct Area {
    project: PathBuf,
    /// The folder that builds write components to.
    outputs: Option<PathBuf>,
    /// The files that the last build depended on.
    inputs: Arc<BTreeSet<PathBuf>>,
    /// The folders of these files that are not watched anyway.
    further: BTreeSet<PathBuf>,
}

impl Area {
    /// Makes the area of a project about which nothing is known yet.
    pub(crate) fn new(project: PathBuf) -> Self {
        Self { project, outputs: None, inputs: Arc::default(), further: BTreeSet::new() }
    }

    /// Takes note of the folder that builds write to, and of the files that the last build depended on.
    pub(crate) fn learn(&mut self, outputs: PathBuf, inputs: Arc<BTreeSet<PathBuf>>) {
        self.outputs = Some(outputs);
        let folders = inputs.iter().filter_map(|file| file.parent());
        self.further = folders.filter(|it| !self.is_open(it)).map(Path::to_owned).collect();
        self.inputs = inputs;
    }

    /// Returns the folder of the project.
    pub(crate) fn project(&self) -> &Path {
        &self.project
    }

    /// Returns folders that have to be watched in addition to those below the project for which [`is_open`](Self::is_open)
    /// is true.
    pub(crate) const fn further_folders(&self) -> &BTreeSet<PathBuf> {
        &self.further
    }

    /// Tells how a change of this file matters; `None` if it does not.
    pub(crate) fn urgency(&self, path: &Path) -> Option<Urgency> {
        if self.inputs.contains(path) {
            return Some(Urgency::High);
        }
        let inside = path.strip_prefix(&self.project);
        if inside
            .as_ref()
            .is_ok_and(|path| CONFIGURATION.iter().any(|name| **path == *Path::new(name)))
        {
            return Some(Urgency::High);
        }
        let folder = path.parent()?;
        let is_near = self.further.contains(folder) && inside.is_err();
        // The path may be that of a folder that tools fill.
        (is_near || self.is_open(path)).then_some(Urgency::Low)
    }

    /// Tells if everything in a folder may matter.
    pub(crate) fn is_open(&self, folder: &Path) -> bool {
        let Ok(inside) = folder.strip_prefix(&self.project) else { return false };
        let is_filled = |name: &std::ffi::OsStr| {
            name == PRIVATE || FILLED_BY_TOOLS.iter().any(|filled| name == *filled)
        };
        let is_output = self.outputs.as_ref().is_some_and(|outputs| folder.starts_with(outputs));
        !is_output && !inside.iter().any(is_filled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_never_matter_and_inputs_always() {
        let mut area = Area::new("/p".into());
        let check = |area: &Area, path: &str, expect: Option<Urgency>| {
            assert_eq!(area.urgency(Path::new(path)), expect, "{path}");
        };
        check(&area, "/p/run.toml", Some(Urgency::High));
        check(&area, "/p/run.lock.toml", Some(Urgency::High));
        check(&area, "/p/src/lib.rs", Some(Urgency::Low));
        check(&area, "/p/dist/a.wasm", Some(Urgency::Low));
        check(&area, "/q/lib.rs", None);
        let inputs = ["/p/src/lib.rs", "/q/wit/a.wit", "/p/target/ready.wasm", "/p/dist/in.wasm"];
        area.learn("/p/dist".into(), Arc::new(inputs.map(PathBuf::from).into()));
        check(&area, "/p/src/lib.rs", Some(Urgency::High));
        check(&area, "/p/src/new.rs", Some(Urgency::Low));
        check(&area, "/p/dist/a.wasm", None);
        check(&area, "/p/dist/in.wasm", Some(Urgency::High));
        check(&area, "/p/target/ready.wasm", Some(Urgency::High));
        check(&area, "/p/target/other.wasm", None);
        check(&area, "/p/sub/run.toml", Some(Urgency::Low));
        for path in [
            "/p/.run",
            "/p/.run/state",
            "/p/.git/index",
            "/p/a/node_modules/b/c.js",
            "/p/src/target/x",
        ] {
            check(&area, path, None);
        }
        check(&area, "/q/wit/a.wit", Some(Urgency::High));
        check(&area, "/q/wit/b.wit", Some(Urgency::Low));
        check(&area, "/q/lib.rs", None);
        let further: Vec<_> =
            area.further_folders().iter().map(|it| it.to_str().unwrap()).collect();
        assert_eq!(further, ["/p/dist", "/p/target", "/q/wit"]);
    }
}
