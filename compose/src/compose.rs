//! The function from the bytes of parts to the bytes of the whole, what it takes and gives, and what can be wrong.

use std::fmt::Write as _;

use wac_graph::CompositionGraph;

use crate::{encode, link, name, naming, order, read, resources};

/// One component that may take part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The name by which other parts and messages refer to it.
    pub name: String,
    /// The bytes of the component.
    pub bytes: Vec<u8>,
    /// The names of the parts that it may take its imports from, in any order.
    pub dependencies: Vec<String>,
}

/// Several components that have become one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Composed {
    /// The bytes of the component.
    pub bytes: Vec<u8>,
    /// The imports that other parts serve, sorted.
    pub links: Vec<Link>,
}

/// An import of a part that another part serves.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Link {
    /// The part that imports.
    pub part: String,
    /// The name of the import.
    pub import: String,
    /// The part that exports.
    pub provider: String,
    /// The name of the export. It differs from that of the import if another compatible version is exported.
    pub export: String,
}

/// The reason why parts can't be composed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ComposeError {
    /// There is no part of this name.
    #[error("there is no component `{name}`{}", asked_by(.dependent.as_deref()))]
    UnknownPart {
        /// The name that no part has.
        name: String,
        /// The part that depends on it, or nothing if it is the root.
        dependent: Option<String>,
    },
    /// Two parts have the same name.
    #[error("two components have the name `{part}`")]
    DuplicatePart {
        /// The name that they have.
        part: String,
    },
    /// Parts depend on each other in a circle.
    #[error("components depend on each other in a circle: {}", .path.join(" → "))]
    Circle {
        /// The parts of the circle, each of which depends on the next one. The last one is the first one again.
        path: Vec<String>,
    },
    /// The bytes of a part are a core module.
    #[error("`{part}` is a core module and no component")]
    CoreModule {
        /// The name of the part.
        part: String,
    },
    /// The bytes of a part are a WIT package, which has interfaces and no code.
    #[error("`{part}` is a WIT package, which describes interfaces and has no code")]
    WitPackage {
        /// The name of the part.
        part: String,
    },
    /// The bytes of a part are no valid component.
    #[error("`{part}` is not a valid component: {reason}")]
    Unreadable {
        /// The name of the part.
        part: String,
        /// The reason why its bytes can't be read.
        reason: String,
    },
    /// Several dependencies of a part export what it imports, and none of them is wrapped by another.
    #[error("`{part}` imports `{import}`, and {} export it", list(.candidates))]
    Ambiguous {
        /// The part that imports.
        part: String,
        /// The name of the import.
        import: String,
        /// The dependencies that export it, sorted.
        candidates: Vec<String>,
    },
    /// A dependency exports nothing that the part imports.
    #[error("`{part}` imports nothing from its dependency `{dependency}`{}", unused(.part, .dependency, .imports, .exports, .wraps))]
    Unused {
        /// The part that has the dependency.
        part: String,
        /// The dependency that serves nothing.
        dependency: String,
        /// The imports of the part, sorted.
        imports: Vec<String>,
        /// The exports of the dependency, sorted.
        exports: Vec<String>,
        /// The imports of the dependency that the part exports, sorted. If there are any, the dependency is probably a middleware,
        /// and should depend on the part, not the other way round.
        wraps: Vec<String>,
    },
    /// A dependency exports what a part imports, but with other types.
    #[error("`{part}` imports `{import}`, which `{provider}` exports{} with other types\n{difference}", under(.import, .export))]
    Mismatch {
        /// The part that imports.
        part: String,
        /// The name of the import.
        import: String,
        /// The part that exports.
        provider: String,
        /// The name of the export.
        export: String,
        /// The difference, in words. It may have several lines.
        difference: String,
    },
    /// Two parts import the same from outside, but with types that do not agree.
    #[error("{} import `{import}` from outside, with types that do not agree\n{difference}", list(.parts))]
    Conflict {
        /// The parts that import it.
        parts: Vec<String>,
        /// The name of the import.
        import: String,
        /// The difference.
        difference: String,
    },
    /// An import stays open, but it uses a resource of another part, which nobody outside can know.
    #[error(
        "no dependency of `{part}` exports `{import}`, which uses the resource `{resource}` of `{interface}`; \
         `{provider}` exports that, so nothing outside can provide `{import}`"
    )]
    Enclosed {
        /// The part that imports.
        part: String,
        /// The name of the import that stays open.
        import: String,
        /// The name of the resource.
        resource: String,
        /// The interface that has the resource.
        interface: String,
        /// The part that serves this interface.
        provider: String,
    },
    /// The root exports something that uses a type of another part, for which nobody outside would have a name.
    #[error(
        "`{part}` exports `{export}`, which uses `{name}` of `{interface}`; \
         `{provider}` exports that inside, so nothing outside can use `{export}`"
    )]
    Hidden {
        /// The root.
        part: String,
        /// The name of its export.
        export: String,
        /// The name of the type.
        name: String,
        /// The interface that has the type.
        interface: String,
        /// The part that serves this interface.
        provider: String,
    },
    /// Everything fits by name and structure, but the result is not valid or can't be encoded.
    #[error("the components can't be linked into a valid one: {reason}")]
    Invalid {
        /// The reason.
        reason: String,
    },
}

/// Composes the part `root` with everything that it needs.
///
/// Parts that the root does not need, directly or indirectly, are not looked at, except for their names. A part may import a version that
/// is compatible with the exported one by Cargo's rule for releases; an equal name goes first. A part that imports and exports the same is
/// a *middleware*: among dependencies that export the same, one that gets it from another one goes before it.
///
/// The result is a valid component. It does not depend on the order of parts and dependencies.
///
/// # Errors
/// The parts do not fit together, or one of them is no component.
pub fn compose(root: &str, parts: &[Part]) -> Result<Composed, ComposeError> {
    let parts = order::dependencies_first(root, parts)?;
    let mut graph = CompositionGraph::new();
    let components = read::read(&parts, &mut graph)?;
    let mut links = link::links(&components)?;
    let kept = naming::settle(&components, &mut links, graph.types())?;
    resources::check(&components, &links, graph.types())?;
    let bytes = encode::encode(graph, &components, &links, &kept)?;
    let bytes = match &parts[..] {
        [only] => only.bytes.clone(),
        _ => bytes,
    };
    Ok(Composed { bytes, links: link::named(&components, &links) })
}

fn asked_by(dependent: Option<&str>) -> String {
    dependent.map(|dependent| format!(", on which `{dependent}` depends")).unwrap_or_default()
}

fn under(import: &str, export: &str) -> String {
    if import == export { String::new() } else { format!(" as `{export}`") }
}

/// The number of names that an enumeration shows.
const SHOWN: usize = 8;

/// Says what is imported and exported, and what may be the reason for that.
fn unused(
    part: &str,
    dependency: &str,
    imports: &[String],
    exports: &[String],
    wraps: &[String],
) -> String {
    let mut text = String::new();
    for (who, what, names) in [(part, "imports", imports), (dependency, "exports", exports)] {
        let names = if names.is_empty() { "nothing".to_owned() } else { list(names) };
        let _ = write!(text, "\n`{who}` {what} {names}");
    }
    for import in imports.iter().take(SHOWN) {
        for export in exports.iter().filter(|export| name::base(export) == name::base(import)) {
            let _ = if name::is_same(import, export) {
                write!(text, "\nanother dependency serves `{import}`")
            } else {
                write!(text, "\n`{import}` and `{export}` are not compatible")
            };
        }
    }
    if !wraps.is_empty() {
        let wraps = list(wraps);
        let _ = write!(
            text,
            "\n`{dependency}` imports {wraps}, which `{part}` exports: a middleware depends on what it wraps"
        );
    }
    text
}

/// Writes names as an enumeration, of which a long one is cut off.
fn list(names: &[String]) -> String {
    let mut shown: Vec<_> = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
    if let hidden @ 1.. = names.len().saturating_sub(SHOWN) {
        shown.push(format!("{hidden} more"));
    }
    match shown.pop() {
        Some(last) if shown.is_empty() => last,
        Some(last) => format!("{} and {last}", shown.join(", ")),
        None => String::new(),
    }
}
