//! Which packages of the project a component is made of: those that its own ones import, directly or
//! not. An edit anywhere else never rebuilds it.

use std::collections::BTreeSet;
use std::path::Path;

use globset::GlobBuilder;

use super::GoError;
use super::imports::{embeds, imports};
use super::module::{Module, read};
use crate::lang::source_tree::{SourceTree, Without};
use crate::path::ProjectPath;
use crate::plan::PlanError;

/// The packages of one component.
#[derive(Debug, Default)]
pub(super) struct Packages {
    /// Every file of the checkout that belongs to one of them.
    pub(super) files: BTreeSet<ProjectPath>,
    /// The packages of other people's modules that they import.
    pub(super) third_party: BTreeSet<String>,
    /// Whether one of them imports the exports of bindings, so that the component is more than a
    /// command.
    pub(super) links_exports: bool,
    /// What `//go:embed` names: the folder of the package, the pattern, the file it stands in.
    embedded: BTreeSet<(ProjectPath, String, ProjectPath)>,
}

/// Files that the bindings generator writes. A checkout may have some, for the sake of an editor;
/// those of a build are always fresh.
const GENERATED: [&str; 2] = ["wit_bindings.go", "wit_exports.go"];

/// What the go command takes from the folder of a package.
const SOURCES: [&str; 10] = ["go", "s", "S", "h", "c", "cc", "cpp", "cxx", "m", "f"];

/// The package, in the folder of bindings, through which exports are called.
const EXPORTS: &str = "/wit_exports";

impl Packages {
    /// Finds what the packages in the folders `roots` are made of.
    pub(super) fn find(
        project: &Path,
        module: &Module,
        roots: impl IntoIterator<Item = ProjectPath>,
    ) -> Result<Self, GoError> {
        let mut packages = Self::default();
        let mut open: Vec<ProjectPath> = roots.into_iter().collect();
        let mut seen = BTreeSet::new();
        while let Some(folder) = open.pop() {
            if seen.insert(folder.clone()) {
                for file in sources(project, &folder)? {
                    open.extend(packages.add(project, module, file)?);
                }
            }
        }
        Ok(packages)
    }

    /// Puts the files into an action's sources, with those that they embed.
    pub(super) fn add_to(
        &self,
        project: &Path,
        outputs: &[ProjectPath],
        tree: &mut SourceTree,
    ) -> Result<(), PlanError> {
        self.files.iter().for_each(|file| tree.file(file.clone()));
        for (folder, pattern, file) in &self.embedded {
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
        Ok(())
    }

    /// Takes a file and returns the folders of the project's packages that it imports.
    fn add(
        &mut self,
        project: &Path,
        module: &Module,
        file: ProjectPath,
    ) -> Result<Vec<ProjectPath>, GoError> {
        let mut found = Vec::new();
        if file.as_str().ends_with(".go") {
            let text = read(project, &file)?;
            for package in imports(&text) {
                self.links_exports |= package.ends_with(EXPORTS);
                if let Some(folder) = module.folder_of(&package) {
                    found.push(folder);
                } else if module.is_third_party(&package) {
                    self.third_party.insert(package);
                } else if let Some((name, folder)) = module.only_in_workspace(&package) {
                    return Err(GoError::Workspace {
                        folder: relative(&module.dir, folder),
                        dir: module.dir.clone(),
                        module: name.to_owned(),
                        file,
                        package,
                    });
                }
            }
            let patterns = embeds(&text).into_iter();
            self.embedded.extend(patterns.map(|p| (file.parent(), p, file.clone())));
        }
        self.files.insert(file);
        Ok(found)
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
        Packages::find(dir.path(), &module, [root])
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
        let files: Vec<&str> = packages.files.iter().map(ProjectPath::as_str).collect();
        assert_eq!(files, ["cmd/main.go", "one/one.go", "two/asm.s", "two/two.go"]);
        assert_eq!(packages.third_party, BTreeSet::from(["b.org/x/sub".to_owned()]));
        assert!(packages.links_exports);
        assert_eq!(packages.embedded.len(), 1);
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
