//! The sections of one file, as far as they could be read, and the checks between them.
//!
//! Parts exist even if the file has errors, so that every error is found. They become a manifest if there are
//! none.

use std::collections::BTreeMap;

use toml::de::{DeTable, DeValue};

use super::build::{self, Build};
use super::cache::{self, Cache};
use super::component::{self, Component};
use super::dependency::{self, Dependencies};
use super::deploy::{self, DeployProfile};
use super::dev::{self, Dev};
use super::diagnostic::Diagnostic;
use super::disk::{self, ProjectFolder};
use super::execution::{self, Execution};
use super::keys::{self, Section};
use super::name::ProfileName;
use super::project::{self, Project};
use super::registry::{self, Registry};
use super::route;
use super::sibling;
use super::span::Spanned;
use super::table::{self, Findings, Reader, Value};
use super::test::{self, Test};
use super::test_sibling;

/// The sections that could be read, whatever is wrong with the rest of the file.
#[derive(Default)]
pub(super) struct Parts {
    pub(super) project: Option<Project>,
    pub(super) components: Vec<Component>,
    pub(super) tests: Vec<Test>,
    pub(super) dependencies: Dependencies,
    pub(super) dev_dependencies: Dependencies,
    pub(super) build: Build,
    pub(super) registry: Registry,
    pub(super) cache: Cache,
    pub(super) execution: Execution,
    pub(super) dev: Dev,
    pub(super) deploy: BTreeMap<ProfileName, DeployProfile>,
    /// The names of all components as they are written, including components that could not be read.
    pub(super) names: Vec<Spanned<String>>,
    /// The number of components that the file lists.
    listed: usize,
    /// Sections that the file has under a misspelt name, which has been reported.
    misspelt: Vec<Section>,
}

impl Parts {
    /// Reads all sections of a file.
    pub(super) fn read(root: &DeTable<'_>, findings: &mut Findings) -> Self {
        let mut parts = Self::default();
        for (key, value) in table::in_file_order(root) {
            match Section::named(key.value) {
                Some(section) => parts.read_section(section, value, findings),
                None => {
                    parts.misspelt.extend(keys::meant(key.value));
                    findings.push(keys::unknown_section(key, value.get_ref()));
                }
            }
        }
        if !root.contains_key("project") && !parts.misspelt.contains(&Section::Project) {
            findings.push(
                Diagnostic::error(None, "`[project]` is missing")
                    .help("every project says its `name` and its `version`")
                    .absence(),
            );
        }
        parts
    }

    fn read_section(&mut self, section: Section, value: &Value<'_>, findings: &mut Findings) {
        if section == Section::Component {
            return self.read_components(value, findings);
        }
        if section == Section::Test {
            return self.read_tests(value, findings);
        }
        let DeValue::Table(table) = value.get_ref() else {
            let name = section.name();
            let finding = table::wrong_type(&format!("`{name}`"), value, "a table");
            findings.push(finding.help(format!("write it as a section: `{}`", section.heading())));
            return;
        };
        match section {
            Section::Dependencies => self.dependencies = dependency::read_all(table, findings),
            Section::DevDependencies => {
                self.dev_dependencies = dependency::read_all(table, findings);
            }
            Section::Deploy => self.deploy = deploy::read_all(table, findings),
            _ => {
                let name = format!("`{}`", section.heading());
                let mut reader = Reader::new(name, value.span(), table, section.keys(), findings);
                self.read_settings(section, &mut reader);
            }
        }
    }

    fn read_settings(&mut self, section: Section, reader: &mut Reader<'_, '_>) {
        match section {
            Section::Project => self.project = project::read(reader),
            Section::Build => self.build = build::read(reader),
            Section::Registry => self.registry = registry::read(reader),
            Section::Cache => self.cache = cache::read(reader),
            Section::Execution => self.execution = execution::read(reader),
            Section::Dev => self.dev = dev::read(reader),
            Section::Component
            | Section::Test
            | Section::Dependencies
            | Section::DevDependencies
            | Section::Deploy => unreachable!("BUG: {section:?} has no settings"),
        }
    }

    fn read_components(&mut self, value: &Value<'_>, findings: &mut Findings) {
        let DeValue::Array(array) = value.get_ref() else {
            let finding = table::wrong_type("`component`", value, "an array of tables");
            findings.push(finding.help("write `[[component]]`, once for each component"));
            self.listed = 1;
            return;
        };
        self.listed = array.len();
        self.names = array.iter().filter_map(component::written_name).collect();
        let keys = Section::Component.keys();
        self.components.reserve_exact(array.len());
        for item in array {
            match item.get_ref() {
                DeValue::Table(table) => {
                    let name = "`[[component]]`".to_owned();
                    let mut reader = Reader::new(name, item.span(), table, keys, findings);
                    self.components.extend(component::read(&mut reader));
                }
                _ => findings.push(table::wrong_type("a component", item, "a table")),
            }
        }
    }

    fn read_tests(&mut self, value: &Value<'_>, findings: &mut Findings) {
        let DeValue::Array(array) = value.get_ref() else {
            let finding = table::wrong_type("`test`", value, "an array of tables");
            findings.push(finding.help("write `[[test]]`, once for each test"));
            return;
        };
        for item in array {
            match item.get_ref() {
                DeValue::Table(table) => {
                    let (name, keys) = ("`[[test]]`".to_owned(), Section::Test.keys());
                    let mut reader = Reader::new(name, item.span(), table, keys, findings);
                    self.tests.extend(test::read(&mut reader));
                }
                _ => findings.push(table::wrong_type("a test", item, "a table")),
            }
        }
    }

    /// Checks what must hold between the sections and, if a folder is given, between them and its files.
    pub(super) fn check(&self, folder: Option<&ProjectFolder<'_>>, findings: &mut Findings) {
        sibling::check_names(&self.names, findings);
        sibling::check_dependencies(&self.components, &self.names, findings);
        route::check_distinct(&self.components, findings);
        test_sibling::check(self, findings);
        build::check_layout(&self.build, &self.components, findings);
        self.warn_of_nothing(findings);
        if let Some(folder) = folder {
            disk::check(folder, self, findings);
        }
    }

    fn warn_of_nothing(&self, findings: &mut Findings) {
        let disabled = |component: &Component| !component.enabled.value;
        if self.misspelt.contains(&Section::Component) {
            return;
        }
        if self.listed == 0 {
            findings.push(
                Diagnostic::warning(None, "there is nothing to build: no `[[component]]`")
                    .help("a component has a `name` and a `source`")
                    .absence(),
            );
        } else if self.components.len() == self.listed && self.components.iter().all(disabled) {
            let message = "there is nothing to build: every component is disabled";
            findings.push(Diagnostic::warning(None, message).absence());
        }
    }
}
