//! The three kinds of calls that take many digests: reading blobs, sending blobs, and asking which are missing.

use std::collections::VecDeque;
use std::sync::Arc;

use cache::Digest;

use crate::flights::Job;
use crate::line::{Doing, Line};
use crate::progress::Progress;
use crate::protocol::Protocol;
use crate::transfer::{Answer, Transfer, Wanted};

/// A kind of call on one server.
pub(crate) struct Calls {
    pub(crate) protocol: Arc<Protocol>,
    pub(crate) line: Arc<Line>,
    /// One of `Download`, `Upload` and `Missing`.
    pub(crate) doing: Doing,
}

impl Job for Calls {
    fn slots(&self) -> usize {
        self.protocol.slots()
    }

    fn fitting(&self, queue: &VecDeque<Wanted>) -> usize {
        match self.doing {
            Doing::Missing => self.protocol.fitting_questions(),
            _ => self.protocol.fitting(queue),
        }
    }

    async fn run(&self, batch: Vec<Wanted>) -> Vec<(Digest, Answer)> {
        let mut transfer = Transfer::new(batch);
        let _slot = self.protocol.slot().await;
        let Some(mut call) = self.line.call(self.doing) else { return transfer.into_answers() };
        loop {
            let progress = Progress::default();
            let unseen = match self.doing {
                Doing::Download => self.protocol.unseen_down(&transfer),
                Doing::Upload => self.protocol.unseen_up(&transfer),
                _ => 0,
            };
            let tried = call.within(&progress, unseen, self.attempt(&mut transfer, &progress));
            let tried = tried.await;
            if call.settle(tried).await.is_some() {
                return transfer.into_answers();
            }
        }
    }
}

impl Calls {
    async fn attempt(
        &self,
        transfer: &mut Transfer,
        progress: &Progress,
    ) -> Result<(), crate::failure::Failure> {
        match self.doing {
            Doing::Download => self.protocol.download(transfer, progress).await,
            Doing::Upload => self.protocol.upload(transfer, progress).await,
            _ => self.protocol.missing(transfer).await,
        }
    }
}
