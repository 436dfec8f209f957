//! Tokens and certificates.

use std::sync::Arc;

use bazel_remote_apis::build::bazel::remote::execution::v2 as reapi;
use cache::{Digest, DigestFunction};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use reapi::capabilities_client::CapabilitiesClient;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use server::Tls;
use tonic::transport::Endpoint;
use tonic::{Code, Request};

use crate::harness::{Served, block_on, client, client_builder, token, wire};

fn with_token<T>(message: T, token: &str) -> Request<T> {
    let mut request = Request::new(message);
    if !token.is_empty() {
        let value = format!("Bearer {token}").parse().unwrap();
        request.metadata_mut().insert("authorization", value);
    }
    request
}

#[test]
fn tokens_decide_over_both_protocols() {
    let served = Served::start_with(|settings| {
        settings.read_token = token("reader");
        settings.write_token = token("writer");
    });
    block_on(async {
        let digest = Digest::of(DigestFunction::Sha256, b"blob");
        let url = served.url(&format!("/cas/{}", digest.hex()));
        let update = reapi::BatchUpdateBlobsRequest {
            requests: vec![reapi::batch_update_blobs_request::Request {
                digest: Some(wire(&digest)),
                data: b"blob".to_vec(),
                compressor: 0,
            }],
            ..Default::default()
        };
        let find = reapi::FindMissingBlobsRequest::default();
        let mut cas = served.cas().await;
        for (token, read, write, get, put) in [
            ("", Code::Unauthenticated, Code::Unauthenticated, 401, 401),
            ("wrong", Code::Unauthenticated, Code::Unauthenticated, 401, 401),
            ("reader", Code::Ok, Code::PermissionDenied, 404, 403),
            ("writer", Code::Ok, Code::Ok, 200, 200),
        ] {
            let code = |result: Option<tonic::Status>| result.map_or(Code::Ok, |s| s.code());
            let found = cas.find_missing_blobs(with_token(find.clone(), token)).await;
            assert_eq!(code(found.err()), read, "{token}");
            let updated = cas.batch_update_blobs(with_token(update.clone(), token)).await;
            assert_eq!(code(updated.err()), write, "{token}");
            let answer = client().get(&url).bearer_auth(token).send().await.unwrap();
            assert_eq!(answer.status(), get, "{token}");
            let answer = client().put(&url).basic_auth("me", Some(token)).body("blob").send().await;
            assert_eq!(answer.unwrap().status(), put, "{token}");
        }
        for path in ["/", "/metrics"] {
            let refused = client().get(served.url(path)).send().await.unwrap();
            assert_eq!(refused.status(), 401);
            assert!(refused.headers()["www-authenticate"].to_str().unwrap().starts_with("Basic"));
            let page = client().get(served.url(path)).basic_auth("", Some("reader"));
            assert_eq!(page.send().await.unwrap().status(), 200);
        }
        assert_eq!(client().get(served.url("/healthz")).send().await.unwrap().status(), 200);
    });
}

/// An authority with a certificate of the server and one of a client.
struct Authority {
    pem: String,
    server: Tls,
    client: (String, String),
}

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let leaf = |name: &str| {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &issuer).unwrap().pem(), key.serialize_pem())
    };
    let (certificates, key) = leaf("localhost");
    let server =
        Tls { certificates: certificates.into_bytes(), key: key.into_bytes(), client_roots: None };
    Authority { pem: issuer.pem(), server, client: leaf("client") }
}

fn client_config(authority: &Authority, with_certificate: bool) -> rustls::ClientConfig {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let builder = builder.with_root_certificates(roots);
    if !with_certificate {
        return builder.with_no_client_auth();
    }
    let (certificate, key) = &authority.client;
    let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    builder.with_client_auth_cert(chain, key).unwrap()
}

async fn get(served: &Served, config: rustls::ClientConfig) -> reqwest::Result<reqwest::Version> {
    let client = client_builder().tls_backend_preconfigured(config).build()?;
    let url = format!("https://localhost:{}/healthz", served.address.port());
    Ok(client.get(url).send().await?.error_for_status()?.version())
}

/// Asks for the capabilities over an encrypted connection.
async fn call(served: &Served, mut config: rustls::ClientConfig) {
    config.alpn_protocols = vec![b"h2".to_vec()];
    let (connector, address) = (tokio_rustls::TlsConnector::from(Arc::new(config)), served.address);
    let connect = tower::service_fn(move |_| {
        let connector = connector.clone();
        async move {
            let stream = tokio::net::TcpStream::connect(address).await?;
            let name = ServerName::try_from("localhost").unwrap();
            let stream = connector.connect(name, stream).await?;
            Ok::<_, std::io::Error>(hyper_util::rt::TokioIo::new(stream))
        }
    });
    let endpoint = Endpoint::from_static("http://localhost");
    let channel = endpoint.connect_with_connector(connect).await.unwrap();
    let request = reapi::GetCapabilitiesRequest::default();
    CapabilitiesClient::new(channel).get_capabilities(request).await.unwrap();
}

#[test]
fn encrypted_connections_carry_both_protocols() {
    let authority = authority();
    let tls = authority.server.clone();
    let served = Served::start_with(|settings| settings.tls = Some(tls));
    block_on(async {
        let mut config = client_config(&authority, false);
        let old = get(&served, config.clone()).await.unwrap();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let new = get(&served, config).await.unwrap();
        assert_eq!((old, new), (reqwest::Version::HTTP_11, reqwest::Version::HTTP_2));
        call(&served, client_config(&authority, false)).await;
        let plain = client().get(served.url("/healthz")).send().await;
        assert!(plain.is_err());
    });
}

#[test]
fn clients_may_need_a_certificate() {
    let authority = authority();
    let tls = Tls { client_roots: Some(authority.pem.clone().into()), ..authority.server.clone() };
    let served = Served::start_with(|settings| settings.tls = Some(tls));
    block_on(async {
        assert!(get(&served, client_config(&authority, false)).await.is_err());
        get(&served, client_config(&authority, true)).await.unwrap();
        call(&served, client_config(&authority, true)).await;
    });
}

#[test]
fn a_certificate_that_is_none_is_refused() {
    let good = authority().server;
    let none = || b"nothing".to_vec();
    for (tls, expect) in [
        (Tls { certificates: none(), ..good.clone() }, "there is no certificate among"),
        (Tls { key: none(), ..good.clone() }, "the key can't be read as PEM"),
        (Tls { key: authority().server.key, ..good.clone() }, "the certificate or its key"),
        (Tls { client_roots: Some(none()), ..good.clone() }, "there is no certificate among"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let error = server::Server::bind(server::Settings {
            listen: "127.0.0.1:0".parse().unwrap(),
            store: cache::DiskStore::open(&folder.path().join("s"), DigestFunction::Blake3)
                .unwrap(),
            instance: None,
            read_token: None,
            write_token: None,
            tls: Some(tls),
            max_blob: 1,
            max_size: None,
            read_only: false,
            access_log: None,
            collect: None,
        })
        .unwrap_err();
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.starts_with(expect), "{source}");
    }
}
