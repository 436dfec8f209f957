//! Finds crates whose sources are in the checkout, as `cargo vendor` puts them there.
//!
//! `.cargo/config.toml` says which folder replaces which registry. Cargo reads it in the action and compares
//! the crates with the lockfile. This file only finds out which folders the action has to see, and which
//! crates need not be fetched. Format: the Cargo book, "Source Replacement".

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use toml::{Table, Value};

use super::cargo_config;
use super::error::CargoError;
use crate::path::ProjectPath;

/// The folders of a checkout that replace registries and repositories.
#[derive(Debug, Default)]
pub(super) struct Vendored {
    /// The folders with the crates.
    pub(super) folders: BTreeSet<ProjectPath>,
    /// The sources that these folders replace, as lockfiles spell them, without revisions.
    replaced: BTreeSet<String>,
}

/// The name of the public registry in Cargo's configuration, and the end of its address in lockfiles.
const PUBLIC: (&str, &str) = ("crates-io", "/crates.io-index");

/// The largest length of a chain of replacements. A longer one is a circle.
const LONGEST_CHAIN: usize = 16;

impl Vendored {
    /// Reads the configuration that Cargo sees in the folder `workspace`.
    pub(super) fn find(project: &Path, workspace: &ProjectPath) -> Result<Self, CargoError> {
        let sources = Sources::read(project, workspace);
        let mut vendored = Self::default();
        for name in sources.tables.keys() {
            let Some((last, config, table)) = sources.last(name) else { continue };
            let text = |key: &str| table.get(key).and_then(Value::as_str);
            if last != *name {
                let refuse = |what: String| CargoError::Replacement {
                    config: config.clone(),
                    name: last.to_owned(),
                    what,
                };
                if let Some(kind) =
                    ["local-registry", "git"].into_iter().find(|k| text(k).is_some())
                {
                    return Err(refuse(format!("a `{kind}`")));
                }
                let Some(folder) = text("directory") else { continue };
                let place = config.parent().parent().resolve(folder).ok();
                let place = place.filter(|place| place.on_disk(project).is_dir());
                let missing = || refuse(format!("`{folder}`, which is no folder of the project"));
                vendored.folders.insert(place.ok_or_else(missing)?);
                vendored.replaced.insert(sources.address(name));
            }
        }
        Ok(vendored)
    }

    /// Returns true if the crates of a source are in the checkout. The source is spelt as in a lockfile.
    pub(super) fn replaces(&self, source: &str) -> bool {
        let source = source.split(['?', '#']).next().unwrap_or_default();
        let is_public = source.trim_end_matches('/').ends_with(PUBLIC.1);
        self.replaced.contains(if is_public { PUBLIC.0 } else { source })
    }
}

/// The tables `[source.NAME]`, each with the file that has it.
#[derive(Default)]
struct Sources {
    tables: BTreeMap<String, (ProjectPath, Table)>,
}

impl Sources {
    /// Reads the tables of all configurations.
    fn read(project: &Path, workspace: &ProjectPath) -> Self {
        let mut sources = Self::default();
        for (_, path) in cargo_config::files(project, workspace) {
            let config = cargo_config::read(project, &path);
            let tables = config.get("source").and_then(Value::as_table).into_iter().flatten();
            for (name, table) in tables {
                let Some(table) = table.as_table() else { continue };
                // The folder further in comes first, and its table is kept.
                let place = (path.clone(), Table::new());
                let (_, known) = sources.tables.entry(name.clone()).or_insert(place);
                for (key, value) in table {
                    known.entry(key.clone()).or_insert_with(|| value.clone());
                }
            }
        }
        sources
    }

    /// Follows the replacements of a source to the last one, and returns its name, the file that defines it,
    /// and its table.
    fn last<'a>(&'a self, name: &'a str) -> Option<(&'a str, &'a ProjectPath, &'a Table)> {
        let mut name = name;
        for _ in 0..LONGEST_CHAIN {
            let (config, table) = self.tables.get(name)?;
            match table.get("replace-with").and_then(Value::as_str) {
                Some(next) => name = next,
                None => return Some((name, config, table)),
            }
        }
        None
    }

    /// Returns a source as lockfiles spell it, without its revision.
    fn address(&self, name: &str) -> String {
        let text =
            |key: &str| self.tables.get(name).and_then(|(_, table)| table.get(key)?.as_str());
        match (text("registry"), text("git")) {
            (Some(url), _) if url.starts_with("sparse+") => url.to_owned(),
            (Some(url), _) => format!("registry+{url}"),
            (None, Some(url)) => format!("git+{url}"),
            (None, None) => name.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(config: &str) -> Result<Vendored, String> {
        let project = tempfile::tempdir().unwrap();
        for folder in ["app/.cargo", "app/vendor"] {
            std::fs::create_dir_all(project.path().join(folder)).unwrap();
        }
        std::fs::write(project.path().join("app/.cargo/config.toml"), config).unwrap();
        let workspace = ProjectPath::parse("app").unwrap();
        Vendored::find(project.path(), &workspace).map_err(|error| error.to_string())
    }

    #[test]
    fn sources_that_a_folder_stands_in_for_are_not_fetched() {
        let vendored = find(
            "[source.crates-io]\nreplace-with = \"mirror\"\n\
             [source.mirror]\nregistry = \"sparse+https://mirror/\"\nreplace-with = \"ours\"\n\
             [source.\"git+https://host/a?rev=1\"]\ngit = \"https://host/a\"\nrev = \"1\"\nreplace-with = \"ours\"\n\
             [source.other]\nregistry = \"https://other/\"\n\
             [source.ours]\ndirectory = \"vendor\"\n",
        )
        .unwrap();
        assert_eq!(Vec::from_iter(&vendored.folders), [&ProjectPath::parse("app/vendor").unwrap()]);
        let check = |source: &str, expect: bool| {
            assert_eq!(vendored.replaces(source), expect, "{source}");
        };
        check("registry+https://host/crates.io-index", true);
        check("sparse+https://mirror/", true);
        check("git+https://host/a?rev=1#123456", true);
        check("registry+https://other/", false);
        check("git+https://host/b#123456", false);
    }

    #[test]
    fn a_replacement_that_a_build_does_not_see_is_refused() {
        let check = |end: &str, expect: &str| {
            let text = format!("[source.crates-io]\nreplace-with = \"ours\"\n[source.ours]\n{end}");
            let expect = format!("app/.cargo/config.toml: `source.ours` is {expect}");
            assert_eq!(find(&text).unwrap_err(), expect);
        };
        check("directory = \"none\"", "`none`, which is no folder of the project");
        check("directory = \"../../other\"", "`../../other`, which is no folder of the project");
        check(
            "directory = \"/usr/share/crates\"",
            "`/usr/share/crates`, which is no folder of the project",
        );
        check("local-registry = \"vendor\"", "a `local-registry`");
        check("git = \"https://host/index\"", "a `git`");
    }

    #[test]
    fn without_a_replacement_nothing_is_vendored() {
        let vendored = find("[source.ours]\ndirectory = \"vendor\"").unwrap();
        assert!(
            vendored.folders.is_empty() && !vendored.replaces("registry+https://h/crates.io-index")
        );
        find("[source.a]\nreplace-with = \"b\"\n[source.b]\nreplace-with = \"a\"").unwrap();
        find("broken").unwrap();
    }
}
