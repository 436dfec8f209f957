//! Tools that are built from source: a toolchain whose image is the sources of a crate.
//!
//! A registry has no programs, only sources, so a pinned tool is built before it is used: once for
//! its sources and the Rust that compiles them, in the sandbox, and kept like every result. Its own
//! Cargo.lock pins what it is built from. How long building takes counts for more than how fast
//! the tool is: nothing is optimised.

use engine::{Action, ActionId, Input, Label, Source};

use super::fetch::{FetchCrates, VENDOR};
use super::process::{TARGET_DIR, cargo_process};
use crate::path::ProjectPath;
use crate::plan::{PlanError, Planner};
use crate::toolchain::RUST;

/// The output that holds the tool, laid out to be mounted beside an image.
const TOOL: &str = "tool";
/// A release without what makes compiling one slow. What its authors would have to mend is not for
/// its users to read.
const ENVIRONMENT: [(&str, &str); 6] = [
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0"),
    ("CARGO_PROFILE_RELEASE_LTO", "off"),
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"),
    ("CARGO_PROFILE_RELEASE_STRIP", "symbols"),
    ("RUSTFLAGS", "--cap-lints=allow"),
    // It is no source of the user's, whose errors would be read.
    ("CARGO_TERM_COLOR", "never"),
];

/// The tree with `usr/bin/NAME`, for the toolchain `name`, whose crate has a program of that name.
pub(crate) fn built_tool(planner: &mut Planner<'_>, name: &str) -> Result<Source, PlanError> {
    let sources = planner.image(name)?;
    let rust = planner.image(RUST)?;
    let vendor = planner.once(&format!("fetch {name}"), |planner| {
        let fetch = FetchCrates::of_sources(planner.clients());
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
