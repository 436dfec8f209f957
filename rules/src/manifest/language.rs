//! The source languages that components may be written in.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use super::invalid::Invalid;
use crate::lang::{LANGUAGES, Rule};

/// A language `run` can compile to a component.
#[derive(Clone, Copy)]
pub struct Language(&'static Rule);

impl Language {
    /// All languages, in the order of the documentation.
    pub fn all() -> impl Iterator<Item = Self> {
        LANGUAGES.into_iter().map(Self)
    }

    /// The name used in `run.toml`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0.name
    }

    /// What people write instead of the name, in lower case.
    #[must_use]
    pub const fn nicknames(self) -> &'static [&'static str] {
        self.0.nicknames
    }

    /// The language of this name or nickname, in any case.
    #[must_use]
    pub fn called(text: &str) -> Option<Self> {
        let text = text.to_ascii_lowercase();
        Self::all().find(|language| {
            language.as_str() == text || language.nicknames().contains(&text.as_str())
        })
    }

    /// What its module does.
    pub(crate) const fn rule(self) -> &'static Rule {
        self.0
    }

    /// The language whose sources have the ending of this file name, if that is unambiguous.
    pub fn of_source(path: &str) -> Option<Self> {
        let ending = Path::new(path).extension()?.to_str()?;
        Self::all().find(|language| language.0.endings.contains(&ending))
    }

    /// Whether a component in it is compiled from a package that has features.
    pub(super) fn has_features(self) -> bool {
        self.as_str() == "rust"
    }

    /// Whether this language's compiler can read a source written in `other`.
    pub(super) fn reads(self, other: Self) -> bool {
        self == other || self.0.also_reads.contains(&other.as_str())
    }

    /// Whether it compiles every source below the folder of `source`.
    pub(super) fn takes_folders(self) -> bool {
        ["c", "cpp"].contains(&self.as_str())
    }

    /// The names of all languages.
    pub(super) fn names() -> Vec<&'static str> {
        Self::all().map(Self::as_str).collect()
    }
}

impl PartialEq for Language {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Language {}

impl fmt::Debug for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Language {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if let Some(language) = Self::all().find(|language| language.as_str() == text) {
            return Ok(language);
        }
        let unknown = Invalid::unknown("language", text, &Self::names());
        Err(match Self::called(text) {
            Some(meant) => {
                Invalid { help: vec![], ..unknown }.help(format!("did you mean `{meant}`?"))
            }
            None => unknown,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for language in Language::all() {
            assert_eq!(language.as_str().parse(), Ok(language));
        }
    }

    #[test]
    fn nicknames_are_explained_not_accepted() {
        let check = |text: &str, help: Option<&str>| {
            let invalid = text.parse::<Language>().unwrap_err();
            assert_eq!(invalid.help.first().map(String::as_str), help, "{text}");
        };
        check("Rust", Some("did you mean `rust`?"));
        check("JS", Some("did you mean `javascript`?"));
        check("golang", Some("did you mean `go`?"));
        check("pyton", Some("did you mean `python`?"));
        check("C++", Some("did you mean `cpp`?"));
        check("pascal", None);
        check("", None);
    }

    #[test]
    fn endings_name_the_language() {
        let check = |path, expected| {
            assert_eq!(Language::of_source(path).map(Language::as_str), expected, "{path}");
        };
        check("src/lib.rs", Some("rust"));
        check("app.py", Some("python"));
        check("a.b/main.go", Some("go"));
        check("x.mjs", Some("javascript"));
        check("x.ts", Some("typescript"));
        check("main.zig", Some("zig"));
        check("sort.c", Some("c"));
        check("sort.h", None);
        check("sort.cc", Some("cpp"));
        check("sort.cpp", Some("cpp"));
        check("sort.cxx", Some("cpp"));
        check("x.RS", None);
        check("Makefile", None);
        check(".rs", None);
    }
}
