//! Tests a function: calls it, and compares what it returns.

use runtime::{CallError, Comparison, Returned};

use super::spec::Function;
use super::subject::Subject;
use super::verdict::{Fault, part};

pub(super) async fn test(call: &Function, subject: &Subject<'_>) -> Vec<Fault> {
    let args: Vec<&str> = call.args.iter().map(String::as_str).collect();
    let interface = call.interface.as_deref();
    let ended = subject.loaded.call_for_value(interface, &call.function, &args).await;
    let fault = match ended {
        Ok(returned) => returned_as_expected(call, &returned),
        Err(error) => failed_as_expected(call, subject, &error),
    };
    fault.into_iter().collect()
}

fn returned_as_expected(call: &Function, returned: &Returned) -> Option<Fault> {
    let error = returned.error();
    if let Some(expected) = &call.expect_error {
        return match error {
            Some(error) if error.contains(expected.as_str()) => None,
            Some(error) => Some(Fault::lacks("expect_error", "the error", expected, &error)),
            None => Some(Fault {
                expected: Some(expected.clone()),
                actual: Some(returned.to_string()),
                ..Fault::new("expect_error", "it returned no error")
            }),
        };
    }
    let Some(expected) = &call.expect else {
        let error = error?;
        return Some(Fault {
            actual: Some(error),
            ..Fault::new("function", "it returned an error")
        });
    };
    match returned.compare(expected) {
        Ok(Comparison::Same) => None,
        Ok(Comparison::Different { expected, actual }) => {
            Some(Fault::differs("expect", "the value", &expected, &actual))
        }
        Err(error) => Some(Fault::new("expect", error.to_string())),
    }
}

fn failed_as_expected(call: &Function, subject: &Subject<'_>, error: &CallError) -> Option<Fault> {
    let key = match error {
        CallError::Failed(failure) => {
            let expected = call.expect_error.as_deref();
            return match expected.zip(subject.expectable(failure)) {
                Some((expected, said)) => part("expect_error", "the trap", Some(expected), &said),
                None => Some(subject.failed(failure)),
            };
        }
        CallError::ArgumentCount { .. } | CallError::Argument { .. } => "args",
        _ => "function",
    };
    Some(Fault::new(key, error.to_string()))
}
