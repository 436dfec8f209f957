//! The results of tests, as a report shows them.

use rules::manifest::test::Exercise;
use rules::manifest::{Manifest, Span, Spanned, Test};

use super::verdict::{Fault, Verdict};

/// The result of a test.
#[derive(Clone, Debug)]
pub struct TestResult {
    /// The name of the component.
    pub component: String,
    /// The name of the test.
    pub name: String,
    /// The line of the test in run.toml, counted from 1.
    pub line: usize,
    /// The end of the test.
    pub end: End,
    /// The faults: everything that was not as the test says, each with its place.
    pub faults: Vec<FaultAt>,
}

/// The end of a test.
#[derive(Clone, Debug)]
pub enum End {
    /// It has a verdict.
    Done {
        /// The verdict.
        verdict: Verdict,
        /// True if the test did not run, because its verdict was known.
        is_cached: bool,
    },
    /// It was not run, because its component was not built or the user stopped the tests.
    NotRun,
}

/// A fault with its place in run.toml.
#[derive(Clone, Debug)]
pub struct FaultAt {
    /// The fault.
    pub fault: Fault,
    /// The line of the key that it is about, counted from 1.
    pub line: usize,
}

/// The number of tests by their ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// The tests that have passed.
    pub passed: usize,
    /// Those among them that did not run, because they had passed before.
    pub cached: usize,
    /// The tests that have failed.
    pub failed: usize,
    /// The tests that were not run.
    pub not_run: usize,
}

impl TestResult {
    pub(super) fn new(test: &Test, end: End, manifest: &Manifest) -> Self {
        let faults = match &end {
            End::Done { verdict, .. } => verdict.faults.clone(),
            End::NotRun => Vec::new(),
        };
        let at = |fault: Fault| {
            let line = manifest.line(span_of(test, &fault.key));
            FaultAt { fault, line }
        };
        Self {
            component: test.component.value.to_string(),
            name: test.name.value.to_string(),
            line: manifest.line(test.name.span),
            end,
            faults: faults.into_iter().map(at).collect(),
        }
    }

    /// Returns the verdict, if the test has one.
    #[must_use]
    pub fn verdict(&self) -> Option<&Verdict> {
        match &self.end {
            End::Done { verdict, .. } => Some(verdict),
            End::NotRun => None,
        }
    }

    /// Tells if the test has passed.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.verdict().is_some_and(Verdict::passed)
    }

    /// Tells if the test did not run, because its verdict was known.
    #[must_use]
    pub fn is_cached(&self) -> bool {
        matches!(self.end, End::Done { is_cached: true, .. })
    }
}

impl Totals {
    /// Counts results.
    #[must_use]
    pub fn of(results: &[TestResult]) -> Self {
        let mut totals = Self::default();
        for result in results {
            match result.verdict() {
                None => totals.not_run += 1,
                Some(verdict) if verdict.passed() => {
                    totals.passed += 1;
                    totals.cached += usize::from(result.is_cached());
                }
                Some(_) => totals.failed += 1,
            }
        }
        totals
    }
}

/// Returns the place of a key of a test, or that of its name if the key is not written.
fn span_of(test: &Test, key: &str) -> Span {
    let text = |text: &Option<Spanned<String>>| text.as_ref().map(|text| text.span);
    let written = match (key, &test.exercise) {
        ("component", _) => Some(test.component.span),
        ("timeout", _) => test.timeout.span,
        ("function", Exercise::Function(call)) => Some(call.function.span),
        ("args", Exercise::Function(call)) => {
            call.args.first().map(|arg| arg.span).or(Some(call.function.span))
        }
        ("expect", Exercise::Function(call)) => text(&call.expect),
        ("expect_error", Exercise::Function(call)) => text(&call.expect_error),
        ("request", Exercise::Request(request)) => Some(request.line.span),
        ("expect", Exercise::Request(request)) => text(&request.expect),
        ("expect_contains", Exercise::Request(request)) => text(&request.expect_contains),
        ("expect_status", Exercise::Request(request)) => {
            request.expect_status.span.or(Some(request.line.span))
        }
        ("expect_headers", Exercise::Request(request)) => {
            request.expect_headers.first().map(|(_, value)| value.span)
        }
        ("expect", Exercise::Command(command)) => text(&command.expect),
        ("expect_contains", Exercise::Command(command)) => text(&command.expect_contains),
        ("expect_error", Exercise::Command(command)) => text(&command.expect_error),
        ("expect_status", Exercise::Command(command)) => {
            command.expect_status.map(|status| status.span)
        }
        _ => None,
    };
    written.unwrap_or(test.name.span)
}
