//! Defines the command line: verbs and flags, with the names that cargo uses.
//!
//! `run v2 build` means exactly `run build`, and `--keep_going` exactly `--keep-going` (Bazel accepts both).
//! Both spellings are replaced before clap sees the words, because a subcommand of clap can't contain itself.

mod cache;
mod dev;
mod enter_sandbox;
mod exec;
mod execution;
mod packages;
mod project;
mod shell;
mod test;
mod toolchain;

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum, ValueHint};

pub(crate) use cache::{Cache, CacheGc, CacheKeygen, CacheServe, Download, SharedCacheFlags};
pub(crate) use dev::Dev;
pub(crate) use enter_sandbox::{EnterSandbox, line as line_to_enter_sandbox};
pub(crate) use exec::Exec;
pub(crate) use execution::ExecutionFlags;
pub(crate) use packages::{Add, Fetch, Login, Logout, Publish, Remove, Search, Update};
pub(crate) use project::{Init, Kind, New, World};
pub(crate) use shell::{Completions, Man, Shell};
pub(crate) use test::Test;
pub(crate) use toolchain::{
    Toolchain, ToolchainAdd, ToolchainRemove, ToolchainSync, ToolchainVerify,
};

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
    0  success                         34  a required cache or cluster can't be used
    1  a build failed                  36  the machine lacks something (sandbox, a client)
    2  wrong usage or configuration    37  a bug in run
    3  a test failed                  102  bytes differ from the pinned ones
    4  there is no such test          104  builds give different bytes
    8  interrupted

The project is the folder with the nearest run.toml. See `run <command> --help`.";

/// Flags that every command takes.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// Work as if started in DIR.
    #[arg(short = 'C', long, global = true, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) directory: Option<PathBuf>,
    /// Print more: each action, and the command line of a failed action.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Print only errors.
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
    /// The same as --locked --offline.
    #[arg(long, global = true)]
    pub(crate) frozen: bool,
    /// The format of results on standard output.
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

/// The format of results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum MessageFormat {
    /// Text for people.
    Human,
    /// One JSON object per line.
    Json,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Create a project in a new folder.
    #[command(after_help = project::NEW_EXAMPLES)]
    New(New),
    /// Make a project of the current folder.
    #[command(after_help = project::INIT_EXAMPLES)]
    Init(Init),
    /// Build the project's components.
    #[command(visible_alias = "b", after_help = BUILD_EXAMPLES)]
    Build(Build),
    /// Serve the project's web components, and build and swap them whenever a source changes.
    #[command(after_help = dev::HELP)]
    Dev(Dev),
    /// Run a component, or call a function of one.
    #[command(after_help = exec::HELP)]
    Exec(Exec),
    /// Run the project's tests.
    #[command(visible_alias = "t", after_help = test::EXAMPLES)]
    Test(Test),
    /// Build components twice more, as on two other machines, and compare the bytes.
    #[command(after_help = VERIFY_HELP)]
    Verify(Verify),
    /// Remove what `run build` wrote into the project; caches stay.
    Clean,
    /// Show how `run` understands the project: components, dependencies, toolchains, store.
    #[command(after_help = INFO_EXAMPLES)]
    Info(Info),
    /// Add a package to `[dependencies]`.
    #[command(after_help = packages::ADD_EXAMPLES)]
    Add(Add),
    /// Remove packages from `[dependencies]`.
    #[command(visible_alias = "rm")]
    Remove(Remove),
    /// Choose newer versions of packages and write run.lock.toml.
    #[command(after_help = packages::UPDATE_EXAMPLES)]
    Update(Update),
    /// Download all packages, so that builds need no network.
    #[command(after_help = packages::FETCH_EXAMPLES)]
    Fetch(Fetch),
    /// Show the packages that the project depends on, and what needs them.
    Tree,
    /// Look for packages in the registry.
    Search(Search),
    /// Publish a component or a WIT package in the registry.
    #[command(after_help = packages::PUBLISH_EXAMPLES)]
    Publish(Publish),
    /// Store a login for a registry.
    #[command(after_help = packages::LOGIN_EXAMPLES)]
    Login(Login),
    /// Forget the login for a registry.
    Logout(Logout),
    /// Check if this machine has what builds need: sandbox, store, clients of registries.
    #[command(after_help = DOCTOR_HELP)]
    Doctor,
    /// Serve, show, check and clean caches.
    #[command(subcommand, after_help = cache::HELP)]
    Cache(Cache),
    /// Manage the pinned toolchains.
    #[command(subcommand)]
    Toolchain(Toolchain),
    /// Print the completion script for a shell.
    #[command(after_help = shell::COMPLETIONS_HELP)]
    Completions(Completions),
    /// Print or write the manual pages.
    #[command(after_help = shell::MAN_HELP)]
    Man(Man),
}

const BUILD_EXAMPLES: &str = "\
Examples:
    run build                     every enabled component
    run build api worker          two of them; the same as `run build -p api -p worker`
    run build --release -j1       optimised, one action at a time
    run build --frozen            for CI: changes no lock and fetches nothing
    run build --sandbox weak      in a container that forbids namespaces, as an ordinary user";

/// The components that a command is about.
#[derive(Debug, Clone, Args)]
pub(crate) struct Names {
    /// Only these components.
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// The same as NAME. Both forms can be combined.
    #[arg(short = 'p', long = "component", value_name = "NAME")]
    components: Vec<String>,
}

impl Names {
    /// Returns the names that were given in either form. If there are none, all components are meant.
    pub(crate) fn all(&self) -> Vec<String> {
        self.names.iter().chain(&self.components).cloned().collect()
    }
}

/// Arguments of every command that builds: what is built, and how.
#[derive(Debug, Clone, Args)]
pub(crate) struct What {
    #[command(flatten)]
    pub(crate) names: Names,
    #[command(flatten)]
    pub(crate) how: How,
}

/// Arguments that say how something is built.
#[derive(Debug, Clone, Args)]
pub(crate) struct How {
    /// The same as --opt-level release.
    #[arg(long, conflicts_with = "opt_level")]
    pub(crate) release: bool,
    /// Overrides `[build] opt_level`.
    #[arg(long, value_enum, value_name = "LEVEL")]
    pub(crate) opt_level: Option<OptLevel>,
    /// How many actions run at once [default: the number of processors].
    #[arg(short, long, value_name = "N")]
    pub(crate) jobs: Option<NonZeroUsize>,
    #[command(flatten)]
    pub(crate) shared_cache: SharedCacheFlags,
    #[command(flatten)]
    pub(crate) execution: ExecutionFlags,
}

impl How {
    /// Returns the arguments for building what a command chooses itself in this way.
    pub(crate) fn for_all(&self) -> What {
        let names = Names { names: Vec::new(), components: Vec::new() };
        What { names, how: self.clone() }
    }

    /// Returns the arguments for building one component in this way.
    pub(crate) fn with_name(&self, name: &str) -> What {
        let names = Names { names: vec![name.to_owned()], components: Vec::new() };
        What { names, how: self.clone() }
    }
}

/// Arguments of `run build`.
#[derive(Debug, Args)]
pub(crate) struct Build {
    #[command(flatten)]
    pub(crate) what: What,
    /// Go on with the actions that do not depend on a failed one.
    #[arg(short, long)]
    pub(crate) keep_going: bool,
    /// Keep the sandbox of a failed action and print how to enter it.
    #[arg(long)]
    pub(crate) sandbox_debug: bool,
    /// Chooses how actions are isolated from the machine. No other build uses the results of a weaker sandbox, and
    /// they never leave this machine.
    #[arg(long, value_enum, value_name = "MEANS", default_value_t = Sandbox::Namespaces)]
    pub(crate) sandbox: Sandbox,
}

/// Says how actions are isolated from the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sandbox {
    /// Actions see nothing of the machine.
    Namespaces,
    /// Landlock and a system call filter forbid what is not declared; not for root.
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
`missing` stops every build (exit code 36), and the text says what to do. `limited` makes builds slower, or
concerns only some projects.

Examples:
    run doctor
    run doctor --message-format json   one object per line: name, state, text";

const VERIFY_HELP: &str = "\
The components of `run build` are compared with those of two builds from nothing, which use no results of
earlier builds except fetched packages, which are pinned. These builds see another path, a clock that is one
or two days ahead, other random numbers, another number of CPUs, and folders listed in another order. If a
component differs, its differing parts are printed, and both files are kept in .run/verify.

Examples:
    run verify                 every enabled component
    run verify api             one of them
    run verify --message-format json";

/// Arguments of `run verify`.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    #[command(flatten)]
    pub(crate) what: What,
}

const INFO_EXAMPLES: &str = "\
Examples:
    run info                           everything
    run info api                       one component
    run info --message-format json     one JSON object";

/// Arguments of `run info`.
#[derive(Debug, Args)]
pub(crate) struct Info {
    #[command(flatten)]
    pub(crate) names: Names,
}

/// The optimisation of the components.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OptLevel {
    Debug,
    Release,
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

/// The global flags whose value is the next word.
const WITH_VALUE: [&str; 4] = ["-C", "--directory", "--color", "--message-format"];

/// Removes `v2` in the place of the verb.
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

/// Turns `--keep_going` into `--keep-going`. The value after `=` stays as it is.
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
    fn names_are_given_in_either_form() {
        let check = |line: &str, expect: &[&str]| {
            let Command::Build(build) = parsed(line).command else { panic!("{line}") };
            assert_eq!(build.what.names.all(), expect, "{line}");
        };
        check("run build", &[]);
        check("run build a b", &["a", "b"]);
        check("run build -p a -p b", &["a", "b"]);
        check("run build a -p b --release c", &["a", "c", "b"]);
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
