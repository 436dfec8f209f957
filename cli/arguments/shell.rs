//! Arguments of `run completions` and `run man`.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

pub(super) const COMPLETIONS_HELP: &str = "\
The script asks the `run` in PATH for the words that fit, so it also completes the components of the project.

Examples:
    source <(run completions bash)       in ~/.bashrc
    source <(run completions zsh)        in ~/.zshrc, after compinit
    run completions fish | source        in ~/.config/fish/config.fish

For all users, as packages install them:
    run completions bash > /usr/share/bash-completion/completions/run
    run completions zsh > /usr/share/zsh/site-functions/_run
    run completions fish > /usr/share/fish/vendor_completions.d/run.fish";

/// Arguments of `run completions`.
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell.
    #[arg(value_enum)]
    pub(crate) shell: Shell,
}

/// A shell for which there are completions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shell {
    Bash,
    Zsh,
    Fish,
}

impl Shell {
    /// Returns the name of the shell.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Bash => "bash",
            Self::Zsh => "zsh",
            Self::Fish => "fish",
        }
    }
}

pub(super) const MAN_HELP: &str = "\
Examples:
    run man | man -l -                 the page of `run` itself
    run man /usr/share/man/man1        all pages: run.1, run-build.1, run-toolchain-sync.1, …";

/// Arguments of `run man`.
#[derive(Debug, Args)]
pub(crate) struct Man {
    /// The folder for the pages of all commands; it is created. Without DIR, the page of `run` is printed.
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) folder: Option<PathBuf>,
}
