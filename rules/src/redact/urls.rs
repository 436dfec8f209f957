//! The secret parts of addresses in a text.
//!
//! - User and password are secret; the user of `ssh://` alone is not, as it is the same for everybody.
//! - Of a query every value is secret, but for those of [`PLAIN_PARAMETERS`]: each registry and each
//!   storage has names of its own for tokens and signatures.
//! - A fragment is secret unless it is a commit or has the form of a checksum.
//! - A segment of the path is secret if it looks like a token, as mirrors have them: it has a word of 16
//!   letters and digits mixed, or it is a UUID. A file's name is not, as it has a dot.

use std::ops::Range;

use super::names::names_a_secret;

/// Parameters that choose a version or a form of what is fetched.
const PLAIN_PARAMETERS: [&str; 7] = ["branch", "tag", "rev", "ref", "version", "format", "go-get"];

/// What fragments of package managers say.
const PLAIN_FRAGMENTS: [&str; 6] = ["egg", "subdirectory", "sha256", "sha384", "sha512", "md5"];

/// So much of an address is looked at. Signed ones have 2 KiB.
const LONGEST: usize = 16 << 10;

/// So much of an address that stands in another one.
const LONGEST_USER: usize = 256;

/// From how many letters and digits on a word may be a token.
const SHORTEST_TOKEN: usize = 16;

/// The ranges of a text that are secret parts of addresses, in order.
pub(crate) fn secrets(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut last_end = 0;
    for (colon, separator) in text.match_indices("://") {
        let scheme = text[..colon].rsplit(|c: char| !is_scheme(c)).next().unwrap_or_default();
        if scheme.is_empty() || scheme.ends_with("file") {
            continue;
        }
        let start = colon + separator.len();
        // One address may stand in another: of that, user and password matter.
        let is_nested = start < last_end;
        let longest = if is_nested { LONGEST_USER } else { LONGEST };
        let window = &text[start..text.floor_char_boundary(start + longest)];
        let length = window.find(ends_address).unwrap_or(window.len());
        let address = Address { at: start, text: &window[..length] };
        found.extend(address.user(scheme));
        if !is_nested {
            address.path_and_query(&mut found);
        }
        last_end = last_end.max(start + length);
    }
    found
}

/// Whether an address has a user or password, or a parameter whose name is that of a secret.
pub(crate) fn has_credentials(url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once("://") else { return false };
    if scheme.ends_with("file") {
        return false;
    }
    let address = Address { at: 0, text: rest };
    let names = rest.split(['?', '&', ';']).skip(1).filter_map(|part| part.split('=').next());
    address.host() > 0 || names.into_iter().any(|name| name == "sig" || names_a_secret(name))
}

fn is_scheme(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.')
}

fn ends_address(c: char) -> bool {
    c.is_whitespace() || c.is_control() || matches!(c, '"' | '\'' | '`' | '<' | '>')
}

/// An address without its scheme.
struct Address<'a> {
    /// Where it stands in the whole text.
    at: usize,
    text: &'a str,
}

impl Address<'_> {
    /// User and password, if there are any.
    fn user(&self, scheme: &str) -> Option<Range<usize>> {
        let length = self.host().checked_sub(1)?;
        let is_secret = self.text[..length].contains(':') || !scheme.ends_with("ssh");
        is_secret.then_some(self.at..self.at + length)
    }

    /// What is secret behind the host.
    fn path_and_query(&self, found: &mut Vec<Range<usize>>) {
        let host = self.host();
        let mut add = |range: Range<usize>| found.push(self.at + range.start..self.at + range.end);
        let rest = |from: usize, ends: &[char]| {
            self.text[from..].find(ends).map_or(self.text.len(), |length| from + length)
        };
        let path = rest(host, &['/', '?', '#']);
        let query = rest(path, &['?', '#']);
        let fragment = rest(query, &['#']);
        for segment in pieces(self.text, path..query, &['/']) {
            if is_token(&self.text[segment.clone()]) {
                add(segment);
            }
        }
        let parameters = (query + 1).min(fragment)..fragment;
        for parameter in pieces(self.text, parameters, &['&', ';']) {
            let (name, value) = match self.text[parameter.clone()].find('=') {
                Some(equals) => (parameter.start, parameter.start + equals + 1),
                None => (parameter.start, parameter.start),
            };
            let name = self.text[name..value].trim_end_matches('=');
            if !PLAIN_PARAMETERS.contains(&name) {
                add(value..parameter.end);
            }
        }
        let fragment = (fragment + 1).min(self.text.len())..self.text.len();
        if !is_plain_fragment(&self.text[fragment.clone()]) {
            add(fragment);
        }
    }

    /// Where the host starts: behind the `@` of user and password.
    fn host(&self) -> usize {
        let end = self.text.find(['/', '?', '#']).unwrap_or(self.text.len());
        let behind = |at: usize| at + 1;
        if let Some(at) = self.text[..end].rfind('@') {
            return behind(at);
        }
        // A password may hold what should have been encoded: `me:pa/ss@host`. A port is a number.
        let port = self.text[..end].rsplit_once(':').map(|(_, port)| port);
        let is_port = port.is_none_or(|port| port.bytes().all(|b| b.is_ascii_digit() || b == b']'));
        if is_port { 0 } else { self.text.rfind('@').map_or(0, behind) }
    }
}

/// The pieces of a range between separators.
fn pieces(text: &str, range: Range<usize>, separators: &[char]) -> Vec<Range<usize>> {
    let mut start = range.start;
    let mut pieces = Vec::new();
    for piece in text[range].split(separators) {
        pieces.push(start..start + piece.len());
        start += piece.len() + 1;
    }
    pieces
}

fn is_token(segment: &str) -> bool {
    let is_uuid = || {
        let lengths = segment.split('-').map(str::len);
        lengths.eq([8, 4, 4, 4, 12]) && segment.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
    };
    let is_mixed = |word: &str| {
        let digits = word.bytes().filter(u8::is_ascii_digit).count();
        word.len() >= SHORTEST_TOKEN && digits >= 3 && word.len() - digits >= 3
    };
    let words = || segment.split(|c: char| !c.is_ascii_alphanumeric());
    !segment.contains('.') && (is_uuid() || words().any(is_mixed))
}

fn is_plain_fragment(fragment: &str) -> bool {
    let is_commit =
        (7..=64).contains(&fragment.len()) && fragment.bytes().all(|b| b.is_ascii_hexdigit());
    let says =
        |part: &str| part.split_once('=').is_some_and(|(name, _)| PLAIN_FRAGMENTS.contains(&name));
    fragment.is_empty() || is_commit || fragment.split('&').all(says)
}

/// A text with its percent-encoded characters decoded.
pub(super) fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let code = match (first, tail) {
            (b'%', [high, low, ..]) => {
                let digits = [*high, *low];
                std::str::from_utf8(&digits).ok().and_then(|d| u8::from_str_radix(d, 16).ok())
            }
            _ => None,
        };
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::has_credentials;
    use crate::redact::mask_urls;

    #[track_caller]
    fn check(text: &str, expect: &str) {
        assert_eq!(mask_urls(text), expect);
    }

    #[test]
    fn users_and_passwords() {
        check("get https://me:pw@host/x: 401", "get https://***@host/x: 401");
        check("https://tok@host", "https://***@host");
        check("ssh://git@host/x", "ssh://git@host/x");
        check("git+ssh://git:pw@host/x", "git+ssh://***@host/x");
        check("http://me:pa/ss?w@host:80/x", "http://***@host:80/x");
        check("https://me:p@ss@host/x", "https://***@host/x");
        check("https://host/@scope/x@1.0", "https://host/@scope/x@1.0");
        check("https://host:8080/a@b", "https://host:8080/a@b");
        check("http://[::1]:80/x", "http://[::1]:80/x");
        check("socks5h://u:p@proxy:1080", "socks5h://***@proxy:1080");
    }

    #[test]
    fn queries_and_fragments() {
        check("https://host/x?token=abc", "https://host/x?token=***");
        check("https://h/x?a=b&access_token=c#d", "https://h/x?a=***&access_token=***#***");
        check("https://h/x?X-Amz-Signature=s;y=z", "https://h/x?X-Amz-Signature=***;y=***");
        check("https://h/x/https://me:pw@host/y", "https://h/x/https://***@host/y");
        check("https://h?abc", "https://h?***");
        check("https://h/x?token=a://b", "https://h/x?token=***");
        check("git+https://h/x?branch=main#0123abcdef", "git+https://h/x?branch=main#0123abcdef");
        check("https://h/x.whl#sha256=00ff", "https://h/x.whl#sha256=00ff");
        check("\"https://h/?k=v\", next?x=y", "\"https://h/?k=***\", next?x=y");
    }

    #[test]
    fn credentials_are_noticed() {
        let check = |url: &str, expect: bool| assert_eq!(has_credentials(url), expect, "{url}");
        check("https://me:secret@host/x", true);
        check("https://host/x.tar.gz?token=x", true);
        check("https://host/x.tar.gz?a=b&X-Amz-Signature=x", true);
        check("https://host/x.tar.gz?sv=1&sig=x", true);
        check("https://host/x@1", false);
        check("https://host/x.tar.gz?download=1", false);
        check("file:///home/a@b", false);
    }

    #[test]
    fn tokens_in_paths() {
        check("https://h/simple/a1b2c3d4e5f6g7h8/numpy", "https://h/simple/***/numpy");
        check("https://h/0f8fad5b-d9cb-469f-a165-70867728950e/x", "https://h/***/x");
        check("https://h/priv/npm_A1b2C3d4E5f6G7h8I9/x.tgz", "https://h/priv/***/x.tgz");
        check(
            "https://h/a/wasm32-wasip1-threads-2024/x",
            "https://h/a/wasm32-wasip1-threads-2024/x",
        );
        check(
            "https://h/packages/numpy-1.26.4-cp312-cp312.whl",
            "https://h/packages/numpy-1.26.4-cp312-cp312.whl",
        );
    }

    #[test]
    fn what_is_no_address_stays() {
        for text in ["", "a ? b=c # d", "://me:pw@x", "file:///a/b#c", "x = y", "ä://ö"] {
            check(text, text);
        }
    }
}
