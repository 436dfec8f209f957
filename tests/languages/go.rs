//! Tests Go: a component in a module of its own, with other people's modules from a proxy.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use super::Silence;
use crate::harness::{self, Run, Workspace, imports, prints};
use crate::remedies::add_to_component;

const RUN_TOML: &str = "\
[project]
name = \"sums\"
version = \"0.1.0\"

[[component]]
name = \"sums\"
source = \"sums/main.go\"
language = \"go\"
wit = \"sums/wit\"
";

const WIT: &str = "\
package demo:sums@0.1.0;

interface ops {
    add: func(a: u32, b: u32) -> u32;
    parse: func(text: string) -> result<u32, string>;
}

world sums {
    export ops;
}
";

const MAIN: &str = "\
package main

import _ \"example.com/sums/exports/wit_exports\"

func main() {}
";

const OPS: &str = "\
// Package export_demo_sums_ops is demo:sums/ops.
package export_demo_sums_ops

import (
	_ \"embed\"
	\"strconv\"

	\"example.org/plus\"
	. \"go.bytecodealliance.org/pkg/wit/types\"
)

//go:embed complaint.txt
var complaint string

func Add(a, b uint32) uint32 { return plus.Add(a, b) }

func Parse(text string) Result[uint32, string] {
	number, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return Err[uint32, string](complaint)
	}
	return Ok[uint32, string](uint32(number))
}
";

pub(super) const GO_MOD: &str = "\
module example.com/sums

go 1.26

require example.org/plus v1.2.0

require example.org/deep v1.0.0 // indirect
";

/// The go.sum of the project, as `go mod tidy` wrote it.
pub(super) const GO_SUM: &str = "\
example.org/deep v1.0.0 h1:DZCb/Mr5i3W0zEJDo8V4eq9SsDrQo6faO4IUSW+Zmns=
example.org/deep v1.0.0/go.mod h1:NdCDZeByZC0V96rn47CT4dYH7ymdB2rIz7+XIjBJjj8=
example.org/plus v1.2.0 h1:JFOwZUudIJN/gsck1h9SNmIwTo23Vj4NOFD5lKdr1pg=
example.org/plus v1.2.0/go.mod h1:TtuEoJY73RtzVFTancwedhvVmRd/jCrZysxExOw/owY=
";

pub(super) const OPS_GO: &str = "sums/exports/export_demo_sums_ops/ops.go";

/// Makes a project whose modules come from a proxy in a folder, which the user's own configuration names.
pub(super) fn sums() -> Workspace {
    let workspace = Workspace::new()
        .file("run.toml", RUN_TOML)
        .file("run.lock.toml", include_str!("../../examples/polyglot/run.lock.toml"))
        .file("sums/wit/sums.wit", WIT)
        .file("sums/main.go", MAIN)
        .file(OPS_GO, OPS)
        .file("sums/exports/export_demo_sums_ops/complaint.txt", "not a number")
        .file("sums/go.mod", GO_MOD)
        .file("sums/go.sum", GO_SUM);
    let proxy = workspace.root().join("proxy");
    publish(
        &proxy,
        "example.org/deep",
        "v1.0.0",
        "module example.org/deep\n\ngo 1.20\n",
        ("deep.go", "package deep\n\nfunc Three() uint32 { return 3 }\n"),
    );
    publish(
        &proxy,
        "example.org/plus",
        "v1.2.0",
        "module example.org/plus\n\ngo 1.20\n\nrequire example.org/deep v1.0.0\n",
        (
            "plus.go",
            "package plus\n\nimport \"example.org/deep\"\n\n\
             func Add(a, b uint32) uint32 { return a + b + deep.Three() - 3 }\n",
        ),
    );
    workspace.configure_go(&format!("GOPROXY=file://{}\n", proxy.display()));
    workspace
}

/// Puts a module with one file into a proxy.
pub(super) fn publish(proxy: &Path, path: &str, version: &str, manifest: &str, file: (&str, &str)) {
    publish_files(proxy, path, version, manifest, &[file]);
}

/// Puts a module into a proxy (the Go modules reference, "GOPROXY protocol").
pub(super) fn publish_files(
    proxy: &Path,
    path: &str,
    version: &str,
    manifest: &str,
    files: &[(&str, &str)],
) {
    let folder = proxy.join(path).join("@v");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(format!("{version}.mod")), manifest).unwrap();
    let info = format!("{{\"Version\":\"{version}\",\"Time\":\"2020-01-01T00:00:00Z\"}}");
    std::fs::write(folder.join(format!("{version}.info")), info).unwrap();
    let file = std::fs::File::create(folder.join(format!("{version}.zip"))).unwrap();
    let mut archive = zip::ZipWriter::new(file);
    for (name, text) in files.iter().chain(&[("go.mod", manifest)]) {
        let options = zip::write::SimpleFileOptions::default();
        archive.start_file(format!("{path}@{version}/{name}"), options).unwrap();
        archive.write_all(text.as_bytes()).unwrap();
    }
    archive.finish().unwrap();
}

impl Workspace {
    /// Writes what `go env -w` would write.
    pub(super) fn configure_go(&self, text: &str) {
        let folder = self.root().join("home/.config/go");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("env"), text).unwrap();
    }

    #[track_caller]
    pub(super) fn fails(&self, code: i32, expected: &[&str]) -> Run {
        let run = self.run(["build"]).exits(code);
        for text in expected {
            assert!(run.stderr.contains(text), "no {text:?} in:\n{}", run.stderr);
        }
        run
    }
}

pub(super) fn call(component: &[u8], function: &str, argument: &[&str]) -> Option<String> {
    harness::call(component, Some("demo:sums/ops@0.1.0"), function, argument)
}

#[test]
fn a_module_with_other_peoples_modules_builds_and_an_edit_compiles_one_package() {
    let workspace = sums();
    workspace.run(["build"]).ok();
    let component = workspace.read("target/wasm/sums.wasm");
    assert_eq!(call(&component, "add", &["40", "2"]).as_deref(), Some("42"));
    assert_eq!(call(&component, "parse", &["\"7\""]).as_deref(), Some("ok(7)"));
    assert_eq!(call(&component, "parse", &["\"x\""]).as_deref(), Some("err(\"not a number\")"));
    let names = imports(&component);
    assert!(names.iter().all(|name| name.starts_with("wasi:")), "{names:?}");

    let unique = format!("return Err[uint32, string](\"{}\")", workspace.root().display());
    workspace.replace(OPS_GO, "return Err[uint32, string](complaint)", &unique);
    // The packages that import it are not compiled again, because its export data is the same.
    let compile = "sums:compile example.com/sums/exports/export_demo_sums_ops";
    let run = workspace.run(["build", "-j1"]).ok();
    assert_eq!(run.ran(), [compile, "sums:link", "sums:finish"]);
    // A build ignores the user's own tests.
    workspace.write("sums/main_test.go", "package main");
    assert_eq!(workspace.run(["build"]).ok().ran(), Vec::<&str>::new());
    // An unused package could be imported by other people's modules, so the files are listed again, but
    // nothing is compiled.
    let unique = format!("not Go {}", workspace.root().display());
    workspace.write("sums/other/other.go", unique);
    assert_eq!(workspace.run(["build", "-j1"]).ok().ran(), ["sums:list"]);

    // Modules that were fetched once are available to every project, without a network.
    let elsewhere = sums();
    std::fs::remove_dir_all(elsewhere.root().join("proxy")).unwrap();
    elsewhere.run(["build", "--offline"]).ok();
    assert!(elsewhere.read("target/wasm/sums.wasm") == component);
}

#[test]
fn errors_in_the_sources_are_told_in_the_users_terms() {
    let workspace = sums();
    workspace.replace(OPS_GO, "func Add(a, b uint32) uint32", "func Add(a, b uint64) uint32");
    workspace.replace(OPS_GO, "plus.Add(a, b)", "plus.Add(uint32(a), uint32(b))");
    workspace.fails(
        1,
        &[
            "sums:compile example.com/sums/exports/wit_exports",
            "cannot use uint32(arg0) (value of type uint32) as uint64 value",
            "the world asks for `func Add(a uint32, b uint32) uint32` in the package \
             `sums/exports/export_demo_sums_ops`",
        ],
    );
    let parse = "func Parse(text string) Result[uint32, string] {";
    let other = parse.replace("Parse", "other");
    let wrong = format!("func Parse(text string) int {{ return 1 }}\n\n{other}");
    workspace.replace(OPS_GO, parse, &wrong);
    workspace.fails(1, &["(type int has no field", "the world asks for `func Parse(text string)"]);
    workspace.write(OPS_GO, OPS);
    workspace.replace(OPS_GO, "func Parse(", "func Read(");
    workspace.fails(
        1,
        &[
            "undefined: export_demo_sums_ops.Parse",
            "the world asks for `func Parse(text string) witTypes.Result[uint32, string]`",
            "`witTypes` is \"go.bytecodealliance.org/pkg/wit/types\"",
        ],
    );
    workspace.replace(OPS_GO, "func Read(", "func Read((");
    workspace.fails(1, &["sums/exports/export_demo_sums_ops/ops.go:17:17: syntax error"]);
    // The go command reports this with its place.
    workspace.write(OPS_GO, OPS.replace("\"strconv\"", "\"strconvv\""));
    workspace.fails(1, &["sums:list", "ops.go:6:2: package strconvv is not in std"]);
    workspace.write(OPS_GO, OPS);
    workspace.write("sums/exports/export_demo_sums_ops/ops.s", "TEXT ·f(SB), 4, $0\n\tADDQ AX\n");
    workspace.fails(1, &["sums:assemble ops.s of", "ops.s:2: unrecognized instruction \"ADDQ\""]);
    std::fs::remove_file(workspace.path("sums/exports/export_demo_sums_ops/ops.s")).unwrap();
    workspace.write("sums/a/a.go", "package a\n\nimport _ \"example.com/sums/b\"\n");
    workspace.write("sums/b/b.go", "package b\n\nimport _ \"example.com/sums/a\"\n");
    let main = "package main\n\nimport _ \"example.com/sums/a\"";
    workspace.replace("sums/main.go", "package main\n", main);
    let cycle = "import cycle not allowed: example.com/sums/a imports example.com/sums/b imports \
                 example.com/sums/a";
    workspace.fails(2, &["run.toml:7:10", cycle]);
    // A package that has files only for another system is not a mistake.
    workspace.write("sums/b/b.go", "package b\n");
    workspace.write("sums/b/b_linux.go", "package b\n\nimport _ \"example.com/sums/a\"\n");
    workspace.write(OPS_GO, OPS);
    workspace.run(["build"]).ok();
    // The package with the exports is missing.
    std::fs::remove_dir_all(workspace.path("sums/exports")).unwrap();
    workspace.fails(1, &["undefined: export_demo_sums_ops.Add"]);
    workspace.replace("sums/main.go", "import _ \"example.com/sums/exports/wit_exports\"", "");
    workspace.fails(
        1,
        &[
            "world `sums` exports `demo:sums/ops@0.1.0`",
            "add `import _ \"example.com/sums/exports/",
        ],
    );
}

#[test]
fn a_module_of_others_that_does_not_compile_is_told() {
    let workspace = sums();
    let folder = "sums/vendor/example.org/plus";
    let list = "# example.org/deep v1.0.0\n## explicit; go 1.20\n\
                # example.org/plus v1.2.0\n## explicit; go 1.20\nexample.org/plus\n";
    workspace.write("sums/vendor/modules.txt", list);
    workspace.write(&format!("{folder}/plus.go"), "package plus\n\nfunc Add() { return 1 }\n");
    let complaint = "plus.go:3:21: too many return values";
    let step = "example.org/plus v1.2.0:compile example.org/plus exited";
    let way = "note: `example.com/sums/exports/export_demo_sums_ops` imports it";
    workspace.fails(1, &[step, "`example.org/plus` does not compile", way, complaint]);
}

#[test]
fn a_program_knows_how_it_was_built() {
    let workspace = command(
        "package main\n\nimport (\n\t\"embed\"\n\t\"fmt\"\n\t\"runtime/debug\"\n\n\
         \t\"a.org/words\"\n)\n\n\
         //go:embed texts all:hidden\nvar texts embed.FS\n\n\
         func main() {\n\tinfo, ok := debug.ReadBuildInfo()\n\
         \tfmt.Println(ok, info.Path, info.Main.Path, info.Deps[0].Path, info.Settings[0])\n\
         \tfiles, _ := texts.ReadDir(\"texts\")\n\tdeep, _ := texts.ReadFile(\"texts/deep/b.txt\")\n\
         \tfmt.Println(words.Greeting, len(files), string(deep))\n}\n",
    );
    workspace.write("sums/texts/a.txt", "a");
    workspace.write("sums/texts/_not.txt", "no");
    workspace.write("sums/texts/deep/b.txt", "b");
    workspace.write("sums/hidden/c.txt", "c");
    let first = "true example.com/hello example.com/hello a.org/words {-buildmode c-shared}\n";
    assert_eq!(printed(&workspace), format!("{first}Hello from Go! 2 b\n"));
    // Embedded files belong to the program, and only to the package that embeds them. Results are kept from
    // one run of the tests to the next, so it is another text each time.
    let unique = workspace.root().display().to_string();
    workspace.write("sums/texts/deep/b.txt", &unique);
    let run = workspace.run(["build", "-j1"]).ok();
    assert_eq!(run.ran(), ["sums:compile", "sums:link", "sums:finish"]);
    assert_eq!(printed(&workspace), format!("{first}Hello from Go! 2 {unique}\n"));
    // The next edit sets a build tag.
    workspace
        .write("words/loud.go", "//go:build loud\n\npackage words\n\nconst Greeting = \"HELLO\"\n");
    workspace.replace("words/words.go", "package words", "//go:build !loud\n\npackage words");
    assert!(printed(&workspace).ends_with(&format!("Hello from Go! 2 {unique}\n")));
    let env = "language = \"go\"\nenv = { GOFLAGS = \"-tags=loud\" }";
    workspace.replace("run.toml", "language = \"go\"", env);
    assert!(printed(&workspace).ends_with(&format!("HELLO 2 {unique}\n")));
    workspace.replace("run.toml", env, "language = \"go\"");
    std::fs::remove_file(workspace.path("words/loud.go")).unwrap();
    workspace.run(["build"]).ok();
    // One more line before the constant that others use changes the export data, so they are compiled as
    // well.
    let words = format!("package words\n\n\n\nconst Greeting = \"{unique}\"\n");
    workspace.write("words/words.go", words);
    let run = workspace.run(["build", "-j1"]).ok();
    let words = "sums:compile a.org/words";
    assert_eq!(run.ran(), [words, "sums:compile", "sums:link", "sums:finish"]);
}

#[test]
fn a_tinygo_that_no_component_asks_for_is_told() {
    let workspace = command("package main\n\nfunc main() {}\n");
    workspace.write("vendor/tinygo/bin/tinygo", "");
    workspace.run(["toolchain", "add", "tinygo@1.0.0", "--path", "vendor/tinygo"]).ok();
    let built = workspace.run(["build"]).ok().says("`compiler = \"tinygo\"`");
    // One remedy is to use the TinyGo. It can't build anything here, because it is only an empty file.
    let run_toml = workspace.read_text("run.toml");
    let (_, line) = built.stderr.split_once("write `").unwrap();
    add_to_component(&workspace, line.split('`').next().unwrap());
    let asked = workspace.run(["build", "--offline"]);
    assert!(!asked.stderr.contains("compiles no component"), "{}", asked.stderr);
    workspace.write("run.toml", run_toml);
    let (_, remedy) = built.stderr.split_once("take it out with `run ").unwrap();
    let remedy: Vec<&str> = remedy.split('`').next().unwrap().split(' ').collect();
    workspace.run_all(&remedy).ok();
    assert!(!workspace.run(["build"]).ok().stderr.contains("tinygo"));
}

#[test]
fn what_go_mod_and_go_sum_lack_is_told() {
    let workspace = sums();
    // go.mod does not name this package, and a build does not download it.
    workspace.replace(OPS_GO, "\"strconv\"", "\"strconv\"\n\t_ \"example.org/absent\"");
    workspace
        .fails(1, &["cannot find module providing package example.org/absent", "go mod tidy -e"]);
    workspace.write(OPS_GO, OPS);
    let require = "require example.org/other v1.0.0\n";
    workspace.write("sums/go.mod", format!("{GO_MOD}{require}"));
    workspace.fails(
        2,
        &[
            "run.toml:7:10",
            "`sums/go.sum` has no checksum of example.org/other@v1.0.0",
            "go -C sums mod tidy -e",
        ],
    );
    let sum = "h1:TtuEoJY73RtzVFTancwedhvVmRd/jCrZysxExOw/owY=";
    let other = format!("example.org/other v1.0.0/go.mod {sum}\nexample.org/other v1.0.0 {sum}\n");
    workspace.write("sums/go.sum", format!("{GO_SUM}{other}"));
    workspace
        .fails(1, &["cannot fetch module example.org/other@v1.0.0", "No such file or directory"]);
    workspace
        .run(["build", "--offline"])
        .exits(1)
        .says("is not on this machine, and this build is offline");
    workspace.write("sums/go.mod", GO_MOD);
    std::fs::remove_file(workspace.path("sums/go.sum")).unwrap();
    workspace.fails(2, &["there is no go.sum beside `sums/go.mod`", "go -C sums mod tidy -e"]);
    // Other bytes than the pinned ones.
    let wrong = GO_SUM.replace("JFOwZUud", "AAAAAAAA");
    workspace.write("sums/go.sum", wrong);
    workspace.fails(
        102,
        &[
            "example.org/plus@v1.2.0 has checksum h1:JFOwZUudIJN/gsck1h9SNmIwTo23Vj4NOFD5lKdr1pg=",
            "but go.sum pins h1:AAAAAAAA",
        ],
    );
    std::fs::remove_file(workspace.path("sums/go.mod")).unwrap();
    workspace.fails(2, &["`sums/main.go` belongs to no Go module", "go -C sums mod init"]);
}

#[test]
fn a_folder_vendor_is_taken_instead_of_modules() {
    let workspace = sums();
    workspace.configure_go("GOPROXY=off\n");
    std::fs::remove_file(workspace.path("sums/go.sum")).unwrap();
    let list = "# example.org/deep v1.0.0\n## explicit; go 1.20\nexample.org/deep\n\
                # example.org/plus v1.2.0\n## explicit; go 1.20\nexample.org/plus\n";
    workspace.write("sums/vendor/modules.txt", list);
    workspace.write("sums/vendor/example.org/deep/deep.go", "package deep\n");
    // This is not the module of the proxy: it multiplies.
    let plus = "package plus\n\nfunc Add(a, b uint32) uint32 { return a * b }\n";
    workspace.write("sums/vendor/example.org/plus/plus.go", plus);
    let run = workspace.run(["build"]).ok();
    assert!(!run.ran().iter().any(|action| action.ends_with(":fetch")), "{:?}", run.ran());
    let component = workspace.read("target/wasm/sums.wasm");
    assert_eq!(call(&component, "add", &["6", "7"]).as_deref(), Some("42"));
    workspace.write("sums/vendor/modules.txt", list.replace("v1.2.0", "v1.1.0"));
    workspace.fails(1, &["inconsistent vendoring", "go mod vendor"]);

    // A module of the project, which has been changed since it was copied.
    let workspace = command(
        "package main\n\nimport (\n\t\"fmt\"\n\n\t\"a.org/words\"\n)\n\n\
         func main() { fmt.Println(words.Greeting) }\n",
    );
    let list = "# a.org/words v0.0.0 => ../words\n## explicit; go 1.26\na.org/words\n\
                # a.org/words => ../words\n";
    workspace.write("sums/vendor/modules.txt", list);
    let words = "package words\n\nconst Greeting = \"Hello from vendor!\"\n";
    workspace.write("sums/vendor/a.org/words/words.go", words);
    assert_eq!(printed(&workspace), "Hello from vendor!\n");
}

#[test]
fn a_plain_program_is_a_command() {
    let workspace = command(
        "package main\n\nimport (\n\t\"fmt\"\n\n\t\"a.org/words\"\n)\n\n\
         func main() { fmt.Println(words.Greeting) }\n",
    );
    assert_eq!(printed(&workspace), "Hello from Go!\n");
}

/// Makes a project with the command `main`, which may use another module of the project.
pub(super) fn command(main: &str) -> Workspace {
    Workspace::new()
        .file("run.toml", RUN_TOML.replace("sums/wit", "sums/wit/sums.wit"))
        .file("run.lock.toml", include_str!("../../examples/polyglot/run.lock.toml"))
        .file(
            "sums/wit/sums.wit",
            "package demo:hello;\n\nworld hello {\n    include wasi:cli/command@0.2.4;\n}\n",
        )
        .file(
            "sums/go.mod",
            "module example.com/hello\n\ngo 1.26\n\nreplace a.org/words => ../words\n\n\
             require a.org/words v0.0.0\n",
        )
        .file("words/go.mod", "module a.org/words\n\ngo 1.26\n")
        .file("words/words.go", "package words\n\nconst Greeting = \"Hello from Go!\"\n")
        .file("sums/main.go", main)
}

/// Builds the command, and returns what it prints.
pub(super) fn printed(workspace: &Workspace) -> String {
    workspace.run(["build"]).ok();
    prints(&workspace.read("target/wasm/sums.wasm"))
}

#[test]
fn a_module_in_the_generators_own_layout_builds() {
    let workspace = Workspace::new()
        .file("run.toml", RUN_TOML.replace("main.go", "export_demo_sums_ops/ops.go"))
        .file("run.lock.toml", include_str!("../../examples/polyglot/run.lock.toml"))
        .file(
            "sums/wit/sums.wit",
            WIT.replace("    parse: func(text: string) -> result<u32, string>;\n", ""),
        )
        .file(
            "sums/go.mod",
            "module wit_component\n\ngo 1.26\n\nrequire go.bytecodealliance.org/pkg v0.4.0\n\n\
             replace go.bytecodealliance.org/pkg => /usr/lib/elsewhere\n",
        )
        .file(
            "sums/export_demo_sums_ops/ops.go",
            "package export_demo_sums_ops\n\nfunc Add(a, b uint32) uint32 { return a + b }\n",
        );
    workspace.run(["build"]).ok();
    let component = workspace.read("target/wasm/sums.wasm");
    assert_eq!(call(&component, "add", &["40", "2"]).as_deref(), Some("42"));
}

/// Returns the lines of go.sum for a module that nobody has published, with the checksum of nothing.
fn unpublished(workspace: &Workspace, module: &str) {
    workspace.write("sums/go.mod", format!("{GO_MOD}require {module} v1.0.0\n"));
    let sum = "h1:TtuEoJY73RtzVFTancwedhvVmRd/jCrZysxExOw/owY=";
    let sums = format!("{GO_SUM}{module} v1.0.0/go.mod {sum}\n{module} v1.0.0 {sum}\n");
    workspace.write("sums/go.sum", sums);
}

#[test]
fn a_silent_proxy_is_left_at_once_when_the_build_is_cancelled() {
    let workspace = sums();
    let proxy = Silence::start();
    workspace.configure_go(&format!("GOPROXY={}\n", proxy.url));
    unpublished(&workspace, "example.org/silent");
    proxy.is_left_by(workspace.spawn(&["build"]), &workspace);
}

#[test]
fn the_programs_of_an_image_never_run_outside_the_sandbox() {
    let workspace = sums();
    let hacked = workspace.root().join("hacked");
    let script = format!("#!/bin/sh\necho go >> {}\n", hacked.display());
    for path in ["usr/lib/go/bin/go", "usr/bin/go"] {
        workspace.program(&format!("vendor/image/{path}"), &script);
    }
    workspace.write("vendor/image/usr/lib/go/go.env", "GOAUTH=/bin/sh\n");
    workspace.pin_image("go", "1.27.3");
    let module = format!("example.org/{}", workspace.root().file_name().unwrap().display());
    let module = module.to_lowercase();
    let fails = |text: &str| {
        let run = workspace.run(["build"]).exits(1);
        assert!(!hacked.exists(), "{}", std::fs::read_to_string(&hacked).unwrap());
        assert!(run.stderr.contains(text), "no {text:?} in:\n{}", run.stderr);
    };
    // Some of the modules exist, one can't be fetched, and one can be fetched only by the user's own go.
    fails("error");
    unpublished(&workspace, &module);
    fails(&format!("cannot fetch module {module}@v1.0.0"));
    workspace.configure_go("GOPROXY=direct\n");
    fails("go could not fetch");
}

/// Makes a project that needs a module from a repository, which the user's git finds beside the project. Also
/// returns the module's path, which no other project uses.
fn with_a_private_module() -> (Workspace, String) {
    let workspace = sums();
    let unique = workspace.root().file_name().unwrap().to_str().unwrap().to_lowercase();
    let module = format!("git.invalid/{unique}/plus.git");
    let repository = workspace.root().join("repository");
    std::fs::create_dir_all(&repository).unwrap();
    std::fs::write(repository.join("go.mod"), format!("module {module}\n\ngo 1.20\n")).unwrap();
    let text = "package plus\n\nfunc Add(a, b uint32) uint32 { return a + b }\n";
    std::fs::write(repository.join("plus.go"), text).unwrap();
    for arguments in ["init -q", "add .", "commit -q -m one", "tag v1.2.0"] {
        let mut git = Command::new("git");
        git.args(["-c", "user.name=a", "-c", "user.email=a@a", "-C"]).arg(&repository);
        let output = git.args(arguments.split(' ')).env("HOME", "/nowhere").output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    let config = format!(
        "[url \"file://{}\"]\ninsteadOf = https://git.invalid/{unique}/plus\n[safe]\ndirectory = *\n",
        repository.display()
    );
    std::fs::write(workspace.root().join("home/.gitconfig"), config).unwrap();
    let proxy = workspace.root().join("proxy");
    workspace.configure_go(&format!("GOPROXY=file://{}\nGOPRIVATE=git.invalid\n", proxy.display()));
    let sums = checksums(&workspace, &module);
    workspace.write("sums/go.sum", format!("{GO_SUM}{sums}"));
    workspace.write("sums/go.mod", format!("{GO_MOD}\nrequire {module} v1.2.0\n"));
    workspace.replace(OPS_GO, "example.org/plus", &module);
    (workspace, module)
}

/// Returns the lines of go.sum, as the machine's go computes them.
pub(super) fn checksums(workspace: &Workspace, module: &str) -> String {
    checksums_of(workspace, module, "v1.2.0")
}

/// Returns these lines for any version.
pub(super) fn checksums_of(workspace: &Workspace, module: &str, version: &str) -> String {
    let folder = workspace.root().join("tidy");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("go.mod"), "module tidy\n").unwrap();
    let mut go = Command::new("go");
    go.args(["mod", "download", "-modcacherw", "-json", &format!("{module}@{version}")]);
    go.current_dir(&folder).env("HOME", workspace.root().join("home")).env("GOSUMDB", "off");
    go.env("GOMODCACHE", folder.join("modules")).env("GOTOOLCHAIN", "local").env("GOFLAGS", "");
    let output = go.output().unwrap_or_else(|error| panic!("install Go: {error}"));
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let sum = |name: &str| answer[name].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
    format!("{module} {version} {}\n{module} {version}/go.mod {}\n", sum("Sum"), sum("GoModSum"))
}

#[test]
fn a_private_module_is_fetched_by_the_users_own_go() {
    let (workspace, module) = with_a_private_module();
    let workspace = workspace.env("PATH", "/usr/bin:/bin");
    let why =
        format!("module {module}@v1.2.0 has to come from its repository, as GOPRIVATE names it");
    workspace.fails(1, &[&why, "`go` is not installed; install Go"]);
    // A checkout can't decide how its modules are fetched.
    workspace.write("go.work", "not a go.work");
    workspace.write("sums/go.env", "GOPROXY=off\n");
    let workspace = workspace.without_env("PATH");
    workspace.run(["build"]).ok();
    // The module is fetched into a folder of the build, and nothing is written to the user's own module
    // cache.
    assert!(!workspace.root().join("home/go").exists());
    let component = workspace.read("target/wasm/sums.wasm");
    assert_eq!(call(&component, "add", &["40", "2"]).as_deref(), Some("42"));
}
