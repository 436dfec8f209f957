//! Tests worlds and siblings: a built-in world needs no WIT, every component is checked against its world,
//! and the components that it depends on have to fit.

use crate::configuration::prebuilt;
use crate::harness::{Workspace, exports};
use crate::remedies::add_to_component;

#[test]
fn a_built_in_world_needs_no_wit_in_any_language() {
    let workspace = Workspace::new()
        .file(
            "run.toml",
            "[project]\nname = \"x\"\nversion = \"0.1.0\"\n\n\
             [[component]]\nname = \"py\"\nsource = \"py/app.py\"\nworld = \"wasi:cli/command@0.2.3\"\n\n\
             [[component]]\nname = \"c\"\nsource = \"c/app.c\"\nworld = \"wasi:cli/command@0.2.3\"\n\n\
             [[component]]\nname = \"go\"\nsource = \"go/main.go\"\nworld = \"wasi:cli/command@0.2.3\"\n\n\
             [[component]]\nname = \"js\"\nsource = \"js/app.js\"\nworld = \"wasi:cli/command@0.2.3\"\n\n\
             [[component]]\nname = \"zig\"\nsource = \"zig/app.zig\"\nworld = \"wasi:cli/command@0.2.3\"\n",
        )
        .file(
            "py/app.py",
            "from wit_world import exports\nclass Run(exports.Run):\n    def run(self) -> None:\n        \
             print(\"hi\")\n",
        )
        .file("c/app.c", "#include <stdio.h>\nint main(void) { puts(\"hi\"); return 0; }\n")
        .file("go/go.mod", "module example.com/x\n\ngo 1.24\n")
        .file("go/main.go", "package main\n\nfunc main() { println(\"hi\") }\n")
        .file("js/app.js", "export const run = { run() { console.log('hi'); } };\n")
        .file(
            "zig/app.zig",
            "const std = @import(\"std\");\n\
             pub fn main() void { std.debug.print(\"hi\\n\", .{}); }\n",
        );
    for component in ["py", "c", "go", "js", "zig"] {
        workspace.run(["build", "-p", component]).ok();
        let bytes = workspace.read(&format!("target/wasm/{component}.wasm"));
        let names = exports(&bytes);
        assert!(
            names.iter().any(|name| name.starts_with("wasi:cli/run@0.2.")),
            "{component}: {names:?}"
        );
    }
    workspace.replace(
        "run.toml",
        "py/app.py\"\nworld = \"wasi:cli/command@0.2.3\"",
        "py/app.py\"\nworld = \"wasi:cli/command@0.2.99\"",
    );
    workspace
        .run(["build", "-p", "py"])
        .exits(2)
        .says("package `wasi:cli@0.2.99` was not found")
        .says("built-in `wasi:cli` 0.2.0");
}

#[test]
fn a_world_without_wit_is_checked() {
    let workspace = Workspace::new()
        .file(
            "run.toml",
            "[project]\nname = \"x\"\nversion = \"0.1.0\"\n\n[[component]]\nname = \"app\"\n\
             source = \"src/main.rs\"\nworld = \"wasi:http/proxy@0.2.3\"\n",
        )
        .file("Cargo.toml", "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2024\"\n")
        .file("Cargo.lock", "version = 4\n\n[[package]]\nname = \"app\"\nversion = \"0.1.0\"\n")
        .file("src/main.rs", "fn main() { println!(\"hi\"); }\n");
    workspace
        .run(["build"])
        .exits(1)
        .says("the component does not fit world `wasi:http/proxy@0.2.3`")
        .says("interface `wasi:http/incoming-handler@0.2.3` is not exported");
    workspace.replace("run.toml", "wasi:http/proxy", "wasi:cli/command");
    workspace.run(["build"]).ok();
}

/// The message names the file of the project, and not that in the completed folder.
#[test]
fn what_a_world_asks_for_is_told_with_its_file_wherever_that_lies() {
    let workspace = prebuilt();
    add_to_component(&workspace, "wit = \"wit\"");
    workspace.write("wit/w.wit", "package demo:w;\nworld w {\n  include acme:shared/service;\n}\n");
    let shared =
        "package acme:shared;\ninterface tell { f: func(); }\nworld service {\n  export tell;\n}\n";
    workspace.write("lib/shared/wit/all.wit", shared);
    let text = workspace.read_text("run.toml");
    let dependency = "\n[dependencies]\n\"acme:shared\" = { path = \"lib/shared\" }\n";
    workspace.write("run.toml", format!("{text}{dependency}"));
    let run =
        workspace.run(["build"]).exits(1).says("interface `acme:shared/tell` is not exported");
    run.says("(asked for in lib/shared/wit/all.wit:4:");
    // A package can get into the folder in another way, too.
    workspace.write("run.toml", text);
    workspace.write("wit/deps/elsewhere/all.wit", shared);
    let run = workspace.run(["build"]).exits(1);
    run.says("(asked for in wit/deps/elsewhere/all.wit:4:");
}

#[test]
fn a_package_without_a_version_may_stand_beside_its_namesake() {
    let workspace = Workspace::new()
        .file(
            "run.toml",
            "[project]\nname = \"x\"\nversion = \"0.1.0\"\n\n[[component]]\nname = \"x\"\n\
             source = \"a.c\"\nwit = \"wit\"\n",
        )
        .file("a.c", "#include \"w.h\"\nvoid exports_acme_kit_2_0_0_new_g(void) {}\n")
        .file(
            "wit/w.wit",
            "package acme:kit@2.0.0;\ninterface new { g: func(); }\n\
             world w { import acme:kit/old; export new; }\n",
        )
        .file("wit/deps/old/old.wit", "package acme:kit;\ninterface old { f: func(); }\n");
    workspace.run(["build"]).ok();
}

/// Makes two components in C, one of which imports what the other exports.
fn siblings() -> Workspace {
    Workspace::new()
        .file(
            "run.toml",
            "[project]\nname = \"x\"\nversion = \"0.1.0\"\n\n\
             [[component]]\nname = \"producer\"\nsource = \"producer/p.c\"\nwit = \"producer/wit\"\n\n\
             [[component]]\nname = \"consumer\"\nsource = \"consumer/c.c\"\nwit = \"consumer/wit\"\n\
             dependencies = [\"producer\"]\n",
        )
        .file("producer/p.c", "#include \"producer.h\"\nuint64_t exports_acme_rng_rand_next(void) { return 41; }\n")
        .file(
            "producer/wit/w.wit",
            "package acme:rng@1.0.0;\ninterface rand { next: func() -> u64; }\nworld producer { export rand; }\n",
        )
        .file("consumer/c.c", "#include \"consumer.h\"\nuint64_t exports_consumer_more(void) { return acme_rng_rand_next() + 1; }\n")
        .file(
            "consumer/wit/w.wit",
            "package acme:hello@1.0.0;\nworld consumer { import acme:rng/rand@1.0.0; export more: func() -> u64; }\n",
        )
        .file("consumer/wit/deps/rng.wit", "package acme:rng@1.0.0;\ninterface rand { next: func() -> u64; }\n")
}

#[test]
fn what_a_component_depends_on_has_to_fit() {
    let workspace = siblings();
    workspace.run(["build"]).ok();
    // This is an error whichever of the two is built, before anything runs.
    workspace.replace("producer/wit/w.wit", "-> u64", "-> u32");
    workspace
        .run(["build", "-p", "consumer"])
        .exits(2)
        .says("`producer` does not export what this component imports:")
        .says("expected `next: func() -> u64`")
        .says("found    `next: func() -> u32`")
        .says("dependencies = [\"producer\"]");
    workspace.replace("producer/wit/w.wit", "-> u32", "-> u64");
    workspace.replace("producer/wit/w.wit", "@1.0.0", "@2.0.0");
    workspace
        .run(["build", "-p", "consumer"])
        .exits(2)
        .says("interface `acme:rng/rand@1.0.0` is not exported")
        .says("`acme:rng/rand@2.0.0` is");
    workspace
        .write("producer/wit/w.wit", "package acme:rng;\nworld producer { export f: func(); }\n");
    workspace
        .run(["build", "-p", "consumer"])
        .exits(2)
        .says("exports nothing that this component imports: it exports f")
        .says("imports acme:rng/rand@1.0.0");
}

#[test]
fn a_ready_made_component_is_held_against_what_imports_it() {
    let workspace = siblings();
    workspace.run(["build", "-p", "producer"]).ok();
    workspace.write("vendor/producer.wasm", workspace.read("target/wasm/producer.wasm"));
    workspace.replace(
        "run.toml",
        "source = \"producer/p.c\"\nwit = \"producer/wit\"",
        "path = \"vendor/producer.wasm\"",
    );
    workspace.run(["build"]).ok();
    workspace.replace("consumer/wit/deps/rng.wit", "u64", "string");
    workspace.run(["build"]).exits(2).says("found    `next: func() -> u64`");
}
