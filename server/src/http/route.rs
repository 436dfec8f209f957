//! Finds out what a path names.

use cache::{Digest, DigestFunction, reapi};

/// Something that can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Route {
    /// The page for people.
    Page,
    /// The check whether the server works.
    Health,
    /// The numbers for monitoring.
    Metrics,
    /// The result of the action with this hash.
    Action([u8; 32]),
    /// The blob with this hash.
    Blob([u8; 32]),
}

impl Route {
    /// Parses a path. Results and blobs are found below any prefix, as Bazel's `--remote_cache` may have one.
    pub(super) fn parse(path: &str) -> Option<Self> {
        match path {
            "/" => return Some(Self::Page),
            "/healthz" => return Some(Self::Health),
            "/metrics" => return Some(Self::Metrics),
            _ => {}
        }
        let (rest, hash) = path.rsplit_once('/')?;
        let (_, kind) = rest.rsplit_once('/')?;
        // The function does not matter for the form of the hash.
        let wire = reapi::Digest { hash: hash.to_owned(), size_bytes: 0 };
        let hash = *Digest::from_reapi(DigestFunction::Sha256, &wire).ok()?.hash();
        match kind {
            "ac" => Some(Self::Action(hash)),
            "cas" => Some(Self::Blob(hash)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        let hash = "0f".repeat(32);
        let check = |path: &str, expect: Option<Route>| {
            assert_eq!(Route::parse(&path.replace("HASH", &hash)), expect, "{path}");
        };
        check("/", Some(Route::Page));
        check("/healthz", Some(Route::Health));
        check("/metrics", Some(Route::Metrics));
        check("/ac/HASH", Some(Route::Action([15; 32])));
        check("/cas/HASH", Some(Route::Blob([15; 32])));
        check("/team/main/cas/HASH", Some(Route::Blob([15; 32])));
        for path in ["", "/x", "/cas", "/cas/", "/HASH", "cas/HASH", "/cas/HASH/", "/cas/HASHx"] {
            check(path, None);
        }
        check("/cas/../HASH", None);
        check("/cas/0F0F", None);
    }
}
