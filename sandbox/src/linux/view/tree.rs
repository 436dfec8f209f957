//! Maps the file tree that a command sees without mounts to the host's file tree.

/// Holds the parts of a file tree. All paths are absolute, without `.`, `..` and a slash at the
/// end.
#[derive(Clone, Debug, Default)]
pub(in crate::linux) struct Tree {
    /// A part comes after the parts that it lies in.
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Part {
    shown: Vec<u8>,
    host: Vec<u8>,
    is_writable: bool,
}

impl Tree {
    /// Shows the path `host` of the host at the path `shown` of the tree. It hides what was there.
    pub(in crate::linux) fn add(&mut self, shown: &[u8], host: &[u8], is_writable: bool) {
        self.parts.push(Part { shown: shown.to_vec(), host: host.to_vec(), is_writable });
    }

    /// Returns the path of the host for a path of the tree, and whether the command may write
    /// there. It does not follow links.
    pub(in crate::linux) fn host_of(&self, shown: &[u8]) -> Option<(Vec<u8>, bool)> {
        self.parts.iter().rev().find_map(|part| {
            let rest = below(shown, &part.shown)?;
            Some(([&part.host, rest].concat(), part.is_writable))
        })
    }

    /// Returns the path of the tree for a path of the host. If several parts contain it, the
    /// innermost counts.
    pub(in crate::linux) fn shown(&self, host: &[u8]) -> Option<Vec<u8>> {
        let parts = self.parts.iter().filter_map(|part| Some((part, below(host, &part.host)?)));
        let (part, rest) = parts.max_by_key(|(part, _)| part.host.len())?;
        let shown = [strip(&part.shown), rest].concat();
        Some(if shown.is_empty() { b"/".to_vec() } else { shown })
    }
}

/// Returns the rest of `path` after `folder`, if `path` lies in that folder. The rest is empty or
/// begins with a slash.
pub(in crate::linux) fn below<'a>(path: &'a [u8], folder: &[u8]) -> Option<&'a [u8]> {
    let rest = strip(path).strip_prefix(strip(folder))?;
    (rest.is_empty() || rest.starts_with(b"/")).then_some(rest)
}

/// Returns the path without the slash of the root, so that names can be added to it.
pub(in crate::linux) fn strip(path: &[u8]) -> &[u8] {
    if path == b"/" { b"" } else { path }
}
