//! The client: makes requests, tries them again, follows redirects, and reads bodies up to a limit.

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, DATE, HeaderMap, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Method, Url};
use tokio::time::{Instant, sleep, timeout};

use super::failure::{HttpError, Transient};
use super::redirect::location;
use super::request::{Answer, Request, SMALL};
use super::shown::shown;
use crate::settings::{Event, Network, Watch};

/// The highest number of redirects that are followed.
const MAX_REDIRECTS: usize = 10;

/// The number of bytes in a second that any line must reach on average, up and down.
const SLOWEST: u64 = 2048;

/// The number of bytes after which progress is reported again.
const REPORT: u64 = 256 << 10;

/// The number of bytes that are read of an answer that is not a success.
const MAX_SAID: usize = 4096;

/// A client that makes requests. All threads share one.
pub(crate) struct Http {
    client: reqwest::Client,
    network: Network,
    watch: Watch,
}

/// The way in which one try failed: the request may be made again, or not.
enum Failure {
    Again(Transient),
    Final(HttpError),
}

/// Makes a client that reaches servers as configured: through these proxies, and trusting these authorities. It follows no
/// redirects. Nothing is connected yet.
///
/// # Errors
/// If the certificates can't be read, or an address of a proxy is wrong.
pub fn client(network: &Network) -> Result<reqwest::Client, HttpError> {
    // This fails if the program has already chosen a provider. Then that one is used.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = reqwest::Client::builder()
        .user_agent(&network.user_agent)
        .connect_timeout(network.connect_timeout)
        .redirect(Policy::none())
        .no_proxy();
    for proxy in &network.proxies {
        let url = proxy.url.as_str();
        let made = match proxy.scheme.as_str() {
            "http" => reqwest::Proxy::http(url),
            "https" => reqwest::Proxy::https(url),
            _ => reqwest::Proxy::all(url),
        };
        let direct = network.no_proxy.as_deref().and_then(reqwest::NoProxy::from_string);
        builder = builder.proxy(made.map_err(setup)?.no_proxy(direct));
    }
    if let Some(path) = &network.certificates {
        let pem = std::fs::read(path);
        let pem = pem.map_err(|source| HttpError::Certificates { path: path.clone(), source })?;
        let trusted = reqwest::Certificate::from_pem_bundle(&pem).map_err(setup)?;
        builder = builder.tls_certs_only(trusted);
    }
    builder.build().map_err(setup)
}

impl Http {
    /// Sets up HTTP as configured. Nothing is connected yet.
    pub(crate) fn new(network: &Network, watch: Watch) -> Result<Self, HttpError> {
        let client = client(network)?;
        Ok(Self { client, network: network.clone(), watch })
    }

    /// Returns the settings of the network.
    pub(crate) const fn network(&self) -> &Network {
        &self.network
    }

    /// Makes a request. A failure that may pass is tried again. Any answer of a server that works is returned,
    /// whatever its status.
    pub(crate) async fn send(&self, request: &Request) -> Result<Answer, HttpError> {
        if self.network.offline {
            return Err(HttpError::Offline { url: shown(&request.url) });
        }
        let attempts = if request.once { 1 } else { self.network.attempts };
        let mut pause = self.network.pause;
        let mut attempt = 1;
        loop {
            let source = match self.try_once(request).await {
                Ok(answer) => return Ok(answer),
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Again(source)) => source,
            };
            let wait = match source {
                Transient::Status { wait: Some(wait), .. } => pause.max(wait),
                _ => pause,
            };
            if attempt >= attempts || wait > self.network.longest_wait.max(pause) {
                return Err(HttpError::Failed {
                    url: shown(&request.url),
                    attempts: attempt,
                    source,
                });
            }
            let (url, reason) = (shown(&request.url), source.to_string());
            (self.watch)(Event::Retrying { url: &url, attempt, reason: &reason });
            sleep(wait).await;
            pause = pause.saturating_mul(2);
            attempt += 1;
        }
    }

    async fn try_once(&self, request: &Request) -> Result<Answer, Failure> {
        let mut url = request.url.clone();
        let mut authorized = true;
        for _ in 0..=MAX_REDIRECTS {
            let response = self.exchange(request, &url, authorized).await?;
            let status = response.status().as_u16();
            match status {
                301 | 302 | 303 | 307 | 308 => {
                    let next = location(&url, response.headers()).map_err(Failure::Final)?;
                    if !matches!(request.method, Method::GET | Method::HEAD) {
                        return Err(refused(&url, "only what reads may be redirected"));
                    }
                    // Once a request has left its origin, it never gets its credentials back.
                    authorized &= next.origin() == url.origin();
                    url = next;
                }
                408 | 429 | 500.. => {
                    let wait = retry_after(response.headers());
                    return Err(Failure::Again(Transient::Status { status, wait }));
                }
                _ => return self.answer(request, url, response).await,
            }
        }
        Err(refused(&request.url, "there are too many redirects"))
    }

    /// Sends one request and waits for the head of its answer.
    async fn exchange(
        &self,
        request: &Request,
        url: &Url,
        authorized: bool,
    ) -> Result<reqwest::Response, Failure> {
        let mut asked = self.client.request(request.method.clone(), url.clone());
        asked = asked.headers(request.headers.clone());
        let mut sent = 0;
        if let Some(body) = &request.body {
            sent = length(body);
            asked = asked.body(body.clone());
        }
        if let Some(value) = request.authorization.as_ref().filter(|_| authorized) {
            asked = asked.header(AUTHORIZATION, value.clone());
        }
        let patience = self.network.connect_timeout
            + self.network.idle_timeout
            + Duration::from_secs(sent / SLOWEST);
        let head = timeout(patience, asked.send()).await;
        let head = head.map_err(|_| Failure::Again(Transient::Slow { got: 0, time: patience }))?;
        head.map_err(|error| Failure::Again(Transient::Connection(error.without_url())))
    }

    async fn answer(
        &self,
        request: &Request,
        url: Url,
        mut response: reqwest::Response,
    ) -> Result<Answer, Failure> {
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        // Only one success of a request that reads has what was asked for.
        let success =
            status == 200 || (response.status().is_success() && request.method != Method::GET);
        let body = if request.method == Method::HEAD {
            Vec::new()
        } else if success {
            self.body(request, &mut response).await?
        } else {
            self.message(&mut response).await
        };
        Ok(Answer { status, headers, body, url })
    }

    /// Reads the body of a success. It may be neither longer nor shorter than expected, and has to come in time.
    async fn body(
        &self,
        request: &Request,
        response: &mut reqwest::Response,
    ) -> Result<Vec<u8>, Failure> {
        let limit = request.size.unwrap_or(request.limit);
        let too_long = || Failure::Final(HttpError::TooLong { url: shown(&request.url), limit });
        if response.content_length().is_some_and(|announced| announced > limit) {
            return Err(too_long());
        }
        let total = request.size.or(response.content_length());
        let url = (limit > SMALL || request.size.is_some()).then(|| shown(&request.url));
        let begin = Instant::now();
        let (mut body, mut told) = (Vec::new(), 0);
        loop {
            let (got, time) = (length(&body), begin.elapsed());
            let slow = || Failure::Again(Transient::Slow { got, time });
            let least = time.as_millis() * u128::from(SLOWEST) / 1000;
            if time > self.network.idle_timeout && u128::from(got) < least {
                return Err(slow());
            }
            let chunk =
                timeout(self.network.idle_timeout, response.chunk()).await.map_err(|_| slow())?;
            let chunk = chunk
                .map_err(|error| Failure::Again(Transient::Connection(error.without_url())))?;
            let Some(chunk) = chunk else { break };
            body.extend_from_slice(&chunk);
            let done = length(&body);
            if done > limit {
                return Err(too_long());
            }
            if let Some(url) = url.as_ref().filter(|_| done - told >= REPORT || Some(done) == total)
            {
                (self.watch)(Event::Receiving { url, done, total });
                told = done;
            }
        }
        match request.size {
            Some(expected) if length(&body) < expected => {
                Err(Failure::Again(Transient::Cut { got: length(&body), expected }))
            }
            _ => Ok(body),
        }
    }

    /// Reads the beginning of an answer that is not a success. What came in time is returned even if more was to
    /// follow.
    async fn message(&self, response: &mut reqwest::Response) -> Vec<u8> {
        let mut text = Vec::new();
        let read = async {
            while let Ok(Some(chunk)) = response.chunk().await {
                text.extend_from_slice(&chunk);
                if text.len() >= MAX_SAID {
                    return;
                }
            }
        };
        let _ = timeout(self.network.idle_timeout.min(Duration::from_secs(2)), read).await;
        text.truncate(MAX_SAID);
        text
    }
}

fn setup(error: reqwest::Error) -> HttpError {
    HttpError::Setup(error.without_url())
}

fn refused(url: &Url, reason: &str) -> Failure {
    Failure::Final(HttpError::Redirect { url: shown(url), reason: reason.to_owned() })
}

/// Returns the time for which an answer asks to wait. It is a number of seconds or a date; a date is compared
/// with the date of the answer itself, so that no clock of this machine counts.
#[must_use]
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let until = text(RETRY_AFTER)?.trim();
    if let Ok(seconds) = until.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = httpdate::parse_http_date(until).ok()?;
    let now = httpdate::parse_http_date(text(DATE)?).ok()?;
    Some(until.duration_since(now).unwrap_or_default())
}

fn length(body: &[u8]) -> u64 {
    u64::try_from(body.len()).unwrap_or(u64::MAX)
}
