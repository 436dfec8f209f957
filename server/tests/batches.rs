//! Capabilities, missing blobs, and batches.

use bazel_remote_apis::build::bazel::remote::execution::v2 as reapi;
use cache::{Digest, DigestFunction};
use reapi::batch_update_blobs_request::Request;
use reapi::compressor::Value as Compressor;
use tonic::Code;

use crate::harness::{Served, block_on, bytes, number, wire};

#[test]
fn capabilities_say_what_is_served() {
    let served = Served::start_with(|settings| settings.read_only = true);
    block_on(async {
        let request = reapi::GetCapabilitiesRequest { instance_name: "any".into() };
        let answer = served.capabilities().await.get_capabilities(request).await.unwrap();
        let answer = answer.into_inner();
        let (low, high) = (answer.low_api_version.unwrap(), answer.high_api_version.unwrap());
        assert_eq!((low.major, low.minor, high.major, high.minor), (2, 0, 2, 11));
        assert_eq!(answer.execution_capabilities, None);
        let cache = answer.cache_capabilities.unwrap();
        for function in DigestFunction::ALL {
            assert!(cache.digest_functions.contains(&number(function)));
        }
        assert_eq!(cache.supported_compressors, [Compressor::Zstd as i32]);
        assert_eq!(cache.supported_batch_update_compressors, [Compressor::Zstd as i32]);
        assert!(cache.max_batch_total_size_bytes < 4 << 20);
        assert!(!cache.action_cache_update_capabilities.unwrap().update_enabled);
    });
}

#[test]
fn only_the_named_instance_is_served() {
    let served = Served::start_with(|settings| settings.instance = Some("main".into()));
    block_on(async {
        let mut client = served.capabilities().await;
        let request = |name: &str| reapi::GetCapabilitiesRequest { instance_name: name.into() };
        client.get_capabilities(request("main")).await.unwrap();
        for other in ["", "other"] {
            let status = client.get_capabilities(request(other)).await.unwrap_err();
            assert_eq!(status.code(), Code::InvalidArgument, "{status}");
        }
    });
}

#[test]
fn a_batch_goes_in_and_comes_out() {
    let served = Served::start();
    block_on(async {
        let mut cas = served.cas().await;
        for function in DigestFunction::ALL {
            let blobs = [0, 1, 64 << 10, 1 << 20].map(bytes);
            let digests = blobs.each_ref().map(|blob| wire(&Digest::of(function, blob)));
            let find = reapi::FindMissingBlobsRequest {
                blob_digests: digests.to_vec(),
                digest_function: number(function),
                ..Default::default()
            };
            let missing = cas.find_missing_blobs(find.clone()).await.unwrap().into_inner();
            // The empty blob always exists.
            assert_eq!(missing.missing_blob_digests, digests[1..]);
            let requests = blobs.iter().zip(&digests).enumerate().map(|(at, (blob, digest))| {
                let zstd = at % 2 == 1;
                let data = if zstd { zstd::encode_all(&**blob, 3).unwrap() } else { blob.clone() };
                let compressor = if zstd { Compressor::Zstd } else { Compressor::Identity } as i32;
                Request { digest: Some(digest.clone()), data, compressor }
            });
            let update = reapi::BatchUpdateBlobsRequest {
                requests: requests.collect(),
                digest_function: number(function),
                ..Default::default()
            };
            let updated = cas.batch_update_blobs(update).await.unwrap().into_inner();
            assert!(updated.responses.iter().all(|one| one.status.as_ref().unwrap().code == 0));
            let missing = cas.find_missing_blobs(find).await.unwrap().into_inner();
            assert_eq!(missing.missing_blob_digests, []);
            for zstd in [false, true] {
                let acceptable = if zstd { vec![Compressor::Zstd as i32] } else { Vec::new() };
                let read = reapi::BatchReadBlobsRequest {
                    digests: digests.to_vec(),
                    acceptable_compressors: acceptable,
                    digest_function: number(function),
                    ..Default::default()
                };
                let read = cas.batch_read_blobs(read).await.unwrap().into_inner();
                for (one, blob) in read.responses.iter().zip(&blobs) {
                    let is_packed = one.compressor == Compressor::Zstd as i32;
                    assert!(zstd || !is_packed);
                    let packed = || zstd::decode_all(&*one.data).unwrap();
                    let data = if is_packed { packed() } else { one.data.clone() };
                    assert_eq!(&data, blob);
                }
            }
        }
    });
}

#[test]
fn a_bad_blob_does_not_spoil_its_batch() {
    let served = Served::start();
    block_on(async {
        let mut cas = served.cas().await;
        let good = Digest::of(DigestFunction::Sha256, b"good");
        let other = Digest::of(DigestFunction::Sha256, b"evil");
        let bomb = zstd::encode_all(&*vec![0; 64 << 20], 3).unwrap();
        let request = |digest: &Digest, data: &[u8], compressor: Compressor| Request {
            digest: Some(wire(digest)),
            data: data.to_vec(),
            compressor: compressor as i32,
        };
        let update = reapi::BatchUpdateBlobsRequest {
            requests: vec![
                request(&good, b"good", Compressor::Identity),
                request(&other, b"good", Compressor::Identity),
                request(&other, &bomb, Compressor::Zstd),
                request(&other, b"evil", Compressor::Deflate),
                request(&other, b"evil", Compressor::Zstd),
                Request::default(),
            ],
            ..Default::default()
        };
        let responses = cas.batch_update_blobs(update).await.unwrap().into_inner().responses;
        let codes = responses.iter().map(|one| one.status.as_ref().unwrap().code);
        let invalid = Code::InvalidArgument as i32;
        assert_eq!(codes.collect::<Vec<_>>(), [0, invalid, invalid, invalid, invalid, invalid]);
        assert!(served.store.contains(&good) && !served.store.contains(&other));
        let read = reapi::BatchReadBlobsRequest {
            digests: vec![wire(&other), wire(&good)],
            ..Default::default()
        };
        let responses = cas.batch_read_blobs(read).await.unwrap().into_inner().responses;
        assert_eq!(responses[0].status.as_ref().unwrap().code, Code::NotFound as i32);
        assert_eq!(responses[1].data, b"good");
    });
}

#[test]
fn a_batch_that_is_too_large_is_refused() {
    let served = Served::start();
    block_on(async {
        let mut cas = served.cas().await;
        let blob = bytes(5 << 20);
        let digest = Digest::of(DigestFunction::Sha256, &blob);
        let request = Request { digest: Some(wire(&digest)), data: blob.clone(), compressor: 0 };
        let update =
            reapi::BatchUpdateBlobsRequest { requests: vec![request], ..Default::default() };
        let status = cas.batch_update_blobs(update).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{status}");
        assert!(!served.store.contains(&digest));
        served.put(DigestFunction::Sha256, &blob);
        let read =
            reapi::BatchReadBlobsRequest { digests: vec![wire(&digest)], ..Default::default() };
        let status = cas.batch_read_blobs(read).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{status}");
    });
}

#[test]
fn unknown_functions_and_broken_digests_are_refused() {
    let served = Served::start();
    block_on(async {
        let mut cas = served.cas().await;
        let good = wire(&Digest::of(DigestFunction::Sha256, b"x"));
        let find = |digest: &reapi::Digest, digest_function| reapi::FindMissingBlobsRequest {
            blob_digests: vec![digest.clone()],
            digest_function,
            ..Default::default()
        };
        let negative = reapi::Digest { size_bytes: -1, ..good.clone() };
        let short = reapi::Digest { hash: "abc".into(), ..good.clone() };
        for request in [find(&good, 2), find(&good, 99), find(&negative, 0), find(&short, 0)] {
            let status = cas.find_missing_blobs(request).await.unwrap_err();
            assert_eq!(status.code(), Code::InvalidArgument, "{status}");
        }
    });
}
