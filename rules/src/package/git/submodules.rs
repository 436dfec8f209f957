//! Reads which submodules a commit has: where they stand, where they come from, and at which commits.
//!
//! Cargo and git fetch the same ones: those that `.gitmodules` gives an address and does not switch off. This file only
//! knows the forms of git's answers.

use std::collections::BTreeMap;

/// A submodule, pinned by the commit that it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Submodule {
    /// The folder in the commit.
    pub(crate) path: String,
    /// The address as `.gitmodules` has it: a URL, or a path that is relative to the address of the repository.
    pub(crate) url: String,
    pub(crate) commit: String,
}

/// The file that says where submodules come from.
pub(super) const FILE: &str = ".gitmodules";
/// The mode of a submodule in a tree of git.
const GITLINK: &str = "160000 commit ";

/// Reads the submodules of a list of a commit's files: the commit of each, by its path. There are none without
/// the file that says where they come from.
pub(super) fn links(list: &str) -> BTreeMap<String, String> {
    let entries = || list.split_terminator('\0').filter_map(|entry| entry.split_once('\t'));
    if !entries().any(|(_, path)| path == FILE) {
        return BTreeMap::new();
    }
    let links = entries().filter_map(|(about, path)| Some((about.strip_prefix(GITLINK)?, path)));
    links.map(|(commit, path)| (path.to_owned(), commit.to_owned())).collect()
}

/// Gives each submodule the address that it has in the settings of `.gitmodules`.
pub(super) fn with_addresses(links: BTreeMap<String, String>, settings: &str) -> Vec<Submodule> {
    let mut modules: BTreeMap<&str, BTreeMap<&str, &str>> = BTreeMap::new();
    for setting in settings.split_terminator('\0') {
        let Some((key, value)) = setting.split_once('\n') else { continue };
        let name = key.strip_prefix("submodule.").and_then(|rest| rest.rsplit_once('.'));
        if let Some((name, key)) = name {
            modules.entry(name).or_default().insert(key, value);
        }
    }
    let found = links.into_iter().filter_map(|(path, commit)| {
        let is_here = |module: &&BTreeMap<&str, &str>| {
            module.get("path").is_some_and(|at| at.trim_end_matches('/') == path)
        };
        let module = modules.values().find(is_here)?;
        let url = module.get("url").filter(|_| module.get("update") != Some(&"none"))?;
        Some(Submodule { url: (*url).to_owned(), path, commit })
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn submodules_with_an_address_are_listed() {
        let check = |list: &str, settings: &str, expect: &[(&str, &str, &str)]| {
            let found = with_addresses(links(list), settings);
            let expect = expect.iter().map(|(path, url, commit)| Submodule {
                path: (*path).into(),
                url: (*url).into(),
                commit: (*commit).into(),
            });
            assert_eq!(found, expect.collect::<Vec<_>>());
        };
        let list = "100644 blob 11\t.gitmodules\x00160000 commit 22\tlib/a b\x00160000 commit 33\tother\x00";
        let settings = "submodule.a.b.path\nlib/a b\0submodule.a.b.url\n../a.git\0\
                        submodule.other.path\nother\0submodule.other.url\nx\0submodule.flag\0";
        check(list, settings, &[("lib/a b", "../a.git", "22"), ("other", "x", "33")]);
        let off = format!("{settings}submodule.other.update\nnone\0");
        check(list, &off, &[("lib/a b", "../a.git", "22")]);
        check(list, "", &[]);
        check("160000 commit 22\ta\0", settings, &[]);
    }
}
