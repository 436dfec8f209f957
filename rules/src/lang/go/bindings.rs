//! What bindings of Go need besides the generator's files: the places they take in the user's module
//! and messages that say which function is missing.
//!
//! The files stay in a folder of their own. The go command is told by overlays (`-overlay`) that they
//! stand in the module: one overlay with the bindings of imports alone, for the layer that compiles
//! them, one with all.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::json;
use wit_bindgen_core::WorldGenerator;
use wit_parser::{Resolve, WorldId, WorldItem};

use super::module::RUNTIME;
use crate::path::ProjectPath;
use crate::wit::async_functions;

/// Where actions see the bindings.
pub(super) const PLACE: &str = "bindings";
/// The overlay with all of them.
pub(super) const OVERLAY: &str = "overlay.json";
/// The overlay with those that can be compiled without the user's code.
pub(super) const IMPORTS: &str = "imports.json";
/// Where the toolchain has the package that bindings call at run time.
pub(super) const RUNTIME_FOLDER: &str = "/usr/lib/go-pkg";
/// Its packages, and the files of each that count for WebAssembly.
const RUNTIME_FILES: [(&str, &[&str]); 3] = [
    ("wit/async", &["async.go"]),
    ("wit/runtime", &["runtime.go"]),
    ("wit/types", &["future.go", "option.go", "result.go", "stream.go", "tuple.go", "unit.go"]),
];
/// The go.mod that its folder is given: its own asks for the newest Go, and so would every user's.
const RUNTIME_MANIFEST: &str = "module go.bytecodealliance.org/pkg\n\ngo 1.17\n";
/// The version of the language that bindings and their run-time package are written in. A user's module may be older.
pub(super) const LANGUAGE: &str = "1.24";

/// How every program is linked: as a library, which has Go run before anything of it is called.
pub(super) const BUILD_MODE: &str = "c-shared";
/// A file of the main package of a command.
pub(super) const COMMAND: &str = "wit_command.go";
/// What makes a command of a library. The memory that the WASI 0.1 adapter asks for has to come from Go: if the adapter grows
/// the memory by itself, Go, which takes all that is grown for its own, writes over it. It asks before Go's allocator is
/// ready, so this is the ground that the allocator itself stands on. And Go has to have begun to run before it is asked, which
/// only a library does (`_initialize`): the adapter asks before it calls `_start`.
const COMMAND_TEXT: &str = "\
package main

import \"unsafe\"

//go:wasmexport _start
func witCommandStart() {
	main()
}

//go:linkname witCommandSbrk runtime.sbrk
func witCommandSbrk(n uintptr) unsafe.Pointer

//go:wasmexport cabi_realloc
func witCommandRealloc(old unsafe.Pointer, oldSize, align, size uintptr) unsafe.Pointer {
	if old != nil || oldSize != 0 {
		panic(\"memory of the adapter is not moved\")
	}
	start := witCommandSbrk(size + align)
	return unsafe.Add(start, -uintptr(start)&(align-1))
}
";

/// How bindings fit into the user's module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::lang) struct Layout {
    /// The import path of the main package, below which the bindings stand in `imports` and
    /// `exports`. `None` for a module `wit_component`, whose root is the main package: the
    /// generator's other way.
    pub(in crate::lang) package: Option<String>,
    /// The folder of the main package.
    pub(in crate::lang) folder: ProjectPath,
    /// The module's folder `vendor`, if third-party code is there.
    pub(in crate::lang) vendor: Option<ProjectPath>,
    /// Whether the program is a command: nothing of it imports the package of exports.
    pub(in crate::lang) command: bool,
    /// The folders of exports in which the user has written something.
    pub(in crate::lang) written: BTreeSet<ProjectPath>,
}

/// Why a program can't be a component of its world.
#[derive(Debug, thiserror::Error)]
pub(in crate::lang) enum Unfit {
    /// Nothing of it calls what it exports.
    #[error(
        "world `{world}` exports {exports}, but nothing in `{folder}` imports \
         \"{package}/exports/wit_exports\": add `import _ \"{package}/exports/wit_exports\"` to its main \
         package"
    )]
    NotLinked { world: String, exports: String, folder: ProjectPath, package: String },
    /// A function is asynchronous.
    #[error(
        "world `{world}` has the async function `{function}`, and such need another Go than the released one: make it a \
         function without `async`, or write the component in Rust, Python or JavaScript"
    )]
    Async { world: String, function: String },
}

impl Layout {
    /// The generator, for bindings or for stubs of what the user has to write.
    pub(in crate::lang) fn generator(&self, stubs: bool) -> Box<dyn WorldGenerator> {
        wit_bindgen_go::Opts {
            // It would otherwise run whatever `gofmt` the machine has.
            format: wit_bindgen_go::Format::False,
            pkg_name: self.package.clone(),
            generate_stubs: stubs,
            quiet: true,
            ..Default::default()
        }
        .build()
    }

    /// The generator's files and what is added to them: path → content.
    pub(in crate::lang) fn complete(
        &self,
        bindings: Vec<(String, Vec<u8>)>,
        stubs: Vec<(String, Vec<u8>)>,
    ) -> Vec<(String, Vec<u8>)> {
        let mut all = texts(bindings);
        let mut stubs = texts(stubs);
        stubs.retain(|path, _| path.ends_with("wit_bindings.go") && is_export(path));
        // Other than go.mod, these are for tests without WebAssembly.
        all.retain(|path, _| path != "go.mod" && !path.ends_with(".s"));
        if self.command {
            all.insert(COMMAND.to_owned(), COMMAND_TEXT.to_owned());
        }
        // A file may be of a newer language than its module.
        for (_, text) in all.iter_mut().filter(|(path, _)| path.ends_with(".go")) {
            text.insert_str(0, &format!("//go:build go{LANGUAGE}\n\n"));
        }
        let signatures = signatures(&stubs, &all);
        for (path, text) in &mut all {
            if path.ends_with("wit_exports.go") {
                *text = self.with_signatures(text, &signatures);
            }
        }
        // A package that the user has not written yet is one without functions.
        for path in stubs.into_keys() {
            let package = format!("package {}\n", package_of(&path));
            all.entry(path).or_insert(package);
        }
        // Patterns of packages would otherwise match nothing in a world without imports.
        for folder in ["imports", "exports"] {
            all.insert(format!("{folder}/doc.go"), format!("package {folder}\n"));
        }
        let imports = overlay(self, all.keys().filter(|path| !self.needs_user(path)));
        let everything = overlay(self, all.keys());
        all.insert(IMPORTS.to_owned(), imports);
        all.insert(OVERLAY.to_owned(), everything);
        all.insert("runtime.mod".to_owned(), RUNTIME_MANIFEST.to_owned());
        all.into_iter().map(|(path, text)| (path, text.into_bytes())).collect()
    }

    /// Whether a file of bindings can't be compiled without the user's code.
    fn needs_user(&self, path: &str) -> bool {
        let folder = self.folder.join(path).parent();
        path.ends_with("wit_exports.go") || path == COMMAND || self.written.contains(&folder)
    }

    /// The folder of the package through which exports are called: the main one itself, in the
    /// generator's other way.
    pub(super) fn exports(&self) -> ProjectPath {
        match &self.package {
            Some(_) => self.folder.join("exports/wit_exports"),
            None => self.folder.clone(),
        }
    }

    /// Whether bindings may be among the files of the package in `folder`.
    pub(super) fn has_bindings(&self, folder: &ProjectPath) -> bool {
        *folder == self.exports()
            || self.command && *folder == self.folder
            || self.written.contains(folder)
            || folder.is_in(&self.folder.join("imports"))
    }

    /// Refuses a world with functions that Go can't have, and a command whose world asks for more than a command is.
    pub(in crate::lang) fn check(&self, resolve: &Resolve, world: WorldId) -> Result<(), Unfit> {
        let asynchronous = async_functions(resolve, &resolve.worlds[world]);
        if let Some(function) = asynchronous.into_iter().next() {
            return Err(Unfit::Async { world: resolve.worlds[world].name.clone(), function });
        }
        let Some(package) = self.package.as_ref().filter(|_| self.command) else { return Ok(()) };
        let exports = resolve.worlds[world].exports.iter();
        let names: Vec<String> = exports
            .filter(|(_, item)| !matches!(item, WorldItem::Type { .. }))
            .map(|(key, _)| resolve.name_world_key(key))
            .filter(|name| !name.starts_with("wasi:cli/run@"))
            .map(|name| format!("`{name}`"))
            .collect();
        if names.is_empty() {
            return Ok(());
        }
        Err(Unfit::NotLinked {
            world: resolve.worlds[world].name.clone(),
            exports: names.join(", "),
            folder: self.folder.clone(),
            package: package.clone(),
        })
    }

    /// Gives the lines that call a function of the user the function's package and signature as
    /// their place, so that the compiler's message about a missing or wrong function says how it has
    /// to look ([`expected`] reads it again).
    fn with_signatures(&self, text: &str, signatures: &BTreeMap<String, String>) -> String {
        let folder = match &self.package {
            Some(_) => self.folder.join("exports"),
            None => self.folder.clone(),
        };
        let mut annotated = String::new();
        let mut inside = false;
        for (number, line) in text.lines().enumerate() {
            let called = signatures.iter().find(|(name, _)| line.contains(&format!("{name}(")));
            if let Some((name, signature)) = called {
                let package = folder.join(name.split('.').next().unwrap_or_default());
                annotated.push_str(&format!("//line /src/{package} ({signature}):1\n"));
                inside = true;
            }
            annotated.push_str(line);
            annotated.push('\n');
            // What the function returns is used until here.
            if inside && line == "}" {
                annotated.push_str(&format!("//line wit_exports.go:{}\n", number + 2));
                inside = false;
            }
        }
        annotated
    }
}

/// The folder in the project and the signature that a line of the compiler's output asks for:
/// `shop/exports/export_demo_calc_ops` and `func Add(a uint32) uint32`.
pub(super) fn expected(line: &str) -> Option<(&str, &str)> {
    let line = line.trim();
    let start = line.find(" (func ")?;
    let rest = &line[start + " (".len()..];
    let end = rest.match_indices("):").map(|(end, _)| end).find(|end| {
        let place = rest[end + "):".len()..].trim_start_matches(|c: char| c.is_ascii_digit());
        place.starts_with(": ")
    })?;
    let folder = &line[..start];
    Some((folder.strip_prefix("/src/").unwrap_or(folder), &rest[..end]))
}

fn texts(files: Vec<(String, Vec<u8>)>) -> BTreeMap<String, String> {
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    files.into_iter().map(|(path, bytes)| (path, text(bytes))).collect()
}

/// The package of a file: the name of its folder.
fn package_of(path: &str) -> &str {
    path.rsplit('/').nth(1).unwrap_or_default()
}

/// Whether a file of bindings is there for the sake of exports.
fn is_export(path: &str) -> bool {
    path.ends_with("wit_exports.go") || path.starts_with("exports/") || path.starts_with("export_")
}

/// The text of an overlay: file in the module → file of the bindings.
fn overlay<'a>(layout: &Layout, files: impl Iterator<Item = &'a String>) -> String {
    let place = |folder: &ProjectPath, path: &str| format!("/src/{}", folder.join(path));
    let mut replace: BTreeMap<String, String> =
        files.map(|path| (place(&layout.folder, path), format!("/{PLACE}/{path}"))).collect();
    match &layout.vendor {
        None => {
            replace.insert(format!("{RUNTIME_FOLDER}/go.mod"), format!("/{PLACE}/runtime.mod"));
        }
        Some(vendor) => {
            for (package, names) in RUNTIME_FILES {
                for name in names {
                    let path = format!("{package}/{name}");
                    let vendored = place(vendor, &format!("{RUNTIME}/{path}"));
                    replace.insert(vendored, format!("{RUNTIME_FOLDER}/{path}"));
                }
            }
        }
    }
    json!({ "Replace": replace }).to_string()
}

/// The lines of `vendor/modules.txt` that name the run-time package, unless `modules` has it.
pub(super) fn vendored_runtime(modules: &str, version: &str) -> String {
    if modules.lines().any(|line| line.starts_with(&format!("# {RUNTIME} "))) {
        return String::new();
    }
    let packages = RUNTIME_FILES.map(|(package, _)| format!("{RUNTIME}/{package}\n"));
    format!("# {RUNTIME} {version}\n## explicit; go 1.24\n{}", packages.concat())
}

/// The signatures of functions that only stubs have, and the user is to write:
/// `export_demo_calc_ops.Add` → `func Add(a uint32) uint32`.
fn signatures(
    stubs: &BTreeMap<String, String>,
    bindings: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for (path, text) in stubs {
        let generated = bindings.get(path).map_or("", String::as_str);
        for line in text.lines().filter(|line| !generated.contains(line)) {
            let Some(declared) = line.strip_prefix("func ") else { continue };
            let Some((name, _)) = declared.split_once('(') else { continue };
            let signature =
                line.trim_end_matches(['{', ' ']).replace("(_", "(").replace(", _", ", ");
            found.insert(format!("{}.{name}", package_of(path)), signature);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout() -> Layout {
        let folder = ProjectPath::parse("shop").unwrap();
        let written = BTreeSet::from([folder.join("exports/export_demo_calc_ops")]);
        Layout { package: Some("a.org/shop".into()), folder, vendor: None, command: false, written }
    }

    #[test]
    fn calls_carry_the_signature_they_need() {
        let stubs = BTreeMap::from([(
            "exports/export_demo_calc_ops/wit_bindings.go".to_owned(),
            "package export_demo_calc_ops\n\nfunc Add(_a uint32, _b uint32) uint32 {\n}\n"
                .to_owned(),
        )]);
        let text = "func wasm_export_add() {\n\tresult := export_demo_calc_ops.Add(arg0, arg1)\n\
                    \treturn result\n}\nb\n";
        let known = BTreeMap::from([(
            "exports/export_demo_calc_ops/wit_bindings.go".to_owned(),
            "func generated() {}\n".to_owned(),
        )]);
        assert_eq!(
            layout().with_signatures(text, &signatures(&stubs, &known)),
            "func wasm_export_add() {\n\
             //line /src/shop/exports/export_demo_calc_ops (func Add(a uint32, b uint32) uint32):1\n\
             \tresult := export_demo_calc_ops.Add(arg0, arg1)\n\treturn result\n}\n\
             //line wit_exports.go:5\nb\n"
        );
    }

    #[test]
    fn the_signature_is_read_again_from_a_message() {
        let check = |line: &str, expect: Option<(&str, &str)>| assert_eq!(expected(line), expect);
        check(
            "/src/shop/exports/export_ops (func Add(a uint32) uint32):1: undefined: export_ops.Add",
            Some(("shop/exports/export_ops", "func Add(a uint32) uint32")),
        );
        check(
            "exports/export_ops (func Get() string):12: cannot use result (variable of type int)",
            Some(("exports/export_ops", "func Get() string")),
        );
        check("exports/export_ops/ops.go:3:1: undefined: x", None);
    }

    #[test]
    fn bindings_wait_for_the_user_only_where_there_is_a_package_of_the_users() {
        let check =
            |path: &str, expect: bool| assert_eq!(layout().needs_user(path), expect, "{path}");
        check("imports/x/wit_bindings.go", false);
        check("exports/export_demo_calc_ops/wit_bindings.go", true);
        check("exports/export_demo_calc_types/wit_bindings.go", false);
        check("exports/wit_exports/wit_exports.go", true);
    }

    #[test]
    fn an_overlay_puts_files_into_the_module() {
        let files = ["imports/x/wit_bindings.go".to_owned()];
        assert_eq!(
            overlay(&layout(), files.iter()),
            "{\"Replace\":{\"/src/shop/imports/x/wit_bindings.go\":\
             \"/bindings/imports/x/wit_bindings.go\",\
             \"/usr/lib/go-pkg/go.mod\":\"/bindings/runtime.mod\"}}"
        );
    }
}
