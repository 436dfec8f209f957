//! Tests that the sandbox's own loopback interface is the only network.

use std::net::{TcpListener, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};

use crate::harness::Lab;

crate::tests![nothing_is_reachable, loopback_works];

fn nothing_is_reachable(lab: &Lab) {
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let name = format!("sandbox-test-{}", std::process::id());
    let _abstract =
        UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    let path = lab.root.join("socket");
    let _path = UnixListener::bind(&path).unwrap();
    let checks = [
        (format!("tcp={}", tcp.local_addr().unwrap()), "ECONNREFUSED"),
        ("tcp=8.8.8.8:53".into(), "ENETUNREACH"),
        ("tcp=10.0.0.1:80".into(), "ENETUNREACH"),
        ("tcp=[2001:4860:4860::8888]:53".into(), "ENETUNREACH"),
        ("udp=8.8.8.8:53".into(), "ENETUNREACH"),
        (format!("abstract={name}"), "ECONNREFUSED"),
        (format!("unix={}", path.display()), "ENOENT"),
    ];
    let words: Vec<&str> =
        ["connect"].into_iter().chain(checks.iter().map(|(word, _)| word.as_str())).collect();
    let expect: String = checks.iter().map(|(word, answer)| format!("{word} {answer}\n")).collect();
    assert_eq!(lab.stdout(&lab.probe(&words)), expect);
    // A datagram is sent inside the sandbox and never arrives here.
    lab.stdout(&lab.probe(&["connect", &format!("udp={}", udp.local_addr().unwrap())]));
    udp.set_nonblocking(true).unwrap();
    assert!(udp.recv(&mut [0]).is_err());
}

fn loopback_works(lab: &Lab) {
    assert_eq!(lab.stdout(&lab.probe(&["listen", "127.0.0.1:0"])), "connect ok\n");
    // Some kernels put idle tunnel devices into every namespace. None of these has an address.
    let script = "grep -B1 'host LOCAL' /proc/net/fib_trie | grep -o '[0-9.]*$' | sort -u";
    assert_eq!(lab.lines(script), ["127.0.0.0", "127.0.0.1"]);
}
