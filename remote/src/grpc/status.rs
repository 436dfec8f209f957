//! Says what the status of a gRPC call means.

use std::error::Error as _;

use bazel_remote_apis::google::rpc;
use tonic::{Code, Status};

use crate::failure::{Failure, plain};

/// Turns the status of a call into a failure.
pub(super) fn failure(status: &Status) -> Failure {
    let text = described(status.code(), status.message());
    match status.code() {
        Code::Unauthenticated | Code::PermissionDenied => Failure::Refused(text),
        Code::Unavailable if is_local(status) => Failure::Unreachable(plain(status.message())),
        _ if broke(status) => Failure::Unreachable(plain(status.message())),
        Code::Unavailable | Code::ResourceExhausted | Code::Aborted | Code::DeadlineExceeded => {
            Failure::Failing { status: text, wait: None }
        }
        _ => Failure::Rejected(text),
    }
}

/// Reads the status of one blob of a batch; `Ok` if it is fine.
pub(super) fn of_blob(status: Option<&rpc::Status>) -> Result<(), (Code, Failure)> {
    match status {
        None => Ok(()),
        Some(status) if status.code == 0 => Ok(()),
        Some(status) => {
            let status = Status::new(Code::from_i32(status.code), status.message.clone());
            Err((status.code(), failure(&status)))
        }
    }
}

/// Tells if the server can't go on in the middle of a stream.
pub(super) fn is_about_the_offset(code: Code) -> bool {
    matches!(code, Code::Unimplemented | Code::OutOfRange | Code::InvalidArgument)
}

/// Tells if the status was made here, because there is no connection.
fn is_local(status: &Status) -> bool {
    status.metadata().is_empty() && status.message().starts_with("client error")
}

/// Tells if the connection broke, for which the code differs from case to case.
fn broke(status: &Status) -> bool {
    let text = status.message();
    status.source().is_some()
        || ["h2 protocol error", "Unexpected EOF", "protocol error: missing grpc-status"]
            .iter()
            .any(|start| text.starts_with(start))
}

fn described(code: Code, message: &str) -> String {
    let name = name(code);
    let message = plain(message);
    if message.is_empty() { name } else { format!("{name} ({message})") }
}

/// Returns the name of a code as the documents of gRPC spell it.
fn name(code: Code) -> String {
    let mut name = String::new();
    for letter in format!("{code:?}").chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_pass_is_tried_again() {
        let check = |code, passing| {
            assert_eq!(failure(&Status::new(code, "no")).is_passing(), passing, "{code:?}");
        };
        for code in [Code::Unavailable, Code::ResourceExhausted, Code::Aborted] {
            check(code, true);
        }
        for code in [Code::Unauthenticated, Code::PermissionDenied, Code::InvalidArgument] {
            check(code, false);
        }
        check(Code::Internal, false);
        assert!(failure(&Status::internal("h2 protocol error: reset")).is_passing());
        assert_eq!(
            failure(&Status::permission_denied("no\u{1b}[31m\nmore")),
            Failure::Refused("PERMISSION_DENIED (no?[31m)".to_owned())
        );
    }
}
