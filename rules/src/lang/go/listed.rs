//! The output of `go list -json` about packages (`go help list`), as far as a build needs it.

use std::collections::BTreeMap;

use serde::Deserialize;

/// The fields to list of a component's packages and of all that they need.
pub(super) const FIELDS: &str = "Dir,ImportPath,Standard,Module,Imports,ImportMap,GoFiles,SFiles,HFiles,IgnoredGoFiles,\
     EmbedPatterns,EmbedFiles,DefaultGODEBUG";

/// A package as the go command lists it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Listed {
    pub(super) import_path: String,
    /// True if it belongs to the standard library.
    pub(super) standard: bool,
    /// Its folder.
    pub(super) dir: String,
    pub(super) module: Option<ListedModule>,
    /// The files that are compiled, by their names in the folder.
    pub(super) go_files: Vec<String>,
    /// The files in assembly.
    #[serde(rename = "SFiles")]
    pub(super) assembly: Vec<String>,
    /// The header files.
    #[serde(rename = "HFiles")]
    pub(super) headers: Vec<String>,
    /// The packages that it imports.
    pub(super) imports: Vec<String>,
    /// The packages that are imported under another path: path in the source text → package.
    pub(super) import_map: BTreeMap<String, String>,
    pub(super) embed_patterns: Vec<String>,
    /// The files that these match, below the folder.
    pub(super) embed_files: Vec<String>,
    /// The value of GODEBUG that is the default for a main package.
    #[serde(rename = "DefaultGODEBUG")]
    pub(super) default_godebug: String,
    /// The files that are not compiled: they are for other systems, or excluded on all.
    pub(super) ignored_go_files: Vec<String>,
}

/// The module of a package.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct ListedModule {
    pub(super) path: String,
    pub(super) version: String,
    /// Its checksum, as in go.sum.
    pub(super) sum: String,
    /// Its folder.
    pub(super) dir: String,
    /// True if it is the component's own module.
    pub(super) main: bool,
    /// The version of the language that it is written in.
    pub(super) go_version: Option<String>,
    pub(super) replace: Option<Box<Self>>,
}

impl Listed {
    /// Reads the go command's answer: one object after the other.
    pub(super) fn read(json: &[u8]) -> Result<Vec<Self>, serde_json::Error> {
        serde_json::Deserializer::from_slice(json).into_iter().collect()
    }

    /// Returns true if it is a package of the project: it belongs to the component's module, or to a folder
    /// that replaces another module. Packages in a folder `vendor` don't count.
    pub(super) fn is_of_project(&self) -> bool {
        let Some(module) = &self.module else { return false };
        let is_folder = |module: &ListedModule| module.path.starts_with('.');
        (module.main || module.replace.as_deref().is_some_and(is_folder))
            && !self.dir.contains("/vendor/")
    }

    /// Returns the files that a build constraint leaves out, except tests.
    pub(super) fn for_other_systems(&self) -> impl Iterator<Item = &str> {
        let files = self.ignored_go_files.iter().map(String::as_str);
        files.filter(|file| !file.ends_with("_test.go"))
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
             "IgnoredGoFiles": ["x_linux.go", "x_linux_test.go"], "Unknown": {}}"#;
        let listed = Listed::read(json).unwrap();
        assert_eq!(listed.len(), 2);
        assert!(listed[0].standard && listed[0].assembly.is_empty());
        assert_eq!(
            (listed[1].assembly.as_slice(), listed[1].default_godebug.as_str()),
            (&["x.s".to_owned()][..], "a=1")
        );
        assert_eq!(listed[1].module.as_ref().unwrap().go_version.as_deref(), Some("1.26"));
        assert!(listed[1].for_other_systems().eq(["x_linux.go"]));
        assert!(Listed::read(b"{").is_err());
    }
}
