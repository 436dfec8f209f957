//! `run verify --release` and `run release explain`: check a release by the keys and the policy of the user.
//!
//! Keys and requirements come from the command line and from the user's own run.toml, if there is one. The run.toml in the
//! release decides nothing.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::SystemTime;

use project::Project;
use release::archive::Limits;
use release::keys::PublicKey;
use release::policy::Policy;
use release::trust::{Day, TrustedKey};
use release::verify::{self, Check, Demand, FaultKind, Report};
use rules::manifest::Manifest;

use crate::arguments::{ReleaseCheck, ReleaseExplain};
use crate::command_error::{CommandError, Kind};
use crate::commands::start;
use crate::config::Config;
use crate::ui;

/// Runs `run verify --release`.
pub(crate) fn verify(
    archive: &Path,
    arguments: &ReleaseCheck,
    config: &Config,
) -> Result<ExitCode, CommandError> {
    let project = own_project(config)?;
    let own = project.as_ref().map(|project| &project.manifest);
    let keys = trusted(config, own, &arguments.key)?;
    if keys.is_empty() {
        return Err(CommandError::usage("there is no key that may vouch for the release")
            .hint("name the public key of its maker with --key, or in `[[release.keys]]` of your run.toml"));
    }
    let policy = policy(own, &arguments.require)?;
    let demand = Demand {
        keys: &keys,
        policy: &policy,
        project: arguments.project.as_deref(),
        minimum: arguments.minimum.as_ref(),
        today: Day::of(SystemTime::now()),
    };
    let report = verify::release(&read(config, archive)?, &demand);
    report.checks.iter().for_each(|check| tell(config, check));
    match report.verdict() {
        None => {
            config.printer.status("Verified", &archive.display().to_string());
            Ok(ExitCode::SUCCESS)
        }
        Some(kind) => Err(refused(kind)),
    }
}

/// Runs `run release explain`.
pub(super) fn explain(
    arguments: &ReleaseExplain,
    config: &Config,
) -> Result<ExitCode, CommandError> {
    let keys = trusted(config, None, &arguments.key)?;
    let demand = Demand {
        keys: &keys,
        policy: &Policy::default(),
        project: None,
        minimum: None,
        today: Day::of(SystemTime::now()),
    };
    let report = verify::release(&read(config, &arguments.file)?, &demand);
    config.printer.result(&release::explain(&report));
    match &report {
        Report { files: None, .. } => Err(refused(FaultKind::Integrity)),
        Report { .. } => Ok(ExitCode::SUCCESS),
    }
}

/// Makes the error for a release that is refused. Everything has been printed.
fn refused(kind: FaultKind) -> CommandError {
    CommandError::silent(match kind {
        FaultKind::Integrity => Kind::ChecksumMismatch,
        FaultKind::Policy => Kind::NotReproducible,
    })
}

fn tell(config: &Config, check: &Check) {
    let (outcome, text) = match check {
        Check::Passed(text) => ("passed", text.clone()),
        Check::NotCounted(text) => ("not_counted", text.clone()),
        Check::Failed(fault) => ("failed", fault.to_string()),
    };
    if config.printer.json {
        ui::emit(&ui::release_check(outcome, &text));
    }
    match check {
        Check::Passed(_) => config.printer.status("Passed", &text),
        Check::NotCounted(_) => config.printer.status("Not counted", &text),
        Check::Failed(_) => config.printer.bad_status("Failed", &text),
    }
}

/// Returns the project that the user is in, if any. A run.toml with errors is an error, because it may have the policy.
fn own_project(config: &Config) -> Result<Option<Project>, CommandError> {
    match Project::find(&config.directory) {
        Ok(folder) => start::project_in(config, folder).map(Some),
        Err(_) => Ok(None),
    }
}

fn policy(own: Option<&Manifest>, flags: &[String]) -> Result<Policy, CommandError> {
    let written = own.map(|manifest| manifest.release.require.as_slice()).unwrap_or_default();
    let mut all: Vec<&str> = written.iter().map(|word| word.value.as_str()).collect();
    let is_new = |word: &&str| written.iter().all(|other| other.value != *word);
    all.extend(flags.iter().map(String::as_str).filter(is_new));
    Policy::of(&all).map_err(|(at, error)| {
        let place = match (written.get(at), own) {
            (Some(word), Some(manifest)) => format!("run.toml:{}", manifest.line(word.span)),
            _ => "--require".to_owned(),
        };
        CommandError::usage(format!("{place}: {error}"))
    })
}

/// Returns the keys of the user's run.toml and of the command line.
fn trusted(
    config: &Config,
    own: Option<&Manifest>,
    files: &[std::path::PathBuf],
) -> Result<Vec<TrustedKey>, CommandError> {
    let mut keys = Vec::new();
    for (manifest, key) in
        own.into_iter().flat_map(|own| own.release.keys.iter().map(move |key| (own, key)))
    {
        let expires = key.expires.as_ref().map(|day| {
            day.value.parse::<Day>().map_err(|error| {
                CommandError::usage(format!("run.toml:{}: {error}", manifest.line(day.span)))
            })
        });
        keys.push(TrustedKey {
            name: key.name.value.clone(),
            key: public(&key.key.value.on_disk(manifest.project_dir()))?,
            expires: expires.transpose()?,
            builder: key.builder.as_ref().map(|builder| builder.value.clone()),
        });
    }
    for file in files {
        let key = public(&config.directory.join(file))?;
        // What run.toml says of a key holds for it, however it is named.
        if keys.iter().all(|known: &TrustedKey| known.key.id() != key.id()) {
            let name = file.display().to_string();
            keys.push(TrustedKey { name, key, expires: None, builder: None });
        }
    }
    Ok(keys)
}

/// The largest size of a file with a key, in bytes.
pub(super) const LONGEST_KEY: u64 = 64 << 10;

fn public(path: &Path) -> Result<PublicKey, CommandError> {
    let unusable = || CommandError::usage(format!("cannot use the key {}", path.display()));
    let text = cache::read_regular_to_string(path, LONGEST_KEY)
        .map_err(|source| unusable().caused_by(&source))?;
    PublicKey::from_pem(&text).map_err(|error| unusable().caused_by(&error))
}

/// Reads an archive, but not more of it than is accepted.
fn read(config: &Config, archive: &Path) -> Result<Vec<u8>, CommandError> {
    let path = config.directory.join(archive);
    let mut bytes = Vec::new();
    let limit = Limits::STANDARD.packed + 1;
    let read = |file: File| file.take(limit).read_to_end(&mut bytes);
    cache::open_regular(&path).and_then(read).map_err(|source| {
        CommandError::usage(format!("cannot read {}", path.display())).caused_by(&source)
    })?;
    Ok(bytes)
}
