//! Where things are below the store's root.

use std::fs::{DirBuilder, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::disk::{At, StoreError};
use crate::digest::{Digest, DigestFunction};
use crate::regular;

/// Content of the format file. A change of the layout or of what files mean changes the number.
const FORMAT: &str = "run store 1\n";

/// The paths of one store. Names on disk are made of digests and numbers only.
#[derive(Debug)]
pub(super) struct Layout {
    root: PathBuf,
}

impl Layout {
    /// Creates what is missing of the store at `root`; refuses a store of another format.
    pub(super) fn open(root: &Path) -> Result<Self, StoreError> {
        let layout = Self { root: std::path::absolute(root).at("find", root)? };
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

    pub(super) fn tree(&self, digest: &Digest) -> PathBuf {
        self.root.join(format!("trees/{}/{}", digest.function(), digest.hex()))
    }

    /// The random name that this store got when it was created.
    pub(super) fn read_id(&self) -> Result<String, StoreError> {
        let path = self.root.join("id");
        Ok(read_text(&path).at("read", &path)?.trim_end().to_owned())
    }

    fn fanned_out(&self, kind: &str, digest: &Digest) -> PathBuf {
        let hex = digest.hex();
        self.root.join(format!("{kind}/{}/{}/{hex}", digest.function(), &hex[..2]))
    }

    fn create(&self) -> io::Result<()> {
        std::fs::create_dir_all(&self.root)?;
        for kind in ["cas", "ac", "trees"] {
            for function in DigestFunction::ALL {
                std::fs::create_dir_all(self.root.join(kind).join(function.name()))?;
            }
        }
        std::fs::create_dir_all(self.tmp())?;
        for folder in [self.quarantine(), self.kept()] {
            match create_private(&folder) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                other => other?,
            }
        }
        self.create_file("id", &format!("{}\n", random_name()?))?;
        self.create_file("format", FORMAT)
    }

    /// Creates a small file with all of its content at once, unless it exists.
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

/// Creates a folder that only its owner may enter, whatever the umask.
///
/// What actions have written lies below such folders. They may leave a program that runs as whoever
/// owns it, for anybody who gets at it.
pub(super) fn create_private(folder: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(folder)?;
    // The umask may have taken the owner's bits.
    std::fs::set_permissions(folder, Permissions::from_mode(0o700))
}

/// 128 random bits in hexadecimal.
pub(super) fn random_name() -> io::Result<String> {
    let mut bytes = [0_u8; 16];
    let flags = rustix::rand::GetRandomFlags::empty();
    rustix::rand::getrandom(&mut bytes, flags)?;
    Ok(format!("{:032x}", u128::from_ne_bytes(bytes)))
}

fn read_text(path: &Path) -> io::Result<String> {
    Ok(String::from_utf8_lossy(&regular::read_own(path)?).into_owned())
}
