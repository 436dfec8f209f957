//! A component that does something without end fails its own test, and hurts no other.

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::fixture::{command, project, project_of};
use super::{line, ran, shows};
use crate::harness::Run;

#[test]
fn what_takes_too_long_is_ended() {
    let workspace = project(
        r#"[[test]]
name = "spins"
component = "calc"
function = "demo:calc/ops#spin"
timeout = "1s"

[[test]]
name = "spins as it should"
component = "calc"
function = "demo:calc/ops#spin"
timeout = "1s"
expect_error = "1"

[[test]]
name = "serves nobody"
component = "web"
request = "GET /spin"
timeout = "1s"

[[test]]
name = "adds"
component = "calc"
function = "demo:calc/ops#add"
args = ["1", "2"]
expect = "3"
"#,
    );
    let run = workspace.run(["test"]).exits(3);
    shows(&run, "run.toml:23 timeout: it took longer than 1 s\n");
    line(&run, "FAILED calc: spins as it should (");
    line(&run, "FAILED web: serves nobody (");
    line(&run, "ok calc: adds (");
}

#[test]
fn a_flood_and_a_glutton_hurt_no_other() {
    let flood =
        command("(loop (call $write (i32.const 1) (i32.const 8192) (i32.const 65536)) (br 0))");
    let glutton = command("(loop (drop (memory.grow (i32.const 256))) (br 0))");
    let workspace = project_of(
        "flood",
        flood,
        "capabilities = [\"stdio\"]\n\n[[component]]\nname = \"glutton\"\npath = \"glutton.wasm\"\n\n\
         [[component]]\nname = \"tool\"\npath = \"tool.wasm\"\n\n\
         [[test]]\nname = \"floods\"\ncomponent = \"flood\"\n\n\
         [[test]]\nname = \"eats\"\ncomponent = \"glutton\"\n\n\
         [[test]]\nname = \"works\"\ncomponent = \"tool\"\n",
    )
    .file("glutton.wasm", glutton)
    .file("tool.wasm", command(""));
    let run = workspace.run(["test"]).exits(3);
    shows(&run, "it wrote more than 4 MiB to a standard stream\n");
    shows(&run, "bytes more]");
    shows(
        &run,
        "the component ran out of memory: it needs more memory than its limit of 512 MiB\n",
    );
    line(&run, "ok tool: works (");
    assert!(run.stdout.len() < 200_000, "{}", run.stdout.len());
}

#[test]
fn the_user_can_stop_the_tests() {
    let workspace = project(
        "[[test]]\nname = \"spins\"\ncomponent = \"calc\"\nfunction = \"demo:calc/ops#spin\"\ntimeout = \"10m\"\n",
    );
    // The component is compiled before, so that the signal meets the test.
    workspace.run(["build"]).ok();
    let child = workspace.spawn(&["test"]);
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    std::thread::sleep(Duration::from_secs(3));
    let stopped = Instant::now();
    kill_process(pid, Signal::INT).unwrap();
    let run = Run::of(child.wait_with_output().unwrap()).exits(8);
    assert!(stopped.elapsed() < Duration::from_secs(3), "{:?}", stopped.elapsed());
    assert_eq!(ran(&run), ["calc:test spins"]);
    line(&run, "not run calc: spins");
}
