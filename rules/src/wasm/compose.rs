//! The action that makes one component of a component and those that it depends on.
//!
//! Each part is a finished component, from which the capabilities are taken away that others have and it has not ([`deny`]). The result is checked against the world of the component that depends on the others,
//! and gets its stamp, as [`Finish`](super::Finish) does it. The crate `compose` does the linking; a worker calls it.

use std::collections::{BTreeMap, BTreeSet};

use cache::{ContentStore, Digest};
use compose::{ComposeError, Part};
use engine::{Artifact, Builtin, BuiltinContext, BuiltinError};
use sandbox::WorkerLimits;
use serde::{Deserialize, Serialize};

use super::deny::{DenyError, deny};
use super::{FinishError, Finishing, externs};
use crate::worker::{self, Done, Errand, ErrandError};

/// A version of the code below, which is part of the action's key. It names the crates that influence the result; the tests
/// check these names against Cargo.lock.
const VERSION: &str = "2 wac-graph 0.12.0 wasm-metadata 0.262.0 wit-component 0.262.0";

/// The action *compose*. Its inputs are the files `part-0`, `part-1`, … in the order of [`parts`](Self::parts) and, if the
/// composed component has a world, the completed WIT folder `wit`. Its output is [`Compose::OUTPUT`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compose {
    /// The parts. The first one is the component that depends on the others.
    pub parts: Vec<PlannedPart>,
    /// The check and the stamp of the result.
    pub finishing: Finishing,
    /// The limits of the worker that does it. They are not part of the key.
    pub limits: WorkerLimits,
}

/// A component that takes part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedPart {
    /// The name of the component, or the name and version of a package.
    pub name: String,
    /// The parts that it may take its imports from.
    pub dependencies: Vec<PlannedLink>,
    /// The words of the capabilities that others of the parts have, and that it has not.
    pub denied: Vec<String>,
}

/// A part that another one may take its imports from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedLink {
    /// The name of the part.
    pub name: String,
    /// True if it may turn out that nothing is taken from it. A compiler leaves out imports that the code does not use, so a
    /// component that fits by its world may import nothing.
    pub may_be_unused: bool,
}

/// The errand of [`Compose`] for a worker.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ComposeErrand {
    parts: Vec<PlannedPart>,
    /// The digests of the parts in the store.
    files: Vec<String>,
    finishing: Finishing,
    /// The digest of the completed folder in the store, if there is a world.
    wit: Option<String>,
}

/// The reason why components could not be made into one.
#[derive(Debug, thiserror::Error)]
enum Failed {
    /// They do not fit together.
    #[error(transparent)]
    Compose(Box<ComposeError>),
    /// A capability can't be taken away from one of them.
    #[error(transparent)]
    Deny(#[from] DenyError),
    /// The result is not what the world asks for.
    #[error("the composed component is not what it should be")]
    Finish(Box<FinishError>),
}

impl Compose {
    /// The name of the action's output.
    pub const OUTPUT: &str = super::Finish::OUTPUT;

    /// Returns the name of the input that is this part.
    #[must_use]
    pub fn input(index: usize) -> String {
        format!("part-{index}")
    }
}

impl Builtin for Compose {
    fn name(&self) -> &'static str {
        "compose"
    }

    fn version(&self) -> &'static str {
        VERSION
    }

    fn arguments(&self) -> Vec<String> {
        let Finishing { world, stamp, demand: _, origins: _ } = &self.finishing;
        vec![
            format!("parts {:?}", self.parts),
            format!("world {world:?}"),
            format!("stamp {stamp:?}"),
        ]
    }

    fn run(&self, cx: &BuiltinContext) -> Result<(), BuiltinError> {
        let file = |index| cx.input(&Self::input(index)).digest().to_string();
        let errand = ComposeErrand {
            parts: self.parts.clone(),
            files: (0..self.parts.len()).map(file).collect(),
            finishing: self.finishing.clone(),
            wit: self.finishing.world.as_ref().map(|_| cx.input("wit").digest().to_string()),
        };
        let Done { digest, .. } = worker::run(errand, cx.store(), &self.limits, cx.cancel())?;
        cx.produce(Self::OUTPUT, Artifact::File { digest, executable: false });
        Ok(())
    }
}

impl Errand for ComposeErrand {
    const NAME: &'static str = "compose";

    fn run(self, store: &ContentStore) -> Result<Done, ErrandError> {
        let Self { mut parts, files, finishing, wit } = self;
        let digest =
            |text: &str| text.parse::<Digest>().map_err(|error| BuiltinError::failed(&error));
        let wit = match wit {
            Some(wit) => crate::wit::files(store, &digest(&wit)?, &finishing.origins)?,
            None => Vec::new(),
        };
        let mut bytes = Vec::new();
        for file in &files {
            let file = digest(file)?;
            bytes.push(store.get(&file)?.ok_or(BuiltinError::Missing(file))?);
        }
        let failed = |error: Failed| BuiltinError::failed(&error);
        let composed = composed(&mut parts, bytes).map_err(failed)?;
        let finished = finishing.finish(composed, &wit);
        let finished = finished.map_err(|e| failed(Failed::Finish(Box::new(e))))?;
        Ok(Done { digest: store.put(&finished)?, text: String::new() })
    }
}

/// Composes the parts. A link that may be unused and is unused is left out.
fn composed(parts: &mut [PlannedPart], mut bytes: Vec<Vec<u8>>) -> Result<Vec<u8>, Failed> {
    let bare = bare_names(parts, &bytes);
    leave_out_unused(parts, &bare);
    for (part, bytes) in parts.iter().zip(&mut bytes).filter(|(part, _)| !part.denied.is_empty()) {
        let served =
            |import: &str| part.dependencies.iter().any(|link| exports(&bare, &link.name, import));
        if let Some(without) = deny(&part.name, bytes, &part.denied, served)? {
            *bytes = without;
        }
    }
    link(parts, &bytes).map_err(Failed::Compose)
}

/// Links the parts as they are.
fn link(parts: &mut [PlannedPart], bytes: &[Vec<u8>]) -> Result<Vec<u8>, Box<ComposeError>> {
    loop {
        let given: Vec<Part> = parts
            .iter()
            .zip(bytes)
            .map(|(part, bytes)| Part {
                name: part.name.clone(),
                bytes: bytes.clone(),
                dependencies: part.dependencies.iter().map(|link| link.name.clone()).collect(),
            })
            .collect();
        let error = match compose::compose(&parts[0].name, &given) {
            Ok(composed) => return Ok(composed.bytes),
            Err(error) => Box::new(error),
        };
        let ComposeError::Unused { part, dependency, .. } = &*error else { return Err(error) };
        let Some(planned) = parts.iter_mut().find(|planned| planned.name == *part) else {
            return Err(error);
        };
        let before = planned.dependencies.len();
        planned.dependencies.retain(|link| link.name != *dependency || !link.may_be_unused);
        if planned.dependencies.len() == before {
            return Err(error);
        }
    }
}

/// The names of imports and of exports of each part that can be read, without versions. What can't be read is told by the composition.
type BareNames = BTreeMap<String, (BTreeSet<String>, BTreeSet<String>)>;

fn bare_names(parts: &[PlannedPart], bytes: &[Vec<u8>]) -> BareNames {
    let bare =
        |names: Vec<String>| names.iter().map(|name| without_version(name).to_owned()).collect();
    let names = parts.iter().zip(bytes).filter_map(|(part, bytes)| {
        let found = externs(bytes).ok()?;
        Some((part.name.clone(), (bare(found.imports), bare(found.exports))))
    });
    names.collect()
}

fn without_version(name: &str) -> &str {
    name.split('@').next().unwrap_or_default()
}

/// Tells if a part exports something of this name, in whatever version.
fn exports(names: &BareNames, part: &str, name: &str) -> bool {
    names.get(part).is_some_and(|(_, exports)| exports.contains(without_version(name)))
}

/// Leaves out the links that may be unused and whose parts export nothing that is imported, in whatever version. The names
/// alone say that, so it takes one look at each part. What is left may still be unused, because of a version.
fn leave_out_unused(parts: &mut [PlannedPart], names: &BareNames) {
    for part in parts {
        let Some((imports, _)) = names.get(&part.name) else { continue };
        part.dependencies.retain(|link| match names.get(&link.name) {
            Some((_, exports)) if link.may_be_unused => !imports.is_disjoint(exports),
            _ => true,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wasm::fixture::component;

    const RAND: &str = "interface rand { next: func() -> u32; }";

    fn part(name: &str, dependencies: &[(&str, bool)]) -> PlannedPart {
        let link = |(name, may_be_unused): &(&str, bool)| PlannedLink {
            name: (*name).to_owned(),
            may_be_unused: *may_be_unused,
        };
        let dependencies = dependencies.iter().map(link).collect();
        PlannedPart { name: name.to_owned(), dependencies, denied: Vec::new() }
    }

    #[test]
    fn imports_are_taken_from_dependencies() {
        let app = component(&format!(
            "package a:b;\n{RAND}\nworld app {{ import rand; export run: func(); }}"
        ));
        let rng = component(&format!("package a:b;\n{RAND}\nworld rng {{ export rand; }}"));
        let other = component("package a:c;\nworld other { export f: func(); }");
        let mut parts = [part("app", &[("rng", false)]), part("rng", &[])];
        let whole = composed(&mut parts, vec![app.clone(), rng.clone()]).unwrap();
        let found = externs(&whole).unwrap();
        assert_eq!((found.imports, found.exports), (vec![], vec!["run".to_owned()]));
        // What serves nothing is an error, unless it may be unused.
        let bytes = vec![app, rng, other];
        let links = [("rng", false), ("other", false)];
        let mut parts = [part("app", &links), part("rng", &[]), part("other", &[])];
        let error = composed(&mut parts, bytes.clone()).unwrap_err();
        let unused = matches!(&error, Failed::Compose(error) if matches!(**error, ComposeError::Unused { .. }));
        assert!(unused, "{error}");
        let links = [("rng", false), ("other", true)];
        let mut parts = [part("app", &links), part("rng", &[]), part("other", &[])];
        assert_eq!(composed(&mut parts, bytes).unwrap(), whole);
    }

    #[test]
    fn the_version_names_the_crates_that_do_the_work() {
        crate::wasm::fixture::assert_locked(VERSION);
    }
}
