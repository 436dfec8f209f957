//! `run cache keygen`: makes the keys that results in a shared cache are signed with.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::ExitCode;

use remote::{PublicKey, SigningKey};

use crate::arguments::CacheKeygen;
use crate::command_error::{CommandError, Kind};
use crate::ui::Printer;

/// Runs `run cache keygen`.
pub(super) fn run(arguments: &CacheKeygen) -> Result<ExitCode, CommandError> {
    let (private, public) = SigningKey::generate()
        .map_err(|error| CommandError::from_error(Kind::Environment, &error))?;
    let mut beside = arguments.output.clone().into_os_string();
    beside.push(".pub");
    write(&arguments.output, 0o600, &private)?;
    write(Path::new(&beside), 0o644, &public)?;
    let key = PublicKey::from_pem(&public)
        .map_err(|error| CommandError::from_error(Kind::Internal, &error))?;
    Printer::plain().result(&format!("{}\n", key.to_base64()));
    Ok(ExitCode::SUCCESS)
}

/// Writes a new file. One that exists stays as it is, because a key that is lost can't be made again.
fn write(path: &Path, mode: u32, text: &str) -> Result<(), CommandError> {
    let mut options = File::options();
    let file = options.write(true).create_new(true).mode(mode).open(path);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|source| {
        let error = CommandError::usage(format!("cannot write {}", path.display()));
        let exists = source.kind() == io::ErrorKind::AlreadyExists;
        let error = error.caused_by(&source);
        if exists { error.hint("choose another file: a key is never replaced") } else { error }
    })
}
