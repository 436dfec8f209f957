//! Credentials: a registry with passwords, one behind a proxy that checks tokens, one with a server of tokens, and
//! all places where credentials are kept.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use registry::{
    Address, Error, Host, Login, Registries, Secret, Settings, Token, Used, WkgSettings, login,
    logins, logout,
};
use serde_json::json;

use crate::harness::{
    Program, SECRET, artifact, component, fetch, package, registries, settings, shown, tool,
    version,
};
use crate::server::{Reply, Request, Server, forward};

fn host(text: &str) -> Host {
    text.parse().unwrap()
}

fn password() -> Login {
    Login::Password { user: "ci".to_owned(), password: Secret::new(SECRET) }
}

fn token() -> Token {
    Token { secret: Secret::new(SECRET), from: "RUN_AUTH_TOKEN".to_owned() }
}

fn basic() -> String {
    format!("Basic {}", STANDARD.encode(format!("ci:{SECRET}")))
}

/// Publishes and fetches, which needs the rights to write and to read.
fn use_both(registries: &Registries) -> Result<(), Error> {
    registries.publish(&package("demo:greet"), &version("0.1.0"), &artifact("one"))?;
    assert_eq!(fetch(registries, "demo:greet", "0.1.0")?.bytes, component("one"));
    registries.check_access(&registries.settings().default.registry)
}

#[test]
fn a_registry_with_passwords_takes_logins_from_all_places() {
    let program = Program::docker_with_password();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let check = |what: &str, change: &dyn Fn(&mut Settings)| {
        let mut settings = settings(&program.url());
        change(&mut settings);
        use_both(&registries(settings)).unwrap_or_else(|error| panic!("{what}: {}", shown(&error)));
    };
    // The file of `run login`.
    login(&path("own"), &host(&program.host), password()).unwrap();
    check("own", &|settings| settings.login_file = Some(path("own")));
    // Docker's configuration, as crane writes it.
    let logged = Command::new(tool("crane"))
        .args(["auth", "login", &program.host, "-u", "ci", "-p", SECRET])
        .env("DOCKER_CONFIG", folder.path())
        .output()
        .unwrap();
    assert!(logged.status.success(), "{logged:?}");
    check("crane", &|settings| settings.docker_config = Some(path("config.json")));
    // A credential helper for this host, and one for all hosts.
    helper(
        folder.path(),
        "fit",
        &format!("printf '{{\"Username\":\"ci\",\"Secret\":\"{SECRET}\"}}'"),
    );
    for (name, config) in [
        ("one", json!({"credHelpers": {&program.host: "fit"}})),
        ("all", json!({"credsStore": "fit", "auths": {&program.host: {}}})),
    ] {
        fs::write(path(name), config.to_string()).unwrap();
        check(name, &|settings| {
            settings.docker_config = Some(path(name));
            settings.helpers.path = folder.path().into();
        });
    }
    // wkg's configuration, with a name and a password and with the two in base64.
    let pair = STANDARD.encode(format!("ci:{SECRET}"));
    for auth in [format!("{{ username = \"ci\", password = \"{SECRET}\" }}"), format!("\"{pair}\"")]
    {
        let text =
            format!("[registry.\"{}\".oci]\nprotocol = \"http\"\nauth = {auth}", program.host);
        let wkg = WkgSettings::parse(&text).unwrap();
        check("wkg", &|settings| wkg.clone().add_to(settings, "wkg's configuration"));
    }
}

#[test]
fn a_password_is_asked_for_once() {
    let program = Program::docker_with_password();
    let to = program.host.clone();
    let server =
        Server::start(move |request| forward(&to, request, request.header("authorization")));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("logins.toml");
    login(&file, &host(&server.host()), password()).unwrap();
    let mut settings = settings(&format!("oci+{}", server.url("")));
    settings.login_file = Some(file);
    let registries = registries(settings);
    use_both(&registries).unwrap_or_else(|error| panic!("{}", shown(&error)));
    for name in ["demo:one", "demo:two"] {
        let error = registries.versions(&package(name)).unwrap_err();
        assert!(matches!(error, Error::NoPackage { .. }), "{}", shown(&error));
    }
    let log = server.log();
    let without = log.iter().filter(|request| request.header("authorization").is_none()).count();
    assert_eq!(without, 1, "{:?}", server.asked());
}

#[test]
fn a_refusal_names_the_host_and_the_place_and_what_to_do() {
    let program = Program::docker_with_password();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("logins.toml");
    let name = &program.host;
    let check = |settings: Settings, expect: &str| {
        let error = use_both(&registries(settings)).unwrap_err();
        assert_eq!(shown(&error), expect);
    };
    check(
        settings(&program.url()),
        &format!(
            "{name} refuses access (status 401) without credentials: `run login {name}` stores some (it may also be that it has no such package)"
        ),
    );
    let wrong =
        Login::Password { user: "ci".to_owned(), password: Secret::new(format!("{SECRET}!")) };
    login(&file, &host(name), wrong).unwrap();
    let mut with_login = settings(&program.url());
    with_login.login_file = Some(file.clone());
    check(
        with_login,
        &format!(
            "{name} refuses access (status 401) with the credentials of {}: check that they are right and allow this, or \
             store others with `run login {name}`",
            file.display()
        ),
    );
    let mut with_token = settings(&program.url());
    with_token.token = Some(token());
    check(
        with_token,
        &format!(
            "{name} refuses access (status 401) with the credentials of RUN_AUTH_TOKEN: check that they are right and allow \
             this, or store others with `run login {name}`"
        ),
    );
}

/// Starts a proxy that lets only those through to a registry who have the token.
fn checking_proxy(program: &Program) -> Server {
    let to = program.host.clone();
    Server::start(move |request| {
        if request.header("authorization") != Some(&format!("Bearer {SECRET}")) {
            return Reply::new(401).with("www-authenticate", "Bearer realm=\"proxy\"").body(SECRET);
        }
        forward(&to, request, None)
    })
}

#[test]
fn the_token_is_sent_to_the_default_registry_and_nowhere_else() {
    let program = Program::docker();
    let proxy = checking_proxy(&program);
    for url in [format!("oci+{}", proxy.url("")), proxy.url("")] {
        let mut settings = settings(&url);
        settings.token = Some(token());
        use_both(&registries(settings)).unwrap_or_else(|error| panic!("{url}: {}", shown(&error)));
    }
    // The question for the protocol goes without it.
    let asked = proxy.log();
    let question = asked.iter().find(|request| request.path.starts_with("/.well-known")).unwrap();
    assert_eq!(question.header("authorization"), None);

    // A mirror elsewhere, a registry of a namespace and one that the default refers to never get it.
    let elsewhere = Server::start(|_| Reply::new(401).with("www-authenticate", "Bearer"));
    let address: Address = format!("oci+{}", elsewhere.url("")).parse().unwrap();
    let down = Server::start(|_| Reply::new(503));
    let referring = {
        let document = format!(r#"{{"oci":{{"registry":"{}"}}}}"#, elsewhere.host());
        Server::start(move |_| Reply::json(&document))
    };
    let check = |url: &str, change: &dyn Fn(&mut Settings)| {
        let mut settings = settings(url);
        settings.token = Some(token());
        change(&mut settings);
        let error = fetch(&registries(settings), "demo:greet", "0.1.0").unwrap_err();
        let refused = matches!(&error, Error::Refused { host, used: Used::None, .. } if *host == elsewhere.host());
        assert!(refused, "{}", shown(&error));
    };
    check(&format!("oci+{}", down.url("")), &|settings| {
        settings.default.mirrors = vec![address.clone()];
    });
    check(&format!("oci+{}", down.url("")), &|settings| {
        settings.namespaces.insert("demo".to_owned(), address.clone().into());
    });
    check(&referring.url(""), &|_| {});
    assert!(elsewhere.log().len() >= 3);
    for request in elsewhere.log().iter().chain(&referring.log()) {
        assert_eq!(request.header("authorization"), None, "{request:?}");
    }
    // A mirror of the same origin does.
    let to = program.host.clone();
    let server = Server::start(move |request| {
        assert_eq!(request.header("authorization"), Some(&*format!("Bearer {SECRET}")));
        let path = request.path.replace("/v2/mirror/", "/v2/");
        match request.path.contains("/mirror/") {
            true => forward(&to, &Request { path, ..request.clone() }, None),
            false => Reply::new(503),
        }
    });
    let mut settings = settings(&format!("oci+{}", server.url("/main")));
    settings.token = Some(token());
    settings.default.mirrors = vec![format!("oci+{}", server.url("/mirror")).parse().unwrap()];
    assert_eq!(
        fetch(&registries(settings), "demo:greet", "0.1.0").unwrap().bytes,
        component("one")
    );
}

/// Starts a proxy of a registry that wants tokens of a server of tokens, and that server. Tokens are good for three
/// requests.
fn token_flow(program: &Program, anonymous: bool) -> Server {
    let to = program.host.clone();
    let uses = std::sync::Mutex::new(std::collections::BTreeMap::new());
    Server::start(move |request| {
        let own = request.header("host").unwrap().to_owned();
        let mut uses = uses.lock().unwrap();
        if let Some(query) = request.path.strip_prefix("/token?") {
            let expect = basic();
            let is_known = request.header("authorization").map_or(anonymous, |sent| sent == expect);
            if !is_known {
                return Reply::new(401);
            }
            let token = format!("token-{}", uses.len());
            uses.insert(token.clone(), (query.to_owned(), 3));
            return Reply::json(&format!(r#"{{"token":"{token}","expires_in":60}}"#));
        }
        let sent = request.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
        let is_push = !["GET", "HEAD"].contains(&request.method.as_str());
        let good = sent.and_then(|token| uses.get_mut(token)).is_some_and(|(query, left)| {
            *left -= 1;
            *left >= 0
                && query.contains("service=test")
                && query.contains(if is_push { "pull%2Cpush" } else { "pull" })
        });
        if good || request.path == "/v2/" {
            return forward(&to, request, None);
        }
        let scope = if is_push { "pull,push" } else { "pull" };
        let challenge = format!(
            "Bearer realm=\"http://{own}/token\",service=\"test\",scope=\"repository:demo/greet:{scope}\""
        );
        Reply::new(401).with("www-authenticate", &challenge)
    })
}

#[test]
fn a_server_of_tokens_is_asked_with_and_without_a_password() {
    let program = Program::docker();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("logins.toml");
    let flow = token_flow(&program, false);
    login(&file, &host(&flow.host()), password()).unwrap();
    let mut with_login = settings(&format!("oci+{}", flow.url("")));
    with_login.login_file = Some(file.clone());
    use_both(&registries(with_login)).unwrap_or_else(|error| panic!("{}", shown(&error)));
    // Tokens are used as long as they are good, and the password goes to the server of tokens only.
    let log = flow.log();
    let tokens = log.iter().filter(|request| request.path.starts_with("/token")).count();
    assert!((3..8).contains(&tokens), "{:?}", flow.asked());
    for request in log {
        let with_password = request.header("authorization") == Some(&basic());
        assert_eq!(with_password, request.path.starts_with("/token"), "{request:?}");
    }
    // Who reads only needs no login.
    let flow = token_flow(&program, true);
    let anonymous = registries(settings(&format!("oci+{}", flow.url(""))));
    assert_eq!(fetch(&anonymous, "demo:greet", "0.1.0").unwrap().bytes, component("one"));
    // A wrong password is refused by the server of tokens, and the registry is named.
    let flow = token_flow(&program, true);
    let wrong = Login::Password { user: "ci".to_owned(), password: Secret::new("wrong") };
    login(&file, &host(&flow.host()), wrong).unwrap();
    let mut with_login = settings(&format!("oci+{}", flow.url("")));
    with_login.login_file = Some(file.clone());
    let error = fetch(&registries(with_login), "demo:greet", "0.1.0").unwrap_err();
    let expect = format!(
        "{} refuses access (status 401) with the credentials of {}: ",
        flow.host(),
        file.display()
    );
    assert!(shown(&error).starts_with(&expect), "{}", shown(&error));
}

#[test]
fn an_identity_token_is_exchanged() {
    let server = Server::start(|request| {
        if request.path == "/token" {
            let form = String::from_utf8(request.body.clone()).unwrap();
            let good = request.method == "POST"
                && form.contains("grant_type=refresh_token")
                && form.contains(&format!("refresh_token={SECRET}"));
            let status = if good { 200 } else { 400 };
            return Reply::json(r#"{"access_token":"fresh"}"#).status(status);
        }
        match request.header("authorization") {
            Some("Bearer fresh") => Reply::json(r#"{"tags":["1.0.0"]}"#),
            _ => Reply::new(401).with(
                "www-authenticate",
                &format!("Bearer realm=\"http://{}/token\"", request.header("host").unwrap()),
            ),
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.json");
    let check = |text: serde_json::Value| {
        fs::write(&config, text.to_string()).unwrap();
        let mut settings = settings(&format!("oci+{}", server.url("")));
        settings.docker_config = Some(config.clone());
        settings.helpers.path = folder.path().into();
        let found = registries(settings).versions(&package("demo:greet")).map(|found| found.len());
        assert_eq!(found.unwrap_or_else(|error| panic!("{}", shown(&error))), 1);
    };
    check(json!({"auths": {server.host(): {"identitytoken": SECRET}}}));
    helper(
        folder.path(),
        "hub",
        &format!("printf '{{\"Username\":\"<token>\",\"Secret\":\"{SECRET}\"}}'"),
    );
    check(json!({"credHelpers": {server.host(): "hub"}}));
}

#[test]
fn a_server_of_tokens_that_is_less_secure_gets_nothing() {
    let check = |realm: &str, expect: &str| {
        let challenge = format!("Bearer realm=\"{realm}\"");
        let server = Server::start(move |_| Reply::new(401).with("www-authenticate", &challenge));
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("logins.toml");
        login(&file, &host(&server.host()), password()).unwrap();
        let mut settings = settings(&format!("oci+{}", server.url("")));
        settings.login_file = Some(file);
        let error = shown(&fetch(&registries(settings), "demo:greet", "1.0.0").unwrap_err());
        assert!(error.contains(expect), "{error}");
    };
    check(
        "http://tokens.example.com/",
        "it refers to a server of tokens that is not reached by https",
    );
    check("file:///etc/passwd", "it refers to a server of tokens that is not reached by https");
    check("https://a:b@example.com/", "the URL of its server of tokens has a password");
    // What is no URL is only the name of a realm.
    check("nonsense", "or store others with `run login");
}

/// Writes a credential helper: a script with these commands.
fn helper(folder: &Path, name: &str, commands: &str) {
    let path = folder.join(format!("docker-credential-{name}"));
    fs::write(
        &path,
        format!("#!/bin/sh\n[ \"$1\" = get ] || exit 2\nread -r server || true\n{commands}\n"),
    )
    .unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn faults_of_credential_helpers_are_told_without_their_output() {
    let program = Program::docker_with_password();
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.json");
    let ask = |name: &str| {
        fs::write(&config, json!({"credHelpers": {&program.host: name}}).to_string()).unwrap();
        let mut settings = settings(&program.url());
        settings.docker_config = Some(config.clone());
        settings.helpers.path = format!("relative:{}", folder.path().display()).into();
        settings.helpers.variables = [("SHOWN".into(), "yes".into())].into();
        settings.helpers.time_limit = Duration::from_millis(500);
        shown(&use_both(&registries(settings)).unwrap_err())
    };
    let named = format!("which {} names for {}", config.display(), program.host);
    assert_eq!(
        ask("absent"),
        format!(
            "the credential helper `docker-credential-absent`, {named}, is in no folder of PATH"
        )
    );
    assert_eq!(
        ask("../evil"),
        format!("`../evil` in {} is not the name of a credential helper", config.display())
    );
    helper(folder.path(), "broken", &format!("echo {SECRET}; echo {SECRET} >&2"));
    let host = &program.host;
    let failed = |name: &str, why: &str| {
        format!(
            "the credential helper `docker-credential-{name}` has no credentials for {host}: {why}"
        )
    };
    assert_eq!(ask("broken"), failed("broken", "its answer is not what the protocol demands"));
    helper(folder.path(), "failing", &format!("echo {SECRET}; exit 3"));
    assert_eq!(ask("failing"), failed("failing", "it failed"));
    // It is ended with what it started, and sees no other variables.
    let began = Instant::now();
    helper(folder.path(), "slow", "exec sleep 60");
    assert_eq!(
        ask("slow"),
        "the credential helper `docker-credential-slow` took longer than 0.5 s and was ended"
    );
    assert!(began.elapsed() < Duration::from_secs(20));
    let answer = format!("printf '{{\"Username\":\"ci\",\"Secret\":\"{SECRET}\"}}'");
    helper(folder.path(), "clean", &format!("[ \"$SHOWN$HOME\" = yes ] && {answer}"));
    helper(folder.path(), "empty", "echo 'credentials not found in native keychain'; exit 1");
    assert_eq!(
        ask("empty"),
        format!(
            "{host} refuses access (status 401) without credentials: `run login {host}` stores some (it may also be that it has no such package)"
        )
    );
    // Some helpers know URLs only.
    helper(
        folder.path(),
        "urls",
        &format!(
            "case $server in https://*) {answer};; *) echo credentials not found; exit 1;; esac"
        ),
    );
    for name in ["clean", "urls"] {
        fs::write(&config, json!({"credsStore": name}).to_string()).unwrap();
        let mut settings = settings(&program.url());
        settings.docker_config = Some(config.clone());
        settings.helpers.path = folder.path().into();
        settings.helpers.variables = [("SHOWN".into(), "yes".into())].into();
        use_both(&registries(settings)).unwrap_or_else(|error| panic!("{name}: {}", shown(&error)));
    }
}

#[test]
fn the_file_of_logins_is_for_its_owner_only() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("run/logins.toml");
    assert!(!logout(&file, &host("a.example.com")).unwrap() && !file.exists());
    assert!(logins(&file).unwrap().is_empty());
    login(&file, &host("https://a.example.com/team"), password()).unwrap();
    login(&file, &host("http://b.example.com:80"), Login::Token(Secret::new("t"))).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&file), mode(file.parent().unwrap())), (0o600, 0o700));
    let stored = logins(&file).unwrap();
    let hosts: Vec<_> = stored.keys().map(Host::to_string).collect();
    assert_eq!(hosts, ["a.example.com", "http://b.example.com"]);
    assert_eq!(stored[&host("a.example.com")], password());
    assert!(!format!("{stored:?}").contains(SECRET));

    assert!(logout(&file, &host("a.example.com")).unwrap());
    assert!(!logout(&file, &host("a.example.com")).unwrap());
    assert_eq!(logins(&file).unwrap().len(), 1);

    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    let error = logins(&file).unwrap_err().to_string();
    assert!(
        error.contains("other users may read or change the file (mode 640): `chmod 600` it"),
        "{error}"
    );
    assert!(login(&file, &host("c.example.com"), password()).is_err());
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&file, format!("\n[\"a\"]\npassword = {SECRET}")).unwrap();
    let error = logins(&file).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("the credentials in {} are malformed: line 3", file.display())
    );
    assert!(!format!("{error:?}").contains(SECRET));
    // Many processes may log in at once.
    fs::remove_file(&file).unwrap();
    std::thread::scope(|scope| {
        for number in 0..8 {
            let file = &file;
            scope.spawn(move || {
                login(file, &host(&format!("h{number}.example.com")), password()).unwrap();
            });
        }
    });
    assert_eq!(logins(&file).unwrap().len(), 8);
}

#[test]
fn credentials_are_not_sent_unencrypted_unless_that_was_allowed() {
    // The name leads to this machine only through the proxy, so it counts as another machine.
    let server = Server::start(|request| match request.header("authorization") {
        Some(_) => Reply::json(r#"{"tags":["1.0.0"]}"#),
        None => Reply::new(401).with("www-authenticate", "Basic realm=\"x\""),
    });
    let folder = tempfile::tempdir().unwrap();
    let (file, config) = (folder.path().join("logins.toml"), folder.path().join("config.json"));
    let ask = |change: &dyn Fn(&mut Settings)| {
        let mut settings = settings("oci+http://registry.example.com");
        settings.network.proxies =
            vec![registry::Proxy { scheme: "http".to_owned(), url: server.url("") }];
        change(&mut settings);
        registries(settings)
            .versions(&package("demo:greet"))
            .map(drop)
            .map_err(|error| shown(&error))
    };
    let expect = |place: &str| {
        Err(format!(
            "registry.example.com refuses access (status 401) without credentials, because those of {place} are not sent \
             unencrypted: use https, or allow it with `run login http://registry.example.com`"
        ))
    };
    assert_eq!(ask(&|settings| settings.token = Some(token())), expect("RUN_AUTH_TOKEN"));
    login(&file, &host("registry.example.com"), password()).unwrap();
    let own = |settings: &mut Settings| settings.login_file = Some(file.clone());
    assert_eq!(ask(&own), expect(&file.display().to_string()));
    let auth = STANDARD.encode(format!("ci:{SECRET}"));
    fs::write(&config, json!({"auths": {"registry.example.com": {"auth": auth}}}).to_string())
        .unwrap();
    let docker = |settings: &mut Settings| settings.docker_config = Some(config.clone());
    assert_eq!(ask(&docker), expect(&config.display().to_string()));
    assert!(server.log().iter().all(|request| request.header("authorization").is_none()));
    login(&file, &host("http://registry.example.com"), password()).unwrap();
    assert_eq!(ask(&own), Ok(()));
}
