//! Tries to reach sockets of the host from a pair of connected sockets. A command without its own
//! network may have no others.
#![expect(clippy::print_stdout, reason = "the test reads standard output")]

use libc::c_long;

use crate::syscall::{answer, call};

/// A `sockaddr_un`, and the number of its bytes that count.
struct Address([u8; 110], c_long);

impl Address {
    /// Makes an address. A name that is not a path begins with a zero byte.
    fn new(name: &[u8]) -> Self {
        let mut bytes = [0; 110];
        bytes[..2].copy_from_slice(&(libc::AF_UNIX as u16).to_ne_bytes());
        bytes[2..2 + name.len()].copy_from_slice(name);
        Self(bytes, 2 + name.len() as c_long)
    }

    fn at(&self) -> c_long {
        self.0.as_ptr() as c_long
    }
}

fn address_of<T>(value: &T) -> c_long {
    std::ptr::from_ref(value) as c_long
}

/// Sends to sockets of the host, by path and by abstract name, from pairs of every kind.
pub(crate) fn pairs(path: &str, name: &str) {
    let kinds = [
        ("stream", libc::SOCK_STREAM),
        ("datagram", libc::SOCK_DGRAM),
        ("flagged", libc::SOCK_DGRAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK),
        ("raw", libc::SOCK_RAW),
        ("packet", libc::SOCK_SEQPACKET),
    ];
    let unix = c_long::from(libc::AF_UNIX);
    let goals =
        [("path", path.as_bytes().to_vec()), ("abstract", [b"\0", name.as_bytes()].concat())];
    for (kind, number) in kinds {
        for (goal, address) in &goals {
            let address = Address::new(address);
            let pair = [0_i32; 2];
            let made = answer(libc::SYS_socketpair, &[unix, number.into(), 0, address_of(&pair)]);
            println!("{kind} {goal} pair {made}");
            if made == "ok" {
                send(&format!("{kind} {goal}"), pair, &address);
            }
        }
    }
    for family in [libc::AF_TIPC, libc::AF_VSOCK, libc::AF_NETLINK] {
        let pair = [0_i32; 2];
        let arguments = [family.into(), libc::SOCK_STREAM.into(), 0, address_of(&pair)];
        println!("family - {family} {}", answer(libc::SYS_socketpair, &arguments));
    }
}

/// Tries every way to send from the first socket of a pair to somebody else than the second.
fn send(what: &str, [one, other]: [i32; 2], address: &Address) {
    let (one, byte) = (c_long::from(one), b"!");
    let part = [byte.as_ptr() as c_long, 1];
    let message = [address.at(), address.1, address_of(&part), 1, 0, 0, 0];
    let messages = [message, [0; 7]].concat();
    // The call does not wait if nobody reads.
    let flags = c_long::from(libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL);
    let ways: &[(&str, c_long, &[c_long])] = &[
        ("sendto", libc::SYS_sendto, &[one, part[0], 1, flags, address.at(), address.1]),
        ("sendmsg", libc::SYS_sendmsg, &[one, address_of(&message), flags]),
        ("sendmmsg", libc::SYS_sendmmsg, &[one, messages.as_ptr() as c_long, 1, flags]),
        ("connect", libc::SYS_connect, &[one, address.at(), address.1]),
        ("bind", libc::SYS_bind, &[other.into(), address.at(), address.1]),
        ("bind-any", libc::SYS_bind, &[other.into(), address.at(), 2]),
        ("listen", libc::SYS_listen, &[other.into(), 1]),
    ];
    for (name, number, arguments) in ways {
        println!("{what} {name} {}", answer(*number, arguments));
    }
    // What was not refused must arrive at the other end of the pair, and nowhere else.
    let plain = [one, part[0], 1, flags, 0, 0];
    println!("{what} plain {}", answer(libc::SYS_sendto, &plain));
    let mut room = [0_u8; 16];
    let received = [other.into(), room.as_mut_ptr() as c_long, 16, flags, 0, 0];
    let count = call(libc::SYS_recvfrom, &received).unwrap_or(0);
    println!("{what} received {}", if count > 0 { "ok" } else { "nothing" });
}
