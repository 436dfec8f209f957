//! Tells what a request asks for, in either protocol.

use http::{Method, request::Parts};

/// The protocol of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speaks {
    Http,
    Grpc,
}

/// The kind of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    Capabilities,
    ReadResult,
    WriteResult,
    Missing,
    /// A batch of blobs; HTTP has none.
    ReadBatch,
    ReadBlob,
    WriteBatch,
    WriteBlob,
    Other,
}

impl Op {
    pub(crate) fn of(head: &Parts) -> Self {
        let path = head.uri.path();
        let is_result = path.contains("/ac/");
        match (&head.method, path.rsplit('/').next().unwrap_or_default()) {
            (&Method::HEAD, _) => Self::Missing,
            (&Method::GET, _) if is_result => Self::ReadResult,
            (&Method::GET, _) => Self::ReadBlob,
            (&Method::PUT, _) if is_result => Self::WriteResult,
            (&Method::PUT, _) => Self::WriteBlob,
            (_, "GetCapabilities") => Self::Capabilities,
            (_, "GetActionResult") => Self::ReadResult,
            (_, "UpdateActionResult") => Self::WriteResult,
            (_, "FindMissingBlobs") => Self::Missing,
            (_, "BatchReadBlobs") => Self::ReadBatch,
            (_, "Read") => Self::ReadBlob,
            (_, "BatchUpdateBlobs") => Self::WriteBatch,
            (_, "Write") => Self::WriteBlob,
            _ => Self::Other,
        }
    }

    /// Tells if this reads a blob or more.
    pub(crate) fn is_read(self) -> bool {
        matches!(self, Self::ReadBlob | Self::ReadBatch)
    }

    /// Tells if this changes something on the server.
    pub(crate) fn is_write(self) -> bool {
        matches!(self, Self::WriteResult | Self::WriteBlob | Self::WriteBatch)
    }
}
