//! All packages of the project that other people's packages could import: those of the component's module,
//! and of the modules that replace others.
//!
//! Which of them really are imported is known only when everybody's imports are read. So the go command sees
//! all of them if a component uses other people's packages. They are the same for every component of a module
//! and are read once for all; otherwise a project with twenty components would read and list its files twenty
//! times.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::module::Module;
use super::packages::{Excludes, Package};
use super::sources::{Sources, folders};
use crate::path::ProjectPath;
use crate::planner::source_tree::{Skeleton, SourceTree};
use crate::planner::{PlanError, Planner};

#[derive(Debug)]
pub(super) struct WholeModule {
    /// The heads of all files.
    pub(super) heads: Rc<Skeleton>,
}

impl WholeModule {
    pub(super) fn read(
        planner: &mut Planner<'_>,
        sources: &Sources,
        module: &Module,
        excludes: Excludes<'_>,
    ) -> Result<Self, PlanError> {
        let mut packages: BTreeMap<ProjectPath, Package> = BTreeMap::new();
        let mut open: Vec<(String, ProjectPath)> = module.local.clone().into_iter().collect();
        while let Some((path, folder)) = open.pop() {
            for name in folders(&sources.project, &folder) {
                open.push((format!("{path}/{name}"), folder.join(&name)));
            }
            let files = sources.package(&folder)?;
            if !files.is_empty() {
                let mut package = Package::unasked(path, files, excludes);
                package.find_embedded(&sources.project, &folder, planner.outputs());
                packages.insert(folder, package);
            }
        }
        let mut heads = SourceTree::default();
        packages.values().for_each(|package| package.add_heads(&mut heads));
        let digest = planner.store_tree(heads)?;
        Ok(Self { heads: Rc::new(Skeleton::read(digest, planner.store())?) })
    }
}
