//! Keeps one output stream of a command, up to a size. If there is more, the middle is left out.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;

use rustix::io::{Errno, read};

/// The first and the last bytes of a stream.
#[derive(Debug)]
pub(super) struct Capture {
    head: Vec<u8>,
    head_cap: usize,
    tail: VecDeque<u8>,
    tail_cap: usize,
    dropped: u64,
}

impl Capture {
    /// Creates a capture that keeps `cap` bytes: half of them from the beginning, half from the
    /// end.
    pub(super) fn new(cap: usize) -> Self {
        let head_cap = cap.div_ceil(2);
        let (head, tail) = (Vec::new(), VecDeque::new());
        Self { head, head_cap, tail, tail_cap: cap - head_cap, dropped: 0 }
    }

    fn push(&mut self, bytes: &[u8]) {
        let room = self.head_cap - self.head.len();
        let (head, rest) = bytes.split_at(room.min(bytes.len()));
        self.head.extend_from_slice(head);
        let (old, tail) = rest.split_at(rest.len().saturating_sub(self.tail_cap));
        let excess = (self.tail.len() + tail.len()).saturating_sub(self.tail_cap);
        self.tail.drain(..excess);
        self.tail.extend(tail);
        self.dropped += (old.len() + excess) as u64;
    }

    /// Returns what was kept, with a note where bytes are missing, and whether any are missing.
    pub(super) fn finish(self) -> (Vec<u8>, bool) {
        let mut bytes = self.head;
        if self.dropped > 0 {
            bytes.extend(format!("\n[... {} bytes left out ...]\n", self.dropped).as_bytes());
        }
        bytes.extend(self.tail);
        (bytes, self.dropped > 0)
    }
}

/// Reads a pipe into a capture.
#[derive(Debug)]
pub(super) struct Stream {
    /// The pipe, which is non-blocking. `None` once it has ended.
    pub pipe: Option<OwnedFd>,
    pub capture: Capture,
}

impl Stream {
    /// Reads once. Returns `false` if there is nothing more to read now. A pipe that gives an error
    /// has ended.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> bool {
        let Some(pipe) = &self.pipe else { return false };
        match read(pipe, &mut *buffer) {
            Ok(length) if length > 0 => self.capture.push(&buffer[..length]),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return false,
            _ => self.pipe = None,
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_both_ends() {
        let check = |cap, pieces: &[&str], expect: &str| {
            let mut capture = Capture::new(cap);
            pieces.iter().for_each(|piece| capture.push(piece.as_bytes()));
            let (bytes, truncated) = capture.finish();
            assert_eq!(String::from_utf8(bytes).unwrap(), expect, "{cap} {pieces:?}");
            assert_eq!(truncated, expect.contains("left out"));
        };
        check(4, &[], "");
        check(4, &["abcd"], "abcd");
        check(4, &["ab", "c", "d"], "abcd");
        check(4, &["abcde"], "ab\n[... 1 bytes left out ...]\nde");
        check(4, &["abc", "def", "ghi"], "ab\n[... 5 bytes left out ...]\nhi");
        check(5, &["abcdefgh"], "abc\n[... 3 bytes left out ...]\ngh");
        check(0, &["abc"], "\n[... 3 bytes left out ...]\n");
        check(1, &["abc"], "a\n[... 2 bytes left out ...]\n");
    }
}
