//! The integration tests: `run` as a user starts it, with real toolchains and real registries.

mod command_line;
mod configuration;
mod first_build;
mod harness;
mod hermetic;
mod lockfile;
mod reproducible;
mod robust;
