//! Tests that a command that inherits the caller's standard streams runs in the same sandbox as any
//! other.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use sandbox::MountSource::{Scratch, Writable};
use sandbox::{Cancel, Isolation, Spec, Status};

use crate::harness::{Lab, With, start, text};

crate::tests![the_same_sandbox];

/// Specifies a command that looks around, writes, and finally copies its input.
fn spec(lab: &Lab) -> Spec {
    let script = "id; pwd; env; ls /; cat file; echo more >> file; cat file; cat; exit 9";
    let scratch = Scratch { lower: lab.root.join("lower"), upper: lab.root.join("upper") };
    let out = Writable(lab.root.join("out"));
    Spec { cwd: "/src".into(), ..lab.sh(script).with("/src", scratch).with("/out", out) }
}

/// Plays the caller in the next test: its own streams are those of the command.
pub(crate) fn be_a_caller(folder: &Path, isolation: &str) {
    let isolation = Isolation::named(isolation).unwrap();
    let lab = Lab { sandbox: start(isolation, folder), root: folder.into(), probe: "/".into() };
    let outcome = lab.sandbox.run_inherited(&spec(&lab), &Cancel::new()).unwrap();
    assert_eq!(outcome.status, Status::Exited(9));
    assert!(outcome.stdout.is_empty() && outcome.stderr.is_empty());
}

fn inherit(lab: &Lab, input: &str) -> Output {
    let mut caller = Command::new(&lab.probe);
    caller.args(["inherit", lab.sandbox.isolation().name()]).arg(&lab.root);
    caller.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut caller = caller.spawn().unwrap();
    caller.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    caller.wait_with_output().unwrap()
}

fn the_same_sandbox(lab: &Lab) {
    lab.file("lower/file", "lower");
    lab.folder("upper");
    lab.folder("out");
    let captured = lab.run(&spec(lab));
    assert_eq!(captured.status, Status::Exited(9));
    let inherited = inherit(lab, "from standard input\n");
    assert_eq!(text(&inherited.stderr), "");
    // The second run finds what the first has written.
    let expect = text(&captured.stdout).replace("lowerlowermore\n", "lowermore\nlowermore\nmore\n");
    assert_eq!(text(&inherited.stdout), format!("{expect}from standard input\n"));
    assert!(inherited.status.success());
}
