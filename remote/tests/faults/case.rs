//! One case: a fault, a protocol and a seed, from the fault to the end of the second client.

use std::net::SocketAddr;
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use cache::DiskStore;
use remote::{Client, Kept, Tls};
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::certificates;
use crate::exchange::Exchange;
use crate::fault::Fault;
use crate::line::Line;
use crate::op::Speaks;
use crate::place::{Place, Served, damaged, folder};
use crate::runner::turn;
use crate::samples::{Sample, Samples, settings};
use crate::servers::SmallDisk;
use crate::tap::Tap;

/// No call may take longer, whatever happens. A call consists of several requests, of which each may wait for
/// [`TIMEOUT`] twice, until three of them have failed and the breaker opens.
pub(crate) const BOUND: Duration = Duration::from_secs(8);

/// The time-out of the client that has to do with the fault.
const TIMEOUT: Duration = Duration::from_millis(600);

/// The time in which that client has to recover. Its breaker rests for five seconds.
const RECOVERY: Duration = Duration::from_secs(12);

/// The time-out of the second client.
const AMPLE: Duration = Duration::from_secs(20);

/// One case.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case {
    pub(crate) fault: Fault,
    pub(crate) speaks: Speaks,
    pub(crate) seed: usize,
}

/// The parts of a case.
struct World {
    case: Case,
    samples: &'static Samples,
    tap: Arc<Tap>,
    served: Mutex<Served>,
    /// The store of the server.
    store: DiskStore,
    /// The address of the proxy.
    near: SocketAddr,
    _proxy: JoinSet<()>,
    disk: Option<SmallDisk>,
    _folder: TempDir,
}

/// A client with a store of its own.
struct Machine<'a> {
    world: &'a World,
    client: Client,
    place: Place,
    /// The time that a call may take.
    bound: Duration,
}

impl Case {
    /// Runs the case.
    pub(crate) fn run(self) {
        let working = turn();
        let world = World::new(self);
        let first = Machine::new(&world, TIMEOUT, BOUND);
        let told = first.suffer();
        world.check_server(false);
        world.end_fault();
        drop(working);
        first.recover(&told);
        let _working = turn();
        assert_eq!(damaged(&first.place.store), []);
        world.finish();
    }
}

impl World {
    fn new(case: Case) -> Self {
        // A large file costs time, so only some seeds have one.
        let with_large =
            case.seed % 2 == 1 || matches!(case.fault, Fault::Restart | Fault::FullDisk);
        let samples = Samples::of(case.speaks, with_large);
        let folder = folder();
        let disk = (case.fault == Fault::FullDisk).then(|| SmallDisk::mount(folder.path()));
        let served = Served::start(&folder.path().join("store"), samples.function);
        let store = served.store.clone();
        samples.fill(&store);
        if let Some(disk) = &disk {
            disk.leave(case.seed);
        }
        let tap = Arc::new(Tap::new(case.seed));
        let (near, proxy) = case.proxy(samples, Arc::clone(&tap), served.address);
        let served = Mutex::new(served);
        Self { case, samples, tap, served, store, near, _proxy: proxy, disk, _folder: folder }
    }

    fn url(&self) -> String {
        let port = self.near.port();
        let is_secure =
            matches!(self.case.fault, Fault::ExpiredCertificate | Fault::UntrustedCertificate);
        let secure = if is_secure { "s" } else { "" };
        match self.case.speaks {
            Speaks::Http => format!("http{secure}://localhost:{port}"),
            Speaks::Grpc => format!("grpc{secure}://localhost:{port}"),
        }
    }

    fn end_fault(&self) {
        self.tap.turn_off();
        if let Some(disk) = &self.disk {
            disk.grow();
        }
    }

    /// Stops the server as soon as enough of an upload has passed, and starts it again.
    fn restart(&self, has_ended: impl Fn() -> bool) {
        while self.tap.count() == 0 && !has_ended() {
            std::thread::sleep(Duration::from_millis(1));
        }
        self.served.lock().unwrap().restart();
    }

    /// Checks what others can see on the server: each result is the right one or none, and none is damaged. At the end, all
    /// have to be there.
    fn check_server(&self, is_end: bool) {
        assert_eq!(damaged(&self.store), [], "on the server");
        // Nobody but a client with a key can tell that an upload was changed on its way.
        let reader = (self.case.fault.changes_uploads() && !is_end).then(|| self.reader());
        for sample in self.samples.all() {
            let result = match &reader {
                Some(client) => client.result(&sample.key, &|| false),
                None => self.store.action_result(&sample.key),
            };
            match result {
                Some(result) => assert!(sample.is_told_by(&result), "a wrong result is visible"),
                None => assert!(!is_end, "a result is missing at the end"),
            }
        }
    }

    /// Makes a client without a proxy.
    fn reader(&self) -> Client {
        let address = self.served.lock().unwrap().address;
        let url = match self.case.speaks {
            Speaks::Http => format!("http://{address}"),
            Speaks::Grpc => format!("grpc://{address}"),
        };
        Client::new(settings(&url, AMPLE)).unwrap()
    }

    /// Has a second client, with which nothing goes wrong, do the rest.
    fn finish(&self) {
        let second = Machine::new(self, AMPLE, AMPLE);
        assert!(second.keep_all(), "the second client uploads: {:?}", second.told());
        assert!(second.fetch_all(self.samples.all()), "it fetches: {:?}", second.told());
        assert_eq!(second.told(), [""; 0]);
        assert_eq!(damaged(&second.place.store), []);
        self.check_server(true);
    }
}

impl Case {
    fn proxy(
        self,
        samples: &Samples,
        tap: Arc<Tap>,
        server: SocketAddr,
    ) -> (SocketAddr, JoinSet<()>) {
        if self.fault.is_of_the_line(self.speaks) {
            let acceptors = match self.fault {
                Fault::ExpiredCertificate => Some(certificates::expired(self.speaks)),
                Fault::UntrustedCertificate => Some(certificates::untrusted(self.speaks)),
                _ => None,
            };
            return Arc::new(Line::new(self.fault, tap, server, acceptors)).start();
        }
        let others: Vec<_> = match self.fault {
            Fault::OtherResult => samples.fetched.iter().map(|sample| sample.key).collect(),
            _ => samples.fetched.iter().flat_map(|sample| sample.blobs.clone()).collect(),
        };
        let others = others.iter().map(|digest| (digest.hex(), digest.size())).collect();
        Exchange::new(self.speaks, self.fault, tap, others, server).start()
    }
}

impl<'a> Machine<'a> {
    fn new(world: &'a World, timeout: Duration, bound: Duration) -> Self {
        let mut settings = settings(&world.url(), timeout);
        settings.tls = Tls { roots: Some(certificates::root()), client: None };
        let client = Client::new(settings).unwrap();
        Self { world, client, place: Place::new(world.samples.function), bound }
    }

    fn told(&self) -> Vec<String> {
        told(&self.client)
    }

    /// Makes a call, which has to end in time.
    fn timed<T>(&self, what: &str, call: impl FnOnce(&Client) -> T) -> T {
        let started = Instant::now();
        let done = call(&self.client);
        let took = started.elapsed();
        assert!(took < self.bound, "{what} took {took:?}");
        done
    }

    /// Does everything while the fault lasts. Returns what was told.
    fn suffer(&self) -> Vec<String> {
        let negotiated = self.timed("negotiate", |client| client.negotiate(&|| false));
        let is_whole = std::thread::scope(|scope| {
            let fetched = scope.spawn(|| self.fetch_all(self.world.samples.fetched.iter()));
            let kept = scope.spawn(|| self.keep_all());
            if self.world.case.fault == Fault::Restart {
                self.world.restart(|| kept.is_finished());
            }
            let fetched = fetched.join().unwrap_or_else(|panicked| resume_unwind(panicked));
            kept.join().unwrap_or_else(|panicked| resume_unwind(panicked)) && fetched
        });
        let mut told = self.told();
        told.extend(negotiated.err().map(|trouble| trouble.to_string()));
        self.check_told(is_whole, &told);
        told
    }

    fn check_told(&self, is_whole: bool, told: &[String]) {
        let World { case, tap, .. } = self.world;
        assert!(tap.count() > 0 || self.world.disk.is_some(), "the fault never struck");
        assert!(is_whole || !told.is_empty() || case.fault.is_quiet(), "nothing was told");
        let words = case.fault.words();
        let is_named = told.iter().any(|text| words.iter().any(|word| text.contains(word)));
        assert!(told.is_empty() || is_named, "{told:?}");
    }

    /// Tries until everything works again.
    fn recover(&self, told: &[String]) {
        let mut until = Instant::now() + RECOVERY;
        let was_refused = told.iter().any(|text| text.contains(" refused to "));
        loop {
            let asked = Instant::now();
            let working = turn();
            until += asked.elapsed();
            let fetched = self.fetch_all(self.world.samples.fetched.iter());
            let kept = self.keep_all() || was_refused;
            if fetched && kept {
                break;
            }
            assert!(Instant::now() < until, "fetched: {fetched}, kept: {kept}, {:?}", self.told());
            drop(working);
            std::thread::sleep(Duration::from_millis(250));
        }
        assert!(!self.client.is_down());
    }

    /// Fetches results with all that they name. Tells if all are there.
    fn fetch_all(&self, samples: impl Iterator<Item = &'a Sample>) -> bool {
        let fetch = |sample: &Sample| {
            let result = self.timed("result", |client| client.result(&sample.key, &|| false));
            let Some(result) = result else { return false };
            assert!(sample.is_told_by(&result), "{result:?}");
            let store = &self.place.store;
            let fetched =
                self.timed("fetch", |client| client.fetch(&sample.contents, store, &|| false));
            assert!(!fetched || sample.is_in(store), "it is said to be there");
            fetched
        };
        // All are tried, whatever became of the first ones.
        samples.filter(|sample| !fetch(sample)).count() == 0
    }

    /// Uploads results. Tells if the server has all.
    fn keep_all(&self) -> bool {
        let samples = self.world.samples;
        let keep = |sample: &Sample| {
            let kept = self.timed("keep", |client| {
                client.keep(&sample.key, &sample.result, &samples.origin.store, &|| false)
            });
            let is_kept = matches!(kept, Kept::Uploaded | Kept::AlreadyThere);
            let is_there = sample.is_in(&self.world.store);
            assert!(!is_kept || is_there, "it is said to be there");
            is_kept
        };
        samples.uploaded.iter().filter(|sample| !keep(sample)).count() == 0
    }
}

fn told(client: &Client) -> Vec<String> {
    client.take_troubles().iter().map(ToString::to_string).collect()
}
