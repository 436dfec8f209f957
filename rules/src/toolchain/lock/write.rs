//! Writes a lock. Equal locks give equal text, and the file is replaced as a whole.

use std::fmt::Write as _;
use std::io;
use std::path::Path;

use super::{Image, Lock, LockError, LockedDependency, Package, Pin};
use crate::edited::replace_file;

const HEADER: &str = "\
# What this project is built with: the toolchains, pinned by the checksums of their packages and
# by the digest of the tree they unpack to. `run build` uses these bytes and no others.
#
# Made by `run toolchain sync`; not meant to be edited. Commit it.
";

impl Lock {
    /// Returns the text of a new lockfile.
    #[must_use]
    pub fn to_toml(&self) -> String {
        format!("{HEADER}{}", self.body())
    }

    /// Returns the text of the tables, without the header.
    pub(super) fn body(&self) -> String {
        let mut text = String::new();
        table(&mut text, "toolchains", self.toolchains.iter().map(|(k, v)| (k, v.clone())));
        table(&mut text, "checksums", self.checksums.iter().map(|(k, v)| (k, v.to_string())));
        text.extend(self.images.iter().map(image_text));
        text.extend(self.packages.iter().map(package_text));
        text.extend(self.dependencies.iter().map(dependency_text));
        text
    }

    /// Writes the lockfile. If the file exists, only what differs is changed, and the rest keeps its bytes.
    /// The file is replaced as a whole, so that a concurrent reader sees either the old or the new one.
    ///
    /// # Errors
    /// The operating system returned an error, or the existing file can't be edited.
    pub fn write(&self, path: &Path) -> Result<(), LockError> {
        let io = |action| move |source| LockError::Io { action, path: path.to_owned(), source };
        // If the path is a symbolic link, the link stays and its target is replaced.
        let target = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let text = match crate::bounded::read_text(&target) {
            Ok(old) => match self.edited(&old) {
                Some(text) if text == old => return Ok(()),
                Some(text) => text,
                None => return Err(LockError::Uneditable { path: path.to_owned() }),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.to_toml(),
            Err(error) => return Err(io("read")(error)),
        };
        replace_file(&target, text.as_bytes()).map_err(io("write"))
    }
}

fn table<'a>(text: &mut String, name: &str, rows: impl Iterator<Item = (&'a String, String)>) {
    text.push_str(&format!("\n[{name}]\n"));
    for (key, value) in rows {
        line(text, &bare_or_quoted(key), &value);
    }
}

/// Returns the text of an `[[image]]`.
pub(super) fn image_text(image: &Image) -> String {
    let mut text = "\n[[image]]\n".to_owned();
    line(&mut text, "toolchain", &image.toolchain);
    line(&mut text, "platform", image.platform.as_str());
    line(&mut text, "recipe", &image.recipe);
    line(&mut text, "tree", &image.tree.to_string());
    text
}

/// Returns the text of a `[[package]]`.
pub(super) fn package_text(package: &Package) -> String {
    let source = match package.source {
        super::SourceKind::Crates => "crates",
        super::SourceKind::Debian => "debian",
        super::SourceKind::Npm => "npm",
        super::SourceKind::Path => "path",
        super::SourceKind::Pypi => "pypi",
        super::SourceKind::Rustup => "rustup",
        super::SourceKind::Url => "url",
    };
    let mut text = "\n[[package]]\n".to_owned();
    line(&mut text, "toolchain", &package.toolchain);
    line(&mut text, "platform", package.platform.as_str());
    line(&mut text, "purl", package.purl.as_str());
    line(&mut text, "source", source);
    line(&mut text, "from", &package.from);
    if let Some(file) = &package.file {
        line(&mut text, "file", file);
    }
    match &package.pin {
        Pin::File(digest) => {
            line(&mut text, "sha256", &digest.hex());
            let _ = writeln!(text, "size = {}", digest.size());
        }
        Pin::Tree { tree, sha256 } => {
            if let Some(sha256) = sha256 {
                line(&mut text, "sha256", sha256);
            }
            line(&mut text, "tree", &tree.to_string());
        }
    }
    text
}

/// Returns the text of a `[[dependency]]`.
pub(super) fn dependency_text(dependency: &LockedDependency) -> String {
    let mut text = "\n[[dependency]]\n".to_owned();
    line(&mut text, "name", &dependency.name);
    line(&mut text, "version", &dependency.version.to_string());
    line(&mut text, "kind", dependency.kind.as_str());
    line(&mut text, "source", &dependency.source);
    line(&mut text, "digest", &format!("sha256:{}", dependency.sha256));
    if !dependency.needs.is_empty() {
        let needs: Vec<String> = dependency.needs.iter().map(|need| quoted(need)).collect();
        let _ = writeln!(text, "needs = [{}]", needs.join(", "));
    }
    text
}

fn line(text: &mut String, key: &str, value: &str) {
    text.push_str(&format!("{key} = {}\n", quoted(value)));
}

fn bare_or_quoted(key: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !key.is_empty() && key.chars().all(bare) { key.to_owned() } else { quoted(key) }
}

/// Returns the text as a TOML basic string.
fn quoted(value: &str) -> String {
    let mut text = String::from('"');
    for c in value.chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            c if c.is_control() => text.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => text.push(c),
        }
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::super::tests::example;
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        let lock = example();
        let text = lock.to_toml();
        assert_eq!(Lock::parse(&text, Path::new("run.lock.toml")).unwrap(), lock);
        assert!(text.starts_with("# What this project is built with"));
    }

    #[test]
    fn the_text_is_fixed() {
        let mut lock = example();
        lock.images.clear();
        lock.packages.clear();
        lock.dependencies.clear();
        let hex = lock.checksums["py"].digits().to_owned();
        let other = lock.checksums["rust"].digits().to_owned();
        let expect = format!(
            "{HEADER}\n[toolchains]\npy = \"1.0\"\nrust = \"1.95.0\"\n\n\
             [checksums]\npy = \"sha256:{hex}\"\nrust = \"sha256:{other}\"\n"
        );
        assert_eq!(lock.to_toml(), expect);
    }

    #[test]
    fn odd_texts_are_quoted() {
        assert_eq!(quoted("a\"b\\c\n\u{7f}"), "\"a\\\"b\\\\c\\u000A\\u007F\"");
        assert_eq!(bare_or_quoted("wasm-tools"), "wasm-tools");
        assert_eq!(bare_or_quoted("a b"), "\"a b\"");
    }

    #[test]
    fn the_file_is_replaced_as_a_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.lock.toml");
        example().write(&path).unwrap();
        let mut other = example();
        other.remove("rust");
        let (link, mode) = (folder.path().join("link"), std::fs::Permissions::from_mode(0o600));
        std::fs::set_permissions(&path, mode).unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        other.write(&link).unwrap();
        std::fs::remove_file(&link).unwrap();
        assert_eq!(Lock::read(&path).unwrap(), Some(other));
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
