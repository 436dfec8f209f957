//! The format of the incremental state on disk.
//!
//! The file has a line that names the version, the BLAKE3 hash of the rest, and one protobuf message. A file of
//! another version, of another store, or with a wrong hash counts as missing, because everything in it can
//! be found out again.

use cache::{Digest, DigestFunction};
use prost::Message as _;

use crate::export::ExportRecord;
use crate::stat::Stat;
use crate::stat_cache::{FileContent, RememberedFile};
use crate::success::Success;
use crate::{Artifact, Label};

/// The first line. The number changes with the messages below.
const MAGIC: &[u8] = b"run state 1\n";

/// The length of the hash after the first line.
const HASH: usize = 32;

/// The whole incremental state.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct StateMessage {
    /// The store that the digests refer to.
    #[prost(string, tag = "1")]
    pub(crate) store: String,
    #[prost(message, repeated, tag = "2")]
    pub(crate) files: Vec<FileMessage>,
    #[prost(message, repeated, tag = "3")]
    pub(crate) trees: Vec<TreeMessage>,
    #[prost(message, repeated, tag = "4")]
    pub(crate) actions: Vec<ActionMessage>,
    #[prost(message, repeated, tag = "5")]
    pub(crate) exports: Vec<ExportMessage>,
}

/// A digest. The hash is stored in four numbers, so that reading it allocates nothing. The digest function is that of
/// the store.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub(crate) struct DigestMessage {
    #[prost(fixed64, tag = "1")]
    first: u64,
    #[prost(fixed64, tag = "2")]
    second: u64,
    #[prost(fixed64, tag = "3")]
    third: u64,
    #[prost(fixed64, tag = "4")]
    fourth: u64,
    #[prost(uint64, tag = "5")]
    size: u64,
}

/// The stat of a file.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub(crate) struct StatMessage {
    #[prost(uint64, tag = "1")]
    size: u64,
    #[prost(sfixed64, tag = "2")]
    mtime: i64,
    #[prost(sfixed64, tag = "3")]
    ctime: i64,
    #[prost(uint64, tag = "4")]
    inode: u64,
}

/// A source file.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct FileMessage {
    #[prost(bytes = "vec", tag = "1")]
    path: Vec<u8>,
    #[prost(message, required, tag = "2")]
    stat: StatMessage,
    #[prost(message, required, tag = "3")]
    digest: DigestMessage,
    #[prost(bool, tag = "4")]
    executable: bool,
    #[prost(uint32, tag = "5")]
    age: u32,
}

/// A tree of source files that was put into the store.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct TreeMessage {
    #[prost(message, required, tag = "1")]
    digest: DigestMessage,
    #[prost(uint32, tag = "2")]
    age: u32,
}

/// The last result of an action.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ActionMessage {
    #[prost(string, tag = "1")]
    owner: String,
    #[prost(string, tag = "2")]
    step: String,
    #[prost(message, required, tag = "3")]
    key: DigestMessage,
    #[prost(message, repeated, tag = "4")]
    outputs: Vec<OutputMessage>,
    #[prost(message, optional, tag = "5")]
    stdout: Option<DigestMessage>,
    #[prost(message, optional, tag = "6")]
    stderr: Option<DigestMessage>,
    #[prost(uint32, tag = "7")]
    pub(crate) age: u32,
}

/// One output of an action.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct OutputMessage {
    #[prost(string, tag = "1")]
    path: String,
    #[prost(message, required, tag = "2")]
    digest: DigestMessage,
    #[prost(enumeration = "OutputKind", tag = "3")]
    kind: i32,
}

/// The kind of an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
enum OutputKind {
    Tree = 0,
    File = 1,
    Executable = 2,
}

/// An exported file.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ExportMessage {
    #[prost(bytes = "vec", tag = "1")]
    path: Vec<u8>,
    #[prost(message, required, tag = "2")]
    stat: StatMessage,
    #[prost(message, required, tag = "3")]
    digest: DigestMessage,
    #[prost(bool, tag = "4")]
    executable: bool,
}

/// The number of entries that are encoded at once.
const PIECE: usize = 256;

/// Makes the bytes of a state file piece by piece, so that there is never a second copy of a large state in memory.
/// Messages that follow each other count as one: their lists are joined (protobuf encoding, "Last One Wins").
pub(crate) struct StateWriter {
    bytes: Vec<u8>,
}

impl StateWriter {
    /// Begins the file of a state whose digests refer to this store.
    pub(crate) fn new(store: String) -> Self {
        let mut this = Self { bytes: [MAGIC, &[0; HASH]].concat() };
        this.add(&StateMessage { store, ..StateMessage::default() });
        this
    }

    /// Adds entries. `list` makes a message of some of them.
    pub(crate) fn entries<T>(
        &mut self,
        entries: impl Iterator<Item = T>,
        list: impl Fn(Vec<T>) -> StateMessage,
    ) {
        let mut entries = entries.peekable();
        while entries.peek().is_some() {
            self.add(&list(entries.by_ref().take(PIECE).collect()));
        }
    }

    fn add(&mut self, piece: &StateMessage) {
        piece.encode(&mut self.bytes).expect("a vector grows as needed");
    }

    /// Returns the bytes of the file.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        let (head, body) = self.bytes.split_at_mut(MAGIC.len() + HASH);
        let digest = Digest::of(DigestFunction::Blake3, body);
        head[MAGIC.len()..].copy_from_slice(digest.hash());
        self.bytes
    }
}

impl StateMessage {
    /// Reads a state. Returns `None` if the bytes are not a complete state of this version.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (hash, body) = bytes.strip_prefix(MAGIC)?.split_at_checked(HASH)?;
        if Digest::of(DigestFunction::Blake3, body).hash() != hash {
            return None;
        }
        Self::decode(body).ok()
    }
}

impl DigestMessage {
    pub(crate) fn new(digest: &Digest) -> Self {
        let (words, _) = digest.hash().as_chunks();
        let [first, second, third, fourth] =
            [0, 1, 2, 3].map(|at: usize| u64::from_le_bytes(words[at]));
        Self { first, second, third, fourth, size: digest.size() }
    }

    fn read(&self, function: DigestFunction) -> Digest {
        let mut hash = [0; HASH];
        let words = [self.first, self.second, self.third, self.fourth];
        for (bytes, word) in hash.as_chunks_mut().0.iter_mut().zip(words) {
            *bytes = word.to_le_bytes();
        }
        Digest::new(function, hash, self.size)
    }
}

impl StatMessage {
    const fn new(stat: &Stat) -> Self {
        Self { size: stat.size, mtime: stat.mtime, ctime: stat.ctime, inode: stat.inode }
    }

    const fn read(&self) -> Stat {
        Stat { size: self.size, mtime: self.mtime, ctime: self.ctime, inode: self.inode }
    }
}

impl FileMessage {
    pub(crate) fn new(path: &[u8], file: &RememberedFile) -> Self {
        Self {
            path: path.to_vec(),
            stat: StatMessage::new(&file.stat),
            digest: DigestMessage::new(&file.content.digest),
            executable: file.content.executable,
            age: file.age,
        }
    }

    pub(crate) fn read(self, function: DigestFunction) -> (Vec<u8>, RememberedFile) {
        let content =
            FileContent { digest: self.digest.read(function), executable: self.executable };
        (self.path, RememberedFile { stat: self.stat.read(), content, age: self.age })
    }
}

impl TreeMessage {
    pub(crate) fn new(digest: &Digest, age: u32) -> Self {
        Self { digest: DigestMessage::new(digest), age }
    }

    pub(crate) fn read(&self, function: DigestFunction) -> (Digest, u32) {
        (self.digest.read(function), self.age)
    }
}

impl ActionMessage {
    pub(crate) fn new(label: &Label, key: &Digest, success: &Success, age: u32) -> Self {
        Self {
            owner: label.owner().to_owned(),
            step: label.step().to_owned(),
            key: DigestMessage::new(key),
            outputs: success
                .outputs
                .iter()
                .map(|(path, artifact)| OutputMessage::new(path, artifact))
                .collect(),
            stdout: success.stdout.as_ref().map(DigestMessage::new),
            stderr: success.stderr.as_ref().map(DigestMessage::new),
            age,
        }
    }

    /// Reads the last result of an action. Returns `None` if an output has a kind that this version does not know.
    pub(crate) fn read(self, function: DigestFunction) -> Option<(Label, Digest, Success)> {
        let digest = |message: DigestMessage| message.read(function);
        let outputs = self.outputs.into_iter().map(|output| output.read(function));
        let success = Success {
            outputs: outputs.collect::<Option<_>>()?,
            stdout: self.stdout.map(digest),
            stderr: self.stderr.map(digest),
        };
        Some((Label::new(self.owner, self.step), digest(self.key), success))
    }
}

impl OutputMessage {
    fn new(path: &str, artifact: &Artifact) -> Self {
        let kind = match artifact {
            Artifact::Tree(_) => OutputKind::Tree,
            Artifact::File { executable: false, .. } => OutputKind::File,
            Artifact::File { executable: true, .. } => OutputKind::Executable,
        };
        let digest = DigestMessage::new(artifact.digest());
        Self { path: path.to_owned(), digest, kind: kind.into() }
    }

    fn read(self, function: DigestFunction) -> Option<(String, Artifact)> {
        let digest = self.digest.read(function);
        let artifact = match OutputKind::try_from(self.kind).ok()? {
            OutputKind::Tree => Artifact::Tree(digest),
            OutputKind::File => Artifact::File { digest, executable: false },
            OutputKind::Executable => Artifact::File { digest, executable: true },
        };
        Some((self.path, artifact))
    }
}

impl ExportMessage {
    pub(crate) fn new(path: &[u8], record: &ExportRecord) -> Self {
        Self {
            path: path.to_vec(),
            stat: StatMessage::new(&record.stat),
            digest: DigestMessage::new(&record.digest),
            executable: record.executable,
        }
    }

    pub(crate) fn read(self, function: DigestFunction) -> (Vec<u8>, ExportRecord) {
        let (digest, stat) = (self.digest.read(function), self.stat.read());
        let record = ExportRecord { stat, digest, executable: self.executable, settled: true };
        (self.path, record)
    }
}
