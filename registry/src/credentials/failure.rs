//! The reasons why stored credentials can't be used.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// The reason why stored credentials can't be used. It never shows what is stored.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// A file can't be read or written.
    #[error("cannot {action} the credentials in {}", .path.display())]
    File {
        /// The thing that was to be done, such as `read`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The error of the system.
        #[source]
        source: io::Error,
    },
    /// Others may read or change the file of `run login`.
    #[error(
        "the credentials in {} are not used, because other users may read or change the file (mode {mode:03o}): \
         `chmod 600` it, and get new credentials if others use this machine",
        .path.display()
    )]
    Open {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// A file is malformed. The reason says where, and not what stands there.
    #[error("the credentials in {} are malformed: {reason}", .path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
    /// The name of a credential helper is no name of a program.
    #[error("`{name}` in {} is not the name of a credential helper", .path.display())]
    HelperName {
        /// The name.
        name: String,
        /// Docker's configuration.
        path: PathBuf,
    },
    /// A credential helper is not installed.
    #[error("the credential helper `{program}`, which {} names for {host}, is in no folder of PATH", .path.display())]
    NoHelper {
        /// The program.
        program: String,
        /// The host.
        host: String,
        /// Docker's configuration.
        path: PathBuf,
    },
    /// A credential helper can't be run, or its answer can't be read.
    #[error("cannot run the credential helper `{program}`")]
    Helper {
        /// The program.
        program: String,
        /// The error of the system.
        #[source]
        source: io::Error,
    },
    /// A credential helper failed, or its answer is not what the protocol demands.
    #[error("the credential helper `{program}` has no credentials for {host}: {reason}")]
    HelperFailed {
        /// The program.
        program: String,
        /// The host.
        host: String,
        /// The reason.
        reason: String,
    },
    /// A credential helper does not end.
    #[error("the credential helper `{program}` took longer than {} s and was ended", .limit.as_secs_f32())]
    HelperSlow {
        /// The program.
        program: String,
        /// The limit.
        limit: Duration,
    },
    /// Credentials have characters that no HTTP header may have.
    #[error("the credentials of {from} have characters that can't be sent")]
    Unsendable {
        /// The place where they came from.
        from: String,
    },
}
