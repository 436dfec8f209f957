//! The source languages that components may be written in.
//!
//! This module knows only what `run.toml` says of languages: their names, and which keys they allow. How a
//! language is compiled is known to `lang`.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use super::choice::Compiler;
use super::invalid::Invalid;

/// A language that `run` can compile to a component.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Language {
    /// Rust.
    Rust,
    /// Python.
    Python,
    /// Go.
    Go,
    /// JavaScript.
    JavaScript,
    /// TypeScript.
    TypeScript,
    /// Zig.
    Zig,
    /// C.
    C,
    /// C++.
    Cpp,
}

/// The facts about a language that reading run.toml depends on.
struct Facts {
    /// The name in run.toml.
    name: &'static str,
    /// The extensions of file names that imply the language.
    endings: &'static [&'static str],
    /// Words, in lower case, that people write instead of the name.
    nicknames: &'static [&'static str],
}

impl Language {
    /// All languages, in the order of the documentation.
    const ALL: [Self; 8] = [
        Self::Rust,
        Self::Python,
        Self::Go,
        Self::JavaScript,
        Self::TypeScript,
        Self::Zig,
        Self::C,
        Self::Cpp,
    ];

    const fn facts(self) -> Facts {
        const fn facts(
            name: &'static str,
            endings: &'static [&'static str],
            nicknames: &'static [&'static str],
        ) -> Facts {
            Facts { name, endings, nicknames }
        }
        match self {
            Self::Rust => facts("rust", &["rs"], &["rs"]),
            Self::Python => facts("python", &["py"], &["py", "python3"]),
            Self::Go => facts("go", &["go"], &["golang", "tinygo"]),
            Self::JavaScript => facts("javascript", &["js", "mjs"], &["js", "node"]),
            Self::TypeScript => facts("typescript", &["ts", "mts"], &["ts"]),
            Self::Zig => facts("zig", &["zig"], &[]),
            Self::C => facts("c", &["c"], &[]),
            Self::Cpp => facts("cpp", &["cc", "cpp", "cxx"], &["c++", "cxx", "cc"]),
        }
    }

    /// Lists all languages, in the order of the documentation.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter()
    }

    /// Returns the name used in `run.toml`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.facts().name
    }

    /// Lists what people write instead of the name, in lower case.
    #[must_use]
    pub const fn nicknames(self) -> &'static [&'static str] {
        self.facts().nicknames
    }

    /// Finds the language of this name or nickname, in any case.
    #[must_use]
    pub fn called(text: &str) -> Option<Self> {
        let text = text.to_ascii_lowercase();
        Self::all().find(|language| {
            language.as_str() == text || language.nicknames().contains(&text.as_str())
        })
    }

    /// Returns the language that the extension of a file name implies, if there is one.
    pub fn of_source(path: &str) -> Option<Self> {
        let ending = Path::new(path).extension()?.to_str()?;
        Self::all().find(|language| language.facts().endings.contains(&ending))
    }

    /// Returns whether a component in this language is compiled from a package that has features.
    pub(super) fn has_features(self) -> bool {
        self == Self::Rust
    }

    /// Returns whether this language's compiler can read a source written in `other`.
    pub(super) fn reads(self, other: Self) -> bool {
        self == other
            || matches!((self, other), (Self::TypeScript, Self::JavaScript) | (Self::Cpp, Self::C))
    }

    /// Returns whether a component in this language may choose its compiler.
    pub(super) fn has_compilers(self) -> bool {
        self == Self::Go
    }

    /// Returns whether components in this language have a check beside the build, which can be switched off.
    pub(super) fn has_check(self) -> bool {
        self == Self::TypeScript
    }

    /// Returns whether the compiler takes every source below the folder of `source`.
    pub(super) fn takes_folders(self) -> bool {
        matches!(self, Self::C | Self::Cpp)
    }

    /// Returns the names of all languages.
    pub(super) fn names() -> Vec<&'static str> {
        Self::all().map(Self::as_str).collect()
    }
}

/// A value of the key `language`: a language, or a compiler that is named in place of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Written {
    /// The language.
    pub(super) language: Language,
    /// The compiler that is named in place of the language.
    pub(super) compiler: Option<Compiler>,
}

impl FromStr for Written {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let tinygo = Compiler::TinyGo.as_str();
        if text == tinygo {
            return Ok(Self { language: Language::Go, compiler: Some(Compiler::TinyGo) });
        }
        if text.eq_ignore_ascii_case(tinygo) {
            return Err(Invalid::unknown("language", text, &Language::names())
                .help(format!("did you mean `{tinygo}`?")));
        }
        Ok(Self { language: text.parse()?, compiler: None })
    }
}

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
    fn a_compiler_may_stand_for_its_language() {
        let written: Written = "tinygo".parse().unwrap();
        assert_eq!((written.language.as_str(), written.compiler), ("go", Some(Compiler::TinyGo)));
        let written: Written = "go".parse().unwrap();
        assert_eq!((written.language.as_str(), written.compiler), ("go", None));
        assert_eq!("TinyGo".parse::<Written>().unwrap_err().help, ["did you mean `tinygo`?"]);
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
