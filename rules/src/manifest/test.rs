//! Reads `[[test]]`: what is done with a component, and what it has to do then.
//!
//! A test calls a function, sends a request, or runs a command; which of them is decided by the keys `function` and
//! `request`. It looks at one test alone. What must hold between tests and components is checked in `test_sibling`, and
//! values in WAVE are read by whoever knows their types.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::capability::Capability;
use super::component::Component;
use super::diagnostic::Diagnostic;
use super::measure::Time;
use super::name::{ComponentName, FunctionName, PackageName, TestName, VariableName};
use super::request_line::RequestLine;
use super::span::{Setting, Span, Spanned};
use super::table::{self, Reader};

/// A test of a component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Test {
    /// The test's name, unique in the project.
    pub name: Spanned<TestName>,
    /// The component that is tested.
    pub component: Spanned<ComponentName>,
    /// The work that is done with the component, and the result that it has to give.
    pub exercise: Exercise,
    /// The packages of `[dev_dependencies]` that the component is composed with for this test.
    pub with: Vec<Spanned<PackageName>>,
    /// The things that the component may do in this test. `None` means what it may do anyway.
    pub capabilities: Option<Vec<Spanned<Capability>>>,
    /// The environment variables that the component sees.
    pub env: BTreeMap<VariableName, Spanned<String>>,
    /// The time that the test may take.
    pub timeout: Setting<Duration>,
    /// The place of its `[[test]]` heading.
    pub span: Span,
}

impl Test {
    /// Returns the test that a component of tests is by itself: as a command, it has to end with success.
    pub(super) fn of(component: &Component) -> Self {
        let Spanned { value, span } = &component.name;
        let name = value.as_str().parse().expect("the name of a component can name a test");
        Self {
            name: Spanned { value: name, span: *span },
            component: component.name.clone(),
            exercise: Exercise::Command(Command::default()),
            with: Vec::new(),
            capabilities: None,
            env: BTreeMap::new(),
            timeout: Setting::implied(DEFAULT_TEST_TIMEOUT),
            span: component.span,
        }
    }

    /// Returns the names of the packages that its component is composed with for it, sorted.
    #[must_use]
    pub fn packages(&self) -> BTreeSet<String> {
        self.with.iter().map(|package| package.value.to_string()).collect()
    }
}

/// The work of a test with its component, and the result that the component has to give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exercise {
    /// Calls a function.
    Function(FunctionCall),
    /// Sends an HTTP request.
    Request(Request),
    /// Runs it as a command.
    Command(Command),
}

/// A call of a function, and what it has to return.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionCall {
    /// The function.
    pub function: Spanned<FunctionName>,
    /// The arguments, in WAVE.
    pub args: Vec<Spanned<String>>,
    /// The value that it has to return, in WAVE. `None` accepts every value but an error.
    pub expect: Option<Spanned<String>>,
    /// A part of the error that it has to return, or of the message about a trap.
    pub expect_error: Option<Spanned<String>>,
}

/// An HTTP request, and what has to be in the response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The method and the path.
    pub line: Spanned<RequestLine>,
    /// The headers of the request, in the order of the file.
    pub headers: Vec<(String, Spanned<String>)>,
    /// The body of the request.
    pub body: Option<Spanned<String>>,
    /// The status of the response.
    pub expect_status: Setting<u16>,
    /// The headers that the response has to have, in the order of the file. It may have more.
    pub expect_headers: Vec<(String, Spanned<String>)>,
    /// The whole body of the response.
    pub expect: Option<Spanned<String>>,
    /// A part of the body of the response.
    pub expect_contains: Option<Spanned<String>>,
}

/// A run of a command, and what it has to print.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Command {
    /// The arguments, without the name of the command.
    pub args: Vec<Spanned<String>>,
    /// The text on standard input.
    pub stdin: Option<Spanned<String>>,
    /// The exit code. `None` means 0, or any other if `expect_error` is there.
    pub expect_status: Option<Spanned<u16>>,
    /// The whole standard output.
    pub expect: Option<Spanned<String>>,
    /// A part of the standard output.
    pub expect_contains: Option<Spanned<String>>,
    /// A part of the standard error, or of the message about a trap.
    pub expect_error: Option<Spanned<String>>,
}

/// The time that a test may take if it says nothing else.
pub const DEFAULT_TEST_TIMEOUT: Duration = Duration::from_secs(10);

/// The keys of `[[test]]`.
pub(super) const KEYS: &[&str] = &[
    "name",
    "component",
    "function",
    "args",
    "request",
    "headers",
    "body",
    "stdin",
    "env",
    "expect",
    "expect_contains",
    "expect_error",
    "expect_status",
    "expect_headers",
    "with",
    "capabilities",
    "timeout",
];

/// The keys that only one kind of test has, or two of them.
const OF_FUNCTIONS: [&str; 4] = ["function", "args", "expect", "expect_error"];
const OF_REQUESTS: [&str; 7] =
    ["request", "headers", "body", "expect", "expect_contains", "expect_status", "expect_headers"];
const OF_COMMANDS: [&str; 6] =
    ["args", "stdin", "expect", "expect_contains", "expect_error", "expect_status"];

/// Reads one `[[test]]`. Returns `None` if a part of it that has to be there can't be read.
pub(super) fn read(reader: &mut Reader<'_, '_>) -> Option<Test> {
    let name = reader.required("name", "adds two numbers");
    let component = reader.required("component", "calc");
    let exercise = read_exercise(reader);
    let with = reader.list("with");
    let capabilities = reader.key("capabilities").map(|_| reader.list("capabilities"));
    let env = read_env(reader);
    let timeout = reader.parse::<Time>("timeout").map(|time| time.map(|Time(time)| time));
    let timeout = Setting::or(timeout, DEFAULT_TEST_TIMEOUT);
    let span = reader.span();
    Some(Test {
        name: name?,
        component: component?,
        exercise: exercise?,
        with,
        capabilities,
        env,
        timeout,
        span,
    })
}

fn read_exercise(reader: &mut Reader<'_, '_>) -> Option<Exercise> {
    match (reader.key("function"), reader.key("request")) {
        (Some(function), Some(request)) => {
            reader.report(
                Diagnostic::error(request, "a test has either `function` or `request`, not both")
                    .label("expected only one of them")
                    .related(function, "`function` is here"),
            );
            None
        }
        (Some(_), None) => {
            refuse_others(reader, "calls a function", &OF_FUNCTIONS);
            read_function(reader).map(Exercise::Function)
        }
        (None, Some(_)) => {
            refuse_others(reader, "sends a request", &OF_REQUESTS);
            read_request(reader).map(Exercise::Request)
        }
        (None, None) => {
            refuse_others(reader, "runs a command", &OF_COMMANDS);
            Some(Exercise::Command(read_command(reader)))
        }
    }
}

/// Refuses the keys of other kinds of tests.
fn refuse_others(reader: &mut Reader<'_, '_>, does: &str, own: &[&str]) {
    let all = OF_FUNCTIONS.iter().chain(&OF_REQUESTS).chain(&OF_COMMANDS);
    let mut refused: Vec<&str> = all.copied().filter(|key| !own.contains(key)).collect();
    refused.sort_unstable();
    refused.dedup();
    for key in refused {
        let Some(span) = reader.key(key) else { continue };
        let mut owners = Vec::new();
        for (keys, with) in [
            (&OF_FUNCTIONS[..], "`function`"),
            (&OF_REQUESTS[..], "`request`"),
            (&OF_COMMANDS[..], "neither `function` nor `request`"),
        ] {
            if keys.contains(&key) {
                owners.push(with);
            }
        }
        reader.report(
            Diagnostic::error(span, format!("a test that {does} has no `{key}`"))
                .label(format!("expected only in a test with {}", owners.join(", or with "))),
        );
    }
}

fn read_function(reader: &mut Reader<'_, '_>) -> Option<FunctionCall> {
    let function = reader.parse("function");
    let args = reader.list_of("args", |text| Ok(text.to_owned()));
    let expect = reader.text("expect");
    let expect_error = reader.text("expect_error");
    refuse_both(reader, "expect", "expect_error");
    Some(FunctionCall { function: function?, args, expect, expect_error })
}

fn read_request(reader: &mut Reader<'_, '_>) -> Option<Request> {
    let line = reader.parse("request");
    let headers = read_headers(reader, "headers");
    let body = reader.text("body");
    let expect_status = reader.number_from("expect_status", "status of HTTP", 100..=599);
    let expect_headers = read_headers(reader, "expect_headers");
    let expect = reader.text("expect");
    let expect_contains = reader.text("expect_contains");
    refuse_both(reader, "expect", "expect_contains");
    Some(Request {
        line: line?,
        headers,
        body,
        expect_status: Setting::or(expect_status, 200),
        expect_headers,
        expect,
        expect_contains,
    })
}

fn read_command(reader: &mut Reader<'_, '_>) -> Command {
    let command = Command {
        args: reader.list_of("args", |text| Ok(text.to_owned())),
        stdin: reader.text("stdin"),
        expect_status: reader.number_from("expect_status", "valid exit code", 0..=255),
        expect: reader.text("expect"),
        expect_contains: reader.text("expect_contains"),
        expect_error: reader.text("expect_error"),
    };
    refuse_both(reader, "expect", "expect_contains");
    command
}

/// Refuses two keys of which one says more than the other, or the opposite.
fn refuse_both(reader: &mut Reader<'_, '_>, one: &str, other: &str) {
    if let (Some(first), Some(second)) = (reader.key(one), reader.key(other)) {
        let message = format!("a test has either `{one}` or `{other}`, not both");
        reader.report(
            Diagnostic::error(second, message)
                .label("expected only one of them")
                .related(first, format!("`{one}` is here")),
        );
    }
}

fn read_headers(reader: &mut Reader<'_, '_>, key: &str) -> Vec<(String, Spanned<String>)> {
    let mut headers = Vec::new();
    for (name, value) in reader.entries(key) {
        let Some(text) = value.get_ref().as_str() else {
            let what = format!("header `{}`", name.value);
            reader.report(table::wrong_type(&what, value, "a string"));
            continue;
        };
        let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        if name.value.is_empty() || !name.value.chars().all(is_token) {
            let message = format!("`{}` cannot be the name of a header", name.value);
            reader.report(
                Diagnostic::error(name.span, message).label("expected a name like `content-type`"),
            );
        } else if text.chars().any(|c| c.is_control() && c != '\t') {
            let message = format!("the value of header `{}` has control characters", name.value);
            reader.report(
                Diagnostic::error(Span::from(value.span()), message)
                    .label("expected one line of text"),
            );
        } else {
            let text = Spanned::new(text.to_owned(), value.span());
            headers.push((name.value.to_ascii_lowercase(), text));
        }
    }
    headers
}

fn read_env(reader: &mut Reader<'_, '_>) -> BTreeMap<VariableName, Spanned<String>> {
    let mut env = BTreeMap::new();
    for (key, value) in reader.entries("env") {
        let name = reader.check(key.span, key.value.parse::<VariableName>());
        let Some(text) = value.get_ref().as_str() else {
            let what = format!("variable `{}`", key.value);
            reader.report(table::wrong_type(&what, value, "a string"));
            continue;
        };
        if text.contains('\0') {
            reader.report(
                Diagnostic::error(Span::from(value.span()), "value contains a NUL character")
                    .label("expected text"),
            );
        } else if let Some(name) = name {
            env.insert(name.value, Spanned::new(text.to_owned(), value.span()));
        }
    }
    env
}
