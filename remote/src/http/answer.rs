//! Says what the head of an HTTP answer means.

use std::time::Duration;

use http::HeaderMap;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, RETRY_AFTER};
use reqwest::Response;

use crate::failure::{Failure, with_causes};

/// The number of bytes that are read of an answer that nobody needs, so that its connection can be used again.
const DRAINED: usize = 64 << 10;

/// Checks the status. Returns `None` if there is nothing of that name.
pub(super) async fn check(response: Response) -> Result<Option<Response>, Failure> {
    let status = response.status();
    let text = || status.as_str().to_owned();
    match status.as_u16() {
        200..=299 => Ok(Some(response)),
        404 | 410 => {
            drain(response).await;
            Ok(None)
        }
        401 | 403 | 407 => Err(Failure::Refused(text())),
        405 => Err(Failure::Refused(text())),
        408 | 429 | 500..=599 => {
            let wait = retry_after(response.headers());
            drain(response).await;
            Err(Failure::Failing { status: text(), wait })
        }
        _ => Err(Failure::Rejected(text())),
    }
}

/// Reads and forgets the rest of an answer.
pub(super) async fn drain(mut response: Response) {
    let mut seen = 0;
    while let Ok(Some(chunk)) = response.chunk().await {
        seen += chunk.len();
        if seen > DRAINED {
            return;
        }
    }
}

/// Tells if the body is zstd. Another encoding, which nobody asked for, is an error.
pub(super) fn is_zstd(headers: &HeaderMap) -> Result<bool, Failure> {
    match headers.get(CONTENT_ENCODING).map(|value| value.as_bytes()) {
        None | Some(b"" | b"identity") => Ok(false),
        Some(b"zstd") => Ok(true),
        Some(_) => Err(Failure::Rejected("an encoding that was not asked for".to_owned())),
    }
}

/// Tells if a server says that it takes bodies of zstd.
pub(super) fn takes_zstd(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let is_zstd = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("zstd"));
        let weight = parts.find_map(|part| part.strip_prefix("q="));
        is_zstd && weight.is_none_or(|weight| weight.parse().is_ok_and(|weight: f32| weight > 0.0))
    })
}

/// Turns an error of the connection into a failure.
pub(super) fn failure(error: reqwest::Error) -> Failure {
    let error = error.without_url();
    let text = with_causes(&error);
    if error.is_builder() || error.is_redirect() {
        Failure::Rejected(text)
    } else {
        Failure::Unreachable(text)
    }
}

/// Reads how long to wait. The form with a date is not read, because clocks differ.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_says_that_it_takes_zstd() {
        let check = |value: &str, expect| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, value.parse().unwrap());
            assert_eq!(takes_zstd(&headers), expect, "{value}");
        };
        check("zstd", true);
        check("gzip, zstd;q=0.5", true);
        check("gzip,ZSTD", true);
        check("zstd;q=0", false);
        check("zstd; q=0.0", false);
        check("gzip", false);
        check("zstandard", false);
        check("", false);
        assert!(!takes_zstd(&HeaderMap::new()));
    }

    #[test]
    fn only_encodings_that_were_asked_for_are_taken() {
        let check = |value: &str, expect: Option<bool>| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_ENCODING, value.parse().unwrap());
            assert_eq!(is_zstd(&headers).ok(), expect, "{value}");
        };
        check("identity", Some(false));
        check("zstd", Some(true));
        check("gzip", None);
        check("zstd, zstd", None);
    }
}
