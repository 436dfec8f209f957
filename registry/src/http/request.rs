//! Requests and answers.

use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Url};

use crate::text::printable;

/// The largest answer that is no package, such as a manifest or a page of a list.
pub(crate) const SMALL: u64 = 4 << 20;

/// A request.
#[derive(Clone)]
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Option<Bytes>,
    /// The largest size of the answer's body, in bytes.
    pub(crate) limit: u64,
    /// The exact size of the answer's body, if it is known.
    pub(crate) size: Option<u64>,
    /// The value of the `Authorization` header. It goes to the origin of the URL only.
    pub(crate) authorization: Option<HeaderValue>,
    /// True if the request is made only once, because a second one would mean something else.
    pub(crate) once: bool,
}

/// A whole answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    /// The body; only its beginning if the status is not one of success.
    pub(crate) body: Vec<u8>,
    /// The URL that gave the answer, after all redirects.
    pub(crate) url: Url,
}

impl Request {
    pub(crate) fn new(method: Method, url: Url) -> Self {
        Self {
            method,
            url,
            headers: HeaderMap::new(),
            body: None,
            limit: SMALL,
            size: None,
            authorization: None,
            once: false,
        }
    }

    pub(crate) fn get(url: Url) -> Self {
        Self::new(Method::GET, url)
    }

    pub(crate) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.append(name, value);
        self
    }

    pub(crate) fn with_body(mut self, kind: &'static str, body: impl Into<Bytes>) -> Self {
        self.headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        self.body = Some(body.into());
        self
    }
}

impl Answer {
    /// Returns the value of a header that is a text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Returns the media type of the body without its parameters, in lower case.
    pub(crate) fn media_type(&self) -> String {
        let value = self.header(CONTENT_TYPE.as_str()).unwrap_or_default();
        value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }

    /// Returns the media type of the body for a message.
    pub(crate) fn named_type(&self) -> String {
        let kind = self.media_type();
        if kind.is_empty() { "unknown".to_owned() } else { format!("`{}`", printable(&kind, 80)) }
    }

    pub(crate) const fn is_success(&self) -> bool {
        matches!(self.status, 200..=299)
    }
}
