//! Finds out to whom a folder of the store belongs that this user can't use, and makes a hint of that.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD};

/// A folder that this user can't use, because it belongs to another user.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Closed {
    folder: PathBuf,
    owner: u32,
    /// The number of this user.
    user: u32,
}

/// Returns the first folder above the store or in it that this user can't enter, or write to if it is in the
/// store. Returns `None` if there is no such folder, or if it belongs to this user.
pub(crate) fn of_closed(store: &Path) -> Option<Closed> {
    let user = rustix::process::geteuid().as_raw();
    let on_the_way: Vec<&Path> = store.ancestors().collect();
    let entered = on_the_way.into_iter().rev().find(|folder| !is_open(folder, Access::EXEC_OK));
    let inside = ["", "cas", "ac", "memos", "trees", "claims", "tmp", "quarantine", "kept"];
    let mut inside = inside.into_iter().map(|name| store.join(name));
    let written = || inside.find(|folder| !is_open(folder, Access::EXEC_OK | Access::WRITE_OK));
    let folder = entered.map(Path::to_owned).or_else(written)?;
    let owner = fs::metadata(&folder).ok()?.uid();
    (owner != user).then_some(Closed { folder, owner, user })
}

/// Returns a hint about something below the store's folders that this user can't use.
pub(crate) fn hint_about_the_inside(store: &Path) -> String {
    let (store, user) = (quoted(store), rustix::process::geteuid().as_raw());
    format!(
        "a part of the store belongs to another user, who has probably started `run` with this store: \
         `sudo chown -R {user} {store}` gives it to you, or set RUN_HOME to a folder of your own"
    )
}

impl Closed {
    /// Returns a hint that names the owner of the folder and says what to do.
    pub(crate) fn hint(&self) -> String {
        let Self { folder, owner, user } = self;
        let mode = fs::metadata(folder).map_or(0, |data| data.permissions().mode() & 0o7777);
        let (folder, quoted) = (folder.display(), quoted(folder));
        let name = if *owner == 0 { "root".to_owned() } else { format!("user {owner}") };
        format!(
            "`{folder}` belongs to {name} and has the mode {mode:04o}; you are user {user}: \
             `sudo chown -R {user} {quoted}` gives it to you, or set RUN_HOME to a folder of your own"
        )
    }
}

/// Returns a path as it has to be written in a shell.
fn quoted(path: &Path) -> String {
    engine::quote(&path.to_string_lossy())
}

/// Returns true if this user has this access to a folder, or if the folder does not exist.
fn is_open(folder: &Path, access: Access) -> bool {
    let denied = Err(rustix::io::Errno::ACCESS);
    rustix::fs::accessat(CWD, folder, access, AtFlags::EACCESS) != denied
}
