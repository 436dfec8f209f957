//! Adds the script that shows errors and reloads the page to the HTML of a component.
//!
//! The script goes before the last `</body>` near the end, or to the end if there is none. The page is passed on as it comes,
//! so a component that streams its page still streams: only what follows a `</body>` waits for more, and at most [`TAIL`]
//! bytes of it.

use bytes::{Bytes, BytesMut};
use hyper::header::{
    CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderMap, HeaderName,
    HeaderValue, TRANSFER_ENCODING,
};
use hyper::{Method, StatusCode};

/// The path of the script. A page that names it already gets no other one.
pub(crate) const SCRIPT: &str = "/_run/client.js";

/// The number of bytes after a `</body>` from which on it is not the last one.
const TAIL: usize = 4096;

const END_OF_BODY: &[u8] = b"</body";

/// The headers that give a digest of the body, and would be wrong.
const DIGESTS: [HeaderName; 4] = [
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("content-md5"),
];

/// Returns the element that is added to pages. `version` names what is being served.
pub(crate) fn element(version: &str) -> String {
    element_with(version, &[])
}

/// Returns the element with further data for the script. Names and values have to be plain words.
pub(crate) fn element_with(version: &str, data: &[(&str, &str)]) -> String {
    let data = data.iter().map(|(name, value)| format!(" data-{name}=\"{value}\""));
    let data: String = data.collect();
    format!("<script src=\"{SCRIPT}\" data-version=\"{version}\"{data}></script>")
}

/// Tells if the response to a request is a page that the script can be added to.
pub(crate) fn is_page(method: &Method, status: StatusCode, headers: &HeaderMap) -> bool {
    let has_body = !status.is_informational()
        && !matches!(
            status,
            StatusCode::NO_CONTENT
                | StatusCode::RESET_CONTENT
                | StatusCode::NOT_MODIFIED
                | StatusCode::PARTIAL_CONTENT
        );
    let is_whole = !headers.contains_key(CONTENT_RANGE) && !headers.contains_key(TRANSFER_ENCODING);
    let encodings = headers.get_all(CONTENT_ENCODING);
    let is_plain =
        encodings.iter().all(|encoding| encoding.as_bytes().eq_ignore_ascii_case(b"identity"));
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    method == Method::GET && has_body && is_whole && is_plain && kind.is_some_and(is_html)
}

/// Tells if a media type is HTML in an encoding in which ASCII stands for itself.
fn is_html(kind: &str) -> bool {
    let mut parts = kind.split(';').map(str::trim);
    let is_html = parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("text/html"));
    let charset = parts.find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim()
            .eq_ignore_ascii_case("charset")
            .then(|| value.trim().trim_matches('"').to_ascii_lowercase())
    });
    let is_wide = |charset: &String| {
        ["utf-16", "utf16", "utf-32", "utf32", "ucs-", "iso-10646-ucs", "ebcdic", "utf-7"]
            .iter()
            .any(|wide| charset.starts_with(wide))
    };
    is_html && !charset.as_ref().is_some_and(is_wide)
}

/// Corrects the headers of a page to which `added` bytes may be added. Its length is known only at its end, because a
/// page may have the script already.
pub(crate) fn correct(headers: &mut HeaderMap<HeaderValue>) {
    headers.remove(CONTENT_LENGTH);
    DIGESTS.iter().for_each(|digest| _ = headers.remove(digest));
}

/// Takes a page piece by piece, and gives it back with the script.
#[derive(Debug)]
pub(crate) struct Injector {
    script: Bytes,
    /// The bytes that were taken and not given back yet. It is empty, or begins with a possible end of the body, or is the beginning
    /// of one.
    held: BytesMut,
    /// The last bytes that were given back, in which the name of the script may have begun.
    last: Vec<u8>,
    is_done: bool,
}

impl Injector {
    /// Makes an injector of an [`element`].
    pub(crate) fn new(script: impl Into<Bytes>) -> Self {
        Self { script: script.into(), held: BytesMut::new(), last: Vec::new(), is_done: false }
    }

    /// Takes a piece of the page, and returns what can be passed on.
    pub(crate) fn push(&mut self, piece: Bytes) -> Bytes {
        if self.is_done {
            return piece;
        }
        self.look_for_script(&piece);
        if self.is_done {
            let held = std::mem::take(&mut self.held);
            return join(held, &piece);
        }
        self.held.extend_from_slice(&piece);
        let keep = match rfind(&self.held, END_OF_BODY) {
            Some(at) if self.held.len() - at <= TAIL => at,
            _ => self.held.len() - beginning(&self.held),
        };
        self.held.split_to(keep).freeze()
    }

    /// Returns what is left at the end of the page.
    pub(crate) fn finish(&mut self) -> Bytes {
        if self.is_done {
            return Bytes::new();
        }
        self.is_done = true;
        let mut held = std::mem::take(&mut self.held);
        let behind = held.split_off(rfind(&held, END_OF_BODY).unwrap_or(held.len()));
        held.extend_from_slice(&self.script);
        held.extend_from_slice(&behind);
        held.freeze()
    }

    /// Ends the work if the page has the script already.
    fn look_for_script(&mut self, piece: &[u8]) {
        self.last.extend_from_slice(piece);
        self.is_done = find(&self.last, SCRIPT.as_bytes()).is_some();
        let surplus = self.last.len().saturating_sub(SCRIPT.len() - 1);
        self.last.drain(..surplus);
    }
}

fn join(mut held: BytesMut, piece: &Bytes) -> Bytes {
    if held.is_empty() {
        return piece.clone();
    }
    held.extend_from_slice(piece);
    held.freeze()
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window.eq_ignore_ascii_case(what))
}

fn rfind(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).rposition(|window| window.eq_ignore_ascii_case(what))
}

/// Returns the length of the beginning of an end of the body with which a text ends.
fn beginning(text: &[u8]) -> usize {
    let longest = text.len().min(END_OF_BODY.len() - 1);
    let is_beginning =
        |length: &usize| text[text.len() - length..].eq_ignore_ascii_case(&END_OF_BODY[..*length]);
    (1..=longest).rev().find(is_beginning).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Passes a page through in pieces of one length.
    fn inject(page: &str, length: usize) -> String {
        let mut injector = Injector::new("<S>");
        let mut injected = Vec::new();
        for piece in page.as_bytes().chunks(length) {
            injected.extend_from_slice(&injector.push(Bytes::copy_from_slice(piece)));
        }
        injected.extend_from_slice(&injector.finish());
        String::from_utf8(injected).unwrap()
    }

    #[track_caller]
    fn check(page: &str, expect: &str) {
        for length in 1..=page.len().max(1) {
            assert_eq!(inject(page, length), expect, "in pieces of {length}");
        }
    }

    #[test]
    fn the_script_goes_before_the_end_of_the_body() {
        check("<body>a</body></html>", "<body>a<S></body></html>");
        check("<BODY>a</BODY >\n", "<BODY>a<S></BODY >\n");
        check("a</bod</body>", "a</bod<S></body>");
        check("<script>'</body>'</script>b</body>", "<script>'</body>'</script>b<S></body>");
    }

    #[test]
    fn a_page_without_an_end_gets_it_at_the_end() {
        check("hello", "hello<S>");
        check("", "<S>");
        check("a</bod", "a</bod<S>");
        let long = format!("a</body>{}", "x".repeat(TAIL));
        assert_eq!(inject(&long, 100), format!("{long}<S>"));
    }

    #[test]
    fn a_page_that_has_it_gets_no_other() {
        let page = format!("a</body>{}</body>b", element("1"));
        check(&page, &page);
    }

    #[test]
    fn a_page_is_passed_on_as_it_comes() {
        let mut injector = Injector::new("<S>");
        assert_eq!(injector.push(Bytes::from_static(b"first")), "first");
        assert_eq!(injector.push(Bytes::from_static(b"second<")), "second");
        assert_eq!(injector.push(Bytes::from_static(b"/p>")), "</p>");
    }

    #[test]
    fn only_whole_readable_pages_of_get_requests() {
        #[track_caller]
        fn check(method: Method, status: u16, headers: &[(&str, &str)], expect: bool) {
            let headers = headers.iter().map(|(name, value)| {
                (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap())
            });
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(is_page(&method, status, &headers.collect()), expect);
        }
        let html = ("content-type", "text/html");
        check(Method::GET, 200, &[html], true);
        check(Method::GET, 404, &[("content-type", "Text/HTML; Charset=\"UTF-8\"")], true);
        check(Method::GET, 200, &[("content-type", "text/html;charset=iso-8859-1")], true);
        check(Method::GET, 200, &[html, ("content-encoding", "identity")], true);
        check(Method::HEAD, 200, &[html], false);
        check(Method::POST, 200, &[html], false);
        check(Method::GET, 200, &[], false);
        check(Method::GET, 200, &[("content-type", "text/htmlx")], false);
        check(Method::GET, 200, &[("content-type", "application/json")], false);
        check(Method::GET, 200, &[("content-type", "text/html; charset=utf-16")], false);
        check(Method::GET, 200, &[html, ("content-encoding", "gzip")], false);
        check(Method::GET, 206, &[html, ("content-range", "bytes 0-1/9")], false);
        check(Method::GET, 304, &[html], false);
        check(Method::GET, 204, &[html], false);
        check(Method::GET, 101, &[html], false);
    }

    #[test]
    fn headers_about_the_body_are_corrected() {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("5"));
        headers.insert("content-md5", HeaderValue::from_static("x"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
        correct(&mut headers);
        assert_eq!(headers.keys().collect::<Vec<_>>(), [&CONTENT_TYPE]);
    }
}
