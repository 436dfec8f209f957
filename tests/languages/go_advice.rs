//! Tests advice for Go by following it word for word, with the go command of the machine if it names that.

use super::go::{GO_MOD, OPS_GO, call, command, printed, publish, sums};
use crate::harness::Workspace;
use crate::remedies::{add_to_component, told};

/// Makes the project with a proxy that lists the available versions, which the user's go command asks for.
fn with_lists() -> Workspace {
    let workspace = sums();
    let proxy = workspace.root().join("proxy");
    for (module, version) in [("example.org/deep", "v1.0.0"), ("example.org/plus", "v1.2.0")] {
        std::fs::write(proxy.join(module).join("@v/list"), format!("{version}\n")).unwrap();
    }
    let settings = format!(
        "GOPROXY=file://{}\nGOSUMDB=off\nGOTOOLCHAIN=local\nGOFLAGS=-modcacherw\n",
        proxy.display()
    );
    workspace.configure_go(&settings);
    workspace
}

/// Checks that the project builds now. Other tests run the component, because compiling it for a run takes
/// long.
#[track_caller]
fn builds(workspace: &Workspace) {
    workspace.types("run build").ok();
}

#[test]
fn a_module_that_lacks_its_files_gets_them() {
    let workspace = with_lists();
    for file in ["sums/go.mod", "sums/go.sum"] {
        std::fs::remove_file(workspace.path(file)).unwrap();
    }
    let make = told(&workspace, "run build", 2).after("make one with: ");
    workspace.types(&make).ok();
    let tidy = told(&workspace, "run build", 1).text("go mod tidy");
    workspace.types(&format!("cd sums && {tidy}")).ok();
    builds(&workspace);
    std::fs::remove_file(workspace.path("sums/go.sum")).unwrap();
    let write = told(&workspace, "run build", 2).after("write it with: ");
    workspace.types(&write).ok();
    builds(&workspace);
    // One line is malformed, and one is missing.
    let right = workspace.read_text("sums/go.sum");
    for wrong in [
        "no checksum\n".to_owned(),
        right.lines().skip(2).fold(String::new(), |all, line| all + line + "\n"),
    ] {
        workspace.write("sums/go.sum", wrong);
        let write = told(&workspace, "run build", 2).after("write it with: ");
        std::fs::remove_file(workspace.path("sums/go.sum")).unwrap();
        workspace.types(&write).ok();
        assert_eq!(workspace.read_text("sums/go.sum"), right);
    }
}

/// `go mod tidy` finds a newer version than the one that bindings are made for.
#[test]
fn the_run_time_package_has_the_version_of_the_bindings() {
    let workspace = with_lists();
    let (proxy, runtime) = (workspace.root().join("proxy"), "go.bytecodealliance.org/pkg");
    let manifest = format!("module {runtime}\n\ngo 1.20\n");
    publish(&proxy, runtime, "v0.99.0", &manifest, ("wit/types/types.go", "package types\n"));
    std::fs::write(proxy.join(runtime).join("@v/list"), "v0.99.0\n").unwrap();
    workspace.types("go -C sums mod tidy -e").ok();
    let write = told(&workspace, "run build", 2).after("write that with: ");
    workspace.types(&write).ok();
    builds(&workspace);
}

#[test]
fn a_folder_vendor_is_made_anew() {
    let workspace = with_lists();
    workspace.write(
        "sums/vendor/modules.txt",
        "# example.org/plus v1.1.0\n## explicit\nexample.org/plus\n",
    );
    workspace.write("sums/vendor/example.org/plus/plus.go", "package plus\n");
    let stale = told(&workspace, "run build", 1);
    let (tidy, vendor) = (stale.text("go mod tidy"), stale.text("go mod vendor"));
    workspace.types(&format!("cd sums && {tidy} && {vendor}")).ok();
    builds(&workspace);
}

#[test]
fn what_a_go_project_lacks_is_added() {
    let workspace = with_lists();
    let main = workspace.read_text("sums/main.go");
    workspace.write("sums/main.go", "package main\n\nfunc main() {}\n");
    let line = told(&workspace, "run build", 1).text("import _ ");
    workspace.write("sums/main.go", format!("package main\n\n{line}\n\nfunc main() {{}}\n"));
    builds(&workspace);
    workspace.write("sums/main.go", main);
    // The line `go` asks for a newer version.
    workspace.replace("sums/go.mod", "go 1.26", "go 1.99");
    told(&workspace, "run build", 1).advises("lower the line `go` of that go.mod");
    workspace.write("sums/go.mod", GO_MOD);
    builds(&workspace);
    // A flag is refused.
    add_to_component(&workspace, "env = { GOFLAGS = \"-race -tags=a\" }");
    told(&workspace, "run build", 2).advises("take the rest out");
    workspace.replace("run.toml", "-race -tags=a", "");
    // A package of the project itself is imported by its path in the project.
    workspace.replace(OPS_GO, "\"strconv\"", "\"strconv\"\n\t_ \"example.com/sums/words\"");
    let missing = told(&workspace, "run build", 1);
    missing.advises(&format!("in the project this is {OPS_GO}:7:2"));
    missing.advises("a package of the project itself needs a folder with its Go files");
    workspace.write("sums/words/words.go", "package words\n");
    builds(&workspace);
}

#[test]
fn a_module_elsewhere_is_brought_in() {
    let workspace = command(
        "package main\n\nimport (\n\t\"fmt\"\n\n\t\"a.org/words\"\n)\n\n\
         func main() { fmt.Println(words.Greeting) }\n",
    );
    let manifest = "module example.com/hello\n\ngo 1.26\n";
    workspace.write("sums/go.mod", manifest);
    workspace.write("go.work", "go 1.26\n\nuse (\n\t./sums\n\t./words\n)\n");
    let alone = told(&workspace, "run build", 2);
    let (require, replace) = (alone.text("require "), alone.text("replace "));
    workspace.write("sums/go.mod", format!("{manifest}\n{require}\n\n{replace}\n"));
    builds(&workspace);
    // The package lies outside of the project.
    std::fs::rename(workspace.path("words"), workspace.root().join("words")).unwrap();
    workspace.replace("sums/go.mod", "../words", "../../words");
    told(&workspace, "run build", 2).advises("move the module into the project");
    std::fs::rename(workspace.root().join("words"), workspace.path("words")).unwrap();
    workspace.replace("sums/go.mod", "../../words", "../words");
    builds(&workspace);
}

#[test]
fn a_function_that_is_missing_is_written_as_it_is_asked_for() {
    let workspace = with_lists();
    std::fs::remove_dir_all(workspace.path("sums/exports")).unwrap();
    let missing = told(&workspace, "run build", 1);
    // Each line: "the world asks for `func …` in the package `FOLDER`, where `witTypes` is \"…\"".
    let mut bodies = String::new();
    let mut folder = "";
    for line in missing.said.lines().filter_map(|line| line.split_once("the world asks for `")) {
        let (signature, rest) = line.1.split_once("` in the package `").unwrap();
        let (package, rest) = rest.split_once('`').unwrap();
        folder = package;
        if let Some((_, types)) = rest.split_once("`witTypes` is ") {
            bodies = format!("import witTypes {types}\n\n{bodies}");
        }
        let body = match signature.contains("Add(") {
            true => "return a + b",
            false => "return witTypes.Ok[uint32, string](uint32(len(text)))",
        };
        bodies += &format!("{signature} {{ {body} }}\n\n");
    }
    let (_, package) = folder.rsplit_once('/').unwrap();
    workspace.write(&format!("{folder}/ours.go"), format!("package {package}\n\n{bodies}"));
    builds(&workspace);
    let component = workspace.read("target/wasm/sums.wasm");
    assert_eq!(call(&component, "add", &["40", "2"]).as_deref(), Some("42"));
    assert_eq!(call(&component, "parse", &["\"abc\""]).as_deref(), Some("ok(3)"));
}

#[test]
fn a_module_of_others_that_is_too_new_is_required_in_an_older_version() {
    let workspace = with_lists();
    let proxy = workspace.root().join("proxy");
    let manifest = "module example.org/deep\n\ngo 1.99\n";
    publish(&proxy, "example.org/deep", "v1.1.0", manifest, ("deep.go", "package deep\n"));
    std::fs::write(proxy.join("example.org/deep/@v/list"), "v1.0.0\nv1.1.0\n").unwrap();
    workspace.types("go -C sums mod edit -require=example.org/deep@v1.1.0").ok();
    let sums = workspace.read_text("sums/go.sum");
    let newer = super::go::checksums_of(&workspace, "example.org/deep", "v1.1.0");
    workspace.write("sums/go.sum", format!("{sums}{newer}"));
    let refused = told(&workspace, "run build", 1);
    refused.advises("require an older version of example.org/deep");
    workspace.types("go -C sums mod edit -require=example.org/deep@v1.0.0").ok();
    builds(&workspace);
}

#[test]
fn a_program_does_without_c() {
    let workspace = command("package main\n\nimport \"C\"\n\nfunc main() {}\n");
    let refused = told(&workspace, "run build", 2);
    refused.advises("add a file with `//go:build !cgo` that does without C");
    let line = refused.text("//go:build");
    let text = format!(
        "{line}\n\npackage main\n\nimport \"fmt\"\n\nfunc main() {{ fmt.Println(\"without\") }}\n"
    );
    workspace.write("sums/without.go", text);
    assert_eq!(printed(&workspace), "without\n");
    // The package is written in Go alone.
    std::fs::remove_file(workspace.path("sums/without.go")).unwrap();
    refused.advises("use a package that is Go alone");
    workspace.write("sums/main.go", "package main\n\nfunc main() { println() }\n");
    builds(&workspace);
    // The C code becomes a component of its own, in the place of this one.
    let line = refused.text("language = ");
    workspace.replace("run.toml", "language = \"go\"", &line);
    workspace.replace("run.toml", "main.go", "main.c");
    workspace.write("sums/main.c", "int main(void) { return 0; }\n");
    builds(&workspace);
}

#[test]
fn an_async_function_is_made_an_ordinary_one() {
    let workspace = with_lists();
    workspace.replace("sums/wit/sums.wit", "add: func", "add: async func");
    told(&workspace, "run build", 1).advises("make it a function without `async`");
    workspace.replace("sums/wit/sums.wit", "async func", "func");
    builds(&workspace);
}
