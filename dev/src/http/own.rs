//! Answers requests for the pages of this server itself, below `/_run`.

use std::sync::Arc;

use hyper::header::{
    ALLOW, CONTENT_SECURITY_POLICY, HOST, HeaderMap, HeaderValue, X_FRAME_OPTIONS,
};
use hyper::{Method, Response, StatusCode, Uri};

use super::app::App;
use super::body::ResponseBody;
use super::events::{self, Wanted};
use super::own_host::is_own_host;
use super::respond::{self, Kind};
use crate::page;
use crate::route::OWN;

/// Answers a request for a path below `/_run`.
pub(crate) fn answer(
    app: &Arc<App>,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
) -> Response<ResponseBody> {
    if !is_meant_for_us(app, headers) {
        let text = "this host is not one of the development server: use 127.0.0.1 or localhost\n";
        return respond::text(StatusCode::FORBIDDEN, Kind::Text, text);
    }
    if !matches!(*method, Method::GET | Method::HEAD) {
        let mut response =
            respond::text(StatusCode::METHOD_NOT_ALLOWED, Kind::Text, "only GET and HEAD\n");
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    let found = |kind, text: String| respond::text(StatusCode::OK, kind, text);
    let rest = uri.path().strip_prefix(OWN).unwrap_or_default();
    match rest.trim_end_matches('/') {
        "" => status(app, uri),
        "/status.json" => {
            let version = app.site.load().version.clone();
            let json = page::status_json(&app.board.read(), &version);
            found(Kind::Json, format!("{json:#}\n"))
        }
        "/events" if *method == Method::HEAD => found(Kind::Text, String::new()),
        "/events" => {
            events::stream(app, if has(uri, "status") { Wanted::Status } else { Wanted::State })
        }
        "/client.js" => found(Kind::Script, page::CLIENT_SCRIPT.to_owned()),
        "/status.js" => found(Kind::Script, page::STATUS_SCRIPT.to_owned()),
        "/page.css" => found(Kind::Css, page::STYLE.to_owned()),
        _ => respond::text(StatusCode::NOT_FOUND, Kind::Text, "there is no such page\n"),
    }
}

fn status(app: &App, uri: &Uri) -> Response<ResponseBody> {
    let news = app.board.read();
    let html = if has(uri, "part=main") { page::status_main(&news) } else { page::status(&news) };
    let mut response = respond::text(StatusCode::OK, Kind::Html, html);
    let headers = response.headers_mut();
    respond::set(headers, "x-run-title", &percent_encoded(&page::status_title(&news)));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    // The bars of the actions have their lengths in attributes.
    let policy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src data:; connect-src 'self'; \
                  base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    response
}

/// Tells if a request names this server as its host, and was not made by a page of another site.
fn is_meant_for_us(app: &App, headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(HOST).iter();
    let host = hosts.next().and_then(|host| host.to_str().ok());
    let is_own = host.is_some_and(|host| is_own_host(host, app.own_host.as_deref()));
    let is_foreign = headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site")
        && headers.get("sec-fetch-mode").is_none_or(|mode| mode != "navigate");
    is_own && hosts.next().is_none() && !is_foreign
}

fn has(uri: &Uri, word: &str) -> bool {
    uri.query().is_some_and(|query| query.split('&').any(|part| part == word))
}

/// Encodes a text for a header, as `encodeURIComponent` does.
fn percent_encoded(text: &str) -> String {
    let encoded = text.bytes().map(|byte| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
            char::from(byte).to_string()
        }
        byte => format!("%{byte:02X}"),
    });
    encoded.collect()
}
