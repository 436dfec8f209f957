//! URLs below other URLs.

use reqwest::Url;

/// Appends segments to the path of a URL.
pub(crate) fn join(base: &Url, parts: &[&str]) -> Url {
    let mut url = base.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(parts);
    }
    url
}
