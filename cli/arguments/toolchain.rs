//! Arguments of `run toolchain …`.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{ArgGroup, Args, Subcommand};
use rules::toolchain::Platform;

/// Verbs of `run toolchain`.
#[derive(Debug, Subcommand)]
pub(crate) enum Toolchain {
    /// Resolve the toolchains that the project needs, fetch them and write run.lock.toml.
    #[command(after_help = SYNC_EXAMPLES)]
    Sync(ToolchainSync),
    /// Show what is pinned, what the project needs, and what there is.
    #[command(visible_alias = "ls", after_help = LIST_EXAMPLES)]
    List,
    /// Hash every file of the pinned toolchains in the store, and every package that is kept.
    #[command(after_help = TOOLCHAIN_VERIFY_HELP)]
    Verify(ToolchainVerify),
    /// Pin a toolchain that the catalogue lacks: an archive or a folder.
    #[command(after_help = ADD_EXAMPLES)]
    Add(ToolchainAdd),
    /// Take toolchains out of run.lock.toml.
    #[command(visible_alias = "rm")]
    Remove(ToolchainRemove),
}

const SYNC_EXAMPLES: &str = "\
What run.lock.toml pins already stays as it is, comments and order included; if it is complete,
nothing is fetched and not a byte is written. Platforms that it has images for are kept up together.

Examples:
    run toolchain sync                            pin what is missing
    run toolchain sync --upgrade                  everything to what this `run` prefers
    run toolchain sync --upgrade rust             one toolchain
    run toolchain sync --upgrade rust@1.95.0      to this version
    run toolchain sync --platform aarch64-linux   for colleagues and machines of that kind, too
    run toolchain sync --prune                    drop what no component needs
    run toolchain sync --locked                   only say whether the lock serves (as in CI)";

/// Arguments of `run toolchain sync`.
#[derive(Debug, Args)]
pub(crate) struct ToolchainSync {
    /// Look versions and packages up anew: of these toolchains, or of all.
    #[arg(long, value_name = "NAME[@VERSION]", num_args = 0..)]
    pub(crate) upgrade: Option<Vec<NameVersion>>,
    /// Pin for this platform, too (may be given more than once).
    #[arg(long = "platform", value_name = "PLATFORM")]
    pub(crate) platforms: Vec<Platform>,
    /// Drop toolchains that no component needs. Without it they stay, as another branch may need them.
    #[arg(long)]
    pub(crate) prune: bool,
}

const LIST_EXAMPLES: &str = "\
FROM is where the packages come from, STORE whether this machine has the image, UNPACKED the size of
its files, KEPT that of the packages it was made of.

Examples:
    run toolchain list
    run toolchain list --message-format json   one object a line: `toolchain`, then `available`";

const TOOLCHAIN_VERIFY_HELP: &str = "\
A damaged file is printed with the package it came with, and set aside; the next build that needs it
makes it again. What is not in the store is no damage: it is installed when something needs it.
Exit code 102 if anything is damaged.

Examples:
    run toolchain verify
    run toolchain verify rust componentize-py";

/// Arguments of `run toolchain verify`.
#[derive(Debug, Args)]
pub(crate) struct ToolchainVerify {
    /// Only these toolchains.
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,
}

const ADD_EXAMPLES: &str = "\
What the archive holds stands at usr/lib/NAME of the toolchain's image, without the one folder that
archives usually have everything in. run.lock.toml pins it by SHA-256 (a folder by its tree), so
every machine gets the same files. tar, tar.gz, tar.xz, tar.zst and zip archives are unpacked.

Examples:
    run toolchain add tinygo@0.35.0 --url https://example.com/tinygo0.35.0.linux-amd64.tar.gz
    run toolchain add tinygo --path vendor/tinygo0.35.0.linux-amd64.tar.gz
    run toolchain add tinygo --platform aarch64-linux --url https://example.com/tinygo-arm64.tar.gz";

/// Arguments of `run toolchain add`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("place").required(true))]
pub(crate) struct ToolchainAdd {
    /// What it is called, and its version; if none is given, the one in the name of the file.
    #[arg(value_name = "NAME[@VERSION]")]
    pub(crate) toolchain: NameVersion,
    /// An archive or a folder. In the project, so that others have it too.
    #[arg(long, value_name = "DIR|ARCHIVE", group = "place")]
    pub(crate) path: Option<PathBuf>,
    /// An archive: https:, http: or file:.
    #[arg(long, group = "place")]
    pub(crate) url: Option<String>,
    /// What the archive's SHA-256 has to be [default: what comes the first time].
    #[arg(long, value_name = "HEX", requires = "url")]
    pub(crate) sha256: Option<String>,
    /// The platform it runs on [default: this machine's].
    #[arg(long)]
    pub(crate) platform: Option<Platform>,
}

/// Arguments of `run toolchain remove`.
#[derive(Debug, Args)]
pub(crate) struct ToolchainRemove {
    /// The toolchains.
    #[arg(value_name = "NAME", required = true)]
    pub(crate) names: Vec<String>,
}

/// `NAME` or `NAME@VERSION`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NameVersion {
    pub(crate) name: String,
    pub(crate) version: Option<String>,
}

impl FromStr for NameVersion {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, version) = match text.split_once('@') {
            Some((name, version)) => (name, Some(version)),
            None => (text, None),
        };
        if name.is_empty() || version == Some("") {
            return Err("expected NAME or NAME@VERSION".to_owned());
        }
        Ok(Self { name: name.to_owned(), version: version.map(ToOwned::to_owned) })
    }
}
