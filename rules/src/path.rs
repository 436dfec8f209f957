//! Paths below the project folder: they are relative, use `/`, and never leave the project.
//!
//! The same text names a file in the checkout and, below `/src`, in an action. So no path of the host ever
//! reaches a key or an action.

use std::borrow::Borrow;
use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// A normalised path below the project folder. The empty path is the project folder itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ProjectPath(String);

impl Borrow<str> for ProjectPath {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ProjectPath {
    type Error = PathError;

    fn try_from(text: String) -> Result<Self, PathError> {
        Self::parse(&text)
    }
}

impl From<ProjectPath> for String {
    fn from(path: ProjectPath) -> Self {
        path.0
    }
}

/// The reason why a text is not a path below the project.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// The path is absolute: it starts at the root of the host.
    #[error("`{0}` is absolute; paths are relative to the project")]
    Absolute(String),
    /// The path leads out of the project by `..`.
    #[error("`{0}` leaves the project")]
    Leaves(String),
    /// A name in the path is not UTF-8. Only UTF-8 names can be inputs. The path is given in escaped form.
    #[error(
        "a name in `{0}` is not UTF-8, so the file can't be an input: rename it, or name the files in \
         `inputs` so that it is not among them"
    )]
    NotUnicode(String),
}

impl ProjectPath {
    /// Returns the path of the project folder itself.
    pub fn root() -> Self {
        Self::default()
    }

    /// Parses a path that is relative to the project.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        Self::root().resolve(text)
    }

    /// Returns the project path of `path`, which must lie below the folder `project`.
    pub fn of(project: &Path, path: &Path) -> Result<Self, PathError> {
        let relative = below(project, path)?;
        let escaped = || relative.as_os_str().as_encoded_bytes().escape_ascii().to_string();
        Self::parse(relative.to_str().ok_or_else(|| PathError::NotUnicode(escaped()))?)
    }

    /// Returns the project path of `path` if `wanted` accepts it, else `None`. A name that is not UTF-8 is an
    /// error only if `wanted` accepts it. For that question, the bytes that are not UTF-8 are replaced by
    /// U+FFFD.
    ///
    /// # Errors
    /// Fails as [`of`](Self::of) does.
    pub fn of_wanted(
        project: &Path,
        path: &Path,
        wanted: &dyn Fn(&Self) -> bool,
    ) -> Result<Option<Self>, PathError> {
        match Self::of(project, path) {
            Err(PathError::NotUnicode(escaped)) => {
                let shown = Self::parse(&below(project, path)?.to_string_lossy())?;
                if wanted(&shown) { Err(PathError::NotUnicode(escaped)) } else { Ok(None) }
            }
            path => Ok(Some(path?).filter(|path| wanted(path))),
        }
    }

    /// Returns the path that `relative` means in the folder `self`, with `.` and `..` resolved.
    pub fn resolve(&self, relative: &str) -> Result<Self, PathError> {
        if relative.starts_with('/') {
            return Err(PathError::Absolute(relative.to_owned()));
        }
        let mut parts: Vec<&str> = self.parts().collect();
        for part in relative.split('/') {
            match part {
                "" | "." => {}
                ".." if parts.pop().is_none() => {
                    return Err(PathError::Leaves(relative.to_owned()));
                }
                ".." => {}
                name => parts.push(name),
            }
        }
        Ok(Self(parts.join("/")))
    }

    /// Returns `self/name`. The caller knows that `name` stays below `self`.
    pub fn join(&self, name: &str) -> Self {
        self.resolve(name).unwrap_or_else(|_| Self(format!("{}/{name}", self.0)))
    }

    /// Returns the folder that holds the path. The project folder is its own parent.
    pub fn parent(&self) -> Self {
        Self(self.split_name().0.to_owned())
    }

    /// Returns the text of [`parent`](Self::parent), and the last part of the path. Both are empty for the project
    /// folder.
    pub fn split_name(&self) -> (&str, &str) {
        self.0.rsplit_once('/').unwrap_or(("", &self.0))
    }

    /// Returns the last part of the path, which is empty for the project folder.
    pub fn file_name(&self) -> &str {
        self.split_name().1
    }

    /// Returns the file name without its last extension.
    pub fn file_stem(&self) -> &str {
        let name = self.file_name();
        name.rsplit_once('.').map_or(name, |(stem, _)| if stem.is_empty() { name } else { stem })
    }

    /// Returns whether the path is `folder` or lies below it.
    pub fn is_in(&self, folder: &Self) -> bool {
        folder.0.is_empty()
            || self.0.strip_prefix(&folder.0).is_some_and(|r| r.is_empty() || r.starts_with('/'))
    }

    /// Returns whether the path is the project folder itself.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the parts of the path, from the project folder down.
    pub fn parts(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').filter(|part| !part.is_empty())
    }

    /// Returns the folders from the path's parent up to the project folder, the nearest first.
    pub fn ancestors(&self) -> impl Iterator<Item = Self> {
        let mut next = (!self.is_root()).then(|| self.parent());
        std::iter::from_fn(move || {
            let current = next.take()?;
            next = (!current.is_root()).then(|| current.parent());
            Some(current)
        })
    }

    /// Returns the path on disk, in the checkout at `project`.
    pub fn on_disk(&self, project: &Path) -> PathBuf {
        if self.0.is_empty() { project.to_owned() } else { project.join(&self.0) }
    }

    /// Returns the text of the path, with `/` between the parts.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ProjectPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "." } else { &self.0 })
    }
}

/// Returns whether a path of the host is a folder or lies below it, with the symlinks of both resolved. A
/// path that does not exist is compared as it is written. Nothing lies in a folder with an empty path.
pub fn is_inside(path: &Path, folder: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    folder != Path::new("") && real(path).starts_with(real(folder))
}

/// Returns those of `folders` that lie in no other one of them.
pub(crate) fn outermost(folders: BTreeSet<ProjectPath>) -> BTreeSet<ProjectPath> {
    let inside_another =
        |folder: &ProjectPath| folders.iter().any(|other| other != folder && folder.is_in(other));
    folders.iter().filter(|folder| !inside_another(folder)).cloned().collect()
}

fn below<'a>(project: &Path, path: &'a Path) -> Result<&'a Path, PathError> {
    path.strip_prefix(project).map_err(|_| PathError::Leaves(path.display().to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolves_within_the_project() {
        let check = |base: &str, relative: &str, expect: Result<&str, PathError>| {
            let base = ProjectPath::parse(base).unwrap();
            let got = base.resolve(relative);
            assert_eq!(
                got.as_ref().map(ProjectPath::as_str),
                expect.as_ref().copied(),
                "{relative}"
            );
        };
        check("", "src/lib.rs", Ok("src/lib.rs"));
        check("a/b", "../c/./d", Ok("a/c/d"));
        check("a/b", "../..", Ok(""));
        check("a", "../../etc", Err(PathError::Leaves("../../etc".into())));
        check("a", "/etc", Err(PathError::Absolute("/etc".into())));
    }

    #[test]
    fn a_name_that_is_not_utf_8_is_refused_where_it_is_wanted() {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt as _;
        let project = Path::new("/p");
        let odd = project.join(OsStr::from_bytes(b"src/b\xffd.py"));
        let check = |path: &Path, wanted: &dyn Fn(&ProjectPath) -> bool| {
            let found = ProjectPath::of_wanted(project, path, wanted);
            found.map(|path| path.map(|path| path.to_string()))
        };
        let python = |path: &ProjectPath| path.as_str().ends_with(".py");
        let rust = |path: &ProjectPath| path.as_str().ends_with(".rs");
        assert_eq!(check(&odd, &rust), Ok(None));
        assert_eq!(check(&odd, &python), Err(PathError::NotUnicode("src/b\\xffd.py".into())));
        let fine = project.join("src/bäd.py");
        assert_eq!(check(&fine, &python), Ok(Some("src/bäd.py".into())));
        assert_eq!(check(&fine, &rust), Ok(None));
    }

    #[test]
    fn knows_its_place() {
        let path = ProjectPath::parse("a/b/c.rs").unwrap();
        assert_eq!(path.parent().as_str(), "a/b");
        assert_eq!((path.file_name(), path.file_stem()), ("c.rs", "c"));
        let above: Vec<String> = path.ancestors().map(|p| p.to_string()).collect();
        assert_eq!(above, ["a/b", "a", "."]);
        assert!(path.is_in(&ProjectPath::parse("a").unwrap()));
        assert!(!path.is_in(&ProjectPath::parse("a/bc").unwrap()));
        assert!(!ProjectPath::parse("ab").unwrap().is_in(&ProjectPath::parse("a").unwrap()));
    }

    #[test]
    fn keeps_the_outermost_folders() {
        let folders = ["a/b", "a", "c/d", "cc"].map(|text| ProjectPath::parse(text).unwrap());
        let kept: Vec<String> =
            outermost(folders.into_iter().collect()).iter().map(ToString::to_string).collect();
        assert_eq!(kept, ["a", "c/d", "cc"]);
    }
}
