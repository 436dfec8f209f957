//! Decompresses streams. The format is recognised by the first bytes.
//!
//! It sets limits on memory, but not on the length of what comes out; see
//! [`Bounded`](super::limits::Bounded).

use std::io::{self, Read};

const GZIP: &[u8] = &[0x1f, 0x8b];
const XZ: &[u8] = &[0xfd, b'7', b'z', b'X', b'Z', 0];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// The memory that an xz stream may need, in bytes; `xz -9` needs 65 MiB.
const XZ_MEMORY: u64 = 256 << 20;

/// The largest window that a Zstandard stream may need, as a power of two: 128 MiB.
const ZSTD_WINDOW: u32 = 27;

/// Returns true if the bytes begin a compressed stream.
pub(super) fn is_compressed(bytes: &[u8]) -> bool {
    [GZIP, XZ, ZSTD].iter().any(|magic| bytes.starts_with(magic))
}

/// Returns a reader of the decompressed bytes, or of the bytes themselves if they are not compressed.
pub(crate) fn reader(bytes: &[u8]) -> io::Result<Box<dyn Read + '_>> {
    if bytes.starts_with(GZIP) {
        return Ok(Box::new(flate2::read::MultiGzDecoder::new(bytes)));
    }
    if bytes.starts_with(XZ) {
        let stream =
            liblzma::stream::Stream::new_stream_decoder(XZ_MEMORY, liblzma::stream::CONCATENATED)?;
        return Ok(Box::new(liblzma::read::XzDecoder::new_stream(bytes, stream)));
    }
    if bytes.starts_with(ZSTD) {
        let mut decoder = zstd::stream::read::Decoder::with_buffer(bytes)?;
        decoder.window_log_max(ZSTD_WINDOW)?;
        return Ok(Box::new(decoder));
    }
    Ok(Box::new(bytes))
}
