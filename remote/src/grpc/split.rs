//! Cuts blobs into batches. A server's limit holds for the sum of a batch's blobs, and gRPC's for the whole message.

/// The bytes that a blob needs beside its content: digest, status, and the framing of both.
const OVERHEAD: u64 = 256;

/// The largest number of blobs in one batch.
const MOST: usize = 4000;

/// Tells if a blob may travel in a batch.
pub(super) const fn fits_batch(size: u64, limit: u64) -> bool {
    size.saturating_add(OVERHEAD) <= limit
}

/// Returns how many of the first blobs travel together. A blob that fits into no batch travels alone.
pub(super) fn leading(sizes: impl Iterator<Item = u64>, limit: u64) -> usize {
    let mut sum = 0_u64;
    let mut count = 0;
    for size in sizes.take(MOST) {
        sum = sum.saturating_add(size).saturating_add(OVERHEAD);
        if sum > limit {
            break;
        }
        count += 1;
    }
    count.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_stay_below_the_limit() {
        let check = |sizes: &[u64], limit, expect| {
            assert_eq!(leading(sizes.iter().copied(), limit), expect, "{sizes:?} {limit}");
        };
        check(&[1000, 1000, 1000], 4000, 3);
        check(&[1000, 1000, 1000], 3000, 2);
        check(&[1000, 9000, 1000], 4000, 1);
        check(&[9000, 1000], 4000, 1);
        check(&[u64::MAX, 1], 4000, 1);
        check(&[1, u64::MAX], 4000, 1);
        check(&[0; 20], 10 * OVERHEAD, 10);
        check(&[0; 5000], u64::MAX, MOST);
        assert!(fits_batch(65536 - OVERHEAD, 65536) && !fits_batch(65537 - OVERHEAD, 65536));
        assert!(!fits_batch(u64::MAX, 4 << 20));
    }
}
