//! Leads from the places at which Cargo lists packages of repositories to those at which units see them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The places of packages: for each folder that stands in for a package, the package's folder in its commit. Both are
/// absolute paths in an action.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::lang::rust) struct Places(pub(super) BTreeMap<String, String>);

impl Places {
    /// The input of an action with the places, as JSON.
    pub(in crate::lang::rust) const INPUT: &str = "places.json";
}

/// The variables with paths that are relative to the folder of the package.
const RELATIVE: [&str; 2] = ["CARGO_PKG_README", "CARGO_PKG_LICENSE_FILE"];

impl Places {
    /// Returns a word of a call, or the value of a variable, with the real place in it.
    pub(in crate::lang::rust) fn real(&self, word: String) -> String {
        // Hardly any word is a path, and few packages come from repositories.
        let Some(at) = word.find(self.start()) else { return word };
        let (before, path) = word.split_at(at);
        let stands = |(place, _): &(&String, &String)| {
            let rest = path.strip_prefix(place.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        match self.0.iter().find(stands) {
            Some((place, real)) => format!("{before}{real}{}", &path[place.len()..]),
            None => word,
        }
    }

    /// Corrects the paths in the variables of a package. `folder` is the real one.
    pub(in crate::lang::rust) fn correct(&self, env: &mut BTreeMap<String, String>, folder: &str) {
        let Some((place, _)) = self.0.iter().find(|(_, real)| *real == folder) else { return };
        for (name, value) in env.iter_mut() {
            if RELATIVE.contains(&name.as_str()) && value.starts_with("../") {
                *value = relative(folder, &joined(place, value));
            } else {
                *value = self.real(std::mem::take(value));
            }
        }
    }

    /// Returns what all folders begin with that stand in for packages.
    fn start(&self) -> &str {
        self.0.keys().next().map_or("\0", |place| &place[..place.rfind("/sources/").unwrap_or(0)])
    }
}

/// Returns the path that `path` means in `folder`.
fn joined(folder: &str, path: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').collect();
    for part in path.split('/') {
        match part {
            ".." => _ = parts.pop(),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// Returns the way from `folder` to `path`, both of which are absolute.
fn relative(folder: &str, path: &str) -> String {
    let (from, to): (Vec<&str>, Vec<&str>) =
        (folder.split('/').collect(), path.split('/').collect());
    let common = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let up = from[common..].iter().map(|_| "..");
    up.chain(to[common..].iter().copied()).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places() -> Places {
        let place = |stand_in: &str, real: &str| (stand_in.to_owned(), real.to_owned());
        Places(BTreeMap::from([
            place("/deps/git/sources/0/a-1.0.0", "/deps/git/12ab/crates/a"),
            place("/deps/git/sources/0/a-1.0.0-b", "/deps/git/12ab"),
        ]))
    }

    #[test]
    fn paths_become_those_of_the_commit() {
        let check = |word: &str, expect: &str| assert_eq!(places().real(word.to_owned()), expect);
        check("/deps/git/sources/0/a-1.0.0/src/lib.rs", "/deps/git/12ab/crates/a/src/lib.rs");
        check("/deps/git/sources/0/a-1.0.0", "/deps/git/12ab/crates/a");
        check("/deps/git/sources/0/a-1.0.0-b/build.rs", "/deps/git/12ab/build.rs");
        check("--x=/deps/git/sources/0/a-1.0.0/y", "--x=/deps/git/12ab/crates/a/y");
        check("/deps/vendor/crates/a-1.0.0", "/deps/vendor/crates/a-1.0.0");
        assert_eq!(Places::default().real("/src/lib.rs".to_owned()), "/src/lib.rs");
    }

    #[test]
    fn variables_with_paths_become_those_of_the_commit() {
        let mut env: BTreeMap<String, String> = [
            ("CARGO_MANIFEST_DIR", "/deps/git/sources/0/a-1.0.0"),
            ("CARGO_PKG_README", "../../../12ab/README.md"),
            ("CARGO_PKG_LICENSE_FILE", "LICENSE"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        places().correct(&mut env, "/deps/git/12ab/crates/a");
        let seen: Vec<&str> = env.values().map(String::as_str).collect();
        assert_eq!(seen, ["/deps/git/12ab/crates/a", "LICENSE", "../../README.md"]);
    }
}
