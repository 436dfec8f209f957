//! Bazel's protocol over HTTP: GET and PUT of `/ac/<key>` and `/cas/<hash>`, below the path of the address.
//!
//! Servers of this protocol are as simple as a web server with a folder. They check nothing, they have no capabilities,
//! and most know no compression. So blobs are asked for as zstd, which a server may ignore, and they are sent as zstd
//! only after the server has said in an answer that it takes that (RFC 9110, section 12.5.3).

mod answer;
mod blobs;
mod results;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cache::Digest;
use reqwest::redirect::{Attempt, Policy};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::failure::Failure;
use crate::line::Line;
use crate::settings::{Header, Proxies, Settings};
use crate::tls::{self, SetupError};

/// The highest number of redirects that are followed.
const MAX_REDIRECTS: usize = 5;

type MakeProxy = fn(&str) -> reqwest::Result<reqwest::Proxy>;

/// The protocol, with its connections to one server.
pub(crate) struct Http {
    client: reqwest::Client,
    base: String,
    headers: Vec<Header>,
    line: Arc<Line>,
    slots: Semaphore,
    slot_count: usize,
    /// The server has said that it takes zstd.
    takes_zstd: AtomicBool,
}

impl Http {
    /// Checks that a client can be set up.
    pub(crate) fn check(settings: &Settings) -> Result<(), SetupError> {
        tls::config(&settings.tls, false)?;
        proxies(&settings.proxies).map(drop)
    }

    /// Sets up the client. Nothing is connected.
    pub(crate) fn new(settings: &Settings, line: Arc<Line>) -> Result<Self, SetupError> {
        // A redirect to another host must not take secrets along, and only some headers are known to be secrets.
        let has_secret = settings.headers.iter().any(|header| header.name != "authorization");
        let proxies = &settings.proxies;
        let all = [&proxies.http, &proxies.https, &proxies.all];
        let mut secure = all.into_iter().flatten().map(|url| url.starts_with("https:"));
        let secure = settings.url.is_secure() || secure.any(|secure| secure);
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("run/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(settings.timeout)
            .redirect(Policy::custom(move |attempt| redirect(attempt, has_secret)))
            .tls_backend_preconfigured(tls::config(&settings.tls, secure)?)
            .no_proxy();
        for proxy in self::proxies(proxies)? {
            builder = builder.proxy(proxy);
        }
        let slot_count = settings.max_connections.clamp(1, Semaphore::MAX_PERMITS);
        Ok(Self {
            client: builder.build().map_err(unusable)?,
            base: settings.url.web(),
            headers: settings.headers.clone(),
            line,
            slots: Semaphore::new(slot_count),
            slot_count,
            takes_zstd: AtomicBool::new(false),
        })
    }

    /// Waits until one more request may be made.
    pub(crate) async fn slot(&self) -> Option<SemaphorePermit<'_>> {
        // The semaphore is never closed.
        self.slots.acquire().await.ok()
    }

    /// Returns the number of requests that are under way at once.
    pub(crate) const fn slots(&self) -> usize {
        self.slot_count
    }

    fn blob_url(&self, digest: &Digest) -> String {
        format!("{}/cas/{}", self.base, digest.hex())
    }

    fn result_url(&self, key: &Digest) -> String {
        format!("{}/ac/{}", self.base, key.hex())
    }

    /// Sends a request, and learns from the head of the answer.
    async fn send(&self, request: reqwest::RequestBuilder) -> Result<reqwest::Response, Failure> {
        let with_header = |request: reqwest::RequestBuilder, header: &Header| {
            request.header(header.name.clone(), header.value.clone())
        };
        let request = self.headers.iter().fold(request, with_header);
        let response = request.send().await.map_err(answer::failure)?;
        if answer::takes_zstd(response.headers()) {
            self.takes_zstd.store(true, Ordering::Relaxed);
        }
        Ok(response)
    }
}

fn unusable(error: reqwest::Error) -> SetupError {
    SetupError::Address { reason: crate::failure::with_causes(&error.without_url()) }
}

/// Makes the proxies of the variables that have a value.
fn proxies(proxies: &Proxies) -> Result<Vec<reqwest::Proxy>, SetupError> {
    let direct = proxies.no.as_deref().and_then(reqwest::NoProxy::from_string);
    let makers: [(_, MakeProxy); 3] = [
        (&proxies.http, |url| reqwest::Proxy::http(url)),
        (&proxies.https, |url| reqwest::Proxy::https(url)),
        (&proxies.all, |url| reqwest::Proxy::all(url)),
    ];
    let named = makers.into_iter().filter_map(|(url, make)| Some((url.as_deref()?, make)));
    let named = named.filter(|(url, _)| !url.is_empty());
    let made = named.map(|(url, make)| Ok(make(url).map_err(unusable)?.no_proxy(direct.clone())));
    made.collect()
}

/// Decides whether to follow a redirect.
fn redirect(attempt: Attempt<'_>, secret: bool) -> reqwest::redirect::Action {
    let from = attempt.previous().last();
    let same_host = from.is_some_and(|from| from.origin() == attempt.url().origin());
    let was_secure = attempt.previous().iter().any(|url| url.scheme() == "https");
    match attempt.url().scheme() {
        _ if attempt.previous().len() > MAX_REDIRECTS => attempt.error("too many redirects"),
        "http" if was_secure => attempt.error("it leads from https to http"),
        // Without TLS at the start, nothing was set up for it.
        "https" if !was_secure => attempt.error("it leads to https, which the address should say"),
        _ if secret && !same_host => attempt.error("it leads to another host"),
        _ => attempt.follow(),
    }
}
