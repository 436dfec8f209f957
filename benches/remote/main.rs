//! Measures the shared cache over loopback, at no distance and at 50 ms: `run`'s client with `run cache serve`, nginx with
//! WebDAV and buildbox-casd, against curl where that speaks the protocol.
//!
//! `cargo bench -p run --bench remote [blobs] [build]`; without words both. `blobs` moves 1,000 blobs of 4 KiB and one of
//! 256 MiB, up and down. `build` builds a project of 1,000 ready-made components with an empty home and a cache that has
//! everything. The distance is made by a proxy in this process (see `distance`), because netem is not in every kernel.
//! Needs `curl`, `nginx`, and `python3` with pip, which installs buildbox-casd.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

mod blobs;
mod build;
mod curl;
mod distance;
#[path = "../../tests/shared_cache/servers.rs"]
#[expect(dead_code, reason = "the tests need more of it")]
mod servers;

use std::time::{Duration, Instant};

use self::distance::Distance;
use self::servers::Server;

/// The round-trip times that are measured.
const ROUND_TRIPS: [Duration; 2] = [Duration::ZERO, Duration::from_millis(50)];

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let is_asked = |word: &str| {
        words.iter().any(|asked| asked == word) || !words.iter().any(|word| !word.starts_with('-'))
    };
    if is_asked("blobs") {
        measure_blobs();
    }
    if is_asked("build") {
        let server = Server::own(&[]);
        for url in [server.grpc(), server.url.clone()] {
            build::measure(&url);
        }
    }
}

fn measure_blobs() {
    let own = Server::own(&["--max-blob", "1GiB"]);
    let (nginx, casd) = (Server::nginx(), Server::casd());
    let servers = [
        ("run cache serve, gRPC", own.grpc()),
        ("run cache serve, HTTP", own.url.clone()),
        ("nginx, HTTP", nginx.url.clone()),
        ("buildbox-casd, gRPC", casd.url.clone()),
    ];
    for (name, url) in servers {
        for round_trip in ROUND_TRIPS {
            let distance = Distance::new(&url, round_trip);
            blobs::measure(&format!("{name}, {} ms", round_trip.as_millis()), &distance.url);
        }
    }
}

/// Returns the seconds that some work takes.
fn seconds(work: impl FnOnce()) -> f64 {
    let started = Instant::now();
    work();
    started.elapsed().as_secs_f64()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
