//! Where the entries of an archive stand in the image, if at all.
//!
//! The one folder that some archives have everything in is stripped first. Then a layer's rules:
//! folders of the archive are renamed, then everything is put below one folder of the image; globs over the resulting paths leave files out or make them executable. Symbolic links
//! are rewritten to relative ones that name the same entry after the move: an absolute target means
//! the archive's root, and a target that leads out of it is refused.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use super::UnpackError;
use crate::toolchain::{Layer, Origin};

/// The rules of one layer, ready to be applied.
#[derive(Clone, Debug)]
pub(crate) struct Placement {
    /// The folder that all entries lie in, not part of the image; none if empty.
    top: String,
    /// Whether such a folder is to be looked for.
    strip: bool,
    at: String,
    /// Longest folder first, so that `lib64` is not taken for `lib`'s business.
    rename: Vec<(String, String)>,
    exclude: GlobSet,
    executable: GlobSet,
}

impl Placement {
    /// Prepares the rules of a layer.
    ///
    /// # Errors
    /// A glob of it is none.
    pub(crate) fn new(layer: &Layer) -> Result<Self, globset::Error> {
        let mut rename: Vec<_> =
            layer.rename.iter().map(|(from, to)| (from.clone(), to.clone())).collect();
        rename.sort_by_key(|(from, _)| std::cmp::Reverse(from.len()));
        let top = match &layer.from {
            Origin::Crates(from) => from.folder(),
            _ => String::new(),
        };
        Ok(Self {
            top,
            at: layer.at.clone(),
            strip: layer.strip,
            rename,
            exclude: globs(&layer.exclude)?,
            executable: globs(&layer.executable)?,
        })
    }

    /// Everything stays where the archive has it.
    pub(crate) fn plain() -> Self {
        let (exclude, executable) = (GlobSet::empty(), GlobSet::empty());
        let (top, at) = (String::new(), String::new());
        Self { top, strip: false, at, rename: Vec::new(), exclude, executable }
    }

    /// Everything is left out: what an archive holds is looked at, and nothing is kept.
    pub(crate) fn nothing() -> Self {
        let exclude = globs(&["**".to_owned()]).expect("`**` is a glob");
        Self { exclude, ..Self::plain() }
    }

    /// Whether the one folder that the archive has everything in is stripped, whatever its name.
    pub(crate) const fn strips(&self) -> bool {
        self.strip
    }

    /// The same for an archive whose entries all lie in the folder `top`, which is stripped.
    pub(crate) fn below(&self, top: &str) -> Self {
        Self { top: top.to_owned(), ..self.clone() }
    }

    /// The path of an entry without the folder that all lie in; empty for that folder.
    ///
    /// # Errors
    /// The entry lies elsewhere.
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

    /// The image path of the archive's entry `path`; `None` if it is left out.
    pub(crate) fn place(&self, path: &str) -> Option<String> {
        Some(self.moved(path)).filter(|path| !self.exclude.is_match(path))
    }

    /// Whether the rules make the file at this image path executable.
    pub(crate) fn makes_executable(&self, image_path: &str) -> bool {
        self.executable.is_match(image_path)
    }

    /// The target of a symbolic link in the image; `None` if it leads out of the archive.
    ///
    /// `link` is the link's path in the archive, `target` what is written there.
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

/// The path that `target` means in `folder`; `None` if it leads above the root.
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

/// The way from the folder `from` to `to`.
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
    use crate::toolchain::{LocalPath, Origin};

    fn placement(at: &str, rename: &[(&str, &str)], exclude: &[&str]) -> Placement {
        let owned = |text: &&str| (*text).to_owned();
        let layer = Layer {
            from: Origin::Path(LocalPath { path: String::new() }),
            at: at.to_owned(),
            strip: false,
            rename: rename.iter().map(|(from, to)| (owned(from), owned(to))).collect(),
            exclude: exclude.iter().map(owned).collect(),
            executable: vec!["usr/bin/*".to_owned()],
        };
        Placement::new(&layer).unwrap()
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
