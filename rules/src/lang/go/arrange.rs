//! Turns what the go command lists into the packages that are to be compiled, and arguments for the linker.
//!
//! So an edit runs the compiler for one package, and the linker, but not the go command, which would look at
//! every package again. The arguments are those that the go command itself would pass; see gc.go of its
//! package `work` in Go's sources.

use std::collections::{BTreeMap, BTreeSet};

use cache::{ContentStore, Entry, Tree};
use engine::{Artifact, Builtin, BuiltinContext, BuiltinError};
use serde::Deserialize;
use serde_json::json;

use super::build_info;
use super::embed;
use super::fetch::MODULES;
use super::listed::{Listed, ListedModule};
use super::not_compiled::{NotCompiled, Ways};
use super::program::{Origin, Piece, Program};
use crate::lang::bindings::go::{BUILD_MODE, LANGUAGE, PLACE, RUNTIME};

/// The version of the language of a module whose go.mod states none.
const FIRST_LANGUAGE: &str = "1.16";

/// The package that the compiler knows by itself.
const UNSAFE: &str = "unsafe";

/// The action that arranges a component's packages. The constants name its inputs and outputs.
#[derive(Debug)]
pub(super) struct Arrange {
    /// The import path of the main package.
    pub(super) main: String,
    /// Further arguments of the linker (`-ldflags`).
    pub(super) link: Vec<String>,
    /// The flag `-tags`, if there are any.
    pub(super) tags: Option<String>,
}

/// An error for which the packages cannot be arranged.
#[derive(Debug, thiserror::Error)]
enum ArrangeError {
    #[error("the go command's answer is not understood")]
    Answer(#[from] serde_json::Error),
    #[error("{0}")]
    NotCompiled(NotCompiled),
}

/// An overlay of the go command (`-overlay`): file as it is named → file that is read.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Overlay {
    replace: BTreeMap<String, String>,
}

impl Arrange {
    /// Input: the bindings.
    pub(super) const BINDINGS: &'static str = PLACE;
    /// Input: what the go command says of all packages of the component.
    pub(super) const LISTED: &'static str = "listed.json";

    /// Output: the [`Program`].
    pub(super) const PROGRAM: &'static str = "program.json";
    /// Output: the places of the packages, for the linker.
    pub(super) const LINKED: &'static str = "importcfg.link";
    /// Output: arguments of the linker.
    pub(super) const LINK: &'static str = "link.args";

    /// Returns the path below the root at which the compiler sees the export data of the package `path`, and the
    /// linker its code.
    pub(super) fn place_of(path: &str) -> String {
        format!("pkg/{path}.a")
    }

    /// Returns the list of packages with their places, and the information that becomes a part of the program.
    fn linked(&self, program: &Program, listed: &[Listed], main: Option<&Listed>) -> String {
        let packages = program.packages.iter().filter(|piece| piece.path != self.main);
        let line = |path: &str| format!("packagefile {path}=/{}\n", Self::place_of(path));
        // The order of the file decides about nothing; sorted, it is the same for the same packages.
        let lines: BTreeSet<String> = packages.map(|piece| line(&piece.path)).collect();
        lines.into_iter().collect::<String>() + &self.build_info(listed, main)
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

impl Program {
    fn new(listed: &[Listed], overlay: &Overlay) -> Result<Self, ArrangeError> {
        let ways = Ways::new(listed);
        let needed = listed.iter().filter(|package| package.import_path != UNSAFE);
        let packages = needed.map(|package| Piece::new(package, overlay, &ways));
        Ok(Self { packages: packages.collect::<Result<_, _>>()? })
    }
}

impl Piece {
    fn new(package: &Listed, overlay: &Overlay, ways: &Ways<'_>) -> Result<Self, ArrangeError> {
        let Listed { import_path: path, dir, .. } = package;
        let told = NotCompiled::new(package, ways);
        if package.go_files.is_empty() {
            return Err(ArrangeError::NotCompiled(told));
        }
        let origin = Origin::of(package);
        let rewritten = package.shown_as();
        let mut places = vec![format!("{dir}=>{rewritten}")];
        let mut go_files = Vec::new();
        for name in &package.go_files {
            let file = format!("{dir}/{name}");
            match overlay.replace.get(&file) {
                Some(generated) => {
                    places.push(format!("{generated}=>{rewritten}/{name}"));
                    go_files.push(generated.clone());
                }
                None => go_files.push(file),
            }
        }
        let others = package.headers.iter().chain(&package.embed_files).cloned().collect();
        let imports = package.imports.iter().filter(|path| *path != UNSAFE).cloned().collect();
        Ok(Self {
            path: path.clone(),
            dir: dir.clone(),
            go_files,
            assembly: package.assembly.iter().map(|name| format!("{dir}/{name}")).collect(),
            others,
            imports,
            import_map: package.import_map.clone(),
            language: package.language().map(str::to_owned),
            trimpath: places.join(";"),
            embedded: (!package.embed_patterns.is_empty()).then(|| package.embedded()),
            note: matches!(origin, Origin::Module { .. }).then(|| told.to_string()),
            origin,
        })
    }
}

impl Origin {
    fn of(package: &Listed) -> Self {
        match &package.module {
            _ if package.standard => Self::Standard,
            Some(module) if !package.is_of_project() => {
                let below =
                    |dir: &str| dir.strip_prefix(&format!("/{MODULES}/")).map(str::to_owned);
                let name = format!("{} {}", module.path, module.version);
                Self::Module { name, folder: below(&module.dir) }
            }
            _ => Self::Project,
        }
    }
}

impl Listed {
    /// Returns the path that programs show in the place of the package's folder.
    fn shown_as(&self) -> String {
        let path = &self.import_path;
        match self.module.as_ref().filter(|module| !module.version.is_empty()) {
            Some(ListedModule { path: module, version, .. }) if !self.is_of_project() => {
                format!("{module}@{version}{}", path.strip_prefix(module.as_str()).unwrap_or(""))
            }
            _ => path.clone(),
        }
    }

    /// Returns the version of the language that the package is written in.
    fn language(&self) -> Option<&str> {
        let module = self.module.as_ref().filter(|_| !self.standard)?;
        if module.path == RUNTIME {
            return Some(LANGUAGE);
        }
        let version = module.go_version.as_deref();
        Some(version.map_or(FIRST_LANGUAGE, language_of))
    }

    /// Returns the file that tells the compiler about embedded files.
    fn embedded(&self) -> String {
        let files: BTreeMap<&String, String> =
            self.embed_files.iter().map(|file| (file, format!("{}/{file}", self.dir))).collect();
        let patterns: BTreeMap<&String, Vec<&String>> = self
            .embed_patterns
            .iter()
            .map(|pattern| {
                let stand_for = |file: &&String| embed::stands_for(pattern, file);
                (pattern, self.embed_files.iter().filter(stand_for).collect())
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
        "3"
    }

    fn arguments(&self) -> Vec<String> {
        vec![format!("{self:?}")]
    }

    fn run(&self, cx: &BuiltinContext) -> Result<(), BuiltinError> {
        let failed = |error: ArrangeError| BuiltinError::failed(&error);
        let listed = Listed::read(&cx.read(Self::LISTED)?)
            .map_err(|error| failed(ArrangeError::Answer(error)))?;
        let bindings = *cx.input(Self::BINDINGS).digest();
        let bindings = cx.store().tree(&bindings)?.ok_or(BuiltinError::Missing(bindings))?;
        let program = Program::new(&listed, &overlay(cx.store(), &bindings)?).map_err(failed)?;
        let main = listed.iter().find(|package| package.import_path == self.main);
        let json = serde_json::to_string(&program).map_err(|error| failed(error.into()))?;
        let texts = [
            (Self::PROGRAM, json),
            (Self::LINKED, self.linked(&program, &listed, main)),
            (Self::LINK, self.link(main)),
        ];
        for (output, text) in texts {
            let digest = cx.store().put(text.as_bytes())?;
            cx.produce(output, Artifact::File { digest, executable: false });
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

    fn piece(json: &str, overlay: &[(&str, &str)]) -> Result<Piece, ArrangeError> {
        let replace = overlay.iter().map(|(at, file)| ((*at).to_owned(), (*file).to_owned()));
        let listed = Listed::read(json.as_bytes()).unwrap();
        Piece::new(&listed[0], &Overlay { replace: replace.collect() }, &Ways::new(&listed))
    }

    #[test]
    fn a_package_is_compiled_from_files_of_the_project_and_of_bindings() {
        let package = r#"{"ImportPath": "a.org/m/e", "Dir": "/src/m/e", "GoFiles": ["a.go", "b.go"],
            "Imports": ["fmt", "unsafe"], "Module": {"Path": "a.org/m", "Main": true, "GoVersion": "1.26.1"}}"#;
        let piece = piece(package, &[("/src/m/e/b.go", "/bindings/e/b.go")]).unwrap();
        assert_eq!(piece.origin, Origin::Project);
        assert_eq!(piece.go_files, ["/src/m/e/a.go", "/bindings/e/b.go"]);
        assert_eq!(piece.trimpath, "/src/m/e=>a.org/m/e;/bindings/e/b.go=>a.org/m/e/b.go");
        assert_eq!((piece.language.as_deref(), piece.note.as_deref()), (Some("1.26"), None));
        assert_eq!(piece.imports, ["fmt"]);
        assert!(piece.is_complete());
    }

    #[test]
    fn a_package_of_others_is_found_in_its_module() {
        let package = r#"{"ImportPath": "B.org/m/e", "Dir": "/deps/mod/!b.org/m@v1.2.0/e", "GoFiles": ["a.go"],
            "SFiles": ["a.s"], "HFiles": ["a.h"], "EmbedPatterns": ["*.txt"], "EmbedFiles": ["b.txt"],
            "Module": {"Path": "B.org/m", "Version": "v1.2.0", "Dir": "/deps/mod/!b.org/m@v1.2.0"}}"#;
        let piece = piece(package, &[]).unwrap();
        let folder = Some("!b.org/m@v1.2.0".to_owned());
        assert_eq!(piece.origin, Origin::Module { name: "B.org/m v1.2.0".to_owned(), folder });
        assert_eq!(piece.trimpath, "/deps/mod/!b.org/m@v1.2.0/e=>B.org/m@v1.2.0/e");
        assert_eq!(piece.language.as_deref(), Some("1.16"));
        assert_eq!(piece.others, ["a.h", "b.txt"]);
        let embedded: serde_json::Value = serde_json::from_str(&piece.embedded.unwrap()).unwrap();
        let file = "/deps/mod/!b.org/m@v1.2.0/e/b.txt";
        let expect = json!({ "Patterns": { "*.txt": ["b.txt"] }, "Files": { "b.txt": file } });
        assert_eq!(embedded, expect);
        assert!(piece.note.unwrap().contains("does not compile"));
    }

    #[test]
    fn a_package_without_files_is_refused() {
        let error = piece(r#"{"ImportPath": "a.org/m", "IgnoredGoFiles": ["a_linux.go"]}"#, &[]);
        let told = error.unwrap_err().to_string();
        assert!(told.starts_with("`a.org/m` has no file to compile"), "{told}");
    }
}
