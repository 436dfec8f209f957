//! Names the functions of the digests by which lockfiles pin packages.
//!
//! A digest is compared where its lockfile is understood. This is for those who say afterwards what was pinned.

/// The function of a digest in a lockfile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinFunction {
    /// SHA-256 of the package's file.
    Sha256,
    /// SHA-384 of the package's file.
    Sha384,
    /// SHA-512 of the package's file.
    Sha512,
    /// The hash of a Go module, `h1:` in go.sum.
    DirHash,
    /// The name of a commit of Git.
    GitCommit,
}
