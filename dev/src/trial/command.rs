//! Tests a command: runs it, and compares what it prints and its exit code.

use runtime::{CommandInput, Exit, Stdin};

use super::spec::Command;
use super::subject::Subject;
use super::verdict::{Fault, part, whole};

pub(super) async fn test(command: &Command, subject: &Subject<'_>) -> Vec<Fault> {
    let name = &subject.spec.component;
    let input = CommandInput {
        args: std::iter::once(name).chain(&command.args).cloned().collect(),
        env: Vec::new(),
        stdin: Stdin::Bytes(command.stdin.clone().into()),
    };
    let exit = match subject.loaded.run_aloud(&input).await {
        Ok(exit) => exit,
        Err(error) => return vec![Fault::new("component", error.to_string())],
    };
    let (status, said) = match exit {
        Exit::Status(status) => (status_fault(command, status), subject.capture.stderr()),
        Exit::Failed(failure) => {
            let may_fail = command.expect_error.is_some() && command.expect_status.is_none();
            match subject.expectable(&failure).filter(|_| may_fail) {
                Some(said) => (None, said),
                None => return vec![subject.failed(&failure)],
            }
        }
    };
    let stdout = subject.capture.stdout();
    let contains = command.expect_contains.as_deref();
    let error = command.expect_error.as_deref();
    let faults = [
        status,
        part("expect_error", "standard error", error, &said),
        whole("expect", "standard output", command.expect.as_deref(), &stdout),
        part("expect_contains", "standard output", contains, &stdout),
    ];
    faults.into_iter().flatten().collect()
}

fn status_fault(command: &Command, status: i32) -> Option<Fault> {
    let fault = |expected: String| Fault {
        expected: Some(expected),
        actual: Some(status.to_string()),
        ..Fault::new("expect_status", "the exit code is another one")
    };
    match (command.expect_status, &command.expect_error) {
        (Some(expected), _) => (i32::from(expected) != status).then(|| fault(expected.to_string())),
        (None, None) => (status != 0).then(|| fault("0".to_owned())),
        (None, Some(_)) => (status == 0).then(|| fault("any other than 0".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes() {
        let check = |expect_status: Option<u16>, error: Option<&str>, status, passes: bool| {
            let expect_error = error.map(ToOwned::to_owned);
            let command = Command { expect_status, expect_error, ..Command::default() };
            let fault = status_fault(&command, status);
            assert_eq!(fault.is_none(), passes, "{command:?} {status}");
        };
        check(None, None, 0, true);
        check(None, None, 3, false);
        check(Some(3), None, 3, true);
        check(Some(3), None, 0, false);
        check(None, Some("x"), 1, true);
        check(None, Some("x"), 0, false);
        check(Some(0), Some("x"), 0, true);
        check(Some(0), None, -1, false);
    }
}
