//! Writing a lock: the same text for the same lock, replaced as a whole.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::Path;

use super::{Image, Lock, LockError, Package, Pin};

const HEADER: &str = "\
# What this project is built with: the toolchains, pinned by the checksums of their packages and
# by the digest of the tree they unpack to. `run build` uses these bytes and no others.
#
# Made by `run toolchain sync`; not meant to be edited. Commit it.
";

impl Lock {
    /// The text of the lockfile.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let mut text = HEADER.to_owned();
        table(&mut text, "toolchains", self.toolchains.iter().map(|(k, v)| (k, v.clone())));
        table(&mut text, "checksums", self.checksums.iter().map(|(k, v)| (k, v.to_string())));
        self.images.iter().for_each(|image| write_image(&mut text, image));
        self.packages.iter().for_each(|package| write_package(&mut text, package));
        text
    }

    /// Replaces the lockfile: whoever reads it meanwhile sees the old one or the new one.
    ///
    /// # Errors
    /// The operating system refused.
    pub fn write(&self, path: &Path) -> Result<(), LockError> {
        replace(path, self.to_toml().as_bytes()).map_err(|source| LockError::Io {
            action: "write",
            path: path.to_owned(),
            source,
        })
    }
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut file = tempfile::Builder::new()
        .prefix(".run.lock.")
        .permissions(std::fs::Permissions::from_mode(0o644))
        .tempfile_in(folder.unwrap_or(Path::new(".")))?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

fn table<'a>(text: &mut String, name: &str, rows: impl Iterator<Item = (&'a String, String)>) {
    text.push_str(&format!("\n[{name}]\n"));
    for (key, value) in rows {
        line(text, &bare_or_quoted(key), &value);
    }
}

fn write_image(text: &mut String, image: &Image) {
    text.push_str("\n[[image]]\n");
    line(text, "toolchain", &image.toolchain);
    line(text, "platform", image.platform.as_str());
    line(text, "recipe", &image.recipe);
    line(text, "tree", &image.tree.to_string());
}

fn write_package(text: &mut String, package: &Package) {
    let source = match package.source {
        super::SourceKind::Crates => "crates",
        super::SourceKind::Debian => "debian",
        super::SourceKind::Npm => "npm",
        super::SourceKind::Path => "path",
        super::SourceKind::Pypi => "pypi",
        super::SourceKind::Rustup => "rustup",
        super::SourceKind::Url => "url",
    };
    text.push_str("\n[[package]]\n");
    line(text, "toolchain", &package.toolchain);
    line(text, "platform", package.platform.as_str());
    line(text, "purl", package.purl.as_str());
    line(text, "source", source);
    line(text, "from", &package.from);
    if let Some(file) = &package.file {
        line(text, "file", file);
    }
    match &package.pin {
        Pin::File(digest) => {
            line(text, "sha256", &digest.hex());
            let _ = writeln!(text, "size = {}", digest.size());
        }
        Pin::Tree { tree, sha256 } => {
            if let Some(sha256) = sha256 {
                line(text, "sha256", sha256);
            }
            line(text, "tree", &tree.to_string());
        }
    }
}

fn line(text: &mut String, key: &str, value: &str) {
    text.push_str(&format!("{key} = {}\n", quoted(value)));
}

fn bare_or_quoted(key: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !key.is_empty() && key.chars().all(bare) { key.to_owned() } else { quoted(key) }
}

/// A TOML basic string.
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
        std::fs::write(&path, "old").unwrap();
        example().write(&path).unwrap();
        assert_eq!(Lock::read(&path).unwrap(), Some(example()));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
