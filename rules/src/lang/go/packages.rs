//! Finds the packages of the project that a component is made of: those that its main package imports,
//! directly or not. An edit anywhere else does not rebuild the component, and an edit of one of them rebuilds
//! only what depends on it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::rc::Rc;

use super::error::GoError;
use super::module::Module;
use super::sources::{SourceFile, Sources};
use super::{constraint, embed};
use crate::lang::bindings::go::Layout;
use crate::path::ProjectPath;
use crate::planner::source_tree::SourceTree;

/// The packages of one component.
#[derive(Debug, Default)]
pub(super) struct Packages {
    /// The packages that have files in the checkout, by folder.
    pub(super) own: BTreeMap<ProjectPath, Package>,
    /// The packages of other people's modules that they import.
    pub(super) third_party: BTreeSet<String>,
    /// True if one of them imports the package of exports in the bindings. The component is then more than a
    /// command.
    pub(super) links_exports: bool,
}

/// A package of the project.
#[derive(Debug, Default)]
pub(super) struct Package {
    /// Its import path.
    pub(super) path: String,
    /// The folders of the project's packages that it imports.
    pub(super) imports: BTreeSet<ProjectPath>,
    /// Its files in the checkout.
    files: Rc<Vec<SourceFile>>,
    /// The patterns of `//go:embed`.
    embedded: BTreeSet<String>,
    /// The files that these patterns stand for.
    embedded_files: BTreeSet<ProjectPath>,
    /// True if it has a Go file that is compiled, as far as this is known before the go command runs.
    has_go: bool,
    /// A file that is left out because it imports "C".
    cgo: Option<ProjectPath>,
    /// True if a file replaces such files where there is no cgo, by its build constraint.
    has_instead: bool,
}

/// A function that gets the name and the head of a file and returns true if the file is not compiled.
pub(super) type Excludes<'a> = &'a dyn Fn(&str, &str) -> bool;

/// The package in the folder of bindings through which exports are called.
const EXPORTS: &str = "/wit_exports";

impl Packages {
    /// Finds the packages in the folders `roots` of the component's own module, and all that they import.
    pub(super) fn find(
        sources: &Sources,
        module: &Module,
        roots: impl IntoIterator<Item = ProjectPath>,
        excludes: Excludes<'_>,
    ) -> Result<Self, GoError> {
        let mut packages = Self::default();
        let named = |folder: ProjectPath| (module.import_path(&folder), folder);
        let mut open: Vec<(String, ProjectPath)> = roots.into_iter().map(named).collect();
        let mut seen = BTreeSet::new();
        while let Some((path, folder)) = open.pop() {
            if !seen.insert(folder.clone()) {
                continue;
            }
            let files = sources.package(&folder)?;
            let mut package = Package { path, files: Rc::clone(&files), ..Package::default() };
            for file in &*files {
                open.extend(packages.add(module, &mut package, file, excludes)?);
            }
            if !files.is_empty() {
                packages.own.insert(folder, package);
            }
        }
        Ok(packages)
    }

    /// Refuses a package all of whose files need C, and a main file that needs it.
    pub(super) fn check_cgo(&self, source: &ProjectPath) -> Result<(), GoError> {
        let is_lost = |(cgo, package): &(&ProjectPath, &Package)| {
            !package.has_go || *cgo == source && !package.has_instead
        };
        let with_cgo =
            self.own.values().filter_map(|package| Some((package.cgo.as_ref()?, package)));
        match with_cgo.into_iter().find(is_lost) {
            Some((file, _)) => Err(GoError::Cgo { file: file.clone() }),
            None => Ok(()),
        }
    }

    /// Adds the package that the generator writes and that calls the user's exports, which are in folders of
    /// `exports`.
    pub(super) fn add_generated(
        &mut self,
        module: &Module,
        layout: &Layout,
        exports: &[ProjectPath],
    ) {
        if layout.command {
            return;
        }
        let written: Vec<ProjectPath> =
            exports.iter().filter(|folder| self.own.contains_key(*folder)).cloned().collect();
        let package = self.own.entry(layout.exports()).or_default();
        package.path = module.import_path(&layout.exports());
        package.imports.extend(written);
    }

    /// Refuses packages that import each other in a circle, beginning at the package in `folder`.
    pub(super) fn check_cycles(&self, folder: &ProjectPath) -> Result<(), GoError> {
        self.follow(folder, &mut BTreeSet::new(), &mut Vec::new())
    }

    /// Follows the imports of a package, unless it is among those that are `done`. Each of the packages that are
    /// `waiting` imports the next one, and the last one imports this.
    fn follow<'a>(
        &'a self,
        folder: &'a ProjectPath,
        done: &mut BTreeSet<&'a ProjectPath>,
        waiting: &mut Vec<&'a ProjectPath>,
    ) -> Result<(), GoError> {
        let Some(package) = self.own.get(folder) else { return Ok(()) };
        if let Some(first) = waiting.iter().position(|waiting| *waiting == folder) {
            let cycle = waiting[first..].iter().copied().chain([folder]);
            let paths = cycle.map(|folder| self.own[folder].path.clone());
            return Err(GoError::Cycle { paths: paths.collect() });
        }
        if done.contains(folder) {
            return Ok(());
        }
        waiting.push(folder);
        for import in &package.imports {
            self.follow(import, done, waiting)?;
        }
        waiting.pop();
        done.insert(folder);
        Ok(())
    }

    /// Adds a file to `package` and returns the packages of the project that the file imports.
    fn add(
        &mut self,
        module: &Module,
        package: &mut Package,
        file: &SourceFile,
        excludes: Excludes<'_>,
    ) -> Result<Vec<(String, ProjectPath)>, GoError> {
        if !file.is_go() || excludes(file.path.file_name(), &file.head) {
            return Ok(Vec::new());
        }
        if file.imports.iter().any(|path| path == "C") {
            package.cgo.get_or_insert_with(|| file.path.clone());
            return Ok(Vec::new());
        }
        package.has_go = true;
        package.has_instead |= constraint::is_without_cgo(&file.head);
        package.embedded.extend(file.embeds.iter().cloned());
        let mut found = Vec::new();
        for path in &file.imports {
            self.links_exports |= path.ends_with(EXPORTS);
            if let Some(folder) = module.folder_of(path) {
                package.imports.insert(folder.clone());
                found.push((path.clone(), folder));
            } else if module.is_third_party(path) {
                self.third_party.insert(path.clone());
            } else if let Some((name, folder)) = module.only_in_workspace(path) {
                return Err(GoError::Workspace {
                    folder: relative(&module.dir, folder),
                    dir: module.dir.clone(),
                    module: name.to_owned(),
                    file: file.path.clone(),
                    package: path.clone(),
                });
            }
        }
        Ok(found)
    }

    /// Returns the imports of packages from outside the project, without those of files that a compiler with
    /// these tags certainly leaves out.
    pub(super) fn imports_of_others(
        &self,
        module: &Module,
        tags: &BTreeSet<String>,
    ) -> BTreeSet<String> {
        let files = self.own.values().flat_map(|package| &*package.files);
        files
            .filter(|file| !constraint::excludes(file.path.file_name(), &file.head, tags))
            .flat_map(|file| &file.imports)
            .filter(|path| *path != "C" && *path != "unsafe" && module.folder_of(path).is_none())
            .cloned()
            .collect()
    }

    /// Finds the files that are embedded. Folders in `outputs`, which builds write to, are left out.
    pub(super) fn find_embedded(&mut self, project: &Path, outputs: &BTreeSet<ProjectPath>) {
        for (folder, package) in &mut self.own {
            package.find_embedded(project, folder, outputs);
        }
    }

    /// Adds the heads of all files to an action's sources. From these the go command can tell which files and
    /// packages the component is made of.
    pub(super) fn add_heads(&self, tree: &mut SourceTree) {
        self.own.values().for_each(|package| package.add_heads(tree));
    }
}

impl Package {
    /// Makes a package that no file is known to import. The go command will find what it imports itself.
    pub(super) fn unasked(
        path: String,
        files: Rc<Vec<SourceFile>>,
        excludes: Excludes<'_>,
    ) -> Self {
        let counts = |file: &&SourceFile| {
            let is_cgo = file.imports.iter().any(|path| path == "C");
            file.is_go() && !is_cgo && !excludes(file.path.file_name(), &file.head)
        };
        let embedded = files.iter().filter(counts).flat_map(|file| &file.embeds).cloned().collect();
        Self { path, files, embedded, ..Self::default() }
    }

    /// Finds the files that are embedded. Folders in `outputs`, which builds write to, are left out.
    pub(super) fn find_embedded(
        &mut self,
        project: &Path,
        folder: &ProjectPath,
        outputs: &BTreeSet<ProjectPath>,
    ) {
        let files = |pattern: &String| embed::find(project, folder, pattern, outputs);
        self.embedded_files = self.embedded.iter().flat_map(files).collect();
    }

    /// Adds the files to an action's sources, with those that they embed.
    pub(super) fn add_to(&self, tree: &mut SourceTree) {
        let files = self.files.iter().map(|file| &file.path);
        files.chain(&self.embedded_files).for_each(|file| tree.file(file.clone()));
    }

    /// Adds the heads of the files to an action's sources. Embedded files are empty there.
    pub(super) fn add_heads(&self, tree: &mut SourceTree) {
        self.embedded_files.iter().for_each(|file| tree.generated(file.clone(), ""));
        for file in &*self.files {
            tree.generated(file.path.clone(), file.head.as_str());
        }
    }
}

/// Returns the path from one folder of the project to another in the form that `replace` requires.
fn relative(from: &ProjectPath, to: &ProjectPath) -> String {
    let (from, to): (Vec<&str>, Vec<&str>) = (from.parts().collect(), to.parts().collect());
    let shared = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let up = std::iter::repeat_n("..", from.len() - shared);
    let mut parts: Vec<&str> = up.chain(to[shared..].iter().copied()).collect();
    if parts.first() != Some(&"..") {
        parts.insert(0, ".");
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::planner::LanguageError as _;

    fn project(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        dir
    }

    fn find(dir: &tempfile::TempDir, root: &str) -> Result<Packages, GoError> {
        let root = ProjectPath::parse(root).unwrap();
        let module = Module::read(dir.path(), Module::folder(dir.path(), &root.join("main.go"))?)?;
        let excludes = |name: &str, head: &str| constraint::excludes(name, head, &BTreeSet::new());
        Packages::find(&Sources::new(dir.path()), &module, [root], &excludes)
    }

    #[test]
    fn what_is_imported_belongs_to_it_and_nothing_else() {
        let dir = project(&[
            ("go.mod", "module a.org/m\nrequire b.org/x v1.0.0\n"),
            ("go.sum", "b.org/x v1.0.0/go.mod h1:AA=\n"),
            (
                "cmd/main.go",
                "package main\nimport (\n\"fmt\"\n\"a.org/m/one\"\n\"b.org/x/sub\"\n\
                 _ \"a.org/m/cmd/exports/wit_exports\"\n)",
            ),
            ("cmd/main_test.go", "package main\nimport \"a.org/m/three\""),
            ("cmd/tool.go", "//go:build ignore\npackage main\nimport \"a.org/m/three\""),
            ("cmd/tools.go", "//go:build tools\npackage main\nimport _ \"b.org/x/tool\""),
            ("cmd/wit_exports.go", "an older one, for an editor"),
            (
                "one/one.go",
                "package one\nimport \"a.org/m/two\"\n//go:embed words/*.txt\nvar w string",
            ),
            ("one/words/a.txt", ""),
            ("one/words/b.md", ""),
            ("two/two.go", "package two"),
            ("two/asm.s", ""),
            ("two/README.md", ""),
            ("three/three.go", "package three"),
        ]);
        let packages = find(&dir, "cmd").unwrap();
        let files = packages.own.values().flat_map(|package| &*package.files);
        let files: Vec<&str> = files.map(|file| file.path.as_str()).collect();
        assert_eq!(
            files,
            ["cmd/main.go", "cmd/tool.go", "cmd/tools.go", "one/one.go", "two/asm.s", "two/two.go"],
            "the go command leaves out tool.go and tools.go, but not what it does not see"
        );
        let one = &packages.own[&ProjectPath::parse("one").unwrap()];
        assert_eq!(one.path, "a.org/m/one");
        assert_eq!(one.imports, BTreeSet::from([ProjectPath::parse("two").unwrap()]));
        assert_eq!(packages.third_party, BTreeSet::from(["b.org/x/sub".to_owned()]));
        assert!(packages.links_exports);
        assert_eq!(one.embedded, BTreeSet::from(["words/*.txt".to_owned()]));
        let root = ProjectPath::parse("cmd/main.go").unwrap();
        let folder = Module::folder(dir.path(), &root).unwrap();
        let module = Module::read(dir.path(), folder).unwrap();
        let imports = packages.imports_of_others(&module, &BTreeSet::new());
        assert_eq!(imports, ["b.org/x/sub", "fmt"].map(str::to_owned).into());
    }

    #[test]
    fn a_module_that_only_go_work_names_is_told() {
        let dir = project(&[
            ("go.work", "use (\n\t./m\n\t./libs/x\n)"),
            ("m/go.mod", "module a.org/m"),
            ("m/main.go", "package main\nimport \"a.org/x/y\""),
            ("libs/x/go.mod", "module a.org/x"),
        ]);
        let error = find(&dir, "m").unwrap_err();
        assert_eq!(
            error.to_string(),
            "`m/main.go` imports `a.org/x/y`, whose module `a.org/x` is named by go.work alone"
        );
        assert_eq!(
            error.hint().unwrap(),
            "a build does not see go.work; add to m/go.mod: `require a.org/x v0.0.0` and \
             `replace a.org/x => ../libs/x`"
        );
    }
}
