//! Plans a project with a build.zig: `zig build` does what that file says, and the one module that it
//! installs is the result.
//!
//! Before anything else, `zig build` compiles build.zig to a program. That is an action of its own
//! (*configure*), which sees only build.zig and what it imports, so that an edit of another source does not
//! repeat it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use cache::Digest;
use engine::{Action, Input, Label, Source};

use super::error::ZigError;
use super::fetch::{FetchPackages, is_hash};
use super::glue;
use super::layer::{self, Layer};
use super::neighbours::foreign;
use super::tool::{LOCAL_CACHE, Zig, without_notes};
use super::zon::Manifest;
use crate::bounded;
use crate::path::ProjectPath;
use crate::planner::source_tree::{SourceTree, Without};
use crate::planner::{Compiled, LangError, PlanError, Planner, Request, in_action};

/// The endings of the files that are taken of a package whose manifest has no `.paths`.
const SOURCES: [&str; 12] =
    [".zig", ".zon", ".c", ".h", ".cc", ".cpp", ".cxx", ".hh", ".hpp", ".hxx", ".S", ".s"];
/// The folders that zig itself makes in a package.
const MADE_BY_ZIG: [&str; 2] = ["zig-out", "zig-pkg"];

/// Finds the folder of the build.zig that `source` belongs to: the nearest one at or above it.
pub(super) fn find(project: &Path, source: &ProjectPath) -> Option<ProjectPath> {
    source.ancestors().find(|folder| folder.join("build.zig").on_disk(project).is_file())
}

/// The packages of the project, by their folders, each with its manifest if it has one.
type Packages = BTreeMap<ProjectPath, Option<Manifest>>;

/// Adds the actions that compile `request`'s component, whose build.zig is in `folder`.
pub(super) fn compile(
    planner: &mut Planner<'_>,
    folder: &ProjectPath,
    request: &Request<'_>,
) -> Result<Compiled, PlanError> {
    let zig = Zig::new(planner)?;
    let bindings = glue::input(planner, &zig, request, "zig", true)?;
    let packages = packages(planner.project(), folder).map_err(LangError::from)?;
    let runner = layer::input(planner, &zig, Layer::Build)?;
    let third_party = fetch(planner, folder, &packages)?;
    let scripts = scripts(planner, &packages, request)?;
    let sources = sources(planner, &packages, request)?;
    let build = Build { zig: &zig, folder, request, runner, third_party };
    let configured = planner.add(build.configure(scripts))?;
    let configured = Source::output(configured, "configured.tar");
    let action = build.compile(sources).input(bindings);
    let action = action.input(Input::new("deps/configured.tar", configured)).output("core.wasm");
    Ok(Compiled::new(planner.add(action)?, "core.wasm"))
}

/// The arguments and inputs of `zig build` that *configure* and *compile* have in common.
struct Build<'a> {
    zig: &'a Zig,
    folder: &'a ProjectPath,
    request: &'a Request<'a>,
    runner: Input,
    third_party: Source,
}

impl Build<'_> {
    /// Returns the action that compiles and runs build.zig. It succeeds even if build.zig fails, because
    /// *compile* then fails in the same way and shows the message.
    fn configure(&self, scripts: Digest) -> Action {
        let script = format!(
            "{}busybox mkdir {LOCAL_CACHE}\n{} --list-steps > /tmp/steps 2>&1 || true\n\
             busybox tar -cf /out/configured.tar -C {LOCAL_CACHE} .",
            layer::unpack(),
            self.command()
        );
        self.action("configure", &script, scripts).output("configured.tar")
    }

    fn compile(&self, sources: Digest) -> Action {
        let script = format!(
            "{}busybox mkdir {LOCAL_CACHE}\nbusybox tar -xf /deps/configured.tar -C {LOCAL_CACHE}\n\
             {}\n\
             set -- $(busybox find /tmp/prefix -name '*.wasm' | busybox sort)\n\
             if [ $# != 1 ]; then\n\
             echo \"error: build.zig has to install one WebAssembly module, but it installs $#: $*\" >&2\n\
             exit 1\nfi\n\
             busybox cp \"$1\" /out/core.wasm",
            layer::unpack(),
            without_notes(&format!("{} --prefix /tmp/prefix", self.command()))
        );
        self.action("compile", &script, sources)
    }

    fn action(&self, step: &'static str, script: &str, sources: Digest) -> Action {
        let cwd = in_action(self.folder);
        self.zig
            .action(Label::new(self.request.name, step), script, &cwd, self.request.env)
            .input(Input::new("src", Source::Tree(sources)))
            .input(self.runner.clone())
            .input(Input::new("deps/packages", self.third_party.clone()))
    }

    fn command(&self) -> String {
        let mode = if self.request.release { " --release=small" } else { "" };
        format!(
            "zig build --color on -Dtarget=wasm32-wasi -Dbindings=/{}{mode} --pkg-dir /deps/packages",
            glue::PLACE
        )
    }
}

/// Returns the package in `folder` and those of the project that it depends on by path.
fn packages(project: &Path, folder: &ProjectPath) -> Result<Packages, ZigError> {
    let mut packages = Packages::new();
    let mut open = vec![folder.clone()];
    while let Some(folder) = open.pop() {
        if packages.contains_key(&folder) {
            continue;
        }
        let manifest = read(project, &folder.join("build.zig.zon"))?;
        for dependency in manifest.iter().flat_map(|manifest| &manifest.dependencies) {
            let Some(path) = &dependency.path else { continue };
            open.push(folder.resolve(path).map_err(|source| ZigError::DependencyOutside {
                manifest: folder.join("build.zig.zon"),
                dependency: dependency.name.clone(),
                path: path.clone(),
                source,
            })?);
        }
        packages.insert(folder, manifest);
    }
    Ok(packages)
}

fn read(project: &Path, path: &ProjectPath) -> Result<Option<Manifest>, ZigError> {
    let text = bounded::read_text_if_there(&path.on_disk(project))
        .map_err(|source| ZigError::Read { path: path.clone(), source })?;
    let Some(text) = text else { return Ok(None) };
    let manifest = Manifest::parse(&text).map_err(|invalid| ZigError::Zon {
        manifest: path.clone(),
        line: invalid.line,
        reason: invalid.reason,
    })?;
    Ok(Some(manifest))
}

/// Returns the folder of packages from outside the project, by hash. They are fetched once for all components
/// that share a build.zig.
fn fetch(
    planner: &mut Planner<'_>,
    folder: &ProjectPath,
    packages: &Packages,
) -> Result<Source, PlanError> {
    let pinned = pinned(packages).map_err(LangError::from)?;
    if pinned.is_empty() {
        return Ok(Source::Tree(planner.empty_tree()?));
    }
    let fetch = planner.once(&format!("zig packages {folder}"), |planner| {
        let owner = if folder.is_root() { "zig".to_owned() } else { format!("zig {folder}") };
        let fetch = FetchPackages { pinned, registries: planner.registries() };
        let action = Action::builtin(Label::new(owner, "fetch"), fetch);
        planner.add(action.output(FetchPackages::OUTPUT))
    })?;
    Ok(Source::output(fetch, FetchPackages::OUTPUT))
}

/// Returns the packages that the project's manifests pin: the URL of each, by its hash.
fn pinned(packages: &Packages) -> Result<BTreeMap<String, String>, ZigError> {
    let mut pinned = BTreeMap::new();
    for (folder, manifest) in packages {
        for dependency in manifest.iter().flat_map(|manifest| &manifest.dependencies) {
            let Some(url) = &dependency.url else { continue };
            let Some(hash) = dependency.hash.as_ref().filter(|hash| !hash.is_empty()) else {
                return Err(ZigError::NoHash {
                    manifest: folder.join("build.zig.zon"),
                    dependency: dependency.name.clone(),
                    url: url.clone(),
                });
            };
            if !is_hash(hash) {
                return Err(ZigError::BadHash {
                    manifest: folder.join("build.zig.zon"),
                    dependency: dependency.name.clone(),
                    url: url.clone(),
                    hash: hash.clone(),
                });
            }
            pinned.insert(hash.clone(), url.clone());
        }
    }
    Ok(pinned)
}

/// Stores the tree that *configure* sees: each build.zig with the files that it imports, and its manifest.
fn scripts(
    planner: &mut Planner<'_>,
    packages: &Packages,
    request: &Request<'_>,
) -> Result<Digest, PlanError> {
    let mut tree = SourceTree::default();
    let mut seen = BTreeSet::new();
    for folder in packages.keys() {
        tree.optional_file(planner.project(), folder.join("build.zig.zon"));
        let mut open = vec![folder.join("build.zig")];
        while let Some(file) = open.pop() {
            let Ok(text) = bounded::read_text(&file.on_disk(planner.project())) else {
                continue;
            };
            if seen.insert(file.clone()) {
                open.extend(imports(&text).filter_map(|path| file.parent().resolve(path).ok()));
                tree.file(file);
            }
        }
    }
    request.add_inputs(&mut tree);
    planner.store_tree(tree)
}

/// Returns the paths of the files that a Zig file imports.
fn imports(text: &str) -> impl Iterator<Item = &str> {
    let mut parts = text.split("@import(\"");
    parts.next();
    parts.filter_map(|part| part.split('"').next()).filter(|path| path.ends_with(".zig"))
}

/// Stores the tree that *compile* sees: the files of the project's packages.
fn sources(
    planner: &mut Planner<'_>,
    packages: &Packages,
    request: &Request<'_>,
) -> Result<Digest, PlanError> {
    let project = planner.project().to_owned();
    let mut tree = SourceTree::default();
    for (folder, manifest) in packages {
        tree.optional_file(&project, folder.join("build.zig"));
        tree.optional_file(&project, folder.join("build.zig.zon"));
        let mut apart = planner.outputs().clone();
        apart.extend(foreign(planner, folder, request.source));
        apart.extend(MADE_BY_ZIG.map(|name| folder.join(name)));
        let without = Without { folders: &apart, marker: None };
        let own = |path: &ProjectPath| !apart.contains(path);
        match manifest.as_ref().and_then(|manifest| manifest.paths.as_ref()) {
            Some(paths) => {
                for path in paths {
                    let place = folder.resolve(path).map_err(|source| {
                        let manifest = folder.join("build.zig.zon");
                        LangError::from(ZigError::PathOutside {
                            manifest,
                            path: path.clone(),
                            source,
                        })
                    })?;
                    match place.on_disk(&project).is_dir() {
                        true => tree.folder(&project, &place, &without, &own)?,
                        false => tree.optional_file(&project, place),
                    }
                }
            }
            None => {
                let wanted = |path: &ProjectPath| {
                    own(path) && SOURCES.iter().any(|ending| path.as_str().ends_with(ending))
                };
                tree.folder(&project, folder, &without, &wanted)?;
            }
        }
    }
    request.add_inputs(&mut tree);
    planner.store_tree(tree)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::planner::LanguageError as _;

    #[test]
    fn imports_of_files_are_found() {
        let text = "const std = @import(\"std\");\nconst a = @import(\"build/a.zig\"), b = @import(\"b.zig\");";
        assert_eq!(imports(text).collect::<Vec<_>>(), ["build/a.zig", "b.zig"]);
    }

    #[test]
    fn a_dependency_needs_a_hash() {
        let manifest = |dependency: &str| {
            Some(
                Manifest::parse(&format!(
                    ".{{ .dependencies = .{{ .crc = .{{ {dependency} }} }} }}"
                ))
                .unwrap(),
            )
        };
        let packages = |dependency: &str| {
            Packages::from([(ProjectPath::parse("app").unwrap(), manifest(dependency))])
        };
        let error = pinned(&packages(".url = \"file:///a.tar.gz\"")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "app/build.zig.zon: dependency `crc` has no `.hash`, so it can't be pinned"
        );
        assert_eq!(
            error.hint().unwrap(),
            "take `crc` out of `.dependencies`, and let zig add it with its hash: cd app && zig fetch --save=crc file:///a.tar.gz"
        );
        let hash = "crc-1.0.0-vHRdDkcBAACsrZDahX0LDRmwOjf3kzMURjDp-p5P8j2z";
        let found = pinned(&packages(&format!(".url = \"u\", .hash = \"{hash}\""))).unwrap();
        assert_eq!(found, BTreeMap::from([(hash.to_owned(), "u".to_owned())]));
        let error = pinned(&packages(".url = \"u\", .hash = \"1220aa\"")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "app/build.zig.zon: dependency `crc` has the hash `1220aa`, which is none of those that \
             zig writes"
        );
        let hint = error.hint().unwrap();
        assert!(hint.ends_with("with its hash: cd app && zig fetch --save=crc u"), "{hint}");
        assert!(pinned(&packages(".path = \"../crc\"")).unwrap().is_empty());
    }

    #[test]
    fn packages_by_path_are_followed_and_stay_in_the_project() {
        let dir = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let depends_on =
            |path: &str| format!(".{{ .dependencies = .{{ .x = .{{ .path = \"{path}\" }} }} }}");
        write("app/build.zig.zon", &depends_on("../lib"));
        write("lib/build.zig.zon", &depends_on("../app"));
        let app = ProjectPath::parse("app").unwrap();
        let found = packages(dir.path(), &app).unwrap();
        assert_eq!(found.keys().map(ProjectPath::as_str).collect::<Vec<_>>(), ["app", "lib"]);
        write("lib/build.zig.zon", &depends_on("../../elsewhere"));
        assert_eq!(
            packages(dir.path(), &app).unwrap_err().to_string(),
            "lib/build.zig.zon: dependency `x` is at `../../elsewhere`, outside the project"
        );
    }
}
