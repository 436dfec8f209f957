//! The pages of `GetTree`: every directory below a root once, parents before their children.
//!
//! All pages come in one stream, each with the token of the next one, so a client whose stream broke can ask for the rest. A token
//! is the number of directories that came before; the order depends on nothing but the tree. What is missing is left out,
//! as the specification says, unless it is the root.

use std::collections::{HashSet, VecDeque};
use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bazel_remote_apis::build::bazel::remote::execution::v2 as proto;
use cache::{ContentStore, Digest};
use prost::Message as _;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio_stream::Stream;
use tonic::Status;

use super::request::digest;
use crate::blocking::blocking;
use crate::failure::Failure;

/// The largest number of bytes of directories in a page, and of directories.
const PAGE_BYTES: usize = 2 << 20;
const PAGE_ENTRIES: usize = 4096;

/// The largest directory that is read.
const LARGEST_DIRECTORY: u64 = 64 << 20;

/// The pages that are left.
pub(super) struct TreePages {
    state: State,
}

enum State {
    Idle(Box<Walk>),
    Reading(JoinHandle<(Box<Walk>, Result<proto::GetTreeResponse, Failure>)>),
    Done,
}

/// A walk through a tree, breadth first.
struct Walk {
    store: ContentStore,
    root: Digest,
    waiting: VecDeque<Digest>,
    seen: HashSet<Digest>,
    skip: u64,
    passed: u64,
    page_entries: usize,
}

impl TreePages {
    pub(super) fn new(
        store: ContentStore,
        root: Digest,
        request: &proto::GetTreeRequest,
    ) -> Result<Self, Failure> {
        let skip = match &*request.page_token {
            "" => 0,
            token => token.parse().map_err(|_| Failure::Invalid("unknown page token".into()))?,
        };
        let asked = usize::try_from(request.page_size)
            .map_err(|_| Failure::Invalid("the page size is negative".into()))?;
        let page_entries = if asked == 0 { PAGE_ENTRIES } else { asked.min(PAGE_ENTRIES) };
        let (waiting, seen) = (VecDeque::from([root]), HashSet::from([root]));
        let walk = Walk { store, root, waiting, seen, skip, passed: 0, page_entries };
        Ok(Self { state: State::Idle(Box::new(walk)) })
    }

    /// Fails if the root is missing or no directory.
    pub(super) async fn checked(self) -> Result<Self, Failure> {
        let State::Idle(walk) = &self.state else { return Ok(self) };
        let (store, root) = (walk.store.clone(), walk.root);
        blocking(move || match read(&store, &root)? {
            Some(_) => Ok(()),
            None => Err(Failure::NotFound(format!("directory {root}"))),
        })
        .await?;
        Ok(self)
    }
}

impl Stream for TreePages {
    type Item = Result<proto::GetTreeResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let State::Idle(_) = &self.state
            && let State::Idle(mut walk) = std::mem::replace(&mut self.state, State::Done)
        {
            self.state = State::Reading(spawn_blocking(move || {
                let page = walk.page();
                (walk, page)
            }));
        }
        let State::Reading(reading) = &mut self.state else { return Poll::Ready(None) };
        let joined = ready!(Pin::new(reading).poll(cx));
        self.state = State::Done;
        let page = joined.map_err(Failure::of_thread).and_then(|(walk, page)| {
            if !walk.waiting.is_empty() && page.is_ok() {
                self.state = State::Idle(walk);
            }
            page
        });
        Poll::Ready(Some(page.map_err(Status::from)))
    }
}

impl Walk {
    fn page(&mut self) -> Result<proto::GetTreeResponse, Failure> {
        let (mut directories, mut bytes) = (Vec::new(), 0);
        while directories.len() < self.page_entries && bytes < PAGE_BYTES {
            let Some(next) = self.waiting.pop_front() else { break };
            let Some(directory) = read(&self.store, &next)? else { continue };
            for node in &directory.directories {
                let child = digest(next.function(), node.digest.as_ref())?;
                if self.seen.insert(child) {
                    self.waiting.push_back(child);
                }
            }
            self.passed += 1;
            if self.passed > self.skip {
                bytes += directory.encoded_len();
                directories.push(directory);
            }
        }
        let is_last = self.waiting.is_empty();
        let next_page_token = if is_last { String::new() } else { self.passed.to_string() };
        Ok(proto::GetTreeResponse { directories, next_page_token })
    }
}

fn read(store: &ContentStore, digest: &Digest) -> Result<Option<proto::Directory>, Failure> {
    if digest.size() > LARGEST_DIRECTORY {
        return Ok(None);
    }
    let Some(bytes) = store.get(digest)? else { return Ok(None) };
    let broken = |_| Failure::Invalid(format!("blob {digest} is not a directory"));
    proto::Directory::decode(&*bytes).map(Some).map_err(broken)
}
