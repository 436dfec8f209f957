//! Arguments of `run dev`.

use clap::Args;

use super::{Sandbox, What};

pub(super) const HELP: &str = "\
Builds the project, and serves every component that handles HTTP requests: a single one at /, several at
/NAME/ or at the `route` of run.toml. The address is the first line on standard output. The page /_run shows
what is served, the last build, requests and errors.

Sources, WIT, run.toml and run.lock.toml are watched. After an edit, what depends on it is built and swapped
without a lost request. If a build fails, the version before it stays, every response says so in the header
x-run-stale, and pages in the browser show the error. Commands (wasi:cli) are run again when they change.
Ctrl-C stops the server, with exit code 0.

Examples:
    run dev                     at http://127.0.0.1:3000, or the port of [dev]
    run dev --port 0            at a port that is free
    run dev api                 only one component
    run dev --host 0.0.0.0      also for other machines: everybody on the network can use it";

/// Arguments of `run dev`.
#[derive(Debug, Args)]
pub(crate) struct Dev {
    #[command(flatten)]
    pub(crate) what: What,
    /// Listen on this port; 0 picks one that is free [default: `[dev] port`, or 3000].
    #[arg(long, value_name = "PORT")]
    pub(crate) port: Option<u16>,
    /// Listen on this address. Any other than a loopback address lets other machines in.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub(crate) host: String,
    /// Set a variable that components see if their `env` capabilities grant it.
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) env: Vec<String>,
    /// Set a value of `wasi:config` that components see if their `config` capabilities grant it.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) config: Vec<String>,
    /// Chooses how actions are isolated from the machine, as for `run build`.
    #[arg(long, value_enum, value_name = "MEANS", default_value_t = Sandbox::Namespaces)]
    pub(crate) sandbox: Sandbox,
}
