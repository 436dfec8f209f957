//! Reads files of a Python project: locks, `pyproject.toml` and the files that they name. It knows nothing of
//! their formats beyond TOML; it gives all of them the same bounds and the same errors.

use std::path::Path;

use serde::de::DeserializeOwned;

use super::error::PythonError;
use crate::bounded;
use crate::path::ProjectPath;

/// Returns the text of a file of the project, or `None` if there is no such file.
pub(super) fn read(project: &Path, file: &ProjectPath) -> Result<Option<String>, PythonError> {
    bounded::read_text_if_there(&file.on_disk(project))
        .map_err(|source| PythonError::Read { path: file.clone(), source })
}

/// Parses TOML text as a `T`; `file` is named in the error.
pub(super) fn parse_toml<T: DeserializeOwned>(
    text: &str,
    file: &ProjectPath,
) -> Result<T, PythonError> {
    toml::from_str(text)
        .map_err(|source| PythonError::Parse { path: file.clone(), source: source.into() })
}
