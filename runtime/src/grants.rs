//! Grants: what a component may do besides computing.
//!
//! The default grants nothing. What is not granted is still there for the component to import, because run times of
//! languages import much that a program never uses, but it gives nothing away: there are no files, no variables, no
//! network, the clock is a virtual one, and random numbers are always the same.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

/// The time at which a virtual clock starts if the grants name no other: 1980-01-01T00:00:00Z, the first day that every
/// format of archives can write down.
pub const VIRTUAL_START: Duration = Duration::from_secs(315_532_800);

/// The things that a component may do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    /// The hosts to which it may send HTTP requests.
    pub http_client: Access<HostRule>,
    /// The clock that it reads and sleeps by, if it may do that.
    pub clock: Option<Clock>,
    /// The source of its random numbers, if it may have any.
    pub random: Option<Random>,
    /// The folders of the host that it sees.
    pub filesystem: Vec<Preopen>,
    /// The environment variables that it sees.
    pub env: Vec<(String, String)>,
    /// True if it may use standard input, output and error.
    pub stdio: bool,
    /// The hosts to which it may open TCP and UDP sockets.
    pub sockets: Access<HostRule>,
    /// The configuration values that it sees.
    pub config: Vec<(String, String)>,
    /// The key-value stores that it may open.
    pub keyvalue: Access<String>,
    /// True if it may write log entries.
    pub logging: bool,
}

/// The part of something that is granted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Access<T> {
    /// Nothing.
    #[default]
    Nothing,
    /// Only these.
    Only(Vec<T>),
    /// Everything.
    Everything,
}

/// A clock for a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// The clock of the host.
    Host,
    /// A clock that stands still but for two things: reading it takes a microsecond, and a sleep ends at once and moves
    /// the clock. So a component does the same each time, and never waits.
    Virtual {
        /// The time at which each instance starts.
        start: SystemTime,
    },
}

/// A source of random numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Random {
    /// The host's, good enough for keys.
    Host,
    /// The numbers that follow from this seed, the same for each instance.
    Seeded(u64),
}

/// A folder of the host that a component sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preopen {
    /// The folder on the host.
    pub host: PathBuf,
    /// The path by which the component knows it.
    pub guest: String,
    /// True if the component may write to it.
    pub writable: bool,
}

/// A host or all names below a domain, perhaps with a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostRule {
    /// The host in lower case; an IPv6 address stands in brackets.
    pub host: String,
    /// True if any name below `host` is meant, but not `host` itself.
    pub subdomains: bool,
    /// The only port allowed; `None` allows every port.
    pub port: Option<u16>,
}

impl Grants {
    /// Grants everything that needs no path or value: the network, clock, random numbers, standard streams, key-value
    /// stores and log entries of the host.
    #[must_use]
    pub fn everything() -> Self {
        Self {
            http_client: Access::Everything,
            clock: Some(Clock::Host),
            random: Some(Random::Host),
            stdio: true,
            sockets: Access::Everything,
            keyvalue: Access::Everything,
            logging: true,
            ..Self::default()
        }
    }
}

impl Access<HostRule> {
    /// Tells if a host and port may be reached. The host is compared without regard to case.
    #[must_use]
    pub fn allows(&self, host: &str, port: u16) -> bool {
        match self {
            Self::Nothing => false,
            Self::Everything => true,
            Self::Only(rules) => rules.iter().any(|rule| rule.allows(host, port)),
        }
    }
}

impl HostRule {
    fn allows(&self, host: &str, port: u16) -> bool {
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        let is_named = match host.strip_suffix(&self.host) {
            Some("") => !self.subdomains,
            Some(rest) => self.subdomains && rest.len() > 1 && rest.ends_with('.'),
            None => false,
        };
        is_named && self.port.is_none_or(|only| only == port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_that_a_rule_allows() {
        let rule = |host: &str, subdomains, port| {
            Access::Only(vec![HostRule { host: host.to_owned(), subdomains, port }])
        };
        let plain = rule("api.example.com", false, None);
        assert!(plain.allows("api.example.com", 80));
        assert!(plain.allows("API.Example.com.", 443));
        assert!(!plain.allows("x.api.example.com", 443));
        assert!(!plain.allows("evilapi.example.com", 443));
        assert!(!plain.allows("api.example.com.evil.org", 443));
        let below = rule("example.com", true, Some(8443));
        assert!(below.allows("a.b.example.com", 8443));
        assert!(!below.allows("a.example.com", 443));
        assert!(!below.allows("example.com", 8443));
        assert!(!below.allows(".example.com", 8443));
        assert!(!below.allows("evilexample.com", 8443));
        assert!(rule("[::1]", false, None).allows("[::1]", 1));
        assert!(Access::<HostRule>::Everything.allows("x", 1));
        assert!(!Access::<HostRule>::Nothing.allows("x", 1));
    }
}
