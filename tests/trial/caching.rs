//! Tests that have passed are not run again, and all others are.

use super::fixture::{calc, command, project, project_of};
use super::{line, ran, shows};

const TESTS: &str = r#"[[test]]
name = "adds"
component = "calc"
function = "demo:calc/ops#add"
args = ["40", "2"]
expect = "42"

[[test]]
name = "echoes"
component = "calc"
function = "demo:calc/ops#echo"
args = ['"a"']
expect = '"a"'

[[test]]
name = "says hello"
component = "web"
request = "GET /"
"#;

#[test]
fn what_has_passed_is_not_run_again() {
    let workspace = project(TESTS);
    let run = workspace.run(["test"]).ok();
    let mut first = ran(&run);
    first.sort_unstable();
    assert_eq!(first, ["calc:test adds", "calc:test echoes", "web:test says hello"]);
    let run = workspace.run(["test"]).ok();
    assert_eq!(ran(&run), [""; 0]);
    line(&run, "ok calc: adds (cached)");
    line(&run, "Tests 3 passed (3 cached) in ");
    // Where a test stands and what it is called make no difference; what it says does.
    workspace.replace("run.toml", "name = \"adds\"", "\n\nname = \"adds up\"");
    workspace.replace(
        "run.toml",
        "args = ['\"a\"']\nexpect = '\"a\"'",
        "args = ['\"b\"']\nexpect = '\"b\"'",
    );
    let run = workspace.run(["test"]).ok();
    assert_eq!(ran(&run), ["calc:test echoes"]);
    line(&run, "ok calc: adds up (cached)");
    // Another component runs its tests again, and no others.
    let mut other = calc();
    // A custom section: its id, its length, and an empty name.
    other.extend_from_slice(&[0, 1, 0]);
    workspace.write("calc.wasm", other);
    let run = workspace.run(["test"]).ok();
    assert_eq!(ran(&run), ["calc:test adds up", "calc:test echoes"]);
    line(&run, "ok web: says hello (cached)");
    // Everything is there, so no network and no change of the lock is needed.
    workspace.run(["test", "--frozen"]).ok();
}

#[test]
fn all_tests_run_again_if_that_is_asked_for() {
    let workspace = project(TESTS);
    workspace.run(["test"]).ok();
    let run = workspace.run(["test", "--rerun"]).ok();
    assert_eq!(ran(&run).len(), 3);
    line(&run, "Tests 3 passed in ");
    let run = workspace.run(["test", "--rerun", "adds"]).ok();
    assert_eq!(ran(&run), ["calc:test adds"]);
    line(&workspace.run(["test"]).ok(), "Tests 3 passed (3 cached) in ");
}

#[test]
fn what_has_failed_runs_again() {
    let workspace = project(TESTS);
    workspace.replace("run.toml", "expect = \"42\"", "expect = \"41\"");
    for _ in 0..2 {
        let run = workspace.run(["test"]).exits(3);
        assert!(ran(&run).contains(&"calc:test adds"), "{:?}", ran(&run));
        shows(&run, "expected  41\n");
    }
    let run = workspace.run(["test"]).exits(3);
    line(&run, "Tests 2 passed (2 cached), 1 failed in ");
}

#[test]
fn what_may_see_the_world_is_never_cached() {
    let tool = command("(call $write_args)");
    let tests = "capabilities = [\"stdio\", \"filesystem:data\"]\n\n[[test]]\nname = \"runs\"\ncomponent = \"tool\"\n\n\
         [[test]]\nname = \"runs apart\"\ncomponent = \"tool\"\ncapabilities = [\"stdio\"]\n";
    let workspace = project_of("tool", tool, tests).file("data/x", "x");
    workspace.run(["test"]).ok();
    let run = workspace.run(["test"]).ok();
    assert_eq!(ran(&run), ["tool:test runs"]);
    assert!(line(&run, "ok tool: runs (").ends_with(", never cached: it may use filesystem)"));
    line(&run, "ok tool: runs apart (cached)");
}
