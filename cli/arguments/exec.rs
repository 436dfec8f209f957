//! Arguments of `run exec`.

use clap::Args;

use super::How;

pub(super) const HELP: &str = "\
NAME is built first. What it may do is said by its `capabilities` in run.toml. A .wasm file may use standard input, output
and error; --grant allows more, and works for a component of the project, too.

Exit codes: that of the program (WASI 0.2 knows 0 and 1 only), 124 if it exceeds --timeout, 137 if it exceeds --memory, 134 if
it traps, 141 if nobody reads its output.

Examples:
    run exec banner -- Hello 'two words'           a component of wasi:cli
    run exec calc --invoke 'demo:calc/ops#add(40, 2)'
    run exec report.wasm --grant filesystem:data --grant clock -- --all < input.csv
    run exec worker --timeout 10s --memory 64MiB";

/// Arguments of `run exec`.
#[derive(Debug, Args)]
pub(crate) struct Exec {
    /// A component of the project, or a .wasm file.
    #[arg(value_name = "NAME|FILE")]
    pub(crate) program: String,
    /// The arguments of the program.
    #[arg(last = true, value_name = "ARGS")]
    pub(crate) args: Vec<String>,
    /// Call an exported function in place of `wasi:cli/run`. Arguments and result are in WAVE.
    #[arg(long, value_name = "CALL", conflicts_with = "args")]
    pub(crate) invoke: Option<String>,
    /// Allow what a capability of run.toml allows, such as `http-client:example.com`.
    #[arg(long, value_name = "CAPABILITY")]
    pub(crate) grant: Vec<String>,
    /// Set an environment variable for a program that may read it.
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) env: Vec<String>,
    /// Set a configuration value for a program that may read it.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) config: Vec<String>,
    /// End the program after this time: `10s`, `2m`.
    #[arg(long, value_name = "TIME")]
    pub(crate) timeout: Option<String>,
    /// End the program when its memory would exceed this: `64MiB` [default: 1GiB].
    #[arg(long, value_name = "SIZE")]
    pub(crate) memory: Option<String>,
    #[command(flatten)]
    pub(crate) how: How,
}
