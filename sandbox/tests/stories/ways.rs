//! Files and sockets are out of reach by whatever they are named: a path that only the kernel can read, a link
//! of `/proc`, a descriptor, a pair of sockets.

use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use sandbox::{Determinism, Isolation, Spec};

use crate::harness::Lab;

crate::tests![pairs_of_sockets_reach_nobody_else];

/// With and without the determinism layer.
fn both(spec: &Spec) -> [Spec; 2] {
    [None, Some(Determinism::at(0))].map(|determinism| Spec { determinism, ..spec.clone() })
}

fn words_of<const N: usize>(line: &str) -> [&str; N] {
    line.split(' ').collect::<Vec<_>>().try_into().unwrap_or_else(|_| panic!("{line}"))
}

fn pairs_of_sockets_reach_nobody_else(lab: &Lab) {
    let path = lab.root.join("socket");
    let name =
        format!("sandbox-test-{}-{}", std::process::id(), rustix::process::geteuid().as_raw());
    let abstract_name = SocketAddr::from_abstract_name(&name).unwrap();
    let sockets = [UnixDatagram::bind(&path), UnixDatagram::bind_addr(&abstract_name)];
    let sockets = sockets.map(|socket| {
        let socket = socket.unwrap();
        socket.set_nonblocking(true).unwrap();
        socket
    });
    let arrived = || sockets.iter().any(|socket| socket.recv(&mut [0; 8]).is_ok());
    let isolation = lab.sandbox.isolation();
    for spec in both(&lab.probe(&["pairs", path.to_str().unwrap(), &name])) {
        let said = lab.stdout(&spec);
        // Without a guard, the network is the machine's: that is what the attempts are worth.
        assert_eq!(arrived(), isolation == Isolation::None, "{said}");
        for line in said.lines() {
            let [kind, _, what, answer] = words_of(line);
            let is_connected = ["stream", "packet"].contains(&kind);
            let expect: &[&str] = match (what, isolation) {
                _ if kind == "family" => &["EAFNOSUPPORT"],
                (_, Isolation::None) => continue,
                ("pair", Isolation::Weak) if !is_connected => &["EACCES"],
                ("pair" | "plain" | "received", _) if is_connected => &["ok"],
                ("sendto" | "connect" | "bind" | "bind-any", Isolation::Weak) => &["EACCES"],
                _ => continue,
            };
            assert!(expect.contains(&answer), "{line}");
        }
    }
}
