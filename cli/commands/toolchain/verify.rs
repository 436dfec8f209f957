//! `run toolchain verify`: checks if the pinned toolchains in the store have the pinned bytes.

use std::process::ExitCode;

use rules::toolchain::{
    Catalogue, Damage, Image, ImageHealth, Lock, Verified, Verify, VerifyError,
};
use serde_json::json;

use crate::arguments::ToolchainVerify;
use crate::command_error::{CommandError, Kind};
use crate::commands::start;
use crate::config::Config;
use crate::signals;
use crate::ui::{self, SyncProgress};

/// Runs `run toolchain verify`.
pub(super) fn run(arguments: &ToolchainVerify, config: &Config) -> Result<ExitCode, CommandError> {
    let project = start::project(config)?;
    let lock = project.lock()?.unwrap_or_default();
    let images = selected(&lock, &arguments.names)?;
    let store = start::store(config)?;
    let progress = SyncProgress::new(config.printer, signals::cancel_on_signal()?);
    let verify =
        Verify { store: &store, catalogue: Catalogue::builtin(), lock: &lock, events: &progress };
    let mut damaged = 0;
    for image in images {
        let verified = verify.image(image);
        progress.clear();
        let verified = verified.map_err(|error| explain(&error))?;
        damaged += verified.damage.len();
        say(config, &verified);
    }
    if damaged == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    let files = if damaged == 1 { "file has" } else { "files have" };
    Err(CommandError::new(
        Kind::ChecksumMismatch,
        format!("{damaged} {files} other bytes than the pinned ones"),
    )
    .hint("damaged files were set aside; the next build that needs them unpacks or fetches them again")
    .hint("if this happens again, check the disk and the memory of this machine"))
}

fn selected<'a>(lock: &'a Lock, names: &[String]) -> Result<Vec<&'a Image>, CommandError> {
    for name in names {
        lock.require(name).map_err(|error| CommandError::from_error(Kind::Usage, &error))?;
    }
    let wanted = |image: &&Image| names.is_empty() || names.contains(&image.toolchain);
    Ok(lock.images.iter().filter(wanted).collect())
}

fn explain(error: &VerifyError) -> CommandError {
    let kind = match error {
        VerifyError::Cancelled => Kind::Interrupted,
        VerifyError::Store(_) => Kind::Environment,
    };
    CommandError::from_error(kind, error)
}

fn say(config: &Config, verified: &Verified) {
    if config.printer.json {
        verified.damage.iter().for_each(|damage| ui::emit(&damage_value(verified, damage)));
        return ui::emit(&json!({
            "event": "verified",
            "name": verified.name,
            "version": verified.version,
            "platform": verified.platform,
            "state": verified.state,
            "files": verified.files,
            "bytes": verified.bytes,
            "packages": verified.packages,
            "damaged": verified.damage.len(),
        }));
    }
    let Verified { name, version, platform, .. } = verified;
    let printer = config.printer;
    let what = format!("{name} {version} for {platform}");
    let hashed = format!(
        "{} files ({}) and {} packages hashed",
        verified.files,
        ui::size(verified.bytes),
        verified.packages
    );
    match verified.state {
        ImageHealth::Sound => printer.status("Sound", &format!("{what}: {hashed}")),
        ImageHealth::Missing => {
            printer.status("Missing", &format!("{what}: not in the store, installed when needed"));
        }
        ImageHealth::Incomplete => printer
            .status("Incomplete", &format!("{what}: {hashed}, the rest is made again when needed")),
        ImageHealth::Unchecked => printer.status(
            "Unchecked",
            &format!(
                "{what}: this store names files by SHA-256, the lock by BLAKE3; {} packages hashed",
                verified.packages
            ),
        ),
        ImageHealth::Damaged => printer.bad_status("Damaged", &format!("{what}: {hashed}")),
    }
    verified.damage.iter().for_each(|damage| printer.result(&damage_text(verified, damage)));
}

fn damage_value(verified: &Verified, damage: &Damage) -> serde_json::Value {
    json!({
        "event": "damaged",
        "name": verified.name,
        "version": verified.version,
        "platform": verified.platform,
        "path": damage.path,
        "package": damage.package,
        "digest": damage.digest.to_string(),
        "aside": damage.aside.as_ref().map(|path| path.display().to_string()),
    })
}

/// Returns the line that is printed on standard output for a damaged file.
fn damage_text(verified: &Verified, damage: &Damage) -> String {
    let package = damage.package.as_deref().unwrap_or("unknown package");
    let aside = damage.aside.as_ref();
    let aside = aside.map_or_else(|| "removed".to_owned(), |path| path.display().to_string());
    let Verified { name, platform, .. } = verified;
    format!("{name}\t{platform}\t{}\t{package}\t{aside}\n", damage.path)
}
