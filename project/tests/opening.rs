//! Tests opening a project, and the error variant for each thing that can be wrong with it.

use std::fs;
use std::os::unix::fs::symlink;

use project::{Error, Project};
use rules::manifest::Overrides;

use crate::harness::{HEAD, Workspace};

crate::tests![
    a_project_is_found_from_a_folder_inside,
    every_fault_has_its_error,
    a_lock_that_lacks_a_toolchain_is_left_alone_where_it_has_to_stay,
    a_linked_private_folder_is_refused,
];

fn a_project_is_found_from_a_folder_inside() {
    let workspace = Workspace::with(&["a"]);
    let inner = workspace.path("src/deep");
    fs::create_dir_all(&inner).unwrap();
    let (project, warnings) = Project::open(&inner, &Overrides::default()).unwrap();
    assert!(warnings.is_empty());
    assert_eq!(project.folder, workspace.path("").components().collect::<std::path::PathBuf>());
    assert_eq!(project.lock_path(), workspace.path("run.lock.toml"));
    assert_eq!(project.lock().unwrap(), None);
}

fn every_fault_has_its_error() {
    let workspace = Workspace::with(&["a"]);
    workspace.write("run.lock.toml", "this is no lock");
    assert!(matches!(workspace.open().lock(), Err(Error::UnreadableLock(_))));
    workspace.write("run.toml", format!("{HEAD}colour = \"red\"\n"));
    let error = workspace.try_open().unwrap_err();
    assert!(matches!(&error, Error::Manifest(findings) if findings.errors() == 1), "{error:?}");
    fs::remove_file(workspace.path("run.toml")).unwrap();
    assert!(matches!(workspace.try_open(), Err(Error::NoProject(_))));
}

fn a_lock_that_lacks_a_toolchain_is_left_alone_where_it_has_to_stay() {
    let workspace = Workspace::with(&["a"]);
    workspace.write("app.py", "");
    workspace.write("w.wit", "package a:b;\nworld w {}\n");
    let python = "[[component]]\nname = \"app\"\nsource = \"app.py\"\nwit = \"w.wit\"\n";
    workspace.write("run.toml", format!("{HEAD}{python}"));
    let project = workspace.open();
    assert!(matches!(workspace.lock(&project), Err(Error::Stale(_))));
    assert!(!project.lock_path().exists());
}

fn a_linked_private_folder_is_refused() {
    let workspace = Workspace::with(&["a"]);
    symlink(workspace.temporary(), workspace.path(".run")).unwrap();
    let builder = workspace.builder();
    let refused = builder.project.state(&builder.store).unwrap_err();
    assert!(matches!(refused, Error::LinkedFolder(path) if path == workspace.path(".run")));
}
