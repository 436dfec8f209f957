//! Components composed with those that they depend on.

use std::fs;
use std::process::Command;

use super::registries::DockerRegistry;
use super::{Registry, publish};
use crate::first_build::get;
use crate::harness::{self, Workspace, exports, imports};

/// Returns a component in the text format, translated.
fn component(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

/// Returns a component that exports the interface `demo:rng/rand` in a version. Its `next` gives a number.
pub(crate) fn rng(version: &str, number: u32) -> Vec<u8> {
    component(&format!(
        "(component
           (core module $m (func (export \"next\") (result i32) i32.const {number}))
           (core instance $i (instantiate $m))
           (func $next (result u32) (canon lift (core func $i \"next\")))
           (instance $rand (export \"next\" (func $next)))
           (export \"demo:rng/rand@{version}\" (instance $rand)))"
    ))
}

/// Returns a component that imports that interface, and exports `twice`, which adds two numbers of it.
pub(crate) fn user() -> Vec<u8> {
    component(
        "(component
           (import \"demo:rng/rand@1.0.0\" (instance $rand (export \"next\" (func (result u32)))))
           (core func $next (canon lower (func $rand \"next\")))
           (core module $m
             (import \"\" \"next\" (func $next (result i32)))
             (func (export \"twice\") (result i32) call $next call $next i32.add))
           (core instance $i (instantiate $m (with \"\" (instance (export \"next\" (func $next))))))
           (func $twice (result u32) (canon lift (core func $i \"twice\")))
           (export \"twice\" (func $twice)))",
    )
}

fn project(dependencies: &str) -> Workspace {
    Workspace::new()
        .private_store()
        .file(
            "run.toml",
            format!(
                "[project]\nname = \"p\"\nversion = \"0.1.0\"\n\n\
                 [[component]]\nname = \"user\"\npath = \"user.wasm\"\ndependencies = [{dependencies}]\n\n\
                 [[component]]\nname = \"rng\"\npath = \"rng.wasm\"\n"
            ),
        )
        .file("user.wasm", user())
        .file("rng.wasm", rng("1.0.0", 21))
}

fn twice(component: &[u8]) -> Option<String> {
    let asynchronous = tokio::runtime::Runtime::new().unwrap();
    asynchronous.block_on(harness::load(component).call(None, "twice", &[])).unwrap()
}

#[test]
fn a_component_is_composed_with_what_it_depends_on() {
    let workspace = project("\"rng\"");
    let run = workspace.run(["build", "user"]).ok();
    assert!(run.ran().contains(&"user:compose"), "{:?}", run.ran());
    // What it depends on is built, and not written.
    assert!(!workspace.exists("target/wasm/rng.wasm"));
    let whole = workspace.read("target/wasm/user.wasm");
    assert_eq!(twice(&whole).as_deref(), Some("42"));
    assert!(imports(&whole).is_empty());
    assert_eq!(exports(&whole), ["twice"]);
    // Another body of the dependency makes the composition anew, and nothing else.
    workspace.write("rng.wasm", rng("1.0.0", 4));
    let run = workspace.run(["build"]).ok();
    assert_eq!(run.ran(), ["rng:finish", "user:compose"]);
    assert_eq!(twice(&workspace.read("target/wasm/user.wasm")).as_deref(), Some("8"));
    // A compatible version serves, too.
    workspace.write("rng.wasm", rng("1.3.0", 5));
    workspace.run(["build"]).ok();
    assert_eq!(twice(&workspace.read("target/wasm/user.wasm")).as_deref(), Some("10"));
    // Without the dependency, the import stays open.
    workspace.replace("run.toml", "dependencies = [\"rng\"]\n", "");
    workspace.run(["build"]).ok();
    let open = workspace.read("target/wasm/user.wasm");
    assert_eq!(imports(&open), ["demo:rng/rand@1.0.0"]);
}

#[test]
fn what_does_not_fit_is_told() {
    let workspace = project("\"rng\"");
    workspace.write("rng.wasm", rng("2.0.0", 1));
    workspace.run(["build"]).exits(2).says("demo:rng/rand@2.0.0");
    workspace.write("rng.wasm", component("(component)"));
    workspace.run(["build"]).exits(2).says("exports nothing that this component imports");
    // Two components that export the same.
    workspace.write("rng.wasm", rng("1.0.0", 1));
    let text = workspace.read_text("run.toml").replace("[\"rng\"]", "[\"rng\", \"dice\"]");
    workspace.write(
        "run.toml",
        format!("{text}\n[[component]]\nname = \"dice\"\npath = \"rng.wasm\"\n"),
    );
    let run = workspace.run(["build"]).exits(1);
    run.says("`user` imports `demo:rng/rand@1.0.0`, and `dice` and `rng` export it");
}

#[test]
fn a_component_of_a_registry_serves_an_import() {
    let registry = Registry::new();
    let publisher = project("");
    let text = publisher.read_text("run.toml");
    publisher.write("run.toml", format!("{text}\n[registry]\nurl = \"{}\"\n", registry.url()));
    publisher.run(["publish", "-p", "rng", "--package", "demo:rng"]).ok();
    let workspace = Workspace::new()
        .private_store()
        .file(
            "run.toml",
            format!(
                "[project]\nname = \"p\"\nversion = \"0.1.0\"\n\n[registry]\nurl = \"{}\"\n\n\
                 [[component]]\nname = \"user\"\npath = \"user.wasm\"\n",
                registry.url()
            ),
        )
        .file("user.wasm", user());
    workspace.run(["build"]).ok();
    assert_eq!(imports(&workspace.read("target/wasm/user.wasm")), ["demo:rng/rand@1.0.0"]);
    workspace.run(["add", "demo:rng"]).ok();
    workspace.run(["build"]).ok();
    assert_eq!(twice(&workspace.read("target/wasm/user.wasm")).as_deref(), Some("42"));
}

#[test]
fn a_component_in_a_file_serves_an_import() {
    let workspace = Workspace::new()
        .private_store()
        .file(
            "run.toml",
            "[project]\nname = \"p\"\nversion = \"0.1.0\"\n\n[dependencies]\n\
             \"demo:rng\" = { path = \"vendor/rng.wasm\" }\n\n\
             [[component]]\nname = \"user\"\npath = \"user.wasm\"\n",
        )
        .file("user.wasm", user())
        .file("vendor/rng.wasm", rng("1.0.0", 21));
    workspace.run(["build"]).ok();
    assert_eq!(twice(&workspace.read("target/wasm/user.wasm")).as_deref(), Some("42"));
    workspace.write("vendor/rng.wasm", rng("1.0.0", 4));
    workspace.run(["build"]).ok();
    assert_eq!(twice(&workspace.read("target/wasm/user.wasm")).as_deref(), Some("8"));
}

/// Runs git in a folder.
fn git(folder: &std::path::Path, arguments: &[&str]) {
    let identity = ["-c", "user.name=a", "-c", "user.email=a@example.com"];
    let mut git = Command::new("git");
    let output = git.args(identity).args(arguments).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_shop_is_composed_of_four_languages_and_answers() {
    let (registry, mirror) = (DockerRegistry::start(), DockerRegistry::start());
    let read = |path: &str| {
        fs::read_to_string(harness::repository().join("examples/shop/packages").join(path)).unwrap()
    };
    for url in [registry.url(), mirror.url()] {
        publish(&url, &read("money/money.wit"));
    }
    let shop = |url: String| {
        let workspace = Workspace::example("shop").env("RUN_REGISTRY_URL", url);
        let text = workspace.root().join("text");
        fs::create_dir_all(&text).unwrap();
        fs::write(text.join("text.wit"), read("text/text.wit")).unwrap();
        git(&text, &["init", "-q"]);
        git(&text, &["add", "-A"]);
        let when = "2026-01-01T00:00:00Z";
        let mut commit = Command::new("git");
        commit.args([
            "-c",
            "user.name=a",
            "-c",
            "user.email=a@example.com",
            "commit",
            "-q",
            "-m",
            "x",
        ]);
        commit.env("GIT_AUTHOR_DATE", when).env("GIT_COMMITTER_DATE", when).current_dir(&text);
        assert!(commit.status().unwrap().success());
        git(&text, &["tag", "v0.3.0"]);
        let home = workspace.root().join("home");
        fs::create_dir_all(&home).unwrap();
        let lead = format!(
            "[url \"file://{}\"]\n  insteadOf = https://git.example.com/acme/text\n",
            text.display()
        );
        fs::write(home.join(".gitconfig"), lead).unwrap();
        workspace
    };
    let first = shop(registry.url());
    first.run(["build"]).ok();
    let storefront = first.read("target/wasm/storefront.wasm");
    let open = imports(&storefront);
    // An interface that has types only asks a host for nothing.
    let of_host = |import: &String| import.starts_with("wasi:") || import.contains("/types@");
    assert!(open.iter().all(of_host), "{open:?}");
    let asynchronous = tokio::runtime::Runtime::new().unwrap();
    let answer = asynchronous.block_on(async {
        let server =
            harness::load(&storefront).serve("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = server.address();
        let answer = tokio::task::spawn_blocking(move || get(address, "/")).await.unwrap();
        server.shutdown().await;
        answer
    });
    assert_eq!(answer, (200, "apples: 12 left, 2.50\npears: 3 left, 3.78\n".to_owned()));
    // An edit in the body of one runs its own compiler and the compositions.
    // The store is that of earlier runs, too, so the body has to be one that was never there.
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis() % 1_000_000_000;
    first.replace("components/discounts/discounts.zig", "price / 10", &format!("price / {now}"));
    let run = first.run(["build"]).ok();
    let mut ran = run.ran();
    ran.sort_unstable();
    assert_eq!(
        ran,
        ["discounts:compile", "discounts:finish", "prices:compose", "storefront:compose"]
    );
    // Without a registry, and without a network.
    drop(registry);
    first.run(["build", "--frozen"]).ok();
    // A second machine with the lock alone, whose registry is a mirror.
    let second = shop(mirror.url());
    second.write("run.lock.toml", first.read("run.lock.toml"));
    second.run(["build", "--locked"]).ok();
    assert_eq!(second.read("target/wasm/storefront.wasm"), storefront);
    second.write(
        "components/discounts/discounts.zig",
        first.read("components/discounts/discounts.zig"),
    );
    second.run(["build", "--locked"]).ok();
    let both = [&first, &second].map(|machine| machine.read("target/wasm/storefront.wasm"));
    assert_eq!(both[0], both[1]);
}
