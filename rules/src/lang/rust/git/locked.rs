//! Reads the sources of Cargo.lock that are commits of git repositories.
//!
//! Such a source is `git+URL#COMMIT`, with `?branch=…`, `?tag=…` or `?rev=…` before the commit if the manifest has one
//! of these (Cargo's `SourceId`).

use std::collections::BTreeSet;

use reqwest::Url;

/// A repository at a commit, with the packages of it that are locked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::lang::rust) struct LockedRepository {
    pub(in crate::lang::rust) url: String,
    pub(in crate::lang::rust) reference: Reference,
    /// The hash of the commit, in lowercase hexadecimal.
    pub(in crate::lang::rust) commit: String,
    /// The names and versions of the packages.
    pub(in crate::lang::rust) packages: BTreeSet<(String, String)>,
    /// The number of the first line of the lockfile that names it, for messages.
    pub(in crate::lang::rust) line: usize,
}

/// The part of a source that a manifest chooses a commit by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::lang::rust) struct Reference {
    /// The keys of a manifest, each with its value. There is at most one.
    key: Option<(&'static str, String)>,
}

/// The keys of a reference.
const KEYS: [&str; 3] = ["branch", "tag", "rev"];

impl Reference {
    /// Makes a reference of what a manifest says, or a source of the lockfile. `value` returns the value of a key.
    pub(super) fn of(value: impl Fn(&str) -> Option<String>) -> Self {
        Self { key: KEYS.iter().find_map(|key| Some((*key, value(key)?))) }
    }

    /// Returns the key and its value as lines of TOML.
    pub(super) fn toml(&self) -> String {
        let line = |(key, value): &(&str, String)| format!("{key} = {}\n", toml_text(value));
        self.key.as_ref().map(line).unwrap_or_default()
    }
}

/// Returns a text as TOML has it.
pub(super) fn toml_text(text: &str) -> String {
    toml::Value::from(text).to_string()
}

impl LockedRepository {
    /// Returns true if the source is that of a repository.
    pub(in crate::lang::rust) fn is_source(source: &str) -> bool {
        source.starts_with("git+")
    }

    /// Reads a source. `None` if it names no commit.
    pub(in crate::lang::rust) fn parse(source: &str, line: usize) -> Option<Self> {
        let mut url = Url::parse(source.strip_prefix("git+")?).ok()?;
        let commit = url.fragment().filter(|commit| is_commit(commit))?.to_owned();
        let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        let value = |key: &str| {
            let found = pairs.iter().find(|(name, _)| name == key || name == old_name(key));
            found.map(|(_, value)| value.clone())
        };
        let reference = Reference::of(value);
        url.set_fragment(None);
        url.set_query(None);
        let packages = BTreeSet::new();
        Some(Self { url: url.into(), reference, commit, packages, line })
    }
}

/// Returns the name that old lockfiles have for a key.
fn old_name(key: &str) -> &str {
    if key == "branch" { "ref" } else { key }
}

fn is_commit(text: &str) -> bool {
    let is_digit = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    matches!(text.len(), 40 | 64) && text.bytes().all(is_digit)
}

/// Returns the URL of a repository in the form in which Cargo compares it (`CanonicalUrl`): without a slash or `.git`
/// at its end.
pub(super) fn canonical(url: &str) -> String {
    let url = url.trim_end_matches('/');
    url.strip_suffix(".git").unwrap_or(url).to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: &str = "583592f399af0ffc66420bf80c9184730c4379ac";

    #[test]
    fn sources_are_read_as_cargo_writes_them() {
        let check = |start: &str, url: &str, toml: &str| {
            let source = format!("git+{start}#{COMMIT}");
            let found = LockedRepository::parse(&source, 3).unwrap();
            assert_eq!((found.url.as_str(), found.reference.toml().as_str()), (url, toml));
            assert_eq!((found.commit.as_str(), found.line), (COMMIT, 3));
        };
        check("https://h/a.git", "https://h/a.git", "");
        check("ssh://git@h/a?rev=5835", "ssh://git@h/a", "rev = \"5835\"\n");
        check("file:///a?branch=b%2Fc%2Bd", "file:///a", "branch = \"b/c+d\"\n");
        check("https://h/a?tag=v1", "https://h/a", "tag = \"v1\"\n");
        check("https://h/a?ref=old", "https://h/a", "branch = \"old\"\n");
    }

    #[test]
    fn a_source_without_a_commit_is_none() {
        for source in [
            "git+https://h/a",
            "git+https://h/a?rev=1#1234",
            "git+https://h/a#--upload-pack=evil",
            "git+not a url#583592f399af0ffc66420bf80c9184730c4379ac",
            "registry+https://h/a#583592f399af0ffc66420bf80c9184730c4379ac",
        ] {
            assert_eq!(LockedRepository::parse(source, 1), None, "{source}");
        }
    }

    #[test]
    fn urls_are_compared_as_cargo_does_it() {
        assert_eq!(canonical("https://H/a.git"), canonical("https://h/a/"));
        assert_ne!(canonical("https://h/a"), canonical("https://h/b"));
    }
}
