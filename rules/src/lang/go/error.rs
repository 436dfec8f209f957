//! The errors of Go components that planning finds, before any action runs, and the remedy for each.
//!
//! They have a file of their own, which uses none of the files that raise them. So no circle of files arises.

use crate::lang::bindings::go::{RUNTIME, RUNTIME_VERSION};
use crate::path::{PathError, ProjectPath};
use crate::planner::LanguageError;

/// An error in a Go component that is found before any action runs.
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
        /// The error of the system.
        source: std::io::Error,
    },
    /// A line of go.mod is not a directive.
    #[error("{file}:{line}: `{text}` is not a directive of go.mod")]
    Syntax {
        /// The file.
        file: ProjectPath,
        /// The line, from 1.
        line: usize,
        /// The text of the line.
        text: String,
    },
    /// The directive `module` is missing.
    #[error("{file} names no module")]
    NoModulePath {
        /// The file.
        file: ProjectPath,
    },
    /// A line of go.sum is not an entry.
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
        /// The folder as it is written.
        folder: String,
        /// The reason why it is outside.
        source: PathError,
    },
    /// A `replace` leads to a folder without a module.
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
        module = RUNTIME,
        made = RUNTIME_VERSION
    )]
    RuntimeVersion {
        /// The go.mod.
        file: ProjectPath,
        /// The version that it requires.
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
        /// The module that is not pinned.
        module: String,
    },
    /// Packages import each other in a circle.
    #[error("import cycle not allowed: {}", paths.join(" imports "))]
    Cycle {
        /// The packages of the circle. The first one stands at the end again.
        paths: Vec<String>,
    },
    /// A module is known only through go.work, which a build does not use.
    #[error("`{file}` imports `{package}`, whose module `{module}` is named by go.work alone")]
    Workspace {
        /// The file with the import.
        file: ProjectPath,
        /// The package.
        package: String,
        /// The module of that package.
        module: String,
        /// The folder of that module, relative to that of the component's module.
        folder: String,
        /// The folder of the component's module.
        dir: ProjectPath,
    },
    /// A flag in `GOFLAGS` can't be honoured.
    #[error("`GOFLAGS` in `env` of the component has `{flag}`, which a build can't honour")]
    Flag {
        /// The flag, or the whole text if that can't be split.
        flag: String,
    },
    /// A flag in `GOFLAGS` is for another compiler.
    #[error(
        "`GOFLAGS` in `env` of the component has `-ldflags={flag}`, which is not handed to TinyGo"
    )]
    TinyGoFlag {
        /// The argument of the linker.
        flag: String,
    },
    /// All files of a package need C.
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
        // `-e` is needed because bindings exist only during a build.
        let tidy = |dir: &ProjectPath| Some(format!("write it with: {} tidy -e", mod_in(dir)));
        match self {
            Self::NoModule { source_file } => {
                let dir = source_file.parent();
                let name = module_name(dir.file_name());
                Some(format!("make one with: {} init example.com/{name}", mod_in(&dir)))
            }
            Self::NoSums { dir } | Self::Unpinned { dir, .. } => tidy(dir),
            Self::BadSum { file, .. } => tidy(&file.parent()),
            Self::Outside { .. } => {
                Some("move the module into the project: an action sees nothing else".to_owned())
            }
            Self::RuntimeVersion { file, .. } => Some(format!(
                "write that with: {} edit -require={}@{}",
                mod_in(&file.parent()),
                RUNTIME,
                RUNTIME_VERSION
            )),
            Self::Workspace { module, folder, dir, .. } => Some(format!(
                "a build does not see go.work; add to {}: `require {module} v0.0.0` and \
                 `replace {module} => {folder}`",
                dir.join("go.mod")
            )),
            Self::Flag { .. } => Some(
                "it may have `-tags=…`, and `-ldflags=…` with `-X`, `-s` and `-w`: take the rest out".to_owned(),
            ),
            Self::TinyGoFlag { .. } => Some(
                "of `GOFLAGS`, TinyGo gets `-tags=…`: set the variable in the source instead, in a file for a tag of its own"
                    .to_owned(),
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

/// Returns the beginning of a command about the module in a folder of the project.
fn mod_in(dir: &ProjectPath) -> String {
    format!("go -C {} mod", engine::quote(&dir.to_string()))
}

/// Returns the last part of a new module's path: the name of its folder, if that may stand in a module path.
fn module_name(folder: &str) -> &str {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
    let is_name = !folder.is_empty() && folder.chars().all(fits);
    if is_name && !folder.starts_with('.') && !folder.ends_with('.') { folder } else { "app" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_module_has_a_path_that_go_takes() {
        let check = |source: &str, expect: &str| {
            let source_file = ProjectPath::parse(source).unwrap();
            let hint = GoError::NoModule { source_file }.hint();
            assert_eq!(hint, Some(format!("make one with: go -C {expect}")));
        };
        check("sums/main.go", "sums mod init example.com/sums");
        check("main.go", ". mod init example.com/app");
        check("my sums/main.go", "'my sums' mod init example.com/app");
        check("a/x.y/main.go", "a/x.y mod init example.com/x.y");
    }
}
