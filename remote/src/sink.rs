//! Takes a stream of bytes into the store, compressed or not. Nothing becomes visible in the store unless its digest is
//! right, and nothing beyond the digest's size is ever unpacked.

use std::io::{self, Write};

use cache::{BlobWriter, ContentStore, Digest};
use tokio::task::block_in_place;
use zstd::stream::write::Decoder;

use crate::failure::Failure;
use crate::progress::Progress;

/// A blob on its way into the store.
pub(crate) enum Sink {
    /// The bytes come as they are.
    Plain(Box<Intake>),
    /// The bytes come as zstd.
    Zstd(Box<Decoder<'static, Intake>>),
}

/// The unpacked bytes of a blob on their way into the store.
pub(crate) struct Intake {
    digest: Digest,
    writer: BlobWriter,
    received: u64,
    overflown: bool,
}

impl Intake {
    /// Begins a blob.
    pub(crate) fn open(store: &ContentStore, digest: &Digest) -> Result<Self, Failure> {
        let writer = store.writer_of(digest.function(), false)?;
        Ok(Self { digest: *digest, writer, received: 0, overflown: false })
    }

    /// Returns the number of bytes so far.
    pub(crate) const fn received(&self) -> u64 {
        self.received
    }

    /// Takes the bytes that follow, compressed or not.
    pub(crate) fn sink(self, zstd: bool) -> Result<Sink, Failure> {
        if zstd {
            Ok(Sink::Zstd(Box::new(Decoder::new(self)?)))
        } else {
            Ok(Sink::Plain(Box::new(self)))
        }
    }

    /// Puts the blob into the store.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        let digest = self.digest;
        if block_in_place(|| self.writer.finish_as(&digest))? {
            Ok(())
        } else {
            Err(Failure::Wrong(digest))
        }
    }
}

impl Write for Intake {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.received + bytes.len() as u64 > self.digest.size() {
            self.overflown = true;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let written = self.writer.write(bytes)?;
        self.received += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

impl Sink {
    /// Takes some bytes as they came over the wire. What they unpack to is progress as well.
    pub(crate) fn take(&mut self, bytes: &[u8], progress: &Progress) -> Result<(), Failure> {
        let before = self.intake().received;
        let taken = block_in_place(|| match self {
            Self::Plain(intake) => intake.write_all(bytes),
            Self::Zstd(decoder) => decoder.write_all(bytes),
        });
        let unpacked = self.intake().received - before;
        progress.add(usize::try_from(unpacked).unwrap_or(usize::MAX));
        taken.map_err(|error| self.failure(&error))
    }

    /// Ends the stream. All that came so far is in the result.
    pub(crate) fn end(self) -> Result<Intake, Failure> {
        match self {
            Self::Plain(intake) => Ok(*intake),
            Self::Zstd(mut decoder) => {
                // A broken end shows in the digest.
                let flushed = block_in_place(|| decoder.flush());
                let sink = Self::Zstd(decoder);
                match flushed {
                    Err(error) if sink.intake().overflown => Err(sink.failure(&error)),
                    _ => Ok(sink.into_intake()),
                }
            }
        }
    }

    fn into_intake(self) -> Intake {
        match self {
            Self::Plain(intake) => *intake,
            Self::Zstd(decoder) => decoder.into_inner(),
        }
    }

    fn intake(&self) -> &Intake {
        match self {
            Self::Plain(intake) => intake,
            Self::Zstd(decoder) => decoder.get_ref(),
        }
    }

    /// A write fails for three reasons: there are too many bytes, they are no zstd, or the disk fails.
    fn failure(&self, error: &io::Error) -> Failure {
        let is_disk = error.raw_os_error().is_some() && !self.intake().overflown;
        if is_disk {
            Failure::Store(error.to_string())
        } else {
            Failure::Wrong(self.intake().digest)
        }
    }
}

/// Unpacks zstd; `None` if it is not what it should be, or has more than `size` bytes.
pub(crate) fn unpack(bytes: &[u8], size: u64) -> Option<Vec<u8>> {
    let size = usize::try_from(size).ok()?;
    zstd::bulk::decompress(bytes, size).ok()
}

/// Packs bytes as zstd; `None` if that does not make them smaller.
pub(crate) fn pack(bytes: &[u8]) -> Option<Vec<u8>> {
    let packed = zstd::bulk::compress(bytes, LEVEL).ok()?;
    (packed.len() < bytes.len()).then_some(packed)
}

/// The level of compression. A higher one costs more time than it saves on fast networks.
pub(crate) const LEVEL: i32 = 3;
