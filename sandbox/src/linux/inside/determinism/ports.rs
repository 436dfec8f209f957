//! Gives ports to Internet sockets, and names to Unix sockets, if the command doesn't choose them.
//! The kernel would draw them at random; here they are counted.
//!
//! An Internet socket gets its port when the kernel would draw one: when it is bound to port 0, and
//! when it connects, listens or sends (`sendto`) without being bound. Then process 1 binds a copy
//! of the descriptor, and after that the kernel makes the call. A Unix socket gets its name when it
//! is bound without one.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, bind, getsockname, sockopt};
use rustix::process::Pid;

use super::reply::failed;
use super::thread::Thread;
use crate::linux::sys::notify::Answer;
use crate::linux::sys::trace::read_memory;

/// Linux draws ports from this range.
const FIRST: u16 = 32_768;
const LAST: u16 = 60_999;

/// Counts the ports and names that were given to sockets.
#[derive(Default)]
pub(super) struct Ports {
    numbers: u16,
    names: u32,
}

/// Holds the arguments of `bind`.
pub(super) struct Bind {
    /// The descriptor of the socket.
    pub fd: i32,
    /// The place in memory of the socket's address.
    pub address: u64,
    pub length: u64,
}

impl Ports {
    /// Answers a thread that binds a socket to an address.
    pub(super) fn bind(&mut self, pid: Pid, thread: &mut Thread, arguments: &Bind) -> Answer {
        let &Bind { fd, address: at, length } = arguments;
        let mut bytes = [0; 28];
        let length = bytes.len().min(length as u32 as usize);
        if length < 2 {
            return Answer::Continue;
        }
        if read_memory(pid, at, &mut bytes[..length]) != Ok(length) {
            return Answer::Result(-i64::from(libc::EFAULT));
        }
        let family = i32::from(u16::from_ne_bytes([bytes[0], bytes[1]]));
        let asked = match family {
            libc::AF_INET if length >= 16 => {
                let address: [u8; 4] = bytes[4..8].try_into().expect("it is four bytes");
                SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::from(address), port(&bytes)))
            }
            libc::AF_INET6 if length >= 28 => {
                let address: [u8; 16] = bytes[8..24].try_into().expect("it is sixteen bytes");
                let scope = u32::from_ne_bytes(bytes[24..28].try_into().expect("it is four bytes"));
                let address = SocketAddrV6::new(Ipv6Addr::from(address), port(&bytes), 0, scope);
                SocketAddr::V6(address)
            }
            libc::AF_UNIX if length == 2 => return self.name(thread.descriptor(pid, fd)),
            _ => return Answer::Continue,
        };
        match thread.descriptor(pid, fd) {
            Some(socket) if asked.port() == 0 => match self.give(&socket, asked) {
                Ok(()) => Answer::Result(0),
                Err(error) => failed(error),
            },
            _ => Answer::Continue,
        }
    }

    /// Gives a port to a socket that a thread is about to use in a way that needs one.
    pub(super) fn use_of(&mut self, pid: Pid, thread: &mut Thread, fd: i32) -> Answer {
        if let Some(socket) = thread.descriptor(pid, fd) {
            // If the socket can't be bound here, the kernel binds it or refuses the call.
            let _ = self.give_if_none(&socket);
        }
        Answer::Continue
    }

    fn give_if_none(&mut self, socket: &OwnedFd) -> Result<(), Errno> {
        let family = sockopt::socket_domain(socket)?;
        if family != AddressFamily::INET && family != AddressFamily::INET6 {
            return Ok(());
        }
        let bound = SocketAddr::try_from(getsockname(socket)?)?;
        match bound.port() {
            0 => self.give(socket, bound),
            _ => Ok(()),
        }
    }

    /// Binds a socket to this address and the next free port.
    fn give(&mut self, socket: &OwnedFd, mut address: SocketAddr) -> Result<(), Errno> {
        for _ in FIRST..=LAST {
            address.set_port(FIRST + self.numbers);
            self.numbers = (self.numbers + 1) % (LAST - FIRST + 1);
            match bind(socket, &address) {
                Err(Errno::ADDRINUSE) => {}
                done => return done,
            }
        }
        Err(Errno::ADDRINUSE)
    }

    /// Binds a Unix socket to the next name, which has the form that the kernel draws.
    fn name(&mut self, socket: Option<OwnedFd>) -> Answer {
        let Some(socket) = socket else { return Answer::Continue };
        loop {
            let name = format!("{:05x}", self.names);
            self.names = (self.names + 1) & 0xf_ffff;
            let address = SocketAddrUnix::new_abstract_name(name.as_bytes());
            match address.and_then(|address| bind(&socket, &address)) {
                Err(Errno::ADDRINUSE) if self.names != 0 => {}
                Ok(()) => return Answer::Result(0),
                Err(error) => return failed(error),
            }
        }
    }
}

fn port(address: &[u8]) -> u16 {
    u16::from_be_bytes([address[2], address[3]])
}
