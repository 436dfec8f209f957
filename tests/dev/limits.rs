//! Bad clients and bad components hurt nobody else.

use std::io::Write as _;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::client::{ask, get};
use super::{Dev, page, ready_made};

#[test]
fn slow_clients_and_endless_requests_hurt_nobody() {
    let workspace = ready_made(&[("page", page("page-0001"), "")], "");
    let dev = Dev::start(&workspace, &[]);
    dev.wait_for("/text", 200, "page-0001");
    let mut slow: Vec<TcpStream> = Vec::new();
    for number in 0..200 {
        let mut stream = TcpStream::connect(&dev.address).unwrap();
        let head = match number % 2 {
            0 => "GET /text HTT",
            _ => "POST /text HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\nx",
        };
        stream.write_all(head.as_bytes()).unwrap();
        slow.push(stream);
    }
    let endless = std::thread::spawn({
        let address = dev.address.clone();
        move || ask(&address, "GET", "/loop", &[], b"")
    });
    for _ in 0..20 {
        let began = Instant::now();
        assert_eq!(get(&dev.address, "/text", &[]).text(), "page-0001");
        assert!(began.elapsed() < Duration::from_secs(5), "it took {:?}", began.elapsed());
    }
    drop(dev);
    let _ = endless.join().unwrap();
}

#[test]
fn heads_and_bodies_are_bounded() {
    let workspace = ready_made(&[("page", page("page-0001"), "")], "");
    let dev = Dev::start(&workspace, &[]);
    dev.wait_for("/text", 200, "page-0001");
    let long = "x".repeat(100_000);
    // The answer may be lost, because the server closes the connection before it has read everything.
    let answer = ask(&dev.address, "GET", "/text", &[("x-long", &long)], b"");
    assert!(answer.as_ref().map_or(431, |answer| answer.status) == 431, "{answer:?}");
    assert_eq!(ask(&dev.address, "POST", "/text", &[], &[b'x'; 1 << 20]).unwrap().status, 200);
    assert_eq!(dev.get("/text").text(), "page-0001");
}
