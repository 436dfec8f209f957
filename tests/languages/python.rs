//! Python: packages and search paths, third-party wheels by hash, and errors in the project's terms.
//!
//! Each run of componentize-py takes seconds, so a project is bent in several ways at once where
//! that is possible, and what is found before anything runs has most of the tests.

use crate::harness::{Run, Workspace, call};

const APP: &str = "components/greeter/app.py";
const REQUIREMENTS: &str = "components/greeter/requirements.txt";

/// The example, of which only the greeter is built.
fn greeter() -> Workspace {
    Workspace::example("polyglot")
}

fn build(workspace: &Workspace) -> Run {
    workspace.run(["build", "-p", "greeter"])
}

/// The wheel of the example's requirement.
const WHEEL: (&str, &str) = (
    "humanize-4.17.0-py3-none-any.whl",
    "02d0899527760efe18011944f882df4970943b4cdff7b5a0ba7fed43a576ef98",
);

#[test]
fn packages_search_paths_data_and_wheels_come_together() {
    let (wheel, hash) = WHEEL;
    let unique = format!("built in {}", greeter().root().display());
    let workspace = greeter()
        .file("shop/src/shop/__init__.py", "")
        .file(
            "shop/src/shop/app.py",
            "from wit_world import exports\nfrom shared import punctuated\nfrom . import words\n\n\n\
             class Greet(exports.Greet):\n    def greet(self, name: str) -> str:\n        \
             return punctuated(words.WORDS[0], words.everybody(name))\n",
        )
        .file(
            "shop/src/shop/words.py",
            "import pathlib\nfrom importlib.metadata import version\n\nfrom humanize import natural_list\n\n\
             WORDS = pathlib.Path(__file__).with_name(\"words.txt\").read_text().splitlines()\n\
             VERSION = version(\"humanize\")\n\n\n\
             def everybody(names: str) -> str:\n    return f\"{natural_list(names.split())} ({VERSION})\"\n",
        )
        .file("shop/src/shop/words.txt", format!("Welcome\n{unique}\n"))
        .file("lib/shared.py", "def punctuated(*words: str) -> str:\n    return \", \".join(words)\n")
        .file(
            "shop/pylock.toml",
            format!(
                "lock-version = \"1.0\"\ncreated-by = \"hand\"\n\n[[packages]]\nname = \"humanize\"\n\
                 version = \"4.17.0\"\n[[packages.wheels]]\nname = \"{wheel}\"\n\
                 hashes = {{ sha256 = \"{hash}\" }}\n"
            ),
        )
        .file("shop/pyproject.toml", "[project]\nname = \"shop\"\ndependencies = [\"humanize>=4\"]\n");
    workspace.replace("run.toml", "\"components/greeter/app.py\"", "\"shop/src/shop/app.py\"");
    workspace.replace(
        "run.toml",
        "wit = \"components/greeter/wit\"",
        "wit = \"components/greeter/wit\"\ninputs = [\"shop/**/*.txt\"]\nenv = { PYTHONPATH = \"lib\" }",
    );
    let ran = build(&workspace).ok();
    assert!(ran.ran().ends_with(&["greeter:compile", "greeter:finish"]), "{:?}", ran.ran());
    let component = workspace.read("target/wasm/greeter.wasm");
    wasmparser::Validator::new_with_features(wasmparser::WasmFeatures::all())
        .validate_all(&component)
        .unwrap();
    let greet = Some("demo:greeter/greet@0.1.0");
    let greeting = call(&component, greet, "greet", &["\"Ada Grace Edsger\""]);
    assert_eq!(greeting.as_deref(), Some("\"Welcome, Ada, Grace and Edsger (4.17.0)\""));
    // Files that no module is: nothing to do with the component.
    workspace.write("shop/src/shop/notes.md", "words");
    assert_eq!(build(&workspace).ok().ran(), Vec::<&str>::new());
}

#[test]
fn a_syntax_error_is_told_with_its_place_in_the_project() {
    let workspace = greeter();
    workspace.replace(APP, "class Greet(exports.Greet):", "class Greet(exports.Greet)");
    build(&workspace)
        .exits(1)
        .says("SyntaxError: expected ':'")
        .says("in the project this is components/greeter/app.py:8");
}

#[test]
fn a_missing_export_names_the_class_to_write() {
    let workspace = greeter();
    workspace.replace(APP, "class Greet(", "class Greeting(");
    build(&workspace)
        .exits(1)
        .says("module 'app' has no attribute 'Greet'")
        .says("add `class Greet(exports.Greet):`");
}

#[test]
fn a_module_that_wants_to_download_is_told_that_there_is_no_network() {
    let workspace = greeter();
    workspace.replace(
        APP,
        "from phrases",
        "import urllib.request\nurllib.request.urlopen(\"http://example.invalid/\")\nfrom phrases",
    );
    build(&workspace)
        .exits(1)
        .says("actions have no network")
        .says("the module runs once while the component is made")
        .says("components/greeter/app.py:6");
}

#[test]
fn a_missing_lockfile_is_an_error_with_the_commands_that_make_it() {
    let workspace = greeter().file(
        "components/greeter/pyproject.toml",
        "[project]\nname = \"greeter\"\ndependencies = [\"humanize\"]\n",
    );
    std::fs::remove_file(workspace.path(REQUIREMENTS)).unwrap();
    build(&workspace)
        .exits(2)
        .says("`components/greeter/pyproject.toml` has dependencies, but there is no lockfile")
        .says("uv lock | pip lock")
        .says("run.toml:");
}

#[test]
fn a_stale_lockfile_is_an_error_with_the_command_that_renews_it() {
    let workspace = greeter().file(
        "components/greeter/pyproject.toml",
        "[project]\nname = \"greeter\"\ndependencies = [\"humanize>=5\", \"rich\"]\n",
    );
    build(&workspace)
        .exits(2)
        .says("it has `humanize` 4.17.0, but `humanize>=5` is asked for")
        .says("uv pip compile --generate-hashes -o requirements.txt");
}

#[test]
fn a_requirement_without_a_hash_is_an_error_with_its_line() {
    let workspace = greeter();
    workspace.write(REQUIREMENTS, "# tools\nhumanize==4.17.0\n");
    build(&workspace)
        .exits(2)
        .says("components/greeter/requirements.txt:2: `humanize==4.17.0` is not pinned")
        .says("--generate-hashes");
}

#[test]
fn a_wheel_with_another_hash_is_refused() {
    let workspace = greeter();
    let wrong = "0".repeat(64);
    workspace.write(REQUIREMENTS, format!("humanize==4.17.0 --hash=sha256:{wrong}\n"));
    build(&workspace)
        .exits(102)
        .says(&format!("`humanize==4.17.0` has SHA-256 {}", WHEEL.1))
        .says(&format!("components/greeter/requirements.txt pins {wrong}"));
    assert!(!workspace.exists("target/wasm/greeter.wasm"));
}

#[test]
fn a_package_without_a_loadable_wheel_is_refused_by_name() {
    // It exists for native platforms and as a source distribution only.
    let workspace = greeter();
    let hash = "0".repeat(64);
    workspace.write(REQUIREMENTS, format!("ujson==5.10.0 --hash=sha256:{hash}\n"));
    build(&workspace)
        .exits(1)
        .says("pip found no wheel for `ujson==5.10.0` that Python in WebAssembly can load")
        .says("No matching distribution found");
}

#[test]
fn offline_a_package_that_was_never_fetched_is_named() {
    let workspace = greeter();
    let hash = "1".repeat(64);
    workspace.write(REQUIREMENTS, format!("never-fetched==1.0 --hash=sha256:{hash}\n"));
    let run = workspace.run(["build", "-p", "greeter", "--offline"]);
    assert!(run.code != 0);
    run.says("`never-fetched==1.0` is not on this machine, and this build is offline");
}

const HELLO: &str = "package demo:app;\ninterface api { hello: func(name: string) -> string; }\n\
                     world app { export api; }\n";

fn hello(workspace: &Workspace) -> String {
    let component = workspace.read("target/wasm/app.wasm");
    call(&component, Some("demo:app/api"), "hello", &["\"n\""]).unwrap()
}

/// A project of uv with a member by path, its own metadata, imports in functions, one of them by name, a
/// file that is read too late, and a package that brings WIT along which the component has as well.
#[test]
fn members_metadata_and_imports_in_functions_are_in_the_component() {
    let workspace = Workspace::new()
        .file(
            "run.toml",
            "[project]\nname = \"p\"\nversion = \"0.1.0\"\n\n[[component]]\nname = \"app\"\n\
             source = \"app.py\"\nwit = \"wit\"\ninputs = [\"sdk/**\"]\n",
        )
        .file("wit/world.wit", HELLO.replace("export api", "import wasi:random/random@0.2.4; export api"))
        .file("app.py", MODULE)
        .file("helper.py", "H = 'helped'\n")
        .file("plugs/one.py", "P = 'plugged'\n")
        .file("data.txt", "")
        .file("sdk/__init__.py", "W = 'sdk'\n")
        .file("sdk/componentize-py.toml", "wit_directory = \"wit\"\n")
        .file(
            "sdk/wit/w.wit",
            "package acme:sdk;\nworld app { import wasi:random/random@0.2.4; import acme:more/m@1.0.0; }\n",
        )
        .file(
            "sdk/wit/deps/random/random.wit",
            "package wasi:random@0.2.4;\ninterface random { get-random-u64: func() -> u64; }\n",
        )
        .file("sdk/wit/deps/more/m.wit", "package acme:more@1.0.0;\ninterface m { f: func(); }\n")
        .file("pyproject.toml", PYPROJECT)
        .file("uv.lock", UV_LOCK)
        .file(
            "libs/shared/pyproject.toml",
            "[project]\nname = \"shared\"\nversion = \"0.2.0\"\nrequires-python = \">=3.11\"\n",
        )
        .file("libs/shared/shared/__init__.py", "W = 'shared!'\n");
    workspace
        .run(["build"])
        .ok()
        .says("warning: app.py:19: opens `data.txt` when it is called")
        .says("note: `componentize-py` in a lockfile is left out");
    let expect = "\"sdk shared! 0.1.0 0.2.0 1 helped plugged json.tool\"";
    assert_eq!(hello(&workspace), expect);
}

const MODULE: &str = r#"from importlib.metadata import entry_points, version
from wit_world import exports
import sdk
import shared
VERSION = f"{version('app')} {version('shared')} {len(entry_points(group='demo'))}"

class Api(exports.Api):
    def hello(self, name):
        import helper, importlib
        from plugs import one
        try:
            import no_such_package_at_all
        except ImportError:
            pass
        late = importlib.import_module("json.tool").__name__
        return f"{sdk.W} {shared.W} {VERSION} {helper.H} {one.P} {late}"

    def late(self):
        return open("data.txt").read()
"#;

const PYPROJECT: &str = r#"[project]
name = "app"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = ["shared", "componentize-py>=0.20"]
[project.entry-points.demo]
x = "helper:H"
[tool.uv.sources]
shared = { path = "libs/shared", editable = true }
"#;

const UV_LOCK: &str = r#"version = 1
revision = 3
requires-python = ">=3.11"

[[package]]
name = "app"
version = "0.1.0"
source = { virtual = "." }
dependencies = [
    { name = "componentize-py" },
    { name = "shared" },
]

[package.metadata]
requires-dist = [
    { name = "componentize-py", specifier = ">=0.20" },
    { name = "shared", editable = "libs/shared" },
]

[[package]]
name = "componentize-py"
version = "0.25.1"
source = { registry = "https://h/simple" }

[[package]]
name = "shared"
version = "0.2.0"
source = { editable = "libs/shared" }
"#;

/// An SDK that has the component's world, and bindings for it made inside of itself.
#[test]
fn an_sdk_with_the_same_wit_gets_its_bindings() {
    let dep = "package acme:dep@1.0.0;\ninterface i { f: func(); }\n";
    let own = HELLO.replace("export api", "import acme:dep/i@1.0.0; export api");
    let workspace = Workspace::new()
        .file(
            "run.toml",
            "[project]\nname = \"p\"\nversion = \"0.1.0\"\n\n[[component]]\nname = \"app\"\n\
             source = \"app.py\"\nwit = \"wit\"\ninputs = [\"sdk/**\"]\n",
        )
        .file(
            "app.py",
            "import sdk\nclass Api(sdk.Api):\n    def hello(self, name): return sdk.W\n",
        )
        .file("wit/w.wit", &own)
        .file("wit/deps/dep/d.wit", dep)
        .file(
            "sdk/__init__.py",
            "from sdk.bind.exports import Api\nWHERE = 'from the package'\nW = f'({WHERE})'\n",
        )
        .file("sdk/bind/__init__.py", "")
        .file("sdk/componentize-py.toml", "wit_directory = \"wit\"\nbindings = \"bind\"\n")
        .file("sdk/wit/w.wit", &own)
        .file("sdk/wit/deps/dep/d.wit", dep);
    workspace.run(["build"]).ok();
    super::holds(&workspace, "(from the package)");
}

/// The oldest version of the catalogue makes components as the newest does; lockfiles are read for the interpreter of both.
#[test]
fn an_older_componentize_py_can_be_pinned() {
    let workspace = Workspace::new()
        .file(
            "run.toml",
            "[project]\nname = \"p\"\nversion = \"0.1.0\"\n\n[[component]]\nname = \"app\"\n\
             source = \"hello.py\"\nwit = \"wit\"\n",
        )
        .file("wit/world.wit", HELLO)
        .file(
            "hello.py",
            "import platform\nimport sysconfig\nfrom wit_world import exports\n\
             NAME = f\"({platform.python_version()} {sysconfig.get_platform()} {platform.machine()})\"\n\
             class Api(exports.Api):\n    def hello(self, name):\n        return NAME\n",
        );
    workspace.run(["toolchain", "sync", "--upgrade", "componentize-py@0.18.0"]).ok();
    workspace.run(["build"]).ok();
    super::holds(&workspace, "(3.14.0 wasi-0.0.0-wasm32 wasm32)");
    workspace
        .run(["toolchain", "sync", "--upgrade", "componentize-py@0.17.2"])
        .says("0.18.0")
        .exits(2);
}
