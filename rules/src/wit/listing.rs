//! Finds and reads the WIT packages that a component may use in the project's own files.
//!
//! Which files are read follows from the names of files alone, never from their contents: [`Listing::new`]
//! names every input before any of them is opened. So a caller can tell from a list of files whether anything
//! changed.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use super::binary::Binary;
use super::source::{Loaded, PackageSource, SourceError, TextFile};
use crate::bounded;

/// The maximum length, in bytes, of one WIT file as text.
const MOST: u64 = 4 << 20;

/// The maximum length, in bytes, of a WIT package or a component in a `.wasm` file.
const MOST_BINARY: u64 = 256 << 20;

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

/// Reads a group.
pub(super) fn load(root: &Path, group: &Group) -> Result<Loaded, SourceError> {
    if let [file] = &group[..]
        && has_extension(file, "wasm")
    {
        return Binary::decode(&read(root, file)?, file)?.load(file);
    }
    let files = group.iter().map(|path| text_file(root, path)).collect::<Result<_, _>>()?;
    match PackageSource::new(files) {
        Some(source) => Ok(Loaded { package: Some(source), others: Vec::new() }),
        None => Err(SourceError::Unnamed { path: group[0].clone() }),
    }
}

fn text_file(root: &Path, path: &Path) -> Result<TextFile, SourceError> {
    let not_text = || SourceError::NotText { path: path.to_owned() };
    let text = String::from_utf8(read(root, path)?).map_err(|_| not_text())?;
    let name = path.file_name().and_then(OsStr::to_str).ok_or_else(not_text)?;
    Ok(TextFile::new(name, path.display().to_string(), Cow::Owned(text)))
}

/// The ending of the names of folders below `deps/` that are copies for editors.
pub(crate) const COPY: &str = "fetched";

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
/// `.wasm` files. The copies that `run fetch` has written for editors are left out.
fn deps_groups(root: &Path, deps: &Path) -> Result<Vec<Group>, SourceError> {
    if !root.join(deps).is_dir() {
        return Ok(Vec::new());
    }
    let mut groups = Vec::new();
    for entry in entries(root, deps)? {
        if has_extension(&entry, COPY) {
            continue;
        }
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
    let most = if has_extension(path, "wasm") { MOST_BINARY } else { MOST };
    bounded::read(&root.join(path), most)
        .map_err(|source| SourceError::Read { path: path.to_owned(), source })
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|found| found == extension)
}
