//! Why an action failed, with everything that a person needs to understand and reproduce it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use cache::{Digest, DiskStore};

use crate::{Label, Report};

/// The report on one failed action.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Which action.
    pub label: Label,
    /// What went wrong.
    pub kind: FailureKind,
    /// The command that ran, if it was one and got that far.
    pub command: Option<CommandReport>,
    /// What the action wrote to standard output, or its first part.
    pub stdout: Vec<u8>,
    /// What the action wrote to standard error, or its first part.
    pub stderr: Vec<u8>,
    /// Whether there was more on standard output or standard error than is kept.
    pub truncated: bool,
    /// Files that the command looked for and that were not there, as absolute paths inside its
    /// sandbox. Known of commands under the determinism layer, and of those whose message says that
    /// a file is missing: they are run once more, and watched.
    pub missing: Vec<PathBuf>,
    /// The folder that was kept, if the build was told to keep it.
    pub kept: Option<KeptSandbox>,
}

/// Whether a text, or a line of one, that a tool wrote says that a file is not there.
#[must_use]
pub fn says_missing(text: &str) -> bool {
    const SIGNS: [&str; 7] = [
        "no such file",
        "os error 2)",
        "enoent",
        "filenotfound",
        "file not found",
        "does not exist",
        "modulenotfounderror",
    ];
    let text = text.to_lowercase();
    SIGNS.iter().any(|sign| text.contains(sign))
}

impl Failure {
    /// A failure without a command or output to show.
    pub(crate) const fn new(label: Label, kind: FailureKind) -> Self {
        Self {
            label,
            kind,
            command: None,
            stdout: Vec::new(),
            stderr: Vec::new(),
            truncated: false,
            missing: Vec::new(),
            kept: None,
        }
    }
}

/// A command, as it has to be printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandReport {
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// The environment.
    pub env: BTreeMap<String, String>,
    /// The absolute working directory inside the sandbox.
    pub cwd: String,
}

impl CommandReport {
    /// The command line, quoted so that a POSIX shell reads it back.
    #[must_use]
    pub fn shell(&self) -> String {
        self.argv.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ")
    }
}

/// The sandbox of a failed action, kept for a look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptSandbox {
    /// The folder with the action's writable places (`out`, scratch layers). It is the user's now.
    pub folder: PathBuf,
    /// A shell line that runs the command again in the same sandbox.
    pub again: String,
    /// A shell line that starts a shell there instead, if there is one.
    pub shell: Option<String>,
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FailureKind {
    /// The command could not be started: no such program or working directory.
    #[error("{0}")]
    NotRun(Report),
    /// The command said no.
    #[error("exited with status {0}")]
    Exited(i32),
    /// The command was killed by a signal that is not ours.
    #[error("was killed by signal {0}")]
    Signalled(i32),
    /// The command took longer than it may.
    #[error("ran into its time limit of {} s", .0.as_secs_f64())]
    TimedOut(Duration),
    /// The command took more memory than it may.
    #[error("ran out of memory{}", .0.map_or_else(String::new, |limit| format!(" (its limit is {limit} bytes)")))]
    OutOfMemory(Option<u64>),
    /// The work succeeded but did not leave what it promised.
    #[error("left no `{0}`, which it declares as an output")]
    MissingOutput(String),
    /// What it left can't be kept: a device, a link out of the tree, an unreadable file.
    #[error("left an output that can't be kept: {0}")]
    BadOutput(Report),
    /// A builtin said no.
    #[error("{0}")]
    Builtin(Report),
    /// A builtin panicked: a bug of this program.
    #[error("panicked: {0}")]
    Panicked(String),
    /// Bytes are not the ones that were pinned.
    #[error("{0}")]
    Mismatch(Report),
    /// A pinned action gave another result.
    #[error("gave {actual}, but {expected} is pinned")]
    PinMismatch {
        /// What is pinned.
        expected: Digest,
        /// What came out.
        actual: Digest,
    },
    /// It needs the network, and the build is offline.
    #[error("needs the network, and this build is offline")]
    Offline,
    /// Two inputs can't stand in one root.
    #[error("its inputs don't fit together: {0}")]
    Inputs(Report),
    /// A source file is not what it was when the build began.
    #[error("`{0}` was changed during the build")]
    SourceChanged(PathBuf),
    /// The store lacks an input that nothing in the graph makes.
    #[error("the store lacks {0}, and no action makes it")]
    Lost(Digest),
    /// The store lost the same input again and again.
    #[error("the store keeps losing the results of `{0}`")]
    Vanishing(Label),
    /// There was no room left on a file system that the action is written to.
    #[error("found no room left on the file system of the store `{}` ({because})", .store.display())]
    NoRoom {
        /// The store's folder, where the outputs of commands lie, too.
        store: PathBuf,
        /// How the action ended, as a fragment.
        because: String,
    },
    /// The machine is at fault, not the action: a failed network, a store that can't be read.
    #[error("{0}")]
    Infrastructure(Report),
}

impl FailureKind {
    /// Whether the machine is at fault and not the action: trying again may help.
    #[must_use]
    pub const fn is_infrastructure(&self) -> bool {
        matches!(
            self,
            Self::Infrastructure(_) | Self::NoRoom { .. } | Self::Lost(_) | Self::Vanishing(_)
        )
    }

    /// Whether the system gave no process or thread for the work.
    #[must_use]
    pub fn is_for_want_of_processes(&self) -> bool {
        matches!(self, Self::Infrastructure(report) if report.is_for_want_of_processes())
    }

    /// The same failure, told as want of room if that is what it was.
    pub(crate) fn or_no_room(self, store: &DiskStore) -> Self {
        match &self {
            Self::NotRun(report)
            | Self::BadOutput(report)
            | Self::Builtin(report)
            | Self::Infrastructure(report)
                if report.is_for_want_of_room() =>
            {
                Self::NoRoom { store: store.root().to_owned(), because: report.to_string() }
            }
            _ => self,
        }
    }

    /// The same for a command that ran: it may fail in any way where it finds no room. To write to a
    /// mapped file is to be killed by a signal then.
    pub(crate) fn or_no_room_for_command(self, store: &DiskStore) -> Self {
        match &self {
            Self::Exited(_) | Self::Signalled(_) | Self::MissingOutput(_) | Self::BadOutput(_)
                if store.has_no_room() =>
            {
                Self::NoRoom { store: store.root().to_owned(), because: self.to_string() }
            }
            _ => self,
        }
    }

    /// Whether bytes were not the pinned ones.
    #[must_use]
    pub const fn is_mismatch(&self) -> bool {
        matches!(self, Self::Mismatch(_) | Self::PinMismatch { .. })
    }
}

/// Quotes a word for a POSIX shell; plain words stay as they are.
#[must_use]
pub fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_for_a_shell() {
        let check = |word: &str, expect: &str| assert_eq!(quote(word), expect, "{word:?}");
        check("cargo", "cargo");
        check("--out=/out/a.wasm", "--out=/out/a.wasm");
        check("", "''");
        check("a b", "'a b'");
        check("it's", r"'it'\''s'");
        check("$HOME", "'$HOME'");
        check("line\nbreak", "'line\nbreak'");
        check("~", "'~'");
    }
}
