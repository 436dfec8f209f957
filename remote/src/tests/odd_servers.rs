//! Servers that work and differ from what a client might expect.

use cache::DigestFunction;

use super::conformance::round_trip;
use super::server::{Fault, Oddity, Op, Server, Speaks};
use super::{Place, Sample, client, client_of, hurdle, never, settings, troubles};
use crate::{Content, Kept};

/// The size of a file that needs a stream.
const LARGE: usize = 5 << 20;

fn large(server: &Server) -> Sample {
    let sample = Sample::new(DigestFunction::Blake3, LARGE);
    let bytes = sample.large_bytes();
    server.shared.blobs.lock().unwrap().insert(sample.large.hex(), bytes);
    sample
}

#[test]
fn odd_capabilities_are_respected() {
    let check = |what: &str, function, change: fn(&mut Oddity)| {
        round_trip(&Server::start(Speaks::Grpc).odd(change), function, what);
    };
    use DigestFunction::{Blake3, Sha256};
    check("a limit of 64 KiB", Blake3, |odd| odd.batch_limit = 65536);
    check("no limit", Blake3, |odd| odd.batch_limit = 0);
    check("no zstd", Blake3, |odd| odd.zstd = false);
    check("another order", Blake3, |odd| odd.reverse = true);
    check("SHA-256 only", Sha256, |odd| odd.functions = vec![1]);
    check("all at once", Sha256, |odd| {
        *odd = Oddity {
            batch_limit: 65536,
            zstd: false,
            functions: vec![1, 4711],
            reverse: true,
            no_offsets: true,
            no_query: true,
            update_enabled: true,
            forgetful: false,
            executes: false,
        };
    });
}

#[test]
fn http_uploads_are_packed_only_for_servers_that_say_so() {
    for zstd in [true, false] {
        let server = Server::start(Speaks::Http).odd(|odd| odd.zstd = zstd);
        round_trip(&server, DigestFunction::Sha256, "zstd");
        assert_eq!(server.count("zstd body") > 0, zstd);
    }
}

#[test]
fn large_files_are_streamed_both_ways() {
    for zstd in [true, false] {
        let server = Server::start(Speaks::Grpc).odd(|odd| odd.zstd = zstd);
        let sample = Sample::new(DigestFunction::Blake3, LARGE);
        let client = client_of(&server);
        let kept = client.keep(&sample.key, &sample.result, &sample.place.store, &never);
        assert_eq!((kept, troubles(&client)), (Kept::Uploaded, vec![]));
        assert_eq!(server.count("write"), 1);
        let there = Place::new(DigestFunction::Blake3);
        assert!(client.fetch(&sample.contents(), &there.store, &never));
        assert!(sample.is_in(&there.store));
    }
}

#[test]
fn a_broken_download_goes_on_where_it_broke() {
    for (zstd, no_offsets) in [(false, false), (true, false), (false, true), (true, true)] {
        let server = Server::start(Speaks::Grpc).odd(|odd| {
            odd.zstd = zstd;
            odd.no_offsets = no_offsets;
        });
        let (sample, there) = (large(&server), Place::new(DigestFunction::Blake3));
        server.fail(Op::ReadBlob, Fault::Broken, 1);
        let client = client_of(&server);
        assert!(client.fetch(&[Content::File(sample.large)], &there.store, &never));
        assert_eq!(there.store.get(&sample.large).unwrap(), Some(sample.large_bytes()));
        assert_eq!(server.count("at middle"), 1, "zstd: {zstd}");
        assert_eq!(server.count("at start"), if no_offsets { 2 } else { 1 });
        assert_eq!(troubles(&client), [""; 0]);
    }
}

#[test]
fn a_download_survives_a_broken_connection() {
    for speaks in [Speaks::Http, Speaks::Grpc] {
        let server = Server::start(speaks).odd(|odd| odd.zstd = false);
        let (sample, there) = (large(&server), Place::new(DigestFunction::Blake3));
        let line = hurdle::breaking(server.address, 3 << 20);
        let client = client(settings(&server.url_at(line)));
        assert!(client.fetch(&[Content::File(sample.large)], &there.store, &never));
        assert_eq!(there.store.get(&sample.large).unwrap(), Some(sample.large_bytes()));
    }
}

#[test]
fn a_broken_upload_goes_on_where_it_broke() {
    for (zstd, no_query) in [(false, false), (true, false), (false, true), (true, true)] {
        let server = Server::start(Speaks::Grpc).odd(|odd| {
            odd.zstd = zstd;
            odd.no_query = no_query;
            // The batches are not what is tested.
            odd.batch_limit = 1 << 20;
        });
        let sample = Sample::new(DigestFunction::Blake3, LARGE);
        let client = client_of(&server);
        // All but the large file is there, so the fault hits its stream.
        let store = &sample.place.store;
        let mut small = sample.result.clone();
        small.output_files.clear();
        assert_eq!(client.keep(&sample.key, &small, store, &never), Kept::Uploaded);
        server.fail(Op::WriteBlob, Fault::Broken, 1);
        assert_eq!(client.keep(&sample.key, &sample.result, store, &never), Kept::Uploaded);
        assert!(server.has(&sample.large) && server.is_sound(DigestFunction::Blake3));
        let middle = format!("PUT cas/{} at middle", sample.large.hex());
        assert_eq!(server.count(&middle), usize::from(!no_query), "zstd: {zstd}");
        assert_eq!(troubles(&client), [""; 0]);
    }
}

#[test]
fn an_early_answer_to_an_upload_is_success() {
    for zstd in [true, false] {
        let server = Server::start(Speaks::Grpc).odd(|odd| {
            odd.zstd = zstd;
            odd.forgetful = true;
        });
        let sample = Sample::new(DigestFunction::Blake3, LARGE);
        let client = client_of(&server);
        for _ in 0..2 {
            let kept = client.keep(&sample.key, &sample.result, &sample.place.store, &never);
            assert_eq!((kept, troubles(&client)), (Kept::Uploaded, vec![]));
        }
        assert_eq!(server.count("write"), 2);
    }
}

#[test]
fn what_packs_to_nearly_nothing_travels_whole() {
    for speaks in [Speaks::Http, Speaks::Grpc] {
        let server = Server::start(speaks);
        let here = Place::new(DigestFunction::Blake3);
        let zeros = here.store.put(&vec![0; 12 << 20]).unwrap();
        let mut sample = Sample::new(DigestFunction::Blake3, 1000);
        sample.place.store.put(&vec![0; 12 << 20]).unwrap();
        sample.result.output_files[0].digest = Some(zeros.to_reapi());
        let client = client_of(&server);
        let store = &sample.place.store;
        assert_eq!(client.keep(&sample.key, &sample.result, store, &never), Kept::Uploaded);
        let there = Place::new(DigestFunction::Blake3);
        assert!(client.fetch(&[Content::File(zeros)], &there.store, &never));
        assert!(client.traffic().bytes_down < 1 << 20);
    }
}
