//! The command line: verbs and flags, spelled as cargo's users know them.
//!
//! `run v2 build` means exactly `run build`, and `--keep_going` exactly `--keep-going` (Bazel's
//! two spellings). Both are undone before clap sees the words: its subcommands can't nest themselves.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{ArgAction, ArgGroup, Args, Parser, Subcommand, ValueEnum};
use rules::toolchain::Platform;

/// A hermetic, content-addressed build system for WASI components.
#[derive(Debug, Parser)]
#[command(name = "run", version, disable_help_subcommand = true, after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
    0  success                         36  the machine lacks something (sandbox, a client)
    1  a build failed                  37  a bug in run
    2  wrong usage or configuration   102  bytes are not the pinned ones
    8  interrupted                    104  not the same bytes each time

The project is the folder with the nearest run.toml. See `run <command> --help`.";

/// Flags that every command takes.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// Work as if started in DIR.
    #[arg(short = 'C', long, global = true, value_name = "DIR")]
    pub(crate) directory: Option<PathBuf>,
    /// Say more: each action, then each command line (-vv).
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Say nothing but errors.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// When to use colour; NO_COLOR and CLICOLOR_FORCE are honoured.
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t = Color::Auto)]
    pub(crate) color: Color,
    /// Fail if run.lock.toml would have to be written.
    #[arg(long, global = true)]
    pub(crate) locked: bool,
    /// Never use the network.
    #[arg(long, global = true)]
    pub(crate) offline: bool,
    /// --locked and --offline.
    #[arg(long, global = true)]
    pub(crate) frozen: bool,
    /// How results are printed on standard output.
    #[arg(long, global = true, value_enum, value_name = "FORMAT", default_value_t = MessageFormat::Human)]
    pub(crate) message_format: MessageFormat,
}

/// When output is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    Auto,
    Always,
    Never,
}

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum MessageFormat {
    /// Text for people.
    Human,
    /// One JSON object a line.
    Json,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Build the project's components.
    #[command(visible_alias = "b", after_help = BUILD_EXAMPLES)]
    Build(Build),
    /// Build components twice more, as on two other machines, and compare the bytes.
    #[command(after_help = VERIFY_HELP)]
    Verify(Verify),
    /// Remove what `run build` wrote into the project; caches stay.
    Clean,
    /// Show the project as it is understood: components, dependencies, toolchains, store.
    Info,
    /// Show what this machine has of what builds need: sandbox, store, registries' clients.
    #[command(after_help = DOCTOR_HELP)]
    Doctor,
    /// Pinned toolchains.
    #[command(subcommand)]
    Toolchain(Toolchain),
}

const BUILD_EXAMPLES: &str = "\
Examples:
    run build                     every enabled component
    run build -p api -p worker    two of them
    run build --release -j1       optimised, one action at a time
    run build --frozen            in CI: nothing resolved, nothing fetched
    run build --sandbox weak      in a container that forbids namespaces, as an ordinary user";

/// What is built, and how: arguments of every command that builds.
#[derive(Debug, Args)]
pub(crate) struct What {
    /// Build only this component (may be given more than once).
    #[arg(short = 'p', long = "component", value_name = "NAME")]
    pub(crate) components: Vec<String>,
    /// The same as --opt-level release.
    #[arg(long, conflicts_with = "opt_level")]
    pub(crate) release: bool,
    /// Overrides `[build] opt_level`.
    #[arg(long, value_enum, value_name = "LEVEL")]
    pub(crate) opt_level: Option<OptLevel>,
    /// How many actions run at once [default: the number of processors].
    #[arg(short, long, value_name = "N")]
    pub(crate) jobs: Option<NonZeroUsize>,
}

/// Arguments of `run build`.
#[derive(Debug, Args)]
pub(crate) struct Build {
    #[command(flatten)]
    pub(crate) what: What,
    /// Go on with what does not depend on a failed action.
    #[arg(short, long)]
    pub(crate) keep_going: bool,
    /// Keep the sandbox of a failed action and print how to enter it.
    #[arg(long)]
    pub(crate) sandbox_debug: bool,
    /// By which means actions are kept apart from the machine. Results of the weaker ones are kept apart
    /// from all others, and never leave this machine.
    #[arg(long, value_enum, value_name = "MEANS", default_value_t = Sandbox::Namespaces)]
    pub(crate) sandbox: Sandbox,
}

/// By which means actions are kept apart from the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sandbox {
    /// Nothing of the machine is there.
    Namespaces,
    /// Landlock and a system call filter forbid what is not declared; not as root.
    Weak,
    /// Nothing is forbidden: actions can read what they do not declare.
    None,
}

impl From<Sandbox> for sandbox::Isolation {
    fn from(sandbox: Sandbox) -> Self {
        match sandbox {
            Sandbox::Namespaces => Self::Namespaces,
            Sandbox::Weak => Self::Weak,
            Sandbox::None => Self::None,
        }
    }
}

const DOCTOR_HELP: &str = "\
`missing` stops every build (exit code 36) and says what to do; `limited` is slower, or matters to some
projects only.

Examples:
    run doctor
    run doctor --message-format json   one object a line: name, state, text";

const VERIFY_HELP: &str = "\
What `run build` leaves is compared with two builds from nothing: no result of an earlier build is
used but what was fetched, which is pinned. They see another path, the clock one and two days ahead,
other random numbers, another number of CPUs, and folders listed in another order. A component that
differs is printed with the parts in which it does, and both files are kept in .run/verify.

Examples:
    run verify                 every enabled component
    run verify -p api          one of them
    run verify --message-format json";

/// Arguments of `run verify`.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    #[command(flatten)]
    pub(crate) what: What,
}

/// Optimisation of the components.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OptLevel {
    Debug,
    Release,
}

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

/// Parses a whole command line, the program's name included.
pub(crate) fn parse(
    arguments: impl IntoIterator<Item = OsString>,
) -> Result<Arguments, clap::Error> {
    let arguments = arguments.into_iter().map(hyphens).collect();
    let mut parsed = Arguments::try_parse_from(without_v2(arguments))?;
    parsed.global.locked |= parsed.global.frozen;
    parsed.global.offline |= parsed.global.frozen;
    Ok(parsed)
}

/// Global flags whose value is the next word.
const WITH_VALUE: [&str; 4] = ["-C", "--directory", "--color", "--message-format"];

/// Drops `v2` from the place of the verb.
fn without_v2(mut arguments: Vec<OsString>) -> Vec<OsString> {
    let mut verb = 1;
    while let Some(word) =
        arguments.get(verb).filter(|word| word.as_encoded_bytes().starts_with(b"-"))
    {
        verb += if WITH_VALUE.iter().any(|flag| word == flag) { 2 } else { 1 };
    }
    if arguments.get(verb).is_some_and(|word| word == "v2") {
        arguments.remove(verb);
    }
    arguments
}

/// `--keep_going` → `--keep-going`; the value after `=` is left alone.
fn hyphens(argument: OsString) -> OsString {
    match argument.to_str() {
        Some(text) if text.starts_with("--") && text.contains('_') => {
            let (name, value) = text.split_at(text.find('=').unwrap_or(text.len()));
            OsString::from(format!("{}{value}", name.replace('_', "-")))
        }
        _ => argument,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Arguments {
        parse(line.split(' ').map(OsString::from)).unwrap()
    }

    #[test]
    fn the_definition_is_sound() {
        use clap::CommandFactory;
        Arguments::command().debug_assert();
    }

    #[test]
    fn v2_is_the_same_command() {
        let check = |line: &str| {
            let arguments = parsed(line);
            assert!(matches!(&arguments.command, Command::Build(b) if b.keep_going), "{line}");
            assert_eq!(arguments.global.directory.as_deref(), Some("dir".as_ref()), "{line}");
        };
        check("run -C dir build --keep-going");
        check("run v2 build -C dir --keep_going");
        check("run -C dir v2 build -k");
    }

    #[test]
    fn frozen_is_locked_and_offline() {
        let global = parsed("run build --frozen").global;
        assert!(global.locked && global.offline);
    }

    #[test]
    fn underscores_in_values_stay() {
        assert_eq!(hyphens("--opt_level=a_b".into()), OsString::from("--opt-level=a_b"));
        assert_eq!(hyphens("a_b".into()), OsString::from("a_b"));
    }
}
