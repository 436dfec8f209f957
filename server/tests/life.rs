//! Tests that the server starts, works under load, tidies up, and stops.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bazel_remote_apis::build::bazel::remote::execution::v2 as reapi;
use cache::{Digest, DigestFunction};
use server::{Collected, Protocol};

use crate::harness::{Served, block_on, bytes, client, number, wait_until, wire};

fn begin_upload(served: &Served, blob: &[u8], digest: &Digest) -> TcpStream {
    let mut stream = TcpStream::connect(served.address).unwrap();
    let (hex, length) = (digest.hex(), blob.len());
    let head = format!("PUT /cas/{hex} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&blob[..blob.len() / 2]).unwrap();
    // The server has the request when it has seen another one that came later.
    block_on(async { client().get(served.url("/healthz")).send().await.unwrap() });
    stream
}

#[test]
fn a_request_in_flight_is_finished_before_the_end() {
    let mut served = Served::start();
    let blob = bytes(3 << 20);
    let digest = Digest::of(DigestFunction::Sha256, &blob);
    let mut stream = begin_upload(&served, &blob, &digest);
    let address = served.address;
    let stopping = std::thread::spawn(move || {
        let ended = served.stop();
        (served, ended)
    });
    wait_until("the end of accepting", || TcpStream::connect(address).is_err());
    assert!(!stopping.is_finished());
    stream.write_all(&blob[blob.len() / 2..]).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let (served, ended) = stopping.join().unwrap();
    assert_eq!((ended.cut_off, ended.totals.requests), (0, 2));
    assert!(served.store.contains(&digest));
}

#[test]
fn a_request_that_does_not_end_is_cut_off() {
    let mut served = Served::start();
    let blob = bytes(3 << 20);
    let digest = Digest::of(DigestFunction::Sha256, &blob);
    let stream = begin_upload(&served, &blob, &digest);
    let begun = Instant::now();
    let ended = served.stop();
    assert_eq!(ended.cut_off, 1);
    assert!(begun.elapsed() > Duration::from_secs(2) && begun.elapsed() < Duration::from_secs(8));
    assert!(!served.store.contains(&digest));
    drop(stream);
}

#[test]
fn idle_connections_do_not_delay_the_end() {
    let mut served = Served::start();
    let idle = TcpStream::connect(served.address).unwrap();
    block_on(async {
        let keep = client();
        keep.get(served.url("/healthz")).send().await.unwrap();
        let channel = served.channel().await;
        let begun = Instant::now();
        let ended = tokio::task::spawn_blocking(move || served.stop()).await.unwrap();
        assert!(begun.elapsed() < Duration::from_secs(2));
        assert_eq!(ended.cut_off, 0);
        drop((channel, idle));
    });
}

#[test]
fn many_clients_at_once() {
    let mut served = Served::start();
    // All write the same few blobs, and each writes some of its own.
    let shared: Vec<Vec<u8>> = (1..5).map(|at| bytes(at * 300_000)).collect();
    let one = |served: &Served, thread: usize| {
        block_on(async {
            let (client, mut cas) = (client(), served.cas().await);
            for round in 0..12 {
                let function = DigestFunction::ALL[(thread + round) % 2];
                let own = format!("{thread} {round}").into_bytes();
                for blob in [&shared[(thread + round) % 4], &own] {
                    let digest = Digest::of(function, blob);
                    let url = served.url(&format!("/cas/{}", digest.hex()));
                    let put = client.put(&url).body(blob.clone()).send().await.unwrap();
                    assert_eq!(put.status(), 200);
                    let got = client.get(&url).send().await.unwrap();
                    assert_eq!(got.bytes().await.unwrap(), *blob);
                    let find = reapi::FindMissingBlobsRequest {
                        blob_digests: vec![wire(&digest)],
                        digest_function: number(function),
                        ..Default::default()
                    };
                    let missing = cas.find_missing_blobs(find).await.unwrap().into_inner();
                    assert_eq!(missing.missing_blob_digests, []);
                }
            }
        });
    };
    let one = &one;
    std::thread::scope(|scope| {
        for thread in 0..16 {
            let served = &served;
            scope.spawn(move || one(served, thread));
        }
    });
    wait_until("the log", || served.log.lock().unwrap().len() == 16 * 12 * 2 * 3);
    let log = served.log.lock().unwrap();
    let is_fine = |status: &str| status == "200" || status == "OK";
    assert!(log.iter().all(|access| is_fine(&access.status)));
    drop(log);
    assert_eq!(served.stop().totals.requests, 16 * 12 * 2 * 3);
}

#[test]
fn each_request_is_logged() {
    let served = Served::start();
    block_on(async {
        let digest = Digest::of(DigestFunction::Sha256, b"blob");
        let path = format!("/cas/{}", digest.hex());
        let get = || client().get(served.url(&path)).header("user-agent", "probe/1");
        get().send().await.unwrap();
        client().put(served.url(&path)).body("blob").send().await.unwrap();
        get().send().await.unwrap().bytes().await.unwrap();
        let request = reapi::GetActionResultRequest {
            action_digest: Some(wire(&digest)),
            ..Default::default()
        };
        served.actions().await.get_action_result(request).await.unwrap_err();
        wait_until("the log", || served.log.lock().unwrap().len() == 4);
        let log = served.log.lock().unwrap();
        let seen = log.iter().map(|access| {
            let status = access.status.as_str();
            (access.protocol, access.method.as_str(), status, access.hit, access.received_bytes)
        });
        assert_eq!(
            seen.collect::<Vec<_>>()[..3],
            [
                (Protocol::Http, "GET", "404", Some(false), 0),
                (Protocol::Http, "PUT", "200", None, 4),
                (Protocol::Http, "GET", "200", Some(true), 0),
            ]
        );
        let call = &log[3];
        assert_eq!((call.protocol, &*call.method), (Protocol::Grpc, "GetActionResult"));
        assert_eq!((&*call.status, call.hit), ("NOT_FOUND", Some(false)));
        assert_eq!((&*log[0].path, &*log[0].client), (&*path, "probe/1"));
        assert_eq!((log[2].sent_bytes, log[0].address.is_loopback()), (4, true));
    });
    let totals = served.handle.stats();
    assert_eq!((totals.requests, totals.hits, totals.misses), (4, 0, 1));
}

#[test]
fn the_store_is_tidied_at_once_and_after_many_uploads() {
    let calls = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&calls);
    let served = Served::start_with(|settings| {
        settings.max_blob = 1 << 30;
        settings.collect = Some(Arc::new(move || match count.fetch_add(1, Ordering::SeqCst) {
            0 => Ok(Collected { removed_bytes: 7, kept_bytes: 12345 }),
            _ => Err("<no permission>".to_owned()),
        }));
    });
    wait_until("the first round", || served.handle.stats().store_bytes == Some(12345));
    let blob = vec![0; 257 << 20];
    let digest = Digest::of(DigestFunction::Sha256, &blob);
    let body = zstd::encode_all(&*blob, 1).unwrap();
    block_on(async {
        let url = served.url(&format!("/cas/{}", digest.hex()));
        let put = client().put(url).header("content-encoding", "zstd").body(body);
        assert_eq!(put.send().await.unwrap().status(), 200);
        let page = async || {
            let answer = client().get(served.url("/")).send().await.unwrap();
            answer.text().await.unwrap()
        };
        let mut html = page().await;
        for _ in 0..200 {
            if html.contains("&lt;no permission&gt;") {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
            html = page().await;
        }
        assert!(html.contains("&lt;no permission&gt;") && html.contains("12.0 KiB"), "{html}");
        assert_eq!(calls.load(Ordering::SeqCst), 2);
        let metrics = client().get(served.url("/metrics")).send().await.unwrap();
        let metrics = metrics.text().await.unwrap();
        assert!(metrics.contains("run_cache_removed_bytes_total 7\n"), "{metrics}");
        assert!(metrics.contains("run_cache_collections_failed_total 1\n"), "{metrics}");
    });
}
