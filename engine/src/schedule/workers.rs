//! The threads that run actions, and how many may run at once.
//!
//! The runtime is made when the first action starts. Ends are handed over one by one; the loop that
//! asks for them is the only one that knows what they mean.

use std::io;

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

use crate::ActionId;
use crate::execute::{Kept, Stop};

/// How the run of an action ended.
pub(super) type End = Result<Kept, Stop>;

/// Runs actions on threads of their own.
pub(super) struct Workers {
    runtime: Option<Runtime>,
    running: JoinSet<(ActionId, Lane, End)>,
    jobs: Places,
    downloads: Places,
}

/// Whose places an action takes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lane {
    Job,
    Download,
}

/// How many may run and how many do.
struct Places {
    all: usize,
    taken: usize,
}

impl Places {
    const fn new(all: usize) -> Self {
        Self { all: if all == 0 { 1 } else { all }, taken: 0 }
    }

    const fn are_free(&self) -> bool {
        self.taken < self.all
    }
}

impl Workers {
    pub(super) fn new(jobs: usize, downloads: usize) -> Self {
        let (jobs, downloads) = (Places::new(jobs), Places::new(downloads));
        Self { runtime: None, running: JoinSet::new(), jobs, downloads }
    }

    /// Whether one more action may start. With a single job everything runs one after the other,
    /// so that the order is always the same.
    pub(super) fn has_room(&self, network: bool) -> bool {
        if self.jobs.all == 1 {
            return self.running.is_empty();
        }
        if network { self.downloads.are_free() } else { self.jobs.are_free() }
    }

    /// Starts `work` on a thread. There has to be room.
    pub(super) fn start(
        &mut self,
        id: ActionId,
        network: bool,
        work: impl FnOnce() -> End + Send + 'static,
    ) -> io::Result<()> {
        let lane = if network { Lane::Download } else { Lane::Job };
        let handle = self.runtime()?.handle().clone();
        self.running.spawn_blocking_on(move || (id, lane, work()), &handle);
        self.places(lane).taken += 1;
        Ok(())
    }

    /// Waits for the next action to end. `None` if none is running.
    pub(super) fn next(&mut self) -> Option<(ActionId, End)> {
        let joined = self.runtime.as_ref()?.block_on(self.running.join_next())?;
        // Builtins' panics are caught where they run. This one is ours, so it goes on.
        let (id, lane, end) = joined.unwrap_or_else(|error| match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(error) => panic!("BUG: nobody aborts actions: {error}"),
        });
        self.places(lane).taken -= 1;
        Some((id, end))
    }

    const fn places(&mut self, lane: Lane) -> &mut Places {
        match lane {
            Lane::Job => &mut self.jobs,
            Lane::Download => &mut self.downloads,
        }
    }

    fn runtime(&mut self) -> io::Result<&Runtime> {
        if self.runtime.is_none() {
            let threads = self.jobs.all + self.downloads.all;
            let runtime = Builder::new_current_thread().max_blocking_threads(threads).build()?;
            self.runtime = Some(runtime);
        }
        Ok(self.runtime.as_ref().expect("was just made"))
    }
}
