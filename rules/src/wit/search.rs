//! Finds the packages that a component's WIT refers to, directly or not.
//!
//! A package is looked for on *shelves*, in this order: the component's own files, its `deps/`, the `.wit`
//! files beside a `wit` that is a single file, the packages that `[dependencies]` names, those that they need, the
//! `deps/` of path dependencies, and what packages in binary form bring along of others. The built-in `wasi:*` texts
//! come last. The first shelf that has the package wins.
//!
//! A reference without a version means the package without a version, on whichever shelf that is. If there is
//! none, it means the newest version on the first shelf that has any. Among the built-in packages, it means
//! the version that `[dependencies]` gives, or else the newest.

use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;

use semver::Version;
use wit_parser::{PackageName, ParsedUsePath, parse_use_path};

use super::complete::{CompleteError, Dependency, MissingPackage};
use super::embedded;
use super::location::Location;
use super::source::{PackageSource, TextFile};

/// A group of packages that have the same rank in the search.
#[derive(Debug)]
pub(super) struct Shelf {
    /// The name of the shelf in messages.
    place: String,
    sources: Vec<Rc<PackageSource>>,
}

/// The packages that a search has found so far.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The sources to put into the folder, by the name of their package. The component's own is not among
    /// them.
    pub(super) sources: BTreeMap<PackageName, Rc<PackageSource>>,
    /// The packages among them that are built in.
    pub(super) built_in: Vec<PackageName>,
    /// The package that each referred name means: the same name, or the version of it that was found.
    pub(super) meaning: BTreeMap<PackageName, PackageName>,
}

/// A search for the packages that `main` needs.
pub(super) struct Search<'a> {
    main: &'a Rc<PackageSource>,
    shelves: &'a [Shelf],
    dependencies: &'a BTreeMap<String, Dependency>,
    deps: Option<&'a Path>,
    pub(super) found: Found,
}

impl Shelf {
    pub(super) fn new(place: String, sources: Vec<Rc<PackageSource>>) -> Self {
        Self { place, sources }
    }

    /// Iterates over all packages of that name on the shelf, whatever their version.
    fn named<'a>(
        &'a self,
        wanted: &'a PackageName,
    ) -> impl Iterator<Item = (&'a PackageName, &'a Rc<PackageSource>)> {
        self.sources
            .iter()
            .flat_map(|source| source.declared.iter().map(move |name| (name, source)))
            .filter(|(name, _)| same_name(name, wanted))
    }

    /// Finds the package itself. If no version is asked for and `newest` is true, it finds the newest of that
    /// name instead.
    fn find(
        &self,
        wanted: &PackageName,
        newest: bool,
    ) -> Result<Option<(PackageName, Rc<PackageSource>)>, CompleteError> {
        let exact = self.named(wanted).find(|(name, _)| *name == wanted);
        let newest = newest && wanted.version.is_none();
        let found = exact.or_else(|| {
            self.named(wanted).filter(|_| newest).max_by_key(|(name, _)| &name.version)
        });
        let Some((name, source)) = found else { return Ok(None) };
        match self.named(name).find(|(other, at)| *other == name && !Rc::ptr_eq(at, source)) {
            None => Ok(Some((name.clone(), Rc::clone(source)))),
            Some((_, other)) => Err(CompleteError::Duplicate {
                package: name.to_string(),
                first: source.files[0].origin.clone(),
                second: other.files[0].origin.clone(),
            }),
        }
    }
}

impl<'a> Search<'a> {
    pub(super) fn new(
        main: &'a Rc<PackageSource>,
        shelves: &'a [Shelf],
        dependencies: &'a BTreeMap<String, Dependency>,
        deps: Option<&'a Path>,
    ) -> Self {
        Self { main, shelves, dependencies, deps, found: Found::default() }
    }

    /// Finds everything that `main`, or the world that the manifest names, refers to.
    pub(super) fn run(&mut self, world: Option<&str>) -> Result<(), CompleteError> {
        let mut queue = vec![Rc::clone(self.main)];
        if let Some(Ok(ParsedUsePath::Package(package, _))) = world.map(parse_use_path) {
            queue.extend(self.require(&package, None)?);
        }
        while let Some(source) = queue.pop() {
            for file in &source.files {
                for reference in &file.scan.references {
                    let place = Some((file, reference.span.start));
                    queue.extend(self.require(&reference.package, place)?);
                }
            }
        }
        Ok(())
    }

    /// Makes sure that the package is among those found. Returns its source if that is new.
    fn require(
        &mut self,
        package: &PackageName,
        place: Option<(&TextFile, usize)>,
    ) -> Result<Option<Rc<PackageSource>>, CompleteError> {
        if self.found.meaning.contains_key(package) {
            return Ok(None);
        }
        let Some((exact, source)) = self.find(package)? else {
            return Err(self.missing(package, place));
        };
        self.found.meaning.insert(package.clone(), exact);
        if Rc::ptr_eq(&source, self.main) || self.found.sources.contains_key(source.name()) {
            return Ok(None);
        }
        self.found.sources.insert(source.name().clone(), Rc::clone(&source));
        Ok(Some(source))
    }

    fn find(
        &mut self,
        package: &PackageName,
    ) -> Result<Option<(PackageName, Rc<PackageSource>)>, CompleteError> {
        for newest in [false, true] {
            for shelf in self.shelves {
                if let Some(found) = shelf.find(package, newest)? {
                    return Ok(Some(found));
                }
            }
        }
        let exact = PackageName { version: self.built_in_version(package), ..package.clone() };
        let Some(text) = embedded::text(&exact) else { return Ok(None) };
        let file = TextFile::new("package.wit", format!("{exact} (built in)"), text);
        self.found.built_in.push(exact.clone());
        let source = PackageSource::new(vec![file]).expect("the built-in texts name themselves");
        Ok(Some((exact, Rc::new(source))))
    }

    fn built_in_version(&self, package: &PackageName) -> Option<Version> {
        let PackageName { namespace, name, version } = package;
        if version.is_some() {
            return version.clone();
        }
        if let Some(requested) = self.requested(package) {
            return embedded::matching(namespace, name, requested);
        }
        embedded::newest(namespace, name)
    }

    fn requested(&self, package: &PackageName) -> Option<&Version> {
        match self.dependencies.get(&format!("{}:{}", package.namespace, package.name))? {
            Dependency::Version(version) => Some(version),
            Dependency::Path(_) => None,
        }
    }

    fn missing(&self, package: &PackageName, place: Option<(&TextFile, usize)>) -> CompleteError {
        let mut available: Vec<String> = self
            .shelves
            .iter()
            .flat_map(|shelf| {
                shelf.named(package).map(|(name, _)| format!("`{name}` in {}", shelf.place))
            })
            .collect();
        let PackageName { namespace, name, version } = package;
        let built_in: Vec<String> =
            embedded::versions(namespace, name).iter().map(Version::to_string).collect();
        if !built_in.is_empty() {
            available.push(format!("built-in `{namespace}:{name}` {}", built_in.join(", ")));
        }
        let looked_for = version.as_ref().or_else(|| self.requested(package)).cloned();
        CompleteError::Missing(Box::new(MissingPackage {
            at: place.map(|(file, offset)| Location::in_text(&file.origin, &file.text, offset)),
            package: PackageName { version: looked_for, ..package.clone() },
            available,
            deps: self.deps.map(Path::to_owned),
        }))
    }
}

fn same_name(a: &PackageName, b: &PackageName) -> bool {
    a.namespace == b.namespace && a.name == b.name
}
