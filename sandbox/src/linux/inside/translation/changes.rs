//! Says what happens to a call: whether it is made, and with which arguments.

use rustix::io::Errno;

/// Says what happens to a call.
pub(super) enum Verdict {
    /// The call is made as it is.
    Unchanged,
    /// The call is not made, and returns this result.
    Result(i64),
    /// The call is made with other arguments.
    Changed(Changes),
}

impl From<Errno> for Verdict {
    fn from(error: Errno) -> Self {
        Self::Result(-i64::from(error.raw_os_error()))
    }
}

/// Holds new arguments with their positions.
#[derive(Default)]
pub(super) struct Changes {
    pub values: Vec<(usize, u64)>,
    /// The arguments that become the addresses of these bytes.
    pub texts: Vec<(usize, Vec<u8>)>,
    /// An argument that becomes a list of strings: these texts, and then the strings at these
    /// addresses.
    pub list: Option<(usize, Vec<Vec<u8>>, Vec<u64>)>,
}

impl Changes {
    /// Returns all new arguments, and the bytes that have to be at the address `room` for them.
    pub(super) fn at(&self, room: u64) -> (Vec<(usize, u64)>, Vec<u8>) {
        let (mut values, mut bytes) = (self.values.clone(), Vec::new());
        let put = |bytes: &mut Vec<u8>, text: &[u8]| {
            let at = room + bytes.len() as u64;
            bytes.extend_from_slice(text);
            bytes.push(0);
            at
        };
        for (argument, text) in &self.texts {
            values.push((*argument, put(&mut bytes, text)));
        }
        if let Some((argument, texts, rest)) = &self.list {
            let first: Vec<u64> = texts.iter().map(|text| put(&mut bytes, text)).collect();
            bytes.resize(bytes.len().next_multiple_of(8), 0);
            values.push((*argument, room + bytes.len() as u64));
            let all = first.iter().chain(rest).chain(&[0]);
            all.for_each(|address| bytes.extend_from_slice(&address.to_ne_bytes()));
        }
        (values, bytes)
    }
}
