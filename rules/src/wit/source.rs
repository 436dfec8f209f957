//! Finds and reads the WIT packages that a component may draw on.
//!
//! What is read follows from the names of files alone, never from their contents: [`Listing::new`]
//! names every input before one of them is opened, so that a caller can tell from a list of files
//! whether anything changed.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use wit_component::{DecodedWasm, WitPrinter};
use wit_parser::PackageName;

use super::scan::{Scan, scan};
use crate::bounded;

/// Bytes of one file of WIT, as text or as a package in a `.wasm` file: all of WASI has 400 KiB.
const MOST: u64 = 4 << 20;

/// Why WIT could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A file or folder that the manifest names is absent or unreadable.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A symlink leads out of the project.
    #[error("{} leads to {}, outside of the project", path.display(), target.display())]
    Outside {
        /// The file, at or behind a symlink.
        path: PathBuf,
        /// Where it is.
        target: PathBuf,
    },
    /// A `.wit` file is not text.
    #[error("{} is not UTF-8 text", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
    },
    /// A folder that should be a WIT package is empty.
    #[error("{} holds no .wit file", path.display())]
    Empty {
        /// The folder.
        path: PathBuf,
    },
    /// A file is neither a `.wit` file nor a WIT package in a `.wasm` file.
    #[error("{} is not a .wit file, a .wasm file or a folder of .wit files", path.display())]
    NotWit {
        /// The file.
        path: PathBuf,
    },
    /// A `.wasm` file that should be a WIT package is something else.
    #[error("{} is not a WIT package: {reason}", path.display())]
    NotPackage {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        reason: String,
    },
    /// WIT without a `package` line has no name by which another file could refer to it.
    #[error("{} has no `package` line", path.display())]
    Unnamed {
        /// The (first) file.
        path: PathBuf,
    },
}

/// One file of a package.
#[derive(Debug)]
pub(super) struct TextFile {
    /// Its name in the package's folder.
    pub(super) name: String,
    /// Where it came from, for messages.
    pub(super) origin: String,
    pub(super) text: Cow<'static, str>,
    pub(super) scan: Scan,
}

impl TextFile {
    pub(super) fn new(name: &str, origin: String, text: Cow<'static, str>) -> Self {
        Self { name: name.to_owned(), origin, scan: scan(&text), text }
    }
}

/// The files that belong together: one package, perhaps with others nested in them.
#[derive(Debug)]
pub(super) struct PackageSource {
    /// The package itself, then the nested ones.
    pub(super) declared: Vec<PackageName>,
    pub(super) files: Vec<TextFile>,
}

impl PackageSource {
    /// `None` if no file has a `package` line.
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

/// Files that make up one package: all `.wit` files of a folder, or a single `.wit` or `.wasm`
/// file.
pub(super) type Group = Vec<PathBuf>;

/// Every file that may be read for a component, relative to the project's root.
#[derive(Debug)]
pub(super) struct Listing {
    /// The component's own package; empty if it has none.
    pub(super) main: Group,
    /// The folder where the component's own `deps/` is, or would be.
    pub(super) deps: PathBuf,
    pub(super) own: Vec<Group>,
    /// Other `.wit` files beside a single-file `wit`.
    pub(super) neighbours: Vec<Group>,
    /// Per path dependency: its package, then that package's own `deps/`.
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
        let deps = folder.unwrap_or(Path::new("wit")).join("deps");
        let own = if folder.is_some() { deps_groups(root, &deps)? } else { Vec::new() };
        let dependencies = dependencies
            .map(|(name, path)| Ok((name.clone(), dependency_groups(root, path)?)))
            .collect::<Result<_, SourceError>>()?;
        Ok(Self { main, deps, own, neighbours, dependencies })
    }

    /// All of them, sorted.
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

/// Reads a group: the package itself, then, out of a `.wasm` file, those that it refers to.
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

/// Turns a binary WIT package back into text: not every tool reads the binary form.
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

/// What `deps/` holds, in the forms that the WIT tools know: folders, `.wit` files, `.wasm` files.
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

/// The entries of a folder, sorted. Hidden ones, which editors leave for a while, are no sources.
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
    // A path dependency may be a folder beside the project.
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
