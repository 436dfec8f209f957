//! Reads `[build]`: where finished components are written, and how they are compiled.
//!
//! It also refuses an output folder that overlaps with what a build reads, which needs the components.

use super::choice::OptLevel;
use super::component::Component;
use super::diagnostic::Diagnostic;
use super::invalid::Invalid;
use super::span::{Setting, Span};
use super::table::{Findings, Reader};
use crate::path::ProjectPath;

/// The build settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Build {
    /// The folder that finished components are written to.
    pub output_dir: Setting<ProjectPath>,
    /// The degree to which compilers optimise.
    pub opt_level: Setting<OptLevel>,
    /// True if the build must be proven to give the same bytes again.
    pub reproducible: Setting<bool>,
}

const OUTPUT_DIR: &str = "target/wasm";
/// Folders that belong to tools, below which no output may lie.
const RESERVED: [&str; 2] = [".run", ".git"];

impl Default for Build {
    fn default() -> Self {
        let output_dir = OUTPUT_DIR.parse().expect("the default is a valid path");
        Self {
            output_dir: Setting::implied(output_dir),
            opt_level: Setting::implied(OptLevel::Debug),
            reproducible: Setting::implied(false),
        }
    }
}

/// Reads `[build]`.
pub(super) fn read(reader: &mut Reader<'_, '_>) -> Build {
    let default = Build::default();
    Build {
        output_dir: Setting::or(reader.value("output_dir", output_dir), default.output_dir.value),
        opt_level: Setting::or(reader.parse("opt_level"), default.opt_level.value),
        reproducible: Setting::or(reader.flag("reproducible"), default.reproducible.value),
    }
}

fn output_dir(text: &str) -> Result<ProjectPath, Invalid> {
    let path: ProjectPath = text.parse()?;
    let first = path.parts().next().unwrap_or_default();
    if RESERVED.contains(&first) {
        let message = format!("`{path}` cannot be the output folder: `{first}` is reserved");
        return Err(Invalid::new(message, "expected a folder of its own, like `target/wasm`"));
    }
    Ok(path)
}

/// Refuses an output folder that holds something a build reads, or that lies inside such a thing.
pub(super) fn check_layout(build: &Build, components: &[Component], findings: &mut Findings) {
    let output_dir = &build.output_dir;
    for component in components {
        for (path, span) in what_is_read(component) {
            let problem = if path.is_in(output_dir) {
                format!("`{path}` lies in the output folder `{}`", output_dir.value)
            } else if output_dir.is_in(&path) {
                format!("`{path}` holds the output folder `{}`", output_dir.value)
            } else {
                continue;
            };
            let finding = Diagnostic::error(span, problem)
                .label("expected a place that builds do not write to");
            findings.push(match output_dir.span {
                Some(span) => finding.related(span, "the output folder"),
                None => finding.help("`output_dir` of `[build]` is the output folder"),
            });
        }
    }
}

/// Returns the paths that the build of a component reads, as far as run.toml names them without wildcards.
fn what_is_read(component: &Component) -> impl Iterator<Item = (ProjectPath, Span)> + '_ {
    let files = std::iter::once(component.origin.file()).chain(&component.wit);
    let inputs = component.inputs.iter().filter_map(|input| {
        let path = input.literal()?.parse().ok()?;
        Some((path, input.span))
    });
    files.map(|file| (file.value.clone(), file.span)).chain(inputs)
}
