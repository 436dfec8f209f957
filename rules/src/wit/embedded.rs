//! The `wasi:*` packages that are built in, so that no build needs a network for them.
//!
//! The texts are in `rules/wit`. The README there says where each comes from, and why one text may serve
//! several releases. They are plain data in the binary, so looking one up costs nothing until it is used.

use std::borrow::Cow;

use semver::Version;
use wit_parser::PackageName;

/// The packages of the text of one release of WASI 0.2 or 0.3, and the patch releases that the text serves.
struct Release {
    /// The minor version.
    minor: u64,
    /// The patch number that is written in the text.
    written: u64,
    /// The patch numbers that the text serves, which differ in nothing but the number and comments.
    serves: std::ops::RangeInclusive<u64>,
    texts: &'static [(&'static str, &'static str)],
}

macro_rules! texts {
    ($folder:literal: $($package:literal),*) => {
        &[$(($package, include_str!(concat!("../../wit/", $folder, "/", $package, ".wit")))),*]
    };
    ($folder:literal) => {
        texts!($folder: "cli", "clocks", "filesystem", "http", "io", "random", "sockets")
    };
}

static RELEASES: [Release; 7] = [
    Release { minor: 2, written: 0, serves: 0..=0, texts: texts!("wasi-0.2.0") },
    Release { minor: 2, written: 1, serves: 1..=1, texts: texts!("wasi-0.2.1") },
    Release { minor: 2, written: 3, serves: 2..=3, texts: texts!("wasi-0.2.3") },
    Release { minor: 2, written: 4, serves: 4..=8, texts: texts!("wasi-0.2.4") },
    Release { minor: 2, written: 9, serves: 9..=11, texts: texts!("wasi-0.2.9") },
    Release { minor: 2, written: 12, serves: 12..=12, texts: texts!("wasi-0.2.12") },
    Release {
        minor: 3,
        written: 2,
        serves: 0..=2,
        texts: texts!("wasi-0.3.2": "cli", "clocks", "filesystem", "http", "random", "sockets"),
    },
];

/// The packages that are not part of WASI: name, version and text of each.
static DRAFTS: [(&str, &str, &str); 4] = [
    ("config", "0.2.0-draft", include_str!("../../wit/drafts/config-0.2.0-draft.wit")),
    ("config", "0.2.0-rc.1", include_str!("../../wit/drafts/config-0.2.0-rc.1.wit")),
    ("keyvalue", "0.2.0-draft", include_str!("../../wit/drafts/keyvalue-0.2.0-draft.wit")),
    ("logging", "0.1.0-draft", include_str!("../../wit/drafts/logging-0.1.0-draft.wit")),
];

/// Returns the built-in versions of `namespace:name`, oldest first. There are none if the package is not
/// built in.
pub fn versions(namespace: &str, name: &str) -> Vec<Version> {
    if namespace != "wasi" {
        return Vec::new();
    }
    let mut versions: Vec<Version> = RELEASES
        .iter()
        .filter(|release| release.texts.iter().any(|(package, _)| *package == name))
        .flat_map(|release| {
            release.serves.clone().map(|patch| Version::new(0, release.minor, patch))
        })
        .chain(drafts(name).map(|(version, _)| version))
        .collect();
    versions.sort();
    versions
}

/// Returns the built-in version that a request for `requested` means. That is the same version or, if only
/// drafts of it exist, the newest draft: `wasi:logging` never got further than `0.1.0-draft`.
pub fn matching(namespace: &str, name: &str, requested: &Version) -> Option<Version> {
    let versions = versions(namespace, name);
    let draft_of = |version: &Version| {
        let release = Version::new(version.major, version.minor, version.patch);
        !version.pre.is_empty() && release == *requested
    };
    let exact = versions.iter().find(|version| *version == requested);
    exact.or_else(|| versions.iter().rev().find(|version| draft_of(version))).cloned()
}

/// Returns the built-in version that is meant where nobody names one: the newest of WASI 0.2, which all languages can be
/// compiled for, or else the newest draft.
pub fn newest(namespace: &str, name: &str) -> Option<Version> {
    let versions = versions(namespace, name);
    let is_usual = |version: &&Version| version.pre.is_empty() && version.minor == 2;
    versions.iter().rev().find(is_usual).or(versions.last()).cloned()
}

/// Returns the WIT text of exactly this package and version, if it is built in.
pub(super) fn text(package: &PackageName) -> Option<Cow<'static, str>> {
    let version = package.version.as_ref().filter(|_| package.namespace == "wasi")?;
    if let Some((_, text)) = drafts(&package.name).find(|(draft, _)| draft == version) {
        return Some(Cow::Borrowed(text));
    }
    release(version).find_map(|(name, text)| (name == package.name).then_some(text))
}

/// Iterates over the names and WIT texts of all packages of a release of WASI, which refer to each other. There are none
/// if the release is not built in.
pub(crate) fn release(
    version: &Version,
) -> impl Iterator<Item = (&'static str, Cow<'static, str>)> + use<> {
    let (minor, patch) = (version.minor, version.patch);
    let is_plain = *version == Version::new(0, minor, patch);
    let serves =
        |release: &&Release| is_plain && release.minor == minor && release.serves.contains(&patch);
    RELEASES.iter().find(serves).into_iter().flat_map(move |release| {
        let written = release.written;
        release.texts.iter().map(move |&(name, text)| {
            let text = match patch == written {
                true => Cow::Borrowed(text),
                false => Cow::Owned(
                    text.replace(&format!("@0.{minor}.{written}"), &format!("@0.{minor}.{patch}")),
                ),
            };
            (name, text)
        })
    })
}

fn drafts(name: &str) -> impl Iterator<Item = (Version, &'static str)> {
    DRAFTS.iter().filter(move |(draft, ..)| *draft == name).map(|(_, version, text)| {
        (Version::parse(version).expect("the table above holds valid versions"), *text)
    })
}

#[cfg(test)]
mod tests {
    use wit_parser::{Resolve, SourceMap, UnresolvedPackageGroup};

    use super::*;

    const NAMES: [&str; 10] = [
        "cli",
        "clocks",
        "config",
        "filesystem",
        "http",
        "io",
        "keyvalue",
        "logging",
        "random",
        "sockets",
    ];

    fn parse(package: &PackageName) -> UnresolvedPackageGroup {
        let mut map = SourceMap::new();
        map.push_str(&package.to_string(), text(package).unwrap());
        map.parse().map_err(|(map, error)| error.render(&map)).unwrap()
    }

    fn package(name: &str, version: Version) -> PackageName {
        PackageName { namespace: "wasi".into(), name: name.into(), version: Some(version) }
    }

    #[test]
    fn every_version_has_a_text_that_declares_it() {
        let mut seen = 0;
        for name in NAMES {
            for version in versions("wasi", name) {
                let package = package(name, version);
                assert_eq!(parse(&package).main.name, package);
                seen += 1;
            }
        }
        assert_eq!(seen, 13 * 7 + 3 * 6 + 4);
    }

    #[test]
    fn every_release_resolves_within_itself() {
        for patch in 0..=12 {
            let group = |name| parse(&package(name, Version::new(0, 2, patch)));
            let rest = ["clocks", "filesystem", "http", "io", "random", "sockets"];
            let mut resolve = Resolve::new();
            resolve.push_groups(group("cli"), rest.map(group).into()).unwrap();
            assert_eq!(resolve.packages.len(), 7, "0.2.{patch}");
        }
        for patch in 0..=2 {
            let group = |name| parse(&package(name, Version::new(0, 3, patch)));
            let rest = ["clocks", "filesystem", "http", "random", "sockets"];
            let mut resolve = Resolve::new();
            resolve.push_groups(group("cli"), rest.map(group).into()).unwrap();
            assert_eq!(resolve.packages.len(), 6, "0.3.{patch}");
        }
    }

    #[test]
    fn a_request_means_a_version() {
        #[track_caller]
        fn check(name: &str, requested: &str, expect: Option<&str>) {
            let requested = Version::parse(requested).unwrap();
            let found = matching("wasi", name, &requested).map(|version| version.to_string());
            assert_eq!(found.as_deref(), expect);
        }
        check("http", "0.2.0", Some("0.2.0"));
        check("http", "0.2.7", Some("0.2.7"));
        check("http", "0.2.13", None);
        check("http", "0.3.0", Some("0.3.0"));
        check("http", "0.3.3", None);
        check("io", "0.3.0", None);
        assert_eq!(newest("wasi", "http"), Some(Version::new(0, 2, 12)));
        assert_eq!(newest("wasi", "logging").unwrap().to_string(), "0.1.0-draft");
        check("logging", "0.1.0", Some("0.1.0-draft"));
        check("logging", "0.1.1", None);
        check("config", "0.2.0", Some("0.2.0-rc.1"));
        check("config", "0.2.0-draft", Some("0.2.0-draft"));
        assert_eq!(matching("demo", "http", &Version::new(0, 2, 0)), None);
    }
}
