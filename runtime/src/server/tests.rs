//! Tests that send real requests over a real socket.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http1;
use hyper::{Request, StatusCode};

use super::*;
use crate::Runtime;
use crate::fixture;

const LOOPBACK: &str = "127.0.0.1:0";

async fn server() -> Server {
    let loaded = Runtime::new().unwrap().load(&fixture::web()).unwrap();
    loaded.serve(LOOPBACK.parse().unwrap()).await.unwrap()
}

async fn get(address: SocketAddr, path: &str) -> hyper::Result<(StatusCode, String)> {
    let connection = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = http1::handshake(TokioIo::new(connection)).await?;
    let mut tasks = JoinSet::new();
    tasks.spawn(connection);
    let request =
        Request::get(path).header("host", "localhost").body(Empty::<Bytes>::new()).unwrap();
    let response = sender.send_request(request).await?;
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    Ok((status, String::from_utf8(body.into()).unwrap()))
}

#[tokio::test]
async fn a_handler_answers_again_and_again() {
    let server = server().await;
    for _ in 0..3 {
        let (status, body) = get(server.address(), "/").await.unwrap();
        assert_eq!((status, body.as_str()), (StatusCode::OK, "hello from wasm\n"));
    }
    server.shutdown().await;
}

#[tokio::test]
async fn a_trap_is_told_and_touches_nobody_else() {
    let server = server().await;
    let (status, body) = get(server.address(), "/trap").await.unwrap();
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(body.starts_with("the component trapped: "), "{body}");
    assert!(body.contains("unreachable"), "{body}");
    assert!(body.ends_with("\n\nabout to trap\n\n"), "{body}");
    let (status, _) = get(server.address(), "/").await.unwrap();
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn no_response_is_told() {
    let server = server().await;
    let (status, body) = get(server.address(), "/nothing").await.unwrap();
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(body, "the component ended without a response\n");
}

/// Runs on a single thread, so that a handler that never ends has to yield to others. It must
/// not outlive the server.
#[tokio::test(flavor = "current_thread")]
async fn an_endless_handler_hinders_nobody() {
    let server = server().await;
    let address = server.address();
    let mut endless = JoinSet::new();
    endless.spawn(async move { get(address, "/spin").await.map(|_| ()) });
    for _ in 0..3 {
        let (status, _) = get(address, "/").await.unwrap();
        assert_eq!(status, StatusCode::OK);
    }
    let start = Instant::now();
    server.shutdown().await;
    assert!(start.elapsed() < Duration::from_secs(5));
    assert!(endless.join_next().await.unwrap().unwrap().is_err());
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_dropped_server_is_gone() {
    let server = server().await;
    let address = server.address();
    get(address, "/").await.unwrap();
    drop(server);
    tokio::time::timeout(Duration::from_secs(5), async {
        while TcpStream::connect(address).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn what_is_not_served() {
    let runtime = Runtime::new().unwrap();
    let calc = runtime.load(&fixture::calc()).unwrap();
    let error = calc.serve(LOOPBACK.parse().unwrap()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the component exports `answer`, `demo:calc/ops@0.1.0`, not `wasi:http/incoming-handler` or \
         `wasi:http/handler`"
    );
    let web = runtime.load(&fixture::web()).unwrap();
    let error = web.serve("0.0.0.0:0".parse().unwrap()).await.unwrap_err();
    assert_eq!(error.to_string(), "0.0.0.0:0 is not a loopback address");
}
