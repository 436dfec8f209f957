//! Reads `[project]`: the metadata of a project.
//!
//! Most of it is written into the components that the project makes, as their metadata.

use super::invalid::Invalid;
use super::license::License;
use super::name::ProjectName;
use super::span::{Span, Spanned};
use super::table::Reader;
use super::url::GitUrl;

/// The metadata of a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    /// The project's name.
    pub name: Spanned<ProjectName>,
    /// The project's version, a full semantic version.
    pub version: Spanned<semver::Version>,
    /// A sentence that says what the project is.
    pub description: Option<Spanned<String>>,
    /// The authors of the project.
    pub authors: Vec<Spanned<String>>,
    /// The licence of the project.
    pub license: Option<Spanned<License>>,
    /// The repository where the sources are published.
    pub repository: Option<Spanned<GitUrl>>,
    /// The place of the `[project]` heading.
    pub span: Span,
}

/// Reads `[project]`. Returns `None` if a required key is missing or invalid.
pub(super) fn read(reader: &mut Reader<'_, '_>) -> Option<Project> {
    let name = reader.required("name", "my-app");
    let version = read_version(reader);
    let description = reader.text("description");
    let authors = reader.list_of("authors", author);
    let license = reader.parse("license");
    let repository = reader.parse("repository");
    let span = reader.span();
    Some(Project {
        name: name?,
        version: version?,
        description,
        authors,
        license,
        repository,
        span,
    })
}

fn read_version(reader: &mut Reader<'_, '_>) -> Option<Spanned<semver::Version>> {
    reader.required::<FullVersion>("version", "0.1.0").map(|v| Spanned::new(v.value.0, v.span))
}

fn author(text: &str) -> Result<String, Invalid> {
    if text.trim().is_empty() { Err(Invalid::empty("author")) } else { Ok(text.to_owned()) }
}

/// A version with all three parts. It accepts what `semver` accepts, and explains better what it refuses.
struct FullVersion(semver::Version);

impl std::str::FromStr for FullVersion {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        match semver::Version::parse(text) {
            Ok(version) => Ok(Self(version)),
            Err(error) => {
                let message = format!("`{text}` is not a semantic version: {error}");
                let expected = "expected MAJOR.MINOR.PATCH, like `1.0.0`";
                Err(Invalid::new(message, expected).maybe_help(completed(text)))
            }
        }
    }
}

/// Returns a "did you mean" text for versions such as `v1.2.3`, `1.2` and `1`.
fn completed(text: &str) -> Option<String> {
    let text = text.trim().trim_start_matches(['v', 'V', '=', '^', '~']).trim_start();
    ["", ".0", ".0.0"]
        .iter()
        .map(|rest| format!("{text}{rest}"))
        .find(|version| semver::Version::parse(version).is_ok())
        .map(|version| format!("did you mean `{version}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_completed() {
        let check = |text: &str, expected: Option<&str>| {
            let expected = expected.map(|version| format!("did you mean `{version}`?"));
            assert_eq!(completed(text), expected, "{text}");
        };
        check("1", Some("1.0.0"));
        check("1.2", Some("1.2.0"));
        check("v1.2.3", Some("1.2.3"));
        check("^1.2", Some("1.2.0"));
        check("1.2.3.4", None);
        check("one", None);
        check("", None);
    }
}
