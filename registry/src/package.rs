//! Names of packages, and their versions as tags of OCI registries.

use std::fmt;
use std::str::FromStr;

use semver::Version;

/// The longest namespace and the longest name that are accepted. Together they fit into a repository's name.
const MAX_LENGTH: usize = 100;

/// The name of a package, such as `wasi:http`. Namespace and name are words of lower-case letters and digits
/// with hyphens between them, as WIT demands. So they are safe as parts of a path or a URL.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PackageId {
    namespace: String,
    name: String,
}

/// The reason why a text is not the name of a package.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PackageError {
    /// The text has no colon, or more than one.
    #[error("`{0}` is not the name of a package, which has the form `namespace:name`")]
    Form(String),
    /// The namespace or the name is not in kebab case.
    #[error(
        "`{part}` in the package `{package}` is not in kebab case: lower-case letters and digits with single hyphens \
         between words, and a letter first"
    )]
    Part {
        /// The namespace or the name.
        part: String,
        /// The whole text.
        package: String,
    },
}

impl PackageId {
    /// Makes a name of its two parts.
    ///
    /// # Errors
    /// A part is not in kebab case.
    pub fn new(namespace: &str, name: &str) -> Result<Self, PackageError> {
        let bad = [namespace, name].into_iter().find(|part| !is_kebab_case(part));
        match bad {
            None => Ok(Self { namespace: namespace.to_owned(), name: name.to_owned() }),
            Some(part) => Err(PackageError::Part {
                part: crate::text::printable(part, MAX_LENGTH),
                package: crate::text::printable(&format!("{namespace}:{name}"), MAX_LENGTH),
            }),
        }
    }

    /// Returns the part before the colon.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Returns the part after the colon.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl FromStr for PackageId {
    type Err = PackageError;

    fn from_str(text: &str) -> Result<Self, PackageError> {
        match text.split_once(':') {
            Some((namespace, name)) if !name.contains(':') => Self::new(namespace, name),
            _ => Err(PackageError::Form(crate::text::printable(text, MAX_LENGTH))),
        }
    }
}

impl fmt::Display for PackageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.namespace, self.name)
    }
}

/// Returns the tag of a version. A tag can't contain `+`, and a version can't contain `_`, which stands for it.
pub(crate) fn tag(version: &Version) -> String {
    version.to_string().replace('+', "_")
}

/// Returns the version that a tag stands for. Other tags, such as `latest` and those of signatures, are none.
pub(crate) fn version_of_tag(tag: &str) -> Option<Version> {
    Version::parse(&tag.replacen('_', "+", 1)).ok()
}

fn is_kebab_case(text: &str) -> bool {
    let plain = |word: &str| {
        !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
    };
    text.len() <= MAX_LENGTH
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.split('-').all(plain)
}
