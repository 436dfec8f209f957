//! Everything that can keep a request from success, with the status that it has in HTTP and in gRPC.

use std::io;

use cache::{Digest, StoreError, is_out_of_space};
use http::StatusCode;
use tonic::{Code, Status};

/// The reason why a request failed. The text is what the client sees.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("{0}")]
    Invalid(String),
    #[error("the body does not have the digest under which it was sent")]
    WrongDigest,
    #[error("{0} is not in the cache")]
    NotFound(String),
    #[error("only GET, HEAD and PUT are served here")]
    WrongMethod,
    #[error("blob {0}, which the action result names, is not in the cache; upload it first")]
    Incomplete(Digest),
    #[error("the body is larger than this server accepts: at most {0} bytes")]
    TooLarge(u64),
    #[error("the offset is behind the end of the blob, which has {0} bytes")]
    OutOfRange(u64),
    #[error("a body that is compressed with `{0}` is not supported, only zstd is")]
    Encoding(String),
    #[error("this needs a token")]
    NeedsToken,
    #[error("the token does not allow uploads, or this server does not accept any")]
    Refused,
    #[error("no byte arrived for too long")]
    Slow,
    #[error("the body broke off")]
    BrokenOff,
    #[error("the upload goes on in another request")]
    Superseded,
    #[error("the disk of the cache is full")]
    Full,
    /// The reason is for the operator, not for the client: it may name paths of this machine.
    #[error("the server cannot use its store")]
    Store(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Failure {
    /// Makes a failure of a thread that panicked.
    pub(crate) fn of_thread(error: tokio::task::JoinError) -> Self {
        Self::Store(error.into())
    }

    pub(crate) fn status_code(&self) -> StatusCode {
        match self {
            Self::Invalid(_) | Self::WrongDigest | Self::BrokenOff => StatusCode::BAD_REQUEST,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::WrongMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::Encoding(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::OutOfRange(_) => StatusCode::RANGE_NOT_SATISFIABLE,
            Self::Incomplete(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NeedsToken => StatusCode::UNAUTHORIZED,
            Self::Refused => StatusCode::FORBIDDEN,
            Self::Slow => StatusCode::REQUEST_TIMEOUT,
            Self::Superseded => StatusCode::CONFLICT,
            Self::Full => StatusCode::INSUFFICIENT_STORAGE,
            Self::Store(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::Invalid(_) | Self::Encoding(_) | Self::WrongDigest => Code::InvalidArgument,
            Self::NotFound(_) => Code::NotFound,
            Self::WrongMethod => Code::Unimplemented,
            Self::Incomplete(_) => Code::FailedPrecondition,
            Self::TooLarge(_) | Self::OutOfRange(_) => Code::OutOfRange,
            Self::NeedsToken => Code::Unauthenticated,
            Self::Refused => Code::PermissionDenied,
            Self::Slow => Code::DeadlineExceeded,
            Self::BrokenOff => Code::Cancelled,
            Self::Superseded => Code::Aborted,
            Self::Full => Code::ResourceExhausted,
            Self::Store(_) => Code::Internal,
        }
    }

    /// Returns what the operator should know and the client need not, if there is such a thing.
    pub(crate) fn detail(&self) -> Option<String> {
        let mut source = std::error::Error::source(self)?;
        let mut text = source.to_string();
        while let Some(next) = source.source() {
            text = format!("{text}: {next}");
            source = next;
        }
        Some(text)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Io { ref source, .. } if is_out_of_space(source) => Self::Full,
            error => Self::Store(error.into()),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if is_out_of_space(&error) { Self::Full } else { Self::Store(error.into()) }
    }
}

impl From<Failure> for Status {
    fn from(failure: Failure) -> Self {
        let mut status = Self::new(failure.code(), failure.to_string());
        status.set_source(std::sync::Arc::new(failure));
        status
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_apart_from_other_troubles_of_the_store() {
        let check = |kind: io::ErrorKind, status: u16, code: Code| {
            let store =
                StoreError::Io { action: "write", path: "/secret".into(), source: kind.into() };
            for failure in [Failure::from(store), Failure::from(io::Error::from(kind))] {
                assert_eq!(failure.status_code().as_u16(), status);
                assert!(!failure.to_string().contains("secret"), "{failure}");
                assert_eq!(Status::from(failure).code(), code);
            }
        };
        check(io::ErrorKind::StorageFull, 507, Code::ResourceExhausted);
        check(io::ErrorKind::QuotaExceeded, 507, Code::ResourceExhausted);
        check(io::ErrorKind::PermissionDenied, 500, Code::Internal);
    }

    #[test]
    fn the_operator_sees_the_whole_reason() {
        let source = io::Error::other("broken");
        let store = StoreError::Io { action: "write", path: "/file".into(), source };
        assert_eq!(Failure::from(store).detail().unwrap(), "cannot write `/file`: broken");
        assert_eq!(Failure::WrongDigest.detail(), None);
    }
}
