//! Flags about the cluster that executes actions.

use clap::Args;

/// Flags about the cluster that executes actions.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Remote execution")]
pub(crate) struct ExecutionFlags {
    /// Execute actions on the cluster at URL (grpcs, grpc), or on none with the word `none`.
    #[arg(long, value_name = "URL")]
    pub(crate) execute: Option<String>,
}
