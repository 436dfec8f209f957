//! The texts of a package, wherever they were read, and what can be wrong with them.

use std::borrow::Cow;
use std::io;
use std::path::PathBuf;

use wit_parser::PackageName;

use super::scan::{Scan, scan};

/// The reason why WIT could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A file or folder that the manifest names is absent or unreadable.
    #[error("cannot read {}", path.display())]
    Read {
        /// The path of the file or folder.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// A symlink leads out of the project.
    #[error("{} leads to {}, outside of the project", path.display(), target.display())]
    Outside {
        /// The path of the file, which is a symlink or is reached through one.
        path: PathBuf,
        /// The path that it leads to.
        target: PathBuf,
    },
    /// A `.wit` file is not UTF-8 text.
    #[error("{} is not UTF-8 text", path.display())]
    NotText {
        /// The path of the file.
        path: PathBuf,
    },
    /// A folder that should be a WIT package has no `.wit` file.
    #[error("{} holds no .wit file", path.display())]
    Empty {
        /// The path of the folder.
        path: PathBuf,
    },
    /// A file is neither a `.wit` file nor a WIT package in a `.wasm` file.
    #[error("{} is not a .wit file, a .wasm file or a folder of .wit files", path.display())]
    NotWit {
        /// The path of the file.
        path: PathBuf,
    },
    /// A `.wasm` file that should be a WIT package or a component is something else.
    #[error("{} is neither a WIT package nor a component: {reason}", path.display())]
    NotPackage {
        /// The path of the file.
        path: PathBuf,
        /// The reason why it can't be read.
        reason: String,
    },
    /// A component stands where a WIT package is expected.
    #[error("{} is a component, not a WIT package", path.display())]
    Component {
        /// The path of the file.
        path: PathBuf,
    },
    /// The WIT has no `package` line, so it has no name by which other files could refer to it.
    #[error("{} has no `package` line", path.display())]
    Unnamed {
        /// The path of the file, or of the first one of a folder.
        path: PathBuf,
    },
}

/// One file of a package.
#[derive(Debug)]
pub(super) struct TextFile {
    /// The name of the file in the package's folder.
    pub(super) name: String,
    /// The place that the text comes from, for messages.
    pub(super) origin: String,
    pub(super) text: Cow<'static, str>,
    pub(super) scan: Scan,
}

impl TextFile {
    pub(super) fn new(name: &str, origin: String, text: Cow<'static, str>) -> Self {
        Self { name: name.to_owned(), origin, scan: scan(&text), text }
    }
}

/// The files of one package, which may have other packages nested in it.
#[derive(Debug)]
pub(super) struct PackageSource {
    /// The name of the package itself, then the names of nested ones.
    pub(super) declared: Vec<PackageName>,
    pub(super) files: Vec<TextFile>,
}

impl PackageSource {
    /// Makes a package of its files. Returns `None` if no file has a `package` line.
    pub(super) fn new(files: Vec<TextFile>) -> Option<Self> {
        let mut declared: Vec<PackageName> = Vec::new();
        for name in files.iter().flat_map(|file| &file.scan.declared) {
            if !declared.contains(name) {
                declared.push(name.clone());
            }
        }
        (!declared.is_empty()).then_some(Self { declared, files })
    }

    pub(super) fn name(&self) -> &PackageName {
        &self.declared[0]
    }
}

/// What was read as one package.
#[derive(Debug)]
pub(super) struct Loaded {
    /// The package itself. A component has none.
    pub(super) package: Option<PackageSource>,
    /// The packages that came with it: those that a binary refers to, or those of a component's interfaces.
    pub(super) others: Vec<PackageSource>,
}

impl Loaded {
    /// Returns all packages, the package itself first.
    pub(super) fn into_all(self) -> impl Iterator<Item = PackageSource> {
        self.package.into_iter().chain(self.others)
    }
}
