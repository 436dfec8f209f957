//! Capabilities: what a component may do besides computing, from the key `capabilities` of `[[component]]`.
//!
//! A capability is a word. Some words take an argument after a colon that narrows them: `http-client` allows
//! any host, `http-client:api.example.com` only that one. This module knows the words and their arguments.
//! Which WIT interfaces they stand for is known to `wit`, and what they allow at run time to the host.

use std::fmt;
use std::str::FromStr;

use super::invalid::Invalid;
use super::name::VariableName;
use super::suggest;
use super::url;
use crate::path::ProjectPath;

/// A capability that is granted to a component.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Capability {
    /// `http-server`: answer HTTP requests.
    HttpServer,
    /// `http-client[:HOST[:PORT]]`: send HTTP requests, to one host if named.
    HttpClient(Option<HostPattern>),
    /// `clock`: read the time of day and a monotonic clock, and sleep.
    Clock,
    /// `random`: get random bytes.
    Random,
    /// `filesystem[:DIR[:rw]]`: open files, below one folder of the project if named.
    Filesystem(Option<Folder>),
    /// `env[:NAME]`: read environment variables, only one if named.
    Env(Option<VariableName>),
    /// `stdio`: use standard input, output and error.
    Stdio,
    /// `sockets[:HOST:PORT]`: open TCP and UDP sockets, to one address if named.
    Sockets(Option<HostPattern>),
    /// `config[:KEY]`: read configuration values, only one if named.
    Config(Option<String>),
    /// `keyvalue[:BUCKET]`: use key-value stores, only one if named.
    Keyvalue(Option<String>),
    /// `logging`: write log entries.
    Logging,
}

/// The word of a capability, without its argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the variants are documented at Capability")]
pub enum CapabilityKind {
    HttpServer,
    HttpClient,
    Clock,
    Random,
    Filesystem,
    Env,
    Stdio,
    Sockets,
    Config,
    Keyvalue,
    Logging,
}

/// A host or all names below a domain, perhaps with a port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostPattern {
    /// The host in lower case; an IPv6 address stands in brackets.
    pub host: String,
    /// True if any name below `host` is meant (`*.example.com`), but not `host` itself.
    pub subdomains: bool,
    /// The only port allowed; `None` allows every port.
    pub port: Option<u16>,
}

/// A folder of the project that a component sees at run time, at the path that it has in the project.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Folder {
    /// The folder.
    pub path: ProjectPath,
    /// True if the component may also write to the folder.
    pub writable: bool,
}

impl CapabilityKind {
    /// All kinds, in the order of the documentation.
    pub const ALL: [Self; 11] = [
        Self::HttpServer,
        Self::HttpClient,
        Self::Clock,
        Self::Random,
        Self::Filesystem,
        Self::Env,
        Self::Stdio,
        Self::Sockets,
        Self::Config,
        Self::Keyvalue,
        Self::Logging,
    ];

    /// Returns the word in `run.toml`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HttpServer => "http-server",
            Self::HttpClient => "http-client",
            Self::Clock => "clock",
            Self::Random => "random",
            Self::Filesystem => "filesystem",
            Self::Env => "env",
            Self::Stdio => "stdio",
            Self::Sockets => "sockets",
            Self::Config => "config",
            Self::Keyvalue => "keyvalue",
            Self::Logging => "logging",
        }
    }
}

impl fmt::Display for CapabilityKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Capability {
    /// Returns the word of the capability, without its argument.
    pub const fn kind(&self) -> CapabilityKind {
        match self {
            Self::HttpServer => CapabilityKind::HttpServer,
            Self::HttpClient(_) => CapabilityKind::HttpClient,
            Self::Clock => CapabilityKind::Clock,
            Self::Random => CapabilityKind::Random,
            Self::Filesystem(_) => CapabilityKind::Filesystem,
            Self::Env(_) => CapabilityKind::Env,
            Self::Stdio => CapabilityKind::Stdio,
            Self::Sockets(_) => CapabilityKind::Sockets,
            Self::Config(_) => CapabilityKind::Config,
            Self::Keyvalue(_) => CapabilityKind::Keyvalue,
            Self::Logging => CapabilityKind::Logging,
        }
    }

    /// Makes a capability of its word and argument. Without an argument, the capability is not narrowed.
    fn new(kind: CapabilityKind, argument: Option<&str>) -> Result<Self, Invalid> {
        Ok(match kind {
            CapabilityKind::HttpClient => {
                Self::HttpClient(argument.map(HostPattern::parse).transpose()?)
            }
            CapabilityKind::Filesystem => {
                Self::Filesystem(argument.map(Folder::parse).transpose()?)
            }
            CapabilityKind::Env => Self::Env(argument.map(str::parse).transpose()?),
            CapabilityKind::Sockets => Self::Sockets(argument.map(socket).transpose()?),
            CapabilityKind::Config => Self::Config(argument.map(key).transpose()?),
            CapabilityKind::Keyvalue => Self::Keyvalue(argument.map(key).transpose()?),
            CapabilityKind::HttpServer => without(kind, argument, Self::HttpServer)?,
            CapabilityKind::Clock => without(kind, argument, Self::Clock)?,
            CapabilityKind::Random => without(kind, argument, Self::Random)?,
            CapabilityKind::Stdio => without(kind, argument, Self::Stdio)?,
            CapabilityKind::Logging => without(kind, argument, Self::Logging)?,
        })
    }
}

/// Refuses an argument to a capability that takes none.
fn without(
    kind: CapabilityKind,
    argument: Option<&str>,
    capability: Capability,
) -> Result<Capability, Invalid> {
    match argument {
        None => Ok(capability),
        Some(_) => Err(Invalid::new(
            format!("capability `{kind}` takes no argument"),
            format!("expected `{kind}`"),
        )),
    }
}

impl FromStr for Capability {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let (word, argument) = match text.split_once(':') {
            Some((word, argument)) => (word, Some(argument)),
            None => (text, None),
        };
        let names = || CapabilityKind::ALL.iter().map(|kind| kind.as_str());
        let Some(kind) = CapabilityKind::ALL.into_iter().find(|kind| kind.as_str() == word) else {
            let message = format!("unknown capability `{word}`");
            let meant = suggest::did_you_mean(word, names());
            return Err(Invalid::new(message, meant.unwrap_or_else(|| "unknown".to_owned()))
                .help(format!("the capabilities are {}", suggest::all_of(names()))));
        };
        Self::new(kind, argument)
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let argument: Option<&dyn fmt::Display> = match self {
            Self::HttpClient(Some(host)) | Self::Sockets(Some(host)) => Some(host),
            Self::Filesystem(Some(folder)) => Some(folder),
            Self::Env(Some(name)) => Some(name),
            Self::Config(Some(key)) | Self::Keyvalue(Some(key)) => Some(key),
            _ => None,
        };
        match argument {
            Some(argument) => write!(f, "{}:{argument}", self.kind()),
            None => write!(f, "{}", self.kind()),
        }
    }
}

impl HostPattern {
    fn parse(text: &str) -> Result<Self, Invalid> {
        let expected = "expected `HOST` or `HOST:PORT`, like `api.example.com`";
        let invalid = |why: &str| Invalid::new(format!("`{text}` is not a host: {why}"), expected);
        if text.contains('/') {
            return Err(invalid("it is an address")
                .help("write the host alone, without `https://` and without a path"));
        }
        let (host, port) = url::split_port(text);
        let (host, subdomains) = match host.strip_prefix("*.") {
            Some(domain) => (domain, true),
            None => (host, false),
        };
        url::check_host(host).map_err(invalid)?;
        let port = match port.map(str::parse::<u16>) {
            None => None,
            Some(Ok(port)) if port > 0 => Some(port),
            Some(_) => return Err(invalid("its port is not a number from 1 to 65535")),
        };
        Ok(Self { host: host.to_ascii_lowercase(), subdomains, port })
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wildcard = if self.subdomains { "*." } else { "" };
        write!(f, "{wildcard}{}", self.host)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// Parses the argument of `sockets`. It must have a port, because sockets have no default port as HTTP has.
fn socket(text: &str) -> Result<HostPattern, Invalid> {
    let address = HostPattern::parse(text)?;
    if address.port.is_none() {
        let message = format!("`{text}` has no port");
        return Err(Invalid::new(message, "expected `HOST:PORT`, like `db.internal:5432`"));
    }
    Ok(address)
}

impl Folder {
    fn parse(text: &str) -> Result<Self, Invalid> {
        let (path, writable) = match text.split_once(':') {
            None => (text, false),
            Some((path, "rw")) => (path, true),
            Some((path, "ro")) => (path, false),
            Some((_, mode)) => {
                let message = format!("unknown access `{mode}`");
                return Err(Invalid::new(message, "expected `DIR`, `DIR:ro` or `DIR:rw`"));
            }
        };
        Ok(Self { path: path.parse()?, writable })
    }
}

impl fmt::Display for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.path, if self.writable { ":rw" } else { "" })
    }
}

/// Parses the name of a configuration value or of a bucket: any text without blanks and control characters.
fn key(text: &str) -> Result<String, Invalid> {
    if text.is_empty() || text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        let message = format!("`{}` is not a name", text.escape_debug());
        return Err(Invalid::new(message, "expected a name without spaces after the colon"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<&str, &str>) {
        let capability = text.parse::<Capability>().map(|c| c.to_string()).map_err(|e| e.message);
        assert_eq!(capability, expected.map(str::to_owned).map_err(str::to_owned));
    }

    #[test]
    fn every_kind_stands_alone() {
        for kind in CapabilityKind::ALL {
            check(kind.as_str(), Ok(kind.as_str()));
            assert_eq!(kind.as_str().parse::<Capability>().unwrap().kind(), kind);
        }
    }

    #[test]
    fn arguments_narrow() {
        check("http-client:API.example.com", Ok("http-client:api.example.com"));
        check("http-client:*.example.com:8443", Ok("http-client:*.example.com:8443"));
        check("http-client:[::1]:80", Ok("http-client:[::1]:80"));
        check("filesystem:data", Ok("filesystem:data"));
        check("filesystem:./data/:rw", Ok("filesystem:data:rw"));
        check("filesystem:data:ro", Ok("filesystem:data"));
        check("env:HOME", Ok("env:HOME"));
        check("sockets:db.internal:5432", Ok("sockets:db.internal:5432"));
        check("config:feature.x", Ok("config:feature.x"));
        check("keyvalue:sessions", Ok("keyvalue:sessions"));
    }

    #[test]
    fn bad_arguments_are_refused() {
        check("clock:utc", Err("capability `clock` takes no argument"));
        check("http-server:", Err("capability `http-server` takes no argument"));
        check("http-client:", Err("`` is not a host: it has no host"));
        check("http-client:https://a/b", Err("`https://a/b` is not a host: it is an address"));
        check(
            "http-client:a:0",
            Err("`a:0` is not a host: its port is not a number from 1 to 65535"),
        );
        check("http-client:*", Err("`*` is not a host: its host is not a valid name"));
        check("filesystem:/etc", Err("path `/etc` is absolute"));
        check("filesystem:../x", Err("path `../x` leaves the project"));
        check("filesystem:data:rwx", Err("unknown access `rwx`"));
        check("env:A-B", Err("`A-B` cannot be the name of an environment variable"));
        check("sockets:db", Err("`db` has no port"));
        check("config:", Err("`` is not a name"));
        check("keyvalue:a b", Err("`a b` is not a name"));
    }

    #[test]
    fn unknown_words_are_refused() {
        check("http", Err("unknown capability `http`"));
        check("Clock", Err("unknown capability `Clock`"));
        check("", Err("unknown capability ``"));
    }
}
