//! Finds the project that a folder belongs to.

use std::path::{Path, PathBuf};

use rustix::io::Errno;

/// The name of the file that makes a folder a project.
pub const FILE_NAME: &str = "run.toml";

/// No project where one was looked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no run.toml in {} or any parent folder", .start.display())]
pub struct NoProject {
    /// Where the search began.
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
    /// What to do about it, with a minimal file to start from.
    pub fn help(&self) -> String {
        format!("create {} with:\n\n{MINIMAL}", self.start.join(FILE_NAME).display())
    }
}

/// The nearest folder with a `run.toml`: `start` or one above it.
///
/// `start` should be absolute: above a relative path nothing is looked for.
///
/// # Errors
/// If there is none.
pub fn find_project(start: &Path) -> Result<PathBuf, NoProject> {
    start
        .ancestors()
        .find(|folder| has_project(folder))
        .map(Path::to_owned)
        .ok_or_else(|| NoProject { start: start.to_owned() })
}

/// Whether there is a `run.toml`. What is neither a file nor a folder counts: reading it says what it is.
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
