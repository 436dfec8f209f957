//! Reads from apt's configuration which mirrors this machine gets its Debian packages from.
//!
//! Source: sources.list(5), both forms, and apt.conf(5) for the proxies. Proxies for single hosts and
//! passwords from `auth.conf` are not read.

use std::path::{Path, PathBuf};
use std::{fs, io};

use super::stanza::{self, Stanza};
use crate::bounded;
use crate::package::Proxy;
use crate::toolchain::source::error::DebianError;

/// An entry of apt's sources, which offers binary packages of some suites.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct AptSource {
    /// The mirrors, in the order in which apt asks them.
    pub(super) uris: Vec<String>,
    /// The suites, such as `bookworm` and `bookworm-updates`.
    pub(super) suites: Vec<String>,
    /// The file of the keys that sign the suites, if one is named.
    pub(super) signed_by: Option<PathBuf>,
}

/// Reads all entries in apt's configuration folder. They are empty if there is no apt.
pub(super) fn sources(folder: &Path) -> Result<Vec<AptSource>, DebianError> {
    let mut files = vec![folder.join("sources.list")];
    files.extend(list(&folder.join("sources.list.d"))?);
    let mut all = Vec::new();
    for file in files {
        let text = match bounded::read(&file, 16 << 20) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(source) => return Err(DebianError::Configuration { path: file, source }),
        };
        match file.extension().and_then(|extension| extension.to_str()) {
            Some("sources") => all.extend(parse_stanzas(&text)),
            _ => all.extend(text.lines().filter_map(parse_line)),
        }
    }
    Ok(all)
}

/// Returns the files that apt reads in a folder, in apt's order.
fn list(folder: &Path) -> Result<Vec<PathBuf>, DebianError> {
    let error = |source| DebianError::Configuration { path: folder.to_owned(), source };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(missing) if missing.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(error(source)),
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(error)?.path();
        if path.extension().is_some_and(|extension| extension == "list" || extension == "sources") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Reads a line of the older form: `deb [option=value …] uri suite component …`.
fn parse_line(line: &str) -> Option<AptSource> {
    let line = line.split('#').next()?.trim();
    let rest = line.strip_prefix("deb")?;
    if !rest.starts_with([' ', '\t', '[']) {
        return None;
    }
    let rest = rest.trim_start();
    let (options, rest) = match rest.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => ("", rest),
    };
    let mut words = rest.split_whitespace().map(ToOwned::to_owned);
    let (uri, suite) = (words.next()?, words.next()?);
    let signed_by = options.split_whitespace().find_map(|option| option.strip_prefix("signed-by="));
    Some(AptSource {
        uris: vec![uri],
        suites: vec![suite],
        signed_by: signed_by.and_then(key_file),
    })
}

/// Reads the stanzas of the newer form (deb822).
fn parse_stanzas(text: &str) -> Vec<AptSource> {
    let wanted = |stanza: &Stanza<'_>| {
        let words = |key| stanza.get(key).unwrap_or_default().to_ascii_lowercase();
        let is_off = ["no", "false", "without", "off", "disable", "0"];
        words("types").split_whitespace().any(|kind| kind == "deb")
            && !is_off.contains(&words("enabled").trim())
    };
    let list = |stanza: &Stanza<'_>, key| -> Vec<String> {
        let value = stanza.get(key).unwrap_or_default();
        value.split_whitespace().map(ToOwned::to_owned).collect()
    };
    let source = |stanza: &Stanza<'_>| AptSource {
        uris: list(stanza, "uris"),
        suites: list(stanza, "suites"),
        signed_by: stanza.get("signed-by").and_then(|value| key_file(value.trim())),
    };
    stanza::all(text).filter(wanted).map(|stanza| source(&stanza)).collect()
}

/// Returns the file in a `Signed-By` value, or `None` if Debian's own keyring has to be used. The value may
/// also be fingerprints, a whole key, or an armoured file, which gpgv does not read.
fn key_file(value: &str) -> Option<PathBuf> {
    let is_file = value.starts_with('/') && !value.contains('\n') && !value.ends_with(".asc");
    is_file.then(|| PathBuf::from(value))
}

/// Returns the proxies in the output of `apt-config dump`.
pub(super) fn proxies(dump: &str) -> Vec<Proxy> {
    let proxy = |line: &str| {
        let rest = line.trim().strip_prefix("Acquire::")?;
        let (scheme, rest) = rest.split_once("::")?;
        let url = rest.strip_prefix("Proxy ")?.trim_end_matches(';').trim_matches('"');
        let known = ["http", "https"].contains(&scheme);
        let is_url = !url.is_empty() && !url.eq_ignore_ascii_case("direct");
        (known && is_url).then(|| Proxy { scheme: scheme.to_owned(), url: url.to_owned() })
    };
    dump.lines().filter_map(proxy).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(uris: &[&str], suites: &[&str], signed_by: Option<&str>) -> AptSource {
        let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        AptSource {
            uris: owned(uris),
            suites: owned(suites),
            signed_by: signed_by.map(PathBuf::from),
        }
    }

    #[test]
    fn the_older_form() {
        let check = |line: &str, expect| assert_eq!(parse_line(line), expect, "{line}");
        check(
            "deb http://mirror/debian bookworm main contrib # comment",
            Some(source(&["http://mirror/debian"], &["bookworm"], None)),
        );
        check(
            "deb [ arch=amd64,arm64 signed-by=/keys/a.gpg ] https://mirror/debian\tsid main",
            Some(source(&["https://mirror/debian"], &["sid"], Some("/keys/a.gpg"))),
        );
        check(
            "deb [signed-by=/keys/a.asc] https://mirror sid main",
            Some(source(&["https://mirror"], &["sid"], None)),
        );
        check("deb[trusted=yes] file:/srv x main", Some(source(&["file:/srv"], &["x"], None)));
        check("deb-src http://mirror/debian bookworm main", None);
        check("# deb http://mirror/debian bookworm main", None);
        check("deb http://mirror/debian", None);
        check("", None);
    }

    #[test]
    fn the_newer_form() {
        let text = "\
# a comment
Types: deb deb-src
URIs: http://one/debian
 http://two/debian
Suites: bookworm bookworm-updates
# another
Components: main
Signed-By: /keys/debian.gpg

Types: deb
URIs: http://three/debian
Suites: sid
Enabled: No

types: deb
uris: http://four/debian
suites: trixie
signed-by:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mDMEY865UxYJKwYBBAHaRw8BAQdAd7Z0srwuhlB6JKFkcf4HU4SSS/xcRfwEQWzr
 -----END PGP PUBLIC KEY BLOCK-----

Types: deb-src
URIs: http://five/debian
Suites: sid
";
        let expect = [
            source(
                &["http://one/debian", "http://two/debian"],
                &["bookworm", "bookworm-updates"],
                Some("/keys/debian.gpg"),
            ),
            source(&["http://four/debian"], &["trixie"], None),
        ];
        assert_eq!(parse_stanzas(text), expect);
    }

    #[test]
    fn files_are_read_in_apts_order() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(sources(folder.path()).unwrap(), []);
        let parts = folder.path().join("sources.list.d");
        fs::create_dir(&parts).unwrap();
        let write = |path: PathBuf, text: &str| fs::write(path, text).unwrap();
        write(folder.path().join("sources.list"), "deb http://a x main\n");
        write(parts.join("b.sources"), "Types: deb\nURIs: http://b\nSuites: x\n");
        write(parts.join("c.list"), "deb http://c x main\n");
        write(parts.join("d.list.disabled"), "deb http://d x main\n");
        let all = sources(folder.path()).unwrap();
        let uris: Vec<_> = all.iter().flat_map(|source| &source.uris).collect();
        assert_eq!(uris, ["http://a", "http://b", "http://c"]);
    }

    #[test]
    fn proxies_come_from_the_dump() {
        let dump = "\
Acquire::http \"\";
Acquire::http::Proxy \"http://proxy:3128\";
Acquire::http::Proxy::special.host \"DIRECT\";
Acquire::https::Proxy \"DIRECT\";
Acquire::ftp::Proxy \"ftp://proxy\";
APT::Architecture \"amd64\";
";
        let expect = [Proxy { scheme: "http".into(), url: "http://proxy:3128".into() }];
        assert_eq!(proxies(dump), expect);
    }
}
