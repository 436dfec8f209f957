//! Which packages of the project a component is made of: those that its own ones import, directly or
//! not. An edit anywhere else never rebuilds it, and an edit of one rebuilds only what can tell.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use globset::GlobBuilder;

use super::GoError;
use super::bindings::Layout;
use super::imports::{Head, embed_lines, embeds};
use super::module::{Module, read};
use crate::lang::source_tree::{SourceTree, Without};
use crate::path::ProjectPath;
use crate::plan::PlanError;

/// The packages of one component.
#[derive(Debug, Default)]
pub(super) struct Packages {
    /// Those that have files in the checkout, by folder.
    pub(super) own: BTreeMap<ProjectPath, Package>,
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
    /// What `//go:embed` names: the pattern and the file it stands in.
    embedded: BTreeSet<(String, ProjectPath)>,
    /// The files that these stand for.
    embedded_files: BTreeSet<ProjectPath>,
}

/// Says that a file, of this name and head, is of no package.
pub(super) type Excludes = fn(&str, &str) -> bool;

/// Files that the bindings generator writes. A checkout may have some, for the sake of an editor;
/// those of a build are always fresh.
const GENERATED: [&str; 2] = ["wit_bindings.go", "wit_exports.go"];

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
        excludes: Excludes,
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
        excludes: Excludes,
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
        package.embedded.extend(embeds(&text).map(|pattern| (pattern, file.clone())));
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
    pub(super) fn find_embedded(
        &mut self,
        project: &Path,
        outputs: &BTreeSet<ProjectPath>,
    ) -> Result<(), PlanError> {
        let mut own = self.own.iter_mut();
        own.try_for_each(|(folder, package)| package.find_embedded(folder, project, outputs))
    }

    /// Puts the heads of all files into an action's sources: what the go command needs to know to
    /// say which files and packages the component is made of. Embedded files are empty there.
    pub(super) fn add_heads(&self, tree: &mut SourceTree) {
        for package in self.own.values() {
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

    fn find_embedded(
        &mut self,
        folder: &ProjectPath,
        project: &Path,
        outputs: &BTreeSet<ProjectPath>,
    ) -> Result<(), PlanError> {
        let mut tree = SourceTree::default();
        for (pattern, file) in &self.embedded {
            let bad = |_| GoError::BadPattern { file: file.clone(), pattern: pattern.clone() };
            let whole = folder.resolve(pattern)?;
            let glob = GlobBuilder::new(whole.as_str()).literal_separator(true).build();
            let glob = glob.map_err(bad)?.compile_matcher();
            // A pattern may name a folder, and then means all that is in it.
            let wanted = |path: &ProjectPath| {
                glob.is_match(path.as_str())
                    || path.ancestors().any(|above| glob.is_match(above.as_str()))
            };
            let base = fixed_part(folder, &whole);
            if base.on_disk(project).is_dir() {
                let without = Without { folders: outputs, marker: Some("go.mod") };
                tree.folder(project, &base, &without, &wanted)?;
            } else {
                tree.optional_file(project, base);
            }
        }
        self.embedded_files = tree.into_files();
        Ok(())
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

/// The part of a pattern without `*`, `?` and the like; not above `folder`.
fn fixed_part(folder: &ProjectPath, pattern: &ProjectPath) -> ProjectPath {
    let plain = |part: &&str| !part.contains(['*', '?', '[', '{', '\\']);
    let parts: Vec<&str> = pattern.parts().take_while(plain).collect();
    let fixed = ProjectPath::root().join(&parts.join("/"));
    if fixed.is_in(folder) { fixed } else { folder.clone() }
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
        Packages::find(dir.path(), &module, [root], constraint::excludes)
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
            ["cmd/main.go", "cmd/tool.go", "one/one.go", "two/asm.s", "two/two.go"],
            "the go command leaves out tool.go, but not what it does not see"
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
