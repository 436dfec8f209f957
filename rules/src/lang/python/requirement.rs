//! Dependency specifiers, such as `name[extras] >=1,<2 ; marker`, and the normal form of names.
//!
//! Source: the dependency specifiers' specification (PEP 508) and "Names and normalization". Markers are kept
//! as text here; [`super::marker`] evaluates them. Ranges of versions are parsed by [`pep440_rs`].

use std::collections::BTreeSet;
use std::str::FromStr as _;

use pep440_rs::VersionSpecifiers;

/// A requirement: a package, and which versions of it will do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Requirement {
    /// The package's name, normalised.
    pub(super) name: String,
    /// The names of the extras, normalised.
    pub(super) extras: BTreeSet<String>,
    pub(super) versions: Versions,
    pub(super) marker: Option<String>,
}

/// The versions that satisfy a requirement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Versions {
    /// The versions in this range; an empty range admits all.
    Range(VersionSpecifiers),
    /// The version that this URL leads to.
    Url(String),
}

impl Requirement {
    /// Parses a requirement. The error says what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let wrong = |what: &str| format!("`{}` is no requirement: {what}", text.trim());
        let text = text.trim();
        let end = text.find(|c: char| !is_name(c)).unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        let ends = |c: char| c.is_ascii_alphanumeric();
        if !name.starts_with(ends) || !name.ends_with(ends) {
            return Err(wrong("it does not begin with a name"));
        }
        let (extras, rest) = match rest.trim_start().strip_prefix('[') {
            Some(rest) => rest.split_once(']').ok_or_else(|| wrong("`[` is not closed"))?,
            None => ("", rest),
        };
        let rest = rest.trim_start();
        let (versions, marker) = match rest.strip_prefix('@') {
            // A URL may contain `;`, so there the marker begins only at a `;` after a space.
            Some(url) => split(url, " ;"),
            None => split(rest, ";"),
        };
        let versions = if rest.starts_with('@') {
            Versions::Url(versions.trim().to_owned())
        } else {
            let inner = versions.trim();
            let inner = inner.strip_prefix('(').and_then(|i| i.strip_suffix(')')).unwrap_or(inner);
            let range = VersionSpecifiers::from_str(inner.trim());
            Versions::Range(range.map_err(|error| wrong(error.to_string().trim()))?)
        };
        let extras = extras.split(',').map(str::trim).filter(|extra| !extra.is_empty());
        Ok(Self {
            name: normalise(name),
            extras: extras.map(normalise).collect(),
            versions,
            marker: marker.map(|marker| marker.trim().to_owned()),
        })
    }

    /// Returns the version that a lone `==` or `===` pins, if the requirement is of that form.
    pub(super) fn pinned(&self) -> Option<String> {
        let Versions::Range(range) = &self.versions else { return None };
        let [only] = &range[..] else { return None };
        let exact = [pep440_rs::Operator::Equal, pep440_rs::Operator::ExactEqual];
        exact.contains(only.operator()).then(|| only.version().to_string())
    }
}

fn split<'a>(text: &'a str, separator: &str) -> (&'a str, Option<&'a str>) {
    text.split_once(separator).map_or((text, None), |(before, after)| (before, Some(after)))
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-_.".contains(c)
}

/// Returns the normal form of a name: lowercase, with one `-` for each run of `-`, `_` and `.`.
pub(super) fn normalise(name: &str) -> String {
    let lower = name.trim().to_ascii_lowercase();
    let parts: Vec<&str> = lower.split(['-', '_', '.']).filter(|part| !part.is_empty()).collect();
    parts.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parses a requirement and shows it as `NAME|EXTRAS|VERSIONS|MARKER`.
    fn parts(text: &str) -> Result<String, String> {
        let Requirement { name, extras, versions, marker } = Requirement::parse(text)?;
        let versions = match versions {
            Versions::Range(range) => range.to_string(),
            Versions::Url(url) => format!("@{url}"),
        };
        let extras = extras.into_iter().collect::<Vec<_>>().join(",");
        Ok([name, extras, versions, marker.unwrap_or_default()].join("|"))
    }

    #[test]
    fn requirements_are_taken_apart() {
        let check = |text: &str, expect: &str| {
            assert_eq!(parts(text).as_deref(), Ok(expect), "{text}");
        };
        check("Humanize", "humanize|||");
        check(" zope.interface == 5.0 ", "zope-interface||==5.0|");
        check(
            "requests [Socks, security]>=2,<3;python_version<'4'",
            "requests|security,socks|>=2, <3|python_version<'4'",
        );
        check("a (>=1)", "a||>=1|");
        check("a @ https://h/a;b.whl ; os_name == 'nt'", "a||@https://h/a;b.whl|os_name == 'nt'");
    }

    #[test]
    fn what_is_no_requirement_is_told() {
        let check = |text: &str, expect: &str| {
            assert_eq!(parts(text), Err(format!("`{text}` is no requirement: {expect}")));
        };
        check("./local", "it does not begin with a name");
        check("a-", "it does not begin with a name");
        check("a[b", "`[` is not closed");
        assert!(parts("a =1").is_err());
    }

    #[test]
    fn a_lone_equality_pins() {
        let check = |text: &str, expect: Option<&str>| {
            let pinned = Requirement::parse(text).unwrap().pinned();
            assert_eq!(pinned.as_deref(), expect, "{text}");
        };
        check("a==1.0", Some("1.0"));
        check("a===1.0", Some("1.0"));
        check("a==1.*", None);
        check("a>=1", None);
        check("a", None);
        check("a @ https://h/a.whl", None);
    }

    #[test]
    fn names_have_a_normal_form() {
        for name in ["Flask_SQL.Alchemy", "flask--sql-alchemy", "FLASK-sql._alchemy"] {
            assert_eq!(normalise(name), "flask-sql-alchemy");
        }
    }
}
