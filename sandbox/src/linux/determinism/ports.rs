//! The ports of sockets that don't care: the kernel draws them by lot, here they are counted.
//!
//! A socket gets its port where the kernel would draw one: when it is bound to port 0, and when it connects,
//! listens or sends without being bound. Process 1 binds it, by a copy of the descriptor, and the call goes
//! on.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, bind, getsockname, sockopt};
use rustix::process::Pid;

use super::thread::Thread;
use crate::linux::sys::notify::{Answer, descriptor_of};
use crate::linux::sys::trace::read_memory;

/// The range that Linux draws from.
const FIRST: u16 = 32_768;
const LAST: u16 = 60_999;

/// How many were given to sockets so far.
#[derive(Default)]
pub(super) struct Ports {
    numbers: u16,
    names: u32,
}

impl Ports {
    /// A thread binds the socket `fd` to the address of `length` bytes at `at`.
    pub(super) fn bind(
        &mut self,
        pid: Pid,
        thread: &mut Thread,
        fd: i32,
        (at, length): (u64, u64),
    ) -> Answer {
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
                Err(error) => Answer::Result(-i64::from(error.raw_os_error())),
            },
            _ => Answer::Continue,
        }
    }

    /// A thread is about to use a socket in a way that gives it a port.
    pub(super) fn use_of(&mut self, pid: Pid, thread: &mut Thread, fd: i32) -> Answer {
        if let Some(socket) = thread.descriptor(pid, fd) {
            // What can't be bound here, the kernel binds or refuses.
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

    /// Binds a socket to this address and the next port that is free.
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

    /// Binds a socket of the local kind to the next name, of the form that the kernel draws.
    fn name(&mut self, socket: Option<OwnedFd>) -> Answer {
        let Some(socket) = socket else { return Answer::Continue };
        loop {
            let name = format!("{:05x}", self.names);
            self.names = (self.names + 1) & 0xf_ffff;
            let address = SocketAddrUnix::new_abstract_name(name.as_bytes());
            match address.and_then(|address| bind(&socket, &address)) {
                Err(Errno::ADDRINUSE) if self.names != 0 => {}
                Ok(()) => return Answer::Result(0),
                Err(error) => return Answer::Result(-i64::from(error.raw_os_error())),
            }
        }
    }
}

fn port(address: &[u8]) -> u16 {
    u16::from_be_bytes([address[2], address[3]])
}

impl Thread {
    /// A copy of one of its descriptors.
    fn descriptor(&mut self, pid: Pid, fd: i32) -> Option<OwnedFd> {
        let process = self.process_of(pid)?;
        descriptor_of(process.pidfd.as_fd(), fd).ok()
    }
}
