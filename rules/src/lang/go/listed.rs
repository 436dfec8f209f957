//! What `go list -json` says of packages (`go help list`).

use serde::Deserialize;

/// The fields of a component's packages and all that they need.
pub(super) const OWN_FIELDS: &str = "Dir,ImportPath,Standard,Module,Imports,GoFiles,SFiles,HFiles,EmbedPatterns,EmbedFiles,DefaultGODEBUG";
/// The fields of compiled packages.
pub(super) const COMPILED_FIELDS: &str = "ImportPath,Standard,Export,Error,DepsErrors";

/// A package.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Listed {
    pub(super) import_path: String,
    /// Whether it is of the standard library.
    pub(super) standard: bool,
    /// Its folder.
    pub(super) dir: String,
    pub(super) module: Option<ListedModule>,
    /// The files that are compiled, by their names in the folder.
    pub(super) go_files: Vec<String>,
    /// The files of assembly.
    #[serde(rename = "SFiles")]
    pub(super) assembly: Vec<String>,
    /// The header files.
    #[serde(rename = "HFiles")]
    pub(super) headers: Vec<String>,
    /// The packages that it imports.
    pub(super) imports: Vec<String>,
    pub(super) embed_patterns: Vec<String>,
    /// The files that these match, below the folder.
    pub(super) embed_files: Vec<String>,
    /// What a main package has GODEBUG set to.
    #[serde(rename = "DefaultGODEBUG")]
    pub(super) default_godebug: String,
    /// The compiled package.
    pub(super) export: String,
    pub(super) error: Option<ListedError>,
    pub(super) deps_errors: Vec<ListedError>,
}

/// The module of a package.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct ListedModule {
    pub(super) path: String,
    pub(super) version: String,
    /// Its checksum, as in go.sum.
    pub(super) sum: String,
    /// Whether it is the component's own.
    pub(super) main: bool,
    /// The version of the language that it is written in.
    pub(super) go_version: Option<String>,
    pub(super) replace: Option<Box<Self>>,
}

/// What is wrong with a package.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct ListedError {
    /// Where: `file:line:column`, or nothing.
    pub(super) pos: String,
    pub(super) err: String,
}

impl Listed {
    /// Reads the go command's answer: one object after the other.
    pub(super) fn read(json: &[u8]) -> Result<Vec<Self>, serde_json::Error> {
        serde_json::Deserializer::from_slice(json).into_iter().collect()
    }

    /// Whether it is a package of the project: of the component's module, or of a folder that stands in the place of
    /// another. What lies in a folder `vendor` is not.
    pub(super) fn is_of_project(&self) -> bool {
        let Some(module) = &self.module else { return false };
        let is_folder = |module: &ListedModule| module.path.starts_with('.');
        (module.main || module.replace.as_deref().is_some_and(is_folder))
            && !self.dir.contains("/vendor/")
    }

    /// Why it was not compiled.
    pub(super) fn complaint(&self) -> String {
        let errors = self.error.iter().chain(&self.deps_errors).map(|ListedError { pos, err }| {
            let err = err.trim_end();
            if pos.is_empty() { err.to_owned() } else { format!("{pos}: {err}") }
        });
        errors.collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_read_one_after_the_other() {
        let json = br#"{"ImportPath": "fmt", "Standard": true}
            {"ImportPath": "a.org/x", "SFiles": ["x.s"], "DefaultGODEBUG": "a=1",
             "Module": {"Path": "a.org", "Main": true, "GoVersion": "1.26"},
             "Error": {"ImportStack": ["a"], "Pos": "x.go:1:2", "Err": "no\n"},
             "DepsErrors": [{"Err": "more"}], "Unknown": {}}"#;
        let listed = Listed::read(json).unwrap();
        assert_eq!(listed.len(), 2);
        assert!(listed[0].standard && listed[0].complaint().is_empty());
        assert_eq!(
            (listed[1].assembly.as_slice(), listed[1].default_godebug.as_str()),
            (&["x.s".to_owned()][..], "a=1")
        );
        assert_eq!(listed[1].module.as_ref().unwrap().go_version.as_deref(), Some("1.26"));
        assert_eq!(listed[1].complaint(), "x.go:1:2: no\nmore");
        assert!(Listed::read(b"{").is_err());
    }
}
