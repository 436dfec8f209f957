//! Sends a cluster what an action needs: its messages, and everything in its input root.
//!
//! A toolchain has thousands of files, and all actions of a language have the same one. So a tree that the cluster was seen
//! to have is not looked at again, in this process and, if it is large, in later ones: the store remembers it for each
//! server. A cluster forgets blobs, too. When it says that it lacks one, nothing that was remembered counts, and the
//! whole input root is asked for.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use cache::{ContentStore, Digest, MAX_DEPTH, Memo, reapi};
use prost::Message as _;

use crate::client::Inner;
use crate::failure::Failure;

/// The number of blobs from which on a tree is worth remembering in the store.
const LARGE: usize = 200;

/// The version of what the store remembers.
const VERSION: &str = "run tree of a cluster 1";

/// The trees that a server was seen to have, with everything in them.
#[derive(Debug, Default)]
pub(crate) struct KnownTrees {
    seen: Mutex<HashSet<Digest>>,
    /// A lock for each tree that is being sent, so that many actions at once send a toolchain once.
    sending: Mutex<BTreeMap<Digest, Arc<tokio::sync::Mutex<()>>>>,
}

/// The reason why the inputs are not with the server.
#[derive(Debug)]
pub(crate) enum NotSent {
    /// Neither side has this blob.
    Missing(Digest),
    /// The server or the store failed, which has been noted.
    Failed,
    /// The messages of the action are not in the store, or can't be read.
    Store(Failure),
}

impl From<cache::StoreError> for NotSent {
    fn from(error: cache::StoreError) -> Self {
        match error {
            cache::StoreError::Missing(digest) => Self::Missing(digest),
            error => Self::Store(error.into()),
        }
    }
}

/// The blobs that have to be with the server and are not known to be there.
#[derive(Debug, Default)]
struct Blobs {
    all: BTreeSet<Digest>,
    trees: BTreeSet<Digest>,
    /// The trees at the top of the input root that are worth remembering in the store.
    large: Vec<Digest>,
}

impl KnownTrees {
    fn has(&self, tree: &Digest) -> bool {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).contains(tree)
    }

    fn add(&self, trees: impl IntoIterator<Item = Digest>) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).extend(trees);
    }

    /// Forgets everything, because the server has.
    fn clear(&self) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn lock_of(&self, tree: Digest) -> Arc<tokio::sync::Mutex<()>> {
        let mut sending = self.sending.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(sending.entry(tree).or_default())
    }
}

impl Inner {
    /// Uploads what the server lacks of an action. With `trusting`, it is not asked for trees that it was seen to have.
    pub(crate) async fn send_inputs(
        &self,
        action: &Digest,
        store: &ContentStore,
        trusting: bool,
    ) -> Result<(), NotSent> {
        if !trusting {
            self.known_trees.clear();
        }
        let (messages, root) = read_action(action, store)?;
        let top = store.directory(&root)?.ok_or(NotSent::Missing(root))?;
        // Locks are taken in the order of the digests, so nobody waits in a circle.
        let mut locks = Vec::new();
        let subtrees: BTreeSet<Digest> = top.subtrees().collect();
        for tree in subtrees.into_iter().filter(|tree| !self.known_trees.has(tree)) {
            locks.push(self.known_trees.lock_of(tree).lock_owned().await);
        }
        let mut blobs = self.list(&root, store, trusting)?;
        blobs.all.extend(messages);
        blobs.all.retain(|digest| digest.size() > 0);
        self.send(&blobs.all, store).await?;
        self.known_trees.add(blobs.trees);
        for tree in blobs.large {
            let memo = Memo { tree, text: String::new() };
            _ = store.put_memo(&self.memo_key(&tree), &memo);
        }
        drop(locks);
        Ok(())
    }

    /// Uploads the blobs that the server lacks.
    async fn send(&self, blobs: &BTreeSet<Digest>, store: &ContentStore) -> Result<(), NotSent> {
        let lacking = self.lacking(blobs, store).await.ok_or(NotSent::Failed)?;
        if let Some(lost) = lacking.iter().find(|digest| !store.contains(digest)) {
            return Err(NotSent::Missing(*lost));
        }
        if self.send_all(&lacking, store).await { Ok(()) } else { Err(NotSent::Failed) }
    }

    /// Lists the blobs of an input root that the server is not known to have.
    fn list(&self, root: &Digest, store: &ContentStore, trusting: bool) -> Result<Blobs, NotSent> {
        let mut blobs = Blobs::default();
        let top = store.directory(root)?.ok_or(NotSent::Missing(*root))?;
        blobs.all.insert(*root);
        blobs.all.extend(top.files());
        for tree in top.subtrees() {
            if trusting && (self.known_trees.has(&tree) || self.remembers(&tree, store)) {
                continue;
            }
            let before = blobs.all.len();
            self.list_tree(tree, store, &mut blobs)?;
            if blobs.all.len() - before >= LARGE {
                blobs.large.push(tree);
            }
        }
        Ok(blobs)
    }

    fn list_tree(
        &self,
        tree: Digest,
        store: &ContentStore,
        blobs: &mut Blobs,
    ) -> Result<(), NotSent> {
        let mut open = vec![(tree, 0)];
        while let Some((tree, depth)) = open.pop() {
            if depth > MAX_DEPTH || self.known_trees.has(&tree) || !blobs.trees.insert(tree) {
                continue;
            }
            let folder = store.directory(&tree)?.ok_or(NotSent::Missing(tree))?;
            blobs.all.insert(tree);
            blobs.all.extend(folder.files());
            open.extend(folder.subtrees().map(|child| (child, depth + 1)));
        }
        Ok(())
    }

    /// Tells if the store remembers that the server has a tree.
    fn remembers(&self, tree: &Digest, store: &ContentStore) -> bool {
        let remembers = store.memo(&self.memo_key(tree)).is_some_and(|memo| memo.tree == *tree);
        if remembers {
            self.known_trees.add([*tree]);
        }
        remembers
    }

    fn memo_key(&self, tree: &Digest) -> Digest {
        let (host, instance) = (&self.line.host, self.protocol.instance());
        let question = format!("{VERSION}\n{host}\n{instance}\n{tree}");
        Digest::of(tree.function(), question.as_bytes())
    }
}

/// Returns the digests of an action's messages, and that of its input root.
fn read_action(action: &Digest, store: &ContentStore) -> Result<([Digest; 2], Digest), NotSent> {
    let bytes = store.get(action)?.ok_or(NotSent::Missing(*action))?;
    let unreadable = || NotSent::Store(Failure::Lacking(*action));
    let message = reapi::Action::decode(&*bytes).map_err(|_| unreadable())?;
    let read = |digest: Option<&reapi::Digest>| {
        let digest = digest.and_then(|digest| Digest::from_reapi(action.function(), digest).ok());
        digest.ok_or_else(unreadable)
    };
    let command = read(message.command_digest.as_ref())?;
    Ok(([*action, command], read(message.input_root_digest.as_ref())?))
}
