//! The *standard library* action: Go's standard library, compiled once for all components with the same
//! settings. A file is added to it, so that a program always has a first argument.
//!
//! On other systems the first argument is the program's name. Popular packages read it without checking that
//! it is there, some even before `main` (`github.com/spf13/pflag`, and with it cobra and viper). A host of
//! components may give no arguments, as hosts of services do, and such a program would crash. The file is
//! added by an overlay, both when the library is compiled and whenever the go command is asked if the library
//! is up to date.
//!
//! The library is kept as the files of `-pkgdir` and not as an entry of Go's build cache: the go command touches and
//! trims the entries that it finds, so such a folder would not stay the same.

use cache::Digest;
use engine::{Action, Input, Label, Source};
use serde_json::json;

use super::command::{environment, go, settings};
use super::flags::Flags;
use crate::lang::bindings::go::{
    FIRST_ARGUMENT, FIRST_ARGUMENT_FILE, FIRST_ARGUMENT_TEXT, OVERLAY,
};
use crate::path::ProjectPath;
use crate::planner::source_tree::SourceTree;
use crate::planner::{PlanError, Planner, Request, process};
use crate::toolchain::GO;

/// The folder in which actions see the compiled library, and the name of that output.
pub(super) const STD: &str = "std";
/// The folder in which the action that compiles the library sees the added file.
const ADDED: &str = "std-overlay";

/// Returns the folder of the compiled library for a component.
pub(super) fn compiled(
    planner: &mut Planner<'_>,
    request: &Request<'_>,
    flags: &Flags,
) -> Result<Source, PlanError> {
    let settings = settings(request, flags);
    let action = planner.once(&format!("go standard library {settings:?}"), |planner| {
        let image = planner.image(GO)?;
        let added = added(planner)?;
        let overlay = format!("-overlay=/{ADDED}/{OVERLAY}");
        let argv = ["install", &overlay, "-pkgdir=/out/std", "std"].map(str::to_owned).to_vec();
        let mut env = environment();
        env.insert("GOCACHE".to_owned(), "/tmp/cache".to_owned());
        let mut step = "standard library".to_owned();
        for (name, value) in &settings {
            step.push_str(&format!(", {name}={value}"));
        }
        env.extend(settings);
        let process = process(go(argv), env, "");
        let action = Action::process(Label::new("go", step), process)
            .input(Input::root(image))
            .input(Input::new(ADDED, Source::Tree(added)));
        planner.add(action.output(STD))
    })?;
    Ok(Source::output(action, STD))
}

/// Stores the folder with the added file and the overlay that gives it its place.
fn added(planner: &mut Planner<'_>) -> Result<Digest, PlanError> {
    let overlay =
        json!({ "Replace": { FIRST_ARGUMENT: format!("/{ADDED}/{FIRST_ARGUMENT_FILE}") } });
    let mut tree = SourceTree::default();
    tree.generated(ProjectPath::root().join(OVERLAY), overlay.to_string());
    tree.generated(ProjectPath::root().join(FIRST_ARGUMENT_FILE), FIRST_ARGUMENT_TEXT);
    planner.store_tree(tree)
}
