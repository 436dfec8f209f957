//! Finds out if a symbolic link leads out of the tree that it belongs to.
//!
//! The text of the target alone does not tell: with `a/up -> ..`, the target `a/up/../x` looks
//! as if it stayed inside. So links are followed in the tree in memory, as the kernel would follow them on disk.

use std::collections::VecDeque;

use crate::tree::{Entry, Tree};

/// The number of links that the kernel follows before it gives up with `ELOOP`.
const MAX_FOLLOWED: usize = 40;

/// Tells if the link at `path` to `target` leads out of `tree` at any step. A target that doesn't
/// exist in the tree, and a loop, stay inside.
pub(super) fn leaves_tree(tree: &Tree, path: &str, target: &str) -> bool {
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
