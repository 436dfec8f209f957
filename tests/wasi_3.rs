//! Components of WASI 0.3, whose functions are asynchronous.

use crate::first_build::get;
use crate::harness::{self, Workspace};

#[test]
fn services_are_built_and_answer() {
    let workspace = Workspace::fixture("wasi_3");
    workspace.run(["build"]).ok();
    let tokio = tokio::runtime::Runtime::new().unwrap();
    tokio.block_on(async {
        // `mid` is a middleware in Python before `svc`, which changes the path.
        for (name, word, prefix) in
            [("svc", "Rust", ""), ("py", "Python", ""), ("mid", "Rust", "/wrapped")]
        {
            let component = workspace.read(&format!("target/wasm/{name}.wasm"));
            let server = harness::load(&component).serve(([127, 0, 0, 1], 0).into()).await.unwrap();
            let address = server.address();
            for path in ["/", "/again"] {
                let answer = tokio::task::spawn_blocking(move || get(address, path)).await.unwrap();
                assert_eq!(answer, (200, format!("{word} says hello to {prefix}{path}\n")));
            }
            server.shutdown().await;
        }
    });
}

#[test]
fn a_language_without_wasi_3_says_so() {
    let workspace = Workspace::fixture("wasi_3");
    workspace.replace("run.toml", "language = \"python\"\n", "");
    workspace.write("py/app.js", "");
    workspace.replace("run.toml", "py/app.py", "py/app.js");
    workspace
        .run(["build", "py"])
        .exits(2)
        .says("its world needs WASI 0.3, which javascript can't be compiled for: ")
        .says("world = \"wasi:http/service@0.3.0\"")
        .says("use version 0.2 of the packages `wasi:*`, or write the component in Rust or Python");
}
