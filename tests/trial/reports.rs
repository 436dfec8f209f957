//! Results for programs: JUnit XML and JSON.

use quick_junit::{Report, TestCaseStatus};
use serde_json::Value;

use super::fixture::project;

const TESTS: &str = r#"[[test]]
name = "adds"
component = "calc"
function = "demo:calc/ops#add"
args = ["40", "2"]
expect = "42"

[[test]]
name = "adds <&> fails"
component = "calc"
function = "demo:calc/ops#add"
args = ["1", "1"]
expect = "3"

[[test]]
name = "traps"
component = "web"
request = "GET /trap"
"#;

#[test]
fn junit_can_be_read_back() {
    let workspace = project(TESTS);
    workspace.run(["test", "adds"]).ok();
    workspace.run(["test", "--junit", "out/tests.xml"]).exits(3);
    let report = Report::deserialize_from_str(&workspace.read_text("out/tests.xml")).unwrap();
    assert_eq!(
        (report.name.unwrap().as_str(), report.tests, report.failures, report.errors),
        ("p", 3, 2, 0)
    );
    let suites: Vec<&str> = report.test_suites.iter().map(|suite| suite.name.as_str()).collect();
    assert_eq!(suites, ["calc", "web"]);
    let cases = &report.test_suites[0].test_cases;
    assert_eq!(cases[0].properties[0].name.as_str(), "cached");
    assert_eq!(cases[1].name.as_str(), "adds <&> fails");
    assert_eq!(cases[1].classname.as_ref().unwrap().as_str(), "calc");
    let TestCaseStatus::NonSuccess { message, description, .. } = &cases[1].status else {
        panic!("{:?}", cases[1].status)
    };
    assert_eq!(message.as_ref().unwrap().as_str(), "the value is another one");
    let description = description.as_ref().unwrap().as_str();
    assert!(
        description.contains("run.toml:31: ") && description.contains("expected: 3"),
        "{description}"
    );
    let trap = &report.test_suites[1].test_cases[0];
    assert!(trap.system_err.as_ref().unwrap().as_str().contains("about to trap"));
    workspace.run(["test", "--junit", "run.toml/x.xml"]).exits(36).says("cannot write");
}

#[test]
fn json_has_an_object_for_each_test() {
    let workspace = project(TESTS);
    let run = workspace.run(["test", "--message-format", "json"]).exits(3);
    let events: Vec<Value> =
        run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let tests: Vec<&Value> = events.iter().filter(|event| event["event"] == "test").collect();
    let outcome = |test: &&Value| test["outcome"].as_str().unwrap().to_owned();
    assert_eq!(tests.iter().map(outcome).collect::<Vec<_>>(), ["passed", "failed", "failed"]);
    assert_eq!((&tests[0]["component"], &tests[0]["line"]), (&"calc".into(), &20.into()));
    assert_eq!(tests[0]["cached"], false);
    let fault = &tests[1]["faults"][0];
    assert_eq!((&fault["key"], &fault["line"]), (&"expect".into(), &31.into()));
    assert_eq!((&fault["expected"], &fault["actual"]), (&"3".into(), &"2".into()));
    let last = events.last().unwrap();
    assert_eq!((&last["event"], &last["failed"]), (&"tests_finished".into(), &2.into()));
    let run = workspace.run(["test", "--list", "--message-format", "json"]).ok();
    let first: Value = serde_json::from_str(run.stdout.lines().next().unwrap()).unwrap();
    assert_eq!(first["event"], "test_listed");
}
