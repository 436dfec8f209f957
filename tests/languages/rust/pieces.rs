//! Tests that each crate is compiled once and by itself, as Cargo would compile it.
//!
//! The crates lie in the project, as `cargo vendor` puts them there, so their content is unique to each run.

use std::fmt::Write as _;

use super::{app, local};
use crate::harness::Workspace;

/// The checksum of all crates.
const SUM: &str = "02f0e023adb368345ce0ca6cdfc0f24a06554468d0e8503e14a0841de79bfa69";

/// Makes a project with a binary that depends on crates of `vendor`, by this text of its manifest.
fn with_vendor(dependencies: &str, main: &str) -> Workspace {
    app("src/main.rs")
        .package("", "app", dependencies)
        .file("src/main.rs", main)
        .file(
            ".cargo/config.toml",
            "[source.crates-io]\nreplace-with = \"vendored\"\n[source.vendored]\ndirectory = \"vendor\"\n",
        )
}

impl Workspace {
    /// Writes a crate into `vendor`: its folder, which is `NAME-VERSION`, the rest of its manifest, and its files.
    fn vendored(&self, folder: &str, manifest: &str, files: &[(&str, &str)]) {
        let (name, version) = folder.rsplit_once('-').unwrap();
        let write = |path: &str, text: &str| self.write(&format!("vendor/{folder}/{path}"), text);
        let package =
            format!("[package]\nname = \"{name}\"\nversion = \"{version}\"\nedition = \"2021\"\n");
        write("Cargo.toml", &format!("{package}{manifest}"));
        write(".cargo-checksum.json", &format!("{{\"files\":{{}},\"package\":\"{SUM}\"}}"));
        files.iter().for_each(|(path, text)| write(path, text));
    }

    /// Writes the lockfile: what `app` depends on, and the crates, each with what it depends on.
    fn lock(&self, app: &[&str], crates: &[(&str, &[&str])]) {
        let quoted = |names: &[&str]| {
            names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ")
        };
        let mut text = format!("version = 4\n\n[[package]]\n{}\n", local("app", &quoted(app)));
        for (folder, needs) in crates {
            let (name, version) = folder.rsplit_once('-').unwrap();
            let _ = write!(
                text,
                "\n[[package]]\nname = \"{name}\"\nversion = \"{version}\"\n\
                 source = \"registry+https://github.com/rust-lang/crates.io-index\"\n\
                 checksum = \"{SUM}\"\ndependencies = [{}]\n",
                quoted(needs)
            );
        }
        self.write("Cargo.lock", text);
    }

    /// Builds, and returns the actions that compiled something.
    fn compiles(&self) -> Vec<String> {
        let run = self.run(["build"]).ok();
        let ran = run.ran().into_iter().filter(|label| label.contains(":compile"));
        ran.map(str::to_owned).collect()
    }
}

/// Makes a project whose `middle` depends on `leaf`, with the text in both.
fn chain(unique: &str, main: &str) -> Workspace {
    let workspace = with_vendor("[dependencies]\nmiddle = \"1\"\nother = \"1\"\n", main);
    let leaf = format!("pub fn leaf() -> String {{ {unique:?}.to_owned() }}\n");
    let other = format!("pub const OTHER: &str = {unique:?};\n");
    workspace.vendored("leaf-1.0.0", "", &[("src/lib.rs", &leaf)]);
    workspace.vendored("other-1.0.0", "", &[("src/lib.rs", &other)]);
    let middle = "pub fn middle() -> usize { leaf::leaf().len() }\n";
    workspace.vendored("middle-1.0.0", "[dependencies]\nleaf = \"1\"\n", &[("src/lib.rs", middle)]);
    workspace.lock(
        &["middle", "other"],
        &[("leaf-1.0.0", &[]), ("middle-1.0.0", &["leaf"]), ("other-1.0.0", &[])],
    );
    workspace
}

const MAIN: &str = "fn main() { println!(\"{} {}\", middle::middle(), other::OTHER.len()); }\n";

#[test]
fn a_new_version_compiles_a_crate_and_what_depends_on_it() {
    let unique = Workspace::new().root().display().to_string();
    let workspace = chain(&unique, MAIN);
    let all = [
        "leaf 1.0.0:compile library",
        "middle 1.0.0:compile library",
        "other 1.0.0:compile library",
        "app:compile",
    ];
    let mut first = workspace.compiles();
    first.sort_by_key(|label| all.iter().position(|other| other == label));
    assert_eq!(first, all);
    assert_eq!(workspace.app_prints(), format!("{} {0}\n", unique.len()));

    // In the middle.
    std::fs::remove_dir_all(workspace.path("vendor/middle-1.0.0")).unwrap();
    let middle = "pub fn middle() -> usize { 2 * leaf::leaf().len() }\n";
    let manifest = "[dependencies]\nleaf = \"1\"\n";
    workspace.vendored("middle-1.0.1", manifest, &[("src/lib.rs", middle)]);
    let crates: [(&str, &[&str]); 3] =
        [("leaf-1.0.0", &[]), ("middle-1.0.1", &["leaf"]), ("other-1.0.0", &[])];
    workspace.lock(&["middle", "other"], &crates);
    assert_eq!(workspace.compiles(), ["middle 1.0.1:compile library", "app:compile"]);
    assert_eq!(workspace.app_prints(), format!("{} {}\n", 2 * unique.len(), unique.len()));

    // One crate more.
    workspace.replace("Cargo.toml", "other = \"1\"\n", "other = \"1\"\nthird = \"1\"\n");
    let third = format!("pub const THIRD: &str = {unique:?};\n");
    workspace.vendored("third-1.0.0", "", &[("src/lib.rs", &third)]);
    let crates = crates.into_iter().chain([("third-1.0.0", &[][..])]).collect::<Vec<_>>();
    workspace.lock(&["middle", "other", "third"], &crates);
    let mut again = workspace.compiles();
    again.sort();
    assert_eq!(again, ["app:compile", "third 1.0.0:compile library"]);

    // Another project shares what is the same.
    let other = chain(&unique, "fn main() { println!(\"{}\", other::OTHER); }\n");
    assert_eq!(other.compiles(), ["app:compile"]);
    assert_eq!(other.app_prints(), format!("{unique}\n"));
}

#[test]
fn the_order_in_which_dependencies_were_added_does_not_show() {
    let unique = Workspace::new().root().display().to_string();
    let add = |workspace: &Workspace, name: &str, crates: &[&str]| {
        let manifest = workspace.read_text("Cargo.toml");
        workspace.write("Cargo.toml", format!("{manifest}{name} = \"1\"\n"));
        let text = format!("pub const TEXT: &str = \"{name} {unique}\";\n");
        workspace.vendored(&format!("{name}-1.0.0"), "", &[("src/lib.rs", &text)]);
        let folders: Vec<String> = crates.iter().map(|name| format!("{name}-1.0.0")).collect();
        let entries: Vec<(&str, &[&str])> =
            folders.iter().map(|folder| (folder.as_str(), &[][..])).collect();
        workspace.lock(crates, &entries);
        workspace.run(["build"]).ok();
    };
    let main = "fn main() { println!(\"none\"); }\n";
    let built = |names: [&str; 2]| {
        let workspace = with_vendor("[dependencies]\n", main);
        add(&workspace, names[0], &names[..1]);
        add(&workspace, names[1], &["a", "b"]);
        workspace.write("src/main.rs", "fn main() { println!(\"{} {}\", a::TEXT, b::TEXT); }\n");
        workspace.run(["build"]).ok();
        workspace
    };
    let (one, two) = (built(["a", "b"]), built(["b", "a"]));
    assert_eq!(one.read("target/wasm/app.wasm"), two.read("target/wasm/app.wasm"));
    assert_eq!(one.app_prints(), format!("a {unique} b {unique}\n"));
    // Both are what a build from nothing gives.
    two.run(["verify"]).ok();
}

/// Each crate of the fixture does something that manifests and build scripts of published crates do.
#[test]
fn odd_crates_build_as_with_cargo() {
    let workspace = Workspace::fixture("rust/odd");
    let run = workspace.run(["build"]).ok();
    assert!(run.stderr.contains("app@0.1.0: made by hand"), "{}", run.stderr);
    assert!(!run.stderr.contains("not shown"), "{}", run.stderr);
    assert_eq!(
        workspace.app_prints(),
        "probed 17 7 'z' of z-sys quiet real one two LOUD wasi quiet \"Two\\nlines\"\n"
    );
}

/// Cargo gives a library that is a component, too, the same file names whatever its features are.
#[test]
fn features_of_one_component_are_not_those_of_another() {
    let component = |name: &str, source: &str, rest: &str| {
        format!("\n[[component]]\nname = \"{name}\"\nsource = \"{source}/src/{rest}\n")
    };
    let components = [
        component("plain", "both", "lib.rs\""),
        component("loud", "both", "lib.rs\"\nfeatures = [\"loud\"]"),
        component("app", "user", "main.rs\""),
    ];
    let workspace = Workspace::new()
        .file(
            "run.toml",
            format!("[project]\nname = \"p\"\nversion = \"0.1.0\"\n{}", components.concat()),
        )
        .file("Cargo.toml", "[workspace]\nresolver = \"2\"\nmembers = [\"both\", \"user\"]\n")
        .package(
            "both/",
            "both",
            "[lib]\ncrate-type = [\"cdylib\", \"rlib\"]\n[features]\nloud = []\n",
        )
        .file("both/src/lib.rs", "pub const LOUD: bool = cfg!(feature = \"loud\");\n")
        .package("user/", "user", "[dependencies]\nboth = { path = \"../both\" }\n")
        .file("user/src/main.rs", "fn main() { println!(\"{}\", both::LOUD); }\n")
        .cargo_lock(&[&local("both", ""), &local("user", "\"both\"")]);
    workspace.run(["build"]).ok();
    assert_eq!(workspace.app_prints(), "false\n");
    let together = workspace.read("target/wasm/app.wasm");
    workspace.write("run.toml", workspace.read_text("run.toml").replace("\"loud\"]", "]"));
    workspace.run(["build"]).ok();
    assert!(workspace.read("target/wasm/app.wasm") == together);
}

#[test]
fn what_a_build_script_may_not_do_is_told() {
    let unique = Workspace::new().root().display().to_string();
    let check = |script: &str, expect: &[&str]| {
        let workspace =
            with_vendor("[dependencies]\nodd = \"1\"\nother = \"1\"\n", "fn main() {}\n");
        let script = format!("// {unique}\nfn main() {{\n    {script}\n}}\n");
        workspace.vendored("odd-1.0.0", "", &[("build.rs", &script), ("src/lib.rs", "")]);
        workspace.vendored("other-1.0.0", "", &[("src/lib.rs", "")]);
        workspace.lock(&["odd", "other"], &[("odd-1.0.0", &[]), ("other-1.0.0", &[])]);
        let run = workspace.run(["build"]).exits(1);
        for text in expect {
            assert!(run.stderr.contains(text), "`{text}` is not in:\n{}", run.stderr);
        }
    };
    check(
        "std::fs::write(\"src/made.rs\", \"\").expect(\"beside itself\");",
        &["odd 1.0.0:run build script", "beside itself", "Read-only file system"],
    );
    check(
        "println!(\"said before\");\n    std::fs::read(\"../other-1.0.0/src/lib.rs\").expect(\"of another\");",
        &["odd 1.0.0:run build script", "of another", "said before", "No such file"],
    );
    check("println!(\"cargo::error=no luck\");", &["the build script of odd@1.0.0 says: no luck"]);
}
