//! Copies a project, so that it can be built at another path.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;

/// Copies the project in the folder `from`, except version control, the folder `output` of finished
/// components, and caches of tools.
pub(crate) fn copy(from: &Path, to: &Path, output: &Path) -> io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (path, name, kind) = (entry.path(), entry.file_name(), entry.file_type()?);
        let target = to.join(&name);
        if kind.is_symlink() {
            symlink(fs::read_link(&path)?, target)?;
        } else if kind.is_file() {
            fs::copy(&path, target)?;
        } else if kind.is_dir() && !is_left_out(&path, output) {
            copy(&path, &target, output)?;
        }
    }
    Ok(())
}

fn is_left_out(folder: &Path, output: &Path) -> bool {
    let is_named = |name: &str| folder.file_name().is_some_and(|found| found == name);
    // By the Cache Directory Tagging Specification, this file marks content that can be made again.
    let is_cache = folder.join("CACHEDIR.TAG").exists();
    folder == output || is_named(".run") || is_named(".git") || is_cache
}
