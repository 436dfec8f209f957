//! The verdict on a test, which is the output of its action.

use serde::{Deserialize, Serialize};

/// The outcome of a test. A cached verdict may come from another machine, so reading one never panics.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Everything that was not as the test says. The test has passed if there is nothing.
    pub faults: Vec<Fault>,
    /// The standard output, or its first part.
    pub stdout: String,
    /// The standard error and the log entries, or their first part.
    pub stderr: String,
    /// The things that the component was refused, each in one sentence that says which line would allow it.
    pub denials: Vec<String>,
    /// The capabilities by which the component may have seen something that is not among the inputs of the test, such as
    /// `http-client`. Then the verdict counts for one run only.
    pub world: Vec<String>,
    /// The time that the test took, in milliseconds.
    pub millis: u64,
}

/// One thing that was not as the test says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// The key of `[[test]]` that it is about, or `name` if it is about no other.
    pub key: String,
    /// The message, as a lower-case fragment.
    pub message: String,
    /// The text that the test expects.
    pub expected: Option<String>,
    /// The text that there was instead.
    pub actual: Option<String>,
    /// More lines about it, such as the functions that were being called when the component trapped.
    pub details: Option<String>,
}

impl Verdict {
    /// Tells if the test has passed.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.faults.is_empty()
    }
}

impl Fault {
    pub(super) fn new(key: &str, message: impl Into<String>) -> Self {
        Self { key: key.to_owned(), message: message.into(), ..Self::default() }
    }

    pub(super) fn details(self, details: impl Into<String>) -> Self {
        Self { details: Some(details.into()), ..self }
    }

    /// Makes a fault of two texts that should be the same.
    pub(super) fn differs(key: &str, what: &str, expected: &str, actual: &str) -> Self {
        Self {
            expected: Some(expected.to_owned()),
            actual: Some(actual.to_owned()),
            ..Self::new(key, format!("{what} is another one"))
        }
    }

    /// Makes a fault of a text that lacks a part.
    pub(super) fn lacks(key: &str, what: &str, part: &str, actual: &str) -> Self {
        Self {
            expected: Some(part.to_owned()),
            actual: Some(actual.to_owned()),
            ..Self::new(key, format!("{what} does not contain the text"))
        }
    }
}

/// Compares a whole text. A line break at the end makes no difference.
pub(super) fn whole(key: &str, what: &str, expected: Option<&str>, actual: &str) -> Option<Fault> {
    fn end(text: &str) -> &str {
        text.strip_suffix('\n').unwrap_or(text)
    }
    let expected = expected?;
    (end(expected) != end(actual)).then(|| Fault::differs(key, what, expected, actual))
}

/// Looks for a part of a text.
pub(super) fn part(key: &str, what: &str, part: Option<&str>, actual: &str) -> Option<Fault> {
    let part = part?;
    (!actual.contains(part)).then(|| Fault::lacks(key, what, part, actual))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_break_at_the_end_makes_no_difference() {
        let same = |expected, actual| whole("expect", "it", Some(expected), actual).is_none();
        assert!(same("a", "a") && same("a", "a\n") && same("a\n", "a") && same("", "\n"));
        assert!(!same("a", "a\n\n") && !same("a", " a") && !same("a", "b"));
        assert!(whole("expect", "it", None, "x").is_none());
        assert!(part("expect_contains", "it", Some("b"), "abc").is_none());
        assert!(part("expect_contains", "it", Some("x"), "abc").is_some());
    }

    #[test]
    fn a_verdict_round_trips() {
        let fault = Fault::differs("expect", "the value", "1", "2").details("more");
        let verdict = Verdict { faults: vec![fault], millis: 3, ..Verdict::default() };
        let text = serde_json::to_string(&verdict).unwrap();
        assert_eq!(serde_json::from_str::<Verdict>(&text).unwrap(), verdict);
        assert!(!verdict.passed() && Verdict::default().passed());
    }
}
