//! Writes and checks `SHA256SUMS`: the list of the files of a release, in the form of sha256sum.
//!
//! Nobody signs the list. It says which files belong together, so that a file more or less is noticed before anything
//! is believed, and it lets people check a release with a program that they have.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::error::ArchiveError;
use super::path::MemberPath;
use crate::digest::Sha256;

/// Writes the list.
pub(super) fn write(members: &BTreeMap<MemberPath, Vec<u8>>) -> Vec<u8> {
    let mut text = String::new();
    for (path, bytes) in members {
        // Writing to a `String` can't fail.
        let _ = writeln!(text, "{}  {path}", Sha256::of(bytes));
    }
    text.into_bytes()
}

/// Checks the files against the list.
pub(super) fn check(
    list: &[u8],
    members: &BTreeMap<MemberPath, Vec<u8>>,
) -> Result<(), ArchiveError> {
    let listed = read(list)?;
    for (path, bytes) in members {
        match listed.get(path.as_str()) {
            None => return Err(ArchiveError::Unlisted(path.to_string())),
            Some(digest) if *digest != Sha256::of(bytes) => {
                return Err(ArchiveError::Checksum(path.to_string()));
            }
            Some(_) => {}
        }
    }
    match listed.keys().find(|path| !members.contains_key(**path)) {
        Some(path) => Err(ArchiveError::Missing(crate::text::printable(path, 200))),
        None => Ok(()),
    }
}

fn read(list: &[u8]) -> Result<BTreeMap<&str, Sha256>, ArchiveError> {
    let text = str::from_utf8(list).map_err(|_| ArchiveError::Sums(1))?;
    let mut listed = BTreeMap::new();
    for (at, line) in text.split_inclusive('\n').enumerate() {
        let wrong = || ArchiveError::Sums(at + 1);
        let line = line.strip_suffix('\n').ok_or_else(wrong)?;
        let (digest, path) = line.split_once("  ").ok_or_else(wrong)?;
        let digest = digest.parse().map_err(|_| wrong())?;
        let is_in_order = listed.last_key_value().is_none_or(|(last, _)| *last < path);
        if !is_in_order {
            return Err(wrong());
        }
        listed.insert(path, digest);
    }
    Ok(listed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(files: &[(&str, &str)]) -> BTreeMap<MemberPath, Vec<u8>> {
        let member =
            |(path, text): &(&str, &str)| (path.parse().unwrap(), text.as_bytes().to_vec());
        files.iter().map(member).collect()
    }

    #[test]
    fn the_list_is_that_of_sha256sum() {
        let members = members(&[("source/a", ""), ("source/b c", "x")]);
        let list = String::from_utf8(write(&members)).unwrap();
        let expect = "\
            e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  source/a\n\
            2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881  source/b c\n";
        assert_eq!(list, expect);
        assert_eq!(check(list.as_bytes(), &members), Ok(()));
    }

    #[test]
    fn each_difference_is_named() {
        let list = write(&members(&[("source/a", "1"), ("source/b", "2")]));
        let found = |files: &[(&str, &str)]| check(&list, &members(files)).unwrap_err();
        let path = |path: &str| path.to_owned();
        let more = [("source/a", "1"), ("source/b", "2"), ("source/c", "3")];
        assert_eq!(found(&more), ArchiveError::Unlisted(path("source/c")));
        assert_eq!(found(&more[..1]), ArchiveError::Missing(path("source/b")));
        let other = [("source/a", "1"), ("source/b", "x")];
        assert_eq!(found(&other), ArchiveError::Checksum(path("source/b")));
        let text = String::from_utf8(list.clone()).unwrap();
        let mut lines: Vec<_> = text.lines().collect();
        lines.reverse();
        let files = members(&more[..2]);
        for (wrong, line) in [
            (lines.join("\n") + "\n", 2),
            (text.repeat(2), 3),
            (text.trim_end().to_owned(), 2),
            (text.replacen("  ", " ", 1), 1),
            (text.replacen("  ", " *", 1), 1),
            (text.to_uppercase(), 1),
            ("\n".to_owned() + &text, 1),
        ] {
            assert_eq!(check(wrong.as_bytes(), &files), Err(ArchiveError::Sums(line)), "{wrong}");
        }
    }
}
