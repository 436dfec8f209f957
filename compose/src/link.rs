//! Decides which part serves which import.
//!
//! The candidates for an import are the dependencies that export it, under the same name or in a compatible version. A candidate that
//! gives it to another candidate is *wrapped* by that one, a middleware, and drops out: whoever depends on both means the middleware.
//! This comes before the choice of an equal version, because else another patch version would be enough to go round the middleware. Of
//! what is left, an equal name goes first. The order of the dependencies decides nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use semver::Version;
use wac_graph::types::ItemKind;

use crate::read::{Component, names};
use crate::{ComposeError, Link, name};

/// The imports of a part that others serve, by name.
pub(crate) type Served = BTreeMap<String, Export>;

/// An export of a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Export {
    /// The index of the part.
    pub(crate) provider: usize,
    pub(crate) name: String,
}

/// Links each part with its dependencies, which stand before it.
pub(crate) fn links(components: &[Component<'_>]) -> Result<Vec<Served>, ComposeError> {
    let catalogues: Vec<_> = components.iter().map(Catalogue::new).collect();
    let mut linker = Linker { components, catalogues, sources: Vec::new() };
    let mut all = Vec::with_capacity(components.len());
    for index in 0..components.len() {
        let served = linker.serve(index)?;
        let mut sources: HashMap<String, Vec<usize>> = HashMap::new();
        for (import, export) in &served {
            sources.entry(name::key(import)).or_default().push(export.provider);
        }
        linker.sources.push(sources);
        all.push(served);
    }
    Ok(all)
}

/// Writes links with the names of the parts, sorted.
pub(crate) fn named(components: &[Component<'_>], links: &[Served]) -> Vec<Link> {
    let mut named = Vec::new();
    for (component, served) in components.iter().zip(links) {
        named.extend(served.iter().map(|(import, export)| Link {
            part: component.name.to_owned(),
            import: import.clone(),
            provider: components[export.provider].name.to_owned(),
            export: export.name.clone(),
        }));
    }
    named.sort();
    named
}

/// The exports of a part, to be found by name and by range of compatible versions.
struct Catalogue {
    names: HashSet<String>,
    /// The newest version of each range.
    newest: HashMap<String, (Version, String)>,
}

impl Catalogue {
    fn new(component: &Component<'_>) -> Self {
        let names: HashSet<String> = names(&component.exports).into_iter().collect();
        let mut newest: HashMap<String, (Version, String)> = HashMap::new();
        for name in &names {
            let Some((track, version)) = name::track(name) else { continue };
            if newest.get(&track).is_none_or(|(known, _)| *known < version) {
                newest.insert(track, (version, name.clone()));
            }
        }
        Self { names, newest }
    }

    fn find(&self, import: &str) -> Option<&str> {
        if let Some(name) = self.names.get(import) {
            return Some(name);
        }
        let (track, _) = name::track(import)?;
        self.newest.get(&track).map(|(_, name)| name.as_str())
    }
}

struct Linker<'c> {
    components: &'c [Component<'c>],
    catalogues: Vec<Catalogue>,
    /// For each part that was linked: the parts that serve its imports, by the key of the import.
    sources: Vec<HashMap<String, Vec<usize>>>,
}

impl Linker<'_> {
    fn serve(&self, index: usize) -> Result<Served, ComposeError> {
        let component = &self.components[index];
        let mut served = Served::new();
        let mut used = BTreeSet::new();
        for import in names(&component.imports) {
            let candidates = component.dependencies.iter().filter_map(|provider| {
                let name = self.catalogues[*provider].find(&import)?.to_owned();
                Some(Export { provider: *provider, name })
            });
            let mut candidates: Vec<Export> = candidates.collect();
            let wrapped = self.wrapped(&candidates, &import);
            candidates.retain(|candidate| !wrapped.contains(&candidate.provider));
            // What is wrapped serves the part by way of the middleware.
            used.extend(component.dependencies.iter().filter(|index| wrapped.contains(*index)));
            if candidates.iter().any(|candidate| candidate.name == import) {
                candidates.retain(|candidate| candidate.name == import);
            }
            match candidates.len() {
                0 => {}
                1 => {
                    used.extend(candidates.iter().map(|candidate| candidate.provider));
                    served.extend(candidates.pop().map(|candidate| (import, candidate)));
                }
                _ => return Err(self.ambiguous(component, import, &candidates)),
            }
        }
        match component.dependencies.iter().find(|index| !used.contains(*index)) {
            Some(unused) => Err(unused_dependency(component, &self.components[*unused])),
            None => Ok(served),
        }
    }

    /// Returns all parts that give something of this name to a candidate, directly or through others.
    fn wrapped(&self, candidates: &[Export], import: &str) -> HashSet<usize> {
        let mut wrapped = HashSet::new();
        if candidates.len() < 2 {
            return wrapped;
        }
        let key = name::key(import);
        let mut open: Vec<usize> = candidates.iter().map(|candidate| candidate.provider).collect();
        while let Some(part) = open.pop() {
            let sources = self.sources[part].get(&key).into_iter().flatten();
            open.extend(sources.filter(|source| wrapped.insert(**source)));
        }
        wrapped
    }

    fn ambiguous(
        &self,
        component: &Component<'_>,
        import: String,
        candidates: &[Export],
    ) -> ComposeError {
        let names = candidates.iter().map(|candidate| self.components[candidate.provider].name);
        let mut candidates: Vec<String> = names.map(str::to_owned).collect();
        candidates.sort();
        ComposeError::Ambiguous { part: component.name.to_owned(), import, candidates }
    }
}

fn unused_dependency(component: &Component<'_>, dependency: &Component<'_>) -> ComposeError {
    let exported: HashSet<_> = keys(&component.exports);
    let mut wraps = names(&dependency.imports);
    wraps.retain(|import| exported.contains(&name::key(import)));
    ComposeError::Unused {
        part: component.name.to_owned(),
        dependency: dependency.name.to_owned(),
        imports: names(&component.imports),
        exports: names(&dependency.exports),
        wraps,
    }
}

fn keys(items: &[(String, ItemKind)]) -> HashSet<String> {
    names(items).iter().map(|name| name::key(name)).collect()
}
