//! The session: remembers for each registry what it asks for.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use reqwest::Url;
use reqwest::header::HeaderValue;
use serde::de::DeserializeOwned;

use super::challenge::{Challenge, challenge};
use super::token::{Wanted, basic, bearer, fetch};
use crate::address::host;
use crate::credentials::{Credential, Credentials, Known, Used};
use crate::failure::Error;
use crate::http::{Answer, Http, HttpError, Request, said, shown};
use crate::secret::Secret;
use crate::text::printable;

/// The purpose of a request, in the words of the token flow. Other protocols have the empty scope.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Scope(pub(crate) String);

/// The requests of this process to registries.
pub(crate) struct Session {
    http: Http,
    credentials: Credentials,
    /// The headers that were accepted, by origin and scope, with the place of the credentials in them.
    accepted: Mutex<BTreeMap<(String, Scope), Sent>>,
}

/// A header that is sent, and the credential in it or behind it; none if a token is given to everybody.
#[derive(Clone)]
struct Sent {
    header: HeaderValue,
    known: Option<Known>,
}

impl Sent {
    fn used(self) -> Used {
        self.known.map_or(Used::None, |known| Used::From(known.from))
    }

    /// Returns what no message may show: the credential, and the form in which it is sent.
    fn secrets(&self) -> impl Iterator<Item = Secret> {
        let value = self.header.to_str().unwrap_or_default();
        let sent = value.split_once(' ').map_or(value, |(_, secret)| secret);
        let own = self.known.as_ref().map(|known| known.credential.secret().clone());
        [Secret::new(sent)].into_iter().chain(own)
    }

    /// Returns true if the credential is good for everything on its server.
    fn is_basic(&self) -> bool {
        self.header.as_bytes().starts_with(b"Basic ")
    }
}

impl Session {
    pub(crate) const fn new(http: Http, credentials: Credentials) -> Self {
        Self { http, credentials, accepted: Mutex::new(BTreeMap::new()) }
    }

    /// Returns the client, for requests that need no credentials.
    pub(crate) const fn http(&self) -> &Http {
        &self.http
    }

    /// Makes a request with the credentials that the server asks for. The status of the answer is never 401 or
    /// 403.
    pub(crate) async fn send(&self, request: Request, scope: &Scope) -> Result<Answer, Error> {
        let key = (request.url.origin().ascii_serialization(), scope.clone());
        let earlier = self.earlier(&key);
        let mut sent =
            earlier.clone().map_or_else(|| self.at_once(&request.url), |sent| Ok(Some(sent)))?;
        let mut is_new = earlier.is_none();
        let asked = |sent: &Option<Sent>| {
            let authorization = sent.as_ref().map(|sent| sent.header.clone());
            Request { authorization, ..request.clone() }
        };
        let mut answer = self.http.send(&asked(&sent)).await?;
        let here = answer.url.origin() == request.url.origin();
        // A token that was accepted before may have expired. One that the user gave is not replaced by others.
        let may_ask = sent.is_none() || !is_new;
        if answer.status == 401 && here && may_ask {
            self.forget(&key);
            let met = match challenge(&answer.headers) {
                Some(challenge) => self.meet(&challenge, &request.url, scope).await?,
                None => None,
            };
            if met.is_some() {
                (sent, is_new) = (met, true);
                answer = self.http.send(&asked(&sent)).await?;
            }
        }
        if !here && matches!(answer.status, 401 | 403) {
            return Err(self.unexpected(&answer));
        }
        if matches!(answer.status, 401 | 403) {
            self.forget(&key);
            let used = sent.map_or_else(|| self.credentials.withheld(&request.url), Sent::used);
            return Err(Error::Refused { host: host(&request.url), status: answer.status, used });
        }
        if let Some(sent) = sent.filter(|_| is_new) {
            let scope = if sent.is_basic() { Scope::default() } else { key.1 };
            self.accepted().insert((key.0, scope), sent);
        }
        Ok(answer)
    }

    /// Returns what was accepted for a scope. A name and a password are good for all scopes.
    fn earlier(&self, key: &(String, Scope)) -> Option<Sent> {
        let accepted = self.accepted();
        let basic =
            || accepted.get(&(key.0.clone(), Scope::default())).filter(|sent| sent.is_basic());
        accepted.get(key).or_else(basic).cloned()
    }

    /// Returns the error of an answer with a status that the protocol does not have. The message of the server is
    /// shown without the credentials that were sent.
    pub(crate) fn unexpected(&self, answer: &Answer) -> Error {
        let said = self.hide(&said(answer), &answer.url);
        HttpError::Status { url: shown(&answer.url), status: answer.status, said }.into()
    }

    /// Returns the error of an answer that makes no sense. The reason may quote the answer.
    pub(crate) fn odd(&self, answer: &Answer, reason: &str) -> Error {
        Error::Odd { address: shown(&answer.url), reason: self.hide(reason, &answer.url) }
    }

    /// Reads an answer as JSON.
    pub(crate) fn json<T: DeserializeOwned>(&self, answer: &Answer) -> Result<T, Error> {
        serde_json::from_slice(&answer.body).map_err(|error| {
            let (kind, error) = (answer.named_type(), printable(&error.to_string(), 200));
            self.odd(answer, &format!("it is not the expected JSON (media type {kind}): {error}"))
        })
    }

    /// Returns a text of a server with stars where it repeats credentials that may have been sent to it.
    pub(crate) fn hide(&self, text: &str, url: &Url) -> String {
        let origin = url.origin().ascii_serialization();
        let mut hidden = text.to_owned();
        for ((_, _), sent) in self.accepted().iter().filter(|((to, _), _)| *to == origin) {
            hidden = sent.secrets().fold(hidden, |text, secret| secret.hide_in(&text));
        }
        hidden
    }

    /// Returns the header that is sent without being asked for: the user's own token.
    fn at_once(&self, url: &Url) -> Result<Option<Sent>, Error> {
        let known = self.credentials.own(url)?;
        let Some(Known { credential: Credential::Bearer(token), from }) = &known else {
            return Ok(None);
        };
        Ok(Some(Sent { header: bearer(token, from)?, known }))
    }

    /// Does what a server asks for, if that is possible.
    async fn meet(
        &self,
        challenge: &Challenge,
        url: &Url,
        scope: &Scope,
    ) -> Result<Option<Sent>, Error> {
        let known = self.credentials.find(url).await?;
        let header = match (challenge, &known) {
            (_, Some(Known { credential: Credential::Bearer(token), from })) => {
                bearer(token, from)?
            }
            (Challenge::Bearer { realm: Some(realm), service, scope: asked }, known)
                if Url::parse(realm).is_ok() =>
            {
                let service = service.as_deref();
                let scope = asked.as_deref().unwrap_or(&scope.0);
                let wanted = Wanted { registry: url, realm, service, scope };
                fetch(&self.http, &wanted, known.as_ref()).await?
            }
            // A registry that asks for a token, and names nobody who gives them, may take a password, too.
            (_, Some(Known { credential: Credential::Basic { user, password }, from })) => {
                basic(user, password, from)?
            }
            _ => return Ok(None),
        };
        Ok(Some(Sent { header, known }))
    }

    fn forget(&self, key: &(String, Scope)) {
        let mut accepted = self.accepted();
        accepted.remove(key);
        accepted.remove(&(key.0.clone(), Scope::default()));
    }

    fn accepted(&self) -> MutexGuard<'_, BTreeMap<(String, Scope), Sent>> {
        self.accepted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
