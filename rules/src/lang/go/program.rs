//! The packages of a program, as planning reads them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The packages that a program is made of, each after those that it imports.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Program {
    pub(super) packages: Vec<Piece>,
}

/// A package that is compiled.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Piece {
    /// Its import path.
    pub(super) path: String,
    pub(super) origin: Origin,
    /// Its folder, an absolute path in the action.
    pub(super) dir: String,
    /// The Go files, as absolute paths.
    pub(super) go_files: Vec<String>,
    /// The files in assembly, as absolute paths.
    pub(super) assembly: Vec<String>,
    /// The names of other files that the tools read, below the folder: headers, and files that are embedded.
    pub(super) others: Vec<String>,
    /// The packages that it imports.
    pub(super) imports: Vec<String>,
    /// The packages that it imports under another path: path in the source text → package.
    pub(super) import_map: BTreeMap<String, String>,
    /// The version of the language, if it is not that of the compiler.
    pub(super) language: Option<String>,
    /// The paths that programs show in the place of those in the action (`-trimpath`).
    pub(super) trimpath: String,
    /// The file that tells the compiler about embedded files.
    pub(super) embedded: Option<String>,
    /// The note that users get if it does not compile.
    pub(super) note: Option<String>,
}

/// The place that a package comes from.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Origin {
    /// The standard library.
    Standard,
    /// The project, or its bindings.
    Project,
    /// Somebody else's module.
    Module {
        /// Its path and version.
        name: String,
        /// Its folder in the module cache, if it is there.
        folder: Option<String>,
    },
}

impl Piece {
    /// Returns true if the compiler gets everything that the package consists of. A few packages of the standard
    /// library have functions that are in package `runtime` (`gcToolchain.gc` of the go command).
    pub(super) fn is_complete(&self) -> bool {
        const INCOMPLETE: [&str; 10] = [
            "bytes",
            "internal/poll",
            "net",
            "os",
            "runtime/metrics",
            "runtime/pprof",
            "runtime/trace",
            "sync",
            "syscall",
            "time",
        ];
        let is_exception =
            self.origin == Origin::Standard && INCOMPLETE.contains(&self.path.as_str());
        self.assembly.is_empty() && !is_exception
    }
}
