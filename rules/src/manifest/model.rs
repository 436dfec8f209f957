//! The manifest as a whole, and the steps that make one from a file.
//!
//! Reading goes on after every error, so that one run shows all of them. A manifest is handed out only if
//! there was no error, so those who use it need not check its parts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::build::Build;
use super::cache::Cache;
use super::component::Component;
use super::dependency::Dependencies;
use super::deploy::DeployProfile;
use super::dev::Dev;
use super::diagnostic::{Diagnostic, Diagnostics};
use super::discover::FILE_NAME;
use super::disk::ProjectFolder;
use super::execution::Execution;
use super::name::ProfileName;
use super::parts::Parts;
use super::project::Project;
use super::registry::{Overrides, Registry};
use super::source::Source;
use super::span::Span;
use super::syntax::{self, Syntax};
use super::table::Findings;
use super::test::Test;
use crate::beside::beside;
use crate::bounded;

/// A valid `run.toml`.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// The section `[project]`.
    pub project: Project,
    /// All `[[component]]`, disabled ones too, in the order of the file.
    pub components: Vec<Component>,
    /// All `[[test]]`, in the order of the file.
    pub tests: Vec<Test>,
    /// The section `[dependencies]`.
    pub dependencies: Dependencies,
    /// The section `[dev_dependencies]`.
    pub dev_dependencies: Dependencies,
    /// The section `[build]`.
    pub build: Build,
    /// The section `[registry]`.
    pub registry: Registry,
    /// The section `[cache]`.
    pub cache: Cache,
    /// The section `[execution]`.
    pub execution: Execution,
    /// The section `[dev]`.
    pub dev: Dev,
    /// The sections `[deploy.NAME]`.
    pub deploy: BTreeMap<ProfileName, DeployProfile>,
    source: Arc<Source>,
    project_dir: PathBuf,
}

/// The maximum length of a `run.toml` in bytes. A longer one was not written by hand.
const BIGGEST: u64 = 16 << 20;

impl Manifest {
    /// Reads the `run.toml` of a project, checks it against the files of the project, and lets the
    /// environment override it.
    ///
    /// Nothing is written. Returns a manifest unless there are errors, together with all findings; warnings
    /// alone don't prevent a manifest.
    pub fn load(project_dir: &Path, overrides: &Overrides) -> (Option<Self>, Diagnostics) {
        let (text, mut findings) = match read_file(&project_dir.join(FILE_NAME)) {
            Ok(bytes) => syntax::decode(bytes),
            Err(why) => {
                let message = format!("run.toml in {} {why}", project_dir.display());
                (String::new(), vec![Diagnostic::error(None, message)])
            }
        };
        if !findings.is_empty() {
            return (None, collect(Arc::new(redacted(&text)), findings));
        }
        let folder = ProjectFolder::open(project_dir);
        if let Err(error) = &folder {
            findings.push(Diagnostic::error(None, format!("the project cannot be read: {error}")));
        }
        Reading { project_dir, folder: folder.ok(), overrides }.read(&text, findings)
    }

    /// Reads the text of a `run.toml` without looking at any file.
    ///
    /// Returns a manifest unless there are errors, together with all findings; warnings alone don't prevent a
    /// manifest.
    pub fn parse(text: &str, project_dir: &Path) -> (Option<Self>, Diagnostics) {
        let overrides = &Overrides::default();
        Reading { project_dir, folder: None, overrides }.read(text, Findings::new())
    }

    /// Iterates over the components that a build makes: the enabled ones, without those of tests.
    pub fn enabled(&self) -> impl Iterator<Item = &Component> {
        self.components.iter().filter(|component| component.is_built())
    }

    /// Returns all tests, in the order of the file: those of `[[test]]`, and then the enabled components of tests that no
    /// `[[test]]` names. Such a component is run as a command.
    pub fn all_tests(&self) -> Vec<Test> {
        let named: BTreeSet<&str> =
            self.tests.iter().map(|test| test.component.value.as_str()).collect();
        let own = self.components.iter().filter(|component| *component.test && *component.enabled);
        let own = own.filter(|component| !named.contains(component.name.as_str())).map(Test::of);
        self.tests.iter().cloned().chain(own).collect()
    }

    /// Returns the component of this name.
    pub fn component(&self, name: &str) -> Option<&Component> {
        self.components.iter().find(|component| component.name.as_str() == name)
    }

    /// Returns the folder of the project, as it was passed in.
    pub fn project_dir(&self) -> &Path {
        &self.project_dir
    }

    /// Returns the path of the folder that finished components are written to.
    pub fn output_dir(&self) -> PathBuf {
        self.build.output_dir.on_disk(&self.project_dir)
    }

    /// Returns the file, for [`Diagnostics`] about errors that are found later.
    pub fn source(&self) -> Arc<Source> {
        Arc::clone(&self.source)
    }

    /// Returns the line of an element, counted from 1.
    pub fn line(&self, span: Span) -> usize {
        self.source.line(span.start)
    }
}

/// The length of a text, in bytes, from which on another thread hides its secrets. For a shorter one, starting the
/// thread takes longer.
const LONG: usize = 64 << 10;

/// The things that are needed to read one file.
struct Reading<'a> {
    project_dir: &'a Path,
    folder: Option<ProjectFolder<'a>>,
    overrides: &'a Overrides,
}

impl Reading<'_> {
    fn read(self, text: &str, mut findings: Findings) -> (Option<Manifest>, Diagnostics) {
        let hide = || redacted(text);
        let mut read = || self.parts(text, &mut findings);
        let (source, (syntax, mut parts)) =
            if text.len() < LONG { (hide(), read()) } else { beside(hide, read) };
        syntax.report(&source, &mut findings);
        if let Err(invalid) = parts.registry.apply(self.overrides) {
            findings.push(Diagnostic::error(None, invalid.message).help(invalid.expected));
        }
        let source = Arc::new(source);
        let diagnostics = collect(Arc::clone(&source), findings);
        let project = parts.project.take().filter(|_| diagnostics.errors() == 0);
        let manifest = project.map(|project| Manifest {
            project,
            components: parts.components,
            tests: parts.tests,
            dependencies: parts.dependencies,
            dev_dependencies: parts.dev_dependencies,
            build: parts.build,
            registry: parts.registry,
            cache: parts.cache,
            execution: parts.execution,
            dev: parts.dev,
            deploy: parts.deploy,
            source,
            project_dir: self.project_dir.to_owned(),
        });
        (manifest, diagnostics)
    }

    /// Reads and checks the sections of a file, as far as its syntax can be trusted.
    fn parts<'t>(&self, text: &'t str, findings: &mut Findings) -> (Syntax<'t>, Parts) {
        let syntax = Syntax::parse(text);
        let parts = Parts::read(syntax.table(), findings);
        parts.check(self.folder.as_ref(), findings);
        findings.retain(|finding| syntax.trusts(finding));
        (syntax, parts)
    }
}

fn redacted(text: &str) -> Source {
    Source::new(Path::new(FILE_NAME), text)
}

/// Reads a file of at most [`BIGGEST`] bytes. The error is the end of a sentence.
fn read_file(path: &Path) -> Result<Vec<u8>, String> {
    bounded::read(path, BIGGEST).map_err(|error| format!("cannot be read: {error}"))
}

fn collect(source: Arc<Source>, findings: Findings) -> Diagnostics {
    let mut diagnostics = Diagnostics::new(source);
    findings.into_iter().for_each(|finding| diagnostics.push(finding));
    diagnostics.sort();
    diagnostics
}
