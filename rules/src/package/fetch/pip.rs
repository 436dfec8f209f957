//! Uses pip to download wheels: the arguments of `pip download`, and the meaning of its failures.
//!
//! pip only chooses and downloads: it builds nothing, installs nothing, and follows no dependencies. Its own
//! configuration decides which index it asks, through which proxy and with which credentials.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::Command;

use super::client::{Client, ClientError, run};
use crate::package::environment::Variables;

const INSTALL: &str = "install Python with pip (Debian: python3-pip)";

/// The interpreter for which wheels are downloaded, and how pip is started.
#[derive(Debug)]
pub(crate) struct Download<'a> {
    /// A Python that has pip.
    pub(crate) python: &'a OsStr,
    /// All environment variables that pip sees.
    pub(crate) environment: Variables,
    /// The platform tags, the preferred one first.
    pub(crate) platforms: Vec<String>,
    /// The ABI tags. If empty, pip uses its own default.
    pub(crate) abis: Vec<String>,
    /// The version of CPython, `X.Y`.
    pub(crate) version: String,
}

/// A package that has other bytes than were pinned, as pip reports it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct WrongHash {
    /// The requirement that pip was asked for, `NAME==VERSION`.
    pub(crate) requirement: String,
    /// The SHA-256s of which the package should have had one.
    pub(crate) expected: String,
    /// The SHA-256 that the package has.
    pub(crate) found: String,
}

impl Download<'_> {
    /// Downloads the wheels of `what` (requirements or options of `pip download`) into a folder.
    ///
    /// # Errors
    /// pip is missing, failed, or was stopped because `cancelled` said so.
    pub(crate) fn run(
        &self,
        what: &[OsString],
        into: &Path,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<(), ClientError> {
        let configure = |command: &mut Command| {
            command.args(["-m", "pip", "download", "--no-input", "--disable-pip-version-check"]);
            command.args(["--progress-bar", "off", "--no-deps", "--only-binary", ":all:"]);
            for platform in &self.platforms {
                command.arg("--platform").arg(platform);
            }
            for abi in &self.abis {
                command.arg("--abi").arg(abi);
            }
            command.args(["--implementation", "cp", "--python-version", &self.version, "--dest"]);
            command.arg(into).args(what);
            command.env_clear().envs(&self.environment);
        };
        let client = Client { program: self.python, install: INSTALL };
        run(client, configure, cancelled)?.succeeded().map_err(without_pip)?;
        Ok(())
    }
}

/// Converts the failure of a Python without pip into an error that says what to install.
fn without_pip(error: ClientError) -> ClientError {
    match error {
        ClientError::Failed { output, .. } if output.contains("No module named pip") => {
            ClientError::Missing { program: "pip".to_owned(), install: INSTALL }
        }
        error => error,
    }
}

/// Returns the package with the wrong hash, if pip failed because of one.
pub(crate) fn wrong_hash(error: &ClientError) -> Option<WrongHash> {
    let ClientError::Failed { output, .. } = error else { return None };
    let (_, report) = output.split_once("DO NOT MATCH THE HASHES")?;
    let mut wrong = WrongHash {
        requirement: "a package".to_owned(),
        expected: "another hash".to_owned(),
        found: "another hash".to_owned(),
    };
    let mut expected = Vec::new();
    for line in report.lines().map(str::trim) {
        if let Some((requirement, _)) = line.split_once(" from ").filter(|_| line.ends_with("):")) {
            wrong.requirement = requirement.to_owned();
        } else if let Some(hash) = line.strip_prefix("Expected ") {
            // The lines of further hashes have an `or` in the place of the algorithm.
            expected.extend(hash.split_whitespace().last());
        } else if let Some(hash) = line.strip_prefix("Got ") {
            wrong.found = hash.trim().to_owned();
            break;
        }
    }
    if !expected.is_empty() {
        wrong.expected = expected.join(" or ");
    }
    Some(wrong)
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::ExitStatus;

    use super::*;

    fn failed(output: &str) -> ClientError {
        let (command, status) = ("pip".to_owned(), ExitStatus::from_raw(256));
        ClientError::Failed { command, status, output: output.to_owned() }
    }

    #[test]
    fn a_wrong_hash_is_read_from_the_report() {
        let report = "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE. If \
                      you have updated the package versions, please update the hashes.\n    \
                      six==1.17.0 from https://host/six-1.17.0.whl (from -r /tmp/r.txt (line 1)):\n        \
                      Expected sha256 aaaa\n        Expected     or bbbb\n             \
                      Got        cccc\n";
        let wrong = wrong_hash(&failed(report)).unwrap();
        assert_eq!(wrong.requirement, "six==1.17.0");
        assert_eq!(wrong.found, "cccc");
        assert_eq!(wrong.expected, "aaaa or bbbb");
        assert_eq!(wrong_hash(&failed("ERROR: No matching distribution found")), None);
        assert_eq!(wrong_hash(&ClientError::Cancelled), None);
    }

    #[test]
    fn a_python_without_pip_is_told() {
        let error = without_pip(failed("/usr/bin/python3: No module named pip")).to_string();
        assert_eq!(error, format!("`pip` is not installed; {INSTALL}"));
    }
}
