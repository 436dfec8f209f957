//! A blob on its way to a client, compressed or not.
//!
//! Small blobs are read and checked as a whole. Larger ones are read piece by piece as the client takes them, without a thread
//! that waits in between, and hashed on the way. If the hash turns out to be wrong, the last bytes are not sent, so that
//! no client takes a damaged blob for a complete one, whether it checks the hash or not.

use std::fs::File;
use std::future::Future as _;
use std::io::{self, Read, Seek as _, SeekFrom};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use cache::{ContentStore, Digest, Hasher};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio_stream::Stream;

use crate::failure::Failure;

/// Blobs of at most this size are read as a whole.
const WHOLE: u64 = 1 << 20;
/// The largest number of bytes that are sent at once. A message of gRPC has to stay below 4 MiB.
const PIECE: usize = 512 << 10;
/// A damaged blob of at most this size is read once more, so that the store sets it aside.
const LARGEST_RECHECK: u64 = 256 << 20;
/// The level of compression: the usual one, which is fast.
const LEVEL: i32 = 3;
/// The number of bytes at the beginning of a large blob that show if it is worth compressing.
const SAMPLE: u64 = 256 << 10;

/// The part of a blob that is asked for, and its form.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    pub(crate) digest: Digest,
    /// The first byte.
    pub(crate) offset: u64,
    /// The largest number of bytes.
    pub(crate) limit: Option<u64>,
    pub(crate) compressed: bool,
}

impl Wanted {
    pub(crate) fn whole(digest: Digest, compressed: bool) -> Self {
        Self { digest, offset: 0, limit: None, compressed }
    }

    fn length(&self) -> u64 {
        let rest = self.digest.size().saturating_sub(self.offset);
        self.limit.map_or(rest, |limit| limit.min(rest))
    }
}

/// The bytes for a client, which come piece by piece.
pub(crate) struct Download {
    state: State,
}

enum State {
    /// All that is left.
    Bytes(Bytes),
    Idle(Pieces),
    Reading(JoinHandle<(Pieces, io::Result<Bytes>)>),
    Done,
}

/// Tells if a large blob gets smaller by compression, as far as its beginning shows. Archives and images don't, and would
/// cost both sides more time than they take on a fast network. This blocks.
pub(crate) fn is_worth_packing(store: &ContentStore, digest: &Digest) -> Result<bool, Failure> {
    if digest.size() <= WHOLE {
        return Ok(true);
    }
    let Some(file) = store.open_blob(digest)? else { return Ok(false) };
    let mut sample = Vec::new();
    file.take(SAMPLE).read_to_end(&mut sample)?;
    let packed = zstd::bulk::compress(&sample, LEVEL)?;
    Ok(packed.len() < sample.len() / 10 * 9)
}

/// A file that is read on threads that may block.
type Pieces = Box<dyn Read + Send>;

impl Download {
    /// Opens a blob; `None` if it is missing. This blocks.
    pub(crate) fn open(store: &ContentStore, wanted: &Wanted) -> Result<Option<Self>, Failure> {
        let state = if wanted.digest.size() <= WHOLE {
            read_whole(store, wanted)?.map(State::Bytes)
        } else {
            open_pieces(store, wanted)?.map(State::Idle)
        };
        Ok(state.map(|state| Self { state }))
    }

    /// Returns the number of bytes if it is known before they are read.
    pub(crate) fn length(&self, wanted: &Wanted) -> Option<u64> {
        match &self.state {
            State::Bytes(bytes) => Some(bytes.len() as u64),
            _ if wanted.compressed => None,
            _ => Some(wanted.length()),
        }
    }
}

impl Stream for Download {
    type Item = Result<Bytes, Failure>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match &mut self.state {
                State::Done => return Poll::Ready(None),
                State::Bytes(bytes) => {
                    let piece = bytes.split_to(bytes.len().min(PIECE));
                    if bytes.is_empty() {
                        self.state = State::Done;
                    }
                    return Poll::Ready((!piece.is_empty()).then_some(Ok(piece)));
                }
                State::Reading(reading) => {
                    let joined = ready!(Pin::new(reading).poll(cx));
                    let item = joined.map_err(Failure::of_thread).and_then(|(pieces, read)| {
                        self.state = State::Idle(pieces);
                        read.map_err(Failure::from)
                    });
                    if !matches!(&item, Ok(bytes) if !bytes.is_empty()) {
                        self.state = State::Done;
                    }
                    let is_end = matches!(&item, Ok(bytes) if bytes.is_empty());
                    return Poll::Ready((!is_end).then_some(item));
                }
                State::Idle(_) => {
                    let State::Idle(mut pieces) = std::mem::replace(&mut self.state, State::Done)
                    else {
                        continue;
                    };
                    self.state = State::Reading(spawn_blocking(move || {
                        let piece = read_piece(&mut *pieces);
                        (pieces, piece)
                    }));
                }
            }
        }
    }
}

fn read_piece(from: &mut dyn Read) -> io::Result<Bytes> {
    let mut piece = Vec::with_capacity(PIECE);
    from.take(PIECE as u64).read_to_end(&mut piece)?;
    Ok(piece.into())
}

fn read_whole(store: &ContentStore, wanted: &Wanted) -> Result<Option<Bytes>, Failure> {
    let Some(bytes) = store.get(&wanted.digest)? else { return Ok(None) };
    // Blobs of this size have lengths that fit.
    let start = usize::try_from(wanted.offset).unwrap_or(bytes.len()).min(bytes.len());
    let length = usize::try_from(wanted.length()).unwrap_or(bytes.len());
    let part = Bytes::from(bytes).slice(start..start + length);
    let part = if wanted.compressed { zstd::encode_all(&*part, LEVEL)?.into() } else { part };
    Ok(Some(part))
}

fn open_pieces(store: &ContentStore, wanted: &Wanted) -> Result<Option<Pieces>, Failure> {
    let Some(mut file) = store.open_blob(&wanted.digest)? else { return Ok(None) };
    file.seek(SeekFrom::Start(wanted.offset))?;
    let is_whole = wanted.length() == wanted.digest.size();
    let checked = Checked {
        file,
        left: wanted.length(),
        hasher: is_whole.then(|| Hasher::new(wanted.digest.function())),
        digest: wanted.digest,
        store: store.clone(),
    };
    Ok(Some(if wanted.compressed {
        Box::new(zstd::stream::read::Encoder::new(checked, LEVEL)?)
    } else {
        Box::new(checked)
    }))
}

/// Reads a part of a blob. If it is the whole blob, its hash has to be right before the last bytes are handed out.
struct Checked {
    file: File,
    left: u64,
    hasher: Option<Hasher>,
    digest: Digest,
    store: ContentStore,
}

impl Read for Checked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = usize::try_from(self.left).unwrap_or(buffer.len()).min(buffer.len());
        if length == 0 {
            return Ok(0);
        }
        let read = self.file.read(&mut buffer[..length])?;
        self.left -= read as u64;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&buffer[..read]);
        }
        let is_damaged = || self.hasher.as_ref().is_some_and(|h| h.finish() != self.digest);
        if read == 0 || self.left == 0 && is_damaged() {
            return Err(self.damaged());
        }
        Ok(read)
    }
}

impl Checked {
    fn damaged(&self) -> io::Error {
        if self.digest.size() <= LARGEST_RECHECK {
            // The store sets the blob aside when it notices the damage; the bytes are of no use.
            _ = self.store.get(&self.digest);
        }
        io::Error::new(io::ErrorKind::InvalidData, format!("blob {} is damaged", self.digest))
    }
}
