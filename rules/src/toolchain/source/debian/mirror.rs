//! Chooses the mirrors that are asked for a suite. It asks none itself.

use std::path::PathBuf;

use super::apt::AptSource;

/// A mirror that may have a suite.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mirror {
    /// The URL of the folder with `dists` and `pool`.
    pub(super) base: String,
    /// The file of the keys that sign the suite, if one is named.
    pub(super) signed_by: Option<PathBuf>,
}

/// Returns the mirrors to ask, the most likely one first.
pub(super) fn mirrors(configured: Option<&str>, sources: &[AptSource], suite: &str) -> Vec<Mirror> {
    if let Some(base) = configured {
        return vec![Mirror { base: base.trim_end_matches('/').to_owned(), signed_by: None }];
    }
    let has_suite = |source: &&AptSource| source.suites.iter().any(|name| name == suite);
    let (with, without): (Vec<_>, Vec<_>) = sources.iter().partition(has_suite);
    let mut mirrors: Vec<Mirror> = Vec::new();
    for source in with.into_iter().chain(without) {
        for uri in &source.uris {
            // apt also writes `file:/path`. Other methods (cdrom, mirror+file, tor) are left out, because
            // only apt has them.
            let uri = match uri.strip_prefix("file:/") {
                Some(path) => format!("file:///{}", path.trim_start_matches('/')),
                None => uri.clone(),
            };
            let base = uri.trim_end_matches('/').to_owned();
            let usable = ["http://", "https://", "file://"].iter().any(|s| base.starts_with(s));
            if usable && mirrors.iter().all(|mirror| mirror.base != base) {
                mirrors.push(Mirror { base, signed_by: source.signed_by.clone() });
            }
        }
    }
    mirrors
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(uris: &[&str], suites: &[&str]) -> AptSource {
        let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        AptSource { uris: owned(uris), suites: owned(suites), signed_by: None }
    }

    #[test]
    fn the_mirror_of_the_suite_goes_first() {
        let bases = |configured, sources: &[AptSource]| -> Vec<String> {
            mirrors(configured, sources, "bookworm").into_iter().map(|mirror| mirror.base).collect()
        };
        let sources = [
            source(&["http://other/apt/"], &["stable"]),
            source(&["http://two/debian/", "cdrom:[x]", "http://three/debian"], &["bookworm"]),
            source(&["http://two/debian", "file:/srv/mirror"], &["trixie"]),
        ];
        let expect =
            ["http://two/debian", "http://three/debian", "http://other/apt", "file:///srv/mirror"];
        assert_eq!(bases(None, &sources), expect);
        assert_eq!(bases(Some("https://mine/"), &sources), ["https://mine"]);
        assert!(bases(None, &[]).is_empty());
    }
}
