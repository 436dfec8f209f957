//! The threads that run actions, and how many may run at once.
//!
//! A thread is started when an action finds none free. Ends are handed over one by one; the loop that
//! asks for them is the only one that knows what they mean. Threads of our own and no async runtime's:
//! that a thread can't be started has to be an error, and theirs is a panic.

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crate::ActionId;
use crate::execute::{Kept, Stop};

/// How the run of an action ended.
pub(super) type End = Result<Kept, Stop>;

/// Runs actions on threads of their own.
pub(super) struct Workers {
    /// Work for the next free thread. `None` once no more may come.
    orders: Option<Sender<Order>>,
    taken: Arc<Mutex<Receiver<Order>>>,
    done: (Sender<Done>, Receiver<Done>),
    threads: Vec<JoinHandle<()>>,
    jobs: Places,
    downloads: Places,
}

/// An action for a thread.
struct Order {
    id: ActionId,
    lane: Lane,
    work: Box<dyn FnOnce() -> End + Send>,
}

/// What a thread hands back: the end of the action, or its panic.
struct Done {
    id: ActionId,
    lane: Lane,
    end: Result<End, Box<dyn Any + Send>>,
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
        let (orders, taken) = channel();
        Self {
            orders: Some(orders),
            taken: Arc::new(Mutex::new(taken)),
            done: channel(),
            threads: Vec::new(),
            jobs: Places::new(jobs),
            downloads: Places::new(downloads),
        }
    }

    /// Whether one more action may start. With a single job everything runs one after the other,
    /// so that the order is always the same.
    pub(super) const fn has_room(&self, network: bool) -> bool {
        if self.jobs.all == 1 {
            return self.running() == 0;
        }
        if network { self.downloads.are_free() } else { self.jobs.are_free() }
    }

    /// Starts `work` on a thread. There has to be room.
    ///
    /// # Errors
    /// If it takes another thread and the system gives none; nothing was started then.
    pub(super) fn start(
        &mut self,
        id: ActionId,
        network: bool,
        work: impl FnOnce() -> End + Send + 'static,
    ) -> io::Result<()> {
        if self.threads.len() == self.running() {
            self.threads.push(self.thread()?);
        }
        let lane = if network { Lane::Download } else { Lane::Job };
        let order = Order { id, lane, work: Box::new(work) };
        let orders = self.orders.as_ref().expect("taken only when this is dropped");
        orders.send(order).unwrap_or_else(|_| panic!("BUG: the receiver is held here"));
        self.places(lane).taken += 1;
        Ok(())
    }

    /// Waits for the next action to end. `None` if none is running.
    pub(super) fn next(&mut self) -> Option<(ActionId, End)> {
        if self.running() == 0 {
            return None;
        }
        let Done { id, lane, end } = self.done.1.recv().expect("a sender is held here");
        self.places(lane).taken -= 1;
        // Builtins' panics are caught where they run. This one is ours, so it goes on.
        Some((id, end.unwrap_or_else(|panic| resume_unwind(panic))))
    }

    const fn running(&self) -> usize {
        self.jobs.taken + self.downloads.taken
    }

    const fn places(&mut self, lane: Lane) -> &mut Places {
        match lane {
            Lane::Job => &mut self.jobs,
            Lane::Download => &mut self.downloads,
        }
    }

    /// A thread that does one order after the other until no more can come.
    fn thread(&self) -> io::Result<JoinHandle<()>> {
        let (orders, done) = (Arc::clone(&self.taken), self.done.0.clone());
        let next = move || orders.lock().unwrap_or_else(PoisonError::into_inner).recv();
        std::thread::Builder::new().name("action".to_owned()).spawn(move || {
            while let Ok(Order { id, lane, work }) = next() {
                // Nothing of the work is looked at after a panic.
                let end = catch_unwind(AssertUnwindSafe(work));
                if done.send(Done { id, lane, end }).is_err() {
                    return;
                }
            }
        })
    }
}

impl Drop for Workers {
    /// Waits for the threads: an action that still runs uses folders that go with the build.
    fn drop(&mut self) {
        self.orders = None;
        for thread in self.threads.drain(..) {
            // It has caught every panic of the work.
            _ = thread.join();
        }
    }
}
