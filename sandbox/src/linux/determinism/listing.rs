//! The entries of a folder, as `getdents64` lists them, in the order of their names.

/// Where the fields of a `linux_dirent64` are.
const OFFSET: std::ops::Range<usize> = 8..16;
const LENGTH: std::ops::Range<usize> = 16..18;
const NAME: usize = 19;

/// Sorts what one call has listed; `None` if it is not a listing.
///
/// The positions stay in their old order: to go on from the last one of them is to go on after all
/// of these entries.
pub(super) fn sorted(listing: &[u8]) -> Option<Vec<u8>> {
    let mut entries = Vec::new();
    let mut rest = listing;
    while !rest.is_empty() {
        let length = u16::from_ne_bytes(rest.get(LENGTH)?.try_into().ok()?);
        let (entry, after) = rest.split_at_checked(length.into())?;
        entries.push(entry);
        rest = after;
        name(entry)?;
    }
    let positions: Vec<&[u8]> = entries.iter().map(|entry| &entry[OFFSET]).collect();
    entries.sort_by_key(|entry| name(entry));
    let mut sorted = Vec::with_capacity(listing.len());
    for (entry, position) in entries.into_iter().zip(positions) {
        let start = sorted.len();
        sorted.extend_from_slice(entry);
        sorted[start + OFFSET.start..start + OFFSET.end].copy_from_slice(position);
    }
    Some(sorted)
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
        assert_eq!(sorted(&mixed).unwrap(), right);
        assert_eq!(sorted(&right).unwrap(), right);
        assert_eq!(sorted(&[]).unwrap(), Vec::<u8>::new());
    }

    #[test]
    fn what_is_no_listing_is_left_alone() {
        let whole = listing(&[("a", 1), ("b", 2)]);
        assert_eq!(sorted(&whole[..whole.len() - 1]), None);
        assert_eq!(sorted(&[0; 24]), None);
        assert_eq!(sorted(&[1; 3]), None);
    }
}
