//! Blobs over plain HTTP.

use cache::{Digest, DigestFunction};
use reqwest::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, ETAG};

use crate::harness::{
    MAX_BLOB, SIZES, Served, block_on, bytes, client, client_builder, wait_until,
};

#[test]
fn blobs_of_both_functions_go_in_and_come_out() {
    for is_packed in [false, true] {
        let served = Served::start();
        block_on(async {
            let client = client();
            for size in SIZES {
                for function in DigestFunction::ALL {
                    let blob = bytes(size);
                    let digest = Digest::of(function, &blob);
                    let url = served.url(&format!("/any/prefix/cas/{}", digest.hex()));
                    if size > 0 {
                        assert_eq!(client.get(&url).send().await.unwrap().status(), 404);
                    }
                    let mut put = client.put(&url);
                    if is_packed {
                        put = put.header(CONTENT_ENCODING, "zstd");
                        put = put.body(zstd::encode_all(&*blob, 3).unwrap());
                    } else {
                        put = put.body(blob.clone());
                    }
                    let put = put.send().await.unwrap();
                    assert_eq!(put.status(), 200);
                    assert_eq!(put.headers()[ACCEPT_ENCODING], "zstd");
                    assert!(served.store.contains(&digest), "{digest}");
                    let got = client.get(&url).send().await.unwrap();
                    assert_eq!(got.headers()[CONTENT_LENGTH], size.to_string());
                    assert_eq!(got.headers()[ETAG], format!("\"{}\"", digest.hex()));
                    assert!(got.headers().get(CONTENT_ENCODING).is_none());
                    assert_eq!(got.bytes().await.unwrap(), blob);
                    let head = client.head(&url).send().await.unwrap();
                    assert_eq!(head.status(), 200);
                    assert_eq!(head.headers()[CONTENT_LENGTH], size.to_string());
                }
            }
        });
    }
}

#[test]
fn compressed_answers_are_for_those_who_take_them() {
    let served = Served::start();
    block_on(async {
        for size in [100, 64 << 10, 5 << 20] {
            let blob = b"text ".repeat(size / 5);
            let digest = served.put(DigestFunction::Sha256, &blob);
            let url = served.url(&format!("/cas/{}", digest.hex()));
            let got = client().get(&url).header(ACCEPT_ENCODING, "zstd").send().await.unwrap();
            let is_packed = got.headers().get(CONTENT_ENCODING).is_some();
            assert_eq!(is_packed, size > 1024);
            let length = got.headers().get(CONTENT_LENGTH).map(|value| value.to_str().unwrap());
            let length = length.map(|value| value.parse::<usize>().unwrap());
            let body = got.bytes().await.unwrap();
            assert!(length.is_none_or(|length| length == body.len()));
            assert!(!is_packed || body.len() < size / 10);
            let plain = if is_packed { zstd::decode_all(&*body).unwrap() } else { body.to_vec() };
            assert_eq!(plain, blob);
        }
    });
}

#[test]
fn large_blobs_that_do_not_get_smaller_are_sent_as_they_are() {
    let served = Served::start();
    let hash = |number: u32| *Digest::of(DigestFunction::Blake3, &number.to_le_bytes()).hash();
    let noise: Vec<u8> = (0..70_000).flat_map(hash).collect();
    let digest = served.put(DigestFunction::Sha256, &noise);
    block_on(async {
        let url = served.url(&format!("/cas/{}", digest.hex()));
        let got = client().get(&url).header(ACCEPT_ENCODING, "zstd").send().await.unwrap();
        assert_eq!(got.headers().get(CONTENT_ENCODING), None);
        assert_eq!(got.headers()[CONTENT_LENGTH], noise.len().to_string());
        assert_eq!(got.bytes().await.unwrap(), noise);
    });
}

#[test]
fn what_is_not_what_it_says_is_refused() {
    let served = Served::start();
    block_on(async {
        let blob = bytes(3 << 20);
        let digest = Digest::of(DigestFunction::Blake3, &blob);
        let url = served.url(&format!("/cas/{}", digest.hex()));
        let put = async |body: Vec<u8>, encoding: &str| {
            let put = client().put(&url).header(CONTENT_ENCODING, encoding).body(body);
            put.send().await.unwrap().status().as_u16()
        };
        assert_eq!(put(blob[1..].to_vec(), "identity").await, 400);
        assert_eq!(put(b"short".to_vec(), "identity").await, 400);
        assert_eq!(put(b"not zstd".to_vec(), "zstd").await, 400);
        assert_eq!(put(blob.clone(), "gzip").await, 415);
        let bomb = zstd::encode_all(&*vec![0; 64 << 20], 3).unwrap();
        assert_eq!(put(bomb, "zstd").await, 413);
        let large = vec![0; usize::try_from(MAX_BLOB).unwrap() + 1];
        assert_eq!(put(large, "identity").await, 413);
        assert!(!served.store.contains(&digest));
        assert_eq!(put(blob, "identity").await, 200);
        for (path, status) in [("/cas/abc", 404), ("/cas/", 404), ("/nothing", 404)] {
            let answer = client().get(served.url(path)).send().await.unwrap();
            assert_eq!(answer.status(), status, "{path}");
        }
        let delete = client().delete(&url).send().await.unwrap();
        assert_eq!(
            (delete.status().as_u16(), &delete.headers()["allow"]),
            (405, &"GET, HEAD, PUT".parse().unwrap())
        );
    });
}

#[test]
fn an_upload_that_breaks_off_leaves_nothing() {
    use std::io::Write as _;
    let served = Served::start();
    let blob = bytes(3 << 20);
    let digest = Digest::of(DigestFunction::Sha256, &blob);
    let mut stream = std::net::TcpStream::connect(served.address).unwrap();
    let head = format!(
        "PUT /cas/{} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n",
        digest.hex(),
        blob.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&blob[..2 << 20]).unwrap();
    drop(stream);
    wait_until("the report", || !served.log.lock().unwrap().is_empty());
    assert!(!served.store.contains(&digest));
    let tmp = served.store.root().join("tmp");
    let sessions = std::fs::read_dir(tmp).unwrap().map(|entry| entry.unwrap().path());
    let left =
        sessions.filter(|path| path.is_dir()).flat_map(|path| std::fs::read_dir(path).unwrap());
    assert_eq!(left.count(), 0);
}

#[test]
fn http_2_works_without_encryption() {
    let served = Served::start();
    block_on(async {
        let client = client_builder().http2_prior_knowledge().build().unwrap();
        let digest = served.put(DigestFunction::Sha256, b"blob");
        let got = client.get(served.url(&format!("/cas/{}", digest.hex()))).send().await.unwrap();
        assert_eq!(got.version(), reqwest::Version::HTTP_2);
        assert_eq!(got.bytes().await.unwrap(), "blob");
    });
}
