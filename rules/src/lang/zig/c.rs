//! C and C++: the sources of a folder, compiled one by one and linked.
//!
//! A component of several files has an action for each of them, which sees that file and the
//! headers: an edit of one file compiles that one again and links.

use std::collections::BTreeSet;
use std::path::Path;

use engine::{Action, Input, Label, Source, quote};

use super::layer::{self, Layer};
use super::tool::{TARGET, Zig, link};
use super::{foreign, glue};
use crate::lang::source_tree::{SourceTree, Without};
use crate::lang::{Compiled, Request};
use crate::path::ProjectPath;
use crate::plan::{PlanError, Planner};

/// Which language a component is declared in. A C++ component may have C files as well.
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

    /// What is linked, and the layer that has it.
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
    /// What is compiled.
    sources: BTreeSet<ProjectPath>,
    /// What every source may read.
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

/// Adds an action for each source; returns their objects, in order, as inputs of the link.
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
        objects.push(Input::new(format!("objects/{number:05}/object.o"), object));
    }
    Ok(objects)
}

/// Shell text that compiles one source. The user's flags come last, so they win.
fn object(request: &Request<'_>, file: &ProjectPath, to: &str) -> String {
    let (compiler, standard, own) = if ends_in(file, &CPP_SOURCES) {
        // Neither the library nor the target has exceptions.
        ("c++", "-std=gnu++20 -fno-exceptions", "$CXXFLAGS")
    } else {
        ("cc", "-std=gnu17", "$CFLAGS")
    };
    // Without optimisation, undefined behaviour traps.
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

impl Files {
    /// The sources and headers below the folder of `source`, and those of `inputs`.
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
        let wanted = |path: &ProjectPath| {
            (dialect.compiles(path) || ends_in(path, &HEADERS)) && !folders.contains(path)
        };
        tree.folder(planner.project(), &folder, &without, &wanted)?;
        tree.file(request.source.clone());
        request.add_inputs(&mut tree);
        let is_source = |path: &ProjectPath| path == request.source || dialect.compiles(path);
        let (sources, headers) = tree.into_files().into_iter().partition(is_source);
        Ok(Self { sources, headers })
    }

    /// What the compilation of `source` sees.
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
