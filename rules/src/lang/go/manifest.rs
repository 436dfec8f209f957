//! Reads `go.mod`: the module's path, the modules that it requires, and the replacements of modules. The
//! format is described in the Go modules reference, "go.mod files".
//!
//! Only the directives that decide about packages are kept; the go command deals with all others. The go.mod
//! of a checkout is never written to: an action sees the user's text with lines added at its end, so that
//! line numbers in messages stay right.

use super::error::GoError;
use crate::path::ProjectPath;

/// The content of a go.mod, as far as it decides about packages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Manifest {
    /// The directive `module`: the module's path.
    pub(super) module: String,
    /// The directives `require`, in the order of the file.
    pub(super) require: Vec<Version>,
    /// The directives `replace`, in the order of the file.
    pub(super) replace: Vec<Replace>,
}

/// A module in one version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version {
    pub(super) path: String,
    pub(super) version: String,
}

/// A directive `replace path [version] => to`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Replace {
    pub(super) path: String,
    /// The version that is replaced; `None` if all versions are.
    pub(super) version: Option<String>,
    pub(super) to: Replacement,
    /// Its line, from 1.
    pub(super) line: usize,
}

/// The replacement of a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Replacement {
    /// A folder, as it is written.
    Folder(String),
    /// Another module.
    Module(Version),
}

impl Manifest {
    /// Reads a go.mod; `file` is its path, for messages.
    pub(super) fn parse(text: &str, file: &ProjectPath) -> Result<Self, GoError> {
        let mut manifest = Self::default();
        let mut block: Option<String> = None;
        for (number, line) in text.lines().enumerate() {
            let wrong = || GoError::Syntax {
                file: file.clone(),
                line: number + 1,
                text: line.trim().to_owned(),
            };
            let words = words(line).ok_or_else(wrong)?;
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            match (block.as_deref(), words.as_slice()) {
                (_, []) => {}
                (Some(_), [")"]) => block = None,
                (Some(verb), words) => manifest.take(verb, words, number + 1).ok_or_else(wrong)?,
                (None, [verb, "("]) => block = Some((*verb).to_owned()),
                (None, [verb, words @ ..]) => {
                    manifest.take(verb, words, number + 1).ok_or_else(wrong)?;
                }
            }
        }
        if manifest.module.is_empty() {
            return Err(GoError::NoModulePath { file: file.clone() });
        }
        Ok(manifest)
    }

    /// Returns the replacement of a module in this version, if it is replaced.
    pub(super) fn replacement(&self, module: &Version) -> Option<&Replacement> {
        let fits = |replace: &&Replace| {
            replace.path == module.path
                && replace.version.as_ref().is_none_or(|version| *version == module.version)
        };
        // A replacement for this version is preferred to one for all versions.
        let mut fitting = self.replace.iter().filter(fits);
        let found = fitting.clone().find(|replace| replace.version.is_some());
        found.or_else(|| fitting.next()).map(|replace| &replace.to)
    }

    /// Returns true if a replacement applies to a required module.
    pub(super) fn uses(&self, replace: &Replace) -> bool {
        let is_it = |module: &Version| self.replacement(module) == Some(&replace.to);
        self.require.iter().any(|module| module.path == replace.path && is_it(module))
    }

    /// Reads one directive; `None` if it is malformed.
    fn take(&mut self, verb: &str, words: &[&str], line: usize) -> Option<()> {
        match (verb, words) {
            ("module", [path]) => (*path).clone_into(&mut self.module),
            ("require", [path, version]) => self.require.push(Version::new(path, version)),
            ("replace", words) => self.replace.push(replace(words, line)?),
            ("module" | "require", _) => return None,
            _ => {}
        }
        Some(())
    }
}

impl Version {
    pub(super) fn new(path: &str, version: &str) -> Self {
        Self { path: path.to_owned(), version: version.to_owned() }
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}", self.path, self.version)
    }
}

fn replace(words: &[&str], line: usize) -> Option<Replace> {
    let arrow = words.iter().position(|word| *word == "=>")?;
    let (path, version) = match &words[..arrow] {
        [path] => (*path, None),
        [path, version] => (*path, Some((*version).to_owned())),
        _ => return None,
    };
    let to = match &words[arrow + 1..] {
        [folder] => Replacement::Folder((*folder).to_owned()),
        [path, version] => Replacement::Module(Version::new(path, version)),
        _ => return None,
    };
    Some(Replace { path: path.to_owned(), version, to, line })
}

/// Returns the words of a line without its comment; `None` if a quote is not closed.
fn words(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() && !rest.starts_with("//") {
        let (word, after) = match rest.chars().next() {
            Some(quote @ ('"' | '`')) => rest[1..].split_once(quote)?,
            Some(bracket @ ('(' | ')')) => rest.split_at(bracket.len_utf8()),
            _ => {
                let end = rest.find(|c: char| c.is_whitespace() || "()".contains(c));
                rest.split_at(end.unwrap_or(rest.len()))
            }
        };
        words.push(word.to_owned());
        rest = after.trim_start();
    }
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Manifest, String> {
        let file = ProjectPath::parse("shop/go.mod").unwrap();
        Manifest::parse(text, &file).map_err(|error| error.to_string())
    }

    #[test]
    fn directives_and_blocks_are_read() {
        let manifest = parse(
            "// A shop.\nmodule \"example.com/shop\" // its path\n\ngo 1.27\ntoolchain go1.27.3\n\n\
             require github.com/a/B v1.2.3 // indirect\nrequire (\n\tx.org/c v0.1.0\n)\n\
             replace x.org/c => ../c\nreplace (\n\tx.org/d v1.0.0 => x.org/e v2.0.0\n)\n\
             exclude x.org/f v1.0.0\nretract [v1.0.0, v1.1.0]\n",
        )
        .unwrap();
        assert_eq!(manifest.module, "example.com/shop");
        let required: Vec<String> = manifest.require.iter().map(ToString::to_string).collect();
        assert_eq!(required, ["github.com/a/B@v1.2.3", "x.org/c@v0.1.0"]);
        assert_eq!(manifest.replace.iter().map(|r| r.line).collect::<Vec<_>>(), [11, 13]);
        let of = |path: &str, version: &str| manifest.replacement(&Version::new(path, version));
        assert_eq!(of("x.org/c", "v9.0.0"), Some(&Replacement::Folder("../c".into())));
        let e = Replacement::Module(Version::new("x.org/e", "v2.0.0"));
        assert_eq!(of("x.org/d", "v1.0.0"), Some(&e));
        assert_eq!(of("x.org/d", "v1.0.1"), None);
    }

    #[test]
    fn what_is_malformed_is_told_with_its_line() {
        let check = |text: &str, expect: &str| assert_eq!(parse(text).unwrap_err(), expect);
        check("go 1.27\n", "shop/go.mod names no module");
        check("module a\nrequire b\n", "shop/go.mod:2: `require b` is not a directive of go.mod");
        check(
            "module a\nreplace (\n\tb = c\n)\n",
            "shop/go.mod:3: `b = c` is not a directive of go.mod",
        );
        check("module \"a\n", "shop/go.mod:1: `module \"a` is not a directive of go.mod");
    }
}
