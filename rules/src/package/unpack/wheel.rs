//! Places the files of a Python wheel: in an image that runs it, or among packages that are only imported.
//!
//! Source: the binary distribution format (PEP 427), "Installing a wheel", step "Spread". Scripts keep their
//! `#!python` line, because images run modules and not scripts.

/// Returns the path below the folder of the installation, and true if it is an executable script.
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

/// Returns the path below the folder of packages, for a file that can be imported or is data beside modules.
/// Returns `None` for a file that belongs elsewhere: a script, a header, or a file of the installation's
/// root.
pub(super) fn imported(name: String) -> Option<String> {
    let Some((folder, rest)) = name.split_once(".data/").filter(|(f, _)| !f.contains('/')) else {
        return Some(name);
    };
    match rest.split_once('/') {
        Some(("purelib" | "platlib", path)) => Some(path.to_owned()),
        Some(("scripts" | "headers" | "data", _)) => None,
        _ if rest.is_empty() => None,
        _ => Some(format!("{folder}.data/{rest}")),
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

    #[test]
    fn what_is_imported_stays() {
        let check = |name: &str, expect: Option<&str>| {
            assert_eq!(imported(name.to_owned()).as_deref(), expect, "{name}");
        };
        check("pkg/__init__.py", Some("pkg/__init__.py"));
        check("bin/__init__.py", Some("bin/__init__.py"));
        check("pkg-1.0.dist-info/METADATA", Some("pkg-1.0.dist-info/METADATA"));
        check("pkg-1.0.data/purelib/pkg/a.py", Some("pkg/a.py"));
        check("pkg-1.0.data/platlib/pkg/b.so", Some("pkg/b.so"));
        check("pkg-1.0.data/scripts/tool", None);
        check("pkg-1.0.data/headers/pkg.h", None);
        check("pkg-1.0.data/data/share/x", None);
        check("pkg-1.0.data/", None);
        check("pkg/test.data/scripts/x", Some("pkg/test.data/scripts/x"));
    }
}
