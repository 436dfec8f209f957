//! Reads `[dependencies]` and `[dev_dependencies]`: the packages of a project and where each comes from.
//!
//! It only reads what is written; no registry, repository or folder is looked at here.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use semver::{Op, Version, VersionReq};
use toml::de::{DeTable, DeValue};

use super::capability::Capability;
use super::diagnostic::Diagnostic;
use super::invalid::Invalid;
use super::keys;
use super::name::{Feature, PackageName};
use super::path::LocalPath;
use super::span::{Span, Spanned};
use super::table::{self, Findings, Reader, Value};
use super::url::GitUrl;

/// The packages of a section, by name.
pub type Dependencies = BTreeMap<PackageName, Dependency>;

/// A package that a project depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependency {
    /// The source of the package.
    pub source: DependencySource,
    /// The features of the package that are used.
    pub features: Vec<Spanned<Feature>>,
    /// The capabilities that a package has if it is a component and composed with components of the project.
    pub capabilities: Vec<Spanned<Capability>>,
    /// The place of the package's name.
    pub span: Span,
}

/// The source of a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DependencySource {
    /// A registry. The version `"1.0.0"` means any compatible version, as in Cargo.
    Registry {
        /// The versions that are accepted.
        version: Spanned<Requirement>,
    },
    /// A git repository.
    Git {
        /// The address of the repository.
        url: Spanned<GitUrl>,
        /// The commit to use. `None` means the head of the default branch.
        reference: Option<Spanned<GitReference>>,
        /// The folder or file of the package in the repository. `None` means the root of the repository.
        path: Option<Spanned<LocalPath>>,
    },
    /// A folder on disk.
    Path {
        /// The path of the folder.
        path: Spanned<LocalPath>,
    },
}

/// A set of accepted versions of a package, in the syntax of Cargo: `1.0.0` means `^1.0.0`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Requirement(VersionReq);

impl Requirement {
    /// Returns whether a version is accepted.
    pub fn matches(&self, version: &Version) -> bool {
        self.0.matches(version)
    }

    /// Returns the requirement itself.
    pub const fn as_req(&self) -> &VersionReq {
        &self.0
    }

    /// Returns the version that the requirement starts from, if it has a lower bound: 1.2.0 for `^1.2`.
    pub fn base(&self) -> Option<Version> {
        let bound = self
            .0
            .comparators
            .iter()
            .find(|comparator| !matches!(comparator.op, Op::Greater | Op::Less | Op::LessEq))?;
        Some(Version {
            major: bound.major,
            minor: bound.minor.unwrap_or(0),
            patch: bound.patch.unwrap_or(0),
            pre: bound.pre.clone(),
            build: semver::BuildMetadata::EMPTY,
        })
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A name of a commit in a git repository.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GitReference {
    /// `rev`: the hash of a commit.
    Rev(String),
    /// `branch`: the head of a branch.
    Branch(String),
    /// `tag`: a tag.
    Tag(String),
}

/// Reads all entries of a section.
pub(super) fn read_all(table: &DeTable<'_>, findings: &mut Findings) -> Dependencies {
    table::read_entries(table, findings, read)
}

/// Reads one entry of a section.
fn read(
    key: Spanned<&str>,
    value: &Value<'_>,
    findings: &mut Findings,
) -> Option<(PackageName, Dependency)> {
    if let Some(dotted) = unquoted(&key, value.get_ref()) {
        findings.push(dotted);
        return None;
    }
    let name = table::accept(findings, key.span, key.value.parse::<PackageName>());
    let (source, features, capabilities) = match value.get_ref() {
        DeValue::String(version) => {
            let version = table::accept(findings, value.span(), version.parse());
            let source = version.map(|version| DependencySource::Registry { version });
            (source, Vec::new(), Vec::new())
        }
        DeValue::Table(table) => {
            let called = format!("dependency `{}`", key.value);
            let span = inline_or_heading(key.span, value);
            let mut reader = Reader::new(called, span, table, keys::DEPENDENCY, findings);
            (read_source(&mut reader), reader.list("features"), reader.list("capabilities"))
        }
        _ => {
            let what = format!("dependency `{}`", key.value);
            let expected = "a version or a table";
            findings.push(table::wrong_type(&what, value, expected).help(FORMS));
            (None, Vec::new(), Vec::new())
        }
    };
    Some((name?.value, Dependency { source: source?, features, capabilities, span: key.span }))
}

/// Returns a finding about a name without quotes, such as `wasi.http = "0.2.0"`, which TOML reads as a table.
fn unquoted(key: &Spanned<&str>, value: &DeValue<'_>) -> Option<Diagnostic> {
    let DeValue::Table(table) = value else { return None };
    let (name, _) = *table::in_file_order(table).first()?;
    if key.value.contains(':') || keys::DEPENDENCY.contains(&name.value) {
        return None;
    }
    let package = format!("{}:{}", key.value, name.value);
    let label = package.parse::<PackageName>().map_or_else(
        |_| "expected `namespace:name`".to_owned(),
        |package| format!("did you mean `\"{package}\"`?"),
    );
    let message = format!("package name `{}` has no namespace", key.value);
    Some(Diagnostic::error(key.span, message).label(label))
}

const FORMS: &str = "write `\"1.0.0\"`, `{ version = \"1.0.0\", features = [\"x\"] }`, \
                     `{ git = \"https://…\" }` or `{ path = \"../x\" }`";

/// Returns the place to point at when a key is missing: the name, or the heading `[dependencies."a:b"]`.
fn inline_or_heading(key: Span, value: &Value<'_>) -> Span {
    if key.end <= value.span().start { key } else { value.span().into() }
}

fn read_source(reader: &mut Reader<'_, '_>) -> Option<DependencySource> {
    let version = reader.parse("version");
    let url = reader.parse("git");
    let path = reader.parse("path");
    let reference = read_reference(reader);
    let sources = ["version", "git", "path"];
    let mut written: Vec<(&str, Span)> =
        sources.into_iter().filter_map(|key| Some((key, reader.key(key)?))).collect();
    if reader.key("git").is_some() {
        // A path beside a repository is one inside the repository.
        written.retain(|(key, _)| *key != "path");
    }
    written.sort_by_key(|(_, span)| *span);
    match *written.as_slice() {
        [] => {
            let message = format!("{} has no source", reader.name());
            reader.report_missing(
                &sources,
                Diagnostic::error(reader.span(), message)
                    .label("expected one of `version`, `git` and `path`")
                    .help(FORMS),
            );
            None
        }
        [(key, _)] => match key {
            "version" => Some(DependencySource::Registry { version: version? }),
            "git" => {
                let path = inside_repository(reader, path);
                Some(DependencySource::Git { url: url?, reference, path })
            }
            _ => Some(DependencySource::Path { path: path? }),
        },
        [(first, first_span), (second, second_span), ..] => {
            let message = format!("{} has two sources, `{first}` and `{second}`", reader.name());
            reader.report(
                Diagnostic::error(second_span, message)
                    .label("expected only one of `version`, `git` and `path`")
                    .related(first_span, "the other one"),
            );
            None
        }
    }
}

/// Refuses a path that leads out of the repository.
fn inside_repository(
    reader: &mut Reader<'_, '_>,
    path: Option<Spanned<LocalPath>>,
) -> Option<Spanned<LocalPath>> {
    let path = path?;
    if path.value.as_str().starts_with("..") {
        let message = format!("path `{}` leaves the repository", path.value.as_str());
        reader.report(
            Diagnostic::error(path.span, message).label("expected a path inside the repository"),
        );
        return None;
    }
    Some(path)
}

/// Reads the commit. It is an error without `git`, and if it is named twice.
fn read_reference(reader: &mut Reader<'_, '_>) -> Option<Spanned<GitReference>> {
    let kinds = ["rev", "branch", "tag"];
    let values = kinds.map(|kind| reader.value(kind, |text| reference(kind, text)));
    let mut written: Vec<Span> = kinds.iter().filter_map(|kind| reader.key(kind)).collect();
    written.sort();
    if let (Some(span), None) = (written.first(), reader.key("git")) {
        reader.report_missing(
            &["git"],
            Diagnostic::error(*span, "a commit is named without `git`")
                .label("expected `git = \"https://…\"` beside it"),
        );
    }
    if let [first, second, ..] = *written.as_slice() {
        reader.report(
            Diagnostic::error(second, "a commit is named twice")
                .label("expected only one of `rev`, `branch` and `tag`")
                .related(first, "the other one"),
        );
    }
    values.into_iter().flatten().next()
}

/// Parses the name of a commit. Refuses names that git could take for an option or for several commits.
fn reference(kind: &str, text: &str) -> Result<GitReference, Invalid> {
    let odd = |c: char| c.is_whitespace() || c.is_control() || "~^:?*[\\".contains(c);
    if text.is_empty() || text.starts_with('-') || text.contains(odd) || text.contains("..") {
        let message = format!("`{}` is not the name of a {kind}", text.escape_debug());
        return Err(Invalid::new(message, format!("expected a {kind} of the repository")));
    }
    match kind {
        "rev" if text.len() < 7 || !text.bytes().all(|b| b.is_ascii_hexdigit()) => {
            Err(Invalid::new(format!("`{text}` is not a commit"), "expected a hash in hexadecimal")
                .help("for a name, use `branch` or `tag`"))
        }
        "rev" => Ok(GitReference::Rev(text.to_owned())),
        "branch" => Ok(GitReference::Branch(text.to_owned())),
        _ => Ok(GitReference::Tag(text.to_owned())),
    }
}

impl FromStr for Requirement {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        VersionReq::parse(text).map(Self).map_err(|error| {
            let bare = text.trim().trim_start_matches(['v', 'V']);
            let help = Some(format!("did you mean `{bare}`?"))
                .filter(|_| bare != text && VersionReq::parse(bare).is_ok());
            let message = format!("`{text}` is not a version requirement: {error}");
            Invalid::new(message, "expected a version like `1.0.0`, or a range like `>=1.2, <3`")
                .maybe_help(help)
        })
    }
}
