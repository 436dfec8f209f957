//! Makes the note that users get if a package of somebody else's module does not compile.
//!
//! Most such packages do not support WASI: what they need is declared in files for other systems. Users often
//! don't know the package at all, so the message names the packages through which the project imports it.

use std::collections::BTreeMap;
use std::fmt;

use super::listed::Listed;

/// The words of the message by which hints recognise the files that are left out.
pub(super) const LEFT_OUT: &str = "left out, as they are not for WASI: ";

/// A package that is not compiled, or perhaps can't be, and how the project comes by it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotCompiled {
    package: String,
    /// True if it has files that are compiled.
    has_files: bool,
    /// The packages through which it is imported, beginning with one of the project.
    way: Vec<String>,
    /// Its files for other systems.
    left_out: Vec<String>,
}

impl NotCompiled {
    /// Describes `package`.
    pub(super) fn new(package: &Listed, ways: &Ways<'_>) -> Self {
        Self {
            package: package.import_path.clone(),
            has_files: !package.go_files.is_empty(),
            way: ways.to(&package.import_path),
            left_out: package.for_other_systems().map(str::to_owned).collect(),
        }
    }
}

impl fmt::Display for NotCompiled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.has_files {
            true => write!(f, "`{}` does not compile", self.package)?,
            false => write!(f, "`{}` has no file to compile", self.package)?,
        }
        match self.way.as_slice() {
            [] => {}
            [importer] => write!(f, "\nnote: `{importer}` imports it")?,
            [importer, between @ ..] => {
                let between = between.join("`, `");
                write!(f, "\nnote: `{importer}` imports it by way of `{between}`")?;
            }
        }
        match self.left_out.as_slice() {
            [] => Ok(()),
            files => write!(f, "\nnote: files of it are {LEFT_OUT}{}", files.join(", ")),
        }
    }
}

/// The shortest ways of imports from the project's packages to all others.
#[derive(Debug)]
pub(super) struct Ways<'a> {
    /// For each package the one before it; `None` for those of the project.
    before: BTreeMap<&'a str, Option<&'a str>>,
}

impl<'a> Ways<'a> {
    pub(super) fn new(listed: &'a [Listed]) -> Self {
        let by_path: BTreeMap<&str, &Listed> =
            listed.iter().map(|package| (package.import_path.as_str(), package)).collect();
        let own = listed.iter().filter(|package| package.is_of_project());
        let mut level: Vec<&str> = own.map(|package| package.import_path.as_str()).collect();
        let mut before: BTreeMap<&str, Option<&str>> =
            level.iter().map(|path| (*path, None)).collect();
        while !level.is_empty() {
            let mut next = Vec::new();
            for importer in level {
                for import in by_path.get(importer).iter().flat_map(|package| &package.imports) {
                    before.entry(import).or_insert_with(|| {
                        next.push(import.as_str());
                        Some(importer)
                    });
                }
            }
            level = next;
        }
        Self { before }
    }

    /// Returns the packages on the way to `target`, without itself.
    fn to(&self, target: &str) -> Vec<String> {
        let step = |path: &str| self.before.get(path).copied().flatten();
        let mut way: Vec<String> =
            std::iter::successors(step(target), |path| step(path)).map(str::to_owned).collect();
        way.reverse();
        way
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTED: &[u8] = br#"
        {"ImportPath": "m", "Module": {"Main": true}, "Imports": ["x.org/long", "x.org/short", "m/own"]}
        {"ImportPath": "m/own", "Module": {"Main": true}, "Imports": ["fmt"]}
        {"ImportPath": "x.org/long", "Imports": ["x.org/longer"]}
        {"ImportPath": "x.org/longer", "Imports": ["x.org/broken"]}
        {"ImportPath": "x.org/short", "Imports": ["x.org/broken", "x.org/long"]}
        {"ImportPath": "x.org/broken", "Imports": ["x.org/short"]}"#;

    #[test]
    fn the_way_to_a_package_is_the_shortest() {
        let listed = Listed::read(LISTED).unwrap();
        let check = |target: &str, expect: &[&str]| {
            assert_eq!(Ways::new(&listed).to(target), expect, "{target}");
        };
        check("x.org/broken", &["m", "x.org/short"]);
        check("x.org/long", &["m"]);
        check("fmt", &["m/own"]);
        check("x.org/absent", &[]);
    }

    #[test]
    fn what_is_left_out_is_told_where_something_is_missing() {
        let listed = Listed::read(LISTED).unwrap();
        let told = |files: &str| {
            let json = format!(
                r#"{{"ImportPath": "x.org/broken", "GoFiles": [{files}],
                     "IgnoredGoFiles": ["a_linux.go", "a_linux_test.go", "unix.go"]}}"#
            );
            let package = Listed::read(json.as_bytes()).unwrap().remove(0);
            NotCompiled::new(&package, &Ways::new(&listed)).to_string()
        };
        assert_eq!(
            told("\"a.go\""),
            "`x.org/broken` does not compile\n\
             note: `m` imports it by way of `x.org/short`\n\
             note: files of it are left out, as they are not for WASI: a_linux.go, unix.go"
        );
        let told = told("");
        assert!(told.starts_with("`x.org/broken` has no file to compile\nnote: "), "{told}");
    }
}
