//! Reads from an executable of Linux which program has to load it (System V ABI, chapters 4 and 5).
//!
//! It reads as little as that needs. The bytes may be damaged or hostile, so every offset is checked.

/// Returns the path of the loader that a program needs, or `None` if it is statically linked or not an
/// executable. Only 64-bit, little-endian files are read, because all supported platforms have these.
pub(super) fn loader(bytes: &[u8]) -> Option<&str> {
    if bytes.get(..6)? != b"\x7fELF\x02\x01" {
        return None;
    }
    let number = |at: usize, length: usize| {
        let bytes = bytes.get(at..at.checked_add(length)?)?;
        let number = bytes.iter().rev().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        usize::try_from(number).ok()
    };
    let (headers, size, count) = (number(32, 8)?, number(54, 2)?, number(56, 2)?);
    let segments = (0..count).filter_map(|index| headers.checked_add(index * size));
    let interpreter = segments.into_iter().find(|&segment| number(segment, 4) == Some(INTERP))?;
    let (start, length) = (number(interpreter + 8, 8)?, number(interpreter + 32, 8)?);
    let text = bytes.get(start..start.checked_add(length)?)?;
    std::str::from_utf8(text).ok().map(|text| text.trim_end_matches('\0'))
}

/// The type `PT_INTERP` of the segment that contains the loader's path.
const INTERP: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns an executable's header with one segment of type `kind` that contains `text`.
    fn elf(kind: u8, text: &str) -> Vec<u8> {
        let mut bytes = vec![0; 64 + 56];
        bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
        (bytes[32], bytes[54], bytes[56]) = (64, 56, 1);
        (bytes[64], bytes[64 + 8], bytes[64 + 32]) = (kind, 120, u8::try_from(text.len()).unwrap());
        bytes.extend(text.as_bytes());
        bytes
    }

    #[test]
    fn a_dynamically_linked_program_names_its_loader() {
        assert_eq!(loader(&elf(3, "/lib64/ld.so\0")), Some("/lib64/ld.so"));
        assert_eq!(loader(&elf(1, "/lib64/ld.so\0")), None);
        assert_eq!(loader(b"#!/bin/sh\n"), None);
        // This test itself is such a program, as all Rust programs are where the C library is glibc.
        let program = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert!(loader(&program).is_none_or(|loader| loader.contains("/ld-")));
    }

    #[test]
    fn what_is_cut_or_broken_is_none() {
        let whole = elf(3, "/lib64/ld.so\0");
        for length in 0..whole.len() {
            assert_eq!(loader(&whole[..length]), None, "{length}");
        }
        let mut wild = whole;
        wild[32..40].fill(0xff);
        assert_eq!(loader(&wild), None);
    }
}
