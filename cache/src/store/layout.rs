//! The folders and files below the store's root: their paths, and how they are created.

use std::fs::{DirBuilder, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::error::{IoErrorContext, StoreError};
use crate::digest::{Digest, DigestFunction};
use crate::regular;

/// The content of the format file. A change of the layout, or of the meaning of a file, changes the number.
const FORMAT: &str = "run store 1\n";

/// The largest size in bytes that the files `id` and `format` may have.
const LONGEST: u64 = 4 << 10;

/// The folders whose entries are named by digests.
const DIGESTED: [&str; 5] = ["cas", "ac", "memos", "trees", "claims"];

/// The other folders.
const FOLDERS: [&str; 3] = ["tmp", "quarantine", "kept"];

/// The files beside them.
const FILES: [&str; 3] = ["id", "format", "statistics"];

/// Computes the paths of one store. Names on disk are made of digests and numbers only.
#[derive(Debug)]
pub(super) struct StoreLayout {
    root: PathBuf,
}

impl StoreLayout {
    /// Creates the folders and files that the store at `root` lacks. Refuses a store of another format.
    pub(super) fn open(root: &Path) -> Result<Self, StoreError> {
        let layout = Self { root: std::path::absolute(root).at("find", root)? };
        layout.refuse_strangers()?;
        layout.create().map_err(|source| {
            let root = layout.root.clone();
            StoreError::NotWritable { root, source }
        })?;
        let format = layout.root.join("format");
        let found = read_text(&format).at("read", &format)?;
        if found != FORMAT {
            let (root, found) = (layout.root, found.trim_end().to_owned());
            return Err(StoreError::Format { root, found, expected: FORMAT.trim_end() });
        }
        Ok(layout)
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn tmp(&self) -> PathBuf {
        self.root.join("tmp")
    }

    pub(super) fn statistics(&self) -> PathBuf {
        self.root.join("statistics")
    }

    pub(super) fn quarantine(&self) -> PathBuf {
        self.root.join("quarantine")
    }

    pub(super) fn kept(&self) -> PathBuf {
        self.root.join("kept")
    }

    pub(super) fn blob(&self, digest: &Digest, executable: bool) -> PathBuf {
        let mut path = self.fanned_out("cas", digest);
        if executable {
            path.as_mut_os_string().push(".x");
        }
        path
    }

    pub(super) fn action(&self, key: &Digest) -> PathBuf {
        self.fanned_out("ac", key)
    }

    pub(super) fn memo(&self, key: &Digest) -> PathBuf {
        self.fanned_out("memos", key)
    }

    pub(super) fn tree(&self, digest: &Digest) -> PathBuf {
        self.root.join(format!("trees/{}/{}", digest.function(), digest.hex()))
    }

    pub(super) fn claim(&self, key: &Digest) -> PathBuf {
        self.root.join(format!("claims/{}/{}", key.function(), key.hex()))
    }

    /// Reads the random name that this store got when it was created.
    pub(super) fn read_id(&self) -> Result<String, StoreError> {
        let path = self.root.join("id");
        Ok(read_text(&path).at("read", &path)?.trim_end().to_owned())
    }

    fn fanned_out(&self, kind: &str, digest: &Digest) -> PathBuf {
        let hex = digest.hex();
        self.root.join(format!("{kind}/{}/{}/{hex}", digest.function(), &hex[..2]))
    }

    /// Refuses a folder that is in use for something else. A store removes files below its `tmp`, and the path of the
    /// store may come from a settings file or a link in a checkout, which may name any folder.
    fn refuse_strangers(&self) -> Result<(), StoreError> {
        if self.root.join("format").symlink_metadata().is_ok() {
            return Ok(());
        }
        let entries = match std::fs::read_dir(&self.root) {
            // Other errors of the folder are reported when the store is created.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound
                        | io::ErrorKind::NotADirectory
                        | io::ErrorKind::PermissionDenied
                ) =>
            {
                return Ok(());
            }
            entries => entries.at("read", &self.root)?,
        };
        for entry in entries {
            let name = entry.at("read", &self.root)?.file_name();
            let name = name.to_string_lossy();
            // Another process may be creating the store at this moment.
            let is_temporary = FILES.iter().any(|file| name.starts_with(&format!(".{file}-")));
            let is_known =
                DIGESTED.iter().chain(&FOLDERS).chain(&FILES).any(|known| name == *known);
            if !is_known && !is_temporary {
                return Err(StoreError::NotAStore {
                    root: self.root.clone(),
                    found: name.escape_debug().to_string(),
                });
            }
        }
        Ok(())
    }

    fn create(&self) -> io::Result<()> {
        std::fs::create_dir_all(&self.root)?;
        for kind in DIGESTED {
            create_folder(&self.root.join(kind), false)?;
            for function in DigestFunction::ALL {
                create_folder(&self.root.join(kind).join(function.name()), false)?;
            }
        }
        create_folder(&self.tmp(), false)?;
        create_folder(&self.quarantine(), true)?;
        create_folder(&self.kept(), true)?;
        self.create_file("id", &format!("{}\n", random_name()?))?;
        self.create_file("format", FORMAT)
    }

    /// Creates a small file so that it appears with all of its content. An existing file stays.
    fn create_file(&self, name: &str, content: &str) -> io::Result<()> {
        let path = self.root.join(name);
        if path.try_exists()? {
            return Ok(());
        }
        let temp = self.root.join(format!(".{name}-{}", random_name()?));
        let mut file = std::fs::File::create_new(&temp)?;
        file.write_all(content.as_bytes())?;
        file.sync_all()?;
        let linked = std::fs::hard_link(&temp, &path);
        std::fs::remove_file(&temp)?;
        match linked {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => Ok(()),
        }
    }
}

/// Creates a folder of the store unless it exists. Refuses a symbolic link in its place, as the store would write to
/// and remove from the folder that the link leads to.
fn create_folder(folder: &Path, is_private: bool) -> io::Result<()> {
    let created = if is_private { create_private(folder) } else { std::fs::create_dir(folder) };
    match created {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let is_folder = folder.symlink_metadata()?.is_dir();
            let reason = || io::Error::other(format!("`{}` is no folder", folder.display()));
            if is_folder { Ok(()) } else { Err(reason()) }
        }
        other => other,
    }
}

/// Creates a folder that only its owner may enter, whatever the umask is.
///
/// The files that actions write lie below such folders. An action may leave a setuid program, which runs with its
/// owner's rights for every user who can reach it.
pub(super) fn create_private(folder: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(folder)?;
    // The umask may have removed bits of the owner.
    std::fs::set_permissions(folder, Permissions::from_mode(0o700))
}

/// Returns 128 random bits in hexadecimal.
pub(super) fn random_name() -> io::Result<String> {
    let mut bytes = [0_u8; 16];
    let flags = rustix::rand::GetRandomFlags::empty();
    rustix::rand::getrandom(&mut bytes, flags)?;
    Ok(format!("{:032x}", u128::from_ne_bytes(bytes)))
}

fn read_text(path: &Path) -> io::Result<String> {
    Ok(String::from_utf8_lossy(&regular::read_own(path, LONGEST)?).into_owned())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_folder_that_is_in_use_for_something_else_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("home");
        std::fs::create_dir_all(home.join("tmp/notes")).unwrap();
        // With nothing else in it, the folder could be a store that is being created. It keeps what it holds.
        StoreLayout::open(&home).unwrap();
        assert!(home.join("tmp/notes").exists());
        std::fs::remove_file(home.join("format")).unwrap();
        std::fs::write(home.join(".profile"), "").unwrap();
        symlink(&home, folder.path().join("link")).unwrap();
        for root in [&home, &folder.path().join("link")] {
            let error = StoreLayout::open(root).unwrap_err().to_string();
            assert!(
                error.ends_with(
                    "is not a store: it holds `.profile`, which does not belong to a store"
                ),
                "{error}"
            );
        }
        assert!(!home.join("format").exists());
    }

    #[test]
    fn links_in_the_place_of_its_folders_are_refused() {
        for name in ["tmp", "quarantine", "kept", "cas", "ac/sha256", "trees/blake3"] {
            let folder = tempfile::tempdir().unwrap();
            let (root, other) = (folder.path().join("store"), folder.path().join("other"));
            std::fs::create_dir(&other).unwrap();
            StoreLayout::open(&root).unwrap();
            let place = root.join(name);
            std::fs::rename(&place, folder.path().join("before")).unwrap();
            symlink(&other, &place).unwrap();
            let error = StoreLayout::open(&root).unwrap_err();
            let StoreError::NotWritable { source, .. } = error else { panic!("{error}") };
            assert!(source.to_string().ends_with("is no folder"), "{source}");
        }
    }
}
