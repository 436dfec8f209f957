//! The arguments with which a call is made in the place of a thread's own.

/// New arguments, by their places.
#[derive(Default)]
pub(super) struct Changes {
    pub values: Vec<(usize, u64)>,
    /// Arguments that are to be the address of these bytes.
    pub texts: Vec<(usize, Vec<u8>)>,
    /// An argument that is to be a list of strings: of texts, and of addresses after them.
    pub list: Option<(usize, Vec<Vec<u8>>, Vec<u64>)>,
}

impl Changes {
    /// All new arguments, and what has to be at `room` for them.
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
