//! Defines an action: its work, its inputs and its declared outputs.
//!
//! An action is a value. It knows neither where it will run nor if it has to run at all; the scheduler
//! decides both. Everything in it except the label, the pin and the wish to run again feeds the action
//! key (see [`crate::key`]).

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use cache::Digest;
use sandbox::{Determinism, Isolation, Limits};

use crate::{ActionId, Artifact, Builtin, Label};

/// One step of a build.
#[derive(Clone, Debug)]
pub struct Action {
    /// The name of the action, unique in the graph.
    pub label: Label,
    /// The work that the action does.
    pub work: Work,
    /// Everything that the action may see. Nothing else exists for it.
    pub inputs: Vec<Input>,
    /// The declared outputs: paths below the output folder, each of a file or a folder.
    ///
    /// The action fails if one of them is missing when the work is done. Everything else
    /// in the folder is dropped.
    pub outputs: Vec<String>,
    /// The digest of the tree that is the action's only output, if that is known in advance.
    ///
    /// The keys of dependents are computed with this digest at once. The action runs only if a dependent has to run
    /// and the store lacks the tree. If it then gives another tree, it fails
    /// ([`FailureKind::PinMismatch`](crate::FailureKind::PinMismatch)).
    pub pinned: Option<Digest>,
    /// True if the action runs even if its result is known. The new result replaces the known one.
    pub runs_again: bool,
}

impl Action {
    /// Makes an action that runs a command in the sandbox.
    #[must_use]
    pub fn process(label: Label, process: Process) -> Self {
        Self::new(label, Work::Process(Box::new(process)))
    }

    /// Makes an action that runs in this process.
    #[must_use]
    pub fn builtin(label: Label, builtin: impl Builtin + 'static) -> Self {
        Self::new(label, Work::Builtin(Arc::new(builtin)))
    }

    const fn new(label: Label, work: Work) -> Self {
        Self {
            label,
            work,
            inputs: Vec::new(),
            outputs: Vec::new(),
            pinned: None,
            runs_again: false,
        }
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

    /// Sets whether the action runs even if its result is known.
    #[must_use]
    pub const fn runs_again(mut self, runs_again: bool) -> Self {
        self.runs_again = runs_again;
        self
    }

    /// Pins the tree that is the action's only output.
    #[must_use]
    pub const fn pinned(mut self, tree: Digest) -> Self {
        self.pinned = Some(tree);
        self
    }
}

/// The work of an action.
#[derive(Clone)]
pub enum Work {
    /// Runs a command in the sandbox. It is boxed, because a builtin is far smaller, and a graph may have thousands.
    Process(Box<Process>),
    /// Runs code of this program.
    Builtin(Arc<dyn Builtin>),
}

impl Work {
    /// Tells if the work may use the network. Commands in the sandbox never may.
    #[must_use]
    pub fn needs_network(&self) -> bool {
        match self {
            Self::Process(_) => false,
            Self::Builtin(builtin) => builtin.needs_network(),
        }
    }

    /// Names who does the work, as the result's metadata says it. For a command this is the kind of sandbox.
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// The program and its arguments. A program without `/` is looked up in the `PATH` of
    /// [`env`](Self::env).
    pub argv: Vec<String>,
    /// The whole environment: nothing is added to it.
    pub env: BTreeMap<String, String>,
    /// The working directory below the root, such as `src`; the root itself if empty.
    pub cwd: String,
    /// The resources that the command may use. The action fails if it exceeds a limit.
    pub limits: Limits,
    /// The settings of the determinism layer, which hides from the command what differs from run to run; `None` runs it
    /// without the layer. The layer costs a few microseconds for each look at a clock or a file's times.
    pub determinism: Option<Determinism>,
    /// The declared output, a file, to which the command's standard output is written. If there is none, standard output
    /// is a message to the user.
    pub stdout: Option<String>,
    /// The kind of sandbox that isolates the command from the machine.
    pub isolation: Isolation,
}

/// A tree or file that an action may see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// The path below the root at which the action sees it: `src`, `deps/vendor`, `tmp/target`.
    ///
    /// If the path is empty, the input has to be a tree, and its top-level entries stand at the root; a toolchain
    /// image is such a tree. Several such trees are merged. For a builtin, this is only the input's name.
    pub at: String,
    /// The source of the content.
    pub from: Source,
    /// The kind of access that the action has.
    pub access: Access,
}

impl Input {
    /// Makes a read-only input at a path below the root.
    pub fn new(at: impl Into<String>, from: Source) -> Self {
        Self { at: at.into(), from, access: Access::ReadOnly }
    }

    /// Makes an input of a tree whose top-level entries stand at the root.
    #[must_use]
    pub const fn root(from: Source) -> Self {
        Self { at: String::new(), from, access: Access::ReadOnly }
    }

    /// Makes an input of a tree that the action may write to. Its changes are dropped afterwards.
    pub fn scratch(at: impl Into<String>, from: Source) -> Self {
        Self { at: at.into(), from, access: Access::Scratch }
    }
}

/// The source of an input's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A tree whose blobs the caller has put into the store, as [`crate::Sources`] does.
    Tree(Digest),
    /// A file that the caller has put into the store.
    File {
        /// The digest of its bytes.
        digest: Digest,
        /// True if the file is executable.
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
    /// Names the output `path` of `action` as a source.
    pub fn output(action: ActionId, path: impl Into<String>) -> Self {
        Self::Output { action, path: path.into() }
    }

    /// Returns the content of the source. `output` returns the output of an action if that is known.
    pub(crate) fn artifact(
        &self,
        output: impl FnOnce(ActionId, &str) -> Option<Artifact>,
    ) -> Option<Artifact> {
        match self {
            Self::Tree(digest) => Some(Artifact::Tree(*digest)),
            Self::File { digest, executable } => {
                Some(Artifact::File { digest: *digest, executable: *executable })
            }
            Self::Output { action, path } => output(*action, path),
        }
    }
}

/// The kind of access that an action has to an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Writes fail.
    ReadOnly,
    /// Writes go to an overlay, which is thrown away; the input itself never changes.
    Scratch,
}
