//! The faults that are tried.

use crate::op::{Op, Speaks};

/// Something that goes wrong between client and server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The body of an answer ends early; sometimes its head says so.
    CutAnswer,
    /// The body of an upload ends early, as if that were all.
    CutRequest,
    /// One bit in the body of an answer is wrong.
    FlipInAnswer,
    /// One bit in the body of an upload is wrong.
    FlipInRequest,
    /// The bytes are those of another blob.
    OtherBlob,
    /// The result is that of another action.
    OtherResult,
    /// The result names blobs that nobody has, and was not signed like that.
    ForgedResult,
    /// The server has lost the blobs that its results name.
    BlobsGone,
    /// The body is none of the protocol's.
    Garbage,
    /// The body unpacks to far more than was asked for.
    Bomb,
    /// The head of the answer is far too large.
    HugeHead,
    /// The body of the answer does not end.
    HugeBody,
    /// The answer is an HTTP status, maybe with a time to wait for.
    Status(u16, Option<&'static str>),
    /// The answer is a status of gRPC.
    Code(tonic::Code),
    /// The connection is reset.
    Reset,
    /// A byte passes each second.
    Drip,
    /// Nothing passes any more.
    Stall,
    /// Every second or third connection is closed at once, and all others after some bytes.
    Close,
    /// The server says that it will close the connection, and does.
    GoAway,
    /// The server's certificate has expired.
    ExpiredCertificate,
    /// Nobody whom the client trusts has signed the server's certificate.
    UntrustedCertificate,
    /// The server is stopped during an upload, and started again.
    Restart,
    /// The disk of the server is full.
    FullDisk,
    /// The connection breaks in the middle of a message about an operation.
    BrokenWait,
    /// The cluster is stopped while an operation is waited for, and started again.
    RestartWait,
}

impl Fault {
    /// Tells if requests of this kind are harmed.
    pub(crate) fn concerns(self, op: Op) -> bool {
        match self {
            Self::CutRequest | Self::FlipInRequest => op.is_write(),
            Self::OtherBlob | Self::BlobsGone | Self::Bomb => op.is_read(),
            Self::OtherResult | Self::ForgedResult => op == Op::ReadResult,
            // A client asks for the capabilities once and believes them, so one wrong bit there may make it read-only.
            Self::CutAnswer | Self::FlipInAnswer => {
                op.is_read() || matches!(op, Op::ReadResult | Op::Missing)
            }
            // Nobody can tell that a server says that it has taken something and has not.
            Self::HugeBody => !op.is_write() && op != Op::Missing,
            _ => true,
        }
    }

    /// Tells if this harms connections, and not single requests.
    pub(crate) fn is_of_the_line(self, speaks: Speaks) -> bool {
        match self {
            Self::Reset | Self::Drip | Self::Stall | Self::Close | Self::Restart => true,
            Self::GoAway => speaks == Speaks::Grpc,
            Self::ExpiredCertificate | Self::UntrustedCertificate | Self::FullDisk => true,
            Self::BrokenWait | Self::RestartWait => true,
            _ => false,
        }
    }

    /// Tells if the client can't know that this is a fault: what a server lacks is no trouble.
    pub(crate) fn is_quiet(self) -> bool {
        matches!(self, Self::BlobsGone | Self::Status(404, _) | Self::Code(tonic::Code::NotFound))
    }

    /// Tells if what a client has written may not be what arrives.
    pub(crate) fn changes_uploads(self) -> bool {
        matches!(self, Self::CutRequest | Self::FlipInRequest)
    }

    /// Returns a word that has to be in what is told; there may be several such words.
    pub(crate) fn words(self) -> &'static [&'static str] {
        match self {
            Self::OtherBlob | Self::Bomb => &["wrong bytes"],
            Self::OtherResult | Self::ForgedResult => &["no trusted key"],
            Self::Status(401, _) => &["refused"],
            Self::Status(403, _) => &["refused"],
            Self::Status(429, _) => &["429"],
            Self::Status(500, _) => &["500"],
            Self::Status(503, _) => &["503"],
            Self::Code(tonic::Code::Unauthenticated) => &["UNAUTHENTICATED"],
            Self::Code(tonic::Code::PermissionDenied) => &["PERMISSION_DENIED"],
            Self::Code(tonic::Code::ResourceExhausted) => &["RESOURCE_EXHAUSTED"],
            Self::Code(tonic::Code::Internal) => &["INTERNAL"],
            Self::Code(tonic::Code::Unavailable) => &["UNAVAILABLE"],
            Self::Drip | Self::Stall => &["no answer within"],
            Self::ExpiredCertificate => &["certificate expired"],
            Self::UntrustedCertificate => &["invalid peer certificate"],
            Self::FullDisk => &["507", "RESOURCE_EXHAUSTED"],
            _ => &[""],
        }
    }
}
