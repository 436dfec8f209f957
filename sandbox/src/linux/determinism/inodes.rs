//! The numbers of files and devices: first come, first served.
//!
//! The real ones say where on which disk a file lies, and when it was made. The new ones still say
//! whether two names are one file.

use std::collections::HashMap;

#[derive(Default)]
pub(super) struct Inodes {
    files: HashMap<(u64, u64), u64>,
    devices: HashMap<u64, u64>,
}

impl Inodes {
    /// The new numbers of a device and of a file on it.
    pub(super) fn of(&mut self, device: u64, file: u64) -> (u64, u64) {
        let next = self.devices.len() as u64 + 1;
        let new_device = *self.devices.entry(device).or_insert(next);
        let next = self.files.len() as u64 + 1;
        (new_device, *self.files.entry((device, file)).or_insert(next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_file_has_one_number() {
        let mut inodes = Inodes::default();
        let numbers = [(7, 100), (7, 9), (3, 100), (7, 100)].map(|(a, b)| inodes.of(a, b));
        assert_eq!(numbers, [(1, 1), (1, 2), (2, 3), (1, 1)]);
    }
}
