//! `run search`: lists packages of the registry.

use std::process::ExitCode;

use serde_json::json;

use super::{Opened, of_registry};
use crate::arguments::Search;
use crate::command_error::CommandError;
use crate::commands::start;
use crate::config::Config;
use crate::ui;

/// Runs `run search`.
pub(crate) fn run(arguments: &Search, config: &Config) -> Result<ExitCode, CommandError> {
    let project = start::project(config)?;
    let opened = Opened::of(config, &project)?;
    let found = opened
        .packages
        .search(&arguments.text.to_lowercase()) // as all names are
        .map_err(of_registry)?;
    for package in &found {
        let (name, description) = (package.package.to_string(), package.description.as_deref());
        if config.printer.json {
            ui::emit(&json!({"event": "package", "name": name, "description": description}));
        } else {
            config.printer.result(&match description {
                Some(description) => format!("{name}  {description}\n"),
                None => format!("{name}\n"),
            });
        }
    }
    if found.is_empty() {
        config
            .printer
            .status("Found", &format!("no package whose name contains `{}`", arguments.text));
    }
    Ok(ExitCode::SUCCESS)
}
