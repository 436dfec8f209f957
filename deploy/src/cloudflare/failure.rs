//! The reasons why something could not be deployed to Cloudflare, and what to do about each.

use registry::{HttpError, Transient};

use crate::check::Refused;

/// What a token has to be allowed to do for a call, as the dashboard names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// Reading which accounts there are.
    Accounts,
    /// Reading and writing workers.
    Scripts,
    /// Reading and writing routes of a zone.
    Routes,
    /// Reading the name of a zone.
    Zone,
}

/// The reason why something could not be deployed.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The network can't be set up.
    #[error(transparent)]
    Network(#[from] HttpError),
    /// The base URL is none.
    #[error("`{0}` is not the address of an API: expected a URL with `https://`")]
    Base(String),
    /// The token has characters that no token has.
    #[error("the token of Cloudflare has characters that can't be sent")]
    Token,
    /// The API can't be reached, or stays overloaded.
    #[error("cannot {doing}: {url} was tried {attempts} times")]
    Unreachable {
        /// What was to be done.
        doing: String,
        /// The URL.
        url: String,
        /// The number of tries.
        attempts: u32,
        /// The last failure.
        #[source]
        source: Transient,
    },
    /// A request that must not be repeated ended without an answer.
    #[error("cannot {doing}: {url} gave no answer, so it is not known whether it was done")]
    Unknown {
        /// What was to be done.
        doing: String,
        /// The URL.
        url: String,
        /// The failure.
        #[source]
        source: Transient,
    },
    /// The token is not accepted at all.
    #[error("cannot {doing}: Cloudflare does not accept the token{said}")]
    Unauthorized {
        /// What was to be done.
        doing: String,
        /// What the API said, with a colon before it, or nothing.
        said: String,
    },
    /// The token is not allowed to do this.
    #[error("cannot {doing}: the token is not allowed to{said}")]
    Forbidden {
        /// What was to be done.
        doing: String,
        /// The permission that it takes.
        permission: Permission,
        /// What the API said, with a colon before it, or nothing.
        said: String,
    },
    /// The API says no.
    #[error("cannot {doing}: Cloudflare answered with status {status}{said}")]
    Refused {
        /// What was to be done.
        doing: String,
        /// The status.
        status: u16,
        /// What the API said, with a colon before it, or nothing.
        said: String,
    },
    /// The answer is not one of Cloudflare's API.
    #[error("cannot {doing}: the answer of {url} is not one of Cloudflare's API")]
    Malformed {
        /// What was to be done.
        doing: String,
        /// The URL.
        url: String,
    },
    /// The answer is longer than any answer of the API.
    #[error("cannot {doing}: the answer of {url} is longer than {limit} bytes")]
    TooLong {
        /// What was to be done.
        doing: String,
        /// The URL.
        url: String,
        /// The largest number of bytes.
        limit: usize,
    },
    /// It is not known which account to deploy to.
    #[error("it is not known which account to deploy to: the token belongs to {}", accounts(.0))]
    Account(Vec<String>),
    /// The account has no address below workers.dev yet.
    #[error("the account has no subdomain of workers.dev")]
    NoSubdomain,
    /// A route or an address belongs to another worker.
    #[error("`{pattern}` belongs to the worker `{worker}` already")]
    Taken {
        /// The pattern of the route, or the host name.
        pattern: String,
        /// The other worker.
        worker: String,
    },
    /// The bundle is too large.
    #[error(transparent)]
    Size(#[from] Refused),
    /// The command was cancelled.
    #[error("cancelled")]
    Cancelled,
}

impl ApiError {
    /// Returns what to do about the error, if something can be said about that.
    #[must_use]
    pub fn advice(&self) -> Option<String> {
        Some(match self {
            Self::Base(_) => "check `CLOUDFLARE_API_BASE_URL`".to_owned(),
            Self::Unauthorized { .. } | Self::Token => "set `CLOUDFLARE_API_TOKEN` to a token that is valid and has \
                 not expired; the dashboard makes one at My Profile > API Tokens, from the template \"Edit Cloudflare \
                 Workers\""
                .to_owned(),
            Self::Forbidden { permission, .. } => format!(
                "give the token of `CLOUDFLARE_API_TOKEN` the permission \"{}\" for this account or zone, and check \
                 `account_id` and `zone_id`",
                permission.name()
            ),
            Self::Account(_) => {
                "write `account_id` in the options of the profile, or set `CLOUDFLARE_ACCOUNT_ID`".to_owned()
            }
            Self::NoSubdomain => "choose a subdomain once at Workers & Pages in the dashboard, or write \
                 `workers_dev = false` and a `zone_id`"
                .to_owned(),
            Self::Taken { .. } => "choose another pattern in `routes`, or remove the other worker's in the dashboard; \
                 nothing was changed"
                .to_owned(),
            Self::Unreachable { .. } => "check the connection and https://www.cloudflarestatus.com, and deploy again: \
                 what was done already is not done twice"
                .to_owned(),
            Self::Unknown { .. } => "deploy again: what was done already is not done twice".to_owned(),
            Self::Malformed { .. } | Self::TooLong { .. } => {
                "check `CLOUDFLARE_API_BASE_URL` and the proxy".to_owned()
            }
            Self::Network(_) | Self::Refused { .. } | Self::Size(_) | Self::Cancelled => return None,
        })
    }
}

impl Permission {
    /// Returns the name of the permission in the dashboard.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accounts => "Account > Account Settings > Read",
            Self::Scripts => "Account > Workers Scripts > Edit",
            Self::Routes => "Zone > Workers Routes > Edit",
            Self::Zone => "Zone > Zone > Read",
        }
    }
}

fn accounts(names: &[String]) -> String {
    match names {
        [] => "no account that it may read".to_owned(),
        names => format!("several accounts ({})", names.join(", ")),
    }
}
