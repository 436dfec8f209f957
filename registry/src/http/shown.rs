//! URLs and messages of servers, as users see them.

use reqwest::Url;
use reqwest::header::CONTENT_TYPE;
use serde::Deserialize;

use super::request::Answer;
use crate::text::printable;

/// The number of characters of a server's message that are shown.
const LONGEST: usize = 200;

/// Returns a URL without its query, which may hold a token or a signature.
pub(crate) fn shown(url: &Url) -> String {
    let mut plain = url.clone();
    plain.set_query(None);
    plain.set_fragment(None);
    // These fail for URLs without a host only, which hold no credentials.
    let _ = plain.set_username("");
    let _ = plain.set_password(None);
    plain.to_string()
}

/// The form in which OCI registries describe errors.
#[derive(Deserialize)]
struct Errors {
    errors: Vec<OneError>,
}

#[derive(Deserialize)]
struct OneError {
    code: String,
    #[serde(default)]
    message: String,
}

/// Returns a colon and the message of an answer: the first error of an OCI registry, or the first line of plain
/// text that is not blank.
pub(crate) fn said(answer: &Answer) -> String {
    if let Ok(errors) = serde_json::from_slice::<Errors>(&answer.body) {
        let first = errors.errors.first();
        return first.map_or_else(String::new, |error| {
            format!(": {}", printable(&format!("{} {}", error.code, error.message), LONGEST))
        });
    }
    let kind = answer.headers.get(CONTENT_TYPE);
    if !kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/plain")) {
        return String::new();
    }
    let text = String::from_utf8_lossy(&answer.body);
    let line = text.lines().map(str::trim).find(|line| !line.is_empty());
    line.map_or_else(String::new, |line| format!(": {}", printable(line, LONGEST)))
}
