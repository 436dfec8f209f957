//! Makes a graph of instances, and the bytes of the whole from it.
//!
//! Besides handing over the links, this makes up for three things that `wac` does not do:
//!
//! - Imports from outside whose versions are compatible become one, the newest. But `wac` would write some of them under the name that it
//!   met first, so all get the name of the newest in advance.
//! - A world may use types of an interface (`use types.{user}`), which makes them imports of their own. If a dependency serves the
//!   interface, these types have to be its types, too.
//! - Differences of types are told in words ([`difference`]).

use std::collections::{BTreeMap, BTreeSet, HashMap};

use semver::Version;
use wac_graph::types::ItemKind;
use wac_graph::{CompositionGraph, EncodeError, EncodeOptions, InstantiationArgumentError, NodeId};

use crate::link::{Export, Served};
use crate::naming::home;
use crate::read::{Component, guarded};
use crate::{ComposeError, difference, name};

/// Links the components and encodes the whole. The last one is the root, and of the types that its world uses, those in `kept` stay
/// imports.
pub(crate) fn encode(
    mut graph: CompositionGraph,
    components: &[Component<'_>],
    links: &[Served],
    kept: &BTreeSet<String>,
) -> Result<Vec<u8>, ComposeError> {
    let invalid = |reason| ComposeError::Invalid { reason };
    let order = use_newest_names(&mut graph, components, links);
    let mut instances: Vec<_> = order
        .into_iter()
        .map(|index| (index, graph.instantiate(components[index].package)))
        .collect();
    instances.sort_unstable();
    let instances = instances.into_iter().map(|(_, instance)| instance).collect();
    let mut composition = Composition { graph, components, instances, kept };
    for (index, served) in links.iter().enumerate() {
        guarded(|| composition.link(index, served)).map_err(invalid)??;
    }
    guarded(|| composition.export_root()).map_err(invalid)??;
    let options = EncodeOptions { define_components: true, validate: true, processor: None };
    let encoded = guarded(|| composition.graph.encode(options)).map_err(invalid)?;
    encoded.map_err(|error| composition.explain(error, links))
}

/// Names the interfaces of imports after the newest compatible version that stays open. Returns the components in an order in which those
/// that import the newest versions come first, because the first one names what is imported.
fn use_newest_names(
    graph: &mut CompositionGraph,
    components: &[Component<'_>],
    links: &[Served],
) -> Vec<usize> {
    let pairs = || components.iter().zip(links);
    let mut newest: HashMap<String, (Version, &str)> = HashMap::new();
    for (track, version, name) in pairs().flat_map(|(component, served)| open(component, served)) {
        if newest.get(&track).is_none_or(|(known, _)| *known < version) {
            newest.insert(track, (version, name));
        }
    }
    for (_, kind) in components.iter().flat_map(|component| &component.imports) {
        let ItemKind::Instance(id) = kind else { continue };
        let interface = &mut graph.types_mut()[*id];
        let track = interface.id.as_deref().and_then(name::track);
        if let Some((_, name)) = track.and_then(|(track, _)| newest.get(&track)) {
            interface.id = Some((*name).to_owned());
        }
    }
    let older = |(component, served)| {
        let open = open(component, served);
        open.into_iter().filter(|(track, _, name)| newest[track].1 != *name).count()
    };
    let mut order: Vec<(usize, usize)> = pairs().map(older).zip(0..).collect();
    order.sort_unstable();
    order.into_iter().map(|(_, index)| index).collect()
}

/// Returns the imports that stay open and that a compatible version could replace: what they have in common with it, the version and the
/// name.
fn open<'c>(component: &'c Component<'_>, served: &Served) -> Vec<(String, Version, &'c str)> {
    let names = component.imports.iter().map(|(name, _)| name.as_str());
    let open = names.filter(|name| !served.contains_key(*name));
    open.filter_map(|name| name::track(name).map(|(track, version)| (track, version, name)))
        .collect()
}

struct Composition<'c> {
    graph: CompositionGraph,
    components: &'c [Component<'c>],
    /// The instance of each component.
    instances: Vec<NodeId>,
    kept: &'c BTreeSet<String>,
}

impl Composition<'_> {
    /// Gives an instance what other parts serve it.
    fn link(&mut self, index: usize, served: &Served) -> Result<(), ComposeError> {
        let mut nodes = BTreeMap::new();
        for (import, export) in served {
            let node = self.alias(self.instances[export.provider], &export.name)?;
            let set = self.graph.set_instantiation_argument(self.instances[index], import, node);
            set.map_err(|error| self.mismatch(index, import, export, error))?;
            nodes.insert(import.as_str(), node);
        }
        self.link_types(index, &nodes)
    }

    /// Gives an instance the types that its world uses from interfaces that other parts serve it.
    fn link_types(
        &mut self,
        index: usize,
        nodes: &BTreeMap<&str, NodeId>,
    ) -> Result<(), ComposeError> {
        if nodes.is_empty() {
            return Ok(());
        }
        for (import, kind) in &self.components[index].imports {
            let ItemKind::Type(ty) = kind else { continue };
            if index + 1 == self.components.len() && self.kept.contains(import) {
                continue;
            }
            let home = home(self.graph.types(), &self.components[index].imports, import, *ty);
            let Some((interface, name)) = home else { continue };
            let Some(node) = nodes.get(interface) else { continue };
            let name = name.to_owned();
            let node = self.alias(*node, &name)?;
            let set = self.graph.set_instantiation_argument(self.instances[index], import, node);
            set.map_err(|error| ComposeError::Invalid { reason: chain(&error) })?;
        }
        Ok(())
    }

    fn alias(&mut self, instance: NodeId, name: &str) -> Result<NodeId, ComposeError> {
        let alias = self.graph.alias_instance_export(instance, name);
        alias.map_err(|error| ComposeError::Invalid { reason: chain(&error) })
    }

    fn export_root(&mut self) -> Result<(), ComposeError> {
        let (Some(root), Some(instance)) = (self.components.last(), self.instances.last().copied())
        else {
            return Ok(());
        };
        for (name, _) in &root.exports {
            let node = self.alias(instance, name)?;
            let export = self.graph.export(node, name);
            export.map_err(|error| ComposeError::Invalid { reason: chain(&error) })?;
        }
        Ok(())
    }

    fn mismatch(
        &self,
        index: usize,
        import: &str,
        export: &Export,
        error: InstantiationArgumentError,
    ) -> ComposeError {
        let InstantiationArgumentError::ArgumentTypeMismatch { source, .. } = error else {
            return ComposeError::Invalid { reason: chain(&error) };
        };
        let (part, provider) = (&self.components[index], &self.components[export.provider]);
        let types = self.graph.types();
        let imported = types[part.world].imports.get(import).copied();
        let exported = provider.export(&export.name, types);
        let difference = imported.zip(exported);
        let difference = difference
            .and_then(|(imported, exported)| difference::between(types, imported, exported));
        ComposeError::Mismatch {
            part: part.name.to_owned(),
            import: import.to_owned(),
            provider: provider.name.to_owned(),
            export: export.name.clone(),
            difference: difference.unwrap_or_else(|| format!("{source:#}")),
        }
    }

    fn explain(&self, error: EncodeError, links: &[Served]) -> ComposeError {
        match error {
            EncodeError::ImportTypeMergeConflict { import, second, source, .. } => {
                ComposeError::Conflict {
                    parts: self.sharers(&import, second, links),
                    import,
                    difference: format!("{source:#}"),
                }
            }
            EncodeError::ValidationFailure { source } => {
                ComposeError::Invalid { reason: source.to_string() }
            }
            error => ComposeError::Invalid { reason: chain(&error) },
        }
    }

    /// Returns the first part that takes this import from outside, and the one that it does not agree with.
    fn sharers(&self, import: &str, second: NodeId, links: &[Served]) -> Vec<String> {
        let imports = |index: &usize| {
            let mut open = self.components[*index].imports.iter();
            open.any(|(name, _)| name::is_same(name, import) && !links[*index].contains_key(name))
        };
        let second = self.instances.iter().position(|instance| *instance == second);
        let first = (0..self.components.len()).find(imports).filter(|first| Some(*first) != second);
        let parts = first.into_iter().chain(second);
        parts.map(|index| self.components[index].name.to_owned()).collect()
    }
}

/// Writes an error with everything that caused it.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
