//! Finds the project that a folder belongs to, as Cargo does: the nearest folder above with a `run.toml`.
//!
//! It only asks whether there is such a file, and does not read it.

use std::path::{Path, PathBuf};

use rustix::io::Errno;

/// The name of the file that makes a folder a project.
pub const FILE_NAME: &str = "run.toml";

/// The error when no project is found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no run.toml in {} or any parent folder", .start.display())]
pub struct NoProject {
    /// The folder where the search began.
    pub start: PathBuf,
}

/// The smallest useful `run.toml`.
const MINIMAL: &str = r#"    [project]
    name = "my-app"
    version = "0.1.0"

    [[component]]
    name = "hello"
    source = "src/lib.rs"
"#;

impl NoProject {
    /// Returns advice on what to do about it, with a minimal file to start from.
    pub fn help(&self) -> String {
        format!("create {} with:\n\n{MINIMAL}", self.start.join(FILE_NAME).display())
    }
}

/// Returns the nearest folder with a `run.toml`: `start` or a folder above it.
///
/// `start` should be absolute, because nothing above the first part of a relative path is searched.
///
/// # Errors
/// Fails if no such folder exists.
pub fn find_project(start: &Path) -> Result<PathBuf, NoProject> {
    start
        .ancestors()
        .find(|folder| has_project(folder))
        .map(Path::to_owned)
        .ok_or_else(|| NoProject { start: start.to_owned() })
}

/// Returns whether the folder has a `run.toml`. Anything but a folder counts, even a device or a loop of
/// symlinks: the error of reading it then says what it is.
fn has_project(folder: &Path) -> bool {
    match std::fs::metadata(folder.join(FILE_NAME)) {
        Ok(metadata) => !metadata.is_dir(),
        Err(error) => Errno::from_io_error(&error) == Some(Errno::LOOP),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Manifest;
    use super::*;

    #[test]
    fn the_nearest_file_is_found() {
        let root = tempfile::tempdir().unwrap();
        let inner = root.path().join("a/b");
        std::fs::create_dir_all(inner.join("c")).unwrap();
        std::fs::write(root.path().join(FILE_NAME), "").unwrap();
        std::fs::create_dir(root.path().join("a").join(FILE_NAME)).unwrap();
        let check = |start: &Path, expected: &Path| {
            assert_eq!(find_project(start), Ok(expected.to_owned()));
        };
        check(root.path(), root.path());
        check(&inner.join("c"), root.path());
        std::fs::write(inner.join(FILE_NAME), "").unwrap();
        check(&inner.join("c"), &inner);
    }

    #[test]
    fn a_missing_file_is_explained() {
        let root = tempfile::tempdir().unwrap();
        let error = find_project(root.path()).unwrap_err();
        let place = root.path().display();
        assert_eq!(error.to_string(), format!("no run.toml in {place} or any parent folder"));
        assert!(
            error.help().starts_with(&format!("create {place}/run.toml with:\n\n    [project]"))
        );
    }

    #[test]
    fn the_minimal_file_is_valid() {
        let (manifest, findings) = Manifest::parse(MINIMAL, Path::new("/p"));
        assert!(manifest.is_some() && findings.is_empty(), "{findings}");
    }
}
