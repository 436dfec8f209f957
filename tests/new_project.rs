//! Tests `run new` and `run init`: the projects that they make are built and run.

use std::net::SocketAddr;

use crate::first_build::get;
use crate::harness::{self, Workspace};

/// The name of each language in its greeting.
const LANGUAGES: [(&str, &str); 8] = [
    ("rust", "Rust"),
    ("python", "Python"),
    ("go", "Go"),
    ("javascript", "JavaScript"),
    ("typescript", "TypeScript"),
    ("zig", "Zig"),
    ("c", "C"),
    ("cpp", "C++"),
];

const WORLDS: [&str; 3] = ["cli", "http", "lib"];

/// A mistake in a new project.
struct Slip {
    language: &'static str,
    world: &'static str,
    file: &'static str,
    right: &'static str,
    typed: &'static str,
    /// The texts that the build prints about it.
    said: [&'static str; 2],
}

const fn slip(
    [language, world, file]: [&'static str; 3],
    [right, typed]: [&'static str; 2],
    said: [&'static str; 2],
) -> Slip {
    Slip { language, world, file, right, typed, said }
}

/// A mistake in each language. The build says how to fix it.
const SLIPS: [Slip; 8] = [
    slip(["rust", "cli", "src/main.rs"], ["println!", "prinln!"], ["src/main.rs:4:5", "println"]),
    slip(
        ["python", "http", "src/app.py"],
        ["import exports", "import exprts"],
        ["src/app.py:4", "exprts"],
    ),
    slip(
        ["go", "cli", "main.go"],
        ["fmt.Println", "fmt.Printn"],
        ["main.go:7:6", "undefined: fmt.Printn"],
    ),
    slip(
        ["javascript", "lib", "src/app.js"],
        ["greet(name)", "greet(name"],
        ["src/app.js:4:", "Expected"],
    ),
    slip(
        ["typescript", "http", "src/app.ts"],
        ["response.setStatusCode", "response.setStatusCod"],
        ["src/app.ts:22:14", "Did you mean 'setStatusCode'?"],
    ),
    slip(
        ["zig", "cli", "src/main.zig"],
        ["writeStreamingAll", "writeStreamingAl"],
        ["src/main.zig:6:29", "'writeStreamingAl'"],
    ),
    slip(["c", "cli", "src/main.c"], ["puts", "putz"], ["src/main.c:6:5", "'putz'"]),
    slip(
        ["cpp", "cli", "src/main.cpp"],
        ["std::endl", "std::endll"],
        ["src/main.cpp:6:", "'endll'"],
    ),
];

/// Returns true if this test builds the project. Of languages with slow tools it builds one world, and of the
/// others every world, because they take a second or share compiled code.
fn is_built(language: &str, world: &str) -> bool {
    match language {
        "python" | "typescript" => world == "http",
        "javascript" => world == "lib",
        _ => true,
    }
}

/// Returns true if this test runs the component. Components with an interpreter take long to compile, and the
/// tests of the examples run them.
fn is_run(language: &str) -> bool {
    !matches!(language, "python" | "javascript" | "typescript")
}

/// Makes a workspace with the new project `hello`.
fn new(language: &str, world: &str) -> Workspace {
    let workspace = Workspace::new();
    let run = workspace.run(["new", "hello", "--language", language, "--world", world]).ok();
    let expect = format!("Created hello ({language})");
    assert!(run.stderr.contains(&expect) && run.stderr.contains("    cd hello\n    run build\n"));
    workspace
}

#[test]
fn new_projects_of_every_language_build_and_answer() {
    let asynchronous = tokio::runtime::Runtime::new().unwrap();
    for (language, shown) in LANGUAGES {
        let mut lock = None;
        for world in WORLDS {
            let workspace = new(language, world);
            assert!(
                workspace.exists("hello/wit/world.wit") && workspace.exists("hello/.gitignore")
            );
            workspace.run(["-C", "hello", "info", "hello"]).ok();
            if !is_built(language, world) {
                continue;
            }
            workspace.run(["-C", "hello", "build"]).ok();
            let check = |greeting: &str| {
                let component = workspace.read("hello/target/wasm/hello.wasm");
                if is_run(language) {
                    asynchronous.block_on(check(&component, world, greeting, shown));
                }
            };
            check("Hello");
            let of_this = |slip: &&Slip| (slip.language, slip.world) == (language, world);
            if let Some(Slip { file, right, typed, said, .. }) = SLIPS.iter().find(of_this) {
                let file = format!("hello/{file}");
                workspace.replace(&file, "Hello", "Hi");
                workspace.replace(&file, right, typed);
                let run = workspace.run(["-C", "hello", "build"]).exits(1);
                for text in said {
                    assert!(run.stderr.contains(text), "no {text:?} in:\n{}", run.stderr);
                }
                workspace.replace(&file, typed, right);
                workspace.run(["-C", "hello", "build"]).ok();
                check("Hi");
            }
            lock = Some(workspace.read_text("hello/run.lock.toml"));
        }
        check_second_project(language, &lock.expect("a world of each language is built"));
    }
}

/// Checks that a component does what its world and its source say.
async fn check(component: &[u8], world: &str, greeting: &str, language: &str) {
    let component = harness::load(component);
    match world {
        "cli" => {
            let ended = component.run(&runtime::CommandInput::default()).await.unwrap();
            assert_eq!(
                String::from_utf8(ended.stdout).unwrap(),
                format!("{greeting} from {language}!\n")
            );
        }
        "http" => {
            let server = component.serve("127.0.0.1:0".parse().unwrap()).await.unwrap();
            let address: SocketAddr = server.address();
            let answer = tokio::task::spawn_blocking(move || get(address, "/")).await.unwrap();
            assert_eq!(answer, (200, format!("{greeting} from {language}!\n")));
            server.shutdown().await;
        }
        _ => {
            let greetings = Some("example:hello/greetings@0.1.0");
            let answer = component.call(greetings, "greet", &["\"Ada\""]).await.unwrap();
            assert_eq!(answer, Some(format!("\"{greeting}, Ada, from {language}!\"")));
        }
    }
}

/// Checks that another project with the same toolchains gets the same lock on a machine without a network.
fn check_second_project(language: &str, lock: &str) {
    let workspace = new(language, "lib");
    let offline = ["-C", "hello", "toolchain", "sync", "--offline"];
    let run = workspace.run_through(&["unshare", "--net"], &offline).ok();
    let pinned: Vec<&str> =
        run.stderr.lines().filter(|line| line.trim_start().starts_with("Pinned ")).collect();
    assert_eq!(workspace.read_text("hello/run.lock.toml"), lock, "{language}");
    assert_eq!(pinned.len(), run.stderr.lines().count(), "one line a toolchain: {}", run.stderr);
    assert!(pinned.iter().all(|line| line.ends_with("all of it from the store")), "{pinned:?}");
}

#[test]
fn what_there_is_is_listed() {
    let workspace = Workspace::new();
    let text = workspace.run(["new", "--list"]).ok().stdout;
    let rows: Vec<&str> = text.lines().collect();
    assert_eq!(rows.len(), 1 + LANGUAGES.len() * WORLDS.len(), "{text}");
    for (language, _) in LANGUAGES {
        for world in WORLDS {
            let is_it = |row: &&str| row.split_whitespace().take(2).eq([language, world]);
            assert!(rows.iter().any(is_it), "no {language} {world} in:\n{text}");
        }
    }
    let json = workspace.run(["new", "--list", "--message-format", "json"]).ok().stdout;
    let first: serde_json::Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
    assert_eq!((&first["event"], &first["language"]), (&"template".into(), &"rust".into()));
}

#[test]
fn what_is_there_is_never_changed() {
    let workspace = Workspace::new().file("mine/notes.txt", "mine").file("taken", "a file");
    workspace
        .run(["new", "mine"])
        .exits(2)
        .says("`mine` is there already, and not empty")
        .says("init");
    workspace.run(["new", "taken"]).exits(2).says("is not a folder");
    assert_eq!(std::fs::read_dir(workspace.path("mine")).unwrap().count(), 1);
    // An empty folder may be there already.
    std::fs::create_dir(workspace.path("empty")).unwrap();
    workspace.run(["new", "empty", "-l", "c++"]).ok();
    assert!(workspace.exists("empty/src/main.cpp"));
    // Files that the folder already has are kept.
    workspace.write("mine/.gitignore", "target\n");
    workspace.write("mine/src/main.c", "int main(void) { return 7; }\n");
    let run = workspace.run(["-C", "mine", "init", "--language", "c"]).ok();
    let run =
        run.says("Kept src/main.c").says("Wrote run.toml").says("`.gitignore` lacks `/.run/`");
    assert!(!run.stderr.contains("cd mine"), "{}", run.stderr);
    assert_eq!(workspace.read_text("mine/src/main.c"), "int main(void) { return 7; }\n");
    assert_eq!(workspace.read_text("mine/.gitignore"), "target\n");
    let before = workspace.read_text("mine/run.toml");
    workspace.run(["-C", "mine", "init"]).exits(2).says("this folder is a project already");
    assert_eq!(workspace.read_text("mine/run.toml"), before);
    workspace.run(["-C", "mine", "build"]).ok();
}

#[test]
fn a_name_that_is_none_is_told_with_what_to_type() {
    let workspace = Workspace::new();
    workspace.run(["new", "My App"]).exits(2).says("did you mean `my-app`?");
    workspace.run(["new", "fn"]).exits(2).says("rust has it for itself").says("my-fn");
    workspace.run(["new", "a/b"]).exits(2).says("mkdir -p a && run -C a new b");
    workspace.run(["new"]).exits(2).says("NAME");
    workspace.run(["new", "x", "--language", "pyton"]).exits(2).says("'python'");
    workspace.run(["new", "x", "--world", "htp"]).exits(2).says("'http'");
    let left: Vec<_> = std::fs::read_dir(workspace.path(".")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
    // The language is that of the package in the folder, and the name is that of the folder.
    workspace.write("Web_Shop/go.mod", "module example.org/other\n\ngo 1.26\n");
    let init = ["-C", "Web_Shop", "init", "--world", "lib", "--message-format", "json"];
    let run = workspace.run(init).ok();
    let created: serde_json::Value = serde_json::from_str(run.stdout.trim()).unwrap();
    assert_eq!((&created["name"], &created["language"]), (&"web-shop".into(), &"go".into()));
    assert_eq!(created["kept"], serde_json::json!(["go.mod"]));
    // The existing module has another path than a new one would have.
    assert!(
        workspace
            .read_text("Web_Shop/main.go")
            .contains("\"example.org/other/exports/wit_exports\"")
    );
    workspace.run(["-C", "Web_Shop", "build"]).ok();
}
