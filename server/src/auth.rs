//! Tokens, and what a request may do with the one that it brings.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cache::{Digest, DigestFunction};
use http::HeaderMap;
use http::header::AUTHORIZATION;

use crate::failure::Failure;

/// A secret that gives access. Only its hash is kept, and it is never shown.
#[derive(Clone)]
pub struct Token {
    hash: [u8; 32],
}

/// A token that no client could send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a token has at least one character, and only visible ASCII characters")]
pub struct InvalidToken;

impl Token {
    /// Takes a token. It must consist of visible ASCII characters, because it travels in a header.
    pub fn new(secret: &str) -> Result<Self, InvalidToken> {
        let is_sendable = !secret.is_empty() && secret.bytes().all(|byte| byte.is_ascii_graphic());
        if is_sendable { Ok(Self::hashed(secret.as_bytes())) } else { Err(InvalidToken) }
    }

    fn hashed(secret: &[u8]) -> Self {
        Self { hash: *Digest::of(DigestFunction::Blake3, secret).hash() }
    }

    /// Compares in constant time. Hashes are compared, so the time does not even depend on the length of what was sent.
    fn is(&self, other: &Self) -> bool {
        let pairs = self.hash.iter().zip(&other.hash);
        pairs.fold(0, |differences, (a, b)| differences | (a ^ b)) == 0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// The tokens that reading and writing need.
#[derive(Debug)]
pub(crate) struct Gate {
    pub(crate) read_token: Option<Token>,
    pub(crate) write_token: Option<Token>,
    pub(crate) read_only: bool,
}

/// The rights of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rights {
    pub(crate) read: Right,
    pub(crate) write: Right,
}

/// The answer to the question whether a request may do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Right {
    Granted,
    /// It needs a token, and there was none that is known.
    NeedsToken,
    /// The token does not suffice, or nobody may do it.
    Refused,
}

impl Right {
    pub(crate) fn check(self) -> Result<(), Failure> {
        match self {
            Self::Granted => Ok(()),
            Self::NeedsToken => Err(Failure::NeedsToken),
            Self::Refused => Err(Failure::Refused),
        }
    }
}

impl Gate {
    /// Finds out what a request with these headers may do.
    pub(crate) fn rights(&self, headers: &HeaderMap) -> Rights {
        let sent = credentials(headers);
        let has = |token: &Option<Token>| match (token, &sent) {
            (Some(token), Some(sent)) => token.is(sent),
            _ => false,
        };
        let is_writer = has(&self.write_token);
        let is_reader = self.read_token.is_none() || has(&self.read_token) || is_writer;
        let read = if is_reader { Right::Granted } else { Right::NeedsToken };
        let write = if self.read_only {
            Right::Refused
        } else if self.write_token.is_none() {
            read
        } else if is_writer {
            Right::Granted
        } else if has(&self.read_token) {
            Right::Refused
        } else {
            Right::NeedsToken
        };
        Rights { read, write }
    }
}

/// Reads the token of `Authorization: Bearer TOKEN`, or of `Basic`, where it is the password and the user's name does not
/// matter (RFC 6750, RFC 7617).
fn credentials(headers: &HeaderMap) -> Option<Token> {
    let (scheme, value) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let value = value.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(Token::hashed(value.as_bytes()));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = STANDARD.decode(value).ok()?;
    let colon = pair.iter().position(|byte| *byte == b':')?;
    Some(Token::hashed(&pair[colon + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use Right::{Granted, NeedsToken, Refused};

    fn token(secret: &str) -> Option<Token> {
        Some(Token::new(secret).unwrap())
    }

    #[test]
    fn rights_follow_the_token() {
        let check =
            |read: Option<&str>, write: Option<&str>, sent: &str, expect: (Right, Right)| {
                let gate = Gate {
                    read_token: read.and_then(token),
                    write_token: write.and_then(token),
                    read_only: false,
                };
                let mut headers = HeaderMap::new();
                if !sent.is_empty() {
                    headers.insert(AUTHORIZATION, sent.parse().unwrap());
                }
                let rights = gate.rights(&headers);
                assert_eq!((rights.read, rights.write), expect, "{read:?} {write:?} {sent}");
            };
        check(None, None, "", (Granted, Granted));
        check(None, None, "Bearer whatever", (Granted, Granted));
        check(None, Some("w"), "", (Granted, NeedsToken));
        check(None, Some("w"), "Bearer x", (Granted, NeedsToken));
        check(None, Some("w"), "Bearer w", (Granted, Granted));
        check(Some("r"), None, "", (NeedsToken, NeedsToken));
        check(Some("r"), None, "bearer r", (Granted, Granted));
        check(Some("r"), Some("w"), "Bearer r", (Granted, Refused));
        check(Some("r"), Some("w"), "Bearer w", (Granted, Granted));
        check(Some("r"), Some("w"), "Bearer rw", (NeedsToken, NeedsToken));
        check(Some("r"), Some("w"), "Digest w", (NeedsToken, NeedsToken));
        // `Basic` with the passwords `r` and `w`, without a colon, and with something that is not base64.
        check(Some("r"), Some("w"), "Basic dXNlcjpy", (Granted, Refused));
        check(Some("r"), Some("w"), "Basic Onc=", (Granted, Granted));
        check(Some("r"), Some("w"), "Basic dw==", (NeedsToken, NeedsToken));
        check(Some("r"), Some("w"), "Basic !", (NeedsToken, NeedsToken));
    }

    #[test]
    fn nobody_writes_to_a_server_that_only_reads() {
        let gate = Gate { read_token: None, write_token: token("w"), read_only: true };
        let headers = HeaderMap::from_iter([(AUTHORIZATION, "Bearer w".parse().unwrap())]);
        assert_eq!(gate.rights(&headers), Rights { read: Granted, write: Refused });
    }

    #[test]
    fn tokens_that_no_header_can_carry_are_refused() {
        for secret in ["", "a b", "ä", "a\n"] {
            assert_eq!(Token::new(secret).unwrap_err(), InvalidToken, "{secret:?}");
        }
    }
}
