//! Rewrites texts of WIT for a completed folder: every reference gets its version, and the gates of the features that
//! `[dependencies]` switches on go away. So every tool reads the same, also one that knows no features.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::search::Found;
use super::source::{PackageSource, TextFile};

/// The features that are switched on, by `namespace:name` of the package.
pub(super) type Features = BTreeMap<String, BTreeSet<String>>;

/// The features of one package that are switched on.
pub(super) fn of<'f>(
    features: &'f Features,
    source: &PackageSource,
) -> Option<&'f BTreeSet<String>> {
    let name = source.name();
    features.get(&format!("{}:{}", name.namespace, name.name))
}

/// Returns the text of a file in which every reference has its version, and no gate of `switched_on` is left. A reference
/// without a version gets that of the package that was found for it.
pub(super) fn rewritten(
    file: &TextFile,
    found: &Found,
    switched_on: Option<&BTreeSet<String>>,
) -> Cow<'static, str> {
    let versions = file.scan.references.iter().filter_map(|reference| {
        let meant = found.meaning.get(&reference.package);
        match (&reference.package.version, meant.and_then(|package| package.version.as_ref())) {
            (None, Some(version)) => {
                Some((reference.span.end..reference.span.end, format!("@{version}")))
            }
            _ => None,
        }
    });
    let open = |feature: &str| switched_on.is_some_and(|features| features.contains(feature));
    let gates = file.scan.gates.iter().filter(|gate| open(&gate.feature));
    let mut edits: Vec<_> =
        versions.chain(gates.map(|gate| (gate.span.clone(), String::new()))).collect();
    if edits.is_empty() {
        return file.text.clone();
    }
    edits.sort_by_key(|(span, _)| span.start);
    let (mut text, mut copied) = (String::new(), 0);
    for (span, new) in edits {
        text.push_str(&file.text[copied..span.start]);
        text.push_str(&new);
        copied = span.end;
    }
    text.push_str(&file.text[copied..]);
    Cow::Owned(text)
}
