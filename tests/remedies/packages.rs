//! Tests advice about packages of npm and Python, and about imports from them.

use super::sources::{plans, unbuilt};
use super::{add_to_component, told};
use crate::harness::Workspace;
use crate::languages::python::wheel;
use crate::languages::{WEB, hello, npm_workspace};

const SLUG: &str = "components/slug/app.js";

#[test]
fn a_lockfile_of_npm() {
    let workspace = Workspace::example("polyglot");
    let build = "run build -p slug";
    // First the lockfile lacks the package, then it has another version of it, and then there is no lockfile.
    let unlocked = workspace.read_text(SLUG).replace("github-slugger", "slugger");
    let manifest = "components/slug/package.json";
    workspace.replace(
        manifest,
        "\"github-slugger\": \"^2.0.0\"",
        "\"slugger\": \"npm:github-slugger@^2.0.0\"",
    );
    workspace.write(SLUG, unlocked);
    let command = told(&workspace, build, 2).after("bring it up to date with: ");
    workspace.types(&command).ok();
    workspace.types(build).ok();
    workspace.replace(manifest, "^2.0.0", "~2.0.0");
    let command = told(&workspace, build, 2).after("bring it up to date with: ");
    workspace.types(&command).ok();
    workspace.types(build).ok();
    std::fs::remove_file(workspace.path("components/slug/package-lock.json")).unwrap();
    let command = told(&workspace, build, 2).after("make it with: ");
    workspace.types(&command).ok();
    workspace.types(build).ok();
}

#[test]
fn a_lockfile_of_a_workspace_of_npm() {
    let workspace = npm_workspace();
    std::fs::remove_file(workspace.path("package-lock.json")).unwrap();
    let command = told(&workspace, "run build", 2).after("make the one of the workspace with: ");
    workspace.types(&command).ok();
    workspace.types("run build").ok();
    workspace.replace(
        "packages/x/package.json",
        "\"exports\"",
        "\"dependencies\": { \"github-slugger\": \"2\" }, \"exports\"",
    );
    let command = told(&workspace, "run build", 2).after("bring it up to date with: ");
    workspace.types(&command).ok();
    workspace.types("run build").ok();
    // The project is only a part of the workspace.
    let below = workspace.read_text("run.toml").replace("packages/app/", "");
    workspace.write("packages/app/run.toml", below.replace("\"wit\"", "\"../../wit\""));
    let inner = workspace
        .read_text("packages/app/run.toml")
        .replace("wit = \"../../wit\"", "wit = \"wit\"");
    workspace.write("packages/app/run.toml", inner);
    workspace.write("packages/app/wit/world.wit", workspace.read_text("wit/world.wit"));
    std::fs::remove_file(workspace.path("run.toml")).unwrap();
    let around = told(&workspace, "run -C packages/app build", 2);
    let place = around.after("put run.toml into ");
    let (folder, _) = place.split_once(", with paths that start there").unwrap();
    let moved = workspace.read_text("packages/app/run.toml");
    let moved = moved
        .replace("\"app.js\"", "\"packages/app/app.js\"")
        .replace("\"wit\"", "\"packages/app/wit\"");
    std::fs::write(std::path::Path::new(folder).join("run.toml"), moved).unwrap();
    std::fs::remove_file(workspace.path("packages/app/run.toml")).unwrap();
    workspace.types(&format!("run -C {folder} build")).ok();
}

#[test]
fn what_npm_can_not_pin() {
    let manifest = r#"{ "name": "a", "dependencies": { "shared": "URL" } }"#;
    let lock = r#"{ "name": "a", "lockfileVersion": 3, "packages": {
        "": { "name": "a", "dependencies": { "shared": "URL" } },
        "node_modules/shared": { "version": "1.0.0", "resolved": "URL" } } }"#;
    let url = "git+ssh://git@example.test/shared.git#0123456789012345678901234567890123456789";
    let workspace =
        hello("app.js", "import s from 'shared';\nexport const api = { hello: (n) => n + s };\n")
            .file("package.json", manifest.replace("URL", url))
            .file("package-lock.json", lock.replace("URL", url));
    told(&workspace, "run build", 2).advises(
        "a dependency has to come from a registry, with its `integrity` in the lockfile, or has to be a folder of this \
         project, as a workspace or by `file:`",
    );
    workspace.write("shared/package.json", "{ \"name\": \"shared\", \"version\": \"1.0.0\" }");
    workspace.write("shared/index.js", "module.exports = '!';\n");
    workspace.write("package.json", manifest.replace("URL", "file:shared"));
    workspace.types("npm install --package-lock-only").ok();
    workspace.types("run build").ok();
}

#[test]
fn what_a_module_in_javascript_imports() {
    let code = |import: &str| format!("{import}\nexport const api = {{ hello: (n) => n + x }};\n");
    let workspace = hello("app.js", &code("import x from 'github-slugger';"));
    workspace.write("package.json", "{ \"type\": \"module\" }");
    let command = told(&workspace, "run build", 1).text("npm install --package-lock-only NAME");
    workspace.types(&command.replace("NAME", "github-slugger")).ok();
    workspace.types("run build").ok();
    workspace.write("app.js", code("import x from 'https://192.0.2.1/x.js';"));
    told(&workspace, "run build", 1)
        .advises("a module is a file of the project or of a package in package-lock.json");
    workspace.write("x.js", "export default 'x';\n");
    workspace.write("app.js", code("import x from './x.js';"));
    workspace.types("run build").ok();
    // The name of an interface has to contain the version.
    workspace.write("wit/world.wit", WEB);
    workspace.write("app.js", code("import { getStdout as x } from 'wasi:cli/stdout';"));
    told(&workspace, "run build", 1).advises(
        "a module imports an interface under the name that the WIT world has for it, with its version",
    );
    workspace.replace("app.js", "wasi:cli/stdout", "wasi:cli/stdout@0.2.12");
    workspace.types("run build").ok();
}

#[test]
fn a_package_without_types() {
    let lock = r#"{ "name": "a", "lockfileVersion": 3, "packages": {
        "": { "name": "a", "dependencies": { "shared": "file:shared" } },
        "node_modules/shared": { "resolved": "shared", "link": true },
        "shared": { "version": "1.0.0" } } }"#;
    let code =
        "import shared from 'shared';\nexport const api = { hello: (n: string) => n + shared };\n";
    let workspace = hello("app.ts", code)
        .file("package.json", r#"{ "name": "a", "dependencies": { "shared": "file:shared" } }"#)
        .file("package-lock.json", lock)
        .file(
            "shared/package.json",
            r#"{ "name": "shared", "version": "1.0.0", "type": "module", "main": "i.js" }"#,
        )
        .file("shared/i.js", "export default '!';\n");
    let untyped = told(&workspace, "run build -k", 1);
    let line = untyped.text("declare module ").replace("NAME", "shared");
    workspace.write(&untyped.text("types.d.ts"), format!("{line}\n"));
    workspace.types("run build").ok();
    // The types of this package are in another package of the registry.
    std::fs::remove_file(workspace.path("types.d.ts")).unwrap();
    workspace.replace("app.ts", "'shared'", "'semver'");
    workspace.replace("app.ts", "n + shared", "n + shared.major('1.2.3')");
    workspace.types("npm install --package-lock-only semver").ok();
    let command =
        told(&workspace, "run build -k", 1).text("npm install --package-lock-only --save-dev");
    workspace.types(&command.replace("NAME", "semver")).ok();
    workspace.types("run build").ok();
}

const UV_LOCK: &str = r#"version = 1
revision = 3
requires-python = ">=3.11"

[[package]]
name = "app"
version = "0.1.0"
source = { virtual = "." }
dependencies = [{ name = "words" }]

[package.metadata]
requires-dist = [{ name = "words" }]

[[package]]
name = "words"
version = "1.0.0"
SOURCE
"#;

/// Errors in a lockfile are found before anything runs.
#[test]
fn a_lockfile_of_python() {
    let sources = "source = { registry = \"https://h/simple\" }\n\
                   sdist = { url = \"https://h/words-1.0.0.tar.gz\", hash = \"sha256:0\" }";
    let lock = |source: &str| UV_LOCK.replace("SOURCE", source);
    let manifest = "[project]\nname = \"app\"\nversion = \"0.1.0\"\ndependencies = [\"words\"]\n";
    let workspace = unbuilt("app.py")
        .file("app.py", "")
        .file("pyproject.toml", manifest)
        .file("uv.lock", lock(sources));
    add_to_component(&workspace, "world = \"wasi:cli/command@0.2.4\"");
    let build = "run build --offline";
    // The package has only sources. The remedy is a folder of the project, which uv can lock.
    let line = told(&workspace, build, 2)
        .advises("if its sources are Python, unpack them into the project and depend on the folder")
        .text("NAME = { path = ");
    let line = line.replace("NAME", "words");
    workspace.write("vendor/words/words.py", "");
    workspace.write("pyproject.toml", format!("{manifest}\n[tool.uv.sources]\n{line}\n"));
    let by_path = lock("source = { directory = \"vendor/words\" }");
    workspace.write(
        "uv.lock",
        by_path.replace(
            "{ name = \"words\" }]\n\n[[",
            "{ name = \"words\", directory = \"vendor/words\" }]\n\n[[",
        ),
    );
    plans(&workspace);
    // The package comes from version control. The remedy is a package of the project, by `PYTHONPATH`.
    workspace.write("pyproject.toml", manifest);
    workspace.write("uv.lock", lock("source = { git = \"https://h/words#0123\" }"));
    let line = told(&workspace, build, 2)
        .text("env = { PYTHONPATH = ")
        .replace("its/folder", "vendor/words");
    std::fs::remove_file(workspace.path("uv.lock")).unwrap();
    workspace.write("pyproject.toml", manifest.replace("\"words\"", ""));
    add_to_component(&workspace, &line);
    plans(&workspace);
    // The package is for other interpreters.
    workspace.write("pyproject.toml", manifest);
    let wheel = "source = { registry = \"https://h/simple\" }\nwheels = [{ url = \"https://h/words-1.0.0-py3-none-any.whl\", \
                 hash = \"sha256:HASH\" }]"
        .replace("HASH", &"0".repeat(64));
    workspace.write("uv.lock", lock(&wheel).replace(">=3.11", "<3.13"));
    told(&workspace, build, 2)
        .advises("lock it again, for this version and without limits to platforms");
    workspace.write("uv.lock", lock(&wheel));
    plans(&workspace);
    // The package comes from a folder of the machine. uv does not lock its hashes, but exports them.
    let folder = "source = { registry = \"/wheels\" }\nwheels = [{ path = \"/wheels/words-1.0.0-py3-none-any.whl\" }]";
    workspace.write("uv.lock", lock(folder));
    told(&workspace, build, 2).advises(": uv export --format pylock.toml -o pylock.toml");
    let exported = "lock-version = \"1.0\"\ncreated-by = \"uv\"\nrequires-python = \">=3.11\"\n\n[[packages]]\n\
                    name = \"words\"\nversion = \"1.0.0\"\nindex = \"file:///wheels\"\n\
                    wheels = [{ url = \"file:///wheels/words-1.0.0-py3-none-any.whl\", hashes = { sha256 = \"HASH\" } }]\n";
    workspace.write("pylock.toml", exported.replace("HASH", &"0".repeat(64)));
    plans(&workspace);
}

/// A lockfile no longer has what is asked for. Each tool that the advice names makes it anew.
#[test]
fn a_stale_lockfile_of_python_is_made_anew_by_each_tool() {
    let manifest = |package: &str| {
        format!(
            "[project]\nname = \"app\"\nversion = \"0.1.0\"\nrequires-python = \">=3.11\"\n\
             dependencies = [\"{package}\"]\n[tool.setuptools]\npy-modules = []\n"
        )
    };
    let workspace = unbuilt("app.py").file("app.py", "").file("pyproject.toml", manifest("idna"));
    add_to_component(&workspace, "world = \"wasi:cli/command@0.2.4\"");
    // uv has certificates of its own, which a machine with a proxy may not go by.
    let tools = workspace.path("tools").display().to_string();
    let with_tools = format!(
        "export PATH='{tools}/bin':$PATH PYTHONPATH='{tools}' UV_SYSTEM_CERTS=1; cd '{}'; ",
        workspace.path("").display()
    );
    let types = |command: &str| workspace.types(&format!("{with_tools}{command}")).ok();
    types(&format!("python3 -m pip install -q --target '{tools}' uv pip-tools 'pip>=25.1'"));
    // How the lockfile came to be, and the command of the advice: the first one, or the one in brackets.
    for (lock, first, alternative) in [
        ("uv.lock", "uv lock", false),
        (
            "pylock.toml",
            "uv lock -q && uv export -q --format pylock.toml -o pylock.toml && rm uv.lock",
            false,
        ),
        ("pylock.toml", "pip lock -q -o pylock.toml .", true),
        (
            "requirements.txt",
            "uv pip compile -q --generate-hashes pyproject.toml -o requirements.txt",
            false,
        ),
        (
            "requirements.txt",
            "pip-compile -q --generate-hashes pyproject.toml -o requirements.txt",
            true,
        ),
    ] {
        workspace.write("pyproject.toml", manifest("idna"));
        types(first);
        plans(&workspace);
        workspace.write("pyproject.toml", manifest("iniconfig"));
        let told = told(&workspace, "run build --offline", 2);
        let advice = told.after("make it anew, in its folder, with: ");
        let (command, other) = advice.split_once(" (or: ").unwrap_or((&advice, ""));
        let command = match alternative {
            true => other.split(')').next().unwrap(),
            false => command,
        };
        types(command);
        plans(&workspace);
        std::fs::remove_file(workspace.path(lock)).unwrap();
        _ = std::fs::remove_file(workspace.path("uv.lock"));
    }
}

/// A requirements file names a variable of the user.
#[test]
fn a_variable_in_a_file_of_requirements() {
    let wheels = Workspace::new();
    let wrong = "0".repeat(64);
    let workspace = unbuilt("app.py")
        .file("app.py", "")
        .file(
            "requirements.txt",
            format!("--no-index\n--find-links ${{WHEELS}}\nwords==1.0 --hash=sha256:{wrong}\n"),
        )
        .env("WHEELS", wheels.path("."));
    wheel(&wheels.path("."), "words", &[("words.py", "")]);
    add_to_component(&workspace, "world = \"wasi:cli/command@0.2.4\"");
    let lend = told(&workspace, "run build", 1)
        .advises("or with `[fetch] variables` in the configuration of run")
        .after("lend it with ");
    let (lend, _) = lend.split_once(',').unwrap();
    // pip finds a wheel whose bytes differ from the pinned ones.
    let other = "has SHA-256 ";
    told(&workspace, &format!("{lend} run build"), 102).advises(other);
    let configuration = "[fetch]\nvariables = [\"WHEELS\"]\n";
    std::fs::write(workspace.root().join("run-home/config.toml"), configuration).unwrap();
    told(&workspace, "run build", 102).advises(other);
}
