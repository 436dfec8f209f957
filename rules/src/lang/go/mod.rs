//! Go: a main package of a Go module, compiled by a pinned go for `GOOS=wasip1`.
//!
//! Actions: *standard library*, once for all; *bindings* from the WIT, in process; *fetch* the modules
//! of go.sum (network, pinned by checksum); *packages*, the bindings and the modules of others,
//! compiled once; *list*, which asks the go command what the component is made of; *layer*, which
//! lays out both; then a *compile* for each of the project's own packages, and *link*. So a one-line
//! edit compiles one package. If the lock pins TinyGo, that compiles instead. How a component is laid
//! out: docs/languages.md.

mod arrange;
mod bindings;
mod build_info;
mod compile;
mod constraint;
mod embed;
mod fetch;
mod flags;
mod hints;
mod imports;
mod listed;
mod manifest;
mod module;
mod packages;
mod pattern;
mod shared;
mod sums;
mod tinygo;
mod tools;

pub(super) use bindings::{Layout, Unfit};

use super::{LanguageError, Rule};
use crate::path::{PathError, ProjectPath};
use crate::toolchain::GO;

pub(super) const RULE: Rule = Rule {
    name: "go",
    endings: &["go"],
    nicknames: &["golang", "tinygo"],
    also_reads: &[],
    has_check: false,
    toolchains: |_, _| vec![GO],
    compile: compile::compile,
    hints: hints::hints,
};

/// What is wrong with a Go component before any action runs.
#[derive(Debug, thiserror::Error)]
pub(super) enum GoError {
    /// There is no module around the source file.
    #[error("`{source_file}` belongs to no Go module: there is no go.mod beside or above it")]
    NoModule {
        /// The component's `source`.
        source_file: ProjectPath,
    },
    /// A file can't be read.
    #[error("cannot read `{path}`")]
    Read {
        /// The file.
        path: ProjectPath,
        /// Why.
        source: std::io::Error,
    },
    /// A line of go.mod is none.
    #[error("{file}:{line}: `{text}` is not a directive of go.mod")]
    Syntax {
        /// The file.
        file: ProjectPath,
        /// The line, from 1.
        line: usize,
        /// What it says.
        text: String,
    },
    /// `module` is missing.
    #[error("{file} names no module")]
    NoModulePath {
        /// The file.
        file: ProjectPath,
    },
    /// A line of go.sum is none.
    #[error("{file}:{line}: it is not an entry that the go command writes")]
    BadSum {
        /// The file.
        file: ProjectPath,
        /// The line, from 1.
        line: usize,
    },
    /// A `replace` leaves the project.
    #[error("{file}:{line}: `replace` leads to `{folder}`, outside the project")]
    Outside {
        /// The go.mod.
        file: ProjectPath,
        /// The line, from 1.
        line: usize,
        /// The folder as written.
        folder: String,
        /// Why it is outside.
        source: PathError,
    },
    /// A `replace` leads to no module.
    #[error("{file}:{line}: `replace` leads to `{folder}`, where there is no go.mod")]
    NoReplacement {
        /// The go.mod.
        file: ProjectPath,
        /// The line, from 1.
        line: usize,
        /// The folder.
        folder: ProjectPath,
    },
    /// The run-time package is required in another version.
    #[error(
        "`{file}` requires {module} {required}, but bindings are made for {made}",
        module = module::RUNTIME,
        made = module::RUNTIME_VERSION
    )]
    RuntimeVersion {
        /// The go.mod.
        file: ProjectPath,
        /// The version in it.
        required: String,
    },
    /// There is no go.sum.
    #[error("there is no go.sum beside `{}`, which requires other modules", dir.join("go.mod"))]
    NoSums {
        /// The folder of the module.
        dir: ProjectPath,
    },
    /// go.sum lacks a module.
    #[error(
        "`{}` has no checksum of {module}, which `{}` requires",
        dir.join("go.sum"),
        dir.join("go.mod")
    )]
    Unpinned {
        /// The folder of the module.
        dir: ProjectPath,
        /// What is not pinned.
        module: String,
    },
    /// Packages need each other.
    #[error("import cycle not allowed: {}", paths.join(" imports "))]
    Cycle {
        /// The packages, the first one also at the end.
        paths: Vec<String>,
    },
    /// A module is only named by go.work.
    #[error("`{file}` imports `{package}`, whose module `{module}` is named by go.work alone")]
    Workspace {
        /// The file with the import.
        file: ProjectPath,
        /// The package.
        package: String,
        /// Its module.
        module: String,
        /// The folder of that module, from the folder of the component's one.
        folder: String,
        /// The folder of the component's module.
        dir: ProjectPath,
    },
    /// TinyGo is pinned without what it calls.
    #[error("run.lock.toml pins tinygo, which makes components with wasm-tools, but no wasm-tools")]
    NoWasmTools,
    /// A flag in `GOFLAGS` can't be honoured.
    #[error("`GOFLAGS` in `env` of the component has `{flag}`, which a build can't honour")]
    Flag {
        /// The flag, or the whole text if that can't be split.
        flag: String,
    },
    /// All that a package is made of needs C.
    #[error(
        "`{file}` imports \"C\", and cgo can't compile for WebAssembly: the go command leaves such files out, so nothing of \
         the package is left"
    )]
    Cgo {
        /// A file of the package.
        file: ProjectPath,
    },
}

impl LanguageError for GoError {
    fn hint(&self) -> Option<String> {
        // `-e`, as bindings are only there in a build.
        let tidy = |dir: &ProjectPath| Some(format!("write it with: go -C {dir} mod tidy -e"));
        match self {
            Self::NoModule { source_file } => {
                let dir = source_file.parent();
                Some(format!("make one with: go -C {dir} mod init example.com/{}", dir.file_name()))
            }
            Self::NoSums { dir } | Self::Unpinned { dir, .. } => tidy(dir),
            Self::BadSum { file, .. } => tidy(&file.parent()),
            Self::Outside { .. } => {
                Some("move the module into the project: an action sees nothing else".to_owned())
            }
            Self::RuntimeVersion { file, .. } => Some(format!(
                "write `require {} {}` in {file}",
                module::RUNTIME,
                module::RUNTIME_VERSION
            )),
            Self::Workspace { module, folder, dir, .. } => Some(format!(
                "a build does not see go.work; add to {}: `require {module} v0.0.0` and \
                 `replace {module} => {folder}`",
                dir.join("go.mod")
            )),
            Self::NoWasmTools => Some(
                "add it with: run toolchain add wasm-tools --path FOLDER, where FOLDER holds the \
                 executable `wasm-tools`"
                    .to_owned(),
            ),
            Self::Flag { .. } => Some(
                "it may have `-tags=…`, and `-ldflags=…` with `-X`, `-s` and `-w`: take the rest out".to_owned(),
            ),
            Self::Cgo { .. } => Some(
                "use a package that is Go alone, or add a file with `//go:build !cgo` that does without C; C has components \
                 of its own: `language = \"c\"`"
                    .to_owned(),
            ),
            _ => None,
        }
    }
}
