//! The last action of every component. It turns what a compiler made into a checked and stamped component.
//!
//! A core module is made into a component, and a component is taken as it is. The result is validated and, if
//! the component has WIT, checked against its world. A ready-made component keeps its bytes: it gets no
//! stamp.

use cache::{ContentStore, Digest};
use engine::{Artifact, Builtin, BuiltinContext, BuiltinError};
use sandbox::WorkerLimits;
use serde::{Deserialize, Serialize};
use wit_parser::{Resolve, WorldId};

use super::check::{check_decoded, decode};
use super::{
    CheckError, ComponentizeError, Demand, InvalidWasm, Kind, Stamp, StampError, Ungranted,
    componentize, demand, stamp, validate,
};
use crate::wit::{InvalidWit, Origins, ResolvedWit, WitFile, WorldError, resolve, select_world};
use crate::worker::{self, Done, Errand, ErrandError};

/// A version of the code below, which is part of the action's key. It names the crates that influence the
/// result; the tests check these names against Cargo.lock.
const VERSION: &str = "4 wit-component 0.262.0 wasm-metadata 0.262.0 \
                       wasi-preview1-component-adapter-provider 48.0.8";

/// The action *finish*. Its inputs are the file `in` and, if there is a [`world`](Finishing::world), the
/// completed WIT folder `wit`. Its output is [`Finish::OUTPUT`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finish {
    /// The work to do.
    pub finishing: Finishing,
    /// The limits of the worker that does it. They are not part of the key.
    pub limits: WorkerLimits,
}

/// The work that finishes a component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finishing {
    /// The world in `wit` that the component is checked against. `None` if the component has no WIT.
    pub world: Option<String>,
    /// The metadata to write into the component. `None` leaves its bytes as they are.
    pub stamp: Option<Box<Stamp>>,
    /// The capabilities whose interfaces the component may not import.
    pub demand: Demand,
    /// The places that the files of `wit` come from. They are used in messages only, and are not part of the
    /// key.
    pub origins: Origins,
}

/// The errand of [`Finish`] for a worker.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct FinishErrand {
    finishing: Finishing,
    /// The digest of the file in the store.
    input: String,
    /// The digest of the completed folder in the store, if there is a world.
    wit: Option<String>,
}

/// The reason why a component could not be finished.
#[derive(Debug, thiserror::Error)]
pub enum FinishError {
    /// The input is not WebAssembly, or the result is not valid.
    #[error(transparent)]
    Wasm(#[from] InvalidWasm),
    /// The file is too long.
    #[error("it has {length} bytes; the limit for a component is {LONGEST} (1 GiB)")]
    TooLong {
        /// The length of the file in bytes.
        length: u64,
    },
    /// The file is a core module, and there is no WIT that says which component it should become.
    #[error("this is a core module, not a component; give the component a `wit` to make it one")]
    CoreModule,
    /// The WIT does not parse.
    #[error(transparent)]
    Wit(#[from] InvalidWit),
    /// The world does not exist.
    #[error(transparent)]
    World(#[from] WorldError),
    /// The core module does not fit the world.
    #[error(transparent)]
    Componentize(#[from] ComponentizeError),
    /// The component does not fit the world.
    #[error(transparent)]
    Check(#[from] CheckError),
    /// The component imports what it is not granted.
    #[error(transparent)]
    Ungranted(#[from] Ungranted),
    /// The stamp could not be written.
    #[error(transparent)]
    Stamp(#[from] StampError),
}

impl Finish {
    /// The name of the action's output.
    pub const OUTPUT: &str = "component.wasm";
}

impl Finishing {
    /// Makes the finished component. This is the work itself, as a function of bytes. `wit` is used only if
    /// there is a world.
    pub fn finish(&self, input: Vec<u8>, wit: &[WitFile]) -> Result<Vec<u8>, FinishError> {
        let kind = Kind::of(&input)?;
        let world = self.world.as_ref().map(|name| world(wit, name)).transpose();
        let (component, world) = match kind {
            Kind::Module => {
                let (resolve, world) = world?.ok_or(FinishError::CoreModule)?;
                (componentize(&input, &resolve, world, None)?, Some((resolve, world)))
            }
            Kind::Component => {
                validate(&input)?;
                (input, world?)
            }
        };
        self.check(&component, world.as_ref())?;
        match &self.stamp {
            Some(facts) => Ok(stamp(&component, facts)?),
            None => Ok(component),
        }
    }
}

impl Finishing {
    /// Checks a component against its world and against its capabilities.
    fn check(
        &self,
        component: &[u8],
        world: Option<&(Resolve, WorldId)>,
    ) -> Result<(), FinishError> {
        if world.is_none() && self.demand.denied.is_empty() {
            return Ok(());
        }
        let (found, found_world) = decode(component).map_err(CheckError::Undecodable)?;
        if let Some((resolve, world)) = world {
            check_decoded((&found, found_world), resolve, *world)?;
        }
        Ok(demand::check((&found, found_world), &self.demand)?)
    }
}

/// The maximum length of a module or component in bytes. WebAssembly's tools agree on this limit for modules.
pub(crate) const LONGEST: u64 = 1 << 30;

fn check_length(length: u64) -> Result<(), BuiltinError> {
    let error = FinishError::TooLong { length };
    if length > LONGEST { Err(BuiltinError::failed(&error)) } else { Ok(()) }
}

fn world(wit: &[WitFile], name: &str) -> Result<(Resolve, WorldId), FinishError> {
    let ResolvedWit { resolve, package } = resolve(wit)?;
    let world = select_world(&resolve, package, Some(name), "")?;
    Ok((resolve, world))
}

impl Builtin for Finish {
    fn name(&self) -> &'static str {
        "finish"
    }

    fn version(&self) -> &'static str {
        VERSION
    }

    fn arguments(&self) -> Vec<String> {
        let Finishing { world, stamp, demand, origins: _ } = &self.finishing;
        let denied = &demand.denied;
        vec![format!("world {world:?}"), format!("stamp {stamp:?}"), format!("denied {denied:?}")]
    }

    fn run(&self, cx: &BuiltinContext) -> Result<(), BuiltinError> {
        let input = cx.input("in").digest().to_string();
        let wit = self.finishing.world.as_ref().map(|_| cx.input("wit").digest().to_string());
        let errand = FinishErrand { finishing: self.finishing.clone(), input, wit };
        let Done { digest, .. } = worker::run(errand, cx.store(), &self.limits, cx.cancel())?;
        cx.produce(Self::OUTPUT, Artifact::File { digest, executable: false });
        Ok(())
    }
}

impl Errand for FinishErrand {
    const NAME: &'static str = "finish";

    /// Finishes a component that is in the store, and puts the result into the store.
    fn run(self, store: &ContentStore) -> Result<Done, ErrandError> {
        let Self { finishing, input, wit } = self;
        let digest =
            |text: &str| text.parse::<Digest>().map_err(|error| BuiltinError::failed(&error));
        let wit = match wit {
            Some(wit) => crate::wit::files(store, &digest(&wit)?, &finishing.origins)?,
            None => Vec::new(),
        };
        let input = digest(&input)?;
        check_length(input.size())?;
        let bytes = store.get(&input)?.ok_or(BuiltinError::Missing(input))?;
        let component =
            finishing.finish(bytes, &wit).map_err(|error| BuiltinError::failed(&error))?;
        Ok(Done { digest: store.put(&component)?, text: String::new() })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::wasm::externs;
    use crate::wasm::fixture::{component, module};

    const CALC: &str = "\
package demo:calc;
interface ops { add: func(a: u32, b: u32) -> u32; }
world calc { export ops; }";

    fn origins(file: &str) -> Origins {
        let (path, origin) = ("world.wit".to_owned(), file.to_owned());
        Origins::of(&[WitFile { path, text: "".into(), origin }])
    }

    fn wit() -> Vec<WitFile> {
        vec![origins("wit/world.wit").file("world.wit".into(), CALC.into())]
    }

    fn finish(world: Option<&str>, name: Option<&str>) -> Finishing {
        let stamp =
            name.map(|name| Box::new(Stamp { name: Some(name.into()), ..Stamp::default() }));
        let (demand, origins) = (Demand::default(), Origins::default());
        Finishing { world: world.map(str::to_owned), stamp, demand, origins }
    }

    #[test]
    fn a_module_becomes_a_component() {
        let finished = finish(Some("calc"), Some("api")).finish(module(CALC), &wit()).unwrap();
        assert_eq!(externs(&finished).unwrap().exports, ["demo:calc/ops"]);
    }

    #[test]
    fn a_component_that_is_not_stamped_keeps_its_bytes() {
        let bytes = component(CALC);
        assert_eq!(finish(None, None).finish(bytes.clone(), &[]).unwrap(), bytes);
        assert_eq!(finish(Some("calc"), None).finish(bytes.clone(), &wit()).unwrap(), bytes);
        let stamped = finish(Some("calc"), Some("api")).finish(bytes.clone(), &wit()).unwrap();
        assert_ne!(stamped, bytes);
        assert_eq!(finish(Some("calc"), Some("api")).finish(bytes, &wit()).unwrap(), stamped);
    }

    #[test]
    fn what_is_refused() {
        #[track_caller]
        fn check(finish: &Finishing, input: &[u8], expect: &str) {
            assert_eq!(finish.finish(input.to_vec(), &wit()).unwrap_err().to_string(), expect);
        }
        check(&finish(None, None), b"text", "not a WebAssembly binary");
        check(
            &finish(None, None),
            &module(CALC),
            "this is a core module, not a component; give the component a `wit` to make it one",
        );
        check(
            &finish(Some("calc"), None),
            &component("world w {}"),
            "the component does not fit world `demo:calc/calc`:\n  \
             interface `demo:calc/ops` is not exported (asked for in wit/world.wit:3:21)",
        );
        check(
            &finish(Some("other"), None),
            &component(CALC),
            "there is no world `other` in package `demo:calc`, which has `calc`",
        );
    }

    #[test]
    fn everything_that_decides_is_in_the_key() {
        let arguments = |finishing: Finishing, memory| {
            let limits = WorkerLimits { timeout: Duration::from_secs(1), memory };
            Finish { finishing, limits }.arguments()
        };
        let base = finish(Some("calc"), Some("api"));
        let expect = arguments(base.clone(), 1);
        assert_ne!(expect, arguments(finish(Some("other"), Some("api")), 1));
        assert_ne!(expect, arguments(finish(None, Some("api")), 1));
        assert_ne!(expect, arguments(finish(Some("calc"), Some("other")), 1));
        assert_ne!(expect, arguments(finish(Some("calc"), None), 1));
        let denied = Demand { denied: vec!["clock".to_owned()], ..Demand::default() };
        assert_ne!(expect, arguments(Finishing { demand: denied, ..base.clone() }, 1));
        let told = Demand { granted: vec!["clock".to_owned()], ..Demand::default() };
        assert_eq!(expect, arguments(Finishing { demand: told, ..base.clone() }, 1));
        assert_eq!(expect, arguments(Finishing { origins: origins("else.wit"), ..base }, 2));
    }

    #[test]
    fn the_version_names_the_crates_that_do_the_work() {
        crate::wasm::fixture::assert_locked(VERSION);
    }
}
