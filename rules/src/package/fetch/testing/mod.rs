//! Test servers on loopback that answer as a test tells them, with and without encryption.
//!
//! The certificates in this folder are for these tests only. The private key of their authority was deleted.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A server that answers each connection in a thread of its own.
pub(crate) struct Server {
    /// The server's URL: a scheme, 127.0.0.1 and a port.
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

/// A request that a server got.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// The path of the URL.
    pub(crate) path: String,
    /// The value of the `authorization` header, if the request had one.
    pub(crate) login: Option<String>,
}

impl Server {
    /// Starts a server without encryption.
    pub(crate) fn plain(answer: impl Fn(&Asked, &mut dyn Write) + Send + Sync + 'static) -> Self {
        Self::start("http", |stream| Box::new(stream), answer)
    }

    /// Starts a server that speaks TLS, with a certificate that is signed by the [`authority`].
    pub(crate) fn secure(answer: impl Fn(&Asked, &mut dyn Write) + Send + Sync + 'static) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let certificate = CertificateDer::from_pem_slice(include_bytes!("server.pem")).unwrap();
        let key = PrivateKeyDer::from_pem_slice(include_bytes!("server.key")).unwrap();
        let config = ServerConfig::builder().with_no_client_auth();
        let config = Arc::new(config.with_single_cert(vec![certificate], key).unwrap());
        let encrypt = move |stream| -> Box<dyn Stream> {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            Box::new(StreamOwned::new(connection, stream))
        };
        Self::start("https", encrypt, answer)
    }

    fn start(
        scheme: &str,
        open: impl Fn(TcpStream) -> Box<dyn Stream> + Send + Sync + 'static,
        answer: impl Fn(&Asked, &mut dyn Write) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("{scheme}://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        let (open, answer) = (Arc::new(open), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (open, answer, log) =
                    (Arc::clone(&open), Arc::clone(&answer), Arc::clone(&log));
                std::thread::spawn(move || {
                    let mut stream = BufReader::new(open(stream.unwrap()));
                    // A client that does not trust the certificate closes the connection before it sends a
                    // request.
                    let Some(request) = read(&mut stream) else { return };
                    log.lock().unwrap().push(request.clone());
                    answer(&request, stream.get_mut());
                    let _ = stream.get_mut().flush();
                });
            }
        });
        Self { url, asked }
    }

    /// Returns all requests that the server got so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

/// Returns the path of the certificate of the authority that signed the one of [`Server::secure`].
pub(crate) fn authority() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/package/fetch/testing/ca.pem")
}

/// Answers with a status, a header line and a body.
pub(crate) fn reply(out: &mut dyn Write, status: u16, header: &str, body: &[u8]) {
    let header = if header.is_empty() { String::new() } else { format!("{header}\r\n") };
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} x\r\nconnection: close\r\ncontent-length: {length}\r\n{header}\r\n"
    );
    // A client that is refused may close the connection before it has read everything.
    let _ = out.write_all(head.as_bytes()).and_then(|()| out.write_all(body));
}

trait Stream: Read + Write + Send {}

impl<T: Read + Write + Send> Stream for T {}

fn read(stream: &mut BufReader<Box<dyn Stream>>) -> Option<Asked> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).ok().filter(|length| *length > 0)?;
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let path = lines.first()?.split(' ').nth(1)?.to_owned();
    let login = lines.iter().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("authorization").then(|| value.to_owned())
    });
    Some(Asked { path, login })
}
