//! Limits that the settings put on a client.

use std::time::{Duration, Instant};

use super::{Place, Sample, client, never, settings, troubles, with_both};
use crate::{Content, Kept};

#[test]
fn bandwidth_is_capped_in_both_directions() {
    with_both(|server, function| {
        let sample = Sample::new(function, 400 << 10);
        // The time-out is shorter than the transfer, which must not count as a stall.
        let capped = || {
            let bandwidth = Some(400 << 10);
            client(crate::Settings { bandwidth, retries: 0, ..settings(&server.url()) })
        };
        let check = |call: &dyn Fn(&crate::Client)| {
            let (client, started) = (capped(), Instant::now());
            call(&client);
            let took = started.elapsed();
            assert!(took > Duration::from_millis(600), "{took:?}");
            assert!(took < Duration::from_secs(4), "{took:?}");
            assert_eq!(troubles(&client), [""; 0]);
        };
        check(&|client| {
            let kept = client.keep(&sample.key, &sample.result, &sample.place.store, &never);
            assert_eq!(kept, Kept::Uploaded);
        });
        let there = Place::new(function);
        check(&|client| {
            assert!(client.fetch(&[Content::File(sample.large)], &there.store, &never));
        });
    });
}
