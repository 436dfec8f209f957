//! Debian's registry with a server of tokens, whose tokens it verifies: it demands the right scope for each request.

use std::fs;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use registry::{Error, Login, Secret, Used, login};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use serde_json::{Value, json};

use crate::harness::{
    Program, SECRET, artifact, component, fetch, package, registries, settings, shown, version,
};
use crate::server::{Reply, Request, Server};

/// A server of tokens: its key, and the certificate that the registry trusts.
struct Issuer {
    key: EcdsaKeyPair,
    certificate: String,
}

impl Issuer {
    /// Makes an issuer, and the PEM file of its certificate.
    fn new() -> (Self, String) {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["tokens.example.com".to_owned()]).unwrap();
        let der = signing_key.serialize_der();
        let key =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der, &SystemRandom::new());
        (Self { key: key.unwrap(), certificate: STANDARD.encode(cert.der()) }, cert.pem())
    }

    /// Answers a request for a token. Everybody may read, `ci` may write, and nobody may list everything.
    fn answer(&self, request: &Request) -> Reply {
        let basic = format!("Basic {}", STANDARD.encode(format!("ci:{SECRET}")));
        let may_write = match request.header("authorization") {
            None => false,
            Some(sent) if sent == basic => true,
            Some(_) => return Reply::new(401),
        };
        let query = request.path.split_once('?').unwrap().1.replace("%3A", ":");
        let query = query.replace("%2F", "/").replace("%2C", ",");
        let scopes = query.split('&').filter_map(|pair| pair.strip_prefix("scope="));
        let access: Vec<Value> = scopes.filter_map(|scope| granted(scope, may_write)).collect();
        Reply::json(&json!({"access_token": self.token(&access)}).to_string())
    }

    fn token(&self, access: &[Value]) -> String {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        let header = json!({"typ": "JWT", "alg": "ES256", "x5c": [self.certificate]});
        let claims = json!({
            "iss": "test", "sub": "ci", "aud": "registry", "jti": "1",
            "iat": now, "nbf": now - 60, "exp": now + 60, "access": access,
        });
        let [header, claims] =
            [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let signed = format!("{header}.{claims}");
        let signature = self.key.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// Returns what is granted of a scope such as `repository:demo/greet:pull,push`.
fn granted(scope: &str, may_write: bool) -> Option<Value> {
    let [kind, name, actions] = scope.split(':').collect::<Vec<_>>()[..] else { return None };
    let allowed = |action: &&str| kind == "repository" && (*action == "pull" || may_write);
    let actions: Vec<_> = actions.split(',').filter(allowed).collect();
    Some(json!({"type": kind, "name": name, "actions": actions}))
}

#[test]
fn a_registry_that_verifies_tokens_gets_those_that_it_asks_for() {
    let (issuer, certificate) = Issuer::new();
    let tokens = Server::start(move |request| issuer.answer(request));
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root.pem");
    fs::write(&root, certificate).unwrap();
    let program = Program::docker_with_tokens(&tokens.url("/token"), &root);

    let file = folder.path().join("logins.toml");
    let password = Login::Password { user: "ci".to_owned(), password: Secret::new(SECRET) };
    login(&file, &program.host.parse().unwrap(), password).unwrap();
    let mut with_login = settings(&program.url());
    with_login.login_file = Some(file);
    let writer = registries(with_login);
    let publish = |from: &registry::Registries, name: &str| {
        from.publish(&package(name), &version("0.1.0"), &artifact("one"))
    };
    publish(&writer, "demo:greet").unwrap_or_else(|error| panic!("{}", shown(&error)));
    publish(&writer, "demo:other").unwrap();
    assert_eq!(fetch(&writer, "demo:greet", "0.1.0").unwrap().bytes, component("one"));
    writer.check_access(&program.url().parse().unwrap()).unwrap();

    // Without a login, reading works, and writing does not.
    let reader = registries(settings(&program.url()));
    assert_eq!(fetch(&reader, "demo:greet", "0.1.0").unwrap().bytes, component("one"));
    let refused = |error: Error| {
        let expect = matches!(&error, Error::Refused { host, used: Used::None, .. } if *host == program.host);
        assert!(expect, "{}", shown(&error));
    };
    refused(publish(&reader, "demo:new").unwrap_err());
    assert!(publish(&reader, "demo:greet").unwrap().was_there, "to see that needs no rights");
    refused(reader.search("").unwrap_err());
    let error = reader.versions(&package("demo:missing")).unwrap_err();
    assert!(matches!(error, Error::NoPackage { .. }), "{}", shown(&error));
    // A token serves all requests of its scope. Who publishes is asked for one to read and for one to write, and who
    // fetches for one to read.
    let asked = tokens.asked();
    let of = |part: &str| asked.iter().filter(|asked| asked.contains(part)).count();
    assert_eq!(of("demo%2Fother"), 2, "{asked:#?}");
    assert_eq!(of("demo%2Fgreet"), 2 + 1 + 1 + 1, "{asked:#?}");
}
