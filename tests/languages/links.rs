//! Tests symlinks of a checkout. Those that stay in the project are followed in every language, to files and
//! to folders, and an edit of their target is noticed. One that leads out is refused by name.

use super::holds;
use crate::harness::Workspace;

const WIT: &str = "package demo:app;\ninterface api { hello: func(name: string) -> string; }\n\
                   world app { export api; }\n";

/// A component of one language.
struct Linked {
    language: &'static str,
    source: &'static str,
    /// The names and texts of the files that links lead to, in `common` and in `common/more`.
    linked: [File; 2],
    /// The other files.
    files: &'static [File],
}

/// The name and the text of a file.
type File = (&'static str, &'static str);

const PROJECTS: [Linked; 7] = [
    Linked {
        language: "c",
        source: "app.c",
        linked: [("words.h", "#define WORD \"ONE\"\n"), ("m.h", "#define MORE \"TWO\"\n")],
        files: &[(
            "app.c",
            "#include <string.h>\n#include \"app.h\"\n#include \"words.h\"\n#include \"more/m.h\"\n\
             void exports_demo_app_api_hello(app_string_t *name, app_string_t *ret) {\n\
             app_string_free(name); app_string_dup(ret, \"(\" WORD \"-\" MORE \")\");\n}\n",
        )],
    },
    Linked {
        language: "go",
        source: "main.go",
        linked: [
            ("words.go", "package main\n\nconst one = \"(ONE\"\n"),
            ("m.go", "package more\n\nconst Two = \"-TWO)\"\n"),
        ],
        files: &[
            ("go.mod", "module example.com/app\n\ngo 1.24\n"),
            (
                "main.go",
                "package main\n\nimport \"example.com/app/more\"\n\n\
                 func main() { println(one + more.Two) }\n",
            ),
        ],
    },
    Linked {
        language: "javascript",
        source: "app.js",
        linked: [
            ("words.js", "export const one = 'ONE';\n"),
            ("m.js", "export const two = 'TWO';\n"),
        ],
        files: &[(
            "app.js",
            "import { one } from './words.js';\nimport { two } from './more/m.js';\n\
             export const api = { hello(name) { return `(${one}-${two})`; } };\n",
        )],
    },
    Linked {
        language: "python",
        source: "app.py",
        linked: [("words.py", "WORD = 'ONE'\n"), ("m.py", "MORE = 'TWO'\n")],
        files: &[(
            "app.py",
            "from wit_world import exports\nimport words\nfrom more import m\nTEXT = f'({words.WORD}-{m.MORE})'\n\
             class Api(exports.Api):\n    def hello(self, name): return TEXT\n",
        )],
    },
    Linked {
        language: "rust",
        source: "src/main.rs",
        linked: [
            ("words.rs", "macro_rules! one { () => { \"(ONE\" } }\npub(crate) use one;\n"),
            ("m.rs", "macro_rules! two { () => { \"-TWO)\" } }\npub(crate) use two;\n"),
        ],
        files: &[
            (
                "Cargo.toml",
                "[package]\nname = \"linked\"\nversion = \"0.1.0\"\nedition = \"2024\"\n",
            ),
            ("Cargo.lock", "version = 4\n\n[[package]]\nname = \"linked\"\nversion = \"0.1.0\"\n"),
            (
                "src/main.rs",
                "mod words;\n#[path = \"more/m.rs\"]\nmod m;\n\
                 fn main() { println!(\"{}\", concat!(words::one!(), m::two!())); }\n",
            ),
        ],
    },
    Linked {
        language: "typescript",
        source: "app.ts",
        linked: [
            ("words.ts", "export const one: string = 'ONE';\n"),
            ("m.ts", "export const two: string = 'TWO';\n"),
        ],
        files: &[(
            "app.ts",
            "import { one } from './words';\nimport { two } from './more/m';\n\
             export const api = { hello(name: string): string { return `(${one}-${two})`; } };\n",
        )],
    },
    Linked {
        language: "zig",
        source: "app.zig",
        linked: [
            ("words.zig", "pub const one = \"ONE\";\n"),
            ("m.zig", "pub const two = \"TWO\";\n"),
        ],
        files: &[(
            "app.zig",
            "const std = @import(\"std\");\nconst w = @import(\"bindings\");\n\
             const words = @import(\"words.zig\");\nconst m = @import(\"more/m.zig\");\n\
             export fn exports_demo_app_api_hello(name: *w.app_string_t, ret: *w.app_string_t) void {\n\
             w.app_string_free(name);\n\
             const text = std.heap.c_allocator.dupe(u8, \"(\" ++ words.one ++ \"-\" ++ m.two ++ \")\") catch @panic(\"\");\n\
             ret.* = .{ .ptr = text.ptr, .len = text.len };\n}\n",
        )],
    },
];

/// Makes a project with one component. Its folder is a link, and has a link to a file and one to a folder.
fn project(language: &str) -> Workspace {
    let found = PROJECTS.iter().find(|project| project.language == language);
    let Linked { source, linked, files, .. } = found.unwrap();
    let wit = match language {
        "rust" => "",
        "go" => "world = \"wasi:cli/command@0.2.4\"\n",
        _ => "wit = \"wit\"\n",
    };
    let workspace = Workspace::new().file(
        "run.toml",
        format!(
            "[project]\nname = \"linked\"\nversion = \"0.1.0\"\n\n[[component]]\nname = \"app\"\n\
             source = \"app/{source}\"\n{wit}"
        ),
    );
    workspace.write("wit/app.wit", WIT);
    for (name, text) in *files {
        workspace.write(&format!("real/app/{name}"), text);
    }
    let folder = source.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
    let up = "../".repeat(2 + usize::from(!folder.is_empty()));
    let [file, more] = linked;
    workspace.write(&format!("common/{}", file.0), file.1);
    workspace.write(&format!("common/more/{}", more.0), more.1);
    workspace.link(&format!("{up}common/{}", file.0), &format!("real/app/{folder}{}", file.0));
    workspace.link(&format!("{up}common/more"), &format!("real/app/{folder}more"));
    workspace.link("real/app", "app");
    workspace
}

/// Builds, and then builds again after an edit of each file to which a link leads.
fn builds_and_sees_edits(language: &str) {
    let workspace = project(language);
    workspace.run(["build"]).ok();
    holds(&workspace, "(ONE-TWO)");
    let project = PROJECTS.iter().find(|project| project.language == language);
    let [one, two] = project.unwrap().linked;
    workspace.write(&format!("common/{}", one.0), one.1.replace("ONE", "ENO"));
    workspace.write(&format!("common/more/{}", two.0), two.1.replace("TWO", "OWT"));
    workspace.run(["build"]).ok();
    holds(&workspace, "(ENO-OWT)");
}

#[test]
fn c_follows_links() {
    builds_and_sees_edits("c");
}

#[test]
fn go_follows_links() {
    builds_and_sees_edits("go");
}

#[test]
fn javascript_follows_links() {
    let workspace = project("javascript");
    workspace.run(["build"]).ok();
    holds(&workspace, "TWO");
    workspace.write("common/more/m.js", "export const two = 'OWT';\n");
    workspace.run(["build"]).ok();
    holds(&workspace, "OWT");
}

#[test]
fn python_follows_links() {
    // A component in Python takes long to make, so there is no second build.
    let workspace = project("python");
    workspace.run(["build"]).ok();
    holds(&workspace, "(ONE-TWO)");
}

#[test]
fn rust_follows_links() {
    builds_and_sees_edits("rust");
}

#[test]
fn typescript_follows_links() {
    let workspace = project("typescript");
    workspace.run(["build"]).ok();
    holds(&workspace, "TWO");
}

#[test]
fn zig_follows_links() {
    builds_and_sees_edits("zig");
}

#[test]
fn a_link_out_of_the_project_is_refused_by_name() {
    let workspace = project("c");
    let away = tempfile::tempdir().unwrap();
    std::fs::write(away.path().join("far.h"), "").unwrap();
    let target = away.path().join("far.h").canonicalize().unwrap();
    workspace.link(target.to_str().unwrap(), "real/app/far.h");
    workspace
        .run(["build"])
        .exits(2)
        .says("app/far.h` leads to `")
        .says("outside of the project")
        .says("put a copy of what the link leads to into the project");
    std::fs::remove_file(workspace.path("real/app/far.h")).unwrap();
    // `run` does not look into a folder unless something in it is needed.
    workspace.link(away.path().to_str().unwrap(), "real/app/far");
    workspace.run(["build"]).ok();
    workspace.replace("run.toml", "wit = \"wit\"", "wit = \"wit\"\ninputs = [\"app/far/*.h\"]");
    workspace.run(["build"]).exits(2).says("`app/far` is a symlink that leads to `");
}

#[test]
fn inputs_and_wit_are_found_behind_links() {
    let workspace = project("c");
    workspace.write("data/deep/numbers.def", "WORD WORD");
    workspace.link("data", "linked");
    workspace.link("../data/deep", "data/again");
    workspace.link("wit", "interfaces");
    workspace.replace(
        "real/app/app.c",
        "\"(\" WORD",
        "\"(\"\n#include \"../linked/again/numbers.def\"\n",
    );
    workspace.replace(
        "run.toml",
        "wit = \"wit\"",
        "wit = \"interfaces\"\ninputs = [\"linked/**/*.def\"]",
    );
    workspace.run(["build"]).ok();
    holds(&workspace, "(ONEONE-TWO)");
    // An edit of WIT behind a link is noticed: the world has one more function, which the component lacks.
    workspace.replace("wit/app.wit", "world app {", "world app { export more: func();");
    workspace.run(["build"]).exits(1).says("exports_app_more");
}
