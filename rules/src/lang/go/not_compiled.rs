//! The message about a package of somebody else's module that was not compiled.
//!
//! Most such packages do not support WASI: what they need is declared in files for other systems. Users often
//! don't know the package at all, so the message names the packages through which the project imports it.

use std::collections::BTreeMap;
use std::fmt;

use super::listed::Listed;

/// The words of the message by which hints recognise it.
pub(super) const LEFT_OUT: &str = "left out, as they are not for WASI: ";

/// A package that was not compiled, and the reason.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotCompiled {
    package: String,
    /// The go command's message. It is empty if the package has no file to compile.
    complaint: String,
    /// The packages through which it is imported, beginning with one of the project.
    way: Vec<String>,
    /// Its files for other systems, if it lacks something.
    left_out: Vec<String>,
}

impl NotCompiled {
    /// Describes why `package` was not compiled. `listed` are all packages of the component. `is_own` is true
    /// for those that are compiled one by one.
    pub(super) fn new(package: &Listed, listed: &[Listed], is_own: impl Fn(&str) -> bool) -> Self {
        let complaint = package.complaint();
        let left_out = match complaint.is_empty() || complaint.contains("undefined") {
            true => package.for_other_systems().map(str::to_owned).collect(),
            false => Vec::new(),
        };
        let way = way_to(&package.import_path, listed, is_own);
        Self { package: package.import_path.clone(), complaint, way, left_out }
    }
}

impl fmt::Display for NotCompiled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.complaint.as_str() {
            "" => write!(f, "`{}` has no file to compile", self.package)?,
            complaint => write!(f, "`{}` does not compile:\n{complaint}", self.package)?,
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

/// Returns the packages on the shortest way of imports from one of the project's packages to `target`,
/// without `target`.
fn way_to(target: &str, listed: &[Listed], is_own: impl Fn(&str) -> bool) -> Vec<String> {
    let mut importers: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for package in listed {
        for import in &package.imports {
            importers.entry(import).or_default().push(&package.import_path);
        }
    }
    // The search starts at the target. It notes for each package the one that it imports on the way to the
    // target.
    let mut back: BTreeMap<&str, &str> = BTreeMap::new();
    let mut level = vec![target];
    while !level.is_empty() {
        let mut next = Vec::new();
        for package in level {
            for importer in importers.get(package).into_iter().flatten() {
                if *importer == target || back.contains_key(importer) {
                    continue;
                }
                back.insert(importer, package);
                if is_own(importer) {
                    let way = std::iter::successors(Some(*importer), |at| back.get(at).copied());
                    return way.take_while(|at| *at != target).map(str::to_owned).collect();
                }
                next.push(*importer);
            }
        }
        level = next;
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTED: &[u8] = br#"
        {"ImportPath": "m", "Imports": ["x.org/long", "x.org/short", "m/own"]}
        {"ImportPath": "m/own", "Imports": ["fmt"]}
        {"ImportPath": "x.org/long", "Imports": ["x.org/longer"]}
        {"ImportPath": "x.org/longer", "Imports": ["x.org/broken"]}
        {"ImportPath": "x.org/short", "Imports": ["x.org/broken", "x.org/long"]}
        {"ImportPath": "x.org/broken", "Imports": ["x.org/short"]}"#;

    #[test]
    fn the_way_to_a_package_is_the_shortest() {
        let listed = Listed::read(LISTED).unwrap();
        let check = |target: &str, expect: &[&str]| {
            assert_eq!(way_to(target, &listed, |path| path.starts_with('m')), expect, "{target}");
        };
        check("x.org/broken", &["m", "x.org/short"]);
        check("x.org/long", &["m"]);
        check("fmt", &["m/own"]);
        check("x.org/absent", &[]);
    }

    #[test]
    fn what_is_left_out_is_told_where_something_is_missing() {
        let listed = Listed::read(LISTED).unwrap();
        let told = |error: &str| {
            let json = format!(
                r#"{{"ImportPath": "x.org/broken", "Error": {{"Err": "{error}"}},
                     "IgnoredGoFiles": ["a_linux.go", "a_linux_test.go", "unix.go"]}}"#
            );
            let package = Listed::read(json.as_bytes()).unwrap().remove(0);
            NotCompiled::new(&package, &listed, |path| path.starts_with('m')).to_string()
        };
        assert_eq!(
            told("a.go:1:2: undefined: size"),
            "`x.org/broken` does not compile:\na.go:1:2: undefined: size\n\
             note: `m` imports it by way of `x.org/short`\n\
             note: files of it are left out, as they are not for WASI: a_linux.go, unix.go"
        );
        assert!(told("a.go:1:2: too many return values").ends_with("`x.org/short`"));
        let told = told("");
        assert!(told.starts_with("`x.org/broken` has no file to compile\nnote: "), "{told}");
        assert!(told.ends_with(", unix.go"), "{told}");
    }
}
