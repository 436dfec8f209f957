//! The names of the ByteStream service, as the documentation of `ContentAddressableStorage` defines them:
//! `[instance/]blobs/[function/]hash/size` and `[instance/]compressed-blobs/zstd/[function/]hash/size` for reading, and for
//! writing the same with `uploads/uuid/` after the instance and anything at all behind the size.

use cache::{Digest, DigestFunction, reapi};

use crate::failure::Failure;

/// A blob that is read or written, and its form on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Resource {
    pub(super) instance: String,
    pub(super) compressed: bool,
    pub(super) digest: Digest,
}

impl Resource {
    /// Parses the name of a blob to read.
    pub(super) fn to_read(name: &str) -> Result<Self, Failure> {
        let segments: Vec<&str> = name.split('/').collect();
        let start = segments.iter().position(|segment| is_blobs(segment));
        let (instance, rest) = segments.split_at(start.ok_or_else(|| malformed(name))?);
        match parse(instance, rest) {
            Some((resource, [])) => Ok(resource),
            _ => Err(malformed(name)),
        }
    }

    /// Parses the name of an upload.
    pub(super) fn to_write(name: &str) -> Result<Self, Failure> {
        let segments: Vec<&str> = name.split('/').collect();
        let start = segments.iter().position(|segment| *segment == "uploads");
        let (instance, rest) = segments.split_at(start.ok_or_else(|| malformed(name))?);
        let parsed = match rest {
            ["uploads", uuid, rest @ ..] if !uuid.is_empty() => parse(instance, rest),
            _ => None,
        };
        parsed.map(|(resource, _)| resource).ok_or_else(|| malformed(name))
    }
}

fn malformed(name: &str) -> Failure {
    let name: String = name.chars().take(300).collect();
    Failure::Invalid(format!("malformed resource name `{}`", name.escape_debug()))
}

fn is_blobs(segment: &str) -> bool {
    matches!(segment, "blobs" | "compressed-blobs")
}

/// Reads the part that says which blob it is. Returns what follows it, too.
fn parse<'a>(instance: &[&str], segments: &'a [&'a str]) -> Option<(Resource, &'a [&'a str])> {
    let (compressed, rest) = match segments {
        ["blobs", rest @ ..] => (false, rest),
        ["compressed-blobs", "zstd", rest @ ..] => (true, rest),
        _ => return None,
    };
    let named = rest.first().and_then(|first| first.parse::<DigestFunction>().ok());
    let rest = if named.is_some() { &rest[1..] } else { rest };
    let [hash, size, rest @ ..] = rest else { return None };
    let function = named.unwrap_or(DigestFunction::Sha256);
    let size_bytes = size.parse::<i64>().ok().filter(|number| number.to_string() == *size)?;
    let wire = reapi::Digest { hash: (*hash).to_owned(), size_bytes };
    let digest = Digest::from_reapi(function, &wire).ok()?;
    Some((Resource { instance: instance.join("/"), compressed, digest }, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    fn shown(parsed: Result<Resource, Failure>) -> String {
        match parsed {
            Ok(Resource { instance, compressed, digest }) => {
                format!("{instance} {compressed} {}/{}", digest.function(), digest.size())
            }
            Err(failure) => failure.to_string(),
        }
    }

    #[test]
    fn names_to_read() {
        let check = |name: String, expect: &str| {
            assert_eq!(shown(Resource::to_read(&name)), expect, "{name}");
        };
        check(format!("blobs/{HASH}/3"), " false sha256/3");
        check(format!("blobs/sha256/{HASH}/3"), " false sha256/3");
        check(format!("a/b/blobs/blake3/{HASH}/3"), "a/b false blake3/3");
        check(format!("main/compressed-blobs/zstd/{HASH}/0"), "main true sha256/0");
        check(format!("compressed-blobs/zstd/blake3/{HASH}/7"), " true blake3/7");
    }

    #[test]
    fn names_to_write() {
        let check = |name: String, expect: &str| {
            assert_eq!(shown(Resource::to_write(&name)), expect, "{name}");
        };
        check(format!("uploads/u/blobs/{HASH}/3"), " false sha256/3");
        check(format!("x/uploads/u/compressed-blobs/zstd/blake3/{HASH}/3"), "x true blake3/3");
        check(format!("uploads/u/blobs/{HASH}/3/some/file.txt"), " false sha256/3");
    }

    #[test]
    fn everything_else_is_malformed() {
        let short = &HASH[1..];
        let upper = HASH.to_uppercase();
        for name in [
            String::new(),
            "/".to_owned(),
            "blobs".to_owned(),
            format!("blobs/{HASH}"),
            format!("blobs/{HASH}/-1"),
            format!("blobs/{HASH}/+1"),
            format!("blobs/{HASH}/01"),
            format!("blobs/{HASH}/99999999999999999999"),
            format!("blobs/{short}/3"),
            format!("blobs/{upper}/3"),
            format!("blobs/md5/{HASH}/3"),
            format!("blobs/{HASH}/3/more"),
            format!("compressed-blobs/deflate/{HASH}/3"),
            format!("compressed-blobs/{HASH}/3"),
        ] {
            assert!(shown(Resource::to_read(&name)).starts_with("malformed"), "{name}");
            let upload = format!("uploads/u/{name}");
            assert!(
                name.ends_with("/more")
                    || shown(Resource::to_write(&upload)).starts_with("malformed"),
                "{upload}"
            );
        }
        for name in [format!("blobs/{HASH}/3"), format!("uploads//blobs/{HASH}/3")] {
            assert!(shown(Resource::to_write(&name)).starts_with("malformed"), "{name}");
        }
    }
}
