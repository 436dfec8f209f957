//! Tests what people are told about a release.
//!
//! It has to be true for a bad release, too: claims of strangers are shown as such, and nothing controls the terminal.

use release::bundle::Bundle;
use release::explain;
use release::verify::FaultKind;

use crate::sample::{CI, Demands, REBUILDER, STRANGER, Sample};

#[test]
fn a_person_reads_what_is_claimed_by_whom_and_what_was_checked() {
    let text = explain(&Demands::all().check(&Sample::new("1.2.0").archive()));
    for line in [
        "Release shop-1.2.0\n",
        "  components/api.wasm (",
        "  by the trusted key `ci`\n    builder https://ci.example/builder with run 0.1.0\n",
        "    `shop` 1.2.0, built for `release`\n",
        "    the sources are those of the commit\n",
        "    the actions ran on x86_64-linux, separated by namespaces\n",
        "    2 rebuilds gave the same bytes\n",
        "    the same as above\n",
        "    used: libraries\n      pkg:cargo/serde@1.0.229 sha256:",
        "  ok       the key `rebuilder` has signed `attestations/",
        "The release is accepted.\n",
    ] {
        assert!(text.contains(line), "{line}\n---\n{text}");
    }
}

#[test]
fn claims_of_a_stranger_are_shown_as_such() {
    let report = Demands::all().check(&Sample::new("1.2.0").signed(&[&STRANGER]));
    assert_eq!(report.verdict(), Some(FaultKind::Integrity));
    let text = explain(&report);
    let name = STRANGER.public().id().to_string();
    assert!(text.contains(&format!("by SOMEBODY UNKNOWN, who names the key `{name}`")), "{text}");
    assert!(text.contains("FAILED   none of the trusted keys has signed the release"), "{text}");
    assert!(text.ends_with("The release is refused: its bytes or signatures are wrong.\n"));
}

#[test]
fn what_is_bad_is_not_to_be_overlooked() {
    let mut sample = Sample::new("1.2.0");
    sample.build.source.as_mut().unwrap().is_clean = false;
    sample.build.sandbox = release::statement::Sandbox::None;
    sample.build.rebuilds = 0;
    let text = explain(&Demands::all().check(&sample.archive()));
    for line in [
        "the sources were CHANGED after the commit\n",
        "WITHOUT a sandbox\n",
        "nobody has built it again\n",
        "FAILED   the policy requires clean sources",
        "The release is refused: it does not prove what is required.\n",
    ] {
        assert!(text.contains(line), "{line}\n---\n{text}");
    }
}

#[test]
fn no_text_of_a_release_controls_a_terminal() {
    // The hint is not signed, so anybody can write anything there.
    let sample = Sample::new("1.2.0");
    let bundle = String::from_utf8(Bundle::sign(&sample.json(), &STRANGER).to_json()).unwrap();
    let hint = STRANGER.public().id().to_string();
    let bundle = bundle.replace(&hint, "\\u001b[2J\\u202e\\ntrusted");
    let mut raw = crate::mutants::raw::Raw::of(&sample.signed(&[&CI, &REBUILDER]));
    raw.set("attestations/0123456789abcdef.sigstore.json", bundle.into_bytes());
    let text = explain(&Demands::all().check(&raw.pack()));
    assert!(text.contains("??[2J") || text.contains("?[2J"), "{text}");
    assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "{text}");
    assert!(text.contains("The release is accepted.\n"), "{text}");
}
