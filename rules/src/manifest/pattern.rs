//! Glob patterns for files of a project, as in `[dev].watch` and in the `inputs` of a component.
//!
//! A pattern is compiled when it is parsed, so that an invalid one is reported at its place.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use globset::{Glob, GlobBuilder, GlobSet, GlobSetBuilder};

use super::invalid::Invalid;
use super::path::normal_parts;

/// The maximum length of a pattern in bytes. A pattern is compiled by a function that recurses for each
/// brace.
const MOST: usize = 1024;

/// A pattern such as `src/**/*.rs`, relative to the project folder.
///
/// `*` and `?` stay within one folder, `**` spans folders, `[a-z]` and `{a,b}` are choices. A pattern that
/// names a folder means everything below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    glob: Glob,
}

impl Pattern {
    /// Returns the pattern without `./` and without doubled or trailing `/`.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the path that the pattern names, if it has no wildcard.
    pub fn literal(&self) -> Option<&str> {
        let wildcard = |c| matches!(c, '*' | '?' | '[' | ']' | '{' | '}');
        (!self.text.contains(wildcard)).then_some(self.text.as_str())
    }

    /// Returns the path to start searching for matches at: the deepest folder that holds all of them, or the
    /// whole pattern if it has no wildcard. `""` means the project folder.
    pub fn base(&self) -> &str {
        let wildcard = |c| matches!(c, '*' | '?' | '[' | '{');
        match self.text.find(wildcard) {
            Some(at) => self.text[..at].rsplit_once('/').map_or("", |(folder, _)| folder),
            None => &self.text,
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Pattern {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let expected = "expected a pattern like `data/**/*.json`, relative to run.toml";
        if text.trim().is_empty() {
            return Err(Invalid::new("pattern is empty", expected));
        }
        if let Some(rest) = text.strip_prefix('!') {
            return Err(Invalid::new(format!("pattern `{text}` is negated"), expected)
                .help(format!("patterns only add files; `{rest}` without `!` is a pattern")));
        }
        if text.len() > MOST {
            let message = format!("pattern has {} bytes, the limit is {MOST}", text.len());
            return Err(Invalid::new(message, "expected several shorter patterns"));
        }
        let parts = normal_parts(text)?;
        match parts.first() {
            Some(&"..") => {
                return Err(Invalid::new(format!("pattern `{text}` leaves the project"), expected));
            }
            None => {
                return Err(Invalid::new(
                    format!("pattern `{text}` is the project's folder itself"),
                    expected,
                )
                .help("write `**` for every file of the project"));
            }
            Some(_) => {}
        }
        let text = parts.join("/");
        let glob = GlobBuilder::new(&text).literal_separator(true).backslash_escape(false).build();
        match glob {
            Ok(glob) => Ok(Self { text, glob }),
            Err(error) => {
                Err(Invalid::new(format!("invalid pattern `{text}`"), error.kind().to_string()))
            }
        }
    }
}

/// A set of patterns that can be matched against many paths.
#[derive(Clone, Debug)]
pub struct PatternSet(GlobSet);

impl PatternSet {
    /// Compiles patterns. Matching then takes time in proportion to the length of the path.
    ///
    /// # Errors
    /// Fails if a pattern is too big to be compiled, with the matcher's explanation.
    pub fn new<'a>(patterns: impl IntoIterator<Item = &'a Pattern>) -> Result<Self, Invalid> {
        let mut set = GlobSetBuilder::new();
        for pattern in patterns {
            set.add(pattern.glob.clone());
        }
        match set.build() {
            Ok(set) => Ok(Self(set)),
            Err(error) => Err(Invalid::new(error.to_string(), "expected simpler patterns")),
        }
    }

    /// Returns whether a pattern matches a path of the project or a folder above it.
    pub fn matches(&self, path: &str) -> bool {
        Path::new(path)
            .ancestors()
            .take_while(|ancestor| !ancestor.as_os_str().is_empty())
            .any(|ancestor| self.0.is_match(ancestor))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, matches: &[&str], others: &[&str]) {
        let pattern: Pattern = pattern.parse().unwrap();
        let set = PatternSet::new([&pattern]).unwrap();
        matches.iter().for_each(|path| assert!(set.matches(path), "{pattern} misses {path}"));
        others.iter().for_each(|path| assert!(!set.matches(path), "{pattern} takes {path}"));
    }

    #[test]
    fn patterns_match_as_documented() {
        check("src/**/*.rs", &["src/a.rs", "src/b/c/d.rs"], &["a.rs", "src/a.py", "x/src/a.rs"]);
        check("data/*.json", &["data/a.json"], &["data/b/a.json", "data/a.txt"]);
        check("./data/", &["data/a", "data/b/c"], &["data2/a", "x/data/a"]);
        check("data/x.txt", &["data/x.txt"], &["data/x.txt2", "data/y.txt"]);
        check("{a,b}/?.[ch]", &["a/x.c", "b/y.h"], &["c/x.c", "a/xy.c", "a/x.o"]);
        check("**", &["a", "a/b/c"], &[]);
    }

    #[test]
    fn bad_patterns_are_refused() {
        let check = |pattern: &str, message: &str| {
            assert_eq!(pattern.parse::<Pattern>().unwrap_err().message, message);
        };
        check(&"{".repeat(300_000), "pattern has 300000 bytes, the limit is 1024");
        assert!(format!("{}a{}", "{".repeat(500), "}".repeat(500)).parse::<Pattern>().is_ok());
        check("", "pattern is empty");
        check("src/[a", "invalid pattern `src/[a`");
        check("src/{a", "invalid pattern `src/{a`");
        check("src/a}", "invalid pattern `src/a}`");
        check("[z-a]", "invalid pattern `[z-a]`");
        check("../**", "pattern `../**` leaves the project");
        check("/etc/*", "path `/etc/*` is absolute");
        check("a\\*", "path `a\\*` contains a backslash");
        check(".", "pattern `.` is the project's folder itself");
        check("!src/**", "pattern `!src/**` is negated");
    }

    #[test]
    fn literals_and_bases() {
        let check = |pattern: &str, literal: Option<&str>, base: &str| {
            let pattern: Pattern = pattern.parse().unwrap();
            assert_eq!((pattern.literal(), pattern.base()), (literal, base));
        };
        check("data/x.txt", Some("data/x.txt"), "data/x.txt");
        check("data/a/*.txt", None, "data/a");
        check("data/a*/x", None, "data");
        check("*.txt", None, "");
    }
}
