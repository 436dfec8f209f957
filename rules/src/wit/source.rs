//! Finds and reads the WIT packages that a component may use.
//!
//! Which files are read follows from the names of files alone, never from their contents: [`Listing::new`]
//! names every input before any of them is opened. So a caller can tell from a list of files whether anything
//! changed.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use wit_component::{DecodedWasm, WitPrinter};
use wit_parser::PackageName;

use super::scan::{Scan, scan};
use crate::bounded;

/// The maximum length, in bytes, of one WIT file, as text or as a package in a `.wasm` file. All of WASI has
/// 400 KiB.
const MOST: u64 = 4 << 20;

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
    /// A `.wasm` file that should be a WIT package is something else.
    #[error("{} is not a WIT package: {reason}", path.display())]
    NotPackage {
        /// The path of the file.
        path: PathBuf,
        /// The kind of file that it is instead, or the reason why it can't be read.
        reason: String,
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

/// The files of one package: all `.wit` files of a folder, or a single `.wit` or `.wasm` file.
pub(super) type Group = Vec<PathBuf>;

/// Every file that may be read for a component, relative to the project's root.
#[derive(Debug)]
pub(super) struct Listing {
    /// The files of the component's own package. There are none if it has no WIT of its own.
    pub(super) main: Group,
    /// The folder of the component's own `deps/`, even if it does not exist. `None` if the component has no
    /// WIT of its own.
    pub(super) deps: Option<PathBuf>,
    pub(super) own: Vec<Group>,
    /// The other `.wit` files beside a `wit` that is a single file.
    pub(super) neighbours: Vec<Group>,
    /// For each path dependency, the files of its package and those of that package's own `deps/`.
    pub(super) dependencies: BTreeMap<String, (Group, Vec<Group>)>,
}

impl Listing {
    pub(super) fn new<'a>(
        root: &Path,
        wit: Option<&Path>,
        dependencies: impl Iterator<Item = (&'a String, &'a PathBuf)>,
    ) -> Result<Self, SourceError> {
        let (main, folder, neighbours) = match wit {
            None => (Vec::new(), None, Vec::new()),
            Some(wit) if root.join(wit).is_dir() => {
                (folder_group(root, wit)?, Some(wit), Vec::new())
            }
            Some(wit) => {
                let folder = wit.parent().unwrap_or(Path::new(""));
                (file_group(root, wit)?, Some(folder), neighbours(root, wit, folder)?)
            }
        };
        let deps = folder.map(|folder| folder.join("deps"));
        let own = deps.as_ref().map_or(Ok(Vec::new()), |deps| deps_groups(root, deps))?;
        let dependencies = dependencies
            .map(|(name, path)| Ok((name.clone(), dependency_groups(root, path)?)))
            .collect::<Result<_, SourceError>>()?;
        Ok(Self { main, deps, own, neighbours, dependencies })
    }

    /// Returns all files of the listing, sorted.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        let mut files: Vec<PathBuf> = [&self.main]
            .into_iter()
            .chain(&self.own)
            .chain(&self.neighbours)
            .chain(
                self.dependencies.values().flat_map(|(main, deps)| [main].into_iter().chain(deps)),
            )
            .flatten()
            .cloned()
            .collect();
        files.sort();
        files.dedup();
        files
    }
}

/// Reads a group. Returns the package itself and then, if it is a `.wasm` file, the packages that it refers
/// to.
pub(super) fn load(root: &Path, group: &Group) -> Result<Vec<PackageSource>, SourceError> {
    if let [file] = &group[..]
        && has_extension(file, "wasm")
    {
        return decode(file, &read(root, file)?);
    }
    let files = group.iter().map(|path| text_file(root, path)).collect::<Result<_, _>>()?;
    match PackageSource::new(files) {
        Some(source) => Ok(vec![source]),
        None => Err(SourceError::Unnamed { path: group[0].clone() }),
    }
}

fn text_file(root: &Path, path: &Path) -> Result<TextFile, SourceError> {
    let not_text = || SourceError::NotText { path: path.to_owned() };
    let text = String::from_utf8(read(root, path)?).map_err(|_| not_text())?;
    let name = path.file_name().and_then(OsStr::to_str).ok_or_else(not_text)?;
    Ok(TextFile::new(name, path.display().to_string(), Cow::Owned(text)))
}

/// Converts a binary WIT package back to text, because not every tool reads the binary form.
fn decode(path: &Path, bytes: &[u8]) -> Result<Vec<PackageSource>, SourceError> {
    let not_package = |reason: String| SourceError::NotPackage { path: path.to_owned(), reason };
    let (resolve, main) = match wit_component::decode(bytes) {
        Ok(DecodedWasm::WitPackage(resolve, main)) => (resolve, main),
        Ok(DecodedWasm::Component(..)) => return Err(not_package("it is a component".into())),
        Err(error) => return Err(not_package(format!("{error:#}"))),
    };
    let others = resolve.packages.iter().map(|(id, _)| id).filter(|id| *id != main);
    let print = |id| {
        let mut printer = WitPrinter::default();
        printer.print(&resolve, id, &[]).map_err(|error| not_package(format!("{error:#}")))?;
        let text = printer.output.to_string();
        let file = TextFile::new("package.wit", path.display().to_string(), Cow::Owned(text));
        PackageSource::new(vec![file]).ok_or_else(|| not_package("it has no name".into()))
    };
    [main].into_iter().chain(others).map(print).collect()
}

fn dependency_groups(root: &Path, path: &Path) -> Result<(Group, Vec<Group>), SourceError> {
    if !root.join(path).is_dir() {
        return Ok((file_group(root, path)?, Vec::new()));
    }
    let inner = path.join("wit");
    let is_package = !wit_files(root, path)?.is_empty() || !root.join(&inner).is_dir();
    let folder = if is_package { path } else { &inner };
    Ok((folder_group(root, folder)?, deps_groups(root, &folder.join("deps"))?))
}

fn folder_group(root: &Path, folder: &Path) -> Result<Group, SourceError> {
    let files = wit_files(root, folder)?;
    if files.is_empty() {
        return Err(SourceError::Empty { path: folder.to_owned() });
    }
    Ok(files)
}

fn file_group(root: &Path, file: &Path) -> Result<Group, SourceError> {
    let metadata = std::fs::metadata(root.join(file))
        .map_err(|source| SourceError::Read { path: file.to_owned(), source })?;
    if metadata.is_file() && (has_extension(file, "wit") || has_extension(file, "wasm")) {
        return Ok(vec![file.to_owned()]);
    }
    Err(SourceError::NotWit { path: file.to_owned() })
}

/// Returns the groups in a folder `deps/`, in the forms that WIT tools know: folders, `.wit` files and
/// `.wasm` files.
fn deps_groups(root: &Path, deps: &Path) -> Result<Vec<Group>, SourceError> {
    if !root.join(deps).is_dir() {
        return Ok(Vec::new());
    }
    let mut groups = Vec::new();
    for entry in entries(root, deps)? {
        let group = if root.join(&entry).is_dir() {
            wit_files(root, &entry)?
        } else if has_extension(&entry, "wit") || has_extension(&entry, "wasm") {
            vec![entry]
        } else {
            continue;
        };
        if !group.is_empty() {
            groups.push(group);
        }
    }
    Ok(groups)
}

fn neighbours(root: &Path, wit: &Path, folder: &Path) -> Result<Vec<Group>, SourceError> {
    let files = wit_files(root, folder)?;
    Ok(files.into_iter().filter(|file| file != wit).map(|file| vec![file]).collect())
}

fn wit_files(root: &Path, folder: &Path) -> Result<Vec<PathBuf>, SourceError> {
    let mut files = entries(root, folder)?;
    files.retain(|entry| has_extension(entry, "wit") && !root.join(entry).is_dir());
    Ok(files)
}

/// Returns the entries of a folder, sorted, without hidden ones. Editors create hidden files for a while;
/// they are not sources.
fn entries(root: &Path, folder: &Path) -> Result<Vec<PathBuf>, SourceError> {
    let cannot_read = |source| SourceError::Read { path: folder.to_owned(), source };
    let mut entries = std::fs::read_dir(root.join(folder))
        .map_err(cannot_read)?
        .map(|entry| Ok(folder.join(entry?.file_name())))
        .collect::<io::Result<Vec<_>>>()
        .map_err(cannot_read)?;
    entries.retain(|entry| !is_hidden(entry));
    entries.sort();
    Ok(entries)
}

fn read(root: &Path, path: &Path) -> Result<Vec<u8>, SourceError> {
    let failed = |source| SourceError::Read { path: path.to_owned(), source };
    // The path of a path dependency may lead to a folder beside the project.
    if !path.starts_with("..") {
        let target = root.join(path).canonicalize().map_err(failed)?;
        if !target.starts_with(root.canonicalize().map_err(failed)?) {
            return Err(SourceError::Outside { path: path.to_owned(), target });
        }
    }
    bounded::read(&root.join(path), MOST)
        .map_err(|source| SourceError::Read { path: path.to_owned(), source })
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|found| found == extension)
}
