//! What an action is: its work, its inputs and its declared outputs.
//!
//! An action is a value. It knows neither where it will run nor whether it has to run at all; both
//! are the scheduler's business. Everything in it except the label feeds the action key (see
//! [`crate::key`]).

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use cache::Digest;
use sandbox::{Determinism, Isolation, Limits};

use crate::{ActionId, Builtin, Label};

/// One step of a build.
#[derive(Clone, Debug)]
pub struct Action {
    /// Its name, unique in the graph.
    pub label: Label,
    /// What is done.
    pub work: Work,
    /// What it may see. Nothing else exists for it.
    pub inputs: Vec<Input>,
    /// What it promises to leave: paths below its output folder, each a file or a folder.
    ///
    /// A promised output that is not there when the work is done fails the action; what else lies
    /// in the folder is dropped.
    pub outputs: Vec<String>,
    /// The digest of the tree that is its only output, if that is known in advance.
    ///
    /// Dependents are keyed with it at once. The action runs only if a dependent really executes
    /// and the store lacks the tree; any other result is a failure
    /// ([`FailureKind::PinMismatch`](crate::FailureKind::PinMismatch)).
    pub pinned: Option<Digest>,
}

impl Action {
    /// An action that runs a command in the sandbox.
    #[must_use]
    pub const fn process(label: Label, process: Process) -> Self {
        Self::new(label, Work::Process(process))
    }

    /// An action that runs in this process.
    #[must_use]
    pub fn builtin(label: Label, builtin: impl Builtin + 'static) -> Self {
        Self::new(label, Work::Builtin(Arc::new(builtin)))
    }

    const fn new(label: Label, work: Work) -> Self {
        Self { label, work, inputs: Vec::new(), outputs: Vec::new(), pinned: None }
    }

    /// Adds an input.
    #[must_use]
    pub fn input(mut self, input: Input) -> Self {
        self.inputs.push(input);
        self
    }

    /// Declares an output.
    #[must_use]
    pub fn output(mut self, path: impl Into<String>) -> Self {
        self.outputs.push(path.into());
        self
    }

    /// Pins the tree that is the action's only output.
    #[must_use]
    pub const fn pinned(mut self, tree: Digest) -> Self {
        self.pinned = Some(tree);
        self
    }
}

/// What an action does.
#[derive(Clone)]
pub enum Work {
    /// Runs a command in the sandbox.
    Process(Process),
    /// Runs code of this program.
    Builtin(Arc<dyn Builtin>),
}

impl Work {
    /// Whether it may use the network. Processes never may.
    #[must_use]
    pub fn needs_network(&self) -> bool {
        match self {
            Self::Process(_) => false,
            Self::Builtin(builtin) => builtin.needs_network(),
        }
    }

    /// Who does it, as its result says: for a process, by which means that was kept apart.
    pub(crate) fn worker(&self) -> &'static str {
        match self {
            Self::Process(process) => process.isolation.view(),
            Self::Builtin(_) => "builtin",
        }
    }
}

impl fmt::Debug for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Process(process) => process.fmt(f),
            Self::Builtin(builtin) => write!(f, "Builtin({})", builtin.name()),
        }
    }
}

/// A command, as it is seen from inside the sandbox.
#[derive(Clone, Debug)]
pub struct Process {
    /// The program and its arguments. A program without `/` is looked up in the `PATH` of
    /// [`env`](Self::env).
    pub argv: Vec<String>,
    /// The whole environment: nothing is added to it.
    pub env: BTreeMap<String, String>,
    /// The working directory below the root, such as `src`; the root itself if empty.
    pub cwd: String,
    /// What it may use up. Exceeding a limit fails the action.
    pub limits: Limits,
    /// Whether what differs from run to run is hidden from it, and how. Costs a few microseconds for
    /// each look at a clock or a file's times.
    pub determinism: Option<Determinism>,
    /// The declared output that what it writes to standard output becomes, a file. Without one that
    /// is a message to the user.
    pub stdout: Option<String>,
    /// By which means it is kept apart from the machine.
    pub isolation: Isolation,
}

/// One thing an action may see.
#[derive(Clone, Debug)]
pub struct Input {
    /// Where it stands below the root: `src`, `deps/vendor`, `tmp/target`.
    ///
    /// If empty, it has to be a tree, and its top-level entries stand at the root: a toolchain
    /// image. Several such trees are merged. For a builtin this is merely the input's name.
    pub at: String,
    /// What stands there.
    pub from: Source,
    /// Whether it may be written to.
    pub access: Access,
}

impl Input {
    /// A read-only input at a path below the root.
    pub fn new(at: impl Into<String>, from: Source) -> Self {
        Self { at: at.into(), from, access: Access::ReadOnly }
    }

    /// A tree whose top-level entries stand at the root.
    #[must_use]
    pub const fn root(from: Source) -> Self {
        Self { at: String::new(), from, access: Access::ReadOnly }
    }

    /// A tree that the action may write to; what it writes is dropped afterwards.
    pub fn scratch(at: impl Into<String>, from: Source) -> Self {
        Self { at: at.into(), from, access: Access::Scratch }
    }
}

/// Where an input comes from.
#[derive(Clone, Debug)]
pub enum Source {
    /// A tree whose blobs were put into the store by the caller, such as [`crate::Sources`].
    Tree(Digest),
    /// A file, put into the store by the caller.
    File {
        /// The digest of its bytes.
        digest: Digest,
        /// Whether it is executable.
        executable: bool,
    },
    /// A declared output of another action.
    Output {
        /// The action that makes it.
        action: ActionId,
        /// One of the paths in that action's [`Action::outputs`].
        path: String,
    },
}

impl Source {
    /// The output `path` of `action`.
    pub fn output(action: ActionId, path: impl Into<String>) -> Self {
        Self::Output { action, path: path.into() }
    }
}

/// Whether an action may write to an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Writes fail.
    ReadOnly,
    /// Writes go to an overlay that is thrown away; the input itself never changes.
    Scratch,
}
