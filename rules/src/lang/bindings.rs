//! Bindings from WIT, generated in process: the source files through which a program in C or Go
//! calls its imports and is called at its exports.
//!
//! An action of its own, keyed by the WIT alone, so that an edit of the sources finds it done.

use cache::{Entry, Tree};
use engine::{Artifact, Builtin, BuiltinContext, BuiltinError};
use wit_bindgen_core::{Files, WorldGenerator};
use wit_parser::{Resolve, WorldId};

use super::go;
use crate::wit::{self, InvalidWit, ResolvedWit, WitFile, WorldError};

/// What the code below does besides what its inputs say; the tests hold it against Cargo.lock.
const VERSION: &str = "5 wit-bindgen-c 0.63.0 wit-bindgen-go 0.63.0 wit-parser 0.262.0";

/// Which language the bindings are in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Generator {
    /// C: `WORLD.h`, `WORLD.c`, and `WORLD_component_type.o`, which says what the world is.
    C,
    /// Go: packages for the user's module, in which the exports are the user's to write.
    Go(go::Layout),
}

/// The action that generates bindings. Input: `wit`, a completed folder; output:
/// [`Bindings::OUTPUT`], a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bindings {
    pub(super) generator: Generator,
    /// The world in `wit`.
    pub(super) world: String,
    /// The folder of the project that `wit` stands for. For messages only: not part of the key.
    pub(super) place: String,
}

/// Why there are no bindings.
#[derive(Debug, thiserror::Error)]
enum BindingsError {
    #[error(transparent)]
    Wit(#[from] InvalidWit),
    #[error(transparent)]
    World(#[from] WorldError),
    #[error(transparent)]
    NotLinked(#[from] go::NotLinked),
    /// The generator does not know how to express something of the world.
    #[error("world `{world}` has no bindings in {language}: {reason}")]
    Inexpressible { world: String, language: &'static str, reason: String },
}

impl Bindings {
    /// The name of the output.
    pub(super) const OUTPUT: &'static str = "bindings";

    /// Generates the files: path → content.
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

    /// What one generator makes of the world.
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
        vec![format!("{:?}", self.generator), self.world.clone()]
    }

    fn run(&self, cx: &BuiltinContext) -> Result<(), BuiltinError> {
        let wit = wit::files(cx.store(), cx.input("wit").digest(), &self.place)?;
        let files = self.generate(&wit).map_err(|error| BuiltinError::failed(&error))?;
        let mut tree = Tree::default();
        for (path, bytes) in files {
            let digest = cx.store().put(&bytes)?;
            let entry = Entry::File { digest, executable: false };
            tree.insert(&path, entry).map_err(|error| BuiltinError::failed(&error))?;
        }
        cx.produce(Self::OUTPUT, Artifact::Tree(cx.store().put_tree(&tree)?));
        Ok(())
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
        let bindings = Bindings { generator, world: world.to_owned(), place: "wit".to_owned() };
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
                "exports/doc.go",
                "exports/export_demo_calc_ops/wit_bindings.go",
                "exports/wit_exports/wit_exports.go",
                "imports.json",
                "imports/doc.go",
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
            written: std::collections::BTreeSet::new(),
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
    fn a_missing_world_is_told() {
        let error = bindings(Generator::C, "other", CALC).unwrap_err();
        assert_eq!(error, "there is no world `other` in package `demo:calc`, which has `calc`");
    }

    #[test]
    fn the_version_names_the_crates_that_do_the_work() {
        crate::wasm::fixture::assert_locked(VERSION);
    }
}
