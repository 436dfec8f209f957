//! Finds the secret parts of addresses in a text.
//!
//! - User and password are secret; the user of `ssh://` alone is not, as it is the same for everybody.
//! - Of a query every value is secret, but for those of [`PLAIN_PARAMETERS`]: each registry and each
//!   storage has names of its own for tokens and signatures.
//! - A fragment is secret unless it is a commit or has the form of a checksum.
//! - A segment of the path is secret if it looks like a token, as mirrors have them: it has a word of 16
//!   letters and digits mixed, or it is a UUID. A file's name is not, as it has a dot.

use std::ops::Range;

use super::names::names_a_secret;

/// Names of query parameters that choose a version or a form of what is fetched.
const PLAIN_PARAMETERS: [&str; 7] = ["branch", "tag", "rev", "ref", "version", "format", "go-get"];

/// Names that package managers use in fragments.
const PLAIN_FRAGMENTS: [&str; 6] = ["egg", "subdirectory", "sha256", "sha384", "sha512", "md5"];

/// The maximum length of an address that is looked at, in bytes. Signed addresses have about 2 KiB.
const LONGEST: usize = 16 << 10;

/// The maximum length, in bytes, of a user and password, and of an address inside another one.
const LONGEST_USER: usize = 256;

/// The length of the shortest word of letters and digits that may be a token.
const SHORTEST_TOKEN: usize = 16;

/// The separators between a scheme and the rest of an address, plain and as JSON escapes them.
const SEPARATORS: [&str; 3] = ["://", r":\/\/", r":\u002f\u002f"];

/// Texts before a colon that are not users, although `me:pw@host` has the same form.
const NO_USERS: [&str; 9] =
    ["mailto", "acct", "sip", "xmpp", "npm", "jsr", "pkg", "file", "workspace"];

/// Returns the ranges of all secret parts of addresses in a text, in ascending order.
pub(crate) fn secrets(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut last_end = 0;
    for (colon, _) in text.match_indices(':') {
        let Some(separator) = separator(&text[colon..]) else { continue };
        let scheme = text[..colon].rsplit(|c: char| !is_scheme(c)).next().unwrap_or_default();
        if scheme.is_empty() || scheme.ends_with("file") {
            continue;
        }
        let start = colon + separator;
        // Of an address inside another one, only user and password are looked for: the outer one covers the
        // rest.
        let is_nested = start < last_end;
        let longest = if is_nested { LONGEST_USER } else { LONGEST };
        let window = &text[start..text.floor_char_boundary(start + longest)];
        let length = length(window);
        let address = Address { at: start, text: &window[..length] };
        found.extend(address.user(scheme));
        if !is_nested {
            address.path_and_query(&mut found);
        }
        last_end = last_end.max(start + length);
    }
    found.extend(text.match_indices('@').filter_map(|(at, _)| user_without_scheme(text, at)));
    found.sort_by_key(|range| (range.start, range.end));
    found
}

/// Returns the length of the separator that a text starts with.
fn separator(text: &str) -> Option<usize> {
    let starts = |separator: &&&str| {
        text.get(..separator.len()).is_some_and(|start| start.eq_ignore_ascii_case(separator))
    };
    SEPARATORS.iter().find(starts).map(|separator| separator.len())
}

/// Returns the length of the address that a text starts with.
fn length(text: &str) -> usize {
    let until = |from: usize| text[from..].find(ends_address).map_or(text.len(), |at| from + at);
    until(odd_password(text, until(0)).unwrap_or(0))
}

/// Returns the end of user and password if the password holds a character that usually ends an address: a
/// blank or a quote. `end` is where the address would end otherwise.
fn odd_password(text: &str, end: usize) -> Option<usize> {
    let line = &text[..text.floor_char_boundary(LONGEST_USER)];
    let line = &line[..line.find(char::is_control).unwrap_or(line.len())];
    let colon = line.find(':').filter(|colon| *colon < end)?;
    if text[..end].contains('@') || text[..colon].contains(['/', '?', '#']) {
        return None;
    }
    let at = line.match_indices('@').map(|(at, _)| at);
    let at = at.into_iter().find(|at| line[at + 1..].starts_with(is_of_host))?;
    let (first, password) = (&line[colon + 1..end.min(at)], &line[colon + 1..at]);
    // If a port or a phrase that ends in a colon comes first, the `@` belongs to a later word.
    let port = first.split(['/', '?', '#']).next().unwrap_or_default();
    let port = port.trim_end_matches([',', ';', '.', ')']);
    let is_port =
        port.bytes().all(|b| b.is_ascii_digit()) && password.contains(char::is_whitespace);
    let is_phrase = password.starts_with(char::is_whitespace) || password.contains("://");
    (!is_port && !is_phrase).then_some(at)
}

/// Returns the user and password before the `@` at a place in an address without a scheme: `me:pw@host/x`, as
/// proxies are written, or `//me:pw@host/x`. A name with a version, such as `wasi:cli@0.2.0` or
/// `npm:left-pad@latest`, is not an address.
fn user_without_scheme(text: &str, at: usize) -> Option<Range<usize>> {
    let behind = &text[at + 1..];
    let host = &behind[..behind.find(|c| !is_of_host(c)).unwrap_or(behind.len())];
    let is_host = host.starts_with(|c: char| c.is_ascii_alphabetic())
        || host.split('.').count() == 4 && host.split('.').all(|part| part.parse::<u8>().is_ok());
    let follows = &behind[host.len()..];
    let has_port =
        follows.starts_with(':') && follows[1..].starts_with(|c: char| c.is_ascii_digit());
    let is_address =
        host.contains('.') || host == "localhost" || has_port || follows.starts_with('/');
    if !is_host || !is_address {
        return None;
    }
    let before = &text[text.ceil_char_boundary(at.saturating_sub(LONGEST_USER))..at];
    let is_boundary = |c: char| {
        ends_address(c) || matches!(c, '=' | ',' | ';' | '(' | ')' | '[' | ']' | '{' | '}')
    };
    let word = before.rsplit(is_boundary).next().unwrap_or_default();
    let login = word.trim_start_matches('/');
    let is_login = match login.split_once(':') {
        Some((user, password)) => {
            !password.is_empty() && !NO_USERS.contains(&user) && !user.is_empty()
        }
        None => word.len() - login.len() == 2,
    };
    (is_login && !login.is_empty() && !login.contains('/')).then_some(at - login.len()..at)
}

fn is_of_host(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '.')
}

/// Returns whether an address has a user, a password, or a parameter whose name is that of a secret.
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

/// An address after its scheme.
struct Address<'a> {
    /// The offset of the address in the whole text.
    at: usize,
    text: &'a str,
}

impl Address<'_> {
    /// Returns the range of user and password, if there are any and they are secret.
    fn user(&self, scheme: &str) -> Option<Range<usize>> {
        let length = self.host().checked_sub(1)?;
        let is_secret = self.text[..length].contains(':') || !scheme.ends_with("ssh");
        is_secret.then_some(self.at..self.at + length)
    }

    /// Adds the ranges of the secret parts after the host.
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

    /// Returns the offset of the host, which is after the `@` of user and password.
    fn host(&self) -> usize {
        let end = self.text.find(['/', '?', '#']).unwrap_or(self.text.len());
        let behind = |at: usize| at + 1;
        if let Some(at) = self.text[..end].rfind('@') {
            return behind(at);
        }
        // A password may hold a character that should have been encoded: `me:pa/ss@host`. Only digits after
        // the colon are a port.
        let port = self.text[..end].rsplit_once(':').map(|(_, port)| port);
        let is_port = |port: &str| port.bytes().all(|b| b.is_ascii_digit() || b == b']');
        let is_port = port.is_none_or(|port| is_port(port.trim_end_matches('\\')));
        if is_port { 0 } else { self.text.rfind('@').map_or(0, behind) }
    }
}

/// Returns the ranges of the pieces between separators in a range of a text.
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

/// Percent-encodes all but the unreserved characters (RFC 3986, section 2.3).
pub(super) fn encoded(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}

/// Decodes the percent-encoded characters of a text.
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
    fn passwords_that_are_not_encoded() {
        check("get 'https://me:p'w@host/x' now", "get 'https://***@host/x' now");
        check("url = \"https://me:p\"w@host/x\"", "url = \"https://***@host/x\"");
        check("https://me:my pass@host/x failed", "https://***@host/x failed");
        check("<https://me:a>b<c@host/x>", "<https://***@host/x>");
        check("https://me:p'w/x y@host", "https://***@host");
        // These texts hold no passwords.
        for text in [
            "cannot reach https://host:443, ask me@example.org",
            "cannot reach https://host: ask me@example.org",
            "'https://host:8080/x' of me@example.org",
            "https://host/x: 'a' of me@example.org",
            "https://a: b\nme@example.org",
        ] {
            check(text, text);
        }
    }

    #[test]
    fn addresses_in_json() {
        check(r"https:\/\/me:pw@host\/x", r"https:\/\/***@host\/x");
        check(r"https:\u002F\u002fme:pw@host\u002fx", r"https:\u002F\u002f***@host\u002fx");
        check(r"https:\/\/host:80\/@scope\/x", r"https:\/\/host:80\/@scope\/x");
    }

    #[test]
    fn addresses_without_a_scheme() {
        check("proxy=me:pw@proxy:3128", "proxy=***@proxy:3128");
        check("at me:pw@h/x", "at ***@h/x");
        check("//me:pw@host/x", "//***@host/x");
        check("//tok@host/x", "//***@host/x");
        check("me:pw@10.0.0.1", "***@10.0.0.1");
        check("me:pw@localhost", "***@localhost");
        for text in [
            "wasi:cli@0.2.0",
            "wasi:http/types@0.2.0-rc.1",
            "import wasi:cli@0.3.0-rc.2/x",
            "npm:left-pad@latest",
            "npm:left-pad@next.1",
            "pkg:npm/%40scope/x@1.0",
            "git@host.example:me/x",
            "me@example.org",
            "mailto:me@example.org",
            "jsr:@scope/x@1.0",
            "/a//b@c/d",
        ] {
            check(text, text);
        }
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
