//! Tests packages of the project that run in the build, and packages that have the name of a dependency.

use super::{ITOA, app, local};
use crate::harness::Workspace;
use crate::remedies::told;

/// Builds with and without optimisation, and again after an edit each time. What was compiled for stand-ins
/// must never get into a component.
fn prints(workspace: &Workspace, expect: &str) {
    for profile in ["release", "debug"] {
        workspace.run(["build", "--opt-level", profile]).ok();
        assert_eq!(workspace.app_prints(), expect, "{profile}");
        let source = workspace.read_text("src/main.rs");
        // No store has this text yet.
        let edited =
            format!("{source}// Edited for {profile} in {}.\n", workspace.root().display());
        workspace.write("src/main.rs", edited);
        let run = workspace.run(["build", "--opt-level", profile]).ok();
        // The package's own build script may read the source, so it is compiled and runs again.
        let ran = run.ran();
        let is_own = |label: &&str| label.starts_with("app:") && !label.contains("library");
        assert!(ran.iter().all(is_own), "{ran:?}");
        assert_eq!(ran.last(), Some(&"app:compile"));
        assert_eq!(workspace.app_prints(), expect, "{profile}");
    }
}

#[test]
fn a_proc_macro_of_the_project_is_compiled_for_the_host() {
    let one = "use proc_macro::TokenStream;\n\
               #[proc_macro] pub fn one(_: TokenStream) -> TokenStream { \"1\".parse().unwrap() }\n";
    let workspace = app("src/main.rs")
        .package("", "app", "[dependencies]\nmac = { path = \"mac\" }\n")
        .package("mac/", "mac", "[lib]\nproc-macro = true\n")
        .file("mac/src/lib.rs", one)
        .file("src/main.rs", "fn main() { println!(\"{}\", mac::one!()); }\n")
        .cargo_lock(&[&local("app", "\"mac\""), &local("mac", "")]);
    prints(&workspace, "1\n");
    let unique = workspace.root().display().to_string();
    workspace.replace("mac/src/lib.rs", "\"1\"", &format!("\"\\\"{unique}\\\"\""));
    let compiled = ["app:compile library of mac", "app:compile", "app:finish"];
    assert_eq!(workspace.run(["build"]).ok().ran(), compiled);
    assert_eq!(workspace.app_prints(), format!("{unique}\n"));
}

#[test]
fn a_build_dependency_of_the_project_runs_in_the_build() {
    let workspace = app("src/main.rs")
        .package("", "app", "[build-dependencies]\ngen = { path = \"gen\" }\n")
        .package("gen/", "gen", "")
        .file("gen/src/lib.rs", "pub fn text() -> String { \"pub const G: u32 = 5;\".into() }\n")
        .file(
            "build.rs",
            "fn main() { let out = std::env::var(\"OUT_DIR\").unwrap();\n\
             std::fs::write(format!(\"{out}/g.rs\"), gen::text()).unwrap(); }\n",
        )
        .file(
            "src/main.rs",
            "include!(concat!(env!(\"OUT_DIR\"), \"/g.rs\"));\nfn main() { println!(\"{G}\"); }\n",
        )
        .cargo_lock(&[&local("app", "\"gen\""), &local("gen", "")]);
    prints(&workspace, "5\n");
}

#[test]
fn a_build_script_may_have_a_folder_of_its_own() {
    let workspace = app("src/main.rs")
        .package("", "app", "build = \"build/main.rs\"\n")
        .file(
            "build/main.rs",
            "mod words;\nfn main() { println!(\"cargo:rustc-env=W={}\", words::W); }\n",
        )
        .file("build/words.rs", "pub const W: u32 = 7;\n")
        .file("src/main.rs", "fn main() { println!(\"{}\", env!(\"W\")); }\n")
        .cargo_lock(&[&local("app", "")]);
    prints(&workspace, "7\n");
}

#[test]
fn a_library_may_be_used_at_build_and_at_run_time() {
    let util = "util = { path = \"util\" }\n";
    let workspace = app("src/main.rs")
        .package("", "app", &format!("[dependencies]\n{util}[build-dependencies]\n{util}"))
        // The lints of a package also apply to the stand-ins for its sources.
        .package(
            "util/",
            "util",
            "[lints.rust]\nmissing_docs = \"deny\"\nunsafe_code = \"forbid\"\n",
        )
        .file("util/src/lib.rs", "//! Words.\n/// One.\npub fn w() -> u32 { 9 }\n")
        .file("build.rs", "fn main() { println!(\"cargo:rustc-env=W={}\", util::w()); }\n")
        .file("src/main.rs", "fn main() { println!(\"{} {}\", util::w(), env!(\"W\")); }\n")
        .cargo_lock(&[&local("app", "\"util\""), &local("util", "")]);
    prints(&workspace, "9 9\n");
}

#[test]
fn a_package_may_have_the_name_of_a_dependency() {
    let workspace = app("src/main.rs")
        .package("", "itoa", "[dependencies]\nitoa = \"1\"\n")
        .file("src/main.rs", "fn main() { println!(\"{}\", itoa::Buffer::new().format(42)); }\n")
        .cargo_lock(&[&local("itoa", "\"itoa 1.0.19\""), ITOA]);
    prints(&workspace, "42\n");
}

#[test]
fn features_of_the_package_are_those_that_run_toml_names() {
    let workspace = app("src/tool.rs")
        .package(
            "",
            "app",
            "[[bin]]\nname = \"tool\"\npath = \"src/tool.rs\"\nrequired-features = [\"cli\"]\n\
             [features]\ndefault = [\"base\"]\nbase = []\ncli = []\n",
        )
        .file(
            "src/tool.rs",
            "fn main() { println!(\"{} {}\", cfg!(feature = \"cli\"), cfg!(feature = \"base\")); }\n",
        )
        .cargo_lock(&[&local("app", "")]);
    let run_toml = workspace.read_text("run.toml");
    workspace
        .run(["build"])
        .exits(1)
        .says("the component in run.toml needs `features = [\"cli\"]`");
    workspace.write("run.toml", format!("{run_toml}features = [\"cli\"]\n"));
    workspace.run(["build"]).ok();
    assert_eq!(workspace.app_prints(), "true true\n");
    let without = format!("{run_toml}features = [\"cli\"]\ndefault_features = false\n");
    workspace.write("run.toml", without);
    workspace.run(["build"]).ok();
    assert_eq!(workspace.app_prints(), "true false\n");
}

/// Tests the forms that Cargo's own option accepts. A feature of an optional dependency switches the
/// dependency on, unless there is a `?` behind its name.
#[test]
fn features_of_dependencies_are_switched_on_as_cargo_does_it() {
    let workspace = app("src/main.rs")
        .package(
            "",
            "app",
            "[features]\nlist = [\"dep:hidden\"]\n[dependencies]\nutil = { path = \"util\" }\n\
             extra = { path = \"extra\", optional = true }\nhidden = { path = \"hidden\", optional = true }\n",
        )
        .file(
            "src/main.rs",
            "fn main() { println!(\"{} {} {}\", util::LOUD, cfg!(feature = \"extra\"), cfg!(feature = \"list\")); }\n",
        )
        .cargo_lock(&[
            &local("app", "\"extra\", \"hidden\", \"util\""),
            &local("extra", ""),
            &local("hidden", ""),
            &local("util", ""),
        ]);
    let packages = ["util", "extra", "hidden"];
    let workspace = packages.into_iter().fold(workspace, |workspace, name| {
        workspace.package(&format!("{name}/"), name, "[features]\nloud = []\n").file(
            &format!("{name}/src/lib.rs"),
            "pub const LOUD: bool = cfg!(feature = \"loud\");\n",
        )
    });
    let run_toml = workspace.read_text("run.toml");
    let prints = |features: &str, expect: &str| {
        workspace.write("run.toml", format!("{run_toml}features = [{features}]\n"));
        workspace.run(["build"]).ok();
        assert_eq!(workspace.app_prints(), expect, "{features}");
    };
    prints("\"util/loud\", \"extra?/loud\"", "true false false\n");
    prints("\"extra/loud\"", "false true false\n");
    // Forms that are valid only in Cargo.toml are refused. The message says what to write instead: a feature
    // that lists the dependency, or the dependency's own name.
    for (written, said) in [("dep:extra", "extra"), ("dep:hidden", "hidden")] {
        workspace.write("run.toml", format!("{run_toml}features = [\"{written}\"]\n"));
        let refused = told(&workspace, "run build", 2);
        let own = refused.advises("name the feature that lists it, or `").after("or `");
        assert_eq!(own, format!("{said}` if none does"));
    }
    prints("\"extra\"", "false true false\n");
    prints("\"list\"", "false false true\n");
}
