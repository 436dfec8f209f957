//! Paths in `run.toml`: they are relative, use `/`, and stay inside the project.
//!
//! Only the spelling is checked here. That no symbolic link leads outside is checked against the disk, in
//! `disk`.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::invalid::Invalid;
use super::text::text_type;
use crate::path::ProjectPath;

text_type! {
    /// The path of a package's folder. It is relative to the project folder, and may lead out of it.
    LocalPath, parse_local_path
}

impl LocalPath {
    /// Returns the path on disk, for a project in the given folder.
    pub fn from(&self, project_dir: &Path) -> PathBuf {
        project_dir.join(&self.0)
    }
}

const INSIDE_PROJECT: &str = "expected a path inside the project, relative to run.toml";
const WHY_INSIDE: &str =
    "everything a build reads lies below the folder of run.toml, so that any checkout can be built";

/// Parses a path in `run.toml`. It must be portable and must not be the project folder itself.
///
/// Here only the spelling shows that the path stays inside the project. That no symbolic link leads outside
/// is checked when the manifest is loaded from disk.
impl FromStr for ProjectPath {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let parts = normal_parts(text)?;
        let invalid =
            |problem: &str| Invalid::new(format!("path `{text}` {problem}"), INSIDE_PROJECT);
        if parts.is_empty() {
            return Err(invalid("is the project's folder itself"));
        }
        Self::parse(&parts.join("/")).map_err(|_| invalid("leaves the project").help(WHY_INSIDE))
    }
}

fn parse_local_path(text: &str) -> Result<String, Invalid> {
    let parts = normal_parts(text)?;
    if parts.iter().all(|part| *part == "..") {
        let message = format!("path `{text}` is the project's folder or a parent of it");
        return Err(Invalid::new(message, "expected the folder of another package"));
    }
    Ok(parts.join("/"))
}

/// Returns the parts of a relative path, with `.` and `..` resolved as far as the spelling allows. Each `..`
/// that is left stands at the front.
pub(super) fn normal_parts(text: &str) -> Result<Vec<&str>, Invalid> {
    check_portable(text)?;
    let mut parts = Vec::new();
    for part in text.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    Ok(parts)
}

/// Refuses a text that is not a path, or that would mean something else on another machine.
fn check_portable(text: &str) -> Result<(), Invalid> {
    let relative = "expected a path relative to run.toml";
    if text.trim().is_empty() {
        return Err(Invalid::new("path is empty", relative));
    }
    if text.contains(char::is_control) {
        let message = format!("path `{}` contains a control character", text.escape_debug());
        return Err(Invalid::new(message, relative));
    }
    if text.contains('\\') {
        let help = format!("did you mean `{}`?", text.replace('\\', "/"));
        let message = format!("path `{text}` contains a backslash");
        return Err(Invalid::new(message, "expected `/` between folders").help(help));
    }
    if text.starts_with('/') || text.starts_with("~/") {
        return Err(Invalid::new(format!("path `{text}` is absolute"), relative)
            .help("an absolute path would tie the project to one machine"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<&str, &str>) {
        let path = text.parse::<ProjectPath>();
        let path = path.as_ref().map(ProjectPath::as_str).map_err(|e| e.message.as_str());
        assert_eq!(path, expected, "{text:?}");
    }

    #[test]
    fn paths_are_normalised() {
        check("src/lib.rs", Ok("src/lib.rs"));
        check("./src//api/./lib.rs", Ok("src/api/lib.rs"));
        check("src/../wit/", Ok("wit"));
        check("a/b/../../c", Ok("c"));
        check("..a/b", Ok("..a/b"));
        check("mit Leerzeichen/ä.rs", Ok("mit Leerzeichen/ä.rs"));
    }

    #[test]
    fn paths_stay_inside_the_project() {
        check("../x", Err("path `../x` leaves the project"));
        check("a/../../x", Err("path `a/../../x` leaves the project"));
        check("..", Err("path `..` leaves the project"));
        check("/etc/passwd", Err("path `/etc/passwd` is absolute"));
        check("~/x", Err("path `~/x` is absolute"));
        check(".", Err("path `.` is the project's folder itself"));
        check("a/..", Err("path `a/..` is the project's folder itself"));
        check("", Err("path is empty"));
        check(" ", Err("path is empty"));
        check("a\\b", Err("path `a\\b` contains a backslash"));
        check("a\0b", Err("path `a\\0b` contains a control character"));
    }

    #[test]
    fn local_packages_may_lie_outside() {
        let check = |text: &str, expected: Option<&str>| {
            let path = text.parse::<LocalPath>().ok();
            assert_eq!(path.as_ref().map(LocalPath::as_str), expected, "{text:?}");
        };
        check("../local-package", Some("../local-package"));
        check("../a/../../b", Some("../../b"));
        check("packages/x/", Some("packages/x"));
        check("..", None);
        check(".", None);
        check("/x", None);
        check("", None);
    }
}
