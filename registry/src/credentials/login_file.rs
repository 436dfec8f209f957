//! The file of `run login`: a TOML table for each host. Only its owner may read it.
//!
//! A file that others may read is refused, because its credentials have to count as known to them. Changes are
//! made under a lock, in a new file that takes the place of the old one.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::failure::CredentialsError;
use super::host::Host;
use crate::secret::Secret;

/// The largest file of credentials that is read, in bytes.
pub(crate) const LARGEST: u64 = 4 << 20;

/// The credentials that a user logs in with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    /// A name and a password.
    Password {
        /// The user's name.
        user: String,
        /// The password, or a token that stands for it.
        password: Secret,
    },
    /// A token that is sent as it is (RFC 6750).
    Token(Secret),
}

/// A login as it stands in the file.
#[derive(Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Stored {
    Password { user: String, password: String },
    Token { token: String },
}

/// Stores a login for a host, in place of an earlier one.
///
/// # Errors
/// The file can't be used or written.
pub fn login(file: &Path, host: &Host, login: Login) -> Result<(), CredentialsError> {
    change(file, |logins| {
        logins.insert(host.clone(), login);
        true
    })
    .map(drop)
}

/// Forgets the login of a host. Returns false if there is none.
///
/// # Errors
/// The file can't be used or written.
pub fn logout(file: &Path, host: &Host) -> Result<bool, CredentialsError> {
    if !file.exists() {
        return Ok(false);
    }
    change(file, |logins| logins.remove(host).is_some())
}

/// Returns all logins of the file. A file that does not exist has none.
///
/// # Errors
/// The file can't be read, is malformed, or others may read it.
pub fn logins(file: &Path) -> Result<BTreeMap<Host, Login>, CredentialsError> {
    let failed = |source| failed("read", file, source);
    let opened = match File::open(file) {
        Ok(opened) => opened,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(failed(error)),
    };
    let mode = opened.metadata().map_err(failed)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(CredentialsError::Open { path: file.to_owned(), mode });
    }
    let mut text = String::new();
    opened.take(LARGEST).read_to_string(&mut text).map_err(failed)?;
    let malformed = |reason: String| CredentialsError::Malformed { path: file.to_owned(), reason };
    // The message of the parser would show the line with the secret.
    let stored: BTreeMap<String, Stored> = toml::from_str(&text).map_err(|error| {
        let line = error.span().map(|span| text[..span.start].matches('\n').count() + 1);
        malformed(
            line.map_or_else(|| "it is not such a file".to_owned(), |line| format!("line {line}")),
        )
    })?;
    let mut logins = BTreeMap::new();
    for (host, stored) in stored {
        let host = host.parse().map_err(|error: super::HostError| malformed(error.to_string()))?;
        logins.insert(host, stored.into());
    }
    Ok(logins)
}

/// Changes the logins if `change` returns true, and returns what it returned.
fn change(
    file: &Path,
    change: impl FnOnce(&mut BTreeMap<Host, Login>) -> bool,
) -> Result<bool, CredentialsError> {
    let failed = |source| failed("write", file, source);
    let folder = file.parent().unwrap_or(Path::new("/"));
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(".lock");
    let lock = folder.join(name);
    let lock = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(lock);
    let lock = lock.map_err(failed)?;
    lock.lock().map_err(failed)?;
    let mut logins = logins(file)?;
    if !change(&mut logins) {
        return Ok(false);
    }
    let stored: BTreeMap<String, Stored> =
        logins.into_iter().map(|(host, login)| (host.to_string(), login.into())).collect();
    let text = toml::to_string(&stored).map_err(|error| failed(io::Error::other(error)))?;
    // A temporary file has mode 0600 from the beginning.
    let mut temporary = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    let head = "# Written by `run login`. Whoever can read this file can use these credentials.\n";
    temporary.write_all(head.as_bytes()).map_err(failed)?;
    temporary.write_all(text.as_bytes()).map_err(failed)?;
    temporary.as_file().sync_all().map_err(failed)?;
    fs::set_permissions(temporary.path(), fs::Permissions::from_mode(0o600)).map_err(failed)?;
    temporary.persist(file).map_err(|error| failed(error.error))?;
    Ok(true)
}

fn failed(action: &'static str, file: &Path, source: io::Error) -> CredentialsError {
    CredentialsError::File { action, path: file.to_owned(), source }
}

impl From<Stored> for Login {
    fn from(stored: Stored) -> Self {
        match stored {
            Stored::Password { user, password } => {
                Self::Password { user, password: Secret::new(password) }
            }
            Stored::Token { token } => Self::Token(Secret::new(token)),
        }
    }
}

impl From<Login> for Stored {
    fn from(login: Login) -> Self {
        match login {
            Login::Password { user, password } => {
                Self::Password { user, password: password.reveal().to_owned() }
            }
            Login::Token(token) => Self::Token { token: token.reveal().to_owned() },
        }
    }
}
