//! The shell line for debugging leads into the same sandbox.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use sandbox::MountSource::{Scratch, Writable};
use sandbox::Spec;

use crate::harness::{Lab, With, text};

crate::tests![the_same_sandbox, exit_codes, failures];

/// Runs the line in a shell with nothing in its environment.
fn sh(lab: &Lab, spec: &Spec, input: &str) -> Output {
    let line = lab.sandbox.shell_command(spec);
    assert!(!line.contains('\n'), "{line}");
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(line).env_clear();
    let mut child =
        shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn the_same_sandbox(lab: &Lab) {
    lab.file("lower/file", "lower");
    let script = "id; pwd; env; ls /; cat file; echo more >> file; cat file; cat";
    let scratch = Scratch { lower: lab.root.join("lower"), upper: lab.folder("upper") };
    let mut spec = lab.sh(script).with("/src", scratch).with("/out", Writable(lab.folder("out")));
    spec.cwd = "/src".into();
    spec.env.push(("QUOTED".into(), "it's $HOME \"quoted\"".into()));
    let inside = lab.stdout(&spec);
    let again = sh(lab, &spec, "from standard input\n");
    assert_eq!(text(&again.stderr), "");
    // The second run finds what the first has written.
    let expect = inside.replace("lowerlowermore\n", "lowermore\nlowermore\nmore\n");
    assert_eq!(text(&again.stdout), format!("{expect}from standard input\n"));
}

fn exit_codes(lab: &Lab) {
    assert_eq!(sh(lab, &lab.sh("exit 9"), "").status.code(), Some(9));
    assert_eq!(sh(lab, &lab.sh("kill -TERM $$"), "").status.code(), Some(143));
}

fn failures(lab: &Lab) {
    let output = sh(lab, &Spec { cwd: "/nowhere".into(), ..lab.sh("true") }, "");
    assert_eq!(output.status.code(), Some(37));
    let expect = "error: can't use `/nowhere` as working directory in the sandbox: No such file or directory (os error 2)\n";
    assert_eq!(text(&output.stderr), expect);
}
