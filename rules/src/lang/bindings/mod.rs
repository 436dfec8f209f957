//! Bindings from WIT: the source files through which a program in C or Go calls its imports and is called at
//! its exports. A worker generates them.
//!
//! Generating them is an action of its own whose key depends on the WIT alone. So an edit of the sources
//! finds the bindings in the action cache.

pub(super) mod go;

use cache::{ContentStore, Digest, Entry, Tree};
use engine::{Artifact, Builtin, BuiltinContext, BuiltinError};
use sandbox::WorkerLimits;
use serde::{Deserialize, Serialize};
use wit_bindgen_core::{Files, WorldGenerator};
use wit_parser::{Resolve, WorldId};

use crate::wit::{self, InvalidWit, Origins, ResolvedWit, WitFile, WorldError};
use crate::worker::{self, Done, Errand, ErrandError};

/// The version of this code and of the crates that it calls, which is part of the action key. A test compares
/// it with Cargo.lock.
const VERSION: &str = "7 wit-bindgen-c 0.63.0 wit-bindgen-go 0.63.0 wit-parser 0.262.0";

/// The generator to use, by the language of the bindings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Generator {
    /// C: generates `WORLD.h`, `WORLD.c`, and `WORLD_component_type.o`, which describes the world.
    C,
    /// Go: generates packages for the user's module. The functions that the world exports are the user's to
    /// write.
    Go(go::Layout),
}

/// The action that generates bindings. Its input `wit` is a completed WIT folder; its output
/// [`Bindings::OUTPUT`] is a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bindings {
    pub(super) what: WhatToBind,
    /// The limits of the worker. They are not part of the key.
    pub(super) limits: WorkerLimits,
}

/// The world that bindings are generated for, and their language.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct WhatToBind {
    pub(super) generator: Generator,
    /// The name of the world in the input `wit`.
    pub(super) world: String,
    /// The places that the files of `wit` come from. They serve messages only, so they are not part of the
    /// key.
    pub(super) origins: Origins,
}

/// The errand with which a worker is asked for [`Bindings`].
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct GenerateBindings {
    what: WhatToBind,
    /// The digest of the completed WIT folder in the store.
    wit: String,
}

/// An error for which no bindings can be generated.
#[derive(Debug, thiserror::Error)]
enum BindingsError {
    #[error(transparent)]
    Wit(#[from] InvalidWit),
    #[error(transparent)]
    World(#[from] WorldError),
    #[error(transparent)]
    Unfit(#[from] go::Unfit),
    /// The generator cannot express something in the world.
    #[error("world `{world}` has no bindings in {language}: {reason}")]
    Inexpressible { world: String, language: &'static str, reason: String },
}

impl Bindings {
    /// The name of the output.
    pub(super) const OUTPUT: &'static str = "bindings";
}

impl WhatToBind {
    /// Generates the files and returns the path and content of each.
    fn generate(&self, wit: &[WitFile]) -> Result<Vec<(String, Vec<u8>)>, BindingsError> {
        let ResolvedWit { mut resolve, package } = wit::resolve(wit)?;
        let world = wit::select_world(&resolve, package, Some(&self.world), "")?;
        match &self.generator {
            Generator::C => {
                let generator = wit_bindgen_c::Opts::default().build();
                self.files(&mut resolve, world, generator)
            }
            Generator::Go(layout) => {
                layout.check(&resolve, world)?;
                let files = self.files(&mut resolve, world, layout.generator(false))?;
                let stubs = self.files(&mut resolve, world, layout.generator(true))?;
                Ok(layout.complete(files, stubs))
            }
        }
    }

    /// Runs one generator on the world and returns the path and content of each file.
    fn files(
        &self,
        resolve: &mut Resolve,
        world: WorldId,
        mut generator: Box<dyn WorldGenerator>,
    ) -> Result<Vec<(String, Vec<u8>)>, BindingsError> {
        let mut files = Files::default();
        generator.generate(resolve, world, &mut files).map_err(|error| {
            BindingsError::Inexpressible {
                world: self.world.clone(),
                language: self.generator.language(),
                reason: format!("{error:#}"),
            }
        })?;
        Ok(files.iter().map(|(path, bytes)| (path.to_owned(), bytes.to_vec())).collect())
    }
}

impl Generator {
    fn language(&self) -> &'static str {
        match self {
            Self::C => "C",
            Self::Go(_) => "Go",
        }
    }
}

impl Builtin for Bindings {
    fn name(&self) -> &str {
        "bindings"
    }

    fn version(&self) -> &str {
        VERSION
    }

    fn arguments(&self) -> Vec<String> {
        vec![format!("{:?}", self.what.generator), self.what.world.clone()]
    }

    fn run(&self, cx: &BuiltinContext) -> Result<(), BuiltinError> {
        let wit = cx.input("wit").digest().to_string();
        let errand = GenerateBindings { what: self.what.clone(), wit };
        let done = worker::run(errand, cx.store(), &self.limits, cx.cancel())?;
        cx.produce(Self::OUTPUT, Artifact::Tree(done.digest));
        Ok(())
    }
}

impl Errand for GenerateBindings {
    const NAME: &'static str = "bindings";

    /// Generates the files and puts their folder into the store.
    fn run(self, store: &ContentStore) -> Result<Done, ErrandError> {
        let Self { what, wit } = self;
        let failed = |error: &dyn std::error::Error| BuiltinError::failed(error);
        let wit: Digest = wit.parse().map_err(|error| failed(&error))?;
        let wit = wit::files(store, &wit, &what.origins)?;
        let mut tree = Tree::default();
        for (path, bytes) in what.generate(&wit).map_err(|error| failed(&error))? {
            let entry = Entry::File { digest: store.put(&bytes)?, executable: false };
            tree.insert(&path, entry).map_err(|error| failed(&error))?;
        }
        Ok(Done { digest: store.put_tree(&tree)?, text: String::new() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bindings(generator: Generator, world: &str, wit: &str) -> Result<Vec<String>, String> {
        let file = WitFile {
            path: "w.wit".into(),
            text: wit.to_owned().into(),
            origin: "wit/w.wit".into(),
        };
        let bindings =
            WhatToBind { generator, world: world.to_owned(), origins: Origins::default() };
        let files = bindings.generate(&[file]).map_err(|error| error.to_string())?;
        Ok(files.into_iter().map(|(path, _)| path).collect())
    }

    const CALC: &str = "\
package demo:calc;
interface ops { add: func(a: u32, b: u32) -> u32; }
world calc { export ops; }";

    #[test]
    fn bindings_are_generated_in_process() {
        assert_eq!(
            bindings(Generator::C, "calc", CALC).unwrap(),
            ["calc.c", "calc.h", "calc_component_type.o"]
        );
        let go = bindings(Generator::Go(layout(false)), "calc", CALC).unwrap();
        assert_eq!(
            go,
            [
                "exports/export_demo_calc_ops/wit_bindings.go",
                "exports/wit_exports/wit_exports.go",
                "first_argument.go",
                "overlay.json",
                "runtime.mod"
            ]
        );
    }

    fn layout(command: bool) -> go::Layout {
        let package = Some("example.com/calc".to_owned());
        go::Layout {
            package,
            folder: crate::path::ProjectPath::parse("calc").unwrap(),
            vendor: None,
            command,
        }
    }

    #[test]
    fn a_worker_is_asked_for_the_same() {
        for generator in [Generator::C, Generator::Go(layout(true))] {
            let what = WhatToBind { generator, world: "w".into(), origins: Origins::default() };
            let errand = GenerateBindings { what: what.clone(), wit: "digest".into() };
            let json = serde_json::to_vec(&errand).unwrap();
            let read: GenerateBindings = serde_json::from_slice(&json).unwrap();
            assert_eq!((read.what, &*read.wit), (what, "digest"));
        }
    }

    #[test]
    fn a_command_has_to_suit_its_world() {
        let error = bindings(Generator::Go(layout(true)), "calc", CALC).unwrap_err();
        assert_eq!(
            error,
            "world `calc` exports `demo:calc/ops`, but nothing in `calc` imports \
             \"example.com/calc/exports/wit_exports\": add `import _ \
             \"example.com/calc/exports/wit_exports\"` to its main package"
        );
    }

    #[test]
    fn an_async_function_is_told() {
        let check = |wit: &str, function: &str| {
            let error = bindings(Generator::Go(layout(false)), "calc", wit).unwrap_err();
            let expect = format!(
                "world `calc` has the async function `{function}`, and such need another Go"
            );
            assert!(error.starts_with(&expect), "{error}");
        };
        check(&CALC.replace("func(", "async func("), "demo:calc/ops#add");
        check("package a:b; world calc { import f: async func(); }", "f");
    }

    #[test]
    fn a_missing_world_is_told() {
        let error = bindings(Generator::C, "other", CALC).unwrap_err();
        assert_eq!(error, "there is no world `other` in package `demo:calc`, which has `calc`");
    }

    #[test]
    fn the_version_names_the_crates_that_do_the_work() {
        crate::wasm::fixture::assert_locked(VERSION);
    }
}
