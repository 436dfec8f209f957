//! Which packages of the project a component is made of: those that its own ones import, directly or
//! not. An edit anywhere else never rebuilds it, and an edit of one rebuilds only what can tell.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::GoError;
use super::bindings::Layout;
use super::embed;
use super::imports::{Head, embed_lines, embeds};
use super::module::{Module, read};
use crate::lang::source_tree::SourceTree;
use crate::path::ProjectPath;

/// The packages of one component.
#[derive(Debug, Default)]
pub(super) struct Packages {
    /// Those that have files in the checkout, by folder.
    pub(super) own: BTreeMap<ProjectPath, Package>,
    /// Further packages of the project, by folder, which other people's packages may import.
    pub(super) others: BTreeMap<ProjectPath, Package>,
    /// The packages of other people's modules that they import.
    pub(super) third_party: BTreeSet<String>,
    /// Whether one of them imports the exports of bindings, so that the component is more than a
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
    /// Its files in the checkout. Of a Go file, what the go command reads to know what it imports
    /// and embeds.
    files: BTreeMap<ProjectPath, String>,
    /// The patterns of `//go:embed`.
    embedded: BTreeSet<String>,
    /// The files that these stand for.
    embedded_files: BTreeSet<ProjectPath>,
    /// Whether it has a Go file that is compiled, as far as is known before the go command says.
    has_go: bool,
    /// A file that is left out as it imports C.
    cgo: Option<ProjectPath>,
}

/// Says that a file, of this name and head, is of no package.
pub(super) type Excludes<'a> = &'a dyn Fn(&str, &str) -> bool;

/// Files that the bindings generator writes. A checkout may have some, for the sake of an editor;
/// those of a build are always fresh.
const GENERATED: [&str; 3] = ["wit_bindings.go", super::bindings::COMMAND, "wit_exports.go"];

/// What the go command takes from the folder of a package.
const SOURCES: [&str; 10] = ["go", "s", "S", "h", "c", "cc", "cpp", "cxx", "m", "f"];

/// The package, in the folder of bindings, through which exports are called.
const EXPORTS: &str = "/wit_exports";

impl Packages {
    /// Finds what the packages in the folders `roots` of the component's own module are made of.
    pub(super) fn find(
        project: &Path,
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
            let mut package = Package { path, ..Package::default() };
            for file in sources(project, &folder)? {
                open.extend(packages.add(project, module, &mut package, file, excludes)?);
            }
            if !package.files.is_empty() {
                packages.own.insert(folder, package);
            }
        }
        Ok(packages)
    }

    /// Refuses a package that is nothing without C, and a main file that needs it.
    pub(super) fn check_cgo(&self, source: &ProjectPath) -> Result<(), GoError> {
        let is_lost = |(cgo, package): &(&ProjectPath, &Package)| !package.has_go || *cgo == source;
        let with_cgo =
            self.own.values().filter_map(|package| Some((package.cgo.as_ref()?, package)));
        match with_cgo.into_iter().find(is_lost) {
            Some((file, _)) => Err(GoError::Cgo { file: file.clone() }),
            None => Ok(()),
        }
    }

    /// Finds the packages of the project that other people's packages may import, if there are such: all of the
    /// component's module and of those that stand in the place of others.
    pub(super) fn find_others(
        &mut self,
        project: &Path,
        module: &Module,
        excludes: Excludes<'_>,
    ) -> Result<(), GoError> {
        if self.third_party.is_empty() {
            return Ok(());
        }
        let mut open: Vec<(String, ProjectPath)> = module.local.clone().into_iter().collect();
        // What they import is for the go command to find: nobody may need them.
        let mut theirs = Self::default();
        while let Some((path, folder)) = open.pop() {
            for name in folders(project, &folder) {
                open.push((format!("{path}/{name}"), folder.join(&name)));
            }
            if self.own.contains_key(&folder) {
                continue;
            }
            let mut package = Package { path, ..Package::default() };
            for file in sources(project, &folder)? {
                drop(theirs.add(project, module, &mut package, file, excludes));
            }
            if !package.files.is_empty() {
                self.others.insert(folder, package);
            }
        }
        Ok(())
    }

    /// Adds the package that the generator writes to call what the user exports.
    pub(super) fn add_generated(&mut self, module: &Module, layout: &Layout) {
        if layout.command {
            return;
        }
        let package = self.own.entry(layout.exports()).or_default();
        package.path = module.import_path(&layout.exports());
        package.imports.extend(layout.written.iter().cloned());
    }

    /// Takes a file of `package` and returns the packages of the project that it imports.
    fn add(
        &mut self,
        project: &Path,
        module: &Module,
        package: &mut Package,
        file: ProjectPath,
        excludes: Excludes<'_>,
    ) -> Result<Vec<(String, ProjectPath)>, GoError> {
        if !file.as_str().ends_with(".go") {
            package.files.insert(file, String::new());
            return Ok(Vec::new());
        }
        let text = read(project, &file)?;
        let head = Head::read(&text);
        let embedding = embed_lines(&text).map(|line| format!("{line}\n")).collect::<String>();
        package.files.insert(file.clone(), format!("{}\n{embedding}", head.text));
        if excludes(file.file_name(), head.text) {
            return Ok(Vec::new());
        }
        if head.imports.iter().any(|path| path == "C") {
            package.cgo.get_or_insert(file);
            return Ok(Vec::new());
        }
        package.has_go = true;
        package.embedded.extend(embeds(&text));
        let mut found = Vec::new();
        for path in head.imports {
            self.links_exports |= path.ends_with(EXPORTS);
            if let Some(folder) = module.folder_of(&path) {
                package.imports.insert(folder.clone());
                found.push((path, folder));
            } else if module.is_third_party(&path) {
                self.third_party.insert(path);
            } else if let Some((name, folder)) = module.only_in_workspace(&path) {
                return Err(GoError::Workspace {
                    folder: relative(&module.dir, folder),
                    dir: module.dir.clone(),
                    module: name.to_owned(),
                    file,
                    package: path,
                });
            }
        }
        Ok(found)
    }

    /// Finds the files that are embedded. What builds write to, `outputs`, is left out.
    pub(super) fn find_embedded(&mut self, project: &Path, outputs: &BTreeSet<ProjectPath>) {
        for (folder, package) in self.own.iter_mut().chain(&mut self.others) {
            let files = |pattern: &String| embed::find(project, folder, pattern, outputs);
            package.embedded_files = package.embedded.iter().flat_map(files).collect();
        }
    }

    /// Puts the heads of all files into an action's sources: what the go command needs to know to
    /// say which files and packages the component is made of. Embedded files are empty there.
    pub(super) fn add_heads(&self, tree: &mut SourceTree) {
        for package in self.own.values().chain(self.others.values()) {
            package.embedded_files.iter().for_each(|file| tree.generated(file.clone(), ""));
            for (file, head) in &package.files {
                tree.generated(file.clone(), head.as_str());
            }
        }
    }
}

impl Package {
    /// Whether it embeds files.
    pub(super) fn embeds(&self) -> bool {
        !self.embedded.is_empty()
    }

    /// Puts the files into an action's sources, with those that they embed.
    pub(super) fn add_to(&self, tree: &mut SourceTree) {
        let files = self.files.keys().chain(&self.embedded_files);
        files.for_each(|file| tree.file(file.clone()));
    }
}

/// The files of the package in `folder`, sorted; none if there is no such folder.
fn sources(project: &Path, folder: &ProjectPath) -> Result<Vec<ProjectPath>, GoError> {
    let entries = match std::fs::read_dir(folder.on_disk(project)) {
        Ok(entries) => entries,
        // Bindings, or a mistake for the go command to tell.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(GoError::Read { path: folder.clone(), source }),
    };
    let mut names: Vec<String> = entries
        .flatten()
        .filter(|entry| entry.path().is_file())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| is_source(name))
        .collect();
    names.sort();
    Ok(names.iter().map(|name| folder.join(name)).collect())
}

fn is_source(name: &str) -> bool {
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    let source = SOURCES.contains(&extension) || name == "default.pgo";
    let ignored = name.starts_with(['.', '_']) || name.ends_with("_test.go");
    source && !ignored && !GENERATED.contains(&name)
}

/// The names of the folders in `folder` that may have packages of its module.
fn folders(project: &Path, folder: &ProjectPath) -> Vec<String> {
    let entries = std::fs::read_dir(folder.on_disk(project)).into_iter().flatten().flatten();
    let is_package = |name: &String| {
        !name.starts_with(['.', '_']) && !matches!(name.as_str(), "testdata" | "vendor")
    };
    let is_of_module = |name: &String| !folder.join(name).join("go.mod").on_disk(project).is_file();
    entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(is_package)
        .filter(is_of_module)
        .collect()
}

/// The way from one folder of the project to another, as `replace` wants it.
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
    use super::super::constraint;
    use super::*;
    use crate::lang::LanguageError as _;

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
        let module = Module::discover(dir.path(), &root.join("main.go"))?;
        let excludes = |name: &str, head: &str| constraint::excludes(name, head, &BTreeSet::new());
        Packages::find(dir.path(), &module, [root], &excludes)
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
        let files = packages.own.values().flat_map(|package| package.files.keys());
        let files: Vec<&str> = files.map(ProjectPath::as_str).collect();
        assert_eq!(
            files,
            ["cmd/main.go", "cmd/tool.go", "cmd/tools.go", "one/one.go", "two/asm.s", "two/two.go"],
            "the go command leaves out tool.go and tools.go, but not what it does not see"
        );
        let one = &packages.own[&ProjectPath::parse("one").unwrap()];
        assert_eq!(one.path, "a.org/m/one");
        assert_eq!(one.imports, BTreeSet::from([ProjectPath::parse("two").unwrap()]));
        assert_eq!(
            one.files[&ProjectPath::parse("one/one.go").unwrap()],
            "package one\nimport \"a.org/m/two\"\n//go:embed words/*.txt\n"
        );
        assert_eq!(packages.third_party, BTreeSet::from(["b.org/x/sub".to_owned()]));
        assert!(packages.links_exports);
        assert!(one.embeds());
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
