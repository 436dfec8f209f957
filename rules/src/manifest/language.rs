//! The source languages that components may be written in.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use super::invalid::Invalid;

/// A language `run` can compile to a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Language {
    /// `rust`
    Rust,
    /// `python`
    Python,
    /// `go`
    Go,
    /// `javascript`
    JavaScript,
    /// `typescript`
    TypeScript,
    /// `zig`
    Zig,
    /// `c`
    C,
    /// `cpp`
    Cpp,
}

/// What people write instead of the names, with what they mean.
const NICKNAMES: [(&str, Language); 11] = [
    ("rs", Language::Rust),
    ("py", Language::Python),
    ("python3", Language::Python),
    ("golang", Language::Go),
    ("tinygo", Language::Go),
    ("js", Language::JavaScript),
    ("node", Language::JavaScript),
    ("ts", Language::TypeScript),
    ("c++", Language::Cpp),
    ("cxx", Language::Cpp),
    ("cc", Language::Cpp),
];

impl Language {
    /// All languages, in the order of the documentation.
    pub const ALL: [Self; 8] = [
        Self::Rust,
        Self::Python,
        Self::Go,
        Self::JavaScript,
        Self::TypeScript,
        Self::Zig,
        Self::C,
        Self::Cpp,
    ];

    /// The name used in `run.toml`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::Python => "python",
            Self::Go => "go",
            Self::JavaScript => "javascript",
            Self::TypeScript => "typescript",
            Self::Zig => "zig",
            Self::C => "c",
            Self::Cpp => "cpp",
        }
    }

    /// The language whose sources have the ending of this file name, if that is unambiguous.
    pub fn of_source(path: &str) -> Option<Self> {
        match Path::new(path).extension()?.to_str()? {
            "rs" => Some(Self::Rust),
            "py" => Some(Self::Python),
            "go" => Some(Self::Go),
            "js" | "mjs" => Some(Self::JavaScript),
            "ts" | "mts" => Some(Self::TypeScript),
            "zig" => Some(Self::Zig),
            "c" => Some(Self::C),
            "cc" | "cpp" | "cxx" => Some(Self::Cpp),
            _ => None,
        }
    }

    /// Whether this language's compiler can read a source written in `other`.
    pub(super) fn reads(self, other: Self) -> bool {
        let also = [(Self::TypeScript, Self::JavaScript), (Self::Cpp, Self::C)];
        self == other || also.contains(&(self, other))
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
        if let Some(language) = Self::ALL.into_iter().find(|language| language.as_str() == text) {
            return Ok(language);
        }
        let unknown = Invalid::unknown("language", text, &Self::ALL.map(Self::as_str));
        let nickname = text.to_ascii_lowercase();
        Err(match NICKNAMES.iter().find(|(name, _)| *name == nickname) {
            Some((_, meant)) => {
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
        for language in Language::ALL {
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
        let check = |path, expected| assert_eq!(Language::of_source(path), expected, "{path}");
        check("src/lib.rs", Some(Language::Rust));
        check("app.py", Some(Language::Python));
        check("a.b/main.go", Some(Language::Go));
        check("x.mjs", Some(Language::JavaScript));
        check("x.ts", Some(Language::TypeScript));
        check("main.zig", Some(Language::Zig));
        check("sort.c", Some(Language::C));
        check("sort.h", None);
        check("sort.cc", Some(Language::Cpp));
        check("sort.cpp", Some(Language::Cpp));
        check("sort.cxx", Some(Language::Cpp));
        check("x.RS", None);
        check("Makefile", None);
        check(".rs", None);
    }
}
