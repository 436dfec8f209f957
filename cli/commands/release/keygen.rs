//! `run release keygen`: makes the keys that releases are signed with.

use std::path::Path;
use std::process::ExitCode;

use release::keys::PrivateKey;

use crate::arguments::ReleaseKeygen;
use crate::command_error::{CommandError, Kind};
use crate::commands::cache::keygen::write_key;
use crate::ui::Printer;

/// Runs `run release keygen`.
pub(super) fn run(arguments: &ReleaseKeygen) -> Result<ExitCode, CommandError> {
    let private = PrivateKey::generate()
        .map_err(|error| CommandError::from_error(Kind::Environment, &error))?;
    let public = private.public();
    let mut beside = arguments.output.clone().into_os_string();
    beside.push(".pub");
    write_key(&arguments.output, 0o600, &private.to_pem())?;
    write_key(Path::new(&beside), 0o644, &public.to_pem())?;
    Printer::plain().result(&format!("{}\n", public.id()));
    Ok(ExitCode::SUCCESS)
}
