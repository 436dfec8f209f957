//! Arguments of the commands about packages: `run add`, `remove`, `update`, `fetch`, `tree`, `search`, `publish`, `login`
//! and `logout`.

use std::path::PathBuf;

use clap::{ArgGroup, Args};

use super::How;

pub(crate) const ADD_EXAMPLES: &str = "\
Examples:
    run add acme:greet                       the newest version
    run add acme:greet@1.2                   a version that is compatible with 1.2
    run add acme:greet --features json       with a feature
    run add test:mock --dev                  for tests only
    run add acme:types --git https://git.example.com/acme/types --tag v1.2.0
    run add acme:local --path ../local";

/// Arguments of `run add`.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("commit").args(["rev", "branch", "tag"]).requires("git")))]
pub(crate) struct Add {
    /// The package, and optionally the versions that will do, as in run.toml.
    #[arg(value_name = "PACKAGE[@VERSION]")]
    pub(crate) package: String,
    /// Write it into `[dev_dependencies]`.
    #[arg(long)]
    pub(crate) dev: bool,
    /// Take the package from a git repository.
    #[arg(long, value_name = "URL")]
    pub(crate) git: Option<String>,
    /// The commit of the repository, by its hash.
    #[arg(long, value_name = "HASH")]
    pub(crate) rev: Option<String>,
    /// The commit of the repository, by a branch.
    #[arg(long, value_name = "NAME")]
    pub(crate) branch: Option<String>,
    /// The commit of the repository, by a tag.
    #[arg(long, value_name = "NAME")]
    pub(crate) tag: Option<String>,
    /// The folder of the package. With --git, the folder in the repository.
    #[arg(long, value_name = "DIR")]
    pub(crate) path: Option<String>,
    /// Switch on these features of the package.
    #[arg(short = 'F', long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) features: Vec<String>,
}

/// Arguments of `run remove`.
#[derive(Debug, Args)]
pub(crate) struct Remove {
    /// The packages.
    #[arg(value_name = "PACKAGE", required = true)]
    pub(crate) packages: Vec<String>,
    /// Remove them from `[dev_dependencies]`.
    #[arg(long)]
    pub(crate) dev: bool,
}

pub(crate) const UPDATE_EXAMPLES: &str = "\
A build never changes a locked version. This command chooses the newest versions that run.toml allows and writes
run.lock.toml.

Examples:
    run update                  all packages
    run update acme:greet       this one, and what it newly needs
    run update --dry-run        only show what would change";

/// Arguments of `run update`.
#[derive(Debug, Args)]
pub(crate) struct Update {
    /// Only these packages.
    #[arg(value_name = "PACKAGE")]
    pub(crate) packages: Vec<String>,
    /// Show what would change, and write nothing.
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,
}

pub(crate) const FETCH_EXAMPLES: &str = "\
Everything that run.lock.toml has is downloaded into .run/cache, so that `run build --offline` works. The WIT of the
packages is also written below the `deps/` folder beside each component's WIT, for editors and for macros that read it
there. Builds do not read these copies.

Examples:
    run fetch
    run fetch --no-wit     without the copies for editors";

/// Arguments of `run fetch`.
#[derive(Debug, Args)]
pub(crate) struct Fetch {
    /// Write no copies of WIT for editors.
    #[arg(long)]
    pub(crate) no_wit: bool,
}

/// Arguments of `run search`.
#[derive(Debug, Args)]
pub(crate) struct Search {
    /// A part of the name.
    #[arg(value_name = "TEXT")]
    pub(crate) text: String,
}

pub(crate) const PUBLISH_EXAMPLES: &str = "\
A component is built first, as by `run build` (with --release, or `[build] opt_level`). Description, licence, repository
and the hash of the last commit are written into the package, also if there are changes that are not committed. The same package again changes nothing; other bytes for a published version are refused.

Examples:
    run publish --wit wit                         the WIT package of this folder
    run publish -p auth --package acme:auth       a component, with the version of the project
    run publish --wit wit --dry-run               everything but the upload";

/// Arguments of `run publish`.
#[derive(Debug, Args)]
pub(crate) struct Publish {
    #[command(flatten)]
    pub(crate) how: How,
    /// The component to publish [default: the only one].
    #[arg(short = 'p', long = "component", value_name = "NAME")]
    pub(crate) component: Option<String>,
    /// The name of the package in the registry.
    #[arg(long, value_name = "NAMESPACE:NAME")]
    pub(crate) package: Option<String>,
    /// Publish the WIT package of this folder or file.
    #[arg(long, value_name = "PATH")]
    pub(crate) wit: Option<PathBuf>,
    /// Publish a version that breaks users of the version before, although its number says otherwise.
    #[arg(long)]
    pub(crate) allow_breaking: bool,
    /// Do everything but the upload.
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,
}

pub(crate) const LOGIN_EXAMPLES: &str = "\
The secret is read from standard input, so that it is in no history of a shell. It is stored in
$XDG_CONFIG_HOME/run/logins.toml (or $RUN_HOME/logins.toml), which only its owner can read, and sent to this host alone.

Examples:
    run login registry.example.com < token.txt
    echo $PASSWORD | run login registry.example.com --username ci";

/// Arguments of `run login`.
#[derive(Debug, Args)]
pub(crate) struct Login {
    /// The host, with its port if it has an unusual one [default: that of `[registry] url`].
    #[arg(value_name = "HOST")]
    pub(crate) host: Option<String>,
    /// The name of the user. Without it the secret is a bearer token.
    #[arg(short, long, value_name = "NAME")]
    pub(crate) username: Option<String>,
}

/// Arguments of `run logout`.
#[derive(Debug, Args)]
pub(crate) struct Logout {
    /// The host [default: that of `[registry] url`].
    #[arg(value_name = "HOST")]
    pub(crate) host: Option<String>,
}
