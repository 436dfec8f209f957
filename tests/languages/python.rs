//! Tests Python: packages and search paths, third-party wheels by hash, and errors in the project's terms.
//!
//! Each run of componentize-py takes seconds. So a test changes a project in several ways at once where that
//! is possible, and most of the tests are about errors that are found before anything runs.

use std::path::Path;

use crate::harness::{Run, Workspace, call};
use crate::remedies::told;

const APP: &str = "components/greeter/app.py";
const REQUIREMENTS: &str = "components/greeter/requirements.txt";

/// Returns the example with only the greeter.
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
    // The interpreter itself needs these.
    let own = ["cli", "clocks", "filesystem", "io", "random", "sockets"];
    let imports = super::imports(&component);
    let packages = imports.iter().filter_map(|name| name.strip_prefix("wasi:")?.split('/').next());
    assert_eq!(packages.collect::<std::collections::BTreeSet<_>>(), own.into());
    assert_eq!(crate::harness::exports(&component), ["exports", "demo:greeter/greet@0.1.0"]);
    let greet = Some("demo:greeter/greet@0.1.0");
    let greeting = call(&component, greet, "greet", &["\"Ada Grace Edsger\""]);
    assert_eq!(greeting.as_deref(), Some("\"Welcome, Ada, Grace and Edsger (4.17.0)\""));
    // A file that is not a module does not belong to the component.
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

/// Each run ends with the next mistake, so what was advised about the one before has helped.
#[test]
fn what_a_module_gets_wrong_is_told_with_advice_that_works() {
    let workspace = greeter()
        .file("words/phrase_book.py", "HELLO = 'Hello'\n")
        .file(
            "components/greeter/pyproject.toml",
            "[project]\nname = \"greeter\"\ndynamic = [\"version\"]\n",
        )
        .file(APP, WRONG);
    let told = || told(&workspace, "run build -p greeter", 1);
    let folder = told().text("env = { PYTHONPATH").replace("folder", "words");
    workspace.replace(
        "run.toml",
        "source = \"components/greeter/app.py\"",
        &format!("source = \"components/greeter/app.py\"\n{folder}"),
    );
    let missing = told();
    missing.advises("a package of the project has metadata if `[project]` in its pyproject.toml has a `name` and a");
    workspace.replace(
        "components/greeter/pyproject.toml",
        "dynamic = [\"version\"]",
        "version = \"1.0\"",
    );
    told().advises("import that in `try` with `except ImportError`; connections with TLS");
    workspace.replace(
        APP,
        "import ssl\n",
        "try:\n    import ssl\nexcept ImportError:\n    ssl = None\n",
    );
    let network = told();
    network.advises("in the project this is components/greeter/app.py:13");
    network.advises("the module runs once while the component is made");
    network.advises(": do in a function what has to be done in each run");
    assert!(!network.said.contains("entry.py"), "{}", network.said);
    workspace.replace(APP, "urlopen(", "def fetch():\n    urlopen(");
    let class = told();
    class.advises("module 'app' has no attribute 'Greet'");
    let line = class.text("class Greet(");
    workspace.write(APP, format!("{}\n{line}\n    pass\n", workspace.read_text(APP)));
    told().advises("class `Greet` has to have a method for each function");
    workspace.replace(APP, "    pass\n", "    def greet(self, name):\n        return HELLO\n");
    build(&workspace).ok();
}

const WRONG: &str = "\
from importlib.metadata import version
from urllib.request import urlopen

from wit_world import exports

from phrase_book import HELLO

VERSION = version(\"greeter\")
import ssl
urlopen(\"http://example.invalid/\")
";

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
        .says("uv pip compile --generate-hashes pyproject.toml -o requirements.txt");
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
    // This package exists only for native platforms and as a source distribution.
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

/// Tests a uv project that has a member by path, its own metadata, imports in functions (one of them by
/// name), a file that is read too late, and a package with WIT that the component also has.
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

/// Writes version 1.0 of a package into a folder, as a wheel.
pub(crate) fn wheel(folder: &Path, name: &str, files: &[(&str, &str)]) {
    let path = folder.join(format!("{name}-1.0-py3-none-any.whl"));
    let mut zip = zip::ZipWriter::new(std::fs::File::create(path).unwrap());
    let about = format!("{name}-1.0.dist-info");
    let metadata = format!("Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n");
    let tags = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n";
    let own = [("METADATA", metadata.as_str()), ("WHEEL", tags), ("RECORD", "")];
    let own = own.map(|(file, text)| (format!("{about}/{file}"), text));
    let files = files.iter().map(|(path, text)| ((*path).to_owned(), *text));
    for (path, text) in files.chain(own) {
        zip.start_file(path, zip::write::SimpleFileOptions::default()).unwrap();
        std::io::Write::write_all(&mut zip, text.as_bytes()).unwrap();
    }
    zip.finish().unwrap();
}

/// An SDK that has a world of its own and wants bindings for it in its own package.
const SDK: [(&str, &str); 5] = [
    (
        "sdk/__init__.py",
        "from sdk.bind.imports import util\nfrom sdk.bind.exports import Api\nWHERE = f'({util.__name__})'\n",
    ),
    ("sdk/bind/__init__.py", "raise ImportError('these are for an editor')\n"),
    ("sdk/componentize-py.toml", "wit_directory = \"wit\"\nbindings = \"bind\"\n"),
    (
        "sdk/wit/w.wit",
        "package acme:sdk@1.0.0;\ninterface util { use acme:dep/i@1.0.0.{t}; f: func() -> t; }\n\
         world imports { import util; }\n",
    ),
    ("sdk/wit/deps/dep/d.wit", "package acme:dep@1.0.0;\ninterface i { type t = u32; }\n"),
];

/// Makes a component that uses the SDK.
fn with_sdk() -> Workspace {
    Workspace::new()
        .file(
            "run.toml",
            "[project]\nname = \"p\"\nversion = \"0.1.0\"\n\n[[component]]\nname = \"app\"\n\
             source = \"app.py\"\nwit = \"wit\"\n",
        )
        .file(
            "app.py",
            "import sdk\nclass Api(sdk.Api):\n    def hello(self, name): return sdk.WHERE\n",
        )
        .file("wit/w.wit", HELLO)
}

#[test]
fn an_sdk_finds_the_bindings_of_the_components_world() {
    let workspace = SDK.iter().fold(with_sdk(), |w, (path, text)| w.file(path, *text));
    workspace.replace("run.toml", "wit = \"wit\"\n", "wit = \"wit\"\ninputs = [\"sdk/**\"]\n");
    let lacking = told(&workspace, "run build", 1);
    lacking.advises("in the project this is sdk/__init__.py:1");
    let include = lacking.text("include ");
    workspace.replace("wit/w.wit", "world app {", &format!("world app {{\n  {include}"));
    let dependency = lacking.text("\"acme:sdk\" = ");
    let manifest = workspace.read_text("run.toml");
    workspace.write("run.toml", format!("{manifest}\n[dependencies]\n{dependency}\n"));
    workspace.run(["build"]).ok();
    super::holds(&workspace, "(wit_world.imports.util)");
}

/// The SDK is a wheel, whose WIT no path of the project names.
#[test]
fn an_sdk_from_a_wheel_finds_the_bindings_of_the_components_world() {
    let wheels = Workspace::new();
    wheel(&wheels.path("."), "sdk", &SDK);
    let hashed = wheels.types("sha256sum sdk-1.0-py3-none-any.whl").ok().stdout;
    let hash = hashed.split(' ').next().unwrap();
    let folder = wheels.path("");
    let folder = folder.display();
    let workspace = with_sdk().file(
        "requirements.txt",
        format!("--no-index\n--find-links {folder}\nsdk==1.0 --hash=sha256:{hash}\n"),
    );
    let lacking = told(&workspace, "run build", 1);
    let include = lacking.text("include ");
    workspace.replace("wit/w.wit", "world app {", &format!("world app {{\n  {include}"));
    lacking.advises("its WIT to `deps` of the component's WIT");
    for (path, text) in SDK {
        if let Some(path) = path.strip_prefix("sdk/wit/") {
            let place = path.strip_prefix("deps/").map_or(format!("sdk/{path}"), str::to_owned);
            workspace.write(&format!("wit/deps/{place}"), text);
        }
    }
    workspace.run(["build"]).ok();
    super::holds(&workspace, "(wit_world.imports.util)");
}

/// Native code of these packages is left out if they work without it. Of the others, the project gets
/// versions that do. Each run ends with the next package that doesn't, so the advice about the one before has
/// helped.
#[test]
fn popular_packages_work_or_are_told_with_advice_that_works() {
    let workspace = Workspace::new()
        .file(
            "run.toml",
            "[project]\nname = \"p\"\nversion = \"0.1.0\"\n\n[[component]]\nname = \"app\"\n\
             source = \"app.py\"\nwit = \"wit\"\n",
        )
        .file(
            "wit/world.wit",
            HELLO.replace("export api", "import wasi:http/outgoing-handler@0.2.4; export api"),
        )
        .file("requirements.txt", POPULAR)
        .file("app.py", format!("{POPULAR_APP}import requests\n"));
    // This package has only sources.
    let sources = told(&workspace, "run build", 1);
    sources.advises("pip found no wheel for `docopt==0.6.2` that Python in WebAssembly can load");
    sources.advises(
        "if its sources are Python, unpack them into the project and depend on the folder",
    );
    let folder = sources.text("./vendor/NAME").replace("NAME", "docopt");
    workspace.write(&format!("{folder}/docopt.py"), "def docopt(doc): return len(doc)\n");
    let line = POPULAR.lines().find(|line| line.starts_with("docopt")).unwrap();
    workspace.replace("requirements.txt", line, &folder);
    // One package does not work without its native code.
    let native = told(&workspace, "run build", 1);
    native.advises("note: `pydantic-core` 2.50.5 is there without its native code");
    native.advises("is native code of `pydantic-core` 2.50.5, which `pydantic` needs");
    native.advises("lock versions that are pure Python (`py3-none-any`)");
    let other = "pydantic==1.10.27 --hash=sha256:d714c3df0db634a6720abdc204d7b3bfc6c62d4ef7b4f9dcd64b37c29187a058";
    let lock = workspace.read_text("requirements.txt");
    let others = lock.lines().filter(|line| !line.starts_with("pydantic"));
    let lock: Vec<&str> = others.chain([other]).collect();
    workspace.write("requirements.txt", lock.join("\n"));
    // Another one opens sockets.
    native.advises("warning: app.py:21: imports `requests`, which opens sockets of its own");
    native.advises("send requests by `wasi:http/outgoing-handler`");
    workspace.write("app.py", format!("{POPULAR_APP}{OUTGOING}"));
    let run = workspace.run(["build"]).ok();
    assert!(!run.stderr.contains("warning"), "{}", run.stderr);
    let component = workspace.read("target/wasm/app.wasm");
    let loaded = crate::harness::load(&component).answering(|asked| {
        Some(runtime::OutgoingResponse { status: 200, body: asked.url.clone().into() })
    });
    let call = loaded.call(Some("demo:app/api"), "hello", &["\"ada\""]);
    let answer = tokio::runtime::Runtime::new().unwrap().block_on(call).unwrap();
    let expect = "\"adaada true 5 False http://example.test/a\"";
    assert_eq!(answer.as_deref(), Some(expect));
}

const POPULAR: &str = "\
certifi==2026.10.19.post1 --hash=sha256:1324c476b4811eff41a8bc2122cd0bbd4d9c7234c725446d99ab1612b3a7fdd2
docopt==0.6.2 --hash=sha256:49b3a825280bd66b3aa83585ef59c4a8c82f2c8a522dbe754a8bc8d08c85c491
pydantic==2.14.4 --hash=sha256:653a2ad9f6d8858529c77c72717d0ea991d6c6837fe683246b2f4b2bbfc3fadc
pydantic-core==2.50.5 --hash=sha256:88b543705849d0c59343f97c38296dbf59eb7b3c9565bd4fe1ed638ba38da5ed
typing-extensions==4.16.0 --hash=sha256:481caa481374e813c1b176ada14e97f1f67a4539ce9cfeb3f350d78d6370c2e8
";

const POPULAR_APP: &str = "\
import certifi
import pydantic
from docopt import docopt
from wit_world import exports

CERTIFICATES = certifi.contents().count('BEGIN CERTIFICATE')

class Greeting(pydantic.BaseModel):
    name: str
    times: int

class Api(exports.Api):
    def hello(self, name):
        greeting = Greeting(name=name, times='2')
        many = str(CERTIFICATES > 100).lower()
        try:
            wrong = Greeting(name=name, times='x')
        except pydantic.ValidationError:
            wrong = False
        return f\"{greeting.name * greeting.times} {many} {docopt('usage')} {wrong} {get('example.test', '/a')}\"
";

/// The code in docs/languages.md.
const OUTGOING: &str = "
from wit_world.imports import outgoing_handler
from wit_world.imports.types import Fields, OutgoingRequest, Scheme_Http

def get(host: str, path: str) -> str:
    request = OutgoingRequest(Fields())
    request.set_scheme(Scheme_Http())
    request.set_authority(host)
    request.set_path_with_query(path)
    answer = outgoing_handler.handle(request, None)
    answer.subscribe().block()
    response = answer.get().value.value
    with response.consume() as body, body.stream() as stream:
        return stream.blocking_read(65536).decode()
";

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
    // An error in a dependency's WIT that this version can't read is reported with the project's own file.
    let package = "package acme:x;\ninterface i {\n  g: func(a: map<string, u32>);\n}\n";
    workspace.write("wit/deps/more/x.wit", package);
    workspace.replace("wit/world.wit", "world app {", "world app { import acme:x/i;");
    let run = workspace.run(["build"]).exits(1).says("/wit/deps/acme-x/x.wit:3:17");
    run.says("in the project, `deps/acme-x/x.wit:3` is wit/deps/more/x.wit:3");
    workspace.replace("wit/deps/more/x.wit", "map<string, u32>", "u32");
    // This version does not accept a module with the name of the world, either.
    std::fs::rename(workspace.path("hello.py"), workspace.path("app.py")).unwrap();
    workspace.replace("run.toml", "hello.py", "app.py");
    workspace.run(["build"]).exits(1).says("`app` conflicts with world name; please rename");
    workspace
        .run(["toolchain", "sync", "--upgrade", "componentize-py@0.17.2"])
        .says("0.18.0")
        .exits(2);
}
