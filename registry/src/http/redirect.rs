//! Redirects: which are followed, and with what.

use reqwest::Url;
use reqwest::header::{HeaderMap, LOCATION};

use super::failure::HttpError;
use super::shown::shown;

/// Returns the URL that an answer leads to: `Location`, resolved against the URL that was asked.
///
/// # Errors
/// The URL is missing or malformed, has credentials in it, or leads from https to http.
pub(crate) fn location(asked: &Url, headers: &HeaderMap) -> Result<Url, HttpError> {
    let refuse =
        |reason: &str| HttpError::Redirect { url: shown(asked), reason: reason.to_owned() };
    let text = headers.get(LOCATION).and_then(|value| value.to_str().ok());
    let text = text.ok_or_else(|| refuse("it does not say where to"))?;
    let url = asked.join(text).map_err(|_| refuse("it leads to something that is no URL"))?;
    match url.scheme() {
        _ if !url.username().is_empty() || url.password().is_some() => {
            Err(refuse("it leads to a URL with a password"))
        }
        "https" => Ok(url),
        "http" if asked.scheme() == "http" => Ok(url),
        "http" => Err(refuse("it leads from https to http")),
        _ => Err(refuse("it leads to something that is neither https nor http")),
    }
}
