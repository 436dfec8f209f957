//! Choosing mirrors. Fetching from them is tested with the whole of a sync.

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
