//! Arguments of `run toolchain …`.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{ArgGroup, Args, Subcommand};
use rules::platform::Platform;

/// The verbs of `run toolchain`.
#[derive(Debug, Subcommand)]
pub(crate) enum Toolchain {
    /// Resolve the toolchains that the project needs, fetch them and write run.lock.toml.
    #[command(after_help = SYNC_EXAMPLES)]
    Sync(ToolchainSync),
    /// List the pinned toolchains, those that the project needs, and the available ones.
    #[command(visible_alias = "ls", after_help = LIST_EXAMPLES)]
    List,
    /// Hash every file of the pinned toolchains in the store, and every package that is kept.
    #[command(after_help = TOOLCHAIN_VERIFY_HELP)]
    Verify(ToolchainVerify),
    /// Pin a toolchain that the catalogue lacks, from an archive or a folder.
    #[command(after_help = ADD_EXAMPLES)]
    Add(ToolchainAdd),
    /// Remove toolchains from run.lock.toml.
    #[command(visible_alias = "rm")]
    Remove(ToolchainRemove),
}

const SYNC_EXAMPLES: &str = "\
Existing pins in run.lock.toml are not changed, and neither are its comments and its order. If it is complete,
nothing is fetched or written. All platforms for which it has images get the same versions.

Examples:
    run toolchain sync                            pin what is missing
    run toolchain sync --upgrade                  everything to the defaults of this `run`
    run toolchain sync --upgrade rust             one toolchain
    run toolchain sync --upgrade rust@1.95.0      to this version
    run toolchain sync --platform aarch64-linux   pin for this platform, too
    run toolchain sync --prune                    remove what no component needs
    run toolchain sync --locked                   only check if the lock is complete (as in CI)";

/// Arguments of `run toolchain sync`.
#[derive(Debug, Args)]
pub(crate) struct ToolchainSync {
    /// Look up new versions and packages, of these toolchains or of all.
    #[arg(long, value_name = "NAME[@VERSION]", num_args = 0..)]
    pub(crate) upgrade: Option<Vec<NameVersion>>,
    /// Pin for this platform, too (may be given more than once).
    #[arg(long = "platform", value_name = "PLATFORM")]
    pub(crate) platforms: Vec<Platform>,
    /// Remove toolchains that no component needs. Without this flag they stay, because another branch may
    /// need them.
    #[arg(long)]
    pub(crate) prune: bool,
}

const LIST_EXAMPLES: &str = "\
FROM says where the packages come from, and STORE whether this machine has the image. UNPACKED is the size of
its files, and KEPT the size of the packages that it was made of.

Examples:
    run toolchain list
    run toolchain list --message-format json   one object per line: `toolchain`, then `available`";

const TOOLCHAIN_VERIFY_HELP: &str = "\
A damaged file is set aside and printed with its package; the next build that needs it makes it again. An
image that is not in the store is not damaged: it is installed when something needs it. The exit code is 102
if anything is damaged.

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
The content of the archive becomes usr/lib/NAME of the toolchain's image. If the archive has everything in one
folder, that folder is left out. run.lock.toml pins the archive by its SHA-256 (and a folder by its tree), so every
machine gets the same files. tar, tar.gz, tar.xz, tar.zst and zip archives are supported.

Examples:
    run toolchain add tinygo@0.35.0 --url https://example.com/tinygo0.35.0.linux-amd64.tar.gz
    run toolchain add tinygo --path vendor/tinygo0.35.0.linux-amd64.tar.gz
    run toolchain add tinygo --platform aarch64-linux --url https://example.com/tinygo-arm64.tar.gz";

/// Arguments of `run toolchain add`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("place").required(true))]
pub(crate) struct ToolchainAdd {
    /// The name of the toolchain and its version [default version: the one in the name of the file].
    #[arg(value_name = "NAME[@VERSION]")]
    pub(crate) toolchain: NameVersion,
    /// The path of an archive or a folder. It should lie in the project, so that others have it, too.
    #[arg(long, value_name = "DIR|ARCHIVE", group = "place")]
    pub(crate) path: Option<PathBuf>,
    /// The URL of an archive (https:, http: or file:).
    #[arg(long, group = "place")]
    pub(crate) url: Option<String>,
    /// The expected SHA-256 of the archive [default: that of the first download].
    #[arg(long, value_name = "HEX", requires = "url")]
    pub(crate) sha256: Option<String>,
    /// The platform on which the toolchain runs [default: this machine's].
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

/// A toolchain as an argument: `NAME` or `NAME@VERSION`.
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
