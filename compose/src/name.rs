//! Compares names of imports and exports, which may end in a version, as in `wasi:http/types@0.2.4`.
//!
//! The rule is Cargo's for releases, and that of `wac` and wasmtime: `1.2.0` and `1.4.1` are compatible, and so are `0.2.0` and `0.2.4`,
//! but not `0.2.0` and `0.3.0`. A version before a release (`0.2.0-rc.1`) and a version `0.0.x` are compatible with nothing else.

use semver::Version;

/// Returns a name without its version.
pub(crate) fn base(name: &str) -> &str {
    name.split_once('@').map_or(name, |(base, _)| base)
}

/// Returns what all compatible names have in common, as `wasi:http/types@0.2.*`, and the version. There is none if no other name is
/// compatible.
pub(crate) fn track(name: &str) -> Option<(String, Version)> {
    let (base, version) = name.split_once('@')?;
    let version = Version::parse(version).ok().filter(|version| version.pre.is_empty())?;
    let track = match (version.major, version.minor) {
        (0, 0) => return None,
        (0, minor) => format!("{base}@0.{minor}.*"),
        (major, _) => format!("{base}@{major}.*"),
    };
    Some((track, version))
}

/// Returns the same text for all names that are compatible with each other.
pub(crate) fn key(name: &str) -> String {
    track(name).map_or_else(|| name.to_owned(), |(track, _)| track)
}

/// Tells if two names are equal or have compatible versions.
pub(crate) fn is_same(one: &str, other: &str) -> bool {
    key(one) == key(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_same_by_the_rule_of_wac() {
        let names = [
            "f",
            "a:b/c",
            "a:b/d@1.0.0",
            "a:b/c@1.0.0",
            "a:b/c@1.4.2",
            "a:b/c@1.4.2+x",
            "a:b/c@2.0.0",
            "a:b/c@0.2.0",
            "a:b/c@0.2.11",
            "a:b/c@0.20.1",
            "a:b/c@0.3.0",
            "a:b/c@0.0.1",
            "a:b/c@0.0.2",
            "a:b/c@1.0.0-rc.1",
            "a:b/c@0.2.0-draft",
            "a:b/c@1",
            "a:b/c@0.2",
            "a:b/c@",
            "",
        ];
        for one in names {
            for other in names {
                let expected = wac_graph::types::are_semver_compatible(one, other);
                assert_eq!(is_same(one, other), expected, "{one} {other}");
            }
        }
        assert!(is_same("a:b/c@0.2.0", "a:b/c@0.2.11"));
        assert!(!is_same("a:b/c@0.2.0", "a:b/c@0.20.1"));
    }
}
