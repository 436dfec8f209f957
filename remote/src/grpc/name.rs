//! Resource names of `ByteStream` (the comments of `remote_execution.proto` say how they are made).

use cache::{Digest, DigestFunction};

/// Returns the name to read a blob under.
pub(super) fn read(instance: &str, digest: &Digest, zstd: bool) -> String {
    format!("{}{}", prefix(instance), blob(digest, zstd))
}

/// Returns the name to write a blob under. `uuid` makes it this upload's own.
pub(super) fn write(instance: &str, digest: &Digest, zstd: bool, uuid: &str) -> String {
    format!("{}uploads/{uuid}/{}", prefix(instance), blob(digest, zstd))
}

fn prefix(instance: &str) -> String {
    if instance.is_empty() { String::new() } else { format!("{instance}/") }
}

/// The function is left out for SHA-256, because old servers don't know that it may stand there.
fn blob(digest: &Digest, zstd: bool) -> String {
    let kind = if zstd { "compressed-blobs/zstd" } else { "blobs" };
    let function = match digest.function() {
        DigestFunction::Sha256 => "",
        DigestFunction::Blake3 => "blake3/",
    };
    format!("{kind}/{function}{}/{}", digest.hex(), digest.size())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_specification() {
        let check = |instance, function, zstd, read_name: &str, write_name: &str| {
            let digest = Digest::new(function, [0xab; 32], 7);
            let expand = |name: &str| name.replace('#', &"ab".repeat(32));
            assert_eq!(read(instance, &digest, zstd), expand(read_name));
            assert_eq!(write(instance, &digest, zstd, "id"), expand(write_name));
        };
        use DigestFunction::{Blake3, Sha256};
        check("", Sha256, false, "blobs/#/7", "uploads/id/blobs/#/7");
        check("a/b", Sha256, false, "a/b/blobs/#/7", "a/b/uploads/id/blobs/#/7");
        let (read, write) = ("blobs/blake3/#/7", "uploads/id/blobs/blake3/#/7");
        check("", Blake3, false, read, write);
        let read = "i/compressed-blobs/zstd/#/7";
        check("i", Sha256, true, read, "i/uploads/id/compressed-blobs/zstd/#/7");
        let read = "compressed-blobs/zstd/blake3/#/7";
        check("", Blake3, true, read, "uploads/id/compressed-blobs/zstd/blake3/#/7");
    }
}
