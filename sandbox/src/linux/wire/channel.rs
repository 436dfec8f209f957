//! Sends and receives messages with descriptors, over a socket that keeps message boundaries.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::{Errno, Result, retry_on_intr};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};

use super::report::{REPORT_SIZE, Report};

/// A number that is larger than the number of descriptors in any message.
const MAX_FDS: usize = 8;

/// Creates a channel and returns its two ends. Other programs inherit neither of them.
pub(in crate::linux) fn pair() -> Result<(OwnedFd, OwnedFd)> {
    socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
}

/// Sends one message.
pub(in crate::linux) fn send(to: impl AsFd, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() {
        control.push(SendAncillaryMessage::ScmRights(fds));
    }
    let parts = [IoSlice::new(bytes)];
    retry_on_intr(|| sendmsg(&to, &parts, &mut control, SendFlags::NOSIGNAL)).map(drop)
}

/// Sends a report.
pub(in crate::linux) fn report(
    to: impl AsFd,
    report: Report,
    fds: &[BorrowedFd<'_>],
) -> Result<()> {
    send(to, &report.encode(), fds)
}

/// Receives one message into `buffer`. Returns its length, which is 0 if the other end is closed,
/// and its descriptors.
pub(in crate::linux) fn receive(
    from: impl AsFd,
    buffer: &mut [u8],
) -> Result<(usize, Vec<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut parts = [IoSliceMut::new(buffer)];
    let message =
        retry_on_intr(|| recvmsg(&from, &mut parts, &mut control, RecvFlags::CMSG_CLOEXEC))?;
    let mut fds = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            fds.extend(rights);
        }
    }
    Ok((message.bytes, fds))
}

/// Receives a report. Returns `None` if the other end is closed.
pub(in crate::linux) fn receive_report(from: impl AsFd) -> Result<Option<(Report, Vec<OwnedFd>)>> {
    let mut buffer = [0; REPORT_SIZE];
    match receive(from, &mut buffer) {
        Ok((0, _)) | Err(Errno::CONNRESET) => Ok(None),
        Ok((length, fds)) => {
            let report = Report::decode(&buffer[..length]).ok_or(Errno::PROTO)?;
            Ok(Some((report, fds)))
        }
        Err(error) => Err(error),
    }
}
