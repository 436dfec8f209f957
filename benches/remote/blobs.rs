//! Moves blobs up and down, with the client and with curl in turn.

use std::time::Duration;

use cache::{ContentStore, Digest, DigestFunction, reapi};
use remote::{Address, Client, Content, Kept, Proxies, Settings, Tls, Trust};
use tempfile::TempDir;

use super::{curl, median, seconds};

/// The number of pairs.
const ROUNDS: usize = 3;

/// Some blobs that no server has seen, in a store.
struct Blobs {
    store: ContentStore,
    digests: Vec<Digest>,
    folder: TempDir,
}

/// The times of the client and of curl, in seconds.
#[derive(Default)]
struct Times {
    client: Vec<f64>,
    curl: Vec<f64>,
}

/// Measures one server.
pub(super) fn measure(name: &str, url: &str) {
    for (title, count, size) in
        [("1,000 of 4 KiB", 1000, 4 << 10), ("one of 256 MiB", 1, 256 << 20)]
    {
        let (mut up, mut down) = (Times::default(), Times::default());
        for _ in 0..ROUNDS {
            round(url, count, size, &mut up, &mut down);
        }
        up.print(&format!("{name}: {title} up"));
        down.print(&format!("{name}: {title} down"));
    }
}

fn round(url: &str, count: usize, size: usize, up: &mut Times, down: &mut Times) {
    let client = Client::new(settings(url)).unwrap();
    let function = client.negotiate(&|| false).unwrap();
    let blobs = Blobs::new(function, count, size);
    up.client.push(seconds(|| blobs.upload(&client)));
    let place = tempfile::tempdir().unwrap();
    let store = ContentStore::open(place.path(), function).unwrap();
    // The next client has no connections yet, like curl.
    let client = Client::new(settings(url)).unwrap();
    let wanted: Vec<Content> = blobs.digests.iter().map(|digest| Content::File(*digest)).collect();
    down.client.push(seconds(|| assert!(client.fetch(&wanted, &store, &|| false))));
    assert_eq!(client.take_troubles(), []);
    if url.starts_with("http") {
        let others = Blobs::new(function, count, size);
        let folder = others.folder.path();
        up.curl.push(seconds(|| curl::upload(url, &others.digests, &others.store, folder)));
        down.curl.push(seconds(|| curl::download(url, &others.digests, folder)));
    }
}

impl Times {
    fn print(self, what: &str) {
        let client = median(self.client.clone());
        print!("{what:60} {client:8.3} s");
        if !self.curl.is_empty() {
            let ratios = self.client.iter().zip(&self.curl).map(|(client, curl)| curl / client);
            let ratio = median(ratios.collect());
            print!("   curl {:8.3} s   {ratio:5.2} of its speed", median(self.curl));
        }
        println!();
    }
}

impl Blobs {
    fn new(function: DigestFunction, count: usize, size: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = ContentStore::open(&folder.path().join("store"), function).unwrap();
        let mut state = u64::from(std::process::id()) << 32 | unique();
        let mut bytes = vec![0; size];
        let digests = (0..count).map(|_| {
            fill(&mut bytes, &mut state);
            store.put(&bytes).unwrap()
        });
        let digests = digests.collect();
        Self { store, digests, folder }
    }

    /// Uploads the blobs as those of one result.
    fn upload(&self, client: &Client) {
        // An action with nothing but its field `salt`, which is number 9.
        let salt = [&[0x4a, 8][..], &unique().to_le_bytes()].concat();
        let key = self.store.put(&salt).unwrap();
        let file = |digest: &Digest| reapi::OutputFile {
            path: digest.hex(),
            digest: Some(digest.to_reapi()),
            ..Default::default()
        };
        let output_files = self.digests.iter().map(file).collect();
        let result = reapi::ActionResult { output_files, ..Default::default() };
        let kept = client.keep(&key, &result, &self.store, &|| false);
        assert_eq!(kept, Kept::Uploaded, "{:?}", client.take_troubles());
    }
}

/// Fills a buffer with bytes that don't compress (xorshift).
fn fill(bytes: &mut [u8], state: &mut u64) {
    for chunk in bytes.chunks_mut(8) {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        chunk.copy_from_slice(&state.to_le_bytes()[..chunk.len()]);
    }
}

/// Returns a number that no other call returns.
fn unique() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// The settings that `run` has if nobody changes them.
fn settings(url: &str) -> Settings {
    Settings {
        url: Address::parse(url).unwrap(),
        instance: String::new(),
        headers: Vec::new(),
        upload: true,
        timeout: Duration::from_secs(30),
        retries: 3,
        max_connections: 32,
        bandwidth: None,
        tls: Tls::default(),
        proxies: Proxies::default(),
        digest_function: None,
        trust: Trust::default(),
        signing_key: None,
    }
}
