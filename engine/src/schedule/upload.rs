//! Uploads results to a cache beyond this machine while the build goes on.
//!
//! Results that ran are uploaded, and so are those that this machine's caches have, because an earlier build may have had
//! no such cache. A result that a weaker sandbox made never gets here: [`Scheduler::remote`] knows no remote for it. The
//! pinned images of toolchains are uploaded with the first result that an image was used for.

use std::time::{Duration, Instant};

use cache::{DiskStore, reapi};

use super::Scheduler;
use super::workers::{Lane, TaskEnd};
use crate::event::Event;
use crate::execute::is_complete;
use crate::key::Keyed;
use crate::success::Success;
use crate::{ActionId, ActionKey, Artifact, Source};

/// The pause between two looks at whether to give uploads up.
const POLL: Duration = Duration::from_millis(50);

/// The time between two events that say how many uploads are left.
const TELL: Duration = Duration::from_secs(1);

impl Scheduler<'_> {
    /// Uploads the result of an action that ran.
    pub(super) fn offer(&mut self, id: ActionId, key: ActionKey, result: reapi::ActionResult) {
        self.offer_images(id);
        self.upload(id, key, move |_| Some(result));
    }

    /// Uploads a result that this machine knew already.
    pub(super) fn offer_known(&mut self, id: ActionId, key: ActionKey) {
        self.offer_images(id);
        self.upload(id, key, move |store| store.action_result(&key.0));
    }

    /// Uploads the pinned results that an action uses, each once in a build.
    fn offer_images(&mut self, id: ActionId) {
        if !self.takes_results(id) {
            return;
        }
        for input in &self.action(id).inputs {
            let Source::Output { action: from, .. } = input.from else { continue };
            let image = self.action(from);
            let Some(tree) = image.pinned.filter(|_| image.inputs.is_empty()) else { continue };
            if !self.offered_pins.insert(from) {
                continue;
            }
            let Ok(Keyed { key, messages }) = self.keyed(&image, &[]) else { continue };
            let success = Success::pinned(&image, tree);
            self.upload(from, key, move |store| {
                // It was not needed here, so it may not be installed.
                let is_here = is_complete(store, &Artifact::Tree(tree)).unwrap_or(false);
                let put = |(_, message): &(_, Vec<u8>)| store.put(message).is_ok();
                if !is_here || !messages.iter().all(put) {
                    return None;
                }
                success.to_result(store, Duration::ZERO, image.work.worker()).ok()
            });
        }
    }

    fn takes_results(&self, id: ActionId) -> bool {
        self.remote(id).is_some_and(|remote| remote.takes_results())
    }

    /// Has a thread upload a result, which that thread gets from `result`.
    fn upload(
        &mut self,
        id: ActionId,
        key: ActionKey,
        result: impl FnOnce(&DiskStore) -> Option<reapi::ActionResult> + Send + 'static,
    ) {
        let Some(remote) = self.remote(id).filter(|remote| remote.takes_results()) else { return };
        let (store, cancel) = (self.build.store.clone(), self.uploads.clone());
        let upload = move || {
            if let Some(result) = result(&store).filter(|_| !cancel.is_cancelled()) {
                remote.keep(&key, &result, &store, &cancel);
            }
            TaskEnd::Uploaded
        };
        // If no thread can be started, the result is not uploaded.
        _ = self.workers.start(id, Lane::Upload, upload);
    }

    /// Waits for the uploads that are not done yet, for as long as the build's options allow. Returns the number of uploads
    /// that were given up.
    pub(super) fn finish_uploads(&mut self) -> usize {
        let until = Instant::now() + self.build.options.upload_patience;
        let mut told = Instant::now();
        while self.workers.is_busy() {
            if told.elapsed() >= TELL {
                told = Instant::now();
                self.tell(Event::Uploading { left: self.workers.unfinished(Lane::Upload) });
            }
            if self.build.cancel.is_cancelled() || Instant::now() >= until {
                return self.give_up();
            }
            if let Some((id, end)) = self.workers.next_within(POLL) {
                self.take(id, end);
            }
        }
        0
    }

    fn give_up(&mut self) -> usize {
        let left = self.workers.unfinished(Lane::Upload);
        self.workers.drop_waiting(Lane::Upload);
        self.uploads.cancel();
        while self.workers.is_busy() {
            if let Some((id, end)) = self.workers.next_within(POLL) {
                self.take(id, end);
            }
        }
        left
    }
}
