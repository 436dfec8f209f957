//! Reads the index of a suite's binary packages. The caller has checked that it is the index of a signed
//! release.

use std::collections::{BTreeMap, BTreeSet};

use cache::{Digest, DigestFunction};

use super::stanza::{self, Stanza};
use crate::toolchain::source::error::DebianError;

/// The index entry of a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// The package's version.
    pub(super) version: String,
    /// The package's architecture, which may be `all`.
    pub(super) architecture: String,
    /// The path of the package's file on the mirror.
    pub(super) path: String,
    /// The SHA-256 and size of the package's file.
    pub(super) digest: Digest,
}

/// Finds packages by name in the text of an index.
///
/// # Errors
/// An entry is incomplete, or a package is there more than once.
pub(super) fn find(
    text: &str,
    names: &BTreeSet<&str>,
) -> Result<BTreeMap<String, Entry>, DebianError> {
    let mut found = BTreeMap::new();
    for stanza in stanza::all(text) {
        // The name is the first field of a stanza, so this reads one line of most stanzas.
        let Some(name) = stanza.get("Package").filter(|name| names.contains(name.as_str())) else {
            continue;
        };
        let entry = entry(&stanza).ok_or_else(|| DebianError::BadEntry(name.clone()))?;
        if found.insert(name.clone(), entry).is_some() {
            return Err(DebianError::Ambiguous(name));
        }
    }
    Ok(found)
}

fn entry(stanza: &Stanza<'_>) -> Option<Entry> {
    let (hex, size) = (stanza.get("SHA256")?, stanza.get("Size")?);
    let path = stanza.get("Filename").filter(|path| is_pool_path(path))?;
    Some(Entry {
        version: stanza.get("Version")?,
        architecture: stanza.get("Architecture")?,
        path,
        digest: format!("{}:{hex}/{size}", DigestFunction::Sha256).parse().ok()?,
    })
}

/// Returns true if a path stays below the mirror's folder.
pub(super) fn is_pool_path(path: &str) -> bool {
    !path.is_empty() && path.split('/').all(|part| !["", ".", ".."].contains(&part))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
Package: dash
Version: 0.5.12-2
Architecture: amd64
Description: shell
 Package: not this
Filename: pool/main/d/dash/dash_0.5.12-2_amd64.deb
Size: 97252
SHA256: 33ea40061da2f1a861ec46212b2b6a34f0776a049b1a3f0abce2fb8cb994258f

Package: dash-doc
Version: 1

Package: twice
Version: 1
Architecture: all
Filename: pool/main/t/twice_1_all.deb
Size: 1
SHA256: 33ea40061da2f1a861ec46212b2b6a34f0776a049b1a3f0abce2fb8cb994258f

Package: twice
Version: 2
Architecture: all
Filename: pool/main/t/twice_2_all.deb
Size: 1
SHA256: 33ea40061da2f1a861ec46212b2b6a34f0776a049b1a3f0abce2fb8cb994258f

Package: outside
Version: 2
Architecture: all
Filename: pool/../../x.deb
Size: 1
SHA256: 33ea40061da2f1a861ec46212b2b6a34f0776a049b1a3f0abce2fb8cb994258f
";

    #[test]
    fn packages_are_found_by_name() {
        let found = find(TEXT, &["dash", "absent"].into()).unwrap();
        assert_eq!(found.len(), 1);
        let dash = &found["dash"];
        assert_eq!((dash.version.as_str(), dash.architecture.as_str()), ("0.5.12-2", "amd64"));
        assert_eq!(dash.path, "pool/main/d/dash/dash_0.5.12-2_amd64.deb");
        assert_eq!(dash.digest.size(), 97252);
    }

    #[test]
    fn odd_entries_are_refused() {
        let check = |name: &str, expect: &str| {
            assert_eq!(find(TEXT, &[name].into()).unwrap_err().to_string(), expect);
        };
        check("dash-doc", "the index of the mirror has a bad entry for `dash-doc`");
        check("outside", "the index of the mirror has a bad entry for `outside`");
        check("twice", "the index of the mirror has several versions of `twice`");
    }
}
