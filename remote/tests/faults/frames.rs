//! The messages in the body of a gRPC call: each has a flag and its length in front.

use prost::Message;

/// Splits a body into its messages.
pub(crate) fn messages(mut body: &[u8]) -> Vec<&[u8]> {
    let mut messages = Vec::new();
    while let Some((head, rest)) = body.split_at_checked(5) {
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
        messages.push(&rest[..length]);
        body = &rest[length..];
    }
    messages
}

/// Puts a flag and a length in front of a message.
pub(crate) fn framed(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[0], &length[..], message].concat()
}

/// Changes the only message of a body.
pub(crate) fn change<M: Message + Default>(body: &[u8], change: impl FnOnce(&mut M)) -> Vec<u8> {
    let mut message = M::decode(messages(body)[0]).unwrap();
    change(&mut message);
    framed(&message.encode_to_vec())
}
