//! Fetches from a loopback server that misbehaves as each test tells it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use super::*;
use crate::package::fetch::testing;
use crate::package::fetch::testing::{Asked, authority, reply};

/// The way in which the server treats one connection.
#[derive(Clone, Copy)]
enum Answer {
    Status(u16),
    Body(&'static [u8]),
    /// Promises more bytes than it sends.
    Cut(&'static [u8]),
    /// Sends a body without its length, and closes the connection.
    Unframed(&'static [u8]),
    HangUp,
    Silence,
}

struct Server {
    url: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Starts a server that handles one connection after the other. The last answer is repeated.
    fn start(answers: &'static [Answer]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/package", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&requests);
        std::thread::spawn(move || {
            let last = *answers.last().unwrap();
            let mut next = answers.iter().copied();
            for stream in listener.incoming() {
                serve(stream.unwrap(), next.next().unwrap_or(last), &log);
            }
        });
        Self { url, requests }
    }

    fn count(&self) -> usize {
        self.requests.lock().unwrap().len()
    }
}

fn serve(mut stream: TcpStream, answer: Answer, log: &Mutex<Vec<String>>) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let request = lines.next().and_then(Result::ok).unwrap_or_default();
    while lines.next().and_then(Result::ok).is_some_and(|line| !line.is_empty()) {}
    log.lock().unwrap().push(request);
    let (status, length, body): (_, _, &[u8]) = match answer {
        Answer::Status(status) => (status, Some(0), b""),
        Answer::Body(body) => (200, Some(body.len()), body),
        Answer::Cut(body) => (200, Some(body.len() + 10), body),
        Answer::Unframed(body) => (200, None, body),
        Answer::HangUp => return,
        Answer::Silence => {
            std::thread::sleep(Duration::from_secs(5));
            return;
        }
    };
    let length = length.map_or(String::new(), |length| format!("content-length: {length}\r\n"));
    let _ = write!(stream, "HTTP/1.1 {status} x\r\nconnection: close\r\n{length}\r\n");
    let _ = stream.write_all(body);
}

#[derive(Default)]
struct Log {
    retries: Mutex<Vec<String>>,
    done: AtomicUsize,
}

impl Events for Log {
    fn event(&self, event: Event<'_>) {
        match event {
            Event::Retrying { attempt, reason, .. } => {
                self.retries.lock().unwrap().push(format!("{attempt}: {reason}"));
            }
            Event::Fetching { done, .. } => {
                self.done.store(usize::try_from(done).unwrap(), Ordering::Relaxed);
            }
            _ => {}
        }
    }
}

fn network() -> Network {
    Network { pause: Duration::from_millis(1), ..Network::default() }
}

fn get(server: &Server, size: Option<u64>, log: &Log) -> Result<Vec<u8>, HttpError> {
    let request = Request { url: &server.url, name: "package", size, limit: 100 };
    Http::new(&network()).unwrap().get(request, log, &|| false)
}

#[test]
fn a_body_is_fetched_with_progress() {
    let server = Server::start(&[Answer::Body(b"content")]);
    let log = Log::default();
    assert_eq!(get(&server, None, &log).unwrap(), b"content");
    assert_eq!(log.done.load(Ordering::Relaxed), 7);
    assert_eq!(*server.requests.lock().unwrap(), ["GET /package HTTP/1.1"]);
}

#[test]
fn transient_failures_are_tried_again() {
    let check = |answers: &'static [Answer], size, reasons: &[&str]| {
        let server = Server::start(answers);
        let log = Log::default();
        assert_eq!(get(&server, size, &log).unwrap(), b"content");
        let retries = log.retries.lock().unwrap();
        assert_eq!(retries.len(), reasons.len(), "{retries:?}");
        for (retry, reason) in retries.iter().zip(reasons) {
            assert!(retry.contains(reason), "{retry}");
        }
    };
    const GOOD: Answer = Answer::Body(b"content");
    check(
        &[Answer::Status(503), Answer::Status(429), GOOD],
        None,
        &["1: the server answered 503", "2: the server answered 429"],
    );
    check(&[Answer::Cut(b"con"), Answer::HangUp, GOOD], None, &["1: ", "2: "]);
    check(&[Answer::Unframed(b"con"), GOOD], Some(7), &["1: the body ended after 3 of 7 bytes"]);
}

#[test]
fn it_gives_up_after_some_tries() {
    let server = Server::start(&[Answer::Status(500)]);
    let error = get(&server, None, &Log::default()).unwrap_err();
    assert!(matches!(error, HttpError::Failed { attempts: 4, source: Transient::Status(500), .. }));
    assert_eq!(server.count(), 4);
}

#[test]
fn a_no_is_final() {
    let server = Server::start(&[Answer::Status(404)]);
    let error = get(&server, None, &Log::default()).unwrap_err();
    assert!(matches!(error, HttpError::Status { status: 404, .. }), "{error}");
    assert_eq!(server.count(), 1);
}

#[test]
fn a_body_that_is_too_long_is_not_read_to_its_end() {
    let check = |size| {
        let server = Server::start(&[Answer::Body(&[0; 1000])]);
        let error = get(&server, size, &Log::default()).unwrap_err();
        assert!(matches!(error, HttpError::TooLong { .. }), "{error}");
        assert_eq!(server.count(), 1);
    };
    check(None);
    check(Some(10));
}

#[test]
fn fetching_can_be_cancelled() {
    let server = Server::start(&[Answer::Silence]);
    let stop = Arc::new(AtomicBool::new(false));
    let later = Arc::clone(&stop);
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(100));
        later.store(true, Ordering::Relaxed);
    });
    let begin = Instant::now();
    let request = Request { url: &server.url, name: "package", size: None, limit: 100 };
    let http = Http::new(&network()).unwrap();
    let error = http.get(request, &Log::default(), &|| stop.load(Ordering::Relaxed)).unwrap_err();
    assert!(matches!(error, HttpError::Cancelled), "{error}");
    assert!(begin.elapsed() < Duration::from_secs(3));
}

#[test]
fn silence_is_a_failure() {
    let server = Server::start(&[Answer::Silence]);
    let network = Network { idle_timeout: Duration::from_millis(100), attempts: 1, ..network() };
    let request = Request { url: &server.url, name: "package", size: None, limit: 100 };
    let error = Http::new(&network).unwrap().get(request, &Log::default(), &|| false).unwrap_err();
    assert!(matches!(error, HttpError::Failed { attempts: 1, .. }), "{error}");
}

#[test]
fn a_proxy_is_asked_instead() {
    let proxy = Server::start(&[Answer::Body(b"from the proxy")]);
    let network = |no_proxy: Option<&str>| Network {
        proxies: vec![crate::package::Proxy { scheme: "http".into(), url: proxy.url.clone() }],
        no_proxy: no_proxy.map(ToOwned::to_owned),
        attempts: 1,
        ..network()
    };
    let request = Request { url: "http://mirror.invalid/x", name: "x", size: None, limit: 100 };
    let get = |network| Http::new(&network).unwrap().get(request, &Log::default(), &|| false);
    assert_eq!(get(network(None)).unwrap(), b"from the proxy");
    assert_eq!(*proxy.requests.lock().unwrap(), ["GET http://mirror.invalid/x HTTP/1.1"]);
    assert!(matches!(get(network(Some("mirror.invalid"))), Err(HttpError::Failed { .. })));
}

#[test]
fn files_and_refusals() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    std::fs::write(&path, "content").unwrap();
    let offline = Network { offline: true, ..network() };
    let get = |url: &str, limit| {
        let request = Request { url, name: "x", size: None, limit };
        Http::new(&offline).unwrap().get(request, &Log::default(), &|| false)
    };
    let url = format!("file://{}", path.display());
    assert_eq!(get(&url, 7).unwrap(), b"content");
    assert_eq!(get(&url, 6).unwrap_err().to_string(), format!("{url} is longer than 6 bytes"));
    assert_eq!(
        get("https://me:secret@host/x", 9).unwrap_err().to_string(),
        "cannot fetch https://***@host/x: the network is switched off"
    );
    assert_eq!(
        get("ftp://host/x", 9).unwrap_err().to_string(),
        "cannot fetch `ftp://host/x`: not an http, https or file URL"
    );
}

/// Fetches with a login, and trusts the servers of tests.
fn get_as(url: &str) -> Result<Vec<u8>, HttpError> {
    let network = Network { certificates: Some(authority()), attempts: 1, ..network() };
    let login = Login { user: "me".into(), password: "secret".into() };
    let request = Request { url, name: "x", size: None, limit: 100 };
    Http::new(&network).unwrap().get_as(Some(&login), request, &Log::default(), &|| false)
}

#[test]
fn a_login_is_sent_to_its_server_and_to_no_other() {
    const ME: Option<&str> = Some("Basic bWU6c2VjcmV0");
    let logins = |server: &testing::Server| -> Vec<Option<String>> {
        server.asked().into_iter().map(|asked| asked.login).collect()
    };
    type Answer = Box<dyn Fn(&Asked, &mut dyn std::io::Write) + Send + Sync>;
    let starts: [fn(Answer) -> testing::Server; 2] =
        [testing::Server::plain, testing::Server::secure];
    for start in starts {
        let elsewhere = testing::Server::secure(|_, out| reply(out, 200, "", b"content"));
        let to = format!("location: {}/there", elsewhere.url);
        let server = start(Box::new(move |asked, out| match asked.path.as_str() {
            "/here" => reply(out, 302, "location: /again", b""),
            _ => reply(out, 302, &to, b""),
        }));
        assert_eq!(get_as(&format!("{}/here", server.url)).unwrap(), b"content");
        let me = ME.map(str::to_owned);
        assert_eq!(logins(&server), [me.clone(), me]);
        assert_eq!(logins(&elsewhere), [None]);
        // A login in the URL itself is treated in the same way.
        let url = server.url.replace("://", "://me:secret@");
        let network = Network { certificates: Some(authority()), ..network() };
        let request = Request { url: &url, name: "x", size: None, limit: 100 };
        Http::new(&network).unwrap().get(request, &Log::default(), &|| false).unwrap();
        assert_eq!(logins(&server).last().unwrap().as_deref(), ME);
        assert_eq!(logins(&elsewhere), [None, None]);
    }
}

#[test]
fn https_is_never_left_for_http() {
    let plain = testing::Server::plain(|_, out| reply(out, 200, "", b"content"));
    let to = format!("location: {}/x", plain.url);
    let server = testing::Server::secure(move |_, out| reply(out, 302, &to, b""));
    let error = get_as(&server.url).unwrap_err();
    assert!(matches!(error, HttpError::Redirect { .. }), "{error}");
    let causes = std::iter::successors(std::error::Error::source(&error), |cause| cause.source());
    let text: String = causes.map(ToString::to_string).collect();
    assert!(text.contains("it leads from https to http"), "{text}");
    assert!(plain.asked().is_empty());
}

#[test]
fn redirects_come_to_an_end() {
    let server = testing::Server::plain(|_, out| reply(out, 302, "location: /x", b""));
    let error = get_as(&server.url).unwrap_err();
    assert!(matches!(error, HttpError::Redirect { .. }), "{error}");
    assert_eq!(server.asked().len(), 1 + MAX_REDIRECTS);
}

#[test]
fn what_a_server_says_of_its_refusal_is_shown() {
    let check = |header: &'static str, body: &'static [u8], expect: &str| {
        let server = testing::Server::plain(move |_, out| reply(out, 410, header, body));
        let expect = format!("{} answered 410{expect}", server.url);
        assert_eq!(get_as(&server.url).unwrap_err().to_string(), expect);
    };
    let plain = "content-type: text/plain; charset=utf-8";
    check(plain, b"\n not found: v1.0.0 \nmore", ": not found: v1.0.0");
    check(plain, b"\x1b[31mred", ": ?[31mred");
    check(plain, b"", "");
    check("content-type: text/html", b"<html>", "");
    check("", b"words", "");
}
