//! Mistakes of those who write tests.

use super::fixture::{FIRST_LINE, command, project, project_of};
use super::{line, shows};
use crate::harness::Workspace;

const ADDS: &str = r#"[[test]]
name = "adds"
component = "calc"
function = "demo:calc/ops#add"
args = ["40", "2"]
expect = "42"
"#;

#[test]
fn there_may_be_no_tests() {
    let run = project("").run(["test"]).exits(4).says("the project has no tests");
    assert_eq!(run.stdout, "");
    let workspace = project(ADDS);
    workspace.run(["test", "subtracts"]).exits(4).says("there is calc: adds");
    workspace.run(["test", "adds", "nothing"]).ok();
}

#[test]
fn tests_are_chosen_and_listed() {
    let workspace = project(&format!(
        "{ADDS}\n[[test]]\nname = \"greets\"\ncomponent = \"web\"\nrequest = \"GET /\"\n"
    ));
    let run = workspace.run(["test", "--list"]).ok();
    assert_eq!(run.stdout, "calc: adds (run.toml:20)\nweb: greets (run.toml:27)\n");
    let chosen = |words: &[&str]| {
        let words: Vec<&str> = ["test", "--list"].iter().chain(words).copied().collect();
        workspace.run_all(&words).ok().stdout.lines().count()
    };
    assert_eq!(chosen(&["calc"]), 1);
    assert_eq!(chosen(&["gree"]), 1);
    assert_eq!(chosen(&["*: *s"]), 2);
    // Only what the chosen tests need is built.
    workspace.write("web.wasm", "no component");
    workspace.run(["test", "calc"]).ok();
    workspace.run(["test"]).exits(1);
}

#[test]
fn what_is_not_there_is_told_with_its_line() {
    let workspace = project(&ADDS.replace("calc\"", "clac\""));
    workspace
        .run(["test"])
        .exits(2)
        .says("there is no component `clac`")
        .says(&format!("run.toml:{}:13", FIRST_LINE + 2))
        .says("did you mean `calc`?");
    let check = |from: &str, to: &str, line: usize, text: &str| {
        let run = project(&ADDS.replace(from, to)).run(["test"]).exits(3);
        shows(&run, &format!("run.toml:{line} "));
        shows(&run, text);
    };
    let (function, args) = (FIRST_LINE + 3, FIRST_LINE + 4);
    check("#add\"", "#mul\"", function, "there is no function `mul` in `demo:calc/ops`");
    check(
        "calc/ops",
        "calc/other",
        function,
        "the component exports `answer`, `demo:calc/ops@0.1.0`",
    );
    check("[\"40\", \"2\"]", "[\"40\"]", args, "function `add` takes 2 arguments, not 1");
    check("\"2\"]", "\"-2\"]", args, "argument `b` should be a `u32`, not `-2`");
    // A component that is no command, and one that handles no requests.
    let run = project("[[test]]\nname = \"runs\"\ncomponent = \"calc\"\n").run(["test"]).exits(3);
    shows(&run, "the component is not a command: it exports `answer`");
    let request = "[[test]]\nname = \"serves\"\ncomponent = \"calc\"\nrequest = \"GET /\"\n";
    shows(&project(request).run(["test"]).exits(3), "not `wasi:http/incoming-handler`");
}

#[test]
fn what_contradicts_itself_is_refused_before_anything_runs() {
    let check = |test: &str, texts: &[&str]| {
        let run = project(test).run(["test"]).exits(2);
        for text in texts {
            assert!(run.stderr.contains(text), "no {text:?} in\n{}", run.stderr);
        }
    };
    check(&ADDS.replace("args", "arguments"), &["unknown key `arguments` in `[[test]]`"]);
    check(&format!("{ADDS}{ADDS}"), &["two tests are named `adds`", "first used here"]);
    check(&format!("{ADDS}stdin = \"x\"\n"), &["a test that calls a function has no `stdin`"]);
    check(&format!("{ADDS}request = \"GET /\"\n"), &["either `function` or `request`, not both"]);
    check(
        &format!("{ADDS}with = [\"test:x\"]\n"),
        &["package `test:x` is not in `[dev_dependencies]`"],
    );
    check(
        &format!("{ADDS}env = {{ A = \"b\" }}\n"),
        &["component `calc` may not read `A`", "expected `env:A`"],
    );
    check(&format!("{ADDS}timeout = \"10\"\n"), &["`10` is not a time"]);
}

#[test]
fn a_component_that_cannot_be_built_is_told_as_a_build_tells_it() {
    let workspace = project_of(
        "broken",
        b"no component".to_vec(),
        "\n[[component]]\nname = \"tool\"\npath = \"tool.wasm\"\n\n\
         [[test]]\nname = \"breaks\"\ncomponent = \"broken\"\n\n\
         [[test]]\nname = \"works\"\ncomponent = \"tool\"\n",
    )
    .file("tool.wasm", command(""));
    let built = workspace.run(["build"]).exits(1);
    let run = workspace.run(["test", "--keep-going"]).exits(1);
    let failure = built.stderr.lines().find(|line| line.contains("broken:finish")).unwrap();
    assert!(run.stderr.contains(failure), "no {failure:?} in\n{}", run.stderr);
    line(&run, "not run broken: breaks");
    line(&run, "ok tool: works (");
    line(&run, "Tests 1 passed, 1 not run in ");
}

#[test]
fn a_new_project_explains_how_to_write_a_test() {
    let workspace = Workspace::new();
    workspace.run(["new", "hello"]).ok();
    workspace.run(["-C", "hello", "test"]).exits(4).says("docs/testing-components.md");
}
