//! Proxies on loopback that answer as told.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::super::settings::tests::settings;
use super::*;
use crate::package::Network;
use crate::package::download::tests::{Silent, hasty};
use crate::package::fetch::testing::{Server, authority, reply};

fn asked_for(module: &str) -> Version {
    Version::new(module, "v1.2.0")
}

/// Asks for a part with these settings.
fn fetch_part(
    environment: &[(&str, &str)],
    module: &Version,
    part: Part,
) -> Result<Answer, ProxyError> {
    let settings = settings(environment);
    let logins = settings.logins().unwrap();
    let network = Network { certificates: Some(authority()), ..hasty() };
    let teller = Silent::default();
    let downloads = Downloads::over(&network, &teller).unwrap();
    Proxies::new(&settings)?.with_logins(logins).fetch(&downloads, module, part)
}

fn fetch(environment: &[(&str, &str)], module: &str) -> Result<Answer, ProxyError> {
    let environment = [environment, &[("GOAUTH", "off")][..]].concat();
    fetch_part(&environment, &asked_for(module), Part::Manifest)
}

/// Starts a proxy that refuses everything with this status.
fn refusing(status: u16) -> Server {
    let header = "content-type: text/plain";
    Server::plain(move |_, out| reply(out, status, header, b"not found: module corp\nmore"))
}

fn answering(text: &'static str) -> Server {
    Server::plain(move |_, out| reply(out, 200, "", text.as_bytes()))
}

#[track_caller]
fn bytes(answer: Result<Answer, ProxyError>) -> String {
    match answer.unwrap() {
        Answer::Bytes(bytes) => String::from_utf8(bytes).unwrap(),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn by_go(answer: Result<Answer, ProxyError>) -> Reason {
    match answer.unwrap() {
        Answer::ByGo(reason) => reason,
        other => panic!("{other:?}"),
    }
}

/// Returns the text of an error with its cause.
#[track_caller]
fn told(answer: Result<Answer, ProxyError>) -> String {
    let error = answer.unwrap_err();
    let cause = std::error::Error::source(&error).map(ToString::to_string);
    format!("{error}: {}", cause.unwrap_or_default())
}

#[test]
fn the_list_is_read_as_the_go_command_reads_it() {
    let web = |base: &str, whatever| Entry::Web { base: base.to_owned(), whatever };
    let check = |text: &str, expect: &[Entry]| assert_eq!(entries(text).unwrap(), expect, "{text}");
    check(
        "https://a.org/,http://b.org:80/x/|file:///c%20d,direct,never",
        &[
            web("https://a.org", false),
            web("http://b.org/x", true),
            Entry::Folder { path: "/c d".into(), whatever: false },
            Entry::Direct,
        ],
    );
    check(" a.org/go , off , https://b.org", &[web("https://a.org/go", false), Entry::Off]);
    check("https://me:secret@a.org", &[web("https://me:secret@a.org", false)]);
    let refused = |text: &str, expect: &str| {
        let error = entries(text).unwrap_err().to_string();
        assert!(error.contains(expect), "{text}: {error}");
    };
    refused(", |", "has no entries");
    refused(
        "http://me:secret@a.org",
        "`http://***@a.org`, a login that would be sent without encryption",
    );
    for bad in ["ftp://a.org", "word", "/absolute", "https://a.org?x=secret", "file://host/x"] {
        refused(bad, "which is not an https, http or file URL");
    }
    refused("https://a.org?x=secret", "`https://a.org?x=***`");
}

#[test]
fn a_comma_goes_on_where_a_module_is_not_and_a_bar_after_any_failure() {
    let good = answering("module x");
    let check = |first: &str, between: char, goes_on: bool| {
        let list = format!("{first}{between}{}", good.url);
        let before = good.asked().len();
        let answer = fetch(&[("GOPROXY", &list)], "a.org/x");
        assert_eq!(answer.is_ok(), goes_on, "{list}: {answer:?}");
        assert_eq!(good.asked().len() - before, usize::from(goes_on), "{list}");
    };
    for status in [404, 410] {
        check(&refusing(status).url, ',', true);
        check(&refusing(status).url, '|', true);
    }
    for status in [400, 403, 500] {
        check(&refusing(status).url, ',', false);
        check(&refusing(status).url, '|', true);
    }
    check("http://127.0.0.1:1", ',', false);
    check("http://127.0.0.1:1", '|', true);
    check("file:///nowhere", ',', true);
}

#[test]
fn paths_are_escaped_and_both_parts_are_found() {
    let server = answering("x");
    for (part, ending) in [(Part::Zip, "zip"), (Part::Manifest, "mod")] {
        let module = Version::new("github.com/BurntSushi/toml", "v1.0.0-RC1+incompatible");
        let list = format!("{}/go/", server.url);
        fetch_part(&[("GOPROXY", &list), ("GOAUTH", "off")], &module, part).unwrap();
        let expect =
            format!("/go/github.com/!burnt!sushi/toml/@v/v1.0.0-!r!c1+incompatible.{ending}");
        assert_eq!(server.asked().last().unwrap().path, expect);
    }
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("a.org/x/@v");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("v1.2.0.mod"), "module a.org/x").unwrap();
    let list = format!("file://{}", dir.path().display());
    assert_eq!(bytes(fetch(&[("GOPROXY", &list)], "a.org/x")), "module a.org/x");
}

#[test]
fn errors_name_the_module_and_what_the_proxy_said() {
    let server = refusing(404);
    let secret = server.url.replace("http://", "https://me:secret@");
    let what = "no proxy of GOPROXY has the go.mod of a.org/x@v1.2.0";
    let url = format!("{}/a.org/x/@v/v1.2.0.mod", server.url);
    assert_eq!(
        told(fetch(&[("GOPROXY", &server.url)], "a.org/x")),
        format!("{what}: {url} answered 404: not found: module corp")
    );
    let error = told(fetch(&[("GOPROXY", &secret)], "a.org/x"));
    assert!(error.contains("https://***@127.0.0.1") && !error.contains("secret"), "{error}");
    // A failure tells more than that a module is elsewhere.
    let list = format!("{}|{}", refusing(400).url, server.url);
    assert!(told(fetch(&[("GOPROXY", &list)], "a.org/x")).contains("answered 400"));
    let list = format!("{},{}", server.url, refusing(400).url);
    assert!(told(fetch(&[("GOPROXY", &list)], "a.org/x")).contains("answered 400"));
    assert!(told(fetch(&[], "a.org/x")).starts_with("GOPROXY is not set"));
    let off = "GOPROXY=off forbids to fetch the go.mod of a.org/x@v1.2.0";
    assert!(told(fetch(&[("GOPROXY", "off")], "a.org/x")).starts_with(off));
}

#[test]
fn private_modules_are_no_business_of_a_proxy() {
    let server = answering("x");
    let check = |own: &[(&str, &str)], module: &str, expect: Option<Reason>| {
        let before = server.asked().len();
        let answer = fetch(&[own, &[("GOPROXY", server.url.as_str())][..]].concat(), module);
        match expect {
            Some(reason) => assert_eq!(by_go(answer), reason),
            None => assert_eq!(bytes(answer), "x"),
        }
        assert_eq!(server.asked().len() - before, usize::from(expect.is_none()), "{own:?}");
    };
    let private = [("GOPRIVATE", "*.corp.org,b.org/team")];
    check(&private, "git.corp.org/x", Some(Reason::Private("GOPRIVATE")));
    check(&private, "b.org/team/x", Some(Reason::Private("GOPRIVATE")));
    check(&private, "b.org/other", None);
    check(&[("GONOPROXY", "none"), private[0]], "git.corp.org/x", None);
    check(&[("GONOPROXY", "a.org")], "a.org/x", Some(Reason::Private("GONOPROXY")));
    let off = [("GOPROXY", "off"), private[0]];
    assert_eq!(by_go(fetch(&off, "b.org/team/x")), Reason::Private("GOPRIVATE"));
    let list = format!("{},direct", refusing(404).url);
    assert_eq!(by_go(fetch(&[("GOPROXY", &list)], "a.org/x")), Reason::Direct);
    let list = format!("{},direct", refusing(400).url);
    fetch(&[("GOPROXY", &list)], "a.org/x").unwrap_err();
}

#[test]
fn logins_of_netrc_go_to_their_host_over_https_and_nowhere_else() {
    let dir = tempfile::tempdir().unwrap();
    let elsewhere = Server::secure(|_, out| reply(out, 200, "", b"x"));
    let to = format!("location: {}/x", elsewhere.url);
    let sent = Server::secure(move |_, out| reply(out, 302, &to, b""));
    let open = answering("x");
    let file = dir.path().join("netrc");
    let host = |server: &Server| server.url.split_once("://").unwrap().1.to_owned();
    let text = format!(
        "machine {} login me password secret\nmachine {} login me password secret\n",
        host(&sent),
        host(&open)
    );
    std::fs::write(&file, text).unwrap();
    let login = |url: &str, methods: &str, server: &Server| {
        let own = [("GOPROXY", url), ("GOAUTH", methods), ("NETRC", file.to_str().unwrap())];
        bytes(fetch_part(&own, &asked_for("a.org/x"), Part::Manifest));
        server.asked().pop().unwrap().login
    };
    let me = Some("Basic bWU6c2VjcmV0".to_owned());
    assert_eq!(login(&sent.url, "netrc", &sent), me);
    assert_eq!(elsewhere.asked().pop().unwrap().login, None);
    assert_eq!(login(&sent.url, "off", &sent), None);
    assert_eq!(login(&open.url, "netrc", &open), None);
    assert_eq!(login(&elsewhere.url, "netrc", &elsewhere), None);
}

#[test]
fn programs_that_find_logins_are_for_the_users_own_go() {
    let secure = Server::secure(|_, out| reply(out, 401, "", b""));
    let plain = refusing(401);
    let check = |url: &str, methods: &str, expect: Option<Reason>| {
        let own = [("GOPROXY", url), ("GOAUTH", methods)];
        let answer = fetch_part(&own, &asked_for("a.org/x"), Part::Manifest);
        match expect {
            Some(reason) => assert_eq!(by_go(answer), reason),
            None => assert!(told(answer).contains("answered 401"), "{url} {methods}"),
        }
    };
    check(&secure.url, "/bin/token", Some(Reason::Login));
    check(&secure.url, "git /work; netrc", Some(Reason::Login));
    check(&secure.url, "off", None);
    check(&plain.url, "/bin/token", None);
}

#[test]
fn a_body_without_end_and_a_silent_proxy_are_left() {
    let endless = Server::plain(|_, out| {
        let _ = out.write_all(b"HTTP/1.1 200 x\r\nconnection: close\r\n\r\n");
        while out.write_all(&[b'x'; 1 << 16]).is_ok() {}
    });
    let error = told(fetch(&[("GOPROXY", &endless.url)], "a.org/x"));
    assert!(error.contains("is longer than 16777216 bytes"), "{error}");

    let silent = Server::plain(|_, _| std::thread::sleep(Duration::from_secs(60)));
    let settings = settings(&[("GOPROXY", &silent.url), ("GOAUTH", "off")]);
    let proxies = Proxies::new(&settings).unwrap();
    let teller = Silent::default();
    let downloads = Downloads::over(&hasty(), &teller).unwrap();
    let begin = Instant::now();
    let answer = std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(200));
            teller.stop.store(true, Ordering::Relaxed);
        });
        proxies.fetch(&downloads, &asked_for("a.org/x"), Part::Manifest)
    });
    assert!(matches!(answer, Err(ProxyError::Fetch { source: HttpError::Cancelled, .. })));
    assert!(begin.elapsed() < Duration::from_millis(1200), "{:?}", begin.elapsed());
}
