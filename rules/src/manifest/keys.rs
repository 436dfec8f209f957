//! The sections and keys of `run.toml`, and the messages about unknown ones.
//!
//! They are listed here once, for reading, for suggestions and for the tests of the documentation.

use toml::de::DeValue;

use super::diagnostic::Diagnostic;
use super::span::Spanned;
use super::suggest;

/// The keys of a dependency that is written as a table.
pub(super) const DEPENDENCY: &[&str] =
    &["version", "features", "git", "rev", "branch", "tag", "path", "capabilities"];

/// A top-level key of `run.toml`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    Project,
    Component,
    Test,
    Dependencies,
    DevDependencies,
    Build,
    Registry,
    Cache,
    Execution,
    Dev,
    Deploy,
}

impl Section {
    /// All sections, in the order of the documentation.
    pub(super) const ALL: [Self; 11] = [
        Self::Project,
        Self::Component,
        Self::Test,
        Self::Dependencies,
        Self::DevDependencies,
        Self::Build,
        Self::Registry,
        Self::Cache,
        Self::Execution,
        Self::Dev,
        Self::Deploy,
    ];

    /// Returns the section of this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|section| section.name() == name)
    }

    /// Returns the top-level key.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Project => "project",
            Self::Component => "component",
            Self::Test => "test",
            Self::Dependencies => "dependencies",
            Self::DevDependencies => "dev_dependencies",
            Self::Build => "build",
            Self::Registry => "registry",
            Self::Cache => "cache",
            Self::Execution => "execution",
            Self::Dev => "dev",
            Self::Deploy => "deploy",
        }
    }

    /// Returns the heading with which the section begins.
    pub(super) const fn heading(self) -> &'static str {
        match self {
            Self::Project => "[project]",
            Self::Component => "[[component]]",
            Self::Test => "[[test]]",
            Self::Dependencies => "[dependencies]",
            Self::DevDependencies => "[dev_dependencies]",
            Self::Build => "[build]",
            Self::Registry => "[registry]",
            Self::Cache => "[cache]",
            Self::Execution => "[execution]",
            Self::Dev => "[dev]",
            Self::Deploy => "[deploy.NAME]",
        }
    }

    /// Returns the keys of the section. The list is empty if the user chooses the keys.
    pub(super) const fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Project => {
                &["name", "version", "description", "authors", "license", "repository"]
            }
            Self::Component => &[
                "name",
                "source",
                "path",
                "language",
                "wit",
                "world",
                "capabilities",
                "enabled",
                "inputs",
                "exclude",
                "env",
                "features",
                "default_features",
                "check",
                "compiler",
                "dependencies",
                "route",
                "timeout",
                "memory",
                "cpu",
                "test",
            ],
            Self::Test => super::test::KEYS,
            Self::Build => &["output_dir", "opt_level", "reproducible"],
            Self::Registry => &["url", "auth_token", "mirrors"],
            Self::Cache => super::cache::KEYS,
            Self::Execution => super::execution::KEYS,
            Self::Dev => &["watch", "hot_reload", "port", "log_level"],
            Self::Deploy => &["target_type", "provider", "options"],
            Self::Dependencies | Self::DevDependencies => &[],
        }
    }
}

/// Names that other tools use for our sections.
const FOREIGN: [(&str, Section); 3] =
    [("package", Section::Project), ("bin", Section::Component), ("profile", Section::Build)];

/// Returns the section that an unknown name probably means.
pub(super) fn meant(name: &str) -> Option<Section> {
    let foreign = FOREIGN.iter().find(|(foreign, _)| *foreign == name).map(|(_, ours)| *ours);
    let near = || suggest::nearest(name, Section::ALL.map(Section::name)).and_then(Section::named);
    foreign.or_else(near)
}

/// Returns a finding about a top-level key that is not a section.
pub(super) fn unknown_section(key: Spanned<&str>, value: &DeValue<'_>) -> Diagnostic {
    let is_table = match value {
        DeValue::Table(_) => true,
        DeValue::Array(array) => array.iter().any(|item| item.get_ref().is_table()),
        _ => false,
    };
    let name = key.value;
    if let (false, Some(owners)) = (is_table, owners(name)) {
        return Diagnostic::error(key.span, format!("`{name}` stands outside of any section"))
            .label(format!("this key belongs below {owners}"));
    }
    let label = match meant(name) {
        Some(section) => format!("did you mean `{}`?", section.heading()),
        None => "unknown".to_owned(),
    };
    let what = if is_table { "section" } else { "key" };
    let headings = suggest::all_of(Section::ALL.map(Section::heading));
    Diagnostic::error(key.span, format!("unknown {what} `{name}`"))
        .label(label)
        .help(format!("the sections are {headings}"))
}

/// Returns a finding about a key that its table does not have.
pub(super) fn unknown_key(key: Spanned<&str>, place: &str, keys: &[&str]) -> Diagnostic {
    let name = key.value;
    if keys == super::cache::KEYS && super::cache::OF_THE_USER.contains(&name) {
        return Diagnostic::error(key.span, format!("`{name}` is not for a checkout to say"))
            .label("this key belongs into the user's own configuration")
            .help("it names a secret file or is about the machine: see `run cache --help`");
    }
    let label = suggest::did_you_mean(name, keys.iter().copied())
        .or_else(|| owners(name).map(|owners| format!("this key belongs below {owners}")))
        .unwrap_or_else(|| "unknown".to_owned());
    Diagnostic::error(key.span, format!("unknown key `{name}` in {place}"))
        .label(label)
        .help(format!("the keys are {}", suggest::all_of(keys.iter().copied())))
}

/// Returns the headings of the sections that have a key, for a message, or `None` if no section has it.
fn owners(key: &str) -> Option<String> {
    let has = |section: &Section| section.keys().contains(&key);
    let headings: Vec<_> = Section::ALL.into_iter().filter(has).map(Section::heading).collect();
    (!headings.is_empty()).then(|| suggest::one_of(headings))
}
