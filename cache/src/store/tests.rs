//! Helpers for the tests.
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

pub(super) fn as_nobody(test: impl FnOnce(&Path) + Send) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
    let path = dir.path().join("nobody");
    std::fs::create_dir(&path).unwrap();
    test(&path);
}
pub(super) fn as_root(_f: impl FnOnce()) -> bool {
    false
}
