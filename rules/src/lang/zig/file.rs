//! Plans a component that is a Zig file with the files that it imports, without a build.zig.

use engine::{Label, Source, quote};

use super::glue;
use super::layer::{self, Layer};
use super::neighbours::foreign;
use super::tool::{TARGET, Zig, link};
use crate::planner::source_tree::{SourceTree, Without};
use crate::planner::{Compiled, PlanError, Planner, Request};

/// Adds the actions that compile `request`'s component.
pub(super) fn compile(
    planner: &mut Planner<'_>,
    request: &Request<'_>,
) -> Result<Compiled, PlanError> {
    let zig = Zig::new(planner)?;
    let bindings = glue::input(planner, &zig, request, "zig", true)?;
    let sources = sources(planner, request)?;
    let action = zig
        .action(Label::new(request.name, "compile"), &script(request), "src", request.env)
        .input(engine::Input::new("src", Source::Tree(sources)))
        .input(bindings)
        .input(layer::input(planner, &zig, Layer::Std)?)
        .input(layer::input(planner, &zig, Layer::Libc)?)
        .output("core.wasm");
    Ok(Compiled::new(planner.add(action)?, "core.wasm"))
}

fn script(request: &Request<'_>) -> String {
    let mode = if request.release { "-O small -fstrip" } else { "-O debug" };
    let settings = format!("{TARGET} -lc {mode}");
    format!(
        "{}zig build-obj --color on -mexec-model=reactor -femit-bin=/tmp/root.o \
         {settings} --dep bindings -Mroot={} {settings} -Mbindings=/{}/bindings.zig\n{}",
        layer::unpack(),
        quote(request.source.as_str()),
        glue::PLACE,
        link("/tmp/root.o", &layer::LIBC, request.release)
    )
}

/// Stores the tree of Zig files below the folder of `source`. Zig lets the file import nothing above that
/// folder.
fn sources(planner: &mut Planner<'_>, request: &Request<'_>) -> Result<cache::Digest, PlanError> {
    let folder = request.source.parent();
    let mut folders = planner.outputs().clone();
    folders.extend(foreign(planner, &folder, request.source));
    let mut tree = SourceTree::default();
    let project = planner.project().to_owned();
    let without = Without { folders: &folders, marker: None };
    let wanted = |path: &crate::path::ProjectPath| {
        path.as_str().ends_with(".zig") && !folders.contains(path)
    };
    tree.folder(&project, &folder, &without, &wanted)?;
    tree.file(request.source.clone());
    request.add_inputs(&mut tree);
    planner.store_tree(tree)
}
