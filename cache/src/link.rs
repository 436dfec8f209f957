//! Finds the symbolic links that lead out of the tree that they belong to.
//!
//! The text of the target alone does not tell: with `a/up -> ..`, the target `a/up/../x` looks
//! as if it stayed inside. So links are followed in the tree in memory, as the kernel would follow them on disk. The
//! outputs of a command pass this check, whether it ran on this machine or elsewhere.

use std::collections::VecDeque;

use crate::tree::{Entry, Tree, join};

/// The number of links that the kernel follows before it gives up with `ELOOP`.
const MAX_FOLLOWED: usize = 40;

/// A symbolic link that outputs can't have. Paths are relative to the folder of outputs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// A symbolic link has an absolute target.
    #[error("the symbolic link `{}` has the absolute target `{}`", .path.escape_debug(), .target.escape_debug())]
    Absolute {
        /// The path of the link.
        path: String,
        /// The target of the link.
        target: String,
    },
    /// A symbolic link leads out of the folder, directly or through other links.
    #[error("the symbolic link `{}` to `{}` leaves the folder of outputs", .path.escape_debug(), .target.escape_debug())]
    Escaping {
        /// The path of the link.
        path: String,
        /// The target of the link.
        target: String,
    },
}

impl Tree {
    /// Checks that every symbolic link stays inside the tree, which has to be in memory as a whole.
    ///
    /// # Errors
    /// With the first link, in the order of the tree, that does not stay inside.
    pub fn check_links(&self) -> Result<(), LinkError> {
        check_folder(self, "", self)
    }
}

fn check_folder(root: &Tree, parent: &str, folder: &Tree) -> Result<(), LinkError> {
    for (name, entry) in &folder.entries {
        let path = join(parent, name);
        match entry {
            Entry::Symlink { target } if target.starts_with('/') => {
                return Err(LinkError::Absolute { path, target: target.clone() });
            }
            Entry::Symlink { target } if leaves_tree(root, &path, target) => {
                return Err(LinkError::Escaping { path, target: target.clone() });
            }
            Entry::Directory(tree) => check_folder(root, &path, tree)?,
            _ => {}
        }
    }
    Ok(())
}

/// Tells if the link at `path` to `target` leads out of `tree` at any step. A target that doesn't
/// exist in the tree, and a loop, stay inside.
fn leaves_tree(tree: &Tree, path: &str, target: &str) -> bool {
    let mut at: Vec<String> = path.split('/').map(str::to_owned).collect();
    at.pop();
    let mut followed = 0;
    let mut ahead: VecDeque<String> = target.split('/').map(str::to_owned).collect();
    if target.starts_with('/') {
        return true;
    }
    while let Some(name) = ahead.pop_front() {
        match name.as_str() {
            "" | "." => {}
            ".." if at.pop().is_none() => return true,
            ".." => {}
            _ => {
                at.push(name);
                let Some(Entry::Symlink { target }) = tree.get(&at.join("/")) else { continue };
                followed += 1;
                if target.starts_with('/') {
                    return true;
                }
                if followed > MAX_FOLLOWED {
                    return false;
                }
                at.pop();
                for name in target.split('/').rev() {
                    ahead.push_front(name.to_owned());
                }
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(links: &[(&str, &str)]) -> Tree {
        let mut tree = Tree::default();
        for (path, target) in links {
            tree.insert(path, Entry::Symlink { target: (*target).to_owned() }).unwrap();
        }
        tree
    }

    fn check(links: &[(&str, &str)], path: &str, leaves: bool) {
        let tree = tree(links);
        let Some(Entry::Symlink { target }) = tree.get(path) else { panic!("no link {path}") };
        assert_eq!(leaves_tree(&tree, path, target), leaves, "{links:?}");
    }

    #[test]
    fn by_its_own_text() {
        check(&[("a", "b")], "a", false);
        check(&[("a", "./b/../c")], "a", false);
        check(&[("d/a", "../b")], "d/a", false);
        check(&[("d/a", "..")], "d/a", false);
        check(&[("a", "..")], "a", true);
        check(&[("d/a", "../../b")], "d/a", true);
        check(&[("a", "/etc/passwd")], "a", true);
        check(&[("a", "b/../../a")], "a", true);
    }

    #[test]
    fn through_other_links() {
        check(&[("a/up", ".."), ("b", "a/up/x")], "b", false);
        check(&[("a/up", ".."), ("b", "a/up/../x")], "b", true);
        check(&[("a", "/etc"), ("b", "a/passwd")], "b", true);
        check(&[("a", "d"), ("d/c", "../.."), ("b", "a/c")], "b", true);
        check(&[("a/b/deep", "c"), ("x", "a/b/deep/../../../y")], "x", false);
    }

    #[test]
    fn loops_stay_inside() {
        check(&[("a", "b"), ("b", "a")], "a", false);
        check(&[("a", "a/../a")], "a", false);
    }
}
