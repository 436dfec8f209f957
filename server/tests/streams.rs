//! The ByteStream service.

use std::time::Duration;

use bazel_remote_apis::google::bytestream as proto;
use cache::{Digest, DigestFunction};
use proto::byte_stream_client::ByteStreamClient;
use tonic::transport::Channel;
use tonic::{Code, Status};

use crate::harness::{MAX_BLOB, SIZES, Served, block_on, bytes};

fn path(digest: &Digest, compressed: bool) -> String {
    let kind = if compressed { "compressed-blobs/zstd" } else { "blobs" };
    let function = match digest.function() {
        DigestFunction::Blake3 => "blake3/",
        DigestFunction::Sha256 => "",
    };
    format!("{kind}/{function}{}/{}", digest.hex(), digest.size())
}

fn upload(digest: &Digest, compressed: bool) -> String {
    format!("main/uploads/1234/{}", path(digest, compressed))
}

/// Cuts an upload into requests. The last one says that it is the last if `finish` is set.
fn requests(name: &str, body: &[u8], offset: usize, finish: bool) -> Vec<proto::WriteRequest> {
    let mut pieces: Vec<&[u8]> = body.chunks(200_000).collect();
    if pieces.is_empty() {
        pieces.push(b"");
    }
    let last = pieces.len() - 1;
    let requests = pieces.into_iter().enumerate().map(|(at, piece)| proto::WriteRequest {
        resource_name: if at == 0 { name.to_owned() } else { String::new() },
        write_offset: (offset + at * 200_000) as i64,
        finish_write: finish && at == last,
        data: piece.to_vec(),
    });
    requests.collect()
}

async fn write(
    client: &mut ByteStreamClient<Channel>,
    requests: Vec<proto::WriteRequest>,
) -> Result<i64, Status> {
    let answer = client.write(tokio_stream::iter(requests)).await?;
    Ok(answer.into_inner().committed_size)
}

async fn read(
    client: &mut ByteStreamClient<Channel>,
    name: &str,
    read_offset: i64,
    read_limit: i64,
) -> Result<Vec<u8>, Status> {
    let request = proto::ReadRequest { resource_name: name.to_owned(), read_offset, read_limit };
    let mut stream = client.read(request).await?.into_inner();
    let mut bytes = Vec::new();
    while let Some(piece) = stream.message().await? {
        bytes.extend(piece.data);
    }
    Ok(bytes)
}

#[test]
fn blobs_of_all_sizes_and_forms() {
    for function in DigestFunction::ALL {
        for compressed in [false, true] {
            let served = Served::start();
            block_on(async {
                let mut client = served.streams().await;
                for size in SIZES {
                    let blob = bytes(size);
                    let digest = Digest::of(function, &blob);
                    let packed = zstd::encode_all(&*blob, 3).unwrap();
                    let body = if compressed { &packed } else { &blob };
                    let name = upload(&digest, compressed);
                    let written = write(&mut client, requests(&name, body, 0, true)).await.unwrap();
                    let expect = body.len() as i64;
                    let is_early = size == 0 && compressed;
                    assert_eq!(written, if is_early { -1 } else { expect });
                    // The second time the server knows the blob, and takes nothing.
                    let again = write(&mut client, requests(&name, body, 0, true)).await.unwrap();
                    assert_eq!(again, if compressed { -1 } else { size as i64 });
                    let plain = read(&mut client, &path(&digest, false), 0, 0).await.unwrap();
                    assert_eq!(plain, blob);
                    let packed = read(&mut client, &path(&digest, true), 0, 0).await.unwrap();
                    assert_eq!(zstd::decode_all(&*packed).unwrap(), blob);
                }
            });
        }
    }
}

#[test]
fn a_part_of_a_blob() {
    let served = Served::start();
    block_on(async {
        let mut client = served.streams().await;
        for size in [1000, (5 << 20) + 3] {
            let blob = bytes(size);
            let digest = served.put(DigestFunction::Blake3, &blob);
            let (plain, packed) = (path(&digest, false), path(&digest, true));
            assert_eq!(read(&mut client, &plain, 10, 0).await.unwrap(), blob[10..]);
            assert_eq!(read(&mut client, &plain, 10, 500).await.unwrap(), blob[10..510]);
            let end = size as i64;
            assert_eq!(read(&mut client, &plain, end - 5, 500).await.unwrap(), blob[size - 5..]);
            assert_eq!(read(&mut client, &plain, end, 0).await.unwrap(), b"");
            let rest = read(&mut client, &packed, 10, 0).await.unwrap();
            assert_eq!(zstd::decode_all(&*rest).unwrap(), blob[10..]);
            for (name, offset, limit, code) in [
                (&plain, end + 1, 0, Code::OutOfRange),
                (&plain, -1, 0, Code::InvalidArgument),
                (&plain, 0, -1, Code::InvalidArgument),
                (&packed, 0, 5, Code::InvalidArgument),
            ] {
                let status = read(&mut client, name, offset, limit).await.unwrap_err();
                assert_eq!(status.code(), code, "{offset} {limit} {status}");
            }
        }
    });
}

#[test]
fn what_does_not_fit_its_name_stays_out() {
    let served = Served::start();
    block_on(async {
        let mut client = served.streams().await;
        let blob = bytes(2 << 20);
        let digest = Digest::of(DigestFunction::Sha256, &blob);
        let name = upload(&digest, false);
        let mut other = blob.clone();
        other[7] ^= 1;
        let longer = [&*blob, b"more"].concat();
        for body in [&other, &longer, &blob[1..].to_vec()] {
            let status = write(&mut client, requests(&name, body, 0, true)).await.unwrap_err();
            assert_eq!(status.code(), Code::InvalidArgument, "{status}");
        }
        let packed = upload(&digest, true);
        let bomb = zstd::encode_all(&*vec![0; 64 << 20], 3).unwrap();
        for body in [bomb, b"not compressed".to_vec(), zstd::encode_all(&*other, 3).unwrap()] {
            let status = write(&mut client, requests(&packed, &body, 0, true)).await.unwrap_err();
            assert_eq!(status.code(), Code::InvalidArgument, "{status}");
        }
        assert!(!served.store.contains(&digest));
        let status = read(&mut client, &path(&digest, false), 0, 0).await.unwrap_err();
        assert_eq!(status.code(), Code::NotFound);
        let huge = Digest::new(DigestFunction::Sha256, [1; 32], MAX_BLOB + 1);
        let body = requests(&upload(&huge, false), b"x", 0, false);
        let status = write(&mut client, body).await.unwrap_err();
        assert_eq!(status.code(), Code::OutOfRange, "{status}");
    });
}

async fn status(client: &mut ByteStreamClient<Channel>, name: &str) -> (i64, bool) {
    let request = proto::QueryWriteStatusRequest { resource_name: name.to_owned() };
    let answer = client.query_write_status(request).await.unwrap().into_inner();
    (answer.committed_size, answer.complete)
}

#[test]
fn an_upload_goes_on_where_it_broke_off() {
    let served = Served::start();
    block_on(async {
        for compressed in [false, true] {
            let blob = bytes((3 << 20) + usize::from(compressed));
            let digest = Digest::of(DigestFunction::Blake3, &blob);
            let name = upload(&digest, compressed);
            let pack = |bytes: &[u8]| match compressed {
                true => zstd::encode_all(bytes, 3).unwrap(),
                false => bytes.to_vec(),
            };
            let mut client = served.streams().await;
            assert_eq!(status(&mut client, &name).await, (0, false));
            // The connection is closed in the middle: the stream never ends by itself.
            let half = pack(&blob[..2 << 20]);
            let first = requests(&name, &half, 0, false);
            let endless =
                tokio_stream::StreamExt::chain(tokio_stream::iter(first), tokio_stream::pending());
            let mut other = served.streams().await;
            let arrived = async {
                while status(&mut other, &name).await != (2 << 20, false) {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            };
            tokio::select! {
                answer = client.write(endless) => panic!("{answer:?}"),
                arrived = tokio::time::timeout(Duration::from_secs(10), arrived) => arrived.unwrap(),
            }
            drop(client);
            let mut client = served.streams().await;
            let (size, complete) = status(&mut client, &name).await;
            assert_eq!((size, complete), (2 << 20, false));
            let wrong = requests(&name, &pack(b"x"), 17, false);
            let refused = write(&mut client, wrong).await.unwrap_err();
            assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
            let rest = requests(&name, &pack(&blob[2 << 20..]), 2 << 20, true);
            write(&mut client, rest).await.unwrap();
            assert_eq!(status(&mut client, &name).await, (blob.len() as i64, true));
            assert_eq!(served.store.get(&digest).unwrap().unwrap(), blob);
        }
    });
}

#[test]
fn malformed_requests_are_refused() {
    let served = Served::start();
    block_on(async {
        let mut client = served.streams().await;
        let blob = bytes(500_000);
        let digest = Digest::of(DigestFunction::Sha256, &blob);
        for name in ["", "/", "blobs/x/1", "uploads/u/blobs", "a/b/c", &path(&digest, false)[1..]] {
            let status = read(&mut client, name, 0, 0).await.unwrap_err();
            assert_eq!(status.code(), Code::InvalidArgument, "{name} {status}");
            let body = requests(name, b"x", 0, true);
            let status = write(&mut client, body).await.unwrap_err();
            assert_eq!(status.code(), Code::InvalidArgument, "{name} {status}");
        }
        let name = upload(&digest, false);
        let mut gap = requests(&name, &blob, 0, true);
        gap[1].write_offset += 1;
        let mut renamed = requests(&name, &blob, 0, true);
        renamed[1].resource_name = upload(&digest, true);
        let mut negative = requests(&name, &blob, 0, true);
        negative[0].write_offset = -1;
        for body in [gap, renamed, negative, Vec::new()] {
            let status = write(&mut client, body).await.unwrap_err();
            assert_eq!(status.code(), Code::InvalidArgument, "{status}");
        }
        assert!(!served.store.contains(&digest));
    });
}

#[test]
fn a_damaged_blob_is_not_delivered() {
    let served = Served::start();
    block_on(async {
        let mut client = served.streams().await;
        for size in [1000, 3 << 20] {
            let blob = bytes(size);
            let digest = served.put(DigestFunction::Blake3, &blob);
            let file = served.store.blob_path(&digest, false).unwrap().unwrap();
            // The damage is one that no `stat` shows.
            damage(&file);
            let damaged = read(&mut client, &path(&digest, false), 0, 0).await;
            assert!(damaged.is_err());
            let gone = read(&mut client, &path(&digest, false), 0, 0).await.unwrap_err();
            assert_eq!(gone.code(), Code::NotFound, "{gone}");
        }
    });
}

fn damage(path: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let metadata = std::fs::metadata(path).unwrap();
    let times = std::fs::FileTimes::new().set_modified(metadata.modified().unwrap());
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let mut bytes = std::fs::read(path).unwrap();
    bytes[500] ^= 1;
    std::fs::write(path, bytes).unwrap();
    let file = std::fs::File::options().write(true).open(path).unwrap();
    file.set_permissions(metadata.permissions()).unwrap();
    file.set_times(times).unwrap();
}
