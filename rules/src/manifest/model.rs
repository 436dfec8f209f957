//! The manifest as a whole, and the way from a file to it.
//!
//! Reading goes on after every error, so that one run shows them all. A manifest is handed out
//! only if there was none: its parts need no checking by those who use them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::build::Build;
use super::component::Component;
use super::dependency::Dependencies;
use super::deploy::DeployProfile;
use super::dev::Dev;
use super::diagnostic::{Diagnostic, Diagnostics};
use super::discover::FILE_NAME;
use super::disk::ProjectFolder;
use super::name::ProfileName;
use super::parts::Parts;
use super::project::Project;
use super::registry::Registry;
use super::source::Source;
use super::syntax::{self, Syntax};
use super::table::Findings;

/// A valid `run.toml`.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// `[project]`
    pub project: Project,
    /// All `[[component]]`, disabled ones too, in the order of the file.
    pub components: Vec<Component>,
    /// `[dependencies]`
    pub dependencies: Dependencies,
    /// `[dev_dependencies]`
    pub dev_dependencies: Dependencies,
    /// `[build]`
    pub build: Build,
    /// `[registry]`
    pub registry: Registry,
    /// `[dev]`
    pub dev: Dev,
    /// `[deploy.NAME]`
    pub deploy: BTreeMap<ProfileName, DeployProfile>,
    source: Arc<Source>,
    project_dir: PathBuf,
    warnings: Diagnostics,
}

/// No `run.toml` is bigger; what is bigger was not written by hand.
const BIGGEST: u64 = 1 << 20;

impl Manifest {
    /// Reads a `run.toml`, and checks what it says against the files of the project.
    ///
    /// The project is the folder of the file. Nothing is written.
    ///
    /// # Errors
    /// Everything that is wrong with the file, warnings included.
    pub fn load(path: &Path) -> Result<Self, Diagnostics> {
        let project_dir = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let unreadable = |why: String| {
            let message = format!("{} cannot be read: {why}", path.display());
            collect(Source::new(path, ""), vec![Diagnostic::error(None, message)])
        };
        let bytes = read_file(path).map_err(unreadable)?;
        let text = syntax::decode(bytes)
            .map_err(|(text, findings)| collect(Source::new(path, &text), findings))?;
        let folder =
            ProjectFolder::open(project_dir).map_err(|error| unreadable(error.to_string()))?;
        Self::read(Source::new(path, &text), &text, project_dir, Some(&folder))
    }

    /// Reads the text of a `run.toml` without looking at any file.
    ///
    /// # Errors
    /// Everything that is wrong with the text, warnings included.
    pub fn parse(text: &str, project_dir: &Path) -> Result<Self, Diagnostics> {
        Self::read(Source::new(Path::new(FILE_NAME), text), text, project_dir, None)
    }

    fn read(
        source: Source,
        text: &str,
        project_dir: &Path,
        folder: Option<&ProjectFolder<'_>>,
    ) -> Result<Self, Diagnostics> {
        let syntax = Syntax::parse(text);
        let mut findings = Findings::new();
        let parts = Parts::read(syntax.table.get_ref(), &mut findings);
        parts.check(folder, &mut findings);
        findings.retain(|finding| syntax.trusted(finding, &source));
        syntax.report(&source, &mut findings);
        let warnings = collect(source, findings);
        match parts.project {
            Some(project) if warnings.errors() == 0 => Ok(Self {
                project,
                components: parts.components,
                dependencies: parts.dependencies,
                dev_dependencies: parts.dev_dependencies,
                build: parts.build,
                registry: parts.registry,
                dev: parts.dev,
                deploy: parts.deploy,
                source: warnings.shared_source(),
                project_dir: project_dir.to_owned(),
                warnings,
            }),
            _ => Err(warnings),
        }
    }

    /// The components that are built.
    pub fn enabled(&self) -> impl Iterator<Item = &Component> {
        self.components.iter().filter(|component| component.enabled.value)
    }

    /// The component of a name.
    pub fn component(&self, name: &str) -> Option<&Component> {
        self.components.iter().find(|component| component.name.as_str() == name)
    }

    /// The folder of the project, as it was given or found.
    pub fn project_dir(&self) -> &Path {
        &self.project_dir
    }

    /// The folder that finished components are written to.
    pub fn output_dir(&self) -> PathBuf {
        self.build.output_dir.below(&self.project_dir)
    }

    /// The text of the file, to name the line of an element.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// What was noticed about the file without being an error.
    pub fn warnings(&self) -> &Diagnostics {
        &self.warnings
    }

    /// An empty list of findings about this file, for what turns out to be wrong later.
    pub fn diagnostics(&self) -> Diagnostics {
        Diagnostics::new(Arc::clone(&self.source))
    }
}

/// Reads a file of a sensible size; the error is the end of a sentence.
fn read_file(path: &Path) -> Result<Vec<u8>, String> {
    let size = std::fs::metadata(path).map_err(|error| error.to_string())?.len();
    if size > BIGGEST {
        return Err(format!("it has {size} bytes, the limit is {BIGGEST}"));
    }
    std::fs::read(path).map_err(|error| error.to_string())
}

fn collect(source: Source, findings: Findings) -> Diagnostics {
    let mut diagnostics = Diagnostics::new(Arc::new(source));
    findings.into_iter().for_each(|finding| diagnostics.push(finding));
    diagnostics.sort();
    diagnostics
}
