//! Reads Debian binary packages: an `ar` archive that contains a tar archive with the files.
//!
//! Source: deb(5). The control archive, which has the maintainer scripts, is not read.

use std::io;

use super::collect::Collector;
use super::{UnpackError, tar};

/// The first bytes of an `ar` archive.
pub(super) const MAGIC: &[u8] = b"!<arch>\n";

const HEADER: usize = 60;

/// Takes the files of a Debian package.
pub(super) fn unpack(collector: &mut Collector<'_>, bytes: &[u8]) -> Result<(), UnpackError> {
    let members = members(bytes)?;
    match members.first() {
        Some(("debian-binary", version)) if version.starts_with(b"2.") => {}
        _ => return Err(damaged("it is no Debian package of format 2")),
    }
    let is_data = |name: &str| name == "data.tar" || name.starts_with("data.tar.");
    let mut data = members.iter().filter(|(name, _)| is_data(name));
    match (data.next(), data.next()) {
        (Some((_, data)), None) => tar::unpack(collector, data, |name, _| Some((name, false))),
        _ => Err(damaged("it has not exactly one data archive")),
    }
}

/// Returns the names and bytes of the members of an `ar` archive.
fn members(bytes: &[u8]) -> Result<Vec<(&str, &[u8])>, UnpackError> {
    let mut rest = bytes.strip_prefix(MAGIC).ok_or_else(|| damaged("it is no ar archive"))?;
    let mut members = Vec::new();
    while !rest.is_empty() {
        let (header, after) =
            rest.split_at_checked(HEADER).ok_or_else(|| damaged("a member's header is cut"))?;
        let (name, size) = header_fields(header).ok_or_else(|| damaged("a bad member header"))?;
        let (member, after) =
            after.split_at_checked(size).ok_or_else(|| damaged("a member is cut"))?;
        members.push((name, member));
        // Members begin at even offsets.
        rest = after.get(size % 2..).unwrap_or_default();
    }
    Ok(members)
}

fn header_fields(header: &[u8]) -> Option<(&str, usize)> {
    let field = |range: std::ops::Range<usize>| std::str::from_utf8(&header[range]).ok();
    if &header[58..60] != b"`\n" {
        return None;
    }
    let name = field(0..16)?.trim_end_matches(' ').trim_end_matches('/');
    let size = field(48..58)?.trim_end_matches(' ').parse().ok()?;
    Some((name, size))
}

fn damaged(what: &'static str) -> UnpackError {
    UnpackError::Damaged(io::Error::new(io::ErrorKind::InvalidData, what))
}
