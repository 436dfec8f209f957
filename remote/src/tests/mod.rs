//! One suite for both protocols, against small servers that can be odd or broken on purpose.

mod conformance;
mod execution;
mod execution_server;
mod faults;
mod grpc_server;
mod http_server;
mod hurdle;
mod limits;
mod odd_servers;
mod server;
mod trust;
mod uploads;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cache::{ContentStore, Digest, DigestFunction, Entry, Tree, reapi};
use prost::Message as _;
use tempfile::TempDir;

use self::server::{Server, Speaks};
use crate::line::Patience;
use crate::{Address, Client, Content, Proxies, Settings, Tls, Trust};

/// The time-out of calls in tests.
const TIMEOUT: Duration = Duration::from_millis(600);

/// A store in a folder of its own.
struct Place {
    store: ContentStore,
    _folder: TempDir,
}

impl Place {
    fn new(function: DigestFunction) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { store: ContentStore::open(folder.path(), function).unwrap(), _folder: folder }
    }
}

/// An action with its result, in a store.
struct Sample {
    place: Place,
    key: Digest,
    result: reapi::ActionResult,
    tree: Digest,
    /// The digest of the largest file, which needs a stream.
    large: Digest,
    /// The digest of a small file of the tree.
    small: Digest,
}

/// Bytes that don't compress, and differ from seed to seed.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    next.flatten().take(length).collect()
}

impl Sample {
    fn new(function: DigestFunction, large: usize) -> Self {
        let place = Place::new(function);
        let store = &place.store;
        let mut tree = Tree::default();
        for number in 0..40 {
            let digest = store.put(format!("file {number}").as_bytes()).unwrap();
            let entry = Entry::File { digest, executable: number % 2 == 0 };
            tree.insert(&format!("dir{}/deeper/file{number}", number % 5), entry).unwrap();
        }
        let text = store.put("a text that compresses well\n".repeat(9000).as_bytes()).unwrap();
        tree.insert("text", Entry::File { digest: text, executable: false }).unwrap();
        let empty = store.put(b"").unwrap();
        tree.insert("empty", Entry::File { digest: empty, executable: false }).unwrap();
        tree.insert("link", Entry::Symlink { target: "text".to_owned() }).unwrap();
        let large = store.put(&noise(1, large)).unwrap();
        let small = store.put(b"file 0").unwrap();
        let root = store.put_tree(&tree).unwrap();
        let result = Self::result(store, root, &large);
        let key = Self::action(store);
        Self { key, result, tree: root, large, small, place }
    }

    fn result(store: &ContentStore, root: Digest, large: &Digest) -> reapi::ActionResult {
        let message = tree_message(store, &root);
        reapi::ActionResult {
            output_files: vec![reapi::OutputFile {
                path: "large".to_owned(),
                digest: Some(large.to_reapi()),
                ..Default::default()
            }],
            output_directories: vec![reapi::OutputDirectory {
                path: "out".to_owned(),
                tree_digest: Some(store.put(&message.encode_to_vec()).unwrap().to_reapi()),
                root_directory_digest: Some(root.to_reapi()),
                is_topologically_sorted: true,
            }],
            stdout_digest: Some(store.put(b"it said this").unwrap().to_reapi()),
            ..Default::default()
        }
    }

    fn action(store: &ContentStore) -> Digest {
        let command = reapi::Command { arguments: vec!["cc".to_owned()], ..Default::default() };
        let mut input = Tree::default();
        let source = store.put(b"int main;").unwrap();
        input.insert("src/a.c", Entry::File { digest: source, executable: false }).unwrap();
        let action = reapi::Action {
            command_digest: Some(store.put(&command.encode_to_vec()).unwrap().to_reapi()),
            input_root_digest: Some(store.put_tree(&input).unwrap().to_reapi()),
            ..Default::default()
        };
        store.put(&action.encode_to_vec()).unwrap()
    }

    fn contents(&self) -> [Content; 2] {
        [Content::Tree(self.tree), Content::File(self.large)]
    }

    fn is_in(&self, store: &ContentStore) -> bool {
        store.contains_tree(&self.tree).unwrap()
            && store.get(&self.large).unwrap().is_some_and(|bytes| bytes == self.large_bytes())
    }

    fn large_bytes(&self) -> Vec<u8> {
        self.place.store.get(&self.large).unwrap().unwrap()
    }
}

fn tree_message(store: &ContentStore, root: &Digest) -> reapi::Tree {
    let read =
        |digest: &Digest| reapi::Directory::decode(&*store.get(digest).unwrap().unwrap()).unwrap();
    let mut children = Vec::new();
    let mut open = vec![*root];
    while let Some(digest) = open.pop() {
        let directory = read(&digest);
        for child in &directory.directories {
            let child = child.digest.as_ref().unwrap();
            open.push(Digest::from_reapi(root.function(), child).unwrap());
        }
        children.push(directory);
    }
    let root = children.remove(0);
    reapi::Tree { root: Some(root), children }
}

/// Settings that tests vary.
fn settings(url: &str) -> Settings {
    Settings {
        url: Address::parse(url).unwrap(),
        instance: "main".to_owned(),
        headers: Vec::new(),
        upload: true,
        timeout: TIMEOUT,
        retries: 2,
        max_connections: 8,
        bandwidth: None,
        tls: Tls::default(),
        proxies: Proxies::default(),
        digest_function: None,
        trust: Trust::default(),
        signing_key: None,
    }
}

/// A client with short pauses.
fn client(settings: Settings) -> Client {
    let patience = Patience {
        pause: Duration::from_millis(10),
        first_rest: Duration::from_millis(300),
        longest_rest: Duration::from_millis(600),
        ..Patience::new(settings.timeout, settings.retries)
    };
    Client::with_patience(settings, patience).unwrap()
}

fn client_of(server: &Server) -> Client {
    client(settings(&server.url()))
}

/// A build that is never cancelled.
fn never() -> bool {
    false
}

/// A build that another thread cancels.
#[derive(Default)]
struct Switch(AtomicBool);

impl Switch {
    fn is_on(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn turn_on(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The messages of all troubles since the last look.
fn troubles(client: &Client) -> Vec<String> {
    client.take_troubles().iter().map(ToString::to_string).collect()
}

/// Runs a test with a server of each protocol, in the digest function that it is usually asked for.
fn with_both(test: impl Fn(Server, DigestFunction)) {
    test(Server::start(Speaks::Http), DigestFunction::Sha256);
    test(Server::start(Speaks::Grpc), DigestFunction::Blake3);
}
