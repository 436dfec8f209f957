//! Edits files that people maintain: run.toml and the lock.

use std::io::{self, Write as _};
use std::path::Path;

use toml_edit::{Item, Key, TableLike, Value};

/// Replaces a file as a whole, so that a concurrent reader sees either the old or the new one. Its permissions stay.
///
/// # Errors
/// The error of the operating system.
pub fn replace_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;

    let permissions = match std::fs::metadata(path) {
        Ok(metadata) => metadata.permissions(),
        Err(_) => std::fs::Permissions::from_mode(0o644),
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut file = tempfile::Builder::new()
        .prefix(".run.new.")
        .permissions(permissions)
        .tempfile_in(folder.unwrap_or(Path::new(".")))?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

/// Inserts a value before the first key that comes later in the alphabet.
pub(crate) fn insert_sorted(table: &mut dyn TableLike, name: &str, value: Value) {
    let keys: Vec<String> = table.iter().map(|(key, _)| key.to_owned()).collect();
    let later = keys.iter().skip_while(|key| key.as_str() < name);
    let mut moved: Vec<(Key, Item)> = Vec::new();
    for key in later {
        let formatted = table.key(key).cloned();
        moved.extend(formatted.zip(table.remove(key)));
    }
    table.insert(name, Item::Value(value));
    for (key, item) in moved {
        table.entry_format(&key).or_insert(item);
    }
}
