//! Where the files of a Python wheel belong when it is installed into one folder.
//!
//! Source: the binary distribution format (PEP 427), "Installing a wheel", step "Spread". Scripts
//! keep their `#!python` line: images run modules, not scripts.

/// The path below the folder of installation, and whether it is an executable script.
pub(super) fn placed(name: String) -> (String, bool) {
    let Some((folder, rest)) = name.split_once(".data/") else { return (name, false) };
    if folder.contains('/') {
        return (name, false);
    }
    match rest.split_once('/') {
        Some(("purelib" | "platlib" | "data", path)) => (path.to_owned(), false),
        Some(("scripts", path)) => (format!("bin/{path}"), !path.is_empty()),
        Some(("headers", path)) => (format!("include/{path}"), false),
        _ => (name, false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_folders_are_spread() {
        let check = |name: &str, path: &str, executable: bool| {
            assert_eq!(placed(name.to_owned()), (path.to_owned(), executable));
        };
        check("pkg/__init__.py", "pkg/__init__.py", false);
        check("pkg-1.0.data/purelib/pkg/a.py", "pkg/a.py", false);
        check("pkg-1.0.data/platlib/pkg/b.so", "pkg/b.so", false);
        check("pkg-1.0.data/scripts/tool", "bin/tool", true);
        check("pkg-1.0.data/headers/pkg.h", "include/pkg.h", false);
        check("pkg-1.0.data/data/share/x", "share/x", false);
        check("pkg/test.data/purelib/x", "pkg/test.data/purelib/x", false);
        check("pkg-1.0.data/other/x", "pkg-1.0.data/other/x", false);
    }
}
