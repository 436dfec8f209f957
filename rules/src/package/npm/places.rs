//! The places of a lockfile, with the lookup of packages by name that Node does.
//!
//! A place is a folder of the project or a package in the `node_modules` of another place. Node looks a name
//! up in the nearest `node_modules` above, so each place knows the place above it. Nothing here knows what a
//! package is.

use std::collections::{BTreeMap, HashMap};

/// The folder in which Node looks for packages.
pub(super) const MODULES: &str = "node_modules";

/// The highest number of packages inside each other that is accepted. npm puts a package as far up as it can,
/// so real projects stay far below.
const DEEPEST: usize = 100;

/// The places of a lockfile as a tree.
pub(super) struct Places<'a, P> {
    nodes: Vec<Place<'a, P>>,
    /// Maps a place and a name to the place of the package that has that name in the place's `node_modules`.
    inside: HashMap<(usize, &'a str), usize>,
    /// The folders of the project that have packages, except the lockfile's own. They are kept apart from
    /// `inside` because a package may have the same name.
    folders: HashMap<&'a str, usize>,
}

struct Place<'a, P> {
    above: Option<usize>,
    package: Option<(&'a str, &'a P)>,
}

impl<'a, P> Places<'a, P> {
    const ROOT: usize = 0;

    /// Builds the tree of places from a lockfile's packages.
    ///
    /// # Errors
    /// Too many packages lie inside each other.
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

    /// Returns the place of a folder of the project, which is added if it is new. Folders above it come first
    /// in the order of the lockfile, so they are already known.
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

    /// Returns the package at a place and its path in the lockfile, if there is a package.
    pub(super) fn package(&self, place: usize) -> Option<(&'a str, &'a P)> {
        self.nodes[place].package
    }

    /// Returns the place of the project in a folder, a path relative to the lockfile's folder. Returns `None`
    /// if the lockfile has no such project.
    pub(super) fn folder(&self, folder: &str) -> Option<usize> {
        let index = match folder {
            "" => Self::ROOT,
            folder => *self.folders.get(folder)?,
        };
        self.nodes[index].package.is_some_and(|(place, _)| place == folder).then_some(index)
    }

    /// Returns the package that Node finds under a name when it is asked from the place `from`. That is the
    /// one in the nearest place above that has the name.
    pub(super) fn find(&self, from: usize, name: &str) -> Option<(usize, &'a str, &'a P)> {
        let above = |node: &usize| self.nodes[*node].above;
        std::iter::successors(Some(from), above).find_map(|node| {
            let index = *self.inside.get(&(node, name))?;
            let (place, package) = self.nodes[index].package?;
            Some((index, place, package))
        })
    }
}

/// Splits a path into the first name and the path inside its `node_modules`.
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
