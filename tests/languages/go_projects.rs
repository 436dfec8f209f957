//! Tests what real Go projects use: lines of go.mod, flags, embedded files, replaced modules.

use super::go::{GO_MOD, GO_SUM, OPS_GO, call, checksums, command, printed, publish, sums};
use crate::harness::{self, Workspace};

const HELLO: &str = "package main\n\nimport \"fmt\"\n\nfunc main() { fmt.Println(\"hello\") }\n";

#[test]
fn a_command_starts_in_every_environment() {
    let workspace = command(HELLO);
    workspace.run(["build"]).ok();
    let component = workspace.read("target/wasm/sums.wasm");
    let loaded = harness::load(&component);
    let asynchronous = tokio::runtime::Runtime::new().unwrap();
    for count in [0, 1, 3, 10, 20, 35] {
        for length in (0..400).step_by(23) {
            let variable = |number| (format!("V{number}"), "x".repeat(length));
            let given = runtime::CommandInput {
                args: vec!["hello".to_owned(); count % 4],
                env: (0..count).map(variable).collect(),
                ..Default::default()
            };
            let ended = asynchronous.block_on(loaded.run(&given)).unwrap();
            assert_eq!(ended.exit, runtime::Exit::Status(0), "{count} variables of {length}");
            assert_eq!(ended.stdout, b"hello\n");
        }
    }
}

#[test]
fn every_line_go_from_1_17_on_builds() {
    let workspace = command(
        "package main\n\nimport (\n\t\"fmt\"\n\n\t\"a.org/words\"\n)\n\n\
         func main() { fmt.Println(words.Greeting) }\n",
    );
    for pair in ["1.26", "1.17", "1.21.0", "1.27.3"].windows(2) {
        for file in ["sums/go.mod", "words/go.mod"] {
            workspace.replace(file, &format!("go {}\n", pair[0]), &format!("go {}\n", pair[1]));
        }
        assert_eq!(printed(&workspace), "Hello from Go!\n", "{}", pair[1]);
    }
    // The bindings need a newer version of the language than the module has.
    let workspace = sums();
    workspace.replace("sums/go.mod", "go 1.26", "go 1.20");
    workspace.run(["build"]).ok();
    let component = workspace.read("target/wasm/sums.wasm");
    assert_eq!(call(&component, "parse", &["\"7\""]).as_deref(), Some("ok(7)"));
}

#[test]
fn hidden_files_are_embedded_as_the_go_command_does_it() {
    let workspace = command(
        "package main\n\nimport (\n\t\"embed\"\n\t\"fmt\"\n\t\"io/fs\"\n)\n\n\
         //go:embed all:static\nvar all embed.FS\n\n//go:embed static/*\nvar some embed.FS\n\n\
         func list(files fs.FS) {\n\
         \tfs.WalkDir(files, \".\", func(path string, entry fs.DirEntry, err error) error {\n\
         \t\tif !entry.IsDir() {\n\t\t\tfmt.Print(path, \" \")\n\t\t}\n\t\treturn nil\n\t})\n\
         \tfmt.Println()\n}\n\nfunc main() { list(all); list(some) }\n",
    );
    for file in ["a.txt", ".env", ".hid/x", "sub/.not", "sub/b"] {
        workspace.write(&format!("sums/static/{file}"), "text");
    }
    assert_eq!(
        printed(&workspace),
        "static/.env static/.hid/x static/a.txt static/sub/.not static/sub/b \n\
         static/.env static/.hid/x static/a.txt static/sub/b \n"
    );
}

#[test]
fn flags_of_the_linker_are_honoured_and_others_refused() {
    let workspace = command(
        "package main\n\nimport (\n\t\"fmt\"\n\n\t\"a.org/words\"\n)\n\nvar version = \"dev\"\n\n\
         func main() { fmt.Println(version, words.Greeting, words.Commit) }\n",
    );
    workspace.write("words/more.go", "package words\n\nvar Commit = \"none\"\n");
    assert_eq!(printed(&workspace), "dev Hello from Go! none\n");
    // Results are kept from one run of the tests to the next, so it is another text each time.
    let unique = workspace.root().file_name().unwrap().to_str().unwrap();
    let flags = |flags: &str| format!("language = \"go\"\nenv = {{ GOFLAGS = \"{flags}\" }}");
    let set = flags(&format!("'-ldflags=-X main.version={unique} -X=a.org/words.Commit=abc'"));
    workspace.replace("run.toml", "language = \"go\"", &set);
    let run = workspace.run(["build", "-j1"]).ok();
    assert_eq!(run.ran(), ["sums:layer", "sums:link", "sums:finish"]);
    assert_eq!(printed(&workspace), format!("{unique} Hello from Go! abc\n"));
    workspace.replace("run.toml", &set, &flags("-race"));
    workspace.fails(2, &["run.toml", "`-race`, which a build can't honour", "-tags=…"]);
    // Another test uses the same tags, because each list of tags has a standard library of its own.
    workspace.replace("run.toml", &flags("-race"), &flags("-trimpath -tags=loud"));
    assert_eq!(printed(&workspace), "dev Hello from Go! none\n");
}

#[test]
fn what_decides_about_the_code_is_handed_on() {
    let workspace = command(HELLO);
    // Go's own stack traces have the names of functions in both.
    let [debug, release] = ["debug", "release"].map(|level| {
        workspace.run(["build", "--opt-level", level]).ok();
        let component = workspace.read("target/wasm/sums.wasm");
        let name = b"runtime.gopanic";
        component.windows(name.len()).filter(|window| window == name).count()
    });
    assert_eq!(debug, release + 1);
    // The profile of the program is invalid, and so are the values of some variables.
    workspace.write("sums/default.pgo", "no profile");
    workspace.fails(1, &["sums:compile", "default.pgo"]);
    std::fs::remove_file(workspace.path("sums/default.pgo")).unwrap();
    for name in ["GOEXPERIMENT", "GOWASM"] {
        let line = format!("language = \"go\"\nenv = {{ {name} = \"imaginary\" }}");
        workspace.replace("run.toml", "language = \"go\"", &line);
        workspace.fails(1, &[name, "imaginary"]);
        workspace.replace("run.toml", &line, "language = \"go\"");
    }
}

#[test]
fn what_go_can_not_compile_is_told_in_a_sentence() {
    let workspace = command("package main\n\nimport \"C\"\n\nfunc main() {}\n");
    workspace.fails(2, &["`sums/main.go` imports \"C\"", "cgo", "`language = \"c\"`"]);
    // The remedy is a file without C.
    workspace.write("sums/c.go", "package main\n\nimport \"C\"\n");
    workspace.write("sums/main.go", HELLO);
    assert_eq!(printed(&workspace), "hello\n");
    workspace.write(
        "sums/main.go",
        "package main\n\nimport \"example.com/hello/nope\"\n\nfunc main() { nope.Hi() }\n",
    );
    let run = workspace.fails(1, &["main.go:3:8: cannot find", "needs a folder with its Go files"]);
    assert!(run.stderr.lines().count() < 20, "{}", run.stderr);
    let wit = "package demo:hello;\n\nworld hello {\n    export say: async func();\n}\n";
    workspace.write("sums/wit/sums.wit", wit);
    workspace.fails(1, &["world `hello` has the async function `say`"]);
}

/// Makes a project with a module `example.org/uses` from the proxy, which has one file.
fn with_module(manifest: &str, file: &str) -> Workspace {
    let workspace = sums();
    let manifest = format!("module example.org/uses\n\ngo 1.20\n{manifest}");
    let proxy = workspace.root().join("proxy");
    publish(&proxy, "example.org/uses", "v1.2.0", &manifest, ("uses.go", file));
    let sums = checksums(&workspace, "example.org/uses");
    workspace.write("sums/go.sum", format!("{GO_SUM}{sums}"));
    workspace.write("sums/go.mod", format!("{GO_MOD}\nrequire example.org/uses v1.2.0\n"));
    workspace.replace(OPS_GO, "example.org/plus", "example.org/uses");
    workspace.replace(OPS_GO, "plus.Add(a, b)", "uses.Add(a, b)");
    workspace
}

fn sum(workspace: &Workspace, a: &str, b: &str) -> String {
    workspace.run(["build"]).ok();
    call(&workspace.read("target/wasm/sums.wasm"), "add", &[a, b]).unwrap()
}

#[test]
fn a_module_of_the_project_may_stand_in_for_one_that_others_need() {
    let workspace = with_module(
        "require example.org/inner v1.0.0\n",
        "package uses\n\nimport \"example.org/inner\"\n\nfunc Add(a, b uint32) uint32 { return inner.Add(a, b) }\n",
    );
    let manifest = workspace.read_text("sums/go.mod");
    let manifest = format!(
        "{manifest}\nrequire example.org/inner v1.0.0 // indirect\n\nreplace example.org/inner => ./third/inner\n"
    );
    workspace.write("sums/go.mod", manifest);
    workspace.write("sums/third/inner/go.mod", "module example.org/inner\n\ngo 1.15\n");
    let inner = "package inner\n\nfunc Add(a, b uint32) uint32 { return a - b }\n";
    workspace.write("sums/third/inner/inner.go", inner);
    assert_eq!(sum(&workspace, "5", "3"), "2");
    workspace.write("sums/third/inner/inner.go", inner.replace("a - b", "a * b"));
    assert_eq!(sum(&workspace, "5", "3"), "15", "an edit counts");
    // It also works if the component's own packages use it.
    workspace.replace(OPS_GO, "uses.Add(a, b)", "uses.Add(a, b) + inner.Add(1, 1)");
    workspace.replace(
        OPS_GO,
        "\"example.org/uses\"",
        "\"example.org/inner\"\n\t\"example.org/uses\"",
    );
    assert_eq!(sum(&workspace, "5", "3"), "16");
}

#[test]
fn others_may_need_the_components_own_module() {
    let workspace = with_module(
        "require example.com/sums v0.0.0\n",
        "package uses\n\nimport \"example.com/sums/shared\"\n\nfunc Add(a, b uint32) uint32 { return shared.Twice(a) + b }\n",
    );
    let shared = "package shared\n\nfunc Twice(a uint32) uint32 { return 2 * a }\n";
    workspace.write("sums/shared/shared.go", shared);
    assert_eq!(sum(&workspace, "5", "3"), "13");
    workspace.write("sums/shared/shared.go", shared.replace("2 *", "3 *"));
    assert_eq!(sum(&workspace, "5", "3"), "18");
}

#[test]
fn replacements_and_checksums_that_nobody_needs_decide_about_nothing() {
    let workspace = sums();
    let manifest = workspace.read_text("sums/go.mod");
    workspace.write(
        "sums/go.mod",
        format!("{manifest}\nreplace example.org/plus v1.1.0 => ./old\n\nreplace example.org/gone => ../gone\n"),
    );
    workspace.write("sums/old/go.mod", "module example.org/plus\n");
    workspace
        .write("sums/old/plus.go", "package plus\n\nfunc Add(a, b uint32) uint32 { return 0 }\n");
    let stale = "h1:TtuEoJY73RtzVFTancwedhvVmRd/jCrZysxExOw/owY=";
    let unique = workspace.root().file_name().unwrap().to_str().unwrap().to_lowercase();
    workspace.write(
        "sums/go.sum",
        format!("{GO_SUM}example.org/{unique} v1.0.0 {stale}\nexample.org/{unique} v1.0.0/go.mod {stale}\n"),
    );
    assert_eq!(sum(&workspace, "5", "3"), "8");
}

#[test]
fn a_modules_path_may_lie_below_that_of_the_component() {
    let workspace =
        with_module("", "package uses\n\nfunc Add(a, b uint32) uint32 { return a + b }\n");
    for file in ["sums/go.mod", "sums/main.go"] {
        workspace.replace(file, "example.com/sums", "example.org");
    }
    // A folder with a go.mod does not belong to the module around it.
    workspace.write("sums/nested/go.mod", "module example.org/nested\n");
    workspace.write("sums/nested/nested.go", "package nested\n\nfunc Broken() { no }\n");
    assert_eq!(sum(&workspace, "5", "3"), "8");
}
