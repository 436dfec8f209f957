//! One upload: bytes that arrive piece by piece, compressed or not, and become a blob.

use std::io::Write;

use cache::Digest;
use zstd::stream::write::Decoder;

use crate::failure::Failure;
use crate::staging::Staging;

/// The largest window of compressed data, as a power of two: 8 MiB, which every decoder has to support and no encoder should
/// exceed (RFC 9659). It bounds the memory that an upload can take.
const LARGEST_WINDOW: u32 = 23;

/// Takes the pieces of one upload.
pub(crate) struct Upload {
    sink: Sink,
}

enum Sink {
    Plain(Staging),
    Zstd(Box<Decoder<'static, Staging>>),
}

impl Upload {
    pub(crate) fn new(staging: Staging, is_compressed: bool) -> Result<Self, Failure> {
        let sink = if is_compressed { decoder(staging)? } else { Sink::Plain(staging) };
        Ok(Self { sink })
    }

    /// Returns the number of bytes of the blob that have arrived, after decompression.
    pub(crate) fn size(&self) -> u64 {
        self.staging().size()
    }

    /// Tells if taking so many more bytes would only copy them in memory, so that it needs no thread of its own.
    pub(crate) fn is_quick(&self, more: usize) -> bool {
        matches!(&self.sink, Sink::Plain(staging) if staging.fits_in_memory(more))
    }

    /// Takes the next piece. After an error the upload can't go on.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let written = match &mut self.sink {
            Sink::Plain(staging) => staging.write_all(bytes),
            // What was decompressed is handed on at once, so that the size that a client may ask for is exact.
            Sink::Zstd(decoder) => decoder.write_all(bytes).and_then(|()| decoder.flush()),
        };
        written.map_err(|error| self.failure(&error))
    }

    /// Prepares for the rest of an upload that was interrupted. The rest of a compressed one is a new frame, because its
    /// offset counts bytes before compression (see the documentation of `ContentAddressableStorage`).
    pub(crate) fn resume(self) -> Result<Self, Failure> {
        match self.sink {
            Sink::Plain(_) => Ok(self),
            Sink::Zstd(old) => Ok(Self { sink: decoder(old.into_inner())? }),
        }
    }

    /// Makes a blob of the bytes if they have the expected digest.
    pub(crate) fn finish(self) -> Result<Digest, Failure> {
        match self.sink {
            Sink::Plain(staging) => staging.finish(),
            Sink::Zstd(decoder) => decoder.into_inner().finish(),
        }
    }

    fn staging(&self) -> &Staging {
        match &self.sink {
            Sink::Plain(staging) => staging,
            Sink::Zstd(decoder) => decoder.get_ref(),
        }
    }

    fn failure(&mut self, error: &std::io::Error) -> Failure {
        let staging = match &mut self.sink {
            Sink::Plain(staging) => staging,
            Sink::Zstd(decoder) => decoder.get_mut(),
        };
        let broken = || Failure::Invalid(format!("the body is not valid zstd: {error}"));
        staging.take_failure().unwrap_or_else(broken)
    }
}

fn decoder(staging: Staging) -> Result<Sink, Failure> {
    let mut decoder = Decoder::new(staging)?;
    decoder.window_log_max(LARGEST_WINDOW)?;
    Ok(Sink::Zstd(Box::new(decoder)))
}

#[cfg(test)]
mod tests {
    use cache::{ContentStore, DigestFunction};

    use super::*;
    use crate::staging::Expected;

    fn upload(
        store: &ContentStore,
        expected: Expected,
        body: &[u8],
        zstd: bool,
    ) -> Result<Digest, Failure> {
        let mut upload = Upload::new(Staging::new(store, expected, 4 << 20), zstd)?;
        for piece in body.chunks(300_000) {
            upload.push(piece)?;
        }
        upload.finish()
    }

    #[test]
    fn either_function_and_either_form_end_in_the_same_blob() {
        let folder = tempfile::tempdir().unwrap();
        let store = ContentStore::open(folder.path(), DigestFunction::Blake3).unwrap();
        for size in [0, 1, 64 << 10, 1 << 20, 3 << 20] {
            let bytes: Vec<u8> = (0..size).map(|i: u32| (i.wrapping_mul(37) >> 5) as u8).collect();
            let packed = zstd::encode_all(&*bytes, 3).unwrap();
            for function in DigestFunction::ALL {
                let digest = Digest::of(function, &bytes);
                for expected in [Expected::Digest(digest), Expected::Hash(*digest.hash())] {
                    for (body, zstd) in [(&bytes, false), (&packed, true)] {
                        assert_eq!(upload(&store, expected, body, zstd).unwrap(), digest);
                    }
                    assert_eq!(store.get(&digest).unwrap().unwrap(), bytes);
                }
            }
        }
    }

    #[test]
    fn what_is_too_large_stops_early() {
        let folder = tempfile::tempdir().unwrap();
        let store = ContentStore::open(folder.path(), DigestFunction::Blake3).unwrap();
        let bomb = zstd::encode_all(std::io::Read::take(std::io::repeat(0), 1 << 30), 1).unwrap();
        assert!(bomb.len() < 200_000);
        let hash = Expected::Hash([7; 32]);
        assert!(matches!(upload(&store, hash, &bomb, true), Err(Failure::TooLarge(_))));
        let digest = Expected::Digest(Digest::of(DigestFunction::Sha256, b"abc"));
        assert!(matches!(upload(&store, digest, &bomb, true), Err(Failure::WrongDigest)));
        assert!(matches!(upload(&store, hash, b"not zstd", true), Err(Failure::Invalid(_))));
    }

    #[test]
    fn windows_are_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let store = ContentStore::open(folder.path(), DigestFunction::Blake3).unwrap();
        let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(27).unwrap();
        encoder.include_contentsize(false).unwrap();
        encoder.write_all(b"abc").unwrap();
        let body = encoder.finish().unwrap();
        let digest = Digest::of(DigestFunction::Blake3, b"abc");
        let refused = upload(&store, Expected::Digest(digest), &body, true);
        assert!(matches!(refused, Err(Failure::Invalid(_))), "{refused:?}");
    }
}
