//! The client: what other crates call. Its methods block the thread that calls them, and the work is done on a small
//! runtime of the client's own.
//!
//! Many builds find everything on this machine and ask a server for nothing. So threads are started and certificates of
//! the system are read when something is asked for the first time. What the settings say is checked before that.

use std::fmt;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use cache::{ContentStore, Digest, DigestFunction, reapi};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::failure::with_causes;
use crate::fetch::Content;
use crate::flights::Flights;
use crate::inputs::KnownTrees;
use crate::job::Calls;
use crate::keep::Kept;
use crate::line::{Doing, Line, Patience};
use crate::progress::Progress;
use crate::protocol::Protocol;
use crate::settings::{Settings, Trust};
use crate::sign::{SigningKey, Verdict, verdict};
use crate::tls::SetupError;
use crate::traffic::Traffic;
use crate::trouble::Trouble;

/// The threads that drive connections.
const THREADS: usize = 2;

/// The pause between two checks whether to stop.
const POLL: Duration = Duration::from_millis(50);

/// Says whether the build was cancelled. It is asked again and again.
pub type Cancelled<'a> = &'a (dyn Fn() -> bool + Sync);

/// A client of one cache. Clones are cheap and share everything.
///
/// The methods must not be called on a thread of a tokio runtime.
#[derive(Clone)]
pub struct Client {
    pub(crate) shared: Arc<Shared>,
}

/// The part that all clones share.
pub(crate) struct Shared {
    pub(crate) line: Arc<Line>,
    /// The number of actions that workers could not run as this machine would.
    pub(crate) unfit: AtomicU32,
    settings: Settings,
    /// The part that talks to the server; `None` if it can't be started.
    inner: OnceLock<Option<Inner>>,
}

/// The part of a client that talks to the server.
pub(crate) struct Inner {
    pub(crate) protocol: Arc<Protocol>,
    pub(crate) line: Arc<Line>,
    pub(crate) downloads: Flights,
    pub(crate) uploads: Flights,
    pub(crate) missing: Flights,
    pub(crate) known_trees: KnownTrees,
    pub(crate) signing_key: Option<SigningKey>,
    pub(crate) trust: Trust,
    digest_function: Option<DigestFunction>,
    /// The loops of the three kinds of calls, which end with the client.
    loops: JoinSet<()>,
    runtime: Option<Runtime>,
}

impl Client {
    /// Makes a client. Nothing is connected yet, and no thread is started.
    ///
    /// # Errors
    /// A certificate or a proxy can't be used.
    pub fn new(settings: Settings) -> Result<Self, SetupError> {
        let patience = Patience::new(settings.timeout, settings.retries);
        Self::with_patience(settings, patience)
    }

    /// Makes a client of a cluster. It uploads inputs also where no results are taken.
    ///
    /// # Errors
    /// As for [`Client::new`].
    pub fn for_execution(settings: Settings) -> Result<Self, SetupError> {
        let patience = Patience::new(settings.timeout, settings.retries);
        Self::for_execution_with(settings, patience)
    }

    pub(crate) fn for_execution_with(
        settings: Settings,
        patience: Patience,
    ) -> Result<Self, SetupError> {
        let (bandwidth, host) = (settings.bandwidth, settings.url.host().to_owned());
        let line = Line::new(&host, patience, bandwidth, true).for_execution();
        Self::with_line(settings, line)
    }

    pub(crate) fn with_patience(
        settings: Settings,
        patience: Patience,
    ) -> Result<Self, SetupError> {
        let (bandwidth, upload) = (settings.bandwidth, settings.upload);
        let line = Line::new(settings.url.host(), patience, bandwidth, upload);
        Self::with_line(settings, line)
    }

    fn with_line(settings: Settings, line: Line) -> Result<Self, SetupError> {
        Protocol::check(&settings)?;
        let (line, unfit) = (Arc::new(line), AtomicU32::new(0));
        let shared = Shared { line, unfit, settings, inner: OnceLock::new() };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Asks the server what it can do, and returns the digest function to use: the one that the settings insist on, or else
    /// BLAKE3 if the server has it, or else SHA-256. An HTTP server is not asked; it gets SHA-256.
    ///
    /// # Errors
    /// There is no answer, or the server does not offer the function. The error is not among the troubles that
    /// [`Client::take_troubles`] returns later.
    pub fn negotiate(&self, cancelled: Cancelled<'_>) -> Result<DigestFunction, Trouble> {
        let inner = self.shared.start()?;
        inner.block(cancelled, inner.negotiate()).unwrap_or(Err(Trouble::Cancelled))
    }

    /// Returns the result of the action with this key, if the server has one that can be trusted. None of its blobs need be
    /// on this machine, or on the server.
    pub fn result(&self, key: &Digest, cancelled: Cancelled<'_>) -> Option<reapi::ActionResult> {
        let inner = self.inner()?;
        inner.block(cancelled, inner.result(key)).flatten()
    }

    /// Downloads files, and trees with everything in them, as far as `store` lacks them. Returns `true` if all of it is in the
    /// store now. Calls at the same time have to be for the same store.
    pub fn fetch(
        &self,
        wanted: &[Content],
        store: &ContentStore,
        cancelled: Cancelled<'_>,
    ) -> bool {
        let Some(inner) = self.inner() else { return false };
        inner.block(cancelled, inner.fetch(wanted, store)).unwrap_or(false)
    }

    /// Uploads a result that this machine has made: first all blobs that belong to it and that the server lacks, and then
    /// the result itself, signed if there is a key. The blobs, and the messages that the key is the digest of, have to be in
    /// `store`.
    pub fn keep(
        &self,
        key: &Digest,
        result: &reapi::ActionResult,
        store: &ContentStore,
        cancelled: Cancelled<'_>,
    ) -> Kept {
        let Some(inner) = self.inner() else { return Kept::Failed };
        inner.block(cancelled, inner.keep(key, result, store)).unwrap_or(Kept::Failed)
    }

    /// Returns what went over the wire so far.
    pub fn traffic(&self) -> Traffic {
        self.shared.line.traffic.read()
    }

    /// Returns what went wrong since the last call. Each kind is told once in the life of the client, except for results that
    /// were not trusted: their number since the last call is told.
    pub fn take_troubles(&self) -> Vec<Trouble> {
        self.shared.line.troubles.take()
    }

    /// Tells if nothing is read from the server for the moment, because it failed too often or refused the credentials.
    pub fn is_down(&self) -> bool {
        self.shared.line.is_down()
    }

    /// Tells if it has been asked for something.
    #[cfg(test)]
    pub(crate) fn is_started(&self) -> bool {
        self.shared.inner.get().is_some()
    }

    /// Returns the part that talks to the server, which the first call starts. Returns `None` if it can't be started, which is
    /// noted.
    pub(crate) fn inner(&self) -> Option<&Inner> {
        self.shared
            .start()
            .inspect_err(|trouble| self.shared.line.troubles.note(trouble.clone()))
            .ok()
    }
}

impl Shared {
    fn start(&self) -> Result<&Inner, Trouble> {
        let mut failed = None;
        let inner = self.inner.get_or_init(|| {
            let started = Inner::start(&self.settings, &self.line);
            started.map_err(|error| failed = Some(with_causes(&error))).ok()
        });
        inner.as_ref().ok_or_else(|| {
            let reason = failed.unwrap_or_else(|| "it could not be used before".to_owned());
            Trouble::Unreachable { host: self.line.host.clone(), reason }
        })
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("host", &self.shared.line.host).finish_non_exhaustive()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.loops.abort_all();
        if let Some(runtime) = self.runtime.take() {
            // Waiting for threads could block, and is not allowed everywhere.
            runtime.shutdown_background();
        }
    }
}

impl Inner {
    /// Starts the threads, and sets the protocol up. Nothing is connected yet.
    fn start(settings: &Settings, line: &Arc<Line>) -> Result<Self, SetupError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("remote cache")
            .enable_all()
            .build()
            .map_err(SetupError::Runtime)?;
        let entered = runtime.enter();
        let protocol = Arc::new(Protocol::new(settings, Arc::clone(line))?);
        drop(entered);
        let mut loops = JoinSet::new();
        let mut flights = |doing| {
            let (protocol, line) = (Arc::clone(&protocol), Arc::clone(line));
            let (flights, serve) = Flights::new(Calls { protocol, line, doing });
            loops.spawn_on(serve, runtime.handle());
            flights
        };
        let (downloads, uploads) = (flights(Doing::Download), flights(Doing::Upload));
        let missing = flights(Doing::Missing);
        Ok(Self {
            protocol,
            line: Arc::clone(line),
            downloads,
            uploads,
            missing,
            known_trees: KnownTrees::default(),
            signing_key: settings.signing_key.clone(),
            trust: settings.trust.clone(),
            digest_function: settings.digest_function,
            loops,
            runtime: Some(runtime),
        })
    }

    /// Runs `work` on this thread until it is done or cancelled.
    pub(crate) fn block<T>(
        &self,
        cancelled: Cancelled<'_>,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        let stop = async {
            while !cancelled() {
                tokio::time::sleep(POLL).await;
            }
        };
        let runtime = self.runtime.as_ref()?;
        runtime.block_on(async {
            tokio::select! {
                biased;
                () = stop => None,
                done = work => Some(done),
            }
        })
    }

    async fn negotiate(&self) -> Result<DigestFunction, Trouble> {
        self.ask_capabilities().await.map_err(|trouble| {
            let host = self.line.host.clone();
            let reason = "it failed a moment ago".to_owned();
            let trouble = trouble.unwrap_or(Trouble::Unreachable { host, reason });
            self.line.troubles.told(&trouble);
            trouble
        })?;
        let offered = self.protocol.functions().unwrap_or_default();
        let wanted = match self.digest_function {
            Some(function) => Some(function).filter(|function| offered.contains(function)),
            None => self.protocol.preferred(&offered),
        };
        let (host, function) = (self.line.host.clone(), self.digest_function);
        wanted.ok_or(Trouble::DigestFunction { host, wanted: function })
    }

    /// Makes sure that the server was asked what it can do. Tells if it was.
    pub(crate) async fn prepare(&self) -> bool {
        let asked = self.ask_capabilities().await;
        if let Err(Some(trouble)) = &asked {
            self.line.troubles.note(trouble.clone());
        }
        asked.is_ok()
    }

    /// Fails without a trouble if the breaker is open.
    async fn ask_capabilities(&self) -> Result<(), Option<Trouble>> {
        if self.protocol.functions().is_some() {
            return Ok(());
        }
        let mut call = self.line.call(Doing::Capabilities).ok_or(None)?;
        loop {
            let tried = call.within(&Progress::default(), 0, self.protocol.capabilities()).await;
            if let Some(end) = call.settle(tried).await {
                return end
                    .map_err(|failure| Some(self.line.trouble(failure, Doing::Capabilities)));
            }
        }
    }

    /// Reads a result, and checks its signature.
    pub(crate) async fn result(&self, key: &Digest) -> Option<reapi::ActionResult> {
        let result = self.ask(key).await?;
        let accepted = match verdict(&self.trust.trusted_keys, key, &result) {
            Verdict::Signed => true,
            Verdict::Unsigned => !self.trust.require_signed,
            Verdict::Forged => false,
        };
        if !accepted {
            self.line.troubles.skipped(&self.line.host);
        }
        accepted.then_some(result)
    }

    /// Reads a result, whatever its signature.
    pub(crate) async fn ask(&self, key: &Digest) -> Option<reapi::ActionResult> {
        let _slot = self.protocol.slot().await;
        let mut call = self.line.call(Doing::Result)?;
        loop {
            let progress = Progress::default();
            let tried = call.within(&progress, 0, self.protocol.result(key, &progress)).await;
            if let Some(end) = call.settle(tried).await {
                return end.ok().flatten();
            }
        }
    }

    /// Writes a result. Tells if the server took it.
    pub(crate) async fn publish(&self, key: &Digest, result: &reapi::ActionResult) -> bool {
        let _slot = self.protocol.slot().await;
        let Some(mut call) = self.line.call(Doing::Publish) else { return false };
        loop {
            let published = self.protocol.publish(key, result);
            let tried = call.within(&Progress::default(), 0, published).await;
            if let Some(end) = call.settle(tried).await {
                return end.is_ok();
            }
        }
    }
}
