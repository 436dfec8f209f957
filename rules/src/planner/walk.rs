//! Walks through a folder of the checkout and follows symlinks, as compilers do.
//!
//! A link to a folder of the project is entered, and what is there is found below the link's own path. There
//! are two exceptions: a link to a folder that the walk is already in, because the walk would never end, and
//! a link into build outputs and the like. A link out of the project is found like a file, so that whoever
//! wants to take it gets an error that says where it leads.

use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::source_tree::SourceTreeError;
use crate::path::ProjectPath;

/// The maximum number of links to folders that one walk follows. Folders that link to each other are found
/// again and again below longer paths.
const MOST_LINKS: usize = 10_000;

/// The settings of a walk.
pub(crate) struct Walk<'a> {
    /// The folder of run.toml.
    pub(crate) project: &'a Path,
    /// The function that returns whether the entry at a path is taken. A folder that is not taken is not
    /// entered. The second argument says whether the entry is a folder.
    pub(crate) takes: &'a dyn Fn(&Path, bool) -> bool,
    /// The function that returns whether a link to this folder of the project is followed.
    pub(crate) follows: &'a dyn Fn(&ProjectPath) -> bool,
    /// True if folders that can't be read are skipped.
    pub(crate) skips_unreadable: bool,
}

/// The state of a walk.
struct Way<'a> {
    walk: &'a Walk<'a>,
    /// The project folder with all symlinks resolved.
    project: PathBuf,
    visit: &'a mut dyn FnMut(&Path) -> Result<(), SourceTreeError>,
    /// The folders that the walk is in, with all symlinks resolved: where it began, where the followed links
    /// are, and where these lead to.
    entered: Vec<PathBuf>,
    links: usize,
}

impl Walk<'_> {
    /// Calls `visit` with the path of each file below `folder`, or with that of `folder` itself if it is a
    /// file.
    ///
    /// # Errors
    /// Fails if `folder` leads out of the project, if a folder can't be read, or if `visit` fails.
    pub(crate) fn files(
        &self,
        folder: &ProjectPath,
        visit: &mut dyn FnMut(&Path) -> Result<(), SourceTreeError>,
    ) -> Result<(), SourceTreeError> {
        let failed = |source| SourceTreeError::Link { path: folder.clone(), source };
        let root = folder.on_disk(self.project);
        let project = self.project.canonicalize().map_err(failed)?;
        let real = root.canonicalize().map_err(failed)?;
        if !real.starts_with(&project) {
            return Err(SourceTreeError::Outside { path: folder.clone(), target: real });
        }
        if !real.is_dir() {
            return visit(&root);
        }
        Way { walk: self, project, visit, entered: Vec::new(), links: 0 }.folder(&root, real)
    }
}

impl Way<'_> {
    /// Walks through the folder `real`. Its files are passed on with paths below `shown`.
    fn folder(&mut self, shown: &Path, real: PathBuf) -> Result<(), SourceTreeError> {
        let place = |path: &Path| shown.join(path.strip_prefix(&real).unwrap_or(path));
        let takes = self.walk.takes;
        let entries = WalkDir::new(&real).sort_by_file_name().into_iter().filter_entry(|entry| {
            entry.depth() == 0 || takes(&place(entry.path()), entry.file_type().is_dir())
        });
        self.entered.push(real.clone());
        for entry in entries {
            match entry {
                Ok(entry) if entry.file_type().is_dir() => {}
                Ok(entry) if entry.path_is_symlink() => {
                    self.link(&place(entry.path()), entry.path())?;
                }
                Ok(entry) => (self.visit)(&place(entry.path()))?,
                Err(_) if self.walk.skips_unreadable => {}
                Err(source) => {
                    let path = ProjectPath::of(self.walk.project, shown)?;
                    return Err(SourceTreeError::Walk { path, source });
                }
            }
        }
        self.entered.pop();
        Ok(())
    }

    /// Follows the link `real`, which was found at `shown`. A link that leads nowhere is ignored.
    fn link(&mut self, shown: &Path, real: &Path) -> Result<(), SourceTreeError> {
        let Ok(target) = real.canonicalize() else { return Ok(()) };
        let Ok(below) = target.strip_prefix(&self.project) else { return (self.visit)(shown) };
        if !target.is_dir() {
            return (self.visit)(shown);
        }
        let mut around = self.entered.iter().map(PathBuf::as_path).chain(real.parent());
        if around.any(|folder| folder.starts_with(&target)) || !(self.walk.takes)(shown, true) {
            return Ok(());
        }
        let below = ProjectPath::of(self.walk.project, &self.walk.project.join(below));
        if below.is_ok_and(|folder| !(self.walk.follows)(&folder)) {
            return Ok(());
        }
        self.links += 1;
        if self.links > MOST_LINKS {
            let path = ProjectPath::of(self.walk.project, shown)?;
            return Err(SourceTreeError::TooManyLinks { path });
        }
        self.entered.extend(real.parent().map(Path::to_owned));
        self.folder(shown, target)?;
        self.entered.pop();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    /// Makes a project with these files, and with links at these paths to these targets.
    fn project(files: &[&str], links: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let place = |path: &str| {
            let path = dir.path().join("project").join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            path
        };
        files.iter().for_each(|file| fs::write(place(file), "").unwrap());
        links.iter().for_each(|(link, target)| symlink(target, place(link)).unwrap());
        dir
    }

    fn walked(dir: &tempfile::TempDir, folder: &str) -> Result<Vec<String>, String> {
        let project = dir.path().join("project");
        let walk = Walk {
            project: &project,
            takes: &|path, _| !path.ends_with("out"),
            follows: &|folder| folder.parts().all(|part| part != "out"),
            skips_unreadable: false,
        };
        let mut found = Vec::new();
        let walked = walk.files(&ProjectPath::parse(folder).unwrap(), &mut |path| {
            found.push(path.strip_prefix(&project).unwrap().display().to_string());
            Ok(())
        });
        walked.map(|()| found).map_err(|error| error.to_string())
    }

    #[test]
    fn links_to_files_and_folders_of_the_project_are_followed() {
        let dir = project(
            &["common/a", "common/deep/b", "src/own", "out/x"],
            &[
                ("src/a", "../common/a"),
                ("src/chain", "a"),
                ("src/common", "../common"),
                ("common/up", "../more"),
                ("more/c", "../common/a"),
                ("linked", "src"),
                ("src/results", "../out"),
                ("src/dangling", "nowhere"),
            ],
        );
        let src = ["a", "chain", "common/a", "common/deep/b", "common/up/c", "own"];
        for folder in ["src", "linked"] {
            let expect: Vec<String> = src.iter().map(|file| format!("{folder}/{file}")).collect();
            assert_eq!(walked(&dir, folder).unwrap(), expect);
        }
        assert_eq!(walked(&dir, "src/a").unwrap(), ["src/a"]);
    }

    #[test]
    fn links_in_circles_end() {
        let dir = project(
            &["src/a/f", "src/b/g"],
            &[("src/self", "."), ("src/root", ".."), ("src/a/b", "../b"), ("src/b/a", "../a")],
        );
        assert_eq!(walked(&dir, "src").unwrap(), ["src/a/b/g", "src/a/f", "src/b/a/f", "src/b/g"]);
    }

    #[test]
    fn links_out_of_the_project_are_found_and_not_followed() {
        let dir =
            project(&["src/own"], &[("src/out-file", "../../secret"), ("src/far", "../../far")]);
        fs::write(dir.path().join("secret"), "").unwrap();
        fs::create_dir(dir.path().join("far")).unwrap();
        fs::write(dir.path().join("far/x"), "").unwrap();
        symlink("../far", dir.path().join("project/away")).unwrap();
        assert_eq!(walked(&dir, "src").unwrap(), ["src/far", "src/out-file", "src/own"]);
        let error = walked(&dir, "away").unwrap_err();
        assert!(error.starts_with("`away` is a symlink that leads to `"), "{error}");
        assert!(error.ends_with("/far`, outside of the project"), "{error}");
    }
}
