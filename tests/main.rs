//! The integration tests. They start `run` as a user does, with real toolchains and real registries.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stderr, reason = "tests say where they keep what")]

mod bombs;
mod circles;
mod clients;
mod colours;
mod command_line;
mod configuration;
mod dev;
mod exec;
mod first_build;
mod harness;
mod hermetic;
mod languages;
mod lockfile;
mod machine;
mod microservice;
mod new_project;
mod outputs;
mod packages;
mod remedies;
mod reproducible;
mod robust;
mod sandbox_probes;
mod secrets;
mod shared_cache;
mod shell;
mod toolchain;
mod trial;
mod verify;
mod wasi_3;
