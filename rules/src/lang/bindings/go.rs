//! Makes the generator's files usable for Go: it gives them their places in the user's module, and adds
//! messages that say which function is missing.
//!
//! The files stay in a folder of their own. An overlay (`-overlay`) tells the go command to treat them as part
//! of the module. This file knows nothing of how the go command is run.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::json;
use wit_bindgen_core::WorldGenerator;
use wit_parser::{Resolve, WorldId, WorldItem};

use crate::path::ProjectPath;
use crate::wit::async_functions;

/// The folder in which actions see the bindings.
pub(in crate::lang) const PLACE: &str = "bindings";
/// The overlay that gives the bindings their places in the module.
pub(in crate::lang) const OVERLAY: &str = "overlay.json";
/// The Go module that bindings call at run time.
pub(in crate::lang) const RUNTIME: &str = "go.bytecodealliance.org/pkg";
/// The version of the run-time module that bindings are made for.
pub(in crate::lang) const RUNTIME_VERSION: &str = "v0.4.0";
/// The folder of the run-time module in the toolchain's image.
pub(in crate::lang) const RUNTIME_FOLDER: &str = "/usr/lib/go-pkg";
/// The packages of the run-time module, each with those of its files that are compiled for WebAssembly.
const RUNTIME_FILES: [(&str, &[&str]); 3] = [
    ("wit/async", &["async.go"]),
    ("wit/runtime", &["runtime.go"]),
    ("wit/types", &["future.go", "option.go", "result.go", "stream.go", "tuple.go", "unit.go"]),
];
/// The go.mod that the run-time module gets in place of its own. Its own requires the newest Go, and so would
/// the module of every user who depends on it.
const RUNTIME_MANIFEST: &str = "module go.bytecodealliance.org/pkg\n\ngo 1.17\n";
/// The version of the Go language that the bindings and the run-time module are written in. The go.mod of the
/// user may name an older one.
pub(in crate::lang) const LANGUAGE: &str = "1.24";

/// The build mode of every program. A program is linked as a library, so that Go starts to run before
/// anything in the program is called.
pub(in crate::lang) const BUILD_MODE: &str = "c-shared";
/// The name of the file that is added to the main package of a command.
pub(in crate::lang) const COMMAND: &str = "wit_command.go";
/// The source text that makes a command of a library.
///
/// The memory that the WASI 0.1 adapter asks for has to come from Go. If the adapter grew the memory by
/// itself, Go would overwrite it, because Go takes all memory that is grown for its own. The adapter asks
/// before Go's allocator is ready, so the memory comes from `sbrk`, on which the allocator itself is built.
/// And Go has to have started before the adapter asks, which is before it calls `_start`; only a library does
/// that (`_initialize`).
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

/// The path at which the go command sees the file that sets the first argument. Go runs the `init` functions
/// of a package in the order of its file names, so the own `init` of package `os` has run before this one.
pub(in crate::lang) const FIRST_ARGUMENT: &str = "/usr/lib/go/src/os/wit_first_argument.go";
/// The name of that file in the folder of bindings.
pub(in crate::lang) const FIRST_ARGUMENT_FILE: &str = "first_argument.go";
pub(in crate::lang) const FIRST_ARGUMENT_TEXT: &str = "\
package os

func init() {
	if len(Args) == 0 {
		Args = []string{\"component\"}
	}
}
";

/// The places of bindings in the user's module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::lang) struct Layout {
    /// The import path of the main package. The bindings stand below it in `imports` and `exports`. `None`
    /// for a module named `wit_component` whose root is the main package, which is the generator's other
    /// layout.
    pub(in crate::lang) package: Option<String>,
    /// The folder of the main package.
    pub(in crate::lang) folder: ProjectPath,
    /// The module's folder `vendor`, if third-party code stands there.
    pub(in crate::lang) vendor: Option<ProjectPath>,
    /// True if the program is a command, in which nothing imports the package of exports.
    pub(in crate::lang) command: bool,
}

/// An error for a program that cannot be a component of its world.
#[derive(Debug, thiserror::Error)]
pub(in crate::lang) enum Unfit {
    /// The program does not link the package through which its exports are called.
    #[error(
        "world `{world}` exports {exports}, but nothing in `{folder}` imports \
         \"{package}/exports/wit_exports\": add `import _ \"{package}/exports/wit_exports\"` to its main \
         package"
    )]
    NotLinked { world: String, exports: String, folder: ProjectPath, package: String },
    /// The world has an asynchronous function.
    #[error(
        "world `{world}` has the async function `{function}`, and such need another Go than the released one: make it a \
         function without `async`"
    )]
    Async { world: String, function: String },
}

impl Layout {
    /// Returns the generator, either for bindings or for stubs of the functions that the user has to write.
    pub(in crate::lang) fn generator(&self, stubs: bool) -> Box<dyn WorldGenerator> {
        wit_bindgen_go::Opts {
            // Otherwise it would run whatever `gofmt` the machine has.
            format: wit_bindgen_go::Format::False,
            pkg_name: self.package.clone(),
            generate_stubs: stubs,
            quiet: true,
            ..Default::default()
        }
        .build()
    }

    /// Adds to the generator's files what Go needs besides, and returns the path and content of each file.
    pub(in crate::lang) fn complete(
        &self,
        bindings: Vec<(String, Vec<u8>)>,
        stubs: Vec<(String, Vec<u8>)>,
    ) -> Vec<(String, Vec<u8>)> {
        let mut all = texts(bindings);
        let mut stubs = texts(stubs);
        stubs.retain(|path, _| path.ends_with("wit_bindings.go") && is_export(path));
        // The `.s` files are for tests without WebAssembly. The module has a go.mod of its own.
        all.retain(|path, _| path != "go.mod" && !path.ends_with(".s"));
        if self.command {
            all.insert(COMMAND.to_owned(), COMMAND_TEXT.to_owned());
        }
        // A build constraint lets a file use a newer version of the language than its module does.
        for (_, text) in all.iter_mut().filter(|(path, _)| path.ends_with(".go")) {
            text.insert_str(0, &format!("//go:build go{LANGUAGE}\n\n"));
        }
        let signatures = signatures(&stubs, &all);
        for (path, text) in &mut all {
            if path.ends_with("wit_exports.go") {
                *text = self.with_signatures(text, &signatures);
            }
        }
        // A package that the user has not written yet gets a file without functions.
        for path in stubs.into_keys() {
            let package = format!("package {}\n", package_of(&path));
            all.entry(path).or_insert(package);
        }
        let everything = overlay(self, all.keys());
        all.insert(OVERLAY.to_owned(), everything);
        all.insert("runtime.mod".to_owned(), RUNTIME_MANIFEST.to_owned());
        all.insert(FIRST_ARGUMENT_FILE.to_owned(), FIRST_ARGUMENT_TEXT.to_owned());
        all.into_iter().map(|(path, text)| (path, text.into_bytes())).collect()
    }

    /// Returns the folder of the package through which exports are called. In the generator's other layout
    /// that is the main package itself.
    pub(in crate::lang) fn exports(&self) -> ProjectPath {
        match &self.package {
            Some(_) => self.folder.join("exports/wit_exports"),
            None => self.folder.clone(),
        }
    }

    /// Refuses a world with functions that Go cannot have, and a command whose world exports more than a
    /// command does.
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

    /// Marks each line that calls a function of the user with a `//line` that holds the function's package
    /// and signature. So the compiler's message about a missing or wrong function says how it has to look.
    /// [`expected`] reads this from the message again.
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
            // The lines up to here use what the user's function returned.
            if inside && line == "}" {
                annotated.push_str(&format!("//line wit_exports.go:{}\n", number + 2));
                inside = false;
            }
        }
        annotated
    }
}

/// Returns the folder in the project and the signature that a line of the compiler's output asks for, such as
/// `shop/exports/export_demo_calc_ops` and `func Add(a uint32) uint32`. `None` if the line asks for none.
pub(in crate::lang) fn expected(line: &str) -> Option<(&str, &str)> {
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

/// Returns the package of a file, which is the name of its folder.
fn package_of(path: &str) -> &str {
    path.rsplit('/').nth(1).unwrap_or_default()
}

/// Returns true if a file of the bindings is there for the exports.
fn is_export(path: &str) -> bool {
    path.ends_with("wit_exports.go") || path.starts_with("exports/") || path.starts_with("export_")
}

/// Returns the text of an overlay: a map from files in the module to files of the bindings.
fn overlay<'a>(layout: &Layout, files: impl Iterator<Item = &'a String>) -> String {
    let place = |folder: &ProjectPath, path: &str| format!("/src/{}", folder.join(path));
    let mut replace: BTreeMap<String, String> =
        files.map(|path| (place(&layout.folder, path), format!("/{PLACE}/{path}"))).collect();
    replace.insert(FIRST_ARGUMENT.to_owned(), format!("/{PLACE}/{FIRST_ARGUMENT_FILE}"));
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

/// Returns the lines of `vendor/modules.txt` that name the run-time module. Empty if `modules` has them
/// already.
pub(in crate::lang) fn vendored_runtime(modules: &str, version: &str) -> String {
    if modules.lines().any(|line| line.starts_with(&format!("# {RUNTIME} "))) {
        return String::new();
    }
    let packages = RUNTIME_FILES.map(|(package, _)| format!("{RUNTIME}/{package}\n"));
    format!("# {RUNTIME} {version}\n## explicit; go 1.24\n{}", packages.concat())
}

/// Returns the signatures of the functions that only the stubs have, which are those the user has to write.
/// An entry is, for example, `export_demo_calc_ops.Add` → `func Add(a uint32) uint32`.
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
        Layout { package: Some("a.org/shop".into()), folder, vendor: None, command: false }
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
    fn an_overlay_puts_files_into_the_module() {
        let files = ["imports/x/wit_bindings.go".to_owned()];
        assert_eq!(
            overlay(&layout(), files.iter()),
            "{\"Replace\":{\"/src/shop/imports/x/wit_bindings.go\":\
             \"/bindings/imports/x/wit_bindings.go\",\
             \"/usr/lib/go-pkg/go.mod\":\"/bindings/runtime.mod\",\
             \"/usr/lib/go/src/os/wit_first_argument.go\":\"/bindings/first_argument.go\"}}"
        );
    }
}
