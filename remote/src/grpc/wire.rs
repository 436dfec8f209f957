//! Digests and functions as the generated messages have them.

use bazel_remote_apis::build::bazel::remote::execution::v2;
use cache::{Digest, DigestFunction};

/// Writes a digest.
pub(super) fn digest(digest: &Digest) -> v2::Digest {
    let cache::reapi::Digest { hash, size_bytes } = digest.to_reapi();
    v2::Digest { hash, size_bytes }
}

/// Reads a digest; `None` if it is none.
pub(super) fn read_digest(function: DigestFunction, digest: Option<&v2::Digest>) -> Option<Digest> {
    let digest = digest?;
    let (hash, size_bytes) = (digest.hash.clone(), digest.size_bytes);
    Digest::from_reapi(function, &cache::reapi::Digest { hash, size_bytes }).ok()
}

/// Returns the number of a digest function.
pub(super) const fn function(function: DigestFunction) -> i32 {
    match function {
        DigestFunction::Sha256 => v2::digest_function::Value::Sha256 as i32,
        DigestFunction::Blake3 => v2::digest_function::Value::Blake3 as i32,
    }
}
