//! Servers that answer with a status and nothing else.

use tonic::Code;

use crate::fault::Fault;
use crate::op::Speaks;
use crate::runner::{try_all, try_with};

#[test]
fn statuses_of_http() {
    let plain = [401, 403, 404, 429, 500].map(|status| Fault::Status(status, None));
    let waiting = [Fault::Status(429, Some("1")), Fault::Status(503, Some("100000"))];
    try_all(&[&plain[..], &waiting[..]].concat());
}

#[test]
fn statuses_of_grpc() {
    let codes = [
        Code::Unauthenticated,
        Code::PermissionDenied,
        Code::NotFound,
        Code::ResourceExhausted,
        Code::Internal,
        Code::Unavailable,
    ];
    try_with(&[Speaks::Grpc], &codes.map(Fault::Code));
}
