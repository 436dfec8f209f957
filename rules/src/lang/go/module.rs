//! The Go module around a component, and the modules of the project that replace others in it (`replace … =>
//! ../folder`).

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::error::GoError;
use super::manifest::{Manifest, Replacement, Version};
use super::sums::Sums;
use crate::bounded;
use crate::lang::bindings::go::{RUNTIME, RUNTIME_VERSION};
use crate::path::ProjectPath;
use crate::planner::source_tree::{SourceTree, Without};
use crate::planner::{PlanError, Planner};

/// A module of the project, with everything that belongs to it.
#[derive(Debug)]
pub(super) struct Module {
    /// The folder of the project.
    project: PathBuf,
    /// The folder of its go.mod.
    pub(super) dir: ProjectPath,
    pub(super) manifest: Manifest,
    /// The text of its go.mod.
    text: String,
    /// The folders of the modules of the project that it uses, its own included, by module path.
    pub(super) local: BTreeMap<String, ProjectPath>,
    /// The go.mod files of the other modules among these, as far as they can be read. The go command reports
    /// what is wrong with one that can't be.
    others: Vec<Manifest>,
    /// The folders of the modules that a go.work at or above it uses, by module path.
    workspace: BTreeMap<String, ProjectPath>,
    /// The checksums that pin other people's modules.
    pub(super) sums: Sums,
    /// True if other people's modules are in a folder `vendor`.
    pub(super) vendored: bool,
}

impl Module {
    /// Returns the module that the file `source` belongs to. It is read once for all components of the
    /// module.
    pub(super) fn of(planner: &mut Planner<'_>, source: &ProjectPath) -> Result<Rc<Self>, GoError> {
        let project = planner.project().to_owned();
        let dir = Self::folder(&project, source)?;
        planner.known(&format!("Go module {dir}"), |_| Self::read(&project, dir))
    }

    /// Returns the folder of the module that the file `source` belongs to.
    pub(super) fn folder(project: &Path, source: &ProjectPath) -> Result<ProjectPath, GoError> {
        let mut folders = source.ancestors();
        let found = folders.find(|dir| dir.join("go.mod").on_disk(project).is_file());
        found.ok_or_else(|| GoError::NoModule { source_file: source.clone() })
    }

    /// Reads the module in the folder `dir`.
    pub(super) fn read(project: &Path, dir: ProjectPath) -> Result<Self, GoError> {
        let has = |dir: &ProjectPath, name: &str| dir.join(name).on_disk(project).is_file();
        let (text, manifest) = read_manifest(project, &dir)?;
        let mut module = Self {
            project: project.to_owned(),
            vendored: has(&dir, "vendor/modules.txt"),
            local: BTreeMap::from([(manifest.module.clone(), dir.clone())]),
            others: Vec::new(),
            workspace: BTreeMap::new(),
            sums: Sums::default(),
            dir,
            manifest,
            text,
        };
        // If there is a folder `vendor`, replaced modules are taken from it as well.
        if !module.vendored {
            module.find_local(project)?;
        }
        module.workspace = workspace(project, &module.dir);
        if has(&module.dir, "go.sum") {
            let file = module.dir.join("go.sum");
            module.sums = Sums::parse(&read(project, &file)?, &file)?;
        }
        module.check()?;
        Ok(module)
    }

    /// Returns the folder of the package `path`, if the package belongs to the project.
    pub(super) fn folder_of(&self, path: &str) -> Option<ProjectPath> {
        let nearest = self.local.iter().filter(|(module, _)| contains(module, path));
        let (module, dir) = nearest.max_by_key(|(module, _)| module.len())?;
        let folder = dir.join(path[module.len()..].trim_start_matches('/'));
        // The path of somebody else's module may continue that of one of ours, such as `x.org/a/v2`.
        let is_of_other = |other: &Version| {
            other.path.len() > module.len()
                && contains(&other.path, path)
                && !self.local.contains_key(&other.path)
        };
        let is_ours = folder.on_disk(&self.project).is_dir()
            || !self.manifest.require.iter().any(is_of_other);
        (is_ours && !self.has_module_between(dir, &folder)).then_some(folder)
    }

    /// Returns true if `folder`, or a folder between it and `dir` above it, is a module of its own. `dir` is
    /// the folder of the module.
    fn has_module_between(&self, dir: &ProjectPath, folder: &ProjectPath) -> bool {
        let folders = std::iter::once(folder.clone()).chain(folder.ancestors());
        let mut between = folders.take_while(|folder| folder != dir);
        between.any(|folder| folder.join("go.mod").on_disk(&self.project).is_file())
    }

    /// Returns the module that provides the package `path`, if only a go.work names that module.
    pub(super) fn only_in_workspace(&self, path: &str) -> Option<(&str, &ProjectPath)> {
        let (module, folder) = self.workspace.iter().find(|(module, _)| contains(module, path))?;
        let required = self.manifest.require.iter().any(|version| version.path == *module);
        (!required && !self.local.contains_key(module)).then_some((module.as_str(), folder))
    }

    /// Returns true if the package `path` comes from somebody else's module.
    pub(super) fn is_third_party(&self, path: &str) -> bool {
        let mut required = self.manifest.require.iter();
        self.folder_of(path).is_none()
            && !contains(RUNTIME, path)
            && required.any(|version| contains(&version.path, path))
    }

    /// Returns the modules that the modules of the project require.
    pub(super) fn required(&self) -> Vec<Version> {
        let manifests = self.others.iter().chain([&self.manifest]);
        manifests.flat_map(|manifest| &manifest.require).cloned().collect()
    }

    /// Returns the import path of the package in `folder`, which is a folder of this module.
    pub(super) fn import_path(&self, folder: &ProjectPath) -> String {
        let below = folder.as_str().strip_prefix(self.dir.as_str()).unwrap_or_default();
        match below.trim_start_matches('/') {
            "" => self.manifest.module.clone(),
            below => format!("{}/{below}", self.manifest.module),
        }
    }

    /// Returns the go.mod that actions see: the user's, with the lines that bindings need. `runtime` is the
    /// folder of their run-time module.
    pub(super) fn completed(&self, runtime: &str) -> String {
        let own = |path: &String| path == RUNTIME;
        let dropped: Vec<usize> =
            self.manifest.replace.iter().filter(|r| own(&r.path)).map(|r| r.line).collect();
        let mut text = String::new();
        for (number, line) in self.text.lines().enumerate() {
            // A replacement of the run-time module by the user would contradict the one added below.
            text.push_str(if dropped.contains(&(number + 1)) { "// " } else { "" });
            text.push_str(line);
            text.push('\n');
        }
        if !self.manifest.require.iter().any(|version| own(&version.path)) {
            text.push_str(&format!("require {RUNTIME} {RUNTIME_VERSION}\n"));
        }
        if !self.vendored {
            text.push_str(&format!("replace {RUNTIME} => {runtime}\n"));
        }
        text
    }

    /// Adds to an action's sources the files that say which modules there are, and a folder `vendor`.
    pub(super) fn add_to(
        &self,
        project: &Path,
        outputs: &BTreeSet<ProjectPath>,
        tree: &mut SourceTree,
    ) -> Result<(), PlanError> {
        for dir in self.local.values() {
            tree.optional_file(project, dir.join("go.mod"));
        }
        tree.optional_file(project, self.dir.join("go.sum"));
        if self.vendored {
            let without = Without { folders: outputs, marker: None };
            let wanted = |path: &ProjectPath| !path.as_str().ends_with("_test.go");
            tree.folder(project, &self.dir.join("vendor"), &without, &wanted)?;
        }
        Ok(())
    }

    /// Follows the replacements by folders. Only those in the go.mod of the module itself count.
    fn find_local(&mut self, project: &Path) -> Result<(), GoError> {
        for replace in &self.manifest.replace {
            let Replacement::Folder(folder) = &replace.to else { continue };
            // A replacement of a module that is not required, or not in this version, has no effect.
            if replace.path == RUNTIME || !self.manifest.uses(replace) {
                continue;
            }
            let dir = self.dir.resolve(folder).map_err(|source| GoError::Outside {
                file: self.dir.join("go.mod"),
                line: replace.line,
                folder: folder.clone(),
                source,
            })?;
            if !dir.join("go.mod").on_disk(project).is_file() {
                return Err(GoError::NoReplacement {
                    file: self.dir.join("go.mod"),
                    line: replace.line,
                    folder: dir,
                });
            }
            if dir != self.dir && !self.local.values().any(|known| *known == dir) {
                self.others.extend(read_manifest(project, &dir).map(|(_, manifest)| manifest));
            }
            self.local.insert(replace.path.clone(), dir);
        }
        Ok(())
    }

    /// Checks what the go command would only find out in the middle of a build.
    fn check(&self) -> Result<(), GoError> {
        let file = self.dir.join("go.mod");
        for version in &self.manifest.require {
            if version.path == RUNTIME {
                if version.version != RUNTIME_VERSION {
                    let required = version.version.clone();
                    return Err(GoError::RuntimeVersion { file, required });
                }
                continue;
            }
            if self.vendored || self.local.contains_key(&version.path) {
                continue;
            }
            let pinned = match self.manifest.replacement(version) {
                Some(Replacement::Module(other)) => other,
                _ => version,
            };
            if self.sums.manifests.is_empty() {
                return Err(GoError::NoSums { dir: self.dir.clone() });
            }
            if !self.sums.manifests.contains_key(pinned) {
                let module = pinned.to_string();
                return Err(GoError::Unpinned { dir: self.dir.clone(), module });
            }
        }
        Ok(())
    }
}

/// Returns true if the package `path` may belong to the module `module`.
fn contains(module: &str, path: &str) -> bool {
    path.strip_prefix(module).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn read_manifest(project: &Path, dir: &ProjectPath) -> Result<(String, Manifest), GoError> {
    let file = dir.join("go.mod");
    let text = read(project, &file)?;
    let manifest = Manifest::parse(&text, &file)?;
    Ok((text, manifest))
}

/// Reads a text file of the project.
pub(super) fn read(project: &Path, file: &ProjectPath) -> Result<String, GoError> {
    bounded::read_text(&file.on_disk(project))
        .map_err(|source| GoError::Read { path: file.clone(), source })
}

/// Returns the modules that the nearest go.work at or above `dir` uses. They serve a better message and
/// nothing else, so errors in the file are ignored.
fn workspace(project: &Path, dir: &ProjectPath) -> BTreeMap<String, ProjectPath> {
    let folders = std::iter::once(dir.clone()).chain(dir.ancestors());
    let found = folders
        .map(|folder| (folder.join("go.work"), folder))
        .find(|(file, _)| file.on_disk(project).is_file());
    let Some((file, folder)) = found else { return BTreeMap::new() };
    let text = read(project, &file).unwrap_or_default();
    let used = text.lines().map(|line| line.split("//").next().unwrap_or_default().trim());
    let used = used.map(|line| line.strip_prefix("use ").unwrap_or(line).trim_matches(['"', ' ']));
    used.filter(|line| line.starts_with('.'))
        .filter_map(|line| folder.resolve(line).ok())
        .filter_map(|dir| Some((read_manifest(project, &dir).ok()?.1.module, dir)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        dir
    }

    fn discover(files: &[(&str, &str)], source: &str) -> Result<Module, GoError> {
        discover_in(&written(files), source)
    }

    fn discover_in(dir: &tempfile::TempDir, source: &str) -> Result<Module, GoError> {
        let folder = Module::folder(dir.path(), &ProjectPath::parse(source).unwrap())?;
        Module::read(dir.path(), folder)
    }

    #[test]
    fn the_run_time_package_is_the_one_that_bindings_refer_to() {
        let made = format!("{RUNTIME} {RUNTIME_VERSION}");
        assert_eq!(wit_bindgen_go::remote_pkg_version(), made);
    }

    #[test]
    fn packages_are_found_in_modules_of_the_project() {
        let project = written(&[
            (
                "shop/go.mod",
                "module example.com/shop\nrequire example.com/lib v0.0.0\nrequire example.com/shop/v2 v2.0.0\n\
                     require example.com/shop/here/v3 v3.0.0\nreplace example.com/lib => ../lib\n\
                     replace example.com/lib v1.0.0 => ../old\nreplace unused.org => ../none\n",
            ),
            (
                "shop/go.sum",
                "example.com/shop/v2 v2.0.0/go.mod h1:AA=\nexample.com/shop/here/v3 v3.0.0/go.mod h1:AA=\n",
            ),
            ("shop/here/v3/x.go", "package x"),
            ("shop/own/go.mod", "module example.com/shop/own\n"),
            ("shop/own/deep/x.go", "package deep"),
            ("lib/go.mod", "module example.com/lib\n"),
        ]);
        let module = discover_in(&project, "shop/cmd/main.go").unwrap();
        let check = |path: &str, expect: Option<&str>| {
            let found = module.folder_of(path);
            assert_eq!(found.as_ref().map(ProjectPath::as_str), expect, "{path}");
        };
        check("example.com/shop", Some("shop"));
        check("example.com/shop/a/b", Some("shop/a/b"));
        check("example.com/lib/x", Some("lib/x"));
        check("example.com/shopping", None);
        check("fmt", None);
        // The first belongs to another module, whose path is longer. The second is ours, because its folder
        // exists.
        check("example.com/shop/v2/x", None);
        check("example.com/shop/here/v3", Some("shop/here/v3"));
        assert!(module.is_third_party("example.com/shop/v2/x"));
        // This belongs to a module that nobody requires.
        check("example.com/shop/own/deep", None);
        assert!(!module.is_third_party("example.com/shop/own/deep"));
        let vendored = discover(
            &[
                ("go.mod", "module a.org/m\nreplace b.org => ./lib\nrequire b.org v0.0.0\n"),
                ("lib/go.mod", "module b.org\n"),
                ("vendor/modules.txt", ""),
            ],
            "main.go",
        )
        .unwrap();
        assert!(vendored.folder_of("b.org/x").is_none() && vendored.is_third_party("b.org/x"));
        let folder = ProjectPath::parse("shop/cmd").unwrap();
        assert_eq!(module.import_path(&folder), "example.com/shop/cmd");
        assert_eq!(module.import_path(&module.dir), "example.com/shop");
    }

    #[test]
    fn the_run_time_package_is_added_and_the_users_lines_stay() {
        let text = "module a\n\nrequire go.bytecodealliance.org/pkg v0.4.0\n\n\
                    replace go.bytecodealliance.org/pkg => /elsewhere\n";
        let module = discover(&[("go.mod", text)], "main.go").unwrap();
        assert_eq!(
            module.completed("/pkg"),
            "module a\n\nrequire go.bytecodealliance.org/pkg v0.4.0\n\n\
             // replace go.bytecodealliance.org/pkg => /elsewhere\n\
             replace go.bytecodealliance.org/pkg => /pkg\n"
        );
        let module = discover(&[("go.mod", "module a")], "main.go").unwrap();
        assert_eq!(
            module.completed("/pkg"),
            "module a\nrequire go.bytecodealliance.org/pkg v0.4.0\n\
             replace go.bytecodealliance.org/pkg => /pkg\n"
        );
    }

    #[test]
    fn what_can_not_be_built_is_told() {
        let check = |files: &[(&str, &str)], expect: &str| {
            let error = discover(files, "shop/main.go").unwrap_err();
            assert_eq!(error.to_string(), expect);
        };
        check(&[], "`shop/main.go` belongs to no Go module: there is no go.mod beside or above it");
        let needs = ("shop/go.mod", "module a\nrequire b.org/x v1.0.0\n");
        check(&[needs], "there is no go.sum beside `shop/go.mod`, which requires other modules");
        check(
            &[needs, ("shop/go.sum", "b.org/x v0.9.0/go.mod h1:AA=\n")],
            "`shop/go.sum` has no checksum of b.org/x@v1.0.0, which `shop/go.mod` requires",
        );
        check(
            &[("shop/go.mod", "module a\nrequire b v0.0.0\nreplace b => ../../b\n")],
            "shop/go.mod:3: `replace` leads to `../../b`, outside the project",
        );
        check(
            &[("shop/go.mod", "module a\nrequire b v0.0.0\nreplace b => ../b\n")],
            "shop/go.mod:3: `replace` leads to `b`, where there is no go.mod",
        );
        check(
            &[("shop/go.mod", "module a\nrequire go.bytecodealliance.org/pkg v0.5.0\n")],
            "`shop/go.mod` requires go.bytecodealliance.org/pkg v0.5.0, but bindings are made for v0.4.0",
        );
    }

    #[test]
    fn a_module_of_go_work_alone_is_noticed() {
        let module = discover(
            &[
                ("go.work", "go 1.27\n\nuse (\n\t./shop\n\t./lib // ours\n)\n"),
                ("shop/go.mod", "module a"),
                ("lib/go.mod", "module example.com/lib"),
            ],
            "shop/main.go",
        )
        .unwrap();
        let (found, folder) = module.only_in_workspace("example.com/lib/x").unwrap();
        assert_eq!((found, folder.as_str()), ("example.com/lib", "lib"));
        assert!(module.only_in_workspace("fmt").is_none());
    }
}
