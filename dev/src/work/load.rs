//! Turns what was built into components that run, and tries each of them before it is put into service.

use std::sync::Arc;
use std::time::Duration;

use cache::{ContentStore, Digest};
use engine::{ActionId, Outcome};
use runtime::{Buckets, Grants, Handler, Limits, Loaded, Network};
use tokio::runtime::Handle;

use crate::compiled::{CodeError, Compiler, Program, program_of};
use crate::grants::Offer;
use crate::log::ComponentLog;
use crate::site::Served;

/// The time that a component has for its response.
const DEADLINE: Duration = Duration::from_secs(60);

/// The memory of an instance in bytes.
const MEMORY: u64 = 1 << 30;

/// The largest body of a request in bytes.
const LONGEST_BODY: u64 = 64 << 20;

/// Loads components.
pub(crate) struct Loader {
    pub(crate) compiler: Compiler,
    pub(crate) handle: Handle,
    /// The variables that can be granted.
    pub(crate) offer: Offer,
    pub(crate) network: Option<Network>,
    /// The key-value stores, which outlive the versions of components.
    pub(crate) buckets: Buckets,
}

/// A component that was loaded.
#[derive(Clone)]
pub(crate) enum Runnable {
    /// It answers requests.
    Handler(Arc<Served>),
    /// It is a command.
    Command(Loaded, Arc<ComponentLog>),
    /// It can't be run as it is.
    Library,
}

/// The reason why a component can't be put into service.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unusable {
    #[error(transparent)]
    Code(#[from] CodeError),
    #[error("it cannot start: {0}")]
    Instance(String),
    #[error(transparent)]
    Handler(#[from] runtime::NotAHandler),
}

/// The version of a component that is to be loaded.
pub(crate) struct Version<'a> {
    pub(crate) name: &'a str,
    pub(crate) grants: &'a Grants,
    pub(crate) digest: Digest,
    /// The action that has compiled it.
    pub(crate) code: ActionId,
    pub(crate) log: Arc<ComponentLog>,
}

impl Loader {
    /// Loads a version of a component, and makes an instance of it to see that it starts.
    pub(crate) fn load(
        &self,
        store: &ContentStore,
        outcome: &Outcome,
        version: &Version<'_>,
    ) -> Result<Runnable, Unusable> {
        let Some(loaded) = self.compiler.load(store, outcome, version.code)? else {
            return Ok(Runnable::Library);
        };
        let programs: Vec<Program> =
            loaded.exports().iter().filter_map(|export| program_of(export)).collect();
        let is_handler = programs.contains(&Program::Handler);
        let limits =
            Limits { memory: MEMORY, timeout: is_handler.then_some(DEADLINE), body: LONGEST_BODY };
        let loaded = loaded.granting(version.grants.clone()).limited(limits);
        let loaded = loaded.logging_to(version.log.clone()).keeping(self.buckets.clone());
        let loaded = loaded.through(self.network.clone());
        if programs.is_empty() {
            return Ok(Runnable::Library);
        }
        self.handle.block_on(loaded.try_instance()).map_err(Unusable::Instance)?;
        if !is_handler {
            return Ok(Runnable::Command(loaded, Arc::clone(&version.log)));
        }
        let handler: Handler = loaded.handler()?;
        let (component, digest) = (version.name.to_owned(), version.digest);
        let log = Arc::clone(&version.log);
        Ok(Runnable::Handler(Arc::new(Served { component, digest, handler, log })))
    }
}
