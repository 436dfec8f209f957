//! Fetches modules with the user's own go: from their repositories, with the version control that go calls,
//! and from proxies whose login only a program of the user finds.
//!
//! go runs in an empty module and with a module cache of its own, and sees no file of the project. It is
//! found in PATH and is never that of an image, because programs of an image run in the sandbox only. The
//! checksums of what it fetches are compared by the caller.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use engine::{BuiltinContext, BuiltinError};
use serde::Deserialize;

use super::part::{MANIFEST, Part, Wanted};
use super::proxy::Reason;
use crate::lang::go::manifest::Version;
use crate::package::fetch::{Client, read_file, run};
use crate::package::{ClientError, HttpError, Registries};

/// The variables that configure the go command, besides its own file of settings (`go env -w`).
const CONFIGURATION: &[&str] =
    &["GOAUTH", "GOENV", "GOINSECURE", "GONOPROXY", "GOPRIVATE", "GOPROXY", "GOVCS"];

/// The parts that the user's go has to fetch, each with the reason.
pub(super) type ByGo = Vec<(Wanted, Reason)>;

/// An error for which the user's go did not fetch a module.
#[derive(Debug, thiserror::Error)]
enum DirectError {
    #[error("module {module} {reason}, which the go command does")]
    Client { module: Version, reason: Reason, source: ClientError },
    #[error("go could not fetch {module}:\n{said}")]
    Go { module: String, said: String },
    #[error("go fetched {0}, but does not say where it is")]
    Absent(Version),
    #[error("cannot prepare `{path}`")]
    Prepare { path: PathBuf, source: std::io::Error },
    #[error("the go command's answer is not understood")]
    Answer(#[from] serde_json::Error),
    #[error("cannot read what go fetched")]
    Read(#[from] HttpError),
}

/// The go command's answer about a module (`go help mod download`, `go help list`).
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    path: String,
    version: String,
    error: Option<Trouble>,
    go_mod: Option<PathBuf>,
    zip: Option<PathBuf>,
}

/// An error in the go command's answer: one of its commands writes a text, the other a record.
#[derive(Deserialize)]
#[serde(untagged)]
enum Trouble {
    Text(String),
    Record {
        #[serde(rename = "Err")]
        text: String,
    },
}

/// Fetches parts of modules with the user's go, and passes each on to have its checksum compared.
pub(super) fn fetch(
    registries: &Registries,
    cx: &BuiltinContext,
    wanted: &ByGo,
    keep: impl Fn(&Wanted, &[u8]) -> Result<(), BuiltinError>,
) -> Result<(), BuiltinError> {
    for (part, arguments) in
        [(Part::Zip, ["mod", "download", "-json"].as_slice()), (Part::Manifest, LIST)]
    {
        // One command reaches repositories either directly or through proxies, never both.
        for by_proxy in [false, true] {
            let fits = |(wanted, reason): &&(Wanted, Reason)| {
                wanted.part == part && (*reason == Reason::Login) == by_proxy
            };
            let these: Vec<&(Wanted, Reason)> = wanted.iter().filter(fits).collect();
            if !these.is_empty() {
                let go = Go { registries, cx, by_proxy };
                go.fetch(arguments, &these, &keep)?;
            }
        }
    }
    Ok(())
}

/// The command that lists modules and fetches no more of them than their go.mod.
const LIST: &[&str] = &["list", "-m", "-e", "-json"];

/// The user's go.
struct Go<'a> {
    registries: &'a Registries,
    cx: &'a BuiltinContext,
    /// True if it asks the proxies of its configuration, instead of repositories.
    by_proxy: bool,
}

impl Go<'_> {
    fn fetch(
        &self,
        arguments: &[&str],
        wanted: &[&(Wanted, Reason)],
        keep: impl Fn(&Wanted, &[u8]) -> Result<(), BuiltinError>,
    ) -> Result<(), BuiltinError> {
        self.cx.status(format!("go {}", arguments[..2].join(" ")));
        let scratch = self.cx.store().scratch()?;
        let manifest = scratch.path().join(MANIFEST);
        std::fs::write(&manifest, "module run-fetch\n")
            .map_err(|source| infrastructure(DirectError::Prepare { path: manifest, source }))?;
        let client = Client {
            program: &self.registries.programs.go,
            install: "install Go and what it fetches with",
        };
        let names: Vec<String> = wanted.iter().map(|(part, _)| part.module.to_string()).collect();
        let configure = |command: &mut Command| {
            self.configure(command, scratch.path());
            command.arg("-C").arg(scratch.path()).args(arguments).arg("--").args(&names);
        };
        let (first, reason) = wanted[0];
        let ended =
            run(client, configure, &|| self.cx.cancelled()).map_err(|error| match error {
                ClientError::Cancelled => BuiltinError::Cancelled,
                source => infrastructure(DirectError::Client {
                    module: first.module.clone(),
                    reason: *reason,
                    source,
                }),
            })?;
        let mut open: BTreeMap<&Version, &Wanted> =
            wanted.iter().map(|(wanted, _)| (&wanted.module, wanted)).collect();
        for answer in serde_json::Deserializer::from_slice(&ended.stdout).into_iter::<Answer>() {
            let answer = answer.map_err(|error| infrastructure(error.into()))?;
            let version = Version::new(&answer.path, &answer.version);
            if let Some(Trouble::Text(said) | Trouble::Record { text: said }) = answer.error {
                return Err(infrastructure(DirectError::Go { module: version.to_string(), said }));
            }
            let Some(wanted) = open.remove(&version) else { continue };
            let path = match wanted.part {
                Part::Zip => answer.zip,
                Part::Manifest => answer.go_mod,
            };
            let path = path.ok_or_else(|| infrastructure(DirectError::Absent(version)))?;
            let bytes = read_file(&path, wanted.part.limit())
                .map_err(|error| infrastructure(error.into()))?;
            keep(wanted, &bytes)?;
        }
        match open.keys().next() {
            Some(module) => {
                let (module, said) = (module.to_string(), ended.text());
                Err(infrastructure(DirectError::Go { module, said }))
            }
            None => Ok(()),
        }
    }

    fn configure(&self, command: &mut Command, scratch: &Path) {
        command.env_clear().envs(self.registries.for_client(CONFIGURATION));
        let fixed = [
            // What came is compared with go.sum here, so go need not compare it.
            ("GOSUMDB", "off"),
            ("GOFLAGS", "-mod=mod -modcacherw"),
            ("GOTOOLCHAIN", "local"),
            ("GOTELEMETRY", "off"),
            ("GOWORK", "off"),
            ("GO111MODULE", "on"),
        ];
        command.envs(fixed);
        // Nothing is written to the user's own folders, and nothing in them is trusted.
        let folders = [("GOPATH", "go"), ("GOMODCACHE", "modules"), ("GOCACHE", "cache")];
        command.envs(folders.map(|(name, folder)| (name, scratch.join(folder))));
        if !self.by_proxy {
            command.env("GOPROXY", "direct");
        }
    }
}

fn infrastructure(error: DirectError) -> BuiltinError {
    BuiltinError::infrastructure(&error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_both_commands_are_read() {
        let check = |text: &str, expect: Option<&str>| {
            let answer: Answer = serde_json::from_str(text).unwrap();
            let said = answer.error.map(|(Trouble::Text(text) | Trouble::Record { text })| text);
            assert_eq!(said.as_deref(), expect);
        };
        check(
            "{\"Path\":\"a\",\"Version\":\"v1\",\"GoMod\":\"/m\",\"Zip\":\"/z\",\"Sum\":\"h1\"}",
            None,
        );
        check("{\"Path\":\"a\",\"Version\":\"v1\",\"Error\":\"gone\"}", Some("gone"));
        check("{\"Path\":\"a\",\"Version\":\"v1\",\"Error\":{\"Err\":\"gone\"}}", Some("gone"));
    }
}
