//! Tests of tests that pass and fail, and of the messages about them.

use super::fixture::{FIRST_LINE, command, project, project_of};
use super::{line, shows};
use crate::harness::Workspace;

#[test]
fn functions_are_called_and_values_compared() {
    let workspace = project(
        r#"[[test]]
name = "adds"
component = "calc"
function = "demo:calc/ops#add"
args = ["40", "2"]
expect = "42"

[[test]]
name = "swaps"
component = "calc"
function = "demo:calc/ops@0.1.0#swap"
args = ["{y: 2, x: 1}"]
expect = "{y: 1, x: 2}"

[[test]]
name = "answers"
component = "calc"
function = "answer"
expect = "42"

[[test]]
name = "divides"
component = "calc"
function = "demo:calc/ops#divide"
args = ["84", "2"]
expect = "ok(42)"

[[test]]
name = "does not divide by zero"
component = "calc"
function = "demo:calc/ops#divide"
args = ["1", "0"]
expect_error = "by zero"

[[test]]
name = "fails"
component = "calc"
function = "demo:calc/ops#fail"
expect_error = "unreachable"

[[test]]
name = "returns something"
component = "calc"
function = "demo:calc/ops#echo"
args = ['"grüß dich"']
"#,
    );
    let run = workspace.run(["test"]).ok();
    line(&run, "ok calc: adds (");
    line(&run, "ok calc: does not divide by zero (");
    line(&run, "Tests 7 passed in ");
    assert!(!workspace.exists("target"), "tests write no components");
}

#[test]
fn another_value_is_shown_beside_the_expected_one() {
    let workspace = project(
        r#"[[test]]
name = "adds"
component = "calc"
function = "demo:calc/ops#add"
args = ["40", "2"]
expect = "41"

[[test]]
name = "swaps"
component = "calc"
function = "demo:calc/ops#swap"
args = ["{x: 1, y: 2}"]
expect = "{y: 2, x: 1}"

[[test]]
name = "echoes"
component = "calc"
function = "demo:calc/ops#echo"
args = ['"a"']
expect = "7"
"#,
    );
    let run = workspace.run(["test"]).exits(3);
    line(&run, "FAILED calc: adds (");
    shows(&run, "expected  41\n    actual    42\n");
    shows(&run, &format!("run.toml:{} expect: the value is another one", FIRST_LINE + 5));
    shows(&run, "expected  {x: 1, y: 2}\n    actual    {x: 2, y: 1}\n");
    shows(&run, "the function returns a `string`, and `7` is none: ");
    line(&run, "Tests 0 passed, 3 failed in ");
}

#[test]
fn traps_and_errors_fail_unless_they_are_expected() {
    let workspace = project(
        r#"[[test]]
name = "traps"
component = "calc"
function = "demo:calc/ops#fail"

[[test]]
name = "err"
component = "calc"
function = "demo:calc/ops#divide"
args = ["1", "0"]

[[test]]
name = "another error"
component = "calc"
function = "demo:calc/ops#divide"
args = ["1", "0"]
expect_error = "overflow"

[[test]]
name = "no error"
component = "calc"
function = "demo:calc/ops#divide"
args = ["1", "1"]
expect_error = "zero"
"#,
    );
    let run = workspace.run(["test"]).exits(3);
    shows(&run, "the component trapped\n");
    shows(&run, "wasm trap: wasm `unreachable` instruction executed");
    // The functions that were being called are listed.
    shows(&run, " - <unknown>!<wasm function ");
    shows(&run, "run.toml:27 function: it returned an error\n    actual    division by zero\n");
    shows(&run, "the error does not contain the text\n    expected  overflow\n");
    shows(&run, "it returned no error\n    expected  zero\n    actual    ok(1)\n");
    line(&run, "Tests 0 passed, 4 failed in ");
}

#[test]
fn a_request_is_sent_and_the_response_compared() {
    let workspace = project(
        r#"[[test]]
name = "says hello"
component = "web"
request = "GET /hello?loud"
headers = { Accept = "text/plain" }
expect = "hello from wasm"

[[test]]
name = "says something"
component = "web"
request = "POST /"
body = "abc"
expect_status = 200
expect_contains = "from"

[[test]]
name = "is not there"
component = "web"
request = "GET /hello"
expect_status = 404
expect_headers = { Content-Type = "text/html" }
expect = "bye"

[[test]]
name = "traps"
component = "web"
request = "GET /trap"
expect_status = 500

[[test]]
name = "gives nothing"
component = "web"
request = "GET /nothing"
"#,
    );
    let run = workspace.run(["test"]).exits(3);
    line(&run, "ok web: says hello (");
    line(&run, "ok web: says something (");
    shows(&run, "expect_status: the status is another one\n    expected  404\n    actual    200\n");
    shows(&run, "expect_headers: there is no header `content-type`\n    expected  text/html\n");
    shows(&run, "expect: the body is another one\n");
    // A trap is no response, whatever status a server would make of it.
    shows(&run, "the component trapped\n");
    shows(&run, "about to trap");
    line(&run, "FAILED web: gives nothing (");
    line(&run, "Tests 2 passed, 3 failed in ");
}

#[test]
fn a_command_is_run_with_what_it_is_given() {
    let tool = command("(call $write_args) (call $write_environ) (call $copy_stdin)");
    let workspace = project_of(
        "tool",
        tool,
        "capabilities = [\"stdio\", \"env:WHO\"]\n\n[[test]]\nname = \"prints\"\ncomponent = \"tool\"\n\
         args = [\"two words\"]\nenv = { WHO = \"me\" }\nstdin = \"in\"\nexpect = \"tool\\u0000two words\\u0000WHO=me\\u0000in\"\n\n\
         [[test]]\nname = \"prints no more\"\ncomponent = \"tool\"\nexpect = \"tool\\u0000\"\n",
    );
    let run = workspace.run(["test"]).ok();
    line(&run, "Tests 2 passed in ");
}

#[test]
fn lines_that_differ_are_shown_with_those_around_them() {
    let workspace = project_of(
        "tool",
        command("(call $copy_stdin)"),
        "capabilities = [\"stdio\"]\n\n[[test]]\nname = \"copies\"\ncomponent = \"tool\"\n\
         stdin = \"a\\nb\\nc\\nd\\ne\\nf\\n\"\nexpect = \"\"\"\na\nb\nc\nd\nX\nf\"\"\"\n",
    );
    let run = workspace.run(["test"]).exits(3);
    shows(&run, "    - expected, + actual\n      … 2 more\n      c\n      d\n    - X\n    + e\n");
    shows(&run, "  standard output:\n    a\n    b\n");
}

#[test]
fn exit_codes_and_standard_error() {
    // The adapter of WASI 0.1 makes 1 of every exit code but 0.
    let tool = command("(call $write_stderr) (call $exit (i32.const 1))");
    let test = |name: &str, rest: &str| {
        format!("\n[[test]]\nname = \"{name}\"\ncomponent = \"tool\"\n{rest}\n")
    };
    let tests = [
        "capabilities = [\"stdio\"]\n".to_owned(),
        test("any failure", "expect_error = \"to stderr\""),
        test("status 1", "expect_status = 1"),
        test("both", "expect_status = 1\nexpect_error = \"stderr\""),
        test("success", ""),
        test("status 4", "expect_status = 4"),
        test("another text", "expect_error = \"oh no\""),
    ];
    let run = project_of("tool", tool, &tests.concat()).run(["test"]).exits(3);
    for passes in ["any failure", "status 1", "both"] {
        line(&run, &format!("ok tool: {passes} ("));
    }
    shows(&run, "the exit code is another one\n    expected  0\n    actual    1\n");
    shows(&run, "    expected  4\n    actual    1\n");
    shows(&run, "standard error does not contain the text\n    expected  oh no\n");
    line(&run, "Tests 3 passed, 3 failed in ");
}

#[test]
fn the_clock_starts_at_the_same_time_in_each_test() {
    // 2026-01-01T00:00:00Z, with a second to spare for looking at the clock.
    let now = "(drop (call $clock_time_get (i32.const 0) (i64.const 1) (i32.const 64)))
        (call $exit (i64.ne (i64.div_u (i64.load (i32.const 64)) (i64.const 1000000000)) (i64.const 1767225600)))";
    let test = "\n[[test]]\nname = \"new year\"\ncomponent = \"tool\"\n";
    let tests = format!("capabilities = [\"clock\"]\n{test}");
    project_of("tool", command(now), &tests).run(["test"]).ok();
}

#[test]
fn the_tests_of_the_example_pass_in_all_languages() {
    let workspace = Workspace::built("polyglot");
    let run = workspace.run(["test"]).ok();
    assert!(line(&run, "Tests 12 passed").contains("passed"), "{}", run.stdout);
    for component in
        ["api", "calc", "greeter", "report", "shop", "slug", "quote", "checksum", "sort", "banner"]
    {
        line(&run, &format!("ok {component}: "));
    }
}
