//! The places of a lockfile as Node sees them: which package one gets by a name.
//!
//! A place is a folder of the project or a package in the `node_modules` of another place. Node looks a name up in the
//! nearest `node_modules` above, so a place knows the one above it.

use std::collections::{BTreeMap, HashMap};

/// The folder that Node looks packages up in.
pub(super) const MODULES: &str = "node_modules";

/// So many packages may lie in each other. npm puts a package as far up as it can.
const DEEPEST: usize = 100;

/// The places of a lockfile, each with those that lie in it.
pub(super) struct Places<'a, P> {
    nodes: Vec<Place<'a, P>>,
    /// Place and name → the place of the package that lies there under that name.
    inside: HashMap<(usize, &'a str), usize>,
    /// The folders of the project that have packages, apart from that of the lockfile. A package may have the same name.
    folders: HashMap<&'a str, usize>,
}

struct Place<'a, P> {
    above: Option<usize>,
    package: Option<(&'a str, &'a P)>,
}

impl<'a, P> Places<'a, P> {
    const ROOT: usize = 0;

    /// The places of a lockfile's packages.
    ///
    /// # Errors
    /// Too many of them lie in each other.
    pub(super) fn of(packages: &'a BTreeMap<String, P>) -> Result<Self, String> {
        let root = Place { above: None, package: None };
        let mut this = Self { nodes: vec![root], inside: HashMap::new(), folders: HashMap::new() };
        for (place, package) in packages {
            let mut node = Self::ROOT;
            let mut depth = 0;
            let (folder, mut inside) = match place.strip_prefix(&format!("{MODULES}/")) {
                Some(inside) => ("", Some(inside)),
                None => split(place),
            };
            if !folder.is_empty() {
                node = this.enter_folder(folder);
            }
            while let Some(rest) = inside {
                let (name, deeper) = split(rest);
                node = this.enter(node, name);
                inside = deeper;
                depth += 1;
                if depth > DEEPEST {
                    return Err(format!("more than {DEEPEST} packages lie in each other"));
                }
            }
            this.nodes[node].package = Some((place, package));
        }
        Ok(this)
    }

    fn enter(&mut self, above: usize, name: &'a str) -> usize {
        let next = self.nodes.len();
        let node = *self.inside.entry((above, name)).or_insert(next);
        if node == next {
            self.nodes.push(Place { above: Some(above), package: None });
        }
        node
    }

    /// A folder of the project. In the order of the lockfile those that it lies in come before it.
    fn enter_folder(&mut self, folder: &'a str) -> usize {
        if let Some(node) = self.folders.get(folder) {
            return *node;
        }
        let ends = folder.rmatch_indices('/').map(|(end, _)| end);
        let above = ends.filter_map(|end| self.folders.get(&folder[..end])).next();
        let node = self.nodes.len();
        self.nodes.push(Place { above: Some(*above.unwrap_or(&Self::ROOT)), package: None });
        self.folders.insert(folder, node);
        node
    }

    /// What lies at a place, with the lockfile's name for it.
    pub(super) fn package(&self, place: usize) -> Option<(&'a str, &'a P)> {
        self.nodes[place].package
    }

    /// The project in a folder, which is relative to that of the lockfile.
    pub(super) fn folder(&self, folder: &str) -> Option<usize> {
        let index = match folder {
            "" => Self::ROOT,
            folder => *self.folders.get(folder)?,
        };
        self.nodes[index].package.is_some_and(|(place, _)| place == folder).then_some(index)
    }

    /// The package that the one at a place gets by this name: of the nearest folder above.
    pub(super) fn find(&self, from: usize, name: &str) -> Option<(usize, &'a str, &'a P)> {
        let above = |node: &usize| self.nodes[*node].above;
        std::iter::successors(Some(from), above).find_map(|node| {
            let index = *self.inside.get(&(node, name))?;
            let (place, package) = self.nodes[index].package?;
            Some((index, place, package))
        })
    }
}

/// The name at the start of a place, and what lies in its `node_modules`.
fn split(place: &str) -> (&str, Option<&str>) {
    match place.split_once("/node_modules/") {
        Some((name, inside)) => (name, Some(inside)),
        None => (place, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_looked_up_from_the_nearest_folder() {
        let places = [
            "",
            "app",
            "app/inside",
            "app/node_modules/b",
            "node_modules/a",
            "node_modules/a/node_modules/b",
            "node_modules/app",
            "node_modules/b",
        ];
        let packages = places.map(|place| (place.to_owned(), ()));
        let packages = BTreeMap::from(packages);
        let places = Places::of(&packages).unwrap();
        let check = |folder: &str, name: &str, expect: Option<&str>| {
            let found = places.find(places.folder(folder).unwrap(), name);
            assert_eq!(found.map(|(_, place, ())| place), expect, "{folder} {name}");
        };
        check("", "a", Some("node_modules/a"));
        check("", "app", Some("node_modules/app"));
        check("app", "b", Some("app/node_modules/b"));
        check("app/inside", "b", Some("app/node_modules/b"));
        check("app/inside", "a", Some("node_modules/a"));
        check("", "inside", None);
        let (inside, ..) = places.find(places.folder("").unwrap(), "a").unwrap();
        assert_eq!(places.find(inside, "b").unwrap().1, "node_modules/a/node_modules/b");
        assert_eq!(places.folder("a"), None);
    }
}
