//! Fetches HTTP, HTTPS and `file:` URLs. Whole bodies are read into memory, up to a limit. A fetch is tried
//! again after a failure that may pass, and can be cancelled.
//!
//! Redirects are followed, but never from https to http, and a login is not sent on to another host. Nothing
//! here knows what is fetched or which bytes are expected.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::redirect::{Attempt, Policy};
use tokio::runtime::Runtime;

use super::file::read_file;
use crate::package::{Event, Events, Network};
use crate::redact::mask_urls;

/// The pause between two checks whether to stop.
const POLL: Duration = Duration::from_millis(50);

/// The number of bytes after which progress is reported again.
const REPORT: u64 = 256 << 10;

/// The highest number of redirects that are followed. The go command has the same limit.
const MAX_REDIRECTS: usize = 10;

/// The number of bytes that are read of the text with which a server refuses a request. It is read for at
/// most [`SAID_WITHIN`].
const MAX_SAID: usize = 1024;
const SAID_WITHIN: Duration = Duration::from_secs(2);

/// A client that fetches URLs. All threads of a session share one.
pub(crate) struct Http {
    client: reqwest::Client,
    runtime: Runtime,
    network: Network,
}

/// A description of what to fetch.
#[derive(Clone, Copy)]
pub(crate) struct Request<'a> {
    /// The URL.
    pub(crate) url: &'a str,
    /// The name that events use for it.
    pub(crate) name: &'a str,
    /// The exact size in bytes, if it is known.
    pub(crate) size: Option<u64>,
    /// The largest size in bytes that is accepted.
    pub(crate) limit: u64,
}

/// The name and password that a server asks for (basic authentication, RFC 7617).
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

/// The reason why a URL can't be fetched.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The network is switched off.
    #[error("cannot fetch {url}: the network is switched off")]
    Offline {
        /// The URL.
        url: String,
    },
    /// The server answered with a status that is not tried again.
    #[error("{url} answered {status}{said}")]
    Status {
        /// The URL.
        url: String,
        /// The status code.
        status: u16,
        /// A colon and the first line of the server's plain text, or empty if there is none.
        said: String,
    },
    /// The server redirects, and the redirect must not be followed.
    #[error("{url} redirects to where it is not followed")]
    Redirect {
        /// The URL that was asked for.
        url: String,
        /// The reason why it is not followed.
        #[source]
        source: reqwest::Error,
    },
    /// Every try failed.
    #[error("cannot fetch {url} (tried {attempts} times)")]
    Failed {
        /// The URL.
        url: String,
        /// The number of tries.
        attempts: u32,
        /// The last failure.
        #[source]
        source: Transient,
    },
    /// The body is longer than the limit.
    #[error("{url} is longer than {limit} bytes")]
    TooLong {
        /// The URL.
        url: String,
        /// The expected size, or the largest size that is accepted, in bytes.
        limit: u64,
    },
    /// The URL is malformed or has a scheme that can't be fetched.
    #[error("cannot fetch `{0}`: not an http, https or file URL")]
    BadUrl(String),
    /// A local file can't be read.
    #[error("cannot read {}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        #[source]
        source: io::Error,
    },
    /// The proxies or certificates can't be used as they are configured.
    #[error("cannot set up the network")]
    Setup(#[source] reqwest::Error),
    /// The runtime that drives connections can't be started.
    #[error("cannot start the network runtime")]
    Runtime(#[source] io::Error),
    /// The fetch was cancelled.
    #[error("cancelled")]
    Cancelled,
}

impl HttpError {
    /// Returns true if the same file may be had from another server.
    pub(crate) const fn is_about_the_server(&self) -> bool {
        matches!(self, Self::Status { .. } | Self::Failed { .. } | Self::File { .. })
    }

    /// Returns true if the answer was only that nothing of that name exists.
    pub(crate) fn is_absence(&self) -> bool {
        match self {
            Self::Status { status, .. } => matches!(status, 404 | 410),
            Self::File { source, .. } => source.kind() == io::ErrorKind::NotFound,
            _ => false,
        }
    }
}

/// A failure that may pass, so that the fetch is tried again.
#[derive(Debug, thiserror::Error)]
pub enum Transient {
    /// There was no connection, or it broke, or the server sent nothing for too long.
    #[error("{}", with_causes(.0))]
    Connection(reqwest::Error),
    /// The server answered with a status that says that it is overloaded or has failed.
    #[error("the server answered {0}")]
    Status(u16),
    /// The body ended before its expected size.
    #[error("the body ended after {got} of {expected} bytes")]
    Cut {
        /// The number of bytes that came.
        got: u64,
        /// The number of bytes that were expected.
        expected: u64,
    },
}

/// Returns the messages of a connection's error and of all its causes, because the error itself says little.
fn with_causes(error: &reqwest::Error) -> String {
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// The way in which one try failed: the fetch may be tried again, or not.
enum Failure {
    Again(Transient),
    Final(HttpError),
}

impl Http {
    /// Sets up HTTP as configured. Nothing is connected yet.
    ///
    /// # Errors
    /// The proxies or certificates can't be used.
    pub(crate) fn new(network: &Network) -> Result<Self, HttpError> {
        // This fails if the program has already chosen a provider. Then that one is used.
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

    /// Fetches a whole body, and logs in if `login` is given.
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

/// Decides whether to follow a redirect.
fn redirect(attempt: Attempt<'_>) -> reqwest::redirect::Action {
    let was_secure = attempt.previous().iter().any(|url| url.scheme() == "https");
    match attempt.url().scheme() {
        _ if attempt.previous().len() > MAX_REDIRECTS => attempt.error("too many redirects"),
        "http" if was_secure => attempt.error("it leads from https to http"),
        _ => attempt.follow(),
    }
}

/// Returns a colon and the first line of a refusal that is not blank, or nothing if the refusal is not plain
/// text.
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
    // Text that came in time is shown even if more was to follow.
    let _ = tokio::time::timeout(SAID_WITHIN, read).await;
    text.truncate(MAX_SAID);
    let text = String::from_utf8_lossy(&text);
    let line = text.lines().map(str::trim).find(|line| !line.is_empty());
    line.map_or_else(String::new, |line| {
        // The text is shown on a terminal, so it must not contain control characters.
        let plain = line.chars().map(|c| if c.is_control() { '?' } else { c });
        format!(": {}", plain.collect::<String>())
    })
}

fn length(body: &[u8]) -> u64 {
    u64::try_from(body.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
