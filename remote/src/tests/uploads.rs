//! Uploads that a server refuses, and uploads of what is not there.

use super::server::{Fault, Op, Server, Speaks};
use super::{Sample, client, client_of, never, settings, troubles, with_both};
use crate::Kept;

#[test]
fn refused_uploads_turn_uploads_off_and_reads_go_on() {
    with_both(|server, function| {
        let sample = Sample::new(function, 1000);
        let store = &sample.place.store;
        for (status, op) in [(403, Op::WriteBlob), (401, Op::WriteBlob), (405, Op::WriteResult)] {
            let client = client_of(&server);
            server.fail(op, Fault::Status(status), usize::MAX);
            assert_eq!(client.keep(&sample.key, &sample.result, store, &never), Kept::Off);
            let told = troubles(&client);
            assert!(told.len() == 1 && told[0].contains(" refused to upload a "), "{told:?}");
            let before = client.traffic();
            assert_eq!(client.keep(&sample.key, &sample.result, store, &never), Kept::Off);
            assert_eq!((client.traffic(), troubles(&client)), (before, vec![]));
            server.mend();
            assert_eq!(client.result(&sample.key, &never), None);
            assert_eq!(client.traffic().calls, before.calls + 1, "reads go on");
            assert!(!client.is_down());
        }
    });
}

#[test]
fn a_server_that_rejects_one_write_is_told_of() {
    with_both(|server, function| {
        let sample = Sample::new(function, 1000);
        let client = client_of(&server);
        server.fail(Op::WriteResult, Fault::Status(400), 1);
        let store = &sample.place.store;
        assert_eq!(client.keep(&sample.key, &sample.result, store, &never), Kept::Failed);
        let told = troubles(&client);
        let expect = " rejected a request to upload a result: it answered ";
        assert!(told.len() == 1 && told[0].contains(expect), "{told:?}");
        assert_eq!(client.keep(&sample.key, &sample.result, store, &never), Kept::Uploaded);
    });
}

#[test]
fn nothing_is_uploaded_where_uploads_are_off() {
    with_both(|server, function| {
        let sample = Sample::new(function, 1000);
        let client = client(crate::Settings { upload: false, ..settings(&server.url()) });
        let kept = client.keep(&sample.key, &sample.result, &sample.place.store, &never);
        assert_eq!(kept, Kept::Off);
        assert_eq!(server.count(""), 0);
    });
    let server = Server::start(Speaks::Grpc).odd(|odd| odd.update_enabled = false);
    let sample = Sample::new(cache::DigestFunction::Blake3, 1000);
    let client = client_of(&server);
    client.negotiate(&never).unwrap();
    let kept = client.keep(&sample.key, &sample.result, &sample.place.store, &never);
    assert_eq!((kept, server.count("PUT")), (Kept::Off, 0));
    let host = server.address;
    let expect = format!(
        "the cache at {host} refused to upload a result: it answered that it takes no results"
    );
    assert_eq!(troubles(&client), [expect]);
}

#[test]
fn a_result_is_not_uploaded_without_its_blobs() {
    with_both(|server, function| {
        let sample = Sample::new(function, 1000);
        let client = client_of(&server);
        let gone = cache::Digest::of(function, b"never stored");
        let check = |change: &dyn Fn(&mut cache::reapi::ActionResult)| {
            let mut result = sample.result.clone();
            change(&mut result);
            let store = &sample.place.store;
            assert_eq!(client.keep(&sample.key, &result, store, &never), Kept::Failed);
            assert_eq!(server.count("PUT ac/"), 0);
        };
        check(&|result| result.output_files[0].digest = Some(gone.to_reapi()));
        let expect = format!("a result was not uploaded, because the store lacks {gone}");
        assert_eq!(troubles(&client), [expect]);
        check(&|result| result.stderr_digest = Some(gone.to_reapi()));
        check(&|result| result.output_directories[0].root_directory_digest = Some(gone.to_reapi()));
        check(&|result| result.output_files[0].digest = None);
        let expect = "a result was not uploaded, because its output `large` has no usable digest";
        assert_eq!(troubles(&client), [expect]);
        let store = &sample.place.store;
        assert_eq!(client.keep(&gone, &sample.result, store, &never), Kept::Failed);
        assert_eq!(client.keep(&sample.key, &sample.result, store, &never), Kept::Uploaded);
    });
}

#[test]
fn a_result_whose_blobs_are_gone_is_uploaded_again() {
    with_both(|server, function| {
        let sample = Sample::new(function, 100 << 10);
        let client = client_of(&server);
        let keep = || client.keep(&sample.key, &sample.result, &sample.place.store, &never);
        assert_eq!((keep(), keep()), (Kept::Uploaded, Kept::AlreadyThere));
        server.shared.blobs.lock().unwrap().remove(&sample.large.hex());
        assert_eq!(keep(), Kept::Uploaded);
        assert!(server.has(&sample.large));
        let uploads = server.count(&format!("PUT cas/{}", sample.large.hex()));
        assert_eq!(uploads, 2, "what is there is not sent again");
    });
}

#[test]
fn a_server_that_lacks_what_nobody_has_asked_for_is_not_believed() {
    let server = Server::start(Speaks::Grpc);
    let sample = Sample::new(cache::DigestFunction::Blake3, 1000);
    let client = client_of(&server);
    server.fail(Op::Missing, Fault::Other, 1);
    let keep = || client.keep(&sample.key, &sample.result, &sample.place.store, &never);
    assert_eq!((keep(), server.count("PUT ac/")), (Kept::Failed, 0));
    let told = troubles(&client);
    assert!(told.len() == 1 && told[0].contains("blobs that were not asked for"), "{told:?}");
    assert_eq!(keep(), Kept::Uploaded);
}

#[test]
fn a_blob_that_was_damaged_on_disk_is_not_sent() {
    use std::os::unix::fs::PermissionsExt as _;
    with_both(|server, function| {
        let sample = Sample::new(function, 5 << 20);
        let path = sample.place.store.blob_path(&sample.large, false).unwrap().unwrap();
        // A write that the store's stat can't notice: same size, same time.
        let time = std::fs::metadata(&path).unwrap().modified().unwrap();
        let mut bytes = sample.large_bytes();
        bytes[4 << 20] ^= 1;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        std::fs::write(&path, bytes).unwrap();
        let file = std::fs::File::open(&path).unwrap();
        file.set_modified(time).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o444)).unwrap();
        let client = client_of(&server);
        let kept = client.keep(&sample.key, &sample.result, &sample.place.store, &never);
        assert_eq!(kept, Kept::Failed);
        assert!(!server.has(&sample.large));
        assert_eq!(server.count("PUT ac/"), 0);
    });
}
