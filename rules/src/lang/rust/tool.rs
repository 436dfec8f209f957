//! Builds tools from source: toolchains whose image is the sources of a crate.
//!
//! A registry has only sources and no programs, so a pinned tool is built before it is used. That is done in
//! the sandbox, once for its sources and the Rust that compiles them, and the result is kept like any other.
//! The tool's own Cargo.lock pins its dependencies. Nothing is optimised, because the time to build the tool
//! counts for more than its speed.

use engine::{Action, ActionId, Input, Label, Source};

use super::fetch::{FetchCrates, VENDOR};
use super::process::{TARGET_DIR, cargo_process};
use crate::path::ProjectPath;
use crate::planner::{PlanError, Planner};
use crate::toolchain::RUST;

/// The output with the tool, laid out so that it can be mounted beside an image.
const TOOL: &str = "tool";
/// The settings of a release build without what makes it slow to compile. Warnings are for the tool's
/// authors, and are not shown.
const ENVIRONMENT: [(&str, &str); 6] = [
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0"),
    ("CARGO_PROFILE_RELEASE_LTO", "off"),
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"),
    ("CARGO_PROFILE_RELEASE_STRIP", "symbols"),
    ("RUSTFLAGS", "--cap-lints=allow"),
    // The source is not the user's, so nobody reads its errors in colour.
    ("CARGO_TERM_COLOR", "never"),
];

/// Returns the tree with `usr/bin/NAME` for the toolchain `name`, whose crate has a program of that name.
pub(crate) fn built_tool(planner: &mut Planner<'_>, name: &str) -> Result<Source, PlanError> {
    let sources = planner.image(name)?;
    let rust = planner.image(RUST)?;
    let vendor = planner.once(&format!("fetch {name}"), |planner| {
        let fetch = FetchCrates::of_sources(planner.registries());
        let action = Action::builtin(Label::new(name, "fetch"), fetch)
            .input(Input::new("src", sources.clone()));
        planner.add(action.output("vendor"))
    })?;
    let tool = planner.once(&format!("build {name}"), |planner| {
        let empty = planner.empty_tree()?;
        planner.add(build(name, [rust, sources], vendor, empty))
    })?;
    Ok(Source::output(tool, TOOL))
}

fn build(
    name: &str,
    [rust, sources]: [Source; 2],
    vendor: ActionId,
    empty: cache::Digest,
) -> Action {
    let script = format!(
        "cargo build --quiet --release --locked --offline --config /{VENDOR}/config.toml --bin {name} \
         && busybox mkdir -p /out/{TOOL}/usr/bin \
         && cp /{TARGET_DIR}/release/{name} /out/{TOOL}/usr/bin/{name}"
    );
    let env = ENVIRONMENT.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let process = cargo_process(&ProjectPath::root(), &script, env.into());
    Action::process(Label::new(name, "build"), process)
        .input(Input::root(rust))
        .input(Input::new("src", sources))
        .input(Input::new(VENDOR, Source::output(vendor, "vendor")))
        .input(Input::scratch(TARGET_DIR, Source::Tree(empty)))
        .output(TOOL)
}
