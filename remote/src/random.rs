//! Random numbers: the jitter of pauses and the names of uploads.

use std::time::Duration;

use ring::rand::{SecureRandom as _, SystemRandom};

/// Returns `N` random bytes. If the system has none, they are zero, which only makes pauses regular and names of uploads
/// alike.
fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    // The buffer stays zero in the case of an error.
    let _ = SystemRandom::new().fill(&mut bytes);
    bytes
}

/// Returns between a half and all of `pause`, so that clients that failed together don't try again together.
pub(crate) fn jittered(pause: Duration) -> Duration {
    let [byte] = bytes();
    pause / 2 + pause / 2 * u32::from(byte) / 255
}

/// Returns a random UUID.
pub(crate) fn uuid() -> String {
    uuid::Builder::from_random_bytes(bytes()).into_uuid().to_string()
}
