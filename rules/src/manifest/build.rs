//! `[build]`: how and where to.

use super::choice::OptLevel;
use super::component::Component;
use super::diagnostic::Diagnostic;
use super::invalid::Invalid;
use super::path::ProjectPath;
use super::span::Setting;
use super::table::{Findings, Reader};

/// The build settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Build {
    /// The folder that finished components are written to.
    pub output_dir: Setting<ProjectPath>,
    /// How much the compilers optimise.
    pub opt_level: Setting<OptLevel>,
    /// Whether the build must be proven to give the same bytes again.
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
    if RESERVED.contains(&path.first()) {
        let message =
            format!("`{path}` cannot be the output folder: `{}` is reserved", path.first());
        return Err(Invalid::new(message, "expected a folder of its own, like `target/wasm`"));
    }
    Ok(path)
}

/// Refuses an output folder that holds something a build reads, whether it exists or not.
pub(super) fn check_layout(build: &Build, components: &[Component], findings: &mut Findings) {
    let output_dir = &build.output_dir;
    for component in components {
        for file in std::iter::once(component.origin.file()).chain(&component.wit) {
            if !output_dir.contains(file) {
                continue;
            }
            let message =
                format!("`{}` lies in the output folder `{}`", file.value, output_dir.value);
            let finding = Diagnostic::error(file.span, message)
                .label("expected a place that builds do not write to");
            findings.push(match output_dir.span {
                Some(span) => finding.related(span, "the output folder"),
                None => finding.help("`output_dir` of `[build]` is the output folder"),
            });
        }
    }
}
