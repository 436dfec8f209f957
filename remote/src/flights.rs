//! Puts what many threads ask for at once into few calls.
//!
//! One loop owns the queue; the threads send it what they want. A call starts at once while few are under way. Else the
//! queue grows, and the next call takes as much of it as fits. A digest that is on its way already is not asked for
//! again: whoever wants it too gets the same answer. A call whose askers have all gone away is ended.
//!
//! Whoever asks at the same time has to mean the same store.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use cache::Digest;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};

use crate::transfer::{Answer, Wanted};

/// The time between two looks for calls that nobody waits for.
const TICK: Duration = Duration::from_millis(50);

/// A kind of call that takes many digests.
pub(crate) trait Job: Send + Sync + 'static {
    /// The number of calls that are under way at once.
    fn slots(&self) -> usize;

    /// Returns how many of the first ones fit into one call; at least one.
    fn fitting(&self, queue: &VecDeque<Wanted>) -> usize;

    /// Makes the call, and returns an answer for each digest.
    fn run(&self, batch: Vec<Wanted>) -> impl Future<Output = Vec<(Digest, Answer)>> + Send;
}

type Reply = UnboundedSender<(Digest, Answer)>;
type Finished = Result<(Id, Vec<(Digest, Answer)>), JoinError>;

struct Ask {
    wanted: Vec<Wanted>,
    reply: Reply,
}

/// The way to the loop.
#[derive(Debug, Clone)]
pub(crate) struct Flights {
    asks: UnboundedSender<Ask>,
}

impl std::fmt::Debug for Ask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ask").finish_non_exhaustive()
    }
}

impl Flights {
    /// Makes the loop for one kind of call, and the way to it. The loop has to be run.
    pub(crate) fn new<J: Job>(job: J) -> (Self, impl Future<Output = ()> + Send) {
        let (asks, inbox) = mpsc::unbounded_channel();
        let dispatcher = Dispatcher {
            job: Arc::new(job),
            queue: VecDeque::new(),
            waiting: HashMap::new(),
            running: JoinSet::new(),
            batches: HashMap::new(),
        };
        (Self { asks }, dispatcher.serve(inbox))
    }

    /// Waits until there is an answer for each digest.
    pub(crate) async fn all(&self, wanted: Vec<Wanted>) -> HashMap<Digest, Answer> {
        let mut answers: HashMap<Digest, Answer> =
            wanted.iter().map(|wanted| (wanted.digest, Answer::Failed)).collect();
        let (reply, mut inbox) = mpsc::unbounded_channel();
        let mut open = answers.len();
        if open == 0 || self.asks.send(Ask { wanted, reply }).is_err() {
            return answers;
        }
        while let Some((digest, answer)) = inbox.recv().await {
            answers.insert(digest, answer);
            open -= 1;
            if open == 0 {
                break;
            }
        }
        answers
    }
}

struct Dispatcher<J> {
    job: Arc<J>,
    queue: VecDeque<Wanted>,
    /// Those that wait for each digest that is in the queue or under way.
    waiting: HashMap<Digest, Vec<Reply>>,
    running: JoinSet<Vec<(Digest, Answer)>>,
    batches: HashMap<Id, (AbortHandle, Vec<Wanted>)>,
}

impl<J: Job> Dispatcher<J> {
    async fn serve(mut self, mut inbox: UnboundedReceiver<Ask>) {
        let mut tick = tokio::time::interval(TICK);
        loop {
            tokio::select! {
                ask = inbox.recv() => match ask {
                    Some(ask) => self.enqueue(ask),
                    None => return,
                },
                Some(done) = self.running.join_next_with_id() => self.finish(done),
                _ = tick.tick(), if !self.running.is_empty() => self.abandon(),
            }
            while let Ok(ask) = inbox.try_recv() {
                self.enqueue(ask);
            }
            self.start();
        }
    }

    fn enqueue(&mut self, ask: Ask) {
        for wanted in ask.wanted {
            let waiting = self.waiting.entry(wanted.digest).or_default();
            let is_new = waiting.is_empty();
            // A digest that is asked for twice in one breath is answered once.
            if !waiting.iter().any(|reply| reply.same_channel(&ask.reply)) {
                waiting.push(ask.reply.clone());
            }
            if is_new {
                self.queue.push_back(wanted);
            }
        }
    }

    fn start(&mut self) {
        while self.running.len() < self.job.slots() && self.drop_unwanted() {
            let count = self.job.fitting(&self.queue).clamp(1, self.queue.len());
            let batch: Vec<Wanted> = self.queue.drain(..count).collect();
            let (job, sent) = (Arc::clone(&self.job), batch.clone());
            let handle = self.running.spawn(async move { job.run(sent).await });
            self.batches.insert(handle.id(), (handle, batch));
        }
    }

    /// Removes what nobody waits for any more from the head of the queue. Tells if something is left.
    fn drop_unwanted(&mut self) -> bool {
        while let Some(first) = self.queue.front() {
            if !nobody_waits(&self.waiting, &first.digest) {
                return true;
            }
            self.waiting.remove(&first.digest);
            self.queue.pop_front();
        }
        false
    }

    fn finish(&mut self, done: Finished) {
        let (id, answers, ended) = match done {
            Ok((id, answers)) => (id, answers, false),
            Err(error) => (error.id(), Vec::new(), error.is_cancelled()),
        };
        for (digest, answer) in answers {
            self.tell(&digest, answer);
        }
        let batch = self.batches.remove(&id).map(|(_, batch)| batch);
        for wanted in batch.into_iter().flatten() {
            if ended && !nobody_waits(&self.waiting, &wanted.digest) {
                // Somebody came just after the call was ended.
                self.queue.push_back(wanted);
            } else {
                self.tell(&wanted.digest, Answer::Failed);
            }
        }
    }

    fn tell(&mut self, digest: &Digest, answer: Answer) {
        for reply in self.waiting.remove(digest).into_iter().flatten() {
            // Whoever has gone away needs no answer.
            let _ = reply.send((*digest, answer));
        }
    }

    /// Ends the calls that nobody waits for.
    fn abandon(&self) {
        for (handle, batch) in self.batches.values() {
            if batch.iter().all(|wanted| nobody_waits(&self.waiting, &wanted.digest)) {
                handle.abort();
            }
        }
    }
}

fn nobody_waits(waiting: &HashMap<Digest, Vec<Reply>>, digest: &Digest) -> bool {
    waiting.get(digest).is_none_or(|replies| replies.iter().all(UnboundedSender::is_closed))
}
