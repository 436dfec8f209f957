//! Credentials as they are sent.

use super::login_file::Login;
use crate::secret::Secret;

/// The credentials that are sent to a registry, or to its server of tokens.
#[derive(Clone, Debug)]
pub(crate) enum Credential {
    /// A token that is sent as it is.
    Bearer(Secret),
    /// A name and a password, sent to the registry or for a token.
    Basic { user: String, password: Secret },
    /// A token that a server of tokens takes for others (docker's identity token).
    Refresh(Secret),
}

/// A credential with the place where it came from.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) credential: Credential,
    pub(crate) from: String,
}

impl From<Login> for Credential {
    fn from(login: Login) -> Self {
        match login {
            Login::Password { user, password } => Self::Basic { user, password },
            Login::Token(token) => Self::Bearer(token),
        }
    }
}

impl Credential {
    /// Returns the part that nobody may see.
    pub(crate) const fn secret(&self) -> &Secret {
        match self {
            Self::Bearer(secret) | Self::Refresh(secret) | Self::Basic { password: secret, .. } => {
                secret
            }
        }
    }
}
