//! HTTP, HTTPS and `file:` URLs: whole bodies in memory, bounded, retried, cancellable.
//!
//! A redirect is followed, but never from https to http, and a login is not sent on to another host.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::redirect::{Attempt, Policy};
use tokio::runtime::Runtime;

use super::file::read_file;
use crate::redact::mask_urls;
use crate::toolchain::{Event, Events, Network};

/// How often it is asked whether to stop.
const POLL: Duration = Duration::from_millis(50);

/// After so many bytes progress is told again.
const REPORT: u64 = 256 << 10;

/// So many redirects are followed, as the go command has it.
const MAX_REDIRECTS: usize = 10;

/// So much of what a server says of its refusal is read, and so long it may take to say it.
const MAX_SAID: usize = 1024;
const SAID_WITHIN: Duration = Duration::from_secs(2);

/// Fetches URLs. One is shared by all threads of a session.
pub(crate) struct Http {
    client: reqwest::Client,
    runtime: Runtime,
    network: Network,
}

/// What to fetch.
#[derive(Clone, Copy)]
pub(crate) struct Request<'a> {
    /// Where it is.
    pub(crate) url: &'a str,
    /// What events call it.
    pub(crate) name: &'a str,
    /// How long it is, if that is known.
    pub(crate) size: Option<u64>,
    /// How long it may be at most.
    pub(crate) limit: u64,
}

/// The name and password that a server knows the user by (RFC 7617).
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Login {
    /// The user's name.
    pub(crate) user: String,
    /// The password or token.
    pub(crate) password: String,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login").finish_non_exhaustive()
    }
}

/// Why a URL can't be fetched.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The network must not be used.
    #[error("cannot fetch {url}: the network is switched off")]
    Offline {
        /// The URL.
        url: String,
    },
    /// The server says no.
    #[error("{url} answered {status}{said}")]
    Status {
        /// The URL.
        url: String,
        /// The status code.
        status: u16,
        /// The first line of what it says for people, after a colon; empty if it says nothing.
        said: String,
    },
    /// The server sends elsewhere, where it must not be followed.
    #[error("{url} redirects to where it is not followed")]
    Redirect {
        /// The URL that was asked for.
        url: String,
        /// Why not.
        #[source]
        source: reqwest::Error,
    },
    /// Every try failed.
    #[error("cannot fetch {url} (tried {attempts} times)")]
    Failed {
        /// The URL.
        url: String,
        /// How often.
        attempts: u32,
        /// The last failure.
        #[source]
        source: Transient,
    },
    /// The body is longer than it may be.
    #[error("{url} is longer than {limit} bytes")]
    TooLong {
        /// The URL.
        url: String,
        /// What was expected, or the most that is sensible.
        limit: u64,
    },
    /// The URL is of no kind that can be fetched, or malformed.
    #[error("cannot fetch `{0}`: not an http, https or file URL")]
    BadUrl(String),
    /// A local file can't be read.
    #[error("cannot read {}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Proxies or certificates can't be used as configured.
    #[error("cannot set up the network")]
    Setup(#[source] reqwest::Error),
    /// The runtime that drives connections can't be started.
    #[error("cannot start the network runtime")]
    Runtime(#[source] io::Error),
    /// The user wants it to stop.
    #[error("cancelled")]
    Cancelled,
}

impl HttpError {
    /// Whether another server might do better.
    pub(crate) const fn is_about_the_server(&self) -> bool {
        matches!(self, Self::Status { .. } | Self::Failed { .. } | Self::File { .. })
    }

    /// Says whether the answer was only that there is nothing of that name.
    pub(crate) fn is_absence(&self) -> bool {
        match self {
            Self::Status { status, .. } => matches!(status, 404 | 410),
            Self::File { source, .. } => source.kind() == io::ErrorKind::NotFound,
            _ => false,
        }
    }
}

/// A failure that another try may not meet.
#[derive(Debug, thiserror::Error)]
pub enum Transient {
    /// No connection, or it broke, or the server stayed silent.
    #[error("{}", with_causes(.0))]
    Connection(reqwest::Error),
    /// The server is in trouble.
    #[error("the server answered {0}")]
    Status(u16),
    /// The body ended early.
    #[error("the body ended after {got} of {expected} bytes")]
    Cut {
        /// What came.
        got: u64,
        /// What should have come.
        expected: u64,
    },
}

/// The connection's error says little itself.
fn with_causes(error: &reqwest::Error) -> String {
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// How one try ended badly.
enum Failure {
    Again(Transient),
    Final(HttpError),
}

impl Http {
    /// Prepares connections as configured; nothing is connected yet.
    ///
    /// # Errors
    /// The proxies or certificates can't be used.
    pub(crate) fn new(network: &Network) -> Result<Self, HttpError> {
        // Fails if the program has chosen one already; then that one is used.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("run/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(network.connect_timeout)
            .read_timeout(network.idle_timeout)
            .redirect(Policy::custom(redirect))
            .no_proxy();
        for proxy in &network.proxies {
            let url = proxy.url.as_str();
            let made = match proxy.scheme.as_str() {
                "http" => reqwest::Proxy::http(url),
                "https" => reqwest::Proxy::https(url),
                _ => reqwest::Proxy::all(url),
            };
            let direct = network.no_proxy.as_deref().and_then(reqwest::NoProxy::from_string);
            builder = builder.proxy(made.map_err(HttpError::Setup)?.no_proxy(direct));
        }
        if let Some(path) = &network.certificates {
            let pem = read_file(path, u64::MAX)?;
            let trusted = reqwest::Certificate::from_pem_bundle(&pem).map_err(HttpError::Setup)?;
            builder = builder.tls_certs_only(trusted);
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        Ok(Self {
            client: builder.build().map_err(HttpError::Setup)?,
            runtime: runtime.map_err(HttpError::Runtime)?,
            network: network.clone(),
        })
    }

    /// Fetches a whole body.
    ///
    /// # Errors
    /// See [`HttpError`].
    pub(crate) fn get(
        &self,
        request: Request<'_>,
        events: &dyn Events,
        cancelled: &(dyn Fn() -> bool + Sync),
    ) -> Result<Vec<u8>, HttpError> {
        self.get_as(None, request, events, cancelled)
    }

    /// Fetches a whole body from a server that wants to know who asks.
    ///
    /// # Errors
    /// See [`HttpError`].
    pub(crate) fn get_as(
        &self,
        login: Option<&Login>,
        request: Request<'_>,
        events: &dyn Events,
        cancelled: &(dyn Fn() -> bool + Sync),
    ) -> Result<Vec<u8>, HttpError> {
        if let Some(path) = request.url.strip_prefix("file://") {
            return read_file(Path::new(path), request.limit);
        }
        let web = ["http://", "https://"].iter().any(|scheme| request.url.starts_with(scheme));
        if !web {
            return Err(HttpError::BadUrl(mask_urls(request.url).into_owned()));
        }
        if self.network.offline {
            return Err(HttpError::Offline { url: mask_urls(request.url).into_owned() });
        }
        let stop = async {
            while !cancelled() {
                tokio::time::sleep(POLL).await;
            }
        };
        self.runtime.block_on(async {
            tokio::select! {
                () = stop => Err(HttpError::Cancelled),
                body = self.get_with_retries(login, request, events) => body,
            }
        })
    }

    async fn get_with_retries(
        &self,
        login: Option<&Login>,
        request: Request<'_>,
        events: &dyn Events,
    ) -> Result<Vec<u8>, HttpError> {
        let mut pause = self.network.pause;
        let mut attempt = 1;
        loop {
            let source = match self.get_once(login, request, events).await {
                Ok(body) => return Ok(body),
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Again(source)) => source,
            };
            if attempt >= self.network.attempts {
                let url = mask_urls(request.url).into_owned();
                return Err(HttpError::Failed { url, attempts: attempt, source });
            }
            let reason = source.to_string();
            events.event(Event::Retrying { package: request.name, attempt, reason: &reason });
            tokio::time::sleep(pause).await;
            pause = pause.saturating_mul(2);
            attempt += 1;
        }
    }

    async fn get_once(
        &self,
        login: Option<&Login>,
        request: Request<'_>,
        events: &dyn Events,
    ) -> Result<Vec<u8>, Failure> {
        let failure = |error| Failure::of(error, request.url);
        let mut asked = self.client.get(request.url);
        if let Some(login) = login {
            asked = asked.basic_auth(&login.user, Some(&login.password));
        }
        let mut response = asked.send().await.map_err(failure)?;
        let status = response.status().as_u16();
        match status {
            200 => {}
            408 | 429 | 500.. => return Err(Failure::Again(Transient::Status(status))),
            _ => {
                let (url, said) = (mask_urls(request.url).into_owned(), said(response).await);
                return Err(Failure::Final(HttpError::Status { url, status, said }));
            }
        }
        let total = request.size.or(response.content_length());
        let limit = request.size.unwrap_or(request.limit);
        let mut body = Vec::new();
        let mut told = 0;
        while let Some(chunk) = response.chunk().await.map_err(failure)? {
            body.extend_from_slice(&chunk);
            let done = length(&body);
            if done > limit {
                let url = mask_urls(request.url).into_owned();
                return Err(Failure::Final(HttpError::TooLong { url, limit }));
            }
            if done - told >= REPORT || Some(done) == total {
                events.event(Event::Fetching { package: request.name, done, total });
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
}

impl Failure {
    fn of(error: reqwest::Error, url: &str) -> Self {
        let error = error.without_url();
        match error {
            error if error.is_redirect() => {
                Self::Final(HttpError::Redirect { url: mask_urls(url).into_owned(), source: error })
            }
            error if error.is_builder() => {
                Self::Final(HttpError::BadUrl(mask_urls(url).into_owned()))
            }
            error => Self::Again(Transient::Connection(error)),
        }
    }
}

/// Decides whether to go where a server sends.
fn redirect(attempt: Attempt<'_>) -> reqwest::redirect::Action {
    let was_secure = attempt.previous().iter().any(|url| url.scheme() == "https");
    match attempt.url().scheme() {
        _ if attempt.previous().len() > MAX_REDIRECTS => attempt.error("too many redirects"),
        "http" if was_secure => attempt.error("it leads from https to http"),
        _ => attempt.follow(),
    }
}

/// Gives what a refusal says for people, if it is plain text: a colon and the first line that is not blank.
async fn said(mut response: reqwest::Response) -> String {
    let kind = response.headers().get(reqwest::header::CONTENT_TYPE);
    if !kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/plain")) {
        return String::new();
    }
    let mut text = Vec::new();
    let read = async {
        while let Ok(Some(chunk)) = response.chunk().await {
            text.extend_from_slice(&chunk);
            if text.len() >= MAX_SAID {
                return;
            }
        }
    };
    // What came in time is still worth showing.
    let _ = tokio::time::timeout(SAID_WITHIN, read).await;
    text.truncate(MAX_SAID);
    let text = String::from_utf8_lossy(&text);
    let line = text.lines().map(str::trim).find(|line| !line.is_empty());
    line.map_or_else(String::new, |line| {
        // It goes to a terminal.
        let plain = line.chars().map(|c| if c.is_control() { '?' } else { c });
        format!(": {}", plain.collect::<String>())
    })
}

fn length(body: &[u8]) -> u64 {
    u64::try_from(body.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
