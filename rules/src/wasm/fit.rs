//! Checks in a worker whether the exports of one component satisfy the imports of another. It compares their worlds, or
//! the component itself if that is ready-made and has no `wit`.
//!
//! `plan/fit.rs` decides which components are compared.

use cache::{ContentStore, Digest, Tree};
use engine::BuiltinError;
use serde::{Deserialize, Serialize};
use wit_parser::{Resolve, WorldId};

use super::check::{decode, misfits, world_name};
use crate::wit::{Origins, ResolvedWit, files, resolve, select_world};
use crate::worker::{Done, Errand, ErrandError, Refused};

/// The source from which a component's imports and exports are known.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Side {
    /// The world that the component is built for.
    World {
        /// The digest of the completed WIT folder in the store.
        folder: String,
        /// The places that its files come from, for messages.
        origins: Origins,
        world: String,
    },
    /// The component itself, by its digest in the store.
    Component { file: String },
}

/// The errand that finds out what does not fit. The text of its result is the end of a sentence, or empty if
/// everything fits.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct FitErrand {
    pub(crate) importer: Side,
    pub(crate) exporter: Side,
}

impl Side {
    fn read(&self, store: &ContentStore) -> Result<(Resolve, WorldId), ErrandError> {
        let digest =
            |text: &str| text.parse::<Digest>().map_err(|error| BuiltinError::failed(&error));
        match self {
            Self::World { folder, origins, world } => {
                let files = files(store, &digest(folder)?, origins)?;
                let ResolvedWit { resolve, package } = resolve(&files).map_err(Refused::from)?;
                let world =
                    select_world(&resolve, package, Some(world), "").map_err(Refused::from)?;
                Ok((resolve, world))
            }
            Self::Component { file } => {
                let file = digest(file)?;
                let bytes = store.get(&file)?.ok_or(BuiltinError::Missing(file))?;
                let failed =
                    |error: String| BuiltinError::failed(&super::CheckError::Undecodable(error));
                Ok(decode(&bytes).map_err(failed)?)
            }
        }
    }
}

impl Errand for FitErrand {
    const NAME: &'static str = "fit";

    fn run(self, store: &ContentStore) -> Result<Done, ErrandError> {
        let (importer, exporter) = (self.importer.read(store)?, self.exporter.read(store)?);
        let text = message((&importer.0, importer.1), (&exporter.0, exporter.1));
        Ok(Done { digest: store.put_tree(&Tree::default())?, text })
    }
}

fn message(importer: (&Resolve, WorldId), exporter: (&Resolve, WorldId)) -> String {
    match misfits(importer, exporter) {
        Some(gaps) if gaps.is_empty() => String::new(),
        Some(gaps) => {
            let gaps: Vec<String> = gaps.iter().map(|gap| format!("\n  {gap}")).collect();
            format!("does not export what this component imports:{}", gaps.concat())
        }
        None => {
            let list = |names: Vec<String>| match names.is_empty() {
                true => "nothing".to_owned(),
                false => names.join(", "),
            };
            let imports = importer.0.worlds[importer.1].imports.keys();
            let imports = imports.map(|key| importer.0.name_world_key(key));
            // WASI interfaces are provided by the host.
            let imports = imports.filter(|name| !name.starts_with("wasi:")).collect();
            let exports = exporter.0.worlds[exporter.1].exports.keys();
            let exports = exports.map(|key| exporter.0.name_world_key(key)).collect();
            format!(
                "exports nothing that this component imports: it exports {}; world `{}` imports {}",
                list(exports),
                world_name(importer.0, importer.1),
                list(imports)
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wasm::fixture;

    fn check(importer: &str, exporter: &str, expect: &str) {
        let (importer, exporter) = (fixture::world(importer), fixture::world(exporter));
        let found = message((&importer.0, importer.1), (&exporter.0, exporter.1));
        assert_eq!(found, expect);
    }

    #[test]
    fn what_is_exported_has_to_be_what_is_imported() {
        let rand = |version: &str, of: &str, number: &str| {
            format!(
                "package a:rng{version};\ninterface rand {{ next: func() -> {number}; }}\n\
                 world w {{ {of} rand; }}"
            )
        };
        let importer = rand("@1.0.0", "import", "u64");
        check(&importer, &rand("@1.0.0", "export", "u64"), "");
        // Versions are compared as linkers do it.
        check(&importer, &rand("@1.2.0", "export", "u64"), "");
        check(
            &importer,
            &rand("@1.0.0", "export", "u32"),
            "does not export what this component imports:\n  \
             export `a:rng/rand@1.0.0` differs (asked for in wit/world.wit:2:18)\n    \
             expected `next: func() -> u64`\n    found    `next: func() -> u32`",
        );
        check(
            &importer,
            &rand("@2.0.0", "export", "u64"),
            "does not export what this component imports:\n  interface `a:rng/rand@1.0.0` is not exported; \
             `a:rng/rand@2.0.0` is",
        );
        check(
            &importer,
            "package a:b;\nworld w { export f: func(); }",
            "exports nothing that this component imports: it exports f; world `a:rng/w@1.0.0` imports \
             a:rng/rand@1.0.0",
        );
    }
}
