//! Tests that the same inputs give the same bytes, whatever the path, the user, the clock, the number of jobs
//! and the cache.

use crate::harness::{self, Workspace, repository};

/// The components of the polyglot example: Rust, Python, Go, JavaScript, TypeScript, Zig and C.
const ALL: [&str; 10] =
    ["api", "calc", "greeter", "report", "shop", "slug", "quote", "checksum", "sort", "banner"];

/// Returns the arguments of a build of these components.
fn arguments<'a>(names: &[&'a str], jobs: &'a str) -> Vec<&'a str> {
    let components = names.iter().flat_map(|name| ["-p", name]);
    ["build", "-j", jobs].into_iter().chain(components).collect()
}

fn read(workspace: &Workspace, names: &[&str]) -> Vec<Vec<u8>> {
    names.iter().map(|name| workspace.read(&format!("target/wasm/{name}.wasm"))).collect()
}

/// Fails if components differ, and names all of them.
#[track_caller]
fn assert_same(one: &Workspace, other: &Workspace, names: &[&str], what: &str) {
    let both = read(one, names).into_iter().zip(read(other, names));
    let differ = names.iter().zip(both).filter(|(_, (one, other))| one != other);
    let differ: Vec<&str> = differ.map(|(name, _)| *name).collect();
    assert!(differ.is_empty(), "{what}: {}", differ.join(", "));
}

/// Adds a project in the folder `own`, with a proc macro.
fn with_proc_macro(workspace: Workspace) -> Workspace {
    let package = |name: &str, rest: &str| {
        format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n{rest}")
    };
    let macros = "use proc_macro::TokenStream;\n\
                  #[proc_macro] pub fn one(_: TokenStream) -> TokenStream { \"1\".parse().unwrap() }\n";
    workspace
        .file(
            "own/run.toml",
            "[project]\nname = \"own\"\nversion = \"0.1.0\"\n\n\
             [[component]]\nname = \"app\"\nsource = \"src/main.rs\"\n",
        )
        .file("own/Cargo.toml", package("app", "[dependencies]\nmacros = { path = \"macros\" }\n"))
        .file("own/macros/Cargo.toml", package("macros", "[lib]\nproc-macro = true\n"))
        .file("own/macros/src/lib.rs", macros)
        .file("own/src/main.rs", "fn main() { println!(\"{}\", macros::one!()); }\n")
        .file(
            "own/Cargo.lock",
            "version = 4\n\n[[package]]\nname = \"app\"\nversion = \"0.1.0\"\n\
             dependencies = [\"macros\"]\n\n[[package]]\nname = \"macros\"\nversion = \"0.1.0\"\n",
        )
}

#[test]
fn components_are_byte_identical_everywhere() {
    let first = Workspace::built("polyglot");

    // The other build is from nothing: no result of an earlier build, one job, another path, another user,
    // another clock.
    let other = with_proc_macro(Workspace::example("polyglot")).private_store().user(54_321);
    other.run_through(&["faketime", "-f", "+400d"], &arguments(&ALL, "1")).ok();
    assert_same(&first, &other, &ALL, "another user, path, clock, store and -j1");

    // Any user can compile and run programs of the project that run in the build.
    let own = with_proc_macro(Workspace::new());
    for workspace in [&own, &other] {
        workspace.run(["-C", "own", "build", "--opt-level", "release"]).ok();
    }
    let same = own.read("own/target/wasm/app.wasm") == other.read("own/target/wasm/app.wasm");
    assert!(same, "a proc macro of the project");

    // With the cache and from another path, nothing runs at all.
    let cached = Workspace::example("polyglot");
    let run = cached.run_all(&arguments(&ALL, "2")).ok();
    assert_eq!(run.ran(), Vec::<&str>::new());
    assert_same(&first, &cached, &ALL, "from the cache");
}

#[test]
fn no_path_of_the_host_is_in_a_component() {
    let workspace = Workspace::built("polyglot");
    for bytes in read(&workspace, &ALL) {
        let text = String::from_utf8_lossy(&bytes);
        for path in [workspace.root().to_str().unwrap(), repository().to_str().unwrap()] {
            assert!(!text.contains(path), "{path}");
        }
    }
}

/// The tools see fixed random numbers, but a component gets real ones when it runs.
#[test]
fn chance_is_left_to_run_time() {
    let workspace = Workspace::example("polyglot");
    workspace.write(
        "components/greeter/phrases.py",
        "import os\nimport random\nimport secrets\nimport uuid\n\n\ndef greeting(name: str) -> str:\n    \
         draws = (random.random(), random.SystemRandom().random(), secrets.token_hex(), uuid.uuid4())\n    \
         return \"\\n\".join(str(draw) for draw in (*draws, os.urandom(8).hex()))\n",
    );
    workspace.write(
        "components/slug/wit/slug.wit",
        "package demo:slug@0.1.0;\n\ninterface text {\n    slug: func(title: string) -> string;\n}\n\n\
         world slug {\n    import wasi:random/random@0.2.9;\n    export text;\n}\n",
    );
    workspace.write(
        "components/slug/app.js",
        "export const text = {\n    slug: () => `${Math.random()}\\n${crypto.randomUUID()}`,\n};\n",
    );
    workspace.run(["build", "-p", "greeter", "-p", "slug"]).ok();
    let asynchronous = tokio::runtime::Runtime::new().unwrap();
    for (component, interface, function, count) in [
        ("greeter", "demo:greeter/greet@0.1.0", "greet", 5),
        ("slug", "demo:slug/text@0.1.0", "slug", 2),
    ] {
        let bytes = workspace.read(&format!("target/wasm/{component}.wasm"));
        let loaded = harness::load(&bytes);
        // Each call has an instance of its own.
        let draw = || {
            let drawn = asynchronous.block_on(loaded.call(Some(interface), function, &["\"\""]));
            let drawn = drawn.unwrap().unwrap();
            drawn.trim_matches('"').split("\\n").map(str::to_owned).collect::<Vec<_>>()
        };
        let (one, two) = (draw(), draw());
        assert_eq!(one.len(), count, "{one:?}");
        for (one, two) in one.iter().zip(&two) {
            assert_ne!(one, two, "{component}");
        }
    }
}
