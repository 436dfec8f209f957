//! Execution of actions, on a server that plays scenes: streams that break at each stage, blobs that are missing, and
//! servers that have no workers.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use bazel_remote_apis::build::bazel::remote::execution::v2::execution_stage::Value as Said;
use bazel_remote_apis::build::bazel::remote::execution::v2::{ActionResult, OutputDirectory};
use cache::{Digest, DigestFunction, Entry, Tree, reapi};
use prost::Message as _;
use tonic::Code;

use super::execution_server::{End, Scene};
use super::server::{Server, Speaks};
use super::{Place, Switch, never, settings, tree_message, troubles};
use crate::line::Patience;
use crate::{Client, Execution, NotExecuted, Stage, Trouble};

const FUNCTION: DigestFunction = DigestFunction::Blake3;

/// The time that workers may take beside the command.
const STAGING: Duration = Duration::from_millis(200);

/// A server, a client of it, and an action whose inputs are a small file and a large tree.
struct Play {
    server: Server,
    client: Client,
    place: Place,
    action: Digest,
    seen: Mutex<Vec<Stage>>,
}

impl Play {
    fn new() -> Self {
        let server = Server::start(Speaks::Grpc).odd(|odd| odd.update_enabled = false);
        let place = Place::new(FUNCTION);
        let action = action(&place, "int main;");
        Self { client: client(&server), server, place, action, seen: Mutex::default() }
    }

    fn plays(&self, scenes: impl IntoIterator<Item = (&'static [Said], End)>) {
        let scene = |(stages, end): (&[Said], End)| Scene { stages: stages.to_vec(), end };
        self.server.shared.scenes.lock().unwrap().extend(scenes.into_iter().map(scene));
    }

    fn execute(&self) -> Result<reapi::ActionResult, NotExecuted> {
        self.execute_until(&never)
    }

    fn execute_until(
        &self,
        cancelled: &(dyn Fn() -> bool + Sync),
    ) -> Result<reapi::ActionResult, NotExecuted> {
        self.execute_within(Duration::from_secs(5), cancelled)
    }

    fn execute_within(
        &self,
        limit: Duration,
        cancelled: &(dyn Fn() -> bool + Sync),
    ) -> Result<reapi::ActionResult, NotExecuted> {
        let watch = |stage| self.seen.lock().unwrap().push(stage);
        let (action, timeout) = (self.action, Some(limit));
        let execution = Execution { action, timeout, anew: false, watch: &watch };
        self.client.execute(execution, &self.place.store, cancelled)
    }
}

fn client(server: &Server) -> Client {
    let settings = settings(&server.url());
    let patience = Patience {
        first_rest: Duration::from_millis(300),
        longest_rest: Duration::from_millis(600),
        staging: STAGING,
        ..Patience::new(settings.timeout, settings.retries)
    };
    Client::for_execution_with(settings, patience).unwrap()
}

fn action(place: &Place, source: &str) -> Digest {
    let store = &place.store;
    let mut root = Tree::default();
    let mut put = |path: &str, text: &str| {
        let digest = store.put(text.as_bytes()).unwrap();
        root.insert(path, Entry::File { digest, executable: false }).unwrap();
    };
    put("src/a.c", source);
    put("src/empty", "");
    for number in 0..300 {
        put(&format!("usr/d{}/f{number}", number % 7), &format!("file {number}"));
    }
    let command = reapi::Command { arguments: vec!["cc".to_owned()], ..Default::default() };
    let action = reapi::Action {
        command_digest: Some(store.put(&command.encode_to_vec()).unwrap().to_reapi()),
        input_root_digest: Some(store.put_tree(&root).unwrap().to_reapi()),
        ..Default::default()
    };
    store.put(&action.encode_to_vec()).unwrap()
}

#[test]
fn inputs_are_sent_once_and_a_result_comes_home_by_its_messages() {
    let play = Play::new();
    assert_eq!(play.client.negotiate_execution(&never), Ok(FUNCTION));
    // The server has the folder that the command wrote, and leaves out the digest of its root.
    let there = Place::new(FUNCTION);
    let mut tree = Tree::default();
    let digest = there.store.put(b"object").unwrap();
    tree.insert("d/a.o", Entry::File { digest, executable: false }).unwrap();
    let root = there.store.put_tree(&tree).unwrap();
    let message = tree_message(&there.store, &root).encode_to_vec();
    let (message_digest, said) = (Digest::of(FUNCTION, &message), Digest::of(FUNCTION, b"said"));
    {
        let mut blobs = play.server.shared.blobs.lock().unwrap();
        blobs.insert(message_digest.hex(), message);
        blobs.insert(said.hex(), b"said".to_vec());
    }
    *play.server.shared.executed.lock().unwrap() = ActionResult {
        output_directories: vec![OutputDirectory {
            path: "out/d".to_owned(),
            tree_digest: Some(wire(&message_digest)),
            ..Default::default()
        }],
        stderr_digest: Some(wire(&said)),
        stdout_raw: b"raw".to_vec(),
        ..Default::default()
    };
    let result = play.execute().unwrap();
    assert_eq!(result.output_directories[0].root_directory_digest, Some(root.to_reapi()));
    assert_eq!(result.stdout_raw, b"raw");
    let store = &play.place.store;
    assert_eq!(store.get(&said).unwrap().unwrap(), b"said");
    assert_eq!(store.tree(&root).unwrap(), Some(tree));
    assert!(!store.contains(&digest), "a file comes when something needs it");
    let sent = play.server.count("PUT cas/");
    assert!(sent > 300, "{sent}");
    // Another action with the same large tree sends what is new, and a new process does not ask for the tree either.
    for client in [&play.client, &client(&play.server)] {
        let (before, questions) = (play.server.count("PUT cas/"), play.server.count("missing"));
        let action = action(&play.place, &format!("int x{before};"));
        let watch = |_| {};
        let execution = Execution { action, timeout: None, anew: true, watch: &watch };
        client.execute(execution, store, &never).unwrap();
        // The action, the input root, `src`, and the file in it.
        assert_eq!(play.server.count("PUT cas/") - before, 4);
        assert_eq!(play.server.count("missing") - questions, 1);
    }
    assert_eq!((play.server.count("anew=true"), troubles(&play.client).len()), (2, 0));
}

fn wire(digest: &Digest) -> bazel_remote_apis::build::bazel::remote::execution::v2::Digest {
    let reapi::Digest { hash, size_bytes } = digest.to_reapi();
    bazel_remote_apis::build::bazel::remote::execution::v2::Digest { hash, size_bytes }
}

#[test]
fn what_the_server_has_forgotten_is_sent_again() {
    let play = Play::new();
    play.execute().unwrap();
    let lost = Digest::of(FUNCTION, b"file 7");
    play.server.shared.blobs.lock().unwrap().remove(&lost.hex()).unwrap();
    play.execute().unwrap();
    assert!(play.server.has(&lost));
    assert_eq!((play.server.count("execute"), troubles(&play.client).len()), (3, 0));
    // What is here neither is nobody's fault.
    play.server.shared.blobs.lock().unwrap().remove(&lost.hex()).unwrap();
    let path = play.place.store.blob_path(&lost, false).unwrap().unwrap();
    std::fs::remove_file(path).unwrap();
    assert_eq!(play.execute(), Err(NotExecuted::Missing(lost)));
}

#[test]
fn a_stream_that_breaks_at_any_stage_is_gone_on_with() {
    let check = |scenes: &[(&'static [Said], End)], executes, waits| {
        let play = Play::new();
        play.plays(scenes.iter().cloned());
        assert_eq!(play.execute().map(|result| result.exit_code), Ok(0));
        let asked = (play.server.count("execute"), play.server.count("wait"));
        assert_eq!((asked, troubles(&play.client).len()), ((executes, waits), 0));
        play
    };
    use End::{Breaks, Done, Mute, Stops};
    let queued: &[Said] = &[Said::Queued];
    let unavailable = || Breaks(Code::Unavailable);
    check(&[(&[], unavailable())], 2, 0);
    check(&[(&[], Stops)], 2, 0);
    check(&[(queued, unavailable())], 1, 1);
    check(&[(queued, Stops), (&[Said::Executing], unavailable()), (queued, Stops)], 1, 3);
    check(&[(queued, Stops), (&[], Breaks(Code::NotFound))], 2, 1);
    check(&[(queued, Stops), (queued, Breaks(Code::NotFound))], 2, 1);
    check(&[(&[], End::Failed(Code::Unavailable))], 2, 0);
    check(&[(&[], Mute)], 2, 0);
    check(&[(queued, Stops), (&[], Mute), (&[], Mute)], 1, 3);
    check(&[(&[], End::Ended(Code::Aborted))], 2, 0);
    let play = check(&[(&[Said::CacheCheck, Said::Queued, Said::Executing], Done)], 1, 0);
    let seen = [Stage::Uploading, Stage::Queued, Stage::Queued, Stage::Executing];
    assert_eq!(*play.seen.lock().unwrap(), seen);
}

#[test]
fn servers_without_workers_are_told_once_and_left_alone() {
    for (code, tries) in [(Code::Unavailable, 3), (Code::FailedPrecondition, 2)] {
        let play = Play::new();
        play.plays((0..40).map(|_| -> (&[Said], _) { (&[], End::Breaks(code)) }));
        for _ in 0..3 {
            assert!(play.client.may_execute());
            let Err(NotExecuted::Unavailable(trouble)) = play.execute() else { panic!() };
            assert!(matches!(trouble, Trouble::NotExecuted { .. }), "{trouble}");
            assert!(trouble.to_string().ends_with("(no workers)"), "{trouble}");
        }
        assert_eq!(play.server.count("execute"), 3 * tries);
        assert!(!play.client.may_execute(), "it has failed three times in a row");
        assert!(matches!(play.execute(), Err(NotExecuted::Unavailable(_))));
        assert_eq!((play.server.count("execute"), troubles(&play.client).len()), (3 * tries, 1));
        // After a rest it is tried again.
        std::thread::sleep(Duration::from_millis(400));
        play.server.shared.scenes.lock().unwrap().clear();
        assert!(play.client.may_execute() && play.execute().is_ok());
    }
}

#[test]
fn a_server_that_forgets_for_ever_is_given_up() {
    let play = Play::new();
    play.plays((0..40).map(|_| -> (&[Said], _) { (&[], End::Breaks(Code::NotFound)) }));
    assert!(matches!(play.execute(), Err(NotExecuted::Unavailable(_))));
}

#[test]
fn a_time_limit_is_no_fault_of_the_server() {
    let play = Play::new();
    play.plays([(&[Said::Executing][..], End::Ended(Code::DeadlineExceeded))]);
    assert_eq!(play.execute(), Err(NotExecuted::TimedOut));
    assert_eq!((play.server.count("execute"), troubles(&play.client).len()), (1, 0));
}

#[test]
fn an_action_that_a_worker_does_not_end_in_time_is_ended_from_here() {
    let limit = Duration::from_millis(400);
    let check = |scenes: &[(&'static [Said], End)], begins: Duration| {
        let play = Play::new();
        play.plays(scenes.iter().cloned());
        let begin = Instant::now();
        assert_eq!(play.execute_within(limit, &never), Err(NotExecuted::TimedOut));
        let took = begin.elapsed();
        let earliest = begins + limit + STAGING;
        assert!(took >= earliest, "the worker has time for the inputs: {took:?}");
        assert!(took < earliest + Duration::from_secs(4), "{took:?}");
        assert_eq!(play.server.count("cancel operation/7"), 1);
        assert_eq!(troubles(&play.client), [""; 0]);
        assert!(play.client.may_execute(), "it is no fault of the server");
    };
    use End::{Breaks, Hangs, Stops};
    let executing: &[Said] = &[Said::Executing];
    check(&[(executing, Hangs)], Duration::ZERO);
    // The clock goes on over broken streams, also while nothing is said on the next one.
    check(&[(executing, Stops), (&[], Hangs)], Duration::ZERO);
    check(&[(executing, Breaks(Code::Unavailable)), (executing, Hangs)], Duration::ZERO);
    // It starts again with another worker.
    let pause = Duration::from_millis(250);
    let again = End::Pauses(pause, &[Said::Queued, Said::Executing]);
    check(&[(executing, again)], 2 * pause);
    check(&[(executing, Stops), (&[], Breaks(Code::NotFound)), (executing, Hangs)], Duration::ZERO);
}

#[test]
fn waiting_for_a_worker_is_no_part_of_a_time_limit() {
    let play = Play::new();
    let after = End::Pauses(Duration::from_millis(900), &[Said::Executing]);
    play.plays([(&[Said::Queued][..], after)]);
    let begin = Instant::now();
    let limit = Duration::from_millis(100);
    assert_eq!(play.execute_within(limit, &never), Err(NotExecuted::TimedOut));
    assert!(begin.elapsed() >= Duration::from_millis(1200), "{:?}", begin.elapsed());
}

#[test]
fn a_cancelled_action_is_cancelled_on_the_server_soon() {
    let play = Play::new();
    play.plays([(&[Said::Executing][..], End::Hangs)]);
    let switch = Switch::default();
    let begin = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while play.seen.lock().unwrap().last() != Some(&Stage::Executing) {
                std::thread::sleep(Duration::from_millis(5));
            }
            switch.turn_on();
        });
        assert_eq!(play.execute_until(&|| switch.is_on()), Err(NotExecuted::Cancelled));
    });
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    assert_eq!(play.server.count("cancel operation/7"), 1);
}

#[test]
fn workers_of_the_wrong_kind_are_left_alone() {
    let play = Play::new();
    for _ in 0..5 {
        assert!(play.client.may_execute());
        play.client.note_unfit("there is no /proc");
    }
    assert!(!play.client.may_execute());
    let told = "a worker of the cluster at HOST can't run an action: there is no /proc";
    assert_eq!(troubles(&play.client), [told.replace("HOST", play.client.host())]);
}

#[test]
fn a_cache_is_no_cluster() {
    let server = Server::start(Speaks::Grpc).odd(|odd| odd.executes = false);
    let refused = client(&server).negotiate_execution(&never).unwrap_err();
    assert!(refused.to_string().ends_with("it says that it executes nothing"), "{refused}");
}
