//! Asks the proxies of the user's GOPROXY one after the other (the Go modules reference, "GOPROXY protocol"
//! and "Communicating with proxies").
//!
//! The order of the proxies, and the answers after which no other one is asked, are those of the go command. A module
//! that no proxy may be asked for is not fetched here: it comes from its repository, by the user's own go.

use std::fmt;
use std::path::PathBuf;

use super::netrc::{self, Machine};
use super::part::{Part, escaped};
use super::settings::Settings;
use crate::lang::go::manifest::Version;
use crate::lang::go::pattern;
use crate::package::HttpError;
use crate::package::download::Downloads;
use crate::package::fetch::{Request, read_file};
use crate::redact::mask_urls;

/// The proxies of GOPROXY, and the settings that decide about them.
#[derive(Debug)]
pub(super) struct Proxies {
    list: Vec<Entry>,
    /// The patterns of modules that no proxy is asked for, and the name of the setting that has them.
    private: (String, &'static str),
    logins: Vec<Machine>,
    /// True if the user has programs that find logins.
    login_programs: bool,
}

/// An entry of the list.
#[derive(Debug, PartialEq, Eq)]
enum Entry {
    Web {
        base: String,
        /// True if the next proxy is asked after any failure, and not only if this one lacks the module.
        whatever: bool,
    },
    Folder {
        path: PathBuf,
        whatever: bool,
    },
    Direct,
    Off,
}

/// The outcome of asking for a part of a module.
#[derive(Debug)]
pub(super) enum Answer {
    /// Its bytes. They have not been compared with a checksum yet.
    Bytes(Vec<u8>),
    /// The user's own go has to fetch it.
    ByGo(Reason),
}

/// The reason for which a module is fetched by the user's own go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reason {
    /// The setting of this name says that no proxy may hear of it.
    Private(&'static str),
    /// GOPROXY has the entry `direct`, and no proxy before that has the module.
    Direct,
    /// A proxy wants a login that only a program of GOAUTH can find.
    Login,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Private(setting) => {
                write!(f, "has to come from its repository, as {setting} names it")
            }
            Self::Direct => {
                f.write_str("has to come from its repository, as GOPROXY says `direct`")
            }
            Self::Login => {
                f.write_str("is on a proxy that wants a login, which GOAUTH has to find")
            }
        }
    }
}

/// An error for which no proxy gave a part of a module.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProxyError {
    #[error(
        "GOPROXY is not set: neither in the environment, nor by `go env -w`, nor in the go.env of the \
         toolchain"
    )]
    Unset,
    #[error("GOPROXY has no entries")]
    Empty,
    #[error("GOPROXY has `{0}`, which is not an https, http or file URL")]
    BadUrl(String),
    #[error("GOPROXY has `{0}`, a login that would be sent without encryption; use https")]
    Insecure(String),
    #[error("GOPROXY=off forbids to fetch {what}")]
    Off { what: String },
    #[error("no proxy of GOPROXY has {what}")]
    Fetch { what: String, source: HttpError },
}

impl Proxies {
    /// Reads the user's settings.
    ///
    /// # Errors
    /// GOPROXY can't be understood.
    pub(super) fn new(settings: &Settings) -> Result<Self, ProxyError> {
        let private = (settings.private().to_owned(), settings.private_name());
        let list = entries(settings.get("GOPROXY").ok_or(ProxyError::Unset)?)?;
        let login_programs = settings.has_login_programs();
        Ok(Self { list, private, logins: Vec::new(), login_programs })
    }

    /// Returns the same proxies with the user's logins for servers.
    pub(super) fn with_logins(self, logins: Vec<Machine>) -> Self {
        Self { logins, ..self }
    }

    /// Asks for a part of a module.
    ///
    /// # Errors
    /// No proxy has it, or one failed after which no other is asked.
    pub(super) fn fetch(
        &self,
        downloads: &Downloads<'_>,
        module: &Version,
        part: Part,
    ) -> Result<Answer, ProxyError> {
        if pattern::any_fits(&self.private.0, &module.path) {
            return Ok(Answer::ByGo(Reason::Private(self.private.1)));
        }
        let mut best: Option<HttpError> = None;
        for entry in &self.list {
            let (result, whatever) = match entry {
                Entry::Direct => return Ok(Answer::ByGo(Reason::Direct)),
                Entry::Off => break,
                Entry::Web { base, whatever } => {
                    (self.ask(downloads, base, module, part), *whatever)
                }
                Entry::Folder { path, whatever } => {
                    (read_file(&path.join(part.place(module)), part.limit()), *whatever)
                }
            };
            let error = match result {
                Ok(bytes) => return Ok(Answer::Bytes(bytes)),
                Err(error) => error,
            };
            let wants_login = matches!(error, HttpError::Status { status: 401 | 403, .. });
            if wants_login && self.login_programs && entry.is_secure() {
                return Ok(Answer::ByGo(Reason::Login));
            }
            let (absent, cancelled) = (error.is_absence(), matches!(error, HttpError::Cancelled));
            // The failure of a proxy says more than that another one lacks the module.
            if best.as_ref().is_none_or(|best| best.is_absence() || !absent) {
                best = Some(error);
            }
            if cancelled || !(absent || whatever) {
                break;
            }
        }
        let what = part.of(module);
        Err(match best {
            Some(source) => ProxyError::Fetch { what, source },
            None => ProxyError::Off { what },
        })
    }

    fn ask(
        &self,
        downloads: &Downloads<'_>,
        base: &str,
        module: &Version,
        part: Part,
    ) -> Result<Vec<u8>, HttpError> {
        let url = format!("{base}/{}", part.place(module));
        let name = part.of(module);
        let request = Request { url: &url, name: &name, size: None, limit: part.limit() };
        downloads.get(request, netrc::login(&self.logins, &url))
    }
}

impl Entry {
    fn is_secure(&self) -> bool {
        matches!(self, Self::Web { base, .. } if base.starts_with("https://"))
    }
}

impl Part {
    /// Returns the path of this part on a proxy, below the proxy's URL.
    pub(super) fn place(self, module: &Version) -> String {
        let ending = match self {
            Self::Zip => "zip",
            Self::Manifest => "mod",
        };
        format!("{}/@v/{}.{ending}", escaped(&module.path), escaped(&module.version))
    }
}

/// Reads the entries of the list. Entries after `off` and `direct` are never reached.
fn entries(goproxy: &str) -> Result<Vec<Entry>, ProxyError> {
    let mut entries = Vec::new();
    let mut rest = goproxy;
    while !rest.is_empty() {
        let end = rest.find([',', '|']).unwrap_or(rest.len());
        let (text, after) = rest.split_at(end);
        let whatever = after.starts_with('|');
        rest = after.get(1..).unwrap_or_default();
        match text.trim() {
            "" => {}
            "off" => {
                entries.push(Entry::Off);
                break;
            }
            "direct" => {
                entries.push(Entry::Direct);
                break;
            }
            text => entries.push(entry(text, whatever)?),
        }
    }
    if entries.is_empty() { Err(ProxyError::Empty) } else { Ok(entries) }
}

fn entry(text: &str, whatever: bool) -> Result<Entry, ProxyError> {
    let bad = || ProxyError::BadUrl(mask_urls(text).into_owned());
    // An entry may be a host without a scheme.
    let is_host = text.contains(['.', ':']) && !text.contains(":/") && !text.starts_with('/');
    let url = if is_host { format!("https://{text}") } else { text.to_owned() };
    let parsed = reqwest::Url::parse(&url).map_err(|_| bad())?;
    let is_plain = parsed.query().is_none() && parsed.fragment().is_none();
    match parsed.scheme() {
        "file" if is_plain => {
            Ok(Entry::Folder { path: parsed.to_file_path().map_err(|()| bad())?, whatever })
        }
        "http" if !parsed.username().is_empty() || parsed.password().is_some() => {
            Err(ProxyError::Insecure(mask_urls(text).into_owned()))
        }
        "http" | "https" if is_plain => {
            Ok(Entry::Web { base: parsed.as_str().trim_end_matches('/').to_owned(), whatever })
        }
        _ => Err(bad()),
    }
}

#[cfg(test)]
mod tests;
