//! Explains why no versions fit together.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;

use petgraph::visit::EdgeRef as _;
use resolvo::conflict::{ConflictEdge, ConflictGraph, ConflictNode};
use resolvo::{Requirement, SolvableId, VersionSetId};
use semver::Version;

use crate::provider::Provider;
use crate::{Need, Offer, Source};

/// The highest number of chains that are shown for a package.
const MAX_CHAINS: usize = 6;

/// The highest number of versions that are listed of a package.
const MAX_VERSIONS: usize = 12;

/// A version through which a package is needed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Link {
    /// The name of the package.
    pub package: String,
    /// Its version.
    pub version: Version,
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.package, self.version)
    }
}

/// Returns `, which A 1.0.0 → B 2.0.0 needs`, or nothing if the project itself needs it.
pub(crate) fn through(path: &[Link]) -> String {
    let links: Vec<String> = path.iter().map(ToString::to_string).collect();
    match links.is_empty() {
        true => String::new(),
        false => format!(", which {} needs", links.join(" → ")),
    }
}

/// The versions through which a package is needed, from the project on, and the need of the last one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Chain {
    /// The versions; there are none if the project itself has the need.
    pub links: Vec<Link>,
    /// The need.
    pub need: Need,
}

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the project")?;
        for link in &self.links {
            write!(f, " → {link}")?;
        }
        write!(f, " needs {} {}", self.need.package, self.need.requirement)
    }
}

/// The proof that no versions fit together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The chains that contradict each other, by the package that they end at.
    pub chains: BTreeMap<String, Vec<Chain>>,
    /// The versions of these packages that exist, the newest first.
    pub offers: BTreeMap<String, Vec<Offer>>,
}

impl std::error::Error for Conflict {}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self.chains.keys().map(|name| format!("`{name}`")).collect();
        write!(f, "no version of {} fits", names.join(" and of "))?;
        let chains = self.chains.values().map(Vec::len).sum::<usize>();
        f.write_str(if chains > 1 { " everything that needs it:" } else { ":" })?;
        for (package, chains) in &self.chains {
            for chain in chains.iter().take(MAX_CHAINS) {
                write!(f, "\n  {chain}")?;
            }
            if let Some(more) = chains.len().checked_sub(MAX_CHAINS).filter(|more| *more > 0) {
                write!(f, "\n  and {more} more")?;
            }
            let offers = self.offers.get(package).map(Vec::as_slice).unwrap_or_default();
            write!(f, "\n  {}", listed(package, offers))?;
        }
        Ok(())
    }
}

/// Says which versions of a package there are.
fn listed(package: &str, offers: &[Offer]) -> String {
    if offers.is_empty() {
        return format!("there is no version of {package}");
    }
    let version = |offer: &Offer| match offer.is_withdrawn {
        true => format!("{} (withdrawn)", offer.version),
        false => offer.version.to_string(),
    };
    let versions: Vec<String> = offers.iter().take(MAX_VERSIONS).map(version).collect();
    let rest = match offers.len().saturating_sub(MAX_VERSIONS) {
        0 => String::new(),
        rest => format!(" and {rest} older"),
    };
    format!("there is {package} {}{rest}", versions.join(", "))
}

impl Conflict {
    /// Says that no version meets a need of the project itself.
    pub(crate) fn nothing(need: Need, offers: &[Offer]) -> Self {
        let package = need.package.clone();
        let chain = Chain { links: Vec::new(), need };
        Self {
            chains: [(package.clone(), vec![chain])].into(),
            offers: [(package, offers.to_vec())].into(),
        }
    }
}

/// Makes an explanation of the solver's proof: the packages on which needs contradict each other, or that have no version
/// that is accepted, each with the chains of needs that lead to it.
pub(crate) fn explain<S: Source>(
    proof: &ConflictGraph,
    provider: &Provider<'_, S>,
    roots: &[Need],
) -> Conflict {
    let graph = &proof.graph;
    // The shortest way from the project to each version in the proof.
    let mut ways: BTreeMap<SolvableId, Vec<Link>> = BTreeMap::new();
    let mut queue = VecDeque::from([(proof.root_node, Vec::new())]);
    let mut needs: BTreeSet<Chain> = BTreeSet::new();
    while let Some((node, way)) = queue.pop_front() {
        // The edges of a node come in the reverse order of their making.
        let mut edges: Vec<_> = graph.edges(node).map(|edge| (edge.id(), edge.target())).collect();
        edges.reverse();
        for (edge, to) in edges {
            let ConflictEdge::Requires(requirement) = &graph[edge] else { continue };
            for set in version_sets(provider, requirement) {
                let need = need_of(provider, set);
                needs.insert(Chain { links: way.clone(), need });
            }
            if let ConflictNode::Solvable(id) = graph[to]
                && !ways.contains_key(&id)
            {
                let mut way = way.clone();
                way.push(Link {
                    package: provider.name_of(id).package.clone(),
                    version: provider.version_of(id).clone(),
                });
                ways.insert(id, way.clone());
                queue.push_back((to, way));
            }
        }
    }
    let mut by_package: BTreeMap<String, Vec<Chain>> = BTreeMap::new();
    for chain in needs {
        by_package.entry(chain.need.package.clone()).or_default().push(chain);
    }
    let offers_of = |package: &str| provider.offers(package).unwrap_or_default();
    // A package on which all agree is not the reason. What is left contradicts: no version meets all of its needs.
    let contradicts = |package: &str, chains: &[Chain]| {
        !offers_of(package).iter().any(|offer| {
            !offer.is_withdrawn
                && chains.iter().all(|chain| chain.need.requirement.matches(&offer.version))
        })
    };
    let mut chains: BTreeMap<String, Vec<Chain>> = by_package
        .iter()
        .filter(|(package, chains)| contradicts(package, chains))
        .map(|(package, chains)| (package.clone(), chains.clone()))
        .collect();
    if chains.is_empty() {
        chains = by_package;
    }
    if chains.is_empty() {
        let root = |need: &Need| {
            let chain = Chain { links: Vec::new(), need: need.clone() };
            (need.package.clone(), vec![chain])
        };
        chains = roots.iter().map(root).collect();
    }
    for chains in chains.values_mut() {
        chains.sort_by_key(|chain| chain.links.len());
    }
    let offers = chains.keys().map(|package| (package.clone(), offers_of(package))).collect();
    Conflict { chains, offers }
}

fn version_sets<S: Source>(
    provider: &Provider<'_, S>,
    requirement: &Requirement,
) -> Vec<VersionSetId> {
    match requirement {
        Requirement::Single(set) => vec![*set],
        Requirement::Union(union) => {
            provider.pool.resolve_version_set_union(*union).take(1).collect()
        }
    }
}

fn need_of<S: Source>(provider: &Provider<'_, S>, set: VersionSetId) -> Need {
    let name = provider.pool.resolve_version_set_package_name(set);
    Need {
        package: provider.pool.resolve_package_name(name).package.clone(),
        requirement: provider.pool.resolve_version_set(set).requirement().clone(),
    }
}
