//! The threads that do the tasks of a build: they run actions, have a cluster execute them, ask the cache beyond this machine, download from it and
//! upload to it. Each kind of task has a lane, which limits how many of its tasks run at once.
//!
//! A thread is started when a task finds no free one. The scheduler's loop takes the ends of tasks one by one, and is
//! the only one that knows what they mean. The threads are not those of an async runtime, because such a runtime panics
//! when a thread can't be started, and here that has to be an error.

use std::any::Any;
use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::ActionId;
use crate::execute::{Executed, Unfinished};
use crate::success::Success;

/// The way in which a task for an action ended.
pub(super) enum TaskEnd {
    /// The action ran.
    Executed(Box<Result<Executed, Unfinished>>),
    /// The remote was asked for the action's result, and gave this answer.
    Answered(Option<Success>),
    /// Blobs of the action's result were fetched from the remote. The value is `true` if all of them are there now.
    Fetched(bool),
    /// The action's result was uploaded to the remote.
    Uploaded,
}

/// The threads that do tasks, and the queue that the tasks wait in.
pub(super) struct Workers {
    /// The queue from which the next free thread takes a task; `None` when the threads are to end.
    tasks: Option<Sender<Task>>,
    next_task: Arc<Mutex<Receiver<Task>>>,
    finished_sender: Sender<FinishedTask>,
    finished: Receiver<FinishedTask>,
    threads: Vec<JoinHandle<()>>,
    lanes: [LaneSlots; Lane::ALL.len()],
}

/// A task for a thread.
struct Task {
    id: ActionId,
    lane: Lane,
    work: Box<dyn FnOnce() -> TaskEnd + Send>,
}

/// A task that has ended, or panicked.
struct FinishedTask {
    id: ActionId,
    lane: Lane,
    end: Result<TaskEnd, Box<dyn Any + Send>>,
}

/// The kind of a task. Each kind has its own limit of tasks that run at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    /// Running an action that needs a processor.
    Job,
    /// Having a cluster execute an action, which mostly waits.
    Cluster,
    /// Running an action that needs the network, and mostly waits.
    Download,
    /// Asking the remote for a result, which takes one round trip.
    Question,
    /// Fetching blobs from the remote.
    Fetch,
    /// Uploading a result to the remote.
    Upload,
}

impl Lane {
    const ALL: [Self; 6] =
        [Self::Job, Self::Cluster, Self::Download, Self::Question, Self::Fetch, Self::Upload];

    /// Tells if the task runs the action itself.
    const fn runs(self) -> bool {
        matches!(self, Self::Job | Self::Download)
    }
}

/// The number of results that a remote is asked for at once, so that round trips overlap.
const QUESTIONS: usize = 128;
/// The number of fetches from a remote that go on at once. A remote puts small ones together.
const FETCHES: usize = 64;
/// The number of results that are uploaded at once.
const UPLOADS: usize = 16;

/// The places of a lane: the number of all, the number of those taken, and the tasks that wait for one.
struct LaneSlots {
    all: usize,
    taken: usize,
    waiting: VecDeque<Task>,
}

impl LaneSlots {
    const fn new(all: usize) -> Self {
        Self { all: if all == 0 { 1 } else { all }, taken: 0, waiting: VecDeque::new() }
    }

    const fn are_free(&self) -> bool {
        self.taken < self.all
    }
}

impl Workers {
    pub(super) fn new(jobs: usize, cluster_jobs: usize, downloads: usize) -> Self {
        let (tasks, next_task) = channel();
        let lanes = Lane::ALL.map(|lane| match lane {
            Lane::Job => LaneSlots::new(jobs),
            Lane::Cluster => LaneSlots::new(cluster_jobs),
            Lane::Download => LaneSlots::new(downloads),
            Lane::Question => LaneSlots::new(QUESTIONS),
            Lane::Fetch => LaneSlots::new(FETCHES),
            Lane::Upload => LaneSlots::new(UPLOADS),
        });
        let (finished_sender, finished) = channel();
        Self {
            tasks: Some(tasks),
            next_task: Arc::new(Mutex::new(next_task)),
            finished_sender,
            finished,
            threads: Vec::new(),
            lanes,
        }
    }

    /// Tells if one more action may start. With a single job, actions run one after the other,
    /// so that the order is always the same.
    pub(super) fn has_room(&self, lane: Lane) -> bool {
        if lane.runs() && self.slots(Lane::Job).all == 1 {
            let running = Lane::ALL.into_iter().filter(|lane| lane.runs());
            return running.map(|lane| self.slots(lane).taken).sum::<usize>() == 0;
        }
        self.slots(lane).are_free()
    }

    /// Starts `work` on a thread. If the lane has no free place, the task waits for one; an action is started only when its
    /// lane has a free place.
    ///
    /// # Errors
    /// If another thread is needed and the system refuses to start it. The task is dropped then.
    pub(super) fn start(
        &mut self,
        id: ActionId,
        lane: Lane,
        work: impl FnOnce() -> TaskEnd + Send + 'static,
    ) -> io::Result<()> {
        let task = Task { id, lane, work: Box::new(work) };
        if !self.slots(lane).are_free() {
            self.lanes[lane as usize].waiting.push_back(task);
            return Ok(());
        }
        if self.threads.len() == self.busy() {
            self.threads.push(self.thread()?);
        }
        self.hand_over(task);
        Ok(())
    }

    fn hand_over(&mut self, task: Task) {
        self.lanes[task.lane as usize].taken += 1;
        let tasks = self.tasks.as_ref().expect("the sender is taken only when `self` is dropped");
        tasks.send(task).unwrap_or_else(|_| panic!("BUG: `self` holds the receiver"));
    }

    /// Drops the tasks of a lane that wait for a free place, and returns their actions.
    pub(super) fn drop_waiting(&mut self, lane: Lane) -> Vec<ActionId> {
        self.lanes[lane as usize].waiting.drain(..).map(|task| task.id).collect()
    }

    /// Waits for the next end of a task. Returns `None` if no task but uploads is running, as the build does not wait for
    /// these.
    pub(super) fn next(&mut self) -> Option<(ActionId, TaskEnd)> {
        if self.busy() == self.slots(Lane::Upload).taken {
            return None;
        }
        Some(self.wait())
    }

    /// Waits for the next end of any task, but no longer than this time.
    pub(super) fn next_within(&mut self, time: Duration) -> Option<(ActionId, TaskEnd)> {
        let finished = self.finished.recv_timeout(time).ok()?;
        Some(self.ended(finished))
    }

    /// Tells if any task is running.
    pub(super) fn is_busy(&self) -> bool {
        self.busy() > 0
    }

    /// Counts the tasks of a lane that are running or wait for a place.
    pub(super) fn unfinished(&self, lane: Lane) -> usize {
        self.slots(lane).taken + self.slots(lane).waiting.len()
    }

    fn wait(&mut self) -> (ActionId, TaskEnd) {
        let finished = self.finished.recv().expect("`self` holds a sender");
        self.ended(finished)
    }

    fn ended(&mut self, finished: FinishedTask) -> (ActionId, TaskEnd) {
        let FinishedTask { id, lane, end } = finished;
        let slots = &mut self.lanes[lane as usize];
        slots.taken -= 1;
        // The thread that has ended this task is free for the next one.
        if let Some(next) = slots.waiting.pop_front() {
            self.hand_over(next);
        }
        // Panics of builtins are caught where they run. This is a panic of the engine, so it is passed on.
        (id, end.unwrap_or_else(|panic| resume_unwind(panic)))
    }

    /// Counts the threads that have a task.
    fn busy(&self) -> usize {
        self.lanes.iter().map(|slots| slots.taken).sum()
    }

    const fn slots(&self, lane: Lane) -> &LaneSlots {
        &self.lanes[lane as usize]
    }

    /// Starts a thread that does one task after the other until the sender of tasks is dropped.
    fn thread(&self) -> io::Result<JoinHandle<()>> {
        let (tasks, finished) = (Arc::clone(&self.next_task), self.finished_sender.clone());
        let next = move || tasks.lock().unwrap_or_else(PoisonError::into_inner).recv();
        std::thread::Builder::new().name("action".to_owned()).spawn(move || {
            while let Ok(Task { id, lane, work }) = next() {
                // The work is not used after a panic.
                let end = catch_unwind(AssertUnwindSafe(work));
                if finished.send(FinishedTask { id, lane, end }).is_err() {
                    return;
                }
            }
        })
    }
}

impl Drop for Workers {
    /// Waits for the threads, because an action that still runs uses folders that are removed with the build.
    fn drop(&mut self) {
        self.tasks = None;
        for thread in self.threads.drain(..) {
            // The thread has caught every panic of its tasks.
            _ = thread.join();
        }
    }
}
