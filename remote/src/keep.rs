//! Uploads a result with everything that belongs to it. The result goes last, so that no other machine finds a result
//! whose blobs are not there yet.

use std::collections::BTreeSet;

use cache::{ContentStore, Digest, reapi};

use crate::client::Inner;
use crate::line::Doing;
use crate::outputs::{Outputs, Unlisted};
use crate::protocol::Protocol;
use crate::sign::{Verdict, sign, statement, verdict};
use crate::transfer::{Answer, Wanted};

/// The fate of a result that was to be uploaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// The server has it now.
    Uploaded,
    /// The server had the same result already, and all of its blobs.
    AlreadyThere,
    /// Uploads are off, because the settings say so or the server refused one.
    Off,
    /// It could not be uploaded.
    Failed,
}

impl Inner {
    /// Uploads a result.
    pub(crate) async fn keep(
        &self,
        key: &Digest,
        result: &reapi::ActionResult,
        store: &ContentStore,
    ) -> Kept {
        if self.line.uploads_off() {
            return Kept::Off;
        }
        let kept = self.try_keep(key, result, store).await;
        // The server may have refused it just now.
        if kept == Kept::Failed && self.line.uploads_off() { Kept::Off } else { kept }
    }

    async fn try_keep(
        &self,
        key: &Digest,
        result: &reapi::ActionResult,
        store: &ContentStore,
    ) -> Kept {
        let outputs = match Outputs::of(key, result, store) {
            Ok(outputs) => outputs,
            Err(unlisted) => {
                self.note_unlisted(unlisted);
                return Kept::Failed;
            }
        };
        if !self.prepare().await {
            return Kept::Failed;
        }
        let mut signed = result.clone();
        if let Some(signer) = &self.signing_key {
            sign(signer, key, &mut signed);
        }
        if self.has_same(key, &signed).await && self.has_blobs(&outputs, store).await {
            return Kept::AlreadyThere;
        }
        if self.upload(&outputs.all, store).await && self.publish(key, &signed).await {
            Kept::Uploaded
        } else {
            Kept::Failed
        }
    }

    fn note_unlisted(&self, unlisted: Unlisted) {
        match unlisted {
            Unlisted::Store(failure) => self.line.note(failure, Doing::Publish),
            Unlisted::Malformed(trouble) => self.line.troubles.note(trouble),
        }
    }

    /// Tells if the server has a result that says the same and, if this machine signs, has this machine's signature.
    async fn has_same(&self, key: &Digest, ours: &reapi::ActionResult) -> bool {
        let Some(theirs) = self.ask(key).await else { return false };
        let says_the_same =
            statement(key, ours).is_some_and(|said| Some(said) == statement(key, &theirs));
        says_the_same
            && self.signing_key.as_ref().is_none_or(|signer| {
                verdict(&[signer.public().clone()], key, &theirs) == Verdict::Signed
            })
    }

    /// Tells if the server has the blobs of a result. An HTTP server would have to be asked for each of them, so it is
    /// asked only for those that the result names.
    async fn has_blobs(&self, outputs: &Outputs, store: &ContentStore) -> bool {
        let asked = match &*self.protocol {
            Protocol::Http(_) => &outputs.named,
            Protocol::Grpc(_) => &outputs.all,
        };
        let answers = self.missing.all(wanted(asked, store, true)).await;
        answers.values().all(|answer| *answer == Answer::Done)
    }

    /// Uploads the blobs that the server lacks. Tells if it has all of them now.
    async fn upload(&self, blobs: &BTreeSet<Digest>, store: &ContentStore) -> bool {
        match self.lacking(blobs, store).await {
            Some(lacking) => self.send_all(&lacking, store).await,
            None => false,
        }
    }

    /// Returns the blobs that the server lacks, or that it is cheaper to send than to ask for. Returns `None` if it can't be
    /// asked.
    pub(crate) async fn lacking(
        &self,
        blobs: &BTreeSet<Digest>,
        store: &ContentStore,
    ) -> Option<BTreeSet<Digest>> {
        let answers = self.missing.all(wanted(blobs, store, false)).await;
        if answers.values().any(|answer| *answer == Answer::Failed) {
            return None;
        }
        let lacking = answers.iter().filter(|(_, answer)| **answer == Answer::Lacking);
        Some(lacking.map(|(digest, _)| *digest).collect())
    }

    /// Uploads blobs. Tells if the server has all of them now.
    pub(crate) async fn send_all(&self, blobs: &BTreeSet<Digest>, store: &ContentStore) -> bool {
        let answers = self.uploads.all(wanted(blobs, store, false)).await;
        answers.values().all(|answer| *answer == Answer::Done)
    }
}

fn wanted(digests: &BTreeSet<Digest>, store: &ContentStore, ask: bool) -> Vec<Wanted> {
    digests.iter().map(|digest| Wanted { digest: *digest, store: store.clone(), ask }).collect()
}
