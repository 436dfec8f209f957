//! Reads a blob of the store piece by piece, to send it, compressed if the server takes that.
//!
//! The bytes are hashed on their way, and the last piece is given away only if the digest is right. So a damaged blob
//! never arrives complete, whatever the server checks.

use std::fs::File;
use std::io::{Read as _, Write as _};

use bytes::Bytes;
use cache::{ContentStore, Digest, Hasher};
use tokio::sync::mpsc::Sender;
use tokio::task::block_in_place;
use zstd::stream::write::Encoder;

use crate::failure::Failure;
use crate::line::Line;
use crate::progress::Progress;
use crate::sink::LEVEL;

/// The bytes that are read at once.
const PIECE: usize = 256 << 10;

/// One piece of a blob.
#[derive(Debug)]
pub(crate) struct Piece {
    /// The bytes as they go over the wire.
    pub(crate) bytes: Bytes,
    /// Their offset in all that goes over the wire.
    pub(crate) offset: u64,
    /// Nothing follows.
    pub(crate) last: bool,
}

/// A blob that is read.
pub(crate) struct Feed {
    digest: Digest,
    store: ContentStore,
    file: File,
    hasher: Hasher,
    read: u64,
    packer: Option<Encoder<'static, Vec<u8>>>,
    /// The number of bytes that are not sent, because the server has them already.
    skip: u64,
    offset: u64,
    done: bool,
}

impl Feed {
    /// Opens a blob. The first `skip` bytes of what would go over the wire are left out.
    pub(crate) fn open(
        store: &ContentStore,
        digest: &Digest,
        zstd: bool,
        skip: u64,
    ) -> Result<Self, Failure> {
        let file = store.open_blob(digest)?.ok_or(Failure::Lacking(*digest))?;
        let packer = if zstd { Some(Encoder::new(Vec::new(), LEVEL)?) } else { None };
        Ok(Self {
            digest: *digest,
            store: store.clone(),
            file,
            hasher: Hasher::new(digest.function()),
            read: 0,
            packer,
            skip,
            offset: 0,
            done: false,
        })
    }

    /// Sends all pieces. Returns only if that fails because of the store: the end is for the receiver to notice.
    pub(crate) async fn run(
        mut self,
        pieces: Sender<Piece>,
        line: &Line,
        progress: &Progress,
    ) -> Failure {
        while !self.done {
            let before = self.read;
            let piece = match block_in_place(|| self.next()) {
                Ok(piece) => piece,
                Err(failure) => return failure,
            };
            let length = piece.bytes.len();
            line.pace_up.pass(length, progress).await;
            // What packs well moves few bytes, and is progress all the same.
            progress.add(usize::try_from(self.read - before).unwrap_or(usize::MAX));
            if length == 0 && !piece.last {
                tokio::task::yield_now().await;
            } else if pieces.send(piece).await.is_err() {
                break;
            }
            line.traffic.bytes_up.add(length as u64);
        }
        drop(pieces);
        std::future::pending().await
    }

    /// Reads on, and returns what goes over the wire of that, which may be nothing.
    fn next(&mut self) -> Result<Piece, Failure> {
        let mut buffer = vec![0; PIECE];
        let count = self.file.read(&mut buffer)?;
        buffer.truncate(count);
        self.hasher.update(&buffer);
        self.read += count as u64;
        self.done = self.read >= self.digest.size() || count == 0;
        if self.done && self.hasher.finish() != self.digest {
            // Reading it whole sets it aside.
            self.store.get(&self.digest)?;
            return Err(Failure::Lacking(self.digest));
        }
        let packed = self.packed(buffer)?;
        let skipped = self.skip.saturating_sub(self.offset);
        let skipped = usize::try_from(skipped).unwrap_or(usize::MAX).min(packed.len());
        let offset = self.offset + skipped as u64;
        self.offset += packed.len() as u64;
        Ok(Piece { bytes: Bytes::from(packed).split_off(skipped), offset, last: self.done })
    }

    fn packed(&mut self, buffer: Vec<u8>) -> Result<Vec<u8>, Failure> {
        let Some(packer) = &mut self.packer else { return Ok(buffer) };
        packer.write_all(&buffer)?;
        if self.done {
            packer.do_finish()?;
        }
        Ok(std::mem::take(packer.get_mut()))
    }
}
