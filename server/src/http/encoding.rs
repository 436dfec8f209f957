//! The two headers that say how a body is compressed: `Accept-Encoding` and `Content-Encoding` (RFC 9110, RFC 8878).

use http::HeaderMap;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING};

use crate::failure::Failure;

/// Tells if the client takes zstd.
pub(super) fn takes_zstd(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|choice| {
        let mut parts = choice.split(';').map(str::trim);
        let is_zstd = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("zstd"));
        // A weight of zero means "never".
        is_zstd && !parts.any(|part| weight(part) == Some(0.0))
    })
}

fn weight(parameter: &str) -> Option<f32> {
    let (name, value) = parameter.split_once('=')?;
    if name.trim().eq_ignore_ascii_case("q") { value.trim().parse().ok() } else { None }
}

/// Tells if the request's body is compressed with zstd. Other ways to compress it are refused.
pub(super) fn is_zstd(headers: &HeaderMap) -> Result<bool, Failure> {
    let Some(value) = headers.get(CONTENT_ENCODING) else { return Ok(false) };
    let value = value.as_bytes();
    if value.eq_ignore_ascii_case(b"zstd") {
        Ok(true)
    } else if value.is_empty() || value.eq_ignore_ascii_case(b"identity") {
        Ok(false)
    } else {
        let name = String::from_utf8_lossy(value).escape_debug().to_string();
        Err(Failure::Encoding(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_clients_take() {
        let check = |value: &'static str, expect: bool| {
            let headers = HeaderMap::from_iter([(ACCEPT_ENCODING, value.parse().unwrap())]);
            assert_eq!(takes_zstd(&headers), expect, "{value}");
        };
        check("zstd", true);
        check("gzip, ZSTD;q=0.5", true);
        check("gzip, zstd; q=0", false);
        check("zstd;q=0.000", false);
        check("gzip, br", false);
        check("zstdx", false);
        check("", false);
        assert!(!takes_zstd(&HeaderMap::new()));
    }

    #[test]
    fn what_clients_send() {
        let check = |value: &'static str, expect: Option<bool>| {
            let headers = HeaderMap::from_iter([(CONTENT_ENCODING, value.parse().unwrap())]);
            assert_eq!(is_zstd(&headers).ok(), expect, "{value}");
        };
        check("zstd", Some(true));
        check("identity", Some(false));
        check("", Some(false));
        check("gzip", None);
        check("zstd, zstd", None);
    }
}
