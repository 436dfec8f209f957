//! Decompression, chosen by the first bytes of a stream.

use std::io::{self, Read};

const GZIP: &[u8] = &[0x1f, 0x8b];
const XZ: &[u8] = &[0xfd, b'7', b'z', b'X', b'Z', 0];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// How much memory an xz stream may ask for; `xz -9` needs 65 MiB.
const XZ_MEMORY: u64 = 256 << 20;

/// The largest window a Zstandard stream may ask for, as a power of two: 128 MiB.
const ZSTD_WINDOW: u32 = 27;

/// Whether the bytes begin a compressed stream.
pub(super) fn is_compressed(bytes: &[u8]) -> bool {
    [GZIP, XZ, ZSTD].iter().any(|magic| bytes.starts_with(magic))
}

/// Reads the bytes decompressed, or as they are if they are not compressed.
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
