//! Limits that the settings put on a client, and what it does before it is asked for anything.

use std::time::{Duration, Instant};

use cache::Digest;

use super::{Place, Sample, client, never, settings, troubles, with_both};
use crate::{Client, Content, Kept, Proxies, Settings, Tls};

#[test]
fn bandwidth_is_capped_in_both_directions() {
    with_both(|server, function| {
        let sample = Sample::new(function, 400 << 10);
        // The time-out is shorter than the transfer, which must not count as a stall.
        let capped = || {
            let bandwidth = Some(400 << 10);
            client(Settings { bandwidth, retries: 0, ..settings(&server.url()) })
        };
        let check = |call: &dyn Fn(&Client)| {
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

#[test]
fn nothing_is_started_before_something_is_asked() {
    with_both(|server, function| {
        let client = client(settings(&server.url()));
        assert!(!client.is_down() && client.may_execute());
        assert_eq!((client.traffic().calls, troubles(&client)), (0, vec![]));
        assert!(!client.is_started());
        let key = Digest::of(function, b"key");
        assert_eq!(client.result(&key, &never), None);
        assert!(client.is_started() && client.clone().is_started());
    });
}

#[test]
fn settings_that_are_wrong_are_told_before_something_is_asked() {
    let roots = Some(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----".to_vec());
    let tls = Tls { roots, client: None };
    let proxies = |proxy: &str| Proxies { all: Some(proxy.to_owned()), ..Proxies::default() };
    let check = |changed: &dyn Fn(Settings) -> Settings, urls: &[&str], expect: &str| {
        for url in urls {
            let error = Client::new(changed(settings(url))).unwrap_err().to_string();
            assert!(error.contains(expect), "{url}: {error}");
        }
    };
    let (http, grpc) = ("http://cache:1", "grpc://cache:1");
    let with_tls = |settings| Settings { tls: tls.clone(), ..settings };
    check(&with_tls, &[http, grpc], "the extra roots can't be used");
    let with_socks = |settings| Settings { proxies: proxies("socks5://proxy:1"), ..settings };
    check(&with_socks, &[grpc], "gRPC can't be spoken through the proxy");
    let with_none = |settings| Settings { proxies: proxies("no url: at all"), ..settings };
    check(&with_none, &[http], "a proxy can't be used");
}
