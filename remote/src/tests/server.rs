//! The part that both servers of the tests share: blobs and results in memory, oddities, and faults on demand.

use std::collections::{HashMap, VecDeque};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

use bazel_remote_apis::build::bazel::remote::execution::v2::ActionResult;
use cache::{Digest, DigestFunction};

use super::execution_server::Scene;
use super::{grpc_server, http_server};

/// The protocol of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Speaks {
    Http,
    Grpc,
}

/// The kind of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Op {
    ReadResult,
    WriteResult,
    Missing,
    ReadBlob,
    WriteBlob,
    /// Anything.
    Any,
}

/// The way in which a server fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// It answers an HTTP status, or what corresponds to it in gRPC.
    Status(u16),
    /// One bit of each blob is wrong.
    Flip,
    /// The body ends early, as if that were all.
    Short,
    /// The body breaks off, and the connection with it.
    Broken,
    /// The bytes are those of another blob.
    Other,
    /// It answers with zstd that unpacks to far more than was asked for.
    Bomb,
    /// It sends the client to another port (HTTP only).
    Elsewhere(u16),
    /// It never answers.
    Silence,
    /// It sends a byte now and then.
    Dribble,
}

/// The differences of a server from an ordinary one.
#[derive(Debug, Clone)]
pub(super) struct Oddity {
    pub(super) batch_limit: i64,
    pub(super) zstd: bool,
    pub(super) functions: Vec<i32>,
    pub(super) reverse: bool,
    pub(super) no_offsets: bool,
    pub(super) no_query: bool,
    pub(super) update_enabled: bool,
    /// It says that it lacks everything.
    pub(super) forgetful: bool,
    /// It executes actions.
    pub(super) executes: bool,
}

/// The state of a server.
pub(super) struct Shared {
    pub(super) blobs: Mutex<HashMap<String, Vec<u8>>>,
    pub(super) results: Mutex<HashMap<String, Vec<u8>>>,
    /// Uploads that have begun.
    pub(super) begun: Mutex<HashMap<String, Vec<u8>>>,
    pub(super) odd: Mutex<Oddity>,
    /// Its behaviour at the next executions.
    pub(super) scenes: Mutex<VecDeque<Scene>>,
    /// The result of every action that it executes.
    pub(super) executed: Mutex<ActionResult>,
    /// The hash of the action that it was last asked for.
    pub(super) executing: Mutex<String>,
    faults: Mutex<Vec<(Op, Fault, usize)>>,
    /// The requests so far, one line each.
    pub(super) log: Mutex<Vec<String>>,
}

/// A server that runs as long as the tests.
#[derive(Clone)]
pub(super) struct Server {
    pub(super) speaks: Speaks,
    pub(super) address: SocketAddr,
    pub(super) shared: Arc<Shared>,
}

impl Server {
    pub(super) fn start(speaks: Speaks) -> Self {
        Self::start_on(speaks, TcpListener::bind("127.0.0.1:0").unwrap())
    }

    pub(super) fn start_on(speaks: Speaks, listener: TcpListener) -> Self {
        let odd = Oddity {
            batch_limit: 4 << 20,
            zstd: true,
            functions: vec![1, 9],
            reverse: false,
            no_offsets: false,
            no_query: false,
            update_enabled: true,
            forgetful: false,
            executes: true,
        };
        let shared = Arc::new(Shared {
            blobs: Mutex::default(),
            results: Mutex::default(),
            begun: Mutex::default(),
            odd: Mutex::new(odd),
            scenes: Mutex::default(),
            executed: Mutex::default(),
            executing: Mutex::default(),
            faults: Mutex::default(),
            log: Mutex::default(),
        });
        let address = listener.local_addr().unwrap();
        match speaks {
            Speaks::Http => http_server::serve(listener, Arc::clone(&shared)),
            Speaks::Grpc => grpc_server::serve(listener, Arc::clone(&shared)),
        }
        Self { speaks, address, shared }
    }

    pub(super) fn url(&self) -> String {
        self.url_at(self.address)
    }

    /// The URL of this server behind something else that listens at `address`.
    pub(super) fn url_at(&self, address: SocketAddr) -> String {
        match self.speaks {
            Speaks::Http => format!("http://{address}/cache"),
            Speaks::Grpc => format!("grpc://{address}"),
        }
    }

    pub(super) fn odd(self, change: impl Fn(&mut Oddity)) -> Self {
        change(&mut self.shared.odd.lock().unwrap());
        self
    }

    /// Fails the next `times` calls.
    pub(super) fn fail(&self, op: Op, fault: Fault, times: usize) {
        self.shared.faults.lock().unwrap().push((op, fault, times));
    }

    /// Ends all faults.
    pub(super) fn mend(&self) {
        self.shared.faults.lock().unwrap().clear();
    }

    pub(super) fn has(&self, digest: &Digest) -> bool {
        self.shared.blobs.lock().unwrap().contains_key(&digest.hex())
    }

    /// The number of log lines that contain a text.
    pub(super) fn count(&self, text: &str) -> usize {
        self.shared.log.lock().unwrap().iter().filter(|line| line.contains(text)).count()
    }

    /// Tells if every blob has the bytes of its name.
    pub(super) fn is_sound(&self, function: DigestFunction) -> bool {
        let blobs = self.shared.blobs.lock().unwrap();
        blobs.iter().all(|(hash, bytes)| Digest::of(function, bytes).hex() == *hash)
    }
}

impl Shared {
    pub(super) fn odd(&self) -> Oddity {
        self.odd.lock().unwrap().clone()
    }

    pub(super) fn note(&self, line: String) {
        self.log.lock().unwrap().push(line);
    }

    /// Takes the fault for a call, if it is to fail.
    pub(super) fn fault(&self, op: Op) -> Option<Fault> {
        let mut faults = self.faults.lock().unwrap();
        let planned = faults
            .iter_mut()
            .find(|(planned, _, left)| (*planned == op || *planned == Op::Any) && *left > 0)?;
        planned.2 -= 1;
        Some(planned.1)
    }
}

/// Spoils the bytes of a blob.
pub(super) fn spoil(fault: Option<Fault>, bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    match fault {
        Some(Fault::Flip) if !bytes.is_empty() => {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 4;
        }
        Some(Fault::Short) => bytes.truncate(bytes.len() / 2),
        Some(Fault::Other) => bytes = b"something else".to_vec(),
        Some(Fault::Bomb) => bytes = zstd::bulk::compress(&vec![0; 50 << 20], 3).unwrap(),
        _ => {}
    }
    bytes
}
