//! The last bytes of an output.

/// Keeps the last `limit` bytes that were written. The end matters most when a component fails, and a component that writes
/// without end must neither fill the memory nor be stopped by a full pipe.
#[derive(Clone, Debug)]
pub(crate) struct Tail {
    limit: usize,
    bytes: Vec<u8>,
}

impl Tail {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, bytes: Vec::new() }
    }

    pub(crate) fn push(&mut self, new: &[u8]) {
        self.bytes.extend_from_slice(&new[new.len().saturating_sub(self.limit)..]);
        // The beginning is cut off only when twice the limit is reached, so that most writes move no bytes.
        if self.bytes.len() > self.limit.saturating_mul(2) {
            let surplus = self.bytes.len() - self.limit;
            self.bytes.drain(..surplus);
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[self.bytes.len().saturating_sub(self.limit)..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_kept() {
        let mut tail = Tail::new(4);
        for byte in b"0123456789" {
            tail.push(&[*byte]);
        }
        assert_eq!(tail.bytes(), b"6789");
        tail.push(b"abc");
        assert_eq!(tail.bytes(), b"9abc");
        tail.push(&[b'x'; 100]);
        assert_eq!(tail.bytes(), b"xxxx");
    }
}
