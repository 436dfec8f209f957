//! `run publish`: packages of WIT and components.

use super::{Registry, greet};
use crate::harness::Workspace;

fn project(url: &str, wit: &str) -> Workspace {
    Workspace::new()
        .file(
            "run.toml",
            format!(
                "[project]\nname = \"greet\"\nversion = \"1.0.0\"\nlicense = \"MIT\"\n\n[registry]\nurl = \"{url}\"\n\n\
                 [dependencies]\n\"demo:words\" = \"0.1\"\n"
            ),
        )
        .file("wit/greet.wit", wit)
}

#[test]
fn a_version_is_published_once() {
    let registry = Registry::new();
    let workspace = project(&registry.url(), &greet("1.2.0"));
    let path = registry.path().join("demo/greet/1.2.0.wasm");
    workspace.run(["publish", "--wit", "wit", "--dry-run"]).ok().says("demo:greet 1.2.0");
    assert!(!path.exists());
    workspace.run(["publish", "--wit", "wit"]).ok().says("Published demo:greet 1.2.0");
    let bytes = std::fs::read(&path).unwrap();
    workspace.run(["publish", "--wit", "wit"]).ok().says("has the same bytes already");
    workspace.write("wit/greet.wit", greet("1.2.0").replace("}\n}", "}\n  more: func();\n}"));
    workspace.replace("wit/greet.wit", "hello:", "more: func();\n  hello:");
    workspace.run(["publish", "--wit", "wit"]).exits(2).says("published before with other bytes");
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
    // Another folder gives the same bytes.
    let other = Registry::new();
    project(&other.url(), &greet("1.2.0")).run(["publish", "--wit", "wit"]).ok();
    assert_eq!(std::fs::read(other.path().join("demo/greet/1.2.0.wasm")).unwrap(), bytes);
}

#[test]
fn a_version_that_breaks_its_users_is_refused() {
    let registry = Registry::new();
    let workspace = project(
        &registry.url(),
        &greet("1.2.0").replace("hello: func(name: word)", "hello: func()"),
    );
    let run = workspace.run(["publish", "--wit", "wit"]).exits(2);
    run.says("demo:greet 1.2.0 breaks users of 1.1.0").says("publish it as 2.0.0");
    workspace.replace("wit/greet.wit", "1.2.0", "2.0.0");
    workspace.run(["publish", "--wit", "wit"]).ok();
    // A version before a release promises nothing.
    workspace.replace("wit/greet.wit", "2.0.0", "3.0.0-rc.1");
    workspace.run(["publish", "--wit", "wit"]).ok();
    workspace.replace("wit/greet.wit", "3.0.0-rc.1", "3.0.0");
    workspace.run(["publish", "--wit", "wit"]).ok();
    workspace.replace("wit/greet.wit", "3.0.0", "1.3.0");
    workspace.run(["publish", "--wit", "wit", "--allow-breaking"]).ok();
}

#[test]
fn what_is_published_has_to_have_a_name_and_a_version() {
    let registry = Registry::new();
    let workspace = project(&registry.url(), "package demo:greet;\ninterface i {}\n");
    workspace.run(["publish", "--wit", "wit"]).exits(2).says("package demo:greet@1.0.0;");
    workspace.run(["publish"]).exits(2).says("run publish --wit wit");
    workspace.run(["publish", "--wit", "nowhere"]).exits(2).says("cannot read nowhere");
}

#[test]
fn a_component_is_published_and_used_as_wit() {
    let registry = Registry::new();
    let workspace = crate::configuration::prebuilt();
    let text = workspace.read_text("run.toml");
    workspace.write("run.toml", format!("{text}\n[registry]\nurl = \"{}\"\n", registry.url()));
    workspace.run(["publish"]).exits(2).says("--package NAMESPACE:legacy");
    workspace.run(["publish", "--package", "demo:legacy"]).ok().says("Published demo:legacy 0.1.0");
    let published = std::fs::read(registry.path().join("demo/legacy/0.1.0.wasm")).unwrap();
    wasmparser::Validator::new_with_features(wasmparser::WasmFeatures::all())
        .validate_all(&published)
        .unwrap();
    let user = super::app(&registry.url());
    user.write("wit/app.wit", "package demo:app;\nworld app {}\n");
    user.run(["add", "demo:legacy"]).ok().says("Added demo:legacy 0.1.0");
    assert!(user.run(["tree"]).ok().stdout.contains("demo:legacy 0.1.0 (component, "));
    user.run(["build"]).ok();
}
