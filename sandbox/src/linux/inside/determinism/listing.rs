//! Sorts and renumbers the entries that `getdents64` returned for a folder.

use crate::Listing;

/// These are the fields of a `linux_dirent64`.
const INODE: std::ops::Range<usize> = 0..8;
const OFFSET: std::ops::Range<usize> = 8..16;
const LENGTH: std::ops::Range<usize> = 16..18;
const NAME: usize = 19;

/// Returns the entries of a complete listing in the given order, or `None` if the bytes are not a valid listing.
///
/// Only the entries move. The `d_off` of the nth entry stays that of the nth entry before, so that the offsets keep
/// their order and the last one still marks the end of the folder.
pub(super) fn sorted(listing: &[u8], order: Listing) -> Option<Vec<Vec<u8>>> {
    let mut entries = Vec::new();
    let mut rest = listing;
    while !rest.is_empty() {
        let length = u16::from_ne_bytes(rest.get(LENGTH)?.try_into().ok()?);
        let (entry, after) = rest.split_at_checked(length.into())?;
        entries.push(entry.to_vec());
        rest = after;
        name(entry)?;
    }
    let positions: Vec<Vec<u8>> = entries.iter().map(|entry| entry[OFFSET].to_vec()).collect();
    entries.sort_by(|one, other| name(one).cmp(&name(other)));
    if order == Listing::Reversed {
        entries.reverse();
    }
    for (entry, position) in entries.iter_mut().zip(positions) {
        entry[OFFSET].copy_from_slice(&position);
    }
    Some(entries)
}

/// Replaces the inode numbers of the entries.
pub(super) fn renumber(entries: &mut [Vec<u8>], mut number: impl FnMut(u64) -> u64) {
    for entry in entries {
        let old = entry[INODE].try_into().expect("it is eight bytes");
        entry[INODE].copy_from_slice(&number(u64::from_ne_bytes(old)).to_ne_bytes());
    }
}

fn name(entry: &[u8]) -> Option<&[u8]> {
    entry.get(NAME..)?.split(|byte| *byte == 0).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(entries: &[(&str, i64)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (name, position) in entries {
            let length = (NAME + name.len() + 1).next_multiple_of(8);
            let start = bytes.len();
            bytes.extend(7_u64.to_ne_bytes());
            bytes.extend(position.to_ne_bytes());
            bytes.extend((length as u16).to_ne_bytes());
            bytes.push(8);
            bytes.extend(name.as_bytes());
            bytes.resize(start + length, 0);
        }
        bytes
    }

    #[test]
    fn names_are_sorted_and_positions_are_not() {
        let mixed = listing(&[("b", 30), ("a-long-name-of-a-file", 10), ("..", 99), ("bb", 40)]);
        let right = listing(&[("..", 30), ("a-long-name-of-a-file", 10), ("b", 99), ("bb", 40)]);
        let sorted = |listing: &[u8]| sorted(listing, Listing::Sorted).unwrap().concat();
        assert_eq!(sorted(&mixed), right);
        assert_eq!(sorted(&right), right);
        assert_eq!(sorted(&[]), Vec::<u8>::new());
        let reversed = listing(&[("bb", 30), ("b", 10), ("a-long-name-of-a-file", 99), ("..", 40)]);
        assert_eq!(super::sorted(&mixed, Listing::Reversed).unwrap().concat(), reversed);
    }

    #[test]
    fn what_is_no_listing_is_left_alone() {
        let whole = listing(&[("a", 1), ("b", 2)]);
        for bytes in [&whole[..whole.len() - 1], &[0; 24], &[1; 3]] {
            assert_eq!(sorted(bytes, Listing::Sorted), None);
        }
    }
}
