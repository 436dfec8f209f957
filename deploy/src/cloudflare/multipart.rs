//! The body of an upload: `multipart/form-data` (RFC 7578), always with the same bytes for the same parts.

use bytes::Bytes;

/// A body in parts.
pub(super) struct Multipart {
    /// The media type, with the boundary.
    pub(super) kind: String,
    pub(super) bytes: Bytes,
}

/// One part.
pub(super) struct Part<'a> {
    pub(super) name: &'a str,
    /// True if the part is a file, whose name is that of the part.
    pub(super) file: bool,
    pub(super) kind: &'a str,
    pub(super) body: &'a [u8],
}

impl Multipart {
    /// Joins parts. The digest of them all makes a boundary that no part contains.
    pub(super) fn new<'a>(digest: &str, parts: impl Iterator<Item = Part<'a>>) -> Self {
        let boundary = format!("run-{}", digest.chars().take(40).collect::<String>());
        let mut bytes = Vec::new();
        for Part { name, file, kind, body } in parts {
            let file =
                if file { format!("; filename=\"{}\"", quoted(name)) } else { String::new() };
            let head = format!(
                "--{boundary}\r\nContent-Disposition: form-data; name=\"{}\"{file}\r\nContent-Type: {kind}\r\n\r\n",
                quoted(name)
            );
            bytes.extend_from_slice(head.as_bytes());
            bytes.extend_from_slice(body);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
        Self { kind: format!("multipart/form-data; boundary={boundary}"), bytes: bytes.into() }
    }
}

/// Returns a name as it stands in quotes (RFC 7578, section 2, and the HTML standard).
fn quoted(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_stand_between_boundaries() {
        let parts = [
            Part { name: "metadata", file: false, kind: "application/json", body: b"{}" },
            Part { name: "a\"/b.js", file: true, kind: "text/javascript", body: b"x\r\n" },
        ];
        let body = Multipart::new("0123", parts.into_iter());
        assert_eq!(body.kind, "multipart/form-data; boundary=run-0123");
        assert_eq!(
            String::from_utf8(body.bytes.to_vec()).unwrap(),
            "--run-0123\r\nContent-Disposition: form-data; name=\"metadata\"\r\n\
             Content-Type: application/json\r\n\r\n{}\r\n\
             --run-0123\r\nContent-Disposition: form-data; name=\"a%22/b.js\"; filename=\"a%22/b.js\"\r\n\
             Content-Type: text/javascript\r\n\r\nx\r\n\r\n--run-0123--\r\n"
        );
    }
}
