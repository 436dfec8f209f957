//! Transfers of blobs: what is wanted, and how it ended. A transfer outlives its tries, so a try goes on where the last
//! one stopped.

use std::collections::BTreeMap;

use cache::{ContentStore, Digest};

use crate::failure::Failure;
use crate::line::{Doing, Line};
use crate::sink::Intake;

/// A blob to transfer, and the store that it goes to or comes from.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    /// The blob.
    pub(crate) digest: Digest,
    /// The store.
    pub(crate) store: ContentStore,
    /// Ask for the blob even if sending it would be as cheap as asking.
    pub(crate) ask: bool,
}

/// The end of the transfer of one blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The blob is where it should be.
    Done,
    /// The server lacks it.
    Lacking,
    /// Nobody knows.
    Failed,
}

/// Some blobs that are transferred in one call.
pub(crate) struct Transfer {
    /// The blobs without an answer so far.
    pub(crate) open: BTreeMap<Digest, Wanted>,
    /// The answers so far.
    pub(crate) answers: Vec<(Digest, Answer)>,
    /// The beginning of its only blob that a download has received, if it can go on from there.
    pub(crate) received: Option<Intake>,
    /// The name under which an upload of its only blob was begun.
    pub(crate) upload: Option<String>,
    /// The server can't go on in the middle.
    pub(crate) whole: bool,
}

impl Transfer {
    /// Begins a transfer.
    pub(crate) fn new(batch: Vec<Wanted>) -> Self {
        let open = batch.into_iter().map(|wanted| (wanted.digest, wanted)).collect();
        Self { open, answers: Vec::new(), received: None, upload: None, whole: false }
    }

    /// Notes the answer for a blob. Answers for blobs that nobody asked for don't count.
    pub(crate) fn answer(&mut self, digest: &Digest, answer: Answer) {
        if self.open.remove(digest).is_some() {
            self.answers.push((*digest, answer));
        }
    }

    /// Notes that a blob failed, and why.
    pub(crate) fn fail(&mut self, digest: &Digest, failure: Failure, doing: Doing, line: &Line) {
        line.note(failure, doing);
        self.answer(digest, Answer::Failed);
    }

    /// Returns all answers. Blobs that are still open have failed.
    pub(crate) fn into_answers(mut self) -> Vec<(Digest, Answer)> {
        let failed = self.open.into_keys().map(|digest| (digest, Answer::Failed));
        self.answers.extend(failed);
        self.answers
    }
}
