//! Plans a component in C or C++: the sources of a folder, compiled one by one and linked.
//!
//! If there are several sources, each has an action, which sees that source and the headers. So after an edit
//! of one source, that source alone is compiled again, and the link is repeated.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use engine::{Action, Input, Label, Source, quote};

use super::glue;
use super::layer::{self, Layer};
use super::neighbours::foreign;
use super::tool::{TARGET, Zig, link};
use crate::manifest::PatternSet;
use crate::path::ProjectPath;
use crate::planner::source_tree::{SourceTree, Without};
use crate::planner::{Compiled, PlanError, Planner, Request};

/// The language that a component is declared in. A C++ component may have C files as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    C,
    Cpp,
}

const C_SOURCES: [&str; 1] = ["c"];
const CPP_SOURCES: [&str; 3] = ["cc", "cpp", "cxx"];
const HEADERS: [&str; 8] = ["h", "hh", "hpp", "hxx", "inc", "inl", "ipp", "def"];

impl Dialect {
    fn name(self) -> &'static str {
        match self {
            Self::C => "c",
            Self::Cpp => "cpp",
        }
    }

    fn compiles(self, path: &ProjectPath) -> bool {
        ends_in(path, &C_SOURCES) || self == Self::Cpp && ends_in(path, &CPP_SOURCES)
    }

    /// Returns the libraries to link, and the layer that has them.
    fn libraries(self) -> (Layer, &'static [&'static str]) {
        match self {
            Self::C => (Layer::Libc, &layer::LIBC),
            Self::Cpp => (Layer::Libcxx, &layer::LIBCXX),
        }
    }
}

fn ends_in(path: &ProjectPath, endings: &[&str]) -> bool {
    let ending = Path::new(path.as_str()).extension().and_then(|ending| ending.to_str());
    ending.is_some_and(|ending| endings.contains(&ending))
}

/// The files of a component.
#[derive(Debug, Default)]
struct Files {
    /// The files that are compiled.
    sources: BTreeSet<ProjectPath>,
    /// The files that every source may include.
    headers: BTreeSet<ProjectPath>,
}

/// Adds the actions that compile `request`'s component.
pub(super) fn compile(
    planner: &mut Planner<'_>,
    dialect: Dialect,
    request: &Request<'_>,
) -> Result<Compiled, PlanError> {
    let zig = Zig::new(planner)?;
    let bindings = glue::input(planner, &zig, request, dialect.name(), false)?;
    let files = Files::find(planner, dialect, request)?;
    let (layer, libraries) = dialect.libraries();
    let sysroot = layer::input(planner, &zig, layer)?;
    let label = Label::new(request.name, "compile");
    let action = match files.sources.first() {
        Some(only) if files.sources.len() == 1 => {
            let object = object(request, only, "/tmp/object.o");
            let script = format!("{object}\n{}", link("/tmp/object.o", libraries, request.release));
            let sources = files.visible_to(planner, only)?;
            let action = zig.action(label, &script, "src", request.env);
            action.input(Input::new("src", Source::Tree(sources)))
        }
        _ => {
            let script = link("/objects/*/object.o", libraries, request.release);
            let action = zig.action(label, &script, "", request.env);
            objects(planner, &zig, request, &files, &bindings)?
                .into_iter()
                .fold(action, Action::input)
        }
    };
    let action = action.input(bindings).input(sysroot).output("core.wasm");
    Ok(Compiled::new(planner.add(action)?, "core.wasm"))
}

/// Adds an action for each source and returns their objects, in order, as inputs of the link.
fn objects(
    planner: &mut Planner<'_>,
    zig: &Zig,
    request: &Request<'_>,
    files: &Files,
    bindings: &Input,
) -> Result<Vec<Input>, PlanError> {
    let mut objects = Vec::new();
    for (number, file) in files.sources.iter().enumerate() {
        let sources = files.visible_to(planner, file)?;
        let label = Label::new(request.name, format!("compile {file}"));
        let action = zig
            .action(label, &object(request, file, "/out/object.o"), "src", request.env)
            .input(Input::new("src", Source::Tree(sources)))
            .input(bindings.clone())
            .output("object.o");
        let object = Source::output(planner.add(action)?, "object.o");
        objects.push(Input::new(format!("{}/object.o", place_of_object(number, file)), object));
    }
    Ok(objects)
}

/// Returns the folder in which the link sees the object of a source. Its name contains the path of the
/// source, because the linker's messages name nothing else. It begins with a number, so that a wildcard finds
/// all objects in order.
fn place_of_object(number: usize, file: &ProjectPath) -> String {
    let name = file.as_str().replace('/', "%");
    // A file name has at most 255 bytes.
    let start = name.ceil_char_boundary(name.len().saturating_sub(200));
    format!("objects/{number:05}%{}", &name[start..])
}

/// Returns shell text that compiles one source. The user's flags come last, so that they win.
fn object(request: &Request<'_>, file: &ProjectPath, to: &str) -> String {
    let (compiler, standard, own) = if ends_in(file, &CPP_SOURCES) {
        // Neither the C++ library nor the target supports exceptions.
        ("c++", "-std=gnu++20 -fno-exceptions", "$CXXFLAGS")
    } else {
        ("cc", "-std=gnu17", "$CFLAGS")
    };
    // In debug mode, undefined behaviour traps.
    let mode = if request.release { "-Os" } else { "-g -fsanitize-trap=undefined" };
    let folder = request.source.parent();
    let folder = if folder.is_root() { ".".to_owned() } else { quote(folder.as_str()) };
    format!(
        "zig {compiler} {TARGET} {standard} {mode} -fdiagnostics-color=always -Wall -Wextra -I{folder} -I/{} \
         $CPPFLAGS {own} -c {} -o {to}",
        glue::PLACE,
        quote(file.as_str())
    )
}

/// The names of folders whose programs test a component and are not part of it.
const TESTS: [&str; 2] = ["test", "tests"];

/// Returns true if a path below `folder` is in a folder of tests that `source` is not in.
fn is_test(path: &ProjectPath, folder: &ProjectPath, source: &ProjectPath) -> bool {
    let mut above = path.ancestors().take_while(|above| above != folder && above.is_in(folder));
    above.any(|above| TESTS.contains(&above.file_name()) && !source.is_in(&above))
}

/// Returns the sources without duplicates: a file that symlinks lead to as well is compiled once. It goes by
/// its own path, or if that is not among the sources, by the first path that leads to it. `source` itself
/// always stays.
fn each_once(
    project: &Path,
    source: &ProjectPath,
    sources: BTreeSet<ProjectPath>,
) -> BTreeSet<ProjectPath> {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let place = real(project);
    let mut files: BTreeMap<PathBuf, ProjectPath> = BTreeMap::new();
    for path in sources {
        let file = real(&path.on_disk(project));
        let is_own = path == *source || file == path.on_disk(&place);
        match files.get(&file) {
            Some(other) if other == source || !is_own => {}
            _ => _ = files.insert(file, path),
        }
    }
    files.into_values().collect()
}

impl Files {
    /// Finds the sources and headers below the folder of `source` that are not excluded, and those of
    /// `inputs`.
    fn find(
        planner: &mut Planner<'_>,
        dialect: Dialect,
        request: &Request<'_>,
    ) -> Result<Self, PlanError> {
        let folder = request.source.parent();
        let mut folders = planner.outputs().clone();
        folders.extend(foreign(planner, &folder, request.source));
        let without = Without { folders: &folders, marker: None };
        let mut tree = SourceTree::default();
        let excluded = PatternSet::new(request.exclude.iter().map(|pattern| &pattern.value))?;
        let wanted = |path: &ProjectPath| {
            (dialect.compiles(path) || ends_in(path, &HEADERS))
                && !folders.contains(path)
                && !is_test(path, &folder, request.source)
                && !excluded.matches(path.as_str())
        };
        tree.folder(planner.project(), &folder, &without, &wanted)?;
        tree.file(request.source.clone());
        request.add_inputs(&mut tree);
        let is_source = |path: &ProjectPath| path == request.source || dialect.compiles(path);
        let (sources, headers) = tree.into_files().into_iter().partition(is_source);
        Ok(Self { sources: each_once(planner.project(), request.source, sources), headers })
    }

    /// Stores the tree that the compilation of `source` sees.
    fn visible_to(
        &self,
        planner: &mut Planner<'_>,
        source: &ProjectPath,
    ) -> Result<cache::Digest, PlanError> {
        let mut tree = SourceTree::default();
        self.headers.iter().for_each(|header| tree.file(header.clone()));
        tree.file(source.clone());
        planner.store_tree(tree)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_tests_are_told() {
        let path = |text: &str| ProjectPath::parse(text).unwrap();
        let check = |file: &str, source: &str, expect: bool| {
            let source = path(source);
            assert_eq!(is_test(&path(file), &source.parent(), &source), expect, "{file}");
        };
        check("tests/t.c", "app.c", true);
        check("src/deep/test/t.c", "src/app.c", true);
        check("src/testing/t.c", "src/app.c", false);
        check("src/tests.c", "src/app.c", false);
        check("tests/app/t.c", "tests/app/app.c", false);
        check("tests/app/tests/t.c", "tests/app/app.c", true);
    }

    #[test]
    fn a_file_behind_several_links_is_compiled_once() {
        let dir = tempfile::tempdir().unwrap();
        for folder in ["src", "common"] {
            std::fs::create_dir(dir.path().join(folder)).unwrap();
        }
        for file in ["common/a.c", "src/app.c"] {
            std::fs::write(dir.path().join(file), "").unwrap();
        }
        let link =
            |to: &str, at: &str| std::os::unix::fs::symlink(to, dir.path().join(at)).unwrap();
        link("../common/a.c", "src/a.c");
        link("../common/a.c", "src/b.c");
        link("app.c", "src/zero.c");
        let path = |text: &str| ProjectPath::parse(text).unwrap();
        let check = |sources: &[&str], expect: &[&str]| {
            let sources = sources.iter().map(|text| path(text)).collect();
            let kept = each_once(dir.path(), &path("src/app.c"), sources);
            assert_eq!(kept.iter().map(ProjectPath::as_str).collect::<Vec<_>>(), expect);
        };
        check(&["src/a.c", "src/app.c", "src/b.c", "src/zero.c"], &["src/a.c", "src/app.c"]);
        check(&["common/a.c", "src/a.c", "src/app.c"], &["common/a.c", "src/app.c"]);
    }
}
