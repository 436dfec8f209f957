//! Makes what is fetched and uploaded: actions with results, which have trees and files.

use std::sync::LazyLock;
use std::time::Duration;

use cache::{ContentStore, Digest, DigestFunction, DiskStore, Entry, Tree, reapi};
use prost::Message as _;
use remote::{
    Address, Client, Content, Kept, Proxies, PublicKey, Settings, SigningKey, Tls, Trust,
};

use crate::dice::Dice;
use crate::op::Speaks;
use crate::place::{Place, Served};

/// The size of the largest file: HTTP sends it in pieces, and gRPC in a stream and not in a batch.
const LARGE_HTTP: usize = 1_200_000;
const LARGE_GRPC: usize = 4_300_000;
/// The size of the largest file where there is no large one.
const SMALL: usize = 40_000;

/// The results that are fetched, and those that are uploaded.
const FETCHED: usize = 2;
const UPLOADED: usize = 2;

/// The samples of one protocol, with the digest function that it is usually spoken with.
pub(crate) struct Samples {
    pub(crate) function: DigestFunction,
    /// The store of the machine that has made all of them.
    pub(crate) origin: Place,
    pub(crate) fetched: Vec<Sample>,
    pub(crate) uploaded: Vec<Sample>,
}

/// An action with its result.
#[derive(Clone)]
pub(crate) struct Sample {
    pub(crate) key: Digest,
    pub(crate) result: reapi::ActionResult,
    /// The result as a server has it.
    pub(crate) signed: reapi::ActionResult,
    pub(crate) contents: Vec<Content>,
    /// The blobs that the contents consist of.
    pub(crate) outputs: Vec<Digest>,
    /// All blobs that a server should have.
    pub(crate) blobs: Vec<Digest>,
}

impl Samples {
    /// Returns the samples, which are made once. Only some cases have a large file.
    pub(crate) fn of(speaks: Speaks, with_large: bool) -> &'static Self {
        static SAMPLES: LazyLock<Vec<Samples>> = LazyLock::new(|| {
            [(Speaks::Http, SMALL), (Speaks::Grpc, SMALL)]
                .into_iter()
                .chain([(Speaks::Http, LARGE_HTTP), (Speaks::Grpc, LARGE_GRPC)])
                .map(|(speaks, large)| Samples::make(speaks, large))
                .collect()
        });
        &SAMPLES[usize::from(speaks == Speaks::Grpc) + 2 * usize::from(with_large)]
    }

    fn make(speaks: Speaks, large: usize) -> Self {
        let function = match speaks {
            Speaks::Http => DigestFunction::Sha256,
            Speaks::Grpc => DigestFunction::Blake3,
        };
        let origin = Place::new(function);
        let sample = |number: usize| {
            let size = if number.is_multiple_of(FETCHED) { large } else { 30_000 };
            Sample::make(&origin.store, number as u64, size)
        };
        let mut all: Vec<Sample> = (0..FETCHED + UPLOADED).map(sample).collect();
        sign(&origin, &mut all);
        let uploaded = all.split_off(FETCHED);
        Self { function, origin, fetched: all, uploaded }
    }

    /// Puts what is fetched into the store of a server.
    pub(crate) fn fill(&self, store: &DiskStore) {
        for sample in &self.fetched {
            for digest in &sample.blobs {
                let bytes = self.origin.store.get(digest).unwrap().unwrap();
                assert!(store.put_as(digest, &bytes).unwrap());
            }
            store.put_action_result(&sample.key, &sample.signed).unwrap();
        }
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Sample> {
        self.fetched.iter().chain(&self.uploaded)
    }
}

/// Has a client sign all results, and reads them where it has put them.
fn sign(origin: &Place, samples: &mut [Sample]) {
    let place = Place::new(origin.store.function());
    let served = Served::start(place.store.root(), origin.store.function());
    let url = format!("grpc://{}", served.address);
    let client = Client::new(settings(&url, Duration::from_secs(30))).unwrap();
    for sample in samples {
        let kept = client.keep(&sample.key, &sample.result, &origin.store, &|| false);
        assert_eq!(kept, Kept::Uploaded, "{:?}", client.take_troubles());
        sample.signed = served.store.action_result(&sample.key).unwrap();
    }
}

/// Returns the settings of a client that signs, and believes only what it has signed.
pub(crate) fn settings(url: &str, timeout: Duration) -> Settings {
    static KEYS: LazyLock<(SigningKey, PublicKey)> = LazyLock::new(|| {
        let (private, public) = SigningKey::generate().unwrap();
        (SigningKey::from_pem(&private).unwrap(), PublicKey::from_pem(&public).unwrap())
    });
    Settings {
        url: Address::parse(url).unwrap(),
        instance: String::new(),
        headers: Vec::new(),
        upload: true,
        timeout,
        retries: 1,
        max_connections: 8,
        bandwidth: None,
        tls: Tls::default(),
        proxies: Proxies::default(),
        digest_function: None,
        trust: Trust { trusted_keys: vec![KEYS.1.clone()], require_signed: true },
        signing_key: Some(KEYS.0.clone()),
    }
}

impl Sample {
    fn make(store: &ContentStore, number: u64, large: usize) -> Self {
        let mut dice = Dice::new(number);
        let mut blobs = Vec::new();
        let mut put = |bytes: &[u8]| {
            let digest = store.put(bytes).unwrap();
            blobs.push(digest);
            digest
        };
        let mut tree = Tree::default();
        for file in 0..4 {
            // Some files compress well.
            let line = dice.bytes(if file % 2 == 0 { 40 } else { 2000 });
            let digest = put(&line.repeat(if file % 2 == 0 { 50 } else { 1 }));
            let entry = Entry::File { digest, executable: file == 0 };
            tree.insert(&format!("dir{}/file{file}", file % 2), entry).unwrap();
        }
        tree.insert("link", Entry::Symlink { target: "dir0".to_owned() }).unwrap();
        let (root, directories) = tree.digest(store.function()).unwrap();
        let messages: Vec<Vec<u8>> = directories.into_iter().map(|(_, message)| message).collect();
        for message in &messages {
            put(message);
        }
        let file = put(&dice.bytes(large));
        let message = store.put(&tree_message(root, &messages).encode_to_vec()).unwrap();
        let outputs = blobs.clone();
        blobs.push(message);
        let key = Self::action(store, &mut blobs, number);
        let result = result(&file, &message, &root);
        let contents = vec![Content::Tree(root), Content::File(file)];
        Self { key, signed: result.clone(), result, contents, outputs, blobs }
    }

    fn action(store: &ContentStore, blobs: &mut Vec<Digest>, number: u64) -> Digest {
        let mut put = |bytes: &[u8]| {
            let digest = store.put(bytes).unwrap();
            blobs.push(digest);
            digest
        };
        let arguments = vec!["make".to_owned(), number.to_string()];
        let command = reapi::Command { arguments, ..Default::default() };
        let command = put(&command.encode_to_vec());
        let root = put(&reapi::Directory {
            symlinks: vec![reapi::SymlinkNode {
                name: "input".to_owned(),
                target: "somewhere".to_owned(),
                ..Default::default()
            }],
            ..Default::default()
        }
        .encode_to_vec());
        let action = reapi::Action {
            command_digest: Some(command.to_reapi()),
            input_root_digest: Some(root.to_reapi()),
            ..Default::default()
        };
        put(&action.encode_to_vec())
    }

    /// Tells if a result says what it should. Metadata may differ.
    pub(crate) fn is_told_by(&self, result: &reapi::ActionResult) -> bool {
        let said = |result: &reapi::ActionResult| {
            let files = result.output_files.iter();
            let files: Vec<_> = files
                .map(|file| (file.path.clone(), file.digest.clone(), file.is_executable))
                .collect();
            let folders = result.output_directories.iter();
            let folders: Vec<_> = folders
                .map(|folder| {
                    let root = folder.root_directory_digest.clone();
                    (folder.path.clone(), folder.tree_digest.clone(), root)
                })
                .collect();
            (files, folders, result.output_symlinks.clone(), result.exit_code)
        };
        said(&self.result) == said(result)
    }

    /// Tells if a store has all that is to be fetched.
    pub(crate) fn is_in(&self, store: &ContentStore) -> bool {
        self.outputs.iter().all(|digest| store.contains(digest))
    }
}

fn tree_message(root: Digest, messages: &[Vec<u8>]) -> reapi::Tree {
    let mut tree = reapi::Tree::default();
    for message in messages {
        let directory = reapi::Directory::decode(&**message).unwrap();
        if Digest::of(root.function(), message) == root {
            tree.root = Some(directory);
        } else {
            tree.children.push(directory);
        }
    }
    tree
}

fn result(file: &Digest, message: &Digest, root: &Digest) -> reapi::ActionResult {
    reapi::ActionResult {
        output_files: vec![reapi::OutputFile {
            path: "large".to_owned(),
            digest: Some(file.to_reapi()),
            ..Default::default()
        }],
        output_directories: vec![reapi::OutputDirectory {
            path: "out".to_owned(),
            tree_digest: Some(message.to_reapi()),
            root_directory_digest: Some(root.to_reapi()),
            is_topologically_sorted: false,
        }],
        ..Default::default()
    }
}
