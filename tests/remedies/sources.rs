//! Tests advice about the sources of a component: inputs, links, worlds, and which file belongs to which
//! component.

use super::{add_to_component, told};
use crate::harness::{Workspace, prints};

#[test]
fn files_that_are_no_inputs() {
    let words = |files: &[&str]| {
        let all = files.iter().map(|file| format!("include_str!(\"../data/{file}.txt\")"));
        format!(
            "fn main() {{ print!(\"{{}}\", concat!({})); }}",
            all.collect::<Vec<_>>().join(", ")
        )
    };
    let workspace = Workspace::example("hello").file("src/main.rs", words(&["a", "b"]));
    for file in ["a", "b", "c"] {
        workspace.write(&format!("data/{file}.txt"), file);
    }
    // The advice has all missing files in one list, and later one more in the same list.
    let line = told(&workspace, "run build", 1).text("inputs = [");
    add_to_component(&workspace, &line);
    workspace.types("run build").ok();
    workspace.write("src/main.rs", words(&["a", "b", "c"]));
    let added = told(&workspace, "run build", 1).advises("to `inputs` of the component").text("\"");
    workspace.replace("run.toml", "inputs = [", &format!("inputs = [{added}, "));
    workspace.types("run build").ok();
    assert_eq!(prints(&workspace.read("target/wasm/hello.wasm")), "abc");
    // This file is behind a link that leads out of the project.
    let away = workspace.root().join("away.rs");
    std::fs::write(&away, "pub const AWAY: &str = \"away\";\n").unwrap();
    std::os::unix::fs::symlink(&away, workspace.path("src/away.rs")).unwrap();
    workspace.write("src/main.rs", "mod away;\nfn main() { print!(\"{}\", away::AWAY); }\n");
    told(&workspace, "run build", 2)
        .advises("put a copy of what the link leads to into the project");
    std::fs::remove_file(workspace.path("src/away.rs")).unwrap();
    std::fs::copy(&away, workspace.path("src/away.rs")).unwrap();
    workspace.types("run build").ok();
    // This file is on the machine.
    workspace
        .write("build.rs", format!("fn main() {{ std::fs::read({away:?}).unwrap(); }}").as_bytes());
    told(&workspace, "run build", 1).advises(
        "put a copy of it into the project, name it in `inputs` of the component, and let what looks for it \
         look there",
    );
    std::fs::copy(&away, workspace.path("data/away")).unwrap();
    workspace.replace("run.toml", "inputs = [", "inputs = [\"data/away\", ");
    workspace.replace("build.rs", away.to_str().unwrap(), "data/away");
    workspace.types("run build").ok();
}

#[test]
fn a_c_component_without_a_world_a_main_or_with_two_of_them() {
    let workspace = Workspace::new()
        .file(
            "run.toml",
            "[project]\nname = \"p\"\nversion = \"0.1.0\"\n\n[[component]]\nname = \"app\"\nsource = \"app/app.c\"\n",
        )
        .file("app/app.c", "#include <stdio.h>\n");
    let line = told(&workspace, "run build", 2).text("world = ");
    add_to_component(&workspace, &line);
    told(&workspace, "run build", 1).advises("the world exports wasi:cli/run: define `main`");
    workspace
        .write("app/app.c", "#include <stdio.h>\nint main(void) { puts(\"app\"); return 0; }\n");
    workspace.write("app/tools/gen.c", "int main(void) { return 2; }\n");
    let line = told(&workspace, "run build", 1).text("exclude = [");
    add_to_component(&workspace, &line);
    workspace.types("run build").ok();
    assert_eq!(prints(&workspace.read("target/wasm/app.wasm")), "app\n");
    // The missing functions are those of its own world.
    workspace.write("wit/w.wit", "package demo:w;\nworld w { export f: func() -> u32; }\n");
    workspace.replace("run.toml", "world = \"wasi:cli/command@0.2.4\"", "wit = \"wit\"");
    let name = told(&workspace, "run build", 1).text("exports_");
    let function = |kind: &str| format!("{kind} {name}(void) {{ return 1; }}\n");
    workspace.write("app/app.c", function("unsigned long long"));
    let typed = told(&workspace, "run build", 1);
    typed.advises("declare it as the header of the bindings does");
    workspace.write("app/app.c", format!("#include \"w.h\"\n{}", function("uint32_t")));
    workspace.types("run build").ok();
}

#[test]
fn what_lies_behind_a_link_out_of_the_project() {
    let main = "fn main() { print!(\"{}\", include_str!(\"../data/words.txt\")); }";
    let workspace = Workspace::example("hello").file("src/main.rs", main);
    workspace.write("../away/words.txt", "words");
    std::os::unix::fs::symlink("../away", workspace.path("data")).unwrap();
    told(&workspace, "run build", 1)
        .advises("outside of the project, where no build looks: put a copy of it into the project");
    std::fs::remove_file(workspace.path("data")).unwrap();
    workspace.write("data/words.txt", "words");
    let line = told(&workspace, "run build", 1).text("inputs = [");
    add_to_component(&workspace, &line);
    workspace.types("run build").ok();
    // run.toml moves above both.
    let workspace = unbuilt("app/app.c").file("app/app.c", "");
    add_to_component(&workspace, "world = \"wasi:cli/command@0.2.4\"");
    workspace.write("../common/common.h", "");
    std::os::unix::fs::symlink("../../common/common.h", workspace.path("app/common.h")).unwrap();
    told(&workspace, "run build --offline", 2)
        .advises("put a copy of what the link leads to into the project, or run.toml into a folder that holds both");
    let manifest =
        workspace.read_text("run.toml").replace("\"app/app.c\"", "\"project/app/app.c\"");
    workspace.write("../run.toml", manifest);
    std::fs::rename(workspace.path("run.lock.toml"), workspace.root().join("run.lock.toml"))
        .unwrap();
    std::fs::remove_file(workspace.path("run.toml")).unwrap();
    let run = workspace.run(["-C", "..", "build", "--offline"]).exits(1);
    assert!(run.stderr.contains("offline"), "{}", run.stderr);
}

/// Checks that a build can be planned. There is no toolchain, so it ends where it would fetch one.
#[track_caller]
pub(super) fn plans(workspace: &Workspace) {
    let run = workspace.run(["build", "--offline"]).exits(1);
    let is_offline =
        run.stderr.contains("this build is offline") || run.stderr.contains("switched off");
    assert!(is_offline, "{}", run.stderr);
}

/// Makes a project with one component, which can be planned without a toolchain.
pub(super) fn unbuilt(source: &str) -> Workspace {
    let manifest = format!(
        "[project]\nname = \"p\"\nversion = \"0.1.0\"\n\n[[component]]\nsource = \"{source}\"\nname = \"app\"\n"
    );
    Workspace::new()
        .private_store()
        .file("run.toml", manifest)
        .file("run.lock.toml", include_str!("../../examples/polyglot/run.lock.toml"))
}

#[test]
fn a_rust_package_that_gives_no_component_or_leaves_the_project() {
    let package = "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[lib]\n";
    let workspace = unbuilt("src/lib.rs")
        .file("Cargo.toml", package)
        .file("Cargo.lock", "version = 4\n\n[[package]]\nname = \"app\"\nversion = \"0.1.0\"\n")
        .file("src/lib.rs", "");
    let line = told(&workspace, "run build --offline", 2).text("crate-type = ");
    let package = package.replace("[lib]\n", &format!("[lib]\n{line}\n"));
    workspace.write("Cargo.toml", &package);
    plans(&workspace);
    let with = |path: &str| format!("{package}\n[dependencies]\nnear = {{ path = \"{path}\" }}\n");
    workspace.write("Cargo.toml", with("../near"));
    workspace.write("../near/Cargo.toml", "[package]\nname = \"near\"\nversion = \"0.1.0\"\n");
    workspace.write("../near/src/lib.rs", "");
    told(&workspace, "run build --offline", 2).advises("move the package into the project");
    std::fs::rename(workspace.path("../near"), workspace.path("near")).unwrap();
    workspace.write("Cargo.toml", with("near"));
    plans(&workspace);
    // Or run.toml moves above both.
    std::fs::rename(workspace.path("near"), workspace.path("../near")).unwrap();
    workspace.write("Cargo.toml", with("../near"));
    told(&workspace, "run build --offline", 2).advises("or run.toml above both");
    for file in ["run.toml", "run.lock.toml"] {
        let text = workspace.read_text(file).replace("src/lib.rs", "project/src/lib.rs");
        workspace.write(&format!("../{file}"), text);
        std::fs::remove_file(workspace.path(file)).unwrap();
    }
    // It ends where it would install a toolchain.
    let run = workspace.types("run -C .. build --offline").exits(1);
    assert!(run.stderr.contains("the network is switched off"), "{}", run.stderr);
}

#[test]
fn a_crate_that_nothing_pins() {
    let package =
        "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[dependencies]\n";
    let entry = "name = \"itoa\"\nversion = \"1.0.19\"\n";
    let lock = |rest: &str| {
        let app = "[[package]]\nname = \"app\"\nversion = \"0.1.0\"\ndependencies = [\"itoa\"]\n";
        format!("version = 4\n\n{app}\n[[package]]\n{entry}{rest}")
    };
    let git = "https://git.example.com/itoa";
    let workspace = unbuilt("src/main.rs")
        .file("Cargo.toml", format!("{package}itoa = {{ git = \"{git}\" }}\n"))
        .file("Cargo.lock", lock(&format!("source = \"git+{git}#0123456789abcdef\"\n")))
        .file("src/main.rs", "fn main() {}\n");
    told(&workspace, "run build --offline", 2).advises("cargo update -p itoa");
    let registry = "registry+https://github.com/rust-lang/crates.io-index";
    workspace.write("Cargo.toml", format!("{package}itoa = \"1\"\n"));
    workspace.write("Cargo.lock", lock(&format!("source = \"{registry}\"\n")));
    let unpinned = told(&workspace, "run build --offline", 2);
    unpinned.advises(
        "use a version of the crate from a registry, or a `path` dependency inside the project",
    );
    let sum = "3bd1574e617a9a6c1f8f8181bd7e841e1f20e4277607ef28945765188d6284d4";
    workspace
        .write("Cargo.lock", lock(&format!("source = \"{registry}\"\nchecksum = \"{sum}\"\n")));
    plans(&workspace);
    workspace.write("Cargo.toml", format!("{package}itoa = {{ path = \"itoa\" }}\n"));
    workspace.write("Cargo.lock", lock(""));
    workspace.write("itoa/Cargo.toml", format!("[package]\n{entry}"));
    workspace.write("itoa/src/lib.rs", "");
    plans(&workspace);
}

#[test]
fn a_package_of_zig_outside_of_the_project() {
    let manifest = |path: &str| {
        format!(
            ".{{\n    .name = .app,\n    .version = \"0.1.0\",\n    .paths = .{{\"\"}},\n    \
             .dependencies = .{{ .near = .{{ .path = \"{path}\" }} }},\n}}\n"
        )
    };
    let workspace = unbuilt("app/src/main.zig")
        .file("app/src/main.zig", "")
        .file("app/build.zig", "")
        .file("app/build.zig.zon", manifest("../../near"));
    add_to_component(&workspace, "world = \"wasi:cli/command@0.2.4\"");
    workspace.write("../near/build.zig", "");
    told(&workspace, "run build --offline", 2)
        .advises("move the package into the project: an action sees nothing else");
    std::fs::rename(workspace.path("../near"), workspace.path("near")).unwrap();
    workspace.write("app/build.zig.zon", manifest("../near"));
    plans(&workspace);
}

#[test]
fn a_python_module_and_the_folders_that_are_searched() {
    let workspace = unbuilt("my-app.py").file("my-app.py", "").file("lib/more.py", "");
    add_to_component(&workspace, "world = \"wasi:cli/command@0.2.4\"");
    told(&workspace, "run build --offline", 2).advises("rename it to letters, digits and `_`");
    std::fs::rename(workspace.path("my-app.py"), workspace.path("my_app.py")).unwrap();
    workspace.replace("run.toml", "my-app.py", "my_app.py");
    plans(&workspace);
    let place = workspace.path("lib").display().to_string();
    add_to_component(&workspace, &format!("env = {{ PYTHONPATH = \"{place}\" }}"));
    told(&workspace, "run build --offline", 2).advises("its folders are relative to run.toml");
    workspace.replace("run.toml", &place, "lib");
    plans(&workspace);
}

#[test]
fn a_world_that_the_engine_of_javascript_can_not_have() {
    let workspace = unbuilt("app.js").file("app.js", "");
    add_to_component(&workspace, "wit = \"wit\"");
    let world = |version: &str| {
        let text = format!("package a:a;\nworld w {{ import wasi:sockets/network@{version}; }}\n");
        workspace.write("wit/w.wit", text);
    };
    world("0.2.10");
    let other = told(&workspace, "run build --offline", 2).after("WASI 0.2, such as ");
    for version in other.split(':').next().unwrap().split(" or ") {
        world(version);
        plans(&workspace);
    }
}

#[test]
fn packages_for_cargo_component() {
    let workspace = Workspace::example("cargo-component").private_store();
    let (manifest, run_toml) =
        (workspace.read_text("units/Cargo.toml"), workspace.read_text("run.toml"));
    let reset = || {
        workspace.write("units/Cargo.toml", &manifest);
        workspace.write("run.toml", &run_toml);
    };
    workspace.replace("run.toml", "wit = \"units/wit\"\n", "");
    let line = told(&workspace, "run build --offline", 2).text("wit = ");
    let source = "source = \"units/src/lib.rs\"\n";
    workspace.replace("run.toml", source, &format!("{source}{line}\n"));
    plans(&workspace);
    reset();
    let target = "path = \"wit\"\nworld = \"units\"";
    let registry = "package = \"wasi:cli\"\nversion = \"0.2.4\"\nworld = \"command\"";
    workspace.replace("units/Cargo.toml", target, registry);
    let refused = told(&workspace, "run build --offline", 2);
    refused.advises("remove `target`, and write a world into the folder that `wit` names");
    let world = refused.text("world my-world");
    let without = workspace.read_text("units/Cargo.toml");
    let (before, rest) = without.split_once("[package.metadata.component.target").unwrap();
    let rest = rest.find("\n[").map_or("", |at| &rest[at..]);
    workspace.write("units/Cargo.toml", format!("{before}{rest}"));
    workspace.replace(
        "run.toml",
        "wit = \"units/wit\"\n",
        "wit = \"units/wit\"\nworld = \"my-world\"\n",
    );
    workspace.write("units/wit/mine.wit", world);
    plans(&workspace);
    std::fs::remove_file(workspace.path("units/wit/mine.wit")).unwrap();
    reset();
    workspace.replace("units/Cargo.toml", "world = \"units\"", "world = \"metres\"");
    told(&workspace, "run build --offline", 2).advises("let both say the same");
    reset();
    plans(&workspace);
    let other = "[package.metadata.component.dependencies]\n\"demo:scale\" = { path = \"../scale.wasm\" }\n";
    workspace.write("units/Cargo.toml", format!("{manifest}\n{other}"));
    let refused = told(&workspace, "run build --offline", 2);
    refused.advises("import its interfaces in the component's own world, and remove the entry");
    workspace.write("units/wit/scale.wit", "interface scale {\n    by: func(n: u32) -> u32;\n}\n");
    workspace.replace("units/wit/units.wit", "world units {", "world units {\n    import scale;");
    workspace.write("units/Cargo.toml", &manifest);
    plans(&workspace);
    let adapter = "[package.metadata.component]\nadapter = \"adapter.wasm\"";
    workspace.replace("units/Cargo.toml", "[package.metadata.component]", adapter);
    told(&workspace, "run build --offline", 2).advises("help: remove it: components are");
    workspace.write("units/Cargo.toml", &manifest);
    plans(&workspace);
}
