//! The report on a failed action, with everything that a person needs to understand and reproduce the failure.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use cache::{Digest, DiskStore};
use sandbox::{Isolation, Spec};

use crate::{Label, Report};

/// The report on one failed action.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The label of the action.
    pub label: Label,
    /// The way in which the action failed.
    pub kind: FailureKind,
    /// The command, if the action had one and this program tried to start it.
    pub command: Option<CommandReport>,
    /// The action's standard output, or its first part.
    pub stdout: Vec<u8>,
    /// The action's standard error, or its first part.
    pub stderr: Vec<u8>,
    /// True if standard output or standard error had more bytes than are kept here.
    pub truncated: bool,
    /// The files that the command looked for and did not find, as absolute paths inside its
    /// sandbox. They are known if the command ran under the determinism layer. Another command runs once more under
    /// it, if it exited within a minute and its message says that a file is missing.
    pub missing: Vec<PathBuf>,
    /// The sandbox of the action, if the build was told to keep it.
    pub kept: Option<KeptSandbox>,
}

impl Failure {
    /// Makes a failure that has no command and no output to show.
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

/// A command in the form in which it is printed.
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
    /// Returns the command line, quoted so that a POSIX shell reads the same words.
    #[must_use]
    pub fn shell(&self) -> String {
        self.argv.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ")
    }
}

/// The sandbox of a failed action, which was kept so that the user can look at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptSandbox {
    /// The folder with everything that the action could write to (`out`, overlays of writable inputs). It belongs to the
    /// user now, and is not swept.
    pub folder: PathBuf,
    /// The command that failed, with its writable places in that folder.
    pub spec: Spec,
    /// The means by which it was kept apart from the machine.
    pub isolation: Isolation,
    /// The path of a shell in the sandbox, if there is one.
    pub shell: Option<&'static str>,
}

/// The way in which an action failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FailureKind {
    /// The command could not be started, because its specification is invalid, or because its program or working
    /// directory can't be used.
    #[error("{0}")]
    NotRun(Report),
    /// The command exited with this status, which is not 0.
    #[error("exited with status {0}")]
    Exited(i32),
    /// The command was killed by a signal that this program did not send.
    #[error("was killed by signal {0}")]
    Signalled(i32),
    /// The command exceeded its time limit.
    #[error("ran into its time limit of {} s", .0.as_secs_f64())]
    TimedOut(Duration),
    /// The command exceeded its memory limit, or the machine ran out of memory.
    #[error("ran out of memory{}", .0.map_or_else(String::new, |limit| format!(" (its limit is {limit} bytes)")))]
    OutOfMemory(Option<u64>),
    /// The work succeeded but did not make this declared output.
    #[error("left no `{0}`, which it declares as an output")]
    MissingOutput(String),
    /// An output can't be stored. For example, it is a device, a link out of the tree, or an unreadable file.
    #[error("left an output that can't be kept: {0}")]
    BadOutput(Report),
    /// A builtin failed because of its inputs or arguments.
    #[error("{0}")]
    Builtin(Report),
    /// A builtin panicked, which is a bug of this program.
    #[error("panicked: {0}")]
    Panicked(String),
    /// Fetched bytes do not have the pinned checksum.
    #[error("{0}")]
    Mismatch(Report),
    /// A pinned action gave another tree than the pinned one.
    #[error("gave {actual}, but {expected} is pinned")]
    PinMismatch {
        /// The pinned tree.
        expected: Digest,
        /// The tree that the action gave.
        actual: Digest,
    },
    /// The action needs the network, and the build is offline.
    #[error("needs the network, and this build is offline")]
    Offline,
    /// Two inputs can't stand in the same root.
    #[error("its inputs don't fit together: {0}")]
    Inputs(Report),
    /// A source file has changed since the build began.
    #[error("`{0}` was changed during the build")]
    SourceChanged(PathBuf),
    /// The store lacks an input that no action in the graph makes.
    #[error("the store lacks {0}, and no action makes it")]
    Lost(Digest),
    /// The store lost the same input again and again.
    #[error("the store keeps losing the results of `{0}`")]
    Vanishing(Label),
    /// The file system of the store, to which the action writes, is full.
    #[error("found no room left on the file system of the store `{}` ({because})", .store.display())]
    NoRoom {
        /// The store's folder, in which commands also write their outputs.
        store: PathBuf,
        /// The way in which the action failed, as a fragment of a sentence.
        because: String,
    },
    /// A cluster did not execute the action, and it may not run here instead.
    #[error("was not executed: {0}")]
    Cluster(Report),
    /// The machine is at fault and not the action: the network failed, or the store can't be read.
    #[error("{0}")]
    Infrastructure(Report),
}

impl FailureKind {
    /// Tells if the machine is at fault and not the action, so that trying again may help.
    #[must_use]
    pub const fn is_infrastructure(&self) -> bool {
        matches!(
            self,
            Self::Infrastructure(_)
                | Self::Cluster(_)
                | Self::NoRoom { .. }
                | Self::Lost(_)
                | Self::Vanishing(_)
        )
    }

    /// Tells if the system refused to start a process or thread for the work.
    #[must_use]
    pub fn is_for_want_of_processes(&self) -> bool {
        matches!(self, Self::Infrastructure(report) if report.is_for_want_of_processes())
    }

    /// Returns [`FailureKind::NoRoom`] if the failure is an error about a full file system, and the same failure otherwise.
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

    /// Returns [`FailureKind::NoRoom`] if the failure is that of a command and the store's file system is full, and the
    /// same failure otherwise. A command on a full file system may fail in any way: it may be killed by a signal when
    /// it writes to a mapped file. So the free space decides, and not the failure.
    pub(crate) fn or_no_room_for_command(self, store: &DiskStore) -> Self {
        match &self {
            Self::Exited(_) | Self::Signalled(_) | Self::MissingOutput(_) | Self::BadOutput(_)
                if store.is_out_of_space() =>
            {
                Self::NoRoom { store: store.root().to_owned(), because: self.to_string() }
            }
            _ => self,
        }
    }

    /// Tells if a cluster should have executed the action, and did not.
    #[must_use]
    pub const fn is_of_the_cluster(&self) -> bool {
        matches!(self, Self::Cluster(_))
    }

    /// Tells if fetched bytes or a tree differ from the pinned ones.
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
