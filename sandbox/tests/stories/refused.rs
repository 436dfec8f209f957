//! Tests what is refused to every command, with and without namespaces: setting what outlives it,
//! and changing what limits it.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use sandbox::{Determinism, MountSource, Spec, Status};

use crate::harness::{Lab, With};

crate::tests![
    no_program_runs_as_its_owner,
    files_have_no_settings,
    nobody_waits_for_an_input,
    process_one_is_out_of_reach,
    memory_is_limited_all_the_same,
    filters_lead_nowhere,
];

/// Returns the probe's lines, each of which has a name and an answer.
fn answers(lab: &Lab, words: &[&str]) -> Vec<(String, String)> {
    let spec = lab.probe(words).with("/out", MountSource::Writable(lab.folder("out")));
    let said = lab.stdout(&spec);
    let pairs = said.lines().map(|line| line.split_once(' ').expect(line));
    pairs.map(|(name, answer)| (name.to_owned(), answer.to_owned())).collect()
}

fn no_program_runs_as_its_owner(lab: &Lab) {
    let found = answers(lab, &["set-id"]);
    assert!(found.len() >= 10, "{found:?}");
    for (name, answer) in found {
        let expect = match name.as_str() {
            "openat2" => "ENOSYS",
            "sticky" | "without-mode" => "ok",
            _ => "EPERM",
        };
        assert_eq!(answer, expect, "{name}");
    }
    for entry in std::fs::read_dir(lab.root.join("out")).unwrap() {
        let mode = entry.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o6000, 0);
    }
}

fn files_have_no_settings(lab: &Lab) {
    for (name, answer) in answers(lab, &["settings"]) {
        assert_eq!(answer, if name == "new" { "ENOSYS" } else { "EPERM" }, "{name}");
    }
}

/// Inputs are the same files for all commands, and for their owner.
fn nobody_waits_for_an_input(lab: &Lab) {
    lab.file("in/file", "content");
    let spec = lab.probe(&["leases", "/in/file"]);
    let said = lab.stdout(&spec.with("/in", MountSource::ReadOnly(lab.root.join("in"))));
    assert_eq!(said, "write EPERM\nread EPERM\ndelegation EPERM\nnotice EPERM\n");
}

fn process_one_is_out_of_reach(lab: &Lab) {
    for (name, answer) in answers(lab, &["others", "first"]) {
        let expect: &[&str] = match name.as_str() {
            "group" => &["ESRCH", "EPERM"],
            _ if lab.has_namespaces() => &["EPERM"],
            "nice-user" | "disk-user" | "trace" | "compare" => &["EPERM"],
            "pages" | "migrate" => &["EPERM", "EACCES", "ENODEV", "EINVAL"],
            _ => &["ESRCH"],
        };
        // Some kernels are built without these calls.
        let is_there = answer != "ENOSYS" || !["pages", "migrate", "compare"].contains(&&*name);
        assert!(!is_there || expect.contains(&answer.as_str()), "{name}: {answer}");
    }
}

fn filters_lead_nowhere(lab: &Lab) {
    let input = lab.file("in/file", "content");
    let mode = || std::fs::metadata(&input).unwrap().permissions().mode();
    let before = mode();
    let spec = lab.probe(&["filters", "/in/file"]);
    let spec = spec.with("/in", MountSource::ReadOnly(lab.root.join("in")));
    let traced = Spec { determinism: Some(Determinism::at(0)), ..spec.clone() };
    let [one, two] = [&traced, &traced].map(|spec| lab.stdout(spec));
    assert_eq!(one, two, "the same random bytes, whatever filter the program has");
    for said in [lab.stdout(&spec), one] {
        assert!(said.contains("listener EINVAL\nplain ok\n"), "{said}");
        // Without a tracer, there is nobody who could answer.
        assert!(
            ["EROFS", "ENOSYS"].iter().any(|no| said.contains(&format!("stopped {no}"))),
            "{said}"
        );
        assert!(said.contains("unanswered ENOSYS") || said.contains("unanswered EROFS"), "{said}");
    }
    assert!(lab.stdout(&traced).contains("untraced EPERM"));
    assert_eq!(mode(), before);
}

fn memory_is_limited_all_the_same(lab: &Lab) {
    let spec = lab.probe(&["disarm", "400"]).limited(|limits| {
        limits.memory = Some(100 << 20);
        limits.timeout = Some(Duration::from_secs(5));
    });
    assert_eq!(lab.run(&spec).status, Status::OutOfMemory);
}
