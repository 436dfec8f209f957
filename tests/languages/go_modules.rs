//! Tests popular modules of Go, from the proxy of the machine. Each of them does something that is visible in
//! the output. The projects in `projects/go.rs` use eight more: chi, cobra, decimal, gjson, goldmark,
//! participle, pflag and yaml.v3.
//!
//! The go.mod and go.sum of these projects were made by `go mod tidy`.

use std::process::Command;

use crate::harness::{Workspace, prints};
use crate::remedies::told;

impl Workspace {
    /// Makes `run` fetch modules from the proxy of the machine's own go.
    pub(super) fn use_the_machines_go_proxy(&self) {
        let proxy = Command::new("go").args(["env", "GOPROXY"]).output();
        let proxy = proxy.unwrap_or_else(|error| panic!("install Go: {error}"));
        let proxy = String::from_utf8(proxy.stdout).unwrap();
        self.configure_go(&format!("GOPROXY={proxy}"));
    }
}

fn modules() -> Workspace {
    let workspace = Workspace::fixture("go/modules");
    workspace.use_the_machines_go_proxy();
    workspace
}

const PRINTED: &str = r#"arguments [component]
uuid aad03681-8b63-5304-89e0-8ca8f49461b5 VERSION_5 true
testify false true
{"l":"info","m":"zap","n":7,"all":["a","b"]}
{"level":"warn","who":"zerolog","x":1.5,"error":"no"}
level=error msg=logrus n=3
mux 200 book 12
mux 404 404 page not found
color "\x1b[31;1mred\x1b[0;22m" true
text IJsland 1.234.567,5
crypto <nil> <nil> crypto/bcrypt: hashedPassword is not the hash of the given password
crypto <nil> eb629fca1218bc8825e1b6cae5f91d6a3a9d5b08
goquery <nil> [one three]
viper <nil> viper 12 8080
protobuf <nil> <nil> true 47
protobuf <nil> [1,true]
otel a=otel,b=2 value <nil>
sync errgroup
semver <nil> true false
"#;

#[test]
fn popular_modules_work() {
    let workspace = modules();
    workspace.run(["build", "many"]).ok();
    assert_eq!(prints(&workspace.read("target/wasm/many.wasm")), PRINTED);
}

/// One module maps files into memory, and one is written in C.
#[test]
fn what_does_not_support_wasi_can_be_kept_out() {
    let workspace = modules();
    let check = |name: &str, file: &str, said: &[&str], instead: &str| {
        let refused = told(&workspace, &format!("run build {name}"), 1);
        said.iter().for_each(|text| _ = refused.advises(text));
        let (without, with) = (refused.text("//go:build !"), refused.text("//go:build wasip1"));
        let path = format!("{name}/{file}");
        let text = workspace.read_text(&path);
        workspace.write(&path, format!("{without}\n\n{text}"));
        workspace
            .write(&format!("{name}/instead.go"), format!("{with}\n\npackage main\n\n{instead}\n"));
        workspace.types(&format!("run build {name}")).ok();
        prints(&workspace.read(&format!("target/wasm/{name}.wasm")))
    };
    let bolt = check(
        "bolt",
        "file.go",
        &[
            "`go.etcd.io/bbolt/internal/common` does not compile",
            "undefined array length MaxAllocSize",
            "note: `example.com/modules/bolt` imports it by way of `go.etcd.io/bbolt`",
            "note: files of it are left out, as they are not for WASI: bolt_386.go",
        ],
        "func count() (uint64, error) { return 1, nil }",
    );
    assert_eq!(bolt, "1 <nil>\n");
    let zstd = check(
        "zstd",
        "pack.go",
        &[
            "`github.com/DataDog/zstd` has no file to compile",
            "note: `example.com/modules/zstd` imports it",
            "note: files of it are left out, as they are not for WASI: errors.go",
        ],
        "func packed(text string) (int, error) { return len(text), nil }",
    );
    assert_eq!(zstd, "39 <nil>\n");

    // A package of the project itself has no files for WASI.
    workspace.replace(
        "zstd/main.go",
        "import \"fmt\"",
        "import (\n\t\"fmt\"\n\n\t_ \"example.com/modules/own\"\n)",
    );
    workspace.write("own/own_linux.go", "package own\n");
    let refused = told(&workspace, "run build zstd", 1);
    refused.advises("no file of `own` is for WASI: add one with");
    let line = refused.text("//go:build wasip1");
    workspace.write("own/own.go", format!("{line}\n\npackage own\n"));
    workspace.types("run build zstd").ok();

    // Go's own packages define this for other systems only.
    let terminal = "package own\n\nimport \"syscall\"\n\nvar Request = syscall.TIOCGWINSZ\n";
    workspace.write("own/own.go", terminal);
    let refused = told(&workspace, "run build zstd", 1);
    refused.advises("own/own.go:5:23: undefined: syscall.TIOCGWINSZ");
    let (without, with) = (refused.text("//go:build !"), refused.text("//go:build wasip1"));
    workspace.write("own/own.go", format!("{without}\n\n{terminal}"));
    workspace.write("own/instead.go", format!("{with}\n\npackage own\n"));
    workspace.types("run build zstd").ok();
}
