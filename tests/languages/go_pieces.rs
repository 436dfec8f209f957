//! Tests that each package of Go is compiled by an action of its own, which everybody shares. Results are kept from one
//! run of the tests to the next, so the modules have another text each time.

use std::collections::BTreeSet;

use super::go::{GO_MOD, GO_SUM, OPS_GO, call, checksums_of, publish_files, sums};
use crate::harness::{Run, Workspace, prints};

/// The modules of a project, with the text that makes them unique.
struct Modules {
    workspace: Workspace,
    unique: String,
}

impl Modules {
    /// Makes a project that uses `example.org/mid`, which uses `example.org/leaf`; beside them stands
    /// `example.org/other`. `example.org/tool` serves a tool only and does not compile.
    fn new() -> Self {
        let this = Self::published(Workspace::new().root().display().to_string());
        this.require(&["leaf v1.0.0", "mid v1.0.0", "other v1.0.0", "tool v1.0.0"]);
        let workspace = &this.workspace;
        workspace.replace(
            OPS_GO,
            "\"example.org/plus\"",
            "\"example.org/mid\"\n\t_ \"example.org/other\"\n\t\"example.org/plus\"",
        );
        workspace.replace(OPS_GO, "plus.Add(a, b)", "plus.Add(a, b) + mid.Zero()");
        let tools = "//go:build tools\n\npackage main\n\nimport _ \"example.org/tool\"\n";
        workspace.write("sums/tools.go", tools);
        this
    }

    /// Makes a project that uses none of the modules yet.
    fn published(unique: String) -> Self {
        let this = Self { workspace: sums(), unique };
        this.publish_all();
        this.leaf("v1.0.0");
        this
    }

    /// Makes another project with the same modules.
    fn again(&self) -> Self {
        let this = Self::published(self.unique.clone());
        for file in [OPS_GO, "sums/go.mod", "sums/go.sum", "sums/tools.go"] {
            this.workspace.write(file, self.workspace.read_text(file));
        }
        this
    }

    fn publish_all(&self) {
        let unique = format!("const Unique = {:?}\n", self.unique);
        // The function is not inlined, so what others see of the package does not depend on the leaf.
        let mid = format!(
            "package mid\n\nimport \"example.org/leaf\"\n\n\
             //go:noinline\nfunc Zero() uint32 {{ return leaf.Zero() }}\n\n{unique}"
        );
        let leaf = "require example.org/leaf v1.0.0\n";
        self.publish("mid", "v1.0.0", leaf, &[("mid.go", &mid)]);
        let assembly = "#include \"textflag.h\"\n#include \"size.h\"\n\n\
                        TEXT ·Seven(SB), NOSPLIT, $0-SIZE\n\tMOVD $7, ret+0(FP)\n\tRET\n";
        let other = format!("package other\n\nfunc Seven() int64\n\n{unique}");
        self.publish(
            "other",
            "v1.0.0",
            "",
            &[("other.go", &other), ("seven.s", assembly), ("size.h", "#define SIZE 8\n")],
        );
        self.publish(
            "tool",
            "v1.0.0",
            "",
            &[("tool.go", "package tool\n\nfunc broken() { no }\n")],
        );
    }

    fn leaf(&self, version: &str) {
        let leaf = format!(
            "package leaf\n\nfunc Zero() uint32 {{ return 0 }}\n\nconst Version = \"{version} {}\"\n",
            self.unique
        );
        let unused = ("unused/unused.go", "package unused\n\nfunc broken() { no }\n");
        self.publish("leaf", version, "", &[("leaf.go", &leaf), unused]);
    }

    fn publish(&self, name: &str, version: &str, needs: &str, files: &[(&str, &str)]) {
        let proxy = self.workspace.root().join("proxy");
        let module = format!("example.org/{name}");
        let manifest = format!("module {module}\n\ngo 1.20\n\n{needs}");
        publish_files(&proxy, &module, version, &manifest, files);
    }

    /// Requires these modules, in this order.
    fn require(&self, modules: &[&str]) {
        let (mut manifest, mut sums) = (GO_MOD.to_owned(), GO_SUM.to_owned());
        for (name, version) in modules.iter().map(|module| module.split_once(' ').unwrap()) {
            let module = format!("example.org/{name}");
            manifest.push_str(&format!("\nrequire {module} {version}\n"));
            sums.push_str(&checksums_of(&self.workspace, &module, version));
        }
        // The module is required in an older version, whose go.mod counts as well.
        if !modules.contains(&"leaf v1.0.0") {
            let lines = checksums_of(&self.workspace, "example.org/leaf", "v1.0.0");
            sums.extend(
                lines
                    .lines()
                    .filter(|line| line.contains("/go.mod "))
                    .map(|line| format!("{line}\n")),
            );
        }
        self.workspace.write("sums/go.mod", manifest);
        self.workspace.write("sums/go.sum", sums);
    }

    #[track_caller]
    fn build(&self) -> Run {
        self.workspace.run(["build", "-j1"]).ok()
    }

    fn component(&self) -> Vec<u8> {
        self.workspace.read("target/wasm/sums.wasm")
    }
}

/// Returns those of the actions that ran which serve packages of others, or of the standard library.
fn shared(run: &Run) -> Vec<&str> {
    let ran = run.ran().into_iter();
    ran.filter(|label| label.starts_with("example.org/") || label.starts_with("go:compile"))
        .collect()
}

const LEAF: &str = "example.org/leaf v1.0.0:compile example.org/leaf";
const MID: &str = "example.org/mid v1.0.0:compile example.org/mid";
const OTHER: [&str; 4] = [
    "example.org/other v1.0.0:assemble seven.s of example.org/other",
    "example.org/other v1.0.0:compile example.org/other",
    "example.org/other v1.0.0:list symbols of example.org/other",
    "example.org/other v1.0.0:pack example.org/other",
];

#[test]
fn a_new_version_of_a_module_compiles_what_depends_on_it_and_nothing_else() {
    let modules = Modules::new();
    let run = modules.build();
    // What is not unique may have been compiled before.
    let unique = |label: &&str| {
        let modules = ["leaf", "mid", "other", "tool"];
        modules.iter().any(|name| label.starts_with(&format!("example.org/{name} ")))
    };
    let ran: BTreeSet<&str> = shared(&run).into_iter().filter(unique).collect();
    let expect: BTreeSet<&str> = OTHER.into_iter().chain([LEAF, MID]).collect();
    assert_eq!(ran, expect, "neither the tool nor the unused package is compiled");
    assert_eq!(call(&modules.component(), "add", &["40", "2"]).as_deref(), Some("42"));

    modules.leaf("v1.0.1");
    modules.require(&["leaf v1.0.1", "mid v1.0.0", "other v1.0.0", "tool v1.0.0"]);
    // What the package in the middle offers is the same, so those that import it are not compiled again.
    let leaf = "example.org/leaf v1.0.1:compile example.org/leaf";
    assert_eq!(
        modules.build().ran(),
        ["go sums:fetch", "sums:list", "sums:layer", leaf, MID, "sums:link", "sums:finish"]
    );

    // Tags choose files. No package has other files by these.
    let unique = modules.unique.replace(|c: char| !c.is_ascii_alphanumeric(), "_");
    let tags = format!("language = \"go\"\nenv = {{ GOFLAGS = \"-tags={unique}\" }}");
    modules.workspace.replace("run.toml", "language = \"go\"", &tags);
    assert_eq!(modules.build().ran(), ["sums:list", "sums:layer", "sums:link", "sums:finish"]);
}

#[test]
fn what_one_has_compiled_serves_other_components_and_projects() {
    let modules = Modules::new();
    let workspace = &modules.workspace;
    let text = workspace.read_text("run.toml");
    let (head, table) = text.split_once("[[component]]").unwrap();
    let more = table.replace("\"sums", "\"more").replace("more/wit", "sums/more/wit.wit");
    let more = more.replace("more/main.go", "sums/more/main.go");
    workspace.write("run.toml", format!("{head}[[component]]{table}\n[[component]]{more}"));
    workspace.write(
        "sums/more/wit.wit",
        "package demo:hello;\n\nworld hello {\n    include wasi:cli/command@0.2.4;\n}\n",
    );
    workspace.write(
        "sums/more/main.go",
        "package main\n\nimport (\n\t\"fmt\"\n\n\t\"example.org/mid\"\n\t\"example.org/other\"\n)\n\n\
         func main() { fmt.Println(mid.Zero(), other.Seven()) }\n",
    );
    let run = modules.build();
    let ran = shared(&run);
    let once: BTreeSet<&str> = ran.iter().copied().collect();
    assert_eq!(ran.len(), once.len(), "{ran:?}");
    assert!(once.contains(LEAF) && once.contains(MID), "{ran:?}");
    assert_eq!(prints(&workspace.read("target/wasm/more.wasm")), "0 7\n");

    let again = modules.again();
    let run = again.build();
    assert_eq!(shared(&run), Vec::<&str>::new());
    assert!(again.component() == modules.component());
}

#[test]
fn the_order_of_requirements_decides_about_nothing() {
    let modules = Modules::new();
    modules.build();
    let component = modules.component();
    let unique = modules.unique.clone();
    modules.require(&["tool v1.0.0", "other v1.0.0", "mid v1.0.0", "leaf v1.0.0"]);
    // The comment makes go.mod another one each time.
    let manifest = modules.workspace.read_text("sums/go.mod");
    modules.workspace.write("sums/go.mod", format!("{manifest}\n// {unique}\n"));
    assert_eq!(modules.build().ran(), ["sums:list"]);
    assert!(modules.component() == component);
}

#[test]
fn the_order_in_which_modules_were_added_does_not_show() {
    let unique = Workspace::new().root().display().to_string();
    let built = |order: [&str; 2]| {
        let modules = Modules::published(unique.clone());
        let plain = modules.workspace.read_text(OPS_GO);
        let mut required = vec!["leaf v1.0.0".to_owned()];
        for name in order {
            required.push(format!("{name} v1.0.0"));
            modules.require(&required.iter().map(String::as_str).collect::<Vec<_>>());
            let imported = format!("_ \"example.org/{name}\"\n\t\"example.org/plus\"");
            modules.workspace.replace(OPS_GO, "\"example.org/plus\"", &imported);
            modules.build();
        }
        let both = "\"example.org/mid\"\n\t\"example.org/other\"\n\t\"example.org/plus\"";
        let sum = "plus.Add(a, b) + mid.Zero() + uint32(other.Seven())";
        let source = plain.replace("\"example.org/plus\"", both).replace("plus.Add(a, b)", sum);
        modules.workspace.write(OPS_GO, source);
        modules.build();
        modules
    };
    let (one, two) = (built(["mid", "other"]), built(["other", "mid"]));
    assert_ne!(one.workspace.read("sums/go.mod"), two.workspace.read("sums/go.mod"));
    assert!(one.component() == two.component());
    assert_eq!(call(&one.component(), "add", &["30", "5"]).as_deref(), Some("42"));
    // Both are what a build from nothing gives.
    two.workspace.run(["verify"]).ok();
}

#[test]
fn a_package_of_the_project_may_have_assembly() {
    let modules = Modules::new();
    let workspace = &modules.workspace;
    let folder = "sums/exports/export_demo_sums_ops";
    let assembly =
        "#include \"textflag.h\"\n\nTEXT ·two(SB), NOSPLIT, $0-8\n\tMOVD $2, ret+0(FP)\n\tRET\n";
    workspace.write(&format!("{folder}/two.s"), assembly);
    workspace.replace(OPS_GO, "func Add(", "func two() int64\n\nfunc Add(");
    workspace.replace(OPS_GO, "plus.Add(a, b)", "uint32(two()) * plus.Add(a, b)");
    modules.build();
    assert_eq!(call(&modules.component(), "add", &["40", "2"]).as_deref(), Some("84"));
}
