//! Tokens of a server of tokens (distribution specification, "Token Authentication" and its OAuth2 variant).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::HeaderValue;
use reqwest::{Method, Url};
use serde::Deserialize;

use crate::address::{host, is_loopback};
use crate::credentials::Used;
use crate::credentials::{Credential, CredentialsError, Known};
use crate::failure::Error;
use crate::http::{Http, Request, shown};
use crate::secret::Secret;

/// The longest token that is sent on.
const LONGEST: usize = 64 << 10;

/// The request for a token: who asks for it, and for what.
pub(crate) struct Wanted<'a> {
    /// The URL of the registry that refers to the server of tokens.
    pub(crate) registry: &'a Url,
    pub(crate) realm: &'a str,
    pub(crate) service: Option<&'a str>,
    pub(crate) scope: &'a str,
}

#[derive(Deserialize)]
struct Answer {
    token: Option<String>,
    access_token: Option<String>,
}

/// Asks a server of tokens for a token.
pub(crate) async fn fetch(
    http: &Http,
    wanted: &Wanted<'_>,
    known: Option<&Known>,
) -> Result<HeaderValue, Error> {
    let realm = realm(wanted)?;
    let mut request = match known.map(|known| &known.credential) {
        Some(Credential::Refresh(secret)) => exchange(&realm, wanted, secret),
        _ => Request::get(query(realm.clone(), wanted)),
    };
    if let Some(Known { credential: Credential::Basic { user, password }, from }) = known {
        request.authorization = Some(basic(user, password, from)?);
    }
    let answer = http.send(&request).await?;
    match answer.status {
        200 => {}
        status @ (400 | 401 | 403) => {
            let used = known.map_or(Used::None, |known| Used::From(known.from.clone()));
            return Err(Error::Refused { host: host(wanted.registry), status, used });
        }
        status => {
            let (url, said) = (shown(&answer.url), String::new());
            return Err(crate::http::HttpError::Status { url, status, said }.into());
        }
    }
    let odd = |reason: &str| Error::Odd { address: shown(&realm), reason: reason.to_owned() };
    let answer: Answer =
        serde_json::from_slice(&answer.body).map_err(|_| odd("it is not JSON with a token"))?;
    let token = answer.token.or(answer.access_token).filter(|token| !token.is_empty());
    let token = token.ok_or_else(|| odd("it has no token"))?;
    if token.len() > LONGEST {
        return Err(odd("its token is too long"));
    }
    bearer(&Secret::new(token), "the server of tokens").map_err(|_| odd("its token can't be sent"))
}

/// Parses the URL of the server of tokens. It gets the password of the registry's host, so it has to be reached in
/// no less secure a way than the registry.
fn realm(wanted: &Wanted<'_>) -> Result<Url, Error> {
    let odd =
        |reason: &str| Error::Odd { address: shown(wanted.registry), reason: reason.to_owned() };
    let realm =
        Url::parse(wanted.realm).map_err(|_| odd("its server of tokens has no valid URL"))?;
    let is_plain = wanted.registry.scheme() == "http"
        && realm.scheme() == "http"
        && (is_loopback(&realm) || !is_loopback(wanted.registry));
    if realm.scheme() != "https" && !is_plain {
        return Err(odd("it refers to a server of tokens that is not reached by https"));
    }
    if !realm.username().is_empty() || realm.password().is_some() {
        return Err(odd("the URL of its server of tokens has a password"));
    }
    Ok(realm)
}

fn query(mut realm: Url, wanted: &Wanted<'_>) -> Url {
    let mut pairs = realm.query_pairs_mut();
    if let Some(service) = wanted.service {
        pairs.append_pair("service", service);
    }
    // Several scopes come in one text, with spaces between them.
    for scope in wanted.scope.split(' ').filter(|scope| !scope.is_empty()) {
        pairs.append_pair("scope", scope);
    }
    drop(pairs);
    realm
}

/// Makes the request that gives an identity token for a token.
fn exchange(realm: &Url, wanted: &Wanted<'_>, secret: &Secret) -> Request {
    let mut form = realm.clone();
    form.set_query(None);
    form.query_pairs_mut()
        .append_pair("grant_type", "refresh_token")
        .append_pair("service", wanted.service.unwrap_or_default())
        .append_pair("client_id", "run")
        .append_pair("scope", wanted.scope)
        .append_pair("refresh_token", secret.reveal());
    let body = form.query().unwrap_or_default().to_owned();
    Request::new(Method::POST, realm.clone()).with_body("application/x-www-form-urlencoded", body)
}

/// Returns the header that sends a name and a password.
pub(crate) fn basic(
    user: &str,
    password: &Secret,
    from: &str,
) -> Result<HeaderValue, CredentialsError> {
    // A name with a colon would be read as a shorter one by the server.
    if user.contains(':') {
        return Err(CredentialsError::Unsendable { from: from.to_owned() });
    }
    let pair = STANDARD.encode(format!("{user}:{}", password.reveal()));
    header(&format!("Basic {pair}"), from)
}

/// Returns the header that sends a token.
pub(crate) fn bearer(token: &Secret, from: &str) -> Result<HeaderValue, CredentialsError> {
    header(&format!("Bearer {}", token.reveal()), from)
}

fn header(value: &str, from: &str) -> Result<HeaderValue, CredentialsError> {
    let value = HeaderValue::from_str(value);
    let mut value = value.map_err(|_| CredentialsError::Unsendable { from: from.to_owned() })?;
    value.set_sensitive(true);
    Ok(value)
}
