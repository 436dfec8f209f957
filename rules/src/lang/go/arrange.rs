//! Turns what the go command lists into arguments for its compiler and linker: the files that each package is
//! made of, and the places of the packages that it imports.
//!
//! So an edit runs the compiler for one package, and the linker, but not the go command, which would look at
//! every package again. The arguments are those that the go command itself would pass; see gc.go of its
//! package `work` in Go's sources.

use std::collections::BTreeMap;

use cache::{ContentStore, Entry, Tree, TreeError};
use engine::{Artifact, Builtin, BuiltinContext, BuiltinError};
use serde::Deserialize;
use serde_json::json;

use super::build_info;
use super::embed;
use super::listed::{Listed, ListedModule};
use super::not_compiled::NotCompiled;
use super::shared::shared;
use super::standard_library::STD;
use crate::lang::bindings::go::{BUILD_MODE, PLACE};
use crate::path::ProjectPath;
use crate::planner::in_action;

/// The version of the language of a module whose go.mod states none.
const FIRST_LANGUAGE: &str = "1.16";

/// The action that arranges a component's packages. The constants name its inputs and outputs. For each
/// package in `own` there are further outputs: its [arguments](Self::arguments_of) and, if it embeds files,
/// the [places of these](Self::embedded_in).
#[derive(Debug)]
pub(super) struct Arrange {
    /// The import path of the main package.
    pub(super) main: String,
    /// The packages that are compiled one by one: import path → package.
    pub(super) own: BTreeMap<String, Own>,
    /// Further arguments of the linker (`-ldflags`).
    pub(super) link: Vec<String>,
    /// The flag `-tags`, if there are any.
    pub(super) tags: Option<String>,
}

/// A package that is compiled by an action of its own.
#[derive(Debug)]
pub(super) struct Own {
    /// Its folder.
    pub(super) folder: ProjectPath,
    /// True if it embeds files.
    pub(super) embeds: bool,
}

/// An error for which the packages cannot be arranged.
#[derive(Debug, thiserror::Error)]
enum ArrangeError {
    #[error("the go command's answer is not understood")]
    Answer(#[from] serde_json::Error),
    #[error("{0}")]
    NotCompiled(NotCompiled),
    #[error("`{package}` has assembly ({files}), which is compiled in other people's modules only")]
    Assembly { package: String, files: String },
    #[error("`{0}` is imported in a way that is not understood, so it was not compiled")]
    Unplanned(String),
    #[error("the go command put a package where it is not found: {0}")]
    Lost(String),
    #[error(transparent)]
    Tree(#[from] TreeError),
}

/// An overlay of the go command (`-overlay`): file as it is named → file that is read.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Overlay {
    replace: BTreeMap<String, String>,
}

impl Arrange {
    /// Input: the compiled standard library.
    pub(super) const STD: &'static str = STD;
    /// Input: the bindings.
    pub(super) const BINDINGS: &'static str = PLACE;
    /// Input: the go command's build cache with all other packages.
    pub(super) const CACHE: &'static str = "cache";
    /// Input: what the go command says of these packages.
    pub(super) const COMPILED: &'static str = "compiled.json";
    /// Input: what the go command says of all packages of the component.
    pub(super) const LISTED: &'static str = "listed.json";

    /// Output: the folder of other packages, compiled.
    pub(super) const PACKAGES: &'static str = "packages";
    /// Output: the places of the packages, for the compiler.
    pub(super) const IMPORTS: &'static str = "importcfg";
    /// Output: the places of the packages, for the linker.
    pub(super) const LINKED: &'static str = "importcfg.link";
    /// Output: arguments of the linker.
    pub(super) const LINK: &'static str = "link.args";
    /// Output: a Go file without content, for a package of which no file is compiled.
    pub(super) const EMPTY: &'static str = "empty.go";

    /// Returns the name of the output with the compiler's arguments for the package `path`, its files among
    /// them.
    pub(super) fn arguments_of(path: &str) -> String {
        format!("arguments/{path}.args")
    }

    /// Returns the name of the output with the files that the package `path` embeds, and their places.
    pub(super) fn embedded_in(path: &str) -> String {
        format!("embedded/{path}.json")
    }

    /// Returns the path at which actions see the export data of the package `path`, which an action of its
    /// own compiled.
    pub(super) fn export(path: &str) -> String {
        format!("own/{path}.x")
    }

    /// Returns the path at which the linker sees the code of that package.
    pub(super) fn object(path: &str) -> String {
        format!("own/{path}.o")
    }

    /// Returns the names of all outputs.
    pub(super) fn outputs(&self) -> impl Iterator<Item = String> {
        let fixed = [Self::PACKAGES, Self::IMPORTS, Self::LINKED, Self::LINK, Self::EMPTY];
        let own = self.own.iter().flat_map(|(path, own)| {
            let embedded = own.embeds.then(|| Self::embedded_in(path));
            std::iter::once(Self::arguments_of(path)).chain(embedded)
        });
        fixed.map(str::to_owned).into_iter().chain(own)
    }

    /// Takes the compiled packages out of a build cache: import path → file of that cache.
    fn packages(
        &self,
        compiled: &[Listed],
        listed: &[Listed],
        cache: &Tree,
    ) -> Result<Tree, ArrangeError> {
        let mut tree = Tree::default();
        let shared = shared(listed);
        let is_own = |path: &str| self.own.contains_key(path) && !shared.contains(path);
        for package in compiled.iter().filter(|package| !package.standard) {
            let path = package.import_path.as_str();
            if package.export.is_empty() || is_own(path) {
                continue;
            }
            let lost = || ArrangeError::Lost(package.export.clone());
            let prefix = format!("/out/{}/", Self::CACHE);
            let file = package.export.strip_prefix(&prefix).ok_or_else(lost)?;
            let entry = cache.get(file).ok_or_else(lost)?;
            tree.insert(&format!("{path}.a"), entry.clone())?;
        }
        let mut needed = listed.iter().filter(|package| !package.standard);
        let missing = needed.find(|package| {
            let path = package.import_path.as_str();
            !is_own(path) && tree.get(&format!("{path}.a")).is_none()
        });
        let Some(Listed { import_path, .. }) = missing else { return Ok(tree) };
        let complaint = compiled.iter().find(|package| package.import_path == *import_path);
        let is_own = |path: &str| self.own.contains_key(path);
        Err(match complaint {
            Some(package) => ArrangeError::NotCompiled(NotCompiled::new(package, listed, is_own)),
            None => ArrangeError::Unplanned(import_path.clone()),
        })
    }

    /// Returns the list of packages with their places. Packages of `own` are at the place that `at` returns,
    /// unless they are among the `packages`.
    fn imports(&self, std: &Tree, packages: &Tree, at: fn(&str) -> String) -> String {
        let mut lines = Vec::new();
        archives(std, "", &mut |path| lines.push((path.to_owned(), format!("/{STD}/{path}.a"))));
        archives(packages, "", &mut |path| {
            lines.push((path.to_owned(), format!("/{}/{path}.a", Self::PACKAGES)));
        });
        let own = self
            .own
            .keys()
            .filter(|path| **path != self.main && packages.get(&format!("{path}.a")).is_none());
        lines.extend(own.map(|path| (path.clone(), format!("/{}", at(path)))));
        lines.into_iter().map(|(path, file)| format!("packagefile {path}={file}\n")).collect()
    }

    fn link(&self, main: Option<&Listed>) -> String {
        let godebug = main.map_or("", |main| main.default_godebug.as_str());
        let godebug = (!godebug.is_empty()).then(|| format!("-X=runtime.godebugDefault={godebug}"));
        arguments(godebug.into_iter().chain(self.link.iter().cloned()))
    }

    fn build_info(&self, listed: &[Listed], main: Option<&Listed>) -> String {
        let mut settings = vec![("-buildmode", BUILD_MODE), ("-compiler", "gc")];
        settings.extend(self.tags.as_deref().and_then(|flag| flag.split_once('=')));
        settings.extend([
            ("-trimpath", "true"),
            ("CGO_ENABLED", "0"),
            ("GOARCH", "wasm"),
            ("GOOS", "wasip1"),
        ]);
        if let Some(main) = main.filter(|main| !main.default_godebug.is_empty()) {
            settings.push(("DefaultGODEBUG", &main.default_godebug));
        }
        build_info::line(&self.main, listed, &settings)
    }
}

impl Own {
    /// Returns the arguments of the compiler that depend on what is in the package, which is `listed`.
    fn arguments(
        &self,
        path: &str,
        listed: Option<&Listed>,
        overlay: &Overlay,
    ) -> Result<String, ArrangeError> {
        let Some(package) = listed else {
            return Ok(arguments([format!("/go/{}", Arrange::EMPTY)]));
        };
        if !package.assembly.is_empty() {
            let files = package.assembly.join(", ");
            return Err(ArrangeError::Assembly { package: path.to_owned(), files });
        }
        let mut places = vec![format!("/{}=>{path}", in_action(&self.folder))];
        let mut files = Vec::new();
        for name in &package.go_files {
            let file = format!("{}/{name}", package.dir);
            match overlay.replace.get(&file) {
                Some(generated) => {
                    let folder = generated.rsplit_once('/').map_or("", |(folder, _)| folder);
                    places.push(format!("{folder}=>{path}"));
                    files.push(generated.clone());
                }
                // The compiler's messages name files from the project's folder on.
                None => files.push(file.strip_prefix("/src/").unwrap_or(&file).to_owned()),
            }
        }
        let language = package
            .module
            .as_ref()
            .and_then(|ListedModule { go_version, .. }| go_version.as_deref());
        let flags = [
            format!("-lang=go{}", language.map_or(FIRST_LANGUAGE, language_of)),
            format!("-trimpath={}", places.join(";")),
        ];
        Ok(arguments(flags.into_iter().chain(files)))
    }

    /// Returns the file that tells the compiler about embedded files.
    fn embedded(listed: Option<&Listed>) -> String {
        let nothing = Listed::default();
        let package = listed.unwrap_or(&nothing);
        let files: BTreeMap<&String, String> = package
            .embed_files
            .iter()
            .map(|file| (file, format!("{}/{file}", package.dir)))
            .collect();
        let patterns: BTreeMap<&String, Vec<&String>> = package
            .embed_patterns
            .iter()
            .map(|pattern| {
                let stand_for = |file: &&String| embed::stands_for(pattern, file);
                let files = package.embed_files.iter().filter(stand_for);
                (pattern, files.collect())
            })
            .collect();
        json!({ "Patterns": patterns, "Files": files }).to_string()
    }
}

impl Builtin for Arrange {
    fn name(&self) -> &str {
        "go-packages"
    }

    fn version(&self) -> &str {
        "2"
    }

    fn arguments(&self) -> Vec<String> {
        vec![format!("{self:?}")]
    }

    fn run(&self, cx: &BuiltinContext) -> Result<(), BuiltinError> {
        let tree = |name: &str| {
            let digest = *cx.input(name).digest();
            cx.store().tree(&digest)?.ok_or(BuiltinError::Missing(digest))
        };
        let failed = |error: ArrangeError| BuiltinError::failed(&error);
        let read = |name: &str| {
            Listed::read(&cx.read(name)?).map_err(|error| failed(ArrangeError::Answer(error)))
        };
        let (compiled, listed) = (read(Self::COMPILED)?, read(Self::LISTED)?);
        let overlay = overlay(cx.store(), &tree(Self::BINDINGS)?)?;
        let find = |path: &str| listed.iter().find(|package| package.import_path == path);
        let main = find(&self.main);

        let packages = self.packages(&compiled, &listed, &tree(Self::CACHE)?).map_err(failed)?;
        let std = tree(Self::STD)?;
        let imports = self.imports(&std, &packages, Self::export);
        let linked = self.imports(&std, &packages, Self::object) + &self.build_info(&listed, main);
        cx.produce(Self::PACKAGES, Artifact::Tree(cx.store().put_tree(&packages)?));

        let mut texts = vec![
            (Self::IMPORTS.to_owned(), imports),
            (Self::LINKED.to_owned(), linked),
            (Self::LINK.to_owned(), self.link(main)),
            (Self::EMPTY.to_owned(), "package empty\n".to_owned()),
        ];
        for (path, own) in &self.own {
            let arguments = own.arguments(path, find(path), &overlay).map_err(failed)?;
            texts.push((Self::arguments_of(path), arguments));
            if own.embeds {
                texts.push((Self::embedded_in(path), Own::embedded(find(path))));
            }
        }
        for (output, text) in texts {
            let digest = cx.store().put(text.as_bytes())?;
            cx.produce(&output, Artifact::File { digest, executable: false });
        }
        Ok(())
    }
}

/// Reads the overlay with all bindings, which are in `tree`.
fn overlay(store: &ContentStore, tree: &Tree) -> Result<Overlay, BuiltinError> {
    let failed = |error| BuiltinError::failed(&ArrangeError::Answer(error));
    match tree.get(crate::lang::bindings::go::OVERLAY) {
        Some(Entry::File { digest, .. }) => {
            let text = store.get(digest)?.ok_or(BuiltinError::Missing(*digest))?;
            serde_json::from_slice(&text).map_err(failed)
        }
        _ => Ok(Overlay { replace: BTreeMap::new() }),
    }
}

/// Calls `found` with the import path of every archive in `tree`.
fn archives(tree: &Tree, above: &str, found: &mut dyn FnMut(&str)) {
    for (name, entry) in &tree.entries {
        match entry {
            Entry::Directory(below) => archives(below, &format!("{above}{name}/"), found),
            Entry::File { .. } => {
                if let Some(name) = name.strip_suffix(".a") {
                    found(&format!("{above}{name}"));
                }
            }
            _ => {}
        }
    }
}

/// Returns a file of arguments, one on each line, in the form that the tools read (`@file`;
/// `objabi.DecodeArg`).
fn arguments(arguments: impl IntoIterator<Item = String>) -> String {
    let encoded = |argument: String| argument.replace('\\', "\\\\").replace('\n', "\\n") + "\n";
    arguments.into_iter().map(encoded).collect()
}

/// Returns the language version of a version of Go: `1.27` for `1.27.3` and for `1.27rc1` (`gover.Lang`).
fn language_of(version: &str) -> &str {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let major = digits(version);
    match version[major..].strip_prefix('.') {
        Some(rest) => &version[..major + 1 + digits(rest)],
        None => &version[..major],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_of_go_has_a_language() {
        for (version, language) in [
            ("1.27.3", "1.27"),
            ("1.27", "1.27"),
            ("1.27rc1", "1.27"),
            ("1.9.0", "1.9"),
            ("2", "2"),
        ] {
            assert_eq!(language_of(version), language);
        }
    }

    #[test]
    fn arguments_survive_their_file() {
        assert_eq!(arguments(["-a".to_owned(), "b\\c\nd".to_owned()]), "-a\nb\\\\c\\nd\n");
    }

    fn own(folder: &str) -> Own {
        Own { folder: ProjectPath::parse(folder).unwrap(), embeds: false }
    }

    #[test]
    fn a_package_is_compiled_from_files_of_the_project_and_of_bindings() {
        let overlay = BTreeMap::from([("/src/m/e/b.go".to_owned(), "/bindings/e/b.go".to_owned())]);
        let overlay = Overlay { replace: overlay };
        let listed = |json: &str| Listed::read(json.as_bytes()).unwrap().remove(0);
        let package = listed(
            r#"{"Dir": "/src/m/e", "GoFiles": ["a.go", "b.go"], "Module": {"GoVersion": "1.26"}}"#,
        );
        assert_eq!(
            own("m/e").arguments("a.org/m/e", Some(&package), &overlay).unwrap(),
            "-lang=go1.26\n-trimpath=/src/m/e=>a.org/m/e;/bindings/e=>a.org/m/e\nm/e/a.go\n/bindings/e/b.go\n"
        );
        assert_eq!(own("m/e").arguments("a.org/m/e", None, &overlay).unwrap(), "/go/empty.go\n");
        let error = own("m/e")
            .arguments("a.org/m/e", Some(&listed(r#"{"SFiles": ["x.s", "y.s"]}"#)), &overlay)
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "`a.org/m/e` has assembly (x.s, y.s), which is compiled in other people's modules only"
        );
    }
}
