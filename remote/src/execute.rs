//! Has a cluster execute an action: sends its inputs, follows it, and brings home what says what it wrote.
//!
//! Only the digests of files come home. The `Tree` messages of folders are read here, because some servers leave the digests
//! of the roots out, and because a folder whose messages are in the store can be an input of the next action without
//! its files.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use cache::{ContentStore, Digest, DigestFunction, Tree, TreeError, reapi};
use prost::Message as _;
use tokio::time::timeout;

use crate::client::{Cancelled, Client, Inner};
use crate::failure::Failure;
use crate::fetch::Content;
use crate::inputs::NotSent;
use crate::line::Doing;
use crate::operation::{Ended, Following, Stage};
use crate::protocol::Protocol;
use crate::trouble::Trouble;

/// The time that an action may take if it has no limit of its own.
const UNLIMITED: Duration = Duration::from_secs(24 * 3600);

/// The time that an action may wait for a worker, on top of the time that it may run.
const QUEUEING: Duration = Duration::from_secs(1800);

/// The time that telling the server to stop an operation may take.
const FAREWELL: Duration = Duration::from_millis(500);

/// The number of times that the inputs of an action are sent again because the server lacks some.
const REPAIRS: u32 = 3;

/// The number of actions that workers can't run after which they are taken for being of the wrong kind.
const UNFIT: u32 = 5;

/// An action to execute. Its messages are in the store, and so is its input root, as far as the server does not have it.
#[derive(Clone, Copy)]
pub struct Execution<'a> {
    /// The digest of the `Action` message.
    pub action: Digest,
    /// The time that the command may take.
    pub timeout: Option<Duration>,
    /// True if a result that the server knows already is of no use.
    pub anew: bool,
    /// Takes what happens to the action.
    pub watch: &'a (dyn Fn(Stage) + Sync),
}

/// The reason why an action has no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotExecuted {
    /// The caller has cancelled it.
    #[error("cancelled")]
    Cancelled,
    /// The command exceeded its time limit.
    #[error("the command exceeded its time limit")]
    TimedOut,
    /// Neither the store nor the server has this blob of the inputs.
    #[error("neither the store nor the cluster has {0}")]
    Missing(Digest),
    /// The server can't be reached, failed, or refused. The same is among the troubles of the client.
    #[error(transparent)]
    Unavailable(Trouble),
}

impl Client {
    /// Executes an action and blocks until it has ended. The result has the digest of each folder's root, and the `Directory`
    /// messages of the folders and the text that the command wrote are in the store.
    ///
    /// # Errors
    /// If there is no result. A command that fails is none of these: its exit code is in the result.
    pub fn execute(
        &self,
        execution: Execution<'_>,
        store: &ContentStore,
        cancelled: Cancelled<'_>,
    ) -> Result<reapi::ActionResult, NotExecuted> {
        let name = Mutex::new(None);
        let Some(inner) = self.inner() else {
            let (host, reason) = (self.host().to_owned(), "there is no client for it".to_owned());
            return Err(NotExecuted::Unavailable(Trouble::NotExecuted { host, reason }));
        };
        let executed = inner.block(cancelled, inner.execute(execution, store, &name));
        executed.unwrap_or_else(|| {
            inner.block(&|| false, inner.call_off(&name));
            Err(NotExecuted::Cancelled)
        })
    }

    /// Asks the server if it executes actions, and returns the digest function to use, as [`Client::negotiate`] does.
    ///
    /// # Errors
    /// It executes none, or does not offer the function, or there is no answer.
    pub fn negotiate_execution(&self, cancelled: Cancelled<'_>) -> Result<DigestFunction, Trouble> {
        let function = self.negotiate(cancelled)?;
        if !self.inner().is_some_and(Inner::executes) {
            let host = self.shared.line.host.clone();
            let reason = "it says that it executes nothing".to_owned();
            return Err(Trouble::NotExecuted { host, reason });
        }
        Ok(function)
    }

    /// Returns the host of the server, with its port.
    pub fn host(&self) -> &str {
        &self.shared.line.host
    }

    /// Tells if it makes sense to execute an action now: the server has not failed again and again, and its workers are not of
    /// the wrong kind.
    pub fn may_execute(&self) -> bool {
        self.shared.line.may_execute() && self.shared.unfit.load(Ordering::Relaxed) < UNFIT
    }

    /// Takes note of a reason for which a worker can't run an action. It is among the troubles then, and after some of them
    /// nothing more is sent.
    pub fn note_unfit(&self, reason: &str) {
        let (host, reason) = (self.shared.line.host.clone(), crate::failure::plain(reason));
        self.shared.line.troubles.note(Trouble::Unfit { host, reason });
        self.shared.unfit.fetch_add(1, Ordering::Relaxed);
    }
}

impl Inner {
    fn executes(&self) -> bool {
        matches!(&*self.protocol, Protocol::Grpc(grpc) if grpc.executes())
    }

    async fn execute(
        &self,
        execution: Execution<'_>,
        store: &ContentStore,
        name: &Mutex<Option<String>>,
    ) -> Result<reapi::ActionResult, NotExecuted> {
        let Protocol::Grpc(grpc) = &*self.protocol else {
            return Err(self.unavailable("it speaks HTTP, which can't execute anything"));
        };
        let Some(mut call) = self.line.call(Doing::Execute) else {
            return Err(self.unavailable("it failed a moment ago"));
        };
        if !self.prepare().await {
            let failed = Failure::Unreachable("it does not say what it can do".to_owned());
            call.settle_last(&failed);
            return Err(self.failed(failed));
        }
        let Execution { action, anew, watch, timeout: limit } = execution;
        let following = Following {
            grpc,
            action,
            anew,
            line: &self.line,
            name,
            is_taken: AtomicBool::new(false),
            watch,
            limit: limit.map(|limit| limit.saturating_add(self.line.staging())),
            until: Mutex::new(None),
        };
        let until = limit.unwrap_or(UNLIMITED).saturating_add(QUEUEING);
        let mut repairs = 0;
        loop {
            watch(Stage::Uploading);
            // At first, the server is believed to have what it had. At the last try, nothing is believed.
            self.send_inputs(&action, store, repairs == 0).await.map_err(|it| self.unsent(it))?;
            let ended = match timeout(until, following.end()).await {
                Ok(ended) => ended,
                Err(_) => {
                    self.call_off(name).await;
                    let reason = format!("no worker took it within {} s", QUEUEING.as_secs());
                    Ended::Failed(Failure::Rejected(reason))
                }
            };
            match ended {
                Ended::Done(result) => {
                    call.succeed();
                    return self.complete(*result, action.function(), store).await;
                }
                Ended::TimedOut => {
                    call.succeed();
                    return Err(NotExecuted::TimedOut);
                }
                Ended::Overdue => {
                    self.call_off(name).await;
                    call.succeed();
                    return Err(NotExecuted::TimedOut);
                }
                Ended::Missing(_) if repairs < REPAIRS => repairs += 1,
                // What was believed may have been wrong, and not every server says so.
                Ended::Failed(Failure::Rejected(_)) if repairs == 0 => repairs = REPAIRS,
                Ended::Missing(digests) => {
                    return Err(NotExecuted::Missing(digests[0]));
                }
                Ended::Forgotten => panic!("BUG: a forgotten operation is asked for again"),
                Ended::Failed(failure) => {
                    call.settle_last(&failure);
                    return Err(self.failed(failure));
                }
            }
        }
    }

    /// Asks the server to stop an operation that nobody waits for any more. The server need not do that.
    async fn call_off(&self, name: &Mutex<Option<String>>) {
        let name = name.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let (Some(name), Protocol::Grpc(grpc)) = (name, &*self.protocol) {
            _ = timeout(FAREWELL, grpc.cancel(&name)).await;
        }
    }

    fn unsent(&self, not_sent: NotSent) -> NotExecuted {
        match not_sent {
            NotSent::Missing(digest) => NotExecuted::Missing(digest),
            NotSent::Failed => self.unavailable("the inputs can't be uploaded"),
            NotSent::Store(failure) => self.failed(failure),
        }
    }

    fn unavailable(&self, reason: &str) -> NotExecuted {
        let (host, reason) = (self.line.host.clone(), reason.to_owned());
        let trouble = Trouble::NotExecuted { host, reason };
        self.line.troubles.note(trouble.clone());
        NotExecuted::Unavailable(trouble)
    }

    fn failed(&self, failure: Failure) -> NotExecuted {
        self.unavailable(&failure.reason())
    }

    /// Brings home the messages of a result's folders and the text that the command wrote.
    async fn complete(
        &self,
        mut result: reapi::ActionResult,
        function: DigestFunction,
        store: &ContentStore,
    ) -> Result<reapi::ActionResult, NotExecuted> {
        let broken = || self.unavailable("its result is not usable");
        let read = |digest: Option<&reapi::Digest>| {
            digest.and_then(|digest| Digest::from_reapi(function, digest).ok())
        };
        let trees = result.output_directories.iter();
        let trees: Option<Vec<Digest>> =
            trees.map(|folder| read(folder.tree_digest.as_ref())).collect();
        let trees = trees.ok_or_else(broken)?;
        let streams = [
            (&result.stdout_raw, &result.stdout_digest),
            (&result.stderr_raw, &result.stderr_digest),
        ];
        let texts = streams.iter().filter(|(raw, _)| raw.is_empty());
        let texts = texts.filter_map(|(_, digest)| read(digest.as_ref()));
        let wanted: Vec<Content> = trees.iter().copied().chain(texts).map(Content::File).collect();
        if !self.fetch(&wanted, store).await {
            return Err(self.unavailable("it does not have what it says that the command wrote"));
        }
        for (folder, tree) in result.output_directories.iter_mut().zip(trees) {
            let root = keep_tree(&tree, store).ok_or_else(broken)?;
            folder.root_directory_digest = Some(root.to_reapi());
        }
        Ok(result)
    }
}

/// Puts the `Directory` messages of a `Tree` message into the store, and returns the digest of its root. Returns `None` if it
/// is malformed or can't be stored.
fn keep_tree(tree: &Digest, store: &ContentStore) -> Option<Digest> {
    let bytes = store.get(tree).ok()??;
    let message = reapi::Tree::decode(&*bytes).ok()?;
    let keep = |directory: &reapi::Directory| -> Option<Digest> {
        let folder: Result<Tree, TreeError> = Tree::from_directory(tree.function(), directory);
        store.put_tree(&folder.ok()?).ok()
    };
    message.children.iter().map(keep).collect::<Option<Vec<_>>>()?;
    keep(message.root.as_ref()?)
}
