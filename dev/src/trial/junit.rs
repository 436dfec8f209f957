//! Writes the results of tests as JUnit XML, which servers of continuous integration read.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite};

use super::results::{End, TestResult};

/// The error that a report can't be written as XML.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the results as JUnit XML")]
pub struct JunitError(#[source] quick_junit::SerializeError);

/// Returns the report: a suite for each component, in the order of the tests. It has no date and no name of a machine, so
/// the same results give nearly the same text; only times differ.
///
/// # Errors
/// If the text can't be made.
pub fn junit(project: &str, results: &[TestResult]) -> Result<String, JunitError> {
    let mut order: Vec<&str> = Vec::new();
    let mut suites: BTreeMap<&str, TestSuite> = BTreeMap::new();
    let mut whole = Duration::ZERO;
    for result in results {
        let component = result.component.as_str();
        if !suites.contains_key(component) {
            order.push(component);
        }
        let suite = suites.entry(component).or_insert_with(|| TestSuite::new(component));
        let time = Duration::from_millis(result.verdict().map_or(0, |verdict| verdict.millis));
        whole = whole.saturating_add(time);
        suite.set_time(suite.time.unwrap_or_default().saturating_add(time));
        suite.add_test_case(case(result, time));
    }
    let mut report = Report::new(project);
    report.set_time(whole);
    report.add_test_suites(order.iter().filter_map(|name| suites.remove(name)));
    report.to_string().map_err(JunitError)
}

fn case(result: &TestResult, time: Duration) -> TestCase {
    let mut case = TestCase::new(result.name.as_str(), status(result));
    case.set_classname(result.component.as_str()).set_time(time);
    if let End::Done { verdict, is_cached } = &result.end {
        if *is_cached {
            case.add_property(Property::new("cached", "true"));
        }
        if !verdict.stdout.is_empty() {
            case.set_system_out(verdict.stdout.as_str());
        }
        if !verdict.stderr.is_empty() {
            case.set_system_err(verdict.stderr.as_str());
        }
    }
    case
}

fn status(result: &TestResult) -> TestCaseStatus {
    if result.verdict().is_none() {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        status
            .set_type("not-run")
            .set_message("the component was not built, or the tests were stopped");
        return status;
    }
    let Some(first) = result.faults.first() else { return TestCaseStatus::success() };
    let mut text = String::new();
    for at in &result.faults {
        let fault = &at.fault;
        let _ = writeln!(text, "run.toml:{}: {}", at.line, fault.message);
        for (what, value) in [("expected", &fault.expected), ("actual", &fault.actual)] {
            if let Some(value) = value {
                let _ = writeln!(text, "{what}: {value}");
            }
        }
        if let Some(details) = &fault.details {
            let _ = writeln!(text, "{details}");
        }
    }
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    status.set_type(first.fault.key.as_str()).set_message(first.fault.message.as_str());
    status.set_description(text);
    status
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trial::{Fault, FaultAt, Verdict};

    fn result(component: &str, name: &str, end: End, faults: Vec<FaultAt>) -> TestResult {
        TestResult { component: component.to_owned(), name: name.to_owned(), line: 3, end, faults }
    }

    #[test]
    fn a_report_has_a_suite_for_each_component() {
        let done = |verdict: Verdict, is_cached| End::Done { verdict, is_cached };
        let fault = Fault::differs("expect", "the value", "1", "<2>\u{1b}[31m");
        let failed = Verdict {
            faults: vec![fault.clone()],
            stdout: "hello".to_owned(),
            millis: 7,
            ..Verdict::default()
        };
        let results = [
            result("b", "one", done(Verdict { millis: 5, ..Verdict::default() }, true), vec![]),
            result("a", "two", done(failed, false), vec![FaultAt { fault, line: 9 }]),
            result("b", "three", End::NotRun, vec![]),
        ];
        let expect = r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="p" tests="3" skipped="0" failures="1" errors="1" time="0.012">
    <testsuite name="b" tests="2" skipped="0" errors="1" failures="0" time="0.005">
        <testcase name="one" classname="b" time="0.005">
            <properties>
                <property name="cached" value="true"/>
            </properties>
        </testcase>
        <testcase name="three" classname="b" time="0.000">
            <error message="the component was not built, or the tests were stopped" type="not-run"/>
        </testcase>
    </testsuite>
    <testsuite name="a" tests="1" skipped="0" errors="0" failures="1" time="0.007">
        <testcase name="two" classname="a" time="0.007">
            <failure message="the value is another one" type="expect">run.toml:9: the value is another one
expected: 1
actual: &lt;2&gt;
</failure>
            <system-out>hello</system-out>
        </testcase>
    </testsuite>
</testsuites>
"#;
        assert_eq!(junit("p", &results).unwrap(), expect);
    }
}
