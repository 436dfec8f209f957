//! Whose a folder is that this user may not use: what to say where a store is closed.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD};

/// A folder of another user.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Closed {
    folder: PathBuf,
    owner: u32,
    /// This user.
    user: u32,
}

/// The first folder on the way to the store or in it that this user may not enter and write to, if it is
/// another user's.
pub(crate) fn of_closed(store: &Path) -> Option<Closed> {
    let user = rustix::process::geteuid().as_raw();
    let on_the_way: Vec<&Path> = store.ancestors().collect();
    let entered = on_the_way.into_iter().rev().find(|folder| !is_open(folder, Access::EXEC_OK));
    let inside = ["", "cas", "ac", "trees", "tmp", "quarantine", "kept"];
    let mut inside = inside.into_iter().map(|name| store.join(name));
    let written = || inside.find(|folder| !is_open(folder, Access::EXEC_OK | Access::WRITE_OK));
    let folder = entered.map(Path::to_owned).or_else(written)?;
    let owner = fs::metadata(&folder).ok()?.uid();
    (owner != user).then_some(Closed { folder, owner, user })
}

/// What to do about something below the store's folders that this user may not use.
pub(crate) fn hint_about_the_inside(store: &Path) -> String {
    let (store, user) = (store.display(), rustix::process::geteuid().as_raw());
    format!(
        "a part of the store belongs to another user, as if `run` had been started by them here: \
         `sudo chown -R {user} {store}` gives it to you, or set RUN_HOME to a folder of your own"
    )
}

impl Closed {
    /// Whose it is and what to do.
    pub(crate) fn hint(&self) -> String {
        let Self { folder, owner, user } = self;
        let mode = fs::metadata(folder).map_or(0, |data| data.permissions().mode() & 0o7777);
        let folder = folder.display();
        let name = if *owner == 0 { "root".to_owned() } else { format!("user {owner}") };
        format!(
            "`{folder}` belongs to {name} and has the mode {mode:04o}; you are user {user}: \
             `sudo chown -R {user} {folder}` gives it to you, or set RUN_HOME to a folder of your own"
        )
    }
}

/// Whether this user may do something with a folder. What is not there can't be closed.
fn is_open(folder: &Path, access: Access) -> bool {
    let denied = Err(rustix::io::Errno::ACCESS);
    rustix::fs::accessat(CWD, folder, access, AtFlags::EACCESS) != denied
}
