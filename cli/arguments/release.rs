//! Arguments of `run release`, and those of `run verify` that are about a release.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

use super::What;

pub(crate) const HELP: &str = "\
Builds the components of a commit, optimised, and twice again as on other machines, like `run verify`. If all builds give
the same bytes, the components, their bills of materials and an attestation that the key signs become one archive. See
docs/releases.md. The key is read from --key, or from the variable RUN_RELEASE_KEY, which has its PEM text.

Examples:
    run release keygen --output ci.key       once: writes ci.key, which is secret, and ci.key.pub
    run release --key ci.key                 writes target/wasm/NAME-VERSION.tar.zst
    run release --key ci.key --output shop.tar.zst
    run release explain shop.tar.zst         what a release claims, and who claims it
    run verify --release shop.tar.zst --key ci.key.pub";

/// Arguments of `run release`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Release {
    #[command(subcommand)]
    pub(crate) verb: Option<ReleaseVerb>,
    #[command(flatten)]
    pub(crate) make: ReleaseMake,
}

/// The commands below `run release`.
#[derive(Debug, Subcommand)]
pub(crate) enum ReleaseVerb {
    /// Make a pair of keys that releases are signed with.
    Keygen(ReleaseKeygen),
    /// Show what a release claims, who claims it, and what was checked.
    Explain(ReleaseExplain),
}

/// Arguments for making a release.
#[derive(Debug, Args)]
pub(crate) struct ReleaseMake {
    #[command(flatten)]
    pub(crate) what: What,
    /// The private key (PEM) that signs [default: the variable RUN_RELEASE_KEY].
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) key: Option<PathBuf>,
    /// The archive to write [default: NAME-VERSION.tar.zst in the output folder].
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) output: Option<PathBuf>,
    /// Release what is not committed, too. The attestation says so.
    #[arg(long)]
    pub(crate) allow_dirty: bool,
    /// The URI of who builds, which the attestation states.
    #[arg(long, value_name = "URI", default_value = "urn:x-run:builder:unnamed")]
    pub(crate) builder: String,
}

/// Arguments of `run release keygen`.
#[derive(Debug, Args)]
pub(crate) struct ReleaseKeygen {
    /// The file of the private key, which must not exist. The public key gets the same name with `.pub`.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) output: PathBuf,
}

/// Arguments of `run release explain`.
#[derive(Debug, Args)]
pub(crate) struct ReleaseExplain {
    /// The archive.
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,
    /// A public key (PEM) that may vouch for it. Can be repeated.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) key: Vec<PathBuf>,
}

/// The arguments of `run verify` that are about a release.
#[derive(Debug, Args)]
#[command(next_help_heading = "Releases")]
pub(crate) struct ReleaseCheck {
    /// Check the release in FILE instead of building.
    #[arg(long = "release", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) archive: Option<PathBuf>,
    /// A public key (PEM) that may vouch for it, besides those of `[release] keys`. Can be repeated.
    #[arg(long, value_name = "FILE", requires = "archive", value_hint = ValueHint::FilePath)]
    pub(crate) key: Vec<PathBuf>,
    /// What it has to prove, besides `[release] require`, such as `reproduced`. Can be repeated.
    #[arg(long, value_name = "WORD", requires = "archive")]
    pub(crate) require: Vec<String>,
    /// The project that it has to be of.
    #[arg(long, value_name = "NAME", requires = "archive")]
    pub(crate) project: Option<String>,
    /// The lowest version that is accepted.
    #[arg(long, value_name = "VERSION", requires = "archive")]
    pub(crate) minimum: Option<semver::Version>,
}
