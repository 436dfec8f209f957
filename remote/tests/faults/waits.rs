//! Executions while the line to the cluster breaks, and while the cluster is stopped and started again.
//!
//! Some actions are executed at once. The first stream of each ends early, so that the client has to wait for the operation
//! under its name. The seed decides after which messages a fault strikes. Each action has to have the right result all
//! the same, soon, and without a word to the user. An action whose operation the cluster still knows is not executed twice.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use cache::{ContentStore, Digest, DigestFunction, Entry, Tree, reapi};
use prost::Message as _;
use remote::{Client, Execution, NotExecuted};

use crate::cluster::{Cluster, INPUT, OUTPUT, Streams, output_of};
use crate::fault::Fault;
use crate::line::Line;
use crate::place::{Place, Served, damaged, folder};
use crate::runner::{SEEDS, run_all, turn};
use crate::samples::settings;
use crate::tap::Tap;

const FUNCTION: DigestFunction = DigestFunction::Blake3;

/// The actions that are executed at once.
const ACTIONS: usize = 3;

/// The time in which all of them have to have ended. They take less than a second without faults.
const BOUND: Duration = Duration::from_secs(20);

/// The time-out of single calls: a call that is lost with its connection is tried again well within the bound.
const TIMEOUT: Duration = Duration::from_secs(2);

/// The number of times that a fault strikes.
const STRIKES: usize = 4;

/// One case.
#[derive(Debug, Clone, Copy)]
struct Case {
    fault: Fault,
    /// The cluster has forgotten its operations when it starts again.
    forgets: bool,
    seed: usize,
}

/// Strikes while the client waits for operations.
struct Striker {
    case: Case,
    tap: Arc<Tap>,
    line: Arc<OnceLock<Arc<Line>>>,
    /// The messages that streams of `WaitExecution` have sent.
    sent: AtomicUsize,
}

impl Streams for Striker {
    fn length(&self, is_wait: bool) -> Option<usize> {
        (!is_wait).then_some(1 + self.case.seed % 3)
    }

    fn sends(&self, is_wait: bool) {
        let stride = 3 + self.case.seed;
        let is_due = is_wait && self.sent.fetch_add(1, Ordering::SeqCst) % stride == stride - 1;
        if is_due && self.tap.is_on() {
            match self.case.fault {
                Fault::BrokenWait => self.line.get().unwrap().strike(),
                _ => self.tap.struck(),
            }
            if self.tap.count() >= self.case.strikes() {
                self.tap.turn_off();
            }
        }
    }
}

impl Case {
    fn strikes(self) -> usize {
        // A cluster that forgets has to execute everything again each time.
        if self.fault == Fault::RestartWait { 2 } else { STRIKES }
    }

    fn run(self) {
        let _working = turn();
        let folder = folder();
        let served = Served::start(&folder.path().join("store"), FUNCTION);
        let tap = Arc::new(Tap::new(self.seed));
        let (line, sent) = (Arc::<OnceLock<Arc<Line>>>::default(), AtomicUsize::new(0));
        let striker = Striker { case: self, tap: Arc::clone(&tap), line: Arc::clone(&line), sent };
        let takes = Duration::from_millis(400);
        let mut cluster = Cluster::start((served.store.clone(), served.address), takes, striker);
        let between = Arc::new(Line::new(self.fault, Arc::clone(&tap), cluster.address, None));
        let (near, _proxy) = Arc::clone(&between).start();
        assert!(line.set(between).is_ok());

        let place = Place::new(FUNCTION);
        let settings = settings(&format!("grpc://localhost:{}", near.port()), TIMEOUT);
        let client = Client::for_execution(settings).unwrap();
        let (runner, store) = (&client, &place.store);
        std::thread::scope(|scope| {
            let run = |number| scope.spawn(move || execute(runner, store, number));
            let actions: Vec<_> = (0..ACTIONS).map(run).collect();
            if self.fault == Fault::RestartWait {
                self.restart(&mut cluster, &tap, || actions.iter().all(|it| it.is_finished()));
            }
            for action in actions {
                action.join().unwrap_or_else(|panicked| std::panic::resume_unwind(panicked));
            }
        });
        assert!(tap.count() > 0, "the fault never struck");
        let told = client.take_troubles();
        assert!(told.is_empty(), "nothing was lost: {told:?}");
        let begun = cluster.workers.begun.load(Ordering::SeqCst);
        assert!(self.forgets || begun == ACTIONS, "an action was executed twice: {begun}");
        assert_eq!(damaged(&served.store), []);
    }

    /// Stops the cluster and starts it again, each time that the fault strikes.
    fn restart(self, cluster: &mut Cluster, tap: &Tap, have_ended: impl Fn() -> bool) {
        let mut restarts = 0;
        while restarts < self.strikes() && !have_ended() {
            if tap.count() > restarts {
                restarts += 1;
                let pause = tap.dice(restarts).below(700) as u64;
                cluster.restart(Duration::from_millis(pause), self.forgets);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Executes an action, and checks its result.
fn execute(client: &Client, store: &ContentStore, number: usize) {
    let input = format!("input {number}");
    let execution =
        Execution { action: action(store, &input), timeout: None, anew: false, watch: &|_| {} };
    let begin = Instant::now();
    let is_late = || begin.elapsed() > BOUND;
    let result = match client.execute(execution, store, &is_late) {
        Err(NotExecuted::Cancelled) => panic!("it takes more than {BOUND:?}"),
        result => result.unwrap(),
    };
    let output = Digest::of(FUNCTION, &output_of(input.as_bytes())).to_reapi();
    let [file] = &*result.output_files else { panic!("{result:?}") };
    assert_eq!((file.path.as_str(), file.digest.as_ref()), (OUTPUT, Some(&output)));
}

fn action(store: &ContentStore, input: &str) -> Digest {
    let mut root = Tree::default();
    let digest = store.put(input.as_bytes()).unwrap();
    root.insert(INPUT, Entry::File { digest, executable: false }).unwrap();
    let command = reapi::Command { arguments: vec!["make".to_owned()], ..Default::default() };
    let action = reapi::Action {
        command_digest: Some(store.put(&command.encode_to_vec()).unwrap().to_reapi()),
        input_root_digest: Some(store.put_tree(&root).unwrap().to_reapi()),
        ..Default::default()
    };
    store.put(&action.encode_to_vec()).unwrap()
}

#[track_caller]
fn try_all(fault: Fault, forgets: bool) {
    run_all((0..SEEDS).map(|seed| Case { fault, forgets, seed }).collect(), Case::run);
}

#[test]
fn streams_that_break_in_the_middle() {
    try_all(Fault::BrokenWait, false);
}

#[test]
fn clusters_that_restart_while_an_action_is_waited_for() {
    try_all(Fault::RestartWait, false);
}

#[test]
fn clusters_that_have_forgotten_the_action_after_a_restart() {
    try_all(Fault::RestartWait, true);
}
