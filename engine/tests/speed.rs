//! A test that a build with nothing to do takes almost no time.

use std::time::{Duration, Instant};

use engine::{BuiltinContext, BuiltinError, Graph, Input, Source};

use crate::harness::{Workspace, builtin, files_of, join};

crate::tests![a_null_build_of_200_actions];

/// Builds 200 actions over 2000 source files: 20 components with 100 files and ten steps each.
///
/// The limit is generous, because the test runs unoptimised and beside other work. It notices
/// when a null build begins to read files. In a release build, the test prints the time.
#[expect(clippy::print_stdout, reason = "the figure is what this is for")]
fn a_null_build_of_200_actions() {
    let workspace = Workspace::new();
    for at in 0..2000 {
        workspace.write(&format!("src/{}/{at}.txt", at / 100), &at.to_string());
    }
    std::thread::sleep(Duration::from_millis(30));
    let files: Vec<_> = (0..20).map(|at| files_of(&workspace.path(&format!("src/{at}")))).collect();
    let build = || {
        let begin = Instant::now();
        let mut state = workspace.state();
        let opened = begin.elapsed();
        let mut graph = Graph::new();
        let mut ends = Vec::new();
        for (component, files) in files.iter().enumerate() {
            let tree = state.sources().tree(files).unwrap();
            let mut below = format!("{component}-source");
            builtin(&mut graph, &below, [Input::new("src", Source::Tree(tree))], count);
            for step in 1..10 {
                let name = format!("{component}-{step}");
                join(&mut graph, &name, "x", &[&below]);
                below = name;
            }
            ends.push(below);
        }
        let looked = begin.elapsed();
        let names: Vec<&str> = ends.iter().map(String::as_str).collect();
        let ran = workspace.build(&graph).of(&names).run_with(&mut state);
        let whole = begin.elapsed();
        (ran.ok().summary.clone(), opened, looked - opened, whole - looked)
    };
    assert_eq!(build().0.ran, 200);
    let null = (0..20).map(|_| build()).min_by_key(|(_, a, b, c)| *a + *b + *c);
    let (summary, opened, looked, built) = null.unwrap();
    assert_eq!(summary.hits, 200);
    println!("null build: state {opened:?}, 2000 sources {looked:?}, 200 actions {built:?}");
    assert!(opened + looked + built < Duration::from_millis(100));
}

/// Writes the number of files in a tree to the output.
fn count(cx: &BuiltinContext) -> Result<(), BuiltinError> {
    let files = files_of(&cx.path("src")?).len();
    std::fs::write(cx.out()?.join("o"), files.to_string()).unwrap();
    Ok(())
}
