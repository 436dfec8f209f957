//! The project that is planned, and the options of the build.
//!
//! These values hold everything that the planner takes from outside, besides the store and the files of the
//! project.

use std::path::Path;
use std::sync::Arc;

use sandbox::Isolation;

use crate::dependency::Packages;
use crate::manifest::Manifest;
use crate::toolchain::Images;

/// The project that is planned.
#[derive(Debug, Clone, Copy)]
pub struct Project<'a> {
    /// The folder of run.toml.
    pub folder: &'a Path,
    /// The checked contents of run.toml.
    pub manifest: &'a Manifest,
    /// The toolchain images that run.lock.toml pins.
    pub images: &'a Arc<Images>,
    /// The packages of `[dependencies]` that were fetched.
    pub packages: &'a Packages,
}

/// The options of a build.
#[derive(Debug, Clone)]
pub struct Options {
    /// True if compilers optimise.
    pub release: bool,
    /// The time that commands see, in seconds since 1970, if every command has to run in the determinism
    /// layer. If it is `None`, only those commands do whose results would otherwise differ from run to run.
    pub epoch: Option<u64>,
    /// The means by which commands are kept apart from the machine.
    pub isolation: Isolation,
}
