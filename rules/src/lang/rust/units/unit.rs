//! The list of units that planning reads.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The units of a workspace.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(in crate::lang::rust) struct Units {
    /// All units. Each comes after those that it needs.
    pub(super) units: Vec<Unit>,
    /// For each selected target, the unit that makes its file. `None` if Cargo did not compile it.
    pub(super) roots: Vec<Option<usize>>,
}

/// A call of rustc, or a run of a build script.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Unit {
    pub(super) package: UnitPackage,
    pub(super) work: UnitWork,
    /// The variables that Cargo sets for this unit.
    pub(super) env: BTreeMap<String, String>,
    /// The working directory, an absolute path in the action.
    pub(super) cwd: String,
}

/// The package that a unit belongs to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct UnitPackage {
    pub(super) name: String,
    pub(super) version: String,
    /// The folder of its manifest, an absolute path in the action.
    pub(super) folder: String,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum UnitWork {
    Compile(Compile),
    Run(RunScript),
}

/// A call of rustc.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Compile {
    pub(super) crate_name: String,
    pub(super) kind: CrateKind,
    /// True if the code runs during the build: procedural macros, build scripts, and what these need.
    pub(super) is_for_host: bool,
    /// The arguments, except those that say where the outputs go and how messages are written.
    pub(super) args: Vec<String>,
    /// The folder in which other units find the files.
    pub(super) folder: String,
    /// The names of the files.
    pub(super) files: Vec<String>,
    /// True if it is compiled with the code of other crates, and not only with their descriptions: because it
    /// is linked, or because Cargo asks for it.
    pub(super) needs_code: bool,
    /// The units whose files it uses directly.
    pub(super) needs: Vec<usize>,
    /// The run of the package's own build script.
    pub(super) script: Option<usize>,
    /// The runs of all build scripts whose libraries may be linked.
    pub(super) searches: Vec<usize>,
}

/// The kind of thing that rustc makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum CrateKind {
    /// A library for other crates.
    Library,
    /// A library that is a component, perhaps beside one for other crates.
    Cdylib,
    ProcMacro,
    Binary,
}

/// A run of a build script.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct RunScript {
    /// The path at which the script's program stands.
    pub(super) program: String,
    /// The unit that compiles it.
    pub(super) compiled: usize,
    /// The value of `OUT_DIR`, an absolute path in the action.
    pub(super) out_dir: String,
    /// The runs of other scripts whose metadata it sees, each with the beginning of the variables' names, such
    /// as `DEP_Z_`.
    pub(super) metadata: Vec<(String, usize)>,
}

impl CrateKind {
    /// Returns whether the linker runs.
    pub(super) const fn links(self) -> bool {
        !matches!(self, Self::Library)
    }
}
