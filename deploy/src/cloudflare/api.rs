//! Calls of the API: requests that are tried again, answers that are bounded, and the envelope that all answers have.
//!
//! Connections, proxies and certificates are those of `registry`, which every client of this program uses.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use registry::{Network, Secret, Transient, retry_after};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Method, Url};
use serde::Deserialize;
use serde_json::Value;
use tokio::runtime::Runtime;
use tokio::time::{sleep, timeout};

use super::failure::{ApiError, Permission};

/// The largest answer, in bytes.
const LONGEST_ANSWER: usize = 4 << 20;

/// The number of bytes in a second that an upload must reach on average.
const SLOWEST: u64 = 2048;

/// The number of characters of a message of the API that are shown.
const LONGEST_MESSAGE: usize = 300;

/// The pause between two checks whether to stop.
const POLL: Duration = Duration::from_millis(50);

/// Something that happens while the API is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A worker is uploaded.
    Uploading {
        /// The name of the worker.
        worker: &'a str,
        /// The size of the request, in bytes.
        size: u64,
    },
    /// A call failed and is made again after a pause.
    Retrying {
        /// What is being done.
        doing: &'a str,
        /// The number of tries so far.
        attempt: u32,
        /// The reason of the failure.
        reason: &'a str,
    },
}

/// Everything that the client depends on.
#[derive(Clone)]
pub struct Settings {
    /// The address of the API: [`BASE_URL`](super::BASE_URL) or the value of `CLOUDFLARE_API_BASE_URL`.
    pub base_url: String,
    /// The value of `CLOUDFLARE_API_TOKEN`.
    pub token: Secret,
    /// Proxies, certificates, and how patient to be.
    pub network: Network,
    /// Says whether the command was cancelled. It is asked again and again.
    pub cancelled: Arc<dyn Fn() -> bool + Send + Sync>,
    /// Is told what happens.
    pub watch: Arc<dyn Fn(Event<'_>) + Send + Sync>,
}

/// A client of the API. Its methods block the thread that calls them, which must not be one of a tokio runtime.
pub struct Cloudflare {
    client: reqwest::Client,
    runtime: Runtime,
    base: Url,
    authorization: HeaderValue,
    settings: Settings,
}

/// A call of the API.
#[derive(Clone)]
pub(super) struct Call {
    /// What is done by it, as a verb with its object.
    pub(super) doing: String,
    pub(super) method: Method,
    /// The segments of the path below the base URL.
    pub(super) path: Vec<String>,
    pub(super) query: Vec<(&'static str, String)>,
    pub(super) body: Option<(String, Bytes)>,
    pub(super) permission: Permission,
    /// True if doing it twice is the same as doing it once.
    pub(super) repeatable: bool,
}

/// The form of all answers.
#[derive(Deserialize)]
struct Envelope {
    success: bool,
    #[serde(default)]
    errors: Vec<Problem>,
    #[serde(default)]
    result: Value,
}

#[derive(Deserialize)]
struct Problem {
    #[serde(default)]
    code: i64,
    #[serde(default)]
    message: String,
}

/// An answer that came whole.
struct Answer {
    status: u16,
    body: Vec<u8>,
}

/// The way in which one try failed.
enum Failure {
    Again(Transient),
    TooLong,
}

impl Cloudflare {
    /// Makes a client. Nothing is connected yet.
    ///
    /// # Errors
    /// If the base URL or the token can't be used, or the network can't be set up.
    pub fn new(settings: Settings) -> Result<Self, ApiError> {
        let base = Url::parse(&settings.base_url).ok();
        let base = base.filter(is_safe);
        let base = base.ok_or_else(|| ApiError::Base(without_userinfo(&settings.base_url)))?;
        let value = format!("Bearer {}", settings.token.reveal());
        let mut authorization = HeaderValue::from_str(&value).map_err(|_| ApiError::Token)?;
        authorization.set_sensitive(true);
        if settings.token.reveal().trim().is_empty() {
            return Err(ApiError::Token);
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(registry::HttpError::Runtime)?;
        let client = registry::http_client(&settings.network)?;
        Ok(Self { client, runtime, base, authorization, settings })
    }

    /// Tells what happens.
    pub(super) fn tell(&self, event: Event<'_>) {
        (self.settings.watch)(event);
    }

    /// Makes a call and returns its result, or `None` if what is asked for does not exist.
    pub(super) fn find(&self, call: &Call) -> Result<Option<Value>, ApiError> {
        match self.wait(self.answer(call))? {
            Answer { status: 404, .. } => Ok(None),
            answer => self.result(call, &answer).map(Some),
        }
    }

    /// Makes a call and returns its result.
    pub(super) fn call(&self, call: &Call) -> Result<Value, ApiError> {
        let answer = self.wait(self.answer(call))?;
        self.result(call, &answer)
    }

    /// Does work that can be cancelled.
    fn wait<T>(&self, work: impl Future<Output = Result<T, ApiError>>) -> Result<T, ApiError> {
        let stop = async {
            while !(self.settings.cancelled)() {
                sleep(POLL).await;
            }
        };
        self.runtime.block_on(async {
            tokio::select! {
                result = work => result,
                () = stop => Err(ApiError::Cancelled),
            }
        })
    }

    async fn answer(&self, call: &Call) -> Result<Answer, ApiError> {
        let url = self.url(call);
        let network = &self.settings.network;
        if network.offline {
            return Err(registry::HttpError::Offline { url: shown(&url) }.into());
        }
        let (mut pause, mut attempt) = (network.pause, 1);
        loop {
            let source = match self.exchange(call, &url).await {
                Ok(answer) => return Ok(answer),
                Err(Failure::TooLong) => {
                    let (doing, url) = (call.doing.clone(), shown(&url));
                    return Err(ApiError::TooLong { doing, url, limit: LONGEST_ANSWER });
                }
                Err(Failure::Again(source)) => source,
            };
            let (doing, url) = (call.doing.clone(), shown(&url));
            // A server that is asked too often has not done anything.
            let untouched = matches!(source, Transient::Status { status: 429, .. });
            if !call.repeatable && !untouched {
                return Err(ApiError::Unknown { doing, url, source });
            }
            let wait = match source {
                Transient::Status { wait: Some(wait), .. } => pause.max(wait),
                _ => pause,
            };
            if attempt >= network.attempts || wait > network.longest_wait.max(pause) {
                return Err(ApiError::Unreachable { doing, url, attempts: attempt, source });
            }
            let reason = source.to_string();
            self.tell(Event::Retrying { doing: &doing, attempt, reason: &reason });
            sleep(wait).await;
            pause = pause.saturating_mul(2);
            attempt += 1;
        }
    }

    async fn exchange(&self, call: &Call, url: &Url) -> Result<Answer, Failure> {
        let network = &self.settings.network;
        let mut request = self.client.request(call.method.clone(), url.clone());
        request = request.header(AUTHORIZATION, self.authorization.clone());
        let mut size = 0;
        if let Some((kind, bytes)) = &call.body {
            size = bytes.len() as u64;
            request = request.header(CONTENT_TYPE, kind).body(bytes.clone());
        }
        let patience =
            network.connect_timeout + network.idle_timeout + Duration::from_secs(size / SLOWEST);
        let slow = |got: usize| {
            Failure::Again(Transient::Slow { got: got as u64, time: network.idle_timeout })
        };
        let broken =
            |error: reqwest::Error| Failure::Again(Transient::Connection(error.without_url()));
        let head = timeout(patience, request.send()).await.map_err(|_| slow(0))?;
        let mut response = head.map_err(broken)?;
        let status = response.status().as_u16();
        if matches!(status, 408 | 429 | 500..) {
            let wait = retry_after(response.headers());
            return Err(Failure::Again(Transient::Status { status, wait }));
        }
        let mut body = Vec::new();
        let read = async {
            while let Some(chunk) = response.chunk().await.map_err(broken)? {
                body.extend_from_slice(&chunk);
                if body.len() > LONGEST_ANSWER {
                    return Err(Failure::TooLong);
                }
            }
            Ok(())
        };
        timeout(network.idle_timeout, read).await.map_err(|_| slow(0))??;
        Ok(Answer { status, body })
    }

    /// Takes the result out of an answer.
    fn result(&self, call: &Call, answer: &Answer) -> Result<Value, ApiError> {
        let doing = call.doing.clone();
        let envelope = serde_json::from_slice::<Envelope>(&answer.body).ok();
        let said = envelope.as_ref().map(|envelope| self.said(envelope)).unwrap_or_default();
        let codes = envelope.iter().flat_map(|envelope| &envelope.errors).map(|error| error.code);
        let status = answer.status;
        // 6003 and 6111 are a token in a wrong form; 9109 is one that does not exist or has expired.
        if status == 401 || codes.into_iter().any(|code| matches!(code, 6003 | 6111 | 9109)) {
            return Err(ApiError::Unauthorized { doing, said });
        }
        if status == 403 {
            return Err(ApiError::Forbidden { doing, permission: call.permission, said });
        }
        match envelope {
            Some(Envelope { success: true, result, .. }) if (200..300).contains(&status) => {
                Ok(result)
            }
            Some(_) => Err(ApiError::Refused { doing, status, said }),
            None => Err(ApiError::Malformed { doing, url: shown(&self.url(call)) }),
        }
    }

    /// Returns a colon and the messages of the API, without the token, should the API repeat it.
    fn said(&self, envelope: &Envelope) -> String {
        let message = |error: &Problem| format!("{} (code {})", error.message, error.code);
        let all = envelope.errors.iter().map(message).collect::<Vec<_>>().join("; ");
        let all = all.replace(self.settings.token.reveal(), "***");
        let line: String = all
            .chars()
            .take(LONGEST_MESSAGE)
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        if line.is_empty() { line } else { format!(": {line}") }
    }

    fn url(&self, call: &Call) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(&call.path);
        }
        if !call.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&call.query);
        }
        url
    }
}

impl std::fmt::Debug for Cloudflare {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cloudflare").field("base", &shown(&self.base)).finish_non_exhaustive()
    }
}

/// Returns true if a token may be sent to a URL: over https, or to this machine.
fn is_safe(url: &Url) -> bool {
    let plain = url.username().is_empty() && url.password().is_none();
    let here = matches!(url.host_str(), Some("127.0.0.1" | "[::1]" | "localhost"));
    plain && (url.scheme() == "https" || (url.scheme() == "http" && here))
}

/// Returns a text as it is shown, without what stands before an `@`, which may be a password.
fn without_userinfo(text: &str) -> String {
    text.rsplit_once('@').map_or(text, |(_, rest)| rest).to_owned()
}

fn shown(url: &Url) -> String {
    let mut plain = url.clone();
    plain.set_query(None);
    plain.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(base: &str, token: &str) -> Settings {
        Settings {
            base_url: base.to_owned(),
            token: Secret::new(token),
            network: Network::default(),
            cancelled: Arc::new(|| false),
            watch: Arc::new(|_| {}),
        }
    }

    #[test]
    fn a_token_is_sent_over_https_or_to_this_machine_only() {
        #[track_caller]
        fn check(base: &str, fits: bool) {
            let made = Cloudflare::new(settings(base, "t"));
            assert_eq!(made.is_ok(), fits, "{base}");
            if let Err(error) = made {
                assert!(!error.to_string().contains("secret"), "{error}");
            }
        }
        check(super::super::BASE_URL, true);
        check("http://127.0.0.1:8788", true);
        check("http://[::1]:8788/client/v4/", true);
        check("http://api.example.com", false);
        check("https://secret:secret@api.example.com", false);
        check("ftp://127.0.0.1", false);
        check("no url", false);
    }

    #[test]
    fn tokens_that_cannot_be_sent_are_refused_without_showing_them() {
        for token in ["", "  ", "geheim\n", "geheim\u{e4}\0"] {
            let error = Cloudflare::new(settings(super::super::BASE_URL, token)).unwrap_err();
            assert!(matches!(error, ApiError::Token), "{error:?}");
            assert!(!format!("{error:?} {error}").contains("geheim"));
        }
    }

    #[test]
    fn paths_stay_below_the_base() {
        let api = Cloudflare::new(settings("https://api.example.com/client/v4/", "t")).unwrap();
        let call = Call {
            doing: "x".to_owned(),
            method: Method::GET,
            path: ["accounts", "a/../b", "?"].map(str::to_owned).to_vec(),
            query: vec![("hostname", "a&b".to_owned())],
            body: None,
            permission: Permission::Scripts,
            repeatable: true,
        };
        let url = api.url(&call);
        assert_eq!(
            url.as_str(),
            "https://api.example.com/client/v4/accounts/a%2F..%2Fb/%3F?hostname=a%26b"
        );
        assert!(!format!("{api:?}").contains("Bearer"));
    }
}
