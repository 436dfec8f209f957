//! The client: what other crates call. Its methods block the thread that calls them, and the work is done on a small
//! runtime of the client's own.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use cache::{ContentStore, Digest, DigestFunction, reapi};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

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
    pub(crate) inner: Arc<Inner>,
}

/// The part that all clones share.
pub(crate) struct Inner {
    pub(crate) protocol: Arc<Protocol>,
    pub(crate) line: Arc<Line>,
    pub(crate) downloads: Flights,
    pub(crate) uploads: Flights,
    pub(crate) missing: Flights,
    pub(crate) known_trees: KnownTrees,
    /// The number of actions that workers could not run as this machine would.
    pub(crate) unfit: AtomicU32,
    pub(crate) signing_key: Option<SigningKey>,
    pub(crate) trust: Trust,
    digest_function: Option<DigestFunction>,
    /// The loops of the three kinds of calls, which end with the client.
    loops: JoinSet<()>,
    runtime: Option<Runtime>,
}

impl Client {
    /// Makes a client. Nothing is connected yet.
    ///
    /// # Errors
    /// A certificate or a proxy can't be used, or the system has no more threads.
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
        let line = Arc::new(line);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("remote cache")
            .enable_all()
            .build()
            .map_err(SetupError::Runtime)?;
        let entered = runtime.enter();
        let protocol = Arc::new(Protocol::new(&settings, Arc::clone(&line))?);
        drop(entered);
        let mut loops = JoinSet::new();
        let mut flights = |doing| {
            let (protocol, line) = (Arc::clone(&protocol), Arc::clone(&line));
            let (flights, serve) = Flights::new(Calls { protocol, line, doing });
            loops.spawn_on(serve, runtime.handle());
            flights
        };
        let (downloads, uploads) = (flights(Doing::Download), flights(Doing::Upload));
        let missing = flights(Doing::Missing);
        let Settings { signing_key, trust, digest_function, .. } = settings;
        let inner = Inner {
            protocol,
            line,
            downloads,
            uploads,
            missing,
            known_trees: KnownTrees::default(),
            unfit: AtomicU32::new(0),
            signing_key,
            trust,
            digest_function,
            loops,
            runtime: Some(runtime),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Asks the server what it can do, and returns the digest function to use: the one that the settings insist on, or else
    /// BLAKE3 if the server has it, or else SHA-256. An HTTP server is not asked; it gets SHA-256.
    ///
    /// # Errors
    /// There is no answer, or the server does not offer the function. The error is not among the troubles that
    /// [`Client::take_troubles`] returns later.
    pub fn negotiate(&self, cancelled: Cancelled<'_>) -> Result<DigestFunction, Trouble> {
        let negotiated = self.block(cancelled, self.inner.negotiate());
        negotiated.unwrap_or(Err(Trouble::Cancelled))
    }

    /// Returns the result of the action with this key, if the server has one that can be trusted. None of its blobs need be
    /// on this machine, or on the server.
    pub fn result(&self, key: &Digest, cancelled: Cancelled<'_>) -> Option<reapi::ActionResult> {
        self.block(cancelled, self.inner.result(key)).flatten()
    }

    /// Downloads files, and trees with everything in them, as far as `store` lacks them. Returns `true` if all of it is in the
    /// store now. Calls at the same time have to be for the same store.
    pub fn fetch(
        &self,
        wanted: &[Content],
        store: &ContentStore,
        cancelled: Cancelled<'_>,
    ) -> bool {
        self.block(cancelled, self.inner.fetch(wanted, store)).unwrap_or(false)
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
        self.block(cancelled, self.inner.keep(key, result, store)).unwrap_or(Kept::Failed)
    }

    /// Returns what went over the wire so far.
    pub fn traffic(&self) -> Traffic {
        self.inner.line.traffic.read()
    }

    /// Returns what went wrong since the last call. Each kind is told once in the life of the client, except for results that
    /// were not trusted: their number since the last call is told.
    pub fn take_troubles(&self) -> Vec<Trouble> {
        self.inner.line.troubles.take()
    }

    /// Tells if nothing is read from the server for the moment, because it failed too often or refused the credentials.
    pub fn is_down(&self) -> bool {
        self.inner.line.is_down()
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
        let runtime = self.inner.runtime.as_ref()?;
        runtime.block_on(async {
            tokio::select! {
                biased;
                () = stop => None,
                done = work => Some(done),
            }
        })
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("host", &self.inner.line.host).finish_non_exhaustive()
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
