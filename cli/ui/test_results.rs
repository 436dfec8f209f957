//! Prints tests and their results: for people, or as one JSON object per line.

use std::fmt::Write as _;
use std::time::Duration;

use dev::trial::{DiffLine, FaultAt, TestResult, Totals, Verdict, diff};
use rules::manifest::{Manifest, Test};
use serde_json::{Value, json};

use super::json::emit;
use super::printer::{Printer, Style, duration};

/// Prints one test of a list.
pub(crate) fn list(printer: Printer, test: &Test, manifest: &Manifest) {
    let (component, name) = (test.component.as_str(), test.name.as_str());
    let line = manifest.line(test.name.span);
    if printer.json {
        let value =
            json!({"event": "test_listed", "component": component, "name": name, "line": line});
        emit(&value);
    } else {
        printer.result(&format!("{component}: {name} (run.toml:{line})\n"));
    }
}

/// Prints results: a line for each test, then what is to be known about each that failed, then the totals.
pub(crate) fn show(printer: Printer, results: &[TestResult], time: Duration) {
    let totals = Totals::of(results);
    if printer.json {
        results.iter().for_each(|result| emit(&value(result)));
        emit(&totals_value(&totals, time));
        return;
    }
    for result in results {
        if printer.verbosity >= 0 || !result.passed() {
            printer.result(&(line(&printer, result) + "\n"));
        }
    }
    for result in results {
        let is_told = result.verdict().is_some() && (!result.passed() || printer.verbosity > 0);
        if is_told {
            printer.result(&details(&printer, result));
        }
    }
    printer.result(&(totals_line(&printer, &totals, time) + "\n"));
}

fn line(printer: &Printer, result: &TestResult) -> String {
    let TestResult { component, name, .. } = result;
    let Some(verdict) = result.verdict() else {
        return printer.status_line(Style::Warn, "not run", &format!("{component}: {name}"));
    };
    let time = duration(Duration::from_millis(verdict.millis));
    let how = match (result.is_cached(), verdict.world.as_slice()) {
        (true, _) => "cached".to_owned(),
        (false, []) => time,
        (false, world) => format!("{time}, never cached: it may use {}", world.join(", ")),
    };
    let (style, verb) = if verdict.passed() { (Style::Good, "ok") } else { (Style::Bad, "FAILED") };
    printer.status_line(style, verb, &format!("{component}: {name} ({how})"))
}

/// Returns everything that helps to understand a result, as a paragraph.
fn details(printer: &Printer, result: &TestResult) -> String {
    let mut text = format!("\n{}: {}\n", result.component, result.name);
    result.faults.iter().for_each(|fault| add_fault(&mut text, printer, fault));
    if let Some(Verdict { stdout, stderr, denials, .. }) = result.verdict() {
        for denial in denials {
            let _ = writeln!(text, "  {} {denial}", printer.styled(Style::Note, "note:"));
        }
        for (what, output) in [("standard output", stdout), ("standard error", stderr)] {
            if !output.is_empty() {
                let _ = writeln!(text, "  {what}:");
                indent(&mut text, &printer.output(output.as_bytes()));
            }
        }
    }
    text
}

fn add_fault(text: &mut String, printer: &Printer, FaultAt { fault, line }: &FaultAt) {
    let key = if fault.key == "name" { String::new() } else { format!(" {}", fault.key) };
    let place = printer.styled(Style::Note, &format!("run.toml:{line}{key}:"));
    let message = printer.output(fault.message.as_bytes());
    let _ = writeln!(text, "  {place} {message}");
    let shown = |text: &String| engine::plain(text);
    match (fault.expected.as_ref().map(shown), fault.actual.as_ref().map(shown)) {
        (Some(expected), Some(actual)) if is_long(&expected) || is_long(&actual) => {
            add_diff(text, printer, &expected, &actual);
        }
        (expected, actual) => {
            for (what, value) in [("expected", expected), ("actual", actual)] {
                if let Some(value) = value {
                    let _ = writeln!(text, "    {what:<9} {value}");
                }
            }
        }
    }
    if let Some(details) = &fault.details {
        indent(text, &printer.output(details.as_bytes()));
    }
}

/// Tells if a text has several lines.
fn is_long(text: &str) -> bool {
    text.trim_end_matches('\n').contains('\n')
}

fn add_diff(text: &mut String, printer: &Printer, expected: &str, actual: &str) {
    let _ = writeln!(text, "    - expected, + actual");
    for line in diff(expected, actual) {
        let shown = match line {
            DiffLine::Same(line) => format!("  {line}"),
            DiffLine::Expected(line) => printer.styled(Style::Bad, &format!("- {line}")),
            DiffLine::Actual(line) => printer.styled(Style::Good, &format!("+ {line}")),
            DiffLine::Skipped(count) => format!("  … {count} more"),
        };
        let _ = writeln!(text, "    {shown}");
    }
}

fn indent(text: &mut String, lines: &str) {
    for line in lines.trim_end().lines() {
        let _ = writeln!(text, "    {line}");
    }
}

fn totals_line(printer: &Printer, totals: &Totals, time: Duration) -> String {
    let mut parts = vec![match totals.cached {
        0 => format!("{} passed", totals.passed),
        cached => format!("{} passed ({cached} cached)", totals.passed),
    }];
    for (count, what) in [(totals.failed, "failed"), (totals.not_run, "not run")] {
        if count > 0 {
            parts.push(format!("{count} {what}"));
        }
    }
    let style = if totals.failed + totals.not_run == 0 { Style::Good } else { Style::Bad };
    let text = format!("{} in {}", parts.join(", "), duration(time));
    printer.status_line(style, "Tests", &text)
}

fn value(result: &TestResult) -> Value {
    let mut value = json!({
        "event": "test",
        "component": result.component,
        "name": result.name,
        "line": result.line,
        "outcome": match result.verdict() {
            None => "not_run",
            Some(verdict) if verdict.passed() => "passed",
            Some(_) => "failed",
        },
    });
    let Some(verdict) = result.verdict() else { return value };
    value["cached"] = result.is_cached().into();
    value["wall_ms"] = verdict.millis.into();
    for (key, list) in [("may_use", &verdict.world), ("denied", &verdict.denials)] {
        if !list.is_empty() {
            value[key] = list.clone().into();
        }
    }
    for (key, text) in [("stdout", &verdict.stdout), ("stderr", &verdict.stderr)] {
        if !text.is_empty() {
            value[key] = engine::plain(text).into();
        }
    }
    if !result.faults.is_empty() {
        value["faults"] = result.faults.iter().map(fault_value).collect();
    }
    value
}

fn fault_value(FaultAt { fault, line }: &FaultAt) -> Value {
    let mut value =
        json!({"key": fault.key, "line": line, "message": engine::plain(&fault.message)});
    let texts =
        [("expected", &fault.expected), ("actual", &fault.actual), ("details", &fault.details)];
    for (key, text) in texts {
        if let Some(text) = text {
            value[key] = engine::plain(text).into();
        }
    }
    value
}

fn totals_value(totals: &Totals, time: Duration) -> Value {
    let Totals { passed, cached, failed, not_run } = totals;
    json!({
        "event": "tests_finished",
        "passed": passed,
        "cached": cached,
        "failed": failed,
        "not_run": not_run,
        "wall_ms": u64::try_from(time.as_millis()).unwrap_or(u64::MAX),
    })
}

#[cfg(test)]
mod tests {
    use dev::trial::{End, Fault};

    use super::*;

    fn failed(fault: Fault) -> TestResult {
        let verdict = Verdict {
            faults: vec![fault.clone()],
            stdout: "one\ntwo\n".to_owned(),
            denials: vec!["it was not allowed to sing".to_owned()],
            millis: 4,
            ..Verdict::default()
        };
        TestResult {
            component: "calc".to_owned(),
            name: "adds".to_owned(),
            line: 7,
            end: End::Done { verdict, is_cached: false },
            faults: vec![FaultAt { fault, line: 9 }],
        }
    }

    fn fault(expected: &str, actual: &str) -> Fault {
        Fault {
            key: "expect".to_owned(),
            message: "the value is another one".to_owned(),
            expected: Some(expected.to_owned()),
            actual: Some(actual.to_owned()),
            details: None,
        }
    }

    #[test]
    fn a_failure_shows_both_values_and_the_output() {
        let printer = Printer::plain();
        let result = failed(fault("42", "41"));
        assert_eq!(line(&printer, &result), "      FAILED calc: adds (4 ms)");
        assert_eq!(
            details(&printer, &result),
            "\ncalc: adds\n  run.toml:9 expect: the value is another one\n    expected  42\n    \
             actual    41\n  note: it was not allowed to sing\n  standard output:\n    one\n    two\n"
        );
        let several = details(&printer, &failed(fault("a\nb\n", "a\nc\n")));
        let expect = "    - expected, + actual\n      a\n    - b\n    + c\n";
        assert!(several.contains(expect), "{several}");
    }

    #[test]
    fn totals_name_what_there_is() {
        let check = |totals: Totals, expect: &str| {
            let line = totals_line(&Printer::plain(), &totals, Duration::from_millis(12));
            assert_eq!(line.trim_start(), expect);
        };
        let totals = Totals { passed: 3, ..Totals::default() };
        check(totals, "Tests 3 passed in 12 ms");
        check(
            Totals { cached: 1, failed: 2, not_run: 4, ..totals },
            "Tests 3 passed (1 cached), 2 failed, 4 not run in 12 ms",
        );
    }

    #[test]
    fn programs_get_every_fault_with_its_line() {
        let value = value(&failed(fault("42", "4\u{1b}[31m1")));
        let expect = json!({
            "event": "test", "component": "calc", "name": "adds", "line": 7, "outcome": "failed",
            "cached": false, "wall_ms": 4, "denied": ["it was not allowed to sing"],
            "stdout": "one\ntwo\n",
            "faults": [{"key": "expect", "line": 9, "message": "the value is another one",
                        "expected": "42", "actual": "41"}],
        });
        assert_eq!(value, expect);
    }
}
