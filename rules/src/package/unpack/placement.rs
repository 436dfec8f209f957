//! Computes where the entries of an archive stand in the image, or that they are left out.
//!
//! If an archive has everything in one folder, that folder can be stripped first. Then the rules of a layer
//! apply: folders of the archive are renamed, and everything is put below one folder of the image. Globs over
//! the resulting paths leave files out or make them executable. A symbolic link becomes a relative one that
//! leads to the same entry after the move. An absolute target starts from the archive's root, and a target
//! that leads out of the archive is refused.

use std::collections::BTreeMap;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use super::UnpackError;

/// The rules of one layer, in a form that can be applied.
#[derive(Clone, Debug)]
pub(crate) struct Placement {
    /// The folder that all entries lie in and that is stripped, or empty if there is none.
    top: String,
    /// True if such a folder has to be found first.
    strip: bool,
    at: String,
    /// The longest folder comes first, so that the rule for `usr/lib` wins over that for `usr`.
    rename: Vec<(String, String)>,
    exclude: GlobSet,
    executable: GlobSet,
}

/// The rules of one layer, as they are written in a recipe.
#[derive(Clone, Debug, Default)]
pub(crate) struct PlacementRules {
    /// The folder that all entries lie in and that is stripped, or empty if there is none.
    pub(crate) top: String,
    /// True if the one folder that contains all entries is stripped, whatever its name.
    pub(crate) strip: bool,
    /// The folder of the image below which everything is put.
    pub(crate) at: String,
    /// Folders of the archive → their names in the image.
    pub(crate) rename: BTreeMap<String, String>,
    /// Globs over paths of the image, for files that are left out.
    pub(crate) exclude: Vec<String>,
    /// Globs over paths of the image, for files that are made executable.
    pub(crate) executable: Vec<String>,
}

impl Placement {
    /// Prepares the rules of a layer.
    ///
    /// # Errors
    /// One of the globs is invalid.
    pub(crate) fn new(rules: PlacementRules) -> Result<Self, globset::Error> {
        let mut rename: Vec<_> = rules.rename.into_iter().collect();
        rename.sort_by_key(|(from, _)| std::cmp::Reverse(from.len()));
        Ok(Self {
            top: rules.top,
            at: rules.at,
            strip: rules.strip,
            rename,
            exclude: globs(&rules.exclude)?,
            executable: globs(&rules.executable)?,
        })
    }

    /// Returns rules that leave everything where the archive has it.
    pub(crate) fn plain() -> Self {
        let (exclude, executable) = (GlobSet::empty(), GlobSet::empty());
        let (top, at) = (String::new(), String::new());
        Self { top, strip: false, at, rename: Vec::new(), exclude, executable }
    }

    /// Returns rules that leave everything out, for looking at an archive without keeping anything.
    pub(crate) fn nothing() -> Self {
        let exclude = globs(&["**".to_owned()]).expect("`**` is a glob");
        Self { exclude, ..Self::plain() }
    }

    /// Returns true if the one folder that contains all entries is stripped, whatever its name.
    pub(crate) const fn strips(&self) -> bool {
        self.strip
    }

    /// Returns the same rules for an archive whose entries all lie in the folder `top`, which is stripped.
    pub(crate) fn below(&self, top: &str) -> Self {
        Self { top: top.to_owned(), ..self.clone() }
    }

    /// Returns an entry's path without the stripped folder. The path of that folder itself becomes empty.
    ///
    /// # Errors
    /// The entry lies outside that folder.
    pub(crate) fn without_top(&self, path: String) -> Result<String, UnpackError> {
        if self.top.is_empty() || path.is_empty() {
            return Ok(path);
        }
        match path.strip_prefix(self.top.as_str()) {
            Some("") => Ok(String::new()),
            Some(rest) if rest.starts_with('/') => Ok(rest[1..].to_owned()),
            _ => Err(UnpackError::Top(self.top.clone())),
        }
    }

    /// Returns the image path of the archive's entry `path`, or `None` if the entry is left out.
    pub(crate) fn place(&self, path: &str) -> Option<String> {
        Some(self.moved(path)).filter(|path| !self.exclude.is_match(path))
    }

    /// Returns true if the rules make the file at this image path executable.
    pub(crate) fn makes_executable(&self, image_path: &str) -> bool {
        self.executable.is_match(image_path)
    }

    /// Returns the target of a symbolic link in the image, or `None` if it leads out of the archive.
    ///
    /// `link` is the link's path in the archive, and `target` is the target as written there.
    pub(crate) fn retarget(&self, link: &str, target: &str) -> Option<String> {
        let folder = if target.starts_with('/') { "" } else { parent(link) };
        let target = resolve(folder, target)?;
        Some(relative(parent(&self.moved(link)), &self.moved(&target)))
    }

    fn moved(&self, path: &str) -> String {
        let renamed = self.rename.iter().find_map(|(from, to)| {
            let rest = path.strip_prefix(from.as_str())?;
            (rest.is_empty() || rest.starts_with('/')).then(|| format!("{to}{rest}"))
        });
        let path = renamed.as_deref().unwrap_or(path);
        match (self.at.is_empty(), path.is_empty()) {
            (true, _) => path.to_owned(),
            (false, true) => self.at.clone(),
            (false, false) => format!("{}/{path}", self.at),
        }
    }
}

fn globs(patterns: &[String]) -> Result<GlobSet, globset::Error> {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        set.add(GlobBuilder::new(pattern).literal_separator(true).build()?);
    }
    set.build()
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

/// Returns the path that `target` means in `folder`, or `None` if it leads above the root.
fn resolve(folder: &str, target: &str) -> Option<String> {
    let mut names: Vec<&str> = folder.split('/').filter(|name| !name.is_empty()).collect();
    for name in target.split('/') {
        match name {
            "" | "." => {}
            ".." => {
                names.pop()?;
            }
            name => names.push(name),
        }
    }
    Some(names.join("/"))
}

/// Returns the relative path from the folder `from` to `to`.
fn relative(from: &str, to: &str) -> String {
    let split = |path: &'_ str| -> Vec<String> {
        path.split('/').filter(|name| !name.is_empty()).map(ToOwned::to_owned).collect()
    };
    let (from, to) = (split(from), split(to));
    let common = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let mut names = vec![".."; from.len() - common];
    names.extend(to[common..].iter().map(String::as_str));
    if names.is_empty() { ".".to_owned() } else { names.join("/") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placement(at: &str, rename: &[(&str, &str)], exclude: &[&str]) -> Placement {
        let owned = |text: &&str| (*text).to_owned();
        let rules = PlacementRules {
            at: at.to_owned(),
            rename: rename.iter().map(|(from, to)| (owned(from), owned(to))).collect(),
            exclude: exclude.iter().map(owned).collect(),
            executable: vec!["usr/bin/*".to_owned()],
            ..PlacementRules::default()
        };
        Placement::new(rules).unwrap()
    }

    const USR: &[(&str, &str)] = &[("lib", "usr/lib"), ("lib64", "usr/lib64"), ("bin", "usr/bin")];

    #[test]
    fn entries_are_renamed_moved_and_left_out() {
        let check = |placement: Placement, path: &str, expect: Option<&str>| {
            assert_eq!(placement.place(path).as_deref(), expect, "{path}");
        };
        check(placement("", USR, &[]), "lib/x/libc.so.6", Some("usr/lib/x/libc.so.6"));
        check(placement("", USR, &[]), "lib64/ld.so", Some("usr/lib64/ld.so"));
        check(placement("", USR, &[]), "library/x", Some("library/x"));
        check(placement("usr/lib/rust", &[], &[]), "bin/rustc", Some("usr/lib/rust/bin/rustc"));
        check(placement("", USR, &["usr/share/doc/**"]), "usr/share/doc/x/y", None);
        check(placement("", USR, &["usr/lib/*.a"]), "lib/libc.a", None);
        check(placement("", USR, &["usr/lib/*.a"]), "lib/x/libc.a", Some("usr/lib/x/libc.a"));
    }

    #[test]
    fn links_keep_what_they_name() {
        let check = |at: &str, link: &str, target: &str, expect: Option<&str>| {
            assert_eq!(placement(at, USR, &[]).retarget(link, target).as_deref(), expect, "{link}");
        };
        let loader = "../lib/x86_64-linux-gnu/ld.so";
        check("", "lib64/ld.so", "/lib/x86_64-linux-gnu/ld.so", Some(loader));
        check("", "lib64/ld.so", loader, Some(loader));
        check("", "usr/lib/x/libm.so", "/lib/x/libm.so.6", Some("libm.so.6"));
        check("", "usr/lib/x/libm.so", "../../../lib/x/libm.so.6", Some("libm.so.6"));
        check("", "usr/bin/gcc", "gcc-12", Some("gcc-12"));
        check("", "bin/sh", "../usr/bin/dash", Some("dash"));
        check("", "usr/lib/self", ".", Some("."));
        check("opt/x", "a/b", "/c", Some("../c"));
        check("opt/x", "a/b", "../c", Some("../c"));
        check("opt/x", "a/b", "../../c", None);
        check("", "a", "/../etc/passwd", None);
    }

    #[test]
    fn a_folder_can_be_taken_for_the_root() {
        let placement = placement("usr/lib/tool", &[], &["usr/lib/tool/doc/**"]);
        let placement = placement.below("tool-1.0");
        let check = |path: &str, expect: Option<&str>| {
            let inside = placement.without_top(path.to_owned()).ok();
            let place = inside.and_then(|path| placement.place(&path));
            assert_eq!(place.as_deref(), expect, "{path}");
        };
        check("tool-1.0/bin/x", Some("usr/lib/tool/bin/x"));
        check("tool-1.0/doc/x", None);
        check("tool-1.0.1/x", None);
        let link = |target: &str| placement.retarget("bin/y", target);
        assert_eq!(link("x").as_deref(), Some("x"));
        assert_eq!(link("../lib/x").as_deref(), Some("../lib/x"));
        assert_eq!(link("../../other").as_deref(), None);
    }

    #[test]
    fn globs_can_make_executable() {
        let placement = placement("", USR, &[]);
        assert!(placement.makes_executable("usr/bin/x"));
        assert!(!placement.makes_executable("usr/lib/x"));
    }
}
