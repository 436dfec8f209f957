//! Numbers files in the order in which they are seen.
//!
//! The real numbers say where on which disk a file lies, and when it was created. The new numbers
//! still say whether two names are one file. All files are on one device, because it depends on the
//! machine which of them share a disk.

use std::collections::HashMap;

/// All files are on this device.
const DEVICE: u64 = 1;

#[derive(Default)]
pub(super) struct Inodes(HashMap<(u64, u64), u64>);

impl Inodes {
    /// Returns the new numbers of a device and of a file on it.
    pub(super) fn of(&mut self, device: u64, file: u64) -> (u64, u64) {
        let next = self.0.len() as u64 + 1;
        (DEVICE, *self.0.entry((device, file)).or_insert(next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_file_has_one_number() {
        let mut inodes = Inodes::default();
        let numbers = [(7, 100), (7, 9), (3, 100), (7, 100)].map(|(a, b)| inodes.of(a, b));
        assert_eq!(numbers, [(1, 1), (1, 2), (1, 3), (1, 1)]);
    }
}
